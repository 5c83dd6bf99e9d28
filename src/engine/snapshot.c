/* SPDX-License-Identifier: MIT */
/*
 * The rows of one swarm, loaded and put into the planner's terms.
 *
 * A handful of queries a swarm, whatever its size. Nothing is decided here: words become enums,
 * and what balancers say of a node is summed over their hosts.
 */
#include "engine/snapshot.h"

#include "fmt/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MEM_OVERCOMMIT_PERCENT 100
#define DISK_FREE_MIN_BYTES    (INT64_C(256) << 20) /* less: nothing is placed there */

static const struct vr_wall never = {0};

/* ------------------------------------------------------------------ words */

struct word {
    const char *text;
    int value;
};

#define WORDS(...)                                                                                 \
    (const struct word[])                                                                          \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, 0                                                                                \
        }                                                                                          \
    }

/* The value of a word of the database; the last pair is what anything else means. */
static int meaning(const struct word *words, const char *text)
{
    for (; words[1].text; words++)
        if (vr_streq(words->text, text))
            break;
    return words->value;
}

static enum vr_kind kind_of(const char *s)
{
    return (enum vr_kind)meaning(WORDS({"rollback", VR_ROLLBACK}, {"scale", VR_SCALE},
                                       {"heal", VR_HEAL}, {"move", VR_MOVE},
                                       {"restart", VR_RESTART}, {"dispatch", VR_DISPATCH}),
                                 s);
}

static enum vr_step step_of(const char *s)
{
    return (enum vr_step)meaning(WORDS({"resolve", VR_STEP_RESOLVE}, {"build", VR_STEP_BUILD},
                                       {"release", VR_STEP_RELEASE}, {"place", VR_STEP_PLACE},
                                       {"start", VR_STEP_START}, {"test", VR_STEP_TEST},
                                       {"route", VR_STEP_ROUTE}, {"drain", VR_STEP_DRAIN},
                                       {"stop", VR_STEP_STOP}, {"", VR_STEP_NONE}),
                                 s);
}

static enum vr_phase phase_of(const char *s)
{
    return (enum vr_phase)meaning(
        WORDS({"failing", VR_PHASE_FAILING}, {"cancelling", VR_PHASE_CANCELLING},
              {"superseding", VR_PHASE_SUPERSEDING}, {"normal", VR_PHASE_NORMAL}),
        s);
}

static enum vr_actual actual_of(const char *s)
{
    return (enum vr_actual)meaning(WORDS({"assigned", VR_ASSIGNED}, {"fetching", VR_FETCHING},
                                         {"starting", VR_STARTING}, {"running", VR_RUNNING},
                                         {"backoff", VR_BACKOFF}, {"stopping", VR_STOPPING},
                                         {"stopped", VR_STOPPED}, {"exited", VR_EXITED},
                                         {"fatal", VR_FATAL}, {"unknown", VR_UNKNOWN}),
                                   s);
}

static enum vr_desired desired_of(const char *s)
{
    return (enum vr_desired)meaning(WORDS({"stop", VR_STOP}, {"held", VR_HELD}, {"run", VR_RUN}),
                                    s);
}

static enum vr_tested tested_of(const char *s)
{
    return (enum vr_tested)meaning(WORDS({"pending", VR_TESTED_PENDING},
                                         {"passed", VR_TESTED_PASSED}, {"failed", VR_TESTED_FAILED},
                                         {"no", VR_TESTED_NO}),
                                   s);
}

static enum vr_command_kind command_of(const char *s)
{
    return (enum vr_command_kind)meaning(WORDS({"stop", VR_CMD_STOP}, {"start", VR_CMD_START},
                                               {"restart", VR_CMD_RESTART},
                                               {"destroy", VR_CMD_DESTROY}, {"", VR_CMD_NONE}),
                                         s);
}

/* ------------------------------------------------------------------ hosts */

const struct vr_host_row *vr_snapshot_host(const struct vr_snapshot *s, int64_t id)
{
    for (size_t i = 0; i < s->hosts.n; i++)
        if (s->hosts.v[i].id == id)
            return &s->hosts.v[i];
    return NULL;
}

static struct vr_plan_host *plan_host(const struct vr_snapshot *s, int64_t id)
{
    for (size_t i = 0; i < s->hosts.n; i++)
        if (s->plan_hosts[i].id == id)
            return &s->plan_hosts[i];
    return NULL;
}

static bool has_role(const struct vr_host_row *row, const char *role)
{
    vr_auto_json json_t *roles = NULL;
    size_t i;
    json_t *one;

    if (vr_json_parse(vr_str(row->roles), VR_JSON_BYTES, &roles, NULL) < 0)
        return false;
    json_array_foreach (roles, i, one)
        if (vr_streq(json_string_value(one), role))
            return true;
    return false;
}

static int64_t usage_of(const struct vr_host_row *row, const char *name, int64_t fallback)
{
    vr_auto_json json_t *usage = NULL;
    const json_t *v;

    if (vr_json_parse(vr_str(row->usage_json), VR_JSON_BYTES, &usage, NULL) < 0)
        return fallback;
    v = json_object_get(usage, name);
    return json_is_integer(v) ? json_integer_value(v) : fallback;
}

static void fill_host(const struct vr_snapshot_spec *spec, const struct vr_host_row *row,
                      struct vr_plan_host *out)
{
    struct vr_wall lost_at;

    *out = (struct vr_plan_host){
        .id = row->id,
        .name = row->name,
        .squad = row->squad_id,
        .last_seen = {row->last_seen_us},
        .active = row->active,
        .app_role = has_role(row, "app"),
        .labels_match = true,
        .disk_ok = usage_of(row, "disk_free_bytes", INT64_MAX) >= DISK_FREE_MIN_BYTES,
        .ports_left = true,
        .mem_capacity =
            usage_of(row, "mem_total_bytes", INT64_MAX / 100) / 100 * MEM_OVERCOMMIT_PERCENT,
    };
    out->liveness = vr_plan_liveness(spec->now, out->last_seen, spec->engine_started,
                                     &out->changes_at, &lost_at);
    /* A host that the engine has not taken back yet stays lost, however fresh its report is. */
    if (vr_streq(row->state, "new"))
        out->liveness = VR_SUSPECT;
    else if (vr_streq(row->state, "gone"))
        out->liveness = VR_GONE;
    else if (vr_streq(row->state, "lost") && out->liveness < VR_LOST)
        out->liveness = VR_LOST;
    out->synced = row->synced && out->liveness == VR_LIVE;
}

static int load_hosts(struct vr_tx *tx, const struct vr_snapshot_spec *spec, struct vr_snapshot *s,
                      struct vr_err *err)
{
    struct vr_port_range ports = vr_store_ports(tx);
    vr_auto_free struct vr_host_load *loads = NULL;
    size_t n = 0;
    int r;

    r = vr_store_host_list(tx, 0, &s->hosts, err);
    if (r == 0)
        r = vr_store_host_loads(tx, spec->swarm_id, &loads, &n, err);
    if (r < 0)
        return r;
    s->plan_hosts = vr_alloc_array(s->hosts.n, sizeof(*s->plan_hosts));
    for (size_t i = 0; i < s->hosts.n; i++) {
        struct vr_plan_host *h = &s->plan_hosts[i];

        fill_host(spec, &s->hosts.v[i], h);
        for (size_t k = 0; k < n; k++) {
            if (loads[k].host_id != h->id)
                continue;
            h->mem_committed = loads[k].mem_bytes;
            h->config_bytes = loads[k].config_bytes;
            h->procs_of_app = (int32_t)loads[k].of_app;
            h->ports_left = loads[k].ports <= ports.last - ports.first;
        }
    }
    s->plan.hosts = s->plan_hosts;
    s->plan.host_count = s->hosts.n;
    return 0;
}

/* ------------------------------------------------------------------ what balancers say */

/* The element of a pool host's nodes for a proc, borrowed from `nodes`; NULL if it is not there. */
static const json_t *find_node(const json_t *nodes, int64_t proc_id)
{
    char id[24];
    size_t i;
    json_t *node;

    snprintf(id, sizeof(id), "p%" PRId64, proc_id);
    json_array_foreach (nodes, i, node)
        if (vr_streq(json_string_value(json_object_get(node, "id")), id))
            return node;
    return NULL;
}

struct view {
    enum vr_check check;
    int64_t connections; /* -1: unknown */
};

/* Add what one balancer host sees of a proc. */
static void look(const struct vr_pool_row *pool, const struct vr_pool_host_row *host,
                 int64_t proc_id, struct view *view)
{
    vr_auto_json json_t *nodes = NULL;
    const json_t *node, *connections;
    const char *check;

    if (vr_json_parse(vr_str(host->nodes_json), VR_JSON_BYTES, &nodes, NULL) < 0)
        return;
    node = find_node(nodes, proc_id);
    check = json_string_value(json_object_get(node, "check"));
    if (vr_streq(check, "up"))
        view->check = VR_CHECK_UP;
    else if (vr_streq(check, "down") && view->check == VR_CHECK_NONE)
        view->check = VR_CHECK_DOWN;
    connections = json_object_get(node, "connections");
    if (host->confirmed != pool->generation || (node && !json_is_integer(connections)))
        view->connections = -1;
    else if (view->connections >= 0 && node)
        view->connections += json_integer_value(connections);
}

static struct view look_from_all(const struct vr_snapshot *s, int64_t pool_id, int64_t proc_id)
{
    struct view view = {.check = VR_CHECK_NONE, .connections = 0};
    bool seen = false;

    for (size_t i = 0; i < s->pools.n; i++) {
        if (s->pools.v[i].id != pool_id)
            continue;
        for (size_t k = 0; k < s->pool_hosts[i].n; k++) {
            const struct vr_pool_host_row *host = &s->pool_hosts[i].v[k];
            const struct vr_plan_host *h = plan_host(s, host->host_id);

            if (!h || h->liveness >= VR_LOST)
                continue; /* its last words may be old */
            look(&s->pools.v[i], host, proc_id, &view);
            seen = true;
        }
    }
    if (!seen)
        view.connections = -1;
    return view;
}

/* ------------------------------------------------------------------ procs */

static void fill_proc(const struct vr_snapshot *s, const struct vr_proc_row *row,
                      struct vr_plan_proc *out)
{
    struct view view = look_from_all(s, row->pool_id, row->id);

    *out = (struct vr_plan_proc){
        .id = row->id,
        .host = plan_host(s, row->host_id),
        .name = row->name,
        .release = row->release_id,
        .pool = row->pool_id,
        .epoch = row->epoch,
        .desired = desired_of(row->desired),
        .actual = actual_of(row->actual),
        .running_since = {row->running_us},
        .unhealthy_since = {row->unhealthy_us},
        .tested_at = {row->tested_us},
        .test_began = {row->test_began_us},
        .tested = tested_of(row->tested),
        .passed = row->passed,
        .admitted = row->admitted,
        .left_at = {row->drain_us},
        .connections = (int32_t)view.connections,
        .check = view.check,
        .start_failed = vr_streq(row->code, "port_taken") || vr_streq(row->code, "fetch_failed") ||
                        vr_streq(row->code, "mount_failed") ||
                        vr_streq(row->code, "runtime_failed"),
        .retried = row->moved_from != 0,
        .fault = vr_str_is_empty(row->message) ? NULL : row->message,
        .flaps = (int32_t)row->flaps,
        .flapped_at = {row->flapped_us},
        .unhealthy_restarts = (int32_t)row->unhealthy_restarts,
    };
    snprintf(out->rollout, sizeof(out->rollout), "%s", row->rollout_id ? row->rollout_id : "");
}

/* A routed proc that the balancers' checks cannot reach is unhealthy since we see it so. */
static int mark_health(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    for (size_t i = 0; i < s->procs.n; i++) {
        struct vr_plan_proc *p = &s->plan_procs[i];
        bool is_bad = p->actual == VR_RUNNING && p->admitted && p->check == VR_CHECK_DOWN;
        bool is_well = p->check == VR_CHECK_UP || p->actual != VR_RUNNING;
        struct vr_wall since = is_bad ? s->plan.now : never;
        int r;

        if ((!is_bad || p->unhealthy_since.us) && (!is_well || !p->unhealthy_since.us))
            continue;
        r = vr_store_proc_set_unhealthy(tx, p->id, since, err);
        if (r < 0)
            return r;
        p->unhealthy_since = since;
    }
    return 0;
}

static int load_procs(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    int r = vr_store_proc_list_of_swarm(tx, s->swarm.id, &s->procs, err);

    if (r < 0)
        return r;
    s->plan_procs = vr_alloc_array(s->procs.n, sizeof(*s->plan_procs));
    for (size_t i = 0; i < s->procs.n; i++) {
        fill_proc(s, &s->procs.v[i], &s->plan_procs[i]);
        if (!s->plan_procs[i].host)
            return vr_fail(err, VR_BUG, "proc %" PRId64 " is on a host that does not exist",
                           s->procs.v[i].id);
    }
    s->plan.procs = s->plan_procs;
    s->plan.proc_count = s->procs.n;
    return mark_health(tx, s, err);
}

const struct vr_proc_row *vr_snapshot_proc(const struct vr_snapshot *s, int64_t id)
{
    for (size_t i = 0; i < s->procs.n; i++)
        if (s->procs.v[i].id == id)
            return &s->procs.v[i];
    return NULL;
}

/* ------------------------------------------------------------------ pools */

static int by_id(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* The active nodes of a published generation, as proc ids in ascending order. */
static int64_t *published(const struct vr_pool_row *row, size_t *out_count)
{
    vr_auto_json json_t *nodes = NULL;
    int64_t *ids;
    size_t i;
    json_t *node;

    *out_count = 0;
    if (vr_json_parse(vr_str(row->members_json), VR_JSON_BYTES, &nodes, NULL) < 0)
        nodes = json_array();
    ids = vr_alloc_array(json_array_size(nodes), sizeof(*ids));
    json_array_foreach (nodes, i, node) {
        const char *id = json_string_value(json_object_get(node, "id"));
        const char *state = json_string_value(json_object_get(node, "state"));

        if (id && vr_streq(state, "active") &&
            vr_parse_i64(vr_str(id + 1), 1, INT64_MAX, &ids[*out_count], NULL) == 0)
            (*out_count)++;
    }
    qsort(ids, *out_count, sizeof(*ids), by_id);
    return ids;
}

static int load_pool(struct vr_tx *tx, struct vr_snapshot *s, size_t i, struct vr_err *err)
{
    const struct vr_pool_row *row = &s->pools.v[i];
    struct vr_plan_pool *out = &s->plan_pools[i];
    VR_ROW(balancer) balancer = {0};
    struct vr_plan_pool_host *hosts;
    int r;

    r = vr_store_pool_hosts(tx, row->id, &s->pool_hosts[i], err);
    if (r == 0)
        r = vr_store_balancer_find_id(tx, row->balancer_id, &balancer, err);
    if (r < 0)
        return r;
    *out = (struct vr_plan_pool){.id = row->id, .name = row->name, .generation = row->generation};
    out->members = published(row, &out->member_count);
    hosts = vr_alloc_array(s->pool_hosts[i].n, sizeof(*hosts));
    out->hosts = hosts;
    for (size_t k = 0; k < s->pool_hosts[i].n; k++) {
        const struct vr_pool_host_row *host = &s->pool_hosts[i].v[k];
        struct vr_plan_pool_host *h = &hosts[out->host_count];

        h->host = plan_host(s, host->host_id);
        h->confirmed = host->confirmed;
        h->confirmed_at.us = host->confirmed_us;
        h->error = vr_str_is_empty(host->error) ? NULL : host->error;
        out->host_count += h->host != NULL && !vr_streq(balancer.driver, "none");
    }
    return 0;
}

static int load_pools(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    int r = vr_store_pool_list_of_swarm(tx, s->swarm.id, &s->pools, err);

    if (r < 0)
        return r;
    s->pool_hosts = vr_alloc_array(s->pools.n, sizeof(*s->pool_hosts));
    s->plan_pools = vr_alloc_array(s->pools.n, sizeof(*s->plan_pools));
    s->plan.pools = s->plan_pools;
    s->plan.pool_count = s->pools.n;
    for (size_t i = 0; i < s->pools.n && r == 0; i++) {
        if (s->pools.v[i].balancer_id == s->swarm.balancer_id &&
            vr_streq(s->pools.v[i].name, s->swarm.pool))
            s->plan.wished_pool = s->pools.v[i].id;
        r = load_pool(tx, s, i, err);
    }
    return r;
}

/* ------------------------------------------------------------------ rollouts */

static int read_policy(const struct vr_rollout_row *row, struct vr_policy *out, struct vr_err *err)
{
    vr_auto_json json_t *doc = NULL;
    int r;

    *out = vr_policy_default();
    r = vr_json_parse(vr_str(row->policy_json), VR_JSON_BYTES, &doc, err);
    return r < 0 ? r : vr_policy_merge(out, doc, err);
}

/* What one proc takes of its host. */
static void read_needs(const struct vr_rollout_row *row, struct vr_plan_frozen *out)
{
    vr_auto_json json_t *wish = NULL;
    const char *limit;

    if (vr_json_parse(vr_str(row->wish_json), VR_JSON_BYTES, &wish, NULL) < 0)
        return;
    limit = json_string_value(json_object_get(wish, "mem_limit"));
    if (limit)
        vr_ignore(vr_parse_bytes(vr_str(limit), &out->mem_bytes, NULL),
                  "checked when it was frozen");
    out->config_bytes = json_integer_value(json_object_get(wish, "config_bytes"));
}

static int freeze(const struct vr_rollout_row *row, struct vr_plan_frozen *out,
                  struct vr_policy *policy, struct vr_err *err)
{
    int r = read_policy(row, policy, err);

    if (r < 0)
        return vr_fail_in(err, r, "rollout %s", row->id);
    *out = (struct vr_plan_frozen){
        .kind = kind_of(row->kind),
        .release = row->release_id,
        .squad = row->squad_id,
        .pool = row->pool_id,
        .size = (int32_t)row->size,
        .batch = (int32_t)policy->batch,
    };
    read_needs(row, out);
    snprintf(out->id, sizeof(out->id), "%s", row->id);
    return 0;
}

/* The sentence of a job that failed; given. */
static char *job_fault(const struct vr_job_row *job)
{
    vr_auto_json json_t *doc = NULL;
    const char *message = NULL;

    if (vr_json_parse(vr_str(job->result_json), VR_JSON_BYTES, &doc, NULL) == 0)
        message = json_string_value(json_object_get(json_object_get(doc, "error"), "message"));
    return vr_strdup(message ? message : "the job failed without saying why");
}

static enum vr_work work_of_job(const struct vr_job_row *job)
{
    if (!job->id)
        return VR_WORK_NONE;
    return (enum vr_work)meaning(WORDS({"done", VR_WORK_SUCCESS}, {"failed", VR_WORK_FAILED},
                                       {"cancelled", VR_WORK_FAILED}, {"", VR_WORK_PENDING}),
                                 job->state);
}

static enum vr_work work_of_build(const struct vr_build_row *build)
{
    if (!build->id)
        return VR_WORK_NONE;
    return (enum vr_work)meaning(WORDS({"success", VR_WORK_SUCCESS}, {"failed", VR_WORK_FAILED},
                                       {"expired", VR_WORK_EXPIRED}, {"", VR_WORK_PENDING}),
                                 build->status);
}

static int load_work(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    struct vr_plan_active *a = &s->plan_active;
    int r;

    r = vr_store_job_find_of(tx, s->active->id, 0, &s->resolve, err);
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    if (s->active->build_id) {
        r = vr_store_build_find_id(tx, s->active->build_id, &s->build, err);
        if (r < 0)
            return r;
    }
    a->resolve = work_of_job(&s->resolve);
    a->needs_resolve = a->frozen.kind == VR_DISPATCH && vr_str_is_empty(s->active->commit_id);
    if (a->resolve == VR_WORK_FAILED)
        a->resolve_fault = s->resolve_fault = job_fault(&s->resolve);
    a->build = s->active->build_id;
    a->build_state = work_of_build(&s->build);
    if (a->build_state == VR_WORK_FAILED)
        a->build_fault = s->build_fault =
            vr_strdup(*s->build.error ? s->build.error : "the build failed");
    return 0;
}

static int load_active(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    struct vr_plan_active *a = &s->plan_active;
    const struct vr_rollout_row *row = s->active;
    int r;

    r = freeze(row, &a->frozen, &s->plan.policy, err);
    if (r < 0)
        return r;
    a->step = step_of(row->step);
    a->phase = phase_of(row->phase);
    a->started.us = row->started_us;
    a->deadline.us = row->deadline_us;
    a->cancel_requested = row->cancel_requested;
    a->past_return = row->past_return;
    a->has_cause = !vr_str_is_empty(row->error_message);
    s->plan.active = a;
    return load_work(tx, s, err);
}

static int load_rollouts(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    int r = vr_store_rollout_list_open(tx, s->swarm.id, &s->open, err);

    for (size_t i = 0; i < s->open.n && r == 0; i++) {
        if (vr_streq(s->open.v[i].state, "active")) {
            s->active = &s->open.v[i];
        } else {
            s->plan.queued = s->open.v[i].id;
            s->plan.queued_pool = s->open.v[i].pool_id;
        }
    }
    s->plan.policy = vr_policy_default();
    if (r == 0 && s->swarm.current_rollout) {
        r = vr_store_rollout_find(tx, s->swarm.current_rollout, &s->current, err);
        if (r == 0)
            r = freeze(&s->current, &s->plan_current, &s->plan.policy, err);
        if (r == 0)
            s->plan.current = &s->plan_current;
    }
    if (r == 0 && s->active)
        r = load_active(tx, s, err);
    s->plan.policy.start_secs = vr_policy_start_secs(&s->plan.policy, true);
    return r;
}

static int load_commands(struct vr_tx *tx, struct vr_snapshot *s, struct vr_err *err)
{
    int r = vr_store_command_list_open(tx, s->swarm.id, &s->commands, err);

    if (r < 0)
        return r;
    s->plan_commands = vr_alloc_array(s->commands.n, sizeof(*s->plan_commands));
    for (size_t i = 0; i < s->commands.n; i++) {
        const struct vr_command_row *row = &s->commands.v[i];

        s->plan_commands[i] = (struct vr_plan_command){.id = row->id,
                                                       .proc = row->proc_id,
                                                       .kind = command_of(row->kind),
                                                       .force = row->force,
                                                       .issued = vr_streq(row->state, "active")};
    }
    s->plan.commands = s->plan_commands;
    s->plan.command_count = s->commands.n;
    return 0;
}

/* ------------------------------------------------------------------ mass loss */

static int see_mass_loss(struct vr_tx *tx, const struct vr_snapshot_spec *spec,
                         struct vr_snapshot *s, int64_t squad, struct vr_err *err)
{
    VR_ROW(squad) row = {0};
    int r = vr_store_squad_find_id(tx, squad, &row, err);
    vr_auto_free struct vr_wall *lost = vr_alloc_array(s->hosts.n, sizeof(*lost));
    size_t hosts = 0, count = 0;
    struct vr_wall until;

    if (r < 0)
        return r;
    for (size_t i = 0; i < s->hosts.n; i++) {
        const struct vr_plan_host *h = &s->plan_hosts[i];
        struct vr_wall changes, lost_at;

        if (h->squad != squad || vr_streq(s->hosts.v[i].state, "new"))
            continue;
        hosts++;
        vr_plan_liveness(spec->now, h->last_seen, spec->engine_started, &changes, &lost_at);
        if (lost_at.us)
            lost[count++] = lost_at;
    }
    if (vr_plan_mass_loss(spec->now, hosts, lost, count, (struct vr_wall){row.loss_ack_us},
                          &until)) {
        s->plan.mass_loss = true;
        if (until.us > s->plan.mass_loss_until.us)
            s->plan.mass_loss_until = until;
    }
    return 0;
}

int vr_snapshot_load(struct vr_tx *tx, const struct vr_snapshot_spec *spec, struct vr_snapshot *s,
                     struct vr_err *err)
{
    int r;

    *s = (struct vr_snapshot){.plan = {.now = spec->now, .swarm = spec->swarm_id},
                              .engine_started = spec->engine_started};
    r = vr_store_swarm_find_id(tx, spec->swarm_id, &s->swarm, err);
    if (r == 0)
        r = load_hosts(tx, spec, s, err);
    if (r == 0)
        r = load_pools(tx, s, err);
    if (r == 0)
        r = load_procs(tx, s, err);
    if (r == 0)
        r = load_rollouts(tx, s, err);
    if (r == 0)
        r = load_commands(tx, s, err);
    if (r < 0)
        return r;
    s->plan.paused = s->swarm.paused;
    s->plan.heal_failures = (int32_t)s->swarm.heal_failures;
    s->plan.heal_after.us = s->swarm.heal_after_us;
    if (s->plan.current)
        r = see_mass_loss(tx, spec, s, s->plan.current->squad, err);
    if (r == 0 && s->plan.active &&
        (!s->plan.current || s->plan.active->frozen.squad != s->plan.current->squad))
        r = see_mass_loss(tx, spec, s, s->plan.active->frozen.squad, err);
    return r;
}

void vr_snapshot_fini(struct vr_snapshot *s)
{
    for (size_t i = 0; i < s->pools.n && s->plan_pools; i++) {
        free((void *)s->plan_pools[i].members);
        free((void *)s->plan_pools[i].hosts);
        vr_pool_host_rows_fini(&s->pool_hosts[i]);
    }
    free(s->pool_hosts);
    free(s->plan_pools);
    free(s->plan_hosts);
    free(s->plan_procs);
    free(s->plan_commands);
    free(s->resolve_fault);
    free(s->build_fault);
    vr_swarm_row_fini(&s->swarm);
    vr_rollout_row_fini(&s->current);
    vr_rollout_rows_fini(&s->open);
    vr_job_row_fini(&s->resolve);
    vr_build_row_fini(&s->build);
    vr_host_rows_fini(&s->hosts);
    vr_proc_rows_fini(&s->procs);
    vr_pool_rows_fini(&s->pools);
    vr_command_rows_fini(&s->commands);
    *s = (struct vr_snapshot){0};
}
