/* SPDX-License-Identifier: MIT */
/* The agent's side of vr-shim: its configuration, its start, its socket, and what it leaves. */
#ifndef VR_RUNTIME_SHIM_CLIENT_H
#define VR_RUNTIME_SHIM_CLIENT_H

#include "runtime/bundle.h"
#include "shim/protocol.h"

/** All pointers are borrowed for the call; absolute paths without newline. 0 and NULL: default. */
struct vr_shim_spec {
    const char *dir; /* sock, lock, state, fifos, exits; best on tmpfs; made 0700 if missing */
    const char *log; /* log file; default <dir>/log */
    const char *id;  /* container id without generation, "vr-17" */
    const struct vr_bundle *bundle;
    const struct vr_runtime_caps *caps; /* runtime to use */
    const char *runtime_root;           /* state folder of the OCI runtime */
    uid_t uid;                          /* ids inside the container, for exec */
    gid_t gid;
    bool one_shot;    /* never restart */
    int max_restarts; /* in the window below, then fatal; -1: never give up */
    int64_t restart_window_ms;
    int64_t backoff_max_ms; /* default 30,000 */
    int64_t log_max_bytes;  /* default 10,000,000 */
    int log_backups;        /* default 1; -1: none */
    int64_t log_rate_bytes; /* a second, default 4 MiB; more is dropped and counted */
};

/** Write <dir>/shim.conf. */
VR_MUST_USE
int vr_shim_configure(const struct vr_shim_spec *spec, struct vr_err *err);

/**
 * Start the shim of a configured folder; it starts the app by itself. Returns when its socket
 * listens, about 1 ms. -VR_BUSY: a shim runs there.
 * @adopt  take over the app that a dead shim left behind instead of starting a new one (a dead app
 *         counts as a crash and is restarted by the policy)
 */
VR_MUST_USE
int vr_shim_start(const char *shim_path, const char *dir, bool adopt, struct vr_err *err);

/** Whether a shim holds the folder's lock. */
bool vr_shim_is_alive(const char *dir);

/** A connection to one shim. */
struct vr_shim;

/** -VR_NOT_FOUND or -VR_BUSY: nobody listens. @out given; release with vr_shim_close(). */
VR_MUST_USE
int vr_shim_connect(const char *dir, struct vr_shim **out, struct vr_err *err);
struct vr_shim *vr_shim_close(struct vr_shim *s);
VR_DEFINE_OWNED(struct vr_shim, vr_shim_close)

/** Non-blocking descriptor for a loop; readable when vr_shim_next() has something. */
int vr_shim_fd(const struct vr_shim *s);

/** How one generation ended. */
struct vr_shim_exit {
    int64_t generation; /* 0: none ended yet */
    int code;           /* -1: by signal, or unknown */
    int signal;         /* 128+n of the container's init is a signal */
    bool is_oom;
    bool is_known; /* false: an adopted app that ended without a status */
    int64_t uptime_ms;
    int64_t at_us; /* wall time */
};

struct vr_shim_state {
    enum vr_shim_phase phase;
    pid_t pid; /* the container's pid 1, 0 if none */
    int64_t generation;
    char container[VR_SHIM_ID_BYTES];
    char cgroup[VR_SHIM_PATH_BYTES];
    int64_t started_us; /* wall time of this generation's start */
    int64_t restarts;
    int64_t backoff_ms; /* until the next start, in VR_SHIM_BACKOFF */
    int64_t dropped;    /* log lines not written, ever */
    struct vr_shim_exit exit;
    char why[VR_SHIM_WHY_BYTES]; /* for people: why it is fatal or did not start */
};

enum vr_shim_event_kind {
    VR_SHIM_EVENT_STATE,     /* an answer, or a change after vr_shim_subscribe() */
    VR_SHIM_EVENT_STOPPED,   /* nothing of the app is left; `state` is filled too */
    VR_SHIM_EVENT_OK,        /* the request was accepted */
    VR_SHIM_EVENT_ERROR,     /* it was not: `message` */
    VR_SHIM_EVENT_TTY,       /* `fd` is the terminal of an exec; given, close it */
    VR_SHIM_EVENT_EXEC_EXIT, /* `code` of an exec, 128+n for a signal */
};

struct vr_shim_event {
    enum vr_shim_event_kind kind;
    struct vr_shim_state state;
    int fd;
    int code;
    char message[VR_SHIM_WHY_BYTES];
};

/** The next frame: 1 and *out filled, 0 if none waits, -VR_IO if the shim is gone. Never blocks. */
VR_MUST_USE
int vr_shim_next(struct vr_shim *s, struct vr_shim_event *out, struct vr_err *err);

/** Wait for a frame of a kind, for tools and tests; others are dropped. Blocks. */
VR_MUST_USE
int vr_shim_wait(struct vr_shim *s, enum vr_shim_event_kind kind, int64_t timeout_ms,
                 struct vr_shim_event *out, struct vr_err *err);

/*
 * Requests. None blocks; each answer arrives through vr_shim_next():
 *   ask        STATE
 *   subscribe  STATE now and at every change
 *   stop       STOPPED: `signal` (0: SIGTERM), grace_ms, then SIGKILL to the whole cgroup
 *   kill       STOPPED
 *   start_app  OK or ERROR; only from stopped, exited and fatal; forgets the crash count
 *   signal     OK or ERROR
 *   quit       OK and then end of stream; only if nothing runs
 */
VR_MUST_USE int vr_shim_ask(struct vr_shim *s, struct vr_err *err);
VR_MUST_USE int vr_shim_subscribe(struct vr_shim *s, struct vr_err *err);
VR_MUST_USE int vr_shim_stop(struct vr_shim *s, int64_t grace_ms, int sig, struct vr_err *err);
VR_MUST_USE int vr_shim_kill(struct vr_shim *s, struct vr_err *err);
VR_MUST_USE int vr_shim_start_app(struct vr_shim *s, struct vr_err *err);
VR_MUST_USE int vr_shim_signal(struct vr_shim *s, int sig, struct vr_err *err);
VR_MUST_USE int vr_shim_quit(struct vr_shim *s, struct vr_err *err);

/**
 * Run a command in the container as the app's user, cwd /app. One exec per connection: use a
 * connection of its own, and close it to hang up.
 * @fds   three borrowed descriptors for its 0, 1, 2; NULL: on a new terminal (event TTY)
 */
VR_MUST_USE
int vr_shim_exec(struct vr_shim *s, const char *const *argv, const int *fds, struct vr_err *err);

/**
 * The command line that cleans up after a dead shim: kills what runs, deletes every generation's
 * container and cgroup. Run it as a child (20-100 ms), then vr_bundle_remove(). A shim that still
 * lives after a second is killed first, so the folder may be removed once the child exited with 0.
 * @out  filled with pointers borrowed from the arguments, NULL-terminated
 */
void vr_shim_clean_argv(const char *shim_path, const char *dir, const char *out[4]);

struct vr_shim_found {
    char *name; /* of the folder */
    bool is_alive;
};

/**
 * All configured folders beneath `parent`, sorted by name; none if it does not exist.
 * @out  given; release with vr_shim_found_free()
 */
VR_MUST_USE
int vr_shim_list(const char *parent, struct vr_shim_found **out, size_t *out_count,
                 struct vr_err *err);
void vr_shim_found_free(struct vr_shim_found *found, size_t count);

#endif
