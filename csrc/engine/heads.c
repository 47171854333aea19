#include "engine/heads.h"

#include <string.h>

#include "base/clock.h"
#include "base/finite.h"
#include "engine/between_ranks.h"
#include "engine/loss.h"

enum { OF_THE_CALLER = -1 };

static const fm_thread_space *own(const fm_walk *walk) { return &walk->workspace->thread[walk->worker->index]; }

static const fm_operands *output(const fm_walk *walk, int k) { return &walk->at[walk->net->output[k]]; }

/* The factors of the members of an output's loss. */
static double *scale_of(const fm_walk *walk, int k) { return own(walk)->scale + k * walk->workspace->fold; }

/* The total weights of all ranks. Each thread has its own copy of the first one's. */
static void add_weights_of_ranks(const fm_walk *walk, int k, int64_t fold) {
    const double *sums = walk->workspace->thread[0].scale + k * walk->workspace->fold;
    fm_ranks_sum(walk, scale_of(walk, k), fold);
    if (walk->worker->index > 0) memcpy(scale_of(walk, k), sums, (size_t)fold * sizeof *sums);
    fm_barrier(walk->worker);
}

double fm_heads_scale(const fm_trainer *trainer, const fm_walk *walk) {
    const fm_net *net = walk->net;
    double total_weight = 0.0;
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_head *head = &trainer->heads[k];
        const int64_t width = net->ops[net->output[k]].node.fan_out;
        fm_loss_weights(&head->loss, net->dtype, &walk->run.shards, &own(walk)->targets[k], scale_of(walk, k));
        if (walk->shared != NULL && own(walk)->targets[k].weight != NULL)
            add_weights_of_ranks(walk, k, fm_loss_fold(&head->loss));
        const double total = fm_loss_scales(&head->loss, width, head->weight, scale_of(walk, k));
        if (k == 0) total_weight = total;
    }
    return total_weight;
}

/* The loss of an output, with the label smoothing of this step if it is given. */
static fm_loss_spec loss_of(const fm_trainer *trainer, int k, const double *label_smoothing) {
    fm_loss_spec loss = trainer->heads[k].loss;
    if (trainer->smooths[k] && label_smoothing != NULL) loss.params = label_smoothing;
    return loss;
}

int64_t fm_heads_rows(const fm_trainer *trainer, const fm_walk *walk, const double *label_smoothing) {
    const int64_t first = walk->run.first_row;
    int64_t wrong_label = 0;
    if (walk->row_begin >= walk->row_end) return 0;
    for (int k = 0; k < walk->net->ends.n_outputs; k++) {
        const fm_operands *at = output(walk, k);
        const fm_loss_spec loss = loss_of(trainer, k, label_smoothing);
        if (loss.kind == OF_THE_CALLER) continue;
        const fm_loss_batch batch = {
            .loss = &loss,
            .dtype = walk->net->dtype,
            .rows = walk->batch_rows,
            .n = at->op->node.fan_out,
            .scores = at->y,
            .targets = &own(walk)->targets[k],
            .scale = scale_of(walk, k),
            .row_value = walk->workspace->head[k].row_value,
            .gradient = at->delta,
            .first = first,
        };
        fm_loss_range(&batch, walk->run.kernels, first + walk->row_begin, first + walk->row_end, &wrong_label);
    }
    return wrong_label;
}

static int is_of_the_caller(const fm_trainer *trainer, int k) { return trainer->heads[k].loss.kind == OF_THE_CALLER; }

/* One call for all outputs whose loss is the caller's. */
static fm_custom_loss_call call_for(const fm_trainer *trainer, const fm_walk *walk, const int64_t *order,
                                    int64_t first) {
    fm_custom_loss_call call = {.rows = walk->run.rows, .first = first, .order = order == NULL ? NULL : order + first};
    for (int k = 0; k < walk->net->ends.n_outputs; k++) {
        if (!is_of_the_caller(trainer, k)) continue;
        call.scores[k] = output(walk, k)->y;
        call.gradient[k] = output(walk, k)->delta;
    }
    return call;
}

static void ask_caller(const fm_trainer *trainer, const fm_walk *walk, const int64_t *order, int64_t first) {
    fm_custom_loss_call call = call_for(trainer, walk, order, first);
    const double start = fm_seconds();
    if (trainer->custom(trainer->custom_context, &call)) atomic_store(walk->run.stop, 1);
    *walk->run.outside += fm_seconds() - start;
    for (int k = 0; k < walk->net->ends.n_outputs; k++) {
        const int64_t width = output(walk, k)->op->node.fan_out;
        if (!is_of_the_caller(trainer, k)) continue;
        fm_head_space *space = &walk->workspace->head[k];
        space->custom_loss = trainer->heads[k].weight * call.value[k];
        space->is_finite = fm_all_finite(walk->net->dtype, walk->run.rows * width, call.gradient[k]);
    }
}

void fm_heads_custom(const fm_trainer *trainer, const fm_walk *walk, const int64_t *order, int64_t first) {
    fm_barrier(walk->worker);
    if (walk->worker->index == 0 && !fm_stopped(&walk->run)) ask_caller(trainer, walk, order, first);
    fm_barrier(walk->worker);
}

int fm_heads_gradients_are_finite(const fm_trainer *trainer, const fm_walk *walk) {
    for (int k = 0; k < walk->net->ends.n_outputs && trainer->has_custom; k++)
        if (is_of_the_caller(trainer, k) && !walk->workspace->head[k].is_finite) return 0;
    return 1;
}

/* The loss of an output that is not the caller's. */
static double total_of(const fm_trainer *trainer, const fm_walk *walk, int k, const fm_kernels *f64) {
    const fm_loss_spec *loss = &trainer->heads[k].loss;
    const int is_first = k == 0 && walk->worker->index == 0;
    const double *row_value = walk->workspace->head[k].row_value;
    double *sum = own(walk)->sum;
    for (int64_t i = 0; i < fm_loss_fold(loss); i++)
        sum[i] = fm_loss_sum(&walk->run.shards, f64, row_value + i * walk->batch_rows);
    fm_ranks_sum_alone(walk, sum, fm_loss_fold(loss));
    return fm_loss_total(loss, scale_of(walk, k), sum, is_first ? walk->workspace->members : NULL);
}

fm_head_losses fm_heads_total(const fm_trainer *trainer, const fm_walk *walk, const fm_kernels *f64) {
    fm_head_losses total = {0.0, 0.0};
    for (int k = 0; k < walk->net->ends.n_outputs; k++) {
        const fm_head_space *space = &walk->workspace->head[k];
        const fm_loss_spec *loss = &trainer->heads[k].loss;
        const double value = loss->kind == OF_THE_CALLER ? space->custom_loss : total_of(trainer, walk, k, f64);
        if (loss->mean) total.mean += value;
        else total.sum += value;
    }
    return total;
}

int fm_heads_take_fold(const fm_trainer *trainer, const fm_epoch *epoch) {
    const fm_ends *ends = &trainer->net->ends;
    if (epoch->fold <= 1) return epoch->fold >= 0;
    for (int k = 0; k < ends->n_outputs; k++)
        if (fm_loss_fold(&trainer->heads[k].loss) != epoch->fold) return 0;
    for (int k = 0; k < ends->n_inputs; k++)
        if (ends->width[k] % epoch->fold != 0) return 0;
    return epoch->order != NULL && epoch->sparse.start == NULL;
}

void fm_heads_account(const fm_trainer *trainer, const fm_walk *walk, double part, double *members) {
    const fm_loss_spec *loss = &trainer->heads[0].loss;
    for (int64_t i = 0; i < fm_loss_fold(loss); i++) {
        const double value = walk->workspace->members[i];
        members[i] += loss->mean ? (value - members[i]) * part : value;
    }
}
