/* SPDX-License-Identifier: MIT */
/* The hands of one build job: runs programs as the build user, caged, watched and killable. */
#ifndef VR_BUILD_WORKER_H
#define VR_BUILD_WORKER_H

#include "build/sandbox.h"
#include "core/clock.h"
#include "sys/proc.h"

/** Captured standard output of a program beyond this is -VR_LIMIT. */
#define VR_WORKER_OUT_BYTES ((size_t)1 << 20)
/** Of the output only so much of the end is kept for messages. */
#define VR_WORKER_TAIL_BYTES ((size_t)4096)

struct vr_worker;

/** What all programs of the job may use together. 0 means no limit. */
struct vr_worker_limits {
    int64_t memory_bytes;
    int64_t pids;
    int64_t cpu_permille;       /* 1000 is one CPU */
    int64_t file_bytes;         /* the largest single file (RLIMIT_FSIZE) */
    int64_t disk_reserve_bytes; /* a program is killed when less than this stays free */
};

/** Receives output as it comes; not terminated, any bytes. */
typedef void (*vr_worker_log_fn)(void *ctx, const char *text, size_t n);

struct vr_worker_spec {
    const char *id;       /* names the cgroup; [A-Za-z0-9_.-] */
    const char *user;     /* the unprivileged account */
    const char *disk_dir; /* whose file system the disk reserve is about */
    int signal_fd;        /* of vr_signals_open(): SIGTERM or SIGINT cancels; -1: none */
    struct vr_mono deadline;
    struct vr_worker_limits limits;
    vr_worker_log_fn log;
    void *log_ctx;
};

/**
 * Make the cgroup. Without any cgroup controller (no root, none mounted) the job runs with time
 * and file limits alone, and the log says so.
 * @spec        borrowed for this call; copied. `log_ctx` must outlive the worker
 * @out_worker  given; release with vr_worker_free()
 */
VR_MUST_USE
int vr_worker_new(const struct vr_worker_spec *spec, struct vr_worker **out_worker,
                  struct vr_err *err);

/** Kill what is left in the cgroup and remove it. */
struct vr_worker *vr_worker_free(struct vr_worker *worker);
VR_DEFINE_OWNED(struct vr_worker, vr_worker_free)

uid_t vr_worker_uid(const struct vr_worker *worker);
gid_t vr_worker_gid(const struct vr_worker *worker);

/** Whether the job was told to stop. */
bool vr_worker_is_cancelled(const struct vr_worker *worker);

/** -VR_BUSY if cancelled, -VR_TIMEOUT if the job's deadline has passed; asks the signals too. */
VR_MUST_USE
int vr_worker_check(struct vr_worker *worker, struct vr_err *err);

/** A line into the job's log. */
void vr_worker_say(struct vr_worker *worker, const char *fmt, ...) VR_PRINTF(2, 3);

/**
 * Take the lock file `path`, waiting while another job has it; `what` is for the log and messages.
 * Returns the descriptor that holds it; -VR_TIMEOUT after timeout_ms; -VR_BUSY when cancelled.
 */
VR_MUST_USE
int vr_worker_lock(struct vr_worker *worker, const char *path, const char *what, int64_t timeout_ms,
                   struct vr_err *err);

/**
 * Append the proxy variables of our own environment, the one thing of it that reaching the network
 * may need. `env` has `count` entries of at most `max`, borrowed like the new ones, and stays
 * NULL-terminated.
 */
void vr_worker_add_proxies(const char **env, size_t count, size_t max);

struct vr_worker_task {
    const char *name;                 /* for messages: "compile", "git fetch" */
    const char *const *argv;          /* borrowed; NULL-terminated */
    const char *const *env;           /* borrowed; the whole environment */
    const char *cwd;                  /* inside the sandbox if there is one */
    const struct vr_sandbox *sandbox; /* borrowed; NULL: the host's file system */
    int64_t timeout_ms;               /* 0: the job's deadline alone */
    bool log_out;                     /* standard output goes to the log, else it is captured */
    bool quiet;                       /* standard error is kept for messages, not logged */
};

struct vr_worker_result {
    struct vr_exit exit; /* a signal shows as code 128 + n */
    char *out;           /* given; captured standard output, "" when it was logged */
    char *tail;          /* given; the end of what was printed, of both streams when logged */
};

void vr_worker_result_fini(struct vr_worker_result *result);
#define vr_auto_worker_result __attribute__((cleanup(vr_worker_result_fini)))

/**
 * Run a program to its end. Nothing it started outlives this call. Blocks.
 *
 * Returns 0 when it ran, whatever its exit code; -VR_TIMEOUT at its or the job's time limit,
 * -VR_BUSY when the job was cancelled, -VR_LIMIT when it was killed for want of memory or disk or
 * printed too much, -VR_NOT_FOUND for an unknown program.
 * @out  given; release with vr_worker_result_fini(), which is harmless after a failure
 */
VR_MUST_USE
int vr_worker_run(struct vr_worker *worker, const struct vr_worker_task *task,
                  struct vr_worker_result *out, struct vr_err *err);

#endif
