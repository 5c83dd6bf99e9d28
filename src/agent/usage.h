/* SPDX-License-Identifier: MIT */
/* What this host is and how much of it is in use, for enrolment and reports. */
#ifndef VR_AGENT_USAGE_H
#define VR_AGENT_USAGE_H

#include "agent/agent.h"

#include <jansson.h>

/** The kernel's boot id as a JSON text; given. */
json_t *vr_usage_boot_id(void);

/** Kernel, CPUs, memory, runtime, what the self-test warned of; given. */
json_t *vr_usage_facts(const struct vr_agent *agent);

/** Memory, disk and load now; given. */
json_t *vr_usage_now(const struct vr_agent *agent);

#endif
