/* Nodes beyond layers of one matrix product: sums of rows, products of two values, parameters as values, norms, and the
   caller's own nodes. Those that look at all rows at once are collective: every thread waits before and behind them. */
#include "engine/nodes.h"

#include <string.h>

int fm_is_collective(const fm_exec *e, const fm_stage *s) {
    return s->op == FM_OP_CUSTOM || (s->op == FM_OP_BATCH_NORM && e->training);
}

static const void *param(const fm_exec *e, int64_t at) { return fm_at(e, e->net->params, at); }
static void *grad(const fm_exec *e, int64_t at) { return fm_at(e, e->net->grads, at); }

/* A batch norm's row of numbers per column: of the batch, and of all batches so far. */
enum { MEAN, VARIANCE, DY_SUM, DY_NORMAL_SUM };

static void *moment(const fm_exec *e, int i, int which, int64_t column) {
    return fm_at(e, e->plan->aux[i], which * e->net->stages[i].fan_out + column);
}

static void *running(const fm_exec *e, const fm_stage *s, int which, int64_t column) {
    return fm_at(e, e->net->state, s->state_at + which * s->fan_out + column);
}

/* ---- products of two values, each row's own ---- */

/* Behind a thread's space for a second operand transposed lies one for a result that is to be added. */
int64_t fm_matmul_space(const fm_stage *s) {
    const int64_t *d = s->shape, a = d[0] * d[1], b = d[1] * d[2];
    int64_t both;
    return __builtin_add_overflow(b, a > b ? a : b, &both) ? INT64_MAX : both; /* which nobody has */
}

/* c (m, n) = a b, with a's element (i, k) at a[i * a_row + k * a_step]. */
static void small_product(const fm_exec *e, int64_t m, int64_t k, int64_t n, const void *a, int64_t a_row,
                          int64_t a_step, const void *b, void *c) {
    const fm_product space = {e->kernels, e->net->size, e->plan->pack[e->worker->index], NULL};
    const fm_gemm product = {
        .m = m,
        .n = n,
        .k = k,
        .a = a,
        .a_row = a_row,
        .a_step = a_step,
        .b = b,
        .b_step = n,
        .c = c,
        .ldc = n,
        .start = FM_START_ZERO,
        .finish = FM_FINISH_STORE,
        .activation = -1,
    };
    fm_multiply(&space, product);
}

static void matmul(const fm_exec *e, const fm_stage *s, int64_t rows, const void *const *x, void *y) {
    const int64_t m = s->shape[0], k = s->shape[1], n = s->shape[2];
    for (int64_t r = 0; r < rows; r++)
        small_product(e, m, k, n, fm_at(e, x[0], r * m * k), k, 1, fm_at(e, x[1], r * k * n), fm_at(e, y, r * m * n));
}

static void put_or_add(const fm_exec *e, int add, int64_t n, const void *from, void *to) {
    if (add) e->kernels->join(FM_JOIN_ADD, 1, n, to, n, from, n, to, n);
    else memcpy(to, from, (size_t)n * e->net->size);
}

/* da = dc b^T, db = a^T dc */
static void matmul_down(const fm_exec *e, int i, void *const *to) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t m = s->shape[0], k = s->shape[1], n = s->shape[2];
    void *turned = e->plan->turned[e->worker->index], *result = fm_at(e, turned, k * n);
    const void *a = fm_source_value(e, s->source[0]), *b = fm_source_value(e, s->source[1]);
    for (int64_t r = e->row_begin; r < e->row_end; r++) {
        const void *dc = fm_at(e, e->plan->delta[i], r * m * n);
        if (to[0] != NULL) {
            e->kernels->transpose(k, n, fm_at(e, b, r * k * n), n, turned, k);
            small_product(e, m, n, k, dc, n, 1, turned, result);
            put_or_add(e, s->adds[0], m * k, result, fm_at(e, to[0], r * m * k));
        }
        if (to[1] != NULL) {
            small_product(e, k, m, n, fm_at(e, a, r * m * k), 1, k, dc, result);
            put_or_add(e, s->adds[1], k * n, result, fm_at(e, to[1], r * k * n));
        }
    }
}

/* ---- batch norm ---- */

static fm_batch_norm batch_norm_call(const fm_exec *e, int i, int64_t begin, int64_t end) {
    const fm_stage *s = &e->net->stages[i];
    const int kept = e->training;
    return (fm_batch_norm){
        .n = end - begin,
        .ld = s->fan_out,
        .rows = e->rows,
        .eps = s->param[0],
        .mean = kept ? moment(e, i, MEAN, begin) : running(e, s, 0, begin),
        .variance = kept ? moment(e, i, VARIANCE, begin) : running(e, s, 1, begin),
        .gain = param(e, s->weight_at + begin),
        .shift = param(e, s->bias_at + begin),
    };
}

static void batch_norm(const fm_exec *e, int i, int64_t m, int64_t begin, int64_t end, const void *x, void *y,
                       void *normal) {
    fm_batch_norm call = batch_norm_call(e, i, begin, end);
    call.m = m;
    call.x = fm_at(e, x, begin);
    call.y = fm_at(e, y, begin);
    call.normal = normal == NULL ? NULL : fm_at(e, normal, begin);
    e->kernels->batch_norm(&call);
}

static void batch_norm_down(const fm_exec *e, int i, int64_t begin, int64_t end, void *dx) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t first = e->row_begin * s->fan_out + begin;
    fm_batch_norm call = batch_norm_call(e, i, begin, end);
    call.m = e->row_end - e->row_begin;
    call.normal = fm_at(e, e->plan->slope[i], first);
    call.dy = fm_at(e, e->plan->delta[i], first);
    call.dy_sum = e->training ? moment(e, i, DY_SUM, begin) : NULL;
    call.dy_normal_sum = e->training ? moment(e, i, DY_NORMAL_SUM, begin) : NULL;
    call.dx = fm_at(e, dx, first);
    call.add = s->adds[0];
    e->kernels->batch_norm_gradient(&call);
}

void fm_keep_moments(const fm_exec *e) {
    for (int i = 0; i < e->net->n_stages; i++) {
        const fm_stage *s = &e->net->stages[i];
        int64_t begin, end;
        if (s->op != FM_OP_BATCH_NORM || e->rows == 0) continue;
        fm_share(e->worker, s->fan_out, e->kernels->lanes, &begin, &end);
        if (begin < end)
            e->kernels->running_moments(end - begin, e->rows, s->param[1], moment(e, i, MEAN, begin),
                                        moment(e, i, VARIANCE, begin), running(e, s, 0, begin),
                                        running(e, s, 1, begin));
    }
}

/* ---- the caller's nodes ---- */

static void ask_caller(const fm_exec *e, fm_custom_call *call) {
    if (e->worker->index != 0) return;
    const double start = fm_seconds();
    if (e->net->custom(e->net->custom_context, call)) atomic_store(e->stop, 1);
    e->worker->waited += fm_seconds() - start; /* for the caller's locks, perhaps */
}

static fm_custom_call custom_call(const fm_exec *e, int i) {
    const fm_stage *s = &e->net->stages[i];
    fm_custom_call call = {
        .node = s->node, .rows = e->rows, .training = e->training, .keeps = e->keeps, .y = e->plan->value[i]};
    for (int k = 0; k < s->n_sources; k++) call.x[k] = fm_source_value(e, s->source[k]);
    return call;
}

/* ---- for all ops ---- */

void fm_collect_forward(const fm_exec *e, int i) {
    const fm_stage *s = &e->net->stages[i];
    int64_t begin, end;
    if (s->op == FM_OP_CUSTOM) {
        fm_custom_call call = custom_call(e, i);
        ask_caller(e, &call);
        return;
    }
    fm_share(e->worker, s->fan_out, e->kernels->lanes, &begin, &end);
    if (begin < end && e->rows > 0)
        e->kernels->column_moments(e->rows, end - begin, fm_at(e, fm_source_value(e, s->source[0]), begin), s->fan_out,
                                   moment(e, i, MEAN, begin), moment(e, i, VARIANCE, begin));
}

void fm_collect_backward(const fm_exec *e, int i, void *const *dx) {
    const fm_stage *s = &e->net->stages[i];
    int64_t begin, end;
    if (s->op == FM_OP_CUSTOM) {
        fm_custom_call call = custom_call(e, i);
        call.dy = e->plan->delta[i];
        for (int k = 0; k < s->n_sources; k++) {
            call.dx[k] = fm_gradient_of(e, s->source[k], dx);
            call.add[k] = s->adds[k];
        }
        call.grads = s->n_weights == 0 ? NULL : grad(e, s->weight_at);
        call.add_grads = e->adds_gradients;
        ask_caller(e, &call);
        return;
    }
    fm_share(e->worker, s->fan_out, e->kernels->lanes, &begin, &end);
    if (begin >= end) return;
    const void *delta = fm_at(e, e->plan->delta[i], begin), *normal = fm_at(e, e->plan->slope[i], begin);
    e->kernels->column_sums(e->rows, end - begin, delta, s->fan_out, moment(e, i, DY_SUM, begin), 0);
    e->kernels->column_dots(e->rows, end - begin, delta, s->fan_out, normal, s->fan_out,
                            moment(e, i, DY_NORMAL_SUM, begin), 0);
}

void fm_node_forward(const fm_exec *e, int i, int64_t first_row, int64_t m, int64_t begin, int64_t end,
                     const void *const *x, void *y, void *normal) {
    const fm_stage *s = &e->net->stages[i];
    void *scale = normal == NULL ? NULL : fm_at(e, e->plan->aux[i], first_row);
    switch (s->op) {
        case FM_OP_SUM: e->kernels->row_sums(m, s->fan_in, x[0], y); break;
        case FM_OP_MATMUL: matmul(e, s, m, x, y); break;
        case FM_OP_PARAMETER:
            for (int64_t row = 0; row < m; row++)
                memcpy(fm_at(e, y, row * s->fan_out), param(e, s->weight_at), (size_t)s->fan_out * e->net->size);
            break;
        case FM_OP_LAYER_NORM:
            e->kernels->layer_norm(m, s->fan_out, s->param[0], x[0], param(e, s->weight_at), param(e, s->bias_at), y,
                                   normal, scale);
            break;
        case FM_OP_BATCH_NORM: batch_norm(e, i, m, begin, end, x[0], y, normal); break;
        default: break; /* the caller's nodes have run */
    }
}

void fm_node_down(const fm_exec *e, int i, void *const *dx) {
    const fm_stage *s = &e->net->stages[i];
    const int64_t first = e->row_begin, m = e->row_end - first;
    int64_t begin, end;
    if (s->op == FM_OP_PARAMETER || s->op == FM_OP_CUSTOM) return;
    void *to[FM_MOST_SOURCES];
    for (int k = 0; k < s->n_sources; k++) to[k] = fm_gradient_of(e, s->source[k], dx);
    if (!fm_exec_columns(e, s, s->fan_out, &begin, &end)) return;
    if (s->op == FM_OP_MATMUL) {
        matmul_down(e, i, to);
        return;
    }
    if (to[0] == NULL) return;
    const void *delta = fm_at(e, e->plan->delta[i], first * s->fan_out);
    void *out = fm_at(e, to[0], first * s->fan_in);
    if (s->op == FM_OP_SUM) e->kernels->row_sums_gradient(m, s->fan_in, delta, out, s->adds[0]);
    if (s->op == FM_OP_BATCH_NORM) batch_norm_down(e, i, begin, end, to[0]);
    if (s->op == FM_OP_LAYER_NORM)
        e->kernels->layer_norm_gradient(m, s->fan_out, fm_at(e, e->plan->slope[i], first * s->fan_out),
                                        fm_at(e, e->plan->aux[i], first), param(e, s->weight_at), delta, out,
                                        s->adds[0]);
}

void fm_node_gradients(const fm_exec *e, int i, int64_t begin, int64_t end, int add) {
    const fm_stage *s = &e->net->stages[i];
    if (s->op == FM_OP_CUSTOM || begin >= end) return;
    const void *delta = fm_at(e, e->plan->delta[i], begin);
    if (s->op == FM_OP_PARAMETER) {
        e->kernels->column_sums(e->rows, end - begin, delta, s->fan_out, grad(e, s->weight_at + begin), add);
        return;
    }
    e->kernels->column_dots(e->rows, end - begin, delta, s->fan_out, fm_at(e, e->plan->slope[i], begin), s->fan_out,
                            grad(e, s->weight_at + begin), add);
    e->kernels->column_sums(e->rows, end - begin, delta, s->fan_out, grad(e, s->bias_at + begin), add);
}
