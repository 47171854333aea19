/* Layer normalisation: each row gets mean 0 and variance 1, then a gain and a shift. param[0] is eps. */
#include "engine/ops/norm.h"

static int check(const fm_node *node, const int64_t *width) {
    return fm_check_keeps_width(node, width) && node->param[0] > 0.0;
}

static void plan(fm_fused *op) { op->whole_rows = op->down_whole_rows = 1; }

/* MOMENTS: 1 / sqrt(variance + eps) of each row. */
static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    (void)use;
    space[NORMAL] = (fm_space){.life = FM_KEPT, .size = op->size, .per_row = op->node.fan_out};
    space[MOMENTS] = (fm_space){.life = FM_KEPT, .size = op->size, .per_row = 1};
    return 2;
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width;
    void *normal = at->space[NORMAL], *scale = at->space[MOMENTS];
    run->kernels->layer_norm(tile->rows, width, at->op->node.param[0], fm_element(run, at->x[0], first),
                             at->param[GAIN], at->param[SHIFT], fm_element(run, at->y, first),
                             normal == NULL ? NULL : fm_element(run, normal, first),
                             scale == NULL ? NULL : fm_element(run, scale, tile->row));
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width;
    run->kernels->layer_norm_gradient(
        tile->rows, width, fm_element(run, at->space[NORMAL], first), fm_element(run, at->space[MOMENTS], tile->row),
        at->param[GAIN], fm_element(run, at->dz, first), fm_element(run, at->dx[source], first), at->op->adds[source]);
}

const fm_op_row fm_op_layer_norm = {
    .name = "layer_norm",
    .check = check,
    .arrays = fm_norm_arrays,
    .plan = plan,
    .spaces = spaces,
    .forward = forward,
    .down = down,
    .gradient = fm_norm_gradient,
};
