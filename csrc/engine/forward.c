#include "engine/forward.h"

#include "engine/between_ranks.h"

#include "base/arithmetic.h"

void fm_forward(const fm_walk *walk) {
    for (int i = 0; i < walk->net->n_ops; i++) {
        const fm_operands *at = &walk->at[i];
        const fm_fused *op = at->op;
        fm_tile tile;
        fm_poll_now_and_then(&walk->run);
        if (fm_walk_is_collective(walk, op->row)) fm_walk_collect(walk, at, op->row->collect);
        if (op->row->forward != NULL && !fm_stopped(&walk->run) &&
            fm_walk_tile(walk, op, op->node.fan_out, op->whole_rows, &tile))
            fm_walk_work(walk, at, &tile, op->row->forward);
        fm_walk_wait_for_others(walk);
    }
}

enum { SUMS_OF_SHARDS = 2 }; /* see fm_op_row.sum_shards */

void fm_forward_keep(const fm_walk *walk) {
    for (int i = 0; i < walk->net->n_ops; i++) {
        const fm_fused *op = &walk->net->ops[i];
        fm_tile tile;
        if (op->row->keep == NULL) continue;
        /* a rank without rows keeps the moments of those of others */
        const int is_mine = fm_walk_columns(walk, op->node.fan_out, &tile) || (walk->shared != NULL && tile.cols > 0);
        if (is_mine && walk->run.shards.count > 1) op->row->sum_shards(&walk->run, &walk->at[i], &tile);
        if (walk->shared != NULL) fm_ranks_sum(walk, walk->at[i].space[SUMS_OF_SHARDS], 2 * op->node.fan_out);
        if (is_mine) op->row->keep(&walk->run, &walk->at[i], &tile);
    }
}

/* ---- by hand ---- */

static void forward_task(void *context, fm_worker *self) {
    const fm_forward_call *call = context;
    const fm_net *net = call->of.net;
    fm_walk walk = fm_walk_new(&call->of, self);
    walk.run.training = call->training;
    walk.run.keeps = call->keeps;
    walk.run.step = call->step;
    fm_walk_set_rows(&walk, call->rows);
    if (call->sparse != NULL) walk.run.sparse = *call->sparse;
    fm_walk_read(&walk, (const void *const *)walk.workspace->input);
    for (int k = 0; k < net->ends.n_inputs && call->sparse == NULL; k++)
        fm_walk_copy(&walk, net->ends.width[k], call->x[k], walk.workspace->input[k]);
    fm_walk_renew(&walk, 0);
    fm_forward(&walk);
    if (walk.run.training && !fm_stopped(&walk.run)) fm_forward_keep(&walk);
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_walk_copy(&walk, net->ops[net->output[k]].node.fan_out, walk.at[net->output[k]].y, call->y[k]);
}

fm_region fm_forward_all(fm_forward_call *call, int threads) { return fm_parallel(threads, forward_task, call); }

/* Also reserves memory for the threads of the backward that may follow. */
static fm_status forward(fm_net *net, int64_t rows, const void *const *x, const fm_csr *sparse, int training,
                         void *const *y) {
    if (rows < 0 || net->ends.frozen || !fm_net_can_run(net)) return FM_BAD_ARGUMENT;
    const fm_shift shift = fm_schedule_shift(&net->forward_tuners, net, rows, FM_WORK_FORWARD, 1);
    const int later = fm_schedule_threads(net, rows, FM_WORK_BACKWARD, 1);
    const int packs = fm_schedule_packs(FM_FORWARD, net->ends.compute, rows);
    const fm_demand demand = {FM_FORWARD, rows, shift.threads > later ? shift.threads : later, .inputs = sparse == NULL,
                              .packs = packs};
    if (fm_workspace_reserve(&net->workspace, net, &demand) != FM_OK) return FM_NO_MEMORY;
    _Atomic int stop = 0, fault = FM_OK;
    fm_forward_call call = {.of = {net, &net->workspace, fm_tables_in_use(), &stop, &fault, packs},
                            .rows = rows,
                            .training = training,
                            .keeps = 1,
                            .step = net->step,
                            .x = x,
                            .sparse = sparse,
                            .y = y};
    net->saved_rows = -1;
    if (training && net->n_state > 0) fm_net_begin_update(net); /* predict must notice that the state changes */
    const fm_region region = fm_forward_all(&call, shift.threads);
    fm_net_end_update(net);
    fm_schedule_note(&shift, region, rows);
    if (atomic_load(&fault) != FM_OK) return (fm_status)atomic_load(&fault);
    if (atomic_load(&stop)) return FM_INTERRUPTED;
    net->saved_rows = rows;
    net->saved_training = training;
    net->saved_sparse = sparse == NULL ? (fm_csr){0} : *sparse;
    net->saved_step = net->step;
    net->saved_mark = fm_mark_of(net, call.of.tables[net->dtype], rows);
    if (training) net->step++;
    return FM_OK;
}

fm_status fm_net_forward(fm_net *net, int64_t rows, const void *const *x, int training, void *const *y) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = forward(net, rows, x, NULL, training, y);
    fm_leave_arithmetic(host);
    return status;
}

fm_status fm_net_forward_sparse(fm_net *net, int64_t rows, const fm_csr *x, int training, void *const *y) {
    if (!fm_net_takes_sparse(net)) return FM_BAD_ARGUMENT;
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = forward(net, rows, NULL, x, training, y);
    fm_leave_arithmetic(host);
    return status;
}
