/* SPDX-License-Identifier: MIT */
/* One long-lived program of `vr up`.
 *
 * The program holds a lock file for its life, so whoever comes later finds it: the lock says that
 * it lives, its content who it is, and a pidfd opened between two looks at the lock cannot be that
 * of a stranger. Its log is a plain file opened for appending, not a pipe to us, so that it
 * outlives us; a log that has grown is copied and cut.
 */
#include "cli/service.h"

#include "core/str.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

struct vr_service {
    const struct vr_service_spec *spec; /* borrowed */
    struct vr_child child;
    bool adopted; /* not our child: it cannot be reaped, only watched */
    int64_t backoff_ms;
    struct vr_mono started, retry_at;
};

struct vr_service *vr_service_new(const struct vr_service_spec *spec)
{
    struct vr_service *s = vr_alloc(sizeof(*s));

    s->spec = spec;
    s->child = VR_CHILD_NULL;
    return s;
}

struct vr_service *vr_service_free(struct vr_service *s)
{
    if (!s)
        return NULL;
    vr_child_fini(&s->child);
    free(s);
    return NULL;
}

int vr_service_fd(const struct vr_service *s)
{
    return s->child.pidfd;
}

pid_t vr_service_pid(const struct vr_service *s)
{
    return s->child.pid;
}

bool vr_service_adopt(struct vr_service *s)
{
    pid_t pid = vr_fs_lock_owner(s->spec->lock_path);
    int fd;

    if (pid <= 0)
        return false;
    fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return false;
    if (vr_fs_lock_owner(s->spec->lock_path) != pid) {
        vr_fd_close(fd);
        return false;
    }
    s->child = (struct vr_child){.pid = pid, .pidfd = fd};
    s->adopted = true;
    return true;
}

/* The environment of the program: ours and the name of the lock. Given; the first text too. */
static const char **make_env(const char *lock_path)
{
    size_t n = 0;
    const char **env;

    while (environ[n])
        n++;
    env = vr_alloc_array(n + 2, sizeof(env[0]));
    env[0] = vr_strf("%s=%s", VR_SERVICE_LOCK_ENV, lock_path);
    for (size_t i = 0; i < n; i++)
        env[i + 1] = environ[i];
    return env;
}

static int prepare_lock(const struct vr_service_spec *spec, struct vr_err *err)
{
    vr_auto_close int fd = open(spec->lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return vr_fail_sys(err, "lock file %s", spec->lock_path);
    if (spec->set_user && fchown(fd, spec->uid, spec->gid) < 0)
        return vr_fail_sys(err, "owner of %s", spec->lock_path);
    return 0;
}

static int spawn(struct vr_service *s, struct vr_err *err)
{
    vr_auto_close int log =
        open(s->spec->log_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    const char **env;
    struct vr_spawn_spec spec = {
        .argv = s->spec->argv,
        .cwd = "/",
        .fd_out = log,
        .fd_err = log,
        .uid = s->spec->uid,
        .gid = s->spec->gid,
        .set_user = s->spec->set_user,
        .new_session = true,
    };
    int r;

    if (log < 0)
        return vr_fail_sys(err, "log file %s", s->spec->log_path);
    env = make_env(s->spec->lock_path);
    spec.envp = env;
    r = vr_spawn(&spec, &s->child, err);
    free((char *)env[0]);
    free(env);
    return r;
}

int vr_service_start(struct vr_service *s, struct vr_err *err)
{
    int r;

    s->started = vr_mono_now();
    if (vr_service_adopt(s))
        return 1;
    r = prepare_lock(s->spec, err);
    if (r >= 0)
        r = spawn(s, err);
    if (r < 0)
        return vr_fail_in(err, r, "start %s", s->spec->name);
    s->adopted = false;
    return 0;
}

/* 1 if it has ended, with `how` for people. */
static int has_ended(struct vr_service *s, char *how, size_t n)
{
    struct pollfd p = {.fd = s->child.pidfd, .events = POLLIN};
    struct vr_exit exit = {0};

    if (s->child.pidfd < 0)
        return 0;
    if (s->adopted) {
        snprintf(how, n, "it is gone");
        return poll(&p, 1, 0) > 0;
    }
    if (vr_child_poll(&s->child, &exit, NULL) == 0)
        return 0;
    vr_exit_format(exit, how, n);
    return 1;
}

static void note_end(struct vr_service *s, const char *how)
{
    struct vr_mono now = vr_mono_now();

    vr_child_fini(&s->child);
    s->child = VR_CHILD_NULL;
    if (!s->backoff_ms || vr_mono_ms_between(s->started, now) > VR_SERVICE_STEADY_MS)
        s->backoff_ms = VR_SERVICE_BACKOFF_MS;
    else
        s->backoff_ms *= 2;
    if (s->backoff_ms > VR_SERVICE_BACKOFF_MAX)
        s->backoff_ms = VR_SERVICE_BACKOFF_MAX;
    s->retry_at = vr_mono_add_ms(now, s->backoff_ms);
    fprintf(stderr, "%s ended (%s); starting it again in %" PRId64 " ms, see %s\n", s->spec->name,
            how, s->backoff_ms, s->spec->log_path);
}

/* Move old logs up by one number and copy the present one; what is written meanwhile may be lost.
 */
static void rotate(const struct vr_service *s)
{
    vr_auto_free char *first = vr_strf("%s.1", s->spec->log_path);
    vr_auto_close int from = -1, to = -1;
    struct stat st;
    loff_t left;

    if (stat(s->spec->log_path, &st) < 0 || st.st_size < VR_SERVICE_LOG_BYTES)
        return;
    for (int i = VR_SERVICE_LOGS_KEPT - 1; i > 0; i--) {
        vr_auto_free char *old = vr_strf("%s.%d", s->spec->log_path, i);
        vr_auto_free char *older = vr_strf("%s.%d", s->spec->log_path, i + 1);

        if (rename(old, older) < 0 && errno != ENOENT)
            return;
    }
    from = open(s->spec->log_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    to = open(first, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (from < 0 || to < 0)
        return;
    for (left = st.st_size; left > 0;) {
        ssize_t n = copy_file_range(from, NULL, to, NULL, (size_t)left, 0);

        if (n <= 0)
            break;
        left -= n;
    }
    vr_ignore(ftruncate(from, 0) < 0, "tried again at the next look");
}

#define LOOK_AT_LOG_MS 5000

int64_t vr_service_tend(struct vr_service *s)
{
    char how[64];
    struct vr_err err = VR_ERR_NULL;
    struct vr_mono now;

    if (has_ended(s, how, sizeof(how)))
        note_end(s, how);
    rotate(s);
    now = vr_mono_now();
    if (s->child.pidfd >= 0)
        return LOOK_AT_LOG_MS;
    if (now.ns < s->retry_at.ns)
        return vr_mono_ms_between(now, s->retry_at);
    if (vr_service_start(s, &err) < 0) {
        note_end(s, err.msg);
        return s->backoff_ms;
    }
    fprintf(stderr, "%s started again (pid %d)\n", s->spec->name, (int)s->child.pid);
    return LOOK_AT_LOG_MS;
}

void vr_service_stop(struct vr_service *s, int64_t grace_ms)
{
    struct pollfd p = {.fd = s->child.pidfd, .events = POLLIN};

    if (s->child.pidfd < 0)
        return;
    if (!s->adopted) {
        vr_child_stop(&s->child, grace_ms);
    } else {
        vr_child_signal(&s->child, SIGTERM);
        if (poll(&p, 1, (int)grace_ms) == 0) {
            vr_child_signal(&s->child, SIGKILL);
            poll(&p, 1, (int)grace_ms);
        }
    }
    vr_child_fini(&s->child);
    s->child = VR_CHILD_NULL;
}

int vr_service_hold_lock(struct vr_err *err)
{
    vr_auto_free char *path = vr_strdup(getenv(VR_SERVICE_LOCK_ENV));
    int fd;

    if (vr_str_is_empty(path))
        return 0;
    unsetenv(VR_SERVICE_LOCK_ENV); /* not for children */
    fd = vr_fs_lock(path, err);
    /* The descriptor is left open on purpose: the lock ends with the program. */
    return fd < 0 ? fd : 0;
}
