/* Losses over batches: scale, values and gradients of rows. */
#ifndef FM_ENGINE_LOSS_H
#define FM_ENGINE_LOSS_H

#include <stddef.h>

#include "engine/shards.h"
#include "fastmlp.h"
#include "kernels/table.h"

static inline const void *fm_row_at(const void *base, int64_t row, int64_t width, size_t size) {
    return base == NULL ? NULL : (const char *)base + row * width * (int64_t)size;
}

/* The number of members of a loss, at least 1. */
static inline int64_t fm_loss_fold(const fm_loss_spec *loss) { return loss->fold > 1 ? loss->fold : 1; }

/* Whether the loss has all its parameters and can take n columns of scores. */
int fm_loss_fits(const fm_loss_spec *loss, int64_t n);

/* Sets total[member], the sum of a member's weights. */
void fm_loss_weights(const fm_loss_spec *loss, fm_dtype dtype, const fm_shards *shards, const fm_targets *targets,
                     double *total);
/* Turns these totals into the factor of each weighted loss of a row in the total; `factor` multiplies it. Returns the sum
   of the weights, averaged over the members. */
double fm_loss_scales(const fm_loss_spec *loss, int64_t n, double factor, double *scale);

/* The rows of a batch of `rows` rows. */
typedef struct {
    const fm_loss_spec *loss;
    fm_dtype dtype;
    int64_t rows, n;
    const void *scores; /* (rows, n) */
    const fm_targets *targets;
    const double *scale; /* (fold) */
    double *row_value;   /* (fold, rows) */
    void *gradient;      /* (rows, n) or NULL */
    int64_t first;       /* scores and gradient begin with this row */
} fm_loss_batch;

/* Rows begin .. end. Writes a label that is not a class to `wrong_label`; otherwise leaves it unchanged. */
void fm_loss_range(const fm_loss_batch *batch, const fm_kernels *kernels, int64_t begin, int64_t end,
                   int64_t *wrong_label);
/* The sum of one member's losses of rows, without its factor. */
double fm_loss_sum(const fm_shards *shards, const fm_kernels *f64, const double *row_value);
/* The total of these sums of all members; also `fold` times each member's part of it, unless `members` is NULL. */
double fm_loss_total(const fm_loss_spec *loss, const double *scale, const double *sum, double *members);

#endif
