/* Runs the whole C API on a fixed set of trainings, on every ISA of the build and several thread counts. Prints a
   hash of weights, losses and predictions for each run, one line each, so that machines can be compared with diff.
   test_training [number of runs drawn from the registries] [numbers of threads]. 208 runs cover every activation with
   every loss in both types. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "check.h"
#include "engine/net.h"
#include "targets.h"

enum { DRAWN = 6, LEAST_STEPS = 50, MOST_BATCHES = 64 };

typedef struct {
    const char *name;
    int64_t rows, batch;
    fm_dtype dtype;
    const char *loss, *optimizer, *activation;
    double drop, clip, lam;
    int widths[6]; /* the last one is followed by 0 */
    int steps;     /* the least number; 0: three epochs */
    int weighted;
} run;

static const run runs[] = {
    {"digits", 200, 32, FM_F32, "CrossEntropyLoss", "Adam", "ReLU", 0.0, 0.0, 0.0, {64, 100, 10, 0}, 0, 0},
    {"deep", 90, 45, FM_F32, "MSELoss", "SGD", "Tanh", 0.0, 0.0, 1e-3, {7, 33, 33, 33, 3, 0}, 0, 0},
    {"dropout", 120, 50, FM_F32, "MultiMarginLoss", "RMSprop", "GELU", 0.25, 0.0, 0.0, {20, 65, 40, 5, 0}, 0, 0},
    {"double", 100, 64, FM_F64, "CrossEntropyLoss", "AdamW", "SiLU", 0.0, 1.0, 0.0, {30, 50, 11, 0}, 0, 0},
    {"one output", 150, 128, FM_F32, "HuberLoss", "Adagrad", "ELU", 0.0, 0.5, 1e-4, {13, 128, 1, 0}, 0, 0},
    {"wide", 256, 256, FM_F32, "CrossEntropyLoss", "SGD", "Mish", 0.0, 0.0, 0.0, {300, 512, 256, 10, 0}, 0, 0},
    {"few rows", 6, 6, FM_F64, "BCEWithLogitsLoss", "Adam", "Softplus", 0.0, 0.0, 0.0, {257, 513, 2, 0}, 0, 0},
};

static int find(const char *name, int count, const char *(*name_at)(int)) {
    for (int i = 0; i < count; i++)
        if (strcmp(name, name_at(i)) == 0) return i;
    abort();
}

static const char *activation_name(int i) { return fm_activation_at(i)->name; }
static const char *loss_name(int i) { return fm_loss_at(i)->name; }
static const char *optimizer_name(int i) { return fm_optimizer_at(i)->name; }

/* Run i of those with small networks and many steps. The numbers of activations and losses have no common factor, and each
   round of activations shifts the optimizers: so all combinations occur. */
static run drawn(int i, char *name, size_t length) {
    static const int widths[][6] = {{9, 33, 3, 0},      {21, 5, 0},     {40, 18, 4, 0},     {7, 16, 15, 17, 6, 0},
                                    {30, 3, 24, 12, 0}, {5, 257, 9, 0}, {12, 64, 32, 11, 0}};
    const int activations = fm_activation_count(), losses = plain_losses();
    run r = {.name = name,
             .rows = 11 + i % 23,
             .batch = 3 + i % 17,
             .dtype = i / (activations * losses) % 2 ? FM_F64 : FM_F32,
             .loss = loss_name(i % losses),
             .optimizer = optimizer_name((i + i / activations) % fm_optimizer_count()),
             .activation = activation_name(i % activations),
             .drop = i % 9 == 0 ? 0.2 : 0.0,
             .clip = i % 11 == 0 ? 0.1 : 0.0,
             .lam = i % 19 == 0 ? 1e-3 : 0.0,
             .steps = LEAST_STEPS,
             .weighted = i % 3 == 0};
    memcpy(r.widths, widths[i % (int)(sizeof widths / sizeof *widths)], sizeof r.widths);
    snprintf(name, length, "%d: %s, %s, %s, %s", i, r.activation, r.loss, r.optimizer,
             r.dtype == FM_F32 ? "float32" : "float64");
    return r;
}

static fm_net *build(const run *r) {
    fm_node nodes[16];
    int n = 0;
    for (int i = 0; r->widths[i + 1] != 0; i++) {
        const int hidden = r->widths[i + 2] != 0;
        nodes[n] = (fm_node){.op = FM_OP_LINEAR,
                             .n_sources = 1,
                             .source = {n - 1},
                             .fan_in = r->widths[i],
                             .fan_out = r->widths[i + 1],
                             .bias = 1};
        n++;
        if (!hidden) continue;
        nodes[n] = (fm_node){.op = FM_OP_ACTIVATION,
                             .n_sources = 1,
                             .source = {n - 1},
                             .fan_in = r->widths[i + 1],
                             .fan_out = r->widths[i + 1],
                             .kind = find(r->activation, fm_activation_count(), activation_name),
                             .param = {0.7, 0.0}};
        n++;
        if (r->drop == 0.0) continue;
        nodes[n] = (fm_node){.op = FM_OP_DROPOUT,
                             .n_sources = 1,
                             .source = {n - 1},
                             .fan_in = r->widths[i + 1],
                             .fan_out = r->widths[i + 1],
                             .param = {r->drop, 0.0}};
        n++;
    }
    fm_net *net = NULL;
    const fm_ends ends = {.n_inputs = 1, .width = {r->widths[0]}, .n_outputs = 1, .output = {n - 1}};
    CHECK(fm_net_new(&ends, n, nodes, r->dtype, 42, &net) == FM_OK, "%s", r->name);
    return net;
}

static int last_node(const run *r) {
    int n = 0;
    for (int i = 0; r->widths[i + 1] != 0; i++) n += r->widths[i + 2] == 0 ? 1 : r->drop == 0.0 ? 2 : 3;
    return n - 1;
}

static void *random_reals(fm_dtype dtype, int64_t n, uint32_t stream, double scale) {
    const fm_rng rng = fm_rng_make(7, stream, 0);
    double *draws = malloc((size_t)(n + 1) * sizeof *draws);
    fm_random_normal(&rng, n, draws);
    for (int64_t i = 0; i < n; i++) draws[i] *= scale;
    if (dtype == FM_F64) return draws;
    float *narrow = malloc((size_t)(n + 1) * sizeof *narrow);
    for (int64_t i = 0; i < n; i++) narrow[i] = (float)draws[i];
    free(draws);
    return narrow;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3ull; /* FNV-1a */
    return hash;
}

/* From 0.5 to 1.5. */
static void *random_weights(fm_dtype dtype, int64_t n) {
    const fm_rng rng = fm_rng_make(7, 4, 0);
    double *draws = malloc((size_t)n * sizeof *draws);
    float *narrow = malloc((size_t)n * sizeof *narrow);
    fm_random_uniform(&rng, n, draws);
    for (int64_t i = 0; i < n; i++) draws[i] += 0.5, narrow[i] = (float)draws[i];
    free(dtype == FM_F32 ? (void *)draws : narrow);
    return dtype == FM_F32 ? (void *)narrow : draws;
}

static double loss_parameter(const char *loss) {
    if (strcmp(loss, "QuantileLoss") == 0) return 0.3;
    return strcmp(loss, "MultiMarginLoss") == 0 || strcmp(loss, "HuberLoss") == 0;
}

static uint64_t train(const run *r, fm_net *net) {
    const size_t size = r->dtype == FM_F32 ? 4 : 8;
    const int64_t out = fm_net_node(net, last_node(r))->fan_out, parameters = fm_net_parameters(net);
    void *start = random_reals(r->dtype, parameters, 1, 0.15),
         *x = random_reals(r->dtype, r->rows * r->widths[0], 2, 1.0);
    void *target = random_reals(r->dtype, r->rows * out, 3, 0.3), *y = calloc((size_t)(r->rows * out), size);
    void *weight = r->weighted ? random_weights(r->dtype, r->rows) : NULL;
    int64_t *label = malloc((size_t)r->rows * sizeof *label), *order = malloc((size_t)r->rows * sizeof *order);
    const int loss_kind = find(r->loss, fm_loss_count(), loss_name);
    const double params[2] = {loss_parameter(r->loss), 0.0};
    const fm_head head = {{loss_kind, 1, 1, params, 0}, 1.0};
    const int64_t batches = (r->rows + r->batch - 1) / r->batch;
    const int64_t epochs = r->steps > 0 ? (r->steps + batches - 1) / batches : 3;
    const fm_penalty penalty = {2.0, r->lam};
    fm_optimizer_spec optimizer = {.kind = find(r->optimizer, fm_optimizer_count(), optimizer_name),
                                   .hyper = {0.9, 0.99, 1e-8},
                                   .clip_norm = r->clip,
                                   .n_penalties = r->lam > 0.0,
                                   .penalties = &penalty};
    uint64_t hash = 0xCBF29CE484222325ull;
    fm_trainer *trainer = NULL;
    memcpy(fm_net_params(net), start, (size_t)parameters * size);
    for (int64_t i = 0; i < r->rows; i++) label[i] = i * 7 % out;
    CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "%s", r->name);
    for (uint32_t epoch = 0; epoch < epochs; epoch++) {
        double lr[MOST_BATCHES], value;
        int64_t steps;
        for (int i = 0; i < MOST_BATCHES; i++) lr[i] = 1e-3;
        fm_permutation(5, epoch, r->rows, order);
        const int classes = fm_loss_at(loss_kind)->target == FM_TARGET_CLASS;
        const fm_epoch run_epoch = {
            .x = {x},
            .rows = r->rows,
            .order = order,
            .batch = r->batch,
            .lr = lr,
            .targets = {
                {.label = classes ? label : NULL, .values = classes ? NULL : target, .cols = out, .weight = weight}}};
        CHECK(fm_train(trainer, &run_epoch, &value, &steps) == FM_OK, "%s", r->name);
        CHECK(steps == batches, "%s: %ld steps", r->name, (long)steps);
        CHECK(value - value == 0.0, "%s: the loss is %g", r->name, value);
        hash = mix(hash, &value, sizeof value);
    }
    const void *const xs[] = {x};
    void *const ys[] = {y};
    CHECK(fm_net_predict(net, r->rows, xs, ys, NULL, NULL) == FM_OK, "%s", r->name);
    hash = mix(mix(hash, y, (size_t)(r->rows * out) * size), fm_net_params(net), (size_t)parameters * size);
    void *by_hand = calloc((size_t)(r->rows * out), size), *dx = calloc((size_t)(r->rows * r->widths[0]), size);
    CHECK(fm_net_forward(net, r->rows, xs, 0, &by_hand) == FM_OK, "%s", r->name);
    CHECK(memcmp(by_hand, y, (size_t)(r->rows * out) * size) == 0, "%s: forward and predict differ", r->name);
    CHECK(fm_net_backward(net, r->rows, (const void *const *)&by_hand, 0, &dx) == FM_OK, "%s", r->name);
    hash = mix(mix(hash, dx, (size_t)(r->rows * r->widths[0]) * size), fm_net_grads(net), (size_t)parameters * size);
    fm_trainer_free(trainer);
    free(start), free(x), free(target), free(weight), free(y), free(label), free(order), free(by_hand), free(dx);
    return hash;
}

/* Odd numbers take work from each other, and multiples of 4 divide each op: the first three are of all ways. */
static const int threads[] = {2, 3, 4, 1, 7, 16};
enum { THREADS = sizeof threads / sizeof *threads };

/* On every instruction set, with the first `count` numbers of threads. */
static void compare(const run *r, int count) {
    uint64_t fused_hash = 0, portable_hash = 0;
    for (int isa = 0; isa < fm_isa_count(); isa++) {
        if (!fm_isa_supported(isa)) continue;
        fm_use_isa(fm_isa_name(isa));
        uint64_t *expected = strcmp(fm_isa_name(isa), "portable") == 0 ? &portable_hash : &fused_hash;
        for (int t = 0; t < count; t++) {
            fm_override_threads(threads[t]);
            fm_force_stealing(threads[t] % 2);
            fm_force_ops(threads[t] % 4 == 0);
            fm_net *net = build(r);
            const uint64_t hash = train(r, net);
            if (*expected == 0) *expected = hash;
            CHECK(hash == *expected, "%s on %s with %d threads", r->name, fm_isa_name(isa), threads[t]);
            fm_net_free(net);
        }
    }
    printf("%016llx %s\n", (unsigned long long)fused_hash, r->name);
}

int main(int argc, char **argv) {
    const int n_drawn = argc > 1 ? atoi(argv[1]) : DRAWN, count = argc > 2 ? atoi(argv[2]) : THREADS;
    char name[128];
    fm_ignore_thread_cost(1);
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) compare(&runs[i], count);
    for (int i = 0; i < n_drawn; i++) {
        const run r = drawn(i, name, sizeof name);
        compare(&r, count);
    }
    return report();
}
