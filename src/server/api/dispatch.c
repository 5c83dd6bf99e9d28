/* SPDX-License-Identifier: MIT */
/*
 * Dispatching and rolling back.
 *
 * A plan is the dispatch itself, made in a transaction that is rolled back: what it says is what
 * would have been written. Fields of a swarm that come with it are applied first, in the same
 * transaction, so that a change can be looked at before it is made.
 */
#include "engine/dispatch.h"
#include "server/api/plan.h"
#include "server/api/swarm.h"

#include <inttypes.h>

#define DETAIL_BYTES 4096

/* ------------------------------------------------------------------ the request */

static bool is_plan(const struct vr_call *call)
{
    const char *plan = vr_query_find(vr_http_req_query(call->req), "plan");

    return vr_streq(plan, "1") || vr_streq(plan, "true");
}

static int read_kind(const struct vr_call *call, enum vr_kind *out, struct vr_err *err)
{
    static const enum vr_kind kinds[] = {VR_DISPATCH, VR_SCALE, VR_RESTART};
    const char *name;
    int r = vr_json_opt_str(call->body, "kind", "dispatch", &name, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < VR_COUNT(kinds); i++) {
        if (vr_streq(name, vr_kind_name(kinds[i]))) {
            *out = kinds[i];
            return 0;
        }
    }
    return vr_fail(err, VR_INVALID, "kind '%s' is none of dispatch, scale, restart", name);
}

/* `release` of a rollback: its number or a reference, or null for the one before. */
static int read_release(struct vr_write *w, int64_t *out, struct vr_err *err)
{
    const json_t *value = json_object_get(w->call->body, "release");
    int r = 0;

    *out = 0;
    if (!value || json_is_null(value))
        return 0;
    w->field = "release";
    if (json_is_integer(value))
        *out = json_integer_value(value);
    else
        r = vr_ref_find(w->tx, VR_RES_RELEASES, value, out, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

/* ------------------------------------------------------------------ the record */

static char *detail_of(const struct vr_call *call, const struct vr_swarm_row *swarm,
                       const char *name, const char *trace)
{
    vr_auto_buf struct vr_buf text = VR_BUF(DETAIL_BYTES);

    vr_buf_addf(&text, "%s swarmed %s\n\n", call->who.username, name);
    vr_buf_addf(&text, "App: %s\nVersion: %s\nConfig Name: %s\nProc Name: %s\nSquad: %s\n",
                swarm->app_name, swarm->tag, swarm->config_name, swarm->proc_name,
                swarm->squad_name);
    vr_buf_addf(&text, "Memory: %s\nSize: %" PRId64 "\nPool: %s\nTrace ID: %s",
                swarm->mem_limit ? swarm->mem_limit : "no limit", swarm->size,
                swarm->pool ? swarm->pool : "none", trace);
    return vr_strdup(vr_buf_text(&text));
}

static int tell(struct vr_write *w, const struct vr_swarm_row *swarm, enum vr_kind kind,
                const char *trace, struct vr_err *err)
{
    vr_auto_free char *name = vr_swarm_shortname(swarm);
    vr_auto_free char *detail = detail_of(w->call, swarm, name, trace);
    vr_auto_free char *page = vr_strf("/rollouts/%s", trace);

    return vr_write_tell(w,
                         &(struct vr_told){
                             .action = kind == VR_DISPATCH ? "swarm" : vr_kind_name(kind),
                             .object = name,
                             .detail = detail,
                             .page = page,
                             .rollout = trace,
                             .swarm_id = swarm->id,
                             .resource = vr_resource_name(VR_RES_SWARMS),
                             .object_id = swarm->id,
                             .app_id = swarm->app_id,
                         },
                         err);
}

/* ------------------------------------------------------------------ the rollout */

static int apply_wish(struct vr_write *w, struct vr_swarm_row *swarm, struct vr_err *err)
{
    const struct vr_noun *noun = &vr_swarm_noun;
    int64_t id = swarm->id;
    int r = vr_noun_read(w, noun, swarm, w->call->body, err);

    if (r == 0)
        r = vr_access_app(w->call, swarm->app_id, err);
    if (r == 0)
        r = noun->check(w, swarm, w->call->body, err);
    if (r == 0)
        r = noun->update(w->tx, swarm, err);
    if (r == 0)
        r = noun->stored(w, swarm, w->call->body, err);
    if (r < 0)
        return r;
    vr_swarm_row_fini(swarm);
    return vr_store_swarm_find_id(w->tx, id, swarm, err);
}

static int answer_plan(struct vr_write *w, const struct vr_swarm_row *before, const char *trace,
                       struct vr_err *err)
{
    json_t *plan;
    int r = vr_plan_document(w->tx, before, trace, &plan, err);

    if (r < 0)
        return r;
    w->is_dry = true;
    return vr_write_answer_json(w, 200, NULL, json_pack("{s:o}", "plan", plan));
}

static int roll_out(struct vr_write *w, struct vr_dispatch_spec *spec, struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    VR_ROW(swarm) before = {0};
    vr_auto_free char *trace = NULL;
    vr_auto_free char *uri = NULL;
    int r = vr_swarm_find(w->tx, w->call->args[0], &swarm, err);

    if (r == 0)
        r = vr_access_app(w->call, swarm.app_id, err);
    if (r == 0 && is_plan(w->call)) {
        r = vr_swarm_find(w->tx, w->call->args[0], &before, err);
        if (r == 0)
            r = apply_wish(w, &swarm, err);
    }
    if (r < 0)
        return r;
    spec->swarm_id = swarm.id;
    spec->user_id = w->call->who.id;
    spec->now = w->call->now;
    r = vr_dispatch(w->tx, spec, &trace, err);
    if (r == -VR_NOT_FOUND) /* the swarm is there: there is nothing to go back to, or to restart */
        return vr_fail_in(err, -VR_EXISTS, "cannot %s", vr_kind_name(spec->kind));
    if (r < 0)
        return r;
    if (is_plan(w->call))
        return answer_plan(w, &before, trace, err);
    r = tell(w, &swarm, spec->kind, trace, err);
    if (r < 0)
        return r;
    uri = vr_resource_uri(VR_RES_ROLLOUTS, trace);
    return vr_write_answer_json(w, 202, NULL,
                                json_pack("{s:s, s:s}", "swarm_id", trace, "rollout", uri));
}

static int dispatch(struct vr_write *w, struct vr_err *err)
{
    struct vr_dispatch_spec spec = {0};
    int r;

    w->field = "kind";
    r = read_kind(w->call, &spec.kind, err);
    if (r < 0)
        return r;
    w->field = NULL;
    return roll_out(w, &spec, err);
}

static int roll_back(struct vr_write *w, struct vr_err *err)
{
    struct vr_dispatch_spec spec = {.kind = VR_ROLLBACK};
    int r = read_release(w, &spec.release_id, err);

    return r < 0 ? r : roll_out(w, &spec, err);
}

int vr_swarm_dispatch(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, dispatch, NULL, err);
}

int vr_swarm_rollback(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, roll_back, NULL, err);
}
