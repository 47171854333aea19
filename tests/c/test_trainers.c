/* The promises of fastmlp.h for training: steps by hand have the bits of an epoch's steps, for every optimizer and
   every loss; after stops and failures a trainer can continue. */
#include <math.h>

#include "networks.h"

enum { ROWS = 37, IN = 17, HIDDEN = 20, CLASSES = 4, STEPS = 3 };

/* ---- the task ---- */

typedef struct {
    fm_dtype dtype;
    size_t size;
    void *x, *values, *weight;
    int64_t label[ROWS];
} task;

static task task_of(fm_dtype dtype) {
    task t = {.dtype = dtype, .size = dtype == FM_F32 ? 4 : 8};
    t.x = random_reals(dtype, ROWS * IN, 2, 1.0);
    t.values = random_reals(dtype, ROWS * CLASSES, 3, 0.0);
    t.weight = random_reals(dtype, ROWS, 4, 0.0);
    for (int64_t i = 0; i < ROWS * CLASSES; i++) put(t.values, i, t.size, (double)(i % 2), 0);
    for (int64_t i = 0; i < ROWS; i++) t.label[i] = i % CLASSES, put(t.weight, i, t.size, 0.5 + (double)(i % 3), 0);
    return t;
}

static void release(task *t) { free(t->x), free(t->values), free(t->weight); }

static fm_net *net_of(fm_dtype dtype) {
    list l = {.count = 0};
    fm_net *net = NULL;
    int h = one(&l, FM_OP_LINEAR, IN, HIDDEN, -1);
    h = one(&l, FM_OP_ACTIVATION, HIDDEN, HIDDEN, h);
    l.node[h].kind = 1; /* ReLU */
    h = one(&l, FM_OP_LAYER_NORM, HIDDEN, HIDDEN, h);
    h = one(&l, FM_OP_LINEAR, HIDDEN, CLASSES, h);
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {IN}, .output = {h}};
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 11, &net) == FM_OK, "a network");
    draw_params(net, dtype, 1, 0.2);
    return net;
}

static const double loss_params[4] = {0.1, 0.5, 0.9, 0.0};

/* A loss with suitable parameters: the quantile loss has one for each column. */
static fm_loss_spec loss_of(int kind, int mean) {
    const int quantiles = fm_loss_at(kind)->target == FM_TARGET_QUANTILE;
    return (fm_loss_spec){.kind = kind, .mean = mean, .n_params = quantiles ? CLASSES : 1, .params = loss_params};
}

static fm_targets targets_of(const task *t, int kind, int weighted) {
    const fm_target target = fm_loss_at(kind)->target;
    return (fm_targets){.label = target == FM_TARGET_CLASS ? t->label : NULL,
                        .values = target == FM_TARGET_CLASS ? NULL : t->values,
                        .cols = target == FM_TARGET_QUANTILE ? 1 : CLASSES,
                        .weight = weighted ? t->weight : NULL};
}

static const fm_penalty penalties[2] = {{1.0, 1e-3}, {2.0, 1e-2}};

static fm_optimizer_spec optimizer_of(int kind, double clip_norm) {
    return (fm_optimizer_spec){.kind = kind,
                               .hyper = {0.9, 0.99, 1e-8, 1e-3},
                               .clip_norm = clip_norm,
                               .n_penalties = 2,
                               .penalties = penalties};
}

/* ---- steps by hand and epochs ---- */

static double step_by_hand(fm_net *net, fm_trainer *trainer, const task *t, const fm_loss_spec *loss,
                           const fm_targets *targets, double lr) {
    void *y = random_reals(t->dtype, ROWS * CLASSES, 0, 0.0), *dy = random_reals(t->dtype, ROWS * CLASSES, 0, 0.0);
    double value = NAN, penalty = NAN, alone = NAN;
    CHECK(fm_net_forward(net, ROWS, (const void *const[]){t->x}, 1, &y) == FM_OK, "forward");
    CHECK(fm_loss(loss, t->dtype, ROWS, CLASSES, y, targets, &value, NULL, dy) == FM_OK, "loss");
    CHECK(fm_loss(loss, t->dtype, ROWS, CLASSES, y, targets, &alone, NULL, NULL) == FM_OK, "loss");
    CHECK(value == alone, "loss %d: %g with its gradient, %g without", loss->kind, value, alone);
    CHECK(fm_net_backward(net, ROWS, (const void *const[]){dy}, 0, NULL) == FM_OK, "backward");
    CHECK(fm_trainer_penalty(trainer, &penalty) == FM_OK && penalty > 0.0, "%g", penalty);
    fm_trainer_add_penalty_gradient(trainer, 1.0);
    CHECK(fm_trainer_update(trainer, lr) == FM_OK, "update");
    free(y), free(dy);
    return value + penalty;
}

static void check_same(fm_trainer *a, fm_trainer *b, fm_net *net_a, fm_net *net_b, size_t bytes, const char *what) {
    CHECK(memcmp(fm_net_params(net_a), fm_net_params(net_b), bytes) == 0, "%s: other parameters", what);
    CHECK(memcmp(fm_trainer_powers(a), fm_trainer_powers(b), 2 * sizeof(double)) == 0, "%s: other powers", what);
    CHECK(*fm_trainer_updates(a) == *fm_trainer_updates(b), "%s: other steps", what);
    for (int slot = -1; slot <= FM_SLOTS; slot++) {
        const void *one_slot = fm_trainer_slot(a, slot), *other = fm_trainer_slot(b, slot);
        CHECK((one_slot == NULL) == (other == NULL), "%s: slot %d", what, slot);
        CHECK(one_slot == NULL || memcmp(one_slot, other, bytes) == 0, "%s: slot %d differs", what, slot);
    }
    CHECK(fm_trainer_slot(a, -1) == NULL && fm_trainer_slot(a, FM_SLOTS) == NULL, "no such slots");
}

static void check_steps(const task *t, int loss_kind, int optimizer_kind, int mean, double clip_norm, int weighted) {
    fm_net *by_hand = net_of(t->dtype), *in_one = net_of(t->dtype);
    fm_trainer *hand = NULL, *all = NULL;
    const fm_head head = {loss_of(loss_kind, mean), 1.0};
    const fm_optimizer_spec optimizer = optimizer_of(optimizer_kind, clip_norm);
    const fm_targets targets = targets_of(t, loss_kind, weighted);
    const double lr[1] = {1e-3};
    const size_t bytes = (size_t)fm_net_parameters(by_hand) * t->size;
    CHECK(fm_trainer_new(by_hand, &head, &optimizer, &hand) == FM_OK, "a trainer");
    CHECK(fm_trainer_new(in_one, &head, &optimizer, &all) == FM_OK, "a trainer");
    const fm_epoch epoch = {.x = {t->x}, .targets = {targets}, .rows = ROWS, .batch = ROWS, .lr = lr};
    for (int step = 0; step < STEPS; step++) {
        double value = NAN;
        int64_t steps;
        const double expected = step_by_hand(by_hand, hand, t, &head.loss, &targets, lr[0]);
        CHECK(fm_train(all, &epoch, &value, &steps) == FM_OK && steps == 1, "training");
        CHECK(value == expected, "loss %d: %.17g by hand, %.17g in training", loss_kind, expected, value);
    }
    check_same(hand, all, by_hand, in_one, bytes, fm_optimizer_at(optimizer_kind)->name);
    fm_trainer_free(hand), fm_trainer_free(all);
    fm_net_free(by_hand), fm_net_free(in_one);
}

static void check_all_steps(const task *t) {
    for (int loss = 0; loss < plain_losses(); loss++)
        for (int mean = 0; mean < 2; mean++) check_steps(t, loss, 1, mean, 0.0, mean);
    for (int optimizer = 0; optimizer < fm_optimizer_count(); optimizer++)
        for (int clips = 0; clips < 2; clips++) check_steps(t, 0, optimizer, 1, 0.1 * clips, 0);
}

/* ---- custom losses, stops, failures ---- */

typedef struct {
    caller c;
    fm_net *net;
    fm_trainer *trainer;
    void *x[2];
    void *target, *nothing;
    int64_t order[ROWS];
    double lr[ROWS];
} course;

static fm_epoch epoch_of(const course *s, int64_t batch) {
    return (fm_epoch){.x = {s->x[0], s->x[1]},
                      .targets = {{.values = s->target, .cols = OUT}, {.values = s->nothing, .cols = 1}},
                      .rows = ROWS,
                      .order = s->order,
                      .batch = batch,
                      .lr = s->lr};
}

static void start(course *s, fm_dtype dtype) {
    const fm_head heads[2] = {{{2, 1, 0, loss_params, 0}, 1.0}, {{-1, 1, 0, loss_params, 0}, 0.5}};
    const fm_optimizer_spec optimizer = optimizer_of(1, 1.0);
    *s = (course){.net = NULL};
    s->net = make(1, dtype, 0, &s->c);
    s->x[0] = random_reals(dtype, ROWS * 17, 2, 1.0), s->x[1] = random_reals(dtype, ROWS * 9, 3, 1.0);
    s->target = random_reals(dtype, ROWS * OUT, 4, 1.0), s->nothing = random_reals(dtype, ROWS, 0, 0.0);
    for (int i = 0; i < ROWS; i++) s->lr[i] = 1e-3;
    fm_permutation(5, 1, ROWS, s->order);
    CHECK(fm_trainer_new(s->net, heads, &optimizer, &s->trainer) == FM_OK, "a trainer");
}

static void end(course *s) {
    fm_trainer_free(s->trainer);
    fm_net_free(s->net);
    free(s->x[0]), free(s->x[1]), free(s->target), free(s->nothing);
}

static void check_misuse(fm_dtype dtype) {
    course s;
    double value;
    int64_t steps;
    start(&s, dtype);
    fm_epoch epoch = epoch_of(&s, 10);
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_BAD_ARGUMENT && steps == 0,
          "no function for a custom loss");
    fm_trainer_set_custom(s.trainer, run_loss, &s.c);
    fm_net_set_custom(s.net, NULL, NULL);
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_BAD_ARGUMENT && steps == 0,
          "no function for a custom node");
    fm_net_set_custom(s.net, run_node, &s.c);
    epoch.batch = 0;
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_BAD_ARGUMENT, "steps of no rows");
    epoch = epoch_of(&s, 10);
    epoch.rows = 0;
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_BAD_ARGUMENT, "no rows");
    epoch = epoch_of(&s, 10);
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_OK && steps == 4, "afterwards: %lld", (long long)steps);
    fm_trainer *none = s.trainer;
    const fm_head heads[2] = {{{1000, 1, 0, loss_params, 0}, 1.0}, {{-1, 1, 0, loss_params, 0}, 0.5}};
    fm_optimizer_spec optimizer = optimizer_of(0, 0.0);
    CHECK(fm_trainer_new(s.net, heads, &optimizer, &none) == FM_BAD_ARGUMENT && none == NULL, "no such loss");
    optimizer.kind = -1;
    CHECK(fm_trainer_new(s.net, heads, &optimizer, &none) == FM_BAD_ARGUMENT && none == NULL, "no such optimizer");
    fm_trainer_free(NULL);
    end(&s);
}

static void check_memory(fm_dtype dtype) {
    const fm_head heads[2] = {{loss_of(2, 1), 1.0}, {loss_of(2, 1), 1.0}};
    const fm_optimizer_spec optimizer = optimizer_of(1, 1.0);
    course s;
    double value;
    int64_t steps, n = 0;
    fm_status status;
    start(&s, dtype);
    do {
        fm_trainer *trainer;
        fm_fail_allocation(++n);
        status = fm_trainer_new(s.net, heads, &optimizer, &trainer);
        CHECK(status == FM_OK || (status == FM_NO_MEMORY && trainer == NULL), "request %lld", (long long)n);
        fm_trainer_free(trainer);
    } while (status != FM_OK);
    fm_trainer_set_custom(s.trainer, run_loss, &s.c);
    const fm_epoch epoch = epoch_of(&s, 10);
    fm_fail_allocation(1);
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_NO_MEMORY && steps == 0, "no memory for a plan");
    CHECK(fm_trainer_update(s.trainer, 1e-3) == FM_NO_MEMORY, "no memory for clipping");
    CHECK(fm_trainer_penalty(s.trainer, &value) == FM_NO_MEMORY, "no memory for penalties");
    CHECK(fm_loss(&heads[0].loss, dtype, ROWS, OUT, s.target, &epoch.targets[0], &value, NULL, NULL) == FM_NO_MEMORY,
          "no memory for a loss");
    fm_fail_allocation(0);
    CHECK(*fm_trainer_updates(s.trainer) == 0, "nothing was updated");
    CHECK(fm_train(s.trainer, &epoch, &value, &steps) == FM_OK, "afterwards");
    end(&s);
}

/* A label that is not a class ends the call before the update of its step and is reported; earlier steps are kept. */
static void check_labels(const task *t) {
    static const int64_t wrong[] = {-1, CLASSES, INT64_MAX, INT64_MIN};
    const fm_optimizer_spec optimizer = optimizer_of(1, 0.0);
    const double lr[2] = {1e-2, 1e-2};
    int64_t label[2 * ROWS], steps = -1;
    void *x = random_reals(t->dtype, 2 * ROWS * IN, 7, 1.0);
    for (int kind = 0; kind < plain_losses(); kind++) {
        if (fm_loss_at(kind)->target != FM_TARGET_CLASS) continue;
        for (int i = 0; i < 4; i++) {
            const fm_head head = {loss_of(kind, 1), 1.0};
            fm_net *net = net_of(t->dtype);
            fm_trainer *trainer;
            double value = 0.0;
            for (int r = 0; r < 2 * ROWS; r++) label[r] = r % CLASSES;
            label[2 * ROWS - 1] = wrong[i];
            CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
            const fm_epoch epoch = {.x = {x}, .targets = {{.label = label}}, .rows = 2 * ROWS, .batch = ROWS, .lr = lr};
            CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_BAD_LABEL && steps == 1, "loss %d", kind);
            CHECK(value == (double)wrong[i], "label %g of loss %d", value, kind);
            CHECK(*fm_trainer_updates(trainer) == 1, "updates of loss %d", kind);
            const fm_targets second = {.label = label + ROWS};
            CHECK(fm_loss(&head.loss, t->dtype, ROWS, CLASSES, x, &second, &value, NULL, NULL) == FM_BAD_LABEL,
                  "loss %d by hand", kind);
            fm_trainer_free(trainer);
            fm_net_free(net);
        }
    }
    free(x);
}

static int stop(void *context) {
    (void)context;
    return 1;
}

/* poll is called about every 20 ms: an epoch that would take minutes ends early, between two steps. */
static void check_stopped(const task *t) {
    enum { LONG = 4000000 };
    fm_net *net = net_of(t->dtype);
    const fm_head head = {loss_of(2, 1), 1.0};
    const fm_optimizer_spec optimizer = optimizer_of(0, 0.0);
    int64_t *order = malloc(LONG * sizeof *order), steps = -1;
    double *lr = calloc(LONG / ROWS + 1, sizeof *lr), value;
    fm_trainer *trainer = NULL;
    if (order == NULL || lr == NULL) abort();
    for (int64_t i = 0; i < LONG; i++) order[i] = i % ROWS;
    CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    const fm_epoch epoch = {.x = {t->x},
                            .targets = {targets_of(t, 2, 0)},
                            .rows = LONG,
                            .order = order,
                            .batch = ROWS,
                            .lr = lr,
                            .poll = stop};
    CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_INTERRUPTED, "stopped");
    CHECK(steps == *fm_trainer_updates(trainer) && steps < LONG / ROWS, "%lld steps", (long long)steps);
    fm_trainer_free(trainer);
    fm_net_free(net);
    free(order), free(lr);
}

/* A mean over rows with weight 0 is 0 and changes nothing. */
static void check_weightless(const task *t) {
    fm_net *net = net_of(t->dtype);
    const fm_head head = {loss_of(2, 1), 1.0};
    const fm_optimizer_spec optimizer = {.kind = 0};
    const size_t bytes = (size_t)fm_net_parameters(net) * t->size;
    void *before = malloc(bytes), *none = calloc(ROWS, t->size);
    const double lr[STEPS] = {1.0, 1.0, 1.0};
    double value = NAN;
    int64_t steps;
    fm_trainer *trainer = NULL;
    if (before == NULL || none == NULL) abort();
    memcpy(before, fm_net_params(net), bytes);
    CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    fm_epoch epoch = {
        .x = {t->x}, .targets = {targets_of(t, 2, 0)}, .rows = ROWS, .batch = (ROWS + STEPS - 1) / STEPS, .lr = lr};
    epoch.targets[0].weight = none;
    CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_OK && steps == STEPS, "training");
    CHECK(value == 0.0, "a loss of %g", value);
    CHECK(memcmp(before, fm_net_params(net), bytes) == 0, "parameters have moved");
    fm_trainer_free(trainer);
    fm_net_free(net);
    free(before), free(none);
}

/* ---- a step that computes all gradients before its update ---- */

enum { LONG_ROWS = 30000, MANY = 200000 };

/* Passes its rows on; the gradient of parameter k is k % 5. */
static int run_passing(void *context, const fm_custom_call *call) {
    const size_t size = *(const size_t *)context;
    if (call->dy == NULL) memcpy(call->y, call->x[0], (size_t)call->rows * size);
    for (int64_t k = 0; call->dy != NULL && k < MANY; k++) put(call->grads, k, size, (double)(k % 5), 0);
    return 0;
}

/* So many rows and parameters that a stop must be noticed while their gradients are computed. */
static void check_long_step(const task *t) {
    size_t size = t->size;
    const fm_node node = {
        .op = FM_OP_CUSTOM, .n_sources = 1, .source = {-1}, .fan_in = 1, .fan_out = 1, .size = {MANY}};
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {1}, .output = {0}};
    const fm_head head = {loss_of(2, 1), 1.0};
    const fm_optimizer_spec optimizer = {.kind = 0};
    void *x = calloc(LONG_ROWS, t->size);
    const double lr[1] = {0.5};
    double value = NAN;
    int64_t steps, wrong = 0;
    fm_net *net = NULL;
    fm_trainer *trainer = NULL;
    CHECK(x != NULL && fm_net_new(&ends, 1, &node, t->dtype, 1, &net) == FM_OK, "a network");
    fm_net_set_custom(net, run_passing, &size);
    CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    const fm_epoch epoch = {
        .x = {x}, .targets = {{.values = x, .cols = 1}}, .rows = LONG_ROWS, .batch = LONG_ROWS, .lr = lr};
    CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_OK && steps == 1 && value == 0.0, "a loss of %g", value);
    for (int64_t k = 0; k < MANY; k++) wrong += get(fm_net_params(net), k, size) != -0.5 * (double)(k % 5);
    CHECK(wrong == 0, "%lld parameters", (long long)wrong);
    fm_trainer_free(trainer);
    fm_net_free(net);
    free(x);
}

/* ---- random numbers ---- */

static void check_random(void) {
    enum { N = 1000 };
    static double uniform[N], normal[N];
    static uint8_t keep[N], seen[N];
    static int64_t order[N];
    const fm_rng rng = fm_rng_make(1, 2, 3);
    double sum = 0.0, square = 0.0;
    int kept = 0;
    fm_random_uniform(&rng, N, uniform);
    fm_random_normal(&rng, N, normal);
    fm_random_keep(&rng, N, 0.3, keep);
    fm_permutation(1, 2, N, order);
    for (int i = 0; i < N; i++) {
        CHECK(uniform[i] > 0.0 && uniform[i] < 1.0, "%g", uniform[i]);
        CHECK(order[i] >= 0 && order[i] < N && !seen[order[i]], "%lld twice", (long long)order[i]);
        seen[order[i]] = 1;
        sum += normal[i], square += normal[i] * normal[i], kept += keep[i];
    }
    CHECK(fabs(sum / N) < 0.15 && fabs(square / N - 1.0) < 0.2, "mean %g, square %g", sum / N, square / N);
    CHECK(kept > 620 && kept < 780, "%d of %d kept", kept, N);
    fm_permutation(1, 2, 0, order);
}

int main(void) {
    check_random();
    fm_ignore_thread_cost(1);
    for (int isa = 0; isa < fm_isa_count(); isa++) {
        if (fm_use_isa(fm_isa_name(isa)) != FM_OK) continue;
        for (int i = 0; i < 4; i++) {
            task t = task_of(i % 2 ? FM_F64 : FM_F32);
            fm_override_threads(i < 2 ? 1 : 3);
            check_all_steps(&t);
            check_misuse(t.dtype);
            check_memory(t.dtype);
            check_stopped(&t);
            check_labels(&t);
            check_weightless(&t);
            check_long_step(&t);
            release(&t);
        }
    }
    return report();
}
