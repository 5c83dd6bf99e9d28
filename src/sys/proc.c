/* SPDX-License-Identifier: MIT */
/*
 * Child processes, held by pidfd.
 *
 * A child is forked, not posix_spawned, because it needs a user, limits, a death signal and a
 * closed set of descriptors. The caller may have threads, so between fork and exec only
 * async-signal-safe calls are made: everything that allocates (the search in PATH) happens before.
 * All signals are blocked around the fork, so that no handler of the parent can run in the child.
 *
 * A failure in the child travels back as a struct over a CLOEXEC pipe. A successful exec closes the
 * pipe without a word, so that end-of-file means "it runs": no error hides as exit code 127.
 */
#include "sys/proc.h"
#include "core/clock.h"
#include "core/str.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define FIRST_FD     3 /* after the three standard streams */

enum stage {
    STAGE_STREAMS,
    STAGE_FDS,
    STAGE_SESSION,
    STAGE_LIMITS,
    STAGE_USER,
    STAGE_CWD,
    STAGE_PARENT,
    STAGE_EXEC,
};

static const char *const stage_names[] = {
    [STAGE_STREAMS] = "standard streams", [STAGE_FDS] = "close descriptors",
    [STAGE_SESSION] = "new session",      [STAGE_LIMITS] = "set limits",
    [STAGE_USER] = "change user",         [STAGE_CWD] = "enter folder",
    [STAGE_PARENT] = "bind to parent",    [STAGE_EXEC] = "execute",
};

/* What a child that could not become its program says to its parent. */
struct child_failure {
    enum stage stage;
    int sys;
};

/* All that the child needs, made before the fork. */
struct launch {
    const struct vr_spawn_spec *spec;
    const char *program;
    const char *const *envp;
    pid_t parent;
    int report_fd;
};

static int set_limit(int resource, int64_t bytes)
{
    struct rlimit now, want;

    if (!bytes)
        return 0;
    if (getrlimit(resource, &now) < 0)
        return -1;
    /* Raising the hard limit needs a capability that even root may lack. */
    want.rlim_max = (rlim_t)bytes < now.rlim_max ? (rlim_t)bytes : now.rlim_max;
    want.rlim_cur = want.rlim_max;
    return setrlimit(resource, &want);
}

static int set_limits(const struct vr_spawn_spec *spec)
{
    if (set_limit(RLIMIT_AS, spec->max_memory_bytes) < 0)
        return -1;
    return set_limit(RLIMIT_FSIZE, spec->max_file_bytes);
}

static int set_user(const struct vr_spawn_spec *spec)
{
    if (setgroups(0, NULL) < 0 || setresgid(spec->gid, spec->gid, spec->gid) < 0 ||
        setresuid(spec->uid, spec->uid, spec->uid) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static void default_signals(void)
{
    /* The kernel's own form of struct sigaction, all zero: the default action, nothing blocked. */
    static const unsigned long by_default[8];
    sigset_t none;

    /*
     * By the system call, since libc keeps its own two signals to itself, and what started us may
     * have left them ignored. It fails for SIGKILL and SIGSTOP, as it should.
     */
    for (int sig = 1; sig < NSIG; sig++)
        vr_ignore(syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof(uint64_t)) < 0,
                  "see above");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Move a stream's source out of the way of 0, 1 and 2, so that any permutation works. */
static int lift(int fd)
{
    return fd > 0 ? fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FD) : open("/dev/null", O_RDWR | O_CLOEXEC);
}

static int set_streams(const struct vr_spawn_spec *spec)
{
    int source[FIRST_FD] = {lift(spec->fd_in), lift(spec->fd_out), lift(spec->fd_err)};

    for (int fd = 0; fd < FIRST_FD; fd++) {
        if (source[fd] < 0)
            return -1;
        /* /dev/null may itself have landed on the number; dup2 would then keep its CLOEXEC. */
        if (source[fd] == fd ? fcntl(fd, F_SETFD, 0) < 0 : dup2(source[fd], fd) < 0)
            return -1;
    }
    return 0;
}

static int set_fds(const struct vr_spawn_spec *spec)
{
    /* Marked rather than closed: the report pipe must live until exec. */
    if (syscall(SYS_close_range, FIRST_FD, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
        return -1;
    for (int i = 0; i < spec->pass_fd_count; i++)
        if (fcntl(spec->pass_fds[i], F_SETFD, 0) < 0)
            return -1;
    return 0;
}

static int bind_to_parent(pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -1;
    if (getppid() == parent)
        return 0;
    errno = ESRCH; /* it died before the signal was set */
    return -1;
}

/* The last stage reached is the one that failed: exec does not return otherwise. */
static enum stage become(const struct launch *l)
{
    const struct vr_spawn_spec *spec = l->spec;

    default_signals();
    if (set_streams(spec) < 0)
        return STAGE_STREAMS;
    if (set_fds(spec) < 0)
        return STAGE_FDS;
    if (spec->new_session && setsid() < 0)
        return STAGE_SESSION;
    if (set_limits(spec) < 0)
        return STAGE_LIMITS;
    if (spec->set_user && set_user(spec) < 0)
        return STAGE_USER;
    if (spec->cwd && chdir(spec->cwd) < 0)
        return STAGE_CWD;
    /* After the change of user, which clears the death signal. */
    if (spec->die_with_parent && bind_to_parent(l->parent) < 0)
        return STAGE_PARENT;
    execve(l->program, (char *const *)l->spec->argv, (char *const *)l->envp);
    return STAGE_EXEC;
}

static VR_NORETURN void run_child(const struct launch *l)
{
    struct child_failure failure;

    /* The report pipe must not sit where a standard stream goes. */
    int report_fd = fcntl(l->report_fd, F_DUPFD_CLOEXEC, FIRST_FD);

    failure.stage = become(l);
    failure.sys = errno;
    vr_ignore(write(report_fd, &failure, sizeof(failure)) < 0, "the parent is gone");
    _exit(127);
}

static const char *env_find(const char *const *envp, const char *name)
{
    size_t n = strlen(name);

    for (; envp && *envp; envp++)
        if (!strncmp(*envp, name, n) && (*envp)[n] == '=')
            return *envp + n + 1;
    return NULL;
}

/* The file that argv[0] means, searched in the child's PATH; *out given. */
static int find_program(const char *name, const char *const *envp, char **out, struct vr_err *err)
{
    const char *path = env_find(envp, "PATH");
    bool denied = false;

    if (strchr(name, '/')) {
        *out = vr_strf("%s", name);
        return 0;
    }
    for (const char *p = path ? path : DEFAULT_PATH, *end; *name && p; p = *end ? end + 1 : NULL) {
        vr_auto_free char *file = NULL;

        end = strchrnul(p, ':');
        if (end == p)
            continue; /* an empty element would mean the working folder */
        file = vr_strf("%.*s/%s", (int)(end - p), p, name);
        if (!access(file, X_OK)) {
            *out = vr_take(file);
            return 0;
        }
        denied |= errno == EACCES;
    }
    if (denied)
        return vr_fail(err, VR_DENIED, "start '%s': found in PATH, but not executable", name);
    return vr_fail(err, VR_NOT_FOUND, "start '%s': no such program in PATH", name);
}

static int check_spec(const struct vr_spawn_spec *spec, struct vr_err *err)
{
    if (!spec->argv || !spec->argv[0])
        return vr_fail(err, VR_BUG, "start a program: no arguments");
    for (int i = 0; i < spec->pass_fd_count; i++)
        if (spec->pass_fds[i] < FIRST_FD)
            return vr_fail(err, VR_BUG, "start '%s': descriptor %d cannot be passed", spec->argv[0],
                           spec->pass_fds[i]);
    return 0;
}

static pid_t fork_child(const struct launch *l)
{
    sigset_t all, before;
    pid_t pid;
    int saved;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = fork();
    if (!pid)
        run_child(l);
    saved = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

/* Wait for exec: 0, or the failure that the child reports. */
static int read_report(int fd, const struct vr_spawn_spec *spec, struct vr_err *err)
{
    struct child_failure failure;
    ssize_t n;

    do
        n = read(fd, &failure, sizeof(failure));
    while (n < 0 && errno == EINTR);
    if (n == 0)
        return 0;
    if (n != sizeof(failure))
        return vr_fail(err, VR_IO, "start '%s': no report from the child", spec->argv[0]);
    errno = failure.sys;
    if (failure.stage == STAGE_EXEC)
        return vr_fail_sys(err, "start '%s'", spec->argv[0]);
    return vr_fail_sys(err, "start '%s': %s%s%s", spec->argv[0], stage_names[failure.stage],
                       failure.stage == STAGE_CWD ? " " : "",
                       failure.stage == STAGE_CWD ? spec->cwd : "");
}

static void discard_child(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int vr_spawn(const struct vr_spawn_spec *spec, struct vr_child *out, struct vr_err *err)
{
    struct launch l = {.spec = spec, .parent = getpid()};
    vr_auto_free char *program = NULL;
    vr_auto_close int report_read = -1;
    int report[2], pidfd, r;
    pid_t pid;

    r = check_spec(spec, err);
    if (r < 0)
        return r;
    l.envp = spec->envp ? spec->envp : (const char *const *)environ;
    r = find_program(spec->argv[0], l.envp, &program, err);
    if (r < 0)
        return r;
    assert(program);
    l.program = program;
    if (pipe2(report, O_CLOEXEC) < 0)
        return vr_fail_sys(err, "start '%s': pipe", spec->argv[0]);
    report_read = report[0];
    l.report_fd = report[1];
    pid = fork_child(&l);
    if (pid < 0)
        r = vr_fail_sys(err, "start '%s': fork", spec->argv[0]);
    vr_fd_close(report[1]);
    if (pid < 0)
        return r;
    r = read_report(report_read, spec, err);
    if (r < 0) {
        discard_child(pid);
        return r;
    }
    /* Nobody else reaps, so the pid is still this child's even if it has ended already. */
    pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        r = vr_fail_sys(err, "start '%s': pidfd", spec->argv[0]);
        kill(pid, SIGKILL);
        discard_child(pid);
        return r;
    }
    *out = (struct vr_child){.pid = pid, .pidfd = pidfd};
    return 0;
}

static int reap(struct vr_child *child, int options, struct vr_exit *out, struct vr_err *err)
{
    siginfo_t si = {.si_pid = 0};
    int r;

    do
        r = waitid(P_PIDFD, (id_t)child->pidfd, &si, WEXITED | options);
    while (r < 0 && errno == EINTR);
    if (r < 0)
        return vr_fail_sys(err, "wait for process %d", (int)child->pid);
    if (!si.si_pid)
        return 0;
    *out = si.si_code == CLD_EXITED ? (struct vr_exit){.code = si.si_status}
                                    : (struct vr_exit){.code = -1, .signal = si.si_status};
    return 1;
}

int vr_child_poll(struct vr_child *child, struct vr_exit *out, struct vr_err *err)
{
    return reap(child, WNOHANG, out, err);
}

int vr_child_wait(struct vr_child *child, int64_t timeout_ms, struct vr_exit *out,
                  struct vr_err *err)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), timeout_ms);
    struct pollfd pfd = {.fd = child->pidfd, .events = POLLIN};
    int r;

    if (timeout_ms < 0) {
        r = reap(child, 0, out, err);
        return r < 0 ? r : 0;
    }
    for (;;) {
        int64_t left = vr_mono_ms_between(vr_mono_now(), end);

        r = reap(child, WNOHANG, out, err);
        if (r)
            return r < 0 ? r : 0;
        if (!left)
            return vr_fail(err, VR_TIMEOUT, "process %d still runs after %lld ms", (int)child->pid,
                           (long long)timeout_ms);
        if (poll(&pfd, 1, left > INT32_MAX ? INT32_MAX : (int)left) < 0 && errno != EINTR)
            return vr_fail_sys(err, "wait for process %d", (int)child->pid);
    }
}

void vr_child_signal(const struct vr_child *child, int sig)
{
    if (child->pidfd >= 0)
        vr_ignore(pidfd_send_signal(child->pidfd, sig, NULL, 0) < 0, "it has ended");
}

void vr_child_stop(struct vr_child *child, int64_t grace_ms)
{
    struct vr_exit e;

    if (child->pidfd < 0)
        return;
    if (grace_ms > 0) {
        vr_child_signal(child, SIGTERM);
        if (vr_child_wait(child, grace_ms, &e, NULL) != -VR_TIMEOUT)
            return;
    }
    vr_child_signal(child, SIGKILL);
    vr_ignore(vr_child_wait(child, -1, &e, NULL), "nothing stronger than SIGKILL is left");
}

void vr_child_fini(struct vr_child *child)
{
    vr_fd_close(child->pidfd);
    *child = VR_CHILD_NULL;
}

void vr_exit_format(struct vr_exit e, char *out, size_t n)
{
    const char *name = sigdescr_np(e.signal);

    if (e.signal)
        snprintf(out, n, "signal %d (%s)", e.signal, name ? name : "unknown");
    else
        snprintf(out, n, "exit code %d", e.code);
}
