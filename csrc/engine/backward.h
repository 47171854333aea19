/* Backward: takes the upstream gradient down through the fused ops, then computes the gradients of the parameters. */
#ifndef FM_ENGINE_BACKWARD_H
#define FM_ENGINE_BACKWARD_H

#include "engine/walk.h"

/* On entry, the deltas of the outputs hold dL/dy. In a layerwise workspace, `gradients` must compute an op's gradients
   when all its deltas are complete, because later ops overwrite what it reads. Otherwise it is NULL. */
void fm_backward(const fm_walk *walk, void (*gradients)(void *context, int op), void *context);

/* The same in a layerwise workspace, for rows that threads take from each other (see work_stealing.h). Before, each
   row's LOCAL of the last op must be computed by fm_backward_local. */
void fm_backward_by_pieces(fm_walk *walk, void (*gradients)(void *context, int op), void *context);
void fm_backward_local(const fm_walk *walk, int op);

/* Computes rows begin .. end of an array's gradient; all deltas must be complete. */
void fm_backward_gradient(const fm_walk *walk, int op, int array, int64_t begin, int64_t end);

#endif
