/* SPDX-License-Identifier: MIT */
/*
 * What a dispatch would change.
 *
 * Both sides are frozen wishes: the one of the rollout that runs, and the one that was just
 * written (and is rolled back afterwards). What the builder will find in the repository nobody
 * knows yet, so `build` says only whether there is a usable build of this tag. The hosts are those
 * that placement would choose now.
 */
#include "server/api/plan.h"

#include "core/buf.h"
#include "engine/place.h"
#include "engine/snapshot.h"
#include "model/label.h"
#include "server/api/ref.h"

#include <inttypes.h>
#include <string.h>

#define EXPLAIN_BYTES 512

struct plan {
    struct vr_snapshot snap;
    const struct vr_rollout_row *next; /* borrowed: the one that was queued */
    json_t *from;                      /* wishes, {} if nothing runs */
    json_t *to;
    json_t *warnings;
};

static json_t *parsed(const char *text)
{
    json_t *value = NULL;

    if (vr_str_is_empty(text) || vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0)
        return json_object();
    return value;
}

static void warn(struct plan *plan, char *text)
{
    vr_json_push(plan->warnings, vr_json_text(text, strlen(text)));
    free(text);
}

/* ------------------------------------------------------------------ where it would run */

static bool keeps_release(const struct plan *plan)
{
    const struct vr_rollout_row *now = &plan->snap.current;

    return now->id && vr_streq(now->tag, plan->next->tag) && json_equal(plan->from, plan->to);
}

/* Procs of the swarm on each host, in the order of the hosts; returns their number. */
static size_t count_procs(const struct plan *plan, int32_t *counts)
{
    const struct vr_plan_snapshot *s = &plan->snap.plan;
    size_t n = 0;

    for (size_t i = 0; i < plan->snap.procs.n; i++)
        for (size_t k = 0; k < s->host_count; k++)
            if (s->hosts[k].id == plan->snap.procs.v[i].host_id) {
                counts[k]++;
                n++;
            }
    return n;
}

static json_t *named_hosts(const struct plan *plan, const size_t *chosen, size_t count)
{
    const struct vr_plan_snapshot *s = &plan->snap.plan;
    json_t *list = json_array();

    for (size_t k = 0; k < s->host_count; k++) {
        int64_t procs = 0;

        for (size_t i = 0; i < count; i++)
            procs += chosen[i] == k;
        if (procs)
            vr_json_push(list, json_pack("{s:s, s:I, s:s}", "host", s->hosts[k].name, "procs",
                                         (json_int_t)procs, "reason", "has room"));
    }
    return list;
}

static json_t *place(struct plan *plan)
{
    const struct vr_plan_snapshot *s = &plan->snap.plan;
    vr_auto_free int32_t *counts = vr_alloc_array(s->host_count + 1, sizeof(*counts));
    vr_auto_free size_t *chosen = NULL;
    char why[EXPLAIN_BYTES];
    struct vr_place_wish wish = {.squad = plan->next->squad_id, .counts = counts};
    const char *mem = json_string_value(json_object_get(plan->to, "mem_limit"));
    size_t running = count_procs(plan, counts), placed, size = (size_t)plan->next->size;
    bool brief;

    if (mem)
        vr_ignore(vr_parse_bytes(vr_str(mem), &wish.mem_bytes, NULL), "then it counts nothing");
    if (keeps_release(plan))
        wish.count = size > running ? size - running : 0;
    else {
        memset(counts, 0, s->host_count * sizeof(*counts));
        wish.count = size;
    }
    chosen = vr_alloc_array(wish.count + 1, sizeof(*chosen));
    placed = vr_place(s->hosts, s->host_count, &wish, chosen, &brief);
    if (placed < wish.count) {
        vr_place_explain(s->hosts, s->host_count, &wish, chosen, placed, why, sizeof(why));
        warn(plan, vr_strf("only %zu of %zu procs would find a host: %s", placed, wish.count, why));
    }
    return named_hosts(plan, chosen, placed);
}

/* ------------------------------------------------------------------ what would change */

static json_t *pair_of(json_t *from, json_t *to)
{
    return json_pack("{s:o, s:o}", "from", from, "to", to);
}

static int find_build(struct vr_tx *tx, const struct plan *plan, const char **out,
                      struct vr_err *err)
{
    VR_ROW(build) build = {0};
    int r;

    *out = "reuse";
    if (plan->next->build_id)
        return 0;
    r = vr_store_build_find_usable(tx, plan->snap.swarm.app_id, plan->next->tag, &build, err);
    if (r == -VR_NOT_FOUND) {
        *out = "new";
        return 0;
    }
    return r;
}

static bool has_changes(const struct plan *plan)
{
    const struct vr_rollout_row *now = &plan->snap.current, *next = plan->next;

    return !keeps_release(plan) || now->size != next->size || now->squad_id != next->squad_id ||
           now->pool_id != next->pool_id || !vr_streq(now->policy_json, next->policy_json) ||
           !vr_streq(now->proc_name, next->proc_name) ||
           !vr_streq(now->config_name, next->config_name) || vr_streq(next->kind, "restart") ||
           (next->release_id && next->release_id != now->release_id);
}

static void add_warnings(struct plan *plan, const struct vr_swarm_row *before)
{
    const struct vr_rollout_row *now = &plan->snap.current, *next = plan->next;

    if (plan->snap.active)
        warn(plan, vr_strf("rollout %.8s of '%s' is under way; this one takes over from it",
                           plan->snap.active->id, plan->snap.active->tag));
    if (next->size == 0)
        warn(plan, vr_strdup("size is 0: all its procs would be stopped"));
    if (now->id && now->pool_id && now->pool_id != next->pool_id)
        warn(plan, vr_strf("it leaves its pool%s%s", before->pool ? " " : "",
                           before->pool ? before->pool : ""));
    if (now->id && next->pool_id && next->pool_id != now->pool_id && plan->snap.swarm.pool)
        warn(plan, vr_strf("it joins pool %s", plan->snap.swarm.pool));
    if (now->id && now->squad_id != next->squad_id)
        warn(plan, vr_strf("it moves to squad %s", plan->snap.swarm.squad_name));
}

/* What such a rollout of this swarm usually takes; null if none was done. */
static int add_usual(struct vr_tx *tx, const struct plan *plan, json_t *doc, struct vr_err *err)
{
    vr_auto_json json_t *rollout = NULL;
    vr_auto_free char *text = NULL;
    int r =
        vr_store_object(tx, VR_RES_ROLLOUTS, plan->next->id, "usual_ms", vr_wall_now(), &text, err);

    if (r == 0)
        r = vr_json_parse(vr_str(text), VR_JSON_BYTES, &rollout, err);
    if (r == 0)
        vr_json_set(doc, "usual_ms", json_incref(json_object_get(rollout, "usual_ms")));
    return r;
}

static int write_document(struct vr_tx *tx, struct plan *plan, const struct vr_swarm_row *before,
                          json_t **out, struct vr_err *err)
{
    const struct vr_rollout_row *now = &plan->snap.current, *next = plan->next;
    const struct vr_swarm_row *swarm = &plan->snap.swarm;
    vr_auto_free char *name =
        vr_label_swarm_short(swarm->app_name, next->tag, next->config_name, next->proc_name);
    vr_auto_free char *plain =
        vr_label_swarm_cli(swarm->app_name, next->config_name, next->proc_name);
    vr_auto_free char *uri = vr_ref_uri(VR_RES_SWARMS, swarm->id);
    json_t *doc;
    const char *build;
    int r = find_build(tx, plan, &build, err);

    if (r < 0)
        return r;
    add_warnings(plan, before);
    doc = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s?, s:b}", "swarm", uri, "swarm_name", plain,
                    "shortname", name, "kind", next->kind, "build", build, "pool", swarm->pool,
                    "changes", has_changes(plan));
    vr_json_set(doc, "version",
                pair_of(vr_json_str_or_null(now->id ? now->tag : NULL), json_string(next->tag)));
    vr_json_set(doc, "size",
                pair_of(now->id ? json_integer(now->size) : json_null(), json_integer(next->size)));
    vr_json_set(
        doc, "config",
        vr_plan_diff(json_object_get(plan->from, "config"), json_object_get(plan->to, "config")));
    vr_json_set(doc, "env",
                vr_plan_diff(json_object_get(plan->from, "env"), json_object_get(plan->to, "env")));
    vr_json_set(doc, "hosts", place(plan));
    vr_json_set(doc, "warnings", json_incref(plan->warnings));
    r = add_usual(tx, plan, doc, err);
    if (r < 0) {
        json_decref(doc);
        return r;
    }
    *out = doc;
    return 0;
}

static const struct vr_rollout_row *find_open(const struct vr_snapshot *snap, const char *trace)
{
    for (size_t i = 0; i < snap->open.n; i++)
        if (vr_streq(snap->open.v[i].id, trace))
            return &snap->open.v[i];
    return NULL;
}

int vr_plan_document(struct vr_tx *tx, const struct vr_swarm_row *before, const char *trace,
                     json_t **out, struct vr_err *err)
{
    struct plan plan = {0};
    struct vr_snapshot_spec spec = {.swarm_id = before->id, .now = vr_wall_now()};
    int r = vr_snapshot_load(tx, &spec, &plan.snap, err);

    plan.next = find_open(&plan.snap, trace);
    if (r == 0 && !plan.next)
        r = vr_fail(err, VR_BUG, "rollout '%s' is not open", trace);
    if (r == 0) {
        plan.from = parsed(plan.snap.current.id ? plan.snap.current.wish_json : NULL);
        plan.to = parsed(plan.next->wish_json);
        plan.warnings = json_array();
        r = write_document(tx, &plan, before, out, err);
    }
    json_decref(plan.from);
    json_decref(plan.to);
    json_decref(plan.warnings);
    vr_snapshot_fini(&plan.snap);
    return r;
}
