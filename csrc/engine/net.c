/* Networks: creates and frees them, and gives callers access to their arrays. */
#include "engine/net.h"

#include <string.h>

#include "base/aligned_alloc.h"
#include "engine/first_touch.h"
#include "engine/fuse.h"
#include "engine/graph.h"

static int allocate_description(fm_net *net) {
    const int64_t n = net->n_nodes;
    net->nodes = fm_alloc(n, sizeof *net->nodes);
    net->arrays = fm_alloc(n * FM_MOST_ARRAYS, sizeof *net->arrays);
    net->first_array = fm_alloc(n + 1, sizeof *net->first_array);
    net->state_at = fm_alloc(n, sizeof *net->state_at);
    net->constants_at = fm_alloc(n, sizeof *net->constants_at);
    net->ops = fm_alloc(n, sizeof *net->ops);
    net->op_of_node = fm_alloc(n, sizeof *net->op_of_node);
    net->input_readers = fm_alloc(n * FM_MOST_SOURCES, sizeof *net->input_readers);
    return net->nodes != NULL && net->arrays != NULL && net->first_array != NULL && net->state_at != NULL &&
           net->constants_at != NULL && net->ops != NULL && net->op_of_node != NULL && net->input_readers != NULL;
}

static fm_status fuse(fm_net *net) {
    int *scratch = fm_alloc(net->n_nodes, sizeof *scratch);
    if (scratch == NULL) return FM_NO_MEMORY;
    fm_fuse(net, scratch);
    fm_free(scratch);
    return FM_OK;
}

static fm_status fill(fm_net *net, const fm_node *nodes) {
    if (!allocate_description(net)) return FM_NO_MEMORY;
    memcpy(net->nodes, nodes, (size_t)net->n_nodes * sizeof *nodes);
    fm_status status = fm_graph_copy_lists(net);
    if (status == FM_OK) status = fm_graph_describe(net);
    if (status == FM_OK) status = fm_graph_make_constants(net);
    if (status == FM_OK) status = fuse(net);
    if (status != FM_OK) return status;
    net->params = fm_first_touch(net);
    if (!net->ends.frozen) net->grads = fm_first_touch(net);
    net->state = fm_alloc_zeroed(net->n_state, net->size);
    net->untrained = fm_alloc_zeroed(net->n_arrays, sizeof *net->untrained);
    if (net->untrained == NULL) return FM_NO_MEMORY;
    const int has_grads = net->ends.frozen || net->grads != NULL;
    return net->params != NULL && has_grads && net->state != NULL ? FM_OK : FM_NO_MEMORY;
}

fm_status fm_net_new(const fm_ends *ends, int n_nodes, const fm_node *nodes, fm_dtype dtype, uint64_t seed,
                     fm_net **out) {
    *out = NULL;
    if (n_nodes < 1 || !fm_graph_ends_are_valid(ends, n_nodes)) return FM_BAD_ARGUMENT;
    if (dtype != FM_F32 && dtype != FM_F64) return FM_BAD_ARGUMENT;
    if (ends->compute != FM_COMPUTE_STORAGE && (ends->compute != FM_COMPUTE_BFLOAT16 || dtype != FM_F32))
        return FM_BAD_ARGUMENT;
    fm_net *net = fm_alloc_zeroed(1, sizeof *net);
    if (net == NULL) return FM_NO_MEMORY;
    net->dtype = dtype;
    net->size = dtype == FM_F32 ? sizeof(float) : sizeof(double);
    net->ends = *ends;
    net->n_nodes = n_nodes;
    net->seed = seed;
    net->saved_rows = -1;
    for (int i = 0; i < FM_MOST_IDLE; i++) atomic_flag_clear(&net->idle[i].taken);
    const fm_status status = fill(net, nodes);
    if (status == FM_OK) *out = net;
    else fm_net_free(net);
    return status;
}

void fm_net_release(fm_net *net) {
    net->trainings++;
    fm_workspace_release(&net->workspace);
    fm_workspace_release(&net->training);
    fm_workspace_release(&net->vjp);
    net->saved_rows = -1;
    for (int i = 0; i < FM_MOST_IDLE; i++) {
        if (atomic_flag_test_and_set(&net->idle[i].taken)) continue;
        fm_workspace_release(&net->idle[i].workspace);
        atomic_flag_clear(&net->idle[i].taken);
    }
}

int64_t fm_net_workspace_bytes(fm_net *net) {
    int64_t bytes = net->workspace.bytes + net->training.bytes + net->vjp.bytes;
    for (int i = 0; i < FM_MOST_IDLE; i++) {
        if (atomic_flag_test_and_set(&net->idle[i].taken)) continue;
        bytes += net->idle[i].workspace.bytes;
        atomic_flag_clear(&net->idle[i].taken);
    }
    return bytes;
}

void fm_net_free(fm_net *net) {
    if (net == NULL) return;
    fm_workspace_release(&net->workspace);
    fm_workspace_release(&net->training);
    fm_workspace_release(&net->vjp);
    for (int i = 0; i < FM_MOST_IDLE; i++) fm_workspace_release(&net->idle[i].workspace);
    fm_workspace_release(&net->packed);
    fm_free(net->params);
    fm_free(net->grads);
    fm_free(net->state);
    fm_free(net->nodes);
    fm_free(net->lists);
    fm_free(net->constants);
    fm_free(net->constants_at);
    fm_free(net->arrays);
    fm_free(net->first_array);
    fm_free(net->state_at);
    fm_free(net->untrained);
    fm_free(net->ops);
    fm_free(net->op_of_node);
    fm_free(net->input_readers);
    fm_free(net);
}

int64_t fm_net_parameters(const fm_net *net) { return net->n_params; }
const fm_node *fm_net_node(const fm_net *net, int index) { return &net->nodes[index]; }
void *fm_net_params(fm_net *net) { return net->params; }
void *fm_net_grads(fm_net *net) { return net->grads; }
uint32_t fm_net_step(const fm_net *net) { return net->step; }
void fm_net_set_step(fm_net *net, uint32_t step) { net->step = step; }
int fm_net_pass(const fm_net *net, int node) { return net->op_of_node[node]; }
int fm_net_arrays(const fm_net *net) { return net->n_arrays; }
const fm_array *fm_net_array(const fm_net *net, int index) { return &net->arrays[index]; }
int64_t fm_net_state_at(const fm_net *net, int node) { return net->state_at[node]; }
int64_t fm_net_state_size(const fm_net *net) { return net->n_state; }
void *fm_net_state(fm_net *net) { return net->state; }

void fm_net_set_custom(fm_net *net, fm_custom custom, void *context) {
    net->custom = custom;
    net->custom_context = context;
}

void fm_net_set_trained(fm_net *net, int64_t begin, int64_t end, int trained) {
    for (int i = 0; i < net->n_arrays; i++)
        if (net->arrays[i].at >= begin && net->arrays[i].at < end) net->untrained[i] = !trained;
}

int fm_net_can_run(const fm_net *net) {
    return (!net->asks_caller || net->custom != NULL) && (!net->ends.frozen || net->tables != NULL);
}

int fm_net_takes_sparse(const fm_net *net) {
    for (int i = 0; i < net->n_input_readers; i++) {
        const fm_reader r = net->input_readers[i];
        const fm_fused *op = &net->ops[r.op];
        if (r.source != 0 || op->row->takes_sparse == NULL || !op->row->takes_sparse(&op->node)) return 0;
    }
    return net->ends.n_inputs == 1 && !net->ends.frozen;
}

int fm_net_idle(const fm_net *net) { return net->ends.frozen ? FM_MOST_IDLE : 1; }

static const fm_operands *shown(const fm_net *net, int node) {
    if (!net->ends.separate || net->workspace.block == NULL) return NULL;
    return &net->workspace.thread[0].at[net->op_of_node[node]];
}

const void *fm_net_value(const fm_net *net, int node) {
    const fm_operands *at = shown(net, node);
    return at == NULL ? NULL : at->y;
}

const void *fm_net_delta(const fm_net *net, int node) {
    const fm_operands *at = shown(net, node);
    return at == NULL ? NULL : at->delta;
}

int64_t fm_net_saved_rows(const fm_net *net) { return net->saved_rows; }

fm_status fm_net_take(fm_net *net) { return fm_try_lock_take(&net->lock); }
void fm_net_give_back(fm_net *net) { fm_try_lock_release(&net->lock); }
void fm_net_begin_update(fm_net *net) { fm_seqlock_begin_write(&net->updates); }
void fm_net_end_update(fm_net *net) { fm_seqlock_end_write(&net->updates); }
uint64_t fm_net_updates(const fm_net *net) { return fm_seqlock_begin_read(&net->updates); }
