/* SPDX-License-Identifier: MIT */
/*
 * Actions on single procs.
 *
 * An action is a row that the engine carries out: it takes the proc out of its pool first, drains
 * it, and so on. The answer does not wait for that unless it is asked to; then the request is put
 * aside until the row has ended, without a thread.
 */
#include "store/proc.h"
#include "model/label.h"
#include "server/api/deploy.h"
#include "server/api/number.h"
#include "server/api/proc_action.h"
#include "server/api/proc_log.h"
#include "server/api/ref.h"
#include "server/api/write.h"
#include "server/hub.h"
#include "store/command.h"
#include "store/host.h"
#include "store/release.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ which proc */

/* By host and name if the path has both, else by id. */
static int find_proc(struct vr_tx *tx, const struct vr_call *call, struct vr_proc_row *out,
                     struct vr_err *err)
{
    int64_t id;
    int r;

    if (call->args[1])
        return vr_store_proc_find(tx, call->args[0], call->args[1], out, err);
    r = vr_ref_id("proc", call->args[0], &id, err);
    return r < 0 ? r : vr_store_proc_find_id(tx, id, out, err);
}

static int proc_text(struct vr_tx *tx, int64_t id, struct vr_wall now, char **out,
                     struct vr_err *err)
{
    vr_auto_free char *key = vr_strf("%" PRId64, id);

    return vr_store_object(tx, VR_RES_PROCS, key, NULL, now, out, err);
}

/* ------------------------------------------------------------------ reading */

static int list_of_host(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(host) host = {0};
    vr_auto_free char *procs = NULL;
    vr_auto_view struct vr_view view;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    vr_view_init(&view, &call->who, VR_RES_PROCS);
    if (r == 0)
        r = vr_store_host_find(tx, call->args[0], &host, err);
    if (r == 0)
        r = vr_store_procs_json(tx, 0, host.id, &view.viewer, call->now, &procs, err);
    if (r == 0)
        vr_reply_text(call, 200, vr_strf("{\"objects\":%s}", procs));
    return r;
}

static int show(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(proc) proc = {0};
    vr_auto_view struct vr_view view;
    vr_auto_free char *key = NULL;
    char *body;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    vr_view_init(&view, &call->who, VR_RES_PROCS);
    if (r == 0)
        r = find_proc(tx, call, &proc, err);
    if (r < 0)
        return r;
    key = vr_strf("%" PRId64, proc.id);
    r = vr_store_show(
        tx,
        &(struct vr_object_spec){
            .resource = VR_RES_PROCS, .key = key, .viewer = &view.viewer, .now = call->now},
        &body, err);
    if (r == 0)
        vr_reply_text(call, 200, body);
    return r;
}

static int show_log(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(proc) proc = {0};
    struct vr_proc_log log = {.lines = VR_PROC_LOG_LINES};
    int r = vr_proc_log_read(call, &log, err);

    if (r == 0)
        r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);
    if (r == 0)
        r = find_proc(tx, call, &proc, err);
    tx = vr_tx_free(tx);
    if (r == 0)
        r = vr_proc_log_send(call, &proc, &log, err);
    return vr_log_refuse(call, r, err);
}

/* ------------------------------------------------------------------ the answer */

/* What the answer is about, kept while a request waits. */
struct watched {
    int64_t command_id;
    int64_t proc_id;
    int64_t wait_ms;
    bool destroys;
    bool stops;
    bool is_by_hand; /* no engine carries the command out: look at the proc itself */
    char *name;
};

static void watched_free(void *data)
{
    struct watched *watched = data;

    free(watched->name);
    free(watched);
}

/* A sentence that may have been cut in the middle of a character. */
static json_t *sentence(const char *text)
{
    return text ? vr_json_text(text, strlen(text)) : json_string("");
}

static json_t *command_json(const struct vr_command_row *command)
{
    return json_pack("{s:I, s:s, s:s, s:o, s:o}", "id", (json_int_t)command->id, "kind",
                     command->kind, "state", command->state, "step", sentence(command->step),
                     "result", sentence(command->result));
}

/* The proc as it is now, with the command; or the name of the deleted one. */
static int make_answer(struct vr_tx *tx, const struct watched *watched,
                       const struct vr_command_row *command, json_t **out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    int r = 0;

    if (watched->destroys) {
        *out = json_pack("{s:s, s:b}", "name", watched->name, "deleted", 1);
    } else {
        r = proc_text(tx, watched->proc_id, vr_wall_now(), &text, err);
        if (r == 0)
            r = vr_json_parse(vr_str(text), VR_JSON_BYTES, out, err);
    }
    if (r == 0 && command->id)
        vr_json_set(*out, "command", command_json(command));
    return r;
}

static struct vr_http_resp *json_resp(int status, json_t *body)
{
    struct vr_http_resp *resp = vr_http_resp_new(status);

    vr_http_resp_json(resp, body);
    json_decref(body);
    return resp;
}

static bool has_ended(const struct vr_command_row *command)
{
    return vr_streq(command->state, "done") || vr_streq(command->state, "failed");
}

/* Did its host do what a proc without a swarm was asked for? */
static bool is_obeyed(struct vr_tx *tx, const struct watched *watched)
{
    VR_ROW(proc) proc = {0};
    int r = vr_store_proc_find_id(tx, watched->proc_id, &proc, NULL);

    if (r < 0)
        return r == -VR_NOT_FOUND;
    if (watched->stops || watched->destroys)
        return vr_streq(proc.actual, "stopped");
    return vr_streq(proc.actual, "running") || vr_streq(proc.actual, "fatal");
}

/* A command that is not there any more went with the proc that it destroyed. */
static struct vr_http_resp *look(struct vr_server *server, void *data)
{
    const struct watched *watched = data;
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(command) command = {0};
    json_t *body;
    int r = vr_store_begin(server->store, VR_DB_READ, &tx, NULL);

    if (r < 0)
        return NULL;
    r = vr_store_command_find_id(tx, watched->command_id, &command, NULL);
    if (r == -VR_NOT_FOUND && !watched->destroys)
        return json_resp(
            404, json_pack("{s:o}", "error", json_sprintf("proc '%s' is gone", watched->name)));
    if ((r < 0 && r != -VR_NOT_FOUND) || (r == 0 && !has_ended(&command)))
        return NULL;
    if (watched->is_by_hand && !is_obeyed(tx, watched))
        return NULL;
    if (vr_streq(command.state, "failed"))
        return json_resp(500, json_pack("{s:o, s:o}", "error", sentence(command.result), "fault",
                                        sentence(command.result)));
    return make_answer(tx, watched, &command, &body, NULL) < 0 ? NULL : json_resp(200, body);
}

/* After the commit: put the request aside until the command has ended. */
static void wait_for_end(struct vr_write *w)
{
    struct vr_call *call = w->call;
    struct watched *watched = vr_take(w->reply_data);
    struct vr_http_resp *late = vr_http_resp_new(w->status);

    vr_http_resp_text(late, "application/json", w->body);
    vr_hub_wait(call->server->hub, call->req, 0, watched->wait_ms, late, look, watched,
                watched_free);
}

static void wait_after_commit(struct vr_write *w, const struct watched *watched)
{
    struct watched *kept = vr_alloc(sizeof(*kept));

    *kept = *watched;
    kept->name = vr_strdup(watched->name);
    w->reply = wait_for_end;
    w->reply_data = kept;
    w->reply_free = watched_free;
}

/* ------------------------------------------------------------------ actions */

static int tell(struct vr_write *w, const struct vr_proc_row *proc, const char *kind,
                struct vr_err *err)
{
    VR_ROW(release) release = {0};
    vr_auto_free char *name = NULL;
    vr_auto_free char *page = vr_strf("/procs/%" PRId64, proc->id);
    int r = vr_store_release_find_id(w->tx, proc->release_id, &release, err);

    if (r < 0)
        return r;
    if (vr_streq(kind, "destroy"))
        name = vr_strdup(proc->name);
    else
        name = vr_label_proc_short(release.app_name, release.tag, proc->proc_name);
    return vr_write_tell(w,
                         &(struct vr_told){
                             .action = kind,
                             .object = name,
                             .page = page,
                             .rollout = NULL,
                             .swarm_id = proc->swarm_id,
                             .proc_id = proc->id,
                             .host_id = proc->host_id,
                             .resource = vr_resource_name(VR_RES_PROCS),
                             .object_id = proc->id,
                             .name = proc->name,
                             .app_id = release.app_id,
                         },
                         err);
}

/* A proc belongs to the app of the build that it runs. */
static int check_app(struct vr_write *w, const struct vr_proc_row *proc, struct vr_err *err)
{
    VR_ROW(release) release = {0};
    int r = vr_store_release_find_id(w->tx, proc->release_id, &release, err);

    return r < 0 ? r : vr_access_app(w->call, release.app_id, err);
}

static int request(struct vr_write *w, const struct vr_proc_row *proc, const char *kind,
                   struct vr_err *err)
{
    struct vr_command_row wish = {.kind = (char *)kind,
                                  .proc_id = proc->id,
                                  .user_id = w->call->who.id,
                                  .created_us = w->call->now.us};
    struct watched watched = {.proc_id = proc->id,
                              .name = proc->name,
                              .destroys = vr_streq(kind, "destroy"),
                              .stops = vr_streq(kind, "stop"),
                              .is_by_hand = !proc->swarm_id};
    VR_ROW(command) command = {0};
    json_t *body;
    int64_t secs;
    int r = vr_query_number(w->call, "wait", 0, VR_WRITE_WAIT_SECS, 0, &secs, err);

    if (vr_streq(proc->desired, "stop") && vr_streq(proc->actual, "stopped"))
        return vr_fail(err, VR_EXISTS, "proc '%s' has ended", proc->name);
    if (r == 0) {
        w->field = "force";
        r = vr_json_opt_bool(w->call->body, "force", false, &wish.force, err);
    }
    if (r < 0)
        return r;
    w->field = NULL;
    r = vr_store_command_insert(w->tx, &wish, &watched.command_id, err);
    if (r == 0 && !proc->swarm_id)
        r = vr_deploy_carry_out(w, proc, watched.command_id, kind, wish.force, err);
    if (r == 0)
        r = vr_store_command_find_id(w->tx, watched.command_id, &command, err);
    if (r == 0)
        r = tell(w, proc, kind, err);
    if (r == 0)
        r = make_answer(w->tx, &watched, &command, &body, err);
    if (r < 0)
        return r;
    if (secs) {
        watched.wait_ms = secs * 1000;
        wait_after_commit(w, &watched);
    }
    return vr_write_answer_json(w, 200, NULL, body);
}

/* What the body asks for. */
static int act_on(struct vr_write *w, const struct vr_proc_row *proc, struct vr_err *err)
{
    static const char *const kinds[] = {"start", "stop", "restart"};
    const char *action;
    int r;

    if (!json_object_get(w->call->body, "action"))
        return vr_write_missing(w, "action", err);
    r = vr_json_get_str(w->call->body, "action", &action, err);
    for (size_t i = 0; r == 0 && i < VR_COUNT(kinds); i++)
        if (vr_streq(action, kinds[i]))
            return request(w, proc, kinds[i], err);
    w->field = "action";
    return r < 0 ? r
                 : vr_fail(err, VR_INVALID, "action '%s' is none of start, stop, restart", action);
}

static int act_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(proc) proc = {0};
    int r = find_proc(w->tx, w->call, &proc, err);

    if (r == 0)
        r = check_app(w, &proc, err);
    return r < 0 ? r : act_on(w, &proc, err);
}

static int act_for_host(struct vr_write *w, struct vr_err *err)
{
    const int64_t *host_id = w->arg;
    VR_ROW(proc) proc = {0};
    int64_t id;
    int r = vr_json_get_i64(w->call->body, "proc", 1, INT64_MAX, &id, err);

    if (r == 0)
        r = vr_store_proc_find_id(w->tx, id, &proc, err);
    if (r == 0 && proc.host_id != *host_id)
        r = vr_fail(err, VR_NOT_FOUND, "proc %" PRId64 " is not on this host", id);
    return r < 0 ? r : act_on(w, &proc, err);
}

int vr_proc_act_for_host(struct vr_call *call, int64_t host_id, struct vr_err *err)
{
    return vr_write_run(call, act_for_host, &host_id, err);
}

static int destroy_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(proc) proc = {0};
    int r = find_proc(w->tx, w->call, &proc, err);

    if (r == 0)
        r = check_app(w, &proc, err);
    return r < 0 ? r : request(w, &proc, "destroy", err);
}

static int act(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, act_in, NULL, err);
}

static int destroy(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, destroy_in, NULL, err);
}

const struct vr_route vr_routes_proc[] = {
    {"GET", "hosts/*/procs", VR_ROLE_VIEWER, list_of_host},
    {"GET", "hosts/*/procs/*", VR_ROLE_VIEWER, show},
    {"POST", "hosts/*/procs/*", VR_ROLE_DEPLOYER, act, VR_SCOPE_APP, 0, ""},
    {"DELETE", "hosts/*/procs/*", VR_ROLE_DEPLOYER, destroy, VR_SCOPE_APP, 0, ""},
    {"GET", "hosts/*/procs/*/log", VR_ROLE_VIEWER, show_log},
    {"POST", "procs/*", VR_ROLE_DEPLOYER, act, VR_SCOPE_APP, 0, "start stop restart"},
    {"DELETE", "procs/*", VR_ROLE_DEPLOYER, destroy, VR_SCOPE_APP, 0, "destroy"},
    {"POST", "releases/*/deploy", VR_ROLE_DEPLOYER, vr_deploy_release, VR_SCOPE_APP},
    {"GET", "procs/*/log", VR_ROLE_VIEWER, show_log},
    {NULL},
};
