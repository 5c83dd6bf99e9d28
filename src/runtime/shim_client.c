/* SPDX-License-Identifier: MIT */
/* The agent's side of vr-shim. */
#include "runtime/shim_client.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define CONF_BYTES       16384
#define START_TIMEOUT_MS 10000
#define LOG_MAX_DEFAULT  10000000
#define LOG_RATE_DEFAULT (4 << 20)
#define BACKOFF_DEFAULT  30000
#define FOUND_MAX        8192

struct vr_shim {
    int fd;
};

static void add_text(struct vr_buf *b, const char *key, const char *value)
{
    vr_buf_addf(b, "%s=%s\n", key, value);
}

static void add_number(struct vr_buf *b, const char *key, int64_t value)
{
    vr_buf_addf(b, "%s=%" PRId64 "\n", key, value);
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value ? value : otherwise;
}

static void describe(const struct vr_shim_spec *spec, struct vr_buf *b)
{
    const struct vr_bundle *bundle = spec->bundle;
    vr_auto_free char *log = spec->log ? vr_strdup(spec->log) : vr_strf("%s/log", spec->dir);

    add_text(b, "id", spec->id);
    add_text(b, "bundle", bundle->bundle_dir);
    add_text(b, "runtime", spec->caps->runtime);
    add_text(b, "runtime_root", spec->runtime_root);
    add_text(b, "cgroup", VR_CGROUP_PROCS);
    add_text(b, "shims_cgroup", VR_CGROUP_SHIMS);
    add_text(b, "log", log);
    vr_buf_addf(b, "user=%u:%u\n", (unsigned)spec->uid, (unsigned)spec->gid);
    add_text(b, "lower", bundle->lower);
    add_text(b, "upper", bundle->upper);
    add_text(b, "work", bundle->work);
    add_text(b, "root", bundle->root);
    add_number(b, "crun", spec->caps->is_crun);
    add_number(b, "one_shot", spec->one_shot);
    add_number(b, "host_uid", bundle->host_uid);
    add_number(b, "max_restarts", spec->max_restarts);
    add_number(b, "restart_window_ms", or_default(spec->restart_window_ms, 60000));
    add_number(b, "backoff_max_ms", or_default(spec->backoff_max_ms, BACKOFF_DEFAULT));
    add_number(b, "log_max_bytes", or_default(spec->log_max_bytes, LOG_MAX_DEFAULT));
    add_number(b, "log_backups", or_default(spec->log_backups, 1));
    add_number(b, "log_rate_bytes", or_default(spec->log_rate_bytes, LOG_RATE_DEFAULT));
}

int vr_shim_configure(const struct vr_shim_spec *spec, struct vr_err *err)
{
    vr_auto_buf struct vr_buf b = VR_BUF(CONF_BYTES - 1);
    vr_auto_free char *text = NULL;
    vr_auto_free char *path = vr_strf("%s/" VR_SHIM_CONF, spec->dir);
    int r;

    if (!spec->caps->runtime)
        return vr_fail(err, VR_INVALID, "no OCI runtime works on this host");
    r = vr_fs_mkdir_p(spec->dir, 0711, err);
    if (r == 0)
        r = vr_fs_mkdir_p(spec->runtime_root, 0700, err);
    if (r < 0)
        return r;
    describe(spec, &b);
    r = vr_buf_finish(&b, &text, err);
    return r < 0 ? r : vr_fs_write(path, text, strlen(text), 0600, err);
}

int vr_shim_start(const char *shim_path, const char *dir, bool adopt, struct vr_err *err)
{
    const char *const argv[] = {shim_path, "--dir", dir, adopt ? "--adopt" : NULL, NULL};
    /* Nothing of the agent's environment, which may hold secrets, gets near an app. */
    static const char *const envp[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
    struct vr_spawn_spec spec = {.argv = argv, .envp = envp};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_exit e;
    int r = vr_spawn(&spec, &child, err);

    if (r < 0)
        return vr_fail_in(err, r, "shim of %s", dir);
    r = vr_child_wait(&child, START_TIMEOUT_MS, &e, err);
    vr_child_fini(&child);
    if (r < 0)
        return vr_fail_in(err, r, "shim of %s", dir);
    if (e.code == 3)
        return vr_fail(err, VR_BUSY, "a shim runs in %s", dir);
    if (e.code != 0)
        return vr_fail(err, VR_IO, "shim of %s did not start (exit %d)", dir, e.code);
    return 0;
}

bool vr_shim_is_alive(const char *dir)
{
    vr_auto_free char *path = vr_strf("%s/" VR_SHIM_LOCK, dir);
    vr_auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fd >= 0 && fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int vr_shim_connect(const char *dir, struct vr_shim **out, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/" VR_SHIM_SOCK, dir);
    int fd = vr_unix_connect(path, SOCK_SEQPACKET, err);

    if (fd < 0)
        return fd;
    if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        vr_fd_close(fd);
        return vr_fail_sys(err, "%s", path);
    }
    *out = vr_alloc(sizeof(**out));
    (*out)->fd = fd;
    return 0;
}

struct vr_shim *vr_shim_close(struct vr_shim *s)
{
    if (s)
        vr_fd_close(s->fd);
    free(s);
    return NULL;
}

int vr_shim_fd(const struct vr_shim *s)
{
    return s->fd;
}

/* A received frame: NUL-terminated strings. */
struct frame {
    char bytes[VR_SHIM_FRAME_BYTES + 1];
    size_t len;
};

static const char *text_of(const struct frame *f, const char *key)
{
    size_t n = strlen(key);

    for (const char *p = f->bytes; p < f->bytes + f->len; p += strlen(p) + 1)
        if (!strncmp(p, key, n) && p[n] == '=')
            return p + n + 1;
    return "";
}

static int64_t number_of(const struct frame *f, const char *key)
{
    int64_t n;

    return vr_parse_i64(vr_str(text_of(f, key)), INT64_MIN, INT64_MAX, &n, NULL) < 0 ? 0 : n;
}

static enum vr_shim_phase phase_of(const char *name)
{
    static const char *const phases[] = VR_SHIM_PHASES;

    for (size_t i = 0; i < VR_COUNT(phases); i++)
        if (!strcmp(name, phases[i]))
            return (enum vr_shim_phase)i;
    return VR_SHIM_FATAL; /* of a newer version: at least not taken for running */
}

static void read_state(const struct frame *f, struct vr_shim_state *s)
{
    s->phase = phase_of(text_of(f, "phase"));
    s->pid = (pid_t)number_of(f, "pid");
    s->generation = number_of(f, "gen");
    snprintf(s->container, sizeof(s->container), "%s", text_of(f, "id"));
    snprintf(s->cgroup, sizeof(s->cgroup), "%s", text_of(f, "cgroup"));
    s->started_us = number_of(f, "started_us");
    s->restarts = number_of(f, "restarts");
    s->backoff_ms = number_of(f, "backoff_ms");
    s->dropped = number_of(f, "dropped");
    s->exit = (struct vr_shim_exit){
        .generation = number_of(f, "exit_gen"),
        .code = (int)number_of(f, "code"),
        .signal = (int)number_of(f, "signal"),
        .is_oom = number_of(f, "oom") != 0,
        .is_known = number_of(f, "known") != 0,
        .uptime_ms = number_of(f, "uptime_ms"),
        .at_us = number_of(f, "exit_us"),
    };
    snprintf(s->why, sizeof(s->why), "%s", text_of(f, "why"));
}

static int event_kind(const char *verb)
{
    static const char *const verbs[] = {
        [VR_SHIM_EVENT_STATE] = "state", [VR_SHIM_EVENT_STOPPED] = "stopped",
        [VR_SHIM_EVENT_OK] = "ok",       [VR_SHIM_EVENT_ERROR] = "error",
        [VR_SHIM_EVENT_TTY] = "tty",     [VR_SHIM_EVENT_EXEC_EXIT] = "exec_exit",
    };

    for (size_t i = 0; i < VR_COUNT(verbs); i++)
        if (!strcmp(verb, verbs[i]))
            return (int)i;
    return -1;
}

/* Receive one message and at most one descriptor: its length, 0 at the end, -1 with errno. */
static ssize_t receive(int sock, struct frame *f, int *out_fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {.iov_base = f->bytes, .iov_len = VR_SHIM_FRAME_BYTES};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    struct cmsghdr *h;
    ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);

    *out_fd = -1;
    if (n < 0)
        return n;
    h = CMSG_FIRSTHDR(&m);
    if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS)
        memcpy(out_fd, CMSG_DATA(h), sizeof(*out_fd));
    f->len = (size_t)n;
    f->bytes[n] = '\0';
    return n;
}

int vr_shim_next(struct vr_shim *s, struct vr_shim_event *out, struct vr_err *err)
{
    struct frame f;
    int fd, kind;
    ssize_t n;

    do {
        n = receive(s->fd, &f, &fd);
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0)
            return vr_fail_sys(err, "shim");
        if (n == 0)
            return vr_fail(err, VR_IO, "the shim closed the connection");
        kind = event_kind(f.bytes);
        if (kind < 0)
            vr_fd_close(fd); /* a word of a newer shim */
    } while (kind < 0);
    *out = (struct vr_shim_event){.kind = (enum vr_shim_event_kind)kind, .fd = fd};
    if (kind == VR_SHIM_EVENT_STATE || kind == VR_SHIM_EVENT_STOPPED)
        read_state(&f, &out->state);
    out->code = (int)number_of(&f, "code");
    snprintf(out->message, sizeof(out->message), "%s", text_of(&f, "why"));
    return 1;
}

int vr_shim_wait(struct vr_shim *s, enum vr_shim_event_kind kind, int64_t timeout_ms,
                 struct vr_shim_event *out, struct vr_err *err)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), timeout_ms);

    for (;;) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        int64_t left = vr_mono_ms_between(vr_mono_now(), end);
        int r = vr_shim_next(s, out, err);

        if (r < 0)
            return r;
        if (r == 1 && out->kind == kind)
            return 0;
        if (r == 1)
            continue;
        if (left == 0)
            return vr_fail(err, VR_TIMEOUT, "the shim did not answer in %" PRId64 " ms",
                           timeout_ms);
        if (poll(&p, 1, (int)left) < 0 && errno != EINTR)
            return vr_fail_sys(err, "poll");
    }
}

/* Send a request: NUL-terminated strings in `b`, and descriptors. */
static int send_frame(struct vr_shim *s, const struct vr_buf *b, const int *fds, struct vr_err *err)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(3 * sizeof(int))];
    } control = {.header = {0}};
    struct iovec part = {.iov_base = b->p, .iov_len = b->len};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    if (b->over)
        return vr_fail(err, VR_LIMIT, "request to the shim over %d bytes", VR_SHIM_FRAME_BYTES);
    if (fds) {
        m.msg_control = &control;
        m.msg_controllen = sizeof(control.bytes);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(3 * sizeof(int));
        memcpy(CMSG_DATA(&control.header), fds, 3 * sizeof(int));
    }
    if (sendmsg(s->fd, &m, MSG_NOSIGNAL) < 0)
        return vr_fail_sys(err, "request to the shim");
    return 0;
}

static int request(struct vr_shim *s, struct vr_err *err, const char *verb, const char *key,
                   int64_t value, const char *key2, int64_t value2)
{
    vr_auto_buf struct vr_buf b = VR_BUF(VR_SHIM_FRAME_BYTES);

    vr_buf_add_n(&b, verb, strlen(verb) + 1);
    if (key) {
        vr_buf_addf(&b, "%s=%" PRId64, key, value);
        vr_buf_addc(&b, '\0');
    }
    if (key2) {
        vr_buf_addf(&b, "%s=%" PRId64, key2, value2);
        vr_buf_addc(&b, '\0');
    }
    return send_frame(s, &b, NULL, err);
}

int vr_shim_ask(struct vr_shim *s, struct vr_err *err)
{
    return request(s, err, "state", NULL, 0, NULL, 0);
}

int vr_shim_subscribe(struct vr_shim *s, struct vr_err *err)
{
    return request(s, err, "subscribe", NULL, 0, NULL, 0);
}

int vr_shim_stop(struct vr_shim *s, int64_t grace_ms, int sig, struct vr_err *err)
{
    return request(s, err, "stop", "grace_ms", grace_ms, "signal", sig ? sig : SIGTERM);
}

int vr_shim_kill(struct vr_shim *s, struct vr_err *err)
{
    return request(s, err, "kill", NULL, 0, NULL, 0);
}

int vr_shim_start_app(struct vr_shim *s, struct vr_err *err)
{
    return request(s, err, "start", NULL, 0, NULL, 0);
}

int vr_shim_signal(struct vr_shim *s, int sig, struct vr_err *err)
{
    return request(s, err, "signal", "n", sig, NULL, 0);
}

int vr_shim_quit(struct vr_shim *s, struct vr_err *err)
{
    return request(s, err, "quit", NULL, 0, NULL, 0);
}

int vr_shim_exec(struct vr_shim *s, const char *const *argv, const int *fds, struct vr_err *err)
{
    vr_auto_buf struct vr_buf b = VR_BUF(VR_SHIM_FRAME_BYTES);
    int count = 0;

    vr_buf_add_n(&b, "exec", 5);
    vr_buf_add_n(&b, fds ? "tty=0" : "tty=1", 6);
    vr_buf_add_n(&b, "--", 3);
    for (; argv[count]; count++)
        vr_buf_add_n(&b, argv[count], strlen(argv[count]) + 1);
    if (!count || count > VR_SHIM_ARGV_MAX - 1)
        return vr_fail(err, VR_INVALID, "an exec takes 1 to %d words", VR_SHIM_ARGV_MAX - 1);
    return send_frame(s, &b, fds, err);
}

void vr_shim_clean_argv(const char *shim_path, const char *dir, const char *out[4])
{
    out[0] = shim_path;
    out[1] = "--clean";
    out[2] = dir;
    out[3] = NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct vr_shim_found *)a)->name, ((const struct vr_shim_found *)b)->name);
}

int vr_shim_list(const char *parent, struct vr_shim_found **out, size_t *out_count,
                 struct vr_err *err)
{
    struct vr_shim_found *found = NULL;
    struct dirent *e;
    size_t count = 0;
    DIR *d = opendir(parent);

    if (!d && errno != ENOENT)
        return vr_fail_sys(err, "%s", parent);
    while (d && count < FOUND_MAX && (e = readdir(d))) {
        vr_auto_free char *dir = vr_strf("%s/%s", parent, e->d_name);
        vr_auto_free char *conf = vr_strf("%s/" VR_SHIM_CONF, dir);

        if (*e->d_name == '.' || !vr_fs_exists(conf))
            continue;
        found = vr_realloc_array(found, count + 1, sizeof(*found));
        found[count++] =
            (struct vr_shim_found){.name = vr_strdup(e->d_name), .is_alive = vr_shim_is_alive(dir)};
    }
    if (d)
        closedir(d);
    if (count)
        qsort(found, count, sizeof(*found), by_name);
    *out = found;
    *out_count = count;
    return 0;
}

void vr_shim_found_free(struct vr_shim_found *found, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(found[i].name);
    free(found);
}
