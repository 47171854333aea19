/* y = f(x W + b + residual). Layers with few outputs use the dot form, whose vectors run along the inputs. With a fold of
   k, each row of x (k * in) is read as k rows (in), which have the same weights. size[0]: the fold; 0 and 1: none. */
#include "engine/ops/linear.h"
#include "engine/sparse.h"

/* Indices of the other spaces. PANELS: those of W, in calls that pack. */
enum { PANELS = TRANSPOSED + 1, GRADIENT, SUM };
enum { PRODUCT_FORM, DOT_FORM };

static int64_t fold_of(const fm_node *node) { return node->size[0] > 1 ? node->size[0] : 1; }

static int takes_dot_form(const fm_node *node) {
    const int64_t fold = fold_of(node);
    return node->fan_out <= 4 * fold && node->fan_in >= 16 * fold;
}

static int check(const fm_node *node, const int64_t *width) {
    const int64_t fold = fold_of(node);
    return node->n_sources == 1 && fm_check_each_width(node, width) && node->size[0] >= 0 && node->fan_in % fold == 0 &&
           node->fan_out % fold == 0;
}

static int takes_sparse(const fm_node *node) { return fold_of(node) == 1; }

static int arrays(const fm_node *node, fm_array *array) {
    const int64_t in = node->fan_in / fold_of(node), out = node->fan_out / fold_of(node);
    array[W] = (fm_array){.name = "W", .role = FM_WEIGHT, .rows = in, .cols = out};
    array[B] = (fm_array){.name = "b", .role = FM_BIAS, .rows = out, .cols = 1};
    return node->bias ? 2 : 1;
}

/* The dot form takes no residual: it would have to be added after the lane sums. */
static int hosts(const fm_fused *op) {
    if (op->epilogue.activation >= 0) return 0;
    return FM_EPILOGUE_ACTIVATION | (takes_dot_form(&op->node) || op->epilogue.residual ? 0 : FM_EPILOGUE_RESIDUAL);
}

static void plan(fm_fused *op) {
    const int64_t fold = fold_of(&op->node), in = op->node.fan_in / fold, out = op->node.fan_out / fold;
    const int has_epilogue = op->epilogue.activation >= 0 || op->epilogue.residual;
    op->form = takes_dot_form(&op->node) ? DOT_FORM : PRODUCT_FORM;
    op->fold = fold;
    op->whole_rows = op->form == DOT_FORM;
    op->has_local = op->epilogue.activation >= 0;
    op->down_in_place = out <= FM_MOST_TERMS_IN_PLACE;
    op->factor[0] = (fm_factor){.rows = in, .cols = out};
    op->factor[1] = (fm_factor){.rows = out, .cols = in};
    op->factor[2] = (fm_factor){.cols = out < FM_LEAST_DIRECT_OUTPUTS ? in : out, .of_transposed = 1};
    if (fold > 1) op->factor[2].rows = FM_BATCH_CHUNK;
    op->flops = (2.0 * (double)in + (has_epilogue ? 16.0 : 0.0)) * (double)op->node.fan_out;
}

/* Predict keeps panels of wide weights, which all blocks of rows read; of narrower ones they cost more than they save. So
   they would in training, unless each product would have to round the weights. A frozen network always keeps them,
   because they are one stream of memory; narrow weights are one already. */
static int keeps_panels(const fm_fused *op, fm_use use) {
    enum { LEAST_ROW_BYTES = 4096, NARROW_ROW_BYTES = 512 };
    const int64_t in = in_of(op), out = out_of(op);
    if (op->form != PRODUCT_FORM) return 0;
    if (op->compute != FM_COMPUTE_STORAGE) return 1;
    if (use == FM_FREEZE) return out * (int64_t)op->size > NARROW_ROW_BYTES;
    return use == FM_PREDICT && out * (int64_t)op->size >= LEAST_ROW_BYTES && fm_panels_pay(in, out, out, op->size);
}

static int64_t panels_size(const fm_fused *op, int64_t k, int64_t n) {
    return fm_panels_size(op->compute == FM_COMPUTE_BFLOAT16 ? (k + 1) / 2 : k, n);
}

/* The dot form needs transposed weights in forward. A layer with trained layers below it needs them in backward. */
static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    const int64_t in = in_of(op), out = out_of(op);
    const int is_read_down = use == FM_FORWARD || (use == FM_TRAIN && op->source[0] >= 0);
    space[TRANSPOSED].life = space[PANELS].life = FM_COPY;
    if (op->form == DOT_FORM || is_read_down) space[TRANSPOSED].count = space[TRANSPOSED].packed = in * out;
    if (op->form == PRODUCT_FORM && is_read_down) space[TRANSPOSED].packed = panels_size(op, out, in);
    if (keeps_panels(op, use)) space[PANELS].packed = panels_size(op, in, out);
    if (use == FM_PREDICT || use == FM_FREEZE) return 2;
    space[GRADIENT].life = FM_SCRATCH;
    if (out < FM_LEAST_DIRECT_OUTPUTS) space[GRADIENT].count = in * out;
    space[SUM].life = FM_TEMPORARY;
    if (op->adds[0]) space[SUM].per_row = op->node.fan_in;
    return 4;
}

static int reads_panels(const fm_run *run, const fm_operands *at) { return run->packs && at->space[PANELS] != NULL; }

/* Nothing reads the copies: products with sparse rows read W itself, and the gradient of the input is not wanted. */
static int needs_no_copies(const fm_run *run, const fm_operands *at, int for_down) {
    return fm_reads_sparse(run, at) && (!for_down || at->dx[0] == NULL);
}

/* Rows begin .. end of W are steps of k for PANELS; `begin` is even, for words of two steps. */
static void renew(const fm_run *run, const fm_operands *at, int for_down, int64_t begin, int64_t end) {
    const fm_fused *op = at->op;
    const fm_products *kernels = &run->kernels->product[op->compute];
    const int64_t in = in_of(op), out = out_of(op);
    const void *rows = fm_element(run, at->param[W], begin * out);
    if (needs_no_copies(run, at, for_down)) return;
    if (reads_panels(run, at)) {
        void *panels = fm_element(run, at->space[PANELS], begin / kernels->terms * kernels->tile_cols);
        kernels->pack_b(end - begin, out, rows, out, panels, fm_panel_words(kernels, in) * kernels->tile_cols);
    }
    if (at->space[TRANSPOSED] == NULL) return;
    if (op->form != DOT_FORM && (!for_down || at->dx[0] == NULL)) return;
    if (run->packs && op->form == PRODUCT_FORM)
        kernels->pack_transposed(end - begin, out, rows, out, begin, at->space[TRANSPOSED],
                                 fm_panel_words(kernels, out) * kernels->tile_cols);
    else run->kernels->transpose(end - begin, out, rows, out, fm_element(run, at->space[TRANSPOSED], begin), in);
}

/* Rows row, row + step ... of x and y, read as rows of (in) and of (out); and the columns of them that are written. */
typedef struct {
    int64_t row, rows, step, col, cols;
} part;

typedef void part_work(const fm_run *, const fm_operands *, const part *);

/* A tile's rows have k rows of `width` after folding, and its columns are a number of these rows. If it does not have all
   of them, a part is what it has of one row of the batch, or one of them in all its rows, whichever is more. */
static void for_each_part(const fm_run *run, const fm_operands *at, const fm_tile *tile, int64_t width,
                          part_work *work) {
    const int64_t fold = at->op->fold;
    if (fold == 1) {
        work(run, at, &(part){tile->row, tile->rows, 1, tile->col, tile->cols});
        return;
    }
    const int64_t first = tile->col / width, count = tile->cols / width;
    if (count == fold) {
        work(run, at, &(part){tile->row * fold, tile->rows * fold, 1, 0, width});
        return;
    }
    for (int64_t i = 0; tile->rows < count && i < tile->rows; i++)
        work(run, at, &(part){(tile->row + i) * fold + first, count, 1, 0, width});
    for (int64_t i = 0; tile->rows >= count && i < count; i++)
        work(run, at, &(part){tile->row * fold + first + i, tile->rows, fold, 0, width});
}

static void forward_by_dots(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t in = in_of(at->op), out = out_of(at->op), row = tile->row * at->op->fold;
    run->kernels->product[at->op->compute].dot(tile->rows * at->op->fold, out, in, fm_element(run, at->x[0], row * in),
                                               in, at->space[TRANSPOSED], in, fm_element(run, at->y, row * out), out,
                                               at->param[B]);
    if (at->op->epilogue.activation >= 0) fm_activate(run, at, tile, at->y);
}

static void forward_by_product(const fm_run *run, const fm_operands *at, const part *p) {
    const fm_fused *op = at->op;
    const int64_t in = in_of(op), out = out_of(op);
    const fm_linear_place place = {.m = p->rows,
                                   .n = p->cols,
                                   .k = in,
                                   .a = p->row * in,
                                   .a_row = p->step * in,
                                   .b = p->col,
                                   .b_row = out,
                                   .c = p->row * out + p->col,
                                   .c_row = p->step * out};
    const fm_product space = fm_product_of(run, op);
    fm_gemm product = fm_forward_product(run, at, &place, p->col);
    if (reads_panels(run, at)) {
        product.b = at->space[PANELS];
        fm_multiply_panels(&space, product, p->col);
    } else {
        fm_multiply(&space, product);
    }
}

/* Products of dense rows end with residual and activation; here they follow, in the same order. */
static void forward_of_sparse(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t out = at->op->node.fan_out, first = tile->row * out + tile->col;
    fm_sparse_forward(run, at, tile, at->op->form == DOT_FORM);
    if (at->op->epilogue.residual)
        run->kernels->join(FM_JOIN_ADD, tile->rows, tile->cols, fm_element(run, at->y, first), out,
                           fm_element(run, at->x[1], first), out, fm_element(run, at->y, first), out);
    if (at->op->epilogue.activation >= 0) fm_activate(run, at, tile, at->y);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    if (fm_reads_sparse(run, at)) forward_of_sparse(run, at, tile);
    else if (at->op->form == DOT_FORM) forward_by_dots(run, at, tile);
    else for_each_part(run, at, tile, out_of(at->op), forward_by_product);
}

/* Memory for a result that is added to another one. */
static void *sum_of(const fm_run *run, const fm_fused *op, const part *p) {
    const int64_t row = p->row / op->fold, inside = p->row % op->fold;
    return fm_element(run, run->temporary, row * run->temporary_width + inside * in_of(op) + p->col);
}

static void product_down(const fm_run *run, const fm_operands *at, const part *p) {
    const fm_fused *op = at->op;
    const int64_t in = in_of(op), out = out_of(op);
    const int packed = run->packs && op->form == PRODUCT_FORM;
    const fm_linear_place place = {.m = p->rows,
                                   .n = p->cols,
                                   .k = out,
                                   .a = p->row * out,
                                   .a_row = p->step * out,
                                   .b = packed ? 0 : p->col,
                                   .b_row = in,
                                   .c = p->row * in + p->col,
                                   .c_row = p->step * in};
    const fm_product space = fm_product_of(run, op);
    void *sum = sum_of(run, op, p);
    const fm_gemm product = fm_down_product(run, at, &place, sum);
    if (packed) fm_multiply_panels(&space, product, p->col);
    else fm_multiply(&space, product);
    fm_add_to_dx(run, at, &place, sum, p->cols);
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    if (source == 0) for_each_part(run, at, tile, in_of(at->op), product_down);
    else fm_pass_down(run, at, source, tile);
}

static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const int64_t in = in_of(at->op), out = out_of(at->op), rows = run->rows * at->op->fold;
    const fm_sums_place sums = fm_sums_at(run, at, array, array == B ? begin : 0);
    if (array == B) {
        run->kernels->column_sums(rows, end - begin, fm_element(run, at->dz, begin), out, sums.to, sums.how);
        return;
    }
    if (fm_reads_sparse(run, at)) {
        fm_sparse_gradient(run, at, begin, end);
        return;
    }
    const fm_product space = fm_product_of(run, at->op);
    const fm_weight_gradient_call call = {
        .in = in,
        .out = out,
        .rows = rows,
        .x = at->x[0],
        .x_row = in,
        .delta = at->dz,
        .delta_row = out,
        .begin = begin,
        .end = end,
        .sums = sums.how,
        .transposed = run->scratch,
        .dw = sums.to,
    };
    fm_weight_gradient(&space, &call);
}

const fm_op_row fm_op_linear = {
    .name = "linear",
    .check = check,
    .takes_sparse = takes_sparse,
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
