/* Every operation of ops.def on tiles: any partition gives the bits of one whole tile, a call writes nothing outside its
   tile and what the operation requested, and it does not depend on what its outputs held.

   A new operation needs a sample in samples.h.

   test_operations [part]: every `part`-th way to call a sample's functions. There are 12 a sample, so that with a part
   of 5 the ways differ from sample to sample. */
#include "samples.h"

/* ---- what a call writes ---- */

enum { PARTITIONS = 3 };

typedef enum { RENEW, COLLECT, FORWARD, LOCAL, COLLECT_DOWN, DOWN, GRADIENT, KEEP } job;
static const char *const job_names[] = {"renew",        "collect", "forward",  "local",
                                        "collect_down", "down",    "gradient", "keep"};

/* A job of one source or array, for which it may be adding. */
typedef struct {
    job job;
    int which, adds;
} task;

static int is_callers(const world *w) { return w->op.row->needs == FM_CALLER; }

/* What is divided, as one tile: rows of a parameter array have one column. */
static fm_tile whole_of(const world *w, task t) {
    const int64_t out = w->op.node.fan_out;
    if (t.job == RENEW || t.job == GRADIENT) return (fm_tile){0, w->param[t.which].rows, 0, 1};
    return (fm_tile){0, w->run.rows, 0, t.job == DOWN ? w->op.down_cols[t.which] : out};
}

static int cuts_rows(const world *w, task t) {
    (void)w;
    return t.job != COLLECT && t.job != COLLECT_DOWN && t.job != KEEP;
}

static int cuts_cols(const world *w, task t) {
    if (t.job == RENEW || t.job == GRADIENT || is_callers(w)) return 0;
    return !(t.job == DOWN ? w->op.down_whole_rows : (t.job == FORWARD || t.job == LOCAL) && w->op.whole_rows);
}

/* The columns that a cut keeps together. */
static int64_t unit_of(const world *w, task t) {
    return cuts_cols(w, t) && w->op.fold > 1 ? whole_of(w, t).cols / w->op.fold : 1;
}

/* Tiles that cover `whole`, as partition makes them. */
static int tiles_of(const world *w, task t, const fm_tile *whole, fm_tile *tile) {
    const int64_t unit = unit_of(w, t);
    fm_tile units = *whole;
    units.cols /= unit;
    const int count = partition(&units, cuts_rows(w, t) && !is_callers(w), cuts_cols(w, t), tile);
    for (int k = 0; k < count; k++) tile[k].col *= unit, tile[k].cols *= unit;
    return count;
}

static void call(const world *w, task t, const fm_tile *tile) {
    const fm_op_row *row = w->op.row;
    const int64_t end = tile->row + tile->rows;
    switch (t.job) {
        case RENEW: row->renew(&w->run, &w->at, 1, tile->row, end); break;
        case COLLECT: row->collect(&w->run, &w->at, tile); break;
        case FORWARD: row->forward(&w->run, &w->at, tile); break;
        case LOCAL: row->local(&w->run, &w->at, tile); break;
        case COLLECT_DOWN: row->collect_down(&w->run, &w->at, tile); break;
        case DOWN: row->down(&w->run, &w->at, t.which, tile); break;
        case GRADIENT: row->gradient(&w->run, &w->at, t.which, tile->row, end); break;
        case KEEP: row->keep(&w->run, &w->at, tile); break;
    }
}

enum { MOST_PANELS = 300, MOST_REGIONS = 2 + FM_MOST_SOURCES + FM_MOST_ARRAYS + FM_MOST_SPACES + MOST_PANELS };

typedef struct {
    region all[MOST_REGIONS];
    int count;
} regions;

static void add_region(regions *r, array *of, int64_t stride, int64_t period, fm_tile tile) {
    if (r->count == MOST_REGIONS) abort();
    if (of->block != NULL) r->all[r->count++] = (region){of, stride, period, tile};
}

/* Rows of the batch, or numbers for each column: all rows of the latter. */
static void add_spaces(world *w, regions *r, int by_row, const fm_tile *tile) {
    const int64_t out = w->op.node.fan_out;
    for (int k = 0; k < w->n_spaces; k++) {
        const fm_space *s = &w->space[k];
        if (s->life != FM_KEPT || (s->per_row > 0) != by_row) continue;
        fm_tile part = *tile;
        if (!by_row) part.row = 0, part.rows = (s->count + s->per_shard) / out;
        else if (s->per_row != out) part.col = 0, part.cols = s->per_row;
        const int64_t stride = by_row ? s->per_row : out;
        add_region(r, &w->all[SPACE + k], stride, stride, part);
    }
}

static void add_callers(world *w, regions *r, job job) {
    const fm_tile all = {0, 1, 0, 0};
    for (int k = Y; k < STATE; k++) {
        fm_tile whole = all;
        whole.cols = w->all[k].count;
        const int is_written = job == COLLECT ? k == Y : (k >= DX && k < PARAM) || k == GRAD;
        if (is_written) add_region(r, &w->all[k], whole.cols, whole.cols, whole);
    }
}

/* Copies of rows begin .. begin + count of W. Of each space, the first that exists is: W^T row by row (of each group), W^T
   in panels, W in panels. Panels are seen as one array with rows of a panel's width. */
static void add_copies(world *w, regions *r, int64_t begin, int64_t count) {
    const int64_t groups = w->op.node.op == FM_OP_GROUPED_LINEAR ? w->op.node.size[0] : 1;
    const int64_t in = w->param[0].rows / groups, out = w->param[0].cols;
    const int64_t nr = w->run.kernels->product[w->op.compute].tile_cols;
    if (w->space[0].packed == w->space[0].count || !w->run.packs) {
        for (int64_t i = begin, n; i < begin + count; i += n) {
            n = in - i % in < begin + count - i ? in - i % in : begin + count - i;
            add_region(r, &w->all[SPACE], in, in, (fm_tile){i / in * out, out, i % in, n});
        }
    } else {
        for (int64_t i = begin, n; i < begin + count; i += n) {
            n = nr - i % nr < begin + count - i ? nr - i % nr : begin + count - i;
            add_region(r, &w->all[SPACE], nr, nr, (fm_tile){i / nr * out, out, i % nr, n});
        }
    }
    for (int64_t panel = 0; panel < (out + nr - 1) / nr; panel++)
        add_region(r, &w->all[SPACE + 1], nr, nr, (fm_tile){panel * in + begin, count, 0, nr});
}

static regions results_of(world *w, task t, const fm_tile *tile) {
    const int64_t out = w->op.node.fan_out;
    regions r = {.count = 0};
    fm_tile part = *tile;
    if (is_callers(w)) add_callers(w, &r, t.job);
    else if (t.job == FORWARD) {
        add_region(&r, &w->all[Y], out, out, part);
        add_region(&r, &w->all[SLOPE], out, out, part);
        add_spaces(w, &r, 1, tile);
    } else if (t.job == LOCAL) {
        add_region(&r, &w->all[w->at.dz == w->at.delta ? DELTA : DZ], out, out, part);
    } else if (t.job == DOWN) {
        add_region(&r, &w->all[DX + t.which], w->op.width[t.which], w->op.down_cols[t.which], part);
    } else if (t.job == GRADIENT) {
        part.cols = w->param[t.which].cols;
        add_region(&r, &w->all[GRAD + t.which], part.cols, part.cols, part);
    } else if (t.job == RENEW) {
        add_copies(w, &r, part.row, part.rows);
    } else if (t.job == KEEP) {
        part.row = 0, part.rows = w->all[STATE].count / out;
        add_region(&r, &w->all[STATE], out, out, part);
    } else add_spaces(w, &r, 0, tile);
    return r;
}

/* ---- one task ---- */

/* One call from the same beginnings; its results are gathered, and nothing else may have changed. */
static void check_tile(world *w, task t, const fm_tile *tile, const char *what) {
    const regions r = results_of(w, t, tile);
    const int64_t width = w->run.temporary_width;
    for (int k = 0; k < N_ARRAYS; k++)
        if (w->all[k].block != NULL) reset(&w->all[k], 0, w->all[k].bytes);
    call(w, t, tile);
    for (int k = 0; k < r.count; k++) for_each_row(&r.all[k], gather), for_each_row(&r.all[k], reset);
    if (t.job == DOWN && w->op.down_cols[t.which] == width)
        for_each_row(&(region){&w->all[TEMPORARY], width, width, *tile}, reset);
    for (int k = 0; k < N_ALL; k++) {
        const array *a = &w->all[k];
        CHECK(canaries_live(a), "%s: writes beside %s", what, a->name);
        CHECK(k >= N_ARRAYS || a->block == NULL || memcmp(data_of(a), a->start, a->bytes) == 0,
              "%s: writes outside its tile of %s", what, a->name);
    }
    CHECK(w->stop == 0 && w->fault == FM_OK, "%s: stops", what);
}

/* What a call need not read. Numbers for each column have several writers; panels have padding. */
static int is_overwritten(const world *w, task t, const array *a) {
    if (t.job == RENEW && w->run.packs) return 0;
    if (t.adds || t.job == KEEP || t.job == COLLECT_DOWN || (t.job == COLLECT && !is_callers(w))) return 0;
    return t.job != LOCAL || a == &w->all[DZ];
}

static void begin(world *w, task t, int poison) {
    const fm_tile whole = whole_of(w, t);
    const regions r = results_of(w, t, &whole);
    for (int k = 0; k < r.count; k++) {
        array *a = r.all[k].of;
        if (is_overwritten(w, t, a)) memset(a->start, poison, a->bytes);
        memcpy(a->got, a->start, a->bytes);
    }
}

static void check_task(world *w, task t, const char *mode) {
    char what[128];
    const fm_tile whole = whole_of(w, t);
    const regions r = results_of(w, t, &whole);
    snprintf(what, sizeof what, "%s, %s, float%d, %s %d%s", w->of->name, w->run.kernels->isa, 8 * (int)w->run.size,
             job_names[t.job], t.which, t.adds ? ", adding" : mode);
    begin(w, t, 0xA5);
    check_tile(w, t, &whole, what);
    for (int k = 0; k < r.count; k++) memcpy(r.all[k].of->want, r.all[k].of->got, r.all[k].of->bytes);
    for (int i = 0; i < PARTITIONS; i++) {
        fm_tile tile[MOST_PARTS * MOST_PARTS];
        const int count = tiles_of(w, t, &whole, tile);
        begin(w, t, 0x3C);
        for (int k = 0; k < count; k++) check_tile(w, t, &tile[k], what);
        for (int k = 0; k < r.count; k++)
            CHECK(memcmp(r.all[k].of->want, r.all[k].of->got, r.all[k].of->bytes) == 0,
                  "%s: %s has other bits in %d tiles", what, r.all[k].of->name, count);
    }
    for (int k = 0; k < r.count; k++) { /* for the tasks that follow */
        memcpy(r.all[k].of->start, r.all[k].of->want, r.all[k].of->bytes);
        reset(r.all[k].of, 0, r.all[k].of->bytes);
    }
}

/* ---- all tasks of a sample ---- */

static int half_sums(void *context, const fm_custom_call *call) {
    const size_t size = *(const size_t *)context;
    for (int64_t i = 0; i < call->rows * 8; i++) {
        const int64_t at = i / 8 * 16 + i % 8;
        if (call->dy == NULL) put(call->y, i, size, get(call->x[0], at, size) + get(call->x[0], at + 8, size), 0);
        else put(call->dx[0], at, size, 0, 0), put(call->dx[0], at + 8, size, get(call->dy, i, size), 0);
    }
    for (int k = 0; call->dy != NULL && k < 2; k++) put(call->grads, k, size, k, 0);
    return 0;
}

static void check_forward(world *w, fm_use use, const char *mode) {
    const fm_op_row *row = w->op.row;
    const int collects = w->op.row->needs == FM_CALLER || (row->needs == FM_ALL_ROWS_IN_TRAINING && w->run.training);
    if (row->only_frozen) row->renew(&w->run, &w->at, 0, 0, w->param[0].rows);
    else if (row->renew != NULL && (w->all[SPACE].block != NULL || w->all[SPACE + 1].block != NULL))
        check_task(w, (task){RENEW, 0, 0}, mode);
    if (collects) check_task(w, (task){COLLECT, 0, 0}, mode);
    if (row->forward != NULL) check_task(w, (task){FORWARD, 0, 0}, mode);
    if (row->keep != NULL && w->run.training) check_task(w, (task){KEEP, 0, 0}, mode);
    if (use == FM_PREDICT) return;
    if (w->op.has_local) check_task(w, (task){LOCAL, 0, 0}, mode);
    if (collects) check_task(w, (task){COLLECT_DOWN, 0, 0}, mode);
}

static void check_gradients(world *w, const char *mode) {
    const fm_op_row *row = w->op.row;
    for (int adds = 0; adds < 2; adds++) {
        for (int k = 0; k < w->op.n_sources && row->down != NULL; k++) {
            w->op.adds[k] = adds;
            check_task(w, (task){DOWN, k, adds}, mode);
        }
        w->run.adds = adds;
        for (int k = 0; k < w->op.n_arrays && row->gradient != NULL; k++)
            check_task(w, (task){GRADIENT, k, adds}, mode);
    }
}

/* `down` may overwrite what the op below saved. */
static void check_down_in_place(world *w) {
    array *dx = &w->all[DX];
    const task t = {DOWN, 0, 0};
    const fm_tile whole = whole_of(w, t);
    const void *saved = w->at.saved_below;
    if (w->op.below == NULL || !w->op.down_in_place) return;
    w->op.adds[0] = 0;
    call(w, t, &whole);
    memcpy(dx->want, data_of(dx), dx->bytes);
    memcpy(data_of(dx), saved, dx->bytes);
    w->at.saved_below = data_of(dx);
    call(w, t, &whole);
    CHECK(memcmp(dx->want, data_of(dx), dx->bytes) == 0, "%s, %s, float%d: other bits in place", w->of->name,
          w->run.kernels->isa, 8 * (int)w->run.size);
    w->at.saved_below = saved;
    memcpy(data_of(dx), dx->start, dx->bytes);
}

static void check_sample(const sample *of, fm_dtype dtype, fm_use use, int training, int packs) {
    if (fm_op_rows[of->node.op]->only_frozen && (dtype != FM_F32 || use != FM_PREDICT)) return;
    const size_t size = dtype == FM_F32 ? sizeof(float) : sizeof(double);
    size_t context = size;
    world w = {.of = of};
    static const char *const modes[][2] = {
        {"", ", packed"}, {", predict", ", predict, packed"}, {", training", ", training, packed"}};
    const char *mode = modes[use == FM_PREDICT ? 1 : training ? 2 : 0][packs];
    plan(&w, size);
    /* Room for gradients that are added. */
    for (int k = 0; k < w.op.n_sources; k++) w.op.adds[k] = 1;
    w.run = (fm_run){.kernels = fm_tables_in_use()[dtype],
                     .size = size,
                     .rows = of->rows > 0 ? of->rows : ROWS,
                     .training = training,
                     .keeps = use != FM_PREDICT,
                     .packs = packs,
                     .seed = 5,
                     .step = 2,
                     .drop_factor = 1.0,
                     .stop = &w.stop,
                     .fault = &w.fault,
                     .outside = &w.outside,
                     .custom = half_sums,
                     .custom_context = &context};
    make_values(&w, use);
    make_memory(&w, use);
    connect(&w);
    check_forward(&w, use, mode);
    if (use != FM_PREDICT) check_gradients(&w, mode);
    if (use != FM_PREDICT) check_down_in_place(&w);
    for (int k = 0; k < N_ALL; k++) array_free(&w.all[k]);
    free(w.constants);
}

int main(int argc, char **argv) {
    static const struct {
        fm_use use;
        int training;
    } uses[] = {{FM_PREDICT, 0}, {FM_FORWARD, 0}, {FM_TRAIN, 1}};
    const long part = argc > 1 ? atol(argv[1]) : 1;
    long ways = 0;
    int has_sample[FM_OPS] = {0};
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) has_sample[samples[i].node.op] = 1;
    for (int op = 0; op < FM_OPS; op++) CHECK(has_sample[op], "%s has no sample", fm_op_name(op));
    for (int isa = 0; isa < fm_isa_count(); isa++) {
        if (fm_use_isa(fm_isa_name(isa)) != FM_OK) continue;
        for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
            for (int dtype = FM_F32; dtype <= FM_F64; dtype++)
                for (int packs = 0; packs < 2; packs++)
                    for (int u = 0; u < 3; u++)
                        if (ways++ % part == 0)
                            check_sample(&samples[i], (fm_dtype)dtype, uses[u].use, uses[u].training, packs);
    }
    return report();
}
