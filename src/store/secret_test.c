/* SPDX-License-Identifier: MIT */
#include "store/secret.h"

#include "core/tap.h"
#include "fmt/json.h"
#include "model/hashes.h"
#include "store/ingredient.h"
#include "store/store_fixture.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VALUE "correct horse battery"

struct vault {
    struct vr_store *store;
    struct vr_tx *tx;
    char *path;
    struct vr_err err;
};

#define VAULT(v) __attribute__((cleanup(vault_fini))) struct vault v

static void vault_fini(struct vault *v)
{
    vr_tx_free(v->tx);
    vr_store_free(v->store);
    free(v->path);
}

static bool vault_open(struct vault *v)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/secrets.db", vr_tap_dir());

    *v = (struct vault){.path = vr_strf("%s/secret-keys", vr_tap_dir())};
    return vr_store_open(url, NULL, &v->store, &v->err) == 0 &&
           vr_store_open_keyring(v->store, v->path, NOW, &v->err) == 0 &&
           vr_store_begin(v->store, VR_DB_WRITE, &v->tx, &v->err) == 0;
}

static bool vault_commit(struct vault *v)
{
    bool good = vr_store_commit(v->tx, NULL, &v->err) == 0;

    v->tx = vr_tx_free(v->tx);
    return good && vr_store_begin(v->store, VR_DB_WRITE, &v->tx, &v->err) == 0;
}

/* The value that a reference stands for; NULL if it does not open. */
static char *value_of(struct vault *v, int64_t id)
{
    vr_auto_json json_t *dict = json_pack("{s:{s:I}}", "A", VR_SECRET_KEY, (json_int_t)id);
    VR_OWNED(vr_secrets_free) struct vr_secrets *secrets = NULL;
    vr_auto_json json_t *plain = NULL;

    if (vr_secrets_load(v->tx, &dict, 1, &secrets, &v->err) < 0)
        return NULL;
    plain = vr_secrets_resolve(secrets, dict);
    return vr_strdup(json_string_value(json_object_get(plain, "A")));
}

static bool take(struct vault *v, const char *value, int64_t *out)
{
    return vr_store_secret_take(v->tx, value, 1, NOW, out, &v->err) == 0;
}

TEST(secret_take__gives_the_value_back_and_the_same_row_for_the_same_value)
{
    VAULT(v);
    int64_t first, again, other;
    vr_auto_free char *value = NULL;

    CHECK(vault_open(&v));
    CHECK(take(&v, VALUE, &first) && take(&v, VALUE, &again) && take(&v, "", &other));
    CHECK(first == again && other != first);
    value = value_of(&v, first);
    CHECK_STR(value, VALUE);
}

TEST(secret_take__too_long__is_refused)
{
    VAULT(v);
    vr_auto_free char *text = vr_alloc(VR_SECRET_BYTES_MAX + 2);
    int64_t id;

    CHECK(vault_open(&v));
    memset(text, 'x', VR_SECRET_BYTES_MAX + 1);
    CHECK(vr_store_secret_take(v.tx, text, 1, NOW, &id, &v.err) == -VR_LIMIT);
}

TEST(secret_hashed__is_the_fingerprint_and_not_the_value)
{
    VAULT(v);
    vr_auto_json json_t *dict = NULL;
    vr_auto_json json_t *hashed = NULL;
    vr_auto_free char *text = NULL;
    int64_t id;

    CHECK(vault_open(&v) && take(&v, VALUE, &id));
    dict = json_pack("{s:{s:I}, s:i}", "A", VR_SECRET_KEY, (json_int_t)id, "b", 1);
    CHECK(vr_store_secret_hashed(v.tx, dict, &hashed, &v.err) == 0);
    text = vr_json_dump(hashed);
    CHECK(!strstr(text, VALUE));
    CHECK(strlen(json_string_value(json_object_get(json_object_get(hashed, "A"), "secret"))) == 64);
    CHECK(json_integer_value(json_object_get(hashed, "b")) == 1);
}

TEST(secret_resolve__a_deleted_value__leaves_its_key_out_and_is_not_hashed)
{
    VAULT(v);
    vr_auto_json json_t *dict = json_pack("{s:{s:i}, s:s}", "A", VR_SECRET_KEY, 77, "b", "1");
    VR_OWNED(vr_secrets_free) struct vr_secrets *secrets = NULL;
    vr_auto_json json_t *plain = NULL;
    json_t *hashed = NULL;

    CHECK(vault_open(&v));
    CHECK(vr_secrets_load(v.tx, &dict, 1, &secrets, &v.err) == 0);
    plain = vr_secrets_resolve(secrets, dict);
    CHECK(json_object_size(plain) == 1);
    CHECK_STR(vr_secrets_missing(secrets, dict), "A");
    CHECK(vr_store_secret_hashed(v.tx, dict, &hashed, &v.err) == -VR_NOT_FOUND);
    CHECK_STR(v.err.msg, "the value of secret 'A' was deleted: set it again");
}

TEST(secret_load__a_box_of_another_row__does_not_open)
{
    VAULT(v);
    struct vr_keyring *ring;
    vr_auto_free char *sealed = NULL;
    char key_id[VR_KEYRING_ID];
    char *plain = NULL;

    CHECK(vault_open(&v));
    ring = vr_store_keyring(v.store);
    vr_keyring_seal(ring, "one", VALUE, strlen(VALUE), &sealed, key_id);
    CHECK(vr_keyring_unseal(ring, key_id, "another", sealed, &plain, &v.err) == -VR_PARSE);
    CHECK(vr_keyring_unseal(ring, "0123456789abcdef", "one", sealed, &plain, &v.err) ==
          -VR_NOT_FOUND);
    CHECK(vr_keyring_unseal(ring, key_id, "one", sealed, &plain, &v.err) == 0);
    CHECK_STR(plain, VALUE);
    vr_keyring_wipe(plain);
}

TEST(secret_database__never_holds_a_value)
{
    VAULT(v);
    int64_t id;
    vr_auto_free char *raw = NULL;
    vr_auto_free char *wal = vr_strf("%s/secrets.db-wal", vr_tap_dir());
    size_t n = 0;

    CHECK(vault_open(&v) && take(&v, VALUE, &id) && vault_commit(&v));
    CHECK(vr_fs_read(wal, 64 << 20, &raw, &n, &v.err) == 0);
    CHECK(n > 0 && !memmem(raw, n, VALUE, strlen(VALUE)));
}

TEST(secret_reseal__all_rows_get_the_new_key_and_the_old_one_can_go)
{
    VAULT(v);
    struct vr_keyring *ring;
    struct vr_keyring_key keys[VR_KEYRING_KEYS];
    char newest[VR_KEYRING_ID];
    int64_t id[3], done, left, count;
    vr_auto_free char *value = NULL;

    CHECK(vault_open(&v));
    ring = vr_store_keyring(v.store);
    CHECK(take(&v, VALUE, &id[0]) && take(&v, "b", &id[1]) && take(&v, "c", &id[2]));
    CHECK(vr_keyring_add(ring, AT(1), newest, &v.err) == 0);
    CHECK(vr_store_secret_reseal(v.tx, &done, &left, &v.err) == 0);
    CHECK(done == 3 && left == 0);
    CHECK(vr_store_secret_reseal(v.tx, &done, &left, &v.err) == 0 && done == 0);
    CHECK(vr_store_secret_count(v.tx, newest, &count, &v.err) == 0 && count == 3);
    CHECK(vr_keyring_list(ring, keys) == 2);
    CHECK_STR(keys[1].id, newest);
    CHECK(vr_keyring_drop(ring, newest, &v.err) == -VR_BUG);
    CHECK(vr_keyring_drop(ring, keys[0].id, &v.err) == 0);
    value = value_of(&v, id[0]);
    CHECK_STR(value, VALUE);
}

TEST(secret_reseal__interrupted__loses_nothing_and_is_ended_by_the_next)
{
    VAULT(v);
    struct vr_keyring *ring;
    struct vr_keyring_key keys[VR_KEYRING_KEYS];
    char key[VR_KEYRING_ID];
    int64_t many = VR_SECRET_RESEAL_MAX + 5, id, done, left;
    vr_auto_free char *value = NULL;

    CHECK(vault_open(&v));
    for (int64_t i = 0; i < many; i++) {
        vr_auto_free char *text = vr_strf("value %" PRId64, i);

        CHECK(take(&v, text, &id));
    }
    CHECK(vault_commit(&v));
    CHECK(vr_keyring_add(vr_store_keyring(v.store), AT(1), key, &v.err) == 0);
    CHECK(vr_store_secret_reseal(v.tx, &done, &left, &v.err) == 0 && left == 5);
    CHECK(vault_commit(&v));

    /* As after kill -9: two keys, some values under each. */
    v.tx = vr_tx_free(v.tx);
    vr_store_free(v.store);
    free(v.path);
    CHECK(vault_open(&v));
    ring = vr_store_keyring(v.store);
    CHECK(vr_keyring_list(ring, keys) == 2);
    value = value_of(&v, id);
    CHECK_STR(value, "value 204");
    CHECK(vr_keyring_add(ring, AT(2), key, &v.err) == 0);
    CHECK(vr_store_secret_reseal(v.tx, &done, &left, &v.err) == 0 && left == 5);
    CHECK(vr_store_secret_reseal(v.tx, &done, &left, &v.err) == 0 && left == 0);
    CHECK(vr_keyring_drop(ring, keys[0].id, &v.err) == 0);
    CHECK(vr_keyring_drop(ring, keys[1].id, &v.err) == 0);
    free(value);
    value = value_of(&v, id);
    CHECK_STR(value, "value 204");
}

/* Close the store and open it again with the file as it is now; the code of that. */
static int reopen(struct vault *v)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/secrets.db", vr_tap_dir());
    int r;

    v->tx = vr_tx_free(v->tx);
    v->store = vr_store_free(v->store);
    r = vr_store_open(url, NULL, &v->store, &v->err);
    return r < 0 ? r : vr_store_open_keyring(v->store, v->path, NOW, &v->err);
}

TEST(secret_open_keyring__a_file_that_is_gone_or_another__is_said)
{
    VAULT(v);
    struct stat st;
    int64_t id;
    vr_auto_free char *kept = vr_strf("%s/kept", vr_tap_dir());
    VR_OWNED(vr_keyring_free) struct vr_keyring *other = NULL;

    CHECK(vault_open(&v) && take(&v, VALUE, &id) && vault_commit(&v));
    CHECK(stat(v.path, &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(reopen(&v) == 0);
    CHECK(rename(v.path, kept) == 0);
    CHECK(reopen(&v) == -VR_NOT_FOUND);
    CHECK(strstr(v.err.msg, "secret-keys' is missing") && strstr(v.err.msg, "start again"));
    CHECK(vr_keyring_open(v.path, true, NOW, &other, &v.err) == 0);
    CHECK(reopen(&v) == -VR_PARSE);
    CHECK(strstr(v.err.msg, "is not the file that belongs to this database"));
    CHECK(rename(kept, v.path) == 0);
    CHECK(reopen(&v) == 0);
}

TEST(secret_open_keyring__without_values__a_new_file_is_good)
{
    VAULT(v);

    CHECK(vault_open(&v) && unlink(v.path) == 0);
    CHECK(reopen(&v) == 0);
    CHECK(vr_fs_exists(v.path));
}

TEST(keyring_open__a_damaged_line__is_named)
{
    static const char *const bad[] = {"", "root 12\n", "key a b c\n", "what\n"};
    vr_auto_free char *path = vr_strf("%s/keys", vr_tap_dir());
    VR_OWNED(vr_keyring_free) struct vr_keyring *ring = NULL;
    struct vr_err err;

    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        CHECK(vr_fs_write(path, bad[i], strlen(bad[i]), 0600, &err) == 0);
        CHECK(vr_keyring_open(path, true, NOW, &ring, &err) == -VR_PARSE);
        CHECK(strstr(err.msg, "restore it from a copy"));
    }
}

static bool keep_ingredient(struct vault *v, int64_t secret)
{
    vr_auto_free char *entries =
        vr_strf("{\"A\":{\"" VR_SECRET_KEY "\":%" PRId64 ",\"by\":\"ann\"}}", secret);
    struct vr_ingredient_row row = {.name = (char *)"db", .secret_env_json = entries};
    int64_t id;

    return vr_store_ingredient_insert(v->tx, &row, &id, &v->err) == 0;
}

/* Find and delete; the number of deleted rows, -1 on failure. */
static int64_t sweep(struct vault *v)
{
    struct vr_secret_unused unused = {0};
    int64_t deleted = -1;

    if (vr_store_secret_find_unused(v->tx, &unused, &v->err) == 0 &&
        vr_store_secret_delete_unused(v->tx, &unused, &deleted, &v->err) < 0)
        deleted = -1;
    free(unused.ids);
    return deleted;
}

TEST(secret_sweep__named_between_look_and_deletion__stays)
{
    VAULT(v);
    struct vr_secret_unused found = {0};
    int64_t named, unused, deleted = 0;

    CHECK(vault_open(&v));
    CHECK(take(&v, "1", &named) && take(&v, "2", &unused));
    CHECK(vr_store_secret_find_unused(v.tx, &found, &v.err) == 0 && found.n == 2);
    CHECK(keep_ingredient(&v, named));
    CHECK(vr_store_secret_delete_unused(v.tx, &found, &deleted, &v.err) == 0);
    CHECK(deleted == 1 && found.n == 0);
    CHECK(vr_store_secret_check(v.tx, named, &v.err) == 0);
    CHECK(vr_store_secret_check(v.tx, unused, &v.err) == -VR_NOT_FOUND);
    free(found.ids);
}

TEST(secret_sweep__only_what_nothing_refers_to_goes)
{
    VAULT(v);
    int64_t kept, in_version, unused;

    CHECK(vault_open(&v));
    CHECK(take(&v, "1", &kept) && take(&v, "2", &in_version) && take(&v, "3", &unused));
    CHECK(keep_ingredient(&v, kept));
    CHECK(sweep(&v) == 2);
    CHECK(vr_store_secret_check(v.tx, kept, &v.err) == 0);
    CHECK(vr_store_secret_check(v.tx, unused, &v.err) == -VR_NOT_FOUND);
    CHECK(sweep(&v) == 0);
}
