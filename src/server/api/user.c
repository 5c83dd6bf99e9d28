/* SPDX-License-Identifier: MIT */
/*
 * Writing users: admins write all of them, everybody their own name and address.
 *
 * The grants of a user are a list of the object, as the hosts of a squad are.
 */
#include "store/user.h"
#include "server/api/noun_history.h"
#include "server/auth.h"
#include "server/password.h"
#include "store/grant.h"
#include "store/session.h"
#include "store/version.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ grants */

static bool has_id(const int64_t *ids, size_t n, int64_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static int read_grant(struct vr_write *w, const json_t *grant, int64_t *out_app, struct vr_err *err)
{
    const json_t *app = json_object_get(grant, "app");
    const char *role = json_string_value(json_object_get(grant, "role"));

    if (!json_is_object(grant) || !app)
        return vr_fail(err, VR_INVALID, "a grant is {\"app\": …, \"role\": \"deployer\"}");
    if (!vr_streq(role, "deployer"))
        return vr_fail(err, VR_INVALID, "a grant is of the role deployer, not '%s'",
                       role ? role : "");
    return vr_ref_find(w->tx, VR_RES_APPS, app, out_app, err);
}

/* The apps of `grants`. @out  room for VR_WHO_GRANTS_MAX */
static int read_grants(struct vr_write *w, const json_t *grants, int64_t *out, size_t *out_n,
                       struct vr_err *err)
{
    const json_t *grant;
    size_t i;

    *out_n = 0;
    if (!json_is_array(grants) && !json_is_null(grants))
        return vr_fail(err, VR_INVALID, "field 'grants' is not a list");
    if (json_array_size(grants) > VR_WHO_GRANTS_MAX)
        return vr_fail(err, VR_INVALID,
                       "a user has at most %d grants, not %zu: make them a deployer",
                       VR_WHO_GRANTS_MAX, json_array_size(grants));
    json_array_foreach (grants, i, grant) {
        int r = read_grant(w, grant, &out[i], err);

        if (r < 0)
            return r;
        if (has_id(out, i, out[i]))
            return vr_fail(err, VR_INVALID, "field 'grants' names an app twice");
        *out_n = i + 1;
    }
    return 0;
}

/* Does the body name other grants than the user has? These are in `out` then. */
static int read_new_grants(struct vr_write *w, const struct vr_user_row *user, const json_t *body,
                           int64_t *out, size_t *out_n, bool *out_differ, struct vr_err *err)
{
    const json_t *grants = json_object_get(body, "grants");
    VR_ROWS(grant) rows = {0};
    size_t same = 0;
    int r;

    *out_differ = false;
    if (!grants)
        return 0;
    w->field = "grants";
    r = read_grants(w, grants, out, out_n, err);
    if (r == 0)
        r = vr_store_grant_list(w->tx, user->id, &rows, err);
    if (r < 0)
        return r;
    w->field = NULL;
    for (size_t i = 0; i < rows.n; i++)
        same += has_id(out, *out_n, rows.v[i].app_id);
    *out_differ = same != rows.n || same != *out_n;
    return 0;
}

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
    {"password", VR_NOUN_TEXT, offsetof(struct vr_user_row, password), true, .form = VR_FORM_NEVER},
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

static int refuse_field(const struct vr_call *call, const char *field, struct vr_err *err)
{
    return vr_fail(err, VR_DENIED, "user '%s' is %s; '%s' of a user is changed by an admin",
                   call->who.username, vr_role_phrase(call->who.role), field);
}

/* Who is no admin may send back what they read, but change their own name and address only. */
static int refuse_others(struct vr_write *w, const struct vr_user_row *user, const json_t *body,
                         struct vr_err *err)
{
    VR_ROW(user) now = {0};
    int64_t apps[VR_WHO_GRANTS_MAX];
    size_t n = 0;
    bool differ;
    int r;

    if (user->id != w->call->who.id)
        return vr_fail(err, VR_DENIED, "user '%s' is %s; only an admin changes others",
                       w->call->who.username, vr_role_phrase(w->call->who.role));
    r = vr_store_user_find_id(w->tx, user->id, &now, err);
    if (r == 0)
        r = read_new_grants(w, user, body, apps, &n, &differ, err);
    if (r < 0)
        return r;
    if (!vr_streq(user->username, now.username))
        return refuse_field(w->call, "username", err);
    if (!vr_streq(user->password, now.password))
        return refuse_field(w->call, "password", err);
    if (!vr_streq(user->role, now.role))
        return refuse_field(w->call, "role", err);
    if (user->is_active != now.is_active)
        return refuse_field(w->call, "is_active", err);
    if (user->must_change_password != now.must_change_password)
        return refuse_field(w->call, "must_change_password", err);
    return differ ? refuse_field(w->call, "grants", err) : 0;
}

/* An admin who locks themselves out would leave nobody to let them in again. */
static int check_user(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_user_row *user = row;

    if (w->call->who.role < VR_ROLE_ADMIN)
        return refuse_others(w, user, body, err);
    if (user->id != w->call->who.id || (user->is_active && vr_streq(user->role, "admin")))
        return 0;
    return vr_fail(err, VR_EXISTS, "user '%s' cannot take their own rights away", user->username);
}

static int refuse_self(struct vr_write *w, const void *row, struct vr_err *err)
{
    const struct vr_user_row *user = row;

    w->forgets = user->id;
    if (user->id != w->call->who.id)
        return 0;
    return vr_fail(err, VR_EXISTS, "user '%s' cannot delete themselves", user->username);
}

/* `grants`, if it is given, is the whole list. Who may not log in any more is not logged in. */
static int user_stored(struct vr_write *w, const void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_user_row *user = row;
    int64_t apps[VR_WHO_GRANTS_MAX];
    size_t n = 0;
    bool differ;
    int r = read_new_grants(w, user, body, apps, &n, &differ, err);

    w->forgets = user->id;
    if (r == 0 && differ) {
        vr_write_note(w, "grants", NULL, NULL);
        r = vr_store_grant_set(w->tx, user->id, apps, n, err);
    }
    if (r == 0 && (!user->is_active || json_object_get(body, "password")))
        r = vr_store_session_delete_others(
            w->tx, user->id, user->id == w->call->who.id ? w->call->who.session_id : 0, err);
    return r;
}

static json_t *grant_of(json_t *app)
{
    return json_pack("{s:O, s:s}", "app", app, "role", "deployer");
}

static const struct vr_noun_list user_lists[] = {
    {"grants", VR_RES_APPS, vr_store_version_grants, grant_of},
    {NULL, VR_RES_COUNT, NULL, NULL},
};

static const struct vr_noun user_noun = {
    .resource = VR_RES_USERS,
    .title = "user",
    .fields = user_fields,
    .field_count = VR_COUNT(user_fields),
    .lists = user_lists,
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
    .check = check_user,
    .stored = user_stored,
    .leaving = refuse_self,
};

/* ------------------------------------------------------------------ handlers */

/*
 * Hashing takes long: it is done before the transaction, in the body itself, and not at all for
 * whoever may not set it. Who is no admin changes their own by showing the old one (account.c).
 */
static int hash_password(struct vr_call *call, struct vr_err *err)
{
    const json_t *value = json_object_get(call->body, "password");
    vr_auto_free char *hash = NULL;
    int r;

    if (!value || json_is_null(value))
        return 0;
    if (call->who.role < VR_ROLE_ADMIN)
        return refuse_field(call, "password", err);
    call->field = "password";
    if (!json_is_string(value))
        return vr_fail(err, VR_INVALID, "field 'password' is not a text");
    r = vr_password_hash(json_string_value(value), &hash, err);
    if (r < 0)
        return r;
    call->field = NULL;
    vr_json_set(call->body, "password", json_string(hash));
    return 0;
}

static int change_user(struct vr_call *call,
                       int (*change)(struct vr_call *, const struct vr_noun *, struct vr_err *),
                       struct vr_err *err)
{
    int r = hash_password(call, err);

    return r < 0 ? r : change(call, &user_noun, err);
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

static int user_restore(struct vr_call *call, struct vr_err *err)
{
    return change_user(call, vr_noun_restore, err);
}

static int user_revive(struct vr_call *call, struct vr_err *err)
{
    return change_user(call, vr_noun_revive, err);
}

static int user_versions(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_versions(call, &user_noun, err);
}

static int user_version(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_version(call, &user_noun, err);
}

const struct vr_route vr_routes_user[] = {
    {"POST", "user", VR_ROLE_ADMIN, user_create},
    {"PUT", "user/*", VR_ROLE_ADMIN, user_replace},
    {"PATCH", "user/*", VR_ROLE_VIEWER, user_patch, VR_SCOPE_OWN},
    {"DELETE", "user/*", VR_ROLE_ADMIN, user_delete},
    VR_NOUN_HISTORY_ROUTES(user, "user", VR_ROLE_ADMIN, VR_ROLE_ADMIN, VR_SCOPE_PLATFORM),
    {NULL},
};
