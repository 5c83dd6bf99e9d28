/* SPDX-License-Identifier: MIT */
/* The query string of a URI as an ordered list of decoded keys and values. */
#ifndef VR_FMT_QUERY_H
#define VR_FMT_QUERY_H

#include "core/str.h"

#define VR_QUERY_BYTES 16384u
#define VR_QUERY_PAIRS 200u

struct vr_query;

/**
 * Parse `a=1&b=x%20y&c`; a key without `=` has the value "". Empty pieces are skipped.
 * @out  given; release with vr_query_free()
 *
 * Returns -VR_INVALID for broken escapes, -VR_LIMIT beyond the limits above.
 */
VR_MUST_USE
int vr_query_parse(struct vr_str text, struct vr_query **out, struct vr_err *err);
struct vr_query *vr_query_free(struct vr_query *query);
VR_DEFINE_OWNED(struct vr_query, vr_query_free)

size_t vr_query_count(const struct vr_query *query);
/** Borrowed; i < count. */
const char *vr_query_key(const struct vr_query *query, size_t i);
const char *vr_query_value(const struct vr_query *query, size_t i);

/** The first value of a key, NULL if it is not there; borrowed. */
const char *vr_query_find(const struct vr_query *query, const char *key);

#endif
