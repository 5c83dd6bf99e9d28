/* SPDX-License-Identifier: MIT */
/* Prepared statements of a SQLite connection: cached by text, bound by name, stepped. */

/*
 * Preparing costs more than most of our statements, and there are few texts: each connection keeps
 * the VR_DB_STATEMENT_MAX used last, found by a hash of the portable text. A statement that is
 * wanted again while its rows are still being read gets a second one for that time.
 *
 * SQLite gives `$2` the number of its first appearance, not 2: parameters are looked up by name.
 */
#include "db/sqlite_stmt.h"

#include <stdio.h>

static uint64_t hash_text(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037); /* FNV-1a */

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h;
}

static void clear_slot(struct vr_db_cursor *slot)
{
    sqlite3_finalize(slot->stmt);
    free(slot->sql);
    *slot = (struct vr_db_cursor){0};
}

void vr_sqlite_cache_fini(struct vr_db_conn *conn)
{
    for (size_t i = 0; i < VR_COUNT(conn->cache); i++)
        clear_slot(&conn->cache[i]);
}

static int prepare(struct vr_db_conn *conn, const char *sql, struct vr_db_cursor *slot,
                   struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    int r = vr_db_expand(&vr_db_sqlite, sql, &text, err);

    if (r < 0)
        return r;
    if (sqlite3_prepare_v3(conn->db, text, -1, SQLITE_PREPARE_PERSISTENT, &slot->stmt, NULL) !=
        SQLITE_OK)
        return vr_sqlite_fail(conn, err, sql);
    slot->conn = conn;
    slot->sql = vr_strdup(sql);
    slot->hash = hash_text(sql);
    return 0;
}

/* The slot of a text, or the one to put it into; NULL if all are being read from. */
static struct vr_db_cursor *find_slot(struct vr_db_conn *conn, const char *sql)
{
    uint64_t hash = hash_text(sql);
    struct vr_db_cursor *oldest = NULL;

    for (size_t i = 0; i < VR_COUNT(conn->cache); i++) {
        struct vr_db_cursor *slot = &conn->cache[i];

        if (slot->busy)
            continue;
        if (slot->sql && slot->hash == hash && !strcmp(slot->sql, sql))
            return slot;
        if (!oldest || slot->used < oldest->used)
            oldest = slot;
    }
    return oldest;
}

static int get_statement(struct vr_db_conn *conn, const char *sql, struct vr_db_cursor **out,
                         struct vr_err *err)
{
    struct vr_db_cursor *slot = find_slot(conn, sql);
    int r = 0;

    if (!slot) {
        slot = vr_alloc(sizeof(*slot));
        r = prepare(conn, sql, slot, err);
        if (r < 0)
            free(slot);
    } else if (!slot->sql || strcmp(slot->sql, sql)) {
        clear_slot(slot);
        r = prepare(conn, sql, slot, err);
        slot->cached = true;
    }
    if (r < 0)
        return r;
    slot->busy = true;
    slot->used = ++conn->use_count;
    slot->changed = 0;
    *out = slot;
    return 0;
}

static int bind(struct vr_db_cursor *cursor, size_t n, const struct vr_db_value *value,
                struct vr_err *err)
{
    char name[24];
    int at, e = SQLITE_OK;

    snprintf(name, sizeof(name), "$%zu", n);
    at = sqlite3_bind_parameter_index(cursor->stmt, name);
    if (!at)
        return vr_fail(err, VR_BUG, "no parameter %s in: %.80s", name, cursor->sql);
    switch (value->type) {
    case VR_DB_NULL:
        e = sqlite3_bind_null(cursor->stmt, at);
        break;
    case VR_DB_I64:
        e = sqlite3_bind_int64(cursor->stmt, at, value->i);
        break;
    case VR_DB_TEXT:
        e = sqlite3_bind_text64(cursor->stmt, at, value->text, value->n, SQLITE_STATIC,
                                SQLITE_UTF8);
        break;
    }
    return e == SQLITE_OK ? 0 : vr_sqlite_fail(cursor->conn, err, cursor->sql);
}

int vr_sqlite_start(struct vr_db_conn *conn, const char *sql, const struct vr_db_value *values,
                    size_t count, struct vr_db_cursor **out, struct vr_err *err)
{
    struct vr_db_cursor *cursor = NULL;
    int r = get_statement(conn, sql, &cursor, err);

    if (r < 0)
        return r;
    if ((size_t)sqlite3_bind_parameter_count(cursor->stmt) != count)
        r = vr_fail(err, VR_BUG, "%zu values for %d parameters: %.80s", count,
                    sqlite3_bind_parameter_count(cursor->stmt), sql);
    for (size_t i = 0; r == 0 && i < count; i++)
        r = bind(cursor, i + 1, &values[i], err);
    if (r < 0) {
        vr_sqlite_finish(cursor);
        return r;
    }
    *out = cursor;
    return 0;
}

int vr_sqlite_next(struct vr_db_cursor *cursor, struct vr_err *err)
{
    switch (sqlite3_step(cursor->stmt)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        cursor->changed = sqlite3_changes64(cursor->conn->db);
        return 0;
    default:
        return vr_sqlite_fail(cursor->conn, err, cursor->sql);
    }
}

int64_t vr_sqlite_changed(struct vr_db_cursor *cursor)
{
    return cursor->changed;
}

void vr_sqlite_finish(struct vr_db_cursor *cursor)
{
    sqlite3_reset(cursor->stmt);
    sqlite3_clear_bindings(cursor->stmt);
    cursor->busy = false;
    if (!cursor->cached) {
        clear_slot(cursor);
        free(cursor);
    }
}

bool vr_sqlite_is_null(struct vr_db_cursor *cursor, int column)
{
    return sqlite3_column_type(cursor->stmt, column) == SQLITE_NULL;
}

int64_t vr_sqlite_i64(struct vr_db_cursor *cursor, int column)
{
    return sqlite3_column_int64(cursor->stmt, column);
}

struct vr_str vr_sqlite_text(struct vr_db_cursor *cursor, int column)
{
    const char *p = (const char *)sqlite3_column_text(cursor->stmt, column);

    return (struct vr_str){p, p ? (size_t)sqlite3_column_bytes(cursor->stmt, column) : 0};
}
