/* SPDX-License-Identifier: MIT */
/* The invariants of the engine, asserted on rows and machines together. */
#include "sim.h"

#include <inttypes.h>
#include <stdio.h>

#define SLACK_SECS 30 /* for the engine to notice, with messages late */

/* 3 and 4, on the rows alone. */
void check_rows(struct sim *s)
{
    int active = 0;

    for (int i = 0; i < SIM_ROWS; i++)
        for (int j = 0; j < i; j++)
            if (s->db.rows[i].used && s->db.rows[j].used &&
                s->db.rows[i].host == s->db.rows[j].host &&
                s->db.rows[i].port == s->db.rows[j].port)
                sim_fail(s, "invariant 3: port %d of host %d was given twice", s->db.rows[i].port,
                         s->db.rows[i].host);
    for (int i = 0; i < s->db.rollout_count; i++)
        active += s->db.rollouts[i].state == ACTIVE;
    if (active > 1)
        sim_fail(s, "invariant 4: %d active rollouts", active);
}

/* 5: nobody sends to it, and its requests had time to end. */
static void check_signal(struct sim *s, const struct vr_plan_action *a, const struct row *r)
{
    if (a->force || r->actual != VR_RUNNING || !r->pool ||
        db_liveness(s, r->host, NULL, NULL) >= VR_LOST)
        return;
    for (int b = SIM_APP_HOSTS; b < SIM_HOSTS; b++) {
        int64_t left, open;

        if (!s->machines[b].up || db_liveness(s, b, NULL, NULL) >= VR_LOST)
            continue;
        if (world_routes(s, b, r->id, &left, &open))
            sim_fail(s, "invariant 5: proc %" PRId64 " is signalled while balancer %d sends to it",
                     r->id, b);
        else if (!a->health && open > s->now && s->now < left + s->policy.drain_secs * SIM_SECOND)
            sim_fail(s, "invariant 5: proc %" PRId64 " is signalled before its drain is over",
                     r->id);
    }
}

/* 9, counted from silence alone, and not by the helper that the engine uses. */
static bool is_mass_loss(struct sim *s, int64_t squad)
{
    int64_t first = INT64_MAX, last = 0;
    int lost = 0;

    for (int h = 0; h < SIM_APP_HOSTS; h++) {
        int64_t since = s->engine_started + VR_HOST_LOST_SECS * SIM_SECOND;

        if (s->db.hosts[h].last_seen > since)
            since = s->db.hosts[h].last_seen;
        since += VR_HOST_LOST_SECS * SIM_SECOND;
        if (s->db.hosts[h].squad != squad || since > s->now)
            continue;
        lost++;
        first = since < first ? since : first;
        last = since > last ? since : last;
    }
    return lost >= 2 && last - first <= VR_PLAN_MASS_LOSS_WINDOW_SECS * SIM_SECOND &&
           s->now < last + VR_HOST_MASS_LOSS_SECS * SIM_SECOND;
}

static bool has_ready_base(struct sim *s)
{
    const struct vr_plan_frozen *f = &s->db.rollouts[s->db.current].a.frozen;
    int ready = 0;

    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[i];

        ready += r->used && r->rollout != s->db.active && r->release == f->release &&
                 r->pool == f->pool && r->desired == VR_RUN && r->actual == VR_RUNNING &&
                 r->admitted && r->passed_epoch == r->epoch && r->passed_life == r->life;
    }
    return ready >= f->size;
}

/* 7: after done the target and nothing else, after any other end what ran before. */
static void check_end(struct sim *s, const struct vr_plan_action *a)
{
    const struct rollout_row *ended = &s->db.rollouts[s->db.active];
    const struct vr_plan_frozen *f = &ended->a.frozen;
    int64_t took = (s->now - ended->a.started.us) / SIM_SECOND;
    int64_t bound = vr_plan_bound_secs(&s->policy, f->size, ended->old_size, f->batch) +
                    (s->downtime - ended->downtime) / SIM_SECOND + SLACK_SECS;
    int count = 0;

    if (took > bound)
        sim_fail(s, "invariant 4: a %s took %" PRId64 " s, its steps allow %" PRId64,
                 vr_kind_name(f->kind), took, bound);
    if (f->kind == VR_HEAL || f->kind == VR_MOVE || f->kind == VR_SCALE)
        return;
    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[i];
        bool target = r->release == f->release && r->pool == f->pool;

        if (!r->used || r->desired == VR_STOP || r->actual == VR_UNKNOWN)
            continue;
        if (a->result == VR_RESULT_DONE && !target)
            sim_fail(s, "invariant 7: proc %" PRId64 " is left after a %s was done", r->id,
                     vr_kind_name(f->kind));
        if (a->result != VR_RESULT_DONE && r->rollout == s->db.active && s->db.current >= 0 &&
            !ended->a.past_return && s->now < ended->a.deadline.us && has_ready_base(s))
            sim_fail(s, "invariant 7: proc %" PRId64 " is left after a %s was %s", r->id,
                     vr_kind_name(f->kind), vr_result_name(a->result));
        count += target;
    }
    if (a->result == VR_RESULT_DONE && count < f->size)
        for (int i = 0; i < SIM_ROWS; i++)
            count += s->db.rows[i].used && s->db.rows[i].actual == VR_UNKNOWN;
    if (a->result == VR_RESULT_DONE && count < f->size)
        sim_fail(s, "invariant 7: %d of %d procs after a %s was done", count, f->size,
                 vr_kind_name(f->kind));
}

void check_action(struct sim *s, const struct sim_view *v, const struct vr_plan_action *a)
{
    const struct row *r = db_row(s, a->proc);

    switch (a->kind) {
    case VR_PLAN_STOP:
    case VR_PLAN_HOLD:
    case VR_PLAN_RESTART:
        if (r)
            check_signal(s, a, r);
        break;
    case VR_PLAN_ADMIT:
        if (r && r->epoch != a->epoch)
            sim_fail(s, "invariant 6: proc %" PRId64 " is admitted in an older epoch", r->id);
        break;
    case VR_PLAN_START_ROLLOUT:
        if (is_mass_loss(s, s->db.rollouts[s->db.current].a.frozen.squad))
            sim_fail(s, "invariant 9: a %s is started while most of the squad is silent",
                     vr_kind_name(a->rollout_kind));
        break;
    case VR_PLAN_END:
        check_end(s, a);
        break;
    default:
        break;
    }
}

static bool is_in(int64_t id, const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

/* 1 and 6: what is published passed in its epoch and life, by the host's own record. */
static void check_member(struct sim *s, int64_t id)
{
    const struct row *r = db_row(s, id);
    const struct shim *p = r ? world_shim(s, r->host, id) : NULL;

    if (!p || p->passed_epoch != r->epoch || p->passed_life < r->life)
        sim_fail(s,
                 "invariant 1: proc %" PRId64 " is routed in epoch %" PRId64 ", life %" PRId64
                 " without a passed uptest",
                 id, r ? r->epoch : 0, r ? r->life : 0);
    else if (r->evicted_epoch == r->epoch)
        sim_fail(s,
                 "invariant 6: proc %" PRId64 " is routed again in epoch %" PRId64
                 ", in which its host was lost",
                 id, r->epoch);
    else if (s->db.release_quality[r->release] != GOOD)
        sim_fail(s, "invariant 1: proc %" PRId64 " of a bad release is routed", id);
}

static bool has_command(struct sim *s, const struct row *r)
{
    for (int i = 0; i < SIM_COMMANDS; i++)
        if (s->db.commands[i].used && s->db.commands[i].c.proc == r->id)
            return true;
    return false;
}

static bool is_well(struct sim *s, const struct row *r)
{
    return !has_command(s, r) && r->desired != VR_HELD && r->actual == VR_RUNNING &&
           r->passed_epoch == r->epoch && r->passed_life == r->life && !r->unhealthy_since &&
           db_liveness(s, r->host, NULL, NULL) < VR_LOST;
}

/* 2: a rollout alone never brings the members below the smaller generation. */
static void check_capacity(struct sim *s, const struct sim_view *v, const struct pool_row *pool,
                           const int64_t *members, size_t count)
{
    int before = 0, after = (int)count, floor;

    for (int p = 0; p < SIM_POOLS; p++) {
        const struct pool_row *o = &s->db.pools[p];

        if (o->used && o != pool)
            after += (int)o->member_count;
        for (size_t i = 0; o->used && i < o->member_count; i++) {
            const struct row *r = db_row(s, o->members[i]);

            before += r && is_well(s, r);
        }
    }
    floor = v->snap.current ? v->snap.current->size : 0;
    if (v->snap.active && v->snap.active->frozen.size < floor)
        floor = v->snap.active->frozen.size;
    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[i];

        /* What a user takes out counts as size, without serving. */
        floor -= r->used && (r->desired == VR_HELD || has_command(s, r));
    }
    if (before < floor)
        floor = before;
    if (after < floor)
        sim_fail(s, "invariant 2: %d members are left of %d well ones, %d are needed", after,
                 before, floor);
}

static void check_eviction(struct sim *s, const struct pool_row *pool, const int64_t *members,
                           size_t count)
{
    for (size_t i = 0; i < pool->member_count; i++) {
        const struct row *r = db_row(s, pool->members[i]);

        if (r && !is_in(r->id, members, count) && r->admitted && r->actual == VR_UNKNOWN &&
            is_mass_loss(s, s->db.hosts[r->host].squad) && s->db.current >= 0 &&
            s->db.rollouts[s->db.current].a.frozen.squad == s->db.hosts[r->host].squad &&
            db_liveness(s, r->host, NULL, NULL) >= VR_LOST && r->passed_epoch == r->epoch &&
            r->passed_life == r->life && r->desired == VR_RUN)
            sim_fail(s, "invariant 9: proc %" PRId64 " is evicted while most hosts are silent",
                     r->id);
    }
}

void check_publish(struct sim *s, const struct sim_view *v, struct pool_row *pool,
                   const int64_t *members, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!is_in(members[i], pool->members, pool->member_count))
            check_member(s, members[i]);
    for (size_t i = 0; i < pool->member_count; i++) {
        struct row *r = db_row(s, pool->members[i]);

        if (r && r->actual == VR_UNKNOWN && !is_in(r->id, members, count))
            r->evicted_epoch = r->epoch;
    }
    check_capacity(s, v, pool, members, count);
    check_eviction(s, pool, members, count);
}

/* --- convergence --- */

static bool is_row_settled(struct sim *s, const struct row *r, const struct vr_plan_frozen *f)
{
    const struct shim *p = world_shim(s, r->host, r->id);

    if (!f || r->release != f->release || r->pool != f->pool || r->desired == VR_STOP || !p)
        return false;
    if (r->desired == VR_HELD)
        return r->actual == VR_STOPPED && p->actual == VR_STOPPED;
    return r->actual == VR_RUNNING && r->admitted && r->passed_epoch == r->epoch &&
           r->passed_life == r->life && p->actual == VR_RUNNING && p->life == r->life;
}

static bool are_machines_settled(struct sim *s, char *why, size_t bytes)
{
    for (int h = 0; h < SIM_HOSTS; h++) {
        for (int i = 0; i < SIM_ROWS; i++) {
            const struct shim *p = &s->machines[h].shims[i];

            if (!p->used || db_row(s, p->id))
                continue;
            snprintf(why, bytes, "host %d still has proc %" PRId64, h, p->id);
            return false;
        }
    }
    for (int b = SIM_APP_HOSTS; b < SIM_HOSTS; b++)
        for (int p = 0; p < SIM_POOLS; p++) {
            const struct pool_row *want = &s->db.pools[p], *is = &s->machines[b].lb.applied[p];

            if (!want->used ||
                (want->generation == is->generation && want->member_count == is->member_count))
                continue;
            snprintf(why, bytes, "balancer %d lags", b);
            return false;
        }
    return true;
}

bool check_is_settled(struct sim *s, char *why, size_t bytes)
{
    const struct vr_plan_frozen *f =
        s->db.current >= 0 ? &s->db.rollouts[s->db.current].a.frozen : NULL;
    int count = 0, serving = 0, members = 0, pools = 0;

    snprintf(why, bytes, "a rollout is active or queued");
    if (s->db.active >= 0 || s->db.queued >= 0 || !s->engine_up)
        return false;
    for (int i = 0; i < SIM_COMMANDS; i++) {
        snprintf(why, bytes, "command %" PRId64 " is not done", s->db.commands[i].c.id);
        if (s->db.commands[i].used)
            return false;
    }
    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[i];

        if (!r->used)
            continue;
        snprintf(why, bytes, "proc %" PRId64 " is not as it should be (desired %d, actual %d)",
                 r->id, r->desired, r->actual);
        if (!is_row_settled(s, r, f))
            return false;
        count++;
        serving += r->desired == VR_RUN;
    }
    for (int p = 0; p < SIM_POOLS; p++) {
        pools += s->db.pools[p].used;
        members += s->db.pools[p].used ? (int)s->db.pools[p].member_count : 0;
    }
    snprintf(why, bytes, "%d procs of %d, %d members of %d, %d pools", count, f ? f->size : 0,
             members, serving, pools);
    if (count != (f ? f->size : 0) || members != serving ||
        (f && pools != 1 + (f->pool != s->db.pool)))
        return false;
    return are_machines_settled(s, why, bytes);
}
