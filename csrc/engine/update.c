#include "engine/update.h"

#include <string.h>

#include "engine/groups.h"

static void *element(const fm_net *net, void *base, int64_t at) {
    return base == NULL ? NULL : (char *)base + at * (int64_t)net->size;
}

fm_step_state fm_step_state_next(const fm_trainer *trainer, fm_step_state state, double lr) {
    state.t++;
    state.lr = lr;
    state.weight_decay = trainer->optimizer.hyper[trainer->decay];
    state.g_scale = 1.0;
    for (int i = 0; i < 2; i++) state.power[i] *= trainer->optimizer.hyper[i];
    return state;
}

/* Updates parameters that are all in one group. */
static void update_part(const fm_trainer *trainer, const fm_kernels *kernels, const fm_step_state *state,
                        const fm_group *group, int64_t begin, int64_t end) {
    const fm_net *net = trainer->net;
    fm_update_rows call = {
        .kind = trainer->optimizer.kind,
        .n = end - begin,
        .w = element(net, net->params, begin),
        .g = element(net, net->grads, begin),
        .lr = group->lr * state->lr,
        .power = {state->power[0], state->power[1]},
        .t = state->t,
        .g_scale = state->g_scale,
    };
    for (int i = 0; i < FM_SLOTS; i++) call.slot[i] = element(net, trainer->slot[i], begin);
    memcpy(call.hyper, trainer->optimizer.hyper, sizeof call.hyper);
    const double decay = group->weight_decay * state->weight_decay;
    /* storing the same value would delay the kernel's first load by some nanoseconds */
    if (decay != trainer->optimizer.hyper[trainer->decay]) call.hyper[trainer->decay] = decay;
    kernels->update(&call);
}

void fm_update_range(const fm_trainer *trainer, const fm_kernels *kernels, const fm_step_state *state, int64_t begin,
                     int64_t end) {
    for (const fm_group *group = fm_group_of(trainer, begin); begin < end; group++) {
        const int64_t stop = group->end < end ? group->end : end;
        if (group->lr != 0.0) update_part(trainer, kernels, state, group, begin, stop);
        begin = stop;
    }
}

void fm_penalty_gradient_range(const fm_trainer *trainer, const fm_kernels *kernels, double factor, int64_t begin,
                               int64_t end) {
    const fm_net *net = trainer->net;
    for (int i = 0; i < trainer->optimizer.n_penalties; i++) {
        const fm_penalty *penalty = &trainer->penalties[i];
        kernels->penalty_gradient(penalty->p, factor * penalty->lam, end - begin, element(net, net->params, begin),
                                  element(net, net->grads, begin));
    }
}

static double penalty_of(const fm_trainer *trainer, const fm_kernels *kernels, int64_t at, int64_t n) {
    const fm_net *net = trainer->net;
    double sum = 0.0;
    for (int i = 0; i < trainer->optimizer.n_penalties; i++) {
        const fm_penalty *penalty = &trainer->penalties[i];
        sum += penalty->lam * kernels->penalty(penalty->p, n, element(net, net->params, at));
    }
    return sum;
}

/* Frozen parameters have no gradient, so they are left out. */
static double squares_of(const fm_trainer *trainer, const fm_kernels *kernels, int64_t at, int64_t n) {
    const int64_t end = at + n;
    double sum = 0.0;
    for (const fm_group *group = fm_group_of(trainer, at); at < end; group++) {
        const int64_t stop = group->end < end ? group->end : end;
        if (group->lr != 0.0) sum += kernels->sum_squares(stop - at, element(trainer->net, trainer->net->grads, at));
        at = stop;
    }
    return sum;
}

typedef double (*sum_of)(const fm_trainer *, const fm_kernels *, int64_t at, int64_t n);

static int64_t chunks_of(int64_t n) { return (n + FM_SUM_CHUNK - 1) / FM_SUM_CHUNK; }

/* Sums of chunks of `n` parameters from `at` on; `first` is the number of the first chunk. Worker i of n fills
   chunks i, i + n, i + 2n, ... */
typedef struct {
    const fm_trainer *trainer;
    const fm_kernels *kernels;
    const fm_worker *self;
    sum_of sum;
    double *chunk_sum;
} chunk_job;

static int64_t sum_chunks(const chunk_job *job, int64_t at, int64_t n, int64_t first) {
    for (int64_t c = job->self->index; c < chunks_of(n); c += job->self->count) {
        const int64_t begin = c * FM_SUM_CHUNK, left = n - begin;
        job->chunk_sum[first + c] =
            job->sum(job->trainer, job->kernels, at + begin, left < FM_SUM_CHUNK ? left : FM_SUM_CHUNK);
    }
    return chunks_of(n);
}

int fm_takes_penalties(const fm_array *array) { return array->role == FM_WEIGHT || array->role == FM_TABLE; }

int64_t fm_penalty_chunks(const fm_trainer *trainer, const fm_kernels *kernels, const fm_worker *self,
                          double *chunk_sum) {
    const chunk_job job = {trainer, kernels, self, penalty_of, chunk_sum};
    int64_t count = 0;
    if (trainer->optimizer.n_penalties == 0) return 0;
    for (int i = 0; i < trainer->net->n_arrays; i++) {
        const fm_array *array = &trainer->net->arrays[i];
        if (fm_takes_penalties(array)) count += sum_chunks(&job, array->at, array->rows * array->cols, count);
    }
    return count;
}

int64_t fm_penalty_chunk_count(const fm_trainer *trainer) {
    int64_t count = 0;
    for (int i = 0; i < trainer->net->n_arrays && trainer->optimizer.n_penalties > 0; i++) {
        const fm_array *array = &trainer->net->arrays[i];
        if (fm_takes_penalties(array)) count += chunks_of(array->rows * array->cols);
    }
    return count;
}

int64_t fm_square_chunks(const fm_trainer *trainer, const fm_kernels *kernels, const fm_worker *self,
                         double *chunk_sum) {
    const chunk_job job = {trainer, kernels, self, squares_of, chunk_sum};
    return sum_chunks(&job, 0, trainer->net->n_params, 0);
}

double fm_chunks_total(const double *chunk_sum, int64_t count) {
    double total = 0.0;
    for (int64_t i = 0; i < count; i++) total += chunk_sum[i];
    return total;
}

/* PyTorch's clip_grad_norm_: limits the norm; 1e-6 avoids a division by zero. */
double fm_clip_scale(double norm, double clip_norm) {
    const double scale = clip_norm / (norm + 1e-6);
    return scale < 1.0 ? scale : 1.0;
}
