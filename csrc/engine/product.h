/* Matrix products on the calling thread, for operations. */
#ifndef FM_ENGINE_PRODUCT_H
#define FM_ENGINE_PRODUCT_H

#include "engine/op.h"

/* Networks without a product this wide never pack, and have no space for it. */
enum { FM_LEAST_PACKED_WIDTH = 192 };
/* A weight gradient of fewer outputs needs space for itself transposed. */
enum { FM_LEAST_DIRECT_OUTPUTS = 16 };

typedef struct {
    const fm_kernels *kernels;
    fm_compute compute;
    size_t size; /* of an element */
    void *pack;
    const fm_run *watch; /* long products look at its stop flag every few milliseconds; NULL: they must finish */
} fm_product;

int64_t fm_pack_bytes(int64_t widest, size_t size); /* for products of at most so many columns */

static inline fm_product fm_product_of(const fm_run *run, const fm_fused *op) {
    return (fm_product){run->kernels, op->compute, run->size, run->pack, run};
}

/* C[m][n] (finish) A B, with A's element (i, k) at a[i * a_row + k * a_step] and B's rows b_step apart. */
void fm_multiply(const fm_product *space, fm_gemm g);

/* Rows begin .. end of dW (in, out), from x (rows, in) and delta (rows, out), stored or added. */
typedef struct {
    int64_t in, out, rows;
    const void *x, *delta;
    int64_t begin, end;
    int add;
    void *transposed; /* (out, end - begin), where there are few outputs */
    void *dw;
} fm_weight_gradient_call;

void fm_weight_gradient(const fm_product *space, const fm_weight_gradient_call *call);

#endif
