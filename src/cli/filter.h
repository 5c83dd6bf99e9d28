/* SPDX-License-Identifier: MIT */
/* Which swarms a pattern on the command line means. */
#ifndef VR_CLI_FILTER_H
#define VR_CLI_FILTER_H

#include "core/buf.h"

#include <stdbool.h>

struct vr_filter;

#define VR_FILTER_ALTERNATIVES 64u

/**
 * Compile a pattern. It is an extended regular expression, matched case-sensitively from the start
 * of `<app>-<config>-<proc>`, not to the end. In each alternative (`a|b` outside brackets) the
 * parts between dashes that are plain name characters stand for the whole name: `shop` is the app
 * shop and not shopping, `shop-prod` its config prod. A part after one with special characters is
 * plain only if there are exactly three parts (`.*-prod-web`).
 * @pattern        "" or NULL matches everything
 * @excludes       patterns searched anywhere in the name, any case; a match leaves the swarm out
 * @out            given; release with vr_filter_free()
 *
 * Returns -VR_INVALID with the regular expression's own complaint.
 */
VR_MUST_USE
int vr_filter_compile(const char *pattern, const char *const *excludes, size_t exclude_count,
                      struct vr_filter **out, struct vr_err *err);
struct vr_filter *vr_filter_free(struct vr_filter *filter);
VR_DEFINE_OWNED(struct vr_filter, vr_filter_free)

bool vr_filter_match(const struct vr_filter *filter, const char *app, const char *config,
                     const char *proc);

/** Append `app__name=…&config_name=…&proc_name=…` as far as the server can narrow the list. */
void vr_filter_query(const struct vr_filter *filter, struct vr_buf *out);

#endif
