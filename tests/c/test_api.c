/* The promises of fastmlp.h for networks: every kind of node alone, values and gradients of a separate network,
   workspaces that grow and shrink, simultaneous predictions of several threads, and a status for every impossible
   call. */
#include <pthread.h>

#include "networks.h"

enum { MOST_ROWS = 1100, NARROW = 12, KIND = 1 /* of activation: ReLU */ };

/* ---- one node alone ---- */

static fm_ends around(list *l, fm_op op, int kind) {
    const int joins = op == FM_OP_ADD || op == FM_OP_MULTIPLY || op == FM_OP_MAXIMUM;
    int last;
    if (op == FM_OP_PARAMETER) {
        last = add(l, FM_OP_ADD, NARROW, NARROW, one(l, op, NARROW, NARROW, 0), -1);
    } else if (op == FM_OP_MATMUL) {
        last = add(l, op, 2 * NARROW, 9, -1, -1);
        memcpy(l->node[last].size, (int64_t[FM_NODE_SIZES]){3, 4, 3}, sizeof l->node[last].size);
    } else if (op == FM_OP_CONCAT) {
        last = add(l, op, 2 * NARROW, 2 * NARROW, -1, -1);
    } else if (op == FM_OP_GATHER_COLUMNS) {
        last = some_columns(l, NARROW, -1);
    } else {
        const int64_t parts = op == FM_OP_MAXOUT ? 3 : op == FM_OP_CUSTOM ? 2 : op == FM_OP_SUM ? NARROW : 1;
        const int64_t out = op == FM_OP_LINEAR ? 3 : NARROW / parts;
        last = joins ? add(l, op, NARROW, out, -1, -1) : one(l, op, NARROW, out, -1);
    }
    l->node[last].kind = kind;
    if (op == FM_OP_ACTIVATION) l->node[last].param[0] = 0.5;
    return (fm_ends){.n_inputs = 1, .n_outputs = 1, .width = {NARROW}, .output = {last}};
}

static fm_net *net_of(const list *l, const fm_ends *ends, fm_dtype dtype, caller *c) {
    c->size = dtype == FM_F32 ? 4 : 8;
    CHECK(fm_net_new(ends, l->count, l->node, dtype, 3, &c->net) == FM_OK, "op %d", l->node[0].op);
    const int64_t parameters = fm_net_parameters(c->net);
    void *start = random_reals(dtype, parameters, 1, 0.3);
    memcpy(fm_net_params(c->net), start, (size_t)parameters * c->size);
    free(start);
    fm_net_set_custom(c->net, run_node, c);
    return c->net;
}

/* Gradients of the parameters do not depend on whether gradients of the inputs are requested. */
static void check_gradients(fm_net *net, int64_t rows, const void *const *x, void *y, void *dx, size_t size,
                            const char *what) {
    const size_t bytes = (size_t)fm_net_parameters(net) * size;
    void *grads = malloc(bytes + 1);
    if (grads == NULL) abort();
    for (int asked = 0; asked < 2; asked++) {
        CHECK(fm_net_forward(net, rows, x, 0, &y) == FM_OK, "%s", what);
        CHECK(fm_net_saved_rows(net) == rows, "%s", what);
        CHECK(fm_net_backward(net, rows, (const void *const[]){y}, 0, asked ? &dx : NULL) == FM_OK, "%s", what);
        CHECK(fm_net_saved_rows(net) == -1, "%s", what);
        if (!asked) memcpy(grads, fm_net_grads(net), bytes);
    }
    CHECK(memcmp(grads, fm_net_grads(net), bytes) == 0, "%s: other gradients of %lld rows", what, (long long)rows);
    free(grads);
}

/* Predictions of all rows equal forward, and those of parts of the rows. */
static void check_rows(fm_net *net, fm_dtype dtype, int64_t rows, int64_t out, const char *what) {
    const size_t size = dtype == FM_F32 ? 4 : 8, bytes = (size_t)(rows * out) * size;
    void *x = random_reals(dtype, rows * NARROW, 2, 1.0), *y = random_reals(dtype, rows * out, 0, 0.0);
    void *again = random_reals(dtype, rows * out, 0, 0.0), *dx = random_reals(dtype, rows * NARROW, 0, 0.0);
    const void *const xs[] = {x};
    check_gradients(net, rows, xs, y, dx, size, what);
    CHECK(fm_net_predict(net, rows, xs, &again, NULL, NULL) == FM_OK, "%s", what);
    CHECK(memcmp(y, again, bytes) == 0, "%s: predict and forward differ on %lld rows", what, (long long)rows);
    const int64_t first = rows / 3;
    for (int part = 0; part < 2; part++) {
        const int64_t begin = part ? first : 0, count = part ? rows - first : first;
        const void *const from[] = {(const char *)x + (size_t)(begin * NARROW) * size};
        void *const to[] = {(char *)again + (size_t)(begin * out) * size};
        CHECK(fm_net_predict(net, count, from, to, NULL, NULL) == FM_OK, "%s", what);
    }
    CHECK(memcmp(y, again, bytes) == 0, "%s: other bits in parts of %lld rows", what, (long long)rows);
    free(x), free(y), free(again), free(dx);
}

static void check_node(fm_dtype dtype, fm_op op, int kind, const char *what) {
    static const int64_t rows[] = {0, 1, 40, 3, MOST_ROWS, 7};
    list l = {.count = 0};
    caller c = {0};
    const fm_ends ends = around(&l, op, kind);
    fm_net *net = net_of(&l, &ends, dtype, &c);
    const int64_t out = fm_net_node(net, ends.output[0])->fan_out;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) check_rows(net, dtype, rows[i], out, what);
    fm_net_free(net);
}

static void check_nodes(fm_dtype dtype) {
    for (int kind = 0; kind < fm_activation_count(); kind++)
        check_node(dtype, FM_OP_ACTIVATION, kind, fm_activation_at(kind)->name);
    for (int op = FM_OP_LINEAR; op < FM_OPS; op++) {
        if (op != FM_OP_ACTIVATION && op != FM_OP_EMBEDDING && op != FM_OP_QUANTIZED_LINEAR)
            check_node(dtype, (fm_op)op, 0, fm_op_name(op));
    }
}

/* ---- the network with all kinds of nodes ---- */

typedef struct {
    void *x[2], *y[2];
    size_t bytes[2]; /* of y */
} arrays;

static arrays arrays_of(fm_dtype dtype, int64_t rows) {
    const size_t size = dtype == FM_F32 ? 4 : 8;
    return (arrays){{random_reals(dtype, rows * 17, 2, 1.0), random_reals(dtype, rows * 9, 3, 1.0)},
                    {random_reals(dtype, rows * OUT, 0, 0.0), random_reals(dtype, rows, 0, 0.0)},
                    {(size_t)(rows * OUT) * size, (size_t)rows * size}};
}

static void release(arrays *a) { free(a->x[0]), free(a->x[1]), free(a->y[0]), free(a->y[1]); }

static const void *const *inputs_of(const arrays *a) { return (const void *const *)a->x; }

/* The value of an output is that of its node, its delta is dy; nodes of the same pass have the same number. */
static void check_shown(fm_dtype dtype) {
    caller c = {0};
    fm_net *net = make(KIND, dtype, 1, &c);
    arrays a = arrays_of(dtype, 20);
    CHECK(fm_net_value(net, 0) == NULL && fm_net_delta(net, 0) == NULL, "nothing has been computed");
    CHECK(fm_net_forward(net, 20, inputs_of(&a), 1, a.y) == FM_OK, "forward");
    int output = 0;
    while (fm_net_node(net, output)->fan_out != OUT || fm_net_node(net, output)->op != FM_OP_LINEAR) output++;
    CHECK(memcmp(fm_net_value(net, output), a.y[0], a.bytes[0]) == 0, "an output's value");
    CHECK(fm_net_backward(net, 20, (const void *const *)a.y, 0, NULL) == FM_OK, "backward");
    CHECK(fm_net_delta(net, output) != NULL, "an output's gradient");
    CHECK(fm_net_pass(net, 0) != fm_net_pass(net, 1), "nodes kept apart");
    fm_net_free(net);
    net = make(KIND, dtype, 0, &c);
    CHECK(fm_net_pass(net, 1) == fm_net_pass(net, 2), "an addition fused into the Linear before it");
    CHECK(fm_net_value(net, 0) == NULL && fm_net_delta(net, 0) == NULL, "a fused network shows nothing");
    fm_net_free(net);
    release(&a);
}

/* Dropout's mask depends on the step only. */
static void check_steps(fm_dtype dtype) {
    caller c = {0};
    fm_net *net = make(KIND, dtype, 0, &c);
    arrays a = arrays_of(dtype, 9), b = arrays_of(dtype, 9);
    for (uint32_t step = 0; step < 3; step++) {
        CHECK(fm_net_step(net) == step, "%u", fm_net_step(net));
        CHECK(fm_net_forward(net, 9, inputs_of(&a), 1, a.y) == FM_OK, "step %u", step);
    }
    fm_net_set_step(net, 2);
    CHECK(fm_net_forward(net, 9, inputs_of(&b), 1, b.y) == FM_OK, "step 2");
    CHECK(memcmp(a.y[0], b.y[0], a.bytes[0]) == 0, "another mask in the same step");
    fm_net_free(net);
    release(&a), release(&b);
}

static void check_workspaces(fm_dtype dtype) {
    static const int64_t rows[] = {1, MOST_ROWS, 2, 300, 0, MOST_ROWS, 33};
    caller c = {0};
    fm_net *net = make(KIND, dtype, 0, &c);
    arrays all = arrays_of(dtype, MOST_ROWS), some = arrays_of(dtype, MOST_ROWS);
    const size_t size = c.size;
    CHECK(fm_net_predict(net, MOST_ROWS, inputs_of(&all), all.y, NULL, NULL) == FM_OK, "all rows");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fm_override_threads((int)(i % 3) + 1);
        CHECK(fm_net_reserve(net, rows[i]) == FM_OK, "%lld rows", (long long)rows[i]);
        CHECK(fm_net_predict(net, rows[i], inputs_of(&some), some.y, NULL, NULL) == FM_OK, "predict");
        CHECK(memcmp(all.y[0], some.y[0], (size_t)(rows[i] * OUT) * size) == 0, "%lld rows", (long long)rows[i]);
        CHECK(fm_net_forward(net, rows[i], inputs_of(&some), 0, some.y) == FM_OK, "forward");
        CHECK(memcmp(all.y[0], some.y[0], (size_t)(rows[i] * OUT) * size) == 0, "%lld rows", (long long)rows[i]);
        CHECK(fm_net_backward(net, rows[i], (const void *const *)some.y, 0, NULL) == FM_OK, "backward");
    }
    fm_net_free(net);
    release(&all), release(&some);
}

/* ---- simultaneous calls ---- */

enum { CALLERS = 4, CALLS = 12 };

typedef struct {
    fm_net *net;
    fm_dtype dtype;
    int64_t rows;
    const arrays *expected;
    int wrong;
} predictor;

static void *predict_often(void *context) {
    predictor *p = context;
    arrays mine = arrays_of(p->dtype, MOST_ROWS);
    for (int call = 0; call < CALLS; call++) {
        const int64_t rows = call % 2 ? p->rows : p->rows / 4;
        fm_override_threads(call % 3 + 1);
        p->wrong += fm_net_predict(p->net, rows, inputs_of(&mine), mine.y, NULL, NULL) != FM_OK;
        p->wrong += memcmp(mine.y[0], p->expected->y[0], mine.bytes[0] / MOST_ROWS * (size_t)rows) != 0;
    }
    release(&mine);
    return NULL;
}

static void check_callers(fm_dtype dtype) {
    caller c = {0};
    fm_net *net = make(KIND, dtype, 0, &c);
    arrays expected = arrays_of(dtype, MOST_ROWS);
    pthread_t thread[CALLERS];
    predictor p[CALLERS];
    CHECK(fm_net_predict(net, MOST_ROWS, inputs_of(&expected), expected.y, NULL, NULL) == FM_OK, "predict");
    for (int i = 0; i < CALLERS; i++) {
        p[i] = (predictor){net, dtype, MOST_ROWS >> i, &expected, 0};
        if (pthread_create(&thread[i], NULL, predict_often, &p[i]) != 0) abort();
    }
    for (int i = 0; i < CALLERS; i++) {
        pthread_join(thread[i], NULL);
        CHECK(p[i].wrong == 0, "caller %d: %d wrong", i, p[i].wrong);
    }
    fm_net_free(net);
    release(&expected);
}

/* ---- impossible calls ---- */

static fm_status status_of(const fm_node *node, const fm_ends *ends) {
    fm_net *net = (fm_net *)&net;
    const fm_status status = fm_net_new(ends, 1, node, FM_F32, 1, &net);
    CHECK((net != NULL) == (status == FM_OK), "a network, or none");
    fm_net_free(net);
    return status;
}

static void check_descriptions(void) {
    const fm_ends ends = {.n_inputs = 1, .n_outputs = 1, .width = {NARROW}, .output = {0}};
    const fm_node good = {
        .op = FM_OP_LINEAR, .n_sources = 1, .source = {-1}, .fan_in = NARROW, .fan_out = 2, .bias = 1};
    fm_node bad[10];
    fm_ends wrong[8];
    for (int i = 0; i < 10; i++) bad[i] = good;
    bad[0].op = FM_OPS, bad[1].fan_in = NARROW + 1, bad[2].fan_out = 0, bad[3].source[0] = 0;
    bad[4].source[0] = -2, bad[5].n_sources = 0, bad[6].n_sources = FM_MOST_SOURCES + 1, bad[7].fan_out = -1;
    bad[8].op = FM_OP_DROPOUT, bad[9].op = FM_OP_ACTIVATION, bad[9].fan_out = NARROW, bad[9].kind = 1000;
    for (int i = 0; i < 10; i++) CHECK(status_of(&bad[i], &ends) == FM_BAD_ARGUMENT, "node %d", i);
    for (int i = 0; i < 8; i++) wrong[i] = ends;
    wrong[0].n_inputs = 0, wrong[1].n_inputs = FM_MOST_ENDS + 1, wrong[2].n_outputs = 0, wrong[3].output[0] = 1;
    wrong[4].output[0] = -1, wrong[5].width[0] = 0, wrong[6].n_inputs = 2, wrong[6].width[1] = 1;
    wrong[7].n_outputs = FM_MOST_ENDS + 1;
    for (int i = 0; i < 8; i++) CHECK(status_of(&good, &wrong[i]) == FM_BAD_ARGUMENT, "ends %d", i);
    CHECK(status_of(&good, &ends) == FM_OK, "a description without a fault");
    fm_node large = good;
    fm_ends wide = ends;
    large.fan_in = wide.width[0] = large.fan_out = INT64_C(1) << 40;
    CHECK(status_of(&large, &wide) == FM_NO_MEMORY, "more parameters than can be counted");
    fm_net *net;
    CHECK(fm_net_new(&ends, 0, &good, FM_F32, 1, &net) == FM_BAD_ARGUMENT && net == NULL, "no nodes");
    CHECK(fm_net_new(&ends, 1, &good, (fm_dtype)2, 1, &net) == FM_BAD_ARGUMENT && net == NULL, "no such type");
    fm_net_free(NULL);
}

/* Widths without parameters are limited only by int64_t: the network exists, but memory for its rows does not. */
static void check_widest(void) {
    const int64_t width = INT64_C(1) << 62;
    const fm_node nodes[] = {
        {.op = FM_OP_SUM, .n_sources = 1, .source = {-1}, .fan_in = width, .fan_out = 1},
        {.op = FM_OP_SOFTMAX, .n_sources = 1, .source = {-1}, .fan_in = width, .fan_out = width},
        {.op = FM_OP_MATMUL,
         .n_sources = 2,
         .source = {-2, -1},
         .fan_in = width + 1,
         .fan_out = width,
         .size = {1, 1, width}},
    };
    for (int i = 0; i < 3; i++) {
        const fm_ends ends = {.n_inputs = i < 2 ? 1 : 2, .n_outputs = 1, .width = {width, 1}, .output = {0}};
        fm_net *net = NULL;
        CHECK(fm_net_new(&ends, 1, &nodes[i], FM_F64, 1, &net) == FM_OK, "node %d", i);
        CHECK(fm_net_forward(net, 1, NULL, 1, NULL) == FM_NO_MEMORY, "node %d forward", i);
        CHECK(fm_net_reserve(net, 1000) == FM_OK, "node %d keeps nothing to predict", i);
        fm_net_free(net);
    }
}

static void check_misuse(fm_dtype dtype) {
    caller c = {0};
    fm_net *net = make(KIND, dtype, 0, &c);
    CHECK(fm_net_take(net) == FM_OK && fm_net_take(net) == FM_IN_USE, "a network for one alone");
    fm_net_give_back(net);
    CHECK(fm_net_take(net) == FM_OK, "a network given back");
    arrays a = arrays_of(dtype, 8);
    fm_net_begin_update(net);
    CHECK(fm_net_predict(net, 8, inputs_of(&a), a.y, NULL, NULL) == FM_IN_USE, "a prediction during an update");
    fm_net_end_update(net);
    CHECK(fm_net_predict(net, 8, inputs_of(&a), a.y, NULL, NULL) == FM_OK, "a prediction behind it");
    fm_net_give_back(net);
    const void *const *dy = (const void *const *)a.y;
    CHECK(fm_net_backward(net, 8, dy, 0, NULL) == FM_BAD_ARGUMENT, "backward without forward");
    CHECK(fm_net_forward(net, 8, inputs_of(&a), 0, a.y) == FM_OK, "forward");
    CHECK(fm_net_backward(net, 7, dy, 0, NULL) == FM_BAD_ARGUMENT, "other rows");
    fm_net_set_custom(net, NULL, NULL);
    CHECK(fm_net_backward(net, 8, dy, 0, NULL) == FM_BAD_ARGUMENT, "backward without the caller's node");
    CHECK(fm_net_forward(net, 8, inputs_of(&a), 0, a.y) == FM_BAD_ARGUMENT, "forward without the caller's node");
    CHECK(fm_net_predict(net, 8, inputs_of(&a), a.y, NULL, NULL) == FM_BAD_ARGUMENT, "nor predict");
    fm_net_set_custom(net, run_node, &c);
    CHECK(fm_net_backward(net, 8, dy, 0, NULL) == FM_OK, "the forward still awaits its backward");
    CHECK(fm_net_forward(net, -1, inputs_of(&a), 0, a.y) == FM_BAD_ARGUMENT, "-1 rows");
    CHECK(fm_net_predict(net, -1, inputs_of(&a), a.y, NULL, NULL) == FM_BAD_ARGUMENT, "-1 rows");
    CHECK(fm_net_reserve(net, -1) == FM_BAD_ARGUMENT, "-1 rows");
    CHECK(fm_net_reserve(net, INT64_MAX) == FM_NO_MEMORY, "all rows there are");
    const double mean = get(fm_net_state(net), 0, c.size);
    c.fails = 1;
    CHECK(fm_net_forward(net, 8, inputs_of(&a), 1, a.y) == FM_INTERRUPTED, "a node that fails");
    CHECK(fm_net_saved_rows(net) == -1, "nothing is kept of it");
    CHECK(get(fm_net_state(net), 0, c.size) == mean, "no running mean has moved");
    c.fails = 0;
    fm_net_free(net);
    release(&a);
}

static int stop(void *calls) { return ++*(int *)calls > 1; }

static void check_stopped(fm_dtype dtype) {
    list l = {.count = 0};
    caller c = {0};
    const fm_ends ends = around(&l, FM_OP_LINEAR, 0);
    fm_net *net = net_of(&l, &ends, dtype, &c);
    void *x = random_reals(dtype, 5000 * NARROW, 2, 1.0), *y = random_reals(dtype, 5000 * 3, 0, 0.0);
    int calls = 0;
    fm_override_threads(1);
    CHECK(fm_net_predict(net, 5000, (const void *const[]){x}, &y, stop, &calls) == FM_INTERRUPTED, "%d calls", calls);
    fm_net_free(net);
    free(x), free(y);
}

/* Whichever request fails: the call returns a status, and the network still works. */
static void check_memory(fm_dtype dtype) {
    caller c = {0};
    int64_t n = 0;
    fm_status status;
    list l = {.count = 0};
    const fm_ends ends = describe(&l, KIND);
    do {
        fm_fail_allocation(++n);
        status = fm_net_new(&ends, l.count, l.node, dtype, 1, &c.net);
        CHECK(status == FM_OK || (status == FM_NO_MEMORY && c.net == NULL), "request %lld", (long long)n);
        fm_fail_allocation(0);
    } while (status != FM_OK);
    CHECK(n > 5, "%lld requests", (long long)n);
    c.size = dtype == FM_F32 ? 4 : 8;
    fm_net_set_custom(c.net, run_node, &c);
    arrays a = arrays_of(dtype, 30);
    fm_fail_allocation(1);
    CHECK(fm_net_forward(c.net, 30, inputs_of(&a), 1, a.y) == FM_NO_MEMORY, "forward");
    CHECK(fm_net_predict(c.net, 30, inputs_of(&a), a.y, NULL, NULL) == FM_NO_MEMORY, "predict");
    CHECK(fm_net_reserve(c.net, 30) == FM_NO_MEMORY, "reserve");
    fm_fail_allocation(0);
    CHECK(fm_net_forward(c.net, 30, inputs_of(&a), 1, a.y) == FM_OK, "forward afterwards");
    fm_net_free(c.net);
    release(&a);
}

/* ---- the process ---- */

static void check_process(void) {
    CHECK(fm_isa_name(-1) == NULL && fm_isa_name(fm_isa_count()) == NULL, "no such instruction sets");
    CHECK(!fm_isa_supported(-1) && !fm_isa_supported(fm_isa_count()), "no such instruction sets");
    CHECK(fm_use_isa("none of them") == FM_UNKNOWN_ISA, "no such instruction set");
    for (int i = 0; i < fm_isa_count(); i++) {
        const fm_status wanted = fm_isa_supported(i) ? FM_OK : FM_UNSUPPORTED_ISA;
        CHECK(fm_use_isa(fm_isa_name(i)) == wanted, "%s", fm_isa_name(i));
        CHECK(wanted != FM_OK || strcmp(fm_isa_in_use(), fm_isa_name(i)) == 0, "%s", fm_isa_in_use());
    }
    CHECK(fm_activation_at(-1) == NULL && fm_activation_at(fm_activation_count()) == NULL, "no such activations");
    CHECK(fm_loss_at(-1) == NULL && fm_loss_at(fm_loss_count()) == NULL, "no such losses");
    CHECK(fm_optimizer_at(-1) == NULL && fm_optimizer_at(fm_optimizer_count()) == NULL, "no such optimizers");
    CHECK(fm_openmp_version() >= 201511, "%d", fm_openmp_version());
    fm_override_threads(0);
    fm_set_process_threads(5);
    CHECK(fm_process_threads() == 5 && fm_threads() == 5, "%d", fm_threads());
    CHECK(fm_override_threads(3) == 0 && fm_threads() == 3, "%d", fm_threads());
    CHECK(fm_override_threads(0) == 3 && fm_threads() == 5, "%d", fm_threads());
    fm_set_process_threads(0);
    CHECK(fm_process_threads() == 1, "%d", fm_process_threads());
}

static void check_networks(fm_dtype dtype) {
    check_nodes(dtype);
    check_shown(dtype);
    check_steps(dtype);
    check_misuse(dtype);
    check_memory(dtype);
    check_workspaces(dtype);
    check_callers(dtype);
    check_stopped(dtype);
}

int main(void) {
    check_process();
    check_descriptions();
    check_widest();
    everywhere(check_networks);
    return report();
}
