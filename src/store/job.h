/* SPDX-License-Identifier: MIT */
/* Jobs of builder hosts: resolve and build. */
#ifndef VR_STORE_JOB_H
#define VR_STORE_JOB_H

#include "store/store.h"

struct vr_job_row {
    int64_t id;
    char *kind;       /* resolve, build */
    char *state;      /* waiting, leased, done, failed, cancelled */
    int64_t host_id;  /* 0: not leased */
    int64_t build_id; /* 0: none */
    char *rollout_id; /* NULL: none */
    char *spec_json;
    char *result_json; /* result, or {"error": {code, step, message}} */
    char *phase;
    int64_t attempts;
    int64_t created_us;
    int64_t deadline_us;
    int64_t ended_us;
};

VR_DECLARE_ROW(job);

VR_MUST_USE
int vr_store_job_find_id(struct vr_tx *tx, int64_t id, struct vr_job_row *out, struct vr_err *err);
/** The newest of a rollout, or of a build (the other NULL and 0). */
VR_MUST_USE
int vr_store_job_find_of(struct vr_tx *tx, const char *rollout_id, int64_t build_id,
                         struct vr_job_row *out, struct vr_err *err);
/** By state, oldest first. */
VR_MUST_USE
int vr_store_job_list(struct vr_tx *tx, const char *state, struct vr_job_rows *out,
                      struct vr_err *err);
/** Ended ones whose build is still pending or started: its end is to be decided. */
VR_MUST_USE
int vr_store_job_list_unsettled(struct vr_tx *tx, struct vr_job_rows *out, struct vr_err *err);
/** kind, build_id, rollout_id, spec_json, created_us, deadline_us of the row; state waiting. */
VR_MUST_USE
int vr_store_job_insert(struct vr_tx *tx, const struct vr_job_row *row, int64_t *out_id,
                        struct vr_err *err);
/**
 * Lease it to the live, active host of role build that has the fewest leased jobs (by name among
 * equals).
 * @except_host  never this one (it failed there); 0: none
 *
 * Returns -VR_NOT_FOUND with "no builder host is live" when there is none.
 */
VR_MUST_USE
int vr_store_job_lease(struct vr_tx *tx, int64_t id, int64_t except_host, int64_t *out_host_id,
                       struct vr_err *err);
/** Back to waiting: its host was lost. attempts stay. */
VR_MUST_USE
int vr_store_job_release(struct vr_tx *tx, int64_t id, struct vr_err *err);
/** done, failed or cancelled, with result_json; nothing happens to one that has ended. */
VR_MUST_USE
int vr_store_job_end(struct vr_tx *tx, int64_t id, const char *state, const char *result_json,
                     struct vr_wall now, struct vr_err *err);

/** What a host says of a job that it has. All borrowed. */
struct vr_job_report {
    int64_t id;
    const char *state; /* running, done, failed */
    const char *phase; /* NULL: unchanged */
    int64_t log_at;
    struct vr_str log;       /* n 0: none */
    const char *result_json; /* done: the result; failed: {"error": …} */
};

/**
 * Store progress, log (of its build) and end. The build's own end and what waits for it are
 * decided by the engine, which finds the job ended: its swarms are touched.
 * @out_stale  true: not leased to this host (any more); ignored
 */
VR_MUST_USE
int vr_store_job_report(struct vr_tx *tx, int64_t host_id, const struct vr_job_report *report,
                        struct vr_wall now, bool *out_stale, struct vr_err *err);

#endif
