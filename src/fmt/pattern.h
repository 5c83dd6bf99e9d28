/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions whose cost is bounded: a text of n bytes takes at most n * states steps,
 * whatever the pattern, so that a user's pattern may run in a server and in an agent.
 *
 * Known are: literals, `.`, `[a-z]` and `[^a-z]`, `\d \w \s` and their capitals, `\t`, `^ $`,
 * `* + ?`, `|`, groups `( )`; a backslash before anything else takes it literally. `{` is literal.
 * Bytes are compared, `.` is one byte. There are no back-references and no look-around.
 */
#ifndef VR_FMT_PATTERN_H
#define VR_FMT_PATTERN_H

#include "core/own.h"
#include "core/str.h"

#include <stdbool.h>

#define VR_PATTERN_BYTES  200 /* of a pattern's text */
#define VR_PATTERN_DEPTH  20  /* of groups */
#define VR_PATTERN_STATES 600 /* follows from VR_PATTERN_BYTES: at most 3 for a byte */

struct vr_pattern;

enum vr_pattern_kind {
    VR_PATTERN_LITERAL, /* every byte stands for itself */
    VR_PATTERN_REGEX,
};

/**
 * @out  given; release with vr_pattern_free()
 *
 * Returns -VR_INVALID with what is wrong at which byte, -VR_LIMIT for one that is too long.
 */
VR_MUST_USE
int vr_pattern_new(enum vr_pattern_kind kind, const char *text, bool ignore_case,
                   struct vr_pattern **out, struct vr_err *err);
struct vr_pattern *vr_pattern_free(struct vr_pattern *p);
VR_DEFINE_OWNED(struct vr_pattern, vr_pattern_free)

/** Whether it is found anywhere in a line (which has no newline). One thread at a time. */
bool vr_pattern_is_in(struct vr_pattern *p, struct vr_str line);

#endif
