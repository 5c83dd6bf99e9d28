/* SPDX-License-Identifier: MIT */
/* Where a request comes from. */
#include "server/remote.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static bool is_address(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1;
}

/* The last word of `text` before *end, which moves before it. False if it is no address. */
static bool take_last(const char *text, size_t *end, char out[VR_REMOTE_BYTES])
{
    size_t begin, stop = *end;

    while (stop && (text[stop - 1] == ' ' || text[stop - 1] == ','))
        stop--;
    for (begin = stop; begin && text[begin - 1] != ',' && text[begin - 1] != ' ';)
        begin--;
    *end = begin;
    if (begin == stop || stop - begin >= VR_REMOTE_BYTES)
        return false;
    memcpy(out, text + begin, stop - begin);
    out[stop - begin] = '\0';
    return is_address(out);
}

void vr_remote_find(const struct vr_cidr_list *trusted, const char *peer, const char *forwarded,
                    char out[VR_REMOTE_BYTES])
{
    size_t end = forwarded ? strlen(forwarded) : 0;
    char word[VR_REMOTE_BYTES];

    snprintf(out, VR_REMOTE_BYTES, "%s", peer);
    while (end && vr_cidr_has(trusted, out) && take_last(forwarded, &end, word))
        snprintf(out, VR_REMOTE_BYTES, "%s", word);
}

void vr_remote_of(const struct vr_cidr_list *trusted, const struct vr_http_req *req,
                  char out[VR_REMOTE_BYTES])
{
    vr_remote_find(trusted, vr_http_req_remote(req), vr_http_req_header(req, "x-forwarded-for"),
                   out);
}

bool vr_remote_is_tls(const struct vr_cidr_list *trusted, const struct vr_http_req *req)
{
    return vr_cidr_has(trusted, vr_http_req_remote(req)) &&
           vr_streq(vr_http_req_header(req, "x-forwarded-proto"), "https");
}
