/* Forward: stages over this thread's part of the batch, for predict and for training. */
#include <string.h>

#include "engine/net.h"

void *fm_at(const fm_exec *e, const void *base, int64_t elements) {
    return (char *)base + elements * (int64_t)e->net->size;
}

void fm_exec_share(fm_exec *e) {
    e->row_begin = 0;
    e->row_end = e->rows;
    if (e->cut == FM_CUT_ROWS) fm_share(e->worker, e->rows, e->kernels->tile_rows, &e->row_begin, &e->row_end);
}

/* This thread's columns of a stage's array; false when there is nothing for it to do. Softmax and dropout want whole
   rows, so one thread takes them when the cut is by columns. */
int fm_exec_columns(const fm_exec *e, const fm_stage *stage, int64_t width, int64_t *begin, int64_t *end) {
    const int whole = stage->op == FM_OP_SOFTMAX || stage->op == FM_OP_DROPOUT || stage->dot;
    *begin = 0;
    *end = width;
    if (e->cut == FM_CUT_ROWS) return e->row_end > e->row_begin;
    if (whole) return e->worker->index == 0;
    fm_share(e->worker, width, e->kernels->lanes, begin, end);
    return *end > *begin;
}

static const void *weights(const fm_exec *e, const fm_stage *stage) {
    return fm_at(e, e->net->params, stage->weight_at);
}

static const void *bias(const fm_exec *e, const fm_stage *stage, int64_t column) {
    return stage->bias_at < 0 ? NULL : fm_at(e, e->net->params, stage->bias_at + column);
}

void fm_transpose_weights(const fm_exec *e, int stage, int64_t begin, int64_t end) {
    const fm_stage *s = &e->net->stages[stage];
    if (e->plan->wt[stage] == NULL || begin >= end) return;
    e->kernels->transpose(end - begin, s->fan_out, fm_at(e, weights(e, s), begin * s->fan_out), s->fan_out,
                          fm_at(e, e->plan->wt[stage], begin), s->fan_in);
}

void fm_share_weights(const fm_exec *e, const fm_stage *stage, int64_t *begin, int64_t *end) {
    const int64_t grain = stage->fan_in >= 16 * (int64_t)e->worker->count ? 8 : 1;
    fm_share(e->worker, stage->fan_in, grain, begin, end);
}

void fm_prepare(const fm_exec *e, int only_dot) {
    for (int i = 0; i < e->net->n_stages; i++) {
        const fm_stage *stage = &e->net->stages[i];
        int64_t begin, end;
        if (stage->op != FM_OP_LINEAR || (only_dot && !stage->dot)) continue;
        fm_share_weights(e, stage, &begin, &end);
        fm_transpose_weights(e, i, begin, end);
    }
    fm_barrier(e->worker);
}

static void activate(const fm_exec *e, const fm_stage *s, int64_t m, int64_t begin, int64_t end, const void *z, void *y,
                     void *slope) {
    e->kernels->activate(s->activation, s->act_params, m, end - begin, fm_at(e, z, begin), s->fan_out,
                         fm_at(e, y, begin), s->fan_out, slope == NULL ? NULL : fm_at(e, slope, begin), s->fan_out);
}

static void linear(const fm_exec *e, int i, int64_t m, int64_t begin, int64_t end, const void *x, void *y,
                   void *slope) {
    const fm_stage *s = &e->net->stages[i];
    if (s->dot) {
        e->kernels->dot(m, s->fan_out, s->fan_in, x, s->fan_in, e->plan->wt[i], s->fan_in, y, s->fan_out,
                        bias(e, s, 0));
        if (s->activation >= 0) activate(e, s, m, begin, end, y, y, slope);
        return;
    }
    const fm_product space = {e->kernels, e->net->size, e->plan->pack[e->worker->index], e};
    const void *b = bias(e, s, begin);
    const fm_gemm product = {
        .m = m,
        .n = end - begin,
        .k = s->fan_in,
        .a = x,
        .a_row = s->fan_in,
        .a_step = 1,
        .b = fm_at(e, weights(e, s), begin),
        .b_step = s->fan_out,
        .c = fm_at(e, y, begin),
        .ldc = s->fan_out,
        .bias = b,
        .start = b == NULL ? FM_START_ZERO : FM_START_BIAS,
        .finish = s->activation < 0 ? FM_FINISH_STORE : FM_FINISH_ACTIVATE,
        .activation = s->activation,
        .act_params = s->act_params,
        .aux = slope == NULL ? NULL : fm_at(e, slope, begin),
        .ldaux = s->fan_out,
    };
    fm_multiply(&space, product);
}

static void dropout(const fm_exec *e, const fm_stage *s, int64_t first_row, int64_t m, const void *x, void *y) {
    const fm_rng rng = fm_rng_make(e->net->seed, s->stream, e->step);
    if (e->training) e->kernels->dropout(&rng, s->drop, first_row * s->fan_out, m * s->fan_out, x, y);
    else memcpy(y, x, (size_t)(m * s->fan_out) * e->net->size);
}

/* m rows of stage i from x to y; first_row is their place in the batch, which numbers dropout's elements. */
static void run_stage(const fm_exec *e, int i, int64_t first_row, int64_t m, const void *x, void *y, void *slope) {
    const fm_stage *s = &e->net->stages[i];
    int64_t begin, end;
    if (!fm_exec_columns(e, s, s->fan_out, &begin, &end)) return;
    switch (s->op) {
        case FM_OP_LINEAR: linear(e, i, m, begin, end, x, y, slope); break;
        case FM_OP_ACTIVATION: activate(e, s, m, begin, end, x, y, slope); break;
        case FM_OP_SOFTMAX: e->kernels->softmax(m, s->fan_out, x, s->fan_out, y, s->fan_out); break;
        case FM_OP_DROPOUT: dropout(e, s, first_row, m, x, y); break;
    }
}

const void *fm_stage_input(const fm_exec *e, int stage) { return stage == 0 ? e->input : e->plan->value[stage - 1]; }

static void wait_for_columns(const fm_exec *e) {
    if (e->cut == FM_CUT_COLUMNS) fm_barrier(e->worker);
}

void fm_forward_stages(const fm_exec *e) {
    const int64_t first = e->row_begin, m = e->row_end - e->row_begin;
    for (int i = 0; i < e->net->n_stages; i++) {
        const fm_stage *s = &e->net->stages[i];
        char *slope = e->plan->slope[i];
        fm_between_stages(e);
        if (!fm_stopped(e))
            run_stage(e, i, first, m, fm_at(e, fm_stage_input(e, i), first * s->fan_in),
                      fm_at(e, e->plan->value[i], first * s->fan_out),
                      slope == NULL ? NULL : fm_at(e, slope, first * s->fan_out));
        wait_for_columns(e);
    }
}

/* ---- by hand: forward with everything kept ---- */

typedef struct {
    fm_exec exec;
    const void *x;
    void *y;
} forward_call;

static void forward_task(void *context, fm_worker *self) {
    forward_call *call = context;
    fm_exec e = call->exec;
    const fm_net *net = e.net;
    e.worker = self;
    e.cut = fm_plan_cut(e.rows, self->count);
    fm_exec_share(&e);
    const int64_t first = e.row_begin, count = e.row_end - e.row_begin;
    if (e.cut == FM_CUT_ROWS || self->index == 0)
        memcpy(fm_at(&e, e.input, first * net->n_in), fm_at(&e, call->x, first * net->n_in),
               (size_t)(count * net->n_in) * net->size);
    fm_prepare(&e, 1);
    fm_forward_stages(&e);
    if (e.cut == FM_CUT_ROWS || self->index == 0)
        memcpy(fm_at(&e, call->y, first * net->n_out), fm_at(&e, e.plan->value[net->n_stages - 1], first * net->n_out),
               (size_t)(count * net->n_out) * net->size);
}

fm_status fm_net_forward(fm_net *net, int64_t rows, const void *x, int training, void *y) {
    const int threads = fm_plan_threads(net, rows, 1.0, 1.0, 1),
              backward_threads = fm_plan_threads(net, rows, 2.0, 2.0, 1);
    const int most = threads > backward_threads ? threads : backward_threads;
    if (fm_plan_reserve(&net->plan, net, FM_PLAN_FORWARD, rows, most) != FM_OK) return FM_NO_MEMORY;
    forward_call call = {{.net = net,
                          .kernels = fm_table(net->dtype),
                          .plan = &net->plan,
                          .input = net->plan.batch,
                          .rows = rows,
                          .training = training,
                          .step = net->step},
                         x,
                         y};
    fm_parallel(threads, forward_task, &call);
    net->saved_rows = rows;
    net->saved_training = training;
    net->saved_step = net->step;
    if (training) net->step++;
    return FM_OK;
}

/* ---- predict: nothing kept ---- */

typedef struct {
    fm_net *net;
    const fm_kernels *kernels;
    fm_plan *plan;
    int64_t rows, block;
    const void *x;
    void *y;
    fm_poll poll;
    void *poll_context;
    _Atomic int stop;
} predict_call;

/* The last stage that does anything in prediction; -1 when none does. */
static int last_active(const fm_net *net) {
    int i = net->n_stages - 1;
    while (i >= 0 && net->stages[i].op == FM_OP_DROPOUT) i--;
    return i;
}

static void predict_rows(const fm_exec *e, int64_t rows, const void *x, void *y) {
    const fm_net *net = e->net;
    const int last = last_active(net), owner = e->cut == FM_CUT_ROWS ? e->worker->index : 0;
    char *const *buffer = &e->plan->value[2 * owner];
    if (last < 0) memcpy(y, x, (size_t)(rows * net->n_in) * net->size);
    for (int i = 0, turn = 0; i <= last; i++) {
        if (net->stages[i].op == FM_OP_DROPOUT) continue;
        void *out = i == last ? y : buffer[turn];
        run_stage(e, i, 0, rows, x, out, NULL);
        wait_for_columns(e);
        x = out;
        turn = !turn;
    }
}

/* Blocks take milliseconds at most, so the calling thread asks after each but the last. */
static void ask_to_go_on(predict_call *call, const fm_exec *e, int64_t next_row) {
    if (call->poll == NULL || e->worker->index != 0 || next_row >= e->row_end) return;
    if (call->poll(call->poll_context)) atomic_store(&call->stop, 1);
}

static void predict_task(void *context, fm_worker *self) {
    predict_call *call = context;
    fm_exec e = {.net = call->net,
                 .kernels = call->kernels,
                 .plan = call->plan,
                 .worker = self,
                 .rows = call->rows,
                 .cut = fm_plan_cut(call->rows, self->count)};
    fm_exec_share(&e);
    fm_prepare(&e, 1);
    for (int64_t row = e.row_begin; row < e.row_end && !atomic_load(&call->stop); row += call->block) {
        int64_t rows = e.row_end - row < call->block ? e.row_end - row : call->block;
        predict_rows(&e, rows, fm_at(&e, call->x, row * e.net->n_in), fm_at(&e, call->y, row * e.net->n_out));
        ask_to_go_on(call, &e, row + call->block);
    }
}

static fm_status predict_or_reserve(fm_net *net, int64_t rows, const void *x, void *y, fm_poll poll, void *context) {
    const int threads = fm_plan_threads(net, rows, 1.0, 1.0, 1);
    const int64_t most = fm_plan_predict_rows(net), block = rows < most ? rows : most;
    fm_plan plan = {0};
    const int taken = atomic_flag_test_and_set(&net->idle_taken);
    if (!taken) plan = net->idle_plan;
    fm_status status = fm_plan_reserve(&plan, net, FM_PLAN_PREDICT, block, threads);
    if (status == FM_OK) {
        predict_call call = {net, fm_table(net->dtype), &plan, rows, block, x, y, poll, context, 0};
        if (y != NULL && rows > 0) fm_parallel(threads, predict_task, &call);
        if (atomic_load(&call.stop)) status = FM_INTERRUPTED;
    }
    if (taken) {
        fm_plan_release(&plan);
    } else {
        net->idle_plan = plan;
        atomic_flag_clear(&net->idle_taken);
    }
    return status;
}

fm_status fm_net_predict(fm_net *net, int64_t rows, const void *x, void *y, fm_poll poll, void *context) {
    return predict_or_reserve(net, rows, x, y, poll, context);
}

fm_status fm_net_reserve(fm_net *net, int64_t rows) { return predict_or_reserve(net, rows, NULL, NULL, NULL, NULL); }
