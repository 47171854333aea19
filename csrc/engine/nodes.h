/* The nodes of nodes.c, as forward, backward and training call them. */
#ifndef FM_ENGINE_NODES_H
#define FM_ENGINE_NODES_H

#include "base/clock.h"
#include "engine/net.h"

/* Elements of a thread's space that a product of two values needs. */
int64_t fm_matmul_space(const fm_stage *s);

/* Whether the stage looks at all rows at once in this pass. If so the next two are called by all threads, each between
   two barriers: moments and sums of a batch norm, the caller's nodes. */
int fm_is_collective(const fm_exec *e, const fm_stage *s);
void fm_collect_forward(const fm_exec *e, int i);
void fm_collect_backward(const fm_exec *e, int i, void *const *dx);

/* m rows from x to y, columns begin .. end of them. */
void fm_node_forward(const fm_exec *e, int i, int64_t first_row, int64_t m, int64_t begin, int64_t end,
                     const void *const *x, void *y, void *normal);
void fm_node_down(const fm_exec *e, int i, void *const *dx);
/* Gradients of parameters begin .. end of gain and shift, or of a value. */
void fm_node_gradients(const fm_exec *e, int i, int64_t begin, int64_t end, int add);

/* This thread's columns of the batch norms' running moments take in the last forward's. */
void fm_keep_moments(const fm_exec *e);

#endif
