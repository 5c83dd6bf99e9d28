/* SPDX-License-Identifier: MIT */
/*
 * The planner's entry: order of its parts, the list of actions, and time.
 *
 * Facts about single procs and pools come first and alone: as long as there are any to put right,
 * nothing is decided on top of them, and the next call sees them done. So each part plans from
 * rows that are consistent, and no part has to guess what another one is about to change.
 */
#include "engine/plan_view.h"

#include <stdarg.h>
#include <stdio.h>

void vr_plan_actions_init(struct vr_plan_actions *out)
{
    out->v = NULL;
    out->count = out->capacity = 0;
    out->next_wake = (struct vr_wall){0};
    out->text_count = 0;
}

void vr_plan_actions_fini(struct vr_plan_actions *out)
{
    free(out->v);
    vr_plan_actions_init(out);
}

struct vr_plan_action *plan_act(struct plan *p, enum vr_plan_kind kind)
{
    struct vr_plan_actions *out = p->out;
    struct vr_plan_action *a;

    if (out->count == out->capacity) {
        out->capacity = out->capacity ? out->capacity * 2 : 16;
        out->v = vr_realloc_array(out->v, out->capacity, sizeof(*out->v));
    }
    a = &out->v[out->count];
    /* The last place of a full list is written again and again: what is lost comes next time. */
    if (out->count < VR_PLAN_ACTIONS_MAX)
        out->count++;
    *a = (struct vr_plan_action){.kind = kind};
    if (p->active)
        memcpy(a->rollout, p->active->frozen.id, sizeof(a->rollout));
    return a;
}

struct vr_plan_action *plan_act_on(struct plan *p, enum vr_plan_kind kind,
                                   const struct vr_plan_proc *proc)
{
    struct vr_plan_action *a = plan_act(p, kind);

    a->proc = proc->id;
    a->epoch = proc->epoch;
    a->host = proc->host->id;
    return a;
}

const char *plan_text(struct plan *p, const char *fmt, ...)
{
    struct vr_plan_actions *out = p->out;
    va_list ap;

    if (out->text_count == VR_PLAN_TEXTS_MAX)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(out->text[out->text_count], VR_PLAN_TEXT_BYTES, fmt, ap);
    va_end(ap);
    return out->text[out->text_count++];
}

static void wake_at(struct plan *p, struct vr_wall at)
{
    struct vr_wall *wake = &p->out->next_wake;

    if (at.us > p->snap->now.us && (!wake->us || at.us < wake->us))
        *wake = at;
}

bool plan_is_due(struct plan *p, struct vr_wall at)
{
    wake_at(p, at);
    return p->snap->now.us >= at.us;
}

struct vr_wall plan_after(struct vr_wall from, int64_t secs)
{
    return (struct vr_wall){from.us + secs * VR_US_PER_S};
}

size_t vr_plan(const struct vr_plan_snapshot *snap, struct vr_plan_actions *out)
{
    struct plan p;

    out->count = 0;
    out->text_count = 0;
    out->next_wake = (struct vr_wall){0};
    plan_view_init(&p, snap, out);

    for (size_t i = 0; i < snap->host_count; i++)
        wake_at(&p, snap->hosts[i].changes_at);
    if (snap->mass_loss)
        wake_at(&p, snap->mass_loss_until);
    plan_procs(&p);
    plan_pools(&p);
    if (!out->count) {
        if (p.active)
            plan_rollout(&p);
        else
            plan_rest(&p);
    }
    plan_view_fini(&p);
    return out->count;
}

enum vr_liveness vr_plan_liveness(struct vr_wall now, struct vr_wall last_seen,
                                  struct vr_wall engine_started, struct vr_wall *out_changes,
                                  struct vr_wall *out_lost_at)
{
    static const int secs[] = {VR_HOST_SUSPECT_SECS, VR_HOST_LOST_SECS, VR_HOST_GONE_SECS};
    struct vr_wall since = plan_after(engine_started, VR_HOST_LOST_SECS);
    int level = VR_LIVE;

    if (last_seen.us > since.us)
        since = last_seen;
    *out_changes = *out_lost_at = (struct vr_wall){0};
    for (size_t i = 0; i < VR_COUNT(secs); i++) {
        /* Suspicion needs no grace: it only keeps new procs away. */
        struct vr_wall at = plan_after(i == 0 ? last_seen : since, secs[i]);

        if (now.us < at.us) {
            *out_changes = at;
            break;
        }
        level++;
        if (level == VR_LOST)
            *out_lost_at = at;
    }
    return (enum vr_liveness)level;
}

static int compare_wall(const void *a, const void *b)
{
    const struct vr_wall *x = a, *y = b;

    return (x->us > y->us) - (x->us < y->us);
}

bool vr_plan_mass_loss(struct vr_wall now, size_t hosts, struct vr_wall *lost_at, size_t lost,
                       struct vr_wall acknowledged, struct vr_wall *out_until)
{
    size_t many = hosts / 2 + 1;

    if (many < VR_HOST_MASS_LOSS_COUNT)
        many = VR_HOST_MASS_LOSS_COUNT;
    qsort(lost_at, lost, sizeof(*lost_at), compare_wall);
    for (size_t i = 0; i + many <= lost; i++) {
        struct vr_wall last = lost_at[i + many - 1], until;

        if (last.us > plan_after(lost_at[i], VR_PLAN_MASS_LOSS_WINDOW_SECS).us)
            continue;
        until = plan_after(last, VR_HOST_MASS_LOSS_SECS);
        if (acknowledged.us < last.us && now.us < until.us) {
            *out_until = until;
            return true;
        }
    }
    return false;
}

/* Everything from place to stop, `batches` times. */
static int64_t round_secs(const struct vr_policy *pol, int64_t size, int64_t old_size,
                          int64_t batch)
{
    int64_t larger = size > old_size ? size : old_size;
    int64_t batches = batch > 0 ? (larger + batch - 1) / batch + 1 : 1;
    /* Start counts twice: a failed start is tried once elsewhere. */
    int64_t once = VR_PLAN_PLACE_SECS +
                   2 * (pol->fetch_secs + pol->start_timeout_secs + VR_PLAN_START_SLACK_SECS) +
                   pol->start_secs + pol->test_secs + pol->test_retry_secs +
                   VR_PLAN_TEST_SLACK_SECS + 2 * pol->route_secs + pol->drain_secs +
                   pol->stop_secs + VR_PLAN_STOP_SLACK_SECS;

    return batches * once;
}

static int64_t back_secs(const struct vr_policy *pol, int64_t size, int64_t old_size, int64_t batch,
                         bool past_return)
{
    if (past_return)
        return round_secs(pol, size, old_size, batch);
    return 2 * pol->route_secs + pol->drain_secs + pol->stop_secs + VR_PLAN_STOP_SLACK_SECS;
}

int64_t plan_back_secs(const struct plan *p)
{
    const struct vr_plan_frozen *current = p->snap->current;

    return back_secs(&p->snap->policy, p->active->frozen.size, current ? current->size : 0,
                     p->active->frozen.batch, p->active->past_return);
}

int64_t plan_forward_secs(const struct plan *p)
{
    const struct vr_policy *pol = &p->snap->policy;
    const struct vr_plan_frozen *current = p->snap->current;

    return pol->resolve_secs + pol->build_secs + VR_PLAN_RELEASE_SECS +
           round_secs(pol, p->active->frozen.size, current ? current->size : 0,
                      p->active->frozen.batch);
}

int64_t vr_plan_bound_secs(const struct vr_policy *pol, int32_t size, int32_t old_size,
                           int32_t batch)
{
    return pol->resolve_secs + pol->build_secs + VR_PLAN_RELEASE_SECS +
           round_secs(pol, size, old_size, batch) +
           back_secs(pol, size, old_size, batch, batch > 0);
}

const char *vr_kind_name(enum vr_kind kind)
{
    static const char *const names[] = {"dispatch", "rollback", "scale", "heal", "move", "restart"};

    return names[kind];
}

const char *vr_step_name(enum vr_step step)
{
    static const char *const names[] = {"",      "resolve", "build", "release", "place",
                                        "start", "test",    "route", "drain",   "stop"};

    return names[step];
}

const char *vr_result_name(enum vr_result result)
{
    static const char *const names[] = {"done", "failed", "cancelled", "superseded"};

    return names[result];
}

const char *vr_plan_kind_name(enum vr_plan_kind kind)
{
    static const char *const names[] = {
        "activate", "start-rollout", "set-step",       "set-phase",    "refuse-cancel",
        "cause",    "resolve",       "take-build",     "make-release", "place",
        "test",     "admit",         "unadmit",        "stop",         "hold",
        "start",    "restart",       "unknown",        "known",        "demote",
        "publish",  "delete-pool",   "command-issued", "command-done", "set-current",
        "leftover", "end",
    };

    _Static_assert(VR_COUNT(names) == VR_PLAN_END + 1, "every action has a name");
    return names[kind];
}
