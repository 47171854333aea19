/* The training loop: one parallel region for a whole epoch (or until another number of threads would do better), two
   barriers a step.

   Phase A, this thread's rows: gather, forward, loss and its gradient, backward down to the first layer.
   Phase B, this thread's parameters: weight gradients over all rows, update, transposed copy for the next step. */
#include <math.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "engine/groups.h"
#include "engine/nodes.h"

typedef struct {
    fm_trainer *trainer;
    const fm_epoch *epoch;
    _Atomic int stop, regroup;           /* stop: 1 when it was raised in phase A, 2 in phase B */
    _Atomic int64_t wrong_label;         /* one that is no class and stopped the run; 0: none */
    int64_t next_row;                    /* of the step that comes next */
    double last_poll;                    /* of the calling thread */
    double until;                        /* when another number of threads is to be tried; 0: never */
    int wanted, taken;                   /* threads of the region */
    double mean_loss, sum_loss, penalty; /* of mean and sum losses over the steps done */
    double weight_done;                  /* of the mean */
    int64_t steps, rows_done;
    double custom_loss[FM_MOST_ENDS]; /* of the step */
} training;

typedef struct {
    training *run;
    fm_exec e;
    fm_clock clock;
    fm_targets targets[FM_MOST_ENDS]; /* of the batch */
    double scale[FM_MOST_ENDS], total_weight;
    double penalty;                /* by which penalties count in the step */
    const double *label_smoothing; /* of the step; NULL: the loss's own */
    int phase;                     /* 0: A, 1: B */
    int is_last;                   /* step of this region: nobody needs its transposed weights */
} training_thread;

/* Only the calling thread may run the caller's function; the others learn of it through the flag. */
static void poll_now_and_then(void *context) {
    training_thread *t = context;
    const fm_epoch *epoch = t->run->epoch;
    const double every = 0.02, now = fm_seconds();
    if (now - t->run->last_poll < every) return;
    t->run->last_poll = now;
    if (epoch->poll(epoch->poll_context)) atomic_store(&t->run->stop, 1 + t->phase);
    t->e.worker->waited += fm_seconds() - now; /* for the caller's locks, perhaps */
}

static void gather_rows(char *to, const void *from, const int64_t *order, int64_t begin, int64_t end, size_t bytes) {
    if (from == NULL) return;
    for (int64_t i = begin; i < end; i++)
        memcpy(to + i * (int64_t)bytes, (const char *)from + order[i] * (int64_t)bytes, bytes);
}

/* Views of the caller's arrays. */
static void view_batch(training_thread *t, int64_t first) {
    const fm_epoch *epoch = t->run->epoch;
    const fm_net *net = t->e.net;
    for (int k = 0; k < net->ends.n_inputs; k++)
        t->e.input[k] = fm_row_at(epoch->x[k], first, net->ends.width[k], net->size);
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_targets *all = &epoch->targets[k];
        t->targets[k] = (fm_targets){
            .label = fm_row_at(all->label, first, 1, sizeof *all->label),
            .values = fm_row_at(all->values, first, all->cols, net->size),
            .cols = all->cols,
            .weight = fm_row_at(all->weight, first, 1, net->size),
        };
    }
}

/* This thread's rows, copied in order. */
static void gather_batch(training_thread *t, int64_t first) {
    const fm_epoch *epoch = t->run->epoch;
    const fm_plan *plan = t->e.plan;
    const fm_net *net = t->e.net;
    const int64_t *order = epoch->order + first;
    const size_t size = net->size;
    int64_t begin, end;
    fm_share(t->e.worker, t->e.rows, t->e.kernels->tile_rows, &begin, &end);
    for (int k = 0; k < net->ends.n_inputs; k++)
        gather_rows(plan->batch[k], epoch->x[k], order, begin, end, (size_t)net->ends.width[k] * size);
    gather_rows(plan->weight, epoch->targets[0].weight, order, begin, end, size);
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_targets *all = &epoch->targets[k];
        gather_rows((char *)plan->label[k], all->label, order, begin, end, sizeof *all->label);
        gather_rows(plan->target[k], all->values, order, begin, end, (size_t)all->cols * size);
        t->targets[k] = (fm_targets){
            .label = all->label == NULL ? NULL : plan->label[k],
            .values = all->values == NULL ? NULL : plan->target[k],
            .cols = all->cols,
            .weight = all->weight == NULL ? NULL : plan->weight,
        };
    }
    fm_use_batch(&t->e);
}

/* The caller's own losses, on the calling thread, when all scores are there. */
static void custom_losses(training_thread *t, int64_t first) {
    const fm_trainer *trainer = t->run->trainer;
    const fm_net *net = trainer->net;
    const int64_t *order = t->run->epoch->order;
    fm_barrier(t->e.worker);
    for (int k = 0; k < net->ends.n_outputs && t->e.worker->index == 0; k++) {
        if (trainer->heads[k].loss.kind != -1 || fm_stopped(&t->e)) continue;
        fm_custom_loss_call call = {.head = k,
                                    .rows = t->e.rows,
                                    .first = first,
                                    .order = order == NULL ? NULL : order + first,
                                    .scores = t->e.plan->value[net->output[k]],
                                    .gradient = t->e.plan->delta[net->output[k]]};
        const double start = fm_seconds();
        if (trainer->custom(trainer->custom_context, &call)) atomic_store(&t->run->stop, 1);
        t->e.worker->waited += fm_seconds() - start;
        t->run->custom_loss[k] = trainer->heads[k].weight * call.value;
    }
    fm_barrier(t->e.worker);
}

static void loss_of_rows(training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    const fm_net *net = trainer->net;
    const fm_plan *plan = t->e.plan;
    int64_t wrong_label = 0;
    if (t->e.cut == FM_CUT_COLUMNS && t->e.worker->index != 0) return;
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const int stage = net->output[k];
        if (trainer->heads[k].loss.kind == -1) continue;
        const fm_loss_spec loss = fm_step_loss(trainer, k, t->label_smoothing);
        fm_loss_range(&loss, net->dtype, net->stages[stage].fan_out, plan->value[stage], &t->targets[k], t->scale[k],
                      t->e.row_begin, t->e.row_end, plan->row_value[k], plan->delta[stage], &wrong_label);
    }
    if (wrong_label == 0) return;
    atomic_store(&t->run->wrong_label, wrong_label);
    atomic_store(&t->run->stop, 1);
}

static void scale_losses(training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    const fm_net *net = trainer->net;
    t->total_weight = fm_total_weight(net->dtype, t->e.rows, t->targets[0].weight);
    for (int k = 0; k < net->ends.n_outputs; k++)
        t->scale[k] =
            trainer->heads[k].loss.kind == -1
                ? 0.0
                : trainer->heads[k].weight *
                      fm_loss_scale(&trainer->heads[k].loss, net->stages[net->output[k]].fan_out, t->total_weight);
}

static int is_time_to_regroup(const training_thread *t) {
    const double until = t->run->until;
    return fm_should_regroup(t->e.worker, t->run->wanted) || (until > 0.0 && fm_seconds() >= until);
}

static void phase_a(training_thread *t, int64_t first) {
    fm_look_around(t->e.worker);
    if (t->e.worker->index == 0 && is_time_to_regroup(t)) atomic_store(&t->run->regroup, 1);
    if (t->run->epoch->order == NULL) view_batch(t, first);
    else gather_batch(t, first);
    /* rows gathered by others are needed by a cut by columns, and their weights by the loss's scale */
    if (t->run->epoch->order != NULL && (t->e.cut == FM_CUT_COLUMNS || t->targets[0].weight != NULL))
        fm_barrier(t->e.worker);
    scale_losses(t);
    fm_forward_stages(&t->e);
    loss_of_rows(t);
    if (t->run->trainer->has_custom) custom_losses(t, first);
    if (t->e.cut == FM_CUT_COLUMNS) fm_barrier(t->e.worker);
    fm_backward_stages(&t->e, NULL);
    fm_penalty_chunks(t->run->trainer, t->e.worker, t->e.plan->chunk_sum);
}

/* Whether gradients are all made before the first update: clipping needs it, and so does a step so long that a stop must
   be heard while they are made. Otherwise a weight's update follows its gradient while that is in cache. */
static int updates_come_last(const training_thread *t) {
    const double gradient_us = 2.0 * (double)t->e.rows * (double)t->e.net->n_params / (90e3 * t->e.worker->count);
    return t->run->trainer->optimizer.clip_norm != 0.0 || gradient_us > 20e3;
}

static void finish_range(training_thread *t, int64_t begin, int64_t end, int is_weight, int update) {
    const fm_trainer *trainer = t->run->trainer;
    if (is_weight) fm_penalty_gradient_range(trainer, t->penalty, begin, end);
    if (update) fm_update_range(trainer, &t->clock, begin, end);
}

/* Of a norm, a parameter as a value, or a node of the caller's, who has made its gradients before. */
static void node_gradients(training_thread *t, int i, int update) {
    const fm_stage *s = &t->e.net->stages[i];
    int64_t begin, end;
    fm_share(t->e.worker, s->n_weights, t->e.kernels->lanes, &begin, &end);
    if (begin >= end || fm_node_is_frozen(t->run->trainer, s)) return;
    fm_node_gradients(&t->e, i, begin, end, 0);
    finish_range(t, s->weight_at + begin, s->weight_at + end, s->takes_penalties, update);
    if (s->bias_at >= 0) finish_range(t, s->bias_at + begin, s->bias_at + end, 0, update);
}

static void stage_gradients(training_thread *t, int i, int update) {
    const fm_stage *s = &t->e.net->stages[i];
    int64_t begin, end;
    if (s->n_weights == 0) return;
    if (s->op != FM_OP_LINEAR) {
        node_gradients(t, i, update);
        return;
    }
    fm_share_weights(&t->e, s, &begin, &end);
    if (begin < end && !fm_weights_are_frozen(t->run->trainer, s)) {
        fm_backward_weights(&t->e, i, begin, end, 0, !update);
        finish_range(t, s->weight_at + begin * s->fan_out, s->weight_at + end * s->fan_out, 1, update);
        if (update && !t->is_last) fm_transpose_weights(&t->e, i, begin, end);
    }
    fm_share(t->e.worker, s->fan_out, t->e.kernels->lanes, &begin, &end);
    if (s->bias_at >= 0 && begin < end && !fm_bias_is_frozen(t->run->trainer, s)) {
        fm_backward_bias(&t->e, i, begin, end, 0);
        finish_range(t, s->bias_at + begin, s->bias_at + end, 0, update);
    }
}

static void clip(training_thread *t) {
    const fm_trainer *trainer = t->run->trainer;
    const int64_t chunks = fm_square_chunks(trainer, t->e.worker, t->e.plan->chunk_sum);
    fm_barrier(t->e.worker);
    const double norm = sqrt(fm_chunks_total(t->e.plan->chunk_sum, chunks));
    t->clock.g_scale = fm_clip_scale(norm, trainer->optimizer.clip_norm);
}

/* Called when all gradients are there. */
static void update_all(training_thread *t) {
    int64_t begin, end;
    if (t->run->trainer->optimizer.clip_norm != 0.0) clip(t);
    fm_share(t->e.worker, t->e.net->n_params, FM_SUM_CHUNK, &begin, &end);
    fm_update_range(t->run->trainer, &t->clock, begin, end);
    fm_keep_moments(&t->e);
    fm_barrier(t->e.worker);
    if (!t->is_last) fm_prepare(&t->e, 0);
}

/* False when the run was stopped before the first update. */
static int phase_b(training_thread *t) {
    const int last = updates_come_last(t);
    for (int i = 0; i < t->e.net->n_stages; i++) stage_gradients(t, i, !last);
    if (!last) fm_keep_moments(&t->e);
    else if (t->e.worker->index == 0) fm_net_begin_update(t->run->trainer->net);
    fm_barrier(t->e.worker);
    if (!last) return 1;
    if (atomic_load(&t->run->stop)) return 0;
    update_all(t);
    return 1;
}

/* The step's losses, before its update. */
typedef struct {
    double mean, sum, penalty; /* of mean losses, of sum losses */
} losses;

static losses losses_of(const training_thread *t) {
    const fm_plan *plan = t->e.plan;
    const fm_trainer *trainer = t->run->trainer;
    const fm_worker nobody = {.index = INT32_MAX, .count = 1}; /* who only counts the chunks */
    const int64_t chunks = fm_penalty_chunks(trainer, &nobody, NULL);
    losses step = {.penalty = t->penalty * fm_chunks_total(plan->chunk_sum, chunks)};
    for (int k = 0; k < trainer->net->ends.n_outputs; k++) {
        const double value = trainer->heads[k].loss.kind == -1
                                 ? t->run->custom_loss[k]
                                 : t->scale[k] * fm_table(FM_F64)->sum(t->e.rows, plan->row_value[k]);
        if (trainer->heads[k].loss.mean) step.mean += value;
        else step.sum += value;
    }
    return step;
}

/* Running means, so that the loss of one step is exactly itself. */
static void account(const training_thread *t, losses step, int64_t number) {
    training *run = t->run;
    if (run->epoch->losses != NULL)
        memcpy(run->epoch->losses + 2 * number, (double[]){step.mean + step.sum, step.penalty}, 2 * sizeof(double));
    run->steps++;
    run->rows_done += t->e.rows;
    run->penalty += (step.penalty - run->penalty) * ((double)t->e.rows / (double)run->rows_done);
    run->weight_done += t->total_weight;
    run->sum_loss += step.sum;
    if (run->weight_done != 0.0) run->mean_loss += (step.mean - run->mean_loss) * (t->total_weight / run->weight_done);
}

/* False when the run was stopped. All threads agree: what they look for behind a barrier was raised before it. A stop of
   phase B may already be up when the slower ones look behind phase A, and is not for them yet. */
static int one_step(training_thread *t, int64_t first) {
    training *run = t->run;
    const int64_t number = first / run->epoch->batch;
    losses step = {0.0, 0.0, 0.0};
    t->phase = 0;
    t->penalty = run->epoch->penalty == NULL ? 1.0 : run->epoch->penalty[number];
    t->label_smoothing = run->epoch->label_smoothing == NULL ? NULL : run->epoch->label_smoothing + number;
    t->e.drop_factor = run->epoch->dropout == NULL ? 1.0 : run->epoch->dropout[number];
    fm_exec_share(&t->e);
    t->e.step = t->e.net->step + (uint32_t)t->clock.t - (uint32_t)run->trainer->t;
    phase_a(t, first);
    if (t->e.worker->index == 0 && !updates_come_last(t)) fm_net_begin_update(run->trainer->net);
    fm_barrier(t->e.worker);
    if (atomic_load(&run->stop) == 1) return 0;
    t->phase = 1;
    t->is_last = t->is_last || atomic_load(&run->regroup);
    const fm_clock before = t->clock;
    t->clock = fm_clock_next(run->trainer, t->clock, run->epoch->lr[number]);
    if (run->epoch->weight_decay != NULL) t->clock.weight_decay = run->epoch->weight_decay[number];
    if (t->e.worker->index == 0) step = losses_of(t);
    if (!phase_b(t)) {
        t->clock = before;
        return 0;
    }
    if (t->e.worker->index == 0) account(t, step, number);
    return 1;
}

static void training_task(void *context, fm_worker *self) {
    training *run = context;
    fm_trainer *trainer = run->trainer;
    const fm_epoch *epoch = run->epoch;
    training_thread t = {
        .run = run,
        .e = {.net = trainer->net,
              .kernels = fm_table(trainer->net->dtype),
              .plan = &trainer->plan,
              .worker = self,
              .training = 1,
              .keeps = 1,
              .stop = &run->stop},
        .clock = {.t = trainer->t, .power = {trainer->power[0], trainer->power[1]}},
    };
    if (self->index == 0 && epoch->poll != NULL) {
        t.e.between_stages = poll_now_and_then;
        t.e.context = &t;
    }
    fm_prepare(&t.e, 0);
    int64_t first = run->next_row;
    while (!t.is_last) {
        t.e.rows = epoch->rows - first < epoch->batch ? epoch->rows - first : epoch->batch;
        t.e.cut = fm_plan_cut(t.e.rows, self->count);
        t.is_last = first + epoch->batch >= epoch->rows;
        const int done = one_step(&t, first);
        if (self->index == 0) fm_net_end_update(trainer->net);
        if (!done) break;
        first += epoch->batch;
    }
    fm_barrier(self); /* nobody reads the trainer's clock any more */
    if (self->index == 0) {
        run->taken = self->count;
        run->next_row = first;
        memcpy(trainer->power, t.clock.power, sizeof trainer->power);
        trainer->net->step += (uint32_t)(t.clock.t - trainer->t);
        trainer->t = t.clock.t;
    }
}

/* Trains on until the epoch has ended or another number of threads is due. */
static fm_status train_on(training *run, int64_t batch) {
    fm_trainer *trainer = run->trainer;
    const int64_t steps_before = run->steps,
                  left = (run->epoch->rows - run->next_row + run->epoch->batch - 1) / run->epoch->batch;
    const int choices = fm_plan_choices(trainer->net, batch, 3.0);
    int threads = fm_plan_threads(trainer->net, batch, 3.0, 3.0, left);
    const double start = choices > 1 ? fm_seconds() : 0.0;
    if (choices > 1) threads = fm_pace_threads(&trainer->pace, batch, threads, choices);
    if (fm_plan_reserve(&trainer->plan, trainer->net, FM_PLAN_TRAIN, batch, threads) != FM_OK) {
        if (run->steps == 0) return FM_NO_MEMORY;
        threads = trainer->plan.threads; /* more would be faster, but these do */
    }
    run->wanted = threads;
    run->until = choices > 1 ? start + fm_pace_seconds_left(&trainer->pace) : 0.0;
    atomic_store(&run->regroup, 0);
    fm_parallel(threads, training_task, run);
    if (choices > 1 && run->taken == threads)
        fm_pace_note(&trainer->pace, fm_seconds() - start, run->steps - steps_before);
    return FM_OK;
}

static fm_status train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps) {
    const int64_t batch = epoch->rows < epoch->batch ? epoch->rows : epoch->batch;
    training run = {.trainer = trainer, .epoch = epoch, .last_poll = epoch->poll == NULL ? 0.0 : fm_seconds()};
    *loss = 0.0;
    *steps = 0;
    if (batch < 1 || !fm_net_can_run(trainer->net)) return FM_BAD_ARGUMENT;
    if (trainer->has_custom && trainer->custom == NULL) return FM_BAD_ARGUMENT;
    while (run.next_row < epoch->rows && !atomic_load(&run.stop)) {
        const fm_status status = train_on(&run, batch);
        if (status != FM_OK) return status;
    }
    *steps = run.steps;
    *loss = run.wrong_label != 0 ? (double)run.wrong_label : run.mean_loss + run.sum_loss + run.penalty;
    if (run.wrong_label != 0) return FM_BAD_LABEL;
    return atomic_load(&run.stop) ? FM_INTERRUPTED : FM_OK;
}

fm_status fm_train(fm_trainer *trainer, const fm_epoch *epoch, double *loss, int64_t *steps) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = train(trainer, epoch, loss, steps);
    fm_leave_arithmetic(host);
    return status;
}
