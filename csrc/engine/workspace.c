#include "engine/workspace.h"

#include <string.h>

#include "base/aligned_alloc.h"
#include "engine/lifetimes.h"
#include "engine/product.h"
#include "engine/schedule.h"
#include "engine/shard_view.h"
#include "engine/wanted.h"
#include "engine/work_stealing.h"

/* One walk over all arrays, run twice: with block == NULL it only adds up the bytes; then it sets the pointers. */
typedef struct {
    fm_layout layout;
    char *block;
    const fm_net *net;
    fm_use use;
    fm_workspace *workspace;
    const fm_lifetime *life; /* of the arrays of the ops, which need life_bytes together */
    int64_t life_bytes;
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

static void *place_batch(fm_placer *p, int64_t width, size_t size) {
    return place(p, rows_times(p->workspace->batch, width), size);
}

static int64_t more(int64_t a, int64_t b) { return a > b ? a : b; }

/* ---- memory that the operations request ---- */

static int64_t bytes_of(const fm_space *space) {
    int64_t bytes;
    return __builtin_mul_overflow(space->count, (int64_t)space->size, &bytes) ? INT64_MAX : bytes;
}

/* The largest requests for memory that all operations use in turn. */
typedef struct {
    int64_t scratch_bytes, temporary_width, pack_bytes;
} shared_needs;

static shared_needs needs_of(const fm_placer *p) {
    shared_needs most = {0, 0, 0};
    for (int i = 0; i < p->net->n_ops && p->use != FM_FREEZE; i++) {
        fm_space space[FM_MOST_SPACES];
        const fm_fused *op = &p->net->ops[i];
        const int count = fm_spaces_of(op, p->use, space);
        most.pack_bytes = more(most.pack_bytes, fm_pack_bytes(op, p->workspace->rows));
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
            .queue = place(p, 1, sizeof *own.queue),
            .at = place(p, p->net->n_ops, sizeof *own.at),
            .pack = place(p, most.pack_bytes, 1),
            .scratch = place(p, most.scratch_bytes, 1),
            .waiting = place(p, fm_shards_scratch_bytes(p->net, w->shards), 1),
        };
        if (p->block != NULL) w->thread[t] = own;
    }
    w->temporary_width = most.temporary_width;
    w->temporary = place_rows(p, most.temporary_width, p->net->size);
}

/* ---- the arrays of the fused ops ---- */

static void place_parameters(const fm_net *net, const fm_workspace *w, const fm_fused *op, fm_operands *at) {
    const fm_array *array = &net->arrays[net->first_array[op->index]];
    for (int k = 0; k < op->n_arrays; k++) {
        at->param[k] = (char *)net->params + array[k].at * (int64_t)net->size;
        if (net->grads != NULL) at->grad[k] = (char *)net->grads + array[k].at * (int64_t)net->size;
        if (w->has_chunks) at->chunk[k] = (char *)w->chunk_sums + array[k].at * (int64_t)net->size;
    }
    at->state = (char *)net->state + net->state_at[op->index] * (int64_t)net->size;
}

/* Where a part of an op lies; NULL if the op has no such part. */
static void *part_at(const fm_placer *p, char *block, int op, int part) {
    const fm_lifetime *life = &p->life[op * FM_MOST_PARTS + part];
    return life->bytes == 0 ? NULL : block + life->at;
}

static fm_operands operands_at(const fm_placer *p, char *block, int op) {
    const fm_fused *fused = &p->net->ops[op];
    fm_operands at = {.op = fused};
    place_parameters(p->net, p->workspace, fused, &at);
    for (int k = 0; k < FM_MOST_SPACES; k++) at.space[k] = part_at(p, block, op, FM_SPACE + k);
    if (p->net->tables != NULL) memcpy(at.space, p->net->packed.thread[0].at[op].space, sizeof at.space);
    at.y = part_at(p, block, op, FM_VALUE);
    at.slope = part_at(p, block, op, FM_SLOPE);
    at.saved = at.slope != NULL ? at.slope : at.y;
    at.delta = part_at(p, block, op, FM_DELTA);
    if (at.delta == NULL) at.delta = (void *)at.saved;
    if (fused->in_place) at.delta = p->workspace->thread[0].at[fused->source[0]].delta;
    at.dz = part_at(p, block, op, FM_DZ);
    if (at.dz == NULL) at.dz = at.delta;
    return at;
}

static void place_ops(fm_placer *p) {
    char *block = place(p, p->life_bytes, 1);
    for (int i = 0; i < p->net->n_ops && p->block != NULL; i++)
        p->workspace->thread[0].at[i] = operands_at(p, block, i);
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
    if (p->use == FM_TRAIN) fm_find_wanted(p->net, NULL, all);
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
        void *input = place_batch(p, p->net->ends.width[k], p->net->size);
        if (p->block != NULL) w->input[k] = input;
    }
}

int64_t fm_workspace_chunks(const fm_net *net) { return net->n_params / FM_SUM_CHUNK + net->n_arrays + 1; }

static void place_training(fm_placer *p) {
    fm_workspace *w = p->workspace;
    w->head = place(p, p->net->ends.n_outputs, sizeof *w->head);
    for (int k = 0; k < p->net->ends.n_outputs; k++) {
        const fm_head_space head = {
            .row_value = place_batch(p, w->fold, sizeof *head.row_value),
            .label = place_batch(p, w->fold, sizeof *head.label),
            .target = place_batch(p, w->target_cols, p->net->size),
        };
        if (p->block != NULL) w->head[k] = head;
    }
    for (int t = 0; t < w->threads; t++) {
        fm_targets *targets = place(p, p->net->ends.n_outputs, sizeof *targets);
        double *scale = place(p, rows_times(w->fold, p->net->ends.n_outputs), sizeof *scale);
        double *sum = place(p, w->fold, sizeof *sum);
        if (p->block != NULL) w->thread[t].targets = targets, w->thread[t].scale = scale, w->thread[t].sum = sum;
    }
    w->chunk_sum = place(p, fm_workspace_chunks(p->net), sizeof *w->chunk_sum);
    w->weight = place_batch(p, w->fold, p->net->size);
    w->members = place(p, w->fold, sizeof *w->members);
}

static void place_all(fm_placer *p) {
    place_shared(p);
    if (p->workspace->has_chunks) p->workspace->chunk_sums = place(p, p->net->n_params, p->net->size);
    place_ops(p);
    if (p->use == FM_PREDICT) place_slots(p);
    else if (p->workspace->has_inputs) place_inputs(p);
    if (p->use == FM_TRAIN) place_training(p);
    if (p->block != NULL) connect(p);
}

/* ---- reserving ---- */

static int is_layerwise(const fm_net *net, const fm_demand *demand) {
    return demand->use == FM_TRAIN && (demand->parts || fm_schedule_is_layerwise(net, demand->rows));
}

static int64_t batch_of(const fm_demand *demand) { return demand->batch > 0 ? demand->batch : demand->rows; }

static int shards_of(const fm_demand *demand) { return demand->shards > 1 ? demand->shards : 1; }

static int suffices(const fm_workspace *w, const fm_net *net, const fm_demand *demand) {
    return w->block != NULL && demand->rows <= w->rows && batch_of(demand) <= w->batch &&
           (w->has_chunks || !demand->parts) && demand->threads <= w->threads && shards_of(demand) <= w->shards &&
           (w->has_inputs || !demand->inputs) && (w->packs || !demand->packs) && demand->fold <= w->fold &&
           demand->target_cols <= w->target_cols && w->layerwise == is_layerwise(net, demand);
}

/* The next workspace, without memory. It also suffices for earlier demands of the same kind. */
static fm_workspace grown(const fm_workspace *w, const fm_net *net, const fm_demand *demand) {
    const int layerwise = is_layerwise(net, demand), same = w->layerwise == layerwise;
    return (fm_workspace){.rows = same ? more(demand->rows, w->rows) : demand->rows,
                          .batch = more(batch_of(demand), w->batch),
                          .has_chunks = demand->parts || w->has_chunks,
                          .threads = demand->threads > w->threads ? demand->threads : w->threads,
                          .shards = shards_of(demand) > w->shards ? shards_of(demand) : w->shards,
                          .has_inputs = demand->inputs || w->has_inputs,
                          .packs = demand->packs || w->packs,
                          .fold = more(demand->fold, w->fold),
                          .target_cols = more(demand->target_cols, w->target_cols),
                          .layerwise = layerwise};
}

static fm_status allocate(fm_placer *p, fm_lifetime *life, int *by_offset) {
    fm_workspace *w = p->workspace;
    fm_lifetimes_find(p->net, p->use, w, life);
    p->life = life;
    p->life_bytes = fm_lifetimes_place(p->net, life, by_offset);
    if (p->life_bytes < 0) return FM_NO_MEMORY;
    place_all(p);
    w->bytes = p->layout.bytes;
    if (w->bytes < 0) return FM_NO_MEMORY;
    w->block = fm_alloc(w->bytes, 1);
    if (w->block == NULL) return FM_NO_MEMORY;
    p->layout = (fm_layout){0};
    p->block = w->block;
    place_all(p);
    return FM_OK;
}

fm_status fm_workspace_reserve(fm_workspace *workspace, const fm_net *net, const fm_demand *demand) {
    if (suffices(workspace, net, demand)) return FM_OK;
    fm_workspace next = grown(workspace, net, demand);
    fm_placer placer = {.net = net, .use = demand->use, .workspace = &next};
    const int64_t parts = (int64_t)net->n_ops * FM_MOST_PARTS;
    fm_lifetime *life = fm_alloc(parts, sizeof *life);
    int *by_offset = fm_alloc(parts, sizeof *by_offset);
    fm_status status = FM_NO_MEMORY;
    if (life != NULL && by_offset != NULL) status = allocate(&placer, life, by_offset);
    fm_free(life);
    fm_free(by_offset);
    if (status != FM_OK) return status;
    fm_workspace_release(workspace);
    *workspace = next;
    return FM_OK;
}

void fm_workspace_release(fm_workspace *workspace) {
    fm_free(workspace->block);
    *workspace = (fm_workspace){0};
}
