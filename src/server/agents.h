/* SPDX-License-Identifier: MIT */
/* The server's side of the agent protocol, docs/protocol.md. */
#ifndef VR_SERVER_AGENTS_H
#define VR_SERVER_AGENTS_H

#include "net/http_server.h"
#include "server/server.h"

#define VR_AGENTS_PROTOCOL     1
#define VR_AGENTS_REPORT_BYTES (8u << 20)
#define VR_AGENTS_BLOB_BYTES   (UINT64_C(4) << 30)
#define VR_AGENTS_WAIT_SECS    60

/** Decide about a request of /agent/v1/ before its body: whose it is, how long it may be. */
void vr_agents_begin(struct vr_server *server, struct vr_http_req *req,
                     struct vr_http_intake *intake);
/** Handle a complete one. */
void vr_agents_handle(struct vr_server *server, struct vr_http_req *req);

#endif
