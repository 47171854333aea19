#include "engine/schedule.h"

#include <stdatomic.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/topology.h"
#include "engine/costs.h"

/* For each kind of work: its arithmetic in units of one forward, and its number of barriers. */
static const struct {
    double passes, waits;
} work_of[] = {[FM_WORK_FORWARD] = {1.0, 1.0}, [FM_WORK_BACKWARD] = {2.0, 2.0}, [FM_WORK_STEP] = {3.0, 3.0}};

static _Atomic int cost_ignored;

void fm_ignore_thread_cost(int ignore) { atomic_store(&cost_ignored, ignore); }

static _Atomic int stealing_forced, ops_forced;

void fm_force_stealing(int force) { atomic_store(&stealing_forced, force); }

void fm_force_ops(int force) { atomic_store(&ops_forced, force); }

static int forces_ops(void) { return atomic_load_explicit(&ops_forced, memory_order_relaxed); }

static int forces_stealing(void) { return atomic_load_explicit(&stealing_forced, memory_order_relaxed); }

static int ignores_cost(void) { return atomic_load_explicit(&cost_ignored, memory_order_relaxed); }

static int fewer(int a, int b) { return a < b ? a : b; }

/* More threads than processors would only wait for each other. */
static int worthwhile_threads(void) { return fewer(fm_threads(), fm_processors()); }

static double arithmetic(const fm_net *net, int64_t rows, fm_work work) {
    return work_of[work].passes * (double)rows * net->flops;
}

/* By the usual costs: all threads of a region must decide alike, while another call may measure the costs. */
static double microseconds_alone(const fm_net *net, int64_t rows, fm_work work) {
    return arithmetic(net, rows, work) / fm_usual_costs.flops_per_us;
}

/* Barriers must be rare, and most of the work must be in ops with columns to divide. */
static int is_best_by_ops(const fm_net *net, int64_t rows, int threads) {
    const double long_us = 1500.0;
    if (threads == 1 || forces_ops()) return threads > 1;
    return 2.0 * net->wide_flops > net->flops && microseconds_alone(net, rows, FM_WORK_STEP) / threads > long_us;
}

/* More threads than tiles of rows would divide columns, with a barrier after each op; that pays only for few rows. */
static int useful_threads(const fm_net *net, int64_t rows, fm_work work, int most) {
    enum { FEW_ROWS = 16, TILE_ROWS = 8 };
    const int64_t tiles = (rows + TILE_ROWS - 1) / TILE_ROWS;
    if (rows < FEW_ROWS || tiles >= most) return most;
    return work == FM_WORK_STEP && is_best_by_ops(net, rows, most) ? most : (int)tiles;
}

/* The fastest number of threads on the ladder 1, 2, 4, 8, ..., most for work that takes one thread `alone`
   microseconds, with `waits` barriers and `region_us` for waking the team. */
static int best_on_ladder(double alone, double waits, double region_us, const fm_costs *costs, int most) {
    double best = alone;
    int threads = 1;
    for (int t = 2; t < 2 * most; t *= 2) {
        const int rung = fewer(t, most);
        const double us = alone / rung + region_us + waits * costs->barrier_us * rung;
        if (us < best) best = us, threads = rung;
    }
    return threads;
}

static int threads_for(const fm_net *net, int64_t rows, fm_work work, int64_t times, int most) {
    const fm_costs *costs = fm_costs_for(microseconds_alone(net, rows, work), worthwhile_threads());
    const double slower = (double)net->size / sizeof(float), alone = arithmetic(net, rows, work) / costs->flops_per_us;
    return best_on_ladder(slower * alone, work_of[work].waits, costs->region_us / (double)times, costs,
                          useful_threads(net, rows, work, most));
}

int fm_schedule_threads(const fm_net *net, int64_t rows, fm_work work, int64_t times) {
    return ignores_cost() ? fm_threads() : threads_for(net, rows, work, times, worthwhile_threads());
}

int fm_advised_threads(const fm_net *net, int64_t rows, int most) {
    return threads_for(net, rows, FM_WORK_STEP, 1, most);
}

void fm_thread_costs(double costs[4]) {
    const fm_costs *known = fm_costs_for(1e9, worthwhile_threads());
    memcpy(costs, (double[]){known->region_us, known->barrier_us, known->flops_per_us, known->updates_per_us},
           4 * sizeof(double));
}

/* Microseconds. Shorter work always takes one thread, without further ado. */
static const double shortest_us = 5.0;

/* The largest number of threads that a tuner may try for work that takes one thread so long; 1: no trials. For long
   work several threads are faster on any processors. */
static int choices(double alone_us) {
    const double longest_us = 2000.0;
    return ignores_cost() || alone_us > longest_us ? 1 : worthwhile_threads();
}

static fm_shift tuned(fm_autotuner *tuner, int64_t rows, int proposed, int most) {
    fm_shift shift = {.threads = proposed, .tuner = tuner, .start = fm_seconds()};
    shift.threads = fm_autotuner_threads(tuner, rows, proposed, most);
    shift.until = shift.start + fm_autotuner_seconds_left(tuner);
    return shift;
}

static int log2_of(int64_t n) { return 63 - __builtin_clzll((unsigned long long)(n | 1)); }

fm_shift fm_schedule_shift(fm_tuners *tuners, const fm_net *net, int64_t rows, fm_work work, int64_t steps) {
    const double alone = microseconds_alone(net, rows, work);
    if (alone < shortest_us && !ignores_cost()) return (fm_shift){.threads = 1};
    const int most = tuners == NULL ? 1 : choices(alone);
    const int proposed = fm_schedule_threads(net, rows, work, steps);
    if (most < 2) return (fm_shift){.threads = proposed};
    return tuned(&tuners->by_rows[log2_of(rows) % FM_TUNERS], rows, proposed, most);
}

static double microseconds_of_update(const fm_net *net) {
    return (double)net->n_params / fm_usual_costs.updates_per_us;
}

int fm_schedule_update(const fm_net *net) {
    if (ignores_cost()) return fm_threads();
    const double alone = microseconds_of_update(net);
    const fm_costs *costs = fm_costs_for(alone, worthwhile_threads());
    return best_on_ladder(alone, 1.0, costs->region_us, costs, worthwhile_threads());
}

fm_shift fm_schedule_update_shift(fm_tuners *tuners, const fm_net *net) {
    const double alone = microseconds_of_update(net);
    if (alone < shortest_us && !ignores_cost()) return (fm_shift){.threads = 1};
    const int most = choices(alone), proposed = fm_schedule_update(net);
    return most < 2 ? (fm_shift){.threads = proposed} : tuned(&tuners->by_rows[0], 1, proposed, most);
}

static int steals_without_need(const fm_worker *self) {
    return self->steals && !forces_stealing() && !fm_backoff_wants_stealing();
}

static int tuner_ends(const fm_shift *shift, const fm_worker *self, int64_t rows) {
    if (shift->tuner == NULL) return 0;
    const double now = fm_seconds(), outside = self->outside;
    if (now >= shift->until) return 1;
    return self->count > 1 && now - shift->start - outside > fm_autotuner_patience(shift->tuner, rows);
}

int fm_schedule_shift_is_over(const fm_shift *shift, const fm_worker *self, int64_t rows) {
    return fm_should_regroup(self, shift->threads) || steals_without_need(self) || tuner_ends(shift, self, rows);
}

void fm_schedule_note(const fm_shift *shift, fm_region region, int64_t rows) {
    if (shift->tuner == NULL || region.threads != shift->threads) return;
    const double seconds = fm_seconds() - shift->start - region.outside;
    const int came_late = fm_autotuner_note(shift->tuner, region.threads, seconds, rows);
    /* Other calls of this process, each with a tuner of its own, need not find out for themselves. */
    fm_backoff_report(region.threads, came_late ? region.threads - 1 : 0, FM_FIXED);
}

static int64_t weights_of_input(const fm_net *net) {
    int64_t weights = 0;
    for (int i = 0; i < net->n_input_readers; i++) {
        const fm_array *array = &net->arrays[net->first_array[net->ops[net->input_readers[i].op].index]];
        weights += array->rows * array->cols;
    }
    return weights;
}

int fm_schedule_gradients_are_long(const fm_net *net, int64_t rows, int sparse, int threads) {
    const double long_us = 20e3;
    const int64_t weights = net->n_params - (sparse ? weights_of_input(net) : 0);
    return 2.0 * (double)rows * (double)weights / (fm_usual_costs.flops_per_us * threads) > long_us;
}

/* A barrier must be short beside the work on its op. */
int fm_schedule_is_layerwise(const fm_net *net, int64_t rows) {
    const double least_bytes = 8e6, least_bytes_an_op = 250e3;
    const double bytes = (double)rows * net->total_width * (double)net->size;
    return !net->ends.separate && bytes > least_bytes && bytes > least_bytes_an_op * net->n_ops;
}

/* Whether no chunk of folded rows ends within a part, so that the sums of a part belong to one chunk. */
static int ends_with_chunks(const fm_net *net, int64_t part, int64_t rows) {
    for (int i = 0; i < net->n_ops; i++) {
        const int64_t fold = net->ops[i].fold;
        if (rows * fold > FM_BATCH_CHUNK && FM_BATCH_CHUNK % (part * fold) != 0) return 0;
    }
    return 1;
}

/* Each part reads all weights and adds to all gradients, which must be few beside its values. */
int64_t fm_schedule_part_rows(const fm_net *net, int64_t rows) {
    enum { LEAST_ROWS = 32, LEAST_FORCED = 8 };
    const double values = net->total_width * (double)net->size; /* bytes a row */
    const int forced = forces_stealing();
    const double cache = (double)fm_cache_bytes(2);
    int64_t part = forced ? LEAST_FORCED : LEAST_ROWS;
    if (worthwhile_threads() > 1 || (!forced && (double)rows * values < cache)) return 0;
    while (!forced && (4.0 * (double)part * values < cache || (double)part * net->total_width < (double)net->n_params))
        part *= 2;
    return part <= FM_BATCH_CHUNK && part < rows && ends_with_chunks(net, part, rows) ? part : 0;
}

/* A thread that loses its processor gets it back after some milliseconds. In shorter steps the others would wait for
   its last piece as long as for all of its part. Small pieces cost 15 % at 1024 wide, so they wait for a reason. */
fm_team_kind fm_schedule_team(const fm_net *net, int64_t rows, int threads) {
    const double long_us = 3e3;
    if (threads == 1) return FM_FIXED;
    if (forces_stealing()) return FM_STEALING;
    if (microseconds_alone(net, rows, FM_WORK_STEP) / threads < long_us) return FM_FIXED;
    return fm_backoff_wants_stealing() ? FM_STEALING : FM_LARGE;
}

int64_t fm_schedule_least_piece(int64_t usual) { return forces_stealing() ? 8 : usual; }

int fm_schedule_first_touch(int64_t bytes) {
    enum { LEAST_BYTES = 1 << 24 }; /* smaller arrays stay in caches, and other memory nodes read them quickly */
    return bytes < LEAST_BYTES ? 1 : worthwhile_threads();
}

/* Folded rows read the same weights, so they are divided by rows. */
int fm_schedule_column_parts(const fm_fused *op, int64_t cols, int threads) {
    if (op->fold > 1) return 1;
    const int64_t least = forces_ops() ? 8 : FM_LEAST_PART_COLUMNS;
    for (int parts = threads; parts > 1; parts--)
        if (threads % parts == 0 && cols >= parts * least) return parts;
    return 1;
}

/* Threads that take work from each other take rows, because a barrier after each op would wait for the slowest. */
fm_axis fm_schedule_axis(const fm_net *net, int64_t rows, const fm_worker *self, int trains) {
    enum { LEAST_ROWS_A_THREAD = 8 };
    if (trains && !self->steals && is_best_by_ops(net, rows, self->count)) return FM_BY_OPS;
    return rows >= (int64_t)LEAST_ROWS_A_THREAD * self->count ? FM_BY_ROWS : FM_BY_COLUMNS;
}

int fm_schedule_packs(fm_use use, fm_compute compute, int64_t rows) {
    enum { LEAST_ROWS = 16, LEAST_PREDICTED = 512 };
    return rows >= (use == FM_PREDICT && compute == FM_COMPUTE_STORAGE ? LEAST_PREDICTED : LEAST_ROWS);
}

/* As many rows as fit the second-level cache, but enough to use each weight often. */
int64_t fm_schedule_block(const fm_net *net) {
    enum { BLOCK_BYTES = 1 << 18, LEAST_ROWS = 128, MOST_ROWS = 1024 };
    const int64_t rows = BLOCK_BYTES / (int64_t)net->size / net->widest / 8 * 8;
    return rows < LEAST_ROWS ? LEAST_ROWS : rows > MOST_ROWS ? MOST_ROWS : rows;
}

void fm_schedule_array(const fm_worker *self, const fm_kernels *kernels, const fm_array *array, int64_t *begin,
                       int64_t *end) {
    const int64_t granularity = array->cols == 1 ? kernels->lanes : array->rows >= 16 * (int64_t)self->count ? 8 : 2;
    fm_partition(self, array->rows, granularity, begin, end);
}
