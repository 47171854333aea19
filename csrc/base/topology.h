/* The cores and caches of this machine, as the system describes them. */
#ifndef FM_BASE_TOPOLOGY_H
#define FM_BASE_TOPOLOGY_H

#include <stdint.h>

/* ---- cores ---- */

enum { FM_MOST_PROCESSORS = 1024 };

typedef struct {
    uint64_t bits[FM_MOST_PROCESSORS / 64];
} fm_cpu_set;

static inline int fm_has_cpu(const fm_cpu_set *set, int processor) {
    return (int)(set->bits[processor / 64] >> processor % 64 & 1);
}
static inline void fm_add_cpu(fm_cpu_set *set, int processor) {
    set->bits[processor / 64] |= UINT64_C(1) << processor % 64;
}

/* Sets the processors that the calling thread may run on and returns their number. The set is empty on systems
   without affinity. */
int fm_affinity(fm_cpu_set *set);

typedef struct {
    int16_t core[FM_MOST_PROCESSORS]; /* of each processor: the first processor of the same core */
    fm_cpu_set slow;                  /* efficiency cores of a hybrid chip; the others are performance cores */
} fm_topology;

/* Describes the processors of `set`; `root` as below. Unknown processors are fast cores of their own. */
void fm_read_topology(const char *root, const fm_cpu_set *set, fm_topology *topology);

typedef struct {
    int all, fast;
} fm_cores;

/* The cores that the processors of `set` belong to, and how many of them are performance cores. */
fm_cores fm_count_cores(const fm_topology *topology, const fm_cpu_set *set);

/* ---- caches ---- */

/* Bytes of the data cache of this level, 1 to 3, never 0. If several cores share a cache of the first or second
   level, this is the part of one core; of the third level it is the whole. Read once; usual sizes if unknown. */
int64_t fm_cache_bytes(int level);

/* The same from the files below `root`; "" is the real file system, and tests pass a directory with its own /sys.
   0 if unknown. */
int64_t fm_read_cache_bytes(const char *root, int processor, int level);

#endif
