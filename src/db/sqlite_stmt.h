/* SPDX-License-Identifier: MIT */
/* One SQLite connection and its prepared statements; read by the SQLite driver only. */
#ifndef VR_DB_SQLITE_STMT_H
#define VR_DB_SQLITE_STMT_H

#include "db/db_driver.h"

#include <sqlite3.h>

/** A prepared statement; in the connection's cache, or on the heap while that one is in use. */
struct vr_db_cursor {
    struct vr_db_conn *conn; /* borrowed */
    uint64_t hash;           /* of sql */
    char *sql;               /* portable text; NULL: a free slot */
    sqlite3_stmt *stmt;
    uint64_t used; /* when, in the connection's count */
    bool busy;
    bool cached;
    int64_t changed;
};

struct vr_db_conn {
    sqlite3 *db;
    enum vr_db_mode mode;
    uint64_t use_count;
    struct vr_db_cursor cache[VR_DB_STATEMENT_MAX];
};

/** The connection's last error as ours; `what` is said where SQLite's text is not enough. */
int vr_sqlite_fail(struct vr_db_conn *conn, struct vr_err *err, const char *what);

void vr_sqlite_cache_fini(struct vr_db_conn *conn);

/* The functions of the driver's table. */
int vr_sqlite_start(struct vr_db_conn *conn, const char *sql, const struct vr_db_value *values,
                    size_t count, struct vr_db_cursor **out, struct vr_err *err);
int vr_sqlite_next(struct vr_db_cursor *cursor, struct vr_err *err);
int64_t vr_sqlite_changed(struct vr_db_cursor *cursor);
void vr_sqlite_finish(struct vr_db_cursor *cursor);
bool vr_sqlite_is_null(struct vr_db_cursor *cursor, int column);
int64_t vr_sqlite_i64(struct vr_db_cursor *cursor, int column);
struct vr_str vr_sqlite_text(struct vr_db_cursor *cursor, int column);

#endif
