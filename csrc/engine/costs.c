#include "engine/costs.h"

#include <math.h>
#include <stdatomic.h>

#include "base/aligned_alloc.h"
#include "base/clock.h"
#include "base/parallel.h"
#include "engine/product.h"

/* Measured on two x86-64 server processors (see docs/performance-notes.md). */
const fm_costs fm_usual_costs = {10.0, 0.5, 90e3, 3e3};

/* REGIONS are enough to start the threads and to see one undisturbed wake-up. After `asleep` seconds the threads have
   stopped spinning. */
static const double asleep = 2e-4;
enum { MOST_MEASURED = 16, REGIONS = 5, BARRIERS = 50, ROUNDS = 4, SIDE = 64, DEPTH = 256 };

static double smaller(double a, double b) { return a < b ? a : b; }

static double between(double least, double x, double most) { return x < least ? least : x > most ? most : x; }

static void count_team(void *context, fm_worker *self) {
    if (self->index == 0) *(int *)context = self->count;
}

typedef struct {
    int count;
    double us; /* of one barrier */
} barrier_time;

static void time_barriers(void *context, fm_worker *self) {
    barrier_time *time = context;
    fm_barrier(self);
    const double start = fm_seconds();
    for (int i = 0; i < BARRIERS; i++) fm_barrier(self);
    if (self->index == 0) *time = (barrier_time){self->count, 1e6 * (fm_seconds() - start) / BARRIERS};
}

/* The best of some regions, because other programs can only make them longer; 0.0 if there was no team. */
static double region_us(int threads, double pause) {
    double best = 1e9;
    for (int i = 0; i < REGIONS; i++) {
        int count = 1;
        if (pause > 0.0) fm_sleep(pause);
        const double start = fm_seconds();
        fm_parallel(threads, count_team, &count);
        if (count < 2) return 0.0;
        best = smaller(best, 1e6 * (fm_seconds() - start));
    }
    return best;
}

/* A call that follows another one closely finds its threads spinning, other calls find them asleep. Which it will be
   is not known, so the cost is the geometric mean. */
static int measure_team(int threads, fm_costs *costs) {
    const double waking = region_us(threads, asleep), spinning = region_us(threads, 0.0);
    double barrier = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        barrier_time time = {1, 0.0};
        fm_parallel(threads, time_barriers, &time);
        if (time.count < 2) return 0;
        barrier = smaller(barrier, time.us / time.count);
    }
    costs->region_us = between(1.0, sqrt(waking * spinning), 100.0);
    costs->barrier_us = between(0.05, barrier, 5.0);
    return waking > 0.0 && spinning > 0.0;
}

static int measure_products(fm_costs *costs) {
    float *a = fm_alloc_zeroed(SIDE * (2 * DEPTH + SIDE), sizeof *a);
    double us = 1e9;
    if (a == NULL) return 0;
    const fm_product space = {.kernels = fm_tables_in_use()[FM_F32], .compute = FM_COMPUTE_STORAGE, .size = sizeof *a};
    const fm_gemm g = {.m = SIDE,
                       .n = SIDE,
                       .k = DEPTH,
                       .a = a,
                       .a_row = DEPTH,
                       .a_step = 1,
                       .b = a + SIDE * DEPTH,
                       .b_step = SIDE,
                       .c = a + 2 * SIDE * DEPTH,
                       .ldc = SIDE,
                       .start = FM_START_ZERO,
                       .epilogue = FM_GEMM_STORE,
                       .activation = -1};
    for (int i = 0; i < ROUNDS; i++) {
        const double start = fm_seconds();
        fm_multiply(&space, g);
        us = smaller(us, 1e6 * (fm_seconds() - start));
    }
    fm_free(a);
    costs->flops_per_us = between(1e3, 2.0 * SIDE * SIDE * DEPTH / (us + 1e-3), 1e6);
    return 1;
}

const fm_costs *fm_costs_for(double alone_us, int threads) {
    static _Atomic int state; /* 0: not measured; 1: some thread measures; 2: measured */
    static fm_costs measured;
    const double worth_measuring = 100.0;
    int found = atomic_load_explicit(&state, memory_order_acquire);
    if (found == 2) return &measured;
    if (alone_us < worth_measuring || threads < 2 || found != 0 || !atomic_compare_exchange_strong(&state, &found, 1))
        return &fm_usual_costs;
    fm_costs costs = fm_usual_costs;
    const int done =
        measure_team(threads < MOST_MEASURED ? threads : MOST_MEASURED, &costs) && measure_products(&costs);
    if (done) measured = costs;
    atomic_store_explicit(&state, done ? 2 : 0, memory_order_release);
    return done ? &measured : &fm_usual_costs;
}
