/* Dropout; param[0] is the probability. The mask depends only on the seed, the node, the step and the element. Forward
   keeps it for backward, because to draw it takes longer than to read it. Outside training all elements pass. */
#include <string.h>

#include "engine/op.h"

enum { KEPT }; /* the mask: a byte for each element, 1 if it passes */

static int check(const fm_node *node, const int64_t *width) {
    return fm_check_keeps_width(node, width) && node->param[0] >= 0.0 && node->param[0] <= 1.0;
}

static void plan(fm_fused *op) { op->whole_rows = op->has_local = 1; }

static int64_t spaces(const fm_fused *op, fm_use use, fm_space *space) {
    (void)use;
    space[KEPT] = (fm_space){.life = FM_KEPT, .size = 1, .per_row = op->node.fan_out};
    return 1;
}

static double probability(const fm_run *run, const fm_fused *op) { return run->drop_factor * op->node.param[0]; }

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    enum { STREAMS_A_NODE = 4, MASK = 2 }; /* other streams of the node draw its initial values */
    const fm_fused *op = at->op;
    const int64_t width = op->node.fan_out, first = tile->row * width, n = tile->rows * width;
    const fm_rng rng = fm_rng_make(run->seed, (uint32_t)(STREAMS_A_NODE * op->index + MASK), run->step);
    const void *from = fm_element(run, at->x[0], first);
    void *to = fm_element(run, at->y, first);
    uint8_t *kept = at->space[KEPT] == NULL ? NULL : (uint8_t *)at->space[KEPT] + first;
    if (run->training) {
        run->kernels->dropout(&rng, probability(run, op),
                              (fm_shards_first_row(&run->shards) + run->first_row) * width + first, n, from, to, kept);
        return;
    }
    memcpy(to, from, (size_t)n * run->size);
    if (kept != NULL) memset(kept, 1, (size_t)n);
}

static void local(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const int64_t first = tile->row * at->op->node.fan_out, n = tile->rows * at->op->node.fan_out;
    const void *from = fm_element(run, at->delta, first);
    void *to = fm_element(run, at->dz, first);
    const uint8_t *kept = (const uint8_t *)at->space[KEPT] + first;
    if (run->training) run->kernels->dropout_gradient(probability(run, at->op), n, kept, from, to);
    else if (to != from) memcpy(to, from, (size_t)n * run->size);
}

const fm_op_row fm_op_dropout = {
    .name = "dropout",
    .check = check,
    .keeps_delta = 1,
    .is_identity = 1,
    .plan = plan,
    .spaces = spaces,
    .forward = forward,
    .local = local,
    .down = fm_pass_down,
};
