/* SPDX-License-Identifier: MIT */
/* Passes that delete what is past keeping: files of builds, blobs, rows. */
#ifndef VR_ENGINE_RETENTION_H
#define VR_ENGINE_RETENTION_H

#include "blob/blob.h"
#include "core/log.h"
#include "store/retention.h"

#include <jansson.h>

#define VR_RETENTION_LOW_PERCENT 80     /* of the blob budget: where a pass above it stops */
#define VR_RETENTION_PAUSE_MS    5      /* between transactions, so that others get to write */
#define VR_RETENTION_HOLD_MS     50     /* a transaction is meant to be shorter */
#define VR_RETENTION_ROWS_MAX    500000 /* of one kind in one pass; the next one goes on */
#define VR_RETENTION_SHOWN_MAX   1000   /* builds in a plan */

void vr_retention_default(struct vr_retention *out);

/**
 * Read `retention:` of the configuration over what is in `out`. Days may be null: never by age.
 * Returns -VR_INVALID with a sentence that names key and value; `out` is untouched then.
 */
VR_MUST_USE
int vr_retention_read(const json_t *config, struct vr_retention *out, struct vr_err *err);

/** The limits as the configuration would say them; given. */
json_t *vr_retention_limits(const struct vr_retention *limits);

/** All borrowed. */
struct vr_retention_work {
    struct vr_store *store;
    struct vr_blobs *blobs;
    const struct vr_log *log;
    const struct vr_retention *limits;
    int (*commit)(void *user, struct vr_tx *tx, struct vr_err *err); /* and wakes who waits */
    bool (*pause)(void *user); /* between two transactions; false: end the pass here */
    void *user;
};

/**
 * Let builds expire whose file nothing needs, by age and number and, beyond the budget, by bytes;
 * delete blobs that nothing refers to. Blocks for as long as it takes; transactions are short.
 * @out_told  one sentence; given, free()
 */
VR_MUST_USE
int vr_retention_builds(const struct vr_retention_work *work, struct vr_wall now, char **out_told,
                        struct vr_err *err);

/**
 * Delete rows that are past keeping. As above. An error in one kind of them is logged, and the
 * others are gone on with; the first is returned.
 */
VR_MUST_USE
int vr_retention_rows(const struct vr_retention_work *work, struct vr_wall now, char **out_told,
                      struct vr_err *err);

/**
 * What passes would delete now, and why builds stay: {limits, builds: {go, stay, …}, blobs, rows}.
 * @tx  a read transaction; @out given
 */
VR_MUST_USE
int vr_retention_plan(struct vr_tx *tx, struct vr_blobs *blobs, const struct vr_retention *limits,
                      struct vr_wall now, json_t **out, struct vr_err *err);

#endif
