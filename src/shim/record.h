/* SPDX-License-Identifier: MIT */
/* What outlives the shim: the state that a successor adopts from, and the list of exits. */
#ifndef VR_SHIM_RECORD_H
#define VR_SHIM_RECORD_H

#include "shim/shim.h"

#define RECORD_EXITS_BYTES 16384 /* then the list moves to exits.1 */

/** Write the state file; a failure is only a complaint, as the app matters more. */
void record_state(const struct shim *s);

/** Append s->last to the list of exits. */
void record_exit(const struct shim *s);

/**
 * Read the state of a dead predecessor into `s`: generation, container, pid. Returns true if its
 * app still runs, checked by start time and cgroup, with s->app_pidfd open.
 */
bool record_adopt(struct shim *s);

/** The exit code that the container's init left behind, -1 if none. */
int record_status(void);

/** Make the file for it, writable by the app's user. */
void record_status_reset(const struct shim *s);

/** 128+n of an init, or a real signal, as a signal. `code` and `signal` of `out` are set. */
void record_decode(int code, struct exit_record *out);

#endif
