/* SPDX-License-Identifier: MIT */
/* A whole report of an agent (docs/protocol.md), applied row by row. */
#ifndef VR_STORE_REPORT_H
#define VR_STORE_REPORT_H

#include "fmt/json.h"
#include "store/store.h"

#define VR_REPORT_ROWS_MAX 5000       /* procs, jobs, or pools of one report */
#define VR_REPORT_LOG_MAX  (64 << 10) /* log of one job in one report */

struct vr_report_result {
    int64_t ack; /* the report's seq */
    int64_t rev; /* of the host's desired state before this transaction's own changes */
    int64_t session;
    bool old_session;               /* nothing was applied: answer 409 with `session` */
    bool repeated;                  /* seq was seen before: nothing was applied */
    int refused;                    /* rows that are none: ignored, the rest was applied */
    char refusal[VR_ERR_MSG_BYTES]; /* of the first of them */
    bool woke_host;                 /* the host was not live before: the engine should look at it */
};

/**
 * Check and store a report. A host that is new or suspect becomes live; lost and gone ones are the
 * engine's to take back. Rows that are stale (older epoch, job of
 * another host, unknown pool) are ignored; a full report also makes stopped what the host no
 * longer has and was told to stop.
 *
 * @body  borrowed
 *
 * A row that is none is left out and counted, since an agent would only send it again.
 * Returns -VR_INVALID naming the field for a report that is none; then nothing may be committed.
 */
VR_MUST_USE
int vr_store_report_apply(struct vr_tx *tx, int64_t host_id, const json_t *body, struct vr_wall now,
                          struct vr_report_result *out, struct vr_err *err);

#endif
