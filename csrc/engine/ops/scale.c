/* y = x * gain + shift: one gain for each column, and one shift if there is a bias. The product and the sum are both
   rounded, without a fused multiply-add. So the kernels that join two values compute it, with a row distance of 0
   for gain and shift. */
#include "engine/op.h"

enum { GAIN, SHIFT };

static int arrays(const fm_node *node, fm_array *array) {
    array[GAIN] = (fm_array){.name = "gain", .role = FM_GAIN, .rows = node->fan_out, .cols = 1};
    array[SHIFT] = (fm_array){.name = "shift", .role = FM_SHIFT, .rows = node->fan_out, .cols = 1};
    return node->bias ? 2 : 1;
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    void *y = fm_element(run, at->y, first);
    run->kernels->join(FM_JOIN_MULTIPLY, tile->rows, tile->cols, fm_element(run, at->x[0], first), width,
                       fm_element(run, at->param[GAIN], tile->col), 0, y, width);
    if (at->param[SHIFT] != NULL)
        run->kernels->join(FM_JOIN_ADD, tile->rows, tile->cols, y, width, fm_element(run, at->param[SHIFT], tile->col),
                           0, y, width);
}

/* dx = dz * gain, one row at a time, so that each operand may have its own row distance. */
static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out;
    for (int64_t row = tile->row; row < tile->row + tile->rows; row++) {
        const fm_join_back call = {
            .kind = FM_JOIN_MULTIPLY,
            .add = at->op->adds[source],
            .m = 1,
            .n = tile->cols,
            .b = fm_element(run, at->param[GAIN], tile->col),
            .dy = fm_element(run, at->dz, row * width + tile->col),
            .dx = fm_element(run, at->dx[source], row * width + tile->col),
        };
        run->kernels->join_gradient(&call);
    }
}

static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const int64_t width = at->op->node.fan_out;
    const void *dy = fm_element(run, at->dz, begin);
    void *to = fm_element(run, at->grad[array], begin);
    if (array == GAIN)
        run->kernels->column_dots(run->rows, end - begin, dy, width, fm_element(run, at->x[0], begin), width, to,
                                  run->adds);
    else run->kernels->column_sums(run->rows, end - begin, dy, width, to, run->adds);
}

const fm_op_row fm_op_scale = {
    .name = "scale",
    .check = fm_check_keeps_width,
    .arrays = arrays,
    .forward = forward,
    .down = down,
    .gradient = gradient,
};
