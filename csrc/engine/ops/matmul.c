/* Multiplies matrices (size[0], size[1]) and (size[1], size[2]): a row of each source holds one matrix. */
#include <string.h>

#include "engine/product.h"

enum { A, B };
/* A thread's scratch memory: the second operand transposed, then a result that will be added. */
enum { SCRATCH };

static int check(const fm_node *node, const int64_t *width) {
    int64_t size[3];
    if (node->n_sources != 2 || !fm_check_sum_of_widths(node, width)) return 0;
    for (int k = 0; k < 3; k++) {
        if (node->size[k] < 1) return 0;
        if (__builtin_mul_overflow(node->size[k], node->size[(k + 1) % 3], &size[k])) return 0;
    }
    return size[0] == width[A] && size[1] == width[B] && size[2] == node->fan_out;
}

static void plan(fm_fused *op) {
    const int64_t m = op->node.size[0], k = op->node.size[1], n = op->node.size[2];
    op->whole_rows = op->down_whole_rows = 1;
    op->factor[0] = (fm_factor){.rows = k, .cols = n};
    op->factor[1] = (fm_factor){.rows = n, .cols = k};
    op->factor[2] = (fm_factor){.rows = m, .cols = n, .of_transposed = 1};
    op->flops = (2.0 * (double)k + 16.0) * (double)op->node.fan_out;
}

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    const int64_t a = op->width[A], b = op->width[B];
    if (use == FM_PREDICT) return 0;
    space[SCRATCH].life = FM_SCRATCH;
    if (__builtin_add_overflow(b, a > b ? a : b, &space[SCRATCH].count)) space[SCRATCH].count = INT64_MAX;
    return 1;
}

/* c (m, n) = a b; a's element (i, k) is a[i * a_row + k * a_step]. The products are small, so they do not check the
   stop flag. */
static void small_product(const fm_run *run, const fm_fused *op, int64_t m, int64_t k, int64_t n, const void *a,
                          int64_t a_row, int64_t a_step, const void *b, void *c) {
    const fm_product space = {run->kernels, op->compute, run->size, run->pack, NULL};
    const fm_gemm product = {
        .m = m,
        .n = n,
        .k = k,
        .a = a,
        .a_row = a_row,
        .a_step = a_step,
        .b = b,
        .b_step = n,
        .c = c,
        .ldc = n,
        .start = FM_START_ZERO,
        .epilogue = FM_GEMM_STORE,
        .activation = -1,
    };
    fm_multiply(&space, product);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t m = at->op->node.size[0], k = at->op->node.size[1], n = at->op->node.size[2];
    for (int64_t r = tile->row; r < tile->row + tile->rows; r++)
        small_product(run, at->op, m, k, n, fm_element(run, at->x[A], r * m * k), k, 1,
                      fm_element(run, at->x[B], r * k * n), fm_element(run, at->y, r * m * n));
}

static void put_or_add(const fm_run *run, int add, int64_t n, const void *from, void *to) {
    if (add) run->kernels->join(FM_JOIN_ADD, 1, n, to, n, from, n, to, n);
    else memcpy(to, from, (size_t)n * run->size);
}

/* da = dc b^T, db = a^T dc */
static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t m = at->op->node.size[0], k = at->op->node.size[1], n = at->op->node.size[2];
    const int64_t width = at->op->width[source];
    void *transposed = run->scratch, *result = fm_element(run, transposed, k * n);
    for (int64_t r = tile->row; r < tile->row + tile->rows; r++) {
        const void *dc = fm_element(run, at->dz, r * m * n);
        if (source == A) {
            run->kernels->transpose(k, n, fm_element(run, at->x[B], r * k * n), n, transposed, k);
            small_product(run, at->op, m, n, k, dc, n, 1, transposed, result);
        } else {
            small_product(run, at->op, k, m, n, fm_element(run, at->x[A], r * m * k), 1, k, dc, result);
        }
        put_or_add(run, at->op->adds[source], width, result, fm_element(run, at->dx[source], r * width));
    }
}

const fm_op_row fm_op_matmul = {
    .name = "matmul",
    .check = check,
    .plan = plan,
    .spaces = spaces,
    .forward = forward,
    .down = down,
};
