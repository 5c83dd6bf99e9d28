/* SPDX-License-Identifier: MIT */
/* Text as the original's Python client wrote it, for scripts that read it. */
#ifndef VR_CLI_OLD_FORMAT_H
#define VR_CLI_OLD_FORMAT_H

#include "core/buf.h"

#include <jansson.h>

/** Append Python's repr of a value: `{'a': [1, None, True, 'x']}`, keys in their order. */
void vr_old_repr(struct vr_buf *out, const json_t *value);

/** Append a duration as Python's timedelta: `0:00:00.123456`. */
void vr_old_duration(struct vr_buf *out, int64_t us);

/** Append `host  port  statename  description`, each padded as the original did. */
void vr_old_proc(struct vr_buf *out, const json_t *proc);

/**
 * Append the difference of two mappings as the library datadiff shows it: two headings, then every
 * key of both in order behind `-`, `+` or a space, in braces.
 */
void vr_old_diff(struct vr_buf *out, const json_t *a, const json_t *b);

#endif
