/* The products of the linear operations, whose arrays are W and b: y = f(x W + b + residual), and dx = dz W^T. */
#ifndef FM_ENGINE_OPS_LINEAR_H
#define FM_ENGINE_OPS_LINEAR_H

#include "engine/product.h"

enum { W, B };
enum { TRANSPOSED }; /* index of the space that holds W^T, or its panels */

/* Where a product reads and writes: elements from the beginning of an array, and distances between rows. `a` is x or dz,
   `b` is W or W^T, and `c` is y or dx. */
typedef struct {
    int64_t m, n, k;
    int64_t a, a_row, b, b_row, c, c_row;
} fm_linear_place;

/* The shape of W, of a group or a fold. */
static inline int64_t in_of(const fm_fused *op) { return op->factor[0].rows; }
static inline int64_t out_of(const fm_fused *op) { return op->factor[0].cols; }

/* bias: element of b that the first column has. */
static inline fm_gemm fm_forward_product(const fm_run *run, const fm_operands *at, const fm_linear_place *p,
                                         int64_t bias) {
    const fm_epilogue *epilogue = &at->op->epilogue;
    return (fm_gemm){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a = fm_element(run, at->x[0], p->a),
        .a_row = p->a_row,
        .a_step = 1,
        .b = fm_element(run, at->param[W], p->b),
        .b_step = p->b_row,
        .c = fm_element(run, at->y, p->c),
        .ldc = p->c_row,
        .bias = at->param[B] == NULL ? NULL : fm_element(run, at->param[B], bias),
        .start = at->param[B] == NULL ? FM_START_ZERO : FM_START_BIAS,
        .epilogue = epilogue->activation < 0 ? FM_GEMM_STORE : FM_GEMM_ACTIVATE,
        .activation = epilogue->activation,
        .act_params = epilogue->params,
        .aux = at->slope == NULL ? NULL : fm_element(run, at->slope, p->c),
        .ldaux = p->c_row,
        .residual = epilogue->residual ? fm_element(run, at->x[1], p->c) : NULL,
        .ldresidual = p->c_row,
    };
}

/* If other readers of x contributed to dx before, the product goes to `sum` and must then be added, because a chain must
   not continue another one. */
static inline fm_gemm fm_down_product(const fm_run *run, const fm_operands *at, const fm_linear_place *p, void *sum) {
    const fm_fused *below = at->op->below;
    return (fm_gemm){
        .m = p->m,
        .n = p->n,
        .k = p->k,
        .a = fm_element(run, at->dz, p->a),
        .a_row = p->a_row,
        .a_step = 1,
        .b = fm_element(run, at->space[TRANSPOSED], p->b),
        .b_step = p->b_row,
        .c = at->op->adds[0] ? sum : fm_element(run, at->dx[0], p->c),
        .ldc = p->c_row,
        .epilogue = below == NULL ? FM_GEMM_STORE : FM_GEMM_BACKPROP,
        .activation = below == NULL ? -1 : below->epilogue.activation,
        .act_params = below == NULL ? NULL : below->epilogue.params,
        .aux = below == NULL ? NULL : fm_element(run, at->saved_below, p->c),
        .ldaux = p->c_row,
    };
}

/* Adds the product to dx, if it went elsewhere; it is so many columns wide. */
static inline void fm_add_to_dx(const fm_run *run, const fm_operands *at, const fm_linear_place *p, const void *sum,
                                int64_t cols) {
    void *dx = fm_element(run, at->dx[0], p->c);
    if (at->op->adds[0]) run->kernels->join(FM_JOIN_ADD, p->m, cols, dx, p->c_row, sum, p->c_row, dx, p->c_row);
}

#endif
