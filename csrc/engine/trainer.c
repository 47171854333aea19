/* Trainers: creates and frees them; updates by hand. */
#include "engine/trainer.h"

#include <math.h>
#include <string.h>

#include "base/aligned_alloc.h"
#include "base/arithmetic.h"
#include "base/reducer.h"
#include "engine/first_touch.h"
#include "engine/loss.h"
#include "engine/schedule.h"
#include "engine/update.h"

static void *copy_of(const void *from, int64_t count, size_t size) {
    void *to = fm_alloc(count, size);
    if (to != NULL && count > 0) memcpy(to, from, (size_t)count * size);
    return to;
}

static int keeps_slot(const fm_optimizer_spec *spec, int slot) {
    const fm_optimizer_row *row = fm_optimizer_at(spec->kind);
    return slot < row->slots && (row->need[slot] < 0 || spec->hyper[row->need[slot]] != 0.0);
}

/* The index of a name in "name=default name=default ..."; -1: not in the list. */
static int place_of(const char *name, const char *list) {
    const size_t length = strlen(name);
    for (int place = 0; *list != '\0'; place++) {
        if (strncmp(list, name, length) == 0 && list[length] == '=') return place;
        list += strcspn(list, " ");
        list += strspn(list, " ");
    }
    return -1;
}

/* Copies the losses; if memory is short, the trainer keeps those that it has. */
static int copy_losses(fm_trainer *trainer, const fm_head *heads) {
    double *params[FM_MOST_ENDS];
    const int n = trainer->net->ends.n_outputs;
    int complete = 1;
    for (int k = 0; k < n; k++) {
        params[k] = copy_of(heads[k].loss.params, heads[k].loss.n_params, sizeof *params[k]);
        complete = complete && params[k] != NULL;
    }
    for (int k = 0; k < n; k++) fm_free(complete ? trainer->loss_params[k] : params[k]);
    if (complete) memcpy(trainer->loss_params, params, (size_t)n * sizeof *params);
    return complete;
}

static void take_losses(fm_trainer *trainer, const fm_head *heads) {
    trainer->has_custom = 0;
    trainer->fold = 1;
    for (int k = 0; k < trainer->net->ends.n_outputs; k++) {
        const fm_loss_spec *loss = &heads[k].loss;
        trainer->heads[k] = heads[k];
        trainer->heads[k].loss.params = trainer->loss_params[k];
        trainer->has_custom |= loss->kind == -1;
        if (fm_loss_fold(loss) > trainer->fold) trainer->fold = fm_loss_fold(loss);
        trainer->smooths[k] = loss->kind != -1 && place_of("label_smoothing", fm_loss_at(loss->kind)->params) == 0;
    }
}

static int loss_fits(const fm_net *net, int output, const fm_loss_spec *loss) {
    if (loss->kind == -1) return fm_loss_fold(loss) == 1;
    return fm_loss_fits(loss, net->ops[net->output[output]].node.fan_out);
}

fm_status fm_trainer_set_heads(fm_trainer *trainer, const fm_head *heads) {
    for (int k = 0; k < trainer->net->ends.n_outputs; k++)
        if (!loss_fits(trainer->net, k, &heads[k].loss)) return FM_BAD_ARGUMENT;
    if (!copy_losses(trainer, heads)) return FM_NO_MEMORY;
    take_losses(trainer, heads);
    return FM_OK;
}

static int has_same_slots(const fm_optimizer_spec *a, const fm_optimizer_spec *b) {
    for (int i = 0; i < FM_SLOTS; i++)
        if (keeps_slot(a, i) != keeps_slot(b, i)) return 0;
    return a->kind == b->kind;
}

fm_status fm_trainer_set_optimizer(fm_trainer *trainer, const fm_optimizer_spec *optimizer) {
    if (!has_same_slots(&trainer->optimizer, optimizer)) return FM_BAD_ARGUMENT;
    fm_penalty *penalties = copy_of(optimizer->penalties, optimizer->n_penalties, sizeof *penalties);
    if (penalties == NULL) return FM_NO_MEMORY;
    for (int i = 0; i < 2; i++)
        if (optimizer->hyper[i] != trainer->optimizer.hyper[i])
            trainer->power[i] = pow(optimizer->hyper[i], (double)trainer->t);
    fm_free(trainer->penalties);
    trainer->optimizer = *optimizer;
    trainer->optimizer.penalties = trainer->penalties = penalties;
    return FM_OK;
}

static fm_status fill(fm_trainer *trainer, const fm_head *heads, const fm_optimizer_spec *optimizer) {
    const fm_net *net = trainer->net;
    trainer->penalties = copy_of(optimizer->penalties, optimizer->n_penalties, sizeof *optimizer->penalties);
    trainer->optimizer.penalties = trainer->penalties;
    fm_status status = fm_trainer_set_heads(trainer, heads);
    if (status == FM_OK) status = fm_trainer_set_groups(trainer, 0, NULL);
    for (int i = 0; i < FM_SLOTS && status == FM_OK; i++) {
        if (!keeps_slot(optimizer, i)) continue;
        trainer->slot[i] = fm_first_touch(net);
        if (trainer->slot[i] == NULL) status = FM_NO_MEMORY;
    }
    return trainer->penalties == NULL ? FM_NO_MEMORY : status;
}

fm_status fm_trainer_new(fm_net *net, const fm_head *heads, const fm_optimizer_spec *optimizer, fm_trainer **out) {
    *out = NULL;
    const fm_optimizer_row *row = fm_optimizer_at(optimizer->kind);
    if (row == NULL || net->ends.frozen) return FM_BAD_ARGUMENT;
    fm_trainer *trainer = fm_alloc_zeroed(1, sizeof *trainer);
    if (trainer == NULL) return FM_NO_MEMORY;
    *trainer = (fm_trainer){
        .net = net, .optimizer = *optimizer, .power = {1.0, 1.0}, .shards = {1, 0, 1, 0}, .pending.rows = -1};
    trainer->decay = place_of("weight_decay", row->hyper);
    const fm_status status = fill(trainer, heads, optimizer);
    if (status == FM_OK) *out = trainer;
    else fm_trainer_free(trainer);
    return status;
}

/* If another trainer uses the memory on another thread, it stays. */
static void release_training(fm_net *net) {
    if (fm_net_take(net) != FM_OK) return;
    net->trainings++;
    fm_workspace_release(&net->training);
    fm_net_give_back(net);
}

void fm_trainer_free(fm_trainer *trainer) {
    if (trainer == NULL) return;
    release_training(trainer->net);
    for (int i = 0; i < FM_SLOTS; i++) fm_free(trainer->slot[i]);
    for (int k = 0; k < FM_MOST_ENDS; k++) fm_free(trainer->loss_params[k]);
    fm_free(trainer->penalties);
    fm_free(trainer->groups);
    fm_free(trainer);
}

void fm_trainer_set_custom(fm_trainer *trainer, fm_custom_loss custom, void *context) {
    trainer->custom = custom;
    trainer->custom_context = context;
}

void *fm_trainer_slot(fm_trainer *trainer, int slot) {
    return slot >= 0 && slot < FM_SLOTS ? trainer->slot[slot] : NULL;
}
double *fm_trainer_powers(fm_trainer *trainer) { return trainer->power; }
int64_t *fm_trainer_updates(fm_trainer *trainer) { return &trainer->t; }

static int has_custom_nodes(const fm_net *net) {
    for (int i = 0; i < net->n_ops; i++)
        if (net->ops[i].row->needs == FM_CALLER) return 1;
    return 0;
}

fm_status fm_trainer_set_shards(fm_trainer *trainer, int shards, const fm_reducer *ranks) {
    const int is_power = shards > 0 && (shards & (shards - 1)) == 0;
    if (!is_power || shards > FM_MOST_SHARDS) return FM_BAD_ARGUMENT;
    if (shards > 1 && has_custom_nodes(trainer->net)) return FM_BAD_ARGUMENT;
    const int parts = ranks == NULL ? 1 : ranks->ranks;
    if (parts > shards || (parts & (parts - 1)) != 0) return FM_BAD_ARGUMENT;
    trainer->reducer = ranks;
    trainer->shards = (fm_shards){.count = shards, .own = shards / parts};
    if (ranks != NULL) trainer->shards.first = ranks->rank * trainer->shards.own;
    trainer->shards.rounds = ranks != NULL && ranks->wire == FM_WIRE_BFLOAT16 && trainer->net->dtype == FM_F32;
    return FM_OK;
}

void fm_trainer_set_nan(fm_trainer *trainer, fm_nan nan) { trainer->nan = nan; }
int64_t fm_trainer_not_finite(const fm_trainer *trainer) { return trainer->not_finite; }

static const fm_worker alone = {.index = 0, .count = 1};

typedef struct {
    const fm_trainer *trainer;
    const fm_kernels *kernels;
    fm_step_state state;
    double *chunk_sum; /* if gradients are clipped, otherwise NULL */
} update_call;

static void update_task(void *context, fm_worker *self) {
    const update_call *call = context;
    fm_step_state state = call->state;
    int64_t begin, end;
    if (call->chunk_sum != NULL) {
        const int64_t chunks = fm_square_chunks(call->trainer, call->kernels, self, call->chunk_sum);
        fm_barrier(self);
        const double norm = sqrt(fm_chunks_total(call->chunk_sum, chunks));
        state.g_scale = fm_clip_scale(norm, call->trainer->optimizer.clip_norm);
    }
    fm_partition(self, call->trainer->net->n_params, FM_SUM_CHUNK, &begin, &end);
    if (begin < end) fm_update_range(call->trainer, call->kernels, &state, begin, end);
}

static fm_status update(fm_trainer *trainer, double lr) {
    const fm_step_state before = {.t = trainer->t, .power = {trainer->power[0], trainer->power[1]}};
    update_call call = {.trainer = trainer,
                        .kernels = fm_tables_in_use()[trainer->net->dtype],
                        .state = fm_step_state_next(trainer, before, lr)};
    if (trainer->optimizer.clip_norm != 0.0) {
        call.chunk_sum = fm_alloc(fm_workspace_chunks(trainer->net), sizeof *call.chunk_sum);
        if (call.chunk_sum == NULL) return FM_NO_MEMORY;
    }
    const fm_shift shift = fm_schedule_update_shift(&trainer->update_tuners, trainer->net);
    fm_net_begin_update(trainer->net);
    const fm_region region = fm_parallel(shift.threads, update_task, &call);
    fm_net_end_update(trainer->net);
    fm_schedule_note(&shift, region, 1);
    fm_free(call.chunk_sum);
    trainer->t = call.state.t;
    memcpy(trainer->power, call.state.power, sizeof trainer->power);
    return FM_OK;
}

fm_status fm_trainer_update(fm_trainer *trainer, double lr) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = update(trainer, lr);
    fm_leave_arithmetic(host);
    return status;
}

typedef int64_t (*chunks_fn)(const fm_trainer *, const fm_kernels *, const fm_worker *, double *);

static fm_status total_of(const fm_trainer *trainer, chunks_fn sum_chunks, double *total) {
    double *chunk_sum = fm_alloc(fm_workspace_chunks(trainer->net), sizeof *chunk_sum);
    if (chunk_sum == NULL) return FM_NO_MEMORY;
    const fm_modes host = fm_enter_arithmetic();
    const fm_kernels *kernels = fm_tables_in_use()[trainer->net->dtype];
    *total = fm_chunks_total(chunk_sum, sum_chunks(trainer, kernels, &alone, chunk_sum));
    fm_leave_arithmetic(host);
    fm_free(chunk_sum);
    return FM_OK;
}

fm_status fm_trainer_penalty(const fm_trainer *trainer, double *value) {
    return total_of(trainer, fm_penalty_chunks, value);
}

fm_status fm_trainer_gradient_norm(const fm_trainer *trainer, double *norm) {
    double squares;
    const fm_status status = total_of(trainer, fm_square_chunks, &squares);
    if (status == FM_OK) *norm = sqrt(squares);
    return status;
}

void fm_trainer_add_penalty_gradient(fm_trainer *trainer, double factor) {
    const fm_net *net = trainer->net;
    const fm_modes host = fm_enter_arithmetic();
    const fm_kernels *kernels = fm_tables_in_use()[net->dtype];
    for (int i = 0; i < net->n_arrays; i++) {
        const fm_array *array = &net->arrays[i];
        if (fm_takes_penalties(array))
            fm_penalty_gradient_range(trainer, kernels, factor, array->at, array->at + array->rows * array->cols);
    }
    fm_leave_arithmetic(host);
}
