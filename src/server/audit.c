/* SPDX-License-Identifier: MIT */
/* The audit log's entries of who came in and of what was refused. */
#include "server/audit.h"

#include "fmt/base64.h"
#include "fmt/json.h"
#include "net/http_req.h"
#include "server/remote.h"
#include "server/server.h"
#include "store/log.h"
#include "store/resource.h"
#include "store/user.h"

#include <strings.h>

#define PATH_SHOWN        200  /* bytes */
#define CREDENTIALS_BYTES 1024 /* of a header that is looked at */

/* One more in this minute? @out_left_out  those that were not written since the last one */
static bool take_turn(struct vr_audit *audit, struct vr_wall now, int *out_left_out)
{
    int64_t minute = now.us / (60 * VR_US_PER_S);

    if (atomic_exchange(&audit->minute, minute) != minute)
        atomic_store(&audit->written, 0);
    if (atomic_fetch_add(&audit->written, 1) >= VR_AUDIT_PER_MINUTE) {
        atomic_fetch_add(&audit->left_out, 1);
        return false;
    }
    *out_left_out = atomic_exchange(&audit->left_out, 0);
    return true;
}

/* Foreign bytes as text, cut. Given. */
static char *clean(const char *text)
{
    json_t *value = vr_json_text(text, strnlen(text, PATH_SHOWN));
    char *copy = vr_strdup(json_string_value(value));

    json_decref(value);
    return copy;
}

/* The name before the colon of Basic credentials; given, NULL if there is none. */
static char *basic_name(const struct vr_http_req *req)
{
    const char *header = vr_http_req_header(req, "authorization");
    vr_auto_free char *pair = NULL;
    size_t n = 0;

    if (!header || strncasecmp(header, "basic ", 6) != 0 || strlen(header) > CREDENTIALS_BYTES ||
        vr_base64_decode(vr_str(header + 6), (unsigned char **)&pair, &n, NULL) < 0)
        return NULL;
    return vr_strndup(pair, strcspn(pair, ":"));
}

static void write_entry(struct vr_server *server, struct vr_http_req *req, struct vr_tx *tx,
                        const struct vr_log_entry *said, const char *why, int left_out)
{
    vr_auto_free char *detail =
        left_out ? vr_strf("%s (and %d more refusals before it)", why, left_out) : vr_strdup(why);
    struct vr_log_entry entry = *said;
    char remote[VR_REMOTE_BYTES];

    vr_remote_of(&server->config.trusted, req, remote);
    entry.remote = remote;
    entry.detail = detail;
    if (vr_store_log_add(tx, &entry, vr_wall_now(), NULL) == 0)
        vr_ignore(vr_server_commit(server, tx, NULL), "the refusal itself is what counts");
}

int vr_audit_session(struct vr_server *server, struct vr_http_req *req, struct vr_tx *tx,
                     const struct vr_who *who, const char *action, struct vr_err *err)
{
    vr_auto_free char *message = vr_strf("%s %s", action, who->username);
    char remote[VR_REMOTE_BYTES];
    struct vr_log_entry entry = {.type = action,
                                 .user_id = who->id,
                                 .username = who->username,
                                 .via = "session",
                                 .message = message,
                                 .remote = remote,
                                 .resource = vr_resource_name(VR_RES_USERS),
                                 .object_id = who->id,
                                 .object_name = who->username};

    vr_remote_of(&server->config.trusted, req, remote);
    return vr_store_log_add(tx, &entry, vr_wall_now(), err);
}

void vr_audit_login_failed(struct vr_server *server, struct vr_http_req *req, const char *username,
                           const char *why)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *typed = username ? vr_strdup(username) : basic_name(req);
    vr_auto_free char *message = NULL;
    VR_ROW(user) user = {0};
    struct vr_log_entry entry = {.type = "login failed",
                                 .resource = vr_resource_name(VR_RES_USERS)};
    int left_out;

    if (!take_turn(&server->audit, vr_wall_now(), &left_out) ||
        vr_store_begin(server->store, VR_DB_WRITE, &tx, NULL) < 0)
        return;
    if (typed && vr_store_user_find(tx, typed, &user, NULL) == 0) {
        entry.object_id = user.id;
        entry.object_name = user.username;
    }
    message = vr_strf("login failed %s", entry.object_id ? user.username : "(no such user)");
    entry.message = message;
    write_entry(server, req, tx, &entry, why, left_out);
}

void vr_audit_refused(struct vr_server *server, struct vr_http_req *req, const struct vr_who *who,
                      const char *why)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *path = clean(vr_http_req_path(req));
    vr_auto_free char *method = clean(vr_http_req_method(req));
    vr_auto_free char *message = vr_strf("refused %s %s", method, path);
    struct vr_log_entry entry = {.type = "refused",
                                 .user_id = who->id,
                                 .username = who->username,
                                 .via = who->via,
                                 .message = message};
    int left_out;

    if (take_turn(&server->audit, vr_wall_now(), &left_out) &&
        vr_store_begin(server->store, VR_DB_WRITE, &tx, NULL) == 0)
        write_entry(server, req, tx, &entry, why, left_out);
}
