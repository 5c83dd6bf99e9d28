/* SPDX-License-Identifier: MIT */
/*
 * What each proc of the swarm is to the goal of this moment.
 *
 * A proc belongs to the goal by what it is - release, pool, place - and not by who started it, so
 * that a rollout finds what already runs, a rollout that resumes after a crash finds what it did,
 * and going back is the same as going forward with another goal. Only a restart asks for procs of
 * its own.
 */
#include "engine/place.h"
#include "engine/plan_view.h"

bool plan_is_new(const struct plan *p, const struct vr_plan_proc *proc)
{
    return p->active && vr_streq(proc->rollout, p->active->frozen.id);
}

bool plan_is_unknown(const struct vr_plan_proc *proc)
{
    return proc->actual == VR_UNKNOWN || proc->host->liveness == VR_LOST ||
           proc->host->liveness == VR_GONE;
}

bool plan_is_retest(const struct plan *p)
{
    return p->forward && (p->goal->kind == VR_DISPATCH || p->goal->kind == VR_ROLLBACK);
}

const struct vr_plan_command *plan_command_of(const struct plan *p, const struct vr_plan_proc *proc)
{
    for (size_t i = 0; i < p->snap->command_count; i++)
        if (p->snap->commands[i].proc == proc->id)
            return &p->snap->commands[i];
    return NULL;
}

/* A new proc is proved before a user may stop it: else a rollout would be done by stopping it. */
bool plan_is_unproved(const struct plan *p, const struct vr_plan_proc *proc)
{
    return p->forward && plan_is_new(p, proc) && !proc->admitted && !proc->left_at.us;
}

bool plan_is_leaving_by_stop(const struct plan *p, const struct vr_plan_proc *proc)
{
    const struct vr_plan_command *c = plan_command_of(p, proc);

    return c && c->kind == VR_CMD_STOP && !plan_is_unproved(p, proc);
}

static bool is_being_destroyed(const struct plan *p, const struct vr_plan_proc *proc)
{
    const struct vr_plan_command *c = plan_command_of(p, proc);

    return c && c->kind == VR_CMD_DESTROY;
}

static size_t host_index(const struct plan *p, const struct vr_plan_proc *proc)
{
    return (size_t)(proc->host - p->snap->hosts);
}

/* Is it what the goal asks for? A host that is drained or left the squad only holds till replaced.
 */
static bool matches(const struct plan *p, const struct vr_plan_proc *proc)
{
    const struct vr_plan_frozen *g = p->goal;

    if (!g || !g->release || proc->release != g->release || proc->pool != g->pool)
        return false;
    if (!p->forward)
        return true;
    if (g->kind == VR_RESTART && !plan_is_new(p, proc))
        return false;
    return proc->host->active && proc->host->squad == g->squad;
}

/* Dispatch, rollback and restart replace what a user stopped; healing and scaling leave it. */
static bool is_replaced_when_held(const struct plan *p)
{
    return p->forward && (plan_is_retest(p) || p->goal->kind == VR_RESTART);
}

static bool is_beyond_repair(const struct plan *p, const struct vr_plan_proc *proc)
{
    if (proc->actual == VR_FATAL || proc->actual == VR_EXITED)
        return true;
    return proc->actual == VR_RUNNING && !proc->passed &&
           proc->unhealthy_restarts >= p->snap->policy.max_restarts &&
           (proc->unhealthy_since.us || proc->tested == VR_TESTED_FAILED);
}

static enum plan_role role_of(const struct plan *p, const struct vr_plan_proc *proc)
{
    if (!matches(p, proc) || proc->desired == VR_STOP || is_being_destroyed(p, proc))
        return ROLE_OLD;
    if (proc->desired == VR_HELD)
        return is_replaced_when_held(p) ? ROLE_OLD : ROLE_KEEP;
    if (plan_is_unknown(proc)) {
        bool holds = plan_holds_on(p->snap, proc) && proc->passed;

        /* Whoever is gone is replaced; until then it may serve. */
        if (p->snap->mass_loss || (holds && proc->host->liveness != VR_GONE))
            return ROLE_KEEP;
        return ROLE_LOST;
    }
    return is_beyond_repair(p, proc) ? ROLE_OLD : ROLE_KEEP;
}

/* The greater, the more worth keeping. On the way back, what ran before is worth most. */
static int worth(const struct plan *p, const struct vr_plan_proc *proc)
{
    int w = 0;

    if (p->role[proc - p->snap->procs] == ROLE_OLD && plan_serves(p->snap, proc))
        w += 64; /* of those that leave, the idle ones go first */
    if (!p->forward && !plan_is_new(p, proc))
        w += 32;
    if (plan_serves(p->snap, proc))
        w += 16;
    if (!plan_is_unknown(proc))
        w += 8;
    if (proc->host->active)
        w += 4;
    if (!plan_is_new(p, proc))
        w += 2;
    if (proc->passed)
        w += 1;
    return w;
}

static bool is_worse(const struct plan *p, const struct vr_plan_proc *a,
                     const struct vr_plan_proc *b)
{
    int32_t load_a = p->load[host_index(p, a)], load_b = p->load[host_index(p, b)];
    int worth_a = worth(p, a), worth_b = worth(p, b);

    if (worth_a != worth_b)
        return worth_a < worth_b;
    if (load_a != load_b)
        return load_a > load_b;
    return a->id > b->id;
}

const struct vr_plan_proc *plan_worst(const struct plan *p, enum plan_role role, bool serving)
{
    const struct vr_plan_proc *worst = NULL;

    for (size_t i = 0; i < p->snap->proc_count; i++) {
        const struct vr_plan_proc *proc = &p->snap->procs[i];

        if (p->role[i] != role || (serving && !proc->admitted))
            continue;
        if (!worst || is_worse(p, proc, worst))
            worst = proc;
    }
    return worst;
}

/* More than `size` belong: the worst are old, most-loaded host first. */
static void drop_surplus(struct plan *p)
{
    for (; p->keep > p->size; p->keep--) {
        const struct vr_plan_proc *worst = plan_worst(p, ROLE_KEEP, false);

        p->role[worst - p->snap->procs] = ROLE_OLD;
        p->load[host_index(p, worst)]--;
    }
}

static bool is_ready(const struct plan *p, const struct vr_plan_proc *proc)
{
    if (proc->desired == VR_HELD || plan_is_leaving_by_stop(p, proc))
        return true;
    return proc->admitted && proc->passed && (proc->actual == VR_RUNNING || plan_is_unknown(proc));
}

static void count(struct plan *p)
{
    const struct vr_plan_proc *procs = p->snap->procs;

    for (size_t i = 0; i < p->snap->proc_count; i++)
        p->ready += p->role[i] == ROLE_KEEP && is_ready(p, &procs[i]);
    for (size_t i = 0; i < p->snap->proc_count; i++) {
        if (p->role[i] == ROLE_LOST && p->ready >= p->size)
            p->role[i] = ROLE_OLD; /* it has been replaced */
        if (p->role[i] != ROLE_OLD)
            continue;
        p->old += !plan_is_unknown(&procs[i]);
        p->old_admitted += procs[i].admitted;
        p->old_serving += plan_serves(p->snap, &procs[i]);
    }
}

static size_t old_size(const struct plan *p)
{
    return p->snap->current ? (size_t)p->snap->current->size : 0;
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * How many procs the goal should have now: all, or with batches as many as are ready and a batch
 * more, while old and new together exceed the larger generation by no more than a batch.
 */
static size_t wanted_now(const struct plan *p)
{
    size_t batch = (size_t)p->active->frozen.batch, room, larger = p->size;

    if (!batch)
        return p->size;
    if (old_size(p) > larger)
        larger = old_size(p);
    room = larger + batch > p->old ? larger + batch - p->old : 0;
    return min_size(p->size, min_size(p->ready + batch, room));
}

/* Nothing is placed on the way back unless old procs were stopped already: healing does that. */
static size_t missing_now(const struct plan *p)
{
    size_t wanted;

    if (!p->active || !p->goal || !p->goal->release || (!p->forward && !p->active->past_return))
        return 0;
    wanted = wanted_now(p);
    return wanted > p->keep ? wanted - p->keep : 0;
}

void plan_pick_hosts(struct plan *p, size_t wanted, int64_t avoid)
{
    vr_auto_free int32_t *counts = vr_alloc_array(p->snap->host_count + 1, sizeof(*counts));
    struct vr_place_wish wish = {
        .squad = p->goal->squad,
        .mem_bytes = p->goal->mem_bytes,
        .config_bytes = p->goal->config_bytes,
        .count = wanted,
        .avoid = avoid,
        .counts = counts,
    };

    for (size_t i = 0; i < p->snap->proc_count; i++)
        counts[host_index(p, &p->snap->procs[i])] += p->role[i] == ROLE_KEEP;
    free(p->picks);
    p->picks = vr_alloc_array(wanted + 1, sizeof(*p->picks));
    p->pick_count = vr_place(p->snap->hosts, p->snap->host_count, &wish, p->picks, &p->brief);
}

const char *plan_explain_no_room(struct plan *p, size_t wanted)
{
    vr_auto_free int32_t *counts = vr_alloc_array(p->snap->host_count + 1, sizeof(*counts));
    struct vr_place_wish wish = {.squad = p->goal->squad,
                                 .mem_bytes = p->goal->mem_bytes,
                                 .config_bytes = p->goal->config_bytes};
    char why[VR_PLAN_TEXT_BYTES - 64];

    wish.counts = counts;
    vr_place_explain(p->snap->hosts, p->snap->host_count, &wish, p->picks, p->pick_count, why,
                     sizeof(why));
    return plan_text(p, "%zu of %zu procs placed: %s", p->pick_count, wanted, why);
}

void plan_view_init(struct plan *p, const struct vr_plan_snapshot *snap,
                    struct vr_plan_actions *out)
{
    *p = (struct plan){.snap = snap, .active = snap->active, .out = out};
    p->forward = p->active && p->active->phase == VR_PHASE_NORMAL;
    p->building = p->forward && !p->active->frozen.release;
    p->forward = p->forward && !p->building;
    p->goal = p->forward ? &p->active->frozen : snap->current;
    p->size = p->goal ? (size_t)p->goal->size : 0;
    p->role = vr_alloc_array(snap->proc_count + 1, sizeof(*p->role));
    p->load = vr_alloc_array(snap->host_count + 1, sizeof(*p->load));

    for (size_t i = 0; i < snap->proc_count; i++) {
        p->role[i] = role_of(p, &snap->procs[i]);
        p->keep += p->role[i] == ROLE_KEEP;
        p->load[host_index(p, &snap->procs[i])] += p->role[i] == ROLE_KEEP;
    }
    drop_surplus(p);
    count(p);
    p->missing = missing_now(p);
    if (p->missing)
        plan_pick_hosts(p, p->missing, 0);
}

void plan_view_fini(struct plan *p)
{
    free(p->role);
    free(p->load);
    free(p->picks);
}
