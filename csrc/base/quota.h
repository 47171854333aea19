/* How many processors this process may use: affinity and control-group quota. */
#ifndef FM_BASE_QUOTA_H
#define FM_BASE_QUOTA_H

/* min(affinity, quota), at least 1; part of a CPU counts as one. `root` is normally "" (the real file system); tests give
   a directory with /proc and /sys of their own. */
int fm_usable_cpus(const char *root);

#endif
