/* SPDX-License-Identifier: MIT */
/* Logs of procs, which lie on their hosts. */
#ifndef VR_SERVER_API_PROC_LOG_H
#define VR_SERVER_API_PROC_LOG_H

#include "server/route.h"
#include "store/proc.h"

#define VR_PROC_LOG_LINES     200
#define VR_PROC_LOG_LINES_MAX 10000

/** What is shown unless the query says otherwise with `lines` and `follow`. */
struct vr_proc_log {
    int64_t lines;
    bool follow;
};

/** Read `lines` and `follow` of the query into a log that has the defaults. */
VR_MUST_USE
int vr_proc_log_read(const struct vr_call *call, struct vr_proc_log *log, struct vr_err *err);

/**
 * Answer with the log of a proc: as events for who accepts these, else as text. The caller has no
 * transaction open. Blocks on the database, never on the host.
 */
VR_MUST_USE
int vr_proc_log_send(struct vr_call *call, const struct vr_proc_row *proc,
                     const struct vr_proc_log *log, struct vr_err *err);

#endif
