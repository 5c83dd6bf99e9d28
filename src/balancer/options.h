/* SPDX-License-Identifier: MIT */
/* Typed reading of a driver's JSON options, with defaults. */
#ifndef VR_BALANCER_OPTIONS_H
#define VR_BALANCER_OPTIONS_H

#include "core/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** Refuse any key of `options` that is not among `names`. */
VR_MUST_USE
int vr_options_check_names(const json_t *options, const char *const *names, size_t count,
                           struct vr_err *err);

/**
 * A text option, `otherwise` (may be NULL) if it is absent. The text ends up in configuration
 * files, so only printable ASCII without space, quotes, backslash, `#;{}$` is accepted.
 * @out  given; release with free(); NULL only if `otherwise` is
 */
VR_MUST_USE
int vr_options_text(const json_t *options, const char *key, const char *otherwise, char **out,
                    struct vr_err *err);

VR_MUST_USE
int vr_options_int(const json_t *options, const char *key, int64_t otherwise, int64_t min,
                   int64_t max, int *out, struct vr_err *err);

VR_MUST_USE
int vr_options_bool(const json_t *options, const char *key, bool otherwise, bool *out,
                    struct vr_err *err);

#endif
