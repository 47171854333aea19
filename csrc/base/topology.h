/* The cores and caches of this machine, as the system describes them. */
#ifndef FM_BASE_TOPOLOGY_H
#define FM_BASE_TOPOLOGY_H

#include <stdint.h>

/* Bytes of the data cache of this level, 1 to 3, never 0. If several cores share a cache of the first or second
   level, this is the part of one core; of the third level it is the whole. Read once; usual sizes if unknown. */
int64_t fm_cache_bytes(int level);

/* The same from the files below `root`; "" is the real file system, and tests pass a directory with its own /sys.
   0 if unknown. */
int64_t fm_read_cache_bytes(const char *root, int processor, int level);

#endif
