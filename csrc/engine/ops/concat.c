/* Puts the values of all sources side by side; fan_in is the sum of their widths. */
#include <string.h>

#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return node->fan_out == node->fan_in && fm_check_sum_of_widths(node, width);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const fm_fused *op = at->op;
    const int64_t out = op->node.fan_out, end = tile->col + tile->cols;
    int64_t begin_of_source = 0;
    for (int k = 0; k < op->n_sources; k++) {
        const int64_t width = op->width[k], end_of_source = begin_of_source + width;
        const int64_t from = tile->col > begin_of_source ? tile->col : begin_of_source;
        const int64_t to = end < end_of_source ? end : end_of_source;
        for (int64_t row = tile->row; row < tile->row + tile->rows && from < to; row++)
            memcpy(fm_element(run, at->y, row * out + from),
                   fm_element(run, at->x[k], row * width + from - begin_of_source), (size_t)(to - from) * run->size);
        begin_of_source = end_of_source;
    }
}

static void down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    int64_t offset = 0;
    for (int k = 0; k < source; k++) offset += at->op->width[k];
    fm_send_down(run, at, source, FM_JOIN_ADD, offset, tile);
}

const fm_op_row fm_op_concat = {
    .name = "concat",
    .check = check,
    .forward = forward,
    .down = down,
};
