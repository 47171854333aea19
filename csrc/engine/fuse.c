#include "engine/fuse.h"

#include <string.h>

#include "engine/graph.h"

static int op_index(const fm_net *net, int source) { return source < 0 ? source : net->op_of_node[source]; }

/* The op of a value with exactly one reader that can still take this part of an epilogue; otherwise NULL. */
static fm_fused *open_host(fm_net *net, int source, int part) {
    if (source < 0 || fm_graph_uses(net, source) != 1) return NULL;
    fm_fused *op = &net->ops[net->op_of_node[source]];
    return op->row->hosts != NULL && (op->row->hosts(op) & part) ? op : NULL;
}

/* The residual must be computed before its host runs. At most two nodes may read it: otherwise three gradients would
   be added in another order than without fusion. */
static fm_fused *host_of_residual(fm_net *net, const fm_node *node) {
    for (int k = 1; k >= 0; k--) {
        const int other = op_index(net, node->source[1 - k]);
        fm_fused *op = open_host(net, node->source[k], FM_EPILOGUE_RESIDUAL);
        if (op == NULL || other >= op - net->ops || fm_graph_uses(net, node->source[1 - k]) > 2) continue;
        op->width[op->n_sources] = node->fan_in;
        op->source[op->n_sources++] = other;
        return op;
    }
    return NULL;
}

/* The op that this node becomes a part of; NULL if it is a pass of its own. */
static fm_fused *host_of(fm_net *net, const fm_node *node) {
    const fm_op_row *row = fm_op_rows[node->op];
    if (row->becomes == 0 || net->ends.separate) return NULL;
    fm_fused *host = row->becomes == FM_EPILOGUE_RESIDUAL ? host_of_residual(net, node)
                                                          : open_host(net, node->source[0], row->becomes);
    if (host != NULL) row->become(node, &host->epilogue);
    return host;
}

static fm_fused *append(fm_net *net, int index) {
    const fm_node *node = &net->nodes[index];
    fm_fused *op = &net->ops[net->n_ops++];
    *op = (fm_fused){
        .row = fm_op_rows[node->op],
        .node = *node,
        .index = index,
        .constants = net->constants + net->constants_at[index],
        .size = net->size,
        .compute = net->ends.compute,
        .fold = 1,
        .n_sources = node->n_sources,
        .epilogue.activation = -1,
        .n_arrays = net->first_array[index + 1] - net->first_array[index],
        .output = -1,
        .shown = -1,
        .slot = -1,
    };
    for (int k = 0; k < node->n_sources; k++) {
        op->source[k] = op_index(net, node->source[k]);
        op->width[k] = fm_graph_width(net, node->source[k]);
    }
    return op;
}

static void make_ops(fm_net *net) {
    for (int i = 0; i < net->n_nodes; i++) {
        fm_fused *host = host_of(net, &net->nodes[i]);
        if (host == NULL) host = append(net, i);
        net->op_of_node[i] = (int)(host - net->ops);
    }
    for (int k = 0; k < net->ends.n_outputs; k++) {
        net->output[k] = net->op_of_node[net->ends.output[k]];
        net->ops[net->output[k]].output = k;
    }
}

/* Contributions to a delta are added from the last reader to the first. The loss writes its contribution before all
   of them. */
static void order_contributions(fm_net *net, int *readers) {
    memset(readers, 0, (size_t)net->n_ops * sizeof *readers);
    for (int i = net->n_ops - 1; i >= 0; i--) {
        fm_fused *op = &net->ops[i];
        for (int k = 0; k < op->n_sources; k++) {
            const int source = op->source[k];
            for (int j = net->n_ops - 1; j >= i; j--)
                for (int l = 0; l < net->ops[j].n_sources && (j > i || l < k); l++)
                    if (net->ops[j].source[l] == source) op->adds[k] = 1;
            if (source >= 0 && net->ops[source].output >= 0) op->adds[k] = 1;
            if (source >= 0) readers[source]++;
            else net->input_readers[net->n_input_readers++] = (fm_reader){i, k};
        }
    }
}

/* An op that is the only reader of its source may use the same array for both deltas, or compute the source's dz. */
static void share_deltas(fm_net *net, const int *readers) {
    for (int i = 0; i < net->n_ops; i++) {
        fm_fused *op = &net->ops[i];
        const int source = op->source[0];
        const int alone = op->n_sources > 0 && !net->ends.separate && source >= 0 && readers[source] == 1 &&
                          net->ops[source].output < 0;
        if (!alone) continue;
        op->in_place = op->row->keeps_delta;
        fm_fused *below = &net->ops[source];
        const int is_final = !below->row->keeps_delta || below->in_place || below->source[0] < 0;
        if (!op->row->ends_local || below->epilogue.activation < 0 || !is_final) continue;
        op->below = below;
        below->local_is_done = 1;
    }
}

static void plan_ops(fm_net *net) {
    for (int i = 0; i < net->n_ops; i++) {
        const double elementwise = 16.0;
        fm_fused *op = &net->ops[i];
        memcpy(op->down_cols, op->width, sizeof op->down_cols);
        op->flops = elementwise * (double)op->node.fan_out;
        if (op->row->plan != NULL) op->row->plan(op);
        net->flops += op->flops;
        if (op->fold == 1 && op->node.fan_out >= 2 * (int64_t)FM_LEAST_PART_COLUMNS) net->wide_flops += op->flops;
        net->total_width += (double)op->node.fan_out;
    }
}

/* The op that holds the value of op i in predict; an identity op has its source's value. */
static int shown_by(const fm_net *net, int i) {
    const fm_fused *op = &net->ops[i];
    if (!op->row->is_identity) return i;
    return op->source[0] < 0 ? op->source[0] : net->ops[op->source[0]].shown;
}

static void find_last_readers(fm_net *net, int *last_reader) {
    for (int i = 0; i < net->n_ops; i++) {
        fm_fused *op = &net->ops[i];
        op->shown = shown_by(net, i);
        last_reader[i] = -1;
        for (int k = 0; k < op->n_sources && op->shown == i; k++)
            if (op->source[k] >= 0 && net->ops[op->source[k]].shown >= 0)
                last_reader[net->ops[op->source[k]].shown] = i;
    }
    /* If the value of an output is another op's, it is copied at the end. */
    for (int k = 0; k < net->ends.n_outputs; k++) {
        const int shown = net->ops[net->output[k]].shown;
        if (shown >= 0 && shown != net->output[k]) last_reader[shown] = net->n_ops;
    }
}

/* Assigns predict's buffers: a buffer can be used again after the last reader of its value. */
static void place_values(fm_net *net, int *last_reader) {
    find_last_readers(net, last_reader);
    for (int i = 0; i < net->n_ops; i++) {
        fm_fused *op = &net->ops[i];
        if (op->shown != i || op->output >= 0) continue;
        int slot = 0;
        for (int j = 0; j < i; j++) /* slots only grow, so one pass over the earlier ops finds a free slot */
            if (net->ops[j].slot == slot && last_reader[j] >= i) slot++, j = -1;
        op->slot = slot;
        if (slot >= net->n_slots) net->n_slots = slot + 1;
    }
}

void fm_fuse(fm_net *net, int *scratch) {
    make_ops(net);
    plan_ops(net);
    order_contributions(net, scratch);
    share_deltas(net, scratch);
    place_values(net, scratch);
}
