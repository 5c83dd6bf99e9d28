/* SPDX-License-Identifier: MIT */
/* The agent's line to the server: enrols, asks for what should be, reports what is. */
#ifndef VR_AGENT_LINK_H
#define VR_AGENT_LINK_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_link;

#define VR_LINK_PROTOCOL       "1"
#define VR_LINK_WAIT_SECS      55
#define VR_LINK_COALESCE_MS    5 /* from one report to the next while things keep changing */
#define VR_LINK_HEARTBEAT_MS   2000
#define VR_LINK_USAGE_MS       10000 /* how often use of memory and CPU is reported */
#define VR_LINK_RETRY_FIRST_MS 200
#define VR_LINK_RETRY_MAX_MS   3000
#define VR_LINK_DESIRED_BYTES  (16 << 20)

/** @agent borrowed. Reads the saved identity; -VR_PARSE if it is damaged beyond use. */
VR_MUST_USE
int vr_link_new(struct vr_agent *agent, struct vr_link **out, struct vr_err *err);
struct vr_link *vr_link_free(struct vr_link *link);

/** Begin: applies the last desired state that was saved, then talks to the server for ever. */
void vr_link_start(struct vr_link *link);

/** Something of a report changed; it goes out soon. */
void vr_link_changed(struct vr_link *link);

/** The desired state that was saved last, also of a former process; borrowed, NULL if none. */
const json_t *vr_link_saved(const struct vr_link *link);

/** The same, but only if it is what the server says now; else NULL. */
const json_t *vr_link_current(const struct vr_link *link);

/** Borrowed; NULL before enrolment. */
const char *vr_link_token(const struct vr_link *link);

/** URL of a path of the agent protocol, such as "blobs/<sha256>"; given. */
char *vr_link_url(const struct vr_link *link, const char *path);

#endif
