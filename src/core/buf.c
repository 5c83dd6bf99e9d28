/* SPDX-License-Identifier: MIT */
/* A growable string with a ceiling. */
#include "core/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST_BYTES 128

/* Make room for n more bytes and a NUL; false (and latched) if the ceiling forbids it. */
static bool reserve(struct vr_buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : BUF_FIRST_BYTES;

    if (b->over)
        return false;
    if (n > b->max - b->len) {
        b->over = true;
        return false;
    }
    while (cap < b->len + n + 1)
        cap *= 2;
    if (cap != b->cap) {
        b->p = vr_realloc_array(b->p, cap, 1);
        b->cap = cap;
    }
    return true;
}

void vr_buf_add_n(struct vr_buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->len, bytes, n);
    b->len += n;
    b->p[b->len] = '\0';
}

void vr_buf_add(struct vr_buf *b, const char *text)
{
    vr_buf_add_n(b, text, strlen(text));
}

void vr_buf_addc(struct vr_buf *b, char c)
{
    vr_buf_add_n(b, &c, 1);
}

void vr_buf_addf(struct vr_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n))
        return;
    va_start(ap, fmt);
    vsnprintf(b->p + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

const char *vr_buf_text(const struct vr_buf *b)
{
    return b->p ? b->p : "";
}

void vr_buf_drop(struct vr_buf *b, size_t n)
{
    if (!n)
        return;
    memmove(b->p, b->p + n, b->len - n + 1);
    b->len -= n;
}

void vr_buf_clear(struct vr_buf *b)
{
    b->len = 0;
    b->over = false;
    if (b->p)
        b->p[0] = '\0';
}

int vr_buf_finish(struct vr_buf *b, char **out_text, struct vr_err *err)
{
    if (b->over)
        return vr_fail(err, VR_LIMIT, "text is longer than %zu bytes", b->max);
    if (!reserve(b, 0))
        return vr_fail(err, VR_BUG, "buffer without room for its end");
    b->p[b->len] = '\0';
    *out_text = vr_take(b->p);
    b->len = b->cap = 0;
    return 0;
}

void vr_buf_fini(struct vr_buf *b)
{
    free(b->p);
    b->p = NULL;
    b->len = b->cap = 0;
}

#define INT_DIGITS 20 /* with a sign */

void vr_buf_add_int(struct vr_buf *b, int64_t value)
{
    char digits[INT_DIGITS];
    size_t at = sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        digits[--at] = '-';
    vr_buf_add_n(b, digits + at, sizeof(digits) - at);
}
