/* SPDX-License-Identifier: MIT */
/* The launcher between a build job and a foreign program: namespaces, a made root, no privileges.
 */
#ifndef VR_BUILD_SANDBOX_H
#define VR_BUILD_SANDBOX_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define VR_SANDBOX_MOUNTS_MAX 8

struct vr_sandbox_mount {
    const char *from; /* borrowed; a folder of the host */
    const char *to;   /* borrowed; "/app": a folder made in the root */
    bool is_readonly;
};

/**
 * A root of its own: the host's /usr read-only, a made /etc and /dev, its own /proc, and the
 * mounts. Everything else of the host is out of sight; the network is not.
 */
struct vr_sandbox {
    const char *root; /* borrowed; an empty folder to mount the root on */
    struct vr_sandbox_mount mounts[VR_SANDBOX_MOUNTS_MAX];
    size_t mount_count;
};

/** argv[1] of the job program when it is to be the launcher. */
#define VR_SANDBOX_WORD "--sandbox"

/** What the launcher is told, beside the sandbox. */
struct vr_sandbox_start {
    const struct vr_sandbox *sandbox; /* borrowed; NULL: the host's file system is kept */
    const char *const *cgroups;       /* borrowed; folders to join, NULL-terminated */
    const char *cwd;
    uid_t uid;
    gid_t gid;
    int64_t file_bytes; /* 0: no limit */
    int status_fd;      /* the launcher writes why it failed, nothing if the program ran */
};

/**
 * The launcher's command line for `argv`.
 * @return  given: one block, release with free(); points into its arguments, so they must live on
 */
const char **vr_sandbox_argv(const struct vr_sandbox_start *start, const char *const *argv);

/**
 * The launcher program: takes argv[2..] as vr_sandbox_argv() wrote it, runs the program as pid 2 of
 * a pid namespace, as the user, without privileges or a way to gain any, and exits with its code
 * (128 + n after a signal) once everything it started is gone.
 */
int vr_sandbox_main(int argc, char **argv);

#endif
