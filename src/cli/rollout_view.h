/* SPDX-License-Identifier: MIT */
/* A rollout as text: the whole of it, what changed since, and why it failed. */
#ifndef VR_CLI_ROLLOUT_VIEW_H
#define VR_CLI_ROLLOUT_VIEW_H

#include "core/buf.h"
#include "core/clock.h"

#include <jansson.h>

struct vr_view_style {
    bool colour;
    bool utf8;
    size_t columns; /* lines are cut there; 0: never */
    struct vr_wall now;
};

/** Append the whole view: title, a line for each step, procs of the step under way. */
void vr_rollout_view(struct vr_buf *out, const json_t *rollout, const struct vr_view_style *style);

/** Append one line: name, tag, step, procs, time. */
void vr_rollout_view_line(struct vr_buf *out, const json_t *rollout,
                          const struct vr_view_style *style);

/**
 * Append a line "12:00:01 name  what" for each difference between two states of a rollout; `before`
 * may be NULL. `prefix` is put before the text ("" or "shop-prod-web  ").
 */
void vr_rollout_changes(struct vr_buf *out, const json_t *before, const json_t *after,
                        const char *prefix, struct vr_wall now);

/**
 * Append how it ended: one line if it is done, else cause, what was left, leftovers, what uptests
 * printed, log and next command, as the server says them.
 */
void vr_rollout_outcome(struct vr_buf *out, const json_t *rollout,
                        const struct vr_view_style *style);

/** Whether it has ended. */
bool vr_rollout_is_over(const json_t *rollout);

/** The exit code of its result: done is 0. */
int vr_rollout_exit(const json_t *rollout);

/** How long it took, or has taken until now, as text; given. */
char *vr_rollout_took(const json_t *rollout, struct vr_wall now);

/** "1.2 s", "3 min 20 s"; given. */
char *vr_duration_text(int64_t us);

#endif
