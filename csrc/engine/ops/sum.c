/* The sum of each row. */
#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return node->n_sources == 1 && node->fan_out == 1 && fm_check_each_width(node, width);
}

static void plan(fm_fused *op) { op->whole_rows = op->down_whole_rows = 1; }

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t in = at->op->node.fan_in;
    run->kernels->row_sums(tile->rows, in, fm_element(run, at->x[0], tile->row * in),
                           fm_element(run, at->y, tile->row));
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t in = at->op->node.fan_in;
    run->kernels->row_sums_gradient(tile->rows, in, fm_element(run, at->dz, tile->row),
                                    fm_element(run, at->dx[source], tile->row * in), at->op->adds[source]);
}

const fm_op_row fm_op_sum = {
    .name = "sum",
    .check = check,
    .plan = plan,
    .forward = forward,
    .down = down,
};
