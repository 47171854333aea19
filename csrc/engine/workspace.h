/* Memory for passes over the data: all arrays of all fused ops. */
#ifndef FM_ENGINE_WORKSPACE_H
#define FM_ENGINE_WORKSPACE_H

#include "engine/op.h"
#include "fastmlp.h"

typedef struct fm_work_queue fm_work_queue;

/* Memory of one thread. */
typedef struct {
    fm_work_queue *queue; /* on its own cache line, because all threads write to it */
    fm_operands *at;      /* for each fused op; each thread has its own, because threads may be at different batches */
    void *pack, *scratch;
    void *waiting;       /* training: see fm_shards_gradient */
    void **slot;         /* predict: n_slots arrays of (rows, widest) */
    fm_targets *targets; /* training: the batch's targets of each output */
    double *scale, *sum; /* training: (outputs, fold) factors of the losses; (fold) sums of the rows of one */
} fm_thread_space;

/* Training: the gathered targets of an output, and its losses. */
typedef struct {
    double *row_value; /* (fold, batch) */
    int64_t *label;    /* (batch, fold) */
    void *target;
    double custom_loss;
    int is_finite; /* the gradient of a custom loss has no NaN and no infinity */
} fm_head_space;

/* One block of memory, for up to `rows` rows at a time. */
typedef struct {
    int64_t rows, bytes;
    int64_t batch;       /* rows of the inputs, targets and losses; more than `rows` if a step goes by parts */
    int64_t fold;        /* training: the largest number of members of a loss */
    int64_t target_cols; /* training: the most numbers in the targets of a row */
    int threads;
    int shards;     /* of the rows, at least 1 */
    int layerwise;  /* training: arrays share memory, so each op's gradients must be computed beside its `down` */
    int has_chunks; /* training by parts: there is memory for sums over later chunks of rows */
    int has_inputs, packs; /* packs: there is room for packed copies of the weights */
    char *block;
    fm_thread_space *thread;
    void *chunk_sums; /* like the gradients, if has_chunks */
    void **input;     /* (batch, width) of each input, copied or gathered, if has_inputs */
    void *temporary;  /* (rows, temporary_width) */
    int64_t temporary_width;
    fm_head_space *head; /* for each output */
    double *chunk_sum;   /* one sum for each FM_SUM_CHUNK parameters */
    void *weight;        /* (batch, fold) sample weights */
    double *members;     /* (fold) losses of the members */
} fm_workspace;

enum { FM_SUM_CHUNK = 4096 };

/* The largest number of chunk sums, over each array of parameters or over all of them. */
int64_t fm_workspace_chunks(const fm_net *net);

/* What a call needs. */
typedef struct {
    fm_use use; /* always the same for a workspace */
    int64_t rows;
    int threads;
    int64_t batch; /* 0: rows */
    int parts;     /* a training step goes by parts of `rows` rows; see fm_schedule_part_rows */
    int inputs;    /* copies of the inputs */
    int packs;     /* packed copies of the weights */
    int64_t fold, target_cols;
    int shards; /* 0: one */
} fm_demand;

/* Makes the workspace large enough. If memory is short, it stays unchanged. */
fm_status fm_workspace_reserve(fm_workspace *workspace, const fm_net *net, const fm_demand *demand);
void fm_workspace_release(fm_workspace *workspace);

#endif
