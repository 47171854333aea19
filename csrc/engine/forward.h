/* Forward through all fused ops; stores everything that backward needs. */
#ifndef FM_ENGINE_FORWARD_H
#define FM_ENGINE_FORWARD_H

#include "engine/walk.h"

void fm_forward(const fm_walk *walk);
/* Updates state such as running moments from the last forward, after a finished step. */
void fm_forward_keep(const fm_walk *walk);

/* Computes all rows from x to y, in a workspace with enough memory for them. */
typedef struct {
    fm_walk_of_call of;
    int64_t rows;
    int training, keeps;
    uint32_t step;
    const void *const *x;
    const fm_csr *sparse; /* NULL, or in place of x[0] */
    void *const *y;
} fm_forward_call;

fm_region fm_forward_all(fm_forward_call *call, int threads);

#endif
