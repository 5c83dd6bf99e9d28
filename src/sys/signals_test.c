/* SPDX-License-Identifier: MIT */
/* Signals by descriptor. */
#include "core/tap.h"
#include "sys/signals.h"

#include <poll.h>
#include <signal.h>

TEST(signals__raised__are_read_one_by_one)
{
    vr_auto_close int fd = vr_signals_open(NULL);
    struct pollfd pfd = {.fd = fd, .events = POLLIN};

    CHECK(fd >= 0);
    CHECK(vr_signals_next(fd) == 0);
    CHECK(!kill(getpid(), SIGTERM) && !kill(getpid(), SIGHUP));
    CHECK(poll(&pfd, 1, 1000) == 1);
    CHECK(vr_signals_next(fd) == SIGHUP); /* the lower number first */
    CHECK(vr_signals_next(fd) == SIGTERM);
    CHECK(vr_signals_next(fd) == 0);
}
