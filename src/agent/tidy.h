/* SPDX-License-Identifier: MIT */
/* The janitor of a host: removes what nothing here needs, within budgets, and tells of it. */
#ifndef VR_AGENT_TIDY_H
#define VR_AGENT_TIDY_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_tidy;

#define VR_TIDY_LOOK_MS    60000        /* between looks at mounts and the disk */
#define VR_TIDY_PASS_MS    (30 * 60000) /* between passes, when the server asks for none */
#define VR_TIDY_STRAY_SECS 600          /* folders without an owner go when they are older */
#define VR_TIDY_NOTES_MAX  16           /* untold ones that are kept */

/** @agent borrowed. */
struct vr_tidy *vr_tidy_new(struct vr_agent *agent);
struct vr_tidy *vr_tidy_free(struct vr_tidy *t);

/** Begin to look now and then. Nothing is removed before the server has said what is needed. */
void vr_tidy_start(struct vr_tidy *t);

/** The number of the desired state: another one than before asks for a pass. */
void vr_tidy_want(struct vr_tidy *t, int64_t n);

/** What a report says of it: [{kind, message}], given; NULL: nothing new. */
json_t *vr_tidy_report(struct vr_tidy *t);
/** The report that held it arrived, or not. */
void vr_tidy_reported(struct vr_tidy *t, bool arrived);

#endif
