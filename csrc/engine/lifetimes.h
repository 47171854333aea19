/* The arrays of the fused ops in forward, loss and backward: when each is used, and where it lies. Arrays that are
   never needed at the same time may lie in the same memory. */
#ifndef FM_ENGINE_LIFETIMES_H
#define FM_ENGINE_LIFETIMES_H

#include "engine/net.h"

typedef enum { FM_VALUE, FM_SLOPE, FM_DELTA, FM_DZ, FM_SPACE } fm_part; /* FM_SPACE + k: space k */

enum { FM_MOST_PARTS = FM_SPACE + FM_MOST_SPACES };

/* One array; the parts of op i are at index i * FM_MOST_PARTS. */
typedef struct {
    int64_t bytes;   /* 0: the op has no such array, or a delta lies where its LOCAL reads; -1: an overflow */
    int first, last; /* 0 is forward and loss; backward has two times for each op, and an end */
    int64_t at;      /* byte offset */
} fm_lifetime;

/* Sets bytes and times of the arrays of a workspace. In a backward that is not layerwise, every array is needed to the
   end, because all gradients are computed there. */
void fm_lifetimes_find(const fm_net *net, fm_use use, const fm_workspace *workspace, fm_lifetime *all);

/* Sets the offsets; returns the bytes of the block, or -1 after an overflow. `by_offset` has room for one index of
   each array. */
int64_t fm_lifetimes_place(const fm_net *net, fm_lifetime *all, int *by_offset);

/* The memory that an op requests; returns the number of requests. */
int fm_spaces_of(const fm_fused *op, fm_use use, fm_space *space);

#endif
