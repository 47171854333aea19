/* How many processors this process may use: affinity and control-group quota. */
#ifndef FM_BASE_QUOTA_H
#define FM_BASE_QUOTA_H

/* `root` is normally "" (the real file system); tests give a directory with /proc and /sys of their own. */
int fm_cgroup_cpus(const char *root); /* whole CPUs that the quota allows, rounded up; 0 where there is none */
int fm_usable_cpus(const char *root); /* min(affinity, quota), at least 1 */

#endif
