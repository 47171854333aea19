/* Another thread may change the instruction set during calls. Each call keeps the one that it began with, on all its
   threads; and all instruction sets with fused multiply-add give the same bits. */
#include <pthread.h>
#include <stdatomic.h>

#include "networks.h"

enum { ROWS = 203, IN = 17, HIDDEN = 40, STEPS = 6, RUNS = 60 };

static _Atomic int finished;

/* Rotates through the instruction sets of this processor that have fused multiply-adds. */
static void *change_isas(void *nothing) {
    while (!atomic_load(&finished))
        for (int i = 1; i < fm_isa_count(); i++) fm_use_isa(fm_isa_name(i));
    return nothing;
}

static fm_net *two_layers(fm_dtype dtype) {
    list l = {.count = 0};
    const int h = one(&l, FM_OP_ACTIVATION, HIDDEN, HIDDEN, one(&l, FM_OP_LINEAR, IN, HIDDEN, -1));
    l.node[h].kind = 1; /* ReLU */
    const int y = one(&l, FM_OP_LINEAR, HIDDEN, OUT, one(&l, FM_OP_BATCH_NORM, HIDDEN, HIDDEN, h));
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {IN}, .output = {y}};
    fm_net *net = NULL;
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 5, &net) == FM_OK, "a network");
    const int64_t parameters = fm_net_parameters(net);
    void *start = random_reals(dtype, parameters, 1, 0.3);
    memcpy(fm_net_params(net), start, (size_t)parameters * (dtype == FM_F32 ? 4 : 8));
    free(start);
    return net;
}

/* A hash of an epoch, of predictions and of a pass by hand. */
static uint64_t work(fm_dtype dtype) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    fm_net *net = two_layers(dtype);
    const fm_head head = {{.kind = 1, .mean = 1}, 1.0};
    const fm_optimizer_spec optimizer = {.kind = 1, .hyper = {0.9, 0.99, 1e-8}, .clip_norm = 1.0};
    fm_trainer *trainer = NULL;
    CHECK(fm_trainer_new(net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    void *x = random_reals(dtype, ROWS * IN, 2, 1.0), *target = random_reals(dtype, ROWS * OUT, 3, 1.0);
    void *y = random_reals(dtype, ROWS * OUT, 0, 0.0), *dx = random_reals(dtype, ROWS * IN, 0, 0.0);
    int64_t order[ROWS], steps;
    double lr[STEPS], loss;
    for (int i = 0; i < STEPS; i++) lr[i] = 1e-2;
    fm_permutation(5, 0, ROWS, order);
    const fm_epoch epoch = {.x = {x},
                            .targets = {{.values = target, .cols = OUT}},
                            .rows = ROWS,
                            .order = order,
                            .batch = (ROWS + STEPS - 1) / STEPS,
                            .lr = lr};
    CHECK(fm_train(trainer, &epoch, &loss, &steps) == FM_OK && steps == STEPS, "an epoch");
    CHECK(fm_net_predict(net, ROWS, (const void *const[]){x}, &y, NULL, NULL) == FM_OK, "predict");
    uint64_t hash = mix(0xCBF29CE484222325ull, &loss, sizeof loss);
    hash = mix(hash, y, (size_t)(ROWS * OUT) * size);
    CHECK(fm_net_forward(net, ROWS, (const void *const[]){x}, 1, &y) == FM_OK, "forward");
    CHECK(fm_net_backward(net, ROWS, (const void *const[]){y}, 0, &dx) == FM_OK, "backward");
    hash = mix(hash, dx, (size_t)(ROWS * IN) * size);
    hash = mix(hash, fm_net_grads(net), (size_t)fm_net_parameters(net) * size);
    hash = mix(hash, fm_net_params(net), (size_t)fm_net_parameters(net) * size);
    fm_trainer_free(trainer);
    fm_net_free(net);
    free(x), free(target), free(y), free(dx);
    return hash;
}

int main(void) {
    pthread_t changer;
    fm_ignore_thread_cost(1);
    fm_set_process_threads(3);
    if (!fm_isa_supported(1)) return report(); /* no instruction set with fused multiply-adds */
    fm_use_isa(fm_isa_name(1));
    const uint64_t undisturbed[2] = {work(FM_F32), work(FM_F64)};
    if (pthread_create(&changer, NULL, change_isas, NULL) != 0) abort();
    for (int run = 0; run < RUNS; run++)
        CHECK(work(run % 2 ? FM_F64 : FM_F32) == undisturbed[run % 2], "run %d has other bits", run);
    atomic_store(&finished, 1);
    pthread_join(changer, NULL);
    return report();
}
