/* SPDX-License-Identifier: MIT */
/* Signals arrive by descriptor only. */
#ifndef VR_SYS_SIGNALS_H
#define VR_SYS_SIGNALS_H

#include "core/err.h"

/**
 * Block SIGTERM, SIGINT, SIGHUP, SIGCHLD and SIGUSR1 for the process, ignore SIGPIPE, and return a
 * non-blocking signalfd for them. Call it first in main(), before any thread.
 */
VR_MUST_USE
int vr_signals_open(struct vr_err *err);

/** The next signal that waits, 0 if none. */
int vr_signals_next(int fd);

#endif
