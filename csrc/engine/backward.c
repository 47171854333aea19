/* Backward: the upstream gradient down through the stages, then the weight gradients. */
#include <string.h>

#include "engine/net.h"

/* What the stage's activation left for its local gradient. */
static char *saved_of(const fm_exec *e, int i) {
    return e->net->stages[i].stores_slope ? e->plan->slope[i] : e->plan->value[i];
}

/* delta[i], this thread's rows: from dL/d(value) to dL/d(linear output), or dL/d(input) of a stage of equal width. */
static void local_gradient(const fm_exec *e, int i) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t width = s->fan_out, first = e->row_begin * width, m = e->row_end - e->row_begin;
    void *delta = fm_at(e, e->plan->delta[i], first);
    int64_t begin, end;
    if (!fm_exec_columns(e, s, width, &begin, &end)) return;
    if (s->activation >= 0)
        e->kernels->backprop(s->activation, s->act_params, m, end - begin, fm_at(e, saved_of(e, i), first + begin),
                             width, fm_at(e, delta, begin), width, fm_at(e, delta, begin), width);
    else if (s->op == FM_OP_SOFTMAX)
        e->kernels->softmax_backward(m, width, fm_at(e, e->plan->value[i], first), delta, delta);
    else if (s->op == FM_OP_DROPOUT && e->training) {
        const fm_rng rng = fm_rng_make(e->net->seed, s->stream, e->step);
        e->kernels->dropout(&rng, s->drop, first, m * width, delta, delta);
    }
}

/* Whether the product that makes delta[i] can end with stage i's own local gradient. */
static int ends_in_product(const fm_stage *s) { return s->activation >= 0; }

/* dL/d(input of Linear stage i) = delta[i] W^T, for the stage below or as dx. */
static void down_through_linear(const fm_exec *e, int i, void *dx) {
    const fm_stage *s = &e->net->stages[i], *below = i > 0 ? s - 1 : NULL;
    void *out = i > 0 ? e->plan->delta[i - 1] : dx;
    const int fused = below != NULL && ends_in_product(below);
    const int64_t first = e->row_begin;
    const fm_product space = {e->kernels, e->net->size, e->plan->pack[e->worker->index], e};
    int64_t begin = 0, end = s->fan_in;
    if (e->cut == FM_CUT_COLUMNS) fm_share(e->worker, s->fan_in, e->kernels->lanes, &begin, &end);
    const fm_gemm product = {
        .m = e->row_end - first,
        .n = end - begin,
        .k = s->fan_out,
        .a = fm_at(e, e->plan->delta[i], first * s->fan_out),
        .a_row = s->fan_out,
        .a_step = 1,
        .b = fm_at(e, e->plan->wt[i], begin),
        .b_step = s->fan_in,
        .c = fm_at(e, out, first * s->fan_in + begin),
        .ldc = s->fan_in,
        .finish = fused ? FM_FINISH_BACKPROP : FM_FINISH_STORE,
        .activation = fused ? below->activation : -1,
        .act_params = fused ? below->act_params : NULL,
        .aux = fused ? fm_at(e, saved_of(e, i - 1), first * s->fan_in + begin) : NULL,
        .ldaux = s->fan_in,
    };
    fm_multiply(&space, product);
}

static void wait_for_columns(const fm_exec *e) {
    if (e->cut == FM_CUT_COLUMNS) fm_barrier(e->worker);
}

/* A first stage without weights works in place on its delta; dx is a copy of it. */
static void copy_to_dx(const fm_exec *e, void *dx) {
    const int64_t width = e->net->n_in, count = (e->row_end - e->row_begin) * width;
    if (e->cut == FM_CUT_COLUMNS && e->worker->index != 0) return;
    memcpy(fm_at(e, dx, e->row_begin * width), fm_at(e, e->plan->delta[0], e->row_begin * width),
           (size_t)count * e->net->size);
}

void fm_backward_stages(const fm_exec *e, void *dx) {
    const fm_net *net = e->net;
    int made_by_product = 0;
    for (int i = net->n_stages - 1; i >= 0; i--) {
        const fm_stage *s = &net->stages[i];
        fm_between_stages(e);
        if (!made_by_product) {
            if (!fm_stopped(e)) local_gradient(e, i);
            wait_for_columns(e);
        }
        made_by_product = 0;
        if (s->op == FM_OP_LINEAR && (i > 0 || dx != NULL)) {
            if (!fm_stopped(e)) down_through_linear(e, i, dx);
            wait_for_columns(e);
            made_by_product = i > 0 && ends_in_product(&net->stages[i - 1]);
        }
    }
    if (dx != NULL && net->stages[0].op != FM_OP_LINEAR) copy_to_dx(e, dx);
}

void fm_backward_weights(const fm_exec *e, int i, int64_t begin, int64_t end, int add, int may_stop) {
    const fm_stage *s = &e->net->stages[i];
    const int me = e->worker->index;
    const fm_product space = {e->kernels, e->net->size, e->plan->pack[me], may_stop ? e : NULL};
    fm_weight_gradient(&space, s, e->rows, fm_stage_input(e, i), e->plan->delta[i], begin, end, add,
                       e->plan->turned[me], fm_at(e, e->net->grads, s->weight_at));
}

void fm_backward_bias(const fm_exec *e, int i, int64_t begin, int64_t end, int add) {
    const fm_stage *s = &e->net->stages[i];
    e->kernels->column_sums(e->rows, end - begin, fm_at(e, e->plan->delta[i], begin), s->fan_out,
                            fm_at(e, e->net->grads, s->bias_at + begin), add);
}

/* ---- by hand ---- */

typedef struct {
    fm_exec exec;
    const void *dy;
    void *dx;
    int add;
} backward_call;

static void backward_task(void *context, fm_worker *self) {
    backward_call *call = context;
    fm_exec e = call->exec;
    const fm_net *net = e.net;
    e.worker = self;
    e.cut = fm_plan_cut(e.rows, self->count);
    fm_exec_share(&e);
    if (e.cut == FM_CUT_ROWS || self->index == 0)
        memcpy(fm_at(&e, e.plan->delta[net->n_stages - 1], e.row_begin * net->n_out),
               fm_at(&e, call->dy, e.row_begin * net->n_out),
               (size_t)((e.row_end - e.row_begin) * net->n_out) * net->size);
    fm_prepare(&e, 0);
    fm_backward_stages(&e, call->dx);
    fm_barrier(self);
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *s = &net->stages[i];
        int64_t begin, end;
        if (s->op != FM_OP_LINEAR) continue;
        fm_share_weights(&e, s, &begin, &end);
        fm_backward_weights(&e, i, begin, end, call->add, 0);
        fm_share(self, s->fan_out, e.kernels->lanes, &begin, &end);
        if (s->bias_at >= 0) fm_backward_bias(&e, i, begin, end, call->add);
    }
}

fm_status fm_net_backward(fm_net *net, int64_t rows, const void *dy, int accumulate, void *dx) {
    if (net->saved_rows < 0 || net->saved_rows != rows) return FM_BAD_ARGUMENT;
    int threads = fm_plan_threads(net, net->saved_rows, 2.0, 2.0, 1);
    if (threads > net->plan.threads) threads = net->plan.threads;
    backward_call call = {{.net = net,
                           .kernels = fm_table(net->dtype),
                           .plan = &net->plan,
                           .input = net->plan.batch,
                           .rows = net->saved_rows,
                           .training = net->saved_training,
                           .step = net->saved_step},
                          dy,
                          dx,
                          accumulate};
    fm_parallel(threads, backward_task, &call);
    net->saved_rows = -1;
    return FM_OK;
}
