#define _GNU_SOURCE
#include "base/meeting.h"

#include <limits.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/clock.h"

#if defined(__linux__)
#include <linux/futex.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* 2000 looks are long enough if the work is balanced (microseconds), and short enough not to delay the last thread if
   another program has its processor. The scheduler may return the processor at once after a yield, so the thread
   sleeps after some yields. */
enum { SPINS = 2000, YIELDS = 20 };

void fm_meeting_begin(fm_meeting *meeting, int threads, int crowded) {
    atomic_init(&meeting->groups_arrived, 0);
    meeting->spins = crowded ? 0 : SPINS;
    for (int i = 0; i * FM_MEETING_GROUP < threads; i++) {
        atomic_init(&meeting->group[i].arrived, 0);
        atomic_init(&meeting->group[i].generation, 0);
        atomic_init(&meeting->group[i].sleepers, 0);
    }
}

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* "yield" does nothing on most cores */
#endif
}

#if defined(__linux__)
/* Sleeps unless the generation has changed. */
static void sleep_on(fm_meeting_group *group, unsigned generation) {
    atomic_fetch_add(&group->sleepers, 1);
    syscall(SYS_futex, &group->generation, FUTEX_WAIT_PRIVATE, generation, NULL, NULL, 0);
    atomic_fetch_sub(&group->sleepers, 1);
}

static void wake(fm_meeting_group *group) {
    if (atomic_load(&group->sleepers) > 0)
        syscall(SYS_futex, &group->generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
static void sleep_on(fm_meeting_group *group, unsigned generation) {
    (void)group, (void)generation;
    fm_sleep(1e-5);
}

static void wake(fm_meeting_group *group) { (void)group; }
#endif

static int is_over(fm_meeting_group *group, unsigned generation) {
    return atomic_load_explicit(&group->generation, memory_order_acquire) != generation;
}

/* Time asleep counts as waiting, because it is the thread's own choice. Time lost in a yield does not: another
   program took the processor. */
static double wait_for(fm_meeting *meeting, fm_meeting_group *group, unsigned generation) {
    double slept = 0.0;
    for (int spins = 0; spins < meeting->spins; spins++) {
        if (is_over(group, generation)) return 0.0;
        relax();
    }
    for (int turns = 0; !is_over(group, generation); turns++) {
        if (turns < YIELDS) {
            sched_yield();
            continue;
        }
        const double start = fm_seconds();
        sleep_on(group, generation);
        slept += fm_seconds() - start;
    }
    return slept;
}

/* Storing the generation and then reading the sleepers must not change places: a thread that counts itself among the
   sleepers later sees the new generation and does not sleep. */
static void release(fm_meeting *meeting, int groups) {
    for (int i = 0; i < groups; i++) {
        atomic_fetch_add(&meeting->group[i].generation, 1);
        wake(&meeting->group[i]);
    }
}

static int is_last(_Atomic int *arrived, int count) {
    if (atomic_fetch_add_explicit(arrived, 1, memory_order_acq_rel) < count - 1) return 0;
    atomic_store_explicit(arrived, 0, memory_order_relaxed); /* for the next meeting */
    return 1;
}

double fm_meet(fm_meeting *meeting, int index, int count) {
    const int number = index / FM_MEETING_GROUP, groups = (count + FM_MEETING_GROUP - 1) / FM_MEETING_GROUP;
    const int left = count - number * FM_MEETING_GROUP;
    fm_meeting_group *group = &meeting->group[number];
    const unsigned generation = atomic_load_explicit(&group->generation, memory_order_acquire);
    if (is_last(&group->arrived, left < FM_MEETING_GROUP ? left : FM_MEETING_GROUP) &&
        (groups == 1 || is_last(&meeting->groups_arrived, groups))) {
        release(meeting, groups);
        return 0.0;
    }
    return wait_for(meeting, group, generation);
}
