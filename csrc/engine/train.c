/* The training loop: one parallel region for a whole epoch, or until the number of threads changes; two barriers in a
   step.

   Phase A, each thread for its rows: gather, forward, loss and its gradient, backward down to the first layer. Phase
   B, each thread for its parameters: gradients over all rows, update, copies for the next step. In a large step the
   gradients belong to phase A, because its arrays share memory (see workspace.h), and threads that are done with their
   own rows or parameters take those of others. */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "engine/backward.h"
#include "engine/batch.h"
#include "engine/forward.h"
#include "engine/groups.h"
#include "engine/heads.h"
#include "engine/loss.h"
#include "engine/sparse.h"
#include "engine/training.h"
#include "engine/wanted.h"
#include "engine/work_stealing.h"

/* Only the calling thread may call the caller's function; the other threads see the flag. */
static void poll_now_and_then(void *context) {
    fm_training_thread *t = context;
    const fm_epoch *epoch = t->run->epoch;
    const double every = 0.02, now = fm_seconds();
    if (now - t->run->last_poll < every) return;
    t->run->last_poll = now;
    if (epoch->poll(epoch->poll_context)) atomic_store(&t->run->stop, 1 + t->phase);
    t->walk.worker->outside += fm_seconds() - now;
}

typedef enum { GRADIENTS = 1, UPDATES = 2 } strip_work;

/* Rows of one array: gradient and penalties; update and the copies for the next step. */
static void work_on_piece(fm_training_thread *t, int work, const fm_strip *strip) {
    const fm_trainer *trainer = t->run->trainer;
    const fm_kernels *kernels = t->walk.run.kernels;
    const fm_operands *at = &t->walk.at[strip->op];
    const fm_array *all = &t->walk.net->arrays[t->walk.net->first_array[at->op->index] + strip->array];
    const int64_t from = all->at + strip->begin * all->cols, to = all->at + strip->end * all->cols;
    if (from >= to || fm_array_is_frozen(trainer, all)) return;
    if (work & GRADIENTS) {
        fm_backward_gradient(&t->walk, strip->op, strip->array, strip->begin, strip->end);
        const int is_complete = t->walk.run.first_row + t->walk.run.rows == t->walk.batch_rows;
        if (is_complete && fm_takes_penalties(all)) fm_penalty_gradient_range(trainer, kernels, t->penalty, from, to);
    }
    if (!(work & UPDATES)) return;
    fm_update_range(trainer, kernels, &t->state, from, to);
    if (strip->array == 0 && at->op->row->renew != NULL && !t->is_last)
        at->op->row->renew(&t->walk.run, at, 1, strip->begin, strip->end);
}

/* Products of dense rows want large pieces. The gradient of a sparse input's weights has few terms, and most of its time
   goes to memory, so a piece stays in cache until its update. */
static void work_on(fm_training_thread *t, int work, const fm_strip *strip) {
    enum { PIECE_BYTES = 1 << 17 };
    const fm_operands *at = &t->walk.at[strip->op];
    const int64_t row_bytes = at->op->node.fan_out * (int64_t)t->walk.run.size;
    int64_t rows = strip->end - strip->begin;
    if (strip->array == 0 && fm_reads_sparse(&t->walk.run, at) && rows * row_bytes > PIECE_BYTES)
        rows = row_bytes < PIECE_BYTES ? PIECE_BYTES / row_bytes : 1;
    for (fm_strip piece = *strip; piece.begin < strip->end; piece.begin += rows) {
        piece.end = strip->end - piece.begin < rows ? strip->end : piece.begin + rows;
        work_on_piece(t, work, &piece);
    }
}

/* Strips of the ops first_op .. end_op: this thread's own, or all that it can take from `queue`. */
static void work_on_arrays(fm_training_thread *t, int work, fm_queue queue, int first_op, int end_op) {
    const fm_walk *walk = &t->walk;
    fm_strip strip;
    if (t->steals) {
        fm_search search = {walk, queue, first_op, end_op, 0};
        while (fm_take_strip(&search, &strip)) work_on(t, work, &strip);
        return;
    }
    for (strip.op = first_op; strip.op < end_op; strip.op++) {
        for (strip.array = 0; strip.array < walk->net->ops[strip.op].n_arrays; strip.array++) {
            fm_walk_array(walk, strip.op, strip.array, &strip.begin, &strip.end);
            work_on(t, work, &strip);
        }
    }
}

static void gradients_of_op(void *context, int op) {
    work_on_arrays(context, GRADIENTS, FM_QUEUE_GRADIENTS + op % 2, op, op + 1);
}

static void phase_a(fm_training_thread *t, int64_t first) {
    const fm_trainer *trainer = t->run->trainer;
    fm_worker *self = t->walk.worker;
    fm_check_preemption(self);
    if (self->index == 0 &&
        fm_schedule_shift_is_over(&t->run->shift, self, (int64_t)(t->run->done.rows - t->run->rows_before)))
        atomic_store(&t->run->regroup, 1);
    fm_pass(t, first, gradients_of_op);
    fm_penalty_chunks(trainer, t->walk.run.kernels, self, t->walk.workspace->chunk_sum);
}

/* Whether all gradients are computed before the first update. A layerwise backward has computed them in phase A.
   Clipping needs that. So does a step so long that a stop must be possible during its gradients. Otherwise each array
   is updated right after its gradient, while both are in cache. */
static int updates_come_last(const fm_training_thread *t) {
    return t->walk.workspace->layerwise || t->run->trainer->optimizer.clip_norm != 0.0 ||
           fm_schedule_gradients_are_long(t->walk.net, t->walk.run.rows, t->walk.run.sparse.start != NULL,
                                          t->walk.worker->count);
}

static void clip(fm_training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    double *chunk_sum = t->walk.workspace->chunk_sum;
    const int64_t chunks = fm_square_chunks(trainer, t->walk.run.kernels, t->walk.worker, chunk_sum);
    fm_barrier(t->walk.worker);
    const double norm = sqrt(fm_chunks_total(chunk_sum, chunks));
    t->state.g_scale = fm_clip_scale(norm, trainer->optimizer.clip_norm);
}

/* False if the run was stopped before the first update. After the first update, all others must follow. */
static int phase_b(fm_training_thread *t) {
    fm_run *run = &t->walk.run;
    void (*const poll)(void *) = run->poll;
    const int all = t->walk.net->n_ops;
    if (updates_come_last(t)) {
        if (t->walk.workspace->layerwise) fm_work_refill(&t->walk, FM_QUEUE_DOWN, FM_QUEUE_UPDATES);
        else work_on_arrays(t, GRADIENTS, FM_QUEUE_GRADIENTS, 0, all);
        if (t->walk.worker->index == 0) fm_net_begin_update(t->run->trainer->net);
        fm_barrier(t->walk.worker);
        if (atomic_load(&t->run->stop)) return 0;
        if (t->run->trainer->optimizer.clip_norm != 0.0) clip(t);
        work_on_arrays(t, UPDATES, FM_QUEUE_UPDATES, 0, all);
    } else {
        run->poll = NULL;
        run->stop = &t->run->never;
        work_on_arrays(t, GRADIENTS | UPDATES, FM_QUEUE_GRADIENTS, 0, all);
        run->poll = poll;
        run->stop = &t->run->stop;
    }
    fm_forward_keep(&t->walk);
    fm_work_refill(&t->walk, FM_QUEUE_ROWS, FM_QUEUE_DOWN);
    fm_barrier(t->walk.worker);
    return 1;
}

/* The losses of a step, before its update. */
typedef struct {
    fm_head_losses heads;
    double penalty;
} losses;

static losses losses_of(const fm_training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    const double *chunk_sum = t->walk.workspace->chunk_sum;
    return (losses){.heads = fm_heads_total(trainer, &t->walk, t->run->tables[FM_F64]),
                    .penalty = t->penalty * fm_chunks_total(chunk_sum, fm_penalty_chunk_count(trainer))};
}

/* Uses running means, so that the loss of an epoch of one step has exactly the bits of that step. */
static void account(const fm_training_thread *t, losses step, int64_t number) {
    fm_training *run = t->run;
    const double sum = step.heads.mean + step.heads.sum, rows = (double)t->walk.run.rows;
    if (run->epoch->losses != NULL)
        memcpy(run->epoch->losses + 2 * number, (double[]){sum, step.penalty}, 2 * sizeof(double));
    run->steps++;
    run->done.rows += rows;
    run->done.penalty += (step.penalty - run->done.penalty) * (rows / run->done.rows);
    run->done.weight += t->total_weight;
    run->done.sum += step.heads.sum;
    if (run->done.weight == 0.0) return;
    const double part = t->total_weight / run->done.weight;
    run->done.mean += (step.heads.mean - run->done.mean) * part;
    if (run->epoch->members != NULL) fm_heads_account(run->trainer, &t->walk, part, run->epoch->members);
}

/* False if the run was stopped. All threads decide alike: a flag that they check after a barrier was set before it.
   A fast thread may already stop phase B while a slow one checks after phase A; so phase A stops only at 1. */
static int one_step(fm_training_thread *t, int64_t first) {
    fm_training *run = t->run;
    const int64_t number = first / run->epoch->batch;
    losses step = {{0.0, 0.0}, 0.0};
    t->phase = 0;
    t->penalty = run->epoch->penalty == NULL ? 1.0 : run->epoch->penalty[number];
    t->label_smoothing = run->epoch->label_smoothing == NULL ? NULL : run->epoch->label_smoothing + number;
    t->walk.run.drop_factor = run->epoch->dropout == NULL ? 1.0 : run->epoch->dropout[number];
    t->walk.run.step = t->walk.net->step + (uint32_t)t->state.t - (uint32_t)run->trainer->t;
    phase_a(t, first);
    if (t->walk.worker->index == 0 && !updates_come_last(t)) fm_net_begin_update(run->trainer->net);
    fm_barrier(t->walk.worker);
    if (atomic_load(&run->stop) == 1) return 0;
    t->phase = 1;
    t->is_last = t->is_last || atomic_load(&run->regroup);
    const fm_step_state before = t->state;
    t->state = fm_step_state_next(run->trainer, t->state, run->epoch->lr[number]);
    if (run->epoch->weight_decay != NULL) t->state.weight_decay = run->epoch->weight_decay[number];
    if (t->walk.worker->index == 0) step = losses_of(t);
    if (!phase_b(t)) {
        t->state = before;
        return 0;
    }
    if (t->walk.worker->index == 0) account(t, step, number);
    return 1;
}

/* Operations and losses that need all rows at once meet at barriers, so each thread must have the same pieces. */
static int may_steal(const fm_trainer *trainer) {
    for (int i = 0; i < trainer->net->n_ops; i++)
        if (trainer->net->ops[i].row->needs != FM_OWN_ROWS) return 0;
    return !trainer->has_custom;
}

static fm_training_thread thread_of(fm_training *run, fm_worker *self) {
    const fm_trainer *trainer = run->trainer;
    const fm_walk_of_call of = {trainer->net, &trainer->net->training, run->tables, &run->stop, &run->fault,
                                run->packs};
    fm_training_thread t = {
        .run = run,
        .walk = fm_walk_new(&of, self),
        .state = {.t = trainer->t, .power = {trainer->power[0], trainer->power[1]}},
    };
    t.walk.run.training = t.walk.run.keeps = 1;
    return t;
}

static void training_task(void *context, fm_worker *self) {
    fm_training *run = context;
    fm_trainer *trainer = run->trainer;
    const fm_epoch *epoch = run->epoch;
    fm_training_thread t = thread_of(run, self);
    if (self->index == 0 && epoch->poll != NULL) {
        t.walk.run.poll = poll_now_and_then;
        t.walk.run.poll_context = &t;
    }
    if (trainer->any_is_frozen) fm_find_wanted(trainer->net, trainer, t.walk.at);
    fm_work_refill(&t.walk, 0, FM_QUEUES);
    fm_walk_renew(&t.walk, 1);
    int64_t first = run->next_row;
    while (!t.is_last) {
        const int64_t left = epoch->rows - first;
        fm_walk_set_rows(&t.walk, left < epoch->batch ? left : epoch->batch);
        t.is_last = left <= epoch->batch;
        t.steals = self->steals && t.walk.axis == FM_BY_ROWS;
        const int done = one_step(&t, first);
        if (self->index == 0) fm_net_end_update(trainer->net);
        if (!done) break;
        first += epoch->batch;
    }
    if (trainer->any_is_frozen) fm_find_wanted(trainer->net, NULL, t.walk.at);
    fm_barrier(self); /* after this, no thread reads the trainer's step state */
    if (self->index == 0) {
        run->next_row = first;
        memcpy(trainer->power, t.state.power, sizeof trainer->power);
        trainer->net->step += (uint32_t)(t.state.t - trainer->t);
        trainer->t = t.state.t;
    }
}

static int64_t steps_from(const fm_epoch *epoch, int64_t row) {
    return (epoch->rows - row + epoch->batch - 1) / epoch->batch;
}

/* Trains until the epoch ends or the number of threads must change. */
static fm_status train_on(fm_training *run, int64_t batch) {
    fm_trainer *trainer = run->trainer;
    run->rows_before = run->done.rows;
    run->shift =
        fm_schedule_shift(&trainer->tuners, trainer->net, batch, FM_WORK_STEP, steps_from(run->epoch, run->next_row));
    const int64_t part_before = run->part;
    const int parts = run->shift.threads == 1 && run->epoch->sparse.start == NULL && may_steal(trainer);
    run->part = parts ? fm_schedule_part_rows(trainer->net, batch) : 0;
    const fm_demand demand = {FM_TRAIN,
                              run->part > 0 ? run->part : batch,
                              run->shift.threads,
                              .batch = batch,
                              .parts = run->part > 0,
                              .inputs = run->epoch->order != NULL && run->epoch->sparse.start == NULL,
                              .packs = run->packs,
                              .fold = trainer->fold,
                              .target_cols = fm_batch_target_cols(trainer->net, run->epoch)};
    const fm_status status = fm_workspace_reserve(&trainer->net->training, trainer->net, &demand);
    if (status != FM_OK) {
        if (run->steps == 0) return FM_NO_MEMORY;
        run->shift.threads = trainer->net->training.threads; /* no memory for more threads; go on with those that fit */
        run->part = part_before;
    }
    atomic_store(&run->regroup, 0);
    const fm_team_kind kind = may_steal(trainer) ? fm_schedule_team(trainer->net, batch, run->shift.threads) : FM_FIXED;
    const fm_region region = fm_parallel_large(run->shift.threads, kind, training_task, run);
    fm_schedule_note(&run->shift, region, (int64_t)(run->done.rows - run->rows_before));
    return FM_OK;
}

static fm_status train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps) {
    const int64_t batch = epoch->rows < epoch->batch ? epoch->rows : epoch->batch;
    fm_training run = {.trainer = trainer,
                       .epoch = epoch,
                       .tables = fm_tables_in_use(),
                       .packs = fm_schedule_packs(FM_TRAIN, trainer->net->ends.compute, batch),
                       .last_poll = epoch->poll == NULL ? 0.0 : fm_seconds()};
    *loss = 0.0;
    *steps = 0;
    if (batch < 1 || !fm_net_can_run(trainer->net) || !fm_heads_take_fold(trainer, epoch)) return FM_BAD_ARGUMENT;
    if (epoch->totals != NULL) run.done = *epoch->totals;
    if (epoch->members != NULL && run.done.rows == 0.0)
        for (int64_t i = 0; i < fm_loss_fold(&trainer->heads[0].loss); i++) epoch->members[i] = 0.0;
    if (trainer->has_custom && trainer->custom == NULL) return FM_BAD_ARGUMENT;
    if (epoch->sparse.start != NULL && (epoch->fold > 1 || !fm_net_takes_sparse(trainer->net))) return FM_BAD_ARGUMENT;
    while (run.next_row < epoch->rows && !atomic_load(&run.stop)) {
        const fm_status status = train_on(&run, batch);
        if (status != FM_OK) return status;
    }
    *steps = run.steps;
    if (epoch->totals != NULL) *epoch->totals = run.done;
    *loss = run.wrong_label != 0 ? (double)run.wrong_label : run.done.mean + run.done.sum + run.done.penalty;
    if (run.wrong_label != 0) return FM_BAD_LABEL;
    if (atomic_load(&run.fault) != FM_OK) return (fm_status)atomic_load(&run.fault);
    return atomic_load(&run.stop) ? FM_INTERRUPTED : FM_OK;
}

fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = train(trainer, epoch, loss, steps);
    fm_leave_arithmetic(host);
    return status;
}
