/* SPDX-License-Identifier: MIT */
/*
 * Framing by wslay.
 *
 * wslay wants to read and write by callbacks. Here they meet memory instead of a socket: reading
 * ends with "would block" when the piece that was given is used up, and writing never blocks but
 * fills a queue with a ceiling. So framing has no idea of sockets and threads, and both ends, the
 * tests and the fuzzer use the same code.
 */
#include "net/ws_frames.h"

#include "core/buf.h"
#include "fmt/base64.h"

#include <openssl/evp.h>
#include <string.h>
#include <wslay/wslay.h>

#define HEAD_BYTES  14 /* of the largest frame header */
#define SHA1_BYTES  20
#define ACCEPT_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

struct vr_ws_frames {
    wslay_event_context_ptr ctx;
    struct vr_str input; /* borrowed while vr_ws_frames_take() runs */
    struct vr_buf queue;
    size_t sent; /* of queue */
    size_t queue_bytes;
    vr_ws_message_fn *fn;
    void *fn_ctx;
};

static ssize_t on_read(wslay_event_context_ptr ctx, uint8_t *out, size_t max, int flags, void *user)
{
    struct vr_ws_frames *f = user;
    size_t n = f->input.n < max ? f->input.n : max;

    if (!n) {
        wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(out, f->input.p, n);
    f->input.p += n;
    f->input.n -= n;
    return (ssize_t)n;
}

static void drop_sent(struct vr_ws_frames *f)
{
    if (f->sent)
        vr_buf_drop(&f->queue, f->sent);
    f->sent = 0;
}

static ssize_t on_write(wslay_event_context_ptr ctx, const uint8_t *bytes, size_t n, int flags,
                        void *user)
{
    struct vr_ws_frames *f = user;

    vr_buf_add_n(&f->queue, bytes, n);
    if (!f->queue.over)
        return (ssize_t)n;
    wslay_event_set_error(ctx, WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *out, size_t n, void *user)
{
    vr_random(out, n);
    return 0;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *arg,
                       void *user)
{
    struct vr_ws_frames *f = user;
    struct vr_ws_message m = {.p = (const char *)arg->msg, .n = arg->msg_length};

    switch (arg->opcode) {
    case WSLAY_TEXT_FRAME:
        m.kind = VR_WS_TEXT;
        break;
    case WSLAY_BINARY_FRAME:
        m.kind = VR_WS_BINARY;
        break;
    case WSLAY_PING:
        m.kind = VR_WS_PING;
        break;
    case WSLAY_PONG:
        m.kind = VR_WS_PONG;
        break;
    default: /* its first two bytes are the code */
        m.kind = VR_WS_CLOSE;
        m.code = arg->status_code ? arg->status_code : VR_WS_NO_CODE;
        m.p = m.n >= 2 ? m.p + 2 : "";
        m.n = m.n >= 2 ? m.n - 2 : 0;
    }
    if (f->fn)
        f->fn(f->fn_ctx, &m);
}

struct vr_ws_frames *vr_ws_frames_new(bool is_client, size_t queue_bytes)
{
    static const struct wslay_event_callbacks calls = {.recv_callback = on_read,
                                                       .send_callback = on_write,
                                                       .genmask_callback = on_mask,
                                                       .on_msg_recv_callback = on_message};
    struct vr_ws_frames *f = vr_alloc(sizeof(*f));
    int r;

    f->queue_bytes = queue_bytes;
    f->queue = VR_BUF(queue_bytes + VR_WS_SPARE_BYTES);
    r = is_client ? wslay_event_context_client_init(&f->ctx, &calls, f)
                  : wslay_event_context_server_init(&f->ctx, &calls, f);
    if (r < 0)
        abort(); /* as vr_alloc() does: its only reason is memory */
    wslay_event_config_set_max_recv_msg_length(f->ctx, VR_WS_MESSAGE_BYTES);
    return f;
}

struct vr_ws_frames *vr_ws_frames_free(struct vr_ws_frames *f)
{
    if (!f)
        return NULL;
    wslay_event_context_free(f->ctx);
    vr_buf_fini(&f->queue);
    free(f);
    return NULL;
}

bool vr_ws_frames_take(struct vr_ws_frames *f, const void *bytes, size_t n, vr_ws_message_fn *fn,
                       void *ctx)
{
    int r = 0;

    f->input = (struct vr_str){bytes, n};
    f->fn = fn;
    f->fn_ctx = ctx;
    if (wslay_event_want_read(f->ctx))
        r = wslay_event_recv(f->ctx);
    f->input = (struct vr_str){NULL, 0};
    f->fn = NULL;
    drop_sent(f);
    if (wslay_event_send(f->ctx) < 0) /* pongs, or the close */
        return false;
    return r == 0;
}

int vr_ws_frames_put(struct vr_ws_frames *f, enum vr_ws_kind kind, const void *bytes, size_t n,
                     struct vr_err *err)
{
    static const uint8_t opcodes[] = {[VR_WS_TEXT] = WSLAY_TEXT_FRAME,
                                      [VR_WS_BINARY] = WSLAY_BINARY_FRAME,
                                      [VR_WS_PING] = WSLAY_PING,
                                      [VR_WS_PONG] = WSLAY_PONG};
    struct wslay_event_msg msg = {.opcode = opcodes[kind], .msg = bytes, .msg_length = n};
    size_t waiting = f->queue.len - f->sent;

    if (vr_ws_frames_is_closing(f))
        return vr_fail(err, VR_BUSY, "the WebSocket is closing");
    if (waiting > f->queue_bytes || n > f->queue_bytes - waiting ||
        f->queue_bytes - waiting - n < HEAD_BYTES)
        return vr_fail(err, VR_LIMIT, "the queue of %zu bytes is full", f->queue_bytes);
    drop_sent(f);
    if (wslay_event_queue_msg(f->ctx, &msg) < 0 || wslay_event_send(f->ctx) < 0)
        return vr_fail(err, VR_BUSY, "the WebSocket is closing");
    return 0;
}

void vr_ws_frames_close(struct vr_ws_frames *f, int code, const char *reason)
{
    size_t n = reason ? strlen(reason) : 0;

    if (n > VR_WS_REASON_BYTES)
        n = VR_WS_REASON_BYTES;
    while (n && ((unsigned char)reason[n] & 0xc0) == 0x80) /* between characters */
        n--;
    drop_sent(f);
    vr_ignore(wslay_event_queue_close(f->ctx, (uint16_t)code, (const uint8_t *)reason, n) < 0 ||
                  wslay_event_send(f->ctx) < 0,
              "it is closed already, or nobody reads");
}

struct vr_str vr_ws_frames_queued(const struct vr_ws_frames *f)
{
    return (struct vr_str){f->queue.p ? f->queue.p + f->sent : "", f->queue.len - f->sent};
}

void vr_ws_frames_sent(struct vr_ws_frames *f, size_t n)
{
    f->sent += n;
    if (f->sent == f->queue.len) {
        vr_buf_fini(&f->queue); /* connections are many and mostly silent */
        f->queue = VR_BUF(f->queue_bytes + VR_WS_SPARE_BYTES);
        f->sent = 0;
    }
}

bool vr_ws_frames_is_closing(const struct vr_ws_frames *f)
{
    return wslay_event_get_close_sent(f->ctx) || wslay_event_get_close_received(f->ctx);
}

bool vr_ws_frames_is_over(const struct vr_ws_frames *f)
{
    return wslay_event_get_close_sent(f->ctx) && wslay_event_get_close_received(f->ctx) &&
           f->sent == f->queue.len;
}

void vr_ws_accept_of(const char *key, char out[VR_WS_ACCEPT_BYTES])
{
    vr_auto_free char *text = vr_strf("%s%s", key, ACCEPT_GUID);
    vr_auto_free char *encoded = NULL;
    unsigned char digest[SHA1_BYTES] = {0};

    if (!EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL))
        abort(); /* SHA-1 is part of the protocol, and always there */
    encoded = vr_base64_encode(digest, sizeof(digest));
    memcpy(out, encoded, VR_WS_ACCEPT_BYTES);
}
