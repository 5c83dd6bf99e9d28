/* SPDX-License-Identifier: MIT */
/* The client's end of a WebSocket, with calls that block. */
#ifndef VR_NET_WS_CLIENT_H
#define VR_NET_WS_CLIENT_H

#include "net/http_client.h"
#include "net/ws_frames.h"

struct vr_ws_client;

#define VR_WS_CLIENT_HEAD_BYTES  16384 /* of the server's answer */
#define VR_WS_CLIENT_QUEUE_BYTES (8u << 20)

/**
 * Connect and upgrade. Of `call` url (http or https), headers, user, password, bearer, ca_file,
 * insecure and timeout_ms are used.
 * @out_status  the answer's status if there was one, 101 on success; may be NULL
 *
 * Returns -VR_DENIED if the server answered with another status than 101, -VR_IO, -VR_TIMEOUT.
 */
VR_MUST_USE
int vr_ws_connect(const struct vr_http_call *call, struct vr_ws_client **out, int *out_status,
                  struct vr_err *err);
/** Drops the connection; vr_ws_client_close() first is politer. */
struct vr_ws_client *vr_ws_client_free(struct vr_ws_client *c);
VR_DEFINE_OWNED(struct vr_ws_client, vr_ws_client_free)

/** A message that was received; release with vr_ws_received_fini(). */
struct vr_ws_received {
    enum vr_ws_kind kind; /* text, binary, pong or close; pings are answered and not shown */
    char *p;              /* NUL-terminated */
    size_t n;
    int code; /* of a close */
};
void vr_ws_received_fini(struct vr_ws_received *m);

/** The next message; -VR_TIMEOUT if none came in time, -VR_IO if the connection broke. */
VR_MUST_USE
int vr_ws_client_read(struct vr_ws_client *c, int64_t timeout_ms, struct vr_ws_received *out,
                      struct vr_err *err);
VR_MUST_USE
int vr_ws_client_send(struct vr_ws_client *c, enum vr_ws_kind kind, const char *bytes, size_t n,
                      struct vr_err *err);
VR_MUST_USE
int vr_ws_client_close(struct vr_ws_client *c, int code, struct vr_err *err);

/** The socket, to wait for several by poll(). */
int vr_ws_client_fd(const struct vr_ws_client *c);

#endif
