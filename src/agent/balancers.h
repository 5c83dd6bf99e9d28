/* SPDX-License-Identifier: MIT */
/* The balancers of this host: a worker program each, given whole states, asked how far it is. */
#ifndef VR_AGENT_BALANCERS_H
#define VR_AGENT_BALANCERS_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_balancers;

#define VR_BALANCERS_MAX      16
#define VR_BALANCERS_RETRY_MS 1000 /* before a worker that died is started again */

/** @agent borrowed. */
struct vr_balancers *vr_balancers_new(struct vr_agent *agent);
struct vr_balancers *vr_balancers_free(struct vr_balancers *b);

/** The protocol's balancers[], whole: one that is not there is emptied and closed. */
void vr_balancers_apply(struct vr_balancers *b, const json_t *list);

/** Append the pools of a report: what changed, or all. */
void vr_balancers_report(struct vr_balancers *b, json_t *out, bool all);

/**
 * End the programs of balancers that no worker holds: `vr down`. Blocks up to 10 s for each.
 * @list  the protocol's balancers[] as it was last; may be NULL
 */
void vr_balancers_shutdown(struct vr_agent *agent, const json_t *list);

#endif
