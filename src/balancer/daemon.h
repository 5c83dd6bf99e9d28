/* SPDX-License-Identifier: MIT */
/* Programs that were started detached and are found again by their pid file. */
#ifndef VR_BALANCER_DAEMON_H
#define VR_BALANCER_DAEMON_H

#include "core/err.h"
#include "sys/proc.h"

/**
 * Find the running process of a pid file. The number alone proves nothing, so the process must
 * also be called `comm` and, unless `cwd` is NULL, work in that folder.
 *
 * @out  given; a handle that vr_child_signal() and vr_daemon_wait() take (it cannot be reaped);
 *       release with vr_child_fini()
 *
 * Returns 0, or -VR_NOT_FOUND if it does not run.
 */
VR_MUST_USE
int vr_daemon_find(const char *pid_file, const char *comm, const char *cwd, struct vr_child *out,
                   struct vr_err *err);

/** Wait up to timeout_ms for its end; -VR_TIMEOUT if it still runs. Blocks. */
VR_MUST_USE
int vr_daemon_wait(const struct vr_child *daemon, int64_t timeout_ms, struct vr_err *err);

/** SIGTERM, up to grace_ms, SIGKILL; returns once it is gone. Blocks. */
VR_MUST_USE
int vr_daemon_stop(const struct vr_child *daemon, int64_t grace_ms, struct vr_err *err);

/**
 * Send `sig` to every process called `comm` that works in the folder `cwd`: what a daemon leaves
 * behind when only its first process was killed. Waits up to wait_ms for all of them to end.
 * Gives their number. Blocks.
 */
int vr_daemon_signal_strays(const char *comm, const char *cwd, int sig, int64_t wait_ms);

/**
 * Run a program that detaches itself, or ends: until its first process has exited with 0. A
 * failure quotes the first line of its standard error that contains `mark`. Blocks.
 */
VR_MUST_USE
int vr_daemon_run(const char *const *argv, const char *cwd, const char *mark, int64_t timeout_ms,
                  struct vr_err *err);

#endif
