/* SPDX-License-Identifier: MIT */
/* What a database must do to stand behind db.h; read by drivers only. */
#ifndef VR_DB_DB_DRIVER_H
#define VR_DB_DB_DRIVER_H

#include "db/db.h"

/* Opaque to db.c, each driver has its own. */
struct vr_db_pool;   /* all connections to one database */
struct vr_db_conn;   /* one connection, taken for a transaction */
struct vr_db_cursor; /* one statement being executed */

/** A word of the portable SQL and what this driver puts for it. */
struct vr_db_macro {
    const char *word; /* "@ID@"; "@IDS(" also takes the text up to ")@" as its argument */
    const char *text; /* what is put, or what goes before the argument */
    const char *tail; /* what goes behind the argument; NULL: the word has none */
};

struct vr_db_driver {
    const char *scheme; /* "sqlite" */
    const struct vr_db_macro *macros;
    size_t macro_count;
    const char *migrate_lock; /* statement that keeps other migrators out; NULL: writing does */

    int (*open)(const char *address, int64_t busy_ms, struct vr_db_pool **out, struct vr_err *err);
    void (*close)(struct vr_db_pool *pool);

    /* Take a connection and begin on it. end() commits or rolls back and gives it back even when
     * it fails; after a failed commit nothing of the transaction may be left. */
    int (*begin)(struct vr_db_pool *pool, enum vr_db_mode mode, struct vr_db_conn **out,
                 struct vr_err *err);
    int (*end)(struct vr_db_pool *pool, struct vr_db_conn *conn, bool commit, struct vr_err *err);

    /* `sql` is portable text: expand it by vr_db_expand() when it is not in the statement cache. */
    int (*start)(struct vr_db_conn *conn, const char *sql, const struct vr_db_value *values,
                 size_t count, struct vr_db_cursor **out, struct vr_err *err);
    int (*next)(struct vr_db_cursor *cursor, struct vr_err *err); /* 1, 0 or -code */
    int64_t (*changed)(struct vr_db_cursor *cursor);
    void (*finish)(struct vr_db_cursor *cursor);
    bool (*is_null)(struct vr_db_cursor *cursor, int column);
    int64_t (*i64)(struct vr_db_cursor *cursor, int column);
    struct vr_str (*text)(struct vr_db_cursor *cursor, int column); /* p NULL: null */

    int (*script)(struct vr_db_conn *conn, const char *sql, struct vr_err *err);
};

extern const struct vr_db_driver vr_db_sqlite;

#define VR_DB_SQL_BYTES (1u << 20) /* of one statement or script */

/** The driver's text of portable SQL; given, release with free(). */
VR_MUST_USE
int vr_db_expand(const struct vr_db_driver *driver, const char *sql, char **out,
                 struct vr_err *err);

/** The driver of an open database, for migrate.c. */
const struct vr_db_driver *vr_db_driver_of(const struct vr_db *db);

#endif
