#include "base/quota.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/read_line.h"
#include "base/topology.h"

static int whole_cpus(long long quota, long long period) {
    if (quota <= 0 || period <= 0) return 0;
    const long long cpus = quota / period + (quota % period != 0);
    return cpus > INT_MAX ? INT_MAX : (int)cpus;
}

/* cpu.max of version 2: "quota period" or "max period". */
static int quota_v2(const char *root, const char *group) {
    char line[FM_LINE_BYTES];
    long long quota, period;
    if (!fm_read_line(line, "%s/sys/fs/cgroup%s/cpu.max", root, group) ||
        sscanf(line, "%lld %lld", &quota, &period) != 2)
        return 0;
    return whole_cpus(quota, period);
}

static long long read_number(const char *root, const char *group, const char *name) {
    char line[FM_LINE_BYTES];
    return fm_read_line(line, "%s/sys/fs/cgroup/cpu%s/%s", root, group, name) ? strtoll(line, NULL, 10) : -1;
}

static int quota_v1(const char *root, const char *group) {
    return whole_cpus(read_number(root, group, "cpu.cfs_quota_us"), read_number(root, group, "cpu.cfs_period_us"));
}

static int smaller(int a, int b) { return a == 0 ? b : b == 0 || a < b ? a : b; }

/* Every ancestor group may have a quota; the smallest one applies. */
static int tightest(const char *root, char *group, int (*quota)(const char *, const char *)) {
    int cpus = quota(root, "");
    while (group[0] != '\0' && strcmp(group, "/") != 0) {
        cpus = smaller(cpus, quota(root, group));
        char *cut = strrchr(group, '/');
        if (cut == NULL) break;
        *cut = '\0';
    }
    return cpus;
}

/* Whether a list such as "cpuset,cpu,cpuacct" contains the controller "cpu", which has the quotas. */
static int names_cpu(const char *controllers) {
    while (*controllers != '\0') {
        const size_t length = strcspn(controllers, ",");
        if (length == 3 && strncmp(controllers, "cpu", 3) == 0) return 1;
        controllers += length + (controllers[length] == ',');
    }
    return 0;
}

/* A line of /proc/self/cgroup is "id:controllers:path"; in version 2 the controllers are empty. */
static int quota_of_line(const char *root, char *line) {
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL) return 0;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (controllers[1] == '\0') return tightest(root, group, quota_v2);
    return names_cpu(controllers + 1) ? tightest(root, group, quota_v1) : 0;
}

int fm_cgroup_cpus(const char *root) {
    char path[FM_LINE_BYTES], line[FM_LINE_BYTES];
    int cpus = 0;
    if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= FM_LINE_BYTES) return 0;
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    while (fgets(line, sizeof line, file) != NULL) cpus = smaller(cpus, quota_of_line(root, line));
    fclose(file);
    return cpus;
}

int fm_usable_cpus(const char *root) {
    fm_cpu_set set;
    return smaller(fm_affinity(&set), fm_cgroup_cpus(root));
}
