/* SPDX-License-Identifier: MIT */
/*
 * One action on many: all swarms of a squad, those that an ingredient has left behind, all procs of
 * a swarm.
 *
 * All of it is one transaction. What cannot be done for one of many (a swarm that never had a
 * version) is said in the answer and does not keep the others from it.
 */
#include "engine/dispatch.h"
#include "model/label.h"
#include "server/api/plan.h"
#include "server/api/swarm.h"
#include "store/command.h"
#include "store/ingredient.h"
#include "store/proc.h"
#include "store/squad.h"

#include <inttypes.h>

#define BULK_MAX    1000 /* swarms, or procs, of one action */
#define GROUP_BYTES 16

static bool is_plan(const struct vr_call *call)
{
    const char *plan = vr_query_find(vr_http_req_query(call->req), "plan");

    return vr_streq(plan, "1") || vr_streq(plan, "true");
}

/* ------------------------------------------------------------------ many swarms */

struct bulk {
    char *group; /* common to its rollouts */
    json_t *rollouts;
    json_t *plans;
    json_t *skipped;
};

static void bulk_fini(struct bulk *bulk)
{
    free(bulk->group);
    json_decref(bulk->rollouts);
    json_decref(bulk->plans);
    json_decref(bulk->skipped);
}

static void skip(struct bulk *bulk, const struct vr_swarm_row *swarm, const char *reason)
{
    vr_json_push(bulk->skipped, json_pack("{s:o, s:o}", "swarm",
                                          json_sprintf("/api/v1/swarms/%" PRId64 "/", swarm->id),
                                          "reason", vr_json_text(reason, strlen(reason))));
}

static int add_plan(struct vr_write *w, const struct vr_swarm_row *swarm, const char *trace,
                    struct bulk *bulk, struct vr_err *err)
{
    json_t *plan;
    int r = vr_plan_document(w->tx, swarm, trace, &plan, err);

    if (r == 0)
        vr_json_push(bulk->plans, plan);
    return r;
}

static int redispatch_one(struct vr_write *w, const struct vr_swarm_row *swarm, struct bulk *bulk,
                          struct vr_err *err)
{
    struct vr_dispatch_spec spec = {.swarm_id = swarm->id,
                                    .kind = VR_DISPATCH,
                                    .user_id = w->call->who.id,
                                    .group_id = bulk->group,
                                    .now = w->call->now};
    vr_auto_free char *trace = NULL;
    vr_auto_free char *name = vr_swarm_shortname(swarm);
    vr_auto_free char *page = NULL;
    struct vr_err why = VR_ERR_NULL;
    int r = vr_dispatch(w->tx, &spec, &trace, &why);

    if (r == -VR_INVALID || r == -VR_EXISTS || r == -VR_NOT_FOUND) {
        skip(bulk, swarm, why.msg);
        return 0;
    }
    if (r < 0)
        return vr_fail(err, why.code, "%s", why.msg);
    if (is_plan(w->call))
        return add_plan(w, swarm, trace, bulk, err);
    vr_json_push(bulk->rollouts, json_sprintf("/api/v1/rollouts/%s/", trace));
    page = vr_strf("/rollouts/%s", trace);
    return vr_write_tell(w,
                         &(struct vr_told){.action = "swarm",
                                           .object = name,
                                           .page = page,
                                           .rollout = trace,
                                           .swarm_id = swarm->id,
                                           .resource = vr_resource_name(VR_RES_SWARMS),
                                           .object_id = swarm->id,
                                           .app_id = swarm->app_id},
                         err);
}

static int answer_bulk(struct vr_write *w, const struct bulk *bulk)
{
    if (is_plan(w->call)) {
        w->is_dry = true;
        return vr_write_answer_json(
            w, 200, NULL, json_pack("{s:O, s:O}", "plans", bulk->plans, "skipped", bulk->skipped));
    }
    return vr_write_answer_json(w, 202, NULL,
                                json_pack("{s:s, s:O, s:O}", "group", bulk->group, "rollouts",
                                          bulk->rollouts, "skipped", bulk->skipped));
}

/* @of  "squad 'x'", for the message */
static int redispatch_all(struct vr_write *w, const struct vr_swarm_rows *swarms, const char *of,
                          struct vr_err *err)
{
    __attribute__((cleanup(bulk_fini))) struct bulk bulk = {
        vr_random_hex(GROUP_BYTES), json_array(), json_array(), json_array()};
    int r = 0;

    if (swarms->n > BULK_MAX)
        r = vr_fail(err, VR_INVALID, "%s has more than %d swarms", of, BULK_MAX);
    for (size_t i = 0; r == 0 && i < swarms->n; i++)
        r = redispatch_one(w, &swarms->v[i], &bulk, err);
    return r < 0 ? r : answer_bulk(w, &bulk);
}

static int redispatch_squad_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(squad) squad = {0};
    VR_ROWS(swarm) swarms = {0};
    vr_auto_free char *of = NULL;
    int r = vr_store_squad_find(w->tx, w->call->args[0], &squad, err);

    if (r == 0)
        r = vr_store_swarm_list_of_squad(w->tx, squad.id, &swarms, err);
    if (r < 0)
        return r;
    of = vr_strf("squad '%s'", squad.name);
    return redispatch_all(w, &swarms, of, err);
}

static int redispatch_squad(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, redispatch_squad_in, NULL, err);
}

static bool is_of(const struct vr_swarm_row *swarm, const int64_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == swarm->id)
            return true;
    return false;
}

/* Of `swarms` only those that the body names, all of which must be among them. */
static int keep_named(struct vr_write *w, const char *of, struct vr_swarm_rows *swarms,
                      struct vr_err *err)
{
    vr_auto_free int64_t *ids = NULL;
    size_t n, kept = 0;
    int r;

    w->field = "swarms";
    r = vr_ref_find_all(w->tx, VR_RES_SWARMS, json_object_get(w->call->body, "swarms"), &ids, &n,
                        err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < swarms->n; i++) {
        if (is_of(&swarms->v[i], ids, n)) {
            struct vr_swarm_row row = swarms->v[i];

            swarms->v[i] = swarms->v[kept];
            swarms->v[kept++] = row;
        }
    }
    while (swarms->n > kept)
        vr_swarm_row_fini(&swarms->v[--swarms->n]);
    if (kept < n)
        return vr_fail(err, VR_INVALID, "not all of these swarms use %s", of);
    w->field = NULL;
    return 0;
}

static int redispatch_ingredient_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(ingredient) ingredient = {0};
    VR_ROWS(swarm) swarms = {0};
    vr_auto_free char *of = NULL;
    bool has_names = json_object_get(w->call->body, "swarms");
    int64_t id;
    int r = vr_ref_id("ingredient", w->call->args[0], &id, err);

    if (r == 0)
        r = vr_store_ingredient_find_id(w->tx, id, &ingredient, err);
    if (r < 0)
        return r;
    of = vr_strf("ingredient '%s'", ingredient.name);
    r = has_names ? vr_store_swarm_list_of_ingredient(w->tx, id, &swarms, err)
                  : vr_store_swarm_list_outdated(w->tx, id, &swarms, err);
    if (r == 0 && has_names)
        r = keep_named(w, of, &swarms, err);
    return r < 0 ? r : redispatch_all(w, &swarms, of, err);
}

static int redispatch_ingredient(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, redispatch_ingredient_in, NULL, err);
}

/* ------------------------------------------------------------------ all procs of a swarm */

static int read_action(struct vr_write *w, const char **out, struct vr_err *err)
{
    static const char *const kinds[] = {"start", "stop", "restart"};
    int r;

    if (!json_object_get(w->call->body, "action"))
        return vr_write_missing(w, "action", err);
    w->field = "action";
    r = vr_json_get_str(w->call->body, "action", out, err);
    for (size_t i = 0; r == 0 && i < VR_COUNT(kinds); i++) {
        if (vr_streq(*out, kinds[i])) {
            w->field = NULL;
            return 0;
        }
    }
    return r < 0 ? r
                 : vr_fail(err, VR_INVALID, "action '%s' is none of start, stop, restart", *out);
}

static int command_one(struct vr_write *w, int64_t proc_id, const char *action, bool force,
                       json_t *commands, struct vr_err *err)
{
    struct vr_command_row wish = {.kind = (char *)action,
                                  .proc_id = proc_id,
                                  .user_id = w->call->who.id,
                                  .force = force,
                                  .created_us = w->call->now.us};
    int64_t id;
    int r = vr_store_command_insert(w->tx, &wish, &id, err);

    if (r == 0)
        vr_json_push(commands, json_pack("{s:I, s:s, s:I, s:o}", "id", (json_int_t)id, "kind",
                                         action, "proc_id", (json_int_t)proc_id, "resource_uri",
                                         json_sprintf("/api/v1/commands/%" PRId64 "/", id)));
    return r;
}

/* The procs of a swarm as the list of them shows: those that still count. */
static int list_procs(struct vr_write *w, int64_t swarm_id, json_t **out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    int r = vr_store_procs_json(w->tx, swarm_id, 0, NULL, w->call->now, &text, err);

    return r < 0 ? r : vr_json_parse(vr_str(text), VR_LIST_BYTES, out, err);
}

static int command_all_in(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    vr_auto_json json_t *procs = NULL;
    vr_auto_json json_t *commands = json_array();
    vr_auto_free char *name = NULL;
    const char *action;
    bool force;
    int r = vr_swarm_find(w->tx, w->call->args[0], &swarm, err);

    if (r == 0)
        r = vr_access_app(w->call, swarm.app_id, err);
    if (r == 0)
        r = read_action(w, &action, err);
    if (r < 0)
        return r;
    w->field = "force";
    r = vr_json_opt_bool(w->call->body, "force", false, &force, err);
    if (r < 0)
        return r;
    w->field = NULL;
    r = list_procs(w, swarm.id, &procs, err);
    if (r == 0 && json_array_size(procs) > BULK_MAX)
        r = vr_fail(err, VR_INVALID, "the swarm has more than %d procs", BULK_MAX);
    for (size_t i = 0; r == 0 && i < json_array_size(procs); i++)
        r = command_one(w, json_integer_value(json_object_get(json_array_get(procs, i), "proc_id")),
                        action, force, commands, err);
    if (r < 0)
        return r;
    name = vr_strf("all procs of %s-%s-%s", swarm.app_name, swarm.config_name, swarm.proc_name);
    r = vr_write_tell(w,
                      &(struct vr_told){.action = action,
                                        .object = name,
                                        .swarm_id = swarm.id,
                                        .resource = vr_resource_name(VR_RES_SWARMS),
                                        .object_id = swarm.id,
                                        .app_id = swarm.app_id},
                      err);
    if (r < 0)
        return r;
    return vr_write_answer_json(w, 202, NULL, json_pack("{s:O}", "commands", commands));
}

static int command_all(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, command_all_in, NULL, err);
}

const struct vr_route vr_routes_bulk[] = {
    {"POST", "squads/*/redispatch", VR_ROLE_DEPLOYER, redispatch_squad},
    {"POST", "ingredients/*/redispatch", VR_ROLE_DEPLOYER, redispatch_ingredient},
    {"POST", "swarms/*/procs", VR_ROLE_DEPLOYER, command_all, VR_SCOPE_APP},
    {NULL},
};
