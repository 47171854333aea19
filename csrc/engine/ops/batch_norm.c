/* Batch normalisation: each column gets mean 0 and variance 1, then a gain and a shift. In training the moments are
   those of the batch, so all rows are needed at once, forward and backward. Otherwise the running moments are used.
   param: eps, momentum. */
#include "engine/ops/norm.h"

/* MOMENTS: for each shard of the batch, each a row with one number for each column. The state holds the running mean and
   variance. For these, SUMS has the sums of the columns and of their squares over all shards, and BATCH the moments of the
   whole batch. */
enum { MEAN, VARIANCE, DY_SUM, DY_NORMAL_SUM, MOMENT_ROWS };
enum { SUMS = MOMENTS + 1, BATCH };

static int check(const fm_node *node, const int64_t *width) {
    return fm_check_keeps_width(node, width) && node->param[0] > 0.0 && node->param[1] >= 0.0;
}

static int64_t state(const fm_node *node) { return 2 * node->fan_out; }

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    (void)use;
    space[NORMAL] = (fm_space){.life = FM_KEPT, .size = op->size, .per_row = op->node.fan_out};
    space[MOMENTS] = (fm_space){.life = FM_KEPT, .size = op->size, .per_shard = MOMENT_ROWS * op->node.fan_out};
    space[SUMS] = (fm_space){.life = FM_KEPT, .size = sizeof(double), .count = 2 * op->node.fan_out};
    space[BATCH] = (fm_space){.life = FM_KEPT, .size = op->size, .count = 2 * op->node.fan_out};
    return 4;
}

static void *moment(const fm_run *run, const fm_operands *at, int which, int64_t column) {
    return fm_element(run, at->space[MOMENTS], which * at->op->node.fan_out + column);
}

static void *running(const fm_run *run, const fm_operands *at, int which, int64_t column) {
    return fm_element(run, at->state, which * at->op->node.fan_out + column);
}

static void collect(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    run->kernels->column_moments(tile->rows, tile->cols, fm_element(run, at->x[0], tile->col), at->op->node.fan_out,
                                 moment(run, at, MEAN, tile->col), moment(run, at, VARIANCE, tile->col));
}

static fm_batch_norm call_for(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    return (fm_batch_norm){
        .m = tile->rows,
        .n = tile->cols,
        .ld = at->op->node.fan_out,
        .rows = run->rows,
        .eps = at->op->node.param[0],
        .mean = run->training ? moment(run, at, MEAN, tile->col) : running(run, at, MEAN, tile->col),
        .variance = run->training ? moment(run, at, VARIANCE, tile->col) : running(run, at, VARIANCE, tile->col),
        .gain = fm_element(run, at->param[GAIN], tile->col),
        .shift = fm_element(run, at->param[SHIFT], tile->col),
    };
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t first = tile->row * at->op->node.fan_out + tile->col;
    fm_batch_norm call = call_for(run, at, tile);
    call.x = fm_element(run, at->x[0], first);
    call.y = fm_element(run, at->y, first);
    call.normal = at->space[NORMAL] == NULL ? NULL : fm_element(run, at->space[NORMAL], first);
    run->kernels->batch_norm(&call);
}

static void collect_down(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out;
    const void *dy = fm_element(run, at->dz, tile->col), *normal = fm_element(run, at->space[NORMAL], tile->col);
    run->kernels->column_sums(tile->rows, tile->cols, dy, width, moment(run, at, DY_SUM, tile->col), 0);
    run->kernels->column_dots(tile->rows, tile->cols, dy, width, normal, width,
                              moment(run, at, DY_NORMAL_SUM, tile->col), 0);
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    const int64_t first = tile->row * at->op->node.fan_out + tile->col;
    fm_batch_norm call = call_for(run, at, tile);
    call.normal = fm_element(run, at->space[NORMAL], first);
    call.dy = fm_element(run, at->dz, first);
    call.dy_sum = run->training ? moment(run, at, DY_SUM, tile->col) : NULL;
    call.dy_normal_sum = run->training ? moment(run, at, DY_NORMAL_SUM, tile->col) : NULL;
    call.dx = fm_element(run, at->dx[source], first);
    call.add = at->op->adds[source];
    run->kernels->batch_norm_gradient(&call);
}

static double number_at(const fm_run *run, const void *base, int64_t element) {
    const void *at = fm_element(run, base, element);
    return run->size == sizeof(float) ? (double)*(const float *)at : *(const double *)at;
}

static void put_number(const fm_run *run, void *base, int64_t element, double value) {
    void *at = fm_element(run, base, element);
    if (run->size == sizeof(float)) *(float *)at = (float)value;
    else *(double *)at = value;
}

/* The sum of a column, or of its squares, in each shard. */
typedef struct {
    const fm_run *run;
    const fm_operands *at;
    int64_t column;
    int of_squares;
} column_sum;

static double sum_in(const void *context, int shard) {
    const column_sum *sum = context;
    const int64_t width = sum->at->op->node.fan_out, rows = fm_shard_rows(&sum->run->shards, shard);
    const int64_t first = shard * MOMENT_ROWS * width + sum->column;
    if (rows == 0) return 0.0;
    const double mean = number_at(sum->run, sum->at->space[MOMENTS], first + MEAN * width);
    if (!sum->of_squares) return (double)rows * mean;
    return (double)rows * (number_at(sum->run, sum->at->space[MOMENTS], first + VARIANCE * width) + mean * mean);
}

static void sum_shards(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    double *sums = at->space[SUMS];
    for (int64_t column = tile->col; column < tile->col + tile->cols; column++)
        for (int of_squares = 0; of_squares < 2; of_squares++) {
            const column_sum sum = {run, at, column, of_squares};
            sums[of_squares * at->op->node.fan_out + column] = fm_shards_total(&run->shards, sum_in, &sum);
        }
}

/* Moments of the whole batch, from the sums over its shards. */
static void merge(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const double *sums = at->space[SUMS], rows = (double)run->shards.rows;
    const int64_t width = at->op->node.fan_out;
    for (int64_t column = tile->col; column < tile->col + tile->cols; column++) {
        const double mean = sums[column] / rows, variance = sums[width + column] / rows - mean * mean;
        put_number(run, at->space[BATCH], MEAN * width + column, mean);
        put_number(run, at->space[BATCH], VARIANCE * width + column, variance < 0.0 ? 0.0 : variance);
    }
}

/* A batch in shards has moments for each of them; the running moments follow those of the whole batch. */
static void keep(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int in_shards = run->shards.count > 1;
    const void *from = at->space[in_shards ? BATCH : MOMENTS];
    const int64_t width = at->op->node.fan_out;
    if (in_shards) merge(run, at, tile);
    run->kernels->running_moments(tile->cols, in_shards ? run->shards.rows : run->rows, at->op->node.param[1],
                                  fm_element(run, from, MEAN * width + tile->col),
                                  fm_element(run, from, VARIANCE * width + tile->col),
                                  running(run, at, MEAN, tile->col), running(run, at, VARIANCE, tile->col));
}

const fm_op_row fm_op_batch_norm = {
    .name = "batch_norm",
    .check = check,
    .arrays = fm_norm_arrays,
    .state = state,
    .needs = FM_ALL_ROWS_IN_TRAINING,
    .spaces = spaces,
    .collect = collect,
    .forward = forward,
    .collect_down = collect_down,
    .down = down,
    .gradient = fm_norm_gradient,
    .sum_shards = sum_shards,
    .keep = keep,
};
