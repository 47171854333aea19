/* y = f(x W + b + residual) for groups of columns, each with a product of its own: group g reads columns g * in .. of x,
   multiplies by rows g * in .. of W (groups * in, out), and writes columns g * out .. of y. size[0]: the groups. */
#include "engine/product.h"

enum { W, B };
/* Indices of the spaces. TRANSPOSED: W^T (out, in) of each group. */
enum { TRANSPOSED, GRADIENT, SUM };

/* The shape of a group's part of W. */
static int64_t in_of(const fm_fused *op) { return op->factor[0].rows; }
static int64_t out_of(const fm_fused *op) { return op->factor[0].cols; }

static int check(const fm_node *node, const int64_t *width) {
    const int64_t groups = node->size[0];
    return node->n_sources == 1 && fm_check_each_width(node, width) && groups >= 1 && node->fan_in % groups == 0 &&
           node->fan_out % groups == 0;
}

static int arrays(const fm_node *node, fm_array *array) {
    array[W] = (fm_array){.name = "W", .role = FM_WEIGHT, .rows = node->fan_in, .cols = node->fan_out / node->size[0]};
    array[B] = (fm_array){.name = "b", .role = FM_BIAS, .rows = node->fan_out, .cols = 1};
    return node->bias ? 2 : 1;
}

static int hosts(const fm_fused *op) {
    if (op->epilogue.activation >= 0) return 0;
    return FM_EPILOGUE_ACTIVATION | (op->epilogue.residual ? 0 : FM_EPILOGUE_RESIDUAL);
}

static void plan(fm_fused *op) {
    const int64_t groups = op->node.size[0], in = op->node.fan_in / groups, out = op->node.fan_out / groups;
    const int has_epilogue = op->epilogue.activation >= 0 || op->epilogue.residual;
    const int transposed = out < FM_LEAST_DIRECT_OUTPUTS;
    op->has_local = op->epilogue.activation >= 0;
    op->down_in_place = out <= FM_MOST_TERMS_IN_PLACE;
    op->factor[0] = (fm_factor){.rows = in, .cols = out};
    op->factor[1] = (fm_factor){.rows = out, .cols = in};
    op->factor[2] = (fm_factor){
        .cols = transposed ? in : out, .stride = transposed ? op->node.fan_in : op->node.fan_out, .of_transposed = 1};
    op->flops = (2.0 * (double)in + (has_epilogue ? 16.0 : 0.0)) * (double)op->node.fan_out;
}

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    const int64_t elements = op->node.fan_in * out_of(op);
    const int is_read_down = use == FM_FORWARD || (use == FM_TRAIN && op->source[0] >= 0);
    if (use == FM_PREDICT || use == FM_FREEZE) return 0;
    space[TRANSPOSED].life = FM_COPY;
    if (is_read_down) space[TRANSPOSED].count = space[TRANSPOSED].packed = elements;
    space[GRADIENT].life = FM_SCRATCH;
    if (out_of(op) < FM_LEAST_DIRECT_OUTPUTS) space[GRADIENT].count = in_of(op) * out_of(op);
    space[SUM].life = FM_TEMPORARY;
    if (op->adds[0]) space[SUM].per_row = op->node.fan_in;
    return 3;
}

/* What a range of columns, or of rows of W, has of one group: `count` of them, where `first` counts from the group's
   beginning. Or `groups` whole groups. */
typedef struct {
    int64_t group, first, count, groups;
} slice;

static slice slice_at(int64_t at, int64_t end, int64_t width) {
    const int64_t group = at / width, first = at - group * width, left = end - at;
    if (first == 0 && left >= width) return (slice){group, 0, width, left / width};
    return (slice){group, first, left < width - first ? left : width - first, 1};
}

static void renew(const fm_run *run, const fm_operands *at, int for_down, int64_t begin, int64_t end) {
    const int64_t in = in_of(at->op), out = out_of(at->op);
    if (at->space[TRANSPOSED] == NULL || !for_down || at->dx[0] == NULL) return;
    for (int64_t row = begin; row < end;) {
        const int64_t group = row / in, first = row - group * in, left = end - row;
        const int64_t count = left < in - first ? left : in - first;
        run->kernels->transpose(count, out, fm_element(run, at->param[W], row * out), out,
                                fm_element(run, at->space[TRANSPOSED], group * in * out + first), in);
        row += count;
    }
}

static void groups_forward(const fm_run *run, const fm_operands *at, const fm_tile *tile, slice s) {
    const fm_fused *op = at->op;
    const int64_t in = in_of(op), out = out_of(op), width = op->node.fan_out, col = s.group * out + s.first;
    const int64_t first = tile->row * width + col;
    const fm_product space = fm_product_of(run, op);
    const fm_gemm product = {
        .m = tile->rows,
        .n = s.count,
        .k = in,
        .a = fm_element(run, at->x[0], tile->row * op->node.fan_in + s.group * in),
        .a_row = op->node.fan_in,
        .a_step = 1,
        .b = fm_element(run, at->param[W], s.group * in * out + s.first),
        .b_step = out,
        .c = fm_element(run, at->y, first),
        .ldc = width,
        .bias = at->param[B] == NULL ? NULL : fm_element(run, at->param[B], col),
        .start = at->param[B] == NULL ? FM_START_ZERO : FM_START_BIAS,
        .epilogue = op->epilogue.activation < 0 ? FM_GEMM_STORE : FM_GEMM_ACTIVATE,
        .activation = op->epilogue.activation,
        .act_params = op->epilogue.params,
        .aux = at->slope == NULL ? NULL : fm_element(run, at->slope, first),
        .ldaux = width,
        .residual = op->epilogue.residual ? fm_element(run, at->x[1], first) : NULL,
        .ldresidual = width,
    };
    fm_multiply_groups(&space, product, s.groups);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t end = tile->col + tile->cols;
    for (int64_t col = tile->col; col < end;) {
        const slice s = slice_at(col, end, out_of(at->op));
        groups_forward(run, at, tile, s);
        col += s.count * s.groups;
    }
}

/* dx = dz W^T; see linear.c for what is added. */
static void groups_down(const fm_run *run, const fm_operands *at, const fm_tile *tile, slice s) {
    const fm_fused *op = at->op, *below = op->below;
    const int64_t in = in_of(op), out = out_of(op), width = op->node.fan_in, col = s.group * in + s.first;
    const int64_t first = tile->row * width + col;
    const fm_product space = fm_product_of(run, op);
    void *dx = fm_element(run, at->dx[0], first);
    const fm_gemm product = {
        .m = tile->rows,
        .n = s.count,
        .k = out,
        .a = fm_element(run, at->dz, tile->row * op->node.fan_out + s.group * out),
        .a_row = op->node.fan_out,
        .a_step = 1,
        .b = fm_element(run, at->space[TRANSPOSED], s.group * in * out + s.first),
        .b_step = in,
        .c = op->adds[0] ? fm_element(run, run->temporary, tile->row * run->temporary_width + col) : dx,
        .ldc = width,
        .epilogue = below == NULL ? FM_GEMM_STORE : FM_GEMM_BACKPROP,
        .activation = below == NULL ? -1 : below->epilogue.activation,
        .act_params = below == NULL ? NULL : below->epilogue.params,
        .aux = below == NULL ? NULL : fm_element(run, at->saved_below, first),
        .ldaux = width,
    };
    fm_multiply_groups(&space, product, s.groups);
    if (op->adds[0])
        run->kernels->join(FM_JOIN_ADD, tile->rows, s.count * s.groups, dx, width, product.c, width, dx, width);
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t end = tile->col + tile->cols;
    if (source > 0) {
        fm_pass_down(run, at, source, tile);
        return;
    }
    for (int64_t col = tile->col; col < end;) {
        const slice s = slice_at(col, end, in_of(at->op));
        groups_down(run, at, tile, s);
        col += s.count * s.groups;
    }
}

static void group_gradient(const fm_run *run, const fm_operands *at, int64_t group, int64_t begin, int64_t end) {
    const fm_fused *op = at->op;
    const int64_t in = in_of(op), out = out_of(op);
    const fm_product space = fm_product_of(run, op);
    const fm_sums_place sums = fm_sums_at(run, at, W, group * in * out);
    const fm_weight_gradient_call call = {
        .in = in,
        .out = out,
        .rows = run->rows,
        .x = fm_element(run, at->x[0], group * in),
        .x_row = op->node.fan_in,
        .delta = fm_element(run, at->dz, group * out),
        .delta_row = op->node.fan_out,
        .begin = begin,
        .end = end,
        .sums = sums.how,
        .transposed = run->scratch,
        .dw = sums.to,
    };
    fm_weight_gradient(&space, &call);
}

static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    if (array == B) {
        const fm_sums_place sums = fm_sums_at(run, at, B, begin);
        run->kernels->column_sums(run->rows, end - begin, fm_element(run, at->dz, begin), at->op->node.fan_out, sums.to,
                                  sums.how);
        return;
    }
    const int64_t in = in_of(at->op);
    for (int64_t row = begin; row < end;) {
        const int64_t group = row / in, first = row - group * in, left = end - row;
        const int64_t count = left < in - first ? left : in - first;
        group_gradient(run, at, group, first, first + count);
        row += count;
    }
}

const fm_op_row fm_op_grouped_linear = {
    .name = "grouped_linear",
    .check = check,
    .arrays = arrays,
    .hosts = hosts,
    .ends_local = 1,
    .plan = plan,
    .spaces = spaces,
    .forward = forward,
    .local = fm_activation_local,
    .down = down,
    .gradient = gradient,
    .renew = renew,
};
