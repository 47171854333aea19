#include "engine/lifetimes.h"

#include "base/aligned_alloc.h"

int fm_spaces_of(const fm_fused *op, fm_use use, fm_space *space) {
    for (int k = 0; k < FM_MOST_SPACES; k++) space[k] = (fm_space){.size = op->size};
    return op->row->spaces == NULL ? 0 : op->row->spaces(op, use, space);
}

/* ---- bytes ---- */

static int64_t bytes_of(int64_t count, size_t size) {
    fm_layout alone = {0};
    fm_reserve(&alone, count, size);
    return alone.bytes;
}

static int64_t bytes_of_rows(int64_t rows, int64_t width, size_t size) {
    int64_t count;
    return __builtin_mul_overflow(rows, width, &count) ? -1 : bytes_of(count, size);
}

/* A frozen network's copies of the parameters are in a workspace of their own. */
static void find_spaces(const fm_net *net, const fm_fused *op, fm_use use, const fm_workspace *w, fm_lifetime *part) {
    fm_space space[FM_MOST_SPACES];
    const int count = fm_spaces_of(op, use, space);
    for (int k = 0; k < count; k++) {
        const int has_copies = !net->ends.frozen || use == FM_FREEZE, keeps = use == FM_FORWARD || use == FM_TRAIN;
        const int exists = space[k].life == FM_COPY ? has_copies : space[k].life == FM_KEPT && keeps;
        const int64_t fixed = w->packs && space[k].packed > space[k].count ? space[k].packed : space[k].count;
        if (exists && fixed > 0) part[FM_SPACE + k].bytes = bytes_of(fixed, space[k].size);
        if (exists && space[k].per_shard > 0)
            part[FM_SPACE + k].bytes = bytes_of_rows(w->shards, space[k].per_shard, space[k].size);
        if (exists && space[k].per_row > 0)
            part[FM_SPACE + k].bytes = bytes_of_rows(w->rows, space[k].per_row, space[k].size);
    }
}

/* An op that is the only reader of its source and passes its delta on unchanged uses the source's delta as its own. */
static void find_bytes(const fm_net *net, const fm_fused *op, fm_use use, const fm_workspace *w, fm_lifetime *part) {
    for (int k = 0; k < FM_MOST_PARTS; k++) part[k] = (fm_lifetime){0};
    find_spaces(net, op, use, w, part);
    if (use == FM_PREDICT || use == FM_FREEZE) return;
    const int64_t bytes = bytes_of_rows(w->rows, op->node.fan_out, op->size);
    part[FM_VALUE].bytes = bytes;
    if (op->epilogue.stores_slope) part[FM_SLOPE].bytes = bytes;
    if (!op->in_place) part[FM_DELTA].bytes = bytes;
    if (op->has_local && net->ends.separate) part[FM_DZ].bytes = bytes;
}

/* ---- times ---- */

/* In a layerwise backward, an op first turns delta into dz. All threads wait. Then follow `down` and gradients. */
static int local_time(const fm_net *net, int op) { return 2 * (net->n_ops - op) - 1; }
static int down_time(const fm_net *net, int op) { return local_time(net, op) + 1; }
static int end_time(const fm_net *net) { return 2 * net->n_ops + 1; }

static void use_until(fm_lifetime *part, int time) {
    if (part->last < time) part->last = time;
}

/* The uses by the op itself. `local` reads slope or value; later only the caller's function reads the value. */
static void add_own_uses(const fm_net *net, int op, fm_lifetime *part) {
    const fm_fused *fused = &net->ops[op];
    const int local = local_time(net, op), down = down_time(net, op);
    if (fused->has_local && !fused->local_is_done) {
        use_until(&part[FM_VALUE], local);
        use_until(&part[FM_SLOPE], local);
    }
    if (fused->row->needs == FM_CALLER) use_until(&part[FM_VALUE], down);
    use_until(&part[FM_DELTA], down);
}

/* What an op kept is needed for its backward; what is no array of rows may be needed for `keep`. */
static void add_uses_of_spaces(const fm_net *net, fm_use use, int op, fm_lifetime *part) {
    fm_space space[FM_MOST_SPACES];
    const int count = fm_spaces_of(&net->ops[op], use, space);
    for (int k = 0; k < count; k++)
        use_until(&part[FM_SPACE + k], space[k].per_row > 0 ? down_time(net, op) : end_time(net));
}

/* `down` and gradients of an op read its sources, and `down` writes their deltas. Ops are visited in the order of
   backward, so the first visitor of a delta begins its life. */
static void add_uses_of_sources(const fm_net *net, int op, fm_lifetime *all) {
    const fm_fused *fused = &net->ops[op];
    const int down = down_time(net, op), begin = fused->in_place ? all[op * FM_MOST_PARTS + FM_DELTA].first : down;
    for (int k = 0; k < fused->n_sources; k++) {
        if (fused->source[k] < 0) continue;
        fm_lifetime *part = &all[fused->source[k] * FM_MOST_PARTS];
        use_until(&part[FM_VALUE], down);
        use_until(&part[FM_SLOPE], down);
        if (part[FM_DELTA].first < 0) part[FM_DELTA].first = begin;
    }
}

/* The delta of the op below overwrites what LOCAL reads, if the only reader computes both at once. */
static void put_delta_in_place(const fm_net *net, int op, fm_lifetime *all) {
    const fm_fused *fused = &net->ops[op];
    if (fused->below == NULL || !fused->down_in_place || fused->below->in_place) return;
    fm_lifetime *part = &all[fused->source[0] * FM_MOST_PARTS];
    part[FM_DELTA].bytes = 0;
    use_until(&part[fused->below->epilogue.stores_slope ? FM_SLOPE : FM_VALUE], down_time(net, fused->source[0]));
}

void fm_lifetimes_find(const fm_net *net, fm_use use, const fm_workspace *workspace, fm_lifetime *all) {
    const int layerwise = workspace->layerwise;
    for (int i = 0; i < net->n_ops; i++) {
        fm_lifetime *part = &all[i * FM_MOST_PARTS];
        find_bytes(net, &net->ops[i], use, workspace, part);
        for (int k = 0; k < FM_MOST_PARTS; k++) part[k].last = layerwise ? 0 : end_time(net);
        if (layerwise && net->ops[i].output < 0) part[FM_DELTA].first = -1;
    }
    for (int i = net->n_ops - 1; i >= 0 && layerwise; i--) {
        add_own_uses(net, i, &all[i * FM_MOST_PARTS]);
        add_uses_of_spaces(net, use, i, &all[i * FM_MOST_PARTS]);
        add_uses_of_sources(net, i, all);
        put_delta_in_place(net, i, all);
    }
}

/* ---- offsets ---- */

typedef struct {
    fm_lifetime *all;
    int *by_offset, count;
    int64_t bytes; /* of the block; -1 after an overflow */
} placement;

/* Arrays placed before, in the order of their offsets, leave gaps where their times do not meet this one's. */
static int64_t first_gap(const placement *p, const fm_lifetime *one) {
    int64_t at = 0;
    for (int i = 0; i < p->count; i++) {
        const fm_lifetime *other = &p->all[p->by_offset[i]];
        if (other->first > one->last || one->first > other->last) continue;
        if (other->at - at >= one->bytes) break;
        if (other->at + other->bytes > at) at = other->at + other->bytes;
    }
    return at;
}

static void place_at(placement *p, int index, int64_t at) {
    fm_lifetime *one = &p->all[index];
    int64_t end;
    int i = p->count++;
    one->at = at;
    for (; i > 0 && p->all[p->by_offset[i - 1]].at > at; i--) p->by_offset[i] = p->by_offset[i - 1];
    p->by_offset[i] = index;
    if (one->bytes < 0 || __builtin_add_overflow(at, one->bytes, &end)) p->bytes = -1;
    else if (p->bytes < end) p->bytes = end;
}

static int is_gradient(int part) { return part == FM_DELTA || part == FM_DZ; }

/* All other arrays exist at time 0, so they lie one behind another. Deltas come after them, in the order of
   backward. */
int64_t fm_lifetimes_place(const fm_net *net, fm_lifetime *all, int *by_offset) {
    placement p = {.all = all, .by_offset = by_offset};
    for (int i = 0; i < net->n_ops * FM_MOST_PARTS && p.bytes >= 0; i++)
        if (!is_gradient(i % FM_MOST_PARTS) && all[i].bytes != 0) place_at(&p, i, p.bytes);
    for (int i = net->n_ops * FM_MOST_PARTS - 1; i >= 0 && p.bytes >= 0; i--)
        if (is_gradient(i % FM_MOST_PARTS) && all[i].bytes != 0) place_at(&p, i, first_gap(&p, &all[i]));
    return p.bytes;
}
