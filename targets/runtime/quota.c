/* CPUs that a control group lets this process use, in versions 1 and 2.  [Linux: Documentation/admin-guide/cgroup-v2.rst, scheduler/sched-bwc.rst] */
#include "quota.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST = 4096 };

/* Whole numbers of one file; returns how many of the two were read.  "max" and -1 are no limit. */
static int numbers(const char *folder, const char *file, long long *first, long long *second) {
    char path[LONGEST + 64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    FILE *stream = fopen(path, "r");
    if (!stream) return 0;
    const int found = fscanf(stream, "%19lld %19lld", first, second);
    fclose(stream);
    return found > 0 ? found : 0;
}

/* CPUs of one folder's limit, 0 where it has none. */
static double limit(const char *folder) {
    long long quota = 0, period = 0, none = 0;
    if (numbers(folder, "cpu.max", &quota, &period) < 2 &&
        (numbers(folder, "cpu.cfs_quota_us", &quota, &none) < 1 || numbers(folder, "cpu.cfs_period_us", &period, &none) < 1))
        return 0;
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* Whether the list of controllers, "cpu,cpuacct", has cpu. */
static int has_cpu(const char *list) {
    for (const char *word = list; *word; word += strcspn(word, ","), word += *word == ',')
        if (strcspn(word, ",") == 3 && strncmp(word, "cpu", 3) == 0) return 1;
    return 0;
}

double edge_cpu_quota(const char *root) {
    char line[LONGEST], path[LONGEST + 64], base[LONGEST];
    double least = 0;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *groups = fopen(path, "r");
    if (!groups) return 0;
    while (fgets(line, sizeof line, groups)) {
        char *list = strchr(line, ':'), *group = list ? strchr(list + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        group[strcspn(group, "\n")] = '\0';
        list++;
        if (*list && !has_cpu(list)) continue;
        snprintf(base, sizeof base, "%.1000s/sys/fs/cgroup%s%.200s", root, *list ? "/" : "", list);
        if (*list && access(base, F_OK) != 0) snprintf(base, sizeof base, "%.1000s/sys/fs/cgroup/cpu", root);
        if (!*list && access(base, F_OK) == 0) {
            snprintf(path, sizeof path, "%s/unified", base);
            if (access(path, F_OK) == 0) snprintf(base, sizeof base, "%.1100s", path);
        }
        for (char *end = group + strlen(group);; *end = '\0') { /* a limit of any group above holds too */
            snprintf(path, sizeof path, "%.1200s%.2800s", base, strcmp(group, "/") == 0 ? "" : group);
            const double here = limit(path);
            if (here > 0 && (least == 0 || here < least)) least = here;
            if (!*group || strcmp(group, "/") == 0) break;
            end = strrchr(group, '/');
            if (!end) break;
        }
    }
    fclose(groups);
    return least;
}
