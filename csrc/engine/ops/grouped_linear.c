/* y = f(x W + b + residual) for groups of columns, each with a product of its own: group g reads columns g * in .. of x,
   multiplies by rows g * in .. of W (groups * in, out), and writes columns g * out .. of y. size[0]: the groups. */
#include "engine/ops/linear.h"

/* Indices of the other spaces. */
enum { GRADIENT = TRANSPOSED + 1, SUM };

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

/* The product of a slice: each group takes `from` columns of a row of a_row numbers to `to` columns of one of c_row. */
static fm_linear_place place_of(const fm_tile *tile, slice s, int64_t from, int64_t a_row, int64_t to, int64_t c_row) {
    return (fm_linear_place){.m = tile->rows,
                             .n = s.count,
                             .k = from,
                             .a = tile->row * a_row + s.group * from,
                             .a_row = a_row,
                             .b = s.group * from * to + s.first,
                             .b_row = to,
                             .c = tile->row * c_row + s.group * to + s.first,
                             .c_row = c_row};
}

static void groups_forward(const fm_run *run, const fm_operands *at, const fm_tile *tile, slice s) {
    const fm_node *node = &at->op->node;
    const int64_t in = in_of(at->op), out = out_of(at->op), col = s.group * out + s.first;
    const fm_linear_place place = place_of(tile, s, in, node->fan_in, out, node->fan_out);
    const fm_product space = fm_product_of(run, at->op);
    fm_multiply_groups(&space, fm_forward_product(run, at, &place, col), s.groups);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t end = tile->col + tile->cols;
    for (int64_t col = tile->col; col < end;) {
        const slice s = slice_at(col, end, out_of(at->op));
        groups_forward(run, at, tile, s);
        col += s.count * s.groups;
    }
}

static void groups_down(const fm_run *run, const fm_operands *at, const fm_tile *tile, slice s) {
    const fm_node *node = &at->op->node;
    const int64_t in = in_of(at->op), out = out_of(at->op), col = s.group * in + s.first;
    const fm_linear_place place = place_of(tile, s, out, node->fan_out, in, node->fan_in);
    const fm_product space = fm_product_of(run, at->op);
    void *sum = fm_element(run, run->temporary, tile->row * run->temporary_width + col);
    fm_multiply_groups(&space, fm_down_product(run, at, &place, sum), s.groups);
    fm_add_to_dx(run, at, &place, sum, s.count * s.groups);
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

/* Of whole groups at a time, if they have few columns; otherwise false. */
static int narrow_gradient(const fm_run *run, const fm_operands *at, int64_t group, int64_t groups) {
    const fm_fused *op = at->op;
    const int64_t in = in_of(op), out = out_of(op);
    const fm_sums_place sums = fm_sums_at(run, at, W, group * in * out);
    const fm_groups_gradient call = {
        .groups = groups,
        .in = in,
        .out = out,
        .rows = run->rows,
        .x = fm_element(run, at->x[0], group * in),
        .x_row = op->node.fan_in,
        .delta = fm_element(run, at->dz, group * out),
        .delta_row = op->node.fan_out,
        .sums = sums.how,
        .dw = sums.to,
    };
    return run->rows <= FM_BATCH_CHUNK && run->kernels->product[op->compute].narrow_gradient(&call);
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
        if (first == 0 && left >= in && narrow_gradient(run, at, group, left / in)) {
            row += left / in * in;
            continue;
        }
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
