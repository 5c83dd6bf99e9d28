/* SPDX-License-Identifier: MIT */
/* Where each key of a swarm's config and environment comes from. */
#ifndef VR_SERVER_API_MERGED_H
#define VR_SERVER_API_MERGED_H

#include "fmt/json.h"
#include "store/swarm.h"

/**
 * {"config": [{"key", "value", "by", "overrides": [{"value", "by"}]}], "env": […]}, by key
 * (docs/api.md). Secrets are masked.
 * @out  given
 */
VR_MUST_USE
int vr_merged_document(struct vr_tx *tx, const struct vr_swarm_row *swarm, json_t **out,
                       struct vr_err *err);

#endif
