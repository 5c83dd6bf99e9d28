/* SPDX-License-Identifier: MIT */
/*
 * Who takes traffic, and when one that has left may be stopped.
 *
 * Membership of a pool is never stored as a wish: it is computed here from the procs, compared
 * with what was published last, and published again when it differs. A proc leaves in three
 * moves that no rule can shorten: it is no member, then every live balancer host has confirmed a
 * generation without it, then its open connections are gone or drain_secs are over.
 */
#include "engine/plan_view.h"

static bool is_published(const struct vr_plan_pool *pool, int64_t proc)
{
    for (size_t i = 0; i < pool->member_count; i++)
        if (pool->members[i] == proc)
            return true;
    return false;
}

static const struct vr_plan_pool *find_pool(const struct vr_plan_snapshot *snap, int64_t id)
{
    for (size_t i = 0; i < snap->pool_count; i++)
        if (snap->pools[i].id == id)
            return &snap->pools[i];
    return NULL;
}

/* Who has left the pool once while unknown does not return before it is known, in a new epoch. */
bool plan_holds_on(const struct vr_plan_snapshot *snap, const struct vr_plan_proc *proc)
{
    const struct vr_plan_pool *pool = find_pool(snap, proc->pool);

    if (pool && !is_published(pool, proc->id))
        return false;
    return snap->mass_loss || proc->check == VR_CHECK_UP;
}

bool plan_serves(const struct vr_plan_snapshot *snap, const struct vr_plan_proc *proc)
{
    if (!proc->admitted || !proc->passed || proc->desired != VR_RUN)
        return false;
    if (plan_is_unknown(proc))
        return plan_holds_on(snap, proc);
    return proc->actual == VR_RUNNING;
}

size_t vr_plan_members(const struct vr_plan_snapshot *snap, int64_t pool, int64_t *out)
{
    size_t n = 0;

    for (size_t i = 0; i < snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &snap->procs[i];

        if (proc->pool == pool && plan_serves(snap, proc))
            out[n++] = proc->id;
    }
    return n;
}

const struct vr_plan_pool *plan_pool(const struct plan *p, int64_t id)
{
    return find_pool(p->snap, id);
}

static bool is_lost(const struct vr_plan_host *host)
{
    return host->liveness == VR_LOST || host->liveness == VR_GONE;
}

static bool has_confirmed(const struct vr_plan_pool *pool, const struct vr_plan_pool_host *h)
{
    return h->confirmed >= pool->generation;
}

static bool another_serves(const struct vr_plan_pool *pool)
{
    for (size_t i = 0; i < pool->host_count; i++)
        if (!is_lost(pool->hosts[i].host) && has_confirmed(pool, &pool->hosts[i]))
            return true;
    return false;
}

/*
 * A host that is cut off from us may still send: it is skipped only when it is lost, and another
 * one of the balancer serves the generation.
 */
_Static_assert(VR_HOST_LOST_SECS >= VR_BALANCER_TIMEOUT_SECS, "lost balancers are skipped at once");

bool plan_is_confirmed(const struct plan *p, int64_t id)
{
    const struct vr_plan_pool *pool = plan_pool(p, id);

    if (!pool || !pool->host_count)
        return true;
    for (size_t i = 0; i < pool->host_count; i++) {
        const struct vr_plan_pool_host *h = &pool->hosts[i];

        if (has_confirmed(pool, h))
            continue;
        if (!is_lost(h->host) || !another_serves(pool))
            return false;
    }
    return true;
}

/* When the last balancer host stopped sending to a proc that has left. */
static struct vr_wall drain_began(const struct vr_plan_pool *pool, const struct vr_plan_proc *proc)
{
    struct vr_wall t = proc->left_at;

    for (size_t i = 0; i < pool->host_count; i++)
        if (has_confirmed(pool, &pool->hosts[i]) && pool->hosts[i].confirmed_at.us > t.us)
            t = pool->hosts[i].confirmed_at;
    return t;
}

bool plan_is_unrouted(const struct plan *p, const struct vr_plan_proc *proc)
{
    const struct vr_plan_pool *pool = plan_pool(p, proc->pool);

    return !pool || (!is_published(pool, proc->id) && plan_is_confirmed(p, pool->id));
}

/*
 * Unknown connections count as open ones, so that the first figure after the confirmation is
 * waited for: a driver that confirms only when its old workers are gone reports 0.
 */
bool plan_is_out(struct plan *p, const struct vr_plan_proc *proc)
{
    const struct vr_plan_pool *pool = plan_pool(p, proc->pool);

    if (!pool || !proc->left_at.us)
        return true;
    if (!plan_is_unrouted(p, proc))
        return false;
    if (plan_is_unknown(proc) || proc->actual != VR_RUNNING || proc->connections == 0)
        return true;
    return plan_is_due(p, plan_after(drain_began(pool, proc), p->snap->policy.drain_secs));
}

/* Nothing names the pool any more, and all balancer hosts know that it is empty. */
static bool is_left_over(const struct plan *p, const struct vr_plan_pool *pool)
{
    const struct vr_plan_snapshot *s = p->snap;

    if (pool->member_count || s->queued_pool == pool->id || s->wished_pool == pool->id ||
        (s->current && s->current->pool == pool->id) ||
        (s->active && s->active->frozen.pool == pool->id))
        return false;
    for (size_t i = 0; i < s->proc_count; i++)
        if (s->procs[i].pool == pool->id)
            return false;
    return plan_is_confirmed(p, pool->id);
}

static bool differs(const struct vr_plan_pool *pool, const int64_t *members, size_t count)
{
    return count != pool->member_count ||
           (count && memcmp(members, pool->members, count * sizeof(*members)) != 0);
}

/* Publish what differs from the last generation; delete what is left over. */
void plan_pools(struct plan *p)
{
    const struct vr_plan_snapshot *s = p->snap;
    vr_auto_free int64_t *members = vr_alloc_array(s->proc_count + 1, sizeof(*members));

    for (size_t i = 0; i < s->pool_count; i++) {
        const struct vr_plan_pool *pool = &s->pools[i];
        size_t count = vr_plan_members(s, pool->id, members);

        if (differs(pool, members, count))
            plan_act(p, VR_PLAN_PUBLISH)->pool = pool->id;
        else if (is_left_over(p, pool))
            plan_act(p, VR_PLAN_DELETE_POOL)->pool = pool->id;
    }
}
