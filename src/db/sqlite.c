/* SPDX-License-Identifier: MIT */
/* SQLite as a driver: connections, transactions, and the codes of its errors. */

/*
 * The file is in WAL mode, so that readers see one moment and never wait for the writer. All
 * writes of this process go through one connection behind a mutex: waiting there is fair and
 * costs nothing, while SQLite's own lock is polled. Its busy timeout still covers other programs
 * on the same file (sqlite3, a second server started by mistake). Readers are taken from a pool
 * that grows to VR_DB_READERS_MAX; each keeps its prepared statements (sqlite_stmt.c).
 *
 * synchronous=FULL: a commit that was acknowledged survives a power cut. Moving the log into the
 * file (a checkpoint) syncs several times, and needs no writer to wait: whoever's commit made the
 * log long does it on a connection for this alone, after the writer was given back. Only a log that
 * keeps growing meanwhile, since there is always another writer, makes them wait for one.
 */
#include "core/clock.h"
#include "db/sqlite_regex.h"
#include "db/sqlite_stmt.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define MMAP_BYTES  "268435456"
#define CACHE_PAGES "-16384" /* KiB */
#define LOG_PAGES   1000     /* of the log: a checkpoint is due */
#define LOG_MAX     16000    /* a checkpoint with the writer held */

struct vr_db_pool {
    char *path;
    int64_t busy_ms;
    pthread_mutex_t write_lock; /* held from begin to end of a write transaction */
    struct vr_db_conn *writer;
    int log_pages; /* after the last commit; under write_lock */
    pthread_mutex_t checkpoint_lock;
    struct vr_db_conn *checkpointer;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t reader_back;
    struct vr_db_conn *idle[VR_DB_READERS_MAX];
    size_t idle_count;
    size_t reader_count;
};

int vr_sqlite_fail(struct vr_db_conn *conn, struct vr_err *err, const char *what)
{
    int code = conn->db ? sqlite3_extended_errcode(conn->db) : SQLITE_NOMEM;
    const char *text = conn->db ? sqlite3_errmsg(conn->db) : "out of memory";

    switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
        return vr_fail(err, VR_EXISTS, "%s", text);
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return vr_fail(err, VR_EXISTS, "something still refers to it, or it refers to nothing");
    }
    switch (code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return vr_fail(err, VR_BUSY, "database is locked: %s", what);
    case SQLITE_FULL:
        return vr_fail(err, VR_LIMIT, "disk full: %s", what);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return vr_fail(err, VR_DENIED, "%s", text);
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return vr_fail(err, VR_BUG, "%s: %.80s", text, what);
    default:
        return vr_fail(err, VR_IO, "%s", text);
    }
}

static int run(struct vr_db_conn *conn, const char *sql, struct vr_err *err)
{
    if (sqlite3_exec(conn->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return vr_sqlite_fail(conn, err, sql);
    return 0;
}

static struct vr_db_conn *conn_free(struct vr_db_conn *conn)
{
    if (!conn)
        return NULL;
    vr_sqlite_cache_fini(conn);
    sqlite3_close(conn->db);
    free(conn);
    return NULL;
}
VR_DEFINE_OWNED(struct vr_db_conn, conn_free)

static int conn_open(const struct vr_db_pool *pool, enum vr_db_mode mode, struct vr_db_conn **out,
                     struct vr_err *err)
{
    VR_OWNED(conn_free) struct vr_db_conn *conn = vr_alloc(sizeof(*conn));
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int r;

    conn->mode = mode;
    if (sqlite3_open_v2(pool->path, &conn->db, flags, NULL) != SQLITE_OK)
        return vr_sqlite_fail(conn, err, "open");
    sqlite3_extended_result_codes(conn->db, 1);
    sqlite3_busy_timeout(conn->db, (int)pool->busy_ms);
    r = run(conn,
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA temp_store = MEMORY; PRAGMA mmap_size = " MMAP_BYTES
            "; PRAGMA cache_size = " CACHE_PAGES ";",
            err);
    if (r == 0)
        r = vr_sqlite_add_regex(conn->db, err);
    if (r == 0 && mode == VR_DB_READ)
        r = run(conn, "PRAGMA query_only = ON", err);
    if (r < 0)
        return r;
    *out = vr_take(conn);
    return 0;
}

static void sqlite_close(struct vr_db_pool *pool)
{
    for (size_t i = 0; i < pool->idle_count; i++)
        conn_free(pool->idle[i]);
    conn_free(pool->checkpointer);
    conn_free(pool->writer);
    pthread_cond_destroy(&pool->reader_back);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->checkpoint_lock);
    pthread_mutex_destroy(&pool->write_lock);
    free(pool->path);
    free(pool);
}

static void init_locks(struct vr_db_pool *pool)
{
    pthread_condattr_t cond;
    pthread_mutexattr_t mutex;

    pthread_condattr_init(&cond);
    pthread_condattr_setclock(&cond, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->reader_back, &cond);
    pthread_condattr_destroy(&cond);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_mutex_init(&pool->checkpoint_lock, NULL);
    /* A second write transaction of the same thread is our bug and must not hang. */
    pthread_mutexattr_init(&mutex);
    pthread_mutexattr_settype(&mutex, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&pool->write_lock, &mutex);
    pthread_mutexattr_destroy(&mutex);
}

static int note_log(void *pool, sqlite3 *db, const char *name, int pages)
{
    ((struct vr_db_pool *)pool)->log_pages = pages;
    return SQLITE_OK;
}

/* One that fails or was not finished is tried again after the next commit. */
static void checkpoint(struct vr_db_conn *conn)
{
    sqlite3_wal_checkpoint_v2(conn->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

static void checkpoint_beside(struct vr_db_pool *pool)
{
    if (pthread_mutex_trylock(&pool->checkpoint_lock) != 0)
        return; /* under way */
    checkpoint(pool->checkpointer);
    pthread_mutex_unlock(&pool->checkpoint_lock);
}

static int sqlite_open(const char *address, int64_t busy_ms, struct vr_db_pool **out,
                       struct vr_err *err)
{
    struct vr_db_pool *pool;
    int r;

    if (!*address)
        return vr_fail(err, VR_INVALID, "no path");
    pool = vr_alloc(sizeof(*pool));
    pool->path = vr_strdup(address);
    pool->busy_ms = busy_ms;
    init_locks(pool);
    r = conn_open(pool, VR_DB_WRITE, &pool->writer, err);
    if (r == 0)
        r = conn_open(pool, VR_DB_WRITE, &pool->checkpointer, err);
    if (r < 0) {
        sqlite_close(pool);
        return r;
    }
    sqlite3_wal_hook(pool->writer->db, note_log, pool); /* instead of a checkpoint by itself */
    *out = pool;
    return 0;
}

/* pthreads can wait by CLOCK_MONOTONIC, not by the clock of core/clock.h. */
static struct timespec deadline(const struct vr_db_pool *pool)
{
    struct timespec t;
    int64_t ns;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ns = t.tv_nsec + pool->busy_ms * INT64_C(1000000);
    return (struct timespec){t.tv_sec + ns / VR_NS_PER_S, ns % VR_NS_PER_S};
}

static int take_writer(struct vr_db_pool *pool, struct vr_db_conn **out, struct vr_err *err)
{
    struct timespec until = deadline(pool);
    int e = pthread_mutex_clocklock(&pool->write_lock, CLOCK_MONOTONIC, &until);

    if (e == EDEADLK)
        return vr_fail(err, VR_BUG, "this thread has a write transaction already");
    if (e)
        return vr_fail(err, VR_BUSY, "another writer keeps the database");
    *out = pool->writer;
    return 0;
}

static int take_reader(struct vr_db_pool *pool, struct vr_db_conn **out, struct vr_err *err)
{
    struct timespec until = deadline(pool);
    bool make = false;
    int e = 0;
    int r = 0;

    pthread_mutex_lock(&pool->lock);
    while (!pool->idle_count && pool->reader_count == VR_DB_READERS_MAX && !e)
        e = pthread_cond_timedwait(&pool->reader_back, &pool->lock, &until);
    if (pool->idle_count) {
        *out = pool->idle[--pool->idle_count];
    } else if (pool->reader_count < VR_DB_READERS_MAX) {
        pool->reader_count++;
        make = true;
    } else {
        r = vr_fail(err, VR_BUSY, "all %d readers are taken", VR_DB_READERS_MAX);
    }
    pthread_mutex_unlock(&pool->lock);
    if (make)
        r = conn_open(pool, VR_DB_READ, out, err);
    if (make && r < 0) {
        pthread_mutex_lock(&pool->lock);
        pool->reader_count--;
        pthread_mutex_unlock(&pool->lock);
    }
    return r;
}

static void give_back(struct vr_db_pool *pool, struct vr_db_conn *conn)
{
    if (conn->mode == VR_DB_WRITE) {
        pthread_mutex_unlock(&pool->write_lock);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = conn;
    pthread_cond_signal(&pool->reader_back);
    pthread_mutex_unlock(&pool->lock);
}

static int sqlite_begin(struct vr_db_pool *pool, enum vr_db_mode mode, struct vr_db_conn **out,
                        struct vr_err *err)
{
    struct vr_db_conn *conn = NULL;
    int r = mode == VR_DB_WRITE ? take_writer(pool, &conn, err) : take_reader(pool, &conn, err);

    if (r < 0)
        return r;
    r = run(conn, mode == VR_DB_WRITE ? "BEGIN IMMEDIATE" : "BEGIN", err);
    if (r < 0) {
        give_back(pool, conn);
        return r;
    }
    *out = conn;
    return 0;
}

static int sqlite_end(struct vr_db_pool *pool, struct vr_db_conn *conn, bool commit,
                      struct vr_err *err)
{
    int r = commit ? run(conn, "COMMIT", err) : 0;
    int log_pages = commit && r == 0 && conn->mode == VR_DB_WRITE ? pool->log_pages : 0;

    /* SQLite has rolled back by itself after some errors (disk full), not after others. */
    if (!sqlite3_get_autocommit(conn->db))
        vr_ignore(run(conn, "ROLLBACK", NULL), "the connection is left without a transaction");
    if (log_pages > LOG_MAX)
        checkpoint(conn);
    give_back(pool, conn);
    if (log_pages > LOG_PAGES && log_pages <= LOG_MAX)
        checkpoint_beside(pool);
    return r;
}

static int sqlite_script(struct vr_db_conn *conn, const char *sql, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    int r = vr_db_expand(&vr_db_sqlite, sql, &text, err);

    return r < 0 ? r : run(conn, text, err);
}

static const struct vr_db_macro macros[] = {
    {"@ID@", "INTEGER PRIMARY KEY AUTOINCREMENT", NULL},
    {"@IDS(", "(SELECT value FROM json_each(", "))"},
    {"@STRPOS@", "instr", NULL},
    {"@FOLD@", "lower", NULL}, /* of ASCII only, without ICU */
    {"@REGEX@", "vr_regex", NULL},
    {"@IREGEX@", "vr_iregex", NULL},
    {"@YEAR(", "CAST(strftime('%Y', (", ") / 1000000, 'unixepoch') AS INTEGER)"},
    {"@MONTH(", "CAST(strftime('%m', (", ") / 1000000, 'unixepoch') AS INTEGER)"},
    {"@DAY(", "CAST(strftime('%d', (", ") / 1000000, 'unixepoch') AS INTEGER)"},
    {"@ISOTIME(", "strftime('%Y-%m-%dT%H:%M:%S', (", ") / 1000000, 'unixepoch')"},
};

const struct vr_db_driver vr_db_sqlite = {
    .scheme = "sqlite",
    .macros = macros,
    .macro_count = VR_COUNT(macros),
    .open = sqlite_open,
    .close = sqlite_close,
    .begin = sqlite_begin,
    .end = sqlite_end,
    .start = vr_sqlite_start,
    .next = vr_sqlite_next,
    .changed = vr_sqlite_changed,
    .finish = vr_sqlite_finish,
    .is_null = vr_sqlite_is_null,
    .i64 = vr_sqlite_i64,
    .text = vr_sqlite_text,
    .script = sqlite_script,
};
