/* SPDX-License-Identifier: MIT */
/* Base64 by libsodium. */
#include "fmt/base64.h"

#include <sodium.h>

static char *encode(const void *bytes, size_t n, int variant)
{
    size_t room = sodium_base64_encoded_len(n, variant);
    char *text = vr_alloc(room);

    return sodium_bin2base64(text, room, bytes, n, variant);
}

char *vr_base64_encode(const void *bytes, size_t n)
{
    return encode(bytes, n, sodium_base64_VARIANT_ORIGINAL);
}

char *vr_base64_encode_url(const void *bytes, size_t n)
{
    return encode(bytes, n, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

static int decode(struct vr_str text, int variant, unsigned char **out, size_t *out_n,
                  struct vr_err *err)
{
    size_t room = text.n / 4 * 3 + 3;
    vr_auto_free unsigned char *bytes = vr_alloc(room + 1);
    size_t n = 0;

    /* Without an end pointer libsodium fails on anything behind the text's last digit. */
    if (sodium_base642bin(bytes, room, text.p, text.n, NULL, &n, NULL, variant) != 0)
        return vr_fail(err, VR_INVALID, "not base64");
    *out = vr_take(bytes);
    *out_n = n;
    return 0;
}

int vr_base64_decode(struct vr_str text, unsigned char **out, size_t *out_n, struct vr_err *err)
{
    return decode(text, sodium_base64_VARIANT_ORIGINAL, out, out_n, err);
}

int vr_base64_decode_url(struct vr_str text, unsigned char **out, size_t *out_n, struct vr_err *err)
{
    return decode(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING, out, out_n, err);
}
