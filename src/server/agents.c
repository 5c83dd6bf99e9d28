/* SPDX-License-Identifier: MIT */
/*
 * The server's side of the agent protocol.
 *
 * An agent is known by its host token and sees and changes its own host only: every call takes the
 * host from the token, never from what the request says.
 */
#include "server/agents.h"

#include "blob/blob.h"
#include "engine/engine.h"
#include "fmt/json.h"
#include "model/name.h"
#include "server/api/proc_action.h"
#include "server/auth.h"
#include "server/hub.h"
#include "server/remote.h"
#include "server/proc_logs.h"
#include "server/route.h"
#include "store/balancer.h"
#include "store/log.h"
#include "store/report.h"
#include "store/resource.h"
#include "store/squad.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* What begin() found out, kept with the request. */
struct agent {
    struct vr_server *server;
    struct vr_host_row host;
    struct vr_blob_writer *writer; /* of an upload */
};

static void free_agent(void *data)
{
    struct agent *a = data;

    vr_blob_abort(a->writer);
    vr_host_row_fini(&a->host);
    free(a);
}

static bool is_call(const struct vr_http_req *req, const char *method, const char *name)
{
    return vr_streq(vr_http_req_method(req), method) && vr_streq(vr_http_req_segment(req, 2), name);
}

static bool speaks_our_protocol(struct vr_http_req *req)
{
    const char *text = vr_http_req_header(req, "x-velociraptor-protocol");
    uint64_t version = 0;

    if (text && vr_parse_u64(vr_str(text), 1, 1000, &version, NULL) == 0 &&
        version == VR_AGENTS_PROTOCOL)
        return true;
    vr_http_answer_error(req, 426,
                         "this server speaks protocol %d of agents, not '%s': use an agent of "
                         "version %s",
                         VR_AGENTS_PROTOCOL, text ? text : "none", VR_VERSION);
    return false;
}

void vr_agents_begin(struct vr_server *server, struct vr_http_req *req,
                     struct vr_http_intake *intake)
{
    struct agent *a;
    struct vr_err err;
    int r;

    if (!speaks_our_protocol(req))
        return;
    a = vr_alloc(sizeof(*a));
    a->server = server;
    vr_http_req_attach(req, a, free_agent);
    intake->max_bytes = VR_AGENTS_REPORT_BYTES;
    if (is_call(req, "POST", "enroll"))
        return; /* the join token is in the body */
    r = vr_auth_host(server->auth, req, &a->host, &err);
    if (r < 0) { /* 401 makes an agent enrol again: a database that is away must not look so */
        vr_http_answer_error(req, r == -VR_DENIED ? 401 : 503, "%s", err.msg);
        return;
    }
    if (!is_call(req, "PUT", "blobs"))
        return;
    if (vr_blob_begin(server->blobs, &a->writer, &err) < 0) {
        vr_http_answer_error(req, 507, "%s", err.msg);
        return;
    }
    intake->max_bytes = VR_AGENTS_BLOB_BYTES;
    intake->sink = vr_blob_sink;
    intake->sink_ctx = a->writer;
}

static int parse(struct vr_http_req *req, json_t **out, struct vr_err *err)
{
    return vr_json_parse_object(vr_http_req_body(req), VR_AGENTS_REPORT_BYTES, out, err);
}

static void answer_json(struct vr_http_req *req, int status, json_t *value)
{
    struct vr_http_resp *resp = vr_http_resp_new(status);

    vr_http_resp_json(resp, value);
    json_decref(value);
    vr_http_answer(req, resp);
}

/* ------------------------------------------------------------------ enrolment */

struct enrolment {
    const char *name, *address, *squad, *version;
    json_t *roles;
    const char *join_token;
};

/* Balancers are given this text: an IP address or, for what has none, nothing. */
static int check_address(const char *text, struct vr_err *err)
{
    struct in6_addr any;

    if (!*text || inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1)
        return 0;
    return vr_fail(err, VR_INVALID, "address '%.60s' is not an IP address", text);
}

static int read_enrolment(const json_t *body, struct enrolment *e, struct vr_err *err)
{
    int r = vr_json_get_str(body, "join_token", &e->join_token, err);

    if (r == 0)
        r = vr_json_get_str(body, "name", &e->name, err);
    if (r == 0)
        r = vr_name_check(VR_NAME_HOST, e->name, err);
    if (r == 0)
        r = vr_json_opt_str(body, "address", "", &e->address, err);
    if (r == 0)
        r = check_address(e->address, err);
    if (r == 0)
        r = vr_json_opt_str(body, "squad", NULL, &e->squad, err);
    if (r == 0 && e->squad)
        r = vr_name_check(VR_NAME_SQUAD, e->squad, err);
    if (r == 0)
        r = vr_json_opt_str(body, "version", "", &e->version, err);
    if (r == 0)
        r = vr_json_get_array(body, "roles", &e->roles, err);
    return r;
}

static bool join_token_fits(const struct vr_server *server, const char *token)
{
    size_t n = strlen(server->join_token);

    return strlen(token) == n && sodium_memcmp(token, server->join_token, n) == 0;
}

static int take_squad(struct vr_tx *tx, const char *name, int64_t *out, struct vr_err *err)
{
    VR_ROW(squad) row = {0};
    int r;

    *out = 0;
    if (!name)
        return 0;
    r = vr_store_squad_find(tx, name, &row, err);
    if (r == 0) {
        *out = row.id;
        return 0;
    }
    if (r != -VR_NOT_FOUND)
        return r;
    row.name = vr_strdup(name);
    return vr_store_squad_insert(tx, &row, out, err);
}

/* Balancers of the configuration that name this host get it now that it exists. */
static int join_balancers(struct vr_server *server, struct vr_tx *tx, const char *host,
                          struct vr_err *err)
{
    const char *name;
    json_t *entry;
    int r = 0;

    json_object_foreach (server->config.balancers, name, entry) {
        json_t *hosts = json_object_get(entry, "hosts");
        size_t i;
        json_t *one;

        json_array_foreach (hosts, i, one)
            if (r == 0 && vr_streq(json_string_value(one), host))
                r = vr_server_sync_balancer(server, tx, name, entry, err);
    }
    return r;
}

static int enrol(struct vr_server *server, struct vr_tx *tx, const struct enrolment *e,
                 const json_t *body, char **out_token, struct vr_host_row *host, struct vr_err *err)
{
    vr_auto_free char *sha256 = NULL;
    vr_auto_free char *roles = vr_json_dump(e->roles);
    vr_auto_free char *facts = NULL;
    const char *boot = json_string_value(json_object_get(body, "boot"));
    struct vr_host_hello hello = {
        .address = e->address, .roles = roles, .boot_id = boot, .agent_version = e->version};
    int64_t id;
    int r;

    vr_auth_make_token(out_token, &sha256);
    if (json_object_get(body, "facts"))
        facts = vr_json_dump(json_object_get(body, "facts"));
    r = vr_store_host_find(tx, e->name, host, err);
    if (r == -VR_NOT_FOUND) {
        VR_ROW(host)
        row = {.name = vr_strdup(e->name),
               .active = true,
               .address = vr_strdup(e->address),
               .roles = vr_strdup(roles)};

        r = take_squad(tx, e->squad, &row.squad_id, err);
        if (r == 0)
            r = vr_store_host_insert(tx, &row, &id, err);
        if (r == 0)
            r = vr_store_host_find_id(tx, id, host, err);
    }
    hello.token_sha256 = sha256;
    hello.facts_json = facts;
    if (r == 0)
        r = vr_store_host_hello(tx, host->id, &hello, err);
    if (r == 0)
        r = join_balancers(server, tx, e->name, err);
    return r;
}

/* Nobody of ours did it: whoever had the join token. */
static int note_enrolment(struct vr_server *server, struct vr_http_req *req, struct vr_tx *tx,
                          const struct vr_host_row *host, const char *version, struct vr_err *err)
{
    vr_auto_free char *message = vr_strf("enroll host %s", host->name);
    vr_auto_free char *detail = vr_strf("agent %s", *version ? version : "of an unknown version");
    char remote[VR_REMOTE_BYTES];
    struct vr_log_entry entry = {.type = "enroll",
                                 .message = message,
                                 .remote = remote,
                                 .via = "join token",
                                 .resource = vr_resource_name(VR_RES_HOSTS),
                                 .object_id = host->id,
                                 .object_name = host->name,
                                 .detail = detail};

    vr_remote_of(&server->config.trusted, req, remote);
    return vr_store_log_add(tx, &entry, vr_wall_now(), err);
}

static int handle_enroll(struct vr_server *server, struct vr_http_req *req, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_json json_t *body = NULL;
    vr_auto_free char *token = NULL;
    VR_ROW(host) host = {0};
    struct enrolment e;
    int r;

    r = parse(req, &body, err);
    if (r == 0)
        r = read_enrolment(body, &e, err);
    if (r < 0)
        return r;
    if (!join_token_fits(server, e.join_token))
        return vr_fail(err, VR_DENIED, "the join token is wrong");
    r = vr_store_begin(server->store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = enrol(server, tx, &e, body, &token, &host, err);
    if (r == 0)
        r = note_enrolment(server, req, tx, &host, e.version, err);
    if (r == 0)
        r = vr_server_commit(server, tx, err);
    if (r < 0)
        return r;
    vr_info(&server->log, "host '%s' enrolled from %s", e.name, vr_http_req_remote(req));
    answer_json(req, 200,
                json_pack("{s:s, s:I, s:s, s:I}", "host_token", token, "host_id",
                          (json_int_t)host.id, "cluster", server->cluster, "session",
                          (json_int_t)host.session));
    return 0;
}

/* ------------------------------------------------------------------ the desired state */

struct desired_wait {
    int64_t host_id;
    int64_t rev, session;
};

static int read_desired(struct vr_server *server, int64_t host_id, int64_t rev, int64_t session,
                        char **out, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    bool is_new;
    vr_auto_free char *streams = vr_proc_logs_json(vr_hub_proc_logs(server->hub), host_id, &is_new);
    VR_ROW(host) host = {0};
    int r = vr_store_begin(server->store, VR_DB_READ, &tx, err);

    *out = NULL;
    if (r == 0)
        r = vr_store_host_find_id(tx, host_id, &host, err);
    if (r == 0 && (is_new || host.rev != rev || host.session != session))
        r = vr_store_host_desired_json(tx, host_id, server->cluster, streams, out, err);
    return r;
}

static struct vr_http_resp *look_desired(struct vr_server *server, void *data)
{
    const struct desired_wait *w = data;
    struct vr_http_resp *resp;
    char *text = NULL;
    struct vr_err err;

    if (read_desired(server, w->host_id, w->rev, w->session, &text, &err) < 0) {
        vr_warn(&server->log, "desired state of host %" PRId64 ": %s", w->host_id, err.msg);
        return NULL;
    }
    if (!text)
        return NULL;
    resp = vr_http_resp_new(200);
    vr_http_resp_bytes(resp, "application/json", text, strlen(text));
    return resp;
}

static int64_t number_of(const struct vr_http_req *req, const char *name, int64_t fallback)
{
    const char *text = vr_query_find(vr_http_req_query(req), name);
    int64_t v;

    return text && vr_parse_i64(vr_str(text), -1, INT64_MAX, &v, NULL) == 0 ? v : fallback;
}

static int handle_desired(struct agent *a, struct vr_http_req *req, struct vr_err *err)
{
    int64_t wait = number_of(req, "wait", 0);
    struct desired_wait *w = vr_alloc(sizeof(*w));

    if (wait < 0 || wait > VR_AGENTS_WAIT_SECS)
        wait = wait < 0 ? 0 : VR_AGENTS_WAIT_SECS;
    *w = (struct desired_wait){.host_id = a->host.id,
                               .rev = number_of(req, "rev", -1),
                               .session = number_of(req, "session", -1)};
    vr_hub_wait(a->server->hub, req, w->host_id, wait * 1000, vr_http_resp_new(204), look_desired,
                w, free);
    return 0;
}

/* ------------------------------------------------------------------ reports */

static bool is_heartbeat(const json_t *body)
{
    static const char *const parts[] = {"procs", "jobs", "pools", "janitor"};

    for (size_t i = 0; i < VR_COUNT(parts); i++)
        if (json_array_size(json_object_get(body, parts[i])))
            return false;
    return !json_is_true(json_object_get(body, "full")) && !json_object_get(body, "usage");
}

static void answer_report(struct vr_http_req *req, int status, int64_t ack, int64_t rev,
                          int64_t session)
{
    answer_json(req, status,
                json_pack("{s:I, s:I, s:I}", "ack", (json_int_t)ack, "rev", (json_int_t)rev,
                          "session", (json_int_t)session));
}

/* Nothing to store but the time: written with that of other hosts, at most once a second. */
static bool take_heartbeat(struct agent *a, struct vr_http_req *req, const json_t *body)
{
    int64_t session = json_integer_value(json_object_get(body, "session"));

    if (!is_heartbeat(body) || session != a->host.session || !vr_streq(a->host.state, "live"))
        return false;
    vr_hub_seen(a->server->hub, a->host.id);
    answer_report(req, 200, json_integer_value(json_object_get(body, "seq")), a->host.rev, session);
    return true;
}

/* What a host is may change while it is away: a new kernel, another agent. */
static int take_facts(struct vr_tx *tx, int64_t host_id, const json_t *body, struct vr_err *err)
{
    const json_t *facts = json_object_get(body, "facts");
    struct vr_host_hello hello = {.agent_version =
                                      json_string_value(json_object_get(facts, "version"))};
    vr_auto_free char *text = NULL;

    if (!json_is_object(facts))
        return 0;
    hello.facts_json = text = vr_json_dump(facts);
    return vr_store_host_hello(tx, host_id, &hello, err);
}

static int handle_report(struct agent *a, struct vr_http_req *req, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_json json_t *body = NULL;
    struct vr_report_result result = {0};
    int r;

    r = parse(req, &body, err);
    if (r < 0)
        return r;
    if (take_heartbeat(a, req, body))
        return 0;
    r = vr_store_begin(a->server->store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = vr_store_report_apply(tx, a->host.id, body, vr_wall_now(), &result, err);
    if (r == 0 && !result.old_session)
        r = take_facts(tx, a->host.id, body, err);
    if (r == 0 && !result.old_session)
        r = vr_server_commit(a->server, tx, err);
    if (r < 0)
        return r;
    if (result.refused)
        vr_warn(&a->server->log, "report of host '%s': %d rows are left out: %s", a->host.name,
                result.refused, result.refusal);
    answer_report(req, result.old_session ? 409 : 200, result.ack, result.rev, result.session);
    return 0;
}

/* ------------------------------------------------------------------ blobs and logs */

static int handle_put_blob(struct agent *a, struct vr_http_req *req, struct vr_err *err)
{
    const char *sha256 = vr_http_req_segment(req, 3);
    bool had = sha256 && vr_blob_is_key(sha256) && vr_blob_has(a->server->blobs, sha256);
    int r;

    if (!sha256 || !vr_blob_is_key(sha256))
        return vr_fail(err, VR_INVALID, "'%s' is not a SHA-256", sha256 ? sha256 : "");
    r = vr_blob_commit(a->writer, sha256, NULL, err);
    if (r == -VR_PARSE) {
        vr_http_answer_error(req, 422, "%s", err->msg);
        return 0;
    }
    if (r < 0)
        return r;
    vr_http_answer_status(req, had ? 200 : 201);
    return 0;
}

static int handle_get_blob(struct agent *a, struct vr_http_req *req, struct vr_err *err)
{
    const char *sha256 = vr_http_req_segment(req, 3);
    VR_OWNED(vr_http_resp_free) struct vr_http_resp *resp = NULL;
    int fd, r;

    fd = vr_blob_open(a->server->blobs, sha256 ? sha256 : "", err);
    if (fd < 0)
        return fd;
    resp = vr_http_resp_new(200);
    r = vr_http_resp_file(resp, "application/octet-stream", fd, err);
    if (r == 0)
        vr_http_answer(req, vr_take(resp));
    return r;
}

static int handle_stream(struct agent *a, struct vr_http_req *req, struct vr_err *err)
{
    const struct vr_query *query = vr_http_req_query(req);
    struct vr_log_piece piece = {.id = vr_http_req_segment(req, 3),
                                 .host_id = a->host.id,
                                 .text = vr_http_req_body(req),
                                 .at = number_of(req, "at", -1),
                                 .is_last = vr_query_find(query, "end") != NULL,
                                 .is_gone = vr_query_find(query, "gone") != NULL};

    vr_proc_logs_post(vr_hub_proc_logs(a->server->hub), req, &piece);
    return 0;
}

/* A tool of supervisord asked for it on the host, which tells for whom. */
static int handle_command(struct agent *a, struct vr_http_req *req, struct vr_err *err)
{
    struct vr_call call = {.server = a->server,
                           .req = req,
                           .who = {.role = VR_ROLE_DEPLOYER},
                           .role = VR_ROLE_DEPLOYER,
                           .now = vr_wall_now()};
    const char *remote;
    int r = parse(req, &call.body, err);

    if (r == 0)
        r = vr_json_opt_str(call.body, "remote", "unknown", &remote, err);
    if (r == 0) {
        snprintf(call.who.username, sizeof(call.who.username), "host %s", a->host.name);
        snprintf(call.who.via, sizeof(call.who.via), "xml-rpc from %s", remote);
        r = vr_proc_act_for_host(&call, a->host.id, err);
    }
    json_decref(call.body);
    return r;
}

void vr_agents_handle(struct vr_server *server, struct vr_http_req *req)
{
    struct agent *a = vr_http_req_attached(req);
    struct vr_err err = VR_ERR_NULL;
    int r;

    if (is_call(req, "POST", "enroll"))
        r = handle_enroll(server, req, &err);
    else if (is_call(req, "GET", "desired"))
        r = handle_desired(a, req, &err);
    else if (is_call(req, "POST", "report"))
        r = handle_report(a, req, &err);
    else if (is_call(req, "PUT", "blobs"))
        r = handle_put_blob(a, req, &err);
    else if (is_call(req, "GET", "blobs"))
        r = handle_get_blob(a, req, &err);
    else if (is_call(req, "POST", "commands"))
        r = handle_command(a, req, &err);
    else if (is_call(req, "POST", "streams"))
        r = handle_stream(a, req, &err);
    else
        r = vr_fail(&err, VR_NOT_FOUND, "agents have no call '%s'", vr_http_req_path(req));
    if (r < 0)
        vr_reply_error(req, r, &err);
}
