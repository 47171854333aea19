#include "engine/walk.h"

#include <string.h>

#include "engine/shard_view.h"

fm_walk fm_walk_new(const fm_walk_of_call *call, fm_worker *worker) {
    const fm_net *net = call->net;
    const fm_workspace *workspace = call->workspace;
    const fm_thread_space *own = &workspace->thread[worker->index];
    return (fm_walk){
        .run = {.kernels = call->tables[net->dtype],
                .size = net->size,
                .seed = net->seed,
                .packs = call->packs,
                .drop_factor = 1.0,
                .pack = own->pack,
                .scratch = own->scratch,
                .temporary = workspace->temporary,
                .temporary_width = workspace->temporary_width,
                .stop = call->stop,
                .fault = call->fault,
                .outside = &worker->outside,
                .custom = net->custom,
                .custom_context = net->custom_context},
        .net = net,
        .workspace = workspace,
        .worker = worker,
        .at = own->at,
    };
}

void fm_walk_set_rows(fm_walk *walk, int64_t rows) {
    walk->run.rows = walk->batch_rows = rows;
    walk->axis = fm_schedule_axis(walk->net, rows, walk->worker, walk->run.keeps);
    walk->row_begin = 0;
    walk->row_end = walk->worker->index == 0 ? rows : 0;
    if (walk->axis != FM_BY_COLUMNS)
        fm_partition(walk->worker, rows, walk->run.kernels->product[FM_COMPUTE_STORAGE].tile_rows, &walk->row_begin,
                     &walk->row_end);
}

void fm_walk_read(fm_walk *walk, const void *const *inputs) {
    const fm_net *net = walk->net;
    if (walk->run.sparse.start != NULL) return;
    for (int i = 0; i < net->n_input_readers; i++) {
        const fm_reader r = net->input_readers[i];
        walk->at[r.op].x[r.source] = inputs[-1 - net->ops[r.op].source[r.source]];
    }
}

void fm_walk_go_on(fm_walk *walk, int64_t by, int64_t rows) {
    const fm_net *net = walk->net;
    for (int i = 0; i < net->n_input_readers; i++) {
        const fm_reader r = net->input_readers[i];
        const void **x = &walk->at[r.op].x[r.source];
        *x = fm_element(&walk->run, *x, by * net->ends.width[-1 - net->ops[r.op].source[r.source]]);
    }
    walk->run.first_row += by;
    walk->run.rows = walk->row_end = rows;
}

void fm_walk_send(fm_walk *walk, void *const *dx) {
    const fm_net *net = walk->net;
    for (int i = 0; i < net->n_input_readers; i++) {
        const fm_reader r = net->input_readers[i];
        walk->at[r.op].dx[r.source] = dx == NULL ? NULL : dx[-1 - net->ops[r.op].source[r.source]];
    }
}

static int columns_of(const fm_walk *walk, int64_t cols, int64_t granularity, fm_tile *tile) {
    int64_t begin, end;
    fm_partition(walk->worker, cols, granularity, &begin, &end);
    *tile = (fm_tile){0, walk->run.rows, begin, end - begin};
    return begin < end && walk->run.rows > 0;
}

int fm_walk_columns(const fm_walk *walk, int64_t cols, fm_tile *tile) {
    return columns_of(walk, cols, walk->run.kernels->lanes, tile);
}

/* This thread's tile of a grid with `parts` columns. */
static int grid_tile(const fm_walk *walk, int64_t cols, int parts, fm_tile *tile) {
    const fm_worker *self = walk->worker;
    const fm_worker across = {.index = self->index % parts, .count = parts};
    const fm_worker down = {.index = self->index / parts, .count = self->count / parts};
    int64_t row, row_end, col, col_end;
    fm_partition(&across, cols, walk->run.kernels->lanes, &col, &col_end);
    fm_partition(&down, walk->run.rows, walk->run.kernels->product[FM_COMPUTE_STORAGE].tile_rows, &row, &row_end);
    *tile = (fm_tile){row, row_end - row, col, col_end - col};
    return row < row_end && col < col_end;
}

int fm_walk_tile(const fm_walk *walk, const fm_fused *op, int64_t cols, int whole_rows, fm_tile *tile) {
    const int by_ops = walk->axis == FM_BY_OPS && !whole_rows;
    const int parts = by_ops ? fm_schedule_column_parts(op, cols, walk->worker->count) : 1;
    if (parts > 1) return grid_tile(walk, cols, parts, tile);
    if (walk->axis == FM_BY_COLUMNS && !whole_rows)
        return columns_of(walk, cols, op->fold > 1 ? cols / op->fold : walk->run.kernels->lanes, tile);
    *tile = (fm_tile){walk->row_begin, walk->row_end - walk->row_begin, 0, cols};
    return tile->rows > 0;
}

void fm_walk_wait_for_others(const fm_walk *walk) {
    if (walk->axis != FM_BY_ROWS) fm_barrier(walk->worker);
}

int fm_walk_is_collective(const fm_walk *walk, const fm_op_row *row) {
    return row->needs == FM_CALLER || (row->needs == FM_ALL_ROWS_IN_TRAINING && walk->run.training);
}

/* The same work for the rows of each shard that has any. */
static void work_on_shards(const fm_walk *walk, const fm_operands *at, const fm_tile *tile, fm_tile_work *work) {
    for (int shard = 0; shard < walk->run.shards.own; shard++) {
        fm_shard_view view;
        fm_tile part;
        if (fm_shard_tile(walk, at, shard, tile, &view, &part)) work(&view.run, &view.at, &part);
    }
}

void fm_walk_work(const fm_walk *walk, const fm_operands *at, const fm_tile *tile, fm_tile_work *work) {
    if (fm_shards_matter(walk, at->op->row)) work_on_shards(walk, at, tile, work);
    else work(&walk->run, at, tile);
}

/* The caller's function is called even for 0 rows, because it must set the gradients of its parameters. */
void fm_walk_collect(const fm_walk *walk, const fm_operands *at, fm_tile_work *work) {
    const int64_t cols = at->op->node.fan_out;
    fm_tile tile = {0, walk->run.rows, 0, cols};
    fm_barrier(walk->worker);
    const int is_mine = at->op->row->needs == FM_CALLER ? walk->worker->index == 0 : fm_walk_columns(walk, cols, &tile);
    if (is_mine && !fm_stopped(&walk->run)) fm_walk_work(walk, at, &tile, work);
    fm_barrier(walk->worker);
}

const fm_array *fm_walk_array(const fm_walk *walk, int op, int array, int64_t *begin, int64_t *end) {
    const fm_net *net = walk->net;
    const fm_array *all = &net->arrays[net->first_array[net->ops[op].index] + array];
    fm_schedule_array(walk->worker, walk->run.kernels, all, begin, end);
    return all;
}

void fm_walk_renew(const fm_walk *walk, int for_down) {
    const fm_net *net = walk->net;
    for (int i = 0; i < net->n_ops; i++) {
        const fm_fused *op = &net->ops[i];
        int64_t begin, end;
        if (op->row->renew == NULL) continue;
        fm_walk_array(walk, i, 0, &begin, &end);
        if (begin < end) op->row->renew(&walk->run, &walk->at[i], for_down, begin, end);
    }
    fm_barrier(walk->worker);
}

void fm_walk_copy(const fm_walk *walk, int64_t width, const void *from, void *to) {
    const int64_t first = walk->row_begin * width;
    memcpy(fm_element(&walk->run, to, first), fm_element(&walk->run, from, first),
           (size_t)((walk->row_end - walk->row_begin) * width) * walk->run.size);
}
