/* SPDX-License-Identifier: MIT */
/* Pid 1 of a container.
 *
 * The kernel drops signals for a pid 1 that has no handler, except blocked ones, which stay
 * pending: so everything is blocked and taken one by one with sigwaitinfo. */
#include "shim/init.h"
#include "shim/io.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const int forwarded[] = {SIGTERM, SIGINT,  SIGHUP,   SIGQUIT,
                                SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT};

static int command_start(char **argv, pid_t *out_pid)
{
    posix_spawnattr_t attributes;
    sigset_t none;
    int r;

    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    r = posix_spawnp(out_pid, argv[0], NULL, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    return r;
}

static _Noreturn void leave(int status_fd, int code)
{
    char text[8];
    int n = snprintf(text, sizeof(text), "%d\n", code);

    if (status_fd >= 0 && write(status_fd, text, (size_t)n) < 0)
        complain("exit status: %s", strerror(errno));
    _exit(code);
}

/* Reap everyone; ends the program when `command` is among them. */
static void reap(pid_t command, int status_fd)
{
    int status;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == command)
            leave(status_fd, WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

_Noreturn void init_run(const char *status_file, char **argv)
{
    int status_fd = status_file ? open(status_file, O_WRONLY | O_CLOEXEC) : -1;
    sigset_t set;
    pid_t command;
    int sig, r;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (size_t i = 0; i < COUNT(forwarded); i++)
        sigaddset(&set, forwarded[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    r = command_start(argv, &command);
    if (r) {
        complain("%s: %s", argv[0], strerror(r));
        leave(status_fd, r == ENOENT ? 127 : 126);
    }
    for (;;) {
        sig = sigwaitinfo(&set, NULL);
        if (sig == SIGCHLD)
            reap(command, status_fd);
        else if (sig > 0)
            kill(command, sig);
    }
}
