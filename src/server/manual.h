/* SPDX-License-Identifier: MIT */
/* The description of the API for programs (`/api/openapi.json`) and for people (`/api/`). */
#ifndef VR_SERVER_MANUAL_H
#define VR_SERVER_MANUAL_H

#include "net/http_req.h"
#include "server/server.h"

/** Answer a request for one of its files; anybody may read them. */
void vr_manual_handle(struct vr_server *server, struct vr_http_req *req);

#endif
