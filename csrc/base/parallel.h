/* The only file that uses OpenMP: the number of threads, one parallel region, and a barrier inside it. */
#ifndef FM_BASE_PARALLEL_H
#define FM_BASE_PARALLEL_H

#include <stdint.h>

#include "base/backoff.h"

typedef struct fm_team fm_team;

typedef struct {
    int index; /* 0 is the calling thread */
    int count; /* threads that really run; may be fewer than requested */
    fm_team *team;
    double since, busy;    /* last reading: wall clock, and processor time of this thread (-1: not read) */
    double waited;         /* time since then that this thread slept at barriers */
    double outside;        /* time in the whole region that it spent in the caller's functions */
    double outside_before; /* the same at the last reading */
    int displaced;         /* another program had its processor for a large part of the time */
    int steals;            /* takes work of slower threads, so a lost processor delays nobody for long */
    double traced;         /* work_trace.h: processor time at the beginning of this interval */
    int interval;          /* and its number */
} fm_worker;

typedef void (*fm_task)(void *context, fm_worker *self);

/* How a region went: the threads that ran, and the seconds that the calling one spent in the caller's functions. */
typedef struct {
    int threads;
    double outside;
} fm_region;

/* Runs `task` on at most `threads` threads, fewer if other calls are using them, and returns when all are done. Each
   thread has the modes of base/arithmetic.h. In a forked child the task runs on the calling thread alone: the
   parent's threads do not exist there, and OpenMP would hang. */
fm_region fm_parallel(int threads, fm_task task, void *context);

/* The same for a large step. STEALING: on all threads, also while other programs use our processors. */
fm_region fm_parallel_large(int threads, fm_team_kind kind, fm_task task, void *context);
void fm_barrier(fm_worker *self);

/* Each worker must call this regularly, for example once a step. It notes whether the worker lost its processor. */
void fm_check_preemption(fm_worker *self);

/* Whether a region that could use `wanted` threads should end early, because a worker lost its processor or more
   threads are available now. */
int fm_should_regroup(const fm_worker *self, int wanted);

/* This worker's part [*begin, *end) of `n` units. *begin is a multiple of `granularity`. */
void fm_partition(const fm_worker *self, int64_t n, int64_t granularity, int64_t *begin, int64_t *end);

/* The number of threads for the calling thread: its own override if set, otherwise the default of the process; and
   at most what was set as OpenMP's number for this thread. */
int fm_threads(void);
int fm_process_threads(void);
void fm_set_process_threads(int threads);
int fm_override_threads(int threads); /* 0 removes the override; returns the previous one */

int fm_processors(void); /* processors that the process could use when the core was loaded */
int fm_forks(void);      /* number of forks between the process that loaded the core and this one */

int fm_openmp_version(void); /* the date in _OPENMP, such as 201511 */

#endif
