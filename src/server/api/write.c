/* SPDX-License-Identifier: MIT */
/*
 * The frame of every change.
 *
 * The change, its entry in the log, its event and the answer kept under an Idempotency-Key are one
 * transaction: after a crash all of it is there, or none. The answer is sent when the commit has
 * succeeded, so that who has it can rely on it.
 */
#include "server/api/write.h"

#include "server/auth.h"
#include "server/remote.h"
#include "store/event.h"
#include "store/idempotency.h"
#include "store/keyring.h"
#include "store/log.h"
#include "store/version.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ idempotency */

static const char *key_of(const struct vr_write *w)
{
    if (!vr_streq(vr_http_req_method(w->call->req), "POST"))
        return NULL;
    return vr_http_req_header(w->call->req, "idempotency-key");
}

/* What the asker may: an answer is only for who could still get it by asking now. */
static void hash_rights(struct vr_hash *hash, const struct vr_who *who)
{
    const char *role = vr_role_name(who->role);

    vr_hash_add(hash, role, strlen(role) + 1);
    vr_hash_add(hash, who->is_capped ? "1" : "0", 1);
    vr_hash_add(hash, who->apps, who->app_count * sizeof(*who->apps));
}

static void hash_request(struct vr_write *w)
{
    VR_OWNED(vr_hash_free) struct vr_hash *hash = vr_hash_new(VR_HASH_SHA256);
    const char *path = vr_http_req_path(w->call->req);
    const char *query = vr_http_req_query_text(w->call->req);
    struct vr_str body = vr_http_req_body(w->call->req);
    const char *override = vr_http_req_header(w->call->req, "x-http-method-override");
    char sha256[VR_SHA256_HEX];

    if (override) /* else it is a POST */
        vr_hash_add(hash, override, strlen(override) + 1);
    vr_hash_add(hash, path, strlen(path) + 1);
    vr_hash_add(hash, query, strlen(query) + 1);
    hash_rights(hash, &w->call->who);
    vr_hash_add(hash, body.p, body.n);
    vr_hash_finish(hash, sha256);
    /* Keyed, since a body may hold a secret that could be guessed with the sum at hand. */
    vr_keyring_request_sum(vr_store_keyring(w->call->server->store), sha256, w->request_sum);
}

/* Returns 1 if the answer was kept and is set now. */
static int find_kept(struct vr_write *w, struct vr_err *err)
{
    const char *key = key_of(w);
    VR_ROW(idempotency) row = {0};
    int r;

    if (!key)
        return 0;
    if (!*key || strlen(key) > VR_WRITE_KEY_MAX)
        return vr_fail(err, VR_INVALID, "Idempotency-Key has 1 to %d characters", VR_WRITE_KEY_MAX);
    hash_request(w);
    r = vr_store_idempotency_find(w->tx, w->call->who.id, key, w->call->now, &row, err);
    if (r == -VR_NOT_FOUND)
        return 0;
    if (r < 0)
        return r;
    if (!vr_streq(row.request_sha256, w->request_sum))
        return vr_fail(err, VR_EXISTS,
                       "Idempotency-Key '%s' was used for another request or with other rights",
                       key);
    vr_write_answer(w, (int)row.status, *row.location ? vr_take(row.location) : NULL,
                    *row.body ? vr_take(row.body) : NULL);
    return 1;
}

static int keep(struct vr_write *w, struct vr_err *err)
{
    const char *key = key_of(w);
    struct vr_idempotency_row row = {.user_id = w->call->who.id,
                                     .key = (char *)key,
                                     .request_sha256 = w->request_sum,
                                     .status = w->status,
                                     .location = w->path,
                                     .body = w->body,
                                     .created_us = w->call->now.us};

    if (!key || w->is_secret || (w->body && strlen(w->body) > VR_WRITE_KEPT_MAX))
        return 0;
    return vr_store_idempotency_add(w->tx, &row, err);
}

/* ------------------------------------------------------------------ answers */

int vr_write_answer(struct vr_write *w, int status, char *path, char *body)
{
    free(w->path);
    free(w->body);
    w->status = status;
    w->path = path;
    w->body = body;
    return 0;
}

int vr_write_answer_json(struct vr_write *w, int status, char *path, json_t *value)
{
    char *body = vr_json_dump_sorted(value);

    json_decref(value);
    return vr_write_answer(w, status, path, body);
}

static void send_answer(struct vr_write *w)
{
    struct vr_http_resp *resp = vr_http_resp_new(w->status);
    vr_auto_free char *url = w->path ? vr_reply_url(w->call, w->path) : NULL;
    char *body = vr_take(w->body);

    if (url)
        vr_http_resp_header(resp, "Location", url);
    if (body)
        vr_http_resp_bytes(resp, "application/json", body, strlen(body));
    vr_http_answer(w->call->req, resp);
}

/* {"row_version", "changed_by", "changed_at"}: what a client shows beside its own. */
static json_t *current_of(struct vr_write *w, enum vr_resource resource, int64_t id,
                          int64_t row_version)
{
    VR_ROW(version) newest = {0};
    char time[VR_WALL_TEXT_BYTES];

    if (vr_store_version_newest(w->tx, resource, id, &newest, NULL) < 0)
        return json_pack("{s:I, s:n, s:n}", "row_version", (json_int_t)row_version, "changed_by",
                         "changed_at");
    vr_wall_format((struct vr_wall){newest.time_us}, false, time);
    return json_pack("{s:I, s:o, s:s}", "row_version", (json_int_t)row_version, "changed_by",
                     vr_json_str_or_null(vr_str_is_empty(newest.username) ? NULL : newest.username),
                     "changed_at", time);
}

bool vr_write_is_outdated(struct vr_write *w, enum vr_resource resource, int64_t id,
                          int64_t row_version)
{
    const char *match = vr_http_req_header(w->call->req, "if-match");
    vr_auto_free char *tag = vr_strf("\"%" PRId64 "\"", row_version);
    vr_auto_free char *text = NULL;
    size_t n = strlen(tag);

    if (!match || vr_streq(match, "*") || vr_streq(match, tag) ||
        (strlen(match) == n - 2 && !strncmp(match, tag + 1, n - 2)))
        return false;
    text = vr_strf("it was changed meanwhile: its version is %s, If-Match says %.40s", tag, match);
    vr_write_answer_json(w, 412, NULL,
                         json_pack("{s:o, s:o}", "error", vr_json_text(text, strlen(text)),
                                   "current", current_of(w, resource, id, row_version)));
    return true;
}

int vr_write_missing(struct vr_write *w, const char *field, struct vr_err *err)
{
    w->field = field;
    return vr_fail(err, VR_INVALID,
                   "The '%s' field has no data and doesn't allow a default or null value.", field);
}

/* ------------------------------------------------------------------ the frame */

/*
 * A user who got here by a grant alone may do only what a handler has asked vr_access_app() about.
 * A handler that forgot to must not let them through.
 */
static int insist_on_right(const struct vr_call *call, struct vr_err *err)
{
    if (call->is_allowed || call->who.role >= call->role)
        return 0;
    return vr_fail(err, VR_DENIED, "user '%s' is %s; this needs %s", call->who.username,
                   vr_role_phrase(call->who.role), vr_role_phrase(call->role));
}

/* Commits unless the answer is a refusal. */
static int finish(struct vr_write *w, struct vr_err *err)
{
    int r = w->status < 400 ? insist_on_right(w->call, err) : 0;

    if (r < 0)
        return r;
    if (w->status < 400 && !w->is_dry) {
        r = keep(w, err);
        if (r == 0)
            r = vr_server_commit(w->call->server, w->tx, err);
        if (r == 0 && w->forgets)
            vr_auth_forget(w->call->server->auth, w->forgets);
    }
    w->tx = vr_tx_free(w->tx);
    if (r < 0)
        return r;
    if (w->reply && w->status < 400)
        w->reply(w);
    else
        send_answer(w);
    return 0;
}

int vr_write_run(struct vr_call *call, vr_write_fn *fn, const void *arg, struct vr_err *err)
{
    struct vr_write w = {
        .call = call, .arg = arg, .status = 202, .changes = VR_BUF(VR_WRITE_CHANGES)};
    int r = vr_store_begin(call->server->store, VR_DB_WRITE, &w.tx, err);

    if (r == 0)
        r = find_kept(&w, err);
    if (r == 1) {
        send_answer(&w);
        r = 0;
    } else if (r == 0) {
        r = fn(&w, err);
        if (r == 0)
            r = finish(&w, err);
    }
    if ((r == -VR_INVALID || r == -VR_PARSE || r == -VR_LIMIT) && w.field) {
        vr_reply_invalid(call->req, w.field, err);
        r = 0;
    }
    vr_tx_free(w.tx);
    if (w.reply_data)
        w.reply_free(w.reply_data);
    vr_buf_fini(&w.changes);
    free(w.path);
    free(w.body);
    return r;
}

/* ------------------------------------------------------------------ the record */

void vr_write_note(struct vr_write *w, const char *field, const char *old, const char *now)
{
    vr_buf_addf(&w->changes, "%s%s", w->changes.len ? ", " : "", field);
    if (old && now)
        vr_buf_addf(&w->changes, ": %s → %s", *old ? old : "none", *now ? now : "none");
}

static char *event_data(const struct vr_write *w, const struct vr_told *told)
{
    vr_auto_json json_t *data = json_object();

    vr_json_set(data, "user", json_string(w->call->who.username));
    vr_json_set(data, "action", json_string(told->action));
    if (told->page)
        vr_json_set(data, "resource_uri", json_string(told->page));
    if (told->rollout) {
        vr_json_set(data, "swarm_id", json_string(told->rollout));
        vr_json_set(data, "swarm_trace_id", json_string(told->rollout));
    }
    return vr_json_dump(data);
}

int vr_write_tell(struct vr_write *w, const struct vr_told *told, struct vr_err *err)
{
    const struct vr_call *call = w->call;
    vr_auto_free char *message = vr_strf("%s %s", told->action, told->object);
    vr_auto_free char *title = vr_strf("%s: %s", call->who.username, message);
    const char *noted = vr_buf_text(&w->changes);
    vr_auto_free char *changed = *noted ? vr_strf("%s: %s", title, noted) : NULL;
    char remote[VR_REMOTE_BYTES];
    vr_auto_free char *data = event_data(w, told);
    vr_auto_json json_t *tags = json_pack("[s, s]", "user", told->action);
    vr_auto_free char *tags_text = vr_json_dump(tags);
    struct vr_log_entry entry = {.type = told->action,
                                 .user_id = call->who.id,
                                 .message = message,
                                 .remote = remote,
                                 .username = call->who.username,
                                 .via = call->who.via,
                                 .resource = told->resource,
                                 .object_id = told->object_id,
                                 .object_name = told->name ? told->name : told->object,
                                 .app_id = told->app_id,
                                 .rollout_id = told->rollout,
                                 .detail = told->detail ? told->detail : noted};
    struct vr_event event = {.kind = "event",
                             .title = title,
                             .message = told->detail ? told->detail
                                        : changed    ? changed
                                                     : title,
                             .tags = tags_text,
                             .rollout_id = told->rollout,
                             .swarm_id = told->swarm_id,
                             .proc_id = told->proc_id,
                             .host_id = told->host_id,
                             .app_id = told->app_id,
                             .data = data,
                             .time = call->now};

    vr_remote_of(&call->server->config.trusted, call->req, remote);
    vr_store_event_add(w->tx, &event);
    return vr_store_log_add(w->tx, &entry, call->now, err);
}
