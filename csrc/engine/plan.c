/* Plans: how much memory a pass takes and where each array lies, and how its work is cut among threads. */
#include "engine/nodes.h"

/* What waking the team, one thread's part in a barrier and one thread's arithmetic cost, measured on two x86-64 server
   processors (see docs/performance-notes.md). They choose a thread count and never a result. */
static const struct {
    double region_us, barrier_us, flops_per_us;
} cost = {10.0, 0.5, 90e3};

static double forward_flops(const fm_net *net) {
    double flops = 0.0;
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *stage = &net->stages[i];
        double per_output = stage->op == FM_OP_LINEAR ? 2.0 * (double)stage->fan_in : 0.0;
        if (stage->activation >= 0 || stage->n_sources > 1 || stage->op != FM_OP_LINEAR) per_output += 16.0;
        flops += per_output * (double)stage->fan_out;
    }
    return flops;
}

static _Atomic int cost_ignored;

void fm_ignore_thread_cost(int ignore) { atomic_store(&cost_ignored, ignore); }

static int fewer(int a, int b) { return a < b ? a : b; }

/* More threads than processors only wait for one another. */
static int worthwhile_threads(void) { return fewer(fm_threads(), fm_processors()); }

static double microseconds_alone(const fm_net *net, int64_t rows, double passes) {
    return passes * (double)rows * forward_flops(net) / cost.flops_per_us;
}

int fm_plan_threads(const fm_net *net, int64_t rows, double passes, double waits, int64_t steps) {
    const double alone = microseconds_alone(net, rows, passes);
    if (atomic_load_explicit(&cost_ignored, memory_order_relaxed)) return fm_threads();
    const int most = worthwhile_threads();
    double best = alone;
    int threads = 1;
    for (int t = 2; t <= most; t++) {
        const double us = alone / t + cost.region_us / (double)steps + waits * cost.barrier_us * t;
        if (us < best) best = us, threads = t;
    }
    return threads;
}

/* Very short steps are for one thread; long ones for several, wherever the processors lie. */
int fm_plan_choices(const fm_net *net, int64_t rows, double passes) {
    const double shortest = 5.0, longest = 2000.0, alone = microseconds_alone(net, rows, passes);
    const int ignored = atomic_load_explicit(&cost_ignored, memory_order_relaxed);
    return ignored || alone < shortest || alone > longest ? 1 : worthwhile_threads();
}

enum { LEAST_ROWS_A_THREAD = 8, PREDICT_BLOCK_BYTES = 1 << 18, LEAST_PREDICT_ROWS = 128, MOST_PREDICT_ROWS = 1024 };
/* Weights beyond this are packed, which fewer rows than these would not repay. */
enum { PACKED_BYTES = 1 << 23, PACKED_PREDICT_ROWS = 512 };

fm_cut fm_plan_cut(int64_t rows, int threads) {
    return rows >= (int64_t)LEAST_ROWS_A_THREAD * threads ? FM_CUT_ROWS : FM_CUT_COLUMNS;
}

static int64_t largest_weights(const fm_net *net) {
    int64_t most = 0;
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *stage = &net->stages[i];
        const int64_t bytes = stage->op == FM_OP_LINEAR ? stage->fan_in * stage->fan_out * (int64_t)net->size : 0;
        if (bytes > most) most = bytes;
    }
    return most;
}

/* Rows that predict takes through all stages at a time: what the second-level cache holds, but enough to make use of
   every weight that is read. */
int64_t fm_plan_predict_rows(const fm_net *net) {
    const int64_t rows = PREDICT_BLOCK_BYTES / (int64_t)net->size / net->widest / 8 * 8;
    const int64_t least = largest_weights(net) > PACKED_BYTES ? PACKED_PREDICT_ROWS : LEAST_PREDICT_ROWS;
    return rows < least ? least : rows > MOST_PREDICT_ROWS ? MOST_PREDICT_ROWS : rows;
}

/* One walk over all arrays, run twice: with block == NULL it only adds up bytes, then it sets the pointers. */
typedef struct {
    fm_layout layout;
    char *block;
} fm_placer;

static void *place(fm_placer *placer, int64_t count, size_t size) {
    int64_t at = fm_reserve(&placer->layout, count, size);
    return placer->block == NULL ? NULL : placer->block + at;
}

static char **place_table(fm_placer *placer, int entries) { return place(placer, entries, sizeof(char *)); }

static void set(char **table, int i, void *array) {
    if (table != NULL) table[i] = array;
}

/* The dot form reads transposed weights forward, every layer below which something learns reads them backward. */
static int needs_transpose(const fm_stage *stage, fm_plan_kind kind) {
    if (stage->op != FM_OP_LINEAR) return 0;
    return stage->dot || kind == FM_PLAN_FORWARD || (kind == FM_PLAN_TRAIN && stage->source[0] >= 0);
}

static int64_t most_turned(const fm_net *net) {
    int64_t most = 0;
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *stage = &net->stages[i];
        int64_t size = stage->op == FM_OP_LINEAR && stage->fan_out < 16 ? stage->fan_in * stage->fan_out : 0;
        if (stage->op == FM_OP_MATMUL) size = fm_matmul_space(stage);
        if (size > most) most = size;
    }
    return most;
}

static int64_t rows_times(int64_t rows, int64_t width) {
    int64_t product;
    return __builtin_mul_overflow(rows, width, &product) ? INT64_MAX : product;
}

static void place_threads(fm_placer *placer, fm_plan *plan, const fm_net *net, fm_plan_kind kind) {
    const size_t bytes = fm_pack_bytes(net->widest, net->size);
    const int64_t turned = kind == FM_PLAN_PREDICT ? 0 : most_turned(net);
    plan->pack = place_table(placer, plan->threads);
    plan->turned = place_table(placer, plan->threads);
    for (int t = 0; t < plan->threads; t++) {
        set(plan->pack, t, place(placer, (int64_t)bytes, 1));
        set(plan->turned, t, place(placer, turned, net->size));
    }
}

static void place_predict(fm_placer *placer, fm_plan *plan, const fm_net *net) {
    const int count = net->n_slots * plan->threads;
    plan->value = place_table(placer, count);
    for (int i = 0; i < count; i++) set(plan->value, i, place(placer, rows_times(plan->rows, net->widest), net->size));
}

/* A layer norm keeps a number for each row, a batch norm four for each column. */
static void *place_aux(fm_placer *placer, const fm_plan *plan, const fm_net *net, const fm_stage *stage) {
    if (stage->op == FM_OP_LAYER_NORM) return place(placer, plan->rows, net->size);
    return stage->op == FM_OP_BATCH_NORM ? place(placer, 4 * stage->fan_out, net->size) : NULL;
}

/* Stages that keep their width, and are the only readers of their source, work in place on its delta. */
static void place_saved(fm_placer *placer, fm_plan *plan, const fm_net *net) {
    plan->batch = place_table(placer, net->ends.n_inputs);
    plan->value = place_table(placer, net->n_stages);
    plan->slope = place_table(placer, net->n_stages);
    plan->delta = place_table(placer, net->n_stages);
    plan->local = place_table(placer, net->n_stages);
    plan->aux = place_table(placer, net->n_stages);
    for (int k = 0; k < net->ends.n_inputs; k++)
        set(plan->batch, k, place(placer, rows_times(plan->rows, net->ends.width[k]), net->size));
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *stage = &net->stages[i];
        const int64_t count = rows_times(plan->rows, stage->fan_out);
        void *own = stage->in_place ? NULL : place(placer, count, net->size);
        set(plan->delta, i, stage->in_place && plan->delta != NULL ? plan->delta[stage->source[0]] : own);
        void *delta = plan->delta == NULL ? NULL : plan->delta[i];
        set(plan->local, i, net->ends.separate ? place(placer, count, net->size) : delta);
        set(plan->aux, i, place_aux(placer, plan, net, stage));
        set(plan->value, i, place(placer, count, net->size));
        set(plan->slope, i, stage->stores_slope ? place(placer, count, net->size) : NULL);
    }
    plan->sum = net->sums_deltas ? place(placer, rows_times(plan->rows, net->widest), net->size) : NULL;
}

static void place_training(fm_placer *placer, fm_plan *plan, const fm_net *net) {
    plan->row_value = (double **)place_table(placer, net->ends.n_outputs);
    plan->label = (int64_t **)place_table(placer, net->ends.n_outputs);
    plan->target = place_table(placer, net->ends.n_outputs);
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const int64_t width = net->stages[net->output[k]].fan_out;
        set((char **)plan->row_value, k, place(placer, plan->rows, sizeof(double)));
        set((char **)plan->label, k, place(placer, plan->rows, sizeof(int64_t)));
        set(plan->target, k, place(placer, rows_times(plan->rows, width), net->size));
    }
    plan->chunk_sum = place(placer, net->n_params / FM_SUM_CHUNK + net->n_stages + 1, sizeof(double));
    plan->weight = place(placer, plan->rows, net->size);
}

static void place_all(fm_placer *placer, fm_plan *plan, const fm_net *net, fm_plan_kind kind) {
    plan->wt = place_table(placer, net->n_stages);
    for (int i = 0; i < net->n_stages; i++) {
        const fm_stage *stage = &net->stages[i];
        set(plan->wt, i,
            needs_transpose(stage, kind) ? place(placer, stage->fan_in * stage->fan_out, net->size) : NULL);
    }
    place_threads(placer, plan, net, kind);
    if (kind == FM_PLAN_PREDICT) place_predict(placer, plan, net);
    else place_saved(placer, plan, net);
    if (kind == FM_PLAN_TRAIN) place_training(placer, plan, net);
}

fm_status fm_plan_reserve(fm_plan *plan, const fm_net *net, fm_plan_kind kind, int64_t rows, int threads) {
    if (plan->block != NULL && rows <= plan->rows && threads <= plan->threads) return FM_OK;
    fm_plan next = {.rows = rows > plan->rows ? rows : plan->rows,
                    .threads = threads > plan->threads ? threads : plan->threads};
    fm_placer placer = {.layout = {0}, .block = NULL};
    place_all(&placer, &next, net, kind);
    if (placer.layout.bytes < 0) return FM_NO_MEMORY;
    next.block = fm_alloc(placer.layout.bytes, 1);
    if (next.block == NULL) return FM_NO_MEMORY;
    placer = (fm_placer){.layout = {0}, .block = next.block};
    place_all(&placer, &next, net, kind);
    fm_plan_release(plan);
    *plan = next;
    return FM_OK;
}

void fm_plan_release(fm_plan *plan) {
    fm_free(plan->block);
    *plan = (fm_plan){0};
}
