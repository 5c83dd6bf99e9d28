/* SPDX-License-Identifier: MIT */
/* A proc in supervisord's words: its info, its proc.yaml, its log. */
#ifndef VR_AGENT_SUPERVISOR_INFO_H
#define VR_AGENT_SUPERVISOR_INFO_H

#include "agent/proc.h"
#include "core/clock.h"

/** The struct of getProcessInfo(). Given. */
json_t *vr_supervisor_info(const struct vr_proc_view *view, struct vr_wall now);

/**
 * What the original's proc.yaml says of a proc; {} for one that only its container tells of. Env
 * and settings are left out: they may hold secrets, and whoever asks here gave no password. Given.
 */
json_t *vr_supervisor_proc_yaml(const struct vr_proc_view *view);

/**
 * Bytes of a log as a text: from `offset`, or the last -`offset` ones; `length` 0 is to the end.
 * Given; NULL if there is no such file.
 */
json_t *vr_supervisor_log(const char *path, int64_t offset, int64_t length);

/**
 * [text, size of the log, whether some was left out]: what stands behind `offset`, at most its
 * last `length` bytes. Given; of a file that is not there: ["", offset, false].
 */
json_t *vr_supervisor_log_tail(const char *path, int64_t offset, int64_t length);

#endif
