/* SPDX-License-Identifier: MIT */
/*
 * The calls of supervisord that old tools make.
 *
 * Names, types and fault codes are those of supervisor's XML-RPC API 3.0, and of the original's
 * extension `vr`. What reads is answered from what this agent knows. What starts or stops is a
 * wish of a user like any other: it goes to the server, so that the proc leaves its pool and is
 * drained first, other hosts know, and the record tells who asked. The answer then waits for the
 * proc itself.
 */
#include "agent/supervisor.h"

#include "agent/link.h"
#include "agent/proc.h"
#include "agent/procs.h"
#include "agent/supervisor_info.h"
#include "agent/watch.h"
#include "core/clock.h"
#include "net/http_loop.h"

#include <inttypes.h>
#include <string.h>

/* Numbers and names of supervisor's faults. */
enum fault {
    FAULT_NONE = 0,
    FAULT_UNKNOWN_METHOD = 1,
    FAULT_INCORRECT_PARAMETERS = 2,
    FAULT_BAD_NAME = 10,
    FAULT_NO_FILE = 20,
    FAULT_FAILED = 30,
    FAULT_SPAWN_ERROR = 50,
    FAULT_ALREADY_STARTED = 60,
    FAULT_NOT_RUNNING = 70,
};

#define SUCCESS 80 /* as a status in the answer about several procs */

struct target {
    int64_t id;
    char *name;
    enum fault fault;
    char *text; /* why, where the server said it */
    bool settled;
};

/* A start or stop that waits. */
struct op {
    struct op *next;
    struct vr_supervisor *supervisor;
    struct target *targets;
    size_t count, asked;
    bool starts, waits;
    bool is_single; /* true or a fault is the answer; else a list */
    int64_t begun_us;
    struct vr_mono until;
    char *remote;
    struct vr_http_transfer *transfer;
    struct vr_timer *timer;
    vr_supervisor_done_fn done;
    void *user;
};

struct vr_supervisor {
    struct vr_agent *agent;
    struct op *ops;
    size_t op_count;
};

/* A call while it is looked at. */
struct call {
    struct vr_supervisor *supervisor;
    const json_t *params;
    const char *remote;
    vr_supervisor_done_fn done;
    void *user;
};

/* ------------------------------------------------------------------ answers */

static const char *fault_name(enum fault fault)
{
    switch (fault) {
    case FAULT_UNKNOWN_METHOD:
        return "UNKNOWN_METHOD";
    case FAULT_INCORRECT_PARAMETERS:
        return "INCORRECT_PARAMETERS";
    case FAULT_BAD_NAME:
        return "BAD_NAME";
    case FAULT_NO_FILE:
        return "NO_FILE";
    case FAULT_SPAWN_ERROR:
        return "SPAWN_ERROR";
    case FAULT_ALREADY_STARTED:
        return "ALREADY_STARTED";
    case FAULT_NOT_RUNNING:
        return "NOT_RUNNING";
    case FAULT_NONE:
    case FAULT_FAILED:
        break;
    }
    return "FAILED";
}

/* Takes `value`. */
static void reply(const struct call *call, json_t *value)
{
    call->done(call->user, vr_xmlrpc_response(value));
    json_decref(value);
}

/* The old client knows these texts with nothing behind them only. */
static void refuse(const struct call *call, enum fault fault)
{
    call->done(call->user, vr_xmlrpc_fault((int)fault, fault_name(fault)));
}

/* ------------------------------------------------------------------ parameters */

static const char *text_param(const struct call *call, size_t i)
{
    return json_string_value(json_array_get(call->params, i));
}

/* The proc of a name, which may be "group:name" with the same in both places. */
static const struct vr_proc *find(const struct call *call, const char *name,
                                  struct vr_proc_view *out)
{
    const struct vr_procs *procs = call->supervisor->agent->procs;
    const char *colon = strchr(name, ':');

    if (colon)
        name = colon + 1;
    for (size_t i = 0; i < vr_procs_count(procs); i++) {
        const struct vr_proc *p = vr_procs_at(procs, i);

        vr_proc_view(p, out);
        if (vr_streq(out->name, name))
            return p;
    }
    return NULL;
}

/* The proc that the first parameter names; refuses the call if there is none. */
static bool find_param(const struct call *call, struct vr_proc_view *out)
{
    const char *name = text_param(call, 0);

    if (!name)
        refuse(call, FAULT_INCORRECT_PARAMETERS);
    else if (!find(call, name, out))
        refuse(call, FAULT_BAD_NAME);
    else
        return true;
    return false;
}

/* ------------------------------------------------------------------ what is */

static void get_version(const struct call *call)
{
    reply(call, json_string("3.0"));
}

static void get_supervisor_version(const struct call *call)
{
    reply(call, json_string("velociraptor " VR_VERSION));
}

static void get_identification(const struct call *call)
{
    reply(call, json_string(call->supervisor->agent->config.name));
}

static void get_state(const struct call *call)
{
    reply(call, json_pack("{s:i, s:s}", "statecode", 1, "statename", "RUNNING"));
}

static void get_pid(const struct call *call)
{
    reply(call, json_integer(getpid()));
}

static void get_process_info(const struct call *call)
{
    struct vr_proc_view view;

    if (find_param(call, &view))
        reply(call, vr_supervisor_info(&view, vr_wall_now()));
}

static void get_velociraptor_info(const struct call *call)
{
    struct vr_proc_view view;
    const char *name = text_param(call, 0);

    if (!name)
        refuse(call, FAULT_INCORRECT_PARAMETERS);
    else
        reply(call, find(call, name, &view) ? vr_supervisor_proc_yaml(&view) : json_object());
}

static json_t *both(const struct vr_proc_view *view, struct vr_wall now)
{
    return json_pack("{s:o, s:o}", "supervisor", vr_supervisor_info(view, now), "velociraptor",
                     vr_supervisor_proc_yaml(view));
}

static void get_proc_info(const struct call *call)
{
    struct vr_proc_view view;

    if (find_param(call, &view))
        reply(call, both(&view, vr_wall_now()));
}

typedef json_t *tell_fn(const struct vr_proc_view *view, struct vr_wall now);

static void reply_all(const struct call *call, tell_fn *tell)
{
    const struct vr_procs *procs = call->supervisor->agent->procs;
    struct vr_wall now = vr_wall_now();
    json_t *list = json_array();

    for (size_t i = 0; i < vr_procs_count(procs); i++) {
        struct vr_proc_view view;

        vr_proc_view(vr_procs_at(procs, i), &view);
        json_array_append_new(list, tell(&view, now));
    }
    reply(call, list);
}

static void get_all_process_info(const struct call *call)
{
    reply_all(call, vr_supervisor_info);
}

static void get_all_procs_info(const struct call *call)
{
    reply_all(call, both);
}

/* ------------------------------------------------------------------ logs */

/* Parameters are name, offset, length. Fills `view`; false if the call was refused. */
static bool read_log_params(const struct call *call, struct vr_proc_view *view, int64_t *offset,
                            int64_t *length)
{
    const json_t *first = json_array_get(call->params, 1);
    const json_t *second = json_array_get(call->params, 2);

    if (!json_is_integer(first) || !json_is_integer(second)) {
        refuse(call, FAULT_INCORRECT_PARAMETERS);
        return false;
    }
    *offset = json_integer_value(first);
    *length = json_integer_value(second);
    return find_param(call, view);
}

static void read_log(const struct call *call)
{
    struct vr_proc_view view;
    int64_t offset, length;
    json_t *text;

    if (!read_log_params(call, &view, &offset, &length))
        return;
    text = vr_supervisor_log(view.log_path, offset, length);
    if (text)
        reply(call, text);
    else
        refuse(call, FAULT_NO_FILE);
}

static void tail_log(const struct call *call)
{
    struct vr_proc_view view;
    int64_t offset, length;

    if (read_log_params(call, &view, &offset, &length))
        reply(call, vr_supervisor_log_tail(view.log_path, offset, length));
}

/* ------------------------------------------------------------------ start and stop */

static void op_free(struct op *op)
{
    if (op->transfer)
        vr_http_transfer_cancel(op->transfer);
    op->timer = vr_timer_free(op->timer);
    for (size_t i = 0; i < op->count; i++) {
        free(op->targets[i].name);
        free(op->targets[i].text);
    }
    free(op->targets);
    free(op->remote);
    free(op);
}

static void op_end(struct op *op)
{
    struct vr_supervisor *supervisor = op->supervisor;

    for (struct op **at = &supervisor->ops; *at; at = &(*at)->next) {
        if (*at == op) {
            *at = op->next;
            supervisor->op_count--;
            break;
        }
    }
    op_free(op);
}

static json_t *list_of(const struct op *op)
{
    json_t *list = json_array();

    for (size_t i = 0; i < op->count; i++) {
        const struct target *t = &op->targets[i];

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:i, s:s}", "name", t->name, "group", t->name,
                                        "status", t->fault ? (int)t->fault : SUCCESS, "description",
                                        t->fault ? fault_name(t->fault) : "OK"));
    }
    return list;
}

static void op_answer(struct op *op)
{
    const struct target *first = op->targets;
    vr_auto_json json_t *value = op->is_single ? json_true() : list_of(op);
    vr_supervisor_done_fn done = op->done;
    void *user = op->user;
    char *text;

    if (op->is_single && first->fault)
        text = vr_xmlrpc_fault((int)first->fault,
                               first->text ? first->text : fault_name(first->fault));
    else
        text = vr_xmlrpc_response(value);
    op_end(op);
    done(user, text);
}

/* Whether a proc did what it was asked; what it did before it was asked does not count. */
static bool settle(const struct op *op, struct target *t)
{
    const struct vr_proc *p = vr_procs_of_id(op->supervisor->agent->procs, t->id);
    struct vr_proc_view view;

    if (t->settled || t->fault)
        return true;
    if (!p) {
        t->fault = op->starts ? FAULT_FAILED : FAULT_NONE;
        return true;
    }
    vr_proc_view(p, &view);
    if (op->starts && view.actual == VR_PROC_FATAL && view.since_us >= op->begun_us) {
        t->fault = FAULT_SPAWN_ERROR;
        return true;
    }
    return view.actual == (op->starts ? VR_PROC_RUNNING : VR_PROC_STOPPED);
}

static void op_look(void *arg)
{
    struct op *op = arg;
    bool is_late = vr_mono_now().ns > op->until.ns, all = true;

    for (size_t i = 0; i < op->count; i++) {
        struct target *t = &op->targets[i];

        t->settled = settle(op, t);
        if (!t->settled && is_late) {
            t->fault = FAULT_FAILED;
            t->text = vr_strf("%s of '%s' was asked for, but took more than %d s",
                              op->starts ? "start" : "stop", t->name, VR_SUPERVISOR_WAIT_SECS);
        }
        all = all && (t->settled || t->fault);
    }
    if (all)
        op_answer(op);
    else
        vr_timer_arm(op->timer, VR_SUPERVISOR_LOOK_MS);
}

static void ask_next(struct op *op);

/* The sentence of the server's answer. */
static char *sentence_of(const struct vr_http_result *result)
{
    vr_auto_json json_t *doc = NULL;
    const char *text = NULL;

    if (vr_json_parse(vr_str(result->body), VR_JSON_BYTES, &doc, NULL) == 0)
        text = json_string_value(json_object_get(doc, "error"));
    return text ? vr_strf("FAILED: %s", text)
                : vr_strf("FAILED: the server answered %d", result->status);
}

static void asked(void *user, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct op *op = user;
    struct target *t = &op->targets[op->asked];

    op->transfer = NULL;
    if (r < 0 || result->status != 200) {
        t->fault = FAULT_FAILED;
        t->text = r < 0 ? vr_strf("FAILED: %s", err->msg) : sentence_of(result);
    }
    op->asked++;
    ask_next(op);
}

static int post(struct op *op, const struct target *t, struct vr_err *err)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "X-Velociraptor-Protocol: " VR_LINK_PROTOCOL, NULL};
    struct vr_agent *agent = op->supervisor->agent;
    vr_auto_free char *url = vr_link_url(agent->link, "commands");
    vr_auto_json json_t *body = json_pack("{s:I, s:s, s:s}", "proc", (json_int_t)t->id, "action",
                                          op->starts ? "start" : "stop", "remote", op->remote);
    vr_auto_free char *text = vr_json_dump(body);
    struct vr_http_call call = {.method = "POST",
                                .url = url,
                                .headers = headers,
                                .body = text,
                                .body_bytes = strlen(text),
                                .bearer = vr_link_token(agent->link),
                                .ca_file = agent->config.ca_file,
                                .timeout_ms = 10000,
                                .max_body_bytes = VR_JSON_BYTES};

    return vr_http_loop_start(agent->http, &call, asked, op, &op->transfer, err);
}

/* Ask the server for one proc after the other, then look until all have done it. */
static void ask_next(struct op *op)
{
    struct vr_err err = VR_ERR_NULL;

    for (; op->asked < op->count; op->asked++) {
        struct target *t = &op->targets[op->asked];

        if (t->fault)
            continue;
        if (post(op, t, &err) == 0)
            return;
        t->fault = FAULT_FAILED;
        t->text = vr_strf("FAILED: %s", err.msg);
    }
    if (op->waits)
        vr_timer_arm(op->timer, 0);
    else
        op_answer(op);
}

static void add_target(struct op *op, const struct vr_proc_view *view)
{
    op->targets = vr_realloc_array(op->targets, op->count + 1, sizeof(*op->targets));
    op->targets[op->count++] = (struct target){.id = view->id, .name = vr_strdup(view->name)};
}

/* A start or stop of this call; NULL if it was refused. */
static struct op *op_new(const struct call *call, bool starts, const json_t *wait)
{
    struct vr_supervisor *supervisor = call->supervisor;
    struct op *op;

    if (supervisor->op_count == VR_SUPERVISOR_CALLS_MAX) {
        call->done(call->user,
                   vr_xmlrpc_fault((int)FAULT_FAILED, "FAILED: too many calls wait already"));
        return NULL;
    }
    op = vr_alloc(sizeof(*op));
    op->supervisor = supervisor;
    op->starts = starts;
    op->waits = !json_is_false(wait);
    op->begun_us = vr_wall_now().us;
    op->until = vr_mono_add_ms(vr_mono_now(), (int64_t)VR_SUPERVISOR_WAIT_SECS * 1000);
    op->remote = vr_strdup(call->remote);
    op->timer = vr_timer_new(&supervisor->agent->loop, op_look, op);
    op->done = call->done;
    op->user = call->user;
    op->next = supervisor->ops;
    supervisor->ops = op;
    supervisor->op_count++;
    return op;
}

static bool is_up(const struct vr_proc_view *view)
{
    return view->runs_wanted && view->actual != VR_PROC_FATAL;
}

static void act_on_one(const struct call *call, bool starts)
{
    struct vr_proc_view view;
    struct op *op;

    if (!find_param(call, &view))
        return;
    if (starts == is_up(&view)) {
        refuse(call, starts ? FAULT_ALREADY_STARTED : FAULT_NOT_RUNNING);
        return;
    }
    op = op_new(call, starts, json_array_get(call->params, 1));
    if (!op)
        return;
    op->is_single = true;
    add_target(op, &view);
    ask_next(op);
}

/* All procs, or those of one group: which has one proc, of the same name. */
static void act_on_many(const struct call *call, bool starts, const char *group, const json_t *wait)
{
    const struct vr_procs *procs = call->supervisor->agent->procs;
    struct op *op = op_new(call, starts, wait);

    if (!op)
        return;
    for (size_t i = 0; i < vr_procs_count(procs); i++) {
        struct vr_proc_view view;

        vr_proc_view(vr_procs_at(procs, i), &view);
        if (starts != is_up(&view) && (!group || vr_streq(group, view.name)))
            add_target(op, &view);
    }
    ask_next(op);
}

static void start_process(const struct call *call)
{
    act_on_one(call, true);
}

static void stop_process(const struct call *call)
{
    act_on_one(call, false);
}

static void start_group(const struct call *call)
{
    struct vr_proc_view view;

    if (find_param(call, &view))
        act_on_many(call, true, view.name, json_array_get(call->params, 1));
}

static void stop_group(const struct call *call)
{
    struct vr_proc_view view;

    if (find_param(call, &view))
        act_on_many(call, false, view.name, json_array_get(call->params, 1));
}

static void start_all(const struct call *call)
{
    act_on_many(call, true, NULL, json_array_get(call->params, 0));
}

static void stop_all(const struct call *call)
{
    act_on_many(call, false, NULL, json_array_get(call->params, 0));
}

/* ------------------------------------------------------------------ the table */

static void list_methods(const struct call *call);

static const struct {
    const char *name;
    void (*fn)(const struct call *call);
} methods[] = {
    {"supervisor.getAPIVersion", get_version},
    {"supervisor.getAllProcessInfo", get_all_process_info},
    {"supervisor.getIdentification", get_identification},
    {"supervisor.getPID", get_pid},
    {"supervisor.getProcessInfo", get_process_info},
    {"supervisor.getState", get_state},
    {"supervisor.getSupervisorVersion", get_supervisor_version},
    {"supervisor.getVersion", get_version},
    {"supervisor.readProcessLog", read_log},
    {"supervisor.readProcessStdoutLog", read_log},
    {"supervisor.startAllProcesses", start_all},
    {"supervisor.startProcess", start_process},
    {"supervisor.startProcessGroup", start_group},
    {"supervisor.stopAllProcesses", stop_all},
    {"supervisor.stopProcess", stop_process},
    {"supervisor.stopProcessGroup", stop_group},
    {"supervisor.tailProcessLog", tail_log},
    {"supervisor.tailProcessStdoutLog", tail_log},
    {"system.listMethods", list_methods},
    {"vr.get_all_procs_info", get_all_procs_info},
    {"vr.get_proc_info", get_proc_info},
    {"vr.get_velociraptor_info", get_velociraptor_info},
};

static void list_methods(const struct call *call)
{
    json_t *list = json_array();

    for (size_t i = 0; i < VR_COUNT(methods); i++)
        json_array_append_new(list, json_string(methods[i].name));
    reply(call, list);
}

void vr_supervisor_call(struct vr_supervisor *supervisor, const struct vr_xmlrpc_call *call,
                        const char *remote, vr_supervisor_done_fn done, void *user)
{
    struct call c = {.supervisor = supervisor,
                     .params = call->params,
                     .remote = remote,
                     .done = done,
                     .user = user};

    for (size_t i = 0; i < VR_COUNT(methods); i++) {
        if (vr_streq(methods[i].name, call->method)) {
            methods[i].fn(&c);
            return;
        }
    }
    refuse(&c, FAULT_UNKNOWN_METHOD);
}

struct vr_supervisor *vr_supervisor_new(struct vr_agent *agent)
{
    struct vr_supervisor *supervisor = vr_alloc(sizeof(*supervisor));

    supervisor->agent = agent;
    return supervisor;
}

struct vr_supervisor *vr_supervisor_free(struct vr_supervisor *supervisor)
{
    if (!supervisor)
        return NULL;
    for (struct op *op = supervisor->ops, *next; op; op = next) {
        next = op->next;
        op_free(op);
    }
    free(supervisor);
    return NULL;
}
