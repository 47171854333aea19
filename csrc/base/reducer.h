/* Sums over processes ("ranks"), as the engine sees them. Rank r of a power of two of ranks has a complete branch of a tree
   of shards (engine/shards.h). What it gives is the sum of its branch; what it gets is the sum of the tree, with the same
   bits on each rank and for each number of ranks. */
#ifndef FM_BASE_REDUCER_H
#define FM_BASE_REDUCER_H

#include <stdint.h>

/* How numbers travel. BFLOAT16 is for float arrays: each sum of the tree is rounded to bfloat16, also where it does not
   travel, so a rank must round the sums of its own shards and branches too: fm_round_to_bfloat16. */
typedef enum { FM_WIRE_F32, FM_WIRE_F64, FM_WIRE_BFLOAT16 } fm_wire;

/* Only one thread of a rank may call these functions, and all ranks must start the same sums in the same order. */
typedef struct fm_reducer fm_reducer;

struct fm_reducer {
    void *self;
    int rank, ranks;
    fm_wire wire; /* of gradients in float */
    /* Begins to replace `count` values by their sums. They may not be used before `finish`. False: no memory. */
    int (*start)(void *self, void *values, int64_t count, fm_wire wire);
    /* Lets the sums that have begun go on. Without such calls they wait until `finish`. */
    void (*progress)(void *self);
    /* Waits until all sums are complete. False if another rank does not answer any more. */
    int (*finish)(void *self);
};

/* Rounds to the nearest bfloat16, ties to even; NaN stays NaN. */
void fm_round_to_bfloat16(float *values, int64_t count);

#endif
