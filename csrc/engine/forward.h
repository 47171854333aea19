/* Forward through all fused ops, with everything kept that backward needs. */
#ifndef FM_ENGINE_FORWARD_H
#define FM_ENGINE_FORWARD_H

#include "engine/walk.h"

void fm_forward(const fm_walk *walk);
/* Running moments and the like take in the last forward's, after a step that stands. */
void fm_forward_keep(const fm_walk *walk);

/* All rows from x to y in a workspace that has room for them. */
typedef struct {
    fm_walk_of_call of;
    int64_t rows;
    int training, keeps;
    uint32_t step;
    const void *const *x;
    void *const *y;
} fm_forward_call;

void fm_forward_all(fm_forward_call *call, int threads);

#endif
