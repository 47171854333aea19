/* Predict: forward that stores nothing for backward, one block of rows at a time. If the parameters are updated
   meanwhile, predict runs again; if updates continue, it returns FM_IN_USE. */
#include <sched.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "engine/forward.h"
#include "engine/sparse.h"

typedef struct {
    fm_walk_of_call of;
    int64_t rows, block;
    const void *const *x;
    const fm_csr *sparse; /* NULL, or in place of x[0] */
    void *const *y;
    fm_poll poll;
    void *poll_context;
    uint64_t count;            /* of the network's updates, at the beginning */
    _Atomic int stop;          /* a status */
    _Atomic int failed, fault; /* set by an operation; copied to `stop` between blocks, alike for all threads */
} predict_call;

/* The value of a source, for the block of rows that begins at `row`. */
static void *block_value(const predict_call *call, const fm_walk *walk, int source, int64_t row) {
    const fm_net *net = walk->net;
    if (source >= 0) source = net->ops[source].shown;
    if (source < 0 && call->sparse != NULL) return NULL;
    if (source < 0) return fm_element(&walk->run, call->x[-1 - source], row * net->ends.width[-1 - source]);
    const fm_fused *op = &net->ops[source];
    if (op->output >= 0) return fm_element(&walk->run, call->y[op->output], row * op->node.fan_out);
    return walk->workspace->thread[walk->axis == FM_BY_ROWS ? walk->worker->index : 0].slot[op->slot];
}

static void copy_shown(const predict_call *call, const fm_walk *walk, int output, int64_t row, int64_t rows) {
    const fm_fused *op = &walk->net->ops[walk->net->output[output]];
    const int64_t width = op->node.fan_out;
    memcpy(fm_element(&walk->run, call->y[output], row * width), block_value(call, walk, op->shown, row),
           (size_t)(rows * width) * walk->run.size);
}

/* Rows of tiles count from the first row of the block. */
static void predict_block(const predict_call *call, fm_walk *walk, int64_t row, int64_t rows) {
    const fm_net *net = walk->net;
    walk->run.rows = rows;
    if (call->sparse != NULL) walk->run.sparse = fm_csr_from(call->sparse, row);
    walk->row_begin = 0;
    walk->row_end = walk->axis == FM_BY_ROWS || walk->worker->index == 0 ? rows : 0;
    for (int i = 0; i < net->n_ops; i++) {
        const fm_fused *op = &net->ops[i];
        fm_operands *at = &walk->at[i];
        fm_tile tile;
        if (op->shown != i) continue;
        for (int k = 0; k < op->n_sources; k++) at->x[k] = block_value(call, walk, op->source[k], row);
        at->y = block_value(call, walk, i, row);
        if (fm_walk_tile(walk, op, op->node.fan_out, op->whole_rows, &tile)) op->row->forward(&walk->run, at, &tile);
        fm_walk_wait_for_others(walk);
    }
    for (int k = 0; k < net->ends.n_outputs; k++)
        if (net->ops[net->output[k]].shown != net->output[k] && (walk->axis == FM_BY_ROWS || walk->worker->index == 0))
            copy_shown(call, walk, k, row, rows);
}

/* A block takes a few milliseconds at most, so the calling thread checks after each block except the last. */
static void ask_to_go_on(predict_call *call, const fm_walk *walk) {
    if (walk->worker->index != 0) return;
    if (atomic_load(&call->fault) != FM_OK) atomic_store(&call->stop, atomic_load(&call->fault));
    if (fm_seqlock_begin_read(&walk->net->updates) != call->count) atomic_store(&call->stop, FM_IN_USE);
    if (call->poll != NULL && call->poll(call->poll_context)) atomic_store(&call->stop, FM_INTERRUPTED);
}

static void predict_task(void *context, fm_worker *self) {
    predict_call *call = context;
    fm_walk walk = fm_walk_new(&call->of, self);
    fm_walk_set_rows(&walk, call->rows);
    if (call->sparse != NULL) walk.run.sparse = *call->sparse;
    if (walk.net->tables == NULL) fm_walk_renew(&walk, 0);
    const int shared = walk.axis == FM_BY_COLUMNS;
    const int64_t begin = shared ? 0 : walk.row_begin, end = shared ? call->rows : walk.row_end;
    for (int64_t row = begin; row < end && !atomic_load(&call->stop); row += call->block) {
        predict_block(call, &walk, row, end - row < call->block ? end - row : call->block);
        if (row + call->block < end) {
            ask_to_go_on(call, &walk);
            fm_walk_wait_for_others(
                &walk); /* all threads see the same answer, and no thread overwrites what another one copies */
        }
    }
}

/* The arguments of a call; y is NULL to reserve memory only. */
typedef struct {
    int64_t rows;
    const void *const *x;
    const fm_csr *sparse; /* NULL, or in place of x[0] */
    void *const *y;
    fm_poll poll;
    void *poll_context;
} request;

static fm_status predict_blocks(fm_net *net, const fm_workspace *workspace, const request *r, int64_t block,
                                uint64_t count, const fm_shift *shift) {
    const int is_frozen = net->tables != NULL;
    const int packs = is_frozen || fm_schedule_packs(FM_PREDICT, net->ends.compute, r->rows);
    const fm_tables tables = is_frozen ? net->tables : fm_tables_in_use();
    predict_call call = {.of = {net, workspace, tables, &call.failed, &call.fault, packs},
                         .rows = r->rows,
                         .block = block,
                         .x = r->x,
                         .sparse = r->sparse,
                         .y = r->y,
                         .poll = r->poll,
                         .poll_context = r->poll_context,
                         .count = count};
    fm_schedule_note(shift, fm_parallel(shift->threads, predict_task, &call), r->rows);
    const int fault = atomic_load(&call.fault);
    return (fm_status)(fault != FM_OK ? fault : atomic_load(&call.stop));
}

/* Custom nodes get all rows in one call. */
static fm_status predict_whole(fm_net *net, const fm_workspace *workspace, const request *r, const fm_shift *shift) {
    _Atomic int stop = 0, fault = FM_OK;
    fm_forward_call call = {.of = {net, workspace, fm_tables_in_use(), &stop, &fault, 0},
                            .rows = r->rows,
                            .step = net->step,
                            .x = r->x,
                            .sparse = r->sparse,
                            .y = r->y};
    fm_schedule_note(shift, fm_forward_all(&call, shift->threads), r->rows);
    if (atomic_load(&fault) != FM_OK) return (fm_status)atomic_load(&fault);
    return atomic_load(&stop) ? FM_INTERRUPTED : FM_OK;
}

static fm_status predict_in(fm_net *net, fm_workspace *workspace, fm_tuners *tuners, const request *r, uint64_t count) {
    const fm_shift shift = fm_schedule_shift(tuners, net, r->rows, FM_WORK_FORWARD, 1);
    const int64_t most = fm_schedule_block(net), block = r->rows < most ? r->rows : most;
    const fm_demand whole = {FM_FORWARD, r->rows, shift.threads, .inputs = r->sparse == NULL};
    const fm_demand blocks = {FM_PREDICT, block, shift.threads,
                              .packs = fm_schedule_packs(FM_PREDICT, net->ends.compute, r->rows)};
    const fm_status status = fm_workspace_reserve(workspace, net, net->asks_caller ? &whole : &blocks);
    if (status != FM_OK || r->y == NULL || r->rows == 0) return status;
    return net->asks_caller ? predict_whole(net, workspace, r, &shift)
                            : predict_blocks(net, workspace, r, block, count, &shift);
}

/* Memory of an earlier call; NULL if other threads are using all of it. */
static fm_idle *take_idle(fm_net *net) {
    for (int i = 0; i < fm_net_idle(net); i++)
        if (!atomic_flag_test_and_set(&net->idle[i].taken)) return &net->idle[i];
    return NULL;
}

/* FM_IN_USE if an update began or ended during the call. */
static fm_status predict_once(fm_net *net, const request *r, uint64_t count) {
    if (r->rows < 0 || (r->y != NULL && !fm_net_can_run(net))) return FM_BAD_ARGUMENT;
    const fm_modes host = fm_enter_arithmetic();
    fm_workspace own = {0};
    fm_idle *idle = take_idle(net);
    const fm_status status =
        predict_in(net, idle == NULL ? &own : &idle->workspace, idle == NULL ? NULL : &idle->tuners, r, count);
    if (idle == NULL) fm_workspace_release(&own);
    else atomic_flag_clear(&idle->taken);
    fm_leave_arithmetic(host);
    return status;
}

static fm_status predict(fm_net *net, const request *r) {
    const double patience = 1e-3; /* longer than an update of a small network takes */
    double first = 0.0;
    for (;;) {
        const uint64_t count = fm_seqlock_begin_read(&net->updates);
        const int abandoned = count % 2 == 1 && fm_try_lock_is_lost(&net->lock);
        if (count % 2 == 0 || abandoned) {
            const fm_status status = predict_once(net, r, count);
            const int is_whole = abandoned || fm_seqlock_end_read(&net->updates, count);
            if (status != FM_IN_USE && (status != FM_OK || is_whole)) return status;
        }
        const double now = fm_seconds();
        if (first == 0.0) first = now;
        else if (now - first > patience) return FM_IN_USE;
        sched_yield();
    }
}

fm_status fm_net_predict(fm_net *net, int64_t rows, const void *const *x, void *const *y, fm_poll poll, void *context) {
    const request r = {.rows = rows, .x = x, .y = y, .poll = poll, .poll_context = context};
    return predict(net, &r);
}

fm_status fm_net_predict_sparse(fm_net *net, int64_t rows, const fm_csr *x, void *const *y, fm_poll poll,
                                void *context) {
    const request r = {.rows = rows, .sparse = x, .y = y, .poll = poll, .poll_context = context};
    return fm_net_takes_sparse(net) ? predict(net, &r) : FM_BAD_ARGUMENT;
}

fm_status fm_net_reserve(fm_net *net, int64_t rows) {
    const request r = {.rows = rows};
    return predict_once(net, &r, 0);
}
