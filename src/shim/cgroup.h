/* SPDX-License-Identifier: MIT */
/* The cgroups of the app and of the shim itself, v1 and v2. */
#ifndef VR_SHIM_CGROUP_H
#define VR_SHIM_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Whether /sys/fs/cgroup is the unified hierarchy. */
bool cgroup_is_v2(void);

/**
 * Write `pid` (0: the caller) to the cgroup.procs of `path` in the hierarchies that matter, making
 * the cgroup first. The first such write after an idle time costs 6-8 ms (a grace period of the
 * kernel), so it is done by a helper beside our own set-up.
 */
void cgroup_join(bool v2, const char *path, pid_t pid);

/** SIGKILL everything in it until it is empty, a fork bomb too; blocks at most 2 s. */
void cgroup_kill(bool v2, const char *path);

/** OOM kills counted since the cgroup was made, 0 if unknown. Read it before the cgroup goes. */
int64_t cgroup_oom_kills(bool v2, const char *path);

/** Remove what the runtime left of an empty cgroup; a missing one is fine. */
void cgroup_remove(bool v2, const char *path);

/** Only what crun leaves where v2 is unmounted; the real ones are crun's to remove. */
void cgroup_remove_plain(bool v2, const char *path);

#endif
