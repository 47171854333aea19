/* Shared by both norms: a gain and a shift for each column, and the normalised values that backward needs. */
#ifndef FM_ENGINE_OPS_NORM_H
#define FM_ENGINE_OPS_NORM_H

#include "engine/op.h"

enum { GAIN, SHIFT };
enum { NORMAL, MOMENTS }; /* indices of the spaces; NORMAL: (rows, width) */

static inline int fm_norm_arrays(const fm_node *node, fm_array *array) {
    array[GAIN] = (fm_array){.name = "gamma", .role = FM_GAIN, .rows = node->fan_out, .cols = 1};
    array[SHIFT] = (fm_array){.name = "beta", .role = FM_SHIFT, .rows = node->fan_out, .cols = 1};
    return 2;
}

static inline void fm_norm_gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const int64_t width = at->op->node.fan_out;
    const void *dy = fm_element(run, at->dz, begin), *normal = fm_element(run, at->space[NORMAL], begin);
    const fm_sums_place sums = fm_sums_at(run, at, array, begin);
    if (array == GAIN) run->kernels->column_dots(run->rows, end - begin, dy, width, normal, width, sums.to, sums.how);
    else run->kernels->column_sums(run->rows, end - begin, dy, width, sums.to, sums.how);
}

#endif
