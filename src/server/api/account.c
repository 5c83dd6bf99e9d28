/* SPDX-License-Identifier: MIT */
/* What a user does about themselves: who they are, their password, their sessions. */
#include "server/api/account.h"

#include "server/api/ref.h"
#include "server/api/write.h"
#include "server/auth.h"
#include "server/password.h"
#include "store/app.h"
#include "store/session.h"
#include "store/user.h"

#define INITIAL_PASSWORD "initial-password" /* in the data folder, until the first change */

/* ------------------------------------------------------------------ who am I */

/* The apps for which they are more than elsewhere. */
static int list_grants(struct vr_tx *tx, const struct vr_who *who, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *grants = json_array();

    for (size_t i = 0; i < who->app_count; i++) {
        VR_ROW(app) app = {0};
        vr_auto_free char *uri = NULL;
        int r = vr_store_app_find_id(tx, who->apps[i], &app, err);

        if (r < 0)
            return r;
        uri = vr_resource_uri(VR_RES_APPS, app.name);
        vr_json_push(grants, json_pack("{s:s, s:s}", "app", uri, "role", "deployer"));
    }
    *out = vr_take(grants);
    return 0;
}

static json_t *end_of_session(const struct vr_who *who)
{
    char text[VR_WALL_TEXT_BYTES];

    if (!who->session_ends_us)
        return json_null();
    vr_wall_format((struct vr_wall){who->session_ends_us}, false, text);
    return json_string(text);
}

int vr_account_show(struct vr_call *call, json_t **out, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(user) user = {0};
    vr_auto_free char *uri = vr_ref_uri(VR_RES_USERS, call->who.id);
    json_t *grants = NULL;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_user_find_id(tx, call->who.id, &user, err);
    if (r == 0)
        r = list_grants(tx, &call->who, &grants, err);
    if (r < 0)
        return r;
    *out = json_pack("{s:I, s:s, s:s, s:o, s:s, s:o, s:s, s:b}", "id", (json_int_t)user.id,
                     "username", user.username, "role", vr_role_name(call->who.role), "grants",
                     grants, "via", call->who.via, "session_ends", end_of_session(&call->who),
                     "resource_uri", uri, "must_change_password", user.must_change_password);
    return 0;
}

static int show_self(struct vr_call *call, struct vr_err *err)
{
    json_t *account;
    int r = vr_account_show(call, &account, err);

    if (r == 0)
        vr_reply_json(call, 200, account);
    return r;
}

/* ------------------------------------------------------------------ sessions */

static int find_user(struct vr_tx *tx, const struct vr_call *call, struct vr_user_row *out,
                     struct vr_err *err)
{
    int64_t id;
    int r = vr_ref_id("user", call->args[0], &id, err);

    return r < 0 ? r : vr_store_user_find_id(tx, id, out, err);
}

/* All but the one that the request comes by. */
static int end_sessions(struct vr_write *w, int64_t user_id, struct vr_err *err)
{
    const struct vr_who *who = &w->call->who;

    return vr_store_session_delete_others(w->tx, user_id, user_id == who->id ? who->session_id : 0,
                                          err);
}

/* All of them: whoever asks because a computer was lost has lost this session, too. */
static int log_out_everywhere(struct vr_write *w, struct vr_err *err)
{
    const struct vr_who *who = &w->call->who;
    VR_ROW(user) user = {0};
    int r = find_user(w->tx, w->call, &user, err);

    if (r == 0 && user.id != who->id && who->role < VR_ROLE_ADMIN)
        r = vr_fail(err, VR_DENIED, "user '%s' is %s; only an admin ends sessions of others",
                    who->username, vr_role_phrase(who->role));
    if (r == 0)
        r = vr_store_session_delete_others(w->tx, user.id, 0, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "end sessions of",
                                            .object = user.username,
                                            .resource = vr_resource_name(VR_RES_USERS),
                                            .object_id = user.id},
                          err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

static int delete_sessions(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, log_out_everywhere, NULL, err);
}

/* ------------------------------------------------------------------ passwords */

static int set_password(struct vr_write *w, struct vr_err *err)
{
    const char *hash = w->arg;
    VR_ROW(user) user = {0};
    int r = find_user(w->tx, w->call, &user, err);

    if (r < 0)
        return r;
    free(user.password);
    user.password = vr_strdup(hash);
    user.must_change_password = false;
    w->forgets = user.id;
    r = vr_store_user_update(w->tx, &user, err);
    if (r == 0)
        r = end_sessions(w, user.id, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "change password of",
                                            .object = user.username,
                                            .resource = vr_resource_name(VR_RES_USERS),
                                            .object_id = user.id},
                          err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

/*
 * Who changes their own shows that they know the old one, and is throttled as a log-in is; admins
 * may set those of others. Returns 1 if it was answered.
 */
static int check_old(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(user) user = {0};
    struct vr_who who;
    const char *old;
    int64_t wait_s = 1;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = find_user(tx, call, &user, err);
    tx = vr_tx_free(tx);
    if (r < 0)
        return r;
    if (user.id != call->who.id)
        return call->who.role == VR_ROLE_ADMIN
                   ? 0
                   : vr_fail(err, VR_DENIED, "only an admin changes passwords of others");
    call->field = "old";
    r = vr_json_get_str(call->body, "old", &old, err);
    if (r < 0)
        return r;
    r = vr_auth_log_in(call->server->auth, call->req, user.username, old, &who, &wait_s, err);
    if (r == -VR_DENIED)
        return vr_fail(err, VR_INVALID, "the old password is not right");
    if (r == -VR_LIMIT) {
        vr_reply_refused(call->req, r, wait_s, err);
        return 1;
    }
    return r;
}

static int change_password(struct vr_call *call, struct vr_err *err)
{
    vr_auto_free char *hash = NULL;
    vr_auto_free char *initial = vr_strf("%s/%s", call->server->config.data_dir, INITIAL_PASSWORD);
    const char *new;
    int r = check_old(call, err);

    if (r != 0)
        return r < 0 ? r : 0;
    call->field = "new";
    r = vr_json_get_str(call->body, "new", &new, err);
    if (r == 0)
        r = vr_password_hash(new, &hash, err);
    if (r < 0)
        return r;
    call->field = NULL;
    r = vr_write_run(call, set_password, hash, err);
    if (r < 0)
        return r;
    if (call->who.role == VR_ROLE_ADMIN)
        vr_ignore(unlink(initial), "it is there only until the first change");
    return 0;
}

const struct vr_route vr_routes_account[] = {
    {"GET", "whoami", VR_ROLE_VIEWER, show_self, VR_SCOPE_OWN},
    {"POST", "user/*/password", VR_ROLE_VIEWER, change_password, VR_SCOPE_OWN},
    {"DELETE", "user/*/sessions", VR_ROLE_VIEWER, delete_sessions, VR_SCOPE_OWN, 0, "end-sessions"},
    {NULL},
};
