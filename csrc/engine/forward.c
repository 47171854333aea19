/* Forward: stages over this thread's part of the batch, for predict and for training. */
#include <string.h>

#include "base/arithmetic.h"
#include "engine/nodes.h"

void *fm_at(const fm_exec *e, const void *base, int64_t elements) {
    return (char *)base + elements * (int64_t)e->net->size;
}

void fm_exec_share(fm_exec *e) {
    e->row_begin = 0;
    e->row_end = e->rows;
    if (e->cut == FM_CUT_ROWS) fm_share(e->worker, e->rows, e->kernels->tile_rows, &e->row_begin, &e->row_end);
}

static int wants_whole_rows(const fm_stage *s) {
    switch (s->op) {
        case FM_OP_LINEAR: return s->dot;
        case FM_OP_SOFTMAX:
        case FM_OP_DROPOUT:
        case FM_OP_SUM:
        case FM_OP_MATMUL:
        case FM_OP_PARAMETER:
        case FM_OP_LAYER_NORM: return 1;
        default: return 0;
    }
}

/* This thread's columns of a stage's array; false when there is nothing for it to do. Who wants whole rows is for one
   thread when the cut is by columns. */
int fm_exec_columns(const fm_exec *e, const fm_stage *stage, int64_t width, int64_t *begin, int64_t *end) {
    *begin = 0;
    *end = width;
    if (e->cut == FM_CUT_ROWS) return e->row_end > e->row_begin;
    if (wants_whole_rows(stage)) return e->worker->index == 0;
    fm_share(e->worker, width, e->kernels->lanes, begin, end);
    return *end > *begin;
}

int64_t fm_source_width(const fm_net *net, int source) {
    return source < 0 ? net->ends.width[-1 - source] : net->stages[source].fan_out;
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

/* Where a stage's sources lie, from the first row in question on. */
typedef struct {
    const void *at[FM_MOST_SOURCES];
} source_rows;

static void linear(const fm_exec *e, int i, int64_t m, int64_t begin, int64_t end, const source_rows *x, void *y,
                   void *slope) {
    const fm_stage *s = &e->net->stages[i];
    if (s->dot) {
        e->kernels->dot(m, s->fan_out, s->fan_in, x->at[0], s->fan_in, e->plan->wt[i], s->fan_in, y, s->fan_out,
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
        .a = x->at[0],
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
        .residual = s->n_sources < 2 ? NULL : fm_at(e, x->at[1], begin),
        .ldresidual = s->fan_out,
    };
    fm_multiply(&space, product);
}

static void dropout(const fm_exec *e, const fm_stage *s, int64_t first_row, int64_t m, const void *x, void *y) {
    const fm_rng rng = fm_rng_make(e->net->seed, s->stream, e->step);
    if (e->training) e->kernels->dropout(&rng, e->drop_factor * s->drop, first_row * s->fan_out, m * s->fan_out, x, y);
    else memcpy(y, x, (size_t)(m * s->fan_out) * e->net->size);
}

static void join(const fm_exec *e, const fm_stage *s, int64_t m, int64_t begin, int64_t end, const source_rows *x,
                 void *y) {
    const int64_t ld = s->fan_out;
    e->kernels->join(fm_join_of(s->op), m, end - begin, fm_at(e, x->at[0], begin), ld, fm_at(e, x->at[1], begin), ld,
                     fm_at(e, y, begin), ld);
}

/* Columns begin .. end of the sources side by side. */
static void concat(const fm_exec *e, const fm_stage *s, int64_t m, int64_t begin, int64_t end, const source_rows *x,
                   char *y) {
    int64_t at = 0;
    for (int k = 0; k < s->n_sources; k++) {
        const int64_t width = fm_source_width(e->net, s->source[k]);
        const int64_t from = begin > at ? begin : at, to = end < at + width ? end : at + width;
        for (int64_t row = 0; row < m && from < to; row++)
            memcpy(fm_at(e, y, row * s->fan_out + from), fm_at(e, x->at[k], row * width + from - at),
                   (size_t)(to - from) * e->net->size);
        at += width;
    }
}

/* m rows of stage i from x to y; first_row is their place in the batch, which numbers dropout's elements. */
static void run_stage(const fm_exec *e, int i, int64_t first_row, int64_t m, const source_rows *x, void *y,
                      void *slope) {
    const fm_stage *s = &e->net->stages[i];
    int64_t begin, end;
    if (!fm_exec_columns(e, s, s->fan_out, &begin, &end)) return;
    switch (s->op) {
        case FM_OP_LINEAR: linear(e, i, m, begin, end, x, y, slope); break;
        case FM_OP_ACTIVATION: activate(e, s, m, begin, end, x->at[0], y, slope); break;
        case FM_OP_SOFTMAX: e->kernels->softmax(m, s->fan_out, x->at[0], s->fan_out, y, s->fan_out); break;
        case FM_OP_DROPOUT: dropout(e, s, first_row, m, x->at[0], y); break;
        case FM_OP_MAXOUT:
            e->kernels->maxout(m, end - begin, s->fan_in / s->fan_out, s->fan_out, fm_at(e, x->at[0], begin), s->fan_in,
                               fm_at(e, y, begin), s->fan_out);
            break;
        case FM_OP_ADD:
        case FM_OP_MULTIPLY:
        case FM_OP_MAXIMUM: join(e, s, m, begin, end, x, y); break;
        case FM_OP_CONCAT: concat(e, s, m, begin, end, x, y); break;
        default: fm_node_forward(e, i, first_row, m, begin, end, x->at, y, slope);
    }
}

const void *fm_source_value(const fm_exec *e, int source) {
    return source < 0 ? e->input[-1 - source] : e->plan->value[source];
}

static void wait_for_columns(const fm_exec *e) {
    if (e->cut == FM_CUT_COLUMNS) fm_barrier(e->worker);
}

void fm_forward_stages(const fm_exec *e) {
    const int64_t first = e->row_begin, m = e->row_end - e->row_begin;
    for (int i = 0; i < e->net->n_stages; i++) {
        const fm_stage *s = &e->net->stages[i];
        char *slope = e->plan->slope[i];
        source_rows x;
        fm_between_stages(e);
        if (fm_is_collective(e, s)) {
            fm_barrier(e->worker);
            if (!fm_stopped(e)) fm_collect_forward(e, i);
            fm_barrier(e->worker);
        }
        for (int k = 0; k < s->n_sources; k++)
            x.at[k] = fm_at(e, fm_source_value(e, s->source[k]), first * fm_source_width(e->net, s->source[k]));
        if (!fm_stopped(e))
            run_stage(e, i, first, m, &x, fm_at(e, e->plan->value[i], first * s->fan_out),
                      slope == NULL ? NULL : fm_at(e, slope, first * s->fan_out));
        wait_for_columns(e);
    }
}

/* ---- by hand: forward with everything kept ---- */

typedef struct {
    fm_exec exec;
    const void *const *x;
    void *const *y;
} forward_call;

/* This thread's rows of one array; all of them by one thread where the cut is by columns. */
void fm_copy_rows(const fm_exec *e, int64_t width, const void *from, void *to) {
    if (e->cut == FM_CUT_COLUMNS && e->worker->index != 0) return;
    memcpy(fm_at(e, to, e->row_begin * width), fm_at(e, from, e->row_begin * width),
           (size_t)((e->row_end - e->row_begin) * width) * e->net->size);
}

/* The threads that a pass by hand, and its backward, would like to have. */
static int hand_threads(const fm_net *net, int64_t rows, int *forward) {
    const int backward = fm_plan_threads(net, rows, 2.0, 2.0, 1);
    *forward = fm_plan_threads(net, rows, 1.0, 1.0, 1);
    return *forward > backward ? *forward : backward;
}

static void forward_task(void *context, fm_worker *self) {
    forward_call *call = context;
    fm_exec e = call->exec;
    const fm_net *net = e.net;
    e.worker = self;
    e.cut = fm_plan_cut(e.rows, self->count);
    fm_exec_share(&e);
    for (int k = 0; k < net->ends.n_inputs; k++) fm_copy_rows(&e, net->ends.width[k], call->x[k], e.plan->batch[k]);
    fm_prepare(&e, 1);
    fm_forward_stages(&e);
    if (e.training && !fm_stopped(&e)) fm_keep_moments(&e);
    for (int k = 0; k < net->ends.n_outputs; k++)
        fm_copy_rows(&e, net->stages[net->output[k]].fan_out, e.plan->value[net->output[k]], call->y[k]);
}

void fm_use_batch(fm_exec *e) {
    for (int k = 0; k < e->net->ends.n_inputs; k++) e->input[k] = e->plan->batch[k];
}

/* All rows at once, with every value kept in `plan`, which has room for them. */
static fm_status forward_in(fm_net *net, const fm_plan *plan, int threads, int64_t rows, const void *const *x,
                            int training, void *const *y) {
    _Atomic int stop = 0;
    forward_call call = {{.net = net,
                          .kernels = fm_table(net->dtype),
                          .plan = plan,
                          .rows = rows,
                          .training = training,
                          .drop_factor = 1.0,
                          .keeps = plan == &net->plan,
                          .step = net->step,
                          .stop = &stop},
                         x,
                         y};
    fm_use_batch(&call.exec);
    fm_parallel(threads, forward_task, &call);
    return atomic_load(&stop) ? FM_INTERRUPTED : FM_OK;
}

static fm_status forward(fm_net *net, int64_t rows, const void *const *x, int training, void *const *y) {
    int threads;
    if (rows < 0 || !fm_net_can_run(net)) return FM_BAD_ARGUMENT;
    const int most = hand_threads(net, rows, &threads);
    if (fm_plan_reserve(&net->plan, net, FM_PLAN_FORWARD, rows, most) != FM_OK) return FM_NO_MEMORY;
    net->saved_rows = -1;
    if (training && net->n_state > 0) fm_net_begin_update(net); /* of running moments */
    const fm_status status = forward_in(net, &net->plan, threads, rows, x, training, y);
    fm_net_end_update(net);
    if (status != FM_OK) return status;
    net->saved_rows = rows;
    net->saved_training = training;
    net->saved_step = net->step;
    if (training) net->step++;
    return FM_OK;
}

fm_status fm_net_forward(fm_net *net, int64_t rows, const void *const *x, int training, void *const *y) {
    const fm_modes host = fm_enter_arithmetic();
    const fm_status status = forward(net, rows, x, training, y);
    fm_leave_arithmetic(host);
    return status;
}

/* ---- predict: nothing kept ---- */

typedef struct {
    fm_net *net;
    const fm_kernels *kernels;
    fm_plan *plan;
    int64_t rows, block;
    const void *const *x;
    void *const *y;
    fm_poll poll;
    void *poll_context;
    uint64_t count;   /* of the network's updates */
    _Atomic int stop; /* a status */
} predict_call;

/* The value of a source for the block of rows that begins at `row`. */
static void *block_value(const predict_call *call, const fm_exec *e, int source, int64_t row) {
    const fm_net *net = e->net;
    if (source >= 0) source = net->stages[source].shown;
    if (source < 0) return fm_at(e, call->x[-1 - source], row * net->ends.width[-1 - source]);
    const fm_stage *s = &net->stages[source];
    if (s->output >= 0) return fm_at(e, call->y[s->output], row * s->fan_out);
    const int owner = e->cut == FM_CUT_ROWS ? e->worker->index : 0;
    return e->plan->value[net->n_slots * owner + s->slot];
}

static void predict_rows(const predict_call *call, const fm_exec *e, int64_t row, int64_t rows) {
    const fm_net *net = e->net;
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *s = &net->stages[i];
        source_rows x;
        if (s->shown != i) continue;
        for (int k = 0; k < s->n_sources; k++) x.at[k] = block_value(call, e, s->source[k], row);
        run_stage(e, i, 0, rows, &x, block_value(call, e, i, row), NULL);
        wait_for_columns(e);
    }
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const fm_stage *s = &net->stages[net->output[k]];
        if (s->shown != net->output[k] && (e->cut == FM_CUT_ROWS || e->worker->index == 0))
            memcpy(fm_at(e, call->y[k], row * s->fan_out), block_value(call, e, s->shown, row),
                   (size_t)(rows * s->fan_out) * net->size);
    }
}

/* Blocks take milliseconds at most, so the calling thread asks after each but the last. */
static void ask_to_go_on(predict_call *call, const fm_exec *e) {
    if (e->worker->index != 0) return;
    if (fm_seqlock_begin_read(&call->net->updates) != call->count) atomic_store(&call->stop, FM_IN_USE);
    if (call->poll != NULL && call->poll(call->poll_context)) atomic_store(&call->stop, FM_INTERRUPTED);
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
        const int64_t rows = e.row_end - row < call->block ? e.row_end - row : call->block;
        predict_rows(call, &e, row, rows);
        if (row + call->block < e.row_end) {
            ask_to_go_on(call, &e);
            wait_for_columns(&e); /* all hear the same answer, and nobody overwrites what another one still copies */
        }
    }
}

fm_status fm_predict_once(fm_net *net, uint64_t count, int64_t rows, const void *const *x, void *const *y, fm_poll poll,
                          void *context) {
    if (rows < 0 || (y != NULL && !fm_net_can_run(net))) return FM_BAD_ARGUMENT;
    const fm_modes host = fm_enter_arithmetic();
    const int threads = fm_plan_threads(net, rows, 1.0, 1.0, 1);
    const int64_t most = fm_plan_predict_rows(net), block = rows < most ? rows : most;
    fm_plan plan = {0};
    const int taken = atomic_flag_test_and_set(&net->idle_taken);
    if (!taken) plan = net->idle_plan;
    /* The caller's nodes see all rows at once. */
    const fm_plan_kind kind = net->has_custom ? FM_PLAN_FORWARD : FM_PLAN_PREDICT;
    fm_status status = fm_plan_reserve(&plan, net, kind, net->has_custom ? rows : block, threads);
    if (status == FM_OK && net->has_custom) {
        if (y != NULL && rows > 0) status = forward_in(net, &plan, threads, rows, x, 0, y);
    } else if (status == FM_OK) {
        predict_call call = {net, fm_table(net->dtype), &plan, rows, block, x, y, poll, context, count, 0};
        if (y != NULL && rows > 0) fm_parallel(threads, predict_task, &call);
        status = atomic_load(&call.stop);
    }
    if (taken) {
        fm_plan_release(&plan);
    } else {
        net->idle_plan = plan;
        atomic_flag_clear(&net->idle_taken);
    }
    fm_leave_arithmetic(host);
    return status;
}
