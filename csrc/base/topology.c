#define _GNU_SOURCE
#include "base/topology.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/read_line.h"

#if defined(__APPLE__)
#include <sys/sysctl.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define PROCESSOR "%s/sys/devices/system/cpu/cpu%d/"

/* The number of processors in a list such as "0-3,8"; 1 if it is not such a list. */
static int listed(const char *list) {
    long count = 0;
    while (*list >= '0' && *list <= '9') {
        char *end;
        const long first = strtol(list, &end, 10), last = *end == '-' ? strtol(end + 1, &end, 10) : first;
        count += last - first + 1;
        list = end + (*end == ',');
    }
    return count < 1 || count > (1 << 20) ? 1 : (int)count;
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
    const int sharing = listed(line);
    const int siblings =
        fm_read_line(line, PROCESSOR "topology/thread_siblings_list", root, processor) ? listed(line) : 1;
    return sharing > siblings ? sharing / siblings : 1;
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
static int64_t number_of(const char *name) {
    int64_t number = 0;
    size_t bytes = sizeof number; /* the system writes 4 or 8 bytes, the least significant first */
    return sysctlbyname(name, &number, &bytes, NULL, 0) == 0 ? number : 0;
}

/* perflevel0 are the fastest cores. */
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
