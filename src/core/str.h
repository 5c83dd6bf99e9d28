/* SPDX-License-Identifier: MIT */
/* Slices of foreign text, and the only parsers of integers. */
#ifndef VR_CORE_STR_H
#define VR_CORE_STR_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/** Text that is not ours and not assumed to be terminated. */
struct vr_str {
    const char *p;
    size_t n;
};

static inline struct vr_str vr_str(const char *text)
{
    return (struct vr_str){text, text ? strlen(text) : 0};
}

/** Equal, with NULL equal to NULL only. */
static inline bool vr_streq(const char *a, const char *b)
{
    return a == b || (a && b && !strcmp(a, b));
}

static inline bool vr_str_is_empty(const char *s)
{
    return !s || !*s;
}

bool vr_str_has_prefix(const char *s, const char *prefix);
bool vr_str_has_suffix(const char *s, const char *suffix);

/** Only characters of `alphabet`, and between min and max of them. */
bool vr_str_is_made_of(const char *s, const char *alphabet, size_t min, size_t max);

/**
 * Parse a decimal integer: digits only (and one leading '-' for i64), no space, no sign '+'.
 * Returns -VR_INVALID with a message that names the text if it is none or outside [min, max].
 */
VR_MUST_USE
int vr_parse_u64(struct vr_str s, uint64_t min, uint64_t max, uint64_t *out, struct vr_err *err);
VR_MUST_USE
int vr_parse_i64(struct vr_str s, int64_t min, int64_t max, int64_t *out, struct vr_err *err);

/**
 * Parse a size: digits and an optional K, M, G or T (powers of 1024, any case, with or without a
 * trailing B). Returns -VR_INVALID if it is none or exceeds INT64_MAX.
 */
VR_MUST_USE
int vr_parse_bytes(struct vr_str s, int64_t *out, struct vr_err *err);

/** Lower-case hexadecimal of n bytes; `out` holds 2 * n + 1. */
void vr_hex(const void *bytes, size_t n, char *out);

/** `n` random bytes of the kernel; aborts if it has none. */
void vr_random(void *out, size_t n);

/** `n` random bytes as 2 * n hexadecimal digits; release with free(). */
char *vr_random_hex(size_t n);

#endif
