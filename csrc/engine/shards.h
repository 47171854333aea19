/* A batch in shards: contiguous parts of its rows. The sums over the rows of each shard are computed by themselves, and
   those of all shards are added in a fixed binary tree: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). So the shards can be
   those of one process, or of several that each have a complete branch of the tree; the bits are the same. */
#ifndef FM_ENGINE_SHARDS_H
#define FM_ENGINE_SHARDS_H

#include <stdint.h>

/* Those of this process are first .. first + own; counts are powers of two. `count` 0: a pass without shards. */
typedef struct {
    int count, first, own;
    int64_t rows; /* of the whole batch */
    int rounds;   /* each sum of the gradients' tree is rounded to bfloat16, as if it travelled */
} fm_shards;

/* The row of the whole batch with which the rows of this process begin. */
static inline int64_t fm_shards_first_row(const fm_shards *shards) {
    return shards->count == 0 ? 0 : shards->rows * shards->first / shards->count;
}

/* The first row of a shard, where the rows of this process begin with 0. A batch of few rows has empty shards. */
static inline int64_t fm_shard_begin(const fm_shards *shards, int own) {
    return shards->rows * (shards->first + own) / shards->count - shards->rows * shards->first / shards->count;
}

static inline int64_t fm_shard_rows(const fm_shards *shards, int own) {
    return fm_shard_begin(shards, own + 1) - fm_shard_begin(shards, own);
}

/* Adds what `sum` returns for each own shard. */
typedef double fm_sum_of_shard(const void *context, int shard);
double fm_shards_total(const fm_shards *shards, fm_sum_of_shard *sum, const void *context);

#endif
