/* Backward: the upstream gradient down through the stages, then the weight gradients. */
#include <string.h>

#include "base/arithmetic.h"
#include "engine/nodes.h"

/* What the stage's activation left for its local gradient. */
static char *saved_of(const fm_exec *e, int i) {
    return e->net->stages[i].stores_slope ? e->plan->slope[i] : e->plan->value[i];
}

/* delta[i], this thread's rows: from dL/d(value) to dL/d(linear output), or dL/d(input) of a stage of equal width. */
static void local_gradient(const fm_exec *e, int i) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t width = s->fan_out, first = e->row_begin * width, m = e->row_end - e->row_begin;
    const void *delta = fm_at(e, e->plan->delta[i], first);
    void *local = fm_at(e, e->plan->local[i], first);
    int64_t begin, end;
    if (!fm_exec_columns(e, s, width, &begin, &end)) return;
    if (s->activation >= 0)
        e->kernels->backprop(s->activation, s->act_params, m, end - begin, fm_at(e, saved_of(e, i), first + begin),
                             width, fm_at(e, delta, begin), width, fm_at(e, local, begin), width);
    else if (s->op == FM_OP_SOFTMAX)
        e->kernels->softmax_backward(m, width, fm_at(e, e->plan->value[i], first), delta, local);
    else if (e->training) { /* dropout; without training it passes everything */
        const fm_rng rng = fm_rng_make(e->net->seed, s->stream, e->step);
        e->kernels->dropout(&rng, e->drop_factor * s->drop, first, m * width, delta, local);
    } else if (local != delta) {
        memcpy(local, delta, (size_t)(m * width) * e->net->size);
    }
}

/* Where the gradient of a source goes: the stage's delta, or dx, which may be NULL for an input. */
void *fm_gradient_of(const fm_exec *e, int source, void *const *dx) {
    if (source >= 0) return e->plan->delta[source];
    return dx == NULL ? NULL : dx[-1 - source];
}

static int has_local_gradient(const fm_stage *s) {
    return s->activation >= 0 || s->op == FM_OP_SOFTMAX || s->op == FM_OP_DROPOUT;
}

static void wait_for_columns(const fm_exec *e) {
    if (e->cut == FM_CUT_COLUMNS) fm_barrier(e->worker);
}

/* This thread's rows, columns begin .. end: `to` takes (or adds) what reaches operand `side` of stage i. */
static void send_share(const fm_exec *e, int i, int side, fm_join kind, int64_t begin, int64_t end, int64_t at,
                       int64_t width, void *to) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t first = e->row_begin;
    const int plain = kind == FM_JOIN_ADD;
    const void *dy = has_local_gradient(s) ? e->plan->local[i] : e->plan->delta[i];
    const fm_join_back call = {
        .kind = kind,
        .side = side,
        .add = s->adds[side],
        .m = e->row_end - first,
        .n = end - begin,
        .a = plain ? NULL : fm_at(e, fm_source_value(e, s->source[0]), first * width + begin),
        .b = plain ? NULL : fm_at(e, fm_source_value(e, s->source[1]), first * width + begin),
        .dy = fm_at(e, dy, first * s->fan_out + at + begin),
        .ldy = s->fan_out,
        .dx = fm_at(e, to, first * width + begin),
        .ldx = width,
    };
    e->kernels->join_gradient(&call);
}

/* To one source of a stage that has several, or of one whose delta is its own: columns from `at` on of the stage's. */
static void send_down(const fm_exec *e, int i, int side, fm_join kind, int64_t at, void *const *dx) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t width = fm_source_width(e->net, s->source[side]);
    void *to = fm_gradient_of(e, s->source[side], dx);
    int64_t begin = 0, end = width;
    if (to == NULL || e->row_begin == e->row_end) return;
    if (e->cut == FM_CUT_COLUMNS) fm_share(e->worker, width, e->kernels->lanes, &begin, &end);
    if (begin < end) send_share(e, i, side, kind, begin, end, at, width, to);
}

static void down_through_maxout(const fm_exec *e, int i, void *const *dx) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t first = e->row_begin;
    void *to = fm_gradient_of(e, s->source[0], dx);
    int64_t begin, end;
    if (to == NULL || !fm_exec_columns(e, s, s->fan_out, &begin, &end)) return;
    e->kernels->maxout_gradient(e->row_end - first, end - begin, s->fan_in / s->fan_out, s->fan_out,
                                fm_at(e, fm_source_value(e, s->source[0]), first * s->fan_in + begin), s->fan_in,
                                fm_at(e, e->plan->delta[i], first * s->fan_out + begin), s->fan_out,
                                fm_at(e, to, first * s->fan_in + begin), s->adds[0]);
}

/* dL/d(input of Linear stage i) = delta[i] W^T, stored in `to` or added to it. */
static void product_down(const fm_exec *e, int i, void *to) {
    const fm_stage *s = &e->net->stages[i], *below = s->source[0] < 0 ? NULL : &e->net->stages[s->source[0]];
    /* Threads that do not wait for one another keep to their own rows of the shared space, whatever the stage's width. */
    void *out =
        s->adds[0] ? fm_at(e, e->plan->sum, e->row_begin * e->net->widest) : fm_at(e, to, e->row_begin * s->fan_in);
    const int fused = below != NULL && below->ends_in_product;
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
        .c = fm_at(e, out, begin),
        .ldc = s->fan_in,
        .finish = fused ? FM_FINISH_BACKPROP : FM_FINISH_STORE,
        .activation = fused ? below->activation : -1,
        .act_params = fused ? below->act_params : NULL,
        .aux = fused ? fm_at(e, saved_of(e, s->source[0]), first * s->fan_in + begin) : NULL,
        .ldaux = s->fan_in,
    };
    fm_multiply(&space, product);
    if (!s->adds[0] || end <= begin || product.m == 0) return;
    to = fm_at(e, to, first * s->fan_in + begin);
    e->kernels->join(FM_JOIN_ADD, product.m, product.n, to, s->fan_in, product.c, s->fan_in, to, s->fan_in);
}

static void down_through_linear(const fm_exec *e, int i, void *const *dx) {
    const fm_stage *s = &e->net->stages[i];
    void *to = fm_gradient_of(e, s->source[0], dx);
    if (to != NULL) product_down(e, i, to);
    if (s->n_sources > 1) send_down(e, i, 1, FM_JOIN_ADD, 0, dx);
}

/* From delta[i], which is whole, to the sources. */
static void down_through(const fm_exec *e, int i, void *const *dx) {
    const fm_stage *s = &e->net->stages[i];
    int64_t at = 0;
    switch (s->op) {
        case FM_OP_LINEAR: down_through_linear(e, i, dx); break;
        case FM_OP_ACTIVATION:
        case FM_OP_SOFTMAX:
        case FM_OP_DROPOUT:
            if (!s->in_place) send_down(e, i, 0, FM_JOIN_ADD, 0, dx);
            break;
        case FM_OP_MAXOUT: down_through_maxout(e, i, dx); break;
        case FM_OP_ADD:
        case FM_OP_MULTIPLY:
        case FM_OP_MAXIMUM:
            for (int k = 0; k < 2; k++) send_down(e, i, k, fm_join_of(s->op), 0, dx);
            break;
        case FM_OP_CONCAT:
            for (int k = 0; k < s->n_sources; k++) {
                send_down(e, i, k, FM_JOIN_ADD, at, dx);
                at += fm_source_width(e->net, s->source[k]);
            }
            break;
        default: fm_node_down(e, i, dx);
    }
}

void fm_backward_stages(const fm_exec *e, void *const *dx) {
    const fm_net *net = e->net;
    for (int i = net->n_stages - 1; i >= 0; i--) {
        const fm_stage *s = &net->stages[i];
        fm_between_stages(e);
        if (has_local_gradient(s) && !s->ends_in_product) {
            if (!fm_stopped(e)) local_gradient(e, i);
            wait_for_columns(e);
        }
        if (fm_is_collective(e, s)) {
            fm_barrier(e->worker);
            if (!fm_stopped(e)) fm_collect_backward(e, i, dx);
            fm_barrier(e->worker);
        }
        if (!fm_stopped(e)) down_through(e, i, dx);
        wait_for_columns(e);
    }
}

void fm_backward_weights(const fm_exec *e, int i, int64_t begin, int64_t end, int add, int may_stop) {
    const fm_stage *s = &e->net->stages[i];
    const int me = e->worker->index;
    const fm_product space = {e->kernels, e->net->size, e->plan->pack[me], may_stop ? e : NULL};
    fm_weight_gradient(&space, s, e->rows, fm_source_value(e, s->source[0]), e->plan->delta[i], begin, end, add,
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
    const void *const *dy;
    void *const *dx;
} backward_call;

static void backward_task(void *context, fm_worker *self) {
    backward_call *call = context;
    fm_exec e = call->exec;
    const fm_net *net = e.net;
    e.worker = self;
    e.cut = fm_plan_cut(e.rows, self->count);
    fm_exec_share(&e);
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_copy_rows(&e, net->stages[net->output[k]].fan_out, call->dy[k], e.plan->delta[net->output[k]]);
    fm_prepare(&e, 0);
    fm_backward_stages(&e, call->dx);
    fm_barrier(self);
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *s = &net->stages[i];
        int64_t begin, end;
        if (s->n_weights == 0) continue;
        if (s->op != FM_OP_LINEAR) {
            fm_share(self, s->n_weights, e.kernels->lanes, &begin, &end);
            fm_node_gradients(&e, i, begin, end, e.adds_gradients);
            continue;
        }
        fm_share_weights(&e, s, &begin, &end);
        fm_backward_weights(&e, i, begin, end, e.adds_gradients, 0);
        fm_share(self, s->fan_out, e.kernels->lanes, &begin, &end);
        if (s->bias_at >= 0) fm_backward_bias(&e, i, begin, end, e.adds_gradients);
    }
}

fm_status fm_net_backward(fm_net *net, int64_t rows, const void *const *dy, int accumulate, void *const *dx) {
    if (net->saved_rows < 0 || net->saved_rows != rows || !fm_net_can_run(net)) return FM_BAD_ARGUMENT;
    const fm_modes host = fm_enter_arithmetic();
    int threads = fm_plan_threads(net, net->saved_rows, 2.0, 2.0, 1);
    if (threads > net->plan.threads) threads = net->plan.threads;
    _Atomic int stop = 0;
    backward_call call = {{.net = net,
                           .kernels = fm_table(net->dtype),
                           .plan = &net->plan,
                           .rows = net->saved_rows,
                           .training = net->saved_training,
                           .drop_factor = 1.0,
                           .adds_gradients = accumulate,
                           .step = net->saved_step,
                           .stop = &stop},
                          dy,
                          dx};
    fm_use_batch(&call.exec);
    fm_parallel(threads, backward_task, &call);
    net->saved_rows = -1;
    fm_leave_arithmetic(host);
    return atomic_load(&stop) ? FM_INTERRUPTED : FM_OK;
}
