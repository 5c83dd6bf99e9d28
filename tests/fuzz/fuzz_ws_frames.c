/* SPDX-License-Identifier: MIT */
/* Whatever comes over a WebSocket, in whatever pieces: messages and queue keep their limits. */
#include "net/ws_frames.h"

#define QUEUE_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *ctx, const struct vr_ws_message *m)
{
    if (m->n > VR_WS_MESSAGE_BYTES || m->kind > VR_WS_CLOSE)
        abort();
}

/* The first byte tells whose end it is and how large the pieces are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    VR_OWNED(vr_ws_frames_free) struct vr_ws_frames *f = NULL;
    size_t piece, at = 1;
    bool ok = true;

    if (!size)
        return 0;
    f = vr_ws_frames_new(data[0] & 1, QUEUE_BYTES);
    piece = (size_t)(data[0] >> 1) + 1;
    while (ok && at < size) {
        size_t n = size - at < piece ? size - at : piece;

        ok = vr_ws_frames_take(f, data + at, n, check, NULL);
        at += n;
        if (vr_ws_frames_queued(f).n > QUEUE_BYTES + VR_WS_SPARE_BYTES)
            abort();
    }
    return 0;
}
