/* SPDX-License-Identifier: MIT */
/* Files of the contract: slugs and compile logs under /files/. */
#ifndef VR_SERVER_FILES_H
#define VR_SERVER_FILES_H

#include "net/http_req.h"
#include "server/server.h"

/** Answer GET and HEAD of /files/builds/<name>; needs a login. */
void vr_files_handle(struct vr_server *server, struct vr_http_req *req);

#endif
