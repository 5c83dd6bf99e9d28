/* SPDX-License-Identifier: MIT */
/* Base64 with padding, in the standard and in the URL alphabet. */
#ifndef VR_FMT_BASE64_H
#define VR_FMT_BASE64_H

#include "core/str.h"

/** Given; release with free(). */
char *vr_base64_encode(const void *bytes, size_t n);
/** With `-` and `_`, without padding: fit for URLs and file names. */
char *vr_base64_encode_url(const void *bytes, size_t n);

/**
 * Decode the standard alphabet, padding wanted, nothing else tolerated.
 * @out  given; `*out_n` bytes and a NUL behind them
 */
VR_MUST_USE
int vr_base64_decode(struct vr_str text, unsigned char **out, size_t *out_n, struct vr_err *err);
/** Decode what vr_base64_encode_url() made. */
VR_MUST_USE
int vr_base64_decode_url(struct vr_str text, unsigned char **out, size_t *out_n,
                         struct vr_err *err);

#endif
