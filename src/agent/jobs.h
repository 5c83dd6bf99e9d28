/* SPDX-License-Identifier: MIT */
/* Builds and look-ups of commits that the server gave this host: a child program each. */
#ifndef VR_AGENT_JOBS_H
#define VR_AGENT_JOBS_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_jobs;

#define VR_JOBS_MAX           16
#define VR_JOBS_LOG_BYTES     (64 << 10) /* of log in one report */
#define VR_JOBS_LOG_MAX_BYTES (16 << 20) /* of the whole log of a job */
#define VR_JOBS_UPLOAD_TRIES  3

/** @agent borrowed. */
struct vr_jobs *vr_jobs_new(struct vr_agent *agent);
struct vr_jobs *vr_jobs_free(struct vr_jobs *jobs);

/** Jobs that run, or whose end the server has not acted on. */
size_t vr_jobs_count(const struct vr_jobs *jobs);

/** Start what is new on the protocol's jobs[]; cancel and forget what is no longer there. */
void vr_jobs_apply(struct vr_jobs *jobs, const json_t *list);

/** Append the elements of a report: what changed, or all. */
void vr_jobs_report(struct vr_jobs *jobs, json_t *out, bool all);

/** The last report arrived (or not): log that was in it need not be sent again (or must). */
void vr_jobs_reported(struct vr_jobs *jobs, bool arrived);

#endif
