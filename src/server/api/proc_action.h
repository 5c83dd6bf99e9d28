/* SPDX-License-Identifier: MIT */
/* Actions on procs that are asked for on their host. */
#ifndef VR_SERVER_API_PROC_ACTION_H
#define VR_SERVER_API_PROC_ACTION_H

#include "server/api/write.h"

/**
 * Start or stop a proc of a host, as POST procs/<id>/ does. The body is `{"proc": 12, "action":
 * "stop"}`; -VR_NOT_FOUND for a proc of another host.
 */
VR_MUST_USE
int vr_proc_act_for_host(struct vr_call *call, int64_t host_id, struct vr_err *err);

#endif
