/* Frozen networks, memory that calls keep, and advice about threads. */
#include "networks.h"

enum { IN = 12, WIDE = 40, OUTPUTS = 3, MOST_ROWS = 1100 };

static fm_net *layers(fm_dtype dtype, int frozen) {
    list l = {.count = 0};
    fm_net *net = NULL;
    const int hidden = one(&l, FM_OP_LINEAR, IN, WIDE, -1);
    const fm_ends ends = {.n_inputs = 1,
                          .n_outputs = 1,
                          .width = {IN},
                          .output = {one(&l, FM_OP_LINEAR, WIDE, OUTPUTS, hidden)},
                          .frozen = frozen};
    CHECK(fm_net_new(&ends, l.count, l.node, dtype, 3, &net) == FM_OK, "two layers");
    const int64_t parameters = fm_net_parameters(net);
    void *start = random_reals(dtype, parameters, 1, 0.3);
    memcpy(fm_net_params(net), start, (size_t)parameters * (dtype == FM_F32 ? 4 : 8));
    free(start);
    return net;
}

/* A frozen network predicts the bits of the other one; it can do nothing before it is frozen. */
static void check_frozen(fm_dtype dtype) {
    fm_net *net = layers(dtype, 0), *frozen = layers(dtype, 1);
    void *x = random_reals(dtype, MOST_ROWS * IN, 2, 1.0), *y = random_reals(dtype, MOST_ROWS * OUTPUTS, 0, 0.0);
    void *again = random_reals(dtype, MOST_ROWS * OUTPUTS, 1, 1.0);
    const void *const xs[] = {x};
    CHECK(fm_net_predict(frozen, 1, xs, &again, NULL, NULL) == FM_BAD_ARGUMENT, "not frozen yet");
    CHECK(fm_net_freeze(net) == FM_BAD_ARGUMENT, "not a frozen network");
    CHECK(fm_net_freeze(frozen) == FM_OK, "freeze");
    CHECK(fm_net_freeze(frozen) == FM_BAD_ARGUMENT, "a second time");
    CHECK(fm_net_grads(frozen) == NULL, "gradients");
    for (int64_t rows = 1; rows <= MOST_ROWS; rows = 3 * rows + 2) {
        const size_t bytes = (size_t)(rows * OUTPUTS) * (dtype == FM_F32 ? 4 : 8);
        CHECK(fm_net_predict(net, rows, xs, &y, NULL, NULL) == FM_OK, "predict");
        CHECK(fm_net_predict(frozen, rows, xs, &again, NULL, NULL) == FM_OK, "predict, frozen");
        CHECK(memcmp(y, again, bytes) == 0, "other bits of %lld rows", (long long)rows);
    }
    fm_net_free(net), fm_net_free(frozen);
    free(x), free(y), free(again);
}

static void check_released(fm_dtype dtype) {
    fm_net *net = layers(dtype, 0);
    void *x = random_reals(dtype, MOST_ROWS * IN, 2, 1.0), *y = random_reals(dtype, MOST_ROWS * OUTPUTS, 0, 0.0);
    const void *const xs[] = {x};
    for (int round = 0; round < 3; round++) {
        CHECK(fm_net_forward(net, MOST_ROWS, xs, 1, &y) == FM_OK, "forward");
        CHECK(fm_net_workspace_bytes(net) > 0 && fm_net_saved_rows(net) == MOST_ROWS, "memory of a forward");
        fm_net_release(net);
        CHECK(fm_net_workspace_bytes(net) == 0 && fm_net_saved_rows(net) == -1, "released");
    }
    const int least = fm_advised_threads(net, 1, 64), most = fm_advised_threads(net, 100000, 64);
    CHECK(least >= 1 && most >= least && most <= 64, "%d and %d threads", least, most);
    CHECK(fm_advised_threads(net, 100000, 1) == 1, "only one is allowed");
    fm_net_free(net);
    free(x), free(y);
}

static void check(fm_dtype dtype) {
    CHECK(fm_bfloat16_is_native() == (strcmp(fm_isa_in_use(), "avx512bf16") == 0), "%s", fm_isa_in_use());
    check_frozen(dtype);
    check_released(dtype);
}

int main(void) {
    double costs[4];
    fm_thread_costs(costs);
    for (int i = 0; i < 4; i++) CHECK(costs[i] > 0.0, "cost %d is %g", i, costs[i]);
    everywhere(check);
    return report();
}
