/* y[j] = x[list[j]]: each of the fan_out columns is a copy of one column of x. `list` may name a column often or never.

   The constants divide the columns of y into runs: columns that lie one behind another in x, copies of one column, and
   others, which are copied one by one. */
#include <string.h>

#include "engine/op.h"

enum { CONSECUTIVE, REPEATED, LISTED };

typedef struct {
    int64_t kind, from, to, cols; /* columns `to` .. of y are the columns `from` .. of x, or column `from`, or listed */
} run_of_columns;

enum { LEAST_RUN = 8, INTS_A_RUN = sizeof(run_of_columns) / sizeof(int64_t), ROWS_A_BLOCK = 32 };

static int check(const fm_node *node, const int64_t *width) {
    if (node->n_sources != 1 || !fm_check_each_width(node, width) || node->n_list != node->fan_out) return 0;
    for (int64_t j = 0; j < node->n_list; j++)
        if (node->list[j] < 0 || node->list[j] >= node->fan_in) return 0;
    return 1;
}

/* The number of columns from j on that are `step` apart. */
static int64_t run_length(const fm_node *node, int64_t j, int64_t step) {
    int64_t n = 1;
    while (j + n < node->fan_out && node->list[j + n] == node->list[j] + step * n) n++;
    return n;
}

static int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static int begins_run(const fm_node *node, int64_t j) {
    return most(run_length(node, j, 0), run_length(node, j, 1)) >= LEAST_RUN;
}

/* The run that begins at column j of y. */
static run_of_columns run_from(const fm_node *node, int64_t j) {
    const int64_t n = run_length(node, j, 1), same = run_length(node, j, 0);
    if (n >= LEAST_RUN || n == node->fan_out) return (run_of_columns){CONSECUTIVE, node->list[j], j, n};
    if (same >= LEAST_RUN) return (run_of_columns){REPEATED, node->list[j], j, same};
    int64_t end = j + 1;
    while (end < node->fan_out && !begins_run(node, end)) end++;
    return (run_of_columns){LISTED, 0, j, end - j};
}

static int64_t constants(const fm_node *node, int64_t *to) {
    int64_t count = 0;
    for (int64_t j = 0; j < node->fan_out; count++) {
        const run_of_columns run = run_from(node, j);
        if (to != NULL) memcpy(to + count * INTS_A_RUN, &run, sizeof run);
        j += run.cols;
    }
    if (to != NULL) memset(to + count * INTS_A_RUN, 0, sizeof(run_of_columns)); /* no columns: the end */
    return (count + 1) * INTS_A_RUN;
}

/* down: a tile has all columns, because those of y that are added to them lie anywhere. */
static void plan(fm_fused *op) { op->down_whole_rows = 1; }

/* Columns begin .. begin + cols of y, which are a part of a run. */
static void copy_run(const fm_run *run, const fm_operands *at, const run_of_columns *r, int64_t row, int64_t rows,
                     int64_t begin, int64_t cols) {
    const fm_node *node = &at->op->node;
    const int64_t in = node->fan_in, out = node->fan_out, first = r->kind == CONSECUTIVE ? begin - r->to : 0;
    const void *x = fm_element(run, at->x[0], row * in + r->from + first);
    void *y = fm_element(run, at->y, row * out + begin);
    if (r->kind == CONSECUTIVE) run->kernels->copy(rows, cols, x, in, y, out);
    else if (r->kind == REPEATED) run->kernels->repeat(rows, cols, x, in, y, out);
    else run->kernels->gather(rows, cols, node->list + begin, x, in, y, out);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const run_of_columns *all = (const run_of_columns *)at->op->constants;
    for (int64_t row = tile->row; row < tile->row + tile->rows; row += ROWS_A_BLOCK)
        for (const run_of_columns *r = all; r->cols > 0; r++) {
            const int64_t rows = least(ROWS_A_BLOCK, tile->row + tile->rows - row), begin = most(r->to, tile->col);
            const int64_t cols = least(r->to + r->cols, tile->col + tile->cols) - begin;
            if (cols > 0) copy_run(run, at, r, row, rows, begin, cols);
        }
}

static void down_block(const fm_run *run, const fm_operands *at, void *dx, int64_t row, int64_t rows) {
    const fm_node *node = &at->op->node;
    const int64_t in = node->fan_in, out = node->fan_out;
    for (const run_of_columns *r = (const run_of_columns *)at->op->constants; r->cols > 0; r++) {
        const void *dy = fm_element(run, at->dz, row * out + r->to);
        if (r->kind == CONSECUTIVE) {
            void *to = fm_element(run, dx, row * in + r->from);
            run->kernels->join(FM_JOIN_ADD, rows, r->cols, to, in, dy, out, to, in);
        } else {
            run->kernels->scatter_add(rows, r->cols, node->list + r->to, dy, out, fm_element(run, dx, row * in), in);
        }
    }
}

/* Each column of x adds the gradients of its copies in ascending order. */
static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t in = at->op->node.fan_in, end = tile->row + tile->rows;
    for (int64_t row = tile->row; row < end; row += ROWS_A_BLOCK) {
        const int64_t rows = least(ROWS_A_BLOCK, end - row);
        if (!at->op->adds[source])
            memset(fm_element(run, at->dx[source], row * in), 0, (size_t)(rows * in) * run->size);
        down_block(run, at, at->dx[source], row, rows);
    }
}

const fm_op_row fm_op_gather_columns = {
    .name = "gather_columns",
    .constants = constants,
    .check = check,
    .plan = plan,
    .forward = forward,
    .down = down,
};
