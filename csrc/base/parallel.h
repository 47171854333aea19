/* The only door to OpenMP: how many threads there may be, one parallel region, and a barrier inside it. */
#ifndef FM_BASE_PARALLEL_H
#define FM_BASE_PARALLEL_H

#include <stdint.h>

typedef struct fm_team fm_team;

typedef struct {
    int index; /* 0 is the calling thread */
    int count; /* threads that really run, which may be fewer than asked for */
    fm_team *team;
    double since, busy; /* the last look at the clocks: wall, and this thread's (-1: not read) */
    double waited;      /* since then, for others */
    int displaced;      /* has lost its processor to someone else for a good part of the time */
} fm_worker;

typedef void (*fm_task)(void *context, fm_worker *self);

/* Runs `task` on at most `threads` threads, as many as others leave, each in the modes of base/arithmetic.h, and returns
   when all are done. In a forked child it runs on the caller alone: the parent's pool does not exist there, and asking
   OpenMP for it would hang. */
void fm_parallel(int threads, fm_task task, void *context);
void fm_barrier(fm_worker *self);

/* To be called by each worker every now and then, such as once a step: notes whether it lost its processor. */
void fm_check_preemption(fm_worker *self);

/* Whether a region that would take `wanted` threads should end early: one lost its processor, or more could be had. */
int fm_should_regroup(const fm_worker *self, int wanted);

/* This worker's part [*begin, *end) of `n` units, which begins at a multiple of `granularity`. */
void fm_partition(const fm_worker *self, int64_t n, int64_t granularity, int64_t *begin, int64_t *end);

/* Thread count for the calling thread: its scoped override, else the process default. */
int fm_threads(void);
int fm_process_threads(void);
void fm_set_process_threads(int threads);
int fm_override_threads(int threads); /* 0 removes the override; returns the one before */

int fm_processors(void); /* that the process could use when the core was loaded */
int fm_forks(void);      /* between the process that loaded the core and this one */

int fm_openmp_version(void); /* the _OPENMP date, such as 201511 */

#endif
