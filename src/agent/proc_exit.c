/* SPDX-License-Identifier: MIT */
/* How an app ended, in words and for a report. */
#include "agent/proc_exit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void vr_proc_exit_describe(const struct vr_shim_exit *e, char *out, size_t n)
{
    if (e->is_oom)
        snprintf(out, n, "killed for want of memory after %" PRId64 " ms", e->uptime_ms);
    else if (!e->is_known)
        snprintf(out, n, "ended, nobody saw how");
    else if (e->signal)
        snprintf(out, n, "ended by signal %d (%s) after %" PRId64 " ms", e->signal,
                 sigdescr_np(e->signal) ?: "?", e->uptime_ms);
    else
        snprintf(out, n, "exited with code %d after %" PRId64 " ms", e->code, e->uptime_ms);
}

bool vr_proc_exit_is_refused(const struct vr_shim_exit *e)
{
    return e->generation && e->is_known && !e->signal && e->code < 0;
}

json_t *vr_proc_exit_json(const struct vr_shim_exit *e)
{
    if (!e->generation)
        return json_null();
    return json_pack("{s:i, s:i, s:b, s:b, s:I, s:I, s:I}", "code", e->code, "signal", e->signal,
                     "oom", e->is_oom, "known", e->is_known, "uptime_ms", (json_int_t)e->uptime_ms,
                     "at_us", (json_int_t)e->at_us, "generation", (json_int_t)e->generation);
}
