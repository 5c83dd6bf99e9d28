/* SPDX-License-Identifier: MIT */
/* Secret values: rows that nobody reads back but the host that needs them. */
#ifndef VR_STORE_SECRET_H
#define VR_STORE_SECRET_H

#include "model/secret.h"
#include "store/keyring.h"
#include "store/store.h"

/*
 * A row is one value, sealed with a key of the store's keyring and bound to its fingerprint. The
 * same value is the same row, whoever set it: documents are equal exactly if their references are.
 * Rows never change but by a new seal, so what a rollout or a release froze stays what it was.
 */

#define VR_SECRET_RESEAL_MAX 200 /* rows of one transaction of vr_store_secret_reseal() */
#define VR_SECRET_SWEEP_MAX  500 /* unused rows that are deleted at once */

/**
 * Open the file of keys (made if there are no secret values yet) and keep it with the store, for
 * all transactions that begin from now on. Call it once, before the store is shared.
 *
 * Returns -VR_NOT_FOUND or -VR_PARSE with a sentence that says how to go on, if the file is not
 * there, damaged, or not the one that sealed what is in the database.
 */
VR_MUST_USE
int vr_store_open_keyring(struct vr_store *store, const char *path, struct vr_wall now,
                          struct vr_err *err);

/**
 * The row of a value, made if there is none.
 * Returns -VR_LIMIT for a longer one than VR_SECRET_BYTES_MAX.
 */
VR_MUST_USE
int vr_store_secret_take(struct vr_tx *tx, const char *value, int64_t user_id, struct vr_wall now,
                         int64_t *out_id, struct vr_err *err);

/** Is there such a row? -VR_NOT_FOUND names it. */
VR_MUST_USE
int vr_store_secret_check(struct vr_tx *tx, int64_t id, struct vr_err *err);

/**
 * A copy of a dict as it is hashed: vr_hashes_secret() in place of references. @out given
 * Returns -VR_NOT_FOUND naming the key of a value that was deleted.
 */
VR_MUST_USE
int vr_store_secret_hashed(struct vr_tx *tx, const json_t *dict, json_t **out, struct vr_err *err);

/** Plain values by id, in memory as short as can be. */
struct vr_secrets;

/** Read and unseal what the dicts refer to, with one query. @out given */
VR_MUST_USE
int vr_secrets_load(struct vr_tx *tx, json_t *const *dicts, size_t count, struct vr_secrets **out,
                    struct vr_err *err);
/** Overwrites the values. */
struct vr_secrets *vr_secrets_free(struct vr_secrets *secrets);
VR_DEFINE_OWNED(struct vr_secrets, vr_secrets_free)

/**
 * A copy of a dict with the plain values; only what is handed to a host may be made of it. A key
 * whose value was deleted is left out; vr_secrets_missing() names it, and a host must not start
 * anything without it. Given.
 */
json_t *vr_secrets_resolve(const struct vr_secrets *secrets, const json_t *dict);

/** A key of the dict whose value was deleted; NULL: none. Borrowed from it. */
const char *vr_secrets_missing(const struct vr_secrets *secrets, const json_t *dict);

/**
 * How long the dicts are as JSON with the plain values: what a host is sent of them.
 * @dicts  borrowed, may hold NULL
 */
VR_MUST_USE
int vr_store_secret_bytes(struct vr_tx *tx, json_t *const *dicts, size_t count, int64_t *out,
                          struct vr_err *err);

/**
 * Seal up to VR_SECRET_RESEAL_MAX rows anew whose key is not the newest.
 * @out_left  rows that still have an older one
 */
VR_MUST_USE
int vr_store_secret_reseal(struct vr_tx *tx, int64_t *out_done, int64_t *out_left,
                           struct vr_err *err);

/** How many values a key seals. */
VR_MUST_USE
int vr_store_secret_count(struct vr_tx *tx, const char *key_id, int64_t *out, struct vr_err *err);

#define VR_SECRET_PLACES 5 /* kinds of rows that refer to values */

/** What nothing referred to. */
struct vr_secret_unused {
    int64_t *ids; /* given; free() */
    size_t n;
    int64_t seen[VR_SECRET_PLACES]; /* up to which rows it was looked for */
};

/**
 * List the rows that nothing refers to: no ingredient, swarm, release, rollout that is open or
 * done, and no version. Reads all of these: for a read transaction, and not for every minute.
 */
VR_MUST_USE
int vr_store_secret_find_unused(struct vr_tx *tx, struct vr_secret_unused *out, struct vr_err *err);
/**
 * Delete up to VR_SECRET_SWEEP_MAX of them, and take them off the list. What something has come to
 * refer to meanwhile stays: only what is new since is read again, and what can change.
 */
VR_MUST_USE
int vr_store_secret_delete_unused(struct vr_tx *tx, struct vr_secret_unused *unused,
                                  int64_t *out_deleted, struct vr_err *err);

#endif
