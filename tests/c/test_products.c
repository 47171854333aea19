/* The three products of a layer, y = x W + b, dx = dy W^T and dW = x^T dy with db, on every ISA in both types. All bits
   must be those of the scalar chains of docs/numerics.md. Every array lies between pages that must not be touched; it
   ends at the page after it in one run, and begins at the page before it in another.

   test_products [most] [part] [random shapes] [seed]: every `part`-th of the shapes (rows, outputs, inputs) in 0 ..
   most, each with 1, 2, 3 and 7 threads; then larger shapes, drawn from the seed, each with one of these numbers. */
#include <math.h>
#include <signal.h>
#include <string.h>

#include "check.h"
#include "base/aligned_alloc.h"
#include "engine/product.h"
#include "engine/schedule.h"
#include "guard_pages.h"

/* For fma() without a call; clones are chosen too early for sanitizers. */
#if defined(__x86_64__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define SCALAR_FMA __attribute__((target_clones("fma", "default")))
#else
#define SCALAR_FMA
#endif

/* The arrays that are read or written; each thread has its own of the last ones. */
enum { X, W, B, DY, Y, PREDICTED, DX, DW, DB, BATCH, VALUE, DELTA, TRANSPOSED, TRANSPOSED_GRADIENT, MOST_THREADS = 7 };
enum { SLOTS = TRANSPOSED_GRADIENT + MOST_THREADS, ROWS_A_CHUNK = 1024, MOST_ELEMENTS = 1 << 19 };

typedef struct {
    int64_t m, n, k; /* x is (m, k), W (k, n), dy (m, n) */
    int bias, add;   /* whether there is a bias; whether gradients are added to existing ones */
} sizes;

static double random_real(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)*state * 0x1p-63;
}

#define real float
#define REF(name) name##_f32
#define REF_FMA fmaf
#define REF_LANES 16
#include "products_reference.inc"
#undef real
#undef REF
#undef REF_FMA
#undef REF_LANES
#define real double
#define REF(name) name##_f64
#define REF_FMA fma
#define REF_LANES 8
#include "products_reference.inc"

enum { BFLOAT16 = FM_F64 + 1, TYPES }; /* beside the values of fm_dtype: float32 with rounded operands */

static fm_dtype storage_of(int type) { return type == BFLOAT16 ? FM_F32 : (fm_dtype)type; }
static fm_compute compute_of(int type) { return type == BFLOAT16 ? FM_COMPUTE_BFLOAT16 : FM_COMPUTE_STORAGE; }

/* The numbers are not so small that rounding makes them denormal. */
static void round_to_bfloat16(int64_t n, const float *x, float *rounded) {
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits = (bits + 0x7FFFu + (bits >> 16 & 1u)) & 0xFFFF0000u;
        memcpy(&rounded[i], &bits, sizeof bits);
    }
}

static void products_bfloat16(int fused, const sizes *s, const void *const in[], void *const out[], void *scratch) {
    static float rounded[3][MOST_ELEMENTS];
    const void *operands[DB + 1] = {[X] = rounded[0],  [W] = rounded[1], [B] = in[B],
                                    [DY] = rounded[2], [DW] = in[DW],    [DB] = in[DB]};
    round_to_bfloat16(s->m * s->k, in[X], rounded[0]);
    round_to_bfloat16(s->k * s->n, in[W], rounded[1]);
    round_to_bfloat16(s->m * s->n, in[DY], rounded[2]);
    products_f32(fused, s, operands, out, scratch);
    memcpy(out[DB], in[DB], (size_t)s->n * sizeof(float)); /* column sums are not products */
    if (s->bias) over_rows_f32(fused, s, NULL, in[DY], s->add, scratch, out[DB]);
}

static const struct {
    size_t size;
    void (*fill)(uint64_t *state, int64_t n, void *array);
    void (*products)(int fused, const sizes *s, const void *const in[], void *const out[], void *scratch);
} types[TYPES] = {{4, fill_f32, products_f32}, {8, fill_f64, products_f64}, {4, fill_f32, products_bfloat16}};

static long shapes_checked, runs_checked;

/* Operands of one shape, and its results with and without fused multiply-add. */
static struct {
    guard_pages pages;
    void *in[DB + 1], *expected[2][DB + 1], *scratch;
    uint64_t state;
} test;

/* The current case, for the message if it touches a guard. */
static char under_way[160];

static void report_fault(int number) {
    (void)number;
    if (write(STDERR_FILENO, under_way, strlen(under_way)) < 0) _exit(3);
    _exit(2);
}

static int64_t elements(const sizes *s, int array) {
    switch (array) {
        case X:
        case DX:
        case BATCH: return s->m * s->k;
        case B:
        case DB: return s->bias ? s->n : 0;
        case DY:
        case Y:
        case PREDICTED:
        case VALUE:
        case DELTA: return s->m * s->n;
        default: return s->k * s->n;
    }
}

static void draw_operands(const sizes *s, int type) {
    static const int drawn[] = {X, W, B, DY, DW, DB};
    for (size_t i = 0; i < sizeof drawn / sizeof *drawn; i++)
        types[type].fill(&test.state, elements(s, drawn[i]), test.in[drawn[i]]);
    for (int fused = 0; fused < 2; fused++)
        types[type].products(fused, s, (const void *const *)test.in, test.expected[fused], test.scratch);
}

/* One way to compute a shape. */
typedef struct {
    int type, threads, at_end;
} way;

/* W^T, in panels if there are many rows and many outputs. */
static int64_t transposed_elements(const sizes *s, const way *w) {
    const fm_products *kernels = &fm_tables_in_use()[storage_of(w->type)]->product[compute_of(w->type)];
    const int64_t nr = kernels->tile_cols;
    const int has_dot_form = s->n <= 4 && s->k >= 16;
    if (has_dot_form || !fm_schedule_packs(FM_FORWARD, compute_of(w->type), s->m)) return s->n * s->k;
    return fm_panel_words(kernels, s->n) * ((s->k + nr - 1) / nr * nr);
}

static void *place(const sizes *s, const way *w, int array) {
    const int64_t count = array == TRANSPOSED ? transposed_elements(s, w) : elements(s, array);
    return guarded(&test.pages, array, count * (int64_t)types[w->type].size, w->at_end);
}

static int64_t distance(const void *from, const void *to, int type) {
    return ((const char *)to - (const char *)from) / (int64_t)types[type].size;
}

static void check_result(const sizes *s, const way *w, int array, int expected, const char *name) {
    const int fused = strcmp(fm_isa_in_use(), "portable") != 0;
    const size_t bytes = (size_t)elements(s, array) * types[w->type].size;
    CHECK(memcmp(place(s, w, array), test.expected[fused][expected], bytes) == 0, "%s: %s", under_way, name);
}

static void check_results(const sizes *s, const way *w) {
    check_result(s, w, Y, Y, "x W + b");
    check_result(s, w, PREDICTED, Y, "x W + b, predicted");
    check_result(s, w, DX, DX, "dy W^T");
    check_result(s, w, DW, DW, "x^T dy");
    check_result(s, w, DB, DB, "column sums of dy");
}

/* Moves the memory that the network uses for products between the guards. */
static void move_between_guards(fm_net *net, const sizes *s, const way *w) {
    fm_workspace *workspace = &net->workspace;
    net->params = place(s, w, W);
    net->n_params = elements(s, W); /* what a stamp of the parameters reads: b stands elsewhere */
    net->grads = place(s, w, DW);
    if (s->bias) net->arrays[1].at = distance(net->params, place(s, w, B), w->type);
    if (s->bias) CHECK(distance(net->grads, place(s, w, DB), w->type) == net->arrays[1].at, "one for both");
    workspace->input[0] = place(s, w, BATCH);
    for (int t = 0; t < w->threads; t++) {
        fm_operands *at = &workspace->thread[t].at[0];
        workspace->thread[t].scratch = place(s, w, TRANSPOSED_GRADIENT + t);
        at->y = place(s, w, VALUE);
        at->delta = at->dz = place(s, w, DELTA);
        at->space[0] = place(s, w, TRANSPOSED);
        at->param[0] = place(s, w, W), at->grad[0] = place(s, w, DW);
        if (s->bias) at->param[1] = place(s, w, B), at->grad[1] = place(s, w, DB);
    }
}

static void run_network(fm_net *net, const sizes *s, const way *w) {
    void *const params = net->params, *const grads = net->grads, *const block = net->workspace.block;
    const int64_t n_params = net->n_params;
    const void *x = place(s, w, X), *dy = place(s, w, DY);
    void *y = place(s, w, Y), *dx = place(s, w, DX), *predicted = place(s, w, PREDICTED);
    move_between_guards(net, s, w);
    fm_override_threads(w->threads);
    fm_status status = fm_net_predict(net, s->m, &x, &predicted, NULL, NULL);
    if (status == FM_OK) status = fm_net_forward(net, s->m, &x, 1, &y);
    if (status == FM_OK) status = fm_net_backward(net, s->m, &dy, s->add, &dx);
    CHECK(status == FM_OK && net->workspace.block == block, "%s: status %d", under_way, status);
    net->params = params;
    net->n_params = n_params;
    net->grads = grads;
}

static void check_network(const sizes *s, const way *w) {
    const fm_node node = {
        .op = FM_OP_LINEAR, .n_sources = 1, .source = {-1}, .fan_in = s->k, .fan_out = s->n, .bias = s->bias};
    const fm_ends ends = {
        .n_inputs = 1, .width = {s->k}, .n_outputs = 1, .output = {0}, .compute = compute_of(w->type)};
    fm_net *net;
    if (fm_net_new(&ends, 1, &node, storage_of(w->type), 0, &net) != FM_OK ||
        fm_workspace_reserve(&net->workspace, net,
                             &(fm_demand){FM_FORWARD, s->m, MOST_THREADS, .inputs = 1, .packs = 1}) != FM_OK) {
        CHECK(0, "%s: no network", under_way);
        return;
    }
    run_network(net, s, w);
    fm_net_free(net);
}

/* Networks have no sides of 0, but products may. */
static void run_empty(const sizes *s, const way *w) {
    const fm_product space = {.kernels = fm_tables_in_use()[storage_of(w->type)],
                              .compute = compute_of(w->type),
                              .size = types[w->type].size,
                              .pack = test.scratch};
    fm_gemm forward = {.m = s->m, .n = s->n, .k = s->k, .a_row = s->k, .a_step = 1, .b_step = s->n, .ldc = s->n};
    forward.a = place(s, w, X), forward.b = place(s, w, W), forward.bias = place(s, w, B);
    forward.start = s->bias ? FM_START_BIAS : FM_START_ZERO;
    forward.c = place(s, w, Y);
    fm_multiply(&space, forward);
    forward.c = place(s, w, PREDICTED);
    fm_multiply(&space, forward);
    fm_gemm down = {.m = s->m, .n = s->k, .k = s->n, .a_row = s->n, .a_step = 1, .b_step = s->k, .ldc = s->k};
    down.a = place(s, w, DY), down.b = place(s, w, TRANSPOSED), down.c = place(s, w, DX);
    fm_multiply(&space, down);
    const fm_weight_gradient_call gradient = {.in = s->k,
                                              .out = s->n,
                                              .rows = s->m,
                                              .x = place(s, w, X),
                                              .x_row = s->k,
                                              .delta = place(s, w, DY),
                                              .delta_row = s->n,
                                              .end = s->k,
                                              .sums = s->add ? FM_SUMS_ADD : FM_SUMS_STORE,
                                              .transposed = place(s, w, TRANSPOSED_GRADIENT),
                                              .dw = place(s, w, DW)};
    fm_weight_gradient(&space, &gradient);
    if (s->bias) space.kernels->column_sums(s->m, s->n, place(s, w, DY), s->n, place(s, w, DB), s->add);
}

static void check_way(const sizes *s, const way *w) {
    static const int given[] = {X, W, B, DY, DW, DB};
    static const char *const name[TYPES] = {"float32", "float64", "bfloat16"};
    snprintf(under_way, sizeof under_way, "%s %s, rows %d, outputs %d, inputs %d, bias %d, add %d, threads %d, end %d",
             fm_isa_in_use(), name[w->type], (int)s->m, (int)s->n, (int)s->k, s->bias, s->add, w->threads, w->at_end);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        memcpy(place(s, w, given[i]), test.in[given[i]], (size_t)elements(s, given[i]) * types[w->type].size);
    if (s->k > 0 && s->n > 0) check_network(s, w);
    else run_empty(s, w);
    check_results(s, w);
    runs_checked++;
}

static const int thread_counts[] = {1, 2, 3, 7};
enum { THREAD_COUNTS = sizeof thread_counts / sizeof *thread_counts };

/* A shape on every ISA, at both ends of its arrays, with a range of thread counts. */
static void check_shape(const sizes *s, int first, int last) {
    for (int type = 0; type < TYPES; type++) {
        draw_operands(s, type);
        for (int i = 0; i < fm_isa_count(); i++) {
            if (!fm_isa_supported(i)) continue;
            fm_use_isa(fm_isa_name(i));
            for (int t = first; t <= last; t++)
                for (int at_end = 0; at_end < 2; at_end++)
                    check_way(s, &(way){.type = type, .threads = thread_counts[t], .at_end = at_end});
        }
    }
}

static void check_small_shapes(int64_t most, int64_t part) {
    const int64_t side = most + 1;
    for (int64_t i = 0; i < side * side * side; i += part) {
        const sizes s = {i / side / side, i / side % side, i % side, (i + i / side) % 4 != 0, (i + i / side) % 3 == 0};
        check_shape(&s, 0, THREAD_COUNTS - 1);
        shapes_checked++;
    }
}

static int64_t below(int64_t n) { return (int64_t)((random_real(&test.state) + 1.0) * 0.5 * (double)n); }

/* Sides of some hundreds. Every fourth shape has one side longer than all blocks and chunks, or few outputs. */
static void check_random_shape(void) {
    sizes s = {1 + below(400), 1 + below(400), 1 + below(400), below(4) != 0, below(3) == 0};
    const int64_t kind = below(16), t = below(THREAD_COUNTS);
    if (kind < 4) s.m = 1 + below(120), s.n = 1 + below(120), s.k = 1 + below(120);
    if (kind == 0) s.m = 1000 + below(2000);
    if (kind == 1) s.n = 1000 + below(2000);
    if (kind == 2) s.k = 1000 + below(2000);
    if (kind == 3) s.n = 1 + below(4), s.k = 16 + below(2000);
    check_shape(&s, (int)t, (int)t);
}

/* A row so wide that a slab of the product is smaller than a tile. All rows of B are the same memory, to save
   memory. */
static void check_slabs(void) {
    enum { DEPTH = 1024, SLAB_PRODUCTS = 1 << 28, VALUES = 7 };
    const fm_kernels *k = fm_tables_in_use()[FM_F32];
    const int64_t n = SLAB_PRODUCTS / (DEPTH * k->product[FM_COMPUTE_STORAGE].tile_rows) + 1;
    float *a = fm_alloc(DEPTH, sizeof *a), *b = fm_alloc(n, sizeof *b), *c = fm_alloc_zeroed(n, sizeof *c);
    for (int64_t i = 0; i < DEPTH; i++) a[i] = 1.0f;
    for (int64_t j = 0; j < n; j++) b[j] = (float)(j % VALUES);
    const fm_product space = {.kernels = k, .size = sizeof(float)};
    const fm_gemm product = {
        .m = 1, .n = n, .k = DEPTH, .a = a, .a_step = 1, .b = b, .c = c, .ldc = n, .activation = -1};
    fm_multiply(&space, product);
    int64_t wrong = 0;
    for (int64_t j = 0; j < n; j++) wrong += c[j] != (float)(DEPTH * (j % VALUES));
    CHECK(wrong == 0, "%lld elements on %s", (long long)wrong, k->isa);
    fm_free(a), fm_free(b), fm_free(c);
}

static void check_each_isa(void) {
    for (int i = 0; i < fm_isa_count(); i++)
        if (fm_use_isa(fm_isa_name(i)) == FM_OK) check_slabs();
}

static void make_room(void) {
    const size_t most = MOST_ELEMENTS * sizeof(double);
    test.pages = guard_pages_new(SLOTS, most);
    test.scratch = fm_alloc(MOST_ELEMENTS, sizeof(double));
    for (int i = 0; i <= DB; i++) {
        test.in[i] = fm_alloc(MOST_ELEMENTS, sizeof(double));
        for (int fused = 0; fused < 2; fused++) test.expected[fused][i] = fm_alloc(MOST_ELEMENTS, sizeof(double));
    }
}

static int64_t argument(int argc, char **argv, int i, int64_t otherwise) {
    return argc > i ? strtoll(argv[i], NULL, 10) : otherwise;
}

static void print_isas(void) {
    printf("on");
    for (int i = 0; i < fm_isa_count(); i++)
        if (fm_isa_supported(i)) printf(" %s", fm_isa_name(i));
    printf("\n");
}

int main(int argc, char **argv) {
    const int64_t most = argument(argc, argv, 1, 33), part = argument(argc, argv, 2, 61);
    const int64_t shapes = argument(argc, argv, 3, 25);
    test.state = (uint64_t)argument(argc, argv, 4, 1);
    signal(SIGSEGV, report_fault);
    signal(SIGBUS, report_fault);
    fm_ignore_thread_cost(1);
    make_room();
    check_each_isa();
    check_small_shapes(most, part);
    for (int64_t i = 0; i < shapes; i++) check_random_shape();
    printf("%ld shapes, %ld drawn, %ld runs\n", shapes_checked, (long)shapes, runs_checked);
    print_isas();
    return report();
}
