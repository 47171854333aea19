/* Networks: the node list, its checks, and its memory. */
#include "engine/graph.h"

#include <string.h>

static int64_t width_of(const fm_net *net, int source) {
    return source < 0 ? net->ends.width[-1 - source] : net->nodes[source].fan_out;
}

static int keeps_width(const fm_node *node) { return node->fan_out == node->fan_in; }

static int operation_is_valid(const fm_node *node) {
    switch (node->op) {
        case FM_OP_LINEAR: return node->n_sources == 1;
        case FM_OP_ACTIVATION: return node->n_sources == 1 && keeps_width(node) && fm_activation_at(node->kind) != NULL;
        case FM_OP_SOFTMAX: return node->n_sources == 1 && keeps_width(node);
        case FM_OP_DROPOUT:
            return node->n_sources == 1 && keeps_width(node) && node->param[0] >= 0.0 && node->param[0] <= 1.0;
        case FM_OP_MAXOUT: return node->n_sources == 1 && node->fan_in % node->fan_out == 0;
        case FM_OP_ADD:
        case FM_OP_MULTIPLY:
        case FM_OP_MAXIMUM: return node->n_sources == 2 && keeps_width(node);
        case FM_OP_CONCAT: return keeps_width(node);
        case FM_OP_SUM: return node->n_sources == 1 && node->fan_out == 1;
        case FM_OP_MATMUL: return node->n_sources == 2;
        case FM_OP_PARAMETER: return node->n_sources == 0;
        case FM_OP_LAYER_NORM: return node->n_sources == 1 && keeps_width(node) && node->param[0] > 0.0;
        case FM_OP_BATCH_NORM:
            return node->n_sources == 1 && keeps_width(node) && node->param[0] > 0.0 && node->param[1] >= 0.0;
        case FM_OP_CUSTOM: return node->n_custom >= 0;
    }
    return 0;
}

static int sums_widths(fm_op op) { return op == FM_OP_CONCAT || op == FM_OP_MATMUL || op == FM_OP_CUSTOM; }

static int shape_is_valid(const fm_net *net, const fm_node *node) {
    int64_t size[3];
    for (int k = 0; k < 3; k++) {
        if (node->shape[k] < 1) return 0;
        if (__builtin_mul_overflow(node->shape[k], node->shape[(k + 1) % 3], &size[k])) return 0;
    }
    return size[0] == width_of(net, node->source[0]) && size[1] == width_of(net, node->source[1]) &&
           size[2] == node->fan_out;
}

static int node_is_valid(const fm_net *net, int index) {
    const fm_node *node = &net->nodes[index];
    int64_t total = 0;
    if (node->n_sources < (node->op != FM_OP_PARAMETER) || node->n_sources > FM_MOST_SOURCES) return 0;
    if (node->fan_in < 1 || node->fan_out < 1) return 0;
    for (int k = 0; k < node->n_sources; k++) {
        if (node->source[k] >= index || node->source[k] < -net->ends.n_inputs) return 0;
        const int64_t width = width_of(net, node->source[k]);
        if (!sums_widths(node->op) && width != node->fan_in) return 0;
        if (__builtin_add_overflow(total, width, &total)) return 0;
    }
    if (!operation_is_valid(node) || (sums_widths(node->op) && total != node->fan_in)) return 0;
    return node->op != FM_OP_MATMUL || shape_is_valid(net, node);
}

static int ends_are_valid(const fm_ends *ends, int n_nodes) {
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

/* -1 on overflow. */
int64_t fm_node_weights(const fm_node *node) {
    int64_t count;
    switch (node->op) {
        case FM_OP_LINEAR: return __builtin_mul_overflow(node->fan_in, node->fan_out, &count) ? -1 : count;
        case FM_OP_PARAMETER:
        case FM_OP_LAYER_NORM:
        case FM_OP_BATCH_NORM: return node->fan_out;
        case FM_OP_CUSTOM: return node->n_custom;
        default: return 0;
    }
}

static int has_bias(const fm_node *node) {
    return node->op == FM_OP_LINEAR ? node->bias : node->op == FM_OP_LAYER_NORM || node->op == FM_OP_BATCH_NORM;
}

/* Gives the node its place among the parameters; false on overflow. */
static int place_parameters(fm_node *node, int64_t *total) {
    const int64_t weights = fm_node_weights(node);
    node->weight_at = node->bias_at = -1;
    if (weights < 0) return 0;
    if (weights == 0) return 1;
    node->weight_at = *total;
    if (__builtin_add_overflow(*total, weights, total)) return 0;
    if (!has_bias(node)) return 1;
    node->bias_at = *total;
    return !__builtin_add_overflow(*total, node->fan_out, total);
}

/* A value that nobody reads would have no gradient. */
static int all_is_used(const fm_net *net) {
    for (int value = -net->ends.n_inputs; value < net->n_nodes; value++)
        if (fm_graph_uses(net, value) == 0) return 0;
    return 1;
}

static int64_t wider(int64_t a, int64_t b) { return a > b ? a : b; }

static fm_status describe(fm_net *net, const fm_node *nodes) {
    memcpy(net->nodes, nodes, (size_t)net->n_nodes * sizeof *nodes);
    for (int k = 0; k < net->ends.n_inputs; k++) net->widest = wider(net->widest, net->ends.width[k]);
    for (int i = 0; i < net->n_nodes; i++) {
        if (!node_is_valid(net, i)) return FM_BAD_ARGUMENT;
        if (!place_parameters(&net->nodes[i], &net->n_params)) return FM_NO_MEMORY;
        net->widest = wider(net->widest, net->nodes[i].fan_out);
        net->has_custom |= nodes[i].op == FM_OP_CUSTOM;
    }
    if (!all_is_used(net)) return FM_BAD_ARGUMENT;
    int *scratch = fm_alloc(net->n_nodes, sizeof *scratch);
    if (scratch == NULL) return FM_NO_MEMORY;
    fm_graph_plan(net, scratch);
    fm_free(scratch);
    return FM_OK;
}

static fm_status fill(fm_net *net, const fm_node *nodes) {
    net->nodes = fm_alloc(net->n_nodes, sizeof *net->nodes);
    net->stages = fm_alloc(net->n_nodes, sizeof *net->stages);
    net->stage_of_node = fm_alloc(net->n_nodes, sizeof *net->stage_of_node);
    if (net->nodes == NULL || net->stages == NULL || net->stage_of_node == NULL) return FM_NO_MEMORY;
    const fm_status status = describe(net, nodes);
    if (status != FM_OK) return status;
    net->params = fm_alloc_zeroed(net->n_params, net->size);
    net->grads = fm_alloc_zeroed(net->n_params, net->size);
    net->state = fm_alloc_zeroed(net->n_state, net->size);
    if (net->params == NULL || net->grads == NULL || net->state == NULL) return FM_NO_MEMORY;
    return FM_OK;
}

fm_status fm_net_new(const fm_ends *ends, int n_nodes, const fm_node *nodes, fm_dtype dtype, uint64_t seed,
                     fm_net **out) {
    *out = NULL;
    if (n_nodes < 1 || !ends_are_valid(ends, n_nodes)) return FM_BAD_ARGUMENT;
    if (dtype != FM_F32 && dtype != FM_F64) return FM_BAD_ARGUMENT;
    fm_net *net = fm_alloc_zeroed(1, sizeof *net);
    if (net == NULL) return FM_NO_MEMORY;
    net->dtype = dtype;
    net->size = dtype == FM_F32 ? sizeof(float) : sizeof(double);
    net->ends = *ends;
    net->n_nodes = n_nodes;
    net->seed = seed;
    net->saved_rows = -1;
    atomic_flag_clear(&net->idle_taken);
    const fm_status status = fill(net, nodes);
    if (status == FM_OK) *out = net;
    else fm_net_free(net);
    return status;
}

void fm_net_free(fm_net *net) {
    if (net == NULL) return;
    fm_plan_release(&net->plan);
    fm_plan_release(&net->idle_plan);
    fm_free(net->params);
    fm_free(net->grads);
    fm_free(net->state);
    fm_free(net->nodes);
    fm_free(net->stages);
    fm_free(net->stage_of_node);
    fm_free(net);
}

int64_t fm_net_parameters(const fm_net *net) { return net->n_params; }
const fm_node *fm_net_node(const fm_net *net, int index) { return &net->nodes[index]; }
void *fm_net_params(fm_net *net) { return net->params; }
void *fm_net_grads(fm_net *net) { return net->grads; }
uint32_t fm_net_step(const fm_net *net) { return net->step; }
void fm_net_set_step(fm_net *net, uint32_t step) { net->step = step; }
int fm_net_pass(const fm_net *net, int node) { return net->stage_of_node[node]; }
int64_t fm_net_state_size(const fm_net *net) { return net->n_state; }
void *fm_net_state(fm_net *net) { return net->state; }

void fm_net_set_custom(fm_net *net, fm_custom custom, void *context) {
    net->custom = custom;
    net->custom_context = context;
}

int fm_net_can_run(const fm_net *net) { return !net->has_custom || net->custom != NULL; }

static const void *entry(const fm_net *net, char **table, int node) {
    return net->ends.separate && net->plan.block != NULL ? table[net->stage_of_node[node]] : NULL;
}

const void *fm_net_value(const fm_net *net, int node) { return entry(net, net->plan.value, node); }
const void *fm_net_delta(const fm_net *net, int node) { return entry(net, net->plan.delta, node); }

int64_t fm_net_saved_rows(const fm_net *net) { return net->saved_rows; }

fm_status fm_net_take(fm_net *net) { return fm_claim_take(&net->claim); }
void fm_net_give_back(fm_net *net) { fm_claim_release(&net->claim); }
