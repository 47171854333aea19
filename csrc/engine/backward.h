/* Backward: the upstream gradient down through the fused ops, then the gradients of the parameters. */
#ifndef FM_ENGINE_BACKWARD_H
#define FM_ENGINE_BACKWARD_H

#include "engine/walk.h"

/* The outputs' deltas hold dL/dy on entry. */
void fm_backward(const fm_walk *walk);

/* This thread's rows of an array's gradient, when all deltas are there; false where it has none. */
int fm_backward_gradient(const fm_walk *walk, int op, int array, int64_t *begin, int64_t *end);

#endif
