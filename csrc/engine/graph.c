#include "engine/graph.h"

#include <string.h>

#include "base/arena.h"

static fm_stage stage_of(const fm_node *node, int index) {
    fm_stage stage = {
        .op = node->op,
        .n_sources = node->n_sources,
        .output = -1,
        .shown = -1,
        .slot = -1,
        .fan_in = node->fan_in,
        .fan_out = node->fan_out,
        .weight_at = node->weight_at,
        .bias_at = node->bias_at,
        .activation = -1,
        .dot = node->op == FM_OP_LINEAR && fm_takes_dot_form(node->fan_in, node->fan_out),
        .drop = node->op == FM_OP_DROPOUT ? node->param[0] : 0.0,
        .stream = (uint32_t)(4 * index + 2),
        .param = {node->param[0], node->param[1]},
        .shape = {node->shape[0], node->shape[1], node->shape[2]},
        .n_weights = fm_node_weights(node),
        .takes_penalties = node->op == FM_OP_LINEAR || (node->op == FM_OP_PARAMETER && node->kind == 1),
        .node = index,
    };
    return stage;
}

static int is_norm(const fm_stage *s) { return s->op == FM_OP_LAYER_NORM || s->op == FM_OP_BATCH_NORM; }

static void give_activation(fm_stage *stage, const fm_node *node) {
    stage->activation = node->kind;
    memcpy(stage->act_params, node->param, sizeof stage->act_params);
    stage->stores_slope = fm_activation_at(node->kind)->saves == FM_SAVES_SLOPE;
}

static int stage_index(const fm_net *net, int source) { return source < 0 ? source : net->stage_of_node[source]; }

/* How often a node's value is read, by other nodes or by the caller. */
int fm_graph_uses(const fm_net *net, int node) {
    int uses = 0;
    for (int i = 0; i < net->ends.n_outputs; i++) uses += net->ends.output[i] == node;
    for (int i = 0; i < net->n_nodes; i++)
        for (int k = 0; k < net->nodes[i].n_sources; k++) uses += net->nodes[i].source[k] == node;
    return uses;
}

/* The stage of a Linear that nobody but the reader of `source` uses, and that has no activation yet; NULL otherwise. */
static fm_stage *open_linear(fm_net *net, int source) {
    if (source < 0 || fm_graph_uses(net, source) != 1) return NULL;
    fm_stage *stage = &net->stages[net->stage_of_node[source]];
    return stage->op == FM_OP_LINEAR && stage->activation < 0 ? stage : NULL;
}

/* An activation right behind a Linear becomes part of its stage. */
static fm_stage *host_of_activation(fm_net *net, const fm_node *node) {
    fm_stage *stage = open_linear(net, node->source[0]);
    if (stage != NULL) give_activation(stage, node);
    return stage;
}

/* So does an addition, of a value that is there before the Linear runs, and that nobody but two read: the sum of three
   gradients would be made in another order than without fusion. */
static fm_stage *host_of_addition(fm_net *net, const fm_node *node) {
    for (int k = 1; k >= 0; k--) {
        const int other = stage_index(net, node->source[1 - k]);
        fm_stage *stage = open_linear(net, node->source[k]);
        if (stage == NULL || stage->dot || stage->n_sources > 1 || other >= stage - net->stages) continue;
        if (fm_graph_uses(net, node->source[1 - k]) > 2) continue;
        stage->source[stage->n_sources++] = other;
        return stage;
    }
    return NULL;
}

static void make_stages(fm_net *net) {
    for (int i = 0; i < net->n_nodes; i++) {
        const fm_node *node = &net->nodes[i];
        fm_stage *host = NULL;
        if (node->op == FM_OP_ACTIVATION && !net->ends.separate) host = host_of_activation(net, node);
        if (node->op == FM_OP_ADD && !net->ends.separate) host = host_of_addition(net, node);
        if (host == NULL) {
            host = &net->stages[net->n_stages++];
            *host = stage_of(node, i);
            for (int k = 0; k < node->n_sources; k++) host->source[k] = stage_index(net, node->source[k]);
            if (node->op == FM_OP_ACTIVATION) give_activation(host, node);
            if (is_norm(host)) host->stores_slope = 1;
            if (node->op == FM_OP_BATCH_NORM) host->state_at = net->n_state, net->n_state += 2 * node->fan_out;
        }
        net->stage_of_node[i] = (int)(host - net->stages);
    }
    for (int k = 0; k < net->ends.n_outputs; k++) {
        net->output[k] = net->stage_of_node[net->ends.output[k]];
        net->stages[net->output[k]].output = k;
    }
}

static int keeps_width_alone(const fm_stage *s) {
    return s->op == FM_OP_ACTIVATION || s->op == FM_OP_SOFTMAX || s->op == FM_OP_DROPOUT;
}

/* Contributions to a delta are made from the last reader to the first; the loss comes before them all. */
static void order_contributions(fm_net *net, int *readers) {
    memset(readers, 0, (size_t)net->n_stages * sizeof *readers);
    for (int i = net->n_stages - 1; i >= 0; i--) {
        fm_stage *s = &net->stages[i];
        for (int k = 0; k < s->n_sources; k++) {
            const int source = s->source[k];
            s->adds[k] = 0;
            for (int j = net->n_stages - 1; j >= i; j--)
                for (int l = 0; l < net->stages[j].n_sources && (j > i || l < k); l++)
                    if (net->stages[j].source[l] == source) s->adds[k] = 1;
            if (source >= 0 && net->stages[source].output >= 0) s->adds[k] = 1;
            if (source >= 0) readers[source]++;
            if (s->op == FM_OP_LINEAR && k == 0 && s->adds[k]) net->sums_deltas = 1;
        }
    }
}

static void share_deltas(fm_net *net, const int *readers) {
    for (int i = 0; i < net->n_stages; i++) {
        fm_stage *s = &net->stages[i];
        const int source = s->source[0];
        const int alone = s->n_sources > 0 && !net->ends.separate && source >= 0 && readers[source] == 1 &&
                          net->stages[source].output < 0;
        if (!alone) continue;
        s->in_place = keeps_width_alone(s);
        fm_stage *below = &net->stages[source];
        const int is_final = below->op == FM_OP_LINEAR || below->in_place || below->source[0] < 0;
        below->ends_in_product = s->op == FM_OP_LINEAR && below->activation >= 0 && is_final;
    }
}

/* Buffers for predict: a value's is free again behind its last reader. */
static void place_values(fm_net *net, int *last_reader) {
    for (int i = 0; i < net->n_stages; i++) {
        fm_stage *s = &net->stages[i];
        const int source = s->source[0];
        s->shown = s->op != FM_OP_DROPOUT ? i : source < 0 ? source : net->stages[source].shown;
        last_reader[i] = -1;
        for (int k = 0; k < s->n_sources && s->op != FM_OP_DROPOUT; k++)
            if (s->source[k] >= 0 && net->stages[s->source[k]].shown >= 0)
                last_reader[net->stages[s->source[k]].shown] = i;
    }
    /* A dropout that is an output is copied at the end. */
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const int shown = net->stages[net->output[k]].shown;
        if (shown >= 0 && shown != net->output[k]) last_reader[shown] = net->n_stages;
    }
    for (int i = 0; i < net->n_stages; i++) {
        fm_stage *s = &net->stages[i];
        if (s->shown != i || s->output >= 0) continue;
        int slot = 0;
        for (int j = 0; j < i; j++) /* slots only grow, so that one pass over those before finds a free one */
            if (net->stages[j].slot == slot && last_reader[j] >= i) slot++, j = -1;
        s->slot = slot;
        if (slot >= net->n_slots) net->n_slots = slot + 1;
    }
}

void fm_graph_plan(fm_net *net, int *scratch) {
    make_stages(net);
    order_contributions(net, scratch);
    share_deltas(net, scratch);
    place_values(net, scratch);
}
