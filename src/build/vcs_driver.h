/* SPDX-License-Identifier: MIT */
/* What a version control system does for vcs.c; for its drivers only. */
#ifndef VR_BUILD_VCS_DRIVER_H
#define VR_BUILD_VCS_DRIVER_H

#include "build/vcs.h"

#define VR_VCS_ENV_MAX 24

struct vr_vcs_driver;

struct vr_vcs {
    struct vr_worker *worker;           /* borrowed */
    const struct vr_vcs_driver *driver; /* borrowed: static */
    char *url;                          /* owned; without #fragment, may hold a password */
    char *public_url;                   /* owned; for messages */
    char *dir;                          /* owned; the mirror */
    char *marker;                       /* owned; exists while the mirror is being written */
    char *home;                         /* owned; our configuration of git and hg */
    int lock_fd;
    bool is_local;    /* the URL is a path or a file:// URL */
    bool was_fetched; /* by us, just now */
};

struct vr_vcs_driver {
    /* Make an empty mirror in vcs->dir, an empty folder. */
    int (*init)(struct vr_vcs *vcs, struct vr_err *err);
    /* Bring the mirror up to date. -VR_IO has the reason in one line. */
    int (*fetch)(struct vr_vcs *vcs, struct vr_err *err);
    /* Fetch the one commit that no branch or tag reaches any more. */
    int (*fetch_commit)(struct vr_vcs *vcs, const char *commit, struct vr_err *err);
    /* The commit of a revision in the mirror, NULL for the default; -VR_NOT_FOUND. */
    int (*find)(struct vr_vcs *vcs, const char *rev, char **out_commit, struct vr_err *err);
    /* The tree of a commit of the mirror. */
    int (*checkout)(struct vr_vcs *vcs, const char *commit, const char *dir, struct vr_err *err);
};

extern const struct vr_vcs_driver vr_vcs_git;
extern const struct vr_vcs_driver vr_vcs_hg;

/**
 * Run a git or hg command in the mirror with nothing of the agent's environment but
 * proxies. A non-zero exit is -VR_IO with the essence of what it printed.
 * @env     further variables, NULL-terminated; may be NULL
 * @out     given; may be NULL
 */
VR_MUST_USE
int vr_vcs_command(struct vr_vcs *vcs, const char *name, const char *const *argv,
                   const char *const *env, int64_t timeout_ms, char **out, struct vr_err *err);

#endif
