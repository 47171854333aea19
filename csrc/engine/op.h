/* The interface between the engine and an operation; see docs/decisions/operations.md.

   An operation is a row of functions that work on tiles of plain arrays. It knows no threads, workspaces or
   networks. Matrices are row-major, and sizes count elements of the storage type. A function writes only into its
   tile. The bits of a result do not depend on the division into tiles; schedule.c decides that division. */
#ifndef FM_ENGINE_OP_H
#define FM_ENGINE_OP_H

#include <stdatomic.h>
#include <stddef.h>

#include "base/status.h"
#include "engine/node.h"
#include "engine/shards.h"
#include "kernels/table.h"

typedef struct fm_fused fm_fused;

/* ---- the epilogue runs after an operation's core, on the same tile while it is in cache: y = f(z + residual) ---- */

enum { FM_EPILOGUE_RESIDUAL = 1, FM_EPILOGUE_ACTIVATION = 2 };

typedef struct {
    int residual;   /* adds the last source */
    int activation; /* row of activations.def; -1: none */
    double params[FM_ACTIVATION_PARAMS];
    int stores_slope; /* forward stores local gradients for backward; otherwise backward computes them from y */
} fm_epilogue;

/* ---- memory that an operation requests ---- */

/* FORWARD: backward may follow by hand. FREEZE: only copies of the parameters, for all later predictions. */
typedef enum { FM_PREDICT, FM_FORWARD, FM_TRAIN, FM_FREEZE } fm_use;

typedef enum {
    FM_KEPT,     /* from forward to backward; predict does not have it */
    FM_COPY,     /* copies of the parameters, made by `renew` */
    FM_SCRATCH,  /* for one call on one thread; all operations use the same block, as large as the largest request */
    FM_TEMPORARY /* for one call, with separate rows for each tile; all operations use the same block */
} fm_life;

enum { FM_MOST_SPACES = 4 };

typedef struct {
    fm_life life;
    size_t size;            /* bytes of an element; normally those of the storage type */
    int64_t count, per_row; /* elements: in total, or for each row of the batch */
    int64_t per_shard;      /* elements for each shard of the batch; see shards.h */
    int64_t packed;         /* COPY: its elements in calls that pack; see fm_run.packs */
} fm_space;

/* ---- the data of a running operation ---- */

/* The arrays of a fused op, from row 0 of the batch (in predict: of the block). NULL if there is none. */
typedef struct {
    const fm_fused *op;
    const void *x[FM_MOST_SOURCES]; /* (rows, width) of each source */
    void *y;                        /* (rows, fan_out) */
    void *slope;                    /* like y, if the epilogue stores slopes; NULL: not needed */
    const void *saved;              /* what the epilogue's backward reads: slope or y */
    const void *saved_below;        /* the same of the fused op `below` */
    void *delta, *dz;               /* dL/dy, and dL/dz from LOCAL; one array unless the net is `separate` */
    void *dx[FM_MOST_SOURCES];      /* NULL: not needed */
    int unwanted;                   /* nobody needs delta and dz; see wanted.h */
    const void *param[FM_MOST_ARRAYS];
    void *grad[FM_MOST_ARRAYS], *chunk[FM_MOST_ARRAYS]; /* chunk: see fm_sums_at */
    void *state, *space[FM_MOST_SPACES];
} fm_operands;

/* What a thread needs to run operations. */
typedef struct {
    const fm_kernels *kernels;
    size_t size;         /* bytes of an element of the storage type */
    int64_t rows;        /* of the batch, or of the part of it that is in memory */
    int64_t first_row;   /* the first of them counts as this row of the batch */
    fm_shards shards;    /* of the batch, in a training step */
    int training, keeps; /* keeps: backward may follow */
    int adds;            /* gradients are added to the existing ones */
    int packs;           /* the rows are so many that copies of weights are packed panels */
    uint64_t seed;
    uint32_t step;                    /* seed and step select dropout's masks */
    double drop_factor;               /* factor of dropout probabilities; used in training only */
    void *pack, *scratch, *temporary; /* pack: for engine/product.h */
    int64_t temporary_width;          /* distance between its rows */
    fm_csr sparse;                    /* the network's input, if it is sparse; then it has no other inputs */
    _Atomic int *stop;                /* non-zero: leave early; the results will not be used */
    _Atomic int *fault;               /* status of an operation that failed; FM_OK at first */
    void (*poll)(void *context);      /* must be called every few milliseconds; or NULL */
    void *poll_context;
    double *outside; /* seconds that this thread spent in the caller's functions */
    fm_custom custom;
    void *custom_context;
} fm_run;

/* Rows row .. row + rows and columns col .. col + cols of the array that a function writes. A tile is never empty. */
typedef struct {
    int64_t row, rows, col, cols;
} fm_tile;

typedef void fm_tile_work(const fm_run *, const fm_operands *, const fm_tile *);
typedef void fm_source_work(const fm_run *, const fm_operands *, int source, const fm_tile *);
typedef void fm_array_work(const fm_run *, const fm_operands *, int array, int64_t begin, int64_t end);

/* The rows that an operation reads: its own, or those of the whole batch; then all threads wait before and after
   `collect`. CALLER: the operation runs the caller's function on the calling thread only. */
typedef enum { FM_OWN_ROWS, FM_ALL_ROWS_IN_TRAINING, FM_CALLER } fm_needs;

/* ---- the row of an operation ---- */

/* A NULL function does nothing. Each comment names what the function writes; that array is divided into tiles. */
typedef struct {
    const char *name;
    int variant;                                         /* tells operations in the same file apart */
    int only_frozen;                                     /* has no backward: for frozen float32 networks */
    int (*check)(const fm_node *, const int64_t *width); /* checks the node; width of each source */
    int (*takes_sparse)(const fm_node *);                /* whether source 0 may be sparse rows: fm_run.sparse */
    int (*arrays)(const fm_node *, fm_array *); /* sets name, role, rows and cols of each; returns their number */
    int64_t (*state)(const fm_node *);          /* number of elements that are kept but not trained */
    /* What the operation computes from a valid node once, for fm_fused.constants; returns the number of elements.
       `to` is NULL if only that is needed. */
    int64_t (*constants)(const fm_node *, int64_t *to);

    int becomes; /* the part of an epilogue that such a node can become; 0: none */
    void (*become)(const fm_node *, fm_epilogue *);
    int (*hosts)(const fm_fused *); /* the parts of an epilogue that it can still take */
    int keeps_delta;                /* dx[0] is dz: with one reader both may be the same array */
    int is_identity;                /* in predict, y is x[0] */
    int ends_local;                 /* `down` can compute the LOCAL of the op below; see fm_fused.below */
    fm_needs needs;
    void (*plan)(fm_fused *);                                /* sets the fields of fm_fused that are marked below */
    int64_t (*spaces)(const fm_fused *, fm_use, fm_space *); /* returns their number */

    fm_tile_work *collect;      /* what needs all rows of the batch; tiles of columns */
    fm_tile_work *forward;      /* y */
    fm_tile_work *local;        /* delta -> dz; writes dz */
    fm_tile_work *collect_down; /* like collect, before `down` */
    fm_source_work *down;       /* dz -> dx[source], stored or added; columns: fm_fused.down_cols */
    fm_array_work *gradient;    /* rows begin .. end of grad[array]; reads all rows in memory, writes to fm_sums_at */
    int sums_in_order;          /* `gradient` adds each row of the batch to grad[array], without chunks */
    void (*renew)(const fm_run *, const fm_operands *, int for_down, int64_t begin, int64_t end);
    /* copies of rows begin .. end of array 0: those that forward reads, or all */
    fm_tile_work *keep;       /* state, after a finished step; tiles of columns */
    fm_tile_work *sum_shards; /* sums of doubles over the shards of the batch, which `keep` reads: space[1 + MOMENTS] */
} fm_op_row;

enum { FM_MOST_PRODUCTS = 3 };

/* The second factor of a matrix product, which may need memory to be packed. */
typedef struct {
    int64_t rows, cols; /* rows: 0 are those of the batch */
    int64_t stride;     /* distance between its rows; 0: cols */
    int of_transposed;  /* the first factor is transposed */
} fm_factor;

/* A node and the nodes fused into it: one pass over the data. */
struct fm_fused {
    const fm_op_row *row;
    fm_node node;                           /* the first of the nodes */
    int index;                              /* index of `node` in the network */
    const int64_t *constants;               /* see fm_op_row */
    size_t size;                            /* bytes of an element of the storage type */
    fm_compute compute;                     /* of its matrix products */
    int n_sources, source[FM_MOST_SOURCES]; /* earlier fused ops; -1 - k is input k of the network */
    int64_t width[FM_MOST_SOURCES];
    int adds[FM_MOST_SOURCES]; /* another reader contributed to this source's delta before */
    fm_epilogue epilogue;
    const fm_fused *below; /* `down` to source 0 also computes LOCAL of this op; NULL: no */
    int down_in_place;     /* then dx[0] may be saved_below; set by `plan` */
    int local_is_done;     /* its reader computes its LOCAL */
    int in_place;          /* uses its source's delta as its own, being the only reader */
    int n_arrays;
    int output;      /* index of the output of the network; -1: none */
    int shown, slot; /* predict: the fused op that holds its value, and its buffer */

    /* set by `plan` */
    int whole_rows, down_whole_rows;    /* each tile has all columns */
    int64_t fold;                       /* each row is read as so many; a tile's columns are some of these */
    int64_t down_cols[FM_MOST_SOURCES]; /* columns that `down` writes; at first the source's width */
    int has_local;
    int form;                           /* chosen and used by the operation itself */
    fm_factor factor[FM_MOST_PRODUCTS]; /* of its matrix products */
    double flops;                       /* of one row, forward */
};

/* ---- op.c: for operations ---- */

extern const fm_op_row *const fm_op_rows[FM_OPS];

static inline void *fm_element(const fm_run *run, const void *base, int64_t element) {
    return (char *)base + element * (int64_t)run->size;
}

static inline int fm_stopped(const fm_run *run) { return atomic_load_explicit(run->stop, memory_order_relaxed); }

/* Called by an operation that cannot continue: all threads leave early, and the call returns this status. */
static inline void fm_fail(const fm_run *run, fm_status status) {
    atomic_store(run->fault, status);
    atomic_store(run->stop, 1);
}

static inline void fm_poll_now_and_then(const fm_run *run) {
    if (run->poll != NULL) run->poll(run->poll_context);
}

/* Width checks: one source of fan_in columns and the same fan_out; each source has fan_in columns; the widths of the
   sources add up to fan_in. */
int fm_check_keeps_width(const fm_node *node, const int64_t *width);
int fm_check_each_width(const fm_node *node, const int64_t *width);
int fm_check_sum_of_widths(const fm_node *node, const int64_t *width);

void fm_activation_becomes(const fm_node *node, fm_epilogue *epilogue);
void fm_activate(const fm_run *run, const fm_operands *at, const fm_tile *tile, const void *z); /* z: like y */
void fm_activation_local(const fm_run *run, const fm_operands *at, const fm_tile *tile);

/* Where an operation sums elements from `element` on of an array's gradient over the rows in memory, and how. The rows
   that do not belong to the first chunk of the batch are summed apart; the engine adds that to the gradient. */
typedef struct {
    void *to;
    fm_sums how;
} fm_sums_place;

fm_sums_place fm_sums_at(const fm_run *run, const fm_operands *at, int array, int64_t element);

/* The first adds or stores dz to dx[source] as it is. The second does so with a join's gradient of that source,
   which begins at column `offset` of dz. */
void fm_pass_down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile);
void fm_send_down(const fm_run *run, const fm_operands *at, int source, fm_join kind, int64_t offset,
                  const fm_tile *tile);

#endif
