/* What the ranks of a program exchange in a training step: each has the sums of its own shards, and gets those of all. */
#ifndef FM_ENGINE_BETWEEN_RANKS_H
#define FM_ENGINE_BETWEEN_RANKS_H

#include "engine/walk.h"

/* The sums of doubles. All threads call it, when their part of `values` is complete, and wait for the result. */
void fm_ranks_sum(const fm_walk *walk, double *values, int64_t count);

/* For one thread, which asks the others to wait. */
void fm_ranks_sum_alone(const fm_walk *walk, double *values, int64_t count);

/* Begins the sums of the gradients of an op, which all threads have finished; only the calling thread does something. */
void fm_ranks_begin(const fm_walk *walk, int op);
/* Lets them go on. */
void fm_ranks_progress(const fm_walk *walk);
/* Waits until all of them are complete; then all threads must meet. Stops the run if a rank does not answer. */
void fm_ranks_finish(const fm_walk *walk);

#endif
