/* Losses over batches: scale, values and gradients of rows, and the total. */
#include "engine/loss.h"

#include "base/aligned_alloc.h"
#include "base/arithmetic.h"

static int count_of_params(const char *text) {
    int count = 0;
    for (; *text != '\0'; text++) count += *text == '=';
    return count;
}

int fm_loss_fits(const fm_loss_spec *loss, int64_t n) {
    const fm_loss_row *row = fm_loss_at(loss->kind);
    const int64_t fold = fm_loss_fold(loss);
    if (row == NULL || loss->fold < 0 || n % fold != 0 || loss->n_params < count_of_params(row->params)) return 0;
    return row->target != FM_TARGET_FIELDS || fm_loss_target_cols(loss->kind, n / fold, loss->params) > 0;
}

/* A member's weights, which are `step` apart. */
typedef struct {
    const fm_shards *shards;
    fm_dtype dtype;
    const void *weight;
    int64_t member, step;
} member_weights;

static double weight_of_shard(const void *context, int shard) {
    const member_weights *w = context;
    const int64_t end = fm_shard_begin(w->shards, shard + 1) * w->step;
    double total = 0.0;
    for (int64_t i = fm_shard_begin(w->shards, shard) * w->step + w->member; i < end; i += w->step)
        total += w->dtype == FM_F32 ? (double)((const float *)w->weight)[i] : ((const double *)w->weight)[i];
    return total;
}

/* 1 / fold for a sum and 1 / (total weight [* elements of a row] * fold) for a mean. It is 0 if the total weight is 0: such a
   batch has loss 0 and changes nothing. */
static double scale_of(const fm_loss_spec *loss, int64_t n, double total) {
    const double fold = (double)fm_loss_fold(loss);
    if (!loss->mean) return 1.0 / fold;
    const fm_loss_row *row = fm_loss_at(loss->kind); /* NULL: the caller's */
    const int averages = row != NULL && row->averaged > 0 && loss->mean == 1;
    const double columns = averages ? (double)n / fold / row->averaged : 1.0;
    return total == 0.0 ? 0.0 : 1.0 / (total * columns * fold);
}

void fm_loss_weights(const fm_loss_spec *loss, fm_dtype dtype, const fm_shards *shards, const fm_targets *targets,
                     double *total) {
    const int64_t fold = fm_loss_fold(loss), step = targets->own ? fold : 1;
    for (int64_t member = 0; member < fold; member++) {
        const member_weights weights = {shards, dtype, targets->weight, member, step};
        if (member >= step) total[member] = total[0];
        else if (targets->weight == NULL) total[member] = (double)shards->rows;
        else total[member] = fm_shards_total(shards, weight_of_shard, &weights);
    }
}

double fm_loss_scales(const fm_loss_spec *loss, int64_t n, double factor, double *scale) {
    const int64_t fold = fm_loss_fold(loss);
    double sum = 0.0;
    for (int64_t member = 0; member < fold; member++) {
        sum += scale[member];
        scale[member] = factor * scale_of(loss, n, scale[member]);
    }
    return sum / (double)fold;
}

void fm_loss_range(const fm_loss_batch *batch, const fm_kernels *kernels, int64_t begin, int64_t end,
                   int64_t *wrong_label) {
    const fm_targets *targets = batch->targets;
    const size_t size = batch->dtype == FM_F32 ? sizeof(float) : sizeof(double);
    const int64_t fold = fm_loss_fold(batch->loss), own = targets->own ? fold : 1;
    const fm_loss_rows call = {
        .kind = batch->loss->kind,
        .m = (end - begin) * fold,
        .n = batch->n / fold,
        .fold = fold,
        .own = targets->own,
        .scores = fm_row_at(batch->scores, begin - batch->first, batch->n, size),
        .label = fm_row_at(targets->label, begin, own, sizeof *targets->label),
        .wrong_label = wrong_label,
        .target = fm_row_at(targets->values, begin, own * targets->cols, size),
        .target_cols = targets->cols,
        .weight = fm_row_at(targets->weight, begin, own, size),
        .scale = batch->scale,
        .params = batch->loss->params,
        .n_params = batch->loss->n_params,
        .value = batch->row_value + begin,
        .value_step = batch->rows,
        .gradient = (void *)fm_row_at(batch->gradient, begin - batch->first, batch->n, size),
    };
    kernels->loss(&call);
}

typedef struct {
    const fm_shards *shards;
    const fm_kernels *f64;
    const double *row_value;
} member_values;

static double value_of_shard(const void *context, int shard) {
    const member_values *values = context;
    return values->f64->sum(fm_shard_rows(values->shards, shard),
                            values->row_value + fm_shard_begin(values->shards, shard));
}

double fm_loss_sum(const fm_shards *shards, const fm_kernels *f64, const double *row_value) {
    const member_values values = {shards, f64, row_value};
    return fm_shards_total(shards, value_of_shard, &values);
}

double fm_loss_total(const fm_loss_spec *loss, const double *scale, const double *sum, double *members) {
    const int64_t fold = fm_loss_fold(loss);
    double total = 0.0;
    for (int64_t member = 0; member < fold; member++) {
        const double part = scale[member] * sum[member];
        if (members != NULL) members[member] = (double)fold * part;
        total = member == 0 ? part : total + part;
    }
    return total;
}

fm_status fm_loss(const fm_loss_spec *loss, fm_dtype dtype, int64_t rows, int64_t n, const void *scores,
                  const fm_targets *targets, double *value, double *members, void *gradient) {
    const int64_t fold = fm_loss_fold(loss);
    int64_t count;
    if (!fm_loss_fits(loss, n)) return FM_BAD_ARGUMENT;
    if (__builtin_mul_overflow(rows, fold, &count)) return FM_NO_MEMORY;
    double *row_value = fm_alloc(count, sizeof *row_value), *scale = fm_alloc(2 * fold, sizeof *scale);
    int64_t wrong_label = 0;
    if (row_value != NULL && scale != NULL) {
        const fm_modes host = fm_enter_arithmetic();
        const fm_tables tables = fm_tables_in_use();
        const fm_loss_batch batch = {loss, dtype, rows, n, scores, targets, scale, row_value, gradient, 0};
        const fm_shards whole = {1, 0, 1, rows, 0};
        double *sum = scale + fold;
        fm_loss_weights(loss, dtype, &whole, targets, scale);
        fm_loss_scales(loss, n, 1.0, scale);
        fm_loss_range(&batch, tables[dtype], 0, rows, &wrong_label);
        for (int64_t i = 0; i < fold; i++) sum[i] = fm_loss_sum(&whole, tables[FM_F64], row_value + i * rows);
        const double total = fm_loss_total(loss, scale, sum, members);
        *value = wrong_label != 0 ? (double)wrong_label : total;
        fm_leave_arithmetic(host);
    }
    const fm_status status = row_value == NULL || scale == NULL ? FM_NO_MEMORY : FM_OK;
    fm_free(row_value);
    fm_free(scale);
    return status != FM_OK ? status : wrong_label != 0 ? FM_BAD_LABEL : FM_OK;
}
