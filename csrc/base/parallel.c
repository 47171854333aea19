#define _GNU_SOURCE
#include "base/parallel.h"

#include <ctype.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/arithmetic.h"
#include "base/clock.h"
#include "base/backoff.h"
#include "base/meeting.h"
#include "base/quota.h"
#include "base/topology.h"
#include "base/work_trace.h"

enum { MOST_THREADS = 1024 };

struct fm_team {
    fm_meeting meeting;
    _Alignas(64) _Atomic int displaced;
    _Atomic uint64_t taken[FM_MOST_PROCESSORS / 64]; /* bits of the cores that workers of this team run on */
};

static _Thread_local int thread_override;
static _Atomic int process_threads;
static _Atomic int forks;
/* The workers of all regions that are running now. Calls from several threads of the host divide the allowed
   threads. */
static _Atomic int at_work;

static int processors;
/* What OpenMP allows a thread for which nobody has set a limit. */
static int openmp_default;
static fm_cpu_set processors_at_load;

static pthread_once_t topology_is_read = PTHREAD_ONCE_INIT;
static fm_topology topology;

static int bounded(long threads) { return threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : (int)threads; }

/* OMP_NUM_THREADS may be a list with one number for each nesting level; the first one is the outermost. 0 if it is
   not set. */
static long threads_of_environment(void) {
    const char *text = getenv("OMP_NUM_THREADS");
    char *end;
    if (text == NULL) return 0;
    const long asked = strtol(text, &end, 10);
    return *end == '\0' || *end == ',' || isspace((unsigned char)*end) ? asked : 0;
}

static void count_fork(void) { atomic_fetch_add(&forks, 1); }

/* Read when the core is loaded, because a later caller may have bound its own thread to one processor. */
__attribute__((constructor)) static void look_at_process(void) {
    pthread_atfork(NULL, NULL, count_fork);
    processors = fm_usable_cpus("");
    fm_affinity(&processors_at_load);
    const long asked = threads_of_environment();
    openmp_default = asked > 0 ? bounded(asked) : omp_get_num_procs();
}

/* Reading some files for each processor takes milliseconds on large machines, so it waits for the first use. */
static void read_topology(void) { fm_read_topology("", &processors_at_load, &topology); }

static const fm_topology *known_topology(void) {
    pthread_once(&topology_is_read, read_topology);
    return &topology;
}

static int smaller(int a, int b) { return a < b ? a : b; }

int fm_processors(void) { return processors; }

int fm_forks(void) { return atomic_load_explicit(&forks, memory_order_relaxed); }

/* One thread for each performance core. A second thread on the same core shares its arithmetic units, and a team is as
   fast as its slowest core. */
static int default_threads(void) {
    const long asked = threads_of_environment();
    if (asked > 0) return bounded(asked);
    fm_cpu_set set;
    const int allowed = fm_affinity(&set), cores = fm_count_cores(known_topology(), &set).fast;
    const int quota = fm_cgroup_cpus("");
    const int usable = cores > 0 ? cores : allowed;
    return bounded(quota > 0 ? smaller(usable, quota) : usable);
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

/* OpenMP has a number of threads for each thread of the host. Tools such as threadpoolctl set it for a while, and
   expect that it is a limit. */
static int limit_of_openmp(void) {
    const int most = omp_get_max_threads();
    return most < openmp_default ? most : MOST_THREADS;
}

int fm_threads(void) {
    return smaller(thread_override > 0 ? thread_override : fm_process_threads(), limit_of_openmp());
}

int fm_override_threads(int threads) {
    int before = thread_override;
    thread_override = threads > 0 ? bounded(threads) : 0;
    return before;
}

int fm_openmp_version(void) { return _OPENMP; }

static void begin_interval(fm_worker *self) {
    if (fm_traces_work()) self->traced = fm_thread_seconds();
}

static void end_interval(fm_worker *self) {
    if (fm_traces_work()) fm_trace_interval(self->index, self->interval++, fm_thread_seconds() - self->traced);
}

void fm_barrier(fm_worker *self) {
    if (self->count == 1) return;
    end_interval(self);
    self->waited += fm_meet(&self->team->meeting, self->index, self->count);
    begin_interval(self);
}

/* Seconds. Short interruptions by the system are not a reason to use fewer threads; only the part lost of many
   milliseconds of work counts. Each reading is a system call, so more frequent ones would be too expensive. */
static const double look_every = 2e-3, long_region = 2e-4, enough_seen = 8e-3;
/* The part of the time that a thread may lose. If threads take work from each other, a thread with a small part of a
   processor is still of use. */
static const double most_lost = 0.2, most_lost_stealing = 0.9;

/* Whether the last region was so long that the next one can afford to read the clocks of its threads. */
static _Atomic int regions_are_long;

/* Time in regions, and the part of it without a processor; kept from one region to the next. */
static _Thread_local struct {
    double seen, lost;
} record;

static void look(fm_worker *self, double now) {
    if (fm_traces_work()) return;                              /* more workers than processors, on purpose */
    const double asked = self->outside - self->outside_before; /* the caller may have waited for its locks */
    const double busy = fm_thread_seconds(), passed = now - self->since - self->waited - asked;
    if (self->busy >= 0.0 && busy > self->busy) { /* the thread clocks of some systems stand still for milliseconds */
        record.seen += passed;
        record.lost += passed - (busy - self->busy);
    }
    self->since = now;
    self->busy = busy;
    self->waited = 0.0;
    self->outside_before = self->outside;
    if (record.seen < enough_seen) return;
    if (record.lost > (self->steals ? most_lost_stealing : most_lost) * record.seen && !self->displaced) {
        self->displaced = 1;
        atomic_fetch_add(&self->team->displaced, 1);
    }
    record.seen = record.lost = 0.0;
}

void fm_check_preemption(fm_worker *self) {
    if (self->count == 1) return;
    const double now = fm_seconds();
    if (now - self->since > look_every) look(self, now);
}

/* The threads that a region may have; it already has `own` threads. */
static int available_threads(int own, int steals) {
    const int left = fm_threads() - (atomic_load_explicit(&at_work, memory_order_relaxed) - own);
    const int most = left < 1 ? 1 : left;
    return steals ? most : fm_backoff_limit(most);
}

int fm_should_regroup(const fm_worker *self, int wanted) {
    if (atomic_load_explicit(&self->team->displaced, memory_order_relaxed) > 0) return 1;
    return self->count < wanted && available_threads(self->count, self->steals) > self->count;
}

#if defined(__linux__)
static int present_core(void) { return known_topology()->core[(unsigned)sched_getcpu() % FM_MOST_PROCESSORS]; }

/* False if another worker of the team already runs on this core; then this one should move. */
static int take_core(fm_team *team) {
    const int core = present_core();
    const uint64_t bit = UINT64_C(1) << core % 64;
    return (atomic_fetch_or_explicit(&team->taken[core / 64], bit, memory_order_relaxed) & bit) == 0;
}

/* The system wakes a thread where it slept last or where the waking thread runs. It takes milliseconds to notice
   that two workers share a core while another one is idle. To forbid the processors of the present core for a moment
   moves the thread at once. */
static void step_aside(void) {
    cpu_set_t allowed, others;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    others = allowed;
    const int core = present_core();
    for (int i = 0; i < FM_MOST_PROCESSORS; i++)
        if (known_topology()->core[i] == core) CPU_CLR(i, &others);
    if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
    sched_setaffinity(0, sizeof allowed, &allowed);
}

static void find_place(const fm_worker *self) {
    if (take_core(self->team) || self->index == 0) return; /* the host's own thread is not moved */
    step_aside();
    take_core(self->team);
}
#else
static void find_place(const fm_worker *self) { (void)self; }
#endif

static void work(fm_worker *self, fm_task task, void *context) {
    if (self->index > 0) find_place(self);
    const double start = fm_seconds();
    self->since = start;
    self->busy = atomic_load_explicit(&regions_are_long, memory_order_relaxed) ? fm_thread_seconds() : -1.0;
    const fm_modes host = fm_enter_arithmetic();
    begin_interval(self);
    task(context, self);
    end_interval(self);
    fm_leave_arithmetic(host);
    const double end = fm_seconds();
    if (self->busy >= 0.0 && end - self->since > long_region) look(self, end);
    if (self->index == 0) atomic_store_explicit(&regions_are_long, end - start > long_region, memory_order_relaxed);
}

static fm_region work_alone(fm_task task, void *context) {
    fm_team team;
    fm_worker self = {.count = 1, .team = &team};
    atomic_init(&team.displaced, 0);
    const fm_modes host = fm_enter_arithmetic();
    begin_interval(&self);
    task(context, &self);
    end_interval(&self);
    fm_leave_arithmetic(host);
    return (fm_region){1, self.outside};
}

static fm_region work_together(int threads, fm_team_kind kind, fm_task task, void *context) {
    fm_team team;
    fm_region region = {1, 0.0};
    fm_meeting_begin(&team.meeting, threads, threads > processors);
    atomic_init(&team.displaced, 0);
    for (int i = 0; i < FM_MOST_PROCESSORS / 64; i++) atomic_init(&team.taken[i], 0);
    find_place(&(fm_worker){.team = &team});
#pragma omp parallel num_threads(threads)
    {
        fm_worker self = {.index = omp_get_thread_num(),
                          .count = omp_get_num_threads(),
                          .team = &team,
                          .steals = kind == FM_STEALING};
        work(&self, task, context);
        if (self.index == 0) region = (fm_region){self.count, self.outside};
    }
    fm_backoff_report(threads, atomic_load(&team.displaced), kind);
    return region;
}

static fm_region parallel(int threads, fm_team_kind kind, fm_task task, void *context) {
    const int most = threads <= 1 ? 1 : available_threads(0, kind == FM_STEALING);
    const int taken = fm_forks() > 0 ? 1 : smaller(threads, most);
    atomic_fetch_add_explicit(&at_work, taken, memory_order_relaxed);
    const fm_region region = taken <= 1 ? work_alone(task, context) : work_together(taken, kind, task, context);
    atomic_fetch_sub_explicit(&at_work, taken, memory_order_relaxed);
    return region;
}

fm_region fm_parallel(int threads, fm_task task, void *context) { return parallel(threads, FM_FIXED, task, context); }

fm_region fm_parallel_large(int threads, fm_team_kind kind, fm_task task, void *context) {
    return parallel(threads, kind, task, context);
}

void fm_partition(const fm_worker *self, int64_t n, int64_t granularity, int64_t *begin, int64_t *end) {
    if (self->count == 1) { /* avoids the divisions below, which cost a visible part of a one-row step */
        *begin = 0;
        *end = n;
        return;
    }
    const int64_t units = (n + granularity - 1) / granularity;
    const int64_t first = units * self->index / self->count * granularity;
    const int64_t last = units * (self->index + 1) / self->count * granularity;
    *begin = first < n ? first : n;
    *end = last < n ? last : n;
}
