/* Optimizer updates, penalties and the gradient's norm, over ranges of the flat parameter array. */
#include <math.h>
#include <string.h>

#include "engine/groups.h"

static void *element(const fm_net *net, void *base, int64_t at) {
    return base == NULL ? NULL : (char *)base + at * (int64_t)net->size;
}

fm_clock fm_clock_next(const fm_trainer *trainer, fm_clock clock, double lr) {
    clock.t++;
    clock.lr = lr;
    clock.weight_decay = trainer->optimizer.hyper[trainer->decay];
    clock.g_scale = 1.0;
    for (int i = 0; i < 2; i++) clock.power[i] *= trainer->optimizer.hyper[i];
    return clock;
}

/* Of parameters that are all in one group. */
static void update_part(const fm_trainer *trainer, const fm_clock *clock, const fm_group *group, int64_t begin,
                        int64_t end) {
    const fm_net *net = trainer->net;
    fm_update_rows call = {
        .kind = trainer->optimizer.kind,
        .n = end - begin,
        .w = element(net, net->params, begin),
        .g = element(net, net->grads, begin),
        .lr = group->lr * clock->lr,
        .power = {clock->power[0], clock->power[1]},
        .t = clock->t,
        .g_scale = clock->g_scale,
    };
    for (int i = 0; i < FM_SLOTS; i++) call.slot[i] = element(net, trainer->slot[i], begin);
    memcpy(call.hyper, trainer->optimizer.hyper, sizeof call.hyper);
    call.hyper[trainer->decay] = group->weight_decay * clock->weight_decay;
    fm_table(net->dtype)->update(&call);
}

void fm_update_range(const fm_trainer *trainer, const fm_clock *clock, int64_t begin, int64_t end) {
    for (const fm_group *group = fm_group_of(trainer, begin); begin < end; group++) {
        const int64_t stop = group->end < end ? group->end : end;
        if (group->lr != 0.0) update_part(trainer, clock, group, begin, stop);
        begin = stop;
    }
}

void fm_penalty_gradient_range(const fm_trainer *trainer, double factor, int64_t begin, int64_t end) {
    const fm_net *net = trainer->net;
    for (int i = 0; i < trainer->optimizer.n_penalties; i++) {
        const fm_penalty *penalty = &trainer->penalties[i];
        fm_table(net->dtype)
            ->penalty_gradient(penalty->p, factor * penalty->lam, end - begin, element(net, net->params, begin),
                               element(net, net->grads, begin));
    }
}

static double penalty_of(const fm_trainer *trainer, int64_t at, int64_t n) {
    const fm_net *net = trainer->net;
    double sum = 0.0;
    for (int i = 0; i < trainer->optimizer.n_penalties; i++) {
        const fm_penalty *penalty = &trainer->penalties[i];
        sum += penalty->lam * fm_table(net->dtype)->penalty(penalty->p, n, element(net, net->params, at));
    }
    return sum;
}

/* Frozen parameters have no gradient that could count. */
static double squares_of(const fm_trainer *trainer, int64_t at, int64_t n) {
    const fm_net *net = trainer->net;
    const int64_t end = at + n;
    double sum = 0.0;
    for (const fm_group *group = fm_group_of(trainer, at); at < end; group++) {
        const int64_t stop = group->end < end ? group->end : end;
        if (group->lr != 0.0) sum += fm_table(net->dtype)->sum_squares(stop - at, element(net, net->grads, at));
        at = stop;
    }
    return sum;
}

typedef double (*sum_of)(const fm_trainer *, int64_t at, int64_t n);

/* Chunks of `n` parameters from `at` on, numbered from `first`; this worker fills every count-th. */
static int64_t sum_chunks(const fm_trainer *trainer, const fm_worker *self, sum_of sum, int64_t at, int64_t n,
                          int64_t first, double *chunk_sum) {
    const int64_t chunks = (n + FM_SUM_CHUNK - 1) / FM_SUM_CHUNK;
    for (int64_t c = self->index; c < chunks; c += self->count) {
        const int64_t begin = c * FM_SUM_CHUNK, left = n - begin;
        chunk_sum[first + c] = sum(trainer, at + begin, left < FM_SUM_CHUNK ? left : FM_SUM_CHUNK);
    }
    return chunks;
}

int64_t fm_penalty_chunks(const fm_trainer *trainer, const fm_worker *self, double *chunk_sum) {
    const fm_net *net = trainer->net;
    int64_t count = 0;
    if (trainer->optimizer.n_penalties == 0) return 0;
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *s = &net->stages[i];
        if (s->takes_penalties)
            count += sum_chunks(trainer, self, penalty_of, s->weight_at, s->n_weights, count, chunk_sum);
    }
    return count;
}

int64_t fm_square_chunks(const fm_trainer *trainer, const fm_worker *self, double *chunk_sum) {
    return sum_chunks(trainer, self, squares_of, 0, trainer->net->n_params, 0, chunk_sum);
}

double fm_chunks_total(const double *chunk_sum, int64_t count) {
    double total = 0.0;
    for (int64_t i = 0; i < count; i++) total += chunk_sum[i];
    return total;
}

/* PyTorch's clip_grad_norm_: the norm is capped, with a guard against division by zero. */
double fm_clip_scale(double norm, double clip_norm) {
    const double scale = clip_norm / (norm + 1e-6);
    return scale < 1.0 ? scale : 1.0;
}
