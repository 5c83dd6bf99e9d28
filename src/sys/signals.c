/* SPDX-License-Identifier: MIT */
/* Signals arrive by descriptor only. */
#include "sys/signals.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

int vr_signals_open(struct vr_err *err)
{
    static const int wanted[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR1};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigset_t set;
    int fd;

    sigemptyset(&set);
    for (size_t i = 0; i < VR_COUNT(wanted); i++)
        sigaddset(&set, wanted[i]);
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return vr_fail_sys(err, "block signals");
    fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? vr_fail_sys(err, "signalfd") : fd;
}

int vr_signals_next(int fd)
{
    struct signalfd_siginfo si;
    ssize_t n;

    do
        n = read(fd, &si, sizeof(si));
    while (n < 0 && errno == EINTR);
    return n == sizeof(si) ? (int)si.ssi_signo : 0;
}
