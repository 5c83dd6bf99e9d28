/* SPDX-License-Identifier: MIT */
/* The calls of supervisord that old tools make, for the procs of this host. */
#ifndef VR_AGENT_SUPERVISOR_H
#define VR_AGENT_SUPERVISOR_H

#include "agent/agent.h"
#include "fmt/xmlrpc.h"

struct vr_supervisor;

#define VR_SUPERVISOR_CALLS_MAX 64  /* that wait for procs to start or stop */
#define VR_SUPERVISOR_WAIT_SECS 120 /* until such a call gives up waiting */
#define VR_SUPERVISOR_LOOK_MS   50
#define VR_SUPERVISOR_LOG_BYTES (1 << 20) /* of a log in one answer */

/** Gets the answer, a methodResponse: given. */
typedef void (*vr_supervisor_done_fn)(void *user, char *answer);

/** @agent borrowed. */
struct vr_supervisor *vr_supervisor_new(struct vr_agent *agent);
/** Calls that wait are not answered any more. */
struct vr_supervisor *vr_supervisor_free(struct vr_supervisor *supervisor);

/**
 * Do a call. Reading is answered at once; start and stop are asked of the server, which takes a
 * proc out of its pool first, and answered when the proc did it.
 * @call    borrowed for this call
 * @remote  address of who asks, for the record of what was done
 * @done    called once, in the loop's thread, possibly before this returns
 */
void vr_supervisor_call(struct vr_supervisor *supervisor, const struct vr_xmlrpc_call *call,
                        const char *remote, vr_supervisor_done_fn done, void *user);

#endif
