/* A trained parameter whose value is the same in every row. It has no sources; `kind` is 1 if penalties apply to it. */
#include <string.h>

#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    (void)width;
    return node->n_sources == 0;
}

static int arrays(const fm_node *node, fm_array *array) {
    const fm_role role = node->kind == 1 ? FM_WEIGHT : FM_FREE;
    array[0] = (fm_array){.name = "W", .role = role, .rows = node->fan_out, .cols = 1};
    return 1;
}

static void plan(fm_fused *op) { op->whole_rows = 1; }

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out;
    for (int64_t row = tile->row; row < tile->row + tile->rows; row++)
        memcpy(fm_element(run, at->y, row * width), at->param[0], (size_t)width * run->size);
}

static void gradient(const fm_run *run, const fm_operands *at, int array, int64_t begin, int64_t end) {
    const fm_sums_place sums = fm_sums_at(run, at, array, begin);
    run->kernels->column_sums(run->rows, end - begin, fm_element(run, at->dz, begin), at->op->node.fan_out, sums.to,
                              sums.how);
}

const fm_op_row fm_op_parameter = {
    .name = "parameter",
    .check = check,
    .arrays = arrays,
    .plan = plan,
    .forward = forward,
    .gradient = gradient,
};
