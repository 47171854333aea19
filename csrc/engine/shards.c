#include "engine/shards.h"

#include <string.h>

#include "base/reducer.h"
#include "engine/lifetimes.h"
#include "engine/shard_view.h"

typedef struct {
    fm_sum_of_shard *sum;
    const void *context;
} summand;

static double branch(const summand *of, int first, int count) {
    if (count == 1) return of->sum(of->context, first);
    return branch(of, first, count / 2) + branch(of, first + count / 2, count / 2);
}

double fm_shards_total(const fm_shards *shards, fm_sum_of_shard *sum, const void *context) {
    return branch(&(summand){sum, context}, 0, shards->own);
}

/* ---- the rows of one shard, as operations see them ---- */

static const void *rows_from(const fm_run *run, const void *base, int64_t row, int64_t width) {
    return base == NULL ? NULL : fm_element(run, base, row * width);
}

static void move_spaces(fm_operands *at, int shard, int64_t row) {
    fm_space space[FM_MOST_SPACES];
    const int count = fm_spaces_of(at->op, FM_TRAIN, space);
    for (int k = 0; k < count; k++) {
        const int64_t by = row * space[k].per_row + shard * space[k].per_shard;
        if (at->space[k] != NULL) at->space[k] = (char *)at->space[k] + by * (int64_t)space[k].size;
    }
}

fm_shard_view fm_shard_view_of(const fm_walk *walk, const fm_operands *at, int shard) {
    const fm_shards *shards = &walk->run.shards;
    const int64_t row = fm_shard_begin(shards, shard), width = at->op->node.fan_out;
    fm_shard_view view = {.run = walk->run, .at = *at};
    view.run.rows = fm_shard_rows(shards, shard);
    if (walk->run.sparse.start != NULL) view.run.sparse = fm_csr_from(&walk->run.sparse, row);
    for (int k = 0; k < at->op->n_sources; k++) {
        view.at.x[k] = rows_from(&walk->run, at->x[k], row, at->op->width[k]);
        view.at.dx[k] = (void *)rows_from(&walk->run, at->dx[k], row, at->op->width[k]);
    }
    view.at.y = (void *)rows_from(&walk->run, at->y, row, width);
    view.at.slope = (void *)rows_from(&walk->run, at->slope, row, width);
    view.at.saved = rows_from(&walk->run, at->saved, row, width);
    view.at.saved_below = rows_from(&walk->run, at->saved_below, row, at->op->width[0]);
    view.at.delta = (void *)rows_from(&walk->run, at->delta, row, width);
    view.at.dz = (void *)rows_from(&walk->run, at->dz, row, width);
    move_spaces(&view.at, shard, row);
    return view;
}

static int64_t more(int64_t a, int64_t b) { return a > b ? a : b; }

static int64_t fewer(int64_t a, int64_t b) { return a < b ? a : b; }

int fm_shard_tile(const fm_walk *walk, const fm_operands *at, int shard, const fm_tile *tile, fm_shard_view *view,
                  fm_tile *part) {
    const int64_t first = fm_shard_begin(&walk->run.shards, shard);
    const int64_t last = first + fm_shard_rows(&walk->run.shards, shard);
    const int64_t begin = more(tile->row, first), end = fewer(tile->row + tile->rows, last);
    if (begin >= end) return 0;
    *view = fm_shard_view_of(walk, at, shard);
    *part = (fm_tile){begin - first, end - begin, tile->col, tile->cols};
    return 1;
}

/* ---- gradients ---- */

/* A strip of an array's gradient. The branches of the tree that wait for their second half are in `waiting`, one at each
   level; the newest branch is in the gradient itself. */
typedef struct {
    const fm_walk *walk;
    const fm_operands *at;
    int array;
    int64_t begin, end, elements; /* rows of the array */
    void *gradient;
    char *waiting;
} tree;

static void *waiting_at(const tree *t, int level) {
    return t->waiting + level * t->elements * (int64_t)t->walk->run.size;
}

static void put_aside(const tree *t, int level) {
    memcpy(waiting_at(t, level), t->gradient, (size_t)t->elements * t->walk->run.size);
}

/* In float, because only such gradients travel in bfloat16. */
static void round_sum(const tree *t) {
    if (t->walk->run.shards.rounds) fm_round_to_bfloat16(t->gradient, t->elements);
}

static void add_waiting(const tree *t, int level) {
    const int64_t n = t->elements;
    t->walk->run.kernels->join(FM_JOIN_ADD, 1, n, waiting_at(t, level), n, t->gradient, n, t->gradient, n);
    round_sum(t);
}

/* The gradient of a shard, stored, or added to what is there. */
static void compute(const tree *t, int shard, int adds) {
    const fm_operands *at = t->at;
    fm_shard_view view = fm_shard_view_of(t->walk, at, shard);
    view.run.adds = adds;
    if (view.run.rows > 0) at->op->row->gradient(&view.run, &view.at, t->array, t->begin, t->end);
    else memset(t->gradient, 0, (size_t)t->elements * t->walk->run.size);
    round_sum(t);
}

/* Whether the shard's sum is one chain, which the operation adds to another sum at once. */
static int can_add(const tree *t, int shard) {
    const int64_t rows = fm_shard_rows(&t->walk->run.shards, shard) * t->at->op->fold;
    return !t->walk->run.shards.rounds && !t->at->op->row->sums_in_order && rows > 0 && rows <= FM_BATCH_CHUNK;
}

static void add_shards(const tree *t) {
    const int own = t->walk->run.shards.own;
    for (int shard = 0; shard < own && !fm_stopped(&t->walk->run); shard++) {
        int level = 0, place = shard;
        if (shard % 2 == 0 && shard + 1 < own && can_add(t, shard + 1)) {
            compute(t, shard++, 0);
            compute(t, shard, 1);
            level = 1, place = shard / 2;
        } else compute(t, shard, 0);
        for (; place % 2 == 1; place /= 2) add_waiting(t, level++);
        if (shard + 1 < own) put_aside(t, level);
    }
}

static int levels_of(int shards) { return shards > 1 ? 1 + levels_of(shards / 2) : 0; }

/* The rows of a piece, so that the sums of all levels stay in cache. */
static int64_t rows_of_piece(int64_t row_bytes) {
    enum { PIECE_BYTES = 1 << 18, LEAST_ROWS = 8 };
    return more(PIECE_BYTES / row_bytes / LEAST_ROWS, 1) * LEAST_ROWS;
}

int64_t fm_shards_scratch_bytes(const fm_net *net, int own) {
    int64_t most = 0;
    for (int i = 0; i < net->n_arrays && own > 1; i++) {
        const int64_t row_bytes = net->arrays[i].cols * (int64_t)net->size;
        most = more(most, fewer(net->arrays[i].rows, rows_of_piece(row_bytes)) * row_bytes);
    }
    return most * levels_of(own);
}

void fm_shards_gradient(const fm_walk *walk, int op, int array, int64_t begin, int64_t end) {
    const fm_operands *at = &walk->at[op];
    const int64_t cols = walk->net->arrays[walk->net->first_array[at->op->index] + array].cols;
    const int64_t rows = rows_of_piece(cols * (int64_t)walk->run.size);
    for (int64_t row = begin; row < end; row += rows) {
        tree t = {.walk = walk, .at = at, .array = array, .begin = row, .end = fewer(end, row + rows)};
        t.elements = (t.end - row) * cols;
        t.gradient = fm_element(&walk->run, at->grad[array], row * cols);
        t.waiting = walk->workspace->thread[walk->worker->index].waiting;
        add_shards(&t);
    }
}
