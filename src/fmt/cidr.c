/* SPDX-License-Identifier: MIT */
/* Lists of networks. */
#include "fmt/cidr.h"

#include "core/own.h"
#include "core/str.h"

#include <arpa/inet.h>

#define V4_BITS 96 /* before the address of an IPv4-mapped IPv6 address */

/* Returns the bits before an address of this kind, -1 if it is no address. */
static int parse_address(const char *text, uint8_t out[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    memcpy(out, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, text, out + sizeof(mapped)) == 1)
        return V4_BITS;
    return inet_pton(AF_INET6, text, out) == 1 ? 0 : -1;
}

static int parse_one(const char *word, struct vr_cidr *out, struct vr_err *err)
{
    const char *slash = strchr(word, '/');
    vr_auto_free char *address = slash ? vr_strndup(word, (size_t)(slash - word)) : vr_strdup(word);
    int before = parse_address(address, out->address);
    uint64_t bits = (uint64_t)(128 - before);

    if (before < 0 || (slash && vr_parse_u64(vr_str(slash + 1), 0, bits, &bits, NULL) < 0))
        return vr_fail(err, VR_INVALID, "'%.60s' is neither an address nor a network", word);
    out->bits = before + (int)bits;
    return 0;
}

int vr_cidr_parse(const char *text, struct vr_cidr_list *out, struct vr_err *err)
{
    vr_auto_free char *copy = vr_strdup(text);
    char *rest = copy, *word;

    out->n = 0;
    while ((word = strsep(&rest, ", "))) {
        int r;

        if (!*word)
            continue;
        if (out->n == VR_CIDR_MAX)
            return vr_fail(err, VR_LIMIT, "more than %d networks", VR_CIDR_MAX);
        r = parse_one(word, &out->v[out->n], err);
        if (r < 0)
            return r;
        out->n++;
    }
    return 0;
}

static bool has(const struct vr_cidr *net, const uint8_t address[16])
{
    int whole = net->bits / 8, rest = net->bits % 8;
    uint8_t mask = (uint8_t)(0xff00 >> rest);

    return !memcmp(net->address, address, (size_t)whole) &&
           (!rest || ((net->address[whole] ^ address[whole]) & mask) == 0);
}

bool vr_cidr_has(const struct vr_cidr_list *list, const char *address)
{
    uint8_t bytes[16];

    if (!address || parse_address(address, bytes) < 0)
        return false;
    for (size_t i = 0; i < list->n; i++)
        if (has(&list->v[i], bytes))
            return true;
    return false;
}
