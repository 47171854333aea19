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
#include "engine/between_ranks.h"
#include "engine/forward.h"
#include "engine/heads.h"
#include "engine/loss.h"
#include "engine/training.h"
#include "engine/wanted.h"
#include "engine/work_stealing.h"

/* Only the calling thread may call the caller's function; the other threads see the flag. */
static void poll_now_and_then(void *context) {
    fm_training_thread *t = context;
    const fm_epoch *epoch = t->run->epoch;
    const double every = 0.02, now = fm_seconds();
    fm_ranks_progress(&t->walk);
    if (epoch->poll == NULL || now - t->run->last_poll < every) return;
    t->run->last_poll = now;
    if (epoch->poll(epoch->poll_context)) atomic_store(&t->run->stop, 1 + t->phase);
    t->walk.worker->outside += fm_seconds() - now;
}

static void phase_a(fm_training_thread *t, int64_t first) {
    const fm_trainer *trainer = t->run->trainer;
    fm_worker *self = t->walk.worker;
    fm_check_preemption(self);
    if (self->index == 0 && fm_schedule_shift_is_over(&t->run->shift, self, t->run->rows_run - t->run->rows_before))
        atomic_store(&t->run->regroup, 1);
    fm_pass(t, first + fm_shards_first_row(&t->walk.run.shards), fm_train_gradients_of_op);
    fm_penalty_chunks(trainer, t->walk.run.kernels, self, t->walk.workspace->chunk_sum);
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

/* With other ranks, one thread asks them, and the others are told if they decide about the step too. */
static losses losses_of_ranks(const fm_training_thread *t) {
    fm_training *run = t->run;
    losses step = {{0.0, 0.0}, 0.0};
    if (t->walk.worker->index == 0) {
        step = losses_of(t);
        memcpy(run->values, &step, sizeof step);
    }
    if (run->trainer->nan == FM_NAN_USE) return step;
    fm_barrier(t->walk.worker);
    memcpy(&step, run->values, sizeof step);
    return step;
}

static double total_of(losses step) { return step.heads.mean + step.heads.sum + step.penalty; }

static void record(const fm_training *run, losses step, int64_t number) {
    if (run->epoch->losses == NULL) return;
    run->epoch->losses[2 * number] = step.heads.mean + step.heads.sum;
    run->epoch->losses[2 * number + 1] = step.penalty;
}

/* Uses running means, so that the loss of an epoch of one step has exactly the bits of that step. */
static void account(const fm_training_thread *t, losses step, int64_t number) {
    fm_training *run = t->run;
    const double rows = (double)t->walk.run.shards.rows;
    record(run, step, number);
    run->steps++;
    run->not_finite += !isfinite(total_of(step)) || !fm_heads_gradients_are_finite(run->trainer, &t->walk);
    run->rows_run += t->walk.run.rows;
    run->done.rows += rows;
    run->done.penalty += (step.penalty - run->done.penalty) * (rows / run->done.rows);
    run->done.weight += t->total_weight;
    run->done.sum += step.heads.sum;
    if (run->done.weight == 0.0) return;
    const double part = t->total_weight / run->done.weight;
    run->done.mean += (step.heads.mean - run->done.mean) * part;
    if (run->epoch->members != NULL) fm_heads_account(run->trainer, &t->walk, part, run->epoch->members);
}

/* What a step that is refused leaves behind: its loss, for the caller. */
static void refuse(const fm_training_thread *t, losses step, int64_t number) {
    fm_training *run = t->run;
    run->not_finite++;
    run->rows_run += t->walk.run.rows;
    record(run, step, number);
    if (run->trainer->nan == FM_NAN_RAISE) {
        run->is_refused = 1;
        run->refused = total_of(step);
        return;
    }
    run->steps++;
}

/* Whether the trainer wants no update from these losses. All threads decide alike. */
static int is_unwanted(const fm_training_thread *t, losses step) {
    const fm_trainer *trainer = t->run->trainer;
    if (trainer->nan == FM_NAN_USE) return 0;
    return !isfinite(total_of(step)) || !fm_heads_gradients_are_finite(trainer, &t->walk);
}

/* Phase B of a step that changes nothing but its loss; false if the run ends. Then all threads must meet: the next step
   overwrites what they have read to decide. */
static int refuse_step(fm_training_thread *t, losses step, int64_t number) {
    if (t->walk.worker->index == 0) refuse(t, step, number);
    fm_work_refill(&t->walk, FM_QUEUE_ROWS, FM_QUEUE_DOWN);
    fm_barrier(t->walk.worker);
    return t->run->trainer->nan != FM_NAN_RAISE;
}

static int update(fm_training_thread *t, losses step, int64_t number) {
    const fm_training *run = t->run;
    const fm_step_state before = t->state;
    t->state = fm_step_state_next(run->trainer, t->state, run->epoch->lr[number]);
    if (run->epoch->weight_decay != NULL) t->state.weight_decay = run->epoch->weight_decay[number];
    if (!fm_train_update(t)) {
        t->state = before;
        return 0;
    }
    if (t->walk.worker->index == 0) account(t, step, number);
    return 1;
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
    if (t->walk.worker->index == 0 && !fm_train_updates_come_last(t)) fm_net_begin_update(run->trainer->net);
    fm_barrier(t->walk.worker);
    if (atomic_load(&run->stop) == 1) return 0;
    t->phase = 1;
    t->is_last = t->is_last || atomic_load(&run->regroup);
    if (t->walk.shared != NULL) step = losses_of_ranks(t);
    else if (t->walk.worker->index == 0 || run->trainer->nan != FM_NAN_USE) step = losses_of(t);
    return is_unwanted(t, step) ? refuse_step(t, step, number) : update(t, step, number);
}

/* Operations and losses that need all rows at once meet at barriers, so each thread must have the same pieces. */
static int may_steal(const fm_trainer *trainer) {
    for (int i = 0; i < trainer->net->n_ops; i++)
        if (trainer->net->ops[i].row->needs != FM_OWN_ROWS) return 0;
    return !trainer->has_custom;
}

fm_training_thread fm_training_thread_of(fm_training *run, fm_worker *self) {
    const fm_trainer *trainer = run->trainer;
    const fm_walk_of_call of = {trainer->net, &trainer->net->training, run->tables, &run->stop, &run->fault,
                                run->packs};
    fm_training_thread t = {
        .run = run,
        .walk = fm_walk_new(&of, self),
        .state = {.t = trainer->t, .power = {trainer->power[0], trainer->power[1]}},
    };
    t.walk.run.training = t.walk.run.keeps = 1;
    t.walk.run.shards = trainer->shards;
    t.walk.shared = trainer->reducer == NULL ? NULL : trainer;
    return t;
}

void fm_training_set_rows(fm_training_thread *t, int64_t rows) {
    t->walk.run.shards.rows = rows;
    fm_walk_set_rows(&t->walk, fm_shard_begin(&t->walk.run.shards, t->walk.run.shards.own));
}

static void training_task(void *context, fm_worker *self) {
    fm_training *run = context;
    fm_trainer *trainer = run->trainer;
    const fm_epoch *epoch = run->epoch;
    fm_training_thread t = fm_training_thread_of(run, self);
    if (self->index == 0 && (epoch->poll != NULL || t.walk.shared != NULL)) {
        t.walk.run.poll = poll_now_and_then;
        t.walk.run.poll_context = &t;
    }
    if (trainer->any_is_frozen) fm_find_wanted(trainer->net, trainer, t.walk.at);
    fm_work_refill(&t.walk, 0, FM_QUEUES);
    fm_walk_renew(&t.walk, 1);
    int64_t first = run->next_row;
    while (!t.is_last) {
        const int64_t left = epoch->rows - first;
        fm_training_set_rows(&t, left < epoch->batch ? left : epoch->batch);
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
    run->rows_before = run->rows_run;
    run->shift =
        fm_schedule_shift(&trainer->tuners, trainer->net, batch, FM_WORK_STEP, steps_from(run->epoch, run->next_row));
    const int64_t part_before = run->part;
    const int one_shard = trainer->shards.own == 1 && trainer->reducer == NULL;
    const int parts = one_shard && run->shift.threads == 1 && run->epoch->sparse.start == NULL && may_steal(trainer);
    run->part = parts ? fm_schedule_part_rows(trainer->net, batch) : 0;
    const fm_demand demand = {FM_TRAIN,
                              run->part > 0 ? run->part : batch,
                              run->shift.threads,
                              .batch = batch,
                              .parts = run->part > 0,
                              .inputs = run->epoch->order != NULL && run->epoch->sparse.start == NULL,
                              .packs = run->packs,
                              .fold = trainer->fold,
                              .shards = trainer->shards.own,
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
    fm_schedule_note(&run->shift, region, run->rows_run - run->rows_before);
    return FM_OK;
}

static double loss_of(const fm_training *run) {
    if (run->wrong_label != 0) return (double)run->wrong_label;
    if (run->is_refused) return run->refused;
    if (run->done.rows == 0.0 && run->steps > 0) return NAN; /* all steps were skipped */
    return run->done.mean + run->done.sum + run->done.penalty;
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
    trainer->net->trainings++;
    while (run.next_row < epoch->rows && !atomic_load(&run.stop) && !run.is_refused) {
        const fm_status status = train_on(&run, batch);
        if (status != FM_OK) return status;
    }
    *steps = run.steps;
    if (epoch->totals != NULL) *epoch->totals = run.done;
    trainer->not_finite = run.not_finite;
    *loss = loss_of(&run);
    if (run.wrong_label != 0) return FM_BAD_LABEL;
    if (atomic_load(&run.fault) != FM_OK) return (fm_status)atomic_load(&run.fault);
    if (run.is_refused) return FM_NOT_FINITE;
    return atomic_load(&run.stop) ? FM_INTERRUPTED : FM_OK;
}

fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = train(trainer, epoch, loss, steps);
    fm_leave_arithmetic(host);
    return status;
}
