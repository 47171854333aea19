/* Losses over batches: scale, values and gradients of rows, and the total. */
#include "engine/loss.h"

#include "base/aligned_alloc.h"
#include "base/arithmetic.h"

double fm_total_weight(fm_dtype dtype, int64_t rows, const void *weight) {
    double total = 0.0;
    if (weight == NULL) return (double)rows;
    for (int64_t i = 0; i < rows; i++)
        total += dtype == FM_F32 ? (double)((const float *)weight)[i] : ((const double *)weight)[i];
    return total;
}

/* The factor of the sum of weighted row losses. It is 1 for a sum and 1 / (total weight [* columns]) for a mean. It
   is 0 if the total weight is 0: such a batch has loss 0 and changes nothing. */
double fm_loss_scale(const fm_loss_spec *loss, int64_t n, double total_weight) {
    if (!loss->mean) return 1.0;
    const double columns = fm_loss_at(loss->kind)->elementwise ? (double)n : 1.0;
    return total_weight == 0.0 ? 0.0 : 1.0 / (total_weight * columns);
}

void fm_loss_range(const fm_loss_spec *loss, const fm_kernels *kernels, fm_dtype dtype, int64_t n, const void *scores,
                   const fm_targets *targets, double scale, int64_t begin, int64_t end, double *row_value,
                   void *gradient, int64_t *wrong_label) {
    const size_t size = dtype == FM_F32 ? sizeof(float) : sizeof(double);
    const fm_loss_rows call = {
        .kind = loss->kind,
        .m = end - begin,
        .n = n,
        .scores = fm_row_at(scores, begin, n, size),
        .label = targets->label == NULL ? NULL : targets->label + begin,
        .wrong_label = wrong_label,
        .target = fm_row_at(targets->values, begin, targets->cols, size),
        .target_cols = targets->cols,
        .weight = fm_row_at(targets->weight, begin, 1, size),
        .scale = scale,
        .params = loss->params,
        .n_params = loss->n_params,
        .value = row_value + begin,
        .gradient = (void *)fm_row_at(gradient, begin, n, size),
    };
    kernels->loss(&call);
}

fm_status fm_loss(const fm_loss_spec *loss, fm_dtype dtype, int64_t rows, int64_t n, const void *scores,
                  const fm_targets *targets, double *value, void *gradient) {
    double *row_value = fm_alloc(rows, sizeof *row_value);
    if (row_value == NULL) return FM_NO_MEMORY;
    const fm_modes host = fm_enter_arithmetic();
    const fm_tables tables = fm_tables_in_use();
    int64_t wrong_label = 0;
    const double scale = fm_loss_scale(loss, n, fm_total_weight(dtype, rows, targets->weight));
    fm_loss_range(loss, tables[dtype], dtype, n, scores, targets, scale, 0, rows, row_value, gradient, &wrong_label);
    *value = wrong_label != 0 ? (double)wrong_label : scale * tables[FM_F64]->sum(rows, row_value);
    fm_leave_arithmetic(host);
    fm_free(row_value);
    return wrong_label != 0 ? FM_BAD_LABEL : FM_OK;
}
