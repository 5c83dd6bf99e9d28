/* SPDX-License-Identifier: MIT */
/* Slices of foreign text, and the only parsers of integers. */
#include "core/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

bool vr_str_has_prefix(const char *s, const char *prefix)
{
    return !strncmp(s, prefix, strlen(prefix));
}

bool vr_str_has_suffix(const char *s, const char *suffix)
{
    size_t n = strlen(s), k = strlen(suffix);

    return n >= k && !memcmp(s + n - k, suffix, k);
}

bool vr_str_is_made_of(const char *s, const char *alphabet, size_t min, size_t max)
{
    size_t n = s ? strlen(s) : 0;

    return n >= min && n <= max && (!n || strspn(s, alphabet) == n);
}

/* How much of a wrong text a message repeats. */
#define SHOWN(s) (int)((s).n > 40 ? 40 : (s).n), (s).p ? (s).p : ""

int vr_parse_u64(struct vr_str s, uint64_t min, uint64_t max, uint64_t *out, struct vr_err *err)
{
    uint64_t v = 0;

    if (!s.n)
        return vr_fail(err, VR_INVALID, "an empty text is not a number");
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return vr_fail(err, VR_INVALID, "'%.*s' is not a whole number", SHOWN(s));
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return vr_fail(err, VR_INVALID, "'%.*s' is too large a number", SHOWN(s));
    }
    if (v < min || v > max)
        return vr_fail(err, VR_INVALID, "%llu is not between %llu and %llu", (unsigned long long)v,
                       (unsigned long long)min, (unsigned long long)max);
    *out = v;
    return 0;
}

int vr_parse_i64(struct vr_str s, int64_t min, int64_t max, int64_t *out, struct vr_err *err)
{
    bool negative = s.n && s.p[0] == '-';
    struct vr_str digits = negative ? (struct vr_str){s.p + 1, s.n - 1} : s;
    uint64_t limit = negative ? (uint64_t)INT64_MAX + 1 : (uint64_t)INT64_MAX;
    uint64_t u;
    int64_t v;
    int r;

    r = vr_parse_u64(digits, 0, limit, &u, err);
    if (r < 0)
        return r;
    v = negative ? (int64_t)(0 - u) : (int64_t)u;
    if (v < min || v > max)
        return vr_fail(err, VR_INVALID, "%lld is not between %lld and %lld", (long long)v,
                       (long long)min, (long long)max);
    *out = v;
    return 0;
}

int vr_parse_bytes(struct vr_str s, int64_t *out, struct vr_err *err)
{
    static const char units[] = "KMGT";
    struct vr_str digits = s;
    int shift = 0;
    uint64_t v;
    int r;

    if (digits.n > 1 && toupper((unsigned char)digits.p[digits.n - 1]) == 'B')
        digits.n--;
    if (digits.n > 1) {
        const char *u = strchr(units, toupper((unsigned char)digits.p[digits.n - 1]));

        if (u && *u) {
            shift = 10 * (int)(u - units + 1);
            digits.n--;
        }
    }
    r = vr_parse_u64(digits, 0, (uint64_t)INT64_MAX >> shift, &v, NULL);
    if (r < 0)
        return vr_fail(err, VR_INVALID, "'%.*s' is not a size such as 256M or 1G", SHOWN(s));
    *out = (int64_t)(v << shift);
    return 0;
}

void vr_hex(const void *bytes, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *b = bytes;

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[b[i] >> 4];
        out[2 * i + 1] = digits[b[i] & 15];
    }
    out[2 * n] = '\0';
}

void vr_random(void *out, size_t n)
{
    char *p = out;

    while (n) {
        ssize_t k = getrandom(p, n, 0);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            abort();
        p += k;
        n -= (size_t)k;
    }
}

char *vr_random_hex(size_t n)
{
    vr_auto_free unsigned char *raw = vr_alloc(n);
    char *text = vr_alloc(2 * n + 1);

    vr_random(raw, n);
    vr_hex(raw, n, text);
    return text;
}
