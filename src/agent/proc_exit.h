/* SPDX-License-Identifier: MIT */
/* How an app ended, in words and for a report. */
#ifndef VR_AGENT_PROC_EXIT_H
#define VR_AGENT_PROC_EXIT_H

#include "runtime/shim_client.h"

#include <jansson.h>

/** Write one sentence's end for a person: "exited with code 3 after 12 ms". */
void vr_proc_exit_describe(const struct vr_shim_exit *e, char *out, size_t n);

/** Whether the container never ran: another host's runtime may not refuse it. */
bool vr_proc_exit_is_refused(const struct vr_shim_exit *e);

/** The protocol's `exit`; null if nothing has ended yet. Given. */
json_t *vr_proc_exit_json(const struct vr_shim_exit *e);

#endif
