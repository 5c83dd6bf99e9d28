/* SPDX-License-Identifier: MIT */
/* Percent coding of URI parts. */
#include "fmt/uri.h"

#include "core/own.h"

#include "fmt/utf8.h"

static bool is_unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

void vr_uri_add_encoded(struct vr_buf *out, struct vr_str text)
{
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if (is_unreserved(c))
            vr_buf_addc(out, (char)c);
        else
            vr_buf_addf(out, "%%%02X", c);
    }
}

char *vr_uri_encode(const char *text)
{
    struct vr_buf out = VR_BUF(SIZE_MAX / 8);
    char *encoded = NULL;

    vr_uri_add_encoded(&out, vr_str(text));
    if (vr_buf_finish(&out, &encoded, NULL) < 0)
        abort();
    return encoded;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* The byte that "%XX" at `p` stands for, or -1; `n` bytes are there. */
static int escaped_byte(const char *p, size_t n)
{
    int high = n >= 3 ? hex_digit(p[1]) : -1, low = n >= 3 ? hex_digit(p[2]) : -1;

    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

int vr_uri_decode(struct vr_str text, bool plus_is_space, char **out, struct vr_err *err)
{
    vr_auto_free char *plain = vr_alloc(text.n + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.n; i++) {
        int c = (unsigned char)text.p[i];

        if (c == '%') {
            c = escaped_byte(text.p + i, text.n - i);
            if (c < 0)
                return vr_fail(err, VR_INVALID, "broken %%-escape in the URI");
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (!c)
            return vr_fail(err, VR_INVALID, "NUL byte in the URI");
        plain[n++] = (char)c;
    }
    if (vr_utf8_valid_bytes((struct vr_str){plain, n}) != n)
        return vr_fail(err, VR_INVALID, "the URI is not UTF-8");
    *out = vr_take(plain);
    return 0;
}

int vr_uri_split_address(const char *text, char **out_address, uint16_t *out_port,
                         struct vr_err *err)
{
    const char *colon = strrchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : 0;
    uint64_t port;

    if (!n || vr_parse_u64(vr_str(colon + 1), 0, UINT16_MAX, &port, NULL) < 0)
        return vr_fail(err, VR_INVALID, "'%.80s' is not ADDRESS:PORT", text);
    if (*text == '[' && text[n - 1] == ']' && n > 2) {
        text++;
        n -= 2;
    }
    *out_address = vr_strndup(text, n);
    *out_port = (uint16_t)port;
    return 0;
}
