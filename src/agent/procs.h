/* SPDX-License-Identifier: MIT */
/* All procs of this host: reconciles the list that the server gives with what there is. */
#ifndef VR_AGENT_PROCS_H
#define VR_AGENT_PROCS_H

#include "agent/agent.h"

#include <jansson.h>

struct vr_proc;
struct vr_procs;

#define VR_PROCS_MAX 2000
#define VR_PROCS_TEST_BYTES                                                                        \
    (4 << 20)                  /* of results of tests in a report; the server takes 8 MiB          \
                                */
#define VR_PROCS_LOGS_KEPT 300 /* log folders of procs that are gone, newest first */

/** @agent borrowed. */
struct vr_procs *vr_procs_new(struct vr_agent *agent);
struct vr_procs *vr_procs_free(struct vr_procs *procs);

/**
 * Make it so. `list` is the protocol's procs[], whole. With `is_current` it comes from the server
 * just now, so that what is not on it is stopped; without, it is the saved one of before a restart.
 */
void vr_procs_apply(struct vr_procs *procs, const json_t *list, bool is_current);

/** Append the elements of a report: those that changed, or all. */
void vr_procs_report(struct vr_procs *procs, json_t *out, bool all);

/** All procs there are, in no order: `i` is below the count. Borrowed until the loop goes on. */
size_t vr_procs_count(const struct vr_procs *procs);
const struct vr_proc *vr_procs_at(const struct vr_procs *procs, size_t i);
/** By id; NULL. */
const struct vr_proc *vr_procs_of_id(const struct vr_procs *procs, int64_t id);

/** Whether there is a proc of that id, in whatever state. */
bool vr_procs_has(const struct vr_procs *procs, int64_t id);

/** Procs that are not stopped. */
size_t vr_procs_active(const struct vr_procs *procs);

/** Stop every proc: `vr down`. */
void vr_procs_stop_all(struct vr_procs *procs);

#endif
