/* SPDX-License-Identifier: MIT */
/* The database as its callers see it: transactions, constant SQL with bound values, rows. */
#ifndef VR_DB_DB_H
#define VR_DB_DB_H

#include "core/str.h"

/*
 * SQL is constant text that SQLite and PostgreSQL both accept, with parameters $1, $2 … A value
 * reaches it only as a bound parameter. Where the two differ, these words stand in the SQL and
 * the driver puts its own:
 *
 *   @ID@          type of an auto-increment primary key whose numbers are never used again
 *   @IDS($n)@     the numbers of a JSON array of integers, for `id IN @IDS($1)@`
 *   @STRPOS@      the function (text, part) that gives the place of a part, 0 if it is not there
 *   @FOLD@        the function (text) that makes A-Z lower case and leaves all else
 *   @REGEX@       the function (text, pattern) that says whether a POSIX extended regular
 *                 expression matches somewhere in the text; patterns by db/posix_regex.h only
 *   @IREGEX@      the same in any case
 *   @YEAR(x)@     the year, @MONTH(x)@ and @DAY(x)@ of microseconds since 1970, as integers in UTC
 *   @ISOTIME(x)@  them as `2026-01-31T12:00:00`
 *
 * One transaction belongs to one thread. All calls may block: a write waits for the one writer.
 */

#define VR_DB_PARAMS_MAX    160  /* of one statement */
#define VR_DB_READERS_MAX   16   /* read transactions at the same time; more wait */
#define VR_DB_BUSY_MS       5000 /* longest wait for the writer or a reader, then -VR_BUSY */
#define VR_DB_STATEMENT_MAX 128  /* prepared statements kept a connection */

struct vr_db;
struct vr_db_tx;
struct vr_db_rows;

/** Asked before each statement and each commit of write transactions; true makes it fail. */
typedef bool vr_db_fault_fn(void *user);

struct vr_db_options {
    int64_t busy_ms;       /* 0: VR_DB_BUSY_MS */
    vr_db_fault_fn *fault; /* for tests; NULL: none */
    void *fault_user;      /* borrowed */
};

/**
 * Open a database, made if it does not exist.
 *
 * @url      `sqlite:/folder/file`
 * @options  borrowed for this call; NULL: all defaults
 * @out      given; release with vr_db_free() after the last transaction
 *
 * Returns -VR_INVALID for an unknown scheme, -VR_DENIED, -VR_IO.
 */
VR_MUST_USE
int vr_db_open(const char *url, const struct vr_db_options *options, struct vr_db **out,
               struct vr_err *err);
struct vr_db *vr_db_free(struct vr_db *db);
VR_DEFINE_OWNED(struct vr_db, vr_db_free)

enum vr_db_mode {
    VR_DB_READ,  /* one moment of the database; does not wait for writers, nor they for it */
    VR_DB_WRITE, /* alone among writers */
};

/**
 * Begin a transaction. A thread that has a write transaction must not begin a second one.
 * @out  given; release with vr_db_tx_free(), which rolls back what was not committed
 *
 * Returns -VR_BUSY when the database is away or taken longer than busy_ms.
 */
VR_MUST_USE
int vr_db_begin(struct vr_db *db, enum vr_db_mode mode, struct vr_db_tx **out, struct vr_err *err);

/**
 * Commit and give the connection back; only vr_db_tx_free() may follow. On failure nothing of
 * the transaction is left: -VR_LIMIT (disk full), -VR_BUSY, -VR_IO.
 */
VR_MUST_USE
int vr_db_commit(struct vr_db_tx *tx, struct vr_err *err);
struct vr_db_tx *vr_db_tx_free(struct vr_db_tx *tx);
VR_DEFINE_OWNED(struct vr_db_tx, vr_db_tx_free)

enum vr_db_type {
    VR_DB_NULL,
    VR_DB_I64,
    VR_DB_TEXT,
};

struct vr_db_value {
    enum vr_db_type type;
    int64_t i;
    const char *text; /* borrowed until the statement was executed, or its rows freed */
    size_t n;
};

static inline struct vr_db_value vr_db_of_i64(int64_t i)
{
    return (struct vr_db_value){.type = VR_DB_I64, .i = i};
}

static inline struct vr_db_value vr_db_of_text(const char *text)
{
    return (struct vr_db_value){
        .type = text ? VR_DB_TEXT : VR_DB_NULL, .text = text, .n = text ? strlen(text) : 0};
}

#define VR_I(v)    vr_db_of_i64(v)           /* integer */
#define VR_B(v)    vr_db_of_i64((v) ? 1 : 0) /* boolean: SMALLINT 0 or 1 */
#define VR_T(text) vr_db_of_text(text)       /* text; NULL is null */
#define VR_ID(v)   vr_db_of_id(v)            /* reference; 0 is null */
#define VR_NULL    ((struct vr_db_value){.type = VR_DB_NULL})

static inline struct vr_db_value vr_db_of_id(int64_t id)
{
    return id ? vr_db_of_i64(id) : VR_NULL;
}

/* The leading dummy allows a call without parameters. */
#define VR_DB_VALUES(...)                                                                          \
    ((const struct vr_db_value[]){VR_NULL, ##__VA_ARGS__} + 1),                                    \
        sizeof((const struct vr_db_value[]){VR_NULL, ##__VA_ARGS__}) /                             \
                sizeof(struct vr_db_value) -                                                       \
            1

/**
 * Execute one statement that gives no rows.
 * @out_changed  rows changed; NULL if it does not matter
 *
 * Returns -VR_EXISTS when a unique or foreign key refuses (the message names it), -VR_LIMIT
 * (disk full), -VR_BUSY, -VR_IO; -VR_BUG for wrong SQL.
 *
 *     r = vr_db_exec(tx, &changed, err, "UPDATE apps SET name = $2 WHERE id = $1",
 *                    VR_I(id), VR_T(name));
 */
#define vr_db_exec(tx, out_changed, err, sql, ...)                                                 \
    vr_db_exec_values(tx, out_changed, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_db_exec_values(struct vr_db_tx *tx, int64_t *out_changed, struct vr_err *err,
                      const char *sql, const struct vr_db_value *values, size_t count);

/** Execute `INSERT … RETURNING id`; the codes of vr_db_exec(). */
#define vr_db_insert(tx, out_id, err, sql, ...)                                                    \
    vr_db_insert_values(tx, out_id, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_db_insert_values(struct vr_db_tx *tx, int64_t *out_id, struct vr_err *err, const char *sql,
                        const struct vr_db_value *values, size_t count);

/**
 * Execute a query.
 * @out_rows  given; release with vr_db_rows_free() before the transaction ends
 */
#define vr_db_query(tx, out_rows, err, sql, ...)                                                   \
    vr_db_query_values(tx, out_rows, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_db_query_values(struct vr_db_tx *tx, struct vr_db_rows **out_rows, struct vr_err *err,
                       const char *sql, const struct vr_db_value *values, size_t count);

/** Go to the next row: 1, 0 after the last, or -code. */
VR_MUST_USE
int vr_db_next(struct vr_db_rows *rows, struct vr_err *err);
struct vr_db_rows *vr_db_rows_free(struct vr_db_rows *rows);
VR_DEFINE_OWNED(struct vr_db_rows, vr_db_rows_free)

/*
 * Columns of the row, counted from 0. Null reads as 0, false and NULL. Texts are borrowed until
 * the next vr_db_next() or vr_db_rows_free(); vr_db_text_dup() gives one to release with free().
 */
int64_t vr_db_i64(struct vr_db_rows *rows, int column);
bool vr_db_bool(struct vr_db_rows *rows, int column);
const char *vr_db_text(struct vr_db_rows *rows, int column);
struct vr_str vr_db_str(struct vr_db_rows *rows, int column);
char *vr_db_text_dup(struct vr_db_rows *rows, int column);
bool vr_db_is_null(struct vr_db_rows *rows, int column);

/** One integer of the first row (0 if null); -VR_NOT_FOUND without a row. */
#define vr_db_get_i64(tx, out, err, sql, ...)                                                      \
    vr_db_get_i64_values(tx, out, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_db_get_i64_values(struct vr_db_tx *tx, int64_t *out, struct vr_err *err, const char *sql,
                         const struct vr_db_value *values, size_t count);

/** Execute several statements without parameters, as migrations have them. */
VR_MUST_USE
int vr_db_script(struct vr_db_tx *tx, const char *sql, struct vr_err *err);

#endif
