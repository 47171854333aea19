/* An activation as an operation of its own, if it cannot be the epilogue of another one. `kind` is a row of
   activations.def; `param` holds its parameters. */
#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return fm_check_keeps_width(node, width) && fm_activation_at(node->kind) != NULL;
}

static void plan(fm_fused *op) {
    fm_activation_becomes(&op->node, &op->epilogue);
    op->has_local = 1;
}

static void forward(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    fm_activate(run, at, tile, at->x[0]);
}

const fm_op_row fm_op_activation = {
    .name = "activation",
    .check = check,
    .becomes = FM_EPILOGUE_ACTIVATION,
    .become = fm_activation_becomes,
    .keeps_delta = 1,
    .plan = plan,
    .forward = forward,
    .local = fm_activation_local,
    .down = fm_pass_down,
};
