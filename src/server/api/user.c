/* SPDX-License-Identifier: MIT */
/* Users, their passwords, their tokens. */
#include "store/user.h"
#include "server/api/noun.h"
#include "store/token.h"

#include <inttypes.h>

#define INITIAL_PASSWORD "initial-password" /* in the data folder, until the first change */

/* ------------------------------------------------------------------ users */

static int read_role(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_user_row *user = row;
    const char *role = json_string_value(value);

    if (!role || vr_role_parse(role) == VR_ROLE_UNSET)
        return vr_fail(err, VR_INVALID, "role '%s' is none of viewer, deployer, admin",
                       role ? role : "");
    vr_noun_set(&user->role, role);
    return 0;
}

static const struct vr_noun_field user_fields[] = {
    {"username", VR_NOUN_NAME, offsetof(struct vr_user_row, username), true, VR_NAME_USERNAME},
    /* A hash by now: hash_password() was here before. */
    {"password", VR_NOUN_TEXT, offsetof(struct vr_user_row, password), true},
    {"role", VR_NOUN_OWN, offsetof(struct vr_user_row, role), .read = read_role},
    {"first_name", VR_NOUN_TEXT, offsetof(struct vr_user_row, first_name)},
    {"last_name", VR_NOUN_TEXT, offsetof(struct vr_user_row, last_name)},
    {"email", VR_NOUN_TEXT, offsetof(struct vr_user_row, email)},
    {"is_active", VR_NOUN_BOOL, offsetof(struct vr_user_row, is_active)},
    {"must_change_password", VR_NOUN_BOOL, offsetof(struct vr_user_row, must_change_password)},
};

VR_NOUN_STORE(user)
VR_NOUN_UPDATE(user)
VR_NOUN_FIND_ID(user)

static char *user_label(const void *row)
{
    const struct vr_user_row *user = row;

    return vr_strdup(user->username);
}

static void user_preset(const struct vr_write *w, void *row)
{
    struct vr_user_row *user = row;

    user->role = vr_strdup("deployer");
    user->is_active = true;
    user->joined_us = w->call->now.us;
}

/* An admin who locks themselves out would leave nobody to let them in again. */
static int keep_self(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_user_row *user = row;

    if (user->id != w->call->who.id || (user->is_active && vr_streq(user->role, "admin")))
        return 0;
    return vr_fail(err, VR_EXISTS, "user '%s' cannot take their own rights away", user->username);
}

static int refuse_self(struct vr_write *w, const void *row, struct vr_err *err)
{
    const struct vr_user_row *user = row;

    if (user->id != w->call->who.id)
        return 0;
    return vr_fail(err, VR_EXISTS, "user '%s' cannot delete themselves", user->username);
}

static const struct vr_noun user_noun = {
    .resource = VR_RES_USERS,
    .title = "user",
    .fields = user_fields,
    .field_count = VR_COUNT(user_fields),
    .row_bytes = sizeof(struct vr_user_row),
    .id_offset = offsetof(struct vr_user_row, id),
    .version_offset = offsetof(struct vr_user_row, row_version),
    .find = user_find,
    .insert = user_insert,
    .update = user_update,
    .remove = user_remove,
    .fini = user_fini,
    .label = user_label,
    .preset = user_preset,
    .check = keep_self,
    .leaving = refuse_self,
};

/* Hashing takes long: it is done before the transaction, in the body itself. */
static int hash_password(struct vr_call *call, struct vr_err *err)
{
    const json_t *value = json_object_get(call->body, "password");
    vr_auto_free char *hash = NULL;
    int r;

    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value))
        return vr_fail(err, VR_INVALID, "field 'password' is not a text");
    r = vr_auth_hash_password(json_string_value(value), &hash, err);
    if (r == 0)
        vr_json_set(call->body, "password", json_string(hash));
    return r;
}

static int change_user(struct vr_call *call,
                       int (*change)(struct vr_call *, const struct vr_noun *, struct vr_err *),
                       struct vr_err *err)
{
    int r = hash_password(call, err);

    if (r == 0)
        r = change(call, &user_noun, err);
    vr_auth_forget(call->server->auth);
    return r;
}

static int user_create(struct vr_call *call, struct vr_err *err)
{
    return change_user(call, vr_noun_create, err);
}

static int user_replace(struct vr_call *call, struct vr_err *err)
{
    return change_user(call, vr_noun_replace, err);
}

static int user_patch(struct vr_call *call, struct vr_err *err)
{
    return change_user(call, vr_noun_patch, err);
}

static int user_delete(struct vr_call *call, struct vr_err *err)
{
    return change_user(call, vr_noun_delete, err);
}

/* ------------------------------------------------------------------ passwords */

static int set_password(struct vr_write *w, struct vr_err *err)
{
    const char *hash = w->arg;
    VR_ROW(user) user = {0};
    int r = user_find(w->tx, w->call->args[0], &user, err);

    if (r < 0)
        return r;
    vr_noun_set(&user.password, hash);
    user.must_change_password = false;
    r = vr_store_user_update(w->tx, &user, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){
                              .action = "change password of",
                              .object = user.username,
                              .resource = vr_resource_name(VR_RES_USERS),
                              .object_id = user.id,
                          },
                          err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

/* Who changes their own shows that they know the old one; admins may set those of others. */
static int check_old(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(user) user = {0};
    const char *old;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = user_find(tx, call->args[0], &user, err);
    tx = vr_tx_free(tx);
    if (r < 0)
        return r;
    if (user.id != call->who.id)
        return call->who.role == VR_ROLE_ADMIN
                   ? 0
                   : vr_fail(err, VR_DENIED, "only an admin changes passwords of others");
    r = vr_json_get_str(call->body, "old", &old, err);
    if (r == 0 && !vr_auth_check_password(user.password, old))
        return vr_fail(err, VR_INVALID, "the old password is not right");
    return r;
}

static int change_password(struct vr_call *call, struct vr_err *err)
{
    vr_auto_free char *hash = NULL;
    vr_auto_free char *initial = vr_strf("%s/%s", call->server->config.data_dir, INITIAL_PASSWORD);
    const char *new;
    int r = check_old(call, err);

    if (r == 0)
        r = vr_json_get_str(call->body, "new", &new, err);
    if (r == 0)
        r = vr_auth_hash_password(new, &hash, err);
    if (r == 0)
        r = vr_write_run(call, set_password, hash, err);
    if (r < 0)
        return r;
    vr_auth_forget(call->server->auth);
    if (call->who.role == VR_ROLE_ADMIN)
        vr_ignore(unlink(initial), "it is there only until the first change");
    return 0;
}

/* ------------------------------------------------------------------ tokens */

static int read_expiry(const json_t *body, struct vr_wall now, int64_t *out, struct vr_err *err)
{
    const char *text;
    struct vr_wall expires;
    int r = vr_json_opt_str(body, "expires", NULL, &text, err);

    *out = 0;
    if (r < 0 || !text)
        return r;
    r = vr_wall_parse(vr_str(text), &expires, err);
    if (r == 0 && expires.us <= now.us)
        return vr_fail(err, VR_INVALID, "field 'expires' is in the past");
    if (r == 0)
        *out = expires.us;
    return r;
}

static int make_token(struct vr_write *w, struct vr_err *err)
{
    const struct vr_call *call = w->call;
    vr_auto_free char *token = NULL;
    vr_auto_free char *sha256 = NULL;
    struct vr_token_row row = {.user_id = call->who.id, .created_us = call->now.us};
    const char *name;
    int r;

    w->is_secret = true;
    w->field = "name";
    if (!json_object_get(call->body, "name"))
        return vr_write_missing(w, "name", err);
    r = vr_json_get_str(call->body, "name", &name, err);
    if (r == 0)
        r = vr_name_check(VR_NAME_DISPLAY, name, err);
    if (r < 0)
        return r;
    w->field = "expires";
    r = read_expiry(call->body, call->now, &row.expires_us, err);
    if (r < 0)
        return r;
    w->field = NULL;
    vr_auth_make_token(&token, &sha256);
    row.name = (char *)name;
    row.token_sha256 = sha256;
    r = vr_store_token_insert(w->tx, &row, &row.id, err);
    if (r == -VR_EXISTS)
        return vr_fail(err, VR_EXISTS, "user '%s' has a token '%s' already", call->who.username,
                       name);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){
                              .action = "create token",
                              .object = name,
                              .resource = vr_resource_name(VR_RES_TOKENS),
                              .object_id = row.id,
                          },
                          err);
    if (r < 0)
        return r;
    return vr_write_answer_json(
        w, 201, vr_ref_uri(VR_RES_TOKENS, row.id),
        json_pack("{s:I, s:s, s:s}", "id", (json_int_t)row.id, "name", name, "token", token));
}

static int remove_token(struct vr_write *w, struct vr_err *err)
{
    const struct vr_call *call = w->call;
    VR_ROW(token) token = {0};
    int64_t id;
    int r = vr_ref_id("token", call->args[0], &id, err);

    if (r == 0)
        r = vr_store_token_find_id(w->tx, id, &token, err);
    if (r == 0 && token.user_id != call->who.id && call->who.role != VR_ROLE_ADMIN)
        r = vr_fail(err, VR_NOT_FOUND, "token '%s' does not exist", call->args[0]);
    if (r == 0)
        r = vr_store_token_delete(w->tx, id, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){
                              .action = "delete token",
                              .object = token.name,
                              .resource = vr_resource_name(VR_RES_TOKENS),
                              .object_id = token.id,
                          },
                          err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

static int token_create(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, make_token, NULL, err);
}

static int token_delete(struct vr_call *call, struct vr_err *err)
{
    int r = vr_write_run(call, remove_token, NULL, err);

    vr_auth_forget(call->server->auth);
    return r;
}

/* ------------------------------------------------------------------ who am I */

static int show_self(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(user) user = {0};
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_user_find_id(tx, call->who.id, &user, err);
    if (r < 0)
        return r;
    vr_reply_json(call, 200,
                  json_pack("{s:I, s:s, s:s, s:o, s:b}", "id", (json_int_t)user.id, "username",
                            user.username, "role", vr_role_name(call->who.role), "resource_uri",
                            json_sprintf("/api/v1/user/%" PRId64 "/", user.id),
                            "must_change_password", user.must_change_password));
    return 0;
}

const struct vr_route vr_routes_user[] = {
    {"GET", "whoami", VR_ROLE_VIEWER, show_self},
    {"POST", "user", VR_ROLE_ADMIN, user_create},
    {"PUT", "user/*", VR_ROLE_ADMIN, user_replace},
    {"PATCH", "user/*", VR_ROLE_ADMIN, user_patch},
    {"DELETE", "user/*", VR_ROLE_ADMIN, user_delete},
    {"POST", "user/*/password", VR_ROLE_VIEWER, change_password, VR_SCOPE_OWN},
    {"POST", "tokens", VR_ROLE_VIEWER, token_create, VR_SCOPE_OWN},
    {"DELETE", "tokens/*", VR_ROLE_VIEWER, token_delete, VR_SCOPE_OWN},
    {NULL},
};
