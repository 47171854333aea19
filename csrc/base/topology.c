#define _GNU_SOURCE
#include "base/topology.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/read_line.h"

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define PROCESSOR "%s/sys/devices/system/cpu/cpu%d/"

static int count(const fm_cpu_set *set) {
    int total = 0;
    for (int i = 0; i < FM_MOST_PROCESSORS / 64; i++) total += __builtin_popcountll(set->bits[i]);
    return total;
}

/* The processors of a list such as "0-3,8". What follows a mistake is left out. */
static fm_cpu_set listed(const char *list) {
    fm_cpu_set set = {{0}};
    while (*list >= '0' && *list <= '9') {
        char *end;
        const long first = strtol(list, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        for (long i = first; i <= last && last < FM_MOST_PROCESSORS; i++) fm_add_cpu(&set, (int)i);
        list = end + (*end == ',');
    }
    return set;
}

/* ---- cores ---- */

int fm_affinity(fm_cpu_set *set) {
    *set = (fm_cpu_set){{0}};
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) > 0) {
        for (int i = 0; i < FM_MOST_PROCESSORS && i < CPU_SETSIZE; i++)
            if (CPU_ISSET(i, &allowed)) fm_add_cpu(set, i);
        return CPU_COUNT(&allowed);
    }
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > INT_MAX ? INT_MAX : (int)online;
}

/* A core has the number of its first processor, even if that one is not in `set`. */
static void read_siblings(const char *root, const fm_cpu_set *set, fm_topology *topology) {
    fm_cpu_set known = {{0}};
    for (int i = 0; i < FM_MOST_PROCESSORS; i++) topology->core[i] = (int16_t)i;
    for (int i = 0; i < FM_MOST_PROCESSORS; i++) {
        char line[FM_LINE_BYTES];
        int first = -1;
        if (!fm_has_cpu(set, i) || fm_has_cpu(&known, i)) continue;
        if (!fm_read_line(line, PROCESSOR "topology/thread_siblings_list", root, i)) continue;
        const fm_cpu_set siblings = listed(line);
        for (int k = 0; k < FM_MOST_PROCESSORS && fm_has_cpu(&siblings, i); k++) {
            if (!fm_has_cpu(&siblings, k)) continue;
            if (first < 0) first = k;
            topology->core[k] = (int16_t)first;
            fm_add_cpu(&known, k);
        }
    }
}

/* Marks the cores whose `file` has a number clearly below the largest one. False if none has such a file. */
static int compare_cores(const char *root, const char *file, double clearly, const fm_cpu_set *set, fm_topology *t) {
    long speed[FM_MOST_PROCESSORS] = {0}, most = 0;
    for (int i = 0; i < FM_MOST_PROCESSORS; i++) {
        char line[FM_LINE_BYTES];
        long *of_core = &speed[t->core[i]];
        if (!fm_has_cpu(set, i) || *of_core > 0 || !fm_read_line(line, PROCESSOR "%s", root, i, file)) continue;
        *of_core = strtol(line, NULL, 10);
        most = *of_core > most ? *of_core : most;
    }
    for (int i = 0; i < FM_MOST_PROCESSORS; i++) {
        const long own = speed[t->core[i]];
        if (own > 0 && (double)own < clearly * (double)most) fm_add_cpu(&t->slow, i);
    }
    return most > 0;
}

/* Intel's hybrid chips have lists of both kinds. Others tell the capacity of each core (1024 is the fastest), or its
   highest frequency. Good samples of equal cores are a few percent faster than others; efficiency cores reach half of
   the capacity or three quarters of the frequency. */
void fm_read_topology(const char *root, const fm_cpu_set *set, fm_topology *topology) {
    char line[FM_LINE_BYTES];
    topology->slow = (fm_cpu_set){{0}};
    read_siblings(root, set, topology);
    if (fm_read_line(line, "%s/sys/devices/cpu_atom/cpus", root)) topology->slow = listed(line);
    else if (!compare_cores(root, "cpu_capacity", 0.6, set, topology))
        compare_cores(root, "cpufreq/cpuinfo_max_freq", 0.8, set, topology);
}

#if defined(__APPLE__)
static int64_t number_of(const char *name) {
    int64_t number = 0;
    size_t bytes = sizeof number; /* the system writes 4 or 8 bytes, the least significant first */
    return sysctlbyname(name, &number, &bytes, NULL, 0) == 0 ? number : 0;
}

/* There is no affinity; perflevel0 are the fastest cores. */
static fm_cores described_cores(void) {
    const int all = (int)number_of("hw.physicalcpu"), fast = (int)number_of("hw.perflevel0.physicalcpu");
    return (fm_cores){all, fast > 0 ? fast : all};
}
#else
static fm_cores described_cores(void) { return (fm_cores){0, 0}; }
#endif

fm_cores fm_count_cores(const fm_topology *topology, const fm_cpu_set *set) {
    fm_cpu_set seen = {{0}};
    fm_cores cores = {0, 0};
    for (int i = 0; i < FM_MOST_PROCESSORS; i++) {
        if (!fm_has_cpu(set, i) || fm_has_cpu(&seen, topology->core[i])) continue;
        fm_add_cpu(&seen, topology->core[i]);
        cores.all++;
        cores.fast += !fm_has_cpu(&topology->slow, i);
    }
    if (cores.all == 0) cores = described_cores();
    return cores.fast > 0 ? cores : (fm_cores){cores.all, cores.all};
}

/* ---- caches ---- */

enum { LEVELS = 3 };

/* A size such as "1024K". */
static int64_t bytes_of(const char *text) {
    char *end;
    const int64_t number = strtoll(text, &end, 10);
    if (number <= 0 || number > INT64_MAX >> 30) return 0;
    return number << (*end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0);
}

static int sharing_cores(const char *root, int processor, int index) {
    char line[FM_LINE_BYTES];
    if (!fm_read_line(line, PROCESSOR "cache/index%d/shared_cpu_list", root, processor, index)) return 1;
    const fm_cpu_set sharing = listed(line);
    if (!fm_read_line(line, PROCESSOR "topology/thread_siblings_list", root, processor)) line[0] = '\0';
    const fm_cpu_set siblings = listed(line);
    const int threads = count(&siblings) > 1 ? count(&siblings) : 1, cores = count(&sharing) / threads;
    return cores > 1 ? cores : 1;
}

int64_t fm_read_cache_bytes(const char *root, int processor, int level) {
    char line[FM_LINE_BYTES];
    for (int index = 0; fm_read_line(line, PROCESSOR "cache/index%d/level", root, processor, index); index++) {
        if (strtol(line, NULL, 10) != level) continue;
        if (!fm_read_line(line, PROCESSOR "cache/index%d/type", root, processor, index) || line[0] == 'I') continue;
        if (!fm_read_line(line, PROCESSOR "cache/index%d/size", root, processor, index)) continue;
        return bytes_of(line) / (level < 3 ? sharing_cores(root, processor, index) : 1);
    }
    return 0;
}

#if defined(__APPLE__)
static int64_t described_bytes(int level) {
    if (level == 3) return number_of("hw.l3cachesize");
    const int64_t bytes = number_of(level == 1 ? "hw.perflevel0.l1dcachesize" : "hw.perflevel0.l2cachesize");
    const int64_t sharing = level == 1 ? 1 : number_of("hw.perflevel0.cpusperl2");
    if (bytes > 0) return sharing > 1 ? bytes / sharing : bytes;
    return number_of(level == 1 ? "hw.l1dcachesize" : "hw.l2cachesize");
}
#elif defined(__x86_64__)
/* If /sys is not mounted. Leaf 4 is Intel's; AMD's has the same form. */
static int64_t described_bytes(int level) {
    unsigned a, b, c, d;
    static const unsigned leaves[] = {4, 0x8000001D};
    for (int leaf = 0; leaf < 2; leaf++) {
        for (unsigned index = 0; index < 8 && __get_cpuid_count(leaves[leaf], index, &a, &b, &c, &d); index++) {
            if ((a & 31) == 0) break;
            if ((int)(a >> 5 & 7) != level || (a & 31) == 2) continue;
            return (int64_t)((b >> 22) + 1) * ((b >> 12 & 1023) + 1) * ((b & 4095) + 1) * ((int64_t)c + 1);
        }
    }
    return 0;
}
#else
static int64_t described_bytes(int level) {
    (void)level;
    return 0;
}
#endif

static int64_t find_bytes(int level) {
    static const int64_t usual[] = {32 << 10, 512 << 10, 8 << 20}, least[] = {8 << 10, 128 << 10, 1 << 20};
    int64_t bytes = fm_read_cache_bytes("", 0, level);
    if (bytes < least[level - 1]) bytes = described_bytes(level);
    return bytes < least[level - 1] ? usual[level - 1] : bytes;
}

int64_t fm_cache_bytes(int level) {
    static _Atomic int64_t found[LEVELS];
    const int at = level < 1 ? 0 : level > LEVELS ? LEVELS - 1 : level - 1;
    int64_t bytes = atomic_load_explicit(&found[at], memory_order_relaxed);
    if (bytes == 0) {
        bytes = find_bytes(at + 1);
        atomic_store_explicit(&found[at], bytes, memory_order_relaxed);
    }
    return bytes;
}
