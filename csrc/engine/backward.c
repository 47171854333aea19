#include "engine/backward.h"

#include <string.h>

#include "base/arithmetic.h"
#include "engine/shard_view.h"
#include "engine/work_stealing.h"

static void local_gradient(const fm_walk *walk, const fm_operands *at) {
    const fm_fused *op = at->op;
    fm_tile tile;
    if (!op->has_local || op->local_is_done || at->unwanted) return;
    if (!fm_stopped(&walk->run) && fm_walk_tile(walk, op, op->node.fan_out, op->whole_rows, &tile))
        op->row->local(&walk->run, at, &tile);
    fm_walk_wait_for_others(walk);
}

/* `down` of a tile; in shards, if the operation treats the rows of each by themselves. */
static void down_tile(const fm_walk *walk, const fm_operands *at, int source, const fm_tile *tile) {
    if (!fm_shards_matter(walk, at->op->row)) {
        at->op->row->down(&walk->run, at, source, tile);
        return;
    }
    for (int shard = 0; shard < walk->run.shards.own; shard++) {
        fm_shard_view view;
        fm_tile part;
        if (fm_shard_tile(walk, at, shard, tile, &view, &part)) at->op->row->down(&view.run, &view.at, source, &part);
    }
}

static void send_down(const fm_walk *walk, const fm_operands *at) {
    const fm_fused *op = at->op;
    if (op->row->down == NULL || op->in_place) return;
    for (int k = 0; k < op->n_sources; k++) {
        fm_tile tile;
        if (at->dx[k] != NULL && fm_walk_tile(walk, op, op->down_cols[k], op->down_whole_rows, &tile))
            down_tile(walk, at, k, &tile);
    }
}

/* In a layerwise workspace: `down` overwrites the source, which all gradients of the op must have read before. */
static int overwrites_source(const fm_operands *at) { return at->saved_below != NULL && at->saved_below == at->dx[0]; }

static void down_and_gradients(const fm_walk *walk, int op, void (*gradients)(void *context, int op), void *context) {
    const int first = gradients != NULL && overwrites_source(&walk->at[op]);
    if (first && !fm_stopped(&walk->run)) gradients(context, op);
    if (first) fm_barrier(walk->worker);
    if (!fm_stopped(&walk->run)) send_down(walk, &walk->at[op]);
    if (gradients != NULL && !first && !fm_stopped(&walk->run)) gradients(context, op);
}

void fm_backward(const fm_walk *walk, void (*gradients)(void *context, int op), void *context) {
    for (int i = walk->net->n_ops - 1; i >= 0; i--) {
        const fm_operands *at = &walk->at[i];
        fm_poll_now_and_then(&walk->run);
        local_gradient(walk, at);
        if (gradients != NULL) fm_barrier(walk->worker);
        if (fm_walk_is_collective(walk, at->op->row)) fm_walk_collect(walk, at, at->op->row->collect_down);
        down_and_gradients(walk, i, gradients, context);
        fm_walk_wait_for_others(walk);
    }
}

void fm_backward_local(const fm_walk *walk, int op) { local_gradient(walk, &walk->at[op]); }

/* Between two barriers, the queues of one op are in use and those of the next op can be refilled. */
void fm_backward_by_pieces(fm_walk *walk, void (*gradients)(void *context, int op), void *context) {
    for (int i = walk->net->n_ops - 1; i >= 0; i--) {
        const int next = (i + 1) % 2, first = overwrites_source(&walk->at[i]);
        fm_search search = {.walk = walk, .queue = FM_QUEUE_DOWN + i % 2};
        fm_barrier(walk->worker);
        fm_work_refill(walk, FM_QUEUE_DOWN + next, FM_QUEUE_DOWN + next + 1);
        fm_work_refill(walk, FM_QUEUE_GRADIENTS + next, FM_QUEUE_GRADIENTS + next + 1);
        fm_poll_now_and_then(&walk->run);
        if (first && !fm_stopped(&walk->run)) gradients(context, i);
        if (first) fm_barrier(walk->worker);
        while (!fm_stopped(&walk->run) && fm_take_rows(&search, walk, walk->run.rows, walk->run.rows)) {
            send_down(walk, &walk->at[i]);
            if (i > 0) local_gradient(walk, &walk->at[i - 1]);
        }
        if (!first && !fm_stopped(&walk->run)) gradients(context, i);
    }
}

/* Adds the sums of a later chunk of rows, if it is complete; see fm_sums_at. */
static void add_chunk(const fm_walk *walk, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const fm_run *run = &walk->run;
    const int64_t before = run->first_row * at->op->fold, after = before + run->rows * at->op->fold;
    const int is_last = run->first_row + run->rows == walk->batch_rows;
    if (at->op->row->sums_in_order || before < FM_BATCH_CHUNK || (after % FM_BATCH_CHUNK != 0 && !is_last)) return;
    const int64_t cols = walk->net->arrays[walk->net->first_array[at->op->index] + array].cols,
                  n = (end - begin) * cols;
    void *to = fm_element(run, at->grad[array], begin * cols);
    run->kernels->join(FM_JOIN_ADD, 1, n, to, n, fm_element(run, at->chunk[array], begin * cols), n, to, n);
}

void fm_backward_gradient(const fm_walk *walk, int op, int array, int64_t begin, int64_t end) {
    const fm_operands *at = &walk->at[op];
    if (begin >= end || at->op->row->gradient == NULL) return;
    const int is_empty = walk->run.shards.own == 1 && walk->run.rows == 0;
    if (walk->run.shards.own > 1 || is_empty) {
        fm_shards_gradient(walk, op, array, begin, end);
        return;
    }
    at->op->row->gradient(&walk->run, at, array, begin, end);
    if (walk->run.first_row > 0) add_chunk(walk, at, array, begin, end);
}

/* ---- by hand ---- */

typedef struct {
    fm_walk_of_call of;
    int accumulate;
    const void *const *dy;
    void *const *dx;
} backward_call;

/* The gradients of frozen arrays stay zero. Only the caller's function computes its gradients in any case. */
static void gradients_by_hand(const fm_walk *walk) {
    const fm_net *net = walk->net;
    for (int i = 0; i < net->n_ops; i++) {
        for (int k = 0; k < net->ops[i].n_arrays; k++) {
            const int index = net->first_array[net->ops[i].index] + k;
            int64_t begin, end;
            const fm_array *array = fm_walk_array(walk, i, k, &begin, &end);
            if (!net->untrained[index]) fm_backward_gradient(walk, i, k, begin, end);
            else if (net->ops[i].row->needs == FM_CALLER && begin < end)
                memset(fm_element(&walk->run, net->grads, array->at + begin * array->cols), 0,
                       (size_t)((end - begin) * array->cols) * net->size);
        }
    }
}

static void backward_task(void *context, fm_worker *self) {
    const backward_call *call = context;
    const fm_net *net = call->of.net;
    fm_walk walk = fm_walk_new(&call->of, self);
    walk.run.training = net->saved_training;
    walk.run.keeps = 1;
    walk.run.adds = call->accumulate;
    walk.run.step = net->saved_step;
    walk.run.sparse = net->saved_sparse;
    fm_walk_set_rows(&walk, net->saved_rows);
    fm_walk_read(&walk, (const void *const *)walk.workspace->input);
    fm_walk_send(&walk, call->dx);
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_walk_copy(&walk, net->ops[net->output[k]].node.fan_out, call->dy[k], walk.at[net->output[k]].delta);
    fm_walk_renew(&walk, 1);
    fm_backward(&walk, NULL, NULL);
    fm_barrier(self);
    gradients_by_hand(&walk);
}

static fm_status backward(fm_net *net, int64_t rows, const void *const *dy, int accumulate, void *const *dx) {
    if (!fm_mark_holds(net, &net->saved_mark)) {
        net->saved_rows = -1;
        return FM_STALE;
    }
    fm_shift shift = fm_schedule_shift(&net->backward_tuners, net, rows, FM_WORK_BACKWARD, 1);
    if (shift.threads > net->workspace.threads) shift.threads = net->workspace.threads;
    _Atomic int stop = 0, fault = FM_OK;
    const int packs = fm_schedule_packs(FM_FORWARD, net->ends.compute, rows);
    backward_call call = {{net, &net->workspace, fm_tables_in_use(), &stop, &fault, packs}, accumulate, dy, dx};
    fm_schedule_note(&shift, fm_parallel(shift.threads, backward_task, &call), rows);
    net->saved_rows = -1;
    return atomic_load(&stop) ? FM_INTERRUPTED : FM_OK;
}

fm_status fm_net_backward(fm_net *net, int64_t rows, const void *const *dy, int accumulate, void *const *dx) {
    if (net->saved_rows < 0 || net->saved_rows != rows || !fm_net_can_run(net)) return FM_BAD_ARGUMENT;
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = backward(net, rows, dy, accumulate, dx);
    fm_leave_arithmetic(host);
    return status;
}
