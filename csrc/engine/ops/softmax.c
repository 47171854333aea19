/* Softmax over the columns of each row. */
#include "engine/op.h"

static void plan(fm_fused *op) { op->whole_rows = op->has_local = 1; }

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width;
    run->kernels->softmax(tile->rows, width, fm_element(run, at->x[0], first), width, fm_element(run, at->y, first),
                          width);
}

static void local(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width;
    run->kernels->softmax_backward(tile->rows, width, fm_element(run, at->y, first), fm_element(run, at->delta, first),
                                   fm_element(run, at->dz, first));
}

const fm_op_row fm_op_softmax = {
    .name = "softmax",
    .check = fm_check_keeps_width,
    .keeps_delta = 1,
    .plan = plan,
    .forward = forward,
    .local = local,
    .down = fm_pass_down,
};
