/* The losses of all outputs in one step; the fixed kernels or the caller's functions compute them. */
#ifndef FM_ENGINE_HEADS_H
#define FM_ENGINE_HEADS_H

#include "engine/trainer.h"
#include "engine/walk.h"

/* Sets the factors of each loss; returns the sum of the sample weights, averaged over members. */
double fm_heads_scale(const fm_trainer *trainer, const fm_walk *walk);
/* Computes the losses of this thread's rows, and their gradients into the deltas of the outputs. If
   `label_smoothing` is not NULL, it replaces that of the losses. Returns a label that is not a class, or 0 if there
   is none. */
int64_t fm_heads_rows(const fm_trainer *trainer, const fm_walk *walk, const double *label_smoothing);
/* Calls the caller's function for its custom losses on the calling thread, when all scores are complete. All threads must
   call this. */
void fm_heads_custom(const fm_trainer *trainer, const fm_walk *walk, const int64_t *order, int64_t first);

typedef struct {
    double mean, sum; /* total of the losses that are means, and of those that are sums */
} fm_head_losses;

/* Whether each loss, and each input, has a part for every member that takes rows in an order of its own. */
int fm_heads_take_fold(const fm_trainer *trainer, const fm_epoch *epoch);
/* Adds the members' losses of a step to those of the epoch. `part` is the step's share of the weights so far. */
void fm_heads_account(const fm_trainer *trainer, const fm_walk *walk, double part, double *members);

/* The first thread also sets the members' losses of the first output, in the workspace. */
fm_head_losses fm_heads_total(const fm_trainer *trainer, const fm_walk *walk, const fm_kernels *f64);
/* Whether the gradients of the custom losses have no NaN and no infinity. */
int fm_heads_gradients_are_finite(const fm_trainer *trainer, const fm_walk *walk);

#endif
