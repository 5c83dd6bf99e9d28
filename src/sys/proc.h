/* SPDX-License-Identifier: MIT */
/* Child processes, held by pidfd; the only module that starts, waits for and signals them. */
#ifndef VR_SYS_PROC_H
#define VR_SYS_PROC_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct vr_child {
    pid_t pid; /* 0: none */
    int pidfd; /* readable once the child has ended; -1: none */
};

#define VR_CHILD_NULL                                                                              \
    (struct vr_child)                                                                              \
    {                                                                                              \
        .pid = 0, .pidfd = -1                                                                      \
    }

struct vr_spawn_spec {
    const char *const *argv;   /* borrowed; argv[0] is looked up in the child's PATH (or a default
                                  one) unless it has a slash */
    const char *const *envp;   /* borrowed; NULL: the caller's environment */
    const char *cwd;           /* borrowed; NULL: the caller's */
    int fd_in, fd_out, fd_err; /* borrowed; 0 means /dev/null, so pass a real descriptor */
    const int *pass_fds;       /* further descriptors, kept under their own numbers; may be NULL */
    int pass_fd_count;
    uid_t uid; /* run as this user, with `gid` and no further groups, */
    gid_t gid;
    bool set_user;            /* if this is set; also no new privileges */
    bool new_session;         /* setsid() first */
    bool die_with_parent;     /* SIGKILL when the parent's thread ends */
    int64_t max_memory_bytes; /* RLIMIT_AS; 0: as the caller's */
    int64_t max_file_bytes;   /* RLIMIT_FSIZE; 0: as the caller's */
};

/**
 * Start a program. The child gets no descriptor but 0, 1, 2 and pass_fds, an empty signal mask and
 * default signal actions. Returns once exec has succeeded, or the error of exec (for example
 * -VR_NOT_FOUND for an unknown program), never "exit 127".
 * @out  given; release with vr_child_fini() after it was reaped
 */
VR_MUST_USE
int vr_spawn(const struct vr_spawn_spec *spec, struct vr_child *out, struct vr_err *err);

/** How a process ended. */
struct vr_exit {
    int code;   /* exit status, or -1 if a signal ended it */
    int signal; /* 0 if it exited by itself */
};

/** Reap the child if it has ended: 1 and *out filled, or 0 if it still runs. Never blocks. */
VR_MUST_USE
int vr_child_poll(struct vr_child *child, struct vr_exit *out, struct vr_err *err);

/**
 * Wait up to timeout_ms (-1: for ever) and reap. Returns 0, or -VR_TIMEOUT (it still runs). Blocks.
 */
VR_MUST_USE
int vr_child_wait(struct vr_child *child, int64_t timeout_ms, struct vr_exit *out,
                  struct vr_err *err);

/** Signal by pidfd, so never a stranger that got its pid; an ended child is no error. */
void vr_child_signal(const struct vr_child *child, int sig);

/** SIGTERM, up to grace_ms, SIGKILL; reaps. Blocks at most grace_ms plus the kill. */
void vr_child_stop(struct vr_child *child, int64_t grace_ms);

/** Forget the child and close its pidfd; does not signal it. */
void vr_child_fini(struct vr_child *child);

/** "exit code 3" or "signal 9 (Killed)". */
void vr_exit_format(struct vr_exit e, char *out, size_t n);

struct vr_run_result {
    struct vr_exit exit;
    char *out; /* given; standard output, NUL-terminated */
    char *err; /* given; last part of standard error */
};

#define VR_RUN_ERR_BYTES 4096

/**
 * Run a program to its end and collect what it prints. Standard output beyond max_out_bytes is
 * -VR_LIMIT; at timeout_ms the child's whole session is killed and -VR_TIMEOUT returned. A non-zero
 * exit is not an error of this call. `input` may be NULL, fd_in counts then; fd_out and fd_err do
 * not. A daemon that the program leaves behind is neither waited for nor killed. Blocks.
 */
VR_MUST_USE
int vr_run(const struct vr_spawn_spec *spec, const char *input, size_t max_out_bytes,
           int64_t timeout_ms, struct vr_run_result *out, struct vr_err *err);

void vr_run_result_fini(struct vr_run_result *r);

/** As vr_run() with the output thrown away (unless fd_out says where), but a non-zero exit is
 * -VR_IO with the last line of its standard error. */
VR_MUST_USE
int vr_run_ok(const struct vr_spawn_spec *spec, int64_t timeout_ms, struct vr_err *err);

#endif
