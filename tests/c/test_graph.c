/* Graphs with every kind of node, custom nodes included, on every ISA of the build and several thread counts. Prints
   one hash for each run, so that machines can be compared with diff. test_graph [number of runs with other
   activations, losses and optimizers, and more steps] */
#include "networks.h"

enum { MOST_BATCHES = 64, DRAWN = 3, LEAST_STEPS = 50 };

/* One way to train; the numbers are rows of the registries. */
typedef struct {
    int activation, loss, optimizer, epochs;
    fm_dtype dtype;
    int64_t rows, batch;
} run;

/* By hand, with and without fusion, which must give the same result. */
static uint64_t pass(const run *r, int separate) {
    const fm_dtype dtype = r->dtype;
    const int64_t rows = r->rows;
    caller c = {0};
    fm_net *net = make(r->activation, r->dtype, separate, &c);
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

/* With a custom loss on the second output; a failing node leaves the parameters unchanged. */
static uint64_t train(const run *r) {
    const fm_dtype dtype = r->dtype;
    const int64_t rows = r->rows;
    caller c = {0};
    fm_net *net = make(r->activation, r->dtype, 0, &c);
    void *a = random_reals(dtype, rows * 17, 2, 1.0), *b = random_reals(dtype, rows * 9, 3, 1.0);
    void *target = random_reals(dtype, rows * OUT, 4, 1.0), *nothing = random_reals(dtype, rows, 0, 0.0);
    const double params[2] = {0.3, 0.0};
    const fm_head heads[2] = {{{r->loss, 1, 1, params, 0}, 1.0}, {{-1, 1, 0, params, 0}, 0.5}};
    const int classes = fm_loss_at(r->loss)->target == FM_TARGET_CLASS;
    const fm_penalty penalty = {2.0, 1e-3};
    const fm_optimizer_spec optimizer = {
        .kind = r->optimizer, .hyper = {0.9, 0.99, 1e-8}, .n_penalties = 1, .penalties = &penalty};
    int64_t *order = malloc((size_t)rows * sizeof *order), *label = malloc((size_t)rows * sizeof *label), steps;
    double lr[MOST_BATCHES], value;
    uint64_t hash = 0xCBF29CE484222325ull;
    fm_trainer *trainer = NULL;
    CHECK(fm_trainer_new(net, heads, &optimizer, &trainer) == FM_OK, "a trainer");
    fm_trainer_set_custom(trainer, run_loss, &c);
    for (int i = 0; i < MOST_BATCHES; i++) lr[i] = 2e-4;
    for (int64_t i = 0; i < rows; i++) label[i] = i * 7 % OUT;
    fm_epoch epoch = {.x = {a, b},
                      .targets = {{.label = classes ? label : NULL, .values = classes ? NULL : target, .cols = OUT},
                                  {.values = nothing, .cols = 1}},
                      .rows = rows,
                      .order = order,
                      .batch = r->batch,
                      .lr = lr};
    for (uint32_t i = 0; i < (uint32_t)r->epochs; i++) {
        fm_permutation(5, i, rows, order);
        CHECK(fm_train(trainer, &epoch, &value, &steps) == FM_OK, "training");
        CHECK(value - value == 0.0, "the loss is %g", value);
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
    free(a), free(b), free(target), free(nothing), free(order), free(label), free(before);
    return hash;
}

/* Calls that Python never makes: each returns an error or nothing, and changes nothing. */
/* Each array can be counted, both together cannot. */
static void check_too_many_parameters(void) {
    const int64_t width = INT64_C(1) << 31;
    list l = {.count = 0};
    fm_net *net = NULL;
    const int last = one(&l, FM_OP_LINEAR, width, width, one(&l, FM_OP_LINEAR, width, width, -1));
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {width}, .output = {last}};
    CHECK(fm_net_new(&ends, l.count, l.node, FM_F32, 1, &net) == FM_NO_MEMORY && net == NULL, "2^63 parameters");
}

static void check_refusals(void) {
    caller c = {0};
    fm_net *net = make(1, FM_F32, 0, &c);
    /* Node 4 is the batch norm, the only one with state. */
    CHECK(fm_net_state_at(net, 4) == 0 && fm_net_state_at(net, 5) == fm_net_state_size(net), "where its moments are");
    const double no_params[2] = {0.0, 0.0};
    const fm_head known[2] = {{{1, 1, 0, no_params, 0}, 1.0}, {{-1, 1, 0, no_params, 0}, 0.5}};
    const fm_head unknown[2] = {known[1], {{fm_loss_count(), 1, 0, no_params, 0}, 1.0}};
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

/* A loss has the same value with and without its gradient; some losses have a faster form if their parameter is 0. */
static void check_values_alone(double param) {
    enum { SCORES = 7, N = 4 };
    const int64_t label[SCORES] = {0, 3, 1, 2, 2, 0, 3};
    const double params[2] = {param, 0.9};
    double *scores = random_reals(FM_F64, SCORES * N, 6, 1.0), gradient[SCORES * N];
    for (int kind = 0; kind < plain_losses(); kind++) {
        const int by_class = fm_loss_at(kind)->target == FM_TARGET_CLASS;
        const fm_loss_spec loss = {kind, 1, 2, params, 0};
        const fm_targets targets = {by_class ? label : NULL, by_class ? NULL : scores, N, NULL, 0};
        double with = 0.0, without = 1.0;
        CHECK(fm_loss(&loss, FM_F64, SCORES, N, scores, &targets, &with, NULL, gradient) == FM_OK, "loss %d", kind);
        CHECK(fm_loss(&loss, FM_F64, SCORES, N, scores, &targets, &without, NULL, NULL) == FM_OK, "loss %d", kind);
        CHECK(memcmp(&with, &without, sizeof with) == 0, "loss %d: %g and %g", kind, with, without);
    }
    free(scores);
}

static uint64_t both(const run *r) {
    const uint64_t hash = pass(r, 0);
    CHECK(pass(r, 1) == hash, "fusion changed a value, %lld rows", (long long)r->rows);
    return hash ^ train(r);
}

/* On every instruction set, with every number of threads. */
static void compare(int which, const run *r) {
    static const int threads[] = {1, 2, 3, 4, 7, 16};
    uint64_t fused = 0, portable = 0;
    for (int isa = 0; isa < fm_isa_count(); isa++) {
        if (!fm_isa_supported(isa)) continue;
        fm_use_isa(fm_isa_name(isa));
        uint64_t *expected = strcmp(fm_isa_name(isa), "portable") == 0 ? &portable : &fused;
        for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
            fm_override_threads(threads[t]);
            const uint64_t hash = both(r);
            if (*expected == 0) *expected = hash;
            CHECK(hash == *expected, "run %d on %s with %d threads", which, fm_isa_name(isa), threads[t]);
        }
    }
    printf("%016llx graph %d\n", (unsigned long long)fused, which);
}

/* Few rows, more rows than a thread gets, and more than a chunk. */
static run of_rows(int which) {
    static const int64_t rows[] = {1, 30, 1100};
    const int64_t n = rows[which / 2];
    return (run){.activation = 1, /* ReLU */
                 .loss = 1,
                 .epochs = 3,
                 .dtype = which % 2 ? FM_F64 : FM_F32,
                 .rows = n,
                 .batch = n < 30 ? n : n / 2 + 3};
}

/* The numbers of activations and losses have no common factor, and each round of activations shifts the optimizers: so all
   combinations occur. */
static run drawn(int i) {
    const int64_t rows = 2 + i % 19, batch = 1 + (i + 5) % 11, batches = (rows + batch - 1) / batch;
    return (run){.activation = i % fm_activation_count(),
                 .loss = i % plain_losses(),
                 .optimizer = (i + i / fm_activation_count()) % fm_optimizer_count(),
                 .epochs = (int)((LEAST_STEPS + batches - 1) / batches),
                 .dtype = i / (fm_activation_count() * plain_losses()) % 2 ? FM_F64 : FM_F32,
                 .rows = rows,
                 .batch = batch};
}

int main(int count, char **arguments) {
    const int n_drawn = count > 1 ? atoi(arguments[1]) : DRAWN;
    fm_ignore_thread_cost(1);
    check_refusals();
    check_too_many_parameters();
    check_values_alone(0.0);
    check_values_alone(0.5);
    for (int which = 0; which < 6 + n_drawn; which++) {
        const run r = which < 6 ? of_rows(which) : drawn(which - 6);
        compare(which, &r);
    }
    return report();
}
