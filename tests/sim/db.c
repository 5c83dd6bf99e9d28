/* SPDX-License-Identifier: MIT */
/*
 * The rows of the simulator, and the engine's loop on them.
 *
 * A transaction is a call of apply(): the engine may die before it (nothing is written) or after
 * it (all is written, nobody remembers). What the engine keeps in memory is only its next wake.
 */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>

#define SETTLE_ROUNDS 64

static struct vr_wall wall(int64_t us)
{
    return (struct vr_wall){us};
}

void db_init(struct sim *s)
{
    struct db *d = &s->db;

    d->current = d->active = d->queued = -1;
    d->next_proc = d->next_release = d->next_pool = d->next_command = 1;
    d->size = 2;
    d->squad = 1;
    d->pools[0] = (struct pool_row){.used = true, .id = d->next_pool++};
    d->pool = 1;
    for (int i = 0; i < SIM_HOSTS; i++)
        d->hosts[i] = (struct host_row){.squad = i < SIM_APP_HOSTS ? 1 + i / 3 : 3,
                                        .last_seen = s->now,
                                        .active = true,
                                        .synced = true};
}

struct row *db_row(struct sim *s, int64_t id)
{
    for (int i = 0; i < SIM_ROWS; i++)
        if (s->db.rows[i].used && s->db.rows[i].id == id)
            return &s->db.rows[i];
    return NULL;
}

enum vr_liveness db_liveness(struct sim *s, int host, int64_t *out_changes, int64_t *out_lost)
{
    struct vr_wall changes, lost;
    enum vr_liveness l = vr_plan_liveness(wall(s->now), wall(s->db.hosts[host].last_seen),
                                          wall(s->engine_started), &changes, &lost);

    if (out_changes)
        *out_changes = changes.us;
    if (out_lost)
        *out_lost = lost.us;
    return l;
}

/* The desired state of a host has changed: tell its agent. */
void db_touch(struct sim *s, int host)
{
    s->db.hosts[host].rev++;
    world_send_desired(s, host);
}

void db_kick(struct sim *s)
{
    if (s->engine_up && (!s->engine_at || s->engine_at > s->now + 1000)) {
        s->engine_at = s->now + 1000;
        sim_at(s, s->engine_at, EV_ENGINE, 0, NULL);
    }
}

int db_request(struct sim *s, enum vr_kind kind, int64_t release, enum quality quality)
{
    struct db *d = &s->db;
    struct rollout_row *r;

    if (d->rollout_count == SIM_ROLLOUTS)
        return -1;
    if (d->queued >= 0) {
        d->rollouts[d->queued].state = ENDED;
        d->rollouts[d->queued].result = VR_RESULT_SUPERSEDED;
    }
    r = &d->rollouts[d->rollout_count];
    *r = (struct rollout_row){.state = QUEUED, .quality = quality};
    snprintf(r->id, sizeof(r->id), "%032d", d->rollout_count + 1);
    r->a.frozen = (struct vr_plan_frozen){
        .kind = kind,
        .release = release,
        .squad = d->squad,
        .pool = d->pool,
        .size = d->size,
        .batch = d->batch,
        .mem_bytes = 10,
    };
    memcpy(r->a.frozen.id, r->id, sizeof(r->id));
    r->a.needs_resolve = kind == VR_DISPATCH && !release;
    d->queued = d->rollout_count++;
    return d->queued;
}

/* --- load --- */

static void load_hosts(struct sim *s, struct sim_view *v)
{
    static const char *const names[] = {"h0", "h1", "h2", "h3", "h4", "h5", "b6", "b7"};

    for (int i = 0; i < SIM_HOSTS; i++) {
        struct host_row *h = &s->db.hosts[i];
        struct vr_plan_host *o = &v->hosts[i];
        int64_t changes;

        *o = (struct vr_plan_host){
            .id = i + 1,
            .name = names[i],
            .squad = h->squad,
            .liveness = db_liveness(s, i, &changes, NULL),
            .last_seen = wall(h->last_seen),
            .synced = h->synced,
            .active = h->active,
            .app_role = i < SIM_APP_HOSTS,
            .labels_match = true,
            .disk_ok = true,
            .ports_left = true,
            .mem_capacity = SIM_MEM,
        };
        o->changes_at = wall(changes);
    }
    for (int i = 0; i < SIM_ROWS; i++) {
        if (s->db.rows[i].used) {
            v->hosts[s->db.rows[i].host].mem_committed += 10;
            v->hosts[s->db.rows[i].host].procs_of_app++;
        }
    }
}

/* What live balancer hosts report of a proc. */
static void load_balancers_view(struct sim *s, const struct row *r, struct vr_plan_proc *o)
{
    bool unknown = false;

    for (int b = SIM_APP_HOSTS; b < SIM_HOSTS; b++) {
        struct host_row *h = &s->db.hosts[b];

        if (db_liveness(s, b, NULL, NULL) >= VR_LOST)
            continue;
        for (int p = 0; p < SIM_POOLS; p++)
            if (s->db.pools[p].used && s->db.pools[p].id == r->pool &&
                h->confirmed[p] < s->db.pools[p].generation)
                unknown = true;
        for (size_t n = 0; n < h->node_count; n++) {
            if (h->nodes[n].proc != r->id)
                continue;
            if (h->nodes[n].up)
                o->check = VR_CHECK_UP;
            else if (o->check == VR_CHECK_NONE)
                o->check = VR_CHECK_DOWN;
            o->connections += h->nodes[n].connections;
        }
    }
    if (unknown)
        o->connections = -1;
}

static void load_procs(struct sim *s, struct sim_view *v)
{
    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[i];
        struct vr_plan_proc *o = &v->procs[v->snap.proc_count];

        if (!r->used)
            continue;
        *o = (struct vr_plan_proc){
            .id = r->id,
            .host = &v->hosts[r->host],
            .name = "proc",
            .release = r->release,
            .pool = r->pool,
            .epoch = r->epoch,
            .desired = r->desired,
            .actual = r->actual,
            .running_since = wall(r->running_since),
            .unhealthy_since = wall(r->unhealthy_since),
            .tested_at = wall(r->tested_at),
            .test_began = wall(r->test_began),
            .tested = r->tested,
            .passed = r->passed_epoch == r->epoch && r->passed_life == r->life,
            .admitted = r->admitted,
            .left_at = wall(r->left_at),
            .start_failed = r->start_failed,
            .retried = r->retried,
            .flaps = r->flaps,
            .flapped_at = wall(r->flapped_at),
            .unhealthy_restarts = r->unhealthy_restarts,
        };
        memcpy(o->rollout, s->db.rollouts[r->rollout].id, sizeof(o->rollout));
        if (s->sabotage == SABOTAGE_ADMIT_UNTESTED && r->actual == VR_RUNNING)
            o->passed = true;
        load_balancers_view(s, r, o);
        v->snap.proc_count++;
    }
    /* by id */
    for (size_t i = 1; i < v->snap.proc_count; i++)
        for (size_t j = i; j > 0 && v->procs[j - 1].id > v->procs[j].id; j--) {
            struct vr_plan_proc t = v->procs[j];

            v->procs[j] = v->procs[j - 1];
            v->procs[j - 1] = t;
        }
}

static void load_pools(struct sim *s, struct sim_view *v)
{
    for (int p = 0; p < SIM_POOLS; p++) {
        const struct pool_row *row = &s->db.pools[p];
        size_t n = v->snap.pool_count;

        if (!row->used)
            continue;
        for (int b = SIM_APP_HOSTS; b < SIM_HOSTS; b++) {
            const struct host_row *h = &s->db.hosts[b];
            bool lost = db_liveness(s, b, NULL, NULL) >= VR_LOST;
            struct vr_plan_pool_host *o = &v->pool_hosts_of[n][b - SIM_APP_HOSTS];

            *o = (struct vr_plan_pool_host){.host = &v->hosts[b],
                                            .confirmed = lost ? 0 : h->confirmed[p],
                                            .confirmed_at = wall(h->confirmed_at[p])};
            if (s->sabotage == SABOTAGE_STOP_UNCONFIRMED)
                o->confirmed = row->generation;
        }
        v->pools[n] = (struct vr_plan_pool){.id = row->id,
                                            .name = "pool",
                                            .generation = row->generation,
                                            .members = row->members,
                                            .member_count = row->member_count,
                                            .hosts = v->pool_hosts_of[n],
                                            .host_count = SIM_HOSTS - SIM_APP_HOSTS};
        v->snap.pool_count++;
    }
}

static void load_mass_loss(struct sim *s, struct sim_view *v)
{
    for (int squad = 1; squad <= 2; squad++) {
        struct vr_wall lost[3], until;
        size_t n = 0;

        for (int i = (squad - 1) * 3; i < squad * 3; i++) {
            int64_t at;

            if (db_liveness(s, i, NULL, &at) >= VR_LOST)
                lost[n++] = wall(at);
        }
        if (s->sabotage != SABOTAGE_NO_MASS_LOSS && v->snap.current &&
            v->snap.current->squad == squad &&
            vr_plan_mass_loss(wall(s->now), 3, lost, n, wall(0), &until)) {
            v->snap.mass_loss = true;
            v->snap.mass_loss_until = until;
        }
    }
}

void db_load(struct sim *s, struct sim_view *v)
{
    struct db *d = &s->db;

    v->snap = (struct vr_plan_snapshot){
        .now = wall(s->now),
        .swarm = 1,
        .policy = s->policy,
        .hosts = v->hosts,
        .host_count = SIM_HOSTS,
        .procs = v->procs,
        .pools = v->pools,
        .commands = v->commands,
        .wished_pool = d->pool,
        .heal_failures = d->heal_failures,
        .heal_after = wall(d->heal_after),
    };
    load_hosts(s, v);
    load_procs(s, v);
    load_pools(s, v);
    if (d->current >= 0) {
        v->current = d->rollouts[d->current].a.frozen;
        v->snap.current = &v->current;
    }
    if (d->active >= 0) {
        v->active = d->rollouts[d->active].a;
        v->snap.active = &v->active;
    }
    if (d->queued >= 0) {
        v->snap.queued = d->rollouts[d->queued].id;
        v->snap.queued_pool = d->rollouts[d->queued].a.frozen.pool;
    }
    load_mass_loss(s, v);
    for (int i = 0; i < SIM_COMMANDS; i++)
        if (d->commands[i].used)
            v->commands[v->snap.command_count++] = d->commands[i].c;
}

/* --- apply --- */

static int free_port(struct sim *s, int host)
{
    bool taken[SIM_PORTS] = {false};

    if (s->sabotage == SABOTAGE_REUSE_PORT)
        return SIM_BASE_PORT;
    for (int i = 0; i < SIM_ROWS; i++)
        if (s->db.rows[i].used && s->db.rows[i].host == host)
            taken[s->db.rows[i].port - SIM_BASE_PORT] = true;
    for (int p = 0; p < SIM_PORTS; p++)
        if (!taken[p])
            return SIM_BASE_PORT + p;
    return -1;
}

static void place(struct sim *s, const struct vr_plan_action *a)
{
    int host = (int)a->host - 1, port = free_port(s, host);

    if (port < 0) {
        sim_fail(s, "no port left on host %d", host);
        return;
    }
    for (int i = 0; i < SIM_ROWS; i++) {
        if (s->db.rows[i].used)
            continue;
        s->db.rows[i] = (struct row){
            .used = true,
            .id = s->db.next_proc++,
            .host = host,
            .port = port,
            .rollout = s->db.active,
            .release = a->release,
            .pool = a->pool,
            .epoch = 1,
            .actual = VR_ASSIGNED,
            .retried = a->retry_of != 0,
        };
        return;
    }
    sim_fail(s, "more than %d procs", SIM_ROWS);
}

static void start_work(struct sim *s, int64_t low, int64_t high)
{
    struct rollout_row *r = &s->db.rollouts[s->db.active];

    r->work_at = s->now + sim_between(s, low, high);
    r->work_fails = s->now < s->calm_at && sim_chance(s, 4);
    sim_at(s, r->work_at, EV_WORK, s->db.active, NULL);
}

void db_work_done(struct sim *s, int index)
{
    struct rollout_row *r = &s->db.rollouts[index];
    enum vr_work result = r->work_fails ? VR_WORK_FAILED : VR_WORK_SUCCESS;

    if (r->a.needs_resolve) {
        r->a.resolve = result;
        if (!r->work_fails)
            r->a.needs_resolve = false;
    } else {
        r->a.build_state = result;
    }
    db_kick(s);
}

static void start_rollout(struct sim *s, const struct vr_plan_action *a)
{
    struct db *d = &s->db;
    struct rollout_row *r = &d->rollouts[d->rollout_count];
    struct vr_plan_frozen f = d->rollouts[d->current].a.frozen;

    if (d->rollout_count == SIM_ROLLOUTS) {
        sim_fail(s, "more than %d rollouts: healing does not end", SIM_ROLLOUTS);
        return;
    }
    *r = (struct rollout_row){.state = QUEUED};
    snprintf(r->id, sizeof(r->id), "%032d", d->rollout_count + 1);
    memcpy(f.id, r->id, sizeof(f.id));
    f.kind = a->rollout_kind;
    r->a.frozen = f;
    d->active = d->rollout_count++;
}

static void activate(struct sim *s, int index)
{
    struct rollout_row *r = &s->db.rollouts[index];

    if (s->db.active >= 0 && s->db.active != index)
        sim_fail(s, "two active rollouts");
    s->db.active = index;
    r->state = ACTIVE;
    r->a.started = wall(s->now);
    r->downtime = s->downtime;
    r->old_size = s->db.current >= 0 ? s->db.rollouts[s->db.current].a.frozen.size : 0;
}

static void end_rollout(struct sim *s, const struct vr_plan_action *a)
{
    struct rollout_row *r = &s->db.rollouts[s->db.active];

    r->state = ENDED;
    r->result = a->result;
    if (r->a.frozen.kind == VR_HEAL || r->a.frozen.kind == VR_MOVE) {
        s->db.heal_failures = a->heal_failures;
        s->db.heal_after = a->heal_after.us;
    }
    s->db.active = -1;
}

static void new_epoch(struct sim *s, struct row *r)
{
    r->epoch++;
    r->tested = VR_TESTED_NO;
    r->test_began = 0;
    r->actual = VR_STARTING;
    r->start_failed = false;
    r->unhealthy_since = 0;
}

static void unadmit(struct sim *s, struct row *r)
{
    if (r->admitted)
        r->left_at = s->now;
    r->admitted = false;
}

static void make_release(struct sim *s, struct rollout_row *r)
{
    if (s->db.next_release == SIM_RELEASES) {
        sim_fail(s, "more than %d releases", SIM_RELEASES);
        return;
    }
    r->a.frozen.release = s->db.next_release++;
    s->db.release_quality[r->a.frozen.release] = r->quality;
}

static void apply_to_rollout(struct sim *s, const struct vr_plan_action *a)
{
    struct rollout_row *r = s->db.active >= 0 ? &s->db.rollouts[s->db.active] : NULL;

    switch (a->kind) {
    case VR_PLAN_ACTIVATE:
        activate(s, s->db.queued);
        s->db.queued = -1;
        break;
    case VR_PLAN_START_ROLLOUT:
        start_rollout(s, a);
        if (!*s->failure)
            activate(s, s->db.active);
        break;
    case VR_PLAN_SET_STEP:
        r->a.step = a->step;
        r->a.deadline = a->deadline;
        r->a.past_return |= a->past_return;
        break;
    case VR_PLAN_SET_PHASE:
        r->a.phase = a->phase;
        r->a.deadline = a->deadline;
        break;
    case VR_PLAN_REFUSE_CANCEL:
        r->a.cancel_requested = false;
        break;
    case VR_PLAN_CAUSE:
        r->a.has_cause = true;
        break;
    case VR_PLAN_REQUEST_RESOLVE:
        r->a.resolve = VR_WORK_PENDING;
        start_work(s, 1000, 8 * SIM_SECOND);
        break;
    case VR_PLAN_TAKE_BUILD:
        r->a.build = 1;
        r->a.build_state = VR_WORK_PENDING;
        start_work(s, 1000, 30 * SIM_SECOND);
        break;
    case VR_PLAN_CREATE_RELEASE:
        make_release(s, r);
        break;
    case VR_PLAN_PLACE:
        place(s, a);
        break;
    case VR_PLAN_SET_CURRENT:
        s->db.current = s->db.active;
        break;
    case VR_PLAN_END:
        end_rollout(s, a);
        break;
    default:
        break;
    }
}

static void apply_to_proc(struct sim *s, const struct vr_plan_action *a, struct row *r)
{
    switch (a->kind) {
    case VR_PLAN_TEST:
        r->tested = VR_TESTED_PENDING;
        r->tested_at = s->now;
        r->test_seq++;
        if (!r->test_began)
            r->test_began = s->now;
        break;
    case VR_PLAN_ADMIT:
        r->admitted = true;
        break;
    case VR_PLAN_UNADMIT:
        unadmit(s, r);
        break;
    case VR_PLAN_STOP:
        if (s->sabotage == SABOTAGE_DROP_STOP && !a->force)
            r->admitted = false;
        else
            r->desired = VR_STOP;
        break;
    case VR_PLAN_HOLD:
        r->desired = VR_HELD;
        break;
    case VR_PLAN_START:
        r->desired = VR_RUN;
        unadmit(s, r);
        new_epoch(s, r);
        break;
    case VR_PLAN_RESTART:
        r->restarts++;
        if (a->health)
            r->unhealthy_restarts = a->count;
        new_epoch(s, r);
        break;
    case VR_PLAN_UNKNOWN:
        r->actual = VR_UNKNOWN;
        break;
    case VR_PLAN_KNOWN:
        r->actual = r->reported;
        if (a->new_epoch && s->sabotage != SABOTAGE_KEEP_EPOCH) {
            unadmit(s, r);
            new_epoch(s, r);
        }
        break;
    case VR_PLAN_DEMOTE:
        r->passed_epoch = 0;
        r->tested = VR_TESTED_NO;
        r->test_began = 0;
        r->flaps = a->count;
        r->flapped_at = s->now;
        break;
    default:
        return;
    }
}

static void publish(struct sim *s, const struct sim_view *v, int64_t id)
{
    for (int p = 0; p < SIM_POOLS; p++) {
        struct pool_row *pool = &s->db.pools[p];
        int64_t members[SIM_ROWS];
        size_t count;

        if (!pool->used || pool->id != id)
            continue;
        count = vr_plan_members(&v->snap, id, members);
        check_publish(s, v, pool, members, count);
        memcpy(pool->members, members, count * sizeof(*members));
        pool->member_count = count;
        pool->generation++;
    }
}

static void delete_pool(struct sim *s, int64_t id)
{
    for (int p = 0; p < SIM_POOLS; p++)
        if (s->db.pools[p].used && s->db.pools[p].id == id)
            s->db.pools[p].used = false;
}

static void apply_to_command(struct sim *s, const struct vr_plan_action *a)
{
    for (int i = 0; i < SIM_COMMANDS; i++) {
        struct command_row *c = &s->db.commands[i];

        if (!c->used || c->c.id != a->command)
            continue;
        if (a->kind == VR_PLAN_COMMAND_DONE)
            c->used = false;
        else
            c->c.issued = true;
    }
}

static void apply(struct sim *s, const struct sim_view *v)
{
    bool touched[SIM_HOSTS] = {false}, pools = false;

    for (size_t i = 0; i < s->actions.count && !*s->failure; i++) {
        const struct vr_plan_action *a = &s->actions.v[i];
        struct row *r = db_row(s, a->proc);

        sim_note(s, "  %s proc=%" PRId64 " host=%" PRId64 " step=%s phase=%d result=%s %s",
                 vr_plan_kind_name(a->kind), a->proc, a->host, vr_step_name(a->step), a->phase,
                 vr_result_name(a->result), a->text ? a->text : "");
        check_action(s, v, a);
        if (r && a->kind != VR_PLAN_CAUSE && a->kind != VR_PLAN_LEFTOVER) {
            apply_to_proc(s, a, r);
            touched[r->host] = true;
            r->rev = s->db.hosts[r->host].rev + 1;
        }
        if (a->kind == VR_PLAN_PLACE)
            touched[a->host - 1] = true;
        if (a->kind == VR_PLAN_PUBLISH)
            publish(s, v, a->pool);
        if (a->kind == VR_PLAN_DELETE_POOL)
            delete_pool(s, a->pool);
        pools |= a->kind == VR_PLAN_PUBLISH || a->kind == VR_PLAN_DELETE_POOL;
        apply_to_command(s, a);
        apply_to_rollout(s, a);
        if (s->sabotage == SABOTAGE_UNADMIT_EARLY && a->kind == VR_PLAN_PLACE)
            for (int j = 0; j < SIM_ROWS; j++)
                unadmit(s, &s->db.rows[j]);
    }
    for (int h = 0; h < SIM_HOSTS; h++)
        if (touched[h] || (pools && h >= SIM_APP_HOSTS))
            db_touch(s, h);
}

static void die(struct sim *s)
{
    sim_note(s, "engine dies");
    s->engine_up = false;
    s->engine_at = 0;
    s->down_since = s->now;
    sim_at(s, s->now + sim_between(s, SIM_SECOND / 10, 20 * SIM_SECOND), EV_ENGINE_START, 0, NULL);
}

void db_engine(struct sim *s)
{
    int risk = s->now < s->calm_at ? 1 : 0;

    for (int round = 0; round < SETTLE_ROUNDS; round++) {
        struct sim_view v = {0};

        db_load(s, &v);
        if (!vr_plan(&v.snap, &s->actions)) {
            s->engine_at = s->actions.next_wake.us;
            if (s->sabotage == SABOTAGE_DROP_WAKE)
                s->engine_at = 0;
            if (s->engine_at)
                sim_at(s, s->engine_at, EV_ENGINE, 0, NULL);
            return;
        }
        if (sim_chance(s, risk)) {
            die(s);
            return;
        }
        apply(s, &v);
        check_rows(s);
        if (*s->failure)
            return;
        if (sim_chance(s, risk)) {
            die(s);
            return;
        }
    }
    sim_fail(s, "the plan does not settle: %s again and again",
             vr_plan_kind_name(s->actions.v[0].kind));
}
