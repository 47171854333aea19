#include "engine/workspace.h"

#include <string.h>

#include "base/aligned_alloc.h"
#include "engine/net.h"
#include "engine/product.h"

/* One walk over all arrays, run twice: with block == NULL it only adds up the bytes; then it sets the pointers. */
typedef struct {
    fm_layout layout;
    char *block;
    const fm_net *net;
    fm_use use;
    fm_workspace *workspace;
} fm_placer;

static void *place(fm_placer *p, int64_t count, size_t size) {
    const int64_t at = fm_reserve(&p->layout, count, size);
    return p->block == NULL ? NULL : p->block + at;
}

static int64_t rows_times(int64_t rows, int64_t width) {
    int64_t product;
    return __builtin_mul_overflow(rows, width, &product) ? INT64_MAX : product;
}

static void *place_rows(fm_placer *p, int64_t width, size_t size) {
    return place(p, rows_times(p->workspace->rows, width), size);
}

static int64_t more(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- memory that the operations request ---- */

static int booked(const fm_placer *p, const fm_fused *op, fm_space *space) {
    for (int k = 0; k < FM_MOST_SPACES; k++) space[k] = (fm_space){.size = op->size};
    return op->row->spaces == NULL ? 0 : op->row->spaces(op, p->use, space);
}

static int64_t bytes_of(const fm_space *space) {
    int64_t bytes;
    return __builtin_mul_overflow(space->count, (int64_t)space->size, &bytes) ? INT64_MAX : bytes;
}

/* The largest requests for memory that all operations use in turn. */
typedef struct {
    int64_t scratch_bytes, temporary_width, product_width;
} shared_needs;

static shared_needs needs_of(const fm_placer *p) {
    shared_needs most = {0, 0, 0};
    for (int i = 0; i < p->net->n_ops; i++) {
        fm_space space[FM_MOST_SPACES];
        const fm_fused *op = &p->net->ops[i];
        const int count = booked(p, op, space);
        most.product_width = more(most.product_width, op->product_width);
        for (int k = 0; k < count; k++) {
            if (space[k].life == FM_SCRATCH) most.scratch_bytes = more(most.scratch_bytes, bytes_of(&space[k]));
            if (space[k].life == FM_TEMPORARY) most.temporary_width = more(most.temporary_width, space[k].per_row);
        }
    }
    return most;
}

static void place_shared(fm_placer *p) {
    fm_workspace *w = p->workspace;
    const shared_needs most = needs_of(p);
    w->thread = place(p, w->threads, sizeof *w->thread);
    for (int t = 0; t < w->threads; t++) {
        const fm_thread_space own = {
            .at = place(p, p->net->n_ops, sizeof *own.at),
            .pack = place(p, fm_pack_bytes(most.product_width, p->net->size), 1),
            .scratch = place(p, most.scratch_bytes, 1),
        };
        if (p->block != NULL) w->thread[t] = own;
    }
    w->temporary_width = most.temporary_width;
    w->temporary = place_rows(p, most.temporary_width, p->net->size);
}

/* ---- the arrays of the fused ops ---- */

static void place_parameters(const fm_net *net, const fm_fused *op, fm_operands *at) {
    const fm_array *array = &net->arrays[net->first_array[op->index]];
    for (int k = 0; k < op->n_arrays; k++) {
        at->param[k] = (char *)net->params + array[k].at * (int64_t)net->size;
        at->grad[k] = (char *)net->grads + array[k].at * (int64_t)net->size;
    }
    at->state = (char *)net->state + net->state_at[op->index] * (int64_t)net->size;
}

static void place_spaces(fm_placer *p, const fm_fused *op, fm_operands *at) {
    fm_space space[FM_MOST_SPACES];
    const int count = booked(p, op, space);
    for (int k = 0; k < count; k++) {
        const int exists = space[k].life == FM_COPY || (space[k].life == FM_KEPT && p->use != FM_PREDICT);
        if (exists && space[k].count > 0) at->space[k] = place(p, space[k].count, space[k].size);
        if (exists && space[k].per_row > 0) at->space[k] = place_rows(p, space[k].per_row, space[k].size);
    }
}

/* An op that is the only reader of its source and passes its delta on unchanged uses the source's delta as its own. */
static void place_values(fm_placer *p, const fm_fused *op, fm_operands *at) {
    const int64_t width = op->node.fan_out;
    void *own = op->in_place ? NULL : place_rows(p, width, op->size);
    at->delta = op->in_place && p->block != NULL ? p->workspace->thread[0].at[op->source[0]].delta : own;
    at->dz = op->has_local && p->net->ends.separate ? place_rows(p, width, op->size) : at->delta;
    at->y = place_rows(p, width, op->size);
    if (op->epilogue.stores_slope) at->slope = place_rows(p, width, op->size);
    at->saved = op->epilogue.stores_slope ? at->slope : at->y;
}

static void place_ops(fm_placer *p) {
    for (int i = 0; i < p->net->n_ops; i++) {
        const fm_fused *op = &p->net->ops[i];
        fm_operands at = {.op = op};
        place_parameters(p->net, op, &at);
        place_spaces(p, op, &at);
        if (p->use != FM_PREDICT) place_values(p, op, &at);
        if (p->block != NULL) p->workspace->thread[0].at[i] = at;
    }
}

/* Connects each op to the values and deltas of its sources. Each call sets those of the network's inputs. */
static void connect(const fm_placer *p) {
    fm_operands *all = p->workspace->thread[0].at;
    for (int i = 0; i < p->net->n_ops; i++) {
        const fm_fused *op = &p->net->ops[i];
        for (int k = 0; k < op->n_sources; k++) {
            if (op->source[k] < 0) continue;
            all[i].x[k] = all[op->source[k]].y;
            all[i].dx[k] = all[op->source[k]].delta;
        }
        if (op->below != NULL) all[i].saved_below = all[op->source[0]].saved;
    }
    for (int t = 1; t < p->workspace->threads; t++)
        memcpy(p->workspace->thread[t].at, all, (size_t)p->net->n_ops * sizeof *all);
}

/* ---- other memory of predict, forward and training ---- */

static void place_slots(fm_placer *p) {
    for (int t = 0; t < p->workspace->threads; t++) {
        void **slots = place(p, p->net->n_slots, sizeof *slots);
        if (p->block != NULL) p->workspace->thread[t].slot = slots;
        for (int i = 0; i < p->net->n_slots; i++) {
            void *slot = place_rows(p, p->net->widest, p->net->size);
            if (p->block != NULL) slots[i] = slot;
        }
    }
}

static void place_inputs(fm_placer *p) {
    fm_workspace *w = p->workspace;
    w->input = place(p, p->net->ends.n_inputs, sizeof *w->input);
    for (int k = 0; k < p->net->ends.n_inputs; k++) {
        void *input = place_rows(p, p->net->ends.width[k], p->net->size);
        if (p->block != NULL) w->input[k] = input;
    }
}

int64_t fm_workspace_chunks(const fm_net *net) { return net->n_params / FM_SUM_CHUNK + net->n_arrays + 1; }

static void place_training(fm_placer *p) {
    fm_workspace *w = p->workspace;
    w->head = place(p, p->net->ends.n_outputs, sizeof *w->head);
    for (int k = 0; k < p->net->ends.n_outputs; k++) {
        const fm_head_space head = {
            .row_value = place_rows(p, 1, sizeof *head.row_value),
            .label = place_rows(p, 1, sizeof *head.label),
            .target = place_rows(p, p->net->ops[p->net->output[k]].node.fan_out, p->net->size),
        };
        if (p->block != NULL) w->head[k] = head;
    }
    for (int t = 0; t < w->threads; t++) {
        fm_targets *targets = place(p, p->net->ends.n_outputs, sizeof *targets);
        double *scale = place(p, p->net->ends.n_outputs, sizeof *scale);
        if (p->block != NULL) w->thread[t].targets = targets, w->thread[t].scale = scale;
    }
    w->chunk_sum = place(p, fm_workspace_chunks(p->net), sizeof *w->chunk_sum);
    w->weight = place_rows(p, 1, p->net->size);
}

static void place_all(fm_placer *p) {
    place_shared(p);
    place_ops(p);
    if (p->use == FM_PREDICT) place_slots(p);
    else place_inputs(p);
    if (p->use == FM_TRAIN) place_training(p);
    if (p->block != NULL) connect(p);
}

fm_status fm_workspace_reserve(fm_workspace *workspace, const fm_net *net, fm_use use, int64_t rows, int threads) {
    if (workspace->block != NULL && rows <= workspace->rows && threads <= workspace->threads) return FM_OK;
    fm_workspace next = {.rows = rows > workspace->rows ? rows : workspace->rows,
                         .threads = threads > workspace->threads ? threads : workspace->threads};
    fm_placer placer = {.net = net, .use = use, .workspace = &next};
    place_all(&placer);
    if (placer.layout.bytes < 0) return FM_NO_MEMORY;
    next.block = fm_alloc(placer.layout.bytes, 1);
    if (next.block == NULL) return FM_NO_MEMORY;
    placer.layout = (fm_layout){0};
    placer.block = next.block;
    place_all(&placer);
    fm_workspace_release(workspace);
    *workspace = next;
    return FM_OK;
}

void fm_workspace_release(fm_workspace *workspace) {
    fm_free(workspace->block);
    *workspace = (fm_workspace){0};
}
