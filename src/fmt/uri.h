/* SPDX-License-Identifier: MIT */
/* Parts of URIs: percent coding, address and port. */
#ifndef VR_FMT_URI_H
#define VR_FMT_URI_H

#include "core/buf.h"
#include "core/str.h"

/** Append `text` with all but the unreserved characters `A-Za-z0-9-._~` as %XX. */
void vr_uri_add_encoded(struct vr_buf *out, struct vr_str text);

/** The same as a text of its own; given, release with free(). */
char *vr_uri_encode(const char *text);

/**
 * Decode %XX; with `plus_is_space` also `+`, as in query strings. Returns -VR_INVALID for a broken
 * escape, a NUL byte, and what is not UTF-8 then.
 * @out  given; release with free()
 */
VR_MUST_USE
int vr_uri_decode(struct vr_str text, bool plus_is_space, char **out, struct vr_err *err);

/**
 * Split `127.0.0.1:8000` or `[::1]:8000`. The address is not looked at.
 * @out_address  given; release with free()
 *
 * Returns -VR_INVALID naming the text.
 */
VR_MUST_USE
int vr_uri_split_address(const char *text, char **out_address, uint16_t *out_port,
                         struct vr_err *err);

#endif
