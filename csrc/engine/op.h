/* One operation, as the engine sees it, and the engine, as an operation sees it: docs/decisions/operations.md.

   An operation is a row of functions on tiles of plain arrays. It sees no team, no workspace and no network. Matrices are
   row-major, sizes are elements of the storage type. A function writes nothing outside its tile, and no bit of a result
   depends on which tiles there are: who computes what, and when, is schedule.c's business. */
#ifndef FM_ENGINE_OP_H
#define FM_ENGINE_OP_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/status.h"
#include "engine/node.h"
#include "kernels/table.h"

typedef struct fm_fused fm_fused;

/* ---- what follows an operation's core on the same tile, while that is in cache: y = f(z + residual) ---- */

enum { FM_EPILOGUE_RESIDUAL = 1, FM_EPILOGUE_ACTIVATION = 2 };

typedef struct {
    int residual;   /* the last source is added */
    int activation; /* row of activations.def, -1 for none */
    double params[FM_ACTIVATION_PARAMS];
    int stores_slope; /* forward leaves local gradients for backward; else backward takes them from y */
} fm_epilogue;

/* ---- memory that an operation books ---- */

typedef enum { FM_PREDICT, FM_FORWARD, FM_TRAIN } fm_use; /* FORWARD: a backward may follow, by hand */

typedef enum {
    FM_KEPT,     /* from forward to backward; not booked to predict */
    FM_COPY,     /* made from the parameters by `renew` */
    FM_SCRATCH,  /* a thread's, for one call; only the largest one of all operations exists */
    FM_TEMPORARY /* rows of its own for each tile, for one call; shared by all operations like SCRATCH */
} fm_life;

enum { FM_MOST_SPACES = 3 };

typedef struct {
    fm_life life;
    size_t size;            /* of an element; the storage type's unless the operation says otherwise */
    int64_t count, per_row; /* elements: so many, and so many for each row of the batch */
} fm_space;

/* ---- an operation at work ---- */

/* Where the arrays of a fused op lie, from row 0 of the batch, or of predict's block. NULL where there is none. */
typedef struct {
    const fm_fused *op;
    const void *x[FM_MOST_SOURCES]; /* (rows, width) of each source */
    void *y;                        /* (rows, fan_out) */
    void *slope;                    /* like y, where the epilogue stores one */
    const void *saved;              /* what the epilogue's backward reads: slope, or y */
    const void *saved_below;        /* ... of the fused op that `below` names */
    void *delta, *dz;               /* dL/dy, and what LOCAL makes of it: the same array unless values are shown */
    void *dx[FM_MOST_SOURCES];      /* NULL where nobody asks */
    const void *param[FM_MOST_ARRAYS];
    void *grad[FM_MOST_ARRAYS];
    void *state, *space[FM_MOST_SPACES];
} fm_operands;

/* What a thread knows while it works. */
typedef struct {
    const fm_kernels *kernels;
    size_t size;         /* of an element of the storage type */
    int64_t rows;        /* of the batch */
    int training, keeps; /* keeps: a backward may follow */
    int adds;            /* gradients are added to those of before */
    uint64_t seed;
    uint32_t step;                    /* both number dropout's masks */
    double drop_factor;               /* of dropout's probabilities; read in training only */
    void *pack, *scratch, *temporary; /* pack: for engine/product.h */
    int64_t temporary_width;          /* distance of its rows */
    _Atomic int *stop;                /* non-zero: leave early, nothing will be used */
    _Atomic int *fault;               /* the status of an operation that cannot go on; FM_OK at first */
    void (*poll)(void *context);      /* to be called every few milliseconds; or NULL */
    void *poll_context;
    double *waited; /* seconds that this thread has spent on its caller's business */
    fm_custom custom;
    void *custom_context;
} fm_run;

/* Rows row .. row + rows and columns col .. col + cols of the array that a function writes. Never empty. */
typedef struct {
    int64_t row, rows, col, cols;
} fm_tile;

typedef void fm_tile_work(const fm_run *, const fm_operands *, const fm_tile *);
typedef void fm_source_work(const fm_run *, const fm_operands *, int source, const fm_tile *);
typedef void fm_array_work(const fm_run *, const fm_operands *, int array, int64_t begin, int64_t end);

/* Whose rows an operation looks at: its own, or those of the whole batch, for which all threads wait before `collect`
   and behind it. CALLER: only the calling thread works, and only where the caller has set a function. */
typedef enum { FM_OWN_ROWS, FM_ALL_ROWS_IN_TRAINING, FM_CALLER } fm_needs;

/* ---- the row ---- */

/* A function that is NULL has nothing to do. The comments give what a function writes, which is what is cut into tiles. */
typedef struct {
    const char *name;
    int variant;                                         /* for operations that share a file */
    int (*check)(const fm_node *, const int64_t *width); /* whether the node is sound; width of each source */
    int (*arrays)(const fm_node *, fm_array *);          /* name, role, rows and cols of each; returns how many */
    int64_t (*state)(const fm_node *);                   /* elements that are kept but not trained */

    int becomes; /* part of an epilogue that such a node can become, or 0 */
    void (*become)(const fm_node *, fm_epilogue *);
    int (*hosts)(const fm_fused *); /* parts of an epilogue that it can still take */
    int keeps_delta;                /* dx[0] is dz: with one reader they may be one array */
    int is_identity;                /* in predict y is x[0] */
    int ends_local;                 /* `down` can run the LOCAL of the op below, see fm_fused.below */
    fm_needs needs;
    void (*plan)(fm_fused *);                                /* sets the fields of fm_fused that are marked so */
    int64_t (*spaces)(const fm_fused *, fm_use, fm_space *); /* returns how many */

    fm_tile_work *collect;      /* what needs all rows; columns of all rows */
    fm_tile_work *forward;      /* y */
    fm_tile_work *local;        /* delta -> dz; dz */
    fm_tile_work *collect_down; /* like collect, before `down` */
    fm_source_work *down;       /* dz -> dx[source], stored or added to; columns: fm_fused.down_cols */
    fm_array_work *gradient;    /* rows begin .. end of grad[array], from all rows of the batch */
    void (*renew)(const fm_run *, const fm_operands *, int for_down, int64_t begin, int64_t end);
    /* copies, from rows begin .. end of array 0: those that forward reads, or all */
    fm_tile_work *keep; /* state, after a step that stands; columns */
} fm_op_row;

/* A node with what was fused into it: one pass over the data. */
struct fm_fused {
    const fm_op_row *row;
    fm_node node;                           /* the core */
    int index;                              /* its number in the network */
    size_t size;                            /* of an element of the storage type */
    int n_sources, source[FM_MOST_SOURCES]; /* fused ops before this one, -1 - k for input k of the network */
    int64_t width[FM_MOST_SOURCES];
    int adds[FM_MOST_SOURCES]; /* others have contributed to this source's delta before */
    fm_epilogue epilogue;
    const fm_fused *below; /* DOWN to source 0 ends with the epilogue's LOCAL of this one; NULL: it does not */
    int local_is_done;     /* ... by the reader of this one */
    int in_place;          /* its delta is its source's too, for nobody else reads that source */
    int n_arrays;
    int output;      /* its value is that output of the network; -1: none */
    int shown, slot; /* predict: the fused op whose value this one's is, and the buffer that it lies in */

    /* set by `plan` */
    fm_compute compute;
    int whole_rows, down_whole_rows;    /* a tile has all columns */
    int64_t down_cols[FM_MOST_SOURCES]; /* of the domain of DOWN; the source's width at first */
    int has_local;
    int form;              /* the operation's own choice */
    int64_t product_width; /* columns of its widest matrix product, 0 for none */
    int64_t streamed;      /* elements of parameters that every block of rows reads */
    double flops;          /* of a row, forward */
};

/* ---- op.c: for operations ---- */

extern const fm_op_row *const fm_op_rows[FM_OPS];

static inline void *fm_element(const fm_run *run, const void *base, int64_t element) {
    return (char *)base + element * (int64_t)run->size;
}

static inline int fm_stopped(const fm_run *run) { return atomic_load_explicit(run->stop, memory_order_relaxed); }

/* For an operation that cannot go on: all threads leave early, and the call returns this status. */
static inline void fm_fail(const fm_run *run, fm_status status) {
    atomic_store(run->fault, status);
    atomic_store(run->stop, 1);
}

static inline void fm_poll_now_and_then(const fm_run *run) {
    if (run->poll != NULL) run->poll(run->poll_context);
}

/* Checks of widths: one source of fan_in columns that keeps them; sources of fan_in columns each, or together. */
int fm_check_keeps_width(const fm_node *node, const int64_t *width);
int fm_check_each_width(const fm_node *node, const int64_t *width);
int fm_check_sum_of_widths(const fm_node *node, const int64_t *width);

void fm_activation_becomes(const fm_node *node, fm_epilogue *epilogue);
void fm_activate(const fm_run *run, const fm_operands *at, const fm_tile *tile, const void *z); /* z: like y, whole */
void fm_activation_local(const fm_run *run, const fm_operands *at, const fm_tile *tile);

/* dx[source] takes dz as it is; or what of a join's dy reaches that source, from column `offset` of dz on. */
void fm_pass_down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile);
void fm_send_down(const fm_run *run, const fm_operands *at, int source, fm_join kind, int64_t offset,
                  const fm_tile *tile);

#endif
