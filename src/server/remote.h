/* SPDX-License-Identifier: MIT */
/* Where a request comes from, and how: its peer, or whom a trusted proxy speaks for. */
#ifndef VR_SERVER_REMOTE_H
#define VR_SERVER_REMOTE_H

#include "fmt/cidr.h"
#include "net/http_req.h"

#include <netinet/in.h>

#define VR_REMOTE_BYTES INET6_ADDRSTRLEN

/**
 * The address that a request comes from: its peer or, if that is a trusted proxy, the last one of
 * X-Forwarded-For that is no trusted proxy. What is no address there ends the search: whoever wrote
 * it is not believed, and neither is what stands before it.
 */
void vr_remote_of(const struct vr_cidr_list *trusted, const struct vr_http_req *req,
                  char out[VR_REMOTE_BYTES]);

/** The same of texts. @forwarded  NULL: the header was not sent */
void vr_remote_find(const struct vr_cidr_list *trusted, const char *peer, const char *forwarded,
                    char out[VR_REMOTE_BYTES]);

/** Whether a trusted proxy says that its client came by TLS (X-Forwarded-Proto). */
bool vr_remote_is_tls(const struct vr_cidr_list *trusted, const struct vr_http_req *req);

#endif
