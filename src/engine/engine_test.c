/* SPDX-License-Identifier: MIT */
/* The engine's thread over a real store: wakes, ends, and says what it changed. */
#include "engine/engine.h"

#include "engine/world.h"

#include <pthread.h>
#include <time.h>

#define PATIENCE_SECS 20

/* What the engine's callback saw, awaited by the test. */
struct woken {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    size_t commits;
    int64_t last_event;
};

static void woke(void *user, const struct vr_touched *touched)
{
    struct woken *k = user;

    pthread_mutex_lock(&k->lock);
    k->commits++;
    if (touched->last_event)
        k->last_event = touched->last_event;
    pthread_cond_broadcast(&k->cond);
    pthread_mutex_unlock(&k->lock);
}

/* Wait for a commit behind `seen`; false when patience is over. */
static bool await(struct woken *k, size_t seen)
{
    struct timespec until;
    bool came;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_SECS;
    pthread_mutex_lock(&k->lock);
    while (k->commits <= seen && pthread_cond_timedwait(&k->cond, &k->lock, &until) == 0)
        ;
    came = k->commits > seen;
    pthread_mutex_unlock(&k->lock);
    return came;
}

static size_t commits(struct woken *k)
{
    size_t n;

    pthread_mutex_lock(&k->lock);
    n = k->commits;
    pthread_mutex_unlock(&k->lock);
    return n;
}

struct live {
    struct world w;
    struct woken woken;
    struct vr_log log;
    struct vr_engine *engine;
};

#define LIVE(l) __attribute__((cleanup(live_fini))) struct live l

static void live_fini(struct live *l)
{
    l->engine = vr_engine_stop(l->engine);
    world_fini(&l->w);
}

/* A world of today, whose engine runs by itself; its transaction is closed. */
static bool live_init(struct live *l)
{
    struct vr_engine_spec spec = {.woke = woke};

    memset(l, 0, sizeof(*l));
    pthread_mutex_init(&l->woken.lock, NULL);
    pthread_cond_init(&l->woken.cond, NULL);
    if (!world_init(&l->w))
        return false;
    l->w.now = vr_wall_now();
    for (int i = 0; i < WORLD_HOSTS; i++)
        if (world_agent(&l->w, i) < 0)
            return false;
    if (vr_store_commit(l->w.tx, NULL, &l->w.err) < 0)
        return false;
    l->w.tx = vr_tx_free(l->w.tx);
    vr_log_init(&l->log, NULL, "part", "engine");
    spec.store = l->w.store;
    spec.log = &l->log;
    spec.user = &l->woken;
    return vr_engine_start(&spec, &l->engine, &l->w.err) == 0;
}

/* Commit the open transaction and tell the engine, as the server does. */
static bool publish(struct live *l)
{
    vr_auto_touched struct vr_touched touched = {0};

    if (vr_store_commit(l->w.tx, &touched, &l->w.err) < 0)
        return false;
    l->w.tx = vr_tx_free(l->w.tx);
    vr_engine_wake(l->engine, &touched);
    return true;
}

static bool open_tx(struct live *l)
{
    return vr_store_begin(l->w.store, VR_DB_WRITE, &l->w.tx, &l->w.err) == 0;
}

/* Every agent does what it is told, once. */
static bool agents_turn(struct live *l)
{
    if (!open_tx(l))
        return false;
    l->w.now = vr_wall_now();
    for (int i = 0; i < WORLD_HOSTS; i++)
        if (world_agent(&l->w, i) < 0)
            return false;
    return publish(l);
}

/* Dispatch, and play the agents until the rollout has ended; its result is in *out. */
static bool roll(struct live *l, struct vr_rollout_row *out)
{
    vr_auto_free char *id = NULL;
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), PATIENCE_SECS * 1000);

    if (!open_tx(l))
        return false;
    l->w.now = vr_wall_now();
    if (world_ask(&l->w, VR_DISPATCH, 0, &id) < 0 || !publish(l))
        return false;
    while (vr_mono_now().ns < until.ns) {
        size_t seen = commits(&l->woken);

        if (!agents_turn(l) || !await(&l->woken, seen) || !open_tx(l))
            return false;
        vr_rollout_row_fini(out);
        *out = (struct vr_rollout_row){0};
        if (vr_store_rollout_find(l->w.tx, id, out, &l->w.err) < 0)
            return false;
        l->w.tx = vr_tx_free(l->w.tx);
        if (vr_streq(out->state, "ended"))
            return true;
    }
    return false;
}

TEST(engine__started_and_stopped__ends_at_once)
{
    LIVE(l);

    CHECK(live_init(&l));
    l.engine = vr_engine_stop(l.engine);
    CHECK(l.engine == NULL);
    CHECK(vr_engine_stop(NULL) == NULL);
}

TEST(engine__a_dispatch__is_carried_through_by_wakes_alone)
{
    LIVE(l);
    VR_ROW(rollout) row = {0};

    CHECK(live_init(&l));
    CHECK(roll(&l, &row));
    CHECK_STR(row.result, "done");
    CHECK(l.woken.last_event > 0);
}

TEST(engine__a_host_that_speaks_again__is_in_the_audit_log)
{
    LIVE(l);
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), PATIENCE_SECS * 1000);
    int64_t entries = 0;

    CHECK(live_init(&l));
    CHECK(open_tx(&l));
    CHECK(vr_store_host_set_state(l.w.tx, l.w.host[0], "lost", l.w.now, &l.w.err) == 0);
    CHECK(publish(&l));
    while (entries == 0) {
        size_t seen = commits(&l.woken);

        CHECK(vr_mono_now().ns < until.ns);
        CHECK(agents_turn(&l) && await(&l.woken, seen) && open_tx(&l));
        entries = world_entries(&l.w, "host%20returned");
        l.w.tx = vr_tx_free(l.w.tx);
    }
    CHECK(entries == 1);
}

TEST(engine__stopped_in_a_rollout__goes_on_where_it_was_when_started_again)
{
    LIVE(l);
    struct vr_engine_spec spec = {.woke = woke};
    VR_ROW(rollout) row = {0};
    vr_auto_free char *id = NULL;
    struct vr_mono until;

    CHECK(live_init(&l));
    CHECK(open_tx(&l));
    l.w.now = vr_wall_now();
    CHECK(world_ask(&l.w, VR_DISPATCH, 0, &id) == 0);
    CHECK(publish(&l));
    CHECK(await(&l.woken, 0));
    l.engine = vr_engine_stop(l.engine);
    spec.store = l.w.store;
    spec.log = &l.log;
    spec.user = &l.woken;
    CHECK(vr_engine_start(&spec, &l.engine, &l.w.err) == 0);
    until = vr_mono_add_ms(vr_mono_now(), PATIENCE_SECS * 1000);
    while (!vr_streq(row.state, "ended")) {
        size_t seen = commits(&l.woken);

        CHECK(vr_mono_now().ns < until.ns);
        CHECK(agents_turn(&l) && await(&l.woken, seen) && open_tx(&l));
        vr_rollout_row_fini(&row);
        row = (struct vr_rollout_row){0};
        CHECK(vr_store_rollout_find(l.w.tx, id, &row, &l.w.err) == 0);
        l.w.tx = vr_tx_free(l.w.tx);
    }
    CHECK_STR(row.result, "done");
}

TEST(engine__a_silent_host__is_told_to_be_suspect)
{
    LIVE(l);
    VR_ROW(host) host = {0};
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), PATIENCE_SECS * 1000);

    CHECK(live_init(&l));
    while (!vr_streq(host.state, "suspect")) {
        size_t seen = commits(&l.woken);

        CHECK(vr_mono_now().ns < until.ns);
        CHECK(await(&l.woken, seen) && open_tx(&l));
        vr_host_row_fini(&host);
        host = (struct vr_host_row){0};
        CHECK(vr_store_host_find_id(l.w.tx, l.w.host[0], &host, &l.w.err) == 0);
        l.w.tx = vr_tx_free(l.w.tx);
    }
}

/* Wakes from many threads while swarms come and go. */
static void *wake_often(void *arg)
{
    struct live *l = arg;
    int64_t swarms[2] = {l->w.swarm, 4711};
    struct vr_touched touched = {.swarms = swarms, .swarm_count = 2};

    for (int i = 0; i < 300; i++)
        vr_engine_wake(l->engine, &touched);
    return NULL;
}

TEST(engine__woken_by_many_threads__answers_and_ends)
{
    LIVE(l);
    pthread_t threads[4];
    VR_ROW(rollout) row = {0};

    CHECK(live_init(&l));
    for (size_t i = 0; i < VR_COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, wake_often, &l) == 0);
    for (size_t i = 0; i < VR_COUNT(threads); i++)
        pthread_join(threads[i], NULL);
    CHECK(roll(&l, &row));
    CHECK_STR(row.result, "done");
}
