/* A step in two calls: a forward pass, and backward and update with gradients that the caller computes in between. It works
   in the memory of the steps of an epoch, so a step of any other kind in between makes it void. */
#include <string.h>

#include "base/arithmetic.h"
#include "base/finite.h"
#include "engine/backward.h"
#include "engine/forward.h"
#include "engine/training.h"
#include "engine/wanted.h"
#include "engine/work_stealing.h"

/* ---- the first call ---- */

typedef struct {
    fm_training run;
    int64_t rows;
    const void *const *x;
    const fm_csr *sparse; /* NULL, or in place of x[0] */
    void *const *y;
} forward_call;

static void forward_task(void *context, fm_worker *self) {
    forward_call *call = context;
    const fm_net *net = call->run.trainer->net;
    fm_training_thread t = fm_training_thread_of(&call->run, self);
    fm_walk *walk = &t.walk;
    walk->run.step = net->step;
    fm_training_set_rows(&t, call->rows);
    if (call->sparse != NULL) walk->run.sparse = *call->sparse;
    fm_walk_read(walk, (const void *const *)walk->workspace->input);
    for (int k = 0; k < net->ends.n_inputs && call->sparse == NULL; k++)
        fm_walk_copy(walk, net->ends.width[k], call->x[k], walk->workspace->input[k]);
    fm_walk_renew(walk, 1);
    fm_forward(walk);
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_walk_copy(walk, net->ops[net->output[k]].node.fan_out, walk->at[net->output[k]].y, call->y[k]);
}

static fm_training training_of(fm_trainer *trainer, fm_tables tables, int packs) {
    return (fm_training){.trainer = trainer, .tables = tables, .packs = packs};
}

/* Also reserves memory for the threads of the second call. */
static fm_status reserve(fm_trainer *trainer, int64_t rows, int packs, int inputs, int threads) {
    fm_net *net = trainer->net;
    const int later = fm_schedule_threads(net, rows, FM_WORK_BACKWARD, 1);
    const fm_demand demand = {FM_TRAIN,
                              rows,
                              threads > later ? threads : later,
                              .inputs = inputs,
                              .packs = packs,
                              .fold = trainer->fold,
                              .shards = trainer->shards.own};
    return fm_workspace_reserve(&net->training, net, &demand);
}

static fm_status forward(fm_trainer *trainer, int64_t rows, const void *const *x, const fm_csr *sparse,
                         void *const *y) {
    fm_net *net = trainer->net;
    const int packs = fm_schedule_packs(FM_TRAIN, net->ends.compute, rows);
    const fm_tables tables = fm_tables_in_use();
    trainer->pending.rows = -1;
    if (rows < 1 || !fm_net_can_run(net) || (sparse != NULL && !fm_net_takes_sparse(net))) return FM_BAD_ARGUMENT;
    const fm_shift shift = fm_schedule_shift(&trainer->forward_tuners, net, rows, FM_WORK_FORWARD, 1);
    if (reserve(trainer, rows, packs, sparse == NULL, shift.threads) != FM_OK) return FM_NO_MEMORY;
    forward_call call = {training_of(trainer, tables, packs), rows, x, sparse, y};
    net->trainings++;
    fm_schedule_note(&shift, fm_parallel(shift.threads, forward_task, &call), rows);
    if (atomic_load(&call.run.fault) != FM_OK) return (fm_status)atomic_load(&call.run.fault);
    if (atomic_load(&call.run.stop)) return FM_INTERRUPTED;
    trainer->pending = (fm_pending){
        .rows = rows,
        .training = net->trainings,
        .step = net->step++,
        .packs = packs,
        .tables = tables,
        .sparse = sparse == NULL ? (fm_csr){0} : *sparse,
        .mark = fm_mark_of(net, tables[net->dtype], rows),
    };
    return FM_OK;
}

fm_status fm_trainer_forward(fm_trainer *trainer, int64_t rows, const void *const *x, const fm_csr *sparse,
                             void *const *y) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = forward(trainer, rows, x, sparse, y);
    fm_leave_arithmetic(host);
    return status;
}

int64_t fm_trainer_pending_rows(const fm_trainer *trainer) {
    const fm_pending *pending = &trainer->pending;
    return pending->training == trainer->net->trainings ? pending->rows : -1;
}
void fm_trainer_discard(fm_trainer *trainer) { trainer->pending.rows = -1; }

/* ---- the second call ---- */

typedef struct {
    fm_training run;
    fm_pending pending;
    const void *const *dy;
    double lr;
} apply_call;

static void read_gradients(const apply_call *call, fm_training_thread *t) {
    fm_walk *walk = &t->walk;
    const fm_net *net = walk->net;
    fm_training_set_rows(t, call->pending.rows);
    walk->run.step = call->pending.step;
    walk->run.sparse = call->pending.sparse;
    fm_walk_read(walk, (const void *const *)walk->workspace->input);
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_walk_copy(walk, net->ops[net->output[k]].node.fan_out, call->dy[k], walk->at[net->output[k]].delta);
    fm_walk_wait_for_others(walk);
}

static void finish(const fm_training_thread *t) {
    fm_trainer *trainer = t->run->trainer;
    trainer->t = t->state.t;
    memcpy(trainer->power, t->state.power, sizeof trainer->power);
}

static void apply_task(void *context, fm_worker *self) {
    apply_call *call = context;
    fm_trainer *trainer = call->run.trainer;
    fm_training_thread t = fm_training_thread_of(&call->run, self);
    t.penalty = 1.0;
    t.is_last = 1;
    if (trainer->any_is_frozen) fm_find_wanted(trainer->net, trainer, t.walk.at);
    fm_work_refill(&t.walk, 0, FM_QUEUES);
    read_gradients(call, &t);
    fm_backward(&t.walk, t.walk.workspace->layerwise ? fm_train_gradients_of_op : NULL, &t);
    if (self->index == 0 && !fm_train_updates_come_last(&t)) fm_net_begin_update(trainer->net);
    fm_barrier(self);
    const int stops = atomic_load(&call->run.stop);
    if (!stops) t.state = fm_step_state_next(trainer, t.state, call->lr);
    if (!stops && fm_train_update(&t) && self->index == 0) finish(&t);
    if (trainer->any_is_frozen) fm_find_wanted(trainer->net, NULL, t.walk.at);
}

static int are_finite(const fm_net *net, int64_t rows, const void *const *dy) {
    for (int k = 0; k < net->ends.n_outputs; k++)
        if (!fm_all_finite(net->dtype, rows * net->ops[net->output[k]].node.fan_out, dy[k])) return 0;
    return 1;
}

static fm_status apply(fm_trainer *trainer, int64_t rows, const void *const *dy, double lr) {
    fm_net *net = trainer->net;
    const fm_pending pending = trainer->pending;
    if (pending.rows < 0 || pending.rows != rows || !fm_net_can_run(net)) return FM_BAD_ARGUMENT;
    trainer->pending.rows = -1;
    if (pending.training != net->trainings || !fm_mark_holds(net, &pending.mark)) return FM_STALE;
    trainer->not_finite = !are_finite(net, pending.rows, dy);
    if (trainer->not_finite && trainer->nan != FM_NAN_USE) return trainer->nan == FM_NAN_RAISE ? FM_NOT_FINITE : FM_OK;
    fm_shift shift = fm_schedule_shift(&trainer->apply_tuners, net, rows, FM_WORK_BACKWARD, 1);
    if (shift.threads > net->training.threads) shift.threads = net->training.threads;
    apply_call call = {training_of(trainer, pending.tables, pending.packs), pending, dy, lr};
    net->trainings++; /* the deltas have overwritten what a second backward would read */
    fm_schedule_note(&shift, fm_parallel(shift.threads, apply_task, &call), rows);
    fm_net_end_update(net);
    return atomic_load(&call.run.stop) ? FM_INTERRUPTED : FM_OK;
}

fm_status fm_trainer_apply(fm_trainer *trainer, int64_t rows, const void *const *dy, double lr) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = apply(trainer, rows, dy, lr);
    fm_leave_arithmetic(host);
    return status;
}
