/* SPDX-License-Identifier: MIT */
/* The difference of two texts, line by line. */
#ifndef VR_FMT_DIFF_H
#define VR_FMT_DIFF_H

#include "fmt/json.h"

#include <stdbool.h>

#define VR_DIFF_CELLS (4u << 20) /* of the table that is compared with: lines times lines */
#define VR_DIFF_SHOWN 2000 /* lines of one vr_diff_json(); a last one says that there are more */
#define VR_DIFF_ALL   SIZE_MAX /* context: every line */

/** @sign  '-' only in the first text, '+' only in the second, ' ' in both */
typedef void vr_diff_fn(void *ctx, char sign, struct vr_str line);

/**
 * Give every line of both texts to `fn`, in order, with as many in common as there can be. What
 * lies between the first and the last difference is not compared but given as removed and added
 * as a whole if it is larger than VR_DIFF_CELLS. Returns whether they differ.
 */
bool vr_diff_lines(const char *a, const char *b, vr_diff_fn *fn, void *ctx);

/**
 * The lines as texts: "- a: 1", "+ a: 2", "  b: 3"; of what they have in common only `context`
 * lines around a difference, " …" for the rest. [] if they do not differ. Appended to `out`.
 */
void vr_diff_json(json_t *out, const char *a, const char *b, size_t context);

#endif
