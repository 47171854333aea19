/* y = x + alpha (f(x) - x), with one alpha for each column (RealMLP: Holzmueller, Grinsztajn & Steinwart, NeurIPS 2024).
   `kind` is the row of f in activations.def; `param` holds its parameters. */
#include "engine/op.h"

enum { LOCAL, CHANGE }; /* spaces: dy/dx and dy/dalpha, (rows, width) each */

static int check(const fm_node *node, const int64_t *width) {
    return fm_check_keeps_width(node, width) && fm_activation_at(node->kind) != NULL;
}

static int arrays(const fm_node *node, fm_array *array) {
    array[0] = (fm_array){.name = "alpha", .role = FM_ALPHA, .rows = node->fan_out, .cols = 1};
    return 1;
}

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    (void)use;
    space[LOCAL] = (fm_space){.life = FM_KEPT, .size = op->size, .per_row = op->node.fan_out};
    space[CHANGE] = space[LOCAL];
    return 2;
}

static void *space_from(const fm_run *run, const fm_operands *at, int space, int64_t first) {
    return at->space[space] == NULL ? NULL : fm_element(run, at->space[space], first);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const fm_node *node = &at->op->node;
    const int64_t width = node->fan_out, first = tile->row * width + tile->col;
    run->kernels->parametric(node->kind, node->param, tile->rows, tile->cols, width, fm_element(run, at->x[0], first),
                             fm_element(run, at->param[0], tile->col), fm_element(run, at->y, first),
                             space_from(run, at, LOCAL, first), space_from(run, at, CHANGE, first));
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    const fm_join_back call = {
        .kind = FM_JOIN_MULTIPLY,
        .add = at->op->adds[source],
        .m = tile->rows,
        .n = tile->cols,
        .b = fm_element(run, at->space[LOCAL], first),
        .dy = fm_element(run, at->dz, first),
        .ldy = width,
        .dx = fm_element(run, at->dx[source], first),
        .ldx = width,
    };
    run->kernels->join_gradient(&call);
}

static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const int64_t width = at->op->node.fan_out;
    const fm_sums_place sums = fm_sums_at(run, at, array, begin);
    run->kernels->column_dots(run->rows, end - begin, fm_element(run, at->dz, begin), width,
                              fm_element(run, at->space[CHANGE], begin), width, sums.to, sums.how);
}

const fm_op_row fm_op_parametric_activation = {
    .name = "parametric_activation",
    .check = check,
    .arrays = arrays,
    .spaces = spaces,
    .forward = forward,
    .down = down,
    .gradient = gradient,
};
