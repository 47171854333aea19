/* Memory for passes over the data: where every array of every fused op lies. */
#ifndef FM_ENGINE_WORKSPACE_H
#define FM_ENGINE_WORKSPACE_H

#include "engine/op.h"
#include "fastmlp.h"

/* What is a thread's own. */
typedef struct {
    fm_operands *at; /* of each fused op; each thread has its own, for they view different batches at one moment */
    void *pack, *scratch;
    void **slot;         /* predict: n_slots of (rows, widest) */
    fm_targets *targets; /* to train: of each output, for the batch */
    double *scale;       /* ... and what multiplies its loss */
} fm_thread_space;

/* To train: an output's targets, gathered, and what its loss was. */
typedef struct {
    double *row_value;
    int64_t *label;
    void *target;
    double custom_loss;
} fm_head_space;

/* Memory for up to `rows` rows, one block. */
typedef struct {
    int64_t rows;
    int threads;
    char *block;
    fm_thread_space *thread;
    void **input;    /* (rows, width) of each input: copied or gathered */
    void *temporary; /* (rows, temporary_width) */
    int64_t temporary_width;
    fm_head_space *head; /* of each output */
    double *chunk_sum;   /* of every FM_SUM_CHUNK parameters */
    void *weight;        /* of each row */
} fm_workspace;

enum { FM_SUM_CHUNK = 4096 };

/* Chunks that sums over each array of parameters, or over all of them, take together. */
int64_t fm_workspace_chunks(const fm_net *net);

/* Makes the workspace hold `rows` rows for `threads` threads; an unchanged one when memory cannot be had. */
fm_status fm_workspace_reserve(fm_workspace *workspace, const fm_net *net, fm_use use, int64_t rows, int threads);
void fm_workspace_release(fm_workspace *workspace);

#endif
