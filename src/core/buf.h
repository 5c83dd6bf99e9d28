/* SPDX-License-Identifier: MIT */
/* A growable string with a ceiling: the first overflow is latched and reported once, at the end. */
#ifndef VR_CORE_BUF_H
#define VR_CORE_BUF_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

struct vr_buf {
    char *p;    /* NUL-terminated once anything was added, else NULL */
    size_t len; /* without the NUL */
    size_t cap;
    size_t max; /* ceiling of len */
    bool over;  /* something did not fit; latched */
};

/** An empty buffer that never holds more than `max_bytes`. There is no default on purpose. */
#define VR_BUF(max_bytes)                                                                          \
    (struct vr_buf)                                                                                \
    {                                                                                              \
        .max = (max_bytes)                                                                         \
    }

void vr_buf_add(struct vr_buf *b, const char *text);
void vr_buf_add_n(struct vr_buf *b, const void *bytes, size_t n);
void vr_buf_addc(struct vr_buf *b, char c);
/** Append decimal digits: worth more than printf where a text is mostly numbers. */
void vr_buf_add_int(struct vr_buf *b, int64_t value);
void vr_buf_addf(struct vr_buf *b, const char *fmt, ...) VR_PRINTF(2, 3);

/** The text so far, "" if none; borrowed, valid until the next change. */
const char *vr_buf_text(const struct vr_buf *b);

/** Drop the first `n` bytes (n <= len). */
void vr_buf_drop(struct vr_buf *b, size_t n);

/** Forget the content and the latch, keep the memory. */
void vr_buf_clear(struct vr_buf *b);

/**
 * Take the text out. Returns 0, or -VR_LIMIT if anything was cut (then *out_text is untouched).
 * @out_text  given; release with free(). Never NULL on success.
 */
VR_MUST_USE
int vr_buf_finish(struct vr_buf *b, char **out_text, struct vr_err *err);

void vr_buf_fini(struct vr_buf *b);

#define vr_auto_buf __attribute__((cleanup(vr_buf_fini)))

#endif
