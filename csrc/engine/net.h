/* The engine's view of a network: nodes fused into stages, and the plan that gives each stage its memory. */
#ifndef FM_ENGINE_NET_H
#define FM_ENGINE_NET_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/claim.h"
#include "base/parallel.h"
#include "base/seqlock.h"
#include "fastmlp.h"
#include "kernels/table.h"

/* One pass over the data: a Linear with what follows it (an addition, an activation), or another node alone. */
typedef struct {
    fm_op op;
    int n_sources, source[FM_MOST_SOURCES]; /* stages before this one, -1 - k for input k; a Linear's second is added */
    int adds[FM_MOST_SOURCES];              /* backward: others have contributed to this source's delta before */
    int output;                             /* this stage's value is that output; -1: none */
    int in_place;                           /* its delta is its source's too, for nobody else reads that source */
    int ends_in_product; /* its delta is made by one product, which ends with the stage's local gradient */
    int shown, slot; /* predict: the stage whose value this one's is (dropout's source), and the buffer it lies in */
    int64_t fan_in, fan_out;
    int64_t weight_at, bias_at;
    int activation; /* row of activations.def, -1 for none */
    double act_params[FM_ACTIVATION_PARAMS];
    int stores_slope; /* forward leaves local gradients for backward */
    int dot;          /* takes the dot form */
    double drop;      /* dropout's probability */
    uint32_t stream;  /* its random stream */
    double param[2];  /* a norm's eps, and momentum */
    int64_t shape[3]; /* of a product of two values */
    int64_t n_weights, state_at;
    int takes_penalties; /* its weights do */
    int node;            /* the first of those it was made from */
} fm_stage;

/* Memory for up to `rows` rows, one block. Entry i of a table belongs to stage i. */
typedef struct {
    int64_t rows;
    int threads;
    char *block;
    char **batch;  /* (rows, width) of each input: copied or gathered */
    char **value;  /* (rows, fan_out); of a predict plan: n_slots of (rows, widest) for each thread */
    char **slope;  /* (rows, fan_out), NULL where the stage stores none */
    char **delta;  /* (rows, fan_out): dL/dvalue, in place becoming dL/d(stage's linear output or input) */
    char **local;  /* where the local gradient goes: into the delta itself, unless those are to be looked at */
    char **aux;    /* numbers per row or column that a norm's backward needs, NULL for others */
    char **wt;     /* (fan_out, fan_in): the weights transposed, NULL for stages without weights */
    char **pack;   /* a thread's packing space */
    char **turned; /* a thread's (fan_out, fan_in) space for a weight gradient made transposed */
    double **row_value, *chunk_sum; /* per row of each output, per FM_SUM_CHUNK parameters */
    int64_t **label;                /* of each output */
    char *sum;                      /* (rows, widest): what is to be added to a delta; NULL where nothing is */
    char **target;                  /* of each output */
    char *weight;
} fm_plan;

struct fm_net {
    fm_dtype dtype;
    size_t size; /* of an element */
    fm_ends ends;
    int64_t n_params, widest;
    int n_nodes, n_stages, n_slots;
    fm_node *nodes;
    fm_stage *stages;
    int *stage_of_node;
    int output[FM_MOST_ENDS]; /* stages */
    int sums_deltas;          /* some product's result is added to a delta */
    void *params, *grads, *state;
    int64_t n_state;
    int has_custom;
    fm_custom custom;
    void *custom_context;
    uint64_t seed;
    uint32_t step;
    fm_plan plan;       /* of forward and backward by hand */
    int64_t saved_rows; /* -1: nothing awaits backward */
    uint32_t saved_step;
    int saved_training;
    fm_plan idle_plan; /* kept by predict for its next call */
    atomic_flag idle_taken;
    fm_claim claim;     /* for all that is not predict */
    fm_seqlock updates; /* of parameters and state, by who has the claim; predict looks at it */
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
    const char *input[FM_MOST_ENDS]; /* (rows, width) */
    fm_cut cut;
    int64_t rows, row_begin, row_end; /* of the batch; this thread's */
    int training, keeps, adds_gradients;
    uint32_t step;
    double drop_factor;                    /* of dropout's probabilities; read in training only */
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

/* ---- net.c ---- */
int fm_net_can_run(const fm_net *net); /* the caller's nodes, if any, have a function */

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
/* A prediction, or only its memory where y is NULL; FM_IN_USE where updates had another `count` behind some block. */
fm_status fm_predict_once(fm_net *net, uint64_t count, int64_t rows, const void *const *x, void *const *y, fm_poll poll,
                          void *context);
int64_t fm_source_width(const fm_net *net, int source);
const void *fm_source_value(const fm_exec *e, int source);
void fm_copy_rows(const fm_exec *e, int64_t width, const void *from, void *to);
void fm_use_batch(fm_exec *e); /* its input is the plan's copy */
static inline fm_join fm_join_of(fm_op op) {
    return op == FM_OP_ADD ? FM_JOIN_ADD : op == FM_OP_MULTIPLY ? FM_JOIN_MULTIPLY : FM_JOIN_MAXIMUM;
}
void *fm_gradient_of(const fm_exec *e, int source, void *const *dx);
/* The outputs' deltas hold dL/dy on entry; dx may be NULL. */
void fm_backward_stages(const fm_exec *e, void *const *dx);
/* With `may_stop`, leaves early once the stop flag is up. */
void fm_backward_weights(const fm_exec *e, int stage, int64_t begin, int64_t end, int add, int may_stop);
void fm_backward_bias(const fm_exec *e, int stage, int64_t begin, int64_t end, int add);
void fm_share_weights(const fm_exec *e, const fm_stage *stage, int64_t *begin, int64_t *end);

/* ---- loss.c ---- */
static inline const void *fm_row_at(const void *base, int64_t row, int64_t width, size_t size) {
    return base == NULL ? NULL : (const char *)base + row * width * (int64_t)size;
}
double fm_total_weight(fm_dtype dtype, int64_t rows, const void *weight);
double fm_loss_scale(const fm_loss_spec *loss, int64_t n, double total_weight);
/* `wrong_label` takes a label that is no class, and is left alone where there is none. */
void fm_loss_range(const fm_loss_spec *loss, fm_dtype dtype, int64_t n, const void *scores, const fm_targets *targets,
                   double scale, int64_t begin, int64_t end, double *row_value, void *gradient, int64_t *wrong_label);

#endif
