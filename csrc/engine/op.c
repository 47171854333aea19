/* The rows of ops.def, and functions that several operations use. */
#include "engine/op.h"

#include <string.h>

#define FM_OP(id, ID) extern const fm_op_row fm_op_##id;
#include "engine/ops.def"
#undef FM_OP

const fm_op_row *const fm_op_rows[FM_OPS] = {
#define FM_OP(id, ID) &fm_op_##id,
#include "engine/ops.def"
#undef FM_OP
};

const char *fm_op_name(int op) { return op >= 0 && op < FM_OPS ? fm_op_rows[op]->name : NULL; }

int fm_op_find(const char *name) {
    for (int op = 0; op < FM_OPS; op++)
        if (strcmp(fm_op_rows[op]->name, name) == 0) return op;
    return -1;
}

/* ---- widths ---- */

int fm_check_each_width(const fm_node *node, const int64_t *width) {
    for (int k = 0; k < node->n_sources; k++)
        if (width[k] != node->fan_in) return 0;
    return 1;
}

int fm_check_keeps_width(const fm_node *node, const int64_t *width) {
    return node->n_sources == 1 && node->fan_out == node->fan_in && width[0] == node->fan_in;
}

int fm_check_sum_of_widths(const fm_node *node, const int64_t *width) {
    int64_t total = 0;
    for (int k = 0; k < node->n_sources; k++)
        if (__builtin_add_overflow(total, width[k], &total)) return 0;
    return node->n_sources > 0 && total == node->fan_in;
}

/* ---- activations, alone or as an epilogue ---- */

void fm_activation_becomes(const fm_node *node, fm_epilogue *epilogue) {
    epilogue->activation = node->kind;
    memcpy(epilogue->params, node->param, sizeof epilogue->params);
    epilogue->stores_slope = fm_activation_at(node->kind)->saves == FM_SAVES_SLOPE;
}

void fm_activate(const fm_run *run, const fm_operands *at, const fm_tile *tile, const void *z) {
    const fm_epilogue *e = &at->op->epilogue;
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    run->kernels->activate(e->activation, e->params, tile->rows, tile->cols, fm_element(run, z, first), width,
                           fm_element(run, at->y, first), width,
                           at->slope == NULL ? NULL : fm_element(run, at->slope, first), width);
}

void fm_activation_local(const fm_run *run, const fm_operands *at, const fm_tile *tile) {
    const fm_epilogue *e = &at->op->epilogue;
    const int64_t width = at->op->node.fan_out, first = tile->row * width + tile->col;
    run->kernels->backprop(e->activation, e->params, tile->rows, tile->cols, fm_element(run, at->saved, first), width,
                           fm_element(run, at->delta, first), width, fm_element(run, at->dz, first), width);
}

/* ---- gradients ---- */

fm_sums_place fm_sums_at(const fm_run *run, const fm_operands *at, int array, int64_t element) {
    const int64_t before = run->first_row * at->op->fold;
    const fm_sums how = before % FM_BATCH_CHUNK > 0 ? FM_SUMS_GO_ON : run->adds ? FM_SUMS_ADD : FM_SUMS_STORE;
    return (fm_sums_place){fm_element(run, before < FM_BATCH_CHUNK ? at->grad[array] : at->chunk[array], element), how};
}

void fm_send_down(const fm_run *run, const fm_operands *at, int source, fm_join kind, int64_t offset,
                  const fm_tile *tile) {
    const int plain = kind == FM_JOIN_ADD;
    const int64_t width = at->op->width[source], out = at->op->node.fan_out, first = tile->row * width + tile->col;
    const fm_join_back call = {
        .kind = kind,
        .side = source,
        .add = at->op->adds[source],
        .m = tile->rows,
        .n = tile->cols,
        .a = plain ? NULL : fm_element(run, at->x[0], first),
        .b = plain ? NULL : fm_element(run, at->x[1], first),
        .dy = fm_element(run, at->dz, tile->row * out + offset + tile->col),
        .ldy = out,
        .dx = fm_element(run, at->dx[source], first),
        .ldx = width,
    };
    run->kernels->join_gradient(&call);
}

void fm_pass_down(const fm_run *run, const fm_operands *at, int source, const fm_tile *tile) {
    fm_send_down(run, at, source, FM_JOIN_ADD, 0, tile);
}
