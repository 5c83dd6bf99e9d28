/* SPDX-License-Identifier: MIT */
/* One conformance test that every driver passes, and the migrations. */
#include "core/clock.h"
#include "core/tap.h"
#include "db/migrate.h"

#include <pthread.h>

/* Each driver says how to get an empty database. */
static char *make_url(void)
{
    return vr_strf("sqlite:%s/t.db", vr_tap_dir());
}

static struct vr_db *open_db(const struct vr_db_options *options)
{
    vr_auto_free char *url = make_url();
    struct vr_db *db = NULL;

    if (vr_db_open(url, options, &db, NULL) < 0)
        return NULL;
    return db;
}

static int script(struct vr_db *db, const char *sql)
{
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    int r = vr_db_begin(db, VR_DB_WRITE, &tx, NULL);

    if (r == 0)
        r = vr_db_script(tx, sql, NULL);
    return r < 0 ? r : vr_db_commit(tx, NULL);
}

#define SCHEMA                                                                                     \
    "CREATE TABLE a (id @ID@, name TEXT NOT NULL UNIQUE, n BIGINT);"                               \
    "CREATE TABLE b (id @ID@, a_id BIGINT NOT NULL REFERENCES a (id))"

TEST(vr_db_open__unknown_scheme__is_invalid)
{
    struct vr_db *db = NULL;

    CHECK(vr_db_open("dbase:/x", NULL, &db, NULL) == -VR_INVALID);
    CHECK(!db);
}

TEST(vr_db_insert__two_rows__gives_their_ids_and_reads_back)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int64_t id = 0, id2 = 0, changed = 0;

    CHECK(db && script(db, SCHEMA) == 0);
    CHECK(vr_db_begin(db, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_db_insert(tx, &id, NULL, "INSERT INTO a (name, n) VALUES ($1, $2) RETURNING id",
                       VR_T("one"), VR_NULL) == 0);
    /* out of order on purpose: $2 comes first */
    CHECK(vr_db_insert(tx, &id2, NULL, "INSERT INTO a (n, name) VALUES ($2, $1) RETURNING id",
                       VR_T("t'wo"), VR_I(-7)) == 0);
    CHECK(id2 > id);
    CHECK(vr_db_exec(tx, &changed, NULL, "UPDATE a SET n = 5 WHERE id = $1", VR_I(id)) == 0);
    CHECK(changed == 1);
    CHECK(vr_db_query(tx, &rows, NULL,
                      "SELECT id, name, n FROM a WHERE id IN @IDS($1)@ ORDER BY id",
                      VR_T("[1, 2, 99]")) == 0);
    CHECK(vr_db_next(rows, NULL) == 1);
    CHECK(vr_db_i64(rows, 0) == id && vr_db_i64(rows, 2) == 5);
    CHECK_STR(vr_db_text(rows, 1), "one");
    CHECK(vr_db_next(rows, NULL) == 1);
    CHECK_STR(vr_db_text(rows, 1), "t'wo");
    CHECK(vr_db_i64(rows, 2) == -7);
    CHECK(vr_db_next(rows, NULL) == 0);
}

TEST(vr_db_text__null__is_null)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;

    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_db_query(tx, &rows, NULL, "SELECT NULL, '', $1", VR_T(NULL)) == 0);
    CHECK(vr_db_next(rows, NULL) == 1);
    CHECK(vr_db_is_null(rows, 0) && !vr_db_is_null(rows, 1) && vr_db_is_null(rows, 2));
    CHECK(vr_db_i64(rows, 0) == 0 && !vr_db_bool(rows, 0));
    CHECK(!vr_db_text_dup(rows, 0));
}

TEST(vr_db_exec__unique_and_foreign_key__exist)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    struct vr_err err = VR_ERR_NULL;

    CHECK(script(db, SCHEMA
                 "; INSERT INTO a (name) VALUES ('x'); INSERT INTO b (a_id) VALUES (1)") == 0);
    CHECK(vr_db_begin(db, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_db_exec(tx, NULL, &err, "INSERT INTO a (name) VALUES ($1)", VR_T("x")) == -VR_EXISTS);
    CHECK(strstr(err.msg, "a.name"));
    CHECK(vr_db_exec(tx, NULL, NULL, "DELETE FROM a") == -VR_EXISTS);
    CHECK(vr_db_exec(tx, NULL, NULL, "INSERT INTO b (a_id) VALUES (42)") == -VR_EXISTS);
    /* and the transaction goes on */
    CHECK(vr_db_exec(tx, NULL, NULL, "INSERT INTO a (name) VALUES ('y')") == 0);
    CHECK(vr_db_commit(tx, NULL) == 0);
}

TEST(vr_db_exec__wrong_sql_or_values__is_a_bug)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;

    CHECK(vr_db_begin(db, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_db_exec(tx, NULL, NULL, "SELEKT 1") == -VR_BUG);
    CHECK(vr_db_exec(tx, NULL, NULL, "SELECT @NIX@") == -VR_BUG);
    CHECK(vr_db_exec(tx, NULL, NULL, "DELETE FROM sqlite_master WHERE 1 = $1") == -VR_BUG);
    CHECK(vr_db_exec(tx, NULL, NULL, "SELECT $1", VR_I(1), VR_I(2)) == -VR_BUG);
}

TEST(vr_db_tx_free__not_committed__rolls_back)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    int64_t n = -1;

    CHECK(script(db, SCHEMA) == 0);
    CHECK(vr_db_begin(db, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_db_exec(tx, NULL, NULL, "INSERT INTO a (name) VALUES ('x')") == 0);
    tx = vr_db_tx_free(tx);
    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_db_get_i64(tx, &n, NULL, "SELECT count(*) FROM a") == 0);
    CHECK(n == 0);
    CHECK(vr_db_get_i64(tx, &n, NULL, "SELECT id FROM a") == -VR_NOT_FOUND);
}

TEST(vr_db_insert__after_delete__never_uses_an_id_again)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    int64_t id = 0;

    CHECK(script(db, SCHEMA "; INSERT INTO a (name) VALUES ('x'); DELETE FROM a") == 0);
    CHECK(vr_db_begin(db, VR_DB_WRITE, &tx, NULL) == 0);
    CHECK(vr_db_insert(tx, &id, NULL, "INSERT INTO a (name) VALUES ('y') RETURNING id") == 0);
    CHECK(id == 2);
}

TEST(vr_db_begin__reader_while_writing__sees_the_moment_it_began)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *w = NULL;
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *r = NULL;
    int64_t n = -1;

    CHECK(script(db, SCHEMA) == 0);
    CHECK(vr_db_begin(db, VR_DB_WRITE, &w, NULL) == 0);
    CHECK(vr_db_exec(w, NULL, NULL, "INSERT INTO a (name) VALUES ('x')") == 0);
    CHECK(vr_db_begin(db, VR_DB_READ, &r, NULL) == 0);
    CHECK(vr_db_get_i64(r, &n, NULL, "SELECT count(*) FROM a") == 0 && n == 0);
    CHECK(vr_db_commit(w, NULL) == 0);
    CHECK(vr_db_get_i64(r, &n, NULL, "SELECT count(*) FROM a") == 0 && n == 0);
    r = vr_db_tx_free(r);
    CHECK(vr_db_begin(db, VR_DB_READ, &r, NULL) == 0);
    CHECK(vr_db_get_i64(r, &n, NULL, "SELECT count(*) FROM a") == 0 && n == 1);
    CHECK(vr_db_exec(r, NULL, NULL, "DELETE FROM a") < 0); /* a reader cannot write */
}

TEST(vr_db_begin__second_writer_of_a_thread__is_a_bug_and_does_not_hang)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *w = NULL;
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *w2 = NULL;

    CHECK(vr_db_begin(db, VR_DB_WRITE, &w, NULL) == 0);
    CHECK(vr_db_begin(db, VR_DB_WRITE, &w2, NULL) == -VR_BUG);
}

TEST(vr_db_begin__another_program_writes__is_busy)
{
    struct vr_db_options options = {.busy_ms = 20};
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_free) struct vr_db *other = open_db(&options);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *w = NULL;
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *w2 = NULL;

    CHECK(vr_db_begin(db, VR_DB_WRITE, &w, NULL) == 0);
    CHECK(vr_db_begin(other, VR_DB_WRITE, &w2, NULL) == -VR_BUSY);
    CHECK(vr_db_commit(w, NULL) == 0);
    CHECK(vr_db_begin(other, VR_DB_WRITE, &w2, NULL) == 0);
}

TEST(vr_db_begin__all_readers_taken__is_busy_until_one_is_back)
{
    struct vr_db_options options = {.busy_ms = 20};
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(&options);
    struct vr_db_tx *r[VR_DB_READERS_MAX] = {NULL};
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *more = NULL;
    int busy, free_again;

    for (size_t i = 0; i < VR_COUNT(r); i++)
        CHECK(vr_db_begin(db, VR_DB_READ, &r[i], NULL) == 0);
    busy = vr_db_begin(db, VR_DB_READ, &more, NULL);
    for (size_t i = 0; i < VR_COUNT(r); i++)
        vr_db_tx_free(r[i]);
    free_again = vr_db_begin(db, VR_DB_READ, &more, NULL);
    CHECK(busy == -VR_BUSY && free_again == 0);
}

struct racer {
    struct vr_db *db;
    int wrong;
};

#define RACE_ROUNDS 50

static void *count_up(void *arg)
{
    struct racer *racer = arg;

    for (int i = 0; i < RACE_ROUNDS; i++) {
        VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
        int64_t n = 0;

        if (vr_db_begin(racer->db, VR_DB_WRITE, &tx, NULL) < 0 ||
            vr_db_get_i64(tx, &n, NULL, "SELECT n FROM a") < 0 ||
            vr_db_exec(tx, NULL, NULL, "UPDATE a SET n = $1", VR_I(n + 1)) < 0 ||
            vr_db_commit(tx, NULL) < 0)
            racer->wrong++;
    }
    return NULL;
}

TEST(vr_db_begin__writers_of_many_threads__lose_no_update)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    struct racer racers[4] = {{db, 0}, {db, 0}, {db, 0}, {db, 0}};
    pthread_t threads[4];
    int64_t n = 0;

    CHECK(script(db, SCHEMA "; INSERT INTO a (name, n) VALUES ('x', 0)") == 0);
    for (size_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count_up, &racers[i]);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_db_get_i64(tx, &n, NULL, "SELECT n FROM a") == 0);
    CHECK(n == 4 * RACE_ROUNDS);
    CHECK(!racers[0].wrong && !racers[1].wrong && !racers[2].wrong && !racers[3].wrong);
}

TEST(vr_db_query__same_text_nested__keeps_both_apart)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *outer = NULL;
    static const char sql[] = "SELECT id FROM a ORDER BY id";
    int pairs = 0;

    CHECK(script(db, SCHEMA "; INSERT INTO a (name) VALUES ('x'), ('y'), ('z')") == 0);
    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_db_query(tx, &outer, NULL, sql) == 0);
    while (vr_db_next(outer, NULL) == 1) {
        VR_OWNED(vr_db_rows_free) struct vr_db_rows *inner = NULL;

        CHECK(vr_db_query(tx, &inner, NULL, sql) == 0);
        while (vr_db_next(inner, NULL) == 1)
            pairs++;
    }
    CHECK(pairs == 9);
}

TEST(vr_db_query__more_texts_than_the_cache_holds__still_answers)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;

    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2 * VR_DB_STATEMENT_MAX; i++) {
            vr_auto_free char *sql = vr_strf("SELECT %d + $1", i);
            int64_t n = 0;

            CHECK(vr_db_get_i64(tx, &n, NULL, sql, VR_I(1)) == 0);
            CHECK(n == i + 1);
        }
    }
}

static bool fail_at(void *user)
{
    return --*(int *)user == 0;
}

TEST(vr_db_commit__fault_at_each_statement__leaves_nothing)
{
    for (int at = 1; at <= 3; at++) {
        int countdown = 0;
        struct vr_db_options options = {.fault = fail_at, .fault_user = &countdown};
        VR_OWNED(vr_db_free) struct vr_db *db = open_db(&options);
        VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
        int64_t n = -1;
        int r;

        CHECK(script(db, "CREATE TABLE IF NOT EXISTS f (x BIGINT)") == 0);
        countdown = at;
        CHECK(vr_db_begin(db, VR_DB_WRITE, &tx, NULL) == 0);
        r = vr_db_exec(tx, NULL, NULL, "INSERT INTO f VALUES (1)");
        if (r == 0)
            r = vr_db_exec(tx, NULL, NULL, "INSERT INTO f VALUES (2)");
        if (r == 0)
            r = vr_db_commit(tx, NULL);
        CHECK(r == -VR_IO);
        tx = vr_db_tx_free(tx);
        CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
        CHECK(vr_db_get_i64(tx, &n, NULL, "SELECT count(*) FROM f") == 0);
        CHECK(n == 0);
    }
}

static struct vr_embed file(const char *name, const char *sql)
{
    return (struct vr_embed){name, (const unsigned char *)sql, strlen(sql)};
}

TEST(vr_db_migrate__twice__applies_each_script_once)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    struct vr_embed files[] = {file("0001_a.sql", "CREATE TABLE m (x BIGINT)"),
                               file("0002_b.sql", "INSERT INTO m VALUES (1)")};
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    int64_t version = 0, n = 0;

    CHECK(vr_db_migrate(db, files, 1, &version, NULL) == 0 && version == 1);
    CHECK(vr_db_migrate(db, files, 2, &version, NULL) == 0 && version == 2);
    CHECK(vr_db_migrate(db, files, 2, &version, NULL) == 0 && version == 2);
    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_db_get_i64(tx, &n, NULL, "SELECT count(*) FROM m") == 0 && n == 1);
}

TEST(vr_db_migrate__newer_schema__is_refused)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    struct vr_embed files[] = {file("0001_a.sql", "CREATE TABLE m (x BIGINT)"),
                               file("0002_b.sql", "INSERT INTO m VALUES (1)")};
    struct vr_err err = VR_ERR_NULL;

    CHECK(vr_db_migrate(db, files, 2, NULL, NULL) == 0);
    CHECK(vr_db_migrate(db, files, 1, NULL, &err) == -VR_DENIED);
    CHECK(strstr(err.msg, "newer version"));
}

TEST(vr_db_migrate__broken_script__leaves_the_version_before)
{
    VR_OWNED(vr_db_free) struct vr_db *db = open_db(NULL);
    struct vr_embed files[] = {file("0001_a.sql", "CREATE TABLE m (x BIGINT)"),
                               file("0002_b.sql", "INSERT INTO m VALUES (1); SELEKT")};
    VR_OWNED(vr_db_tx_free) struct vr_db_tx *tx = NULL;
    int64_t n = -1;

    CHECK(vr_db_migrate(db, files, 1, NULL, NULL) == 0);
    CHECK(vr_db_migrate(db, files, 2, NULL, NULL) == -VR_BUG);
    CHECK(vr_db_begin(db, VR_DB_READ, &tx, NULL) == 0);
    CHECK(vr_db_get_i64(tx, &n, NULL, "SELECT count(*) FROM m") == 0 && n == 0);
}
