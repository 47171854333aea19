/* y = f(x * gain + shift): one gain for each column, and one shift if there is a bias. The product and the sum are both
   rounded, without a fused multiply-add. */
#include "engine/op.h"

enum { GAIN, SHIFT };

static int arrays(const fm_node *node, fm_array *array) {
    array[GAIN] = (fm_array){.name = "gain", .role = FM_GAIN, .rows = node->fan_out, .cols = 1};
    array[SHIFT] = (fm_array){.name = "shift", .role = FM_SHIFT, .rows = node->fan_out, .cols = 1};
    return node->bias ? 2 : 1;
}

static int hosts(const fm_fused *op) { return op->epilogue.activation < 0 ? FM_EPILOGUE_ACTIVATION : 0; }

static void plan(fm_fused *op) { op->has_local = op->epilogue.activation >= 0; }

static void scale_rows(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    run->kernels->scale(
        tile->rows, tile->cols, width, fm_element(run, at->x[0], first), fm_element(run, at->param[GAIN], tile->col),
        at->param[SHIFT] == NULL ? NULL : fm_element(run, at->param[SHIFT], tile->col), fm_element(run, at->y, first));
}

/* A few rows at a time stay in the first-level cache until their activation. */
static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    enum { ELEMENTS = 2048 };
    const int64_t end = tile->row + tile->rows, most = tile->cols < ELEMENTS ? ELEMENTS / tile->cols : 1;
    if (at->op->epilogue.activation < 0) {
        scale_rows(run, at, tile);
        return;
    }
    for (fm_tile part = *tile; part.row < end; part.row += most) {
        part.rows = end - part.row < most ? end - part.row : most;
        scale_rows(run, at, &part);
        fm_activate(run, at, &part, at->y);
    }
}

/* dx (+)= dz * gain. To add, one row at a time, so that gain may have its own row distance. */
static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    const void *gain = fm_element(run, at->param[GAIN], tile->col);
    if (!at->op->adds[source]) {
        run->kernels->scale(tile->rows, tile->cols, width, fm_element(run, at->dz, first), gain, NULL,
                            fm_element(run, at->dx[source], first));
        return;
    }
    for (int64_t row = tile->row; row < tile->row + tile->rows; row++) {
        const fm_join_back call = {
            .kind = FM_JOIN_MULTIPLY,
            .add = 1,
            .m = 1,
            .n = tile->cols,
            .b = gain,
            .dy = fm_element(run, at->dz, row * width + tile->col),
            .dx = fm_element(run, at->dx[source], row * width + tile->col),
        };
        run->kernels->join_gradient(&call);
    }
}

static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const int64_t width = at->op->node.fan_out;
    const void *dy = fm_element(run, at->dz, begin);
    const fm_sums_place sums = fm_sums_at(run, at, array, begin);
    if (array == GAIN)
        run->kernels->column_dots(run->rows, end - begin, dy, width, fm_element(run, at->x[0], begin), width, sums.to,
                                  sums.how);
    else run->kernels->column_sums(run->rows, end - begin, dy, width, sums.to, sums.how);
}

const fm_op_row fm_op_scale = {
    .name = "scale",
    .check = fm_check_keeps_width,
    .arrays = arrays,
    .hosts = hosts,
    .plan = plan,
    .forward = forward,
    .local = fm_activation_local,
    .down = down,
    .gradient = gradient,
};
