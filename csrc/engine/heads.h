/* The losses of a network's outputs in one step, by the fixed kernels or by the caller. */
#ifndef FM_ENGINE_HEADS_H
#define FM_ENGINE_HEADS_H

#include "engine/trainer.h"
#include "engine/walk.h"

/* Sets what multiplies each loss; returns the total of the sample weights. */
double fm_heads_scale(const fm_trainer *trainer, const fm_walk *walk);
/* Values of this thread's rows, and their gradients into the outputs' deltas; with `label_smoothing` in place of the
   losses' own, where it is not NULL. Returns a label that is no class, or 0. */
int64_t fm_heads_rows(const fm_trainer *trainer, const fm_walk *walk, const double *label_smoothing);
/* The caller's own losses, on the calling thread, when all scores are there. For all threads. */
void fm_heads_custom(const fm_trainer *trainer, const fm_walk *walk, const int64_t *order, int64_t first);

typedef struct {
    double mean, sum; /* of the losses that are means, and of those that are sums */
} fm_head_losses;

fm_head_losses fm_heads_total(const fm_trainer *trainer, const fm_walk *walk, const fm_kernels *f64);

#endif
