/* SPDX-License-Identifier: MIT */
/* When to start a crashed app again.
 *
 * The first crash is answered at once, since most are accidents. Each further one doubles the wait,
 * with a quarter of jitter so that procs which fail together do not come back together. */
#include "shim/restart.h"
#include "shim/io.h"

/* Whether all `max` latest restarts lie within the window. */
static int is_spent(const struct restart *r, int64_t now_ns)
{
    int64_t max = r->max > RESTART_HISTORY ? RESTART_HISTORY : r->max;

    if (max < 0 || r->in_row < max)
        return 0;
    if (max == 0)
        return 1;
    return now_ns - r->at_ns[(r->count - max) % RESTART_HISTORY] < r->window_ms * NS_PER_MS;
}

int64_t restart_next(struct restart *r, int64_t now_ns, int64_t uptime_ms, uint32_t random)
{
    int64_t wait_ms = 0;

    if (uptime_ms >= r->window_ms)
        r->in_row = 0;
    if (is_spent(r, now_ns))
        return RESTART_GIVE_UP;
    if (r->in_row > 0) {
        int64_t shift = r->in_row - 1 > 20 ? 20 : r->in_row - 1;

        wait_ms = RESTART_BACKOFF_MIN_MS << shift;
        if (wait_ms > r->backoff_max_ms)
            wait_ms = r->backoff_max_ms;
        wait_ms -= wait_ms * (random % 256) / 1024;
    }
    r->at_ns[r->count % RESTART_HISTORY] = now_ns;
    r->count++;
    r->in_row++;
    return wait_ms;
}

void restart_reset(struct restart *r)
{
    r->in_row = 0;
}
