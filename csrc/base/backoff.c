#include "base/backoff.h"

#include <stdatomic.h>

#include "base/clock.h"

/* Seconds. The shortest pause is cheap after a false alarm. The longest pause limits how long a processor that is
   free again stays unused. A trial has succeeded if it runs well for `long_enough`. Large steps have longer pauses:
   in them they use all processors, and a trial takes a whole step. */
static const double shortest_pause = 0.01, longest_pause = 1.0, long_enough = 0.1;
static const double shortest_of_large = 0.2, longest_of_large = 2.0;

/* Any thread that reports writes these. A race can make one pause too long or too short, but cannot change a result. */
static _Atomic int limit; /* 0: no limit */
static _Atomic int stealing_failed;
static _Atomic double until, pause_length;

int fm_backoff_limit(int threads) {
    const int most = atomic_load_explicit(&limit, memory_order_relaxed);
    if (most == 0 || most >= threads) return threads;
    if (fm_seconds() < atomic_load_explicit(&until, memory_order_relaxed)) return most;
    atomic_store(&limit, 0);
    return threads;
}

int fm_backoff_wants_stealing(void) {
    return atomic_load_explicit(&limit, memory_order_relaxed) != 0 &&
           !atomic_load_explicit(&stealing_failed, memory_order_relaxed) &&
           fm_seconds() < atomic_load_explicit(&until, memory_order_relaxed);
}

void fm_backoff_report(int threads, int displaced, fm_team_kind kind) {
    if (displaced == 0) return;
    atomic_store(&stealing_failed, kind == FM_STEALING);
    const double now = fm_seconds();
    const double since_trial = now - atomic_load(&until);
    double next = since_trial > long_enough ? shortest_pause : atomic_load(&pause_length);
    if (since_trial > 0.0 && since_trial <= long_enough) next *= 2.0; /* not for regions that end in the pause */
    const double least = kind == FM_LARGE ? shortest_of_large : shortest_pause;
    const double most = kind == FM_LARGE ? longest_of_large : longest_pause;
    next = next > most ? most : next < least ? least : next;
    atomic_store(&pause_length, next);
    atomic_store(&until, now + next);
    atomic_store(&limit, threads - displaced < 1 ? 1 : threads - displaced);
}
