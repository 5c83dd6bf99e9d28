/* SPDX-License-Identifier: MIT */
/* Logs of procs, which lie on their hosts. */
#ifndef VR_SERVER_API_PROC_LOG_H
#define VR_SERVER_API_PROC_LOG_H

#include "fmt/log_search.h"
#include "server/route.h"
#include "store/proc.h"

#define VR_PROC_LOG_LINES     200
#define VR_PROC_LOG_LINES_MAX 10000

/** What is shown unless the query says otherwise with `lines`, `from` and `follow`. */
struct vr_proc_log {
    int64_t lines;
    int64_t from; /* -1: the last `lines` */
    bool follow;
};

/** Read the query into a log that has the defaults; a WebSocket follows unless it says not to. */
VR_MUST_USE
int vr_proc_log_read(const struct vr_call *call, struct vr_proc_log *log, struct vr_err *err);

/**
 * Answer with the log of a proc: as a WebSocket for who asks for one, as events for who accepts
 * these, else as text; or, with `search`, with what is found in it. If its host is away that is
 * said at once, with the lines that the database has. The caller has no transaction open. Blocks
 * on the database, never on the host.
 */
VR_MUST_USE
int vr_proc_log_send(struct vr_call *call, const struct vr_proc_row *proc,
                     const struct vr_proc_log *log, struct vr_err *err);

/**
 * Read `search`, `regex`, `ignore_case`, `before`, `limit` and `context`. Returns 1 if the query
 * asks for a search, 0 if not; -VR_INVALID with what is wrong.
 */
VR_MUST_USE
int vr_log_search_read(const struct vr_call *call, struct vr_log_search_spec *spec,
                       struct vr_err *err);

/**
 * The last line of a handler that serves logs: an error is said inside the WebSocket if one was
 * asked for, else passed on.
 */
VR_MUST_USE
int vr_log_refuse(struct vr_call *call, int r, const struct vr_err *err);

#endif
