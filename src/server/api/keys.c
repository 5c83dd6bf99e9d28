/* SPDX-License-Identifier: MIT */
/*
 * The keys of secret values: shown, and changed by command.
 *
 * A rotation first adds a key, which seals from then on, then seals the older values anew in short
 * transactions, then drops the keys that seal nothing any more. Whatever interrupts it, every value
 * opens with a key that is in the file; the next rotation ends what this one began.
 */
#include "server/api/write.h"
#include "store/secret.h"

struct rotation {
    char newest[VR_KEYRING_ID];
    int64_t sealed;
    json_t *dropped;
};

/* ------------------------------------------------------------------ showing */

static int add_key(struct vr_tx *tx, const struct vr_keyring_key *key, bool seals, json_t *objects,
                   struct vr_err *err)
{
    char made[VR_WALL_TEXT_BYTES];
    int64_t values;
    int r = vr_store_secret_count(tx, key->id, &values, err);

    if (r < 0)
        return r;
    vr_wall_format(key->made, false, made);
    vr_json_push(objects, json_pack("{s:s, s:s, s:I, s:b}", "id", key->id, "created", made,
                                    "values", (json_int_t)values, "seals", seals));
    return 0;
}

static int list(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_json json_t *objects = json_array();
    struct vr_keyring_key keys[VR_KEYRING_KEYS];
    size_t count = vr_keyring_list(vr_store_keyring(call->server->store), keys);
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    for (size_t i = 0; r == 0 && i < count; i++)
        r = add_key(tx, &keys[i], i == count - 1, objects, err);
    if (r == 0)
        vr_reply_json(call, 200, json_pack("{s:O}", "objects", objects));
    return r;
}

/* ------------------------------------------------------------------ rotating */

/* Seal some values anew, in a transaction of their own; *left is what remains. */
static int seal_some(struct vr_server *server, int64_t *done, int64_t *left, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(server->store, VR_DB_WRITE, &tx, err);

    if (r == 0)
        r = vr_store_secret_reseal(tx, done, left, err);
    return r < 0 ? r : vr_server_commit(server, tx, err);
}

/* Drop the keys that seal nothing. The newest one stays, whatever it seals. */
static int drop_unused(struct vr_server *server, struct rotation *rotation, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_keyring *ring = vr_store_keyring(server->store);
    struct vr_keyring_key keys[VR_KEYRING_KEYS];
    size_t count = vr_keyring_list(ring, keys);
    /* A write transaction: nobody seals a value meanwhile. */
    int r = vr_store_begin(server->store, VR_DB_WRITE, &tx, err);

    for (size_t i = 0; r == 0 && i + 1 < count; i++) {
        int64_t values;

        r = vr_store_secret_count(tx, keys[i].id, &values, err);
        if (r == 0 && values == 0) {
            r = vr_keyring_drop(ring, keys[i].id, err);
            vr_json_push(rotation->dropped, json_string(keys[i].id));
        }
    }
    return r;
}

static int finish(struct vr_server *server, struct rotation *rotation, struct vr_err *err)
{
    int64_t left = 1, done = 1;

    while (left > 0 && done > 0) {
        int r = seal_some(server, &done, &left, err);

        if (r < 0)
            return r;
        rotation->sealed += done;
    }
    return drop_unused(server, rotation, err);
}

static void forget(void *data)
{
    struct rotation *rotation = data;

    json_decref(rotation->dropped);
    free(rotation);
}

/* The new key is in the file and in the log; what it is for follows. */
static void reply(struct vr_write *w)
{
    struct rotation *rotation = vr_take(w->reply_data);
    struct vr_err err = VR_ERR_NULL;
    int r = finish(w->call->server, rotation, &err);

    if (r < 0)
        vr_reply_error(w->call->req, r, &err);
    else
        vr_reply_json(w->call, 200,
                      json_pack("{s:s, s:I, s:O}", "key", rotation->newest, "sealed",
                                (json_int_t)rotation->sealed, "dropped", rotation->dropped));
    forget(rotation);
}

static int add_newest(struct vr_write *w, struct vr_err *err)
{
    struct rotation *rotation = vr_alloc(sizeof(*rotation));
    int r = vr_keyring_add(vr_store_keyring(w->call->server->store), w->call->now, rotation->newest,
                           err);

    rotation->dropped = json_array();
    w->reply = reply;
    w->reply_data = rotation;
    w->reply_free = forget;
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "rotate",
                                            .object = "keys of secret values",
                                            .resource = "keys"},
                          err);
    return r < 0 ? r
                 : vr_write_answer_json(w, 200, NULL, json_pack("{s:s}", "key", rotation->newest));
}

static int rotate(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, add_newest, NULL, err);
}

const struct vr_route vr_routes_keys[] = {
    {"GET", "keys", VR_ROLE_ADMIN, list},
    {"POST", "keys/rotate", VR_ROLE_ADMIN, rotate},
    {NULL},
};
