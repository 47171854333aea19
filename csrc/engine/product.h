/* Matrix products on the calling thread, for operations. */
#ifndef FM_ENGINE_PRODUCT_H
#define FM_ENGINE_PRODUCT_H

#include "engine/op.h"

/* Narrower products need not pack if their operands are not rounded. */
enum { FM_LEAST_PACKED_WIDTH = 192 };
/* The weight gradient of a layer with fewer outputs needs memory for a transposed copy. */
enum { FM_LEAST_DIRECT_OUTPUTS = 16 };

typedef struct {
    const fm_kernels *kernels;
    fm_compute compute;
    size_t size; /* bytes of an element */
    void *pack;
    const fm_run *watch; /* long products check its stop flag every few milliseconds; NULL: cannot be stopped */
} fm_product;

int64_t fm_pack_bytes(const fm_fused *op, int64_t rows); /* for the products of an op, with so many rows in the batch */

static inline fm_product fm_product_of(const fm_run *run, const fm_fused *op) {
    return (fm_product){run->kernels, op->compute, run->size, run->pack, run};
}

/* C[m][n] = A B with the epilogue of `g`. A's element (i, k) is a[i * a_row + k * a_step]; B's rows are b_step
   apart. If k is small, C may be the array `aux` that FM_GEMM_BACKPROP reads. */
enum { FM_MOST_TERMS_IN_PLACE = 1024 };
void fm_multiply(const fm_product *space, fm_gemm g);

/* The words of a panel with k terms. */
static inline int64_t fm_panel_words(const fm_products *kernels, int64_t k) {
    return (k + kernels->terms - 1) / kernels->terms;
}

/* Elements of a B (k, n) that is packed whole: panels of tile_cols columns with all words of k, on any ISA. */
int64_t fm_panels_size(int64_t words, int64_t n);
/* Whether panels are read faster than B in place: B is larger than the second-level cache, or its rows are so far
   apart that they map to the same lines of the first-level cache. */
int fm_panels_pay(int64_t k, int64_t n, int64_t stride, size_t size);
/* Like fm_multiply, with columns first .. first + g.n of a B that is packed whole; g.b_step is not read. */
void fm_multiply_panels(const fm_product *space, fm_gemm g, int64_t first);

/* So many products side by side, each of the next k columns of A, k rows of B and n columns of C. */
void fm_multiply_groups(const fm_product *space, fm_gemm g, int64_t groups);

/* Rows begin .. end of dW (in, out), from x (rows, in) and delta (rows, out). */
typedef struct {
    int64_t in, out, rows;
    const void *x, *delta;
    int64_t x_row, delta_row; /* distances between their rows */
    int64_t begin, end;
    fm_sums sums;
    void *transposed; /* (out, end - begin), if there are few outputs */
    void *dw;
} fm_weight_gradient_call;

void fm_weight_gradient(const fm_product *space, const fm_weight_gradient_call *call);

#endif
