/* The promises of fastmlp.h for single steps: halves of a step, steps that are not finite, changed settings, products
   with the Jacobian, averages of networks, actions. */
#include <math.h>

#include "networks.h"

enum { ROWS = 37, IN = 17, HIDDEN = 20, CLASSES = 4, STEPS = 3 };

typedef struct {
    fm_dtype dtype;
    size_t size;
    void *x, *y, *dy, *values;
    fm_net *net, *other;
    fm_trainer *trainer, *rest;
} task;

static const double no_params[1] = {0.0};

static int loss_named(const char *name) {
    for (int kind = 0; kind < plain_losses(); kind++)
        if (strcmp(fm_loss_at(kind)->name, name) == 0) return kind;
    CHECK(0, "no loss %s", name);
    return 0;
}

static fm_head squares(void) {
    return (fm_head){{.kind = loss_named("MSELoss"), .mean = 1, .n_params = 1, .params = no_params}, 1.0};
}

static int optimizer_named(const char *name) {
    for (int kind = 0; kind < fm_optimizer_count(); kind++)
        if (strcmp(fm_optimizer_at(kind)->name, name) == 0) return kind;
    CHECK(0, "no optimizer %s", name);
    return 0;
}

static const fm_penalty penalties[1] = {{2.0, 1e-2}};

static fm_optimizer_spec adam(double beta) {
    return (fm_optimizer_spec){
        .kind = optimizer_named("Adam"), .hyper = {beta, 0.99, 1e-8, 0.0}, .n_penalties = 1, .penalties = penalties};
}

static fm_net *net_of(fm_dtype dtype, uint32_t stream) {
    list l = {.count = 0};
    fm_net *net = NULL;
    int h = one(&l, FM_OP_LINEAR, IN, HIDDEN, -1);
    h = one(&l, FM_OP_ACTIVATION, HIDDEN, HIDDEN, h);
    l.node[h].kind = 1; /* ReLU */
    h = one(&l, FM_OP_LINEAR, HIDDEN, CLASSES, h);
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {IN}, .output = {h}};
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 11, &net) == FM_OK, "a network");
    draw_params(net, dtype, stream, 0.2);
    return net;
}

static size_t bytes_of(const task *t) { return (size_t)fm_net_parameters(t->net) * t->size; }

static int same_params(const task *t) {
    return memcmp(fm_net_params(t->net), fm_net_params(t->other), bytes_of(t)) == 0;
}

static task task_of(fm_dtype dtype) {
    task t = {.dtype = dtype, .size = dtype == FM_F32 ? 4 : 8};
    const fm_head head = squares();
    const fm_optimizer_spec optimizer = adam(0.9);
    t.x = random_reals(dtype, ROWS * IN, 2, 1.0);
    t.values = random_reals(dtype, ROWS * CLASSES, 3, 1.0);
    t.y = random_reals(dtype, ROWS * CLASSES, 4, 0.0);
    t.dy = random_reals(dtype, ROWS * CLASSES, 5, 0.0);
    t.net = net_of(dtype, 1), t.other = net_of(dtype, 1);
    CHECK(fm_trainer_new(t.net, &head, &optimizer, &t.trainer) == FM_OK, "a trainer");
    CHECK(fm_trainer_new(t.other, &head, &optimizer, &t.rest) == FM_OK, "a trainer");
    return t;
}

static void release(task *t) {
    fm_trainer_free(t->trainer), fm_trainer_free(t->rest);
    fm_net_free(t->net), fm_net_free(t->other);
    free(t->x), free(t->values), free(t->y), free(t->dy);
}

static fm_targets targets_of(const task *t) { return (fm_targets){.values = t->values, .cols = CLASSES}; }

/* One step in one call. */
static fm_status step(const task *t, fm_trainer *trainer, double *value) {
    static const double lr[1] = {1e-2};
    const fm_epoch epoch = {.x = {t->x}, .targets = {targets_of(t)}, .rows = ROWS, .batch = ROWS, .lr = lr};
    int64_t steps = 0;
    return fm_train(trainer, &epoch, value, &steps);
}

/* The same step in two calls, with the gradient of the loss computed here. */
static fm_status step_in_halves(const task *t, const fm_head *head) {
    const fm_targets targets = targets_of(t);
    double value = NAN;
    void *y = t->y;
    const fm_status status = fm_trainer_forward(t->trainer, ROWS, (const void *const[]){t->x}, NULL, &y);
    if (status != FM_OK) return status;
    CHECK(fm_trainer_pending_rows(t->trainer) == ROWS, "%lld", (long long)fm_trainer_pending_rows(t->trainer));
    CHECK(fm_loss(&head->loss, t->dtype, ROWS, CLASSES, t->y, &targets, &value, NULL, t->dy) == FM_OK, "loss");
    return fm_trainer_apply(t->trainer, ROWS, (const void *const[]){t->dy}, 1e-2);
}

static void check_halves(fm_dtype dtype) {
    task t = task_of(dtype);
    fm_head head = squares();
    fm_optimizer_spec changed = adam(0.8), other = adam(0.9);
    double value = NAN, norm = NAN, sum = 0.0;
    for (int i = 0; i < 2 * STEPS; i++) {
        if (i == STEPS) { /* another loss and another beta from here on */
            head.loss.kind = loss_named("L1Loss");
            CHECK(fm_trainer_set_heads(t.trainer, &head) == FM_OK && fm_trainer_set_heads(t.rest, &head) == FM_OK,
                  "other losses");
            CHECK(fm_trainer_set_optimizer(t.trainer, &changed) == FM_OK, "another beta");
            CHECK(fm_trainer_set_optimizer(t.rest, &changed) == FM_OK, "another beta");
        }
        CHECK(step_in_halves(&t, &head) == FM_OK && step(&t, t.rest, &value) == FM_OK, "step %d", i);
        CHECK(same_params(&t), "step %d: other parameters in halves", i);
    }
    for (int64_t i = 0; i < fm_net_parameters(t.net); i++) sum += pow(get(fm_net_grads(t.net), i, t.size), 2.0);
    CHECK(fm_trainer_gradient_norm(t.trainer, &norm) == FM_OK && fabs(norm - sqrt(sum)) < 1e-5 * norm, "%g", norm);
    other.kind = optimizer_named("SGD");
    CHECK(fm_trainer_set_optimizer(t.trainer, &other) == FM_BAD_ARGUMENT, "another kind of optimizer");
    release(&t);
}

static void check_order_of_halves(fm_dtype dtype) {
    task t = task_of(dtype);
    void *y = t.y;
    const void *const x[] = {t.x}, *const dy[] = {t.dy};
    double value = NAN;
    CHECK(fm_trainer_apply(t.trainer, ROWS, dy, 1e-2) == FM_BAD_ARGUMENT, "no forward");
    CHECK(fm_trainer_forward(t.trainer, ROWS, x, NULL, &y) == FM_OK, "forward");
    fm_trainer_discard(t.trainer);
    CHECK(fm_trainer_pending_rows(t.trainer) == -1, "discarded");
    CHECK(fm_trainer_forward(t.trainer, ROWS, x, NULL, &y) == FM_OK, "forward");
    put(fm_net_params(t.net), 3, t.size, 0.5, 0);
    CHECK(fm_trainer_apply(t.trainer, ROWS, dy, 1e-2) == FM_STALE, "a parameter was changed");
    CHECK(fm_trainer_forward(t.trainer, ROWS, x, NULL, &y) == FM_OK, "forward");
    CHECK(step(&t, t.trainer, &value) == FM_OK, "another step");
    CHECK(fm_trainer_apply(t.trainer, ROWS, dy, 1e-2) != FM_OK, "the network was trained");
    release(&t);
}

static void check_not_finite(fm_dtype dtype) {
    task t = task_of(dtype);
    double value = 0.0;
    put(t.values, 5, t.size, NAN, 0);
    fm_trainer_set_nan(t.trainer, FM_NAN_SKIP);
    CHECK(step(&t, t.trainer, &value) == FM_OK && isnan(value), "%g", value);
    CHECK(fm_trainer_not_finite(t.trainer) == 1, "%lld", (long long)fm_trainer_not_finite(t.trainer));
    CHECK(same_params(&t) && *fm_trainer_updates(t.trainer) == 0, "a skipped step changes nothing");
    fm_trainer_set_nan(t.trainer, FM_NAN_RAISE);
    CHECK(step(&t, t.trainer, &value) == FM_NOT_FINITE && same_params(&t), "a refused step changes nothing");
    fm_trainer_set_nan(t.trainer, FM_NAN_USE);
    CHECK(step(&t, t.trainer, &value) == FM_OK && !same_params(&t), "a step with NaN");
    release(&t);
}

/* The sum of the shards in the tree, each computed by hand. A row's gradient does not depend on the others. */
static void check_shards(fm_dtype dtype) {
    enum { SHARDS = 4 };
    task t = task_of(dtype);
    const fm_head head = squares();
    const fm_targets targets = targets_of(&t);
    double value = NAN;
    void *y = t.y, *sum[SHARDS];
    CHECK(fm_net_forward(t.other, ROWS, (const void *const[]){t.x}, 1, &y) == FM_OK, "forward");
    CHECK(fm_loss(&head.loss, dtype, ROWS, CLASSES, y, &targets, &value, NULL, t.dy) == FM_OK, "loss");
    for (int s = 0; s < SHARDS; s++) {
        const int64_t begin = ROWS * s / SHARDS, rows = ROWS * (s + 1) / SHARDS - begin;
        const void *x[] = {(char *)t.x + (size_t)(begin * IN) * t.size};
        const void *dy[] = {(char *)t.dy + (size_t)(begin * CLASSES) * t.size};
        CHECK(fm_net_forward(t.other, rows, x, 1, &y) == FM_OK, "forward");
        CHECK(fm_net_backward(t.other, rows, dy, 0, NULL) == FM_OK, "backward");
        sum[s] = malloc(bytes_of(&t));
        if (sum[s] == NULL) abort();
        memcpy(sum[s], fm_net_grads(t.other), bytes_of(&t));
    }
    for (int apart = 1; apart < SHARDS; apart *= 2)
        for (int s = 0; s < SHARDS; s += 2 * apart)
            for (int64_t i = 0; i < fm_net_parameters(t.net); i++) {
                const double a = get(sum[s], i, t.size), b = get(sum[s + apart], i, t.size);
                put(sum[s], i, t.size, dtype == FM_F32 ? (double)((float)a + (float)b) : a + b, 0);
            }
    memcpy(fm_net_grads(t.other), sum[0], bytes_of(&t));
    fm_trainer_add_penalty_gradient(t.rest, 1.0);
    CHECK(fm_trainer_update(t.rest, 1e-2) == FM_OK, "update");
    CHECK(fm_trainer_set_shards(t.trainer, 3, NULL) == FM_BAD_ARGUMENT, "no power of two");
    CHECK(fm_trainer_set_shards(t.trainer, SHARDS, NULL) == FM_OK, "shards");
    CHECK(step(&t, t.trainer, &value) == FM_OK && same_params(&t), "other parameters in shards");
    for (int s = 0; s < SHARDS; s++) free(sum[s]);
    release(&t);
}

/* The upstream gradient of a product, which is written when the outputs are there; or a change of parameters instead. */
typedef struct {
    const task *of;
    const void *expected;
    void *dy;
    int changes, answer;
} upstream;

static int find_upstream(void *context) {
    const upstream *up = context;
    const task *t = up->of;
    if (up->changes) put(fm_net_params(t->net), 0, t->size, 7.0, 0);
    CHECK(up->changes || memcmp(t->y, up->expected, (size_t)(ROWS * CLASSES) * t->size) == 0, "other outputs");
    memcpy(up->dy, t->values, (size_t)(ROWS * CLASSES) * t->size);
    return up->answer;
}

static void check_products_that_ask(task *t, const void *expected) {
    void *dx = random_reals(t->dtype, ROWS * IN, 8, 0.0), *y = t->y;
    void *own = random_reals(t->dtype, ROWS * CLASSES, 9, 0.0),
         *scores = random_reals(t->dtype, ROWS * CLASSES, 9, 0.0);
    memcpy(scores, t->y, (size_t)(ROWS * CLASSES) * t->size);
    const void *const x[] = {t->x}, *const dy[] = {own};
    upstream up = {t, scores, own, 0, 0};
    CHECK(fm_net_vjp(t->net, ROWS, x, dy, &y, &dx, find_upstream, &up) == FM_OK, "a product that asks");
    CHECK(memcmp(dx, expected, (size_t)(ROWS * IN) * t->size) == 0, "other gradients of the input");
    CHECK(fm_net_vjp(t->net, ROWS, x, dy, NULL, &dx, find_upstream, &up) == FM_BAD_ARGUMENT, "no outputs");
    up.answer = 1;
    CHECK(fm_net_vjp(t->net, ROWS, x, dy, &y, &dx, find_upstream, &up) == FM_INTERRUPTED, "a refusal");
    up.answer = 0, up.changes = 1;
    const double old = get(fm_net_params(t->net), 0, t->size);
    CHECK(fm_net_vjp(t->net, ROWS, x, dy, &y, &dx, find_upstream, &up) == FM_STALE, "changed parameters");
    put(fm_net_params(t->net), 0, t->size, old, 0);
    free(dx), free(own), free(scores);
}

/* A product with the Jacobian has the bits of forward and backward, and leaves the gradients alone. */
static void check_products(fm_dtype dtype) {
    task t = task_of(dtype);
    void *dx = random_reals(dtype, ROWS * IN, 6, 0.0), *expected = random_reals(dtype, ROWS * IN, 7, 0.0), *y = t.y;
    const void *const x[] = {t.x}, *const dy[] = {t.values};
    CHECK(fm_net_forward(t.net, ROWS, x, 1, &y) == FM_OK, "forward");
    CHECK(fm_net_backward(t.net, ROWS, dy, 0, &expected) == FM_OK, "backward");
    void *grads = malloc(bytes_of(&t));
    if (grads == NULL) abort();
    memcpy(grads, fm_net_grads(t.net), bytes_of(&t));
    CHECK(fm_net_vjp(t.net, ROWS, x, dy, NULL, &dx, NULL, NULL) == FM_OK, "a product with the Jacobian");
    CHECK(memcmp(dx, expected, (size_t)(ROWS * IN) * t.size) == 0, "other gradients of the input");
    CHECK(memcmp(grads, fm_net_grads(t.net), bytes_of(&t)) == 0, "the gradients of parameters have changed");
    check_products_that_ask(&t, expected);
    /* Parameters that are not trained keep what their gradients hold. */
    const int64_t first = IN * HIDDEN;
    fm_net_set_trained(t.net, 0, first, 0);
    for (int64_t i = 0; i < first; i++) put(fm_net_grads(t.net), i, t.size, 7.0, 0);
    CHECK(fm_net_forward(t.net, ROWS, x, 1, &y) == FM_OK, "forward");
    CHECK(fm_net_backward(t.net, ROWS, dy, 0, &dx) == FM_OK, "backward");
    CHECK(memcmp(dx, expected, (size_t)(ROWS * IN) * t.size) == 0, "other gradients of the input");
    CHECK(get(fm_net_grads(t.net), first - 1, t.size) == 7.0, "a gradient that is not wanted");
    CHECK(memcmp((char *)fm_net_grads(t.net) + (size_t)first * t.size, (char *)grads + (size_t)first * t.size,
                 bytes_of(&t) - (size_t)first * t.size) == 0,
          "other gradients");
    free(grads), free(dx), free(expected);
    release(&t);
}

static void check_average(fm_dtype dtype) {
    task t = task_of(dtype);
    fm_net *source = net_of(dtype, 8);
    const double tau = 0.25, close = dtype == FM_F32 ? 1e-7 : 1e-15;
    const uint64_t before = fm_net_updates(t.net);
    CHECK(fm_net_average(t.net, source, tau) == FM_OK && fm_net_updates(t.net) != before, "an average");
    for (int64_t i = 0; i < fm_net_parameters(t.net); i++) {
        const double old = get(fm_net_params(t.other), i, t.size), of = get(fm_net_params(source), i, t.size);
        const double got = get(fm_net_params(t.net), i, t.size), want = (1.0 - tau) * old + tau * of;
        CHECK(fabs(got - want) <= close, "%.17g, not %.17g", got, want);
    }
    fm_net *wrong = net_of(dtype == FM_F32 ? FM_F64 : FM_F32, 8);
    CHECK(fm_net_average(t.net, wrong, tau) == FM_BAD_ARGUMENT, "another type");
    fm_net_free(source), fm_net_free(wrong);
    release(&t);
}

static void check_actions(fm_dtype dtype) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    void *scores = random_reals(dtype, ROWS * CLASSES, 9, 1.0);
    double log_prob[ROWS], entropy[ROWS], again[ROWS];
    int64_t action[ROWS], drawn[ROWS];
    fm_actions a = {.kind = FM_CATEGORICAL,
                    .dtype = dtype,
                    .rows = ROWS,
                    .n = CLASSES,
                    .scores = scores,
                    .score_step = CLASSES,
                    .action = action,
                    .log_prob = log_prob,
                    .entropy = entropy};
    CHECK(fm_actions_drawn(&a) == ROWS, "%lld numbers", (long long)fm_actions_drawn(&a));
    CHECK(fm_act(&a, FM_DRAW, 3, 0) == FM_OK, "drawn");
    memcpy(drawn, action, sizeof drawn);
    for (int64_t i = 0; i < ROWS; i++) {
        double sum = 0.0;
        for (int64_t j = 0; j < CLASSES; j++) sum += exp(get(scores, i * CLASSES + j, size));
        CHECK(action[i] >= 0 && action[i] < CLASSES, "class %lld", (long long)action[i]);
        const double want = get(scores, i * CLASSES + action[i], size) - log(sum), got = get(log_prob, i, size);
        CHECK(fabs(got - want) < (size == 4 ? 1e-5 : 1e-12), "%.17g, not %.17g", got, want);
    }
    CHECK(fm_act(&a, FM_DRAW, 3, 0) == FM_OK && memcmp(drawn, action, sizeof drawn) == 0, "the same again");
    a.log_prob = again;
    CHECK(fm_act(&a, FM_GIVEN, 0, 0) == FM_OK && memcmp(again, log_prob, ROWS * size) == 0, "given actions");
    action[2] = CLASSES;
    CHECK(fm_act(&a, FM_GIVEN, 0, 0) == FM_BAD_LABEL, "not a class");
    put(scores, 1, size, NAN, 0);
    CHECK(fm_act(&a, FM_DRAW, 3, 0) == FM_BAD_ARGUMENT, "scores that are NaN");
    free(scores);
}

int main(void) {
    everywhere(check_halves);
    everywhere(check_order_of_halves);
    everywhere(check_not_finite);
    everywhere(check_shards);
    everywhere(check_products);
    everywhere(check_average);
    everywhere(check_actions);
    return report();
}
