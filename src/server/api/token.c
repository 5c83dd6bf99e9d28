/* SPDX-License-Identifier: MIT */
/*
 * Tokens of users: for programs, which may less than their users where that is enough for them.
 *
 * The token itself is shown once, when it is made; what is kept is its hash.
 */
#include "store/token.h"
#include "model/name.h"
#include "server/api/ref.h"
#include "server/api/write.h"
#include "server/auth.h"

#include <inttypes.h>

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

static int read_name(struct vr_write *w, const char **out, struct vr_err *err)
{
    int r;

    w->field = "name";
    r = vr_json_get_str(w->call->body, "name", out, err);
    if (r == 0)
        r = vr_name_check(VR_NAME_DISPLAY, *out, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

/* A token with an end gives none later, else whoever has it would have it for good. */
static int check_own_end(struct vr_write *w, int64_t expires_us, struct vr_err *err)
{
    const struct vr_who *who = &w->call->who;
    VR_ROW(token) own = {0};
    char end[VR_WALL_TEXT_BYTES];
    int r = who->token_id ? vr_store_token_find_id(w->tx, who->token_id, &own, err) : 0;

    if (r < 0 || !own.expires_us || (expires_us && expires_us <= own.expires_us))
        return r;
    vr_wall_format((struct vr_wall){own.expires_us}, false, end);
    return vr_fail(err, VR_INVALID, "field 'expires' is %s the end of %s, which asks: %s",
                   expires_us ? "after" : "needed, at most", who->via, end);
}

static int read_expires(struct vr_write *w, int64_t *out, struct vr_err *err)
{
    int r;

    w->field = "expires";
    r = read_expiry(w->call->body, w->call->now, out, err);
    if (r == 0)
        r = check_own_end(w, *out, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

/* The most that the user may anywhere: what a token may that nothing is said about. */
static enum vr_role most_of(const struct vr_who *who)
{
    return who->app_count && who->role < VR_ROLE_DEPLOYER ? VR_ROLE_DEPLOYER : who->role;
}

/* No more than the user may, for the app if it is for one. */
static int read_role(struct vr_write *w, int64_t app_id, const char **out, struct vr_err *err)
{
    const struct vr_who *who = &w->call->who;
    enum vr_role most = app_id ? vr_who_role_for(who, app_id) : most_of(who);
    enum vr_role role;
    int r;

    w->field = "role";
    r = vr_json_opt_str(w->call->body, "role", vr_role_name(most), out, err);
    if (r < 0)
        return r;
    role = vr_role_parse(*out);
    if (role == VR_ROLE_UNSET)
        return vr_fail(err, VR_INVALID, "role '%s' is none of viewer, deployer, admin", *out);
    if (role > most)
        return vr_fail(err, VR_INVALID, "role '%s' is more than user '%s' has%s: %s", *out,
                       who->username, app_id ? " for this app" : "", vr_role_name(most));
    w->field = NULL;
    return 0;
}

static int read_app(struct vr_write *w, int64_t *out, struct vr_err *err)
{
    const json_t *app = json_object_get(w->call->body, "app");
    int r;

    *out = 0;
    if (!app || json_is_null(app))
        return 0;
    w->field = "app";
    r = vr_ref_find(w->tx, VR_RES_APPS, app, out, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

/* What the body says of a new token; texts are borrowed from it. */
static int read_token(struct vr_write *w, struct vr_token_row *row, struct vr_err *err)
{
    const char *name, *role;
    int r;

    if (!json_object_get(w->call->body, "name"))
        return vr_write_missing(w, "name", err);
    r = read_name(w, &name, err);
    if (r == 0)
        r = read_expires(w, &row->expires_us, err);
    if (r == 0)
        r = read_app(w, &row->app_id, err);
    if (r == 0)
        r = read_role(w, row->app_id, &role, err);
    if (r < 0)
        return r;
    row->name = (char *)name;
    row->role = (char *)role;
    return 0;
}

static int name_conflict(const struct vr_token_row *row, const char *username, int r,
                         struct vr_err *err)
{
    if (r != -VR_EXISTS)
        return r;
    return vr_fail(err, VR_EXISTS, "user '%s' has a token '%s' already", username, row->name);
}

static int make_token(struct vr_write *w, struct vr_err *err)
{
    const struct vr_call *call = w->call;
    vr_auto_free char *token = NULL;
    vr_auto_free char *sha256 = NULL;
    struct vr_token_row row = {.user_id = call->who.id, .created_us = call->now.us};
    int r;

    w->is_secret = true;
    r = read_token(w, &row, err);
    if (r < 0)
        return r;
    vr_auth_make_token(&token, &sha256);
    row.token_sha256 = sha256;
    r = name_conflict(&row, call->who.username, vr_store_token_insert(w->tx, &row, &row.id, err),
                      err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "create token",
                                            .object = row.name,
                                            .resource = vr_resource_name(VR_RES_TOKENS),
                                            .object_id = row.id},
                          err);
    if (r < 0)
        return r;
    return vr_write_answer_json(w, 201, vr_ref_uri(VR_RES_TOKENS, row.id),
                                json_pack("{s:I, s:s, s:s, s:s}", "id", (json_int_t)row.id, "name",
                                          row.name, "role", row.role, "token", token));
}

/*
 * The token of the path: one's own, or an admin's choice. A token that may less than its user is
 * shown itself only, so that it can be given back.
 */
static int find_token(struct vr_write *w, struct vr_token_row *out, struct vr_err *err)
{
    const struct vr_who *who = &w->call->who;
    int64_t id;
    int r = vr_ref_id("token", w->call->args[0], &id, err);

    if (r == 0)
        r = vr_store_token_find_id(w->tx, id, out, err);
    if (r == 0 && out->user_id != who->id && who->role < VR_ROLE_ADMIN)
        r = vr_fail(err, VR_NOT_FOUND, "token '%s' does not exist", w->call->args[0]);
    if (r == 0 && who->is_capped && out->id != who->token_id)
        r = vr_fail(err, VR_DENIED, "%s may less than user '%s'; this needs all their rights",
                    who->via, who->username);
    return r;
}

static int change_token(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(token) token = {0};
    const char *name;
    int r = find_token(w, &token, err);

    if (r == 0 && json_object_get(w->call->body, "name")) {
        r = read_name(w, &name, err);
        if (r == 0) {
            free(token.name);
            token.name = vr_strdup(name);
        }
    }
    if (r == 0 && json_object_get(w->call->body, "expires"))
        r = read_expires(w, &token.expires_us, err);
    if (r == 0)
        r = name_conflict(&token, w->call->who.username, vr_store_token_update(w->tx, &token, err),
                          err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "change token",
                                            .object = token.name,
                                            .resource = vr_resource_name(VR_RES_TOKENS),
                                            .object_id = token.id},
                          err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

static int remove_token(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(token) token = {0};
    int r = find_token(w, &token, err);

    if (r == 0)
        r = vr_store_token_delete(w->tx, token.id, err);
    if (r == 0)
        r = vr_write_tell(w,
                          &(struct vr_told){.action = "delete token",
                                            .object = token.name,
                                            .resource = vr_resource_name(VR_RES_TOKENS),
                                            .object_id = token.id},
                          err);
    return r < 0 ? r : vr_write_answer(w, 204, NULL, NULL);
}

static int token_create(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, make_token, NULL, err);
}

static int token_patch(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, change_token, NULL, err);
}

static int token_delete(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, remove_token, NULL, err);
}

const struct vr_route vr_routes_token[] = {
    {"POST", "tokens", VR_ROLE_VIEWER, token_create, VR_SCOPE_OWN},
    {"PATCH", "tokens/*", VR_ROLE_VIEWER, token_patch, VR_SCOPE_OWN},
    {"DELETE", "tokens/*", VR_ROLE_VIEWER, token_delete, VR_SCOPE_OWN, VR_ROUTE_CAPPED},
    {NULL},
};
