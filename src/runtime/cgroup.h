/* SPDX-License-Identifier: MIT */
/* Our cgroup tree on v1, v2 and hybrid hosts: `/velociraptor/shims` and `/velociraptor/procs/<id>`.
 */
#ifndef VR_RUNTIME_CGROUP_H
#define VR_RUNTIME_CGROUP_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Default places of the tree, relative to every hierarchy's root. */
#define VR_CGROUP_PROCS "/velociraptor/procs"
#define VR_CGROUP_SHIMS "/velociraptor/shims"

#define VR_CGROUP_PIDS_MAX     4096 /* pids reported of one cgroup */
#define VR_CGROUP_LIST_MAX     4096 /* children reported of one cgroup */
#define VR_CGROUP_KILL_WAIT_MS 2000 /* how long vr_cgroup_kill() waits for the last process */

/** What /sys/fs/cgroup is. */
enum vr_cgroup_layout {
    VR_CGROUP_NONE,   /* nothing mounted there */
    VR_CGROUP_V1,     /* one folder per controller */
    VR_CGROUP_HYBRID, /* v1 with an (almost) empty v2 at /sys/fs/cgroup/unified */
    VR_CGROUP_V2,
};

enum vr_cgroup_layout vr_cgroup_detect(void);

/** "none", "v1", "hybrid", "v2". */
const char *vr_cgroup_layout_name(enum vr_cgroup_layout layout);

/** Whether a controller ("memory", "pids", "cpu") can be used. */
bool vr_cgroup_has_controller(enum vr_cgroup_layout layout, const char *controller);

/** Whether swap is accounted, i.e. a memory+swap limit can be set. */
bool vr_cgroup_has_swap(enum vr_cgroup_layout layout);

/**
 * Make a cgroup (and its parents) in the hierarchies we use; on v2 with our controllers enabled for
 * its children. Existing ones are fine.
 * @path  absolute within the hierarchy, e.g. VR_CGROUP_PROCS
 */
VR_MUST_USE
int vr_cgroup_make(enum vr_cgroup_layout layout, const char *path, struct vr_err *err);

struct vr_cgroup_usage {
    int64_t memory_bytes; /* anonymous memory and mapped pages, without page cache */
    int64_t cpu_us;       /* since the cgroup was made */
    int64_t oom_kills;
    int64_t pids_count;
};

/** Use of one cgroup now; -VR_NOT_FOUND if it is gone. A figure that the host lacks is 0. */
VR_MUST_USE
int vr_cgroup_usage(enum vr_cgroup_layout layout, const char *path, struct vr_cgroup_usage *out,
                    struct vr_err *err);

/** The pids in a cgroup, at most `max`. Returns their number; a cgroup that is gone has none. */
VR_MUST_USE
int vr_cgroup_pids(enum vr_cgroup_layout layout, const char *path, pid_t *out, size_t max,
                   struct vr_err *err);

/** SIGKILL all its processes, also those being forked. Blocks up to VR_CGROUP_KILL_WAIT_MS;
 * -VR_TIMEOUT if some are left. */
VR_MUST_USE
int vr_cgroup_kill(enum vr_cgroup_layout layout, const char *path, struct vr_err *err);

/** Remove an empty cgroup (with empty children) from all hierarchies. A missing one is fine. */
VR_MUST_USE
int vr_cgroup_remove(enum vr_cgroup_layout layout, const char *path, struct vr_err *err);

/**
 * Names of the children of a cgroup over all hierarchies, sorted, each once: for a janitor that
 * looks for procs nobody owns.
 * @out_names  given; release with vr_cgroup_list_free()
 */
VR_MUST_USE
int vr_cgroup_list(enum vr_cgroup_layout layout, const char *path, char ***out_names,
                   size_t *out_count, struct vr_err *err);
void vr_cgroup_list_free(char **names, size_t count);

#endif
