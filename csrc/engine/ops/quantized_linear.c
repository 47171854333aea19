/* y = f(x W + b + residual) for a frozen network, with x and W in whole numbers of 8 bits: x is about (u - zero) * step
   with u in 0 .. 255, and W[k][j] is q[k][j] * scale[j] with q in -127 .. 127. The parameters hold q as float32.
   param[0] is step, param[1] is zero. Sums of products are exact; see docs/numerics.md. */
#include <string.h>

#include "engine/product.h"

enum { W, SCALE, B };
/* Indices of the spaces. START: what the sums of each column start from; FACTORS: step * scale. */
enum { PANELS, START, FACTORS, BYTES };

/* Rows that are quantized at once; so many fit the second-level cache. */
enum { ROWS = 64, VECTOR = 64, MOST_INPUTS = 1 << 16 };

static int64_t words(int64_t bytes) { return (bytes + 3) / 4; }
static int64_t row_bytes(const fm_node *node) { return (node->fan_in + VECTOR - 1) / VECTOR * VECTOR; }

static int check(const fm_node *node, const int64_t *width) {
    const double step = node->param[0], zero = node->param[1];
    const int is_scaled = step > 0.0 && 1.0 / step > 0.0 && zero >= 0.0 && zero <= 255.0;
    return node->n_sources == 1 && fm_check_each_width(node, width) && node->fan_in <= MOST_INPUTS && is_scaled;
}

static int arrays(const fm_node *node, fm_array *array) {
    array[W] = (fm_array){.name = "W", .role = FM_WEIGHT, .rows = node->fan_in, .cols = node->fan_out};
    array[SCALE] = (fm_array){.name = "scale", .role = FM_GAIN, .rows = node->fan_out, .cols = 1};
    array[B] = (fm_array){.name = "b", .role = FM_BIAS, .rows = node->fan_out, .cols = 1};
    return node->bias ? 3 : 2;
}

static int hosts(const fm_fused *op) {
    if (op->epilogue.activation >= 0) return 0;
    return FM_EPILOGUE_ACTIVATION | (op->epilogue.residual ? 0 : FM_EPILOGUE_RESIDUAL);
}

static void plan(fm_fused *op) {
    const double in = (double)op->node.fan_in, out = (double)op->node.fan_out;
    op->has_local = op->epilogue.activation >= 0;
    op->flops = (0.5 * in + 16.0) * out + 4.0 * in;
}

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    const int64_t in = op->node.fan_in, out = op->node.fan_out;
    (void)use;
    space[PANELS] = (fm_space){.life = FM_COPY, .size = op->size, .count = fm_panels_size(words(in), out)};
    space[START] = (fm_space){.life = FM_COPY, .size = sizeof(int32_t), .count = out};
    space[FACTORS] = (fm_space){.life = FM_COPY, .size = op->size, .count = out};
    space[BYTES] =
        (fm_space){.life = FM_SCRATCH, .size = 1, .count = ROWS * (row_bytes(&op->node) + (int64_t)op->size)};
    return 4;
}

/* The zero of x contributes zero * q to each sum. */
static void find_starts(const fm_node *node, const float *q, int32_t *start) {
    const int32_t zero = (int32_t)node->param[1];
    memset(start, 0, (size_t)node->fan_out * sizeof *start);
    for (int64_t k = 0; k < node->fan_in; k++)
        for (int64_t j = 0; j < node->fan_out; j++) start[j] -= zero * (int32_t)q[k * node->fan_out + j];
}

/* A frozen network is packed by one thread, so these are always all rows. */
static void renew(const fm_run *run, const fm_operands *at, int for_down, int64_t begin, int64_t end) {
    const fm_products *kernels = &run->kernels->product[FM_COMPUTE_INT8];
    const int64_t in = at->op->node.fan_in, out = at->op->node.fan_out;
    const float *scale = at->param[SCALE], step = (float)at->op->node.param[0];
    float *factor = at->space[FACTORS];
    (void)for_down, (void)begin, (void)end;
    kernels->pack_b(in, out, at->param[W], out, at->space[PANELS], words(in) * kernels->tile_cols);
    for (int64_t j = 0; j < out; j++) factor[j] = step * scale[j];
    find_starts(&at->op->node, at->param[W], at->space[START]);
}

static fm_gemm product_of(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const fm_fused *op = at->op;
    const int64_t out = op->node.fan_out, first = tile->row * out + tile->col;
    const void *bias = op->node.bias ? at->param[B] : NULL;
    return (fm_gemm){
        .m = tile->rows,
        .n = tile->cols,
        .k = words(op->node.fan_in),
        .a = run->scratch,
        .a_row = words(row_bytes(&op->node)),
        .a_step = 1,
        .b = at->space[PANELS],
        .c = fm_element(run, at->y, first),
        .ldc = out,
        .bias = fm_element(run, at->space[START], tile->col),
        .start = FM_START_BIAS,
        .scale = fm_element(run, at->space[FACTORS], tile->col),
        .shift = bias == NULL ? NULL : fm_element(run, bias, tile->col),
        .row = (const char *)run->scratch + ROWS * row_bytes(&op->node),
        .epilogue = op->epilogue.activation < 0 ? FM_GEMM_STORE : FM_GEMM_ACTIVATE,
        .activation = op->epilogue.activation,
        .act_params = op->epilogue.params,
        .residual = op->epilogue.residual ? fm_element(run, at->x[1], first) : NULL,
        .ldresidual = out,
    };
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const fm_node *node = &at->op->node;
    const fm_product space = {run->kernels, FM_COMPUTE_INT8, run->size, run->pack, run};
    const int64_t in = node->fan_in, bytes = row_bytes(node), end = tile->row + tile->rows;
    for (int64_t row = tile->row; row < end && !fm_stopped(run); row += ROWS) {
        const fm_tile part = {row, end - row < ROWS ? end - row : ROWS, tile->col, tile->cols};
        const fm_gemm product = product_of(run, at, &part);
        run->kernels->quantize(part.rows, in, fm_element(run, at->x[0], row * in), in, 1.0 / node->param[0],
                               node->param[1], run->scratch, bytes, (char *)run->scratch + ROWS * bytes);
        fm_multiply_panels(&space, product, tile->col);
    }
}

const fm_op_row fm_op_quantized_linear = {
    .name = "quantized_linear",
    .only_frozen = 1,
    .check = check,
    .arrays = arrays,
    .hosts = hosts,
    .plan = plan,
    .spaces = spaces,
    .forward = forward,
    .renew = renew,
};
