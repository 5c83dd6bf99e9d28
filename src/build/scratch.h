/* SPDX-License-Identifier: MIT */
/* The temporary folders of one job, and the remains of jobs that were killed. */
#ifndef VR_BUILD_SCRATCH_H
#define VR_BUILD_SCRATCH_H

#include "core/err.h"

struct vr_scratch {
    char *id;   /* owned; also names the job's cgroup */
    char *dir;  /* owned; `<work_dir>/tmp/<id>` */
    char *env;  /* owned; `<run_dir>/builds/<id>`, on a tmpfs */
    char *lock; /* owned; `<dir>.lock`, held while the job lives */
    int lock_fd;
};

#define VR_SCRATCH_NULL                                                                            \
    (struct vr_scratch)                                                                            \
    {                                                                                              \
        .lock_fd = -1                                                                              \
    }

/**
 * Remove what jobs left behind that no longer live (folders and cgroups), then make the folders of
 * a new one, named after the app.
 * @out  given; release with vr_scratch_fini(), which removes the folders
 */
VR_MUST_USE
int vr_scratch_init(struct vr_scratch *out, const char *work_dir, const char *run_dir,
                    const char *app, struct vr_err *err);
void vr_scratch_fini(struct vr_scratch *scratch);

/** A path inside: `<dir>/<name>`; release with free(). */
char *vr_scratch_path(const struct vr_scratch *scratch, const char *name);

/** Make the folder `<dir>/<name>` for a user. */
VR_MUST_USE
int vr_scratch_mkdir(const struct vr_scratch *scratch, const char *name, uid_t uid, gid_t gid,
                     struct vr_err *err);

#endif
