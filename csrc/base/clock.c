#define _GNU_SOURCE
#include "base/clock.h"

#include <time.h>

static double read_clock(clockid_t clock) {
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double fm_seconds(void) { return read_clock(CLOCK_MONOTONIC); }

double fm_thread_seconds(void) { return read_clock(CLOCK_THREAD_CPUTIME_ID); }

void fm_sleep(double seconds) {
    const struct timespec span = {.tv_nsec = (long)(1e9 * seconds)};
    nanosleep(&span, NULL);
}
