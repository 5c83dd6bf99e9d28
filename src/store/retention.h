/* SPDX-License-Identifier: MIT */
/* What is kept, and what may go: by reference first, then by number and age. */
#ifndef VR_STORE_RETENTION_H
#define VR_STORE_RETENTION_H

#include "store/store.h"

#define VR_RETENTION_NEVER (-1) /* days: nothing goes by age */

/**
 * The limits. Where there are a number and days, a row stays as long as either keeps it. Days
 * of VR_RETENTION_NEVER keep everything.
 */
struct vr_retention {
    int64_t keep_releases;     /* last done releases of a swarm that can be gone back to */
    int64_t build_days;        /* since it was built */
    int64_t build_count;       /* newest of an app */
    int64_t blob_budget_bytes; /* 0: none; old builds go early when more is used */
    int64_t blob_grace_secs;   /* a blob that nothing refers to yet */
    int64_t events_count, events_days;
    int64_t rollouts_count, rollouts_days; /* count: of a swarm */
    int64_t versions_count, versions_days; /* count: of an object */
    int64_t procs_days;                    /* stopped ones without a rollout */
    int64_t jobs_days, build_logs_days, commands_days, log_days, testruns_days, tokens_days;
};

/* --- builds --- */

/** Whether a build's file may go. */
enum vr_keep {
    VR_KEEP_NEEDED, /* something refers to it: never */
    VR_KEEP_RECENT, /* by age or number: if bytes are short */
    VR_KEEP_NOT,
};

/** A build that has a file. */
struct vr_build_file_row {
    int64_t id;
    char *name; /* shop-v42 */
    char *sha256;
    int64_t bytes;
    int64_t time_us; /* when it was built */
    int64_t keep;    /* enum vr_keep */
    char *why;       /* it stays; "" if it may go */
};

VR_DECLARE_ROW(build_file);

/** All builds that have a file, oldest first. */
VR_MUST_USE
int vr_store_build_file_list(struct vr_tx *tx, const struct vr_retention *limits,
                             struct vr_wall now, struct vr_build_file_rows *out,
                             struct vr_err *err);
/**
 * The file of a build is given up: status expired, no file. Looks again whether it is needed.
 * @out_expired  false: something refers to it by now, nothing was changed
 */
VR_MUST_USE
int vr_store_build_drop_file(struct vr_tx *tx, int64_t id, bool *out_expired, struct vr_err *err);

/** Whether any row refers to a blob. */
VR_MUST_USE
int vr_store_blob_is_used(struct vr_tx *tx, const char *sha256, bool *out, struct vr_err *err);

/* --- rows --- */

/** In this order: what refers to others goes before them. */
enum vr_sweep {
    VR_SWEEP_EVENTS,
    VR_SWEEP_TESTRESULTS,
    VR_SWEEP_TESTRUNS,
    VR_SWEEP_JOBS,
    VR_SWEEP_BUILD_LOGS,
    VR_SWEEP_COMMANDS,
    VR_SWEEP_PROCS,
    VR_SWEEP_ROLLOUTS,
    VR_SWEEP_LOG,
    VR_SWEEP_VERSIONS,
    VR_SWEEP_SESSIONS,
    VR_SWEEP_TOKENS,
    VR_SWEEP_KEYS,
    VR_SWEEP_COUNT,
};

#define VR_SWEEP_BATCH    500   /* rows of one transaction, at most */
#define VR_SWEEP_LIST_MAX 20000 /* listed at once */

/** "events", "test results", … */
const char *vr_sweep_name(enum vr_sweep sweep);
/** How many of a list to delete in one transaction, so that it is short. */
size_t vr_sweep_batch(enum vr_sweep sweep);

/** What may go, oldest first. Reads much: not for a write transaction. @out_ids given: free() */
VR_MUST_USE
int vr_store_sweep_list(struct vr_tx *tx, enum vr_sweep sweep, const struct vr_retention *limits,
                        struct vr_wall now, int64_t limit, int64_t **out_ids, size_t *out_n,
                        struct vr_err *err);
/**
 * Delete these, with what belongs to them; ones that something refers to by now stay.
 * @out_deleted  rows
 * @out_more     call again with the same ids: there was more to delete than one transaction may
 */
VR_MUST_USE
int vr_store_sweep_delete(struct vr_tx *tx, enum vr_sweep sweep, const struct vr_retention *limits,
                          struct vr_wall now, const int64_t *ids, size_t n, int64_t *out_deleted,
                          bool *out_more, struct vr_err *err);

#endif
