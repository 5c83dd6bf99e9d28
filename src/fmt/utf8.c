/* SPDX-License-Identifier: MIT */
/* UTF-8, one code point at a time. */
#include "fmt/utf8.h"

/* Bytes of the sequence that a first byte announces, and the bits of the code point in it. */
static size_t announced(unsigned char first, uint32_t *bits)
{
    if (first < 0x80) {
        *bits = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        *bits = first & 0x1f;
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        *bits = first & 0x0f;
        return 3;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        *bits = first & 0x07;
        return 4;
    }
    return 0;
}

size_t vr_utf8_next(struct vr_str text, uint32_t *out)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text.p;
    uint32_t code;
    size_t n = text.n ? announced(p[0], &code) : 0;

    if (!n || n > text.n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    if (code < lowest[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return 0;
    *out = code;
    return n;
}

void vr_utf8_add(struct vr_buf *out, uint32_t code)
{
    char b[4];
    size_t n = 0;

    if (code < 0x80) {
        b[n++] = (char)code;
    } else if (code < 0x800) {
        b[n++] = (char)(0xc0 | code >> 6);
        b[n++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        b[n++] = (char)(0xe0 | code >> 12);
        b[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        b[n++] = (char)(0xf0 | code >> 18);
        b[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        b[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        b[n++] = (char)(0x80 | (code & 0x3f));
    }
    vr_buf_add_n(out, b, n);
}

size_t vr_utf8_valid_bytes(struct vr_str text)
{
    size_t at = 0;

    while (at < text.n) {
        uint32_t code;
        size_t n = vr_utf8_next((struct vr_str){text.p + at, text.n - at}, &code);

        if (!n)
            break;
        at += n;
    }
    return at;
}

size_t vr_utf8_count(struct vr_str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.n; i++)
        count += ((unsigned char)text.p[i] & 0xc0) != 0x80;
    return count;
}
