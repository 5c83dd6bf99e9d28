/* SPDX-License-Identifier: MIT */
/* Programs that were started detached and are found again by their pid file. */
#include "balancer/daemon.h"

#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define PID_FILE_BYTES 32
#define COMM_BYTES     64
#define KILL_WAIT_MS   2000
#define STRAYS_MAX     256
#define RUN_OUT_BYTES  65536

static int read_pid(const char *path, pid_t *out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    uint64_t pid = 0;
    size_t n;
    int r;

    r = vr_fs_read(path, PID_FILE_BYTES, &text, &n, err);
    if (r < 0)
        return r;
    n = strcspn(text, "\n");
    r = vr_parse_u64((struct vr_str){text, n}, 2, INT_MAX, &pid, err);
    if (r < 0)
        return vr_fail_in(err, r, "pid file %s", path);
    *out = (pid_t)pid;
    return 0;
}

/* Whether /proc says that this is the program we mean. */
static bool is_it(pid_t pid, const char *comm, const char *cwd)
{
    vr_auto_free char *comm_path = vr_strf("/proc/%d/comm", (int)pid);
    vr_auto_free char *cwd_path = vr_strf("/proc/%d/cwd", (int)pid);
    vr_auto_free char *text = NULL;
    struct stat have, want;
    size_t n;

    if (vr_fs_read(comm_path, COMM_BYTES, &text, &n, NULL) < 0)
        return false;
    text[strcspn(text, "\n")] = '\0';
    if (!vr_streq(text, comm))
        return false;
    if (!cwd)
        return true;
    return !stat(cwd_path, &have) && !stat(cwd, &want) && have.st_dev == want.st_dev &&
           have.st_ino == want.st_ino;
}

int vr_daemon_find(const char *pid_file, const char *comm, const char *cwd, struct vr_child *out,
                   struct vr_err *err)
{
    vr_auto_close int pidfd = -1;
    pid_t pid = 0;

    if (read_pid(pid_file, &pid, NULL) < 0)
        return vr_fail(err, VR_NOT_FOUND, "%s: no pid in %s", comm, pid_file);
    pidfd = pidfd_open(pid, 0);
    /* Looked at after the pidfd is held: from here on the number cannot become a stranger's. */
    if (pidfd < 0 || !is_it(pid, comm, cwd))
        return vr_fail(err, VR_NOT_FOUND, "%s: process %d of %s does not run", comm, (int)pid,
                       pid_file);
    *out = (struct vr_child){.pid = pid, .pidfd = vr_take_fd(pidfd)};
    return 0;
}

int vr_daemon_wait(const struct vr_child *daemon, int64_t timeout_ms, struct vr_err *err)
{
    struct pollfd p = {.fd = daemon->pidfd, .events = POLLIN};
    int r = poll(&p, 1, (int)timeout_ms);

    if (r < 0)
        return vr_fail_sys(err, "wait for process %d", (int)daemon->pid);
    if (!r)
        return vr_fail(err, VR_TIMEOUT, "process %d still runs", (int)daemon->pid);
    return 0;
}

int vr_daemon_stop(const struct vr_child *daemon, int64_t grace_ms, struct vr_err *err)
{
    vr_child_signal(daemon, SIGTERM);
    if (!vr_daemon_wait(daemon, grace_ms, NULL))
        return 0;
    vr_child_signal(daemon, SIGKILL);
    return vr_daemon_wait(daemon, KILL_WAIT_MS, err);
}

int vr_daemon_signal_strays(const char *comm, const char *cwd, int sig, int64_t wait_ms)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), wait_ms);
    struct vr_child found[STRAYS_MAX];
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    int n = 0;

    while (proc && n < STRAYS_MAX && (entry = readdir(proc))) {
        vr_auto_close int pidfd = -1;
        uint64_t pid = 0;

        if (vr_parse_u64(vr_str(entry->d_name), 2, INT_MAX, &pid, NULL) < 0)
            continue;
        pidfd = pidfd_open((pid_t)pid, 0);
        if (pidfd < 0 || !is_it((pid_t)pid, comm, cwd))
            continue;
        found[n] = (struct vr_child){.pid = (pid_t)pid, .pidfd = vr_take_fd(pidfd)};
        vr_child_signal(&found[n++], sig);
    }
    if (proc)
        closedir(proc);
    for (int i = 0; i < n; i++) {
        vr_ignore(vr_daemon_wait(&found[i], vr_mono_ms_between(vr_mono_now(), end), NULL),
                  "the caller's start tells if they are in its way");
        vr_child_fini(&found[i]);
    }
    return n;
}

/* The first line with the mark, or else the last line; cut out of `text` in place. */
static const char *telling_line(char *text, const char *mark)
{
    char *line = strstr(text, mark);
    size_t n = strlen(text);

    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    if (!line) {
        line = strrchr(text, '\n');
        line = line ? line + 1 : text;
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

int vr_daemon_run(const char *const *argv, const char *cwd, const char *mark, int64_t timeout_ms,
                  struct vr_err *err)
{
    struct vr_spawn_spec spec = {.argv = argv, .cwd = cwd, .new_session = true};
    struct vr_run_result result = {0};
    int r;

    r = vr_run(&spec, NULL, RUN_OUT_BYTES, timeout_ms, &result, err);
    if (r < 0)
        return r;
    if (result.exit.code != 0)
        r = vr_fail(err, VR_IO, "%s: %s", argv[0], telling_line(result.err, mark));
    vr_run_result_fini(&result);
    return r;
}
