/* Graphs with every kind of node, the caller's own among them, on every ISA of the build and several thread counts; one
   hash a run is printed, so that machines can be compared with diff. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check.h"
#include "engine/net.h"

enum { WIDTH = 24, INNER = 12, OUT = 5, N_CUSTOM = 2, MOST_NODES = 32 };

typedef struct {
    fm_node node[MOST_NODES];
    int count;
} list;

/* Adds a node that reads `a`, and `b` unless that is its own index; returns its index. */
static int add(list *l, fm_op op, int64_t fan_in, int64_t fan_out, int a, int b) {
    fm_node *node = &l->node[l->count];
    *node = (fm_node){.op = op, .fan_in = fan_in, .fan_out = fan_out, .source = {a, b}, .bias = 1};
    node->n_sources = op == FM_OP_PARAMETER ? 0 : b == l->count ? 1 : 2;
    if (op == FM_OP_LAYER_NORM || op == FM_OP_BATCH_NORM) node->param[0] = 1e-5, node->param[1] = 0.1;
    if (op == FM_OP_DROPOUT) node->param[0] = 0.2;
    if (op == FM_OP_CUSTOM) node->n_custom = N_CUSTOM;
    return l->count++;
}

static int one(list *l, fm_op op, int64_t fan_in, int64_t fan_out, int a) {
    return add(l, op, fan_in, fan_out, a, l->count);
}

/* A residual block, norms, products, a split into joins, a node of the caller's, two inputs and two outputs. */
static fm_ends describe(list *l) {
    int h = one(l, FM_OP_LINEAR, 17, WIDTH, -1);
    int r = add(l, FM_OP_ADD, WIDTH, WIDTH, one(l, FM_OP_LINEAR, WIDTH, WIDTH, h), h);
    r = one(l, FM_OP_ACTIVATION, WIDTH, WIDTH, r);
    l->node[r].kind = 1; /* ReLU */
    r = one(l, FM_OP_BATCH_NORM, WIDTH, WIDTH, r);
    r = one(l, FM_OP_DROPOUT, WIDTH, WIDTH, r);
    const int other = one(l, FM_OP_LAYER_NORM, WIDTH, WIDTH, one(l, FM_OP_LINEAR, 9, WIDTH, -2));
    int m = add(l, FM_OP_MULTIPLY, WIDTH, WIDTH, r, add(l, FM_OP_MAXIMUM, WIDTH, WIDTH, r, other));
    m = one(l, FM_OP_MAXOUT, WIDTH, INNER, m);
    const int p = one(l, FM_OP_PARAMETER, INNER, INNER, 0);
    int q = add(l, FM_OP_MATMUL, 2 * INNER, 16, m, p);
    memcpy(l->node[q].shape, (int64_t[]){4, 3, 4}, sizeof l->node[q].shape);
    q = add(l, FM_OP_CONCAT, 16 + WIDTH, 16 + WIDTH, q, other);
    q = one(l, FM_OP_CUSTOM, 16 + WIDTH, 8, q);
    const int y = one(l, FM_OP_LINEAR, 8, OUT, q);
    const int total = one(l, FM_OP_SUM, OUT, 1, one(l, FM_OP_SOFTMAX, OUT, OUT, y));
    return (fm_ends){.n_inputs = 2, .n_outputs = 2, .width = {17, 9}, .output = {y, total}};
}

/* y[j] = (x[j] + x[j + 8]) * p[0] + p[1], in double and for both types. */
typedef struct {
    fm_net *net;
    int fails; /* on this call from now on; 0: never */
    size_t size;
} caller;

static double get(const void *array, int64_t i, size_t size) {
    return size == 4 ? (double)((const float *)array)[i] : ((const double *)array)[i];
}

static void put(void *array, int64_t i, size_t size, double value, int onto) {
    if (onto) value += get(array, i, size);
    if (size == 4) ((float *)array)[i] = (float)value;
    else ((double *)array)[i] = value;
}

static int run_node(void *context, const fm_custom_call *call) {
    caller *c = context;
    const fm_node *node = fm_net_node(c->net, call->node);
    const char *params = (const char *)fm_net_params(c->net) + node->weight_at * (int64_t)c->size;
    const int64_t in = node->fan_in, out = node->fan_out;
    double sum[N_CUSTOM] = {0.0, 0.0};
    if (c->fails > 0 && --c->fails == 0) return 1;
    for (int64_t i = 0; i < call->rows; i++) {
        for (int64_t j = 0; call->dx[0] != NULL && !call->add[0] && j < in; j++)
            put(call->dx[0], i * in + j, c->size, 0.0, 0);
        for (int64_t j = 0; j < out; j++) {
            const double x = get(call->x[0], i * in + j, c->size) + get(call->x[0], i * in + j + out, c->size);
            if (call->dy == NULL) {
                put(call->y, i * out + j, c->size, x * get(params, 0, c->size) + get(params, 1, c->size), 0);
                continue;
            }
            const double dy = get(call->dy, i * out + j, c->size);
            sum[0] += dy * x, sum[1] += dy;
            for (int64_t at = j; at < j + 2 * out; at += out)
                put(call->dx[0], i * in + at, c->size, dy * get(params, 0, c->size), 1);
        }
    }
    for (int k = 0; call->dy != NULL && k < N_CUSTOM; k++) put(call->grads, k, c->size, sum[k], call->add_grads);
    return 0;
}

/* The sum of squares of the scores, whatever the targets. */
static int run_loss(void *context, fm_custom_loss_call *call) {
    const caller *c = context;
    call->value = 0.0;
    for (int64_t i = 0; i < call->rows; i++) {
        const double score = get(call->scores, i, c->size);
        call->value += score * score;
        put(call->gradient, i, c->size, 2.0 * score, 0);
    }
    return 0;
}

static void *random_reals(fm_dtype dtype, int64_t n, uint32_t stream, double scale) {
    const fm_rng rng = fm_rng_make(7, stream, 0);
    const size_t size = dtype == FM_F32 ? 4 : 8;
    double *draws = malloc((size_t)(n + 1) * sizeof *draws);
    void *out = malloc((size_t)(n + 1) * size);
    if (draws == NULL || out == NULL) abort();
    fm_random_normal(&rng, n, draws);
    for (int64_t i = 0; i < n; i++) put(out, i, size, draws[i] * scale, 0);
    free(draws);
    return out;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3ull; /* FNV-1a */
    return hash;
}

static fm_net *make(fm_dtype dtype, int separate, caller *c) {
    list l = {.count = 0};
    fm_ends ends = describe(&l);
    ends.separate = separate;
    c->size = dtype == FM_F32 ? 4 : 8;
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 42, &c->net) == FM_OK, "a graph");
    const int64_t parameters = fm_net_parameters(c->net);
    void *start = random_reals(dtype, parameters, 1, 0.2);
    memcpy(fm_net_params(c->net), start, (size_t)parameters * c->size);
    for (int64_t i = 0; i < fm_net_state_size(c->net); i++) put(fm_net_state(c->net), i, c->size, i >= WIDTH, 0);
    fm_net_set_custom(c->net, run_node, c);
    free(start);
    return c->net;
}

static uint64_t hash_of(const caller *c, uint64_t hash) {
    const size_t parameters = (size_t)fm_net_parameters(c->net) * c->size;
    hash = mix(hash, fm_net_params(c->net), parameters);
    hash = mix(hash, fm_net_grads(c->net), parameters);
    return mix(hash, fm_net_state(c->net), (size_t)fm_net_state_size(c->net) * c->size);
}

/* By hand, with and without fusion, which must not differ. */
static uint64_t pass(fm_dtype dtype, int64_t rows, int separate) {
    caller c = {0};
    fm_net *net = make(dtype, separate, &c);
    void *a = random_reals(dtype, rows * 17, 2, 1.0), *b = random_reals(dtype, rows * 9, 3, 1.0);
    void *dy = random_reals(dtype, rows * OUT, 4, 1.0), *dt = random_reals(dtype, rows, 5, 1.0);
    void *y = random_reals(dtype, rows * OUT, 0, 0.0), *t = random_reals(dtype, rows, 0, 0.0);
    void *da = random_reals(dtype, rows * 17, 0, 0.0), *db = random_reals(dtype, rows * 9, 0, 0.0);
    uint64_t hash = 0xCBF29CE484222325ull;
    for (int accumulate = 0; accumulate < 2; accumulate++) {
        CHECK(fm_net_forward(net, rows, (const void *const[]){a, b}, 1, (void *const[]){y, t}) == FM_OK, "forward");
        CHECK(fm_net_backward(net, rows, (const void *const[]){dy, dt}, accumulate, (void *const[]){da, db}) == FM_OK,
              "backward");
    }
    hash = mix(mix(hash, da, (size_t)rows * 17 * c.size), db, (size_t)rows * 9 * c.size);
    CHECK(fm_net_predict(net, rows, (const void *const[]){a, b}, (void *const[]){y, t}, NULL, NULL) == FM_OK,
          "predict");
    hash = mix(mix(hash, y, (size_t)(rows * OUT) * c.size), t, (size_t)rows * c.size);
    hash = hash_of(&c, hash);
    fm_net_free(net);
    free(a), free(b), free(dy), free(dt), free(y), free(t), free(da), free(db);
    return hash;
}

/* Three epochs with a loss of the caller's on the second output; a node that fails leaves the parameters alone. */
static uint64_t train(fm_dtype dtype, int64_t rows, int64_t batch) {
    caller c = {0};
    fm_net *net = make(dtype, 0, &c);
    void *a = random_reals(dtype, rows * 17, 2, 1.0), *b = random_reals(dtype, rows * 9, 3, 1.0);
    void *target = random_reals(dtype, rows * OUT, 4, 1.0), *nothing = random_reals(dtype, rows, 0, 0.0);
    const double no_params[2] = {0.0, 0.0};
    const fm_head heads[2] = {{{1, 1, 0, no_params}, 1.0}, {{-1, 1, 0, no_params}, 0.5}};
    const fm_penalty penalty = {2.0, 1e-3};
    const fm_optimizer_spec optimizer = {.kind = 0, .hyper = {0.9}, .n_penalties = 1, .penalties = &penalty};
    int64_t *order = malloc((size_t)rows * sizeof *order), steps;
    double lr[64], value;
    uint64_t hash = 0xCBF29CE484222325ull;
    fm_trainer *trainer = NULL;
    CHECK(fm_trainer_new(net, heads, &optimizer, &trainer) == FM_OK, "a trainer");
    fm_trainer_set_custom(trainer, run_loss, &c);
    for (int i = 0; i < 64; i++) lr[i] = 1e-2;
    fm_epoch epoch = {.x = {a, b},
                      .targets = {{.values = target, .cols = OUT}, {.values = nothing, .cols = 1}},
                      .rows = rows,
                      .order = order,
                      .batch = batch,
                      .lr = lr};
    for (uint32_t i = 0; i < 3; i++) {
        fm_permutation(5, i, rows, order);
        CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_OK, "training");
        hash = mix(hash, &value, sizeof value);
    }
    hash = hash_of(&c, hash);
    const size_t bytes = (size_t)fm_net_parameters(net) * c.size;
    void *before = malloc(bytes);
    memcpy(before, fm_net_params(net), bytes);
    for (c.fails = 1; c.fails < 3; c.fails++) {
        const int when = c.fails;
        CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_INTERRUPTED && steps == 0, "call %d fails", when);
        CHECK(memcmp(before, fm_net_params(net), bytes) == 0, "parameters after call %d", when);
        c.fails = when;
    }
    fm_trainer_free(trainer);
    fm_net_free(net);
    free(a), free(b), free(target), free(nothing), free(order), free(before);
    return hash;
}

/* What Python never asks for: each call says no, or nothing, and changes nothing. */
static void check_refusals(void) {
    caller c = {0};
    fm_net *net = make(FM_F32, 0, &c);
    const double no_params[2] = {0.0, 0.0};
    const fm_head known[2] = {{{1, 1, 0, no_params}, 1.0}, {{-1, 1, 0, no_params}, 0.5}};
    const fm_head unknown[2] = {known[1], {{fm_loss_count(), 1, 0, no_params}, 1.0}};
    const fm_optimizer_spec optimizer = {.kind = 0}, none = {.kind = fm_optimizer_count()};
    float x[2 * 17] = {0}, other[2 * 9] = {0}, y[2 * OUT] = {0}, total[2] = {0};
    const void *in[] = {x, other}, *back[] = {y, total};
    void *out[] = {y, total};
    fm_trainer *trainer = NULL;
    double value;
    int64_t steps;
    CHECK(fm_net_backward(net, 2, back, 0, NULL) == FM_BAD_ARGUMENT, "backward before forward");
    CHECK(fm_net_forward(net, 2, in, 1, out) == FM_OK && fm_net_value(net, 0) == NULL, "values of a fused network");
    CHECK(fm_net_backward(net, 1, back, 0, NULL) == FM_BAD_ARGUMENT && fm_net_saved_rows(net) == 2, "other rows");
    CHECK(fm_net_backward(net, 2, back, 0, NULL) == FM_OK && fm_net_saved_rows(net) == -1, "the same rows");
    CHECK(fm_trainer_new(net, unknown, &optimizer, &trainer) == FM_BAD_ARGUMENT && trainer == NULL, "a loss");
    CHECK(fm_trainer_new(net, known, &none, &trainer) == FM_BAD_ARGUMENT && trainer == NULL, "an optimizer");
    CHECK(fm_trainer_new(net, known, &optimizer, &trainer) == FM_OK, "a trainer");
    CHECK(fm_train(trainer, &(fm_epoch){.rows = 0, .batch = 4}, &value, &steps) == FM_BAD_ARGUMENT, "no rows");
    CHECK(fm_train(trainer, &(fm_epoch){.rows = 4, .batch = 0}, &value, &steps) == FM_BAD_ARGUMENT, "no batch");
    CHECK(fm_isa_name(-1) == NULL && fm_isa_name(fm_isa_count()) == NULL, "names");
    CHECK(fm_use_isa("none") == FM_UNKNOWN_ISA, "an instruction set");
    fm_trainer_free(trainer);
    fm_trainer_free(NULL);
    fm_net_free(net);
    fm_net_free(NULL);
}

/* A loss has one value, whether its gradient is asked for or not. */
static void check_values_alone(void) {
    enum { SCORES = 7, N = 4 };
    const int64_t label[SCORES] = {0, 3, 1, 2, 2, 0, 3};
    const double params[2] = {0.5, 0.9};
    double *scores = random_reals(FM_F64, SCORES * N, 6, 1.0), gradient[SCORES * N];
    for (int kind = 0; kind < fm_loss_count(); kind++) {
        const int by_class = fm_loss_at(kind)->target == FM_TARGET_CLASS;
        const fm_loss_spec loss = {kind, 1, 2, params};
        const fm_targets targets = {by_class ? label : NULL, by_class ? NULL : scores, N, NULL};
        double with = 0.0, without = 1.0;
        CHECK(fm_loss(&loss, FM_F64, SCORES, N, scores, &targets, &with, gradient) == FM_OK, "loss %d", kind);
        CHECK(fm_loss(&loss, FM_F64, SCORES, N, scores, &targets, &without, NULL) == FM_OK, "loss %d", kind);
        CHECK(memcmp(&with, &without, sizeof with) == 0, "loss %d: %g and %g", kind, with, without);
    }
    free(scores);
}

static uint64_t run(int which) {
    static const int64_t rows[] = {1, 30, 1100};
    const fm_dtype dtype = which % 2 ? FM_F64 : FM_F32;
    const int64_t n = rows[which / 2];
    const uint64_t hash = pass(dtype, n, 0);
    CHECK(pass(dtype, n, 1) == hash, "fusion changed a value, %lld rows", (long long)n);
    return hash ^ train(dtype, n, n < 30 ? n : n / 2 + 3);
}

int main(void) {
    static const int threads[] = {1, 2, 3, 7};
    fm_ignore_thread_cost(1);
    check_refusals();
    check_values_alone();
    for (int which = 0; which < 6; which++) {
        uint64_t fused = 0, portable = 0;
        for (int isa = 0; isa < fm_isa_count(); isa++) {
            if (!fm_isa_supported(isa)) continue;
            fm_use_isa(fm_isa_name(isa));
            uint64_t *expected = strcmp(fm_isa_name(isa), "portable") == 0 ? &portable : &fused;
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                fm_override_threads(threads[t]);
                const uint64_t hash = run(which);
                if (*expected == 0) *expected = hash;
                CHECK(hash == *expected, "run %d on %s with %d threads", which, fm_isa_name(isa), threads[t]);
            }
        }
        printf("%016llx graph %d\n", (unsigned long long)fused, which);
    }
    return report();
}
