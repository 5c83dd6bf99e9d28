/* SPDX-License-Identifier: MIT */
/* When to start a crashed app again: at once, then ever later, and not for ever. */
#ifndef VR_SHIM_RESTART_H
#define VR_SHIM_RESTART_H

#include <stdint.h>

#define RESTART_HISTORY        64  /* max_restarts above this count as this */
#define RESTART_BACKOFF_MIN_MS 100 /* of the second restart; doubles from there */
#define RESTART_GIVE_UP        (-1)

struct restart {
    int64_t max;       /* restarts in the window; -1: no end */
    int64_t window_ms; /* a run this long forgets the crashes before it */
    int64_t backoff_max_ms;
    int64_t at_ns[RESTART_HISTORY]; /* latest restarts, a ring */
    int64_t count;                  /* restarts ever */
    int64_t in_row;                 /* crashes without a long run between */
};

/**
 * An app that ran `uptime_ms` ended at `now_ns`. Returns the milliseconds to wait before the next
 * start, or RESTART_GIVE_UP. `random` is any number, for the jitter.
 */
int64_t restart_next(struct restart *r, int64_t now_ns, int64_t uptime_ms, uint32_t random);

/** Forget the crashes: someone started it by hand. */
void restart_reset(struct restart *r);

#endif
