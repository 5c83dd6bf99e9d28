/* SPDX-License-Identifier: MIT */
/*
 * Logs of procs, which lie on their hosts: followed, and searched.
 *
 * Who wants one is put on a list that its host gets with its desired state (docs/protocol.md,
 * `streams`); the host then posts pieces, or what a search found.
 */
#ifndef VR_SERVER_PROC_LOGS_H
#define VR_SERVER_PROC_LOGS_H

#include "fmt/log_search.h"
#include "net/http_req.h"
#include "server/server.h"
#include "store/user.h"

struct vr_proc_logs;

#define VR_PROC_LOGS_MAX         1000
#define VR_PROC_LOGS_APPEAR_SECS 10           /* for the host to answer */
#define VR_PROC_LOGS_AHEAD       (256u << 10) /* queued for a reader before its host has to wait */
#define VR_PROC_LOGS_HOLD_MS     30000        /* longest that it waits */
#define VR_PROC_LOGS_TICK_MS     20           /* between looks at whether it may go on */

/** @wake_host  called, from any thread, when a host has to be told; @hub goes with it, borrowed */
struct vr_proc_logs *vr_proc_logs_new(struct vr_hub *hub,
                                      void (*wake_host)(struct vr_hub *hub, int64_t host_id));
struct vr_proc_logs *vr_proc_logs_free(struct vr_proc_logs *logs);

/** What of a log is read. */
struct vr_log_wish {
    int64_t host_id, proc_id;
    int64_t from; /* a byte counted from the proc's first; -1: the last `lines` lines */
    int64_t lines;
    bool follow;
    bool as_events; /* of plain HTTP: each line a `data:` event */
    struct vr_login login;
};

/**
 * Answer a request with a proc's log from its host: as a WebSocket if it asks for one, whose
 * messages are {"at", "next", "text", "end": false}, {"gap": {"from", "to"}} where a part is not
 * kept any more, and {"end": true}.
 */
void vr_proc_logs_read(struct vr_proc_logs *logs, struct vr_http_req *req,
                       const struct vr_log_wish *wish);

/** Answer a request with what its host finds in a log. @spec copied; checked already */
void vr_proc_logs_search(struct vr_proc_logs *logs, struct vr_http_req *req, int64_t host_id,
                         int64_t proc_id, const struct vr_log_search_spec *spec);

/**
 * The `streams` of a host's desired state as JSON text; given. They are no part of its rev:
 * @out_is_new  one of them was not in an earlier text, so the host has to be sent the state
 */
char *vr_proc_logs_json(struct vr_proc_logs *logs, int64_t host_id, bool *out_is_new);

/** What a host posts. */
struct vr_log_piece {
    const char *id; /* borrowed */
    int64_t host_id;
    struct vr_str text;
    int64_t at; /* place of its first byte; -1: an old agent, which does not tell */
    bool is_last;
    bool is_gone; /* there is no such log any more */
};

/** False if nobody reads it any more (410). */
bool vr_proc_logs_piece(struct vr_proc_logs *logs, const struct vr_log_piece *piece);

/** Take what a host posts and answer it: later, if its reader is behind. */
void vr_proc_logs_post(struct vr_proc_logs *logs, struct vr_http_req *req,
                       const struct vr_log_piece *piece);

/**
 * Drop readers that are gone and those whose host did not appear; let hosts go on that wait.
 * Returns when to be called again, in ms.
 */
int64_t vr_proc_logs_tick(struct vr_proc_logs *logs);

/** End what a login reads that is not good any more. */
void vr_proc_logs_end_login(struct vr_proc_logs *logs, const struct vr_login *login);
/** Append the logins of those who read; @v has room for them all, n are in it. Returns the new n.
 */
size_t vr_proc_logs_logins(struct vr_proc_logs *logs, struct vr_login *v, size_t n, size_t max);

#endif
