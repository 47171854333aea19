/* Dropout; param[0] is the probability. The mask depends only on the seed, the node, the step and the element, so
   backward computes it again. Outside training all elements pass. */
#include <string.h>

#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return fm_check_keeps_width(node, width) && node->param[0] >= 0.0 && node->param[0] <= 1.0;
}

static void plan(fm_fused *op) { op->whole_rows = op->has_local = 1; }

static void drop(const fm_run *run, const fm_fused *op, const fm_tile *tile, const void *from, void *to) {
    enum { STREAMS_A_NODE = 4, MASK = 2 }; /* other streams of the node draw its initial values */
    const int64_t first = tile->row * op->node.fan_out, n = tile->rows * op->node.fan_out;
    const fm_rng rng = fm_rng_make(run->seed, (uint32_t)(STREAMS_A_NODE * op->index + MASK), run->step);
    from = fm_element(run, from, first);
    to = fm_element(run, to, first);
    if (run->training) run->kernels->dropout(&rng, run->drop_factor * op->node.param[0], first, n, from, to);
    else if (to != from) memcpy(to, from, (size_t)n * run->size);
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    drop(run, at->op, tile, at->x[0], at->y);
}

static void local(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    drop(run, at->op, tile, at->delta, at->dz);
}

const fm_op_row fm_op_dropout = {
    .name = "dropout",
    .check = check,
    .keeps_delta = 1,
    .is_identity = 1,
    .plan = plan,
    .forward = forward,
    .local = local,
    .down = fm_pass_down,
};
