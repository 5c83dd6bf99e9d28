/* SPDX-License-Identifier: MIT */
/* HTTP calls inside a libuv loop, many at once, without threads of ours. */
#ifndef VR_NET_HTTP_LOOP_H
#define VR_NET_HTTP_LOOP_H

#include "net/http_client.h"

#include <uv.h>

struct vr_http_loop;
struct vr_http_transfer;

/** @loop borrowed; must outlive the result, and run once more after vr_http_loop_free() */
VR_MUST_USE
int vr_http_loop_new(uv_loop_t *loop, struct vr_http_loop **out, struct vr_err *err);

/** Cancel what runs (no callback comes) and close all handles. Returns NULL; accepts NULL. */
struct vr_http_loop *vr_http_loop_free(struct vr_http_loop *http);

/**
 * Called once when a transfer ended: r is 0 and `result` filled, or r is the negative code and
 * `err` says why. Both are borrowed for the call. New transfers may be started in it.
 */
typedef void (*vr_http_done_fn)(void *user, int r, struct vr_http_result *result,
                                const struct vr_err *err);

/**
 * Begin a call. Of `call`, sink_ctx and body_fd must live until the end; the rest is copied.
 * @out  borrowed; valid until `done` was called or it is cancelled; may be NULL
 * Never calls back before it returns.
 */
VR_MUST_USE
int vr_http_loop_start(struct vr_http_loop *http, const struct vr_http_call *call,
                       vr_http_done_fn done, void *user, struct vr_http_transfer **out,
                       struct vr_err *err);

/** End a transfer without its callback. Not from inside its own sink: return an error there. */
void vr_http_transfer_cancel(struct vr_http_transfer *t);

#endif
