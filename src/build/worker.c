/* SPDX-License-Identifier: MIT */
/*
 * The hands of one build job.
 *
 * One program runs at a time. Its launcher (sandbox.h) is our only child; killing that kills the
 * pid namespace behind it, and the cage is swept afterwards, so that when vr_worker_run() returns
 * nothing of the step runs any more. One poll loop watches the child, its output, our signals, the
 * clock and the free space of the disk: a build must not be what fills the disk of a host.
 */
#include "build/worker.h"
#include "build/cage.h"
#include "core/buf.h"
#include "core/str.h"
#include "sys/fs.h"
#include "sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>

#define CHUNK_BYTES      65536
#define TICK_MS          1000
#define LOCK_POLL_MS     100
#define STATUS_BYTES_MAX ((size_t)VR_ERR_MSG_BYTES)
#define LINE_BYTES_MAX   ((size_t)4096)
#define MS_PER_S         1000
#define BYTES_PER_MIB    (INT64_C(1) << 20)

struct vr_worker {
    char *disk_dir; /* owned */
    uid_t uid;
    gid_t gid;
    int signal_fd; /* borrowed */
    bool is_cancelled;
    struct vr_mono begin, deadline;
    struct vr_worker_limits limits;
    struct vr_cage *cage; /* owned; NULL on a host without cgroups */
    vr_worker_log_fn log;
    void *log_ctx;
};

/* One program on its way. */
struct step {
    struct vr_worker *worker;          /* borrowed */
    const struct vr_worker_task *task; /* borrowed */
    struct vr_child child;
    int out_fd, err_fd, status_fd; /* our ends; -1 at their end */
    struct vr_buf out;
    struct vr_buf tail;
    struct vr_buf status;
    struct vr_mono end;
    bool ends_with_job; /* `end` is the job's deadline */
};

/* ---- the worker ---- */

static int make_cage(struct vr_worker *w, const char *id, struct vr_err *err)
{
    struct vr_cage_limits limits = {
        .memory_bytes = w->limits.memory_bytes,
        .pids = w->limits.pids,
        .cpu_permille = w->limits.cpu_permille,
    };
    int r = vr_cage_new(id, &limits, &w->cage, err);

    if (r == -VR_NOT_FOUND) {
        vr_worker_say(w, "No cgroups on this host: memory, processes and CPU are not limited.");
        return 0;
    }
    return r;
}

int vr_worker_new(const struct vr_worker_spec *spec, struct vr_worker **out_worker,
                  struct vr_err *err)
{
    VR_OWNED(vr_worker_free) struct vr_worker *w = vr_alloc(sizeof(*w));
    int r;

    w->signal_fd = spec->signal_fd;
    w->begin = vr_mono_now();
    w->deadline = spec->deadline;
    w->limits = spec->limits;
    w->log = spec->log;
    w->log_ctx = spec->log_ctx;
    w->disk_dir = vr_strdup(spec->disk_dir);
    r = vr_user_find(spec->user, &w->uid, &w->gid, err);
    if (r < 0)
        return r;
    if (!w->uid || !w->gid)
        return vr_fail(err, VR_DENIED, "build user '%s' must not be root", spec->user);
    r = make_cage(w, spec->id, err);
    if (r < 0)
        return r;
    *out_worker = vr_take(w);
    return 0;
}

struct vr_worker *vr_worker_free(struct vr_worker *worker)
{
    if (!worker)
        return NULL;
    vr_cage_free(worker->cage);
    free(worker->disk_dir);
    free(worker);
    return NULL;
}

uid_t vr_worker_uid(const struct vr_worker *worker)
{
    return worker->uid;
}

gid_t vr_worker_gid(const struct vr_worker *worker)
{
    return worker->gid;
}

bool vr_worker_is_cancelled(const struct vr_worker *worker)
{
    return worker->is_cancelled;
}

void vr_worker_say(struct vr_worker *worker, const char *fmt, ...)
{
    vr_auto_buf struct vr_buf line = VR_BUF(LINE_BYTES_MAX);
    char text[LINE_BYTES_MAX / 2];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    vr_buf_addf(&line, "%s\n", text);
    worker->log(worker->log_ctx, vr_buf_text(&line), line.len);
}

static bool ask_signals(struct vr_worker *w)
{
    int sig;

    while (w->signal_fd >= 0 && (sig = vr_signals_next(w->signal_fd)) > 0)
        if (sig == SIGTERM || sig == SIGINT)
            w->is_cancelled = true;
    return w->is_cancelled;
}

static int fail_job_limit(const struct vr_worker *w, const char *name, struct vr_err *err)
{
    int64_t secs = vr_mono_ms_between(w->begin, w->deadline) / MS_PER_S;

    return vr_fail(err, VR_TIMEOUT, "%s: the job's time limit of %" PRId64 " s is over", name,
                   secs);
}

int vr_worker_check(struct vr_worker *worker, struct vr_err *err)
{
    if (ask_signals(worker))
        return vr_fail(err, VR_BUSY, "cancelled");
    if (!vr_mono_ms_between(vr_mono_now(), worker->deadline))
        return fail_job_limit(worker, "build", err);
    return 0;
}

int vr_worker_lock(struct vr_worker *worker, const char *path, const char *what, int64_t timeout_ms,
                   struct vr_err *err)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), timeout_ms);
    bool has_said = false;

    for (;;) {
        int r = vr_worker_check(worker, err);

        if (r < 0)
            return r;
        r = vr_fs_lock(path, err);
        if (r != -VR_BUSY)
            return r;
        if (!vr_mono_ms_between(vr_mono_now(), end))
            return vr_fail(err, VR_TIMEOUT, "%s is in use by process %d", what,
                           (int)vr_fs_lock_owner(path));
        if (!has_said)
            vr_worker_say(worker, "Waiting for another job that uses %s", what);
        has_said = true;
        poll(NULL, 0, LOCK_POLL_MS);
    }
}

void vr_worker_add_proxies(const char **env, size_t count, size_t max)
{
    static const char *const names[] = {
        "http_proxy=", "https_proxy=", "no_proxy=", "HTTP_PROXY=", "HTTPS_PROXY=", "NO_PROXY="};

    for (char **e = environ; *e; e++)
        for (size_t i = 0; i < VR_COUNT(names); i++)
            if (vr_str_has_prefix(*e, names[i]) && count + 1 < max)
                env[count++] = *e;
    env[count] = NULL;
}

/* ---- one program ---- */

static int make_pipe(int *out_read, int *out_write, struct vr_err *err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return vr_fail_sys(err, "make a pipe");
    *out_read = p[0];
    *out_write = p[1];
    if (fcntl(p[0], F_SETFL, O_NONBLOCK) < 0)
        return vr_fail_sys(err, "make a pipe");
    return 0;
}

static int start(struct step *s, struct vr_err *err)
{
    const struct vr_worker *w = s->worker;
    vr_auto_close int out = -1, err_out = -1, status = -1;
    vr_auto_close int in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    const char **argv;
    int r;

    if (in < 0)
        return vr_fail_sys(err, "open /dev/null");
    r = make_pipe(&s->out_fd, &out, err);
    if (!r)
        r = make_pipe(&s->status_fd, &status, err);
    /* One pipe for both streams of a logged program, so that its lines keep their order. */
    if (!r && !s->task->log_out)
        r = make_pipe(&s->err_fd, &err_out, err);
    if (r < 0)
        return r;
    argv = vr_sandbox_argv(
        &(struct vr_sandbox_start){
            .sandbox = s->task->sandbox,
            .cgroups = w->cage ? vr_cage_dirs(w->cage) : NULL,
            .cwd = s->task->cwd,
            .uid = w->uid,
            .gid = w->gid,
            .file_bytes = w->limits.file_bytes,
            .status_fd = status,
        },
        s->task->argv);
    r = vr_spawn(
        &(struct vr_spawn_spec){
            .argv = argv,
            .envp = s->task->env,
            .fd_in = in,
            .fd_out = out,
            .fd_err = err_out >= 0 ? err_out : out,
            .pass_fds = &status,
            .pass_fd_count = 1,
            .new_session = true,
            .die_with_parent = true,
        },
        &s->child, err);
    free(argv);
    return r;
}

static void keep_tail(struct step *s, const char *text, size_t n)
{
    vr_buf_add_n(&s->tail, text, n);
    if (s->tail.len > VR_WORKER_TAIL_BYTES)
        vr_buf_drop(&s->tail, s->tail.len - VR_WORKER_TAIL_BYTES);
}

enum stream {
    STREAM_OUT,
    STREAM_ERR,
    STREAM_STATUS,
};

static void take_bytes(struct step *s, enum stream stream, const char *text, size_t n)
{
    bool is_logged = stream == STREAM_OUT ? s->task->log_out : !s->task->quiet;

    if (stream == STREAM_STATUS) {
        vr_buf_add_n(&s->status, text, n);
        return;
    }
    if (is_logged)
        s->worker->log(s->worker->log_ctx, text, n);
    if (stream == STREAM_OUT && !s->task->log_out)
        vr_buf_add_n(&s->out, text, n);
    else
        keep_tail(s, text, n);
}

/* Take one chunk; 1 if there may be more. A chatty program does not keep us from the clock. */
static int drain(struct step *s, int *fd, enum stream stream)
{
    char chunk[CHUNK_BYTES];
    ssize_t n;

    if (*fd < 0)
        return 0;
    n = read(*fd, chunk, sizeof(chunk));
    if (n > 0) {
        take_bytes(s, stream, chunk, (size_t)n);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    vr_fd_close(vr_take_fd(*fd));
    return 0;
}

static int drain_all(struct step *s)
{
    return drain(s, &s->out_fd, STREAM_OUT) + drain(s, &s->err_fd, STREAM_ERR) +
           drain(s, &s->status_fd, STREAM_STATUS);
}

static int check_disk(const struct step *s, struct vr_err *err)
{
    const struct vr_worker *w = s->worker;
    int64_t free_bytes;

    if (!w->limits.disk_reserve_bytes || vr_fs_free_bytes(w->disk_dir, &free_bytes, NULL) < 0)
        return 0;
    if (free_bytes >= w->limits.disk_reserve_bytes)
        return 0;
    return vr_fail(err, VR_LIMIT, "%s: disk full: %" PRId64 " MiB free, %" PRId64 " MiB are kept",
                   s->task->name, free_bytes / BYTES_PER_MIB,
                   w->limits.disk_reserve_bytes / BYTES_PER_MIB);
}

/* What ends a program before its time. */
static int check_limits(struct step *s, struct vr_err *err)
{
    if (ask_signals(s->worker))
        return vr_fail(err, VR_BUSY, "%s: cancelled", s->task->name);
    if (s->out.over)
        return vr_fail(err, VR_LIMIT, "%s printed more than %zu bytes", s->task->name, s->out.max);
    if (vr_mono_ms_between(vr_mono_now(), s->end))
        return check_disk(s, err);
    if (s->ends_with_job)
        return fail_job_limit(s->worker, s->task->name, err);
    return vr_fail(err, VR_TIMEOUT, "%s did not end within %" PRId64 " s", s->task->name,
                   s->task->timeout_ms / MS_PER_S);
}

/* One turn of the loop: 1 once the program has ended. */
static int turn(struct step *s, struct vr_exit *out, struct vr_err *err)
{
    int64_t left = vr_mono_ms_between(vr_mono_now(), s->end);
    struct pollfd fds[] = {
        {.fd = s->child.pidfd, .events = POLLIN},
        {.fd = s->out_fd, .events = POLLIN},
        {.fd = s->err_fd, .events = POLLIN},
        {.fd = s->status_fd, .events = POLLIN},
        {.fd = s->worker->signal_fd, .events = POLLIN},
    };
    int r;

    if (poll(fds, VR_COUNT(fds), left < TICK_MS ? (int)left : TICK_MS) < 0 && errno != EINTR)
        return vr_fail_sys(err, "%s: poll", s->task->name);
    /* Asked before draining, so that nothing written before the end is missed. */
    r = vr_child_poll(&s->child, out, err);
    if (r > 0)
        while (drain_all(s))
            ;
    else
        drain_all(s);
    return r ? r : check_limits(s, err);
}

/* The exit is 0 or not: but was it the program's own? */
static int judge(struct step *s, struct vr_exit e, uint64_t oom_before, struct vr_err *err)
{
    const struct vr_worker *w = s->worker;

    if (s->status.len)
        return vr_fail(err, strstr(vr_buf_text(&s->status), "No such file") ? VR_NOT_FOUND : VR_IO,
                       "%s: %s", s->task->name, vr_buf_text(&s->status));
    if (s->out.over)
        return check_limits(s, err);
    if (e.code && w->cage && vr_cage_oom_kills(w->cage) > oom_before)
        return vr_fail(err, VR_LIMIT, "%s: out of memory, its limit is %" PRId64 " MiB",
                       s->task->name, w->limits.memory_bytes / BYTES_PER_MIB);
    return 0;
}

static void kill_step(struct step *s)
{
    vr_child_stop(&s->child, 0);
    if (s->worker->cage)
        vr_cage_kill(s->worker->cage);
    while (drain_all(s))
        ;
}

static int run(struct step *s, struct vr_exit *out, struct vr_err *err)
{
    struct vr_worker *w = s->worker;
    uint64_t oom_before = w->cage ? vr_cage_oom_kills(w->cage) : 0;
    int r;

    r = start(s, err);
    if (r < 0)
        return vr_fail_in(err, r, "%s", s->task->name);
    do
        r = turn(s, out, err);
    while (!r);
    if (r < 0) {
        kill_step(s);
        return r;
    }
    return judge(s, *out, oom_before, err);
}

static char *take_text(struct vr_buf *b)
{
    return b->p ? vr_take(b->p) : vr_strdup("");
}

static void step_fini(struct step *s)
{
    vr_fd_close(s->out_fd);
    vr_fd_close(s->err_fd);
    vr_fd_close(s->status_fd);
    vr_child_fini(&s->child);
    vr_buf_fini(&s->out);
    vr_buf_fini(&s->tail);
    vr_buf_fini(&s->status);
}

int vr_worker_run(struct vr_worker *worker, const struct vr_worker_task *task,
                  struct vr_worker_result *out, struct vr_err *err)
{
    struct step s = {
        .worker = worker,
        .task = task,
        .child = VR_CHILD_NULL,
        .out_fd = -1,
        .err_fd = -1,
        .status_fd = -1,
        .out = VR_BUF(VR_WORKER_OUT_BYTES),
        .tail = VR_BUF(VR_WORKER_TAIL_BYTES + CHUNK_BYTES),
        .status = VR_BUF(STATUS_BYTES_MAX),
        .end = worker->deadline,
        .ends_with_job = true,
    };
    struct vr_mono own_end = vr_mono_add_ms(vr_mono_now(), task->timeout_ms);
    struct vr_exit e = {0};
    int r;

    if (task->timeout_ms && own_end.ns < s.end.ns) {
        s.end = own_end;
        s.ends_with_job = false;
    }
    r = vr_worker_check(worker, err);
    if (!r)
        r = run(&s, &e, err);
    if (!r)
        *out = (struct vr_worker_result){e, take_text(&s.out), take_text(&s.tail)};
    step_fini(&s);
    return r;
}

void vr_worker_result_fini(struct vr_worker_result *result)
{
    free(result->out);
    free(result->tail);
    *result = (struct vr_worker_result){{0}, NULL, NULL};
}
