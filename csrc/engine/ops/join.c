/* Combines two values of the same width, element by element: sum, product or maximum (of equal elements, the first). */
#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return node->n_sources == 2 && node->fan_out == node->fan_in && fm_check_each_width(node, width);
}

static void become_residual(const fm_node *node, fm_epilogue *epilogue) {
    (void)node;
    epilogue->residual = 1;
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    run->kernels->join((fm_join)at->op->row->variant, tile->rows, tile->cols, fm_element(run, at->x[0], first), width,
                       fm_element(run, at->x[1], first), width, fm_element(run, at->y, first), width);
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    fm_send_down(run, at, source, (fm_join)at->op->row->variant, 0, tile);
}

const fm_op_row fm_op_add = {
    .name = "add",
    .variant = FM_JOIN_ADD,
    .check = check,
    .becomes = FM_EPILOGUE_RESIDUAL,
    .become = become_residual,
    .forward = forward,
    .down = down,
};

const fm_op_row fm_op_multiply = {
    .name = "multiply",
    .variant = FM_JOIN_MULTIPLY,
    .check = check,
    .forward = forward,
    .down = down,
};

const fm_op_row fm_op_maximum = {
    .name = "maximum",
    .variant = FM_JOIN_MAXIMUM,
    .check = check,
    .forward = forward,
    .down = down,
};
