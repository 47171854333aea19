#define _GNU_SOURCE
#include "base/parallel.h"

#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/quota.h"

/* A waiting thread polls this often before it offers its processor to others: long enough for the balanced case
   (microseconds), short enough not to hold up whoever must still arrive when there are more threads than cores. */
enum { SPINS_BEFORE_YIELD = 2000, MOST_THREADS = 1024 };

struct fm_team {
    _Alignas(64) _Atomic int arrived;
    _Alignas(64) _Atomic unsigned generation;
};

static _Thread_local int thread_override;
static _Atomic int process_threads;
static _Atomic int is_forked_child;

static void mark_forked_child(void) { atomic_store(&is_forked_child, 1); }

__attribute__((constructor)) static void watch_forks(void) { pthread_atfork(NULL, NULL, mark_forked_child); }

static int bounded(long threads) { return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : (int)threads; }

/* OMP_NUM_THREADS may be a list, one number a nesting level; the first is the outermost. */
static int default_threads(void) {
    const char *text = getenv("OMP_NUM_THREADS");
    long asked = text == NULL ? 0 : strtol(text, NULL, 10);
    return bounded(asked > 0 ? asked : fm_usable_cpus());
}

int fm_process_threads(void) {
    int threads = atomic_load_explicit(&process_threads, memory_order_relaxed);
    if (threads == 0) {
        threads = default_threads();
        atomic_store(&process_threads, threads);
    }
    return threads;
}

void fm_set_process_threads(int threads) { atomic_store(&process_threads, bounded(threads)); }

int fm_threads(void) { return thread_override > 0 ? thread_override : fm_process_threads(); }

int fm_override_threads(int threads) {
    int before = thread_override;
    thread_override = threads > 0 ? bounded(threads) : 0;
    return before;
}

int fm_openmp_version(void) { return _OPENMP; }

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void fm_barrier(fm_worker *self) {
    fm_team *team = self->team;
    if (self->count == 1) return;
    unsigned generation = atomic_load_explicit(&team->generation, memory_order_acquire);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) == self->count - 1) {
        atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&team->generation, generation + 1, memory_order_release);
        return;
    }
    for (int spins = 0; atomic_load_explicit(&team->generation, memory_order_acquire) == generation; spins++) {
        if (spins < SPINS_BEFORE_YIELD) relax();
        else sched_yield();
    }
}

void fm_parallel(int threads, fm_task task, void *context) {
    fm_team team = {0};
    if (threads <= 1 || atomic_load_explicit(&is_forked_child, memory_order_relaxed)) {
        fm_worker self = {0, 1, &team};
        task(context, &self);
        return;
    }
#pragma omp parallel num_threads(threads)
    {
        fm_worker self = {omp_get_thread_num(), omp_get_num_threads(), &team};
        task(context, &self);
    }
}

void fm_share(const fm_worker *self, int64_t n, int64_t grain, int64_t *begin, int64_t *end) {
    int64_t units = (n + grain - 1) / grain;
    int64_t first = units * self->index / self->count * grain, last = units * (self->index + 1) / self->count * grain;
    *begin = first < n ? first : n;
    *end = last < n ? last : n;
}
