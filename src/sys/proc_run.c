/* SPDX-License-Identifier: MIT */
/*
 * Run a program to its end and collect what it prints.
 *
 * The input goes into a memfd that becomes the child's standard input, so there is nothing to feed
 * while it runs and no SIGPIPE when it does not read. Output and error are drained by one poll loop
 * that also watches the pidfd: once the program has ended, what the pipes hold is taken and the run
 * is over, even if a daemon that it started still holds their other end.
 */
#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CHUNK_BYTES      65536
#define STAT_BYTES       1024
#define KILL_ROUNDS      100
#define RUN_FOREVER_MS   INT32_MAX
#define ERR_GATHER_BYTES (VR_RUN_ERR_BYTES + CHUNK_BYTES)

struct run {
    const char *name; /* borrowed: argv[0] */
    struct vr_child child;
    int out_fd; /* -1 once at its end */
    int err_fd;
    struct vr_buf out;
    struct vr_buf err; /* trimmed to its last VR_RUN_ERR_BYTES */
};

static void run_fini(struct run *run)
{
    vr_fd_close(run->out_fd);
    vr_fd_close(run->err_fd);
    vr_child_fini(&run->child);
    vr_buf_fini(&run->out);
    vr_buf_fini(&run->err);
}

static int make_input(const char *input, struct vr_err *err)
{
    vr_auto_close int fd = memfd_create("input", MFD_CLOEXEC);
    int r;

    if (fd < 0)
        return vr_fail_sys(err, "memory file for input");
    r = vr_fd_write_all(fd, input, strlen(input), err);
    if (r < 0)
        return vr_fail_in(err, r, "write input");
    if (lseek(fd, 0, SEEK_SET) < 0)
        return vr_fail_sys(err, "rewind input");
    return vr_take_fd(fd);
}

/* A pipe whose reading end, and only that, does not block. */
static int make_pipe(int *out_read, int *out_write, struct vr_err *err)
{
    int p[2];

    if (pipe2(p, O_CLOEXEC) < 0)
        return vr_fail_sys(err, "pipe");
    if (fcntl(p[0], F_SETFL, O_NONBLOCK) < 0) {
        int r = vr_fail_sys(err, "pipe flags");

        vr_fd_close(p[0]);
        vr_fd_close(p[1]);
        return r;
    }
    *out_read = p[0];
    *out_write = p[1];
    return 0;
}

/* Take what the pipe holds now; closes it at its end. */
static void drain(int *fd, struct vr_buf *b, size_t keep_last)
{
    char chunk[CHUNK_BYTES];
    ssize_t n;

    while (*fd >= 0 && !b->over) {
        n = read(*fd, chunk, sizeof(chunk));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            vr_fd_close(vr_take_fd(*fd));
            return;
        }
        vr_buf_add_n(b, chunk, (size_t)n);
        if (keep_last && b->len > keep_last)
            vr_buf_drop(b, b->len - keep_last);
    }
}

/* The session that a process belongs to, from /proc; 0 if it is gone. */
static pid_t session_of(const char *pid_name)
{
    vr_auto_free char *path = vr_strf("/proc/%s/stat", pid_name);
    vr_auto_free char *text = NULL;
    const char *p;
    uint64_t session;
    size_t len;

    if (vr_fs_read(path, STAT_BYTES, &text, &len, NULL) < 0)
        return 0;
    p = strrchr(text, ')'); /* the name before it may hold anything, even ')' and spaces */
    if (!p || strlen(p) < 4)
        return 0;
    p += 4;                       /* ") S " */
    for (int i = 0; i < 2; i++) { /* parent, process group */
        p = strchr(p, ' ');
        if (!p)
            return 0;
        p++;
    }
    if (vr_parse_u64((struct vr_str){p, strcspn(p, " ")}, 1, INT32_MAX, &session, NULL) < 0)
        return 0;
    return (pid_t)session;
}

/* Kill every member but the leader; the number of those found. */
static int kill_members(pid_t leader)
{
    DIR *proc = opendir("/proc");
    struct dirent *e;
    int count = 0;

    while (proc && (e = readdir(proc))) {
        uint64_t pid;

        if (vr_parse_u64(vr_str(e->d_name), 1, INT32_MAX, &pid, NULL) < 0)
            continue;
        if ((pid_t)pid == leader || session_of(e->d_name) != leader)
            continue;
        count += !kill((pid_t)pid, SIGKILL);
    }
    if (proc)
        closedir(proc);
    return count;
}

/*
 * The leader is killed first and reaped last: as a zombie it reserves its number, so that no other
 * session can get it meanwhile. Members are looked up again until none is left, since one may have
 * forked in between; the bound is for those that linger as zombies of a slow parent.
 */
static void kill_session(struct vr_child *child)
{
    struct vr_exit e;

    vr_child_signal(child, SIGKILL);
    for (int i = 0; i < KILL_ROUNDS && kill_members(child->pid) > 0; i++)
        poll(NULL, 0, 1);
    vr_ignore(vr_child_wait(child, -1, &e, NULL), "it was killed");
}

static int start(struct run *run, const struct vr_spawn_spec *spec, const char *input,
                 bool want_out, struct vr_err *err)
{
    struct vr_spawn_spec s = *spec;
    vr_auto_close int in = -1, out = -1, e = -1;
    int r;

    s.new_session = true;
    if (input) {
        in = r = make_input(input, err);
        if (r < 0)
            return vr_fail_in(err, r, "run '%s'", run->name);
        s.fd_in = in;
    }
    r = make_pipe(&run->err_fd, &e, err);
    if (!r && want_out)
        r = make_pipe(&run->out_fd, &out, err);
    if (r < 0)
        return vr_fail_in(err, r, "run '%s'", run->name);
    s.fd_err = e;
    if (want_out)
        s.fd_out = out;
    return vr_spawn(&s, &run->child, err);
}

/* One turn of the loop: wait for output or the end; 1 when all is over. */
static int turn(struct run *run, struct vr_mono end, struct vr_exit *out, struct vr_err *err)
{
    int64_t left = vr_mono_ms_between(vr_mono_now(), end);
    struct pollfd pfds[] = {
        {.fd = run->child.pidfd, .events = POLLIN},
        {.fd = run->out_fd, .events = POLLIN},
        {.fd = run->err_fd, .events = POLLIN},
    };
    int r;

    if (poll(pfds, VR_COUNT(pfds), left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
        return vr_fail_sys(err, "run '%s': poll", run->name);
    /* Asked before draining, so that what was written before the end is not missed. */
    r = vr_child_poll(&run->child, out, err);
    drain(&run->out_fd, &run->out, 0);
    drain(&run->err_fd, &run->err, VR_RUN_ERR_BYTES);
    if (r < 0)
        return r;
    if (r > 0)
        return 1;
    return left ? 0 : -VR_TIMEOUT;
}

/* Drive the run to its end. On failure the session is dead and reaped. */
static int finish(struct run *run, int64_t timeout_ms, struct vr_exit *out, struct vr_err *err)
{
    int64_t ms = timeout_ms < 0 ? RUN_FOREVER_MS : timeout_ms;
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), ms);
    int r;

    do
        r = turn(run, end, out, err);
    while (!r && !run->out.over);
    if (run->out.over) {
        if (!r)
            kill_session(&run->child);
        return vr_fail(err, VR_LIMIT, "'%s' printed more than %zu bytes", run->name, run->out.max);
    }
    if (r < 0)
        kill_session(&run->child);
    if (r == -VR_TIMEOUT)
        return vr_fail(err, VR_TIMEOUT, "'%s' did not end within %lld ms", run->name,
                       (long long)ms);
    return r < 0 ? r : 0;
}

/* Text that never is NULL; given. */
static char *take_text(struct vr_buf *b)
{
    return b->p ? vr_take(b->p) : vr_strdup("");
}

static int run_program(const struct vr_spawn_spec *spec, const char *input, bool want_out,
                       size_t max_out_bytes, int64_t timeout_ms, struct vr_run_result *out,
                       struct vr_err *err)
{
    struct run run = {
        .name = spec->argv && spec->argv[0] ? spec->argv[0] : "",
        .child = VR_CHILD_NULL,
        .out_fd = -1,
        .err_fd = -1,
        .out = VR_BUF(max_out_bytes),
        .err = VR_BUF(ERR_GATHER_BYTES),
    };
    struct vr_exit e = {0};
    int r;

    r = start(&run, spec, input, want_out, err);
    if (!r)
        r = finish(&run, timeout_ms, &e, err);
    if (!r)
        *out = (struct vr_run_result){e, take_text(&run.out), take_text(&run.err)};
    run_fini(&run);
    return r;
}

int vr_run(const struct vr_spawn_spec *spec, const char *input, size_t max_out_bytes,
           int64_t timeout_ms, struct vr_run_result *out, struct vr_err *err)
{
    return run_program(spec, input, true, max_out_bytes, timeout_ms, out, err);
}

void vr_run_result_fini(struct vr_run_result *r)
{
    free(r->out);
    free(r->err);
    *r = (struct vr_run_result){{0}, NULL, NULL};
}

/* The last line with something on it; cuts `text`. */
static const char *last_line(char *text)
{
    size_t n = strlen(text);
    char *line;

    while (n && (text[n - 1] == '\n' || text[n - 1] == '\r' || text[n - 1] == ' '))
        text[--n] = '\0';
    line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

int vr_run_ok(const struct vr_spawn_spec *spec, int64_t timeout_ms, struct vr_err *err)
{
    struct vr_run_result result = {{0}, NULL, NULL};
    char ended[64];
    const char *line;
    int r;

    r = run_program(spec, NULL, false, 0, timeout_ms, &result, err);
    if (r < 0)
        return r;
    if (result.exit.code) {
        vr_exit_format(result.exit, ended, sizeof(ended));
        line = last_line(result.err);
        r = vr_fail(err, VR_IO, "'%s': %s%s%s", spec->argv[0], ended, *line ? ": " : "", line);
    }
    vr_run_result_fini(&result);
    return r;
}
