/* y[j] is the largest of x[j], x[j + fan_out], x[j + 2 fan_out], ...; of equal elements, the first. */
#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return node->n_sources == 1 && fm_check_each_width(node, width) && node->fan_in % node->fan_out == 0;
}

/* One tile of `down` has all pieces of its columns of y. */
static void plan(fm_fused *op) { op->down_cols[0] = op->node.fan_out; }

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t in = at->op->node.fan_in, out = at->op->node.fan_out;
    run->kernels->maxout(tile->rows, tile->cols, in / out, out, fm_element(run, at->x[0], tile->row * in + tile->col),
                         in, fm_element(run, at->y, tile->row * out + tile->col), out);
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t in = at->op->node.fan_in, out = at->op->node.fan_out, first = tile->row * in + tile->col;
    run->kernels->maxout_gradient(tile->rows, tile->cols, in / out, out, fm_element(run, at->x[0], first), in,
                                  fm_element(run, at->dz, tile->row * out + tile->col), out,
                                  fm_element(run, at->dx[source], first), at->op->adds[source]);
}

const fm_op_row fm_op_maxout = {
    .name = "maxout",
    .check = check,
    .plan = plan,
    .forward = forward,
    .down = down,
};
