/* SPDX-License-Identifier: MIT */
/* Events: append-only, numbered in the order of commits. */
#ifndef VR_STORE_EVENT_H
#define VR_STORE_EVENT_H

#include "store/store.h"

#define VR_EVENTS_PER_TX      20000 /* more are dropped, the last one says so */
#define VR_EVENT_MESSAGE_MAX  10000 /* characters; longer ones keep 5,000 of both ends */
#define VR_EVENT_MESSAGE_KEEP 5000

/** All texts borrowed for the call; NULL is empty. */
struct vr_event {
    const char *kind; /* event, proc, rollout, host, pool, build */
    const char *title;
    const char *message;
    const char *tags;       /* JSON array text; NULL: [] */
    const char *rollout_id; /* NULL: none */
    int64_t swarm_id;       /* 0: none; so the next two */
    int64_t proc_id;
    int64_t host_id;
    int64_t app_id;   /* 0: that of the swarm or the proc, if there is one */
    const char *data; /* JSON object text; NULL: {} */
    struct vr_wall time;
};

/** Collect an event; it is written, and gets its id, as the last thing of the commit. */
void vr_store_event_add(struct vr_tx *tx, const struct vr_event *event);

struct vr_event_row {
    int64_t id;
    int64_t time_us;
    char *kind;
    char *title;
    char *message;
    char *tags_json;
    char *rollout_id;
    int64_t swarm_id;
    int64_t proc_id;
    int64_t host_id;
    char *data_json;
    int64_t app_id; /* whose streams get it; 0: it belongs to none, and all do */
};

VR_DECLARE_ROW(event);

/** Id of the newest event; 0 if there was none. */
VR_MUST_USE
int vr_store_event_last(struct vr_tx *tx, int64_t *out_id, struct vr_err *err);
/** Those behind `after`, oldest first, of one kind (NULL: all). */
VR_MUST_USE
int vr_store_event_list(struct vr_tx *tx, int64_t after, const char *kind, int64_t limit,
                        struct vr_event_rows *out, struct vr_err *err);
/** The last `limit` of a kind (NULL: all), oldest first. */
VR_MUST_USE
int vr_store_event_tail(struct vr_tx *tx, const char *kind, int64_t limit,
                        struct vr_event_rows *out, struct vr_err *err);

#endif
