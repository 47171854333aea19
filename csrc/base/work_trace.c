#include "base/work_trace.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

static double *_Atomic log_of_all;
static int most_workers, most_intervals;

void fm_trace_work(double *seconds, int workers, int intervals) {
    most_workers = workers;
    most_intervals = intervals;
    atomic_store(&log_of_all, seconds);
}

int fm_traces_work(void) { return atomic_load_explicit(&log_of_all, memory_order_relaxed) != NULL; }

void fm_trace_interval(int worker, int interval, double seconds) {
    double *log = atomic_load(&log_of_all);
    if (log == NULL || worker >= most_workers || interval >= most_intervals) return;
    log[(int64_t)worker * most_intervals + interval] = seconds;
}
