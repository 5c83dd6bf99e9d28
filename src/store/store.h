/* SPDX-License-Identifier: MIT */
/* The platform's rows: opening the store, its transactions, and what a commit woke. */
#ifndef VR_STORE_STORE_H
#define VR_STORE_STORE_H

#include "core/clock.h"
#include "db/db.h"

/*
 * SQL lives in this folder only, one file a noun. A noun has rows (plain structs, for engine and
 * handlers; this header's VR_ROW) and a shape (its JSON in the API; resource.h). All functions
 * take a transaction, may block on the database, and pass up the codes of db.h: -VR_BUSY (away or
 * locked), -VR_LIMIT (disk full), -VR_IO. Beyond these:
 *
 *   find    -VR_NOT_FOUND with "app 'x' does not exist"
 *   insert  -VR_EXISTS when the name (or what is unique) is taken; gives the id
 *   update  by row->id; raises row_version; -VR_NOT_FOUND, -VR_EXISTS
 *   delete  -VR_NOT_FOUND; -VR_EXISTS with a sentence that lists what still uses it
 *
 * Times are microseconds since 1970 and come from the caller. Values are checked by src/model
 * before they get here; nothing is checked twice.
 */

struct vr_store;
struct vr_tx;

/** Open the database and bring its schema up to date; see vr_db_open() and vr_db_migrate(). */
VR_MUST_USE
int vr_store_open(const char *url, const struct vr_db_options *options, struct vr_store **out,
                  struct vr_err *err);
struct vr_store *vr_store_free(struct vr_store *store);
VR_DEFINE_OWNED(struct vr_store, vr_store_free)

/** Ports that procs get: `first` to `last`, both included. */
struct vr_port_range {
    int64_t first, last;
};

#define VR_PORT_FIRST     5000 /* of the range, unless it is set */
#define VR_PORT_LAST      5999
#define VR_PORT_RANGE_MAX 20000 /* ports of one range */

/** Parse `5000-5999`; -VR_INVALID unless it lies in 1024-65535 and is not too long. */
VR_MUST_USE
int vr_port_range_parse(const char *text, struct vr_port_range *out, struct vr_err *err);

/** From the next transaction on; procs that have a port keep it. */
void vr_store_set_ports(struct vr_store *store, struct vr_port_range range);
/** The range of a transaction's store. */
struct vr_port_range vr_store_ports(const struct vr_tx *tx);

#define VR_KEEP_RELEASES 10 /* unless it is set */

/** How many of its last done releases a swarm's hosts keep the slugs of; from the next transaction
 * on. Retention keeps the builds of as many. */
void vr_store_set_keep_releases(struct vr_store *store, int64_t count);

struct vr_keyring;

/** Keep the keys of secret values for transactions that begin from now on; taken. */
void vr_store_set_keyring(struct vr_store *store, struct vr_keyring *ring);
/** Borrowed; NULL if none was set (secret.h opens it). */
struct vr_keyring *vr_store_keyring(const struct vr_store *store);

/**
 * Begin; as vr_db_begin(). A write transaction whose order of reads and writes is
 * "load, decide, apply" sees nobody else's writes in between.
 * @out  given; release with vr_tx_free(), which rolls back what was not committed
 */
VR_MUST_USE
int vr_store_begin(struct vr_store *store, enum vr_db_mode mode, struct vr_tx **out,
                   struct vr_err *err);
struct vr_tx *vr_tx_free(struct vr_tx *tx);
VR_DEFINE_OWNED(struct vr_tx, vr_tx_free)

#define VR_TOUCHED_MAX 100000 /* hosts, and swarms, of one transaction */

/** What a commit changed: exactly these have to be looked at again. */
struct vr_touched {
    int64_t *hosts; /* ids whose desired state changed (rev was raised) */
    size_t host_count;
    int64_t *swarms; /* ids that the engine should look at */
    size_t swarm_count;
    int64_t first_event; /* ids of the events written; 0 if there were none */
    int64_t last_event;
};

void vr_touched_fini(struct vr_touched *touched);
#define vr_auto_touched __attribute__((cleanup(vr_touched_fini)))

/**
 * Raise `rev` of the touched hosts, write the collected events as the last statements, commit.
 * @out_touched  filled on success, release with vr_touched_fini(); may be NULL
 *
 * On failure nothing of the transaction is left. Only vr_tx_free() may follow.
 */
VR_MUST_USE
int vr_store_commit(struct vr_tx *tx, struct vr_touched *out_touched, struct vr_err *err);

/*
 * Note that the desired state of a host, or a swarm (its procs, rollouts, pool), changed. Called
 * by the functions of this folder that change them; callers need it only for changes that the
 * store cannot see (a stream was asked for). 0 is ignored.
 */
void vr_store_touch_host(struct vr_tx *tx, int64_t host_id);
void vr_store_touch_swarm(struct vr_tx *tx, int64_t swarm_id);

/*
 * Rows. `VR_ROW(app) app = {0};` is a row that is released at the end of its scope, VR_ROWS a list
 * of them. Texts are owned by the row; those that the schema allows to be null may be NULL.
 */
#define VR_DECLARE_ROW(noun)                                                                       \
    struct vr_##noun##_rows {                                                                      \
        struct vr_##noun##_row *v;                                                                 \
        size_t n;                                                                                  \
    };                                                                                             \
    void vr_##noun##_row_fini(struct vr_##noun##_row *row);                                        \
    void vr_##noun##_rows_fini(struct vr_##noun##_rows *rows)

#define VR_ROW(noun)  __attribute__((cleanup(vr_##noun##_row_fini))) struct vr_##noun##_row
#define VR_ROWS(noun) __attribute__((cleanup(vr_##noun##_rows_fini))) struct vr_##noun##_rows

#endif
