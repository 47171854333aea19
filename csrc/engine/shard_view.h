/* The shards of a batch in passes over the network; see shards.h. */
#ifndef FM_ENGINE_SHARD_VIEW_H
#define FM_ENGINE_SHARD_VIEW_H

#include "engine/sparse.h"
#include "engine/walk.h"

/* The rows of one of this process's shards, as a batch by itself. */
typedef struct {
    fm_run run;
    fm_operands at;
} fm_shard_view;

fm_shard_view fm_shard_view_of(const fm_walk *walk, const fm_operands *at, int shard);

/* The part of a tile that lies in a shard, as a tile of the shard's view; false if there is none. */
int fm_shard_tile(const fm_walk *walk, const fm_operands *at, int shard, const fm_tile *tile, fm_shard_view *view,
                  fm_tile *part);

/* Whether an operation treats the rows of each shard by themselves. */
static inline int fm_shards_matter(const fm_walk *walk, const fm_op_row *row) {
    return walk->run.shards.own > 1 && walk->run.training && row->needs == FM_ALL_ROWS_IN_TRAINING;
}

/* Rows begin .. end of an array's gradient: the sum over this process's shards. */
void fm_shards_gradient(const fm_walk *walk, int op, int array, int64_t begin, int64_t end);
/* Memory of each thread for that. */
int64_t fm_shards_scratch_bytes(const fm_net *net, int own);

#endif
