/* SPDX-License-Identifier: MIT */
/* The difference of two texts as a terminal shows it. */
#ifndef VR_CLI_LINE_DIFF_H
#define VR_CLI_LINE_DIFF_H

#include "core/buf.h"

#include <stdbool.h>

/**
 * Append every line of both texts, behind "-" (only in `a`), "+" (only in `b`) or a space.
 * Returns whether there is a difference.
 */
bool vr_line_diff(struct vr_buf *out, const char *a, const char *b, bool colour);

#endif
