/* SPDX-License-Identifier: MIT */
/* The difference of two texts, line by line. */
#ifndef VR_CLI_LINE_DIFF_H
#define VR_CLI_LINE_DIFF_H

#include "core/buf.h"

#define VR_LINE_DIFF_LINES 4000u

/**
 * Append every line of both texts, behind "-" (only in `a`), "+" (only in `b`) or a space.
 * Returns 1 if there is a difference, 0 if not, -VR_LIMIT beyond VR_LINE_DIFF_LINES.
 */
VR_MUST_USE
int vr_line_diff(struct vr_buf *out, const char *a, const char *b, bool colour, struct vr_err *err);

#endif
