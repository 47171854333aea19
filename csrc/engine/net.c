/* Networks: the node list, its checks, and the fusion of nodes into stages. */
#include "engine/net.h"

#include <string.h>

static int node_is_valid(const fm_node *node, int index, int64_t width) {
    if (node->input != index - 1 || node->fan_in != width || node->fan_in < 1 || node->fan_out < 1) return 0;
    switch (node->op) {
        case FM_OP_LINEAR: return 1;
        case FM_OP_ACTIVATION: return fm_activation_at(node->kind) != NULL && node->fan_out == width;
        case FM_OP_SOFTMAX: return node->fan_out == width;
        case FM_OP_DROPOUT: return node->fan_out == width && node->param[0] >= 0.0 && node->param[0] <= 1.0;
    }
    return 0;
}

/* Gives the node its place among the parameters; false on overflow. */
static int place_parameters(fm_node *node, int64_t *total) {
    int64_t weights;
    node->weight_at = node->bias_at = -1;
    if (node->op != FM_OP_LINEAR) return 1;
    if (__builtin_mul_overflow(node->fan_in, node->fan_out, &weights)) return 0;
    node->weight_at = *total;
    if (__builtin_add_overflow(*total, weights, total)) return 0;
    if (!node->bias) return 1;
    node->bias_at = *total;
    return !__builtin_add_overflow(*total, node->fan_out, total);
}

static fm_stage stage_of(const fm_node *node, int index) {
    fm_stage stage = {
        .op = node->op,
        .fan_in = node->fan_in,
        .fan_out = node->fan_out,
        .weight_at = node->weight_at,
        .bias_at = node->bias_at,
        .activation = -1,
        .dot = node->op == FM_OP_LINEAR && fm_takes_dot_form(node->fan_in, node->fan_out),
        .drop = node->op == FM_OP_DROPOUT ? node->param[0] : 0.0,
        .stream = (uint32_t)(4 * index + 2),
    };
    return stage;
}

static void give_activation(fm_stage *stage, const fm_node *node) {
    stage->activation = node->kind;
    memcpy(stage->act_params, node->param, sizeof stage->act_params);
    stage->stores_slope = fm_activation_at(node->kind)->saves == FM_SAVES_SLOPE;
}

/* An activation right behind a Linear becomes part of its stage. */
static void fuse(fm_net *net) {
    for (int i = 0; i < net->n_nodes; i++) {
        const fm_node *node = &net->nodes[i];
        fm_stage *before = net->n_stages > 0 ? &net->stages[net->n_stages - 1] : NULL;
        if (node->op == FM_OP_ACTIVATION && before != NULL && before->op == FM_OP_LINEAR && before->activation < 0) {
            give_activation(before, node);
            continue;
        }
        fm_stage *stage = &net->stages[net->n_stages++];
        *stage = stage_of(node, i);
        if (node->op == FM_OP_ACTIVATION) give_activation(stage, node);
    }
}

static fm_status describe(fm_net *net, const fm_node *nodes) {
    int64_t width = net->n_in;
    memcpy(net->nodes, nodes, (size_t)net->n_nodes * sizeof *nodes);
    net->widest = width;
    for (int i = 0; i < net->n_nodes; i++) {
        if (!node_is_valid(&net->nodes[i], i, width)) return FM_BAD_ARGUMENT;
        if (!place_parameters(&net->nodes[i], &net->n_params)) return FM_NO_MEMORY;
        width = net->nodes[i].fan_out;
        if (width > net->widest) net->widest = width;
    }
    net->n_out = width;
    fuse(net);
    return FM_OK;
}

fm_status fm_net_new(int64_t n_in, int n_nodes, const fm_node *nodes, fm_dtype dtype, uint64_t seed, fm_net **out) {
    *out = NULL;
    if (n_in < 1 || n_nodes < 1) return FM_BAD_ARGUMENT;
    fm_net *net = fm_alloc_zeroed(1, sizeof *net);
    if (net == NULL) return FM_NO_MEMORY;
    net->dtype = dtype;
    net->size = dtype == FM_F32 ? sizeof(float) : sizeof(double);
    net->n_in = n_in;
    net->n_nodes = n_nodes;
    net->seed = seed;
    net->saved_rows = -1;
    atomic_flag_clear(&net->idle_taken);
    net->nodes = fm_alloc(n_nodes, sizeof *net->nodes);
    net->stages = fm_alloc(n_nodes, sizeof *net->stages);
    fm_status status = net->nodes == NULL || net->stages == NULL ? FM_NO_MEMORY : describe(net, nodes);
    if (status == FM_OK) {
        net->params = fm_alloc_zeroed(net->n_params, net->size);
        net->grads = fm_alloc_zeroed(net->n_params, net->size);
        if (net->params == NULL || net->grads == NULL) status = FM_NO_MEMORY;
    }
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
    fm_free(net->nodes);
    fm_free(net->stages);
    fm_free(net);
}

int64_t fm_net_width_out(const fm_net *net) { return net->n_out; }
int64_t fm_net_parameters(const fm_net *net) { return net->n_params; }
const fm_node *fm_net_node(const fm_net *net, int index) { return &net->nodes[index]; }
void *fm_net_params(fm_net *net) { return net->params; }
void *fm_net_grads(fm_net *net) { return net->grads; }
uint32_t fm_net_step(const fm_net *net) { return net->step; }
void fm_net_set_step(fm_net *net, uint32_t step) { net->step = step; }
int64_t fm_net_saved_rows(const fm_net *net) { return net->saved_rows; }
