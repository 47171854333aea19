/* The engine's view of a network: nodes fused into stages, and the plan that gives each stage its memory. */
#ifndef FM_ENGINE_NET_H
#define FM_ENGINE_NET_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/parallel.h"
#include "fastmlp.h"
#include "kernels/table.h"

/* One pass over the data: a Linear with the activation that follows it, or another node alone. */
typedef struct {
    fm_op op;
    int64_t fan_in, fan_out;
    int64_t weight_at, bias_at;
    int activation; /* row of activations.def, -1 for none */
    double act_params[FM_ACTIVATION_PARAMS];
    int stores_slope; /* forward leaves local gradients for backward */
    int dot;          /* takes the dot form */
    double drop;      /* dropout's probability */
    uint32_t stream;  /* its random stream */
} fm_stage;

/* Memory for up to `rows` rows, one block. Entry i of a table belongs to stage i. */
typedef struct {
    int64_t rows;
    int threads;
    char *block;
    char *batch;   /* (rows, n_in): the copied or gathered input */
    char **value;  /* (rows, fan_out); of a predict plan: two of (rows, widest) for each thread, taken in turns */
    char **slope;  /* (rows, fan_out), NULL where the stage stores none */
    char **delta;  /* (rows, fan_out): dL/dvalue, in place becoming dL/d(stage's linear output or input) */
    char **wt;     /* (fan_out, fan_in): the weights transposed, NULL for stages without weights */
    char **pack;   /* a thread's packing space */
    char **turned; /* a thread's (fan_out, fan_in) space for a weight gradient made transposed */
    double *row_value, *chunk_sum; /* per row, per FM_SUM_CHUNK parameters */
    int64_t *label;
    char *target, *weight;
} fm_plan;

struct fm_net {
    fm_dtype dtype;
    size_t size; /* of an element */
    int64_t n_in, n_out, n_params, widest;
    int n_nodes, n_stages;
    fm_node *nodes;
    fm_stage *stages;
    void *params, *grads;
    uint64_t seed;
    uint32_t step;
    fm_plan plan;       /* of forward and backward by hand */
    int64_t saved_rows; /* -1: nothing awaits backward */
    uint32_t saved_step;
    int saved_training;
    fm_plan idle_plan; /* kept by predict for its next call */
    atomic_flag idle_taken;
};

/* How work is cut: by rows (each thread takes its rows through all stages, no waiting), or by columns of every stage
   with a barrier after each, when the rows are too few to share. */
typedef enum { FM_CUT_ROWS, FM_CUT_COLUMNS } fm_cut;

/* What one thread needs to run stages. */
typedef struct fm_exec {
    const fm_net *net;
    const fm_kernels *kernels;
    const fm_plan *plan;
    fm_worker *worker;
    const char *input; /* (rows, n_in) */
    fm_cut cut;
    int64_t rows, row_begin, row_end; /* of the batch; this thread's */
    int training;
    uint32_t step;
    _Atomic int *stop;                     /* non-zero: leave early, nothing will be used */
    void (*between_stages)(void *context); /* or NULL */
    void *context;
} fm_exec;

static inline int fm_stopped(const fm_exec *e) {
    return e->stop != NULL && atomic_load_explicit(e->stop, memory_order_relaxed);
}

static inline void fm_between_stages(const fm_exec *e) {
    if (e->between_stages != NULL) e->between_stages(e->context);
}

typedef enum { FM_PLAN_PREDICT, FM_PLAN_FORWARD, FM_PLAN_TRAIN } fm_plan_kind;

enum { FM_SUM_CHUNK = 4096 };

/* ---- plan.c ---- */
/* Makes the plan hold `rows` rows for `threads` threads; an unchanged plan when memory cannot be had. */
fm_status fm_plan_reserve(fm_plan *plan, const fm_net *net, fm_plan_kind kind, int64_t rows, int threads);
void fm_plan_release(fm_plan *plan);
/* Threads that pay for steps of `rows` rows in one region: `passes` forward-sized products and `waits` barriers each. */
int fm_plan_threads(const fm_net *net, int64_t rows, double passes, double waits, int64_t steps);
/* How many threads such steps may try to take; 1 where trying would cost more than it could tell. */
int fm_plan_choices(const fm_net *net, int64_t rows, double passes);
fm_cut fm_plan_cut(int64_t rows, int threads);
int64_t fm_plan_predict_rows(const fm_net *net);

/* ---- product.c ---- */
/* Networks without a layer this wide never pack, and plans give them no space for it. */
enum { FM_LEAST_PACKED_WIDTH = 192 };

typedef struct {
    const fm_kernels *kernels;
    size_t size;
    void *pack;
    const fm_exec *watch; /* long products look at its stop flag every few milliseconds; NULL: they must finish */
} fm_product;

int fm_takes_dot_form(int64_t fan_in, int64_t fan_out);
size_t fm_pack_bytes(int64_t widest, size_t size); /* for products of a net so wide */
/* C[m][n] (finish) A B, with A's element (i, k) at a[i * a_row + k * a_step] and B's rows ldb apart. */
void fm_multiply(const fm_product *space, fm_gemm g);
/* Rows begin .. end of dW (fan_in, fan_out) from x (rows, fan_in) and delta (rows, fan_out). */
void fm_weight_gradient(const fm_product *space, const fm_stage *stage, int64_t rows, const void *x, const void *delta,
                        int64_t begin, int64_t end, int add, void *turned, void *dw);

/* ---- forward.c, backward.c ---- */
void *fm_at(const fm_exec *e, const void *base, int64_t elements);
void fm_exec_share(fm_exec *e); /* sets the row range from cut, rows and worker */
int fm_exec_columns(const fm_exec *e, const fm_stage *stage, int64_t width, int64_t *begin, int64_t *end);
void fm_transpose_weights(const fm_exec *e, int stage, int64_t begin, int64_t end);
void fm_prepare(const fm_exec *e, int only_dot); /* transposed weights; ends in a barrier */
void fm_forward_stages(const fm_exec *e);
const void *fm_stage_input(const fm_exec *e, int stage);
/* delta[last] holds dL/dy on entry; dx may be NULL. */
void fm_backward_stages(const fm_exec *e, void *dx);
/* With `may_stop`, leaves early once the stop flag is up. */
void fm_backward_weights(const fm_exec *e, int stage, int64_t begin, int64_t end, int add, int may_stop);
void fm_backward_bias(const fm_exec *e, int stage, int64_t begin, int64_t end, int add);
void fm_share_weights(const fm_exec *e, const fm_stage *stage, int64_t *begin, int64_t *end);

/* ---- loss.c ---- */
double fm_total_weight(fm_dtype dtype, int64_t rows, const void *weight);
double fm_loss_scale(const fm_loss_spec *loss, int64_t n, double total_weight);
void fm_loss_range(const fm_loss_spec *loss, fm_dtype dtype, int64_t n, const void *scores, const fm_targets *targets,
                   double scale, int64_t begin, int64_t end, double *row_value, void *gradient);

#endif
