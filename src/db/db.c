/* SPDX-License-Identifier: MIT */
/* The contract of db.h in front of a driver. */

/*
 * A transaction is a connection that the driver lent; committing gives it back at once, so that a
 * handler that goes on to write its answer keeps nobody waiting. Everything that drivers share is
 * here: which driver a URL means, the codes for misuse, and the fault hook of the tests, which
 * makes any statement or commit of a write transaction fail as if the disk had gone.
 */
#include "db/db_driver.h"

struct vr_db {
    const struct vr_db_driver *driver;
    struct vr_db_pool *pool;
    vr_db_fault_fn *fault;
    void *fault_user;
};

struct vr_db_tx {
    struct vr_db *db;        /* borrowed */
    struct vr_db_conn *conn; /* NULL once it was given back */
    enum vr_db_mode mode;
};

struct vr_db_rows {
    const struct vr_db_driver *driver;
    struct vr_db_cursor *cursor;
};

static const struct vr_db_driver *const drivers[] = {&vr_db_sqlite};

static const struct vr_db_driver *find_driver(const char *url, const char **out_address)
{
    for (size_t i = 0; i < VR_COUNT(drivers); i++) {
        size_t n = strlen(drivers[i]->scheme);

        if (vr_str_has_prefix(url, drivers[i]->scheme) && url[n] == ':') {
            *out_address = url + n + 1;
            return drivers[i];
        }
    }
    return NULL;
}

int vr_db_open(const char *url, const struct vr_db_options *options, struct vr_db **out,
               struct vr_err *err)
{
    static const struct vr_db_options defaults = {0};
    VR_OWNED(vr_db_free) struct vr_db *db = vr_alloc(sizeof(*db));
    const char *address;
    int r;

    if (!options)
        options = &defaults;
    db->driver = find_driver(url, &address);
    if (!db->driver)
        return vr_fail(err, VR_INVALID, "database '%s': no driver of that scheme", url);
    db->fault = options->fault;
    db->fault_user = options->fault_user;
    r = db->driver->open(address, options->busy_ms ? options->busy_ms : VR_DB_BUSY_MS, &db->pool,
                         err);
    if (r < 0)
        return vr_fail_in(err, r, "open database '%s'", url);
    *out = vr_take(db);
    return 0;
}

struct vr_db *vr_db_free(struct vr_db *db)
{
    if (!db)
        return NULL;
    if (db->pool)
        db->driver->close(db->pool);
    free(db);
    return NULL;
}

const struct vr_db_driver *vr_db_driver_of(const struct vr_db *db)
{
    return db->driver;
}

int vr_db_begin(struct vr_db *db, enum vr_db_mode mode, struct vr_db_tx **out, struct vr_err *err)
{
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = vr_alloc(sizeof(*tx));
    int r;

    tx->db = db;
    tx->mode = mode;
    r = db->driver->begin(db->pool, mode, &tx->conn, err);
    if (r < 0)
        return vr_fail_in(err, r, "begin");
    *out = vr_take(tx);
    return 0;
}

static int end(struct vr_db_tx *tx, bool commit, struct vr_err *err)
{
    return tx->db->driver->end(tx->db->pool, vr_take(tx->conn), commit, err);
}

static int check_fault(const struct vr_db_tx *tx, struct vr_err *err)
{
    if (tx->mode == VR_DB_WRITE && tx->db->fault && tx->db->fault(tx->db->fault_user))
        return vr_fail(err, VR_IO, "fault asked for by a test");
    return 0;
}

int vr_db_commit(struct vr_db_tx *tx, struct vr_err *err)
{
    int r;

    if (!tx->conn)
        return vr_fail(err, VR_BUG, "commit of a transaction that has ended");
    r = check_fault(tx, err);
    if (r < 0) {
        vr_ignore(end(tx, false, NULL), "the fault is what counts");
        return r;
    }
    r = end(tx, true, err);
    return r < 0 ? vr_fail_in(err, r, "commit") : 0;
}

struct vr_db_tx *vr_db_tx_free(struct vr_db_tx *tx)
{
    if (!tx)
        return NULL;
    if (tx->conn)
        vr_ignore(end(tx, false, NULL), "nothing is lost by a rollback that fails");
    free(tx);
    return NULL;
}

static int start(struct vr_db_tx *tx, const char *sql, const struct vr_db_value *values,
                 size_t count, struct vr_db_cursor **out, struct vr_err *err)
{
    int r;

    if (!tx->conn)
        return vr_fail(err, VR_BUG, "statement after the end of its transaction");
    if (count > VR_DB_PARAMS_MAX)
        return vr_fail(err, VR_LIMIT, "%zu parameters", count);
    r = check_fault(tx, err);
    if (r < 0)
        return r;
    return tx->db->driver->start(tx->conn, sql, values, count, out, err);
}

int vr_db_exec_values(struct vr_db_tx *tx, int64_t *out_changed, struct vr_err *err,
                      const char *sql, const struct vr_db_value *values, size_t count)
{
    struct vr_db_cursor *cursor;
    int r = start(tx, sql, values, count, &cursor, err);

    if (r < 0)
        return r;
    r = tx->db->driver->next(cursor, err);
    if (r > 0)
        r = vr_fail(err, VR_BUG, "statement gave a row: %.80s", sql);
    if (r == 0 && out_changed)
        *out_changed = tx->db->driver->changed(cursor);
    tx->db->driver->finish(cursor);
    return r;
}

int vr_db_get_i64_values(struct vr_db_tx *tx, int64_t *out, struct vr_err *err, const char *sql,
                         const struct vr_db_value *values, size_t count)
{
    struct vr_db_cursor *cursor;
    int r = start(tx, sql, values, count, &cursor, err);

    if (r < 0)
        return r;
    r = tx->db->driver->next(cursor, err);
    if (r == 0)
        r = vr_fail(err, VR_NOT_FOUND, "no row: %.80s", sql);
    if (r > 0) {
        *out = tx->db->driver->i64(cursor, 0);
        r = 0;
    }
    tx->db->driver->finish(cursor);
    return r;
}

int vr_db_insert_values(struct vr_db_tx *tx, int64_t *out_id, struct vr_err *err, const char *sql,
                        const struct vr_db_value *values, size_t count)
{
    struct vr_db_cursor *cursor;
    int64_t id = 0;
    int r = start(tx, sql, values, count, &cursor, err);

    if (r < 0)
        return r;
    r = tx->db->driver->next(cursor, err);
    if (r > 0) {
        id = tx->db->driver->i64(cursor, 0);
        r = tx->db->driver->next(cursor, err); /* to its end: only then it is executed */
        if (r > 0)
            r = vr_fail(err, VR_BUG, "insert gave two rows: %.80s", sql);
    } else if (r == 0) {
        r = vr_fail(err, VR_BUG, "insert without RETURNING: %.80s", sql);
    }
    tx->db->driver->finish(cursor);
    if (r == 0)
        *out_id = id;
    return r;
}

int vr_db_query_values(struct vr_db_tx *tx, struct vr_db_rows **out_rows, struct vr_err *err,
                       const char *sql, const struct vr_db_value *values, size_t count)
{
    struct vr_db_cursor *cursor;
    int r = start(tx, sql, values, count, &cursor, err);

    if (r < 0)
        return r;
    *out_rows = vr_alloc(sizeof(**out_rows));
    **out_rows = (struct vr_db_rows){tx->db->driver, cursor};
    return 0;
}

int vr_db_next(struct vr_db_rows *rows, struct vr_err *err)
{
    return rows->driver->next(rows->cursor, err);
}

struct vr_db_rows *vr_db_rows_free(struct vr_db_rows *rows)
{
    if (!rows)
        return NULL;
    rows->driver->finish(rows->cursor);
    free(rows);
    return NULL;
}

int64_t vr_db_i64(struct vr_db_rows *rows, int column)
{
    return rows->driver->i64(rows->cursor, column);
}

bool vr_db_bool(struct vr_db_rows *rows, int column)
{
    return rows->driver->i64(rows->cursor, column) != 0;
}

struct vr_str vr_db_str(struct vr_db_rows *rows, int column)
{
    return rows->driver->text(rows->cursor, column);
}

const char *vr_db_text(struct vr_db_rows *rows, int column)
{
    return vr_db_str(rows, column).p;
}

char *vr_db_text_dup(struct vr_db_rows *rows, int column)
{
    struct vr_str s = vr_db_str(rows, column);

    return s.p ? vr_strndup(s.p, s.n) : NULL;
}

bool vr_db_is_null(struct vr_db_rows *rows, int column)
{
    return rows->driver->is_null(rows->cursor, column);
}

int vr_db_script(struct vr_db_tx *tx, const char *sql, struct vr_err *err)
{
    int r = check_fault(tx, err);

    if (r < 0)
        return r;
    return tx->db->driver->script(tx->conn, sql, err);
}
