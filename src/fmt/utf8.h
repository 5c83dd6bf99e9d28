/* SPDX-License-Identifier: MIT */
/* UTF-8, one code point at a time. */
#ifndef VR_FMT_UTF8_H
#define VR_FMT_UTF8_H

#include "core/buf.h"
#include "core/str.h"

/**
 * Read one code point. Returns its bytes (1 to 4), or 0 if `text` is empty or does not begin with
 * a valid one: overlong forms, surrogates and what lies beyond U+10FFFF are not valid.
 */
size_t vr_utf8_next(struct vr_str text, uint32_t *out);

/** Append a code point (at most U+10FFFF, not a surrogate). */
void vr_utf8_add(struct vr_buf *out, uint32_t code);

/** Offset of the first byte that is not valid, or text.n. */
size_t vr_utf8_valid_bytes(struct vr_str text);

/** Code points of a valid text. */
size_t vr_utf8_count(struct vr_str text);

#endif
