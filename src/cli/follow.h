/* SPDX-License-Identifier: MIT */
/* Reading streams of the server until something ends it: data, a tick of the clock, Ctrl-C. */
#ifndef VR_CLI_FOLLOW_H
#define VR_CLI_FOLLOW_H

#include "cli/api.h"

struct vr_follow; /* what is followed, for the tick */

/** Return 0 to go on, 1 to stop following, or -code. */
typedef int (*vr_follow_data_fn)(void *user, const char *event, const char *data, size_t n,
                                 struct vr_err *err);
typedef int (*vr_follow_tick_fn)(struct vr_follow *follow, void *user, struct vr_err *err);

struct vr_follow_stream {
    const char *path;          /* borrowed */
    bool events;               /* an event stream; else text as it comes, with a NULL `event` */
    bool optional;             /* its failure is no failure: it is tried again, but for a text
                                  that is not there or not allowed */
    vr_follow_data_fn on_data; /* for text, `data` is not terminated; an empty piece comes before
                                  a text that broke off begins anew */
    void *user;
};

#define VR_FOLLOW_STREAMS_MAX 200u /* that have not ended */
#define VR_FOLLOW_RETRY_MS    1000

enum vr_follow_end {
    VR_FOLLOW_STOPPED,     /* a callback said so */
    VR_FOLLOW_ENDED,       /* all streams have ended */
    VR_FOLLOW_INTERRUPTED, /* SIGINT, SIGTERM or SIGHUP */
};

/**
 * Follow all streams at once. An event stream that ends or breaks is opened again from where it
 * was; a text ends when the server ends it.
 * @tick      called every tick_ms (> 0); NULL: never
 * Returns an enum vr_follow_end, or -code. Blocks; signals are blocked meanwhile.
 */
VR_MUST_USE
int vr_follow(struct vr_api *api, const struct vr_follow_stream *streams, size_t count,
              int64_t tick_ms, vr_follow_tick_fn tick, void *tick_user, struct vr_err *err);

/**
 * Follow one more stream, from a tick; it is copied, its path is borrowed.
 * Returns -VR_LIMIT if there are VR_FOLLOW_STREAMS_MAX, and goes on with those.
 */
VR_MUST_USE
int vr_follow_add(struct vr_follow *follow, const struct vr_follow_stream *stream,
                  struct vr_err *err);

#endif
