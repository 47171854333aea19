/* Backward: takes the upstream gradient down through the fused ops, then computes the gradients of the parameters. */
#ifndef FM_ENGINE_BACKWARD_H
#define FM_ENGINE_BACKWARD_H

#include "engine/walk.h"

/* On entry, the deltas of the outputs hold dL/dy. In a layerwise workspace, `gradients` must compute an op's gradients
   when all its deltas are complete, because later ops overwrite what it reads. Otherwise it is NULL. */
void fm_backward(const fm_walk *walk, void (*gradients)(void *context, int op), void *context);

/* Computes this thread's rows of an array's gradient; all deltas must be complete. False if it has no rows. */
int fm_backward_gradient(const fm_walk *walk, int op, int array, int64_t *begin, int64_t *end);

#endif
