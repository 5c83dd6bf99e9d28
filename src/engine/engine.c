/* SPDX-License-Identifier: MIT */
/*
 * The engine.
 *
 * One thread. It holds a list of swarms, each with the time at which it must be looked at again;
 * a change of rows makes that time now. Looking at a swarm is one write transaction: load, plan,
 * apply, until the plan is empty. Nothing but that list is in memory, and it is made anew from the
 * rows at the start, so a crash at any point loses nothing.
 */
#include "engine/engine.h"

#include "engine/apply.h"
#include "engine/work.h"
#include "store/event.h"
#include "store/log.h"
#include "store/resource.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS_PER_US 1000

struct entry {
    int64_t swarm;
    int64_t due_us; /* 0: nothing to wait for */
};

struct vr_engine {
    struct vr_engine_spec spec;
    struct vr_wall started;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct entry *list; /* under lock, as all below */
    size_t count, capacity;
    bool work_due, stopping;
};

/* ------------------------------------------------------------------ the list (under lock) */

static struct entry *entry_of(struct vr_engine *e, int64_t swarm)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->list[i].swarm == swarm)
            return &e->list[i];
    if (e->count == e->capacity) {
        e->capacity = e->capacity ? e->capacity * 2 : 64;
        e->list = vr_realloc_array(e->list, e->capacity, sizeof(*e->list));
    }
    e->list[e->count] = (struct entry){.swarm = swarm};
    return &e->list[e->count++];
}

static void set_due(struct vr_engine *e, int64_t swarm, int64_t due_us)
{
    entry_of(e, swarm)->due_us = due_us;
}

static void forget(struct vr_engine *e, int64_t swarm)
{
    for (size_t i = 0; i < e->count; i++)
        if (e->list[i].swarm == swarm)
            e->list[i--] = e->list[--e->count];
}

/* A swarm whose time has come, or 0; *out_next is when the next one's comes. */
static int64_t next_due(struct vr_engine *e, int64_t now_us, int64_t *out_next)
{
    struct entry *first = NULL;

    for (size_t i = 0; i < e->count; i++)
        if (e->list[i].due_us && (!first || e->list[i].due_us < first->due_us))
            first = &e->list[i];
    if (!first)
        return 0;
    if (first->due_us > now_us) {
        if (first->due_us < *out_next)
            *out_next = first->due_us;
        return 0;
    }
    first->due_us = 0;
    return first->swarm;
}

void vr_engine_wake(struct vr_engine *e, const struct vr_touched *touched)
{
    int64_t now = vr_wall_now().us;

    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < touched->swarm_count; i++)
        set_due(e, touched->swarms[i], now);
    e->work_due = true;
    pthread_cond_signal(&e->cond);
    pthread_mutex_unlock(&e->lock);
}

/* ------------------------------------------------------------------ one swarm */

/*
 * Load, take what jobs brought, plan, apply. 1: look again, 0: nothing was left to do,
 * -VR_NOT_FOUND: the swarm itself is no more.
 */
static int round_of(struct vr_engine *e, struct vr_tx *tx, int64_t swarm,
                    struct vr_plan_actions *actions, struct vr_err *err)
{
    struct vr_snapshot_spec spec = {
        .swarm_id = swarm, .now = vr_wall_now(), .engine_started = e->started};
    struct vr_snapshot snap = {0};
    bool changed = false;
    size_t planned = 0;
    int r;

    actions->count = 0;
    actions->next_wake.us = 0;
    r = vr_snapshot_load(tx, &spec, &snap, err);
    if (r == 0)
        r = vr_work_take_resolved(tx, &snap, &changed, err);
    if (r == 0 && !changed) {
        planned = vr_plan(&snap.plan, actions);
        r = planned ? vr_apply(tx, &snap, actions, err) : vr_apply_tidy(tx, &snap, err);
    }
    if (r == -VR_NOT_FOUND && snap.swarm.id)
        r = vr_fail_in(err, -VR_BUG, "a row that others refer to is missing");
    vr_snapshot_fini(&snap);
    return r < 0 ? r : changed || planned > 0;
}

static int look_at(struct vr_engine *e, int64_t swarm, struct vr_plan_actions *actions,
                   struct vr_touched *touched, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r;

    r = vr_store_begin(e->spec.store, VR_DB_WRITE, &tx, err);
    if (r < 0)
        return r;
    for (int i = 0; i < VR_ENGINE_ROUNDS_MAX; i++) {
        r = round_of(e, tx, swarm, actions, err);
        if (r <= 0)
            break;
    }
    if (r < 0)
        return r;
    if (r > 0) /* not done: at once again, but let others write in between */
        actions->next_wake = vr_wall_now();
    return vr_store_commit(tx, touched, err);
}

/*
 * What can never be carried out must not be tried for ever: the rollout that wants it gets the
 * reason as its cause and goes back. What trying again may heal (the database, the disk) is not
 * counted as such.
 */
static void blame_rollout(struct vr_engine *e, int64_t swarm, const struct vr_err *why)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(rollout) open = {0};
    struct vr_rollout_cause cause = {.message = why->msg};
    struct vr_err err;
    int r;

    if (why->code == VR_BUSY || why->code == VR_IO || why->code == VR_LIMIT)
        return;
    r = vr_store_begin(e->spec.store, VR_DB_WRITE, &tx, &err);
    if (r == 0)
        r = vr_store_rollout_list_open(tx, swarm, &open, &err);
    if (r == 0 && open.n && vr_streq(open.v[0].state, "active")) {
        cause.step = open.v[0].step;
        r = vr_store_rollout_set_cause(tx, open.v[0].id, &cause, &err);
    }
    if (r == 0)
        r = vr_store_commit(tx, NULL, &err);
    if (r < 0)
        vr_error(e->spec.log, "swarm %" PRId64 ": %s", swarm, err.msg);
}

static void tend_swarm(struct vr_engine *e, int64_t swarm, struct vr_plan_actions *actions)
{
    vr_auto_touched struct vr_touched touched = {0};
    struct vr_err err = VR_ERR_NULL;
    int r = look_at(e, swarm, actions, &touched, &err);
    int64_t due = actions->next_wake.us;

    if (r < 0 && r != -VR_NOT_FOUND) {
        vr_error(e->spec.log, "swarm %" PRId64 ": %s", swarm, err.msg);
        due = vr_wall_now().us + VR_ENGINE_RETRY_MS * 1000;
        blame_rollout(e, swarm, &err);
    }
    pthread_mutex_lock(&e->lock);
    if (r == -VR_NOT_FOUND) {
        forget(e, swarm);
    } else {
        struct entry *entry = entry_of(e, swarm);

        /* Somebody may have woken it while we looked: that stays. */
        if (due && (!entry->due_us || due < entry->due_us))
            entry->due_us = due;
        for (size_t i = 0; i < touched.swarm_count; i++)
            if (touched.swarms[i] != swarm)
                set_due(e, touched.swarms[i], vr_wall_now().us);
    }
    pthread_mutex_unlock(&e->lock);
    if (r == 0)
        e->spec.woke(e->spec.user, &touched);
}

/* ------------------------------------------------------------------ hosts and jobs */

static const char *const liveness_words[] = {
    [VR_LIVE] = "live", [VR_SUSPECT] = "suspect", [VR_LOST] = "lost", [VR_GONE] = "gone"};

/* For those who watch and, unless it was only suspected, for the audit log. */
static int tell_host(struct vr_tx *tx, const struct vr_host_row *host, const char *state,
                     struct vr_wall now, struct vr_err *err)
{
    bool is_lost = vr_streq(state, "lost");
    bool is_back =
        vr_streq(state, "live") && (vr_streq(host->state, "lost") || vr_streq(host->state, "gone"));
    const char *type = is_lost ? "host lost" : "host returned";
    vr_auto_free char *message = vr_strf("Host %s is %s", host->name, state);
    vr_auto_free char *entry = vr_strf("%s %s", type, host->name);
    struct vr_event event = {
        .kind = "host", .title = host->name, .message = message, .host_id = host->id, .time = now};

    vr_store_event_add(tx, &event);
    if (!is_lost && !is_back)
        return 0;
    return vr_store_log_add(tx,
                            &(struct vr_log_entry){.type = type,
                                                   .message = entry,
                                                   .via = "engine",
                                                   .resource = vr_resource_name(VR_RES_HOSTS),
                                                   .object_id = host->id,
                                                   .object_name = host->name},
                            now, err);
}

/*
 * A host that was lost and speaks again goes on in its session; one that was gone, whose procs were
 * replaced, gets a new one and must ask what it should run before it is listened to.
 */
static int tend_host(struct vr_engine *e, struct vr_tx *tx, const struct vr_host_row *host,
                     struct vr_wall now, struct vr_err *err)
{
    struct vr_wall changes, lost_at;
    const char *state;
    int r;

    if (vr_streq(host->state, "new"))
        return 0;
    state = liveness_words[vr_plan_liveness(now, (struct vr_wall){host->last_seen_us}, e->started,
                                            &changes, &lost_at)];
    if (vr_streq(state, host->state))
        return 0;
    vr_info(e->spec.log, "host '%s': %s -> %s", host->name, host->state, state);
    r = vr_store_host_set_state(tx, host->id, state, now, err);
    if (r == 0 && vr_streq(host->state, "gone"))
        r = vr_store_host_new_session(tx, host->id, err);
    if (r == 0 && vr_streq(state, "lost"))
        r = vr_store_pool_forget_host(tx, host->id, err);
    return r < 0 ? r : tell_host(tx, host, state, now, err);
}

static int tend_hosts(struct vr_engine *e, struct vr_tx *tx, struct vr_wall now, struct vr_err *err)
{
    VR_ROWS(host) hosts = {0};
    int r = vr_store_host_list(tx, 0, &hosts, err);

    for (size_t i = 0; i < hosts.n && r == 0; i++)
        r = tend_host(e, tx, &hosts.v[i], now, err);
    return r;
}

static void tend_work(struct vr_engine *e)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_touched struct vr_touched touched = {0};
    struct vr_wall now = vr_wall_now();
    struct vr_err err;
    int r;

    r = vr_store_begin(e->spec.store, VR_DB_WRITE, &tx, &err);
    if (r == 0)
        r = tend_hosts(e, tx, now, &err);
    if (r == 0)
        r = vr_work_tick(tx, now, &err);
    if (r == 0)
        r = vr_store_commit(tx, &touched, &err);
    if (r < 0) {
        vr_error(e->spec.log, "look at hosts and jobs: %s", err.msg);
        return;
    }
    pthread_mutex_lock(&e->lock);
    for (size_t i = 0; i < touched.swarm_count; i++)
        set_due(e, touched.swarms[i], now.us);
    pthread_mutex_unlock(&e->lock);
    if (touched.host_count || touched.last_event)
        e->spec.woke(e->spec.user, &touched);
}

/* ------------------------------------------------------------------ the thread */

static void wait_ns(struct vr_engine *e, int64_t ns)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    ns += t.tv_nsec;
    t.tv_sec += ns / VR_NS_PER_S;
    t.tv_nsec = ns % VR_NS_PER_S;
    pthread_cond_timedwait(&e->cond, &e->lock, &t);
}

/* How long from now to the next look at hosts, or to a swarm that is due at next_us. */
static int64_t left_ns(struct vr_mono hosts_due, int64_t next_us)
{
    int64_t left = hosts_due.ns - vr_mono_now().ns;
    int64_t until_us = next_us - vr_wall_now().us;

    if (until_us < left / NS_PER_US)
        left = until_us * NS_PER_US;
    return left > 0 ? left : 0;
}

static void *run(void *arg)
{
    struct vr_engine *e = arg;
    struct vr_plan_actions actions;
    struct vr_mono hosts_due = {0}; /* a wall clock that is set back must not stop the looks */

    vr_plan_actions_init(&actions);
    pthread_mutex_lock(&e->lock);
    while (!e->stopping) {
        struct vr_mono mono = vr_mono_now();
        int64_t now = vr_wall_now().us;
        int64_t next = INT64_MAX;
        int64_t swarm;

        if (e->work_due || mono.ns >= hosts_due.ns) {
            e->work_due = false;
            hosts_due = vr_mono_add_ms(mono, VR_ENGINE_HOSTS_MS);
            pthread_mutex_unlock(&e->lock);
            tend_work(e);
            pthread_mutex_lock(&e->lock);
        }
        swarm = next_due(e, now, &next);
        if (swarm) {
            pthread_mutex_unlock(&e->lock);
            tend_swarm(e, swarm, &actions);
            pthread_mutex_lock(&e->lock);
        } else if (!e->work_due && !e->stopping) {
            wait_ns(e, left_ns(hosts_due, next));
        }
    }
    pthread_mutex_unlock(&e->lock);
    vr_plan_actions_fini(&actions);
    return NULL;
}

static int load_list(struct vr_engine *e, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free int64_t *ids = NULL;
    size_t n = 0;
    int r = vr_store_begin(e->spec.store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_swarm_ids(tx, &ids, &n, err);
    for (size_t i = 0; i < n && r == 0; i++)
        set_due(e, ids[i], e->started.us);
    return r;
}

static void destroy(struct vr_engine *e)
{
    pthread_mutex_destroy(&e->lock);
    pthread_cond_destroy(&e->cond);
    free(e->list);
    free(e);
}

int vr_engine_start(const struct vr_engine_spec *spec, struct vr_engine **out, struct vr_err *err)
{
    struct vr_engine *e = vr_alloc(sizeof(*e));
    pthread_condattr_t clock;
    int r;

    e->spec = *spec;
    e->started = vr_wall_now();
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&e->cond, &clock);
    pthread_condattr_destroy(&clock);
    r = load_list(e, err);
    if (r == 0 && pthread_create(&e->thread, NULL, run, e) != 0)
        r = vr_fail(err, VR_LIMIT, "start the engine's thread");
    if (r < 0) {
        destroy(e);
        return r;
    }
    *out = e;
    return 0;
}

struct vr_engine *vr_engine_stop(struct vr_engine *e)
{
    if (!e)
        return NULL;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_cond_signal(&e->cond);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    destroy(e);
    return NULL;
}
