#include "engine/graph.h"

#include <string.h>

#include "base/aligned_alloc.h"

int64_t fm_graph_width(const fm_net *net, int source) {
    return source < 0 ? net->ends.width[-1 - source] : net->nodes[source].fan_out;
}

int fm_graph_uses(const fm_net *net, int node) {
    int uses = 0;
    for (int i = 0; i < net->ends.n_outputs; i++) uses += net->ends.output[i] == node;
    for (int i = 0; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_sources; k++) uses += net->nodes[i].source[k] == node;
    return uses;
}

int fm_graph_ends_are_valid(const fm_ends *ends, int n_nodes) {
    if (ends->n_inputs < 1 || ends->n_inputs > FM_MOST_ENDS || ends->n_outputs < 1 || ends->n_outputs > FM_MOST_ENDS)
        return 0;
    for (int k = 0; k < ends->n_inputs; k++)
        if (ends->width[k] < 1) return 0;
    for (int k = 0; k < ends->n_outputs; k++) {
        if (ends->output[k] < 0 || ends->output[k] >= n_nodes) return 0;
        for (int l = 0; l < k; l++)
            if (ends->output[l] == ends->output[k]) return 0;
    }
    return 1;
}

static int node_is_valid(const fm_net *net, int index) {
    const fm_node *node = &net->nodes[index];
    int64_t width[FM_MOST_SOURCES];
    if (node->op < 0 || node->op >= FM_OPS || node->fan_in < 1 || node->fan_out < 1) return 0;
    if (node->n_sources < 0 || node->n_sources > FM_MOST_SOURCES) return 0;
    for (int k = 0; k < node->n_sources; k++) {
        if (node->source[k] >= index || node->source[k] < -net->ends.n_inputs) return 0;
        width[k] = fm_graph_width(net, node->source[k]);
    }
    const fm_op_row *row = fm_op_rows[node->op];
    if (row->only_frozen && (!net->ends.frozen || net->dtype != FM_F32)) return 0;
    return row->check(node, width);
}

fm_status fm_graph_copy_lists(fm_net *net) {
    int64_t total = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        const fm_node *node = &net->nodes[i];
        if (node->n_list < 0 || (node->n_list > 0 && node->list == NULL)) return FM_BAD_ARGUMENT;
        if (__builtin_add_overflow(total, node->n_list, &total)) return FM_NO_MEMORY;
    }
    int64_t *to = net->lists = fm_alloc(total, sizeof *to);
    if (to == NULL) return FM_NO_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        fm_node *node = &net->nodes[i];
        if (node->n_list > 0) memcpy(to, node->list, (size_t)node->n_list * sizeof *to);
        node->list = to;
        to += node->n_list;
    }
    return FM_OK;
}

fm_status fm_graph_make_constants(fm_net *net) {
    int64_t total = 0;
    for (int i = 0; i < net->n_nodes; i++) {
        const fm_op_row *row = fm_op_rows[net->nodes[i].op];
        net->constants_at[i] = total;
        if (row->constants != NULL) total += row->constants(&net->nodes[i], NULL);
    }
    net->constants = fm_alloc(total, sizeof *net->constants);
    if (net->constants == NULL) return FM_NO_MEMORY;
    for (int i = 0; i < net->n_nodes; i++) {
        const fm_op_row *row = fm_op_rows[net->nodes[i].op];
        if (row->constants != NULL) row->constants(&net->nodes[i], net->constants + net->constants_at[i]);
    }
    return FM_OK;
}

/* Places the parameters and state of a node; false on overflow. */
static int place_arrays(fm_net *net, int index) {
    const fm_op_row *row = fm_op_rows[net->nodes[index].op];
    fm_array *array = &net->arrays[net->n_arrays];
    const int count = row->arrays == NULL ? 0 : row->arrays(&net->nodes[index], array);
    net->first_array[index] = net->n_arrays;
    net->n_arrays += count;
    for (int k = 0; k < count; k++) {
        int64_t elements;
        array[k].node = index;
        array[k].at = net->n_params;
        if (__builtin_mul_overflow(array[k].rows, array[k].cols, &elements)) return 0;
        if (__builtin_add_overflow(net->n_params, elements, &net->n_params)) return 0;
    }
    net->state_at[index] = net->n_state;
    return row->state == NULL || !__builtin_add_overflow(net->n_state, row->state(&net->nodes[index]), &net->n_state);
}

/* Every value must be read, because a value that nothing reads has no gradient. */
static int all_is_used(const fm_net *net) {
    for (int value = -net->ends.n_inputs; value < net->n_nodes; value++)
        if (fm_graph_uses(net, value) == 0) return 0;
    return 1;
}

static int64_t wider(int64_t a, int64_t b) { return a > b ? a : b; }

fm_status fm_graph_describe(fm_net *net) {
    for (int k = 0; k < net->ends.n_inputs; k++) net->widest = wider(net->widest, net->ends.width[k]);
    for (int i = 0; i < net->n_nodes; i++) {
        if (!node_is_valid(net, i)) return FM_BAD_ARGUMENT;
        if (!place_arrays(net, i)) return FM_NO_MEMORY;
        net->widest = wider(net->widest, net->nodes[i].fan_out);
        net->asks_caller |= fm_op_rows[net->nodes[i].op]->needs == FM_CALLER;
    }
    net->first_array[net->n_nodes] = net->n_arrays;
    return all_is_used(net) ? FM_OK : FM_BAD_ARGUMENT;
}
