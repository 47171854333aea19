/* Small graphs on every ISA in both types: fusion changes no bit, and a value with two readers gets both gradients. */
#include "networks.h"

enum { READ = 12 };

static void *zeros(fm_dtype dtype, int64_t n) { return random_reals(dtype, n, 0, 0.0); }

/* A network with random parameters. */
static fm_net *net_of(const list *l, const fm_ends *ends, fm_dtype dtype, const char *what) {
    fm_net *net = NULL;
    CHECK(fm_net_new(ends, l->count, l->node, dtype, 5, &net) == FM_OK, "%s", what);
    draw_params(net, dtype, 1, 0.3);
    return net;
}

/* ---- with and without fusion ---- */

/* A graph that reads `in` and `out` columns and computes `out`; `describe` returns the output's node. */
typedef struct {
    const char *name;
    int64_t in, out;
    int (*describe)(list *l, int64_t in, int64_t out);
} graph;

static int activation(list *l, int64_t width, int source) {
    const int node = one(l, FM_OP_ACTIVATION, width, width, source);
    l->node[node].kind = 1; /* ReLU */
    return node;
}

static int addition(list *l, int64_t in, int64_t out) {
    return add(l, FM_OP_ADD, out, out, one(l, FM_OP_LINEAR, in, out, -1), -2);
}

static int two_additions(list *l, int64_t in, int64_t out) {
    return add(l, FM_OP_ADD, out, out, addition(l, in, out), -2);
}

static int addition_of_a_later_value(list *l, int64_t in, int64_t out) {
    const int h = one(l, FM_OP_LINEAR, in, out, -1);
    return add(l, FM_OP_ADD, out, out, h, one(l, FM_OP_SOFTMAX, out, out, -2));
}

static int activation_between_two_readers(list *l, int64_t in, int64_t out) {
    const int h = addition(l, in, out);
    return add(l, FM_OP_ADD, out, out, one(l, FM_OP_LINEAR, out, out, activation(l, out, h)), h);
}

static int dropout_between_layers(list *l, int64_t in, int64_t out) {
    const int h = one(l, FM_OP_DROPOUT, out, out, activation(l, out, addition(l, in, out)));
    return one(l, FM_OP_LINEAR, out, out, h);
}

/* The last one has chains that are divided into two parts. */
static const graph graphs[] = {
    {"an addition", 9, 6, addition},
    {"an addition to few outputs", 16, 3, addition},
    {"two additions", 9, 6, two_additions},
    {"an addition of a later value", 9, 6, addition_of_a_later_value},
    {"an activation between two readers", 9, 6, activation_between_two_readers},
    {"a dropout between layers", 9, 6, dropout_between_layers},
    {"an addition to many inputs", 1030, 8, addition},
};

/* A single thread packs its weights if there are enough rows. */
static const graph packed = {"an addition to many outputs", 66, 512, addition};

/* A hash of values, gradients of the parameters and gradients of the inputs. */
static uint64_t hash_of_pass(const graph *g, int separate, fm_dtype dtype, int64_t rows, int training) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    list l = {.count = 0};
    const int last = g->describe(&l, g->in, g->out);
    const fm_ends ends = {
        .n_inputs = 2, .n_outputs = 1, .width = {g->in, g->out}, .output = {last}, .separate = separate};
    fm_net *net = net_of(&l, &ends, dtype, g->name);
    void *a = random_reals(dtype, rows * g->in, 2, 1.0), *b = random_reals(dtype, rows * g->out, 3, 1.0);
    void *dy = random_reals(dtype, rows * g->out, 4, 1.0), *y = zeros(dtype, rows * g->out);
    void *da = zeros(dtype, rows * g->in), *db = zeros(dtype, rows * g->out);
    CHECK(fm_net_forward(net, rows, (const void *const[]){a, b}, training, &y) == FM_OK, "%s", g->name);
    CHECK(fm_net_backward(net, rows, (const void *const[]){dy}, 0, (void *const[]){da, db}) == FM_OK, "%s", g->name);
    uint64_t hash = mix(0xCBF29CE484222325ull, y, (size_t)(rows * g->out) * size);
    hash = mix(hash, fm_net_grads(net), (size_t)fm_net_parameters(net) * size);
    hash = mix(mix(hash, da, (size_t)(rows * g->in) * size), db, (size_t)(rows * g->out) * size);
    fm_net_free(net);
    free(a), free(b), free(dy), free(y), free(da), free(db);
    return hash;
}

static void check_same(const graph *g, fm_dtype dtype, int64_t rows, int training) {
    const uint64_t fused = hash_of_pass(g, 0, dtype, rows, training);
    CHECK(fused == hash_of_pass(g, 1, dtype, rows, training), "%s: fusion changed a bit of %lld rows", g->name,
          (long long)rows);
}

static void check_fusion(fm_dtype dtype) {
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++)
        for (int training = 0; training < 2; training++) check_same(&graphs[i], dtype, 3, training);
    check_same(&packed, dtype, fm_tables_in_use()[dtype]->product[FM_COMPUTE_STORAGE].least_packed_rows + 1, 1);
}

/* ---- two readers ---- */

/* An input that one node reads. With `twice`, it is also an output of the network, beside that node's value. */
typedef struct {
    fm_net *net;
    int64_t out, width; /* of the node, and of the network's output */
} reader;

static reader reader_of(fm_op op, int twice, fm_dtype dtype, const char *what) {
    const int64_t out = op == FM_OP_LINEAR ? 7 : op == FM_OP_MAXOUT ? READ / 3 : op == FM_OP_SUM ? 1 : READ;
    reader r = {.out = out, .width = out + (twice ? READ : 0)};
    list l = {.count = 0};
    int last = op == FM_OP_ACTIVATION ? activation(&l, READ, -1) : one(&l, op, READ, out, -1);
    if (twice) last = add(&l, FM_OP_CONCAT, r.width, r.width, last, -1);
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {READ}, .output = {last}};
    r.net = net_of(&l, &ends, dtype, what);
    return r;
}

/* A training pass: computes dx from dy. */
static void pass(const reader *r, fm_dtype dtype, int64_t rows, const void *dy, void *dx, const char *what) {
    void *x = random_reals(dtype, rows * READ, 2, 1.0), *y = zeros(dtype, rows * r->width);
    CHECK(fm_net_forward(r->net, rows, (const void *const[]){x}, 1, &y) == FM_OK, "%s", what);
    CHECK(fm_net_backward(r->net, rows, &dy, 0, &dx) == FM_OK, "%s", what);
    free(x), free(y);
}

/* The gradient of a value that is also an output is the sum of the node's contribution and the output's. */
static void check_sum(fm_op op, fm_dtype dtype, int64_t rows) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    char what[64];
    snprintf(what, sizeof what, "op %d, %lld rows", op, (long long)rows);
    reader alone = reader_of(op, 0, dtype, what), both = reader_of(op, 1, dtype, what);
    void *dy = random_reals(dtype, rows * both.width, 3, 1.0), *part = zeros(dtype, rows * alone.width);
    void *dx = zeros(dtype, rows * READ), *expected = zeros(dtype, rows * READ);
    for (int64_t i = 0; i < rows * alone.out; i++)
        put(part, i, size, get(dy, i / alone.out * both.width + i % alone.out, size), 0);
    pass(&alone, dtype, rows, part, expected, what);
    pass(&both, dtype, rows, dy, dx, what);
    for (int64_t i = 0; i < rows * READ; i++)
        put(expected, i, size, get(dy, i / READ * both.width + alone.out + i % READ, size), 1);
    CHECK(memcmp(dx, expected, (size_t)(rows * READ) * size) == 0, "%s", what);
    for (int64_t i = 0; i < fm_net_state_size(both.net); i++)
        CHECK((get(fm_net_state(both.net), i, size) != 0.0) == (rows > 0), "%s: moments move with rows alone", what);
    fm_net_free(alone.net), fm_net_free(both.net);
    free(dy), free(part), free(dx), free(expected);
}

static void check_sums(fm_dtype dtype) {
    static const fm_op ops[] = {FM_OP_LINEAR, FM_OP_ACTIVATION, FM_OP_SOFTMAX,    FM_OP_DROPOUT,
                                FM_OP_MAXOUT, FM_OP_SUM,        FM_OP_LAYER_NORM, FM_OP_BATCH_NORM};
    static const int64_t rows[] = {0, 3, 40};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) check_sum(ops[i], dtype, rows[k]);
}

static void check_all(fm_dtype dtype) {
    check_fusion(dtype);
    check_sums(dtype);
}

int main(void) {
    everywhere(check_all);
    return report();
}
