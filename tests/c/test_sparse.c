/* Sparse rows through the C API: the bits of the same rows with zeros, and the networks that take none. */
#include "networks.h"

enum { ROWS = 37, WIDE_IN = 61, FIRST = 21, SCORES = 3 };

typedef struct {
    size_t size;
    fm_net *net;
    void *dense, *value, *y[2], *dy;
    int64_t start[ROWS + 1], order[ROWS];
    int32_t column[ROWS * WIDE_IN];
} table;

/* Every ninth element, at other columns in each row; the rows 0, 10, ... are empty. */
static void fill(table *t) {
    int64_t entries = 0;
    for (int64_t i = 0; i < ROWS * WIDE_IN; i++) {
        const int64_t row = i / WIDE_IN, column = i % WIDE_IN;
        if (column == 0) t->start[row] = entries;
        const int is_entry = row % 10 != 0 && (column + row) % 9 == 0;
        if (!is_entry) put(t->dense, i, t->size, 0.0, 0);
        else put(t->value, entries, t->size, get(t->dense, i, t->size), 0), t->column[entries++] = (int32_t)column;
    }
    t->start[ROWS] = entries;
    for (int64_t i = 0; i < ROWS; i++) t->order[i] = i * 10 % ROWS;
}

static fm_net *net_new(fm_dtype dtype, int64_t first) {
    const fm_node nodes[] = {
        {.op = FM_OP_LINEAR, .n_sources = 1, .source = {-1}, .fan_in = WIDE_IN, .fan_out = first, .bias = 1},
        {.op = FM_OP_ACTIVATION, .n_sources = 1, .source = {0}, .fan_in = first, .fan_out = first, .kind = 5},
        {.op = FM_OP_LINEAR, .n_sources = 1, .source = {1}, .fan_in = first, .fan_out = SCORES, .bias = 1},
    };
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {WIDE_IN}, .output = {2}};
    fm_net *net = NULL;
    CHECK(fm_net_new(&ends, 3, nodes, dtype, 3, &net) == FM_OK, "a network");
    return net;
}

static void restart(const table *t, fm_dtype dtype) {
    const int64_t parameters = fm_net_parameters(t->net);
    void *start = random_reals(dtype, parameters, 1, 0.3);
    memcpy(fm_net_params(t->net), start, (size_t)parameters * t->size);
    free(start);
}

static table table_new(fm_dtype dtype, int64_t first) {
    table t = {.size = dtype == FM_F32 ? 4 : 8, .net = net_new(dtype, first)};
    t.dense = random_reals(dtype, ROWS * WIDE_IN, 2, 1.0);
    t.value = random_reals(dtype, ROWS * WIDE_IN, 2, 1.0);
    for (int k = 0; k < 2; k++) t.y[k] = random_reals(dtype, ROWS * SCORES, 3, 1.0);
    t.dy = random_reals(dtype, ROWS * SCORES, 4, 1.0);
    fill(&t);
    restart(&t, dtype);
    return t;
}

static void table_free(table *t) {
    fm_net_free(t->net);
    free(t->dense), free(t->value), free(t->y[0]), free(t->y[1]), free(t->dy);
}

static fm_csr rows_of(const table *t) { return (fm_csr){.start = t->start, .column = t->column, .value = t->value}; }

static int same_scores(const table *t) { return memcmp(t->y[0], t->y[1], ROWS * SCORES * t->size) == 0; }

static void check_passes(table *t) {
    const fm_csr x = rows_of(t);
    const void *const dense[] = {t->dense}, *const dy[] = {t->dy};
    uint64_t gradients[2];
    CHECK(fm_net_predict(t->net, ROWS, dense, &t->y[0], NULL, NULL) == FM_OK, "dense");
    CHECK(fm_net_predict_sparse(t->net, ROWS, &x, &t->y[1], NULL, NULL) == FM_OK, "sparse");
    CHECK(same_scores(t), "predictions");
    for (int k = 0; k < 4; k++) {
        const int is_sparse = k % 2;
        CHECK((is_sparse ? fm_net_forward_sparse(t->net, ROWS, &x, 1, &t->y[1])
                         : fm_net_forward(t->net, ROWS, dense, 1, &t->y[0])) == FM_OK,
              "forward");
        CHECK(fm_net_backward(t->net, ROWS, dy, k > 1, NULL) == FM_OK, "backward");
        gradients[is_sparse] = mix(0, fm_net_grads(t->net), (size_t)fm_net_parameters(t->net) * t->size);
        if (k == 1) CHECK(same_scores(t) && gradients[0] == gradients[1], "gradients");
    }
}

static uint64_t trained(table *t, fm_dtype dtype, int is_sparse, int has_order) {
    static const double none[1] = {0.0};
    const fm_head head = {{2, 1, 0, none, 0}, 1.0};
    const fm_optimizer_spec optimizer = {.kind = 0};
    const double lr[5] = {0.1, 0.1, 0.1, 0.1, 0.1};
    double loss;
    int64_t steps;
    fm_trainer *trainer = NULL;
    restart(t, dtype);
    CHECK(fm_trainer_new(t->net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    fm_epoch epoch = {.targets = {{.values = t->dy, .cols = SCORES}}, .rows = ROWS, .batch = 8, .lr = lr};
    epoch.order = has_order ? t->order : NULL;
    if (is_sparse) epoch.sparse = rows_of(t);
    else epoch.x[0] = t->dense;
    CHECK(fm_train(trainer, &epoch, &loss, &steps) == FM_OK && steps == 5, "training");
    fm_trainer_free(trainer);
    return mix(0, fm_net_params(t->net), (size_t)fm_net_parameters(t->net) * t->size);
}

/* A sparse step leaves no room for dense inputs, which a later dense step must make. */
static void check_training(table *t, fm_dtype dtype) {
    for (int has_order = 0; has_order < 2; has_order++) {
        const uint64_t sparse = trained(t, dtype, 1, has_order);
        CHECK(trained(t, dtype, 0, has_order) == sparse, "order %d", has_order);
        CHECK(trained(t, dtype, 1, has_order) == sparse, "again, order %d", has_order);
    }
}

static void check_refusals(fm_dtype dtype) {
    const fm_node nodes[] = {
        {.op = FM_OP_DROPOUT, .n_sources = 1, .source = {-1}, .fan_in = WIDE_IN, .fan_out = WIDE_IN},
        {.op = FM_OP_LINEAR, .n_sources = 1, .source = {0}, .fan_in = WIDE_IN, .fan_out = SCORES},
    };
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {WIDE_IN}, .output = {1}};
    const int64_t start[1] = {0};
    const fm_csr none = {.start = start};
    fm_net *net = NULL;
    void *y = NULL;
    CHECK(fm_net_new(&ends, 2, nodes, dtype, 3, &net) == FM_OK && !fm_net_takes_sparse(net), "dropout of the input");
    CHECK(fm_net_predict_sparse(net, 0, &none, &y, NULL, NULL) == FM_BAD_ARGUMENT, "predict");
    CHECK(fm_net_forward_sparse(net, 0, &none, 1, &y) == FM_BAD_ARGUMENT, "forward");
    fm_net_free(net);
}

static void check(fm_dtype dtype) {
    for (int64_t first = 2; first <= FIRST; first += FIRST - 2) {
        table t = table_new(dtype, first);
        CHECK(fm_net_takes_sparse(t.net), "a network for sparse rows");
        check_passes(&t);
        check_training(&t, dtype);
        table_free(&t);
    }
    check_refusals(dtype);
}

int main(void) {
    everywhere(check);
    return report();
}
