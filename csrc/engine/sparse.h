/* Products of a sparse input with dense weights, on the calling thread, for operations. They leave out the terms of
   zeros, which change no bit (docs/numerics.md), so results are those of the dense input. */
#ifndef FM_ENGINE_SPARSE_H
#define FM_ENGINE_SPARSE_H

#include "engine/op.h"

/* Whether the operation reads the network's input, and that is sparse. */
static inline int fm_reads_sparse(const fm_run *run, const fm_operands *at) {
    return run->sparse.start != NULL && at->op->source[0] < 0;
}

/* Rows `first` and following as rows 0 and following. */
fm_csr fm_csr_from(const fm_csr *rows, int64_t first);

/* z = x W + b for a tile, written to y; `by_dots`: by lane sums. W is param[0], b is param[1] or NULL. */
void fm_sparse_forward(const fm_run *run, const fm_operands *at, const fm_tile *tile, int by_dots);

/* Rows begin .. end of dW = x^T dz, stored or added. */
void fm_sparse_gradient(const fm_run *run, const fm_operands *at, int64_t begin, int64_t end);

#endif
