/* Losses over batches: scale, values and gradients of rows. */
#ifndef FM_ENGINE_LOSS_H
#define FM_ENGINE_LOSS_H

#include <stddef.h>

#include "fastmlp.h"
#include "kernels/table.h"

static inline const void *fm_row_at(const void *base, int64_t row, int64_t width, size_t size) {
    return base == NULL ? NULL : (const char *)base + row * width * (int64_t)size;
}
double fm_total_weight(fm_dtype dtype, int64_t rows, const void *weight);
double fm_loss_scale(const fm_loss_spec *loss, int64_t n, double total_weight);
/* Rows begin .. end. Writes a label that is not a class to `wrong_label`; otherwise leaves it unchanged. */
void fm_loss_range(const fm_loss_spec *loss, const fm_kernels *kernels, fm_dtype dtype, int64_t n, const void *scores,
                   const fm_targets *targets, double scale, int64_t begin, int64_t end, double *row_value,
                   void *gradient, int64_t *wrong_label);

#endif
