/* SPDX-License-Identifier: MIT */
/*
 * Rows of secret values.
 *
 * The identity that a sealed value is bound to is its fingerprint: a row whose box was exchanged
 * for that of another row does not open. Plain values leave this file by vr_secrets_resolve()
 * only.
 */
#include "store/secret.h"

#include "model/hashes.h"
#include "store/row.h"
#include "store/settings.h"

#include <sodium.h>

#define ROOT_SETTING "secret_root_key" /* id of the root key that the fingerprints come from */
#define RESTORE_WORDS                                                                              \
    "without it the secret values in the database cannot be opened. Put the file back from its "   \
    "copy and start again"

/* ------------------------------------------------------------------ the file of keys */

static int ring_of(struct vr_tx *tx, struct vr_keyring **out, struct vr_err *err)
{
    *out = tx->keyring;
    return *out ? 0 : vr_fail(err, VR_BUG, "the store was opened without keys of secret values");
}

/* Every key that sealed a value must be there, and the root that made the fingerprints. */
static int check_ring(struct vr_tx *tx, struct vr_keyring *ring, int64_t values, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_free char *root = NULL;
    char id[VR_KEYRING_ID];
    int r;

    vr_keyring_root_id(ring, id);
    r = values ? vr_store_setting_take(tx, ROOT_SETTING, id, &root, err)
               : vr_store_setting_set(tx, ROOT_SETTING, id, err);
    if (r == 0 && root && !vr_streq(root, id))
        return vr_fail(err, VR_PARSE, "'%s' is not the file that belongs to this database: %s",
                       vr_keyring_path(ring), RESTORE_WORDS);
    if (r == 0)
        r = vr_db_query(tx->db, &rows, err, "SELECT DISTINCT key_id FROM secrets");
    while (r >= 0 && (r = vr_db_next(rows, err)) > 0)
        if (!vr_keyring_has(ring, vr_db_text(rows, 0)))
            return vr_fail(err, VR_PARSE, "'%s' does not have key %s: %s", vr_keyring_path(ring),
                           vr_db_text(rows, 0), RESTORE_WORDS);
    return r;
}

int vr_store_open_keyring(struct vr_store *store, const char *path, struct vr_wall now,
                          struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_OWNED(vr_keyring_free) struct vr_keyring *ring = NULL;
    int64_t values;
    int r = vr_store_begin(store, VR_DB_WRITE, &tx, err);

    if (r == 0)
        r = vr_db_get_i64(tx->db, &values, err, "SELECT count(*) FROM secrets");
    if (r < 0)
        return r;
    r = vr_keyring_open(path, values == 0, now, &ring, err);
    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "'%s' is missing: %s", path, RESTORE_WORDS);
    if (r == 0)
        r = check_ring(tx, ring, values, err);
    if (r == 0)
        r = vr_store_commit(tx, NULL, err);
    if (r == 0)
        vr_store_set_keyring(store, vr_take(ring));
    return r;
}

/* ------------------------------------------------------------------ values */

int vr_store_secret_take(struct vr_tx *tx, const char *value, int64_t user_id, struct vr_wall now,
                         int64_t *out_id, struct vr_err *err)
{
    char fingerprint[VR_HASH_SECRET_HEX], key_id[VR_KEYRING_ID];
    vr_auto_free char *sealed = NULL;
    struct vr_keyring *ring;
    size_t n = strlen(value);
    int r = ring_of(tx, &ring, err);

    if (r < 0)
        return r;
    if (n > VR_SECRET_BYTES_MAX)
        return vr_fail(err, VR_LIMIT, "a secret value has at most %u bytes", VR_SECRET_BYTES_MAX);
    vr_keyring_fingerprint(ring, value, n, fingerprint);
    r = vr_db_get_i64(tx->db, out_id, err, "SELECT id FROM secrets WHERE fingerprint = $1",
                      VR_T(fingerprint));
    if (r != -VR_NOT_FOUND)
        return r;
    vr_keyring_seal(ring, fingerprint, value, n, &sealed, key_id);
    return vr_db_insert(tx->db, out_id, err,
                        "INSERT INTO secrets (sealed, key_id, fingerprint, user_id, created_us)"
                        " VALUES ($1, $2, $3, $4, $5) RETURNING id",
                        VR_T(sealed), VR_T(key_id), VR_T(fingerprint), VR_ID(user_id),
                        VR_I(now.us));
}

int vr_store_secret_check(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int64_t found;
    int r = vr_db_get_i64(tx->db, &found, err, "SELECT id FROM secrets WHERE id = $1", VR_I(id));

    return r == -VR_NOT_FOUND ? vr_fail(err, VR_NOT_FOUND, "this secret value was deleted") : r;
}

/* ------------------------------------------------------------------ what a dict refers to */

struct value {
    int64_t id;
    char *text;
};

/* Texts by the ids of secrets, sorted by id: plain values, or fingerprints. */
struct vr_secrets {
    struct value *v;
    size_t n;
};

struct vr_secrets *vr_secrets_free(struct vr_secrets *secrets)
{
    if (!secrets)
        return NULL;
    for (size_t i = 0; i < secrets->n; i++)
        vr_keyring_wipe(secrets->v[i].text);
    free(secrets->v);
    free(secrets);
    return NULL;
}

static char *ids_of(json_t *const *dicts, size_t count, size_t *out_n)
{
    vr_auto_json json_t *ids = json_array();
    const char *key;
    json_t *value;

    for (size_t i = 0; i < count; i++)
        json_object_foreach (dicts[i], key, value)
            if (vr_secret_id(value))
                vr_json_push(ids, json_integer(vr_secret_id(value)));
    *out_n = json_array_size(ids);
    return vr_json_dump(ids);
}

static int load_row(struct vr_tx *tx, struct vr_db_rows *rows, bool plain, char **out,
                    struct vr_err *err)
{
    struct vr_keyring *ring;
    int r;

    if (!plain) {
        *out = vr_db_text_dup(rows, 1);
        return 0;
    }
    r = ring_of(tx, &ring, err);
    if (r == 0)
        r = vr_keyring_unseal(ring, vr_db_text(rows, 2), vr_db_text(rows, 1), vr_db_text(rows, 3),
                              out, err);
    return r < 0 ? vr_fail_in(err, r, "secret value %" PRId64, vr_db_i64(rows, 0)) : 0;
}

static int load(struct vr_tx *tx, json_t *const *dicts, size_t count, bool plain,
                struct vr_secrets **out, struct vr_err *err)
{
    VR_OWNED(vr_secrets_free) struct vr_secrets *secrets = vr_alloc(sizeof(*secrets));
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    size_t n;
    vr_auto_free char *ids = ids_of(dicts, count, &n);
    int r = 0;

    secrets->v = vr_alloc_array(n + 1, sizeof(*secrets->v));
    if (n)
        r = vr_db_query(tx->db, &rows, err,
                        "SELECT id, fingerprint, key_id, sealed FROM secrets"
                        " WHERE id IN @IDS($1)@ ORDER BY id",
                        VR_T(ids));
    while (n && r >= 0 && (r = vr_db_next(rows, err)) > 0) {
        struct value *value = &secrets->v[secrets->n];

        value->id = vr_db_i64(rows, 0);
        r = load_row(tx, rows, plain, &value->text, err);
        secrets->n += r == 0;
    }
    if (r < 0)
        return r;
    *out = vr_take(secrets);
    return 0;
}

static const char *find(const struct vr_secrets *secrets, int64_t id)
{
    size_t low = 0, high = secrets->n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (secrets->v[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < secrets->n && secrets->v[low].id == id ? secrets->v[low].text : NULL;
}

static json_t *plain_text(void *user, int64_t id)
{
    const char *text = find(user, id);

    return text ? json_string(text) : NULL;
}

static json_t *hashed_text(void *user, int64_t id)
{
    const char *text = find(user, id);

    return text ? vr_hashes_secret(text) : NULL;
}

int vr_secrets_load(struct vr_tx *tx, json_t *const *dicts, size_t count, struct vr_secrets **out,
                    struct vr_err *err)
{
    return load(tx, dicts, count, true, out, err);
}

json_t *vr_secrets_resolve(const struct vr_secrets *secrets, const json_t *dict)
{
    return vr_secret_replace(dict, plain_text, (void *)secrets, NULL);
}

const char *vr_secrets_missing(const struct vr_secrets *secrets, const json_t *dict)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)dict, key, value)
        if (vr_secret_id(value) && !find(secrets, vr_secret_id(value)))
            return key;
    return NULL;
}

int vr_store_secret_bytes(struct vr_tx *tx, json_t *const *dicts, size_t count, int64_t *out,
                          struct vr_err *err)
{
    VR_OWNED(vr_secrets_free) struct vr_secrets *secrets = NULL;
    int r = vr_secrets_load(tx, dicts, count, &secrets, err);

    *out = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        vr_auto_json json_t *plain = secrets->n ? vr_secrets_resolve(secrets, dicts[i]) : NULL;

        *out += (int64_t)json_dumpb(plain ? plain : dicts[i], NULL, 0, JSON_COMPACT);
    }
    return r;
}

static const char *key_of(const json_t *dict, int64_t id)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)dict, key, value)
        if (vr_secret_id(value) == id)
            return key;
    return "";
}

int vr_store_secret_hashed(struct vr_tx *tx, const json_t *dict, json_t **out, struct vr_err *err)
{
    VR_OWNED(vr_secrets_free) struct vr_secrets *prints = NULL;
    int64_t missing;
    int r = load(tx, (json_t *const[]){(json_t *)dict}, 1, false, &prints, err);

    if (r < 0)
        return r;
    *out = vr_secret_replace(dict, hashed_text, prints, &missing);
    return *out ? 0
                : vr_fail(err, VR_NOT_FOUND, "the value of secret '%s' was deleted: set it again",
                          key_of(dict, missing));
}

/* ------------------------------------------------------------------ rotation */

struct sealed_row {
    int64_t id;
    char *fingerprint, *key_id, *sealed;
};

static int reseal(struct vr_tx *tx, struct vr_keyring *ring, const struct sealed_row *row,
                  struct vr_err *err)
{
    vr_auto_free char *sealed = NULL;
    char key_id[VR_KEYRING_ID];
    char *plain = NULL;
    int r = vr_keyring_unseal(ring, row->key_id, row->fingerprint, row->sealed, &plain, err);

    if (r < 0)
        return vr_fail_in(err, r, "secret value %" PRId64, row->id);
    vr_keyring_seal(ring, row->fingerprint, plain, strlen(plain), &sealed, key_id);
    vr_keyring_wipe(plain);
    return vr_db_exec(tx->db, NULL, err,
                      "UPDATE secrets SET sealed = $2, key_id = $3 WHERE id = $1", VR_I(row->id),
                      VR_T(sealed), VR_T(key_id));
}

static void row_fini(struct sealed_row *row)
{
    free(row->fingerprint);
    free(row->key_id);
    free(row->sealed);
}

/* One row that has an older key, from `after` on: 1, or 0 if there is none. */
static int next_row(struct vr_tx *tx, const char *newest, int64_t after, struct sealed_row *out,
                    struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query(tx->db, &rows, err,
                        "SELECT id, fingerprint, key_id, sealed FROM secrets"
                        " WHERE key_id <> $1 AND id > $2 ORDER BY id LIMIT 1",
                        VR_T(newest), VR_I(after));

    if (r == 0)
        r = vr_db_next(rows, err);
    if (r <= 0)
        return r;
    *out = (struct sealed_row){vr_db_i64(rows, 0), vr_db_text_dup(rows, 1), vr_db_text_dup(rows, 2),
                               vr_db_text_dup(rows, 3)};
    return 1;
}

int vr_store_secret_reseal(struct vr_tx *tx, int64_t *out_done, int64_t *out_left,
                           struct vr_err *err)
{
    struct vr_keyring_key keys[VR_KEYRING_KEYS];
    struct vr_keyring *ring;
    const char *newest;
    int64_t after = 0;
    int r = ring_of(tx, &ring, err);

    if (r < 0)
        return r;
    newest = keys[vr_keyring_list(ring, keys) - 1].id;
    *out_done = 0;
    while (*out_done < VR_SECRET_RESEAL_MAX) {
        struct sealed_row row = {0};

        r = next_row(tx, newest, after, &row, err);
        if (r <= 0)
            break;
        r = reseal(tx, ring, &row, err);
        after = row.id;
        row_fini(&row);
        if (r < 0)
            break;
        ++*out_done;
    }
    if (r < 0)
        return r;
    return vr_db_get_i64(tx->db, out_left, err, "SELECT count(*) FROM secrets WHERE key_id <> $1",
                         VR_T(newest));
}

int vr_store_secret_count(struct vr_tx *tx, const char *key_id, int64_t *out, struct vr_err *err)
{
    return vr_db_get_i64(tx->db, out, err, "SELECT count(*) FROM secrets WHERE key_id = $1",
                         VR_T(key_id));
}

/* ------------------------------------------------------------------ what nobody refers to */

/*
 * Everything in which a reference can stand; of rollouts those that are open or can be gone back
 * to. Texts are searched and not parsed: a version may hold a document in a text. What is only
 * added to has its last row, $1: up to it nothing comes to refer to a value that it did not.
 */
static const struct place {
    const char *texts, *last;
} places[] = {
    {"SELECT secret_config_json || secret_env_json FROM ingredients"
     " WHERE secret_config_json || secret_env_json <> '{}{}' AND id > $1",
     NULL},
    {"SELECT secret_config_json || secret_env_json FROM swarms"
     " WHERE secret_config_json || secret_env_json <> '{}{}' AND id > $1",
     NULL},
    {"SELECT config_json || env_json FROM releases"
     " WHERE config_json || env_json LIKE '%\"" VR_SECRET_KEY "\"%' AND id > $1",
     "SELECT coalesce(max(id), 0) FROM releases"},
    {"SELECT wish_json FROM rollouts WHERE wish_json LIKE '%\"" VR_SECRET_KEY "\"%'"
     " AND (state <> 'ended' OR result = 'done') AND seq > $1",
     "SELECT coalesce(max(seq), 0) FROM rollouts"},
    {"SELECT data_json FROM versions WHERE data_json LIKE '%" VR_SECRET_KEY "%' AND id > $1",
     "SELECT coalesce(max(id), 0) FROM versions"},
};

_Static_assert(VR_COUNT(places) == VR_SECRET_PLACES, "each has its last row seen");

/* Rows, sorted by id, and which of them something refers to. */
struct marks {
    int64_t *ids;
    bool *used;
    size_t n;
};

static int by_id(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* Mark every row that a text refers to. */
static void mark_text(struct marks *marks, const char *text)
{
    for (const char *at = text; (at = strstr(at, VR_SECRET_KEY));) {
        const int64_t *found;
        size_t digits;
        int64_t id;

        at += strlen(VR_SECRET_KEY);
        at += strspn(at, "\\\": ");
        digits = strspn(at, "0123456789");
        if (vr_parse_i64((struct vr_str){at, digits}, 1, INT64_MAX, &id, NULL) < 0)
            continue;
        found = bsearch(&id, marks->ids, marks->n, sizeof(id), by_id);
        if (found)
            marks->used[found - marks->ids] = true;
    }
}

/* Mark what a row after `seen` refers to, in every place; the others stay on the list. */
static int keep_unused(struct vr_tx *tx, const int64_t *seen, int64_t *ids, size_t *n,
                       struct vr_err *err)
{
    struct marks marks = {ids, vr_alloc_array(*n + 1, sizeof(bool)), *n};
    int r = 0;

    for (size_t i = 0; i < VR_COUNT(places) && *n && r == 0; i++) {
        VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;

        r = vr_db_query(tx->db, &rows, err, places[i].texts, VR_I(seen[i]));
        while (r >= 0 && (r = vr_db_next(rows, err)) > 0)
            mark_text(&marks, vr_db_text(rows, 0));
    }
    *n = 0;
    for (size_t i = 0; i < marks.n && r == 0; i++)
        if (!marks.used[i])
            ids[(*n)++] = ids[i];
    free(marks.used);
    return r;
}

int vr_store_secret_find_unused(struct vr_tx *tx, struct vr_secret_unused *out, struct vr_err *err)
{
    static const int64_t nothing[VR_SECRET_PLACES] = {0};
    struct vr_secret_unused found = {0};
    int r = vr_row_ids(tx, &found.ids, &found.n, err, "SELECT id FROM secrets ORDER BY id");

    for (size_t i = 0; i < VR_COUNT(places) && r == 0; i++)
        if (places[i].last)
            r = vr_db_get_i64(tx->db, &found.seen[i], err, places[i].last);
    if (r == 0)
        r = keep_unused(tx, nothing, found.ids, &found.n, err);
    if (r < 0) {
        free(found.ids);
        return r;
    }
    *out = found;
    return 0;
}

int vr_store_secret_delete_unused(struct vr_tx *tx, struct vr_secret_unused *unused,
                                  int64_t *out_deleted, struct vr_err *err)
{
    size_t n = unused->n < VR_SECRET_SWEEP_MAX ? unused->n : VR_SECRET_SWEEP_MAX;
    int64_t *ids = unused->ids + unused->n - n;
    vr_auto_free char *text = NULL;
    int r;

    unused->n -= n;
    r = keep_unused(tx, unused->seen, ids, &n, err);
    text = vr_row_ids_text(ids, n);
    return r < 0 ? r
                 : vr_db_exec(tx->db, out_deleted, err, "DELETE FROM secrets WHERE id IN @IDS($1)@",
                              VR_T(text));
}
