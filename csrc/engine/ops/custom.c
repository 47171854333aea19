/* A custom node: the caller's function computes all rows at once on the calling thread. It computes values,
   gradients of the sources, and gradients of its size[0] parameters. fan_in is the sum of the widths of the sources. */
#include "base/clock.h"
#include "engine/op.h"

static int check(const fm_node *node, const int64_t *width) {
    return node->size[0] >= 0 && fm_check_sum_of_widths(node, width);
}

static int arrays(const fm_node *node, fm_array *array) {
    array[0] = (fm_array){.name = "parameters", .role = FM_FREE, .rows = node->size[0], .cols = 1};
    return node->size[0] > 0;
}

static fm_custom_call call_for(const fm_run *run, const fm_operands *at) {
    fm_custom_call call = {
        .node = at->op->index, .rows = run->rows, .training = run->training, .keeps = run->keeps, .y = at->y};
    for (int k = 0; k < at->op->n_sources; k++) call.x[k] = at->x[k];
    return call;
}

static void ask_caller(const fm_run *run, const fm_custom_call *call) {
    const double start = fm_seconds();
    if (run->custom(run->custom_context, call)) atomic_store(run->stop, 1);
    *run->outside += fm_seconds() - start;
}

static void collect(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const fm_custom_call call = call_for(run, at);
    (void)tile;
    ask_caller(run, &call);
}

static void collect_down(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    fm_custom_call call = call_for(run, at);
    (void)tile;
    call.dy = at->dz;
    for (int k = 0; k < at->op->n_sources; k++) {
        call.dx[k] = at->dx[k];
        call.add[k] = at->op->adds[k];
    }
    call.grads = at->grad[0];
    call.add_grads = run->adds;
    ask_caller(run, &call);
}

const fm_op_row fm_op_custom = {
    .name = "custom",
    .check = check,
    .arrays = arrays,
    .needs = FM_CALLER,
    .collect = collect,
    .collect_down = collect_down,
};
