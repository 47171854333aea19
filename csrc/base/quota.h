/* The number of processors that this process may use, from its affinity and its control-group quota. */
#ifndef FM_BASE_QUOTA_H
#define FM_BASE_QUOTA_H

/* `root` is "" for the real file system; tests pass a directory with its own /proc and /sys. */
int fm_cgroup_cpus(const char *root); /* whole processors that the quota allows, rounded up; 0: no quota */
int fm_usable_cpus(const char *root); /* min(affinity, quota), at least 1 */

#endif
