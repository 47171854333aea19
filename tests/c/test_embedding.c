/* Embedding through the C API: rows of the table, the order of its gradient's sums, and bad row numbers. */
#include <math.h>

#include "networks.h"

enum { ROWS = 41, COLUMNS = 3, TABLE = 7, COLS = 5, WIDE = COLUMNS * COLS };

typedef struct {
    size_t size;
    fm_dtype dtype;
    fm_net *net;
    void *x, *y, *dy;
} table;

static fm_node embedding(int source) {
    return (fm_node){
        .op = FM_OP_EMBEDDING, .n_sources = 1, .source = {source}, .fan_in = COLUMNS, .fan_out = WIDE, .size = {TABLE}};
}

static table table_new(fm_dtype dtype) {
    table t = {.size = dtype == FM_F32 ? 4 : 8, .dtype = dtype};
    const fm_node node = embedding(-1);
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {COLUMNS}, .output = {0}};
    CHECK(fm_net_new(&ends, 1, &node, dtype, 3, &t.net) == FM_OK, "a table");
    void *start = random_reals(dtype, TABLE * COLS, 1, 1.0);
    memcpy(fm_net_params(t.net), start, TABLE * COLS * t.size);
    free(start);
    t.x = random_reals(dtype, ROWS * COLUMNS, 2, 0.0);
    t.y = random_reals(dtype, ROWS * WIDE, 2, 0.0);
    t.dy = random_reals(dtype, ROWS * WIDE, 3, 1.0);
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) put(t.x, i, t.size, (double)(i * i % 11 % TABLE), 0);
    return t;
}

static void table_free(table *t) {
    fm_net_free(t->net);
    free(t->x), free(t->y), free(t->dy);
}

static fm_status forward(table *t) { return fm_net_forward(t->net, ROWS, (const void *const[]){t->x}, 1, &t->y); }

static fm_status backward(table *t, int accumulate) {
    return fm_net_backward(t->net, ROWS, (const void *const[]){t->dy}, accumulate, NULL);
}

static void check_rows(table *t) {
    const char *params = fm_net_params(t->net);
    CHECK(forward(t) == FM_OK, "forward");
    for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
        const size_t row = (size_t)get(t->x, i, t->size), bytes = COLS * t->size;
        CHECK(memcmp((char *)t->y + (size_t)i * bytes, params + row * bytes, bytes) == 0, "element %d", (int)i);
    }
}

/* The gradient of each row is one chain in the order of the batch, from 0 or from the old gradient. */
static void check_gradient(table *t) {
    void *sums = calloc(TABLE * COLS, t->size);
    for (int accumulate = 0; sums != NULL && accumulate < 2; accumulate++) {
        CHECK(forward(t) == FM_OK && backward(t, accumulate) == FM_OK, "backward");
        for (int64_t i = 0; i < ROWS * WIDE; i++) {
            const int64_t row = (int64_t)get(t->x, i / COLS, t->size);
            put(sums, row * COLS + i % COLS, t->size, get(t->dy, i, t->size), 1);
        }
        CHECK(memcmp(fm_net_grads(t->net), sums, TABLE * COLS * t->size) == 0, "accumulate %d", accumulate);
    }
    free(sums);
}

static fm_status train(fm_trainer *trainer, const table *t) {
    const double lr[1] = {0.1};
    double loss;
    int64_t steps;
    const fm_epoch epoch = {
        .x = {t->x}, .targets = {{.values = t->dy, .cols = WIDE}}, .rows = ROWS, .batch = ROWS, .lr = lr};
    return fm_train(trainer, &epoch, &loss, &steps);
}

/* Each call returns FM_BAD_INDEX and changes no parameter. */
static void check_bad(table *t, fm_trainer *trainer, int64_t at, double number) {
    const double good = get(t->x, at, t->size);
    const uint64_t before = mix(0, fm_net_params(t->net), TABLE * COLS * t->size);
    put(t->x, at, t->size, number, 0);
    CHECK(forward(t) == FM_BAD_INDEX, "forward of %g", number);
    CHECK(backward(t, 0) == FM_BAD_ARGUMENT, "backward without a forward of %g", number);
    CHECK(fm_net_predict(t->net, ROWS, (const void *const[]){t->x}, &t->y, NULL, NULL) == FM_BAD_INDEX, "%g", number);
    CHECK(train(trainer, t) == FM_BAD_INDEX, "training with %g", number);
    CHECK(mix(0, fm_net_params(t->net), TABLE * COLS * t->size) == before, "%g changes parameters", number);
    put(t->x, at, t->size, good, 0);
}

static void check_bad_numbers(table *t) {
    static const double none[1] = {0.0};
    static const double numbers[] = {-1.0, TABLE, 0.5, NAN, INFINITY, -INFINITY, 1e30, -0x1p-30};
    const fm_head head = {{2, 1, 0, none, 0}, 1.0};
    const fm_optimizer_spec optimizer = {.kind = 0};
    fm_trainer *trainer = NULL;
    CHECK(fm_trainer_new(t->net, &head, &optimizer, &trainer) == FM_OK, "a trainer");
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int64_t at = 0; at < ROWS * COLUMNS; at += ROWS * COLUMNS - 1) {
            check_bad(t, trainer, at, numbers[i]);
            check_rows(t);
        }
    CHECK(train(trainer, t) == FM_OK, "training after all of them");
    put(t->x, 0, t->size, -0.0, 0);
    check_rows(t);
    fm_trainer_free(trainer);
}

static void check_nodes(fm_dtype dtype) {
    fm_node bad[] = {embedding(-1), embedding(-1), embedding(-1), embedding(-1)};
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {COLUMNS}, .output = {0}};
    bad[0].size[0] = 0, bad[1].size[0] = -1, bad[2].fan_out = WIDE + 1, bad[3].fan_in = COLUMNS + 1;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fm_net *net = NULL;
        CHECK(fm_net_new(&ends, 1, &bad[i], dtype, 3, &net) == FM_BAD_ARGUMENT && net == NULL, "node %zu", i);
    }
}

static void check(fm_dtype dtype) {
    table t = table_new(dtype);
    check_rows(&t);
    check_gradient(&t);
    check_bad_numbers(&t);
    check_nodes(dtype);
    table_free(&t);
}

int main(void) {
    everywhere(check);
    return report();
}
