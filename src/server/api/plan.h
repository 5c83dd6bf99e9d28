/* SPDX-License-Identifier: MIT */
/* What a dispatch would change, said before it is done. */
#ifndef VR_SERVER_API_PLAN_H
#define VR_SERVER_API_PLAN_H

#include "fmt/json.h"
#include "store/swarm.h"

/**
 * Compare a rollout that was just queued with what the swarm runs now (docs/api.md).
 * @before  the swarm's row before it was changed for the plan; borrowed
 * @trace   id of the rollout
 * @out     given
 */
VR_MUST_USE
int vr_plan_document(struct vr_tx *tx, const struct vr_swarm_row *before, const char *trace,
                     json_t **out, struct vr_err *err);

/**
 * The lines of YAML of the keys in which two dicts differ: behind "- " what is gone, "+ " what is
 * new, two spaces what a changed value keeps. Secrets are masked; one that has another value gives
 * one line, "~ KEY: secret, changed". Keys in byte order. NULL and null are {}. Given.
 */
json_t *vr_plan_diff(const json_t *from, const json_t *to);

#endif
