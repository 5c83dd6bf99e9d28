/* SPDX-License-Identifier: MIT */
/* POSIX extended regular expressions of users, within limits that keep them cheap. */
#ifndef VR_DB_POSIX_REGEX_H
#define VR_DB_POSIX_REGEX_H

#include "core/err.h"

#include <regex.h>
#include <stdbool.h>

#define VR_REGEX_BYTES       200  /* of a pattern */
#define VR_REGEX_REPEATS_MAX 1000 /* product of all upper bounds of its `{m,n}` */

/**
 * Compile a pattern as POSIX extended. Back-references, which can take for ever, are refused.
 * @out  given; release with regfree()
 *
 * Returns -VR_INVALID with a sentence that names the pattern and its fault.
 */
VR_MUST_USE
int vr_regex_compile(const char *pattern, bool fold_case, regex_t *out, struct vr_err *err);

/** Is this a pattern that vr_regex_compile() takes? The same codes. */
VR_MUST_USE
int vr_regex_check(const char *pattern, struct vr_err *err);

#endif
