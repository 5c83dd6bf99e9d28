/* SPDX-License-Identifier: MIT */
/*
 * The simulator: thousands of seeded lives of one swarm, with the invariants asserted after every
 * event and convergence asserted once the faults have ended.
 *
 *   sim --seeds N [--first S]        run seeds; the first that fails is told with its replay
 * command sim --replay SEED [-v]           one seed again, with the hash of its trace, or the trace
 * itself sim --replay SEED --shrink       leave out what is not needed for its failure sim
 * --sabotage NAME ...          with the engine broken on purpose sim --tap N                      N
 * seeds and every sabotage, as a test
 */
#include "sim.h"

#include "core/str.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SETTLE_CHECK_SECS 5
#define SETTLE_BOUND_SECS 1500

/* --- chance and the trace --- */

uint64_t sim_random(struct sim *s)
{
    uint64_t z = (s->rng += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t sim_between(struct sim *s, int64_t low, int64_t high)
{
    return high <= low ? low : low + (int64_t)(sim_random(s) % (uint64_t)(high - low + 1));
}

bool sim_chance(struct sim *s, int percent)
{
    return percent > 0 && sim_between(s, 0, 99) < percent;
}

static void hash_bytes(struct sim *s, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;

    for (size_t i = 0; i < n; i++)
        s->hash = (s->hash ^ p[i]) * UINT64_C(0x100000001b3);
}

void sim_note(struct sim *s, const char *fmt, ...)
{
    char line[1200];
    va_list ap;
    int n;

    if (!s->verbose)
        return;
    va_start(ap, fmt);
    n = vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (n > 0)
        printf("%10.4f %s\n", (double)(s->now - SIM_START) / 1e6, line);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list ap;

    if (*s->failure)
        return;
    va_start(ap, fmt);
    vsnprintf(s->failure, sizeof(s->failure), fmt, ap);
    va_end(ap);
    sim_note(s, "FAILURE %s", s->failure);
    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[i];

        if (r->used)
            sim_note(s,
                     "  proc %" PRId64 " host %d rollout %d release %" PRId64 " pool %" PRId64
                     " desired %d actual %d epoch %" PRId64 " life %" PRId64 " admitted %d",
                     r->id, r->host, r->rollout, r->release, r->pool, r->desired, r->actual,
                     r->epoch, r->life, r->admitted);
    }
}

/* --- the queue of events, by time and then by age --- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

static void swap(struct event *a, struct event *b)
{
    struct event t = *a;

    *a = *b;
    *b = t;
}

void sim_at(struct sim *s, int64_t at, enum event_kind kind, int a, void *data)
{
    size_t i = s->heap_count++;

    if (s->heap_count > s->heap_capacity) {
        s->heap_capacity = s->heap_capacity ? s->heap_capacity * 2 : 256;
        s->heap = vr_realloc_array(s->heap, s->heap_capacity, sizeof(*s->heap));
    }
    s->heap[i] = (struct event){at < s->now ? s->now : at, s->next_seq++, kind, a, data};
    for (; i > 0 && is_before(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
}

static struct event pop(struct sim *s)
{
    struct event top = s->heap[0];
    size_t i = 0;

    s->heap[0] = s->heap[--s->heap_count];
    for (;;) {
        size_t l = 2 * i + 1, least = i;

        if (l < s->heap_count && is_before(&s->heap[l], &s->heap[least]))
            least = l;
        if (l + 1 < s->heap_count && is_before(&s->heap[l + 1], &s->heap[least]))
            least = l + 1;
        if (least == i)
            return top;
        swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

/* --- one life --- */

static void start_engine(struct sim *s)
{
    s->downtime += s->now - s->down_since;
    s->engine_up = true;
    s->engine_started = s->now;
    s->engine_at = 0;
    db_kick(s);
}

static void return_host(struct sim *s, int host)
{
    struct machine *m = &s->machines[host];

    if (!m->up) {
        world_power(s, host, true);
    } else if (!m->agent) {
        m->agent = true;
        m->incarnation++;
        m->seq = 0;
        world_step(s, host);
    }
}

static void dispatch_event(struct sim *s, struct event *e)
{
    vr_auto_free void *data = e->data;

    switch (e->kind) {
    case EV_NONE:
        break;
    case EV_ENGINE:
        /* Only the newest appointment counts: memory of older ones is gone. */
        if (s->engine_up && s->engine_at == e->at) {
            s->engine_at = 0;
            db_engine(s);
        }
        break;
    case EV_ENGINE_START:
        start_engine(s);
        break;
    case EV_BEAT:
        world_beat(s, e->a);
        break;
    case EV_DELIVER:
        world_deliver(s, data);
        break;
    case EV_DESIRED:
        world_desired(s, e->a, data);
        break;
    case EV_MACHINE:
        world_step(s, e->a);
        break;
    case EV_WORK:
        db_work_done(s, e->a);
        break;
    case EV_SCRIPT:
        if (e->a == SIM_SCRIPT)
            script_calm(s);
        else
            script_act(s, &s->script[e->a]);
        break;
    case EV_BOOT:
        return_host(s, e->a);
        break;
    }
}

static void begin(struct sim *s)
{
    s->rng = s->seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    s->hash = UINT64_C(0xcbf29ce484222325);
    s->now = SIM_START;
    s->engine_up = true;
    s->engine_started = SIM_START;
    s->policy = (struct vr_policy){
        .resolve_secs = 10,
        .build_secs = 40,
        .fetch_secs = 20,
        .start_timeout_secs = 10,
        .start_secs = sim_between(s, 0, 1),
        .test_secs = 5,
        .test_retry_secs = sim_chance(s, 30) ? 3 : 0,
        .route_secs = 30,
        .drain_secs = sim_between(s, 0, 5),
        .stop_secs = sim_between(s, 1, 5),
        .max_restarts = 5,
        .restart_window_secs = 60,
        .unhealthy_restart_secs = 10,
    };
    vr_plan_actions_init(&s->actions);
    db_init(s);
    world_init(s);
}

static void run_to(struct sim *s, int64_t until)
{
    while (s->heap_count && !*s->failure && s->heap[0].at <= until) {
        struct event e = pop(s);

        s->now = e.at;
        s->events++;
        hash_bytes(s, &e.at, sizeof(e.at));
        hash_bytes(s, &e.kind, sizeof(e.kind));
        dispatch_event(s, &e);
    }
    s->now = until;
}

/* Faults have ended: within the bound, the world is as the rows wish, and stays so. */
static void settle(struct sim *s)
{
    char why[200] = "";
    int64_t end =
        s->now + (SETTLE_BOUND_SECS + 3 * vr_plan_bound_secs(&s->policy, 5, 5, 1)) * SIM_SECOND;

    while (!*s->failure && s->now < end) {
        run_to(s, s->now + SETTLE_CHECK_SECS * SIM_SECOND);
        if (check_is_settled(s, why, sizeof(why)))
            return;
    }
    if (!*s->failure)
        sim_fail(s, "no convergence: %s", why);
}

static void live(struct sim *s)
{
    for (int i = 0; i < SIM_SCRIPT; i++)
        sim_at(s, s->script[i].at, EV_SCRIPT, i, NULL);
    sim_at(s, s->calm_at, EV_SCRIPT, SIM_SCRIPT, NULL);
    run_to(s, s->calm_at);
    settle(s);
    hash_bytes(s, &s->db, sizeof(s->db));
    while (s->heap_count)
        free(pop(s).data);
    free(s->heap);
    s->heap = NULL;
    vr_plan_actions_fini(&s->actions);
}

/* --- many lives --- */

struct options {
    uint64_t first, seeds, replay;
    enum sabotage sabotage;
    bool verbose, shrink, tap, is_replay;
};

static const char *const sabotage_names[SABOTAGES] = {
    [SABOTAGE_NONE] = "none",
    [SABOTAGE_ADMIT_UNTESTED] = "admit-untested",
    [SABOTAGE_STOP_UNCONFIRMED] = "stop-unconfirmed",
    [SABOTAGE_REUSE_PORT] = "reuse-port",
    [SABOTAGE_DROP_WAKE] = "drop-wake",
    [SABOTAGE_DROP_STOP] = "drop-stop",
    [SABOTAGE_UNADMIT_EARLY] = "unadmit-early",
    [SABOTAGE_KEEP_EPOCH] = "keep-epoch",
    [SABOTAGE_NO_MASS_LOSS] = "no-mass-loss",
};

/* The life of a seed; `cut` leaves script entries out. Given; release with free(). */
static struct sim *live_seed(uint64_t seed, const struct options *o, const bool *cut)
{
    struct sim *s = vr_alloc(sizeof(*s));

    s->seed = seed;
    s->sabotage = o->sabotage;
    s->verbose = o->verbose;
    begin(s);
    script_init(s);
    for (int i = 0; cut && i < SIM_SCRIPT; i++)
        s->script[i].cut |= cut[i];
    live(s);
    return s;
}

static void tell_failure(const struct sim *s, const struct options *o)
{
    bool sabotaged = o->sabotage != SABOTAGE_NONE;

    printf("# seed %" PRIu64 ": %s\n# replay: sim --replay %" PRIu64 "%s%s -v\n", s->seed,
           s->failure, s->seed, sabotaged ? " --sabotage " : "",
           sabotaged ? sabotage_names[o->sabotage] : "");
}

/* Leave out one entry after the other, as long as the same kind of failure stays. */
static void shrink(const struct options *o)
{
    bool cut[SIM_SCRIPT] = {false};
    struct options quiet = *o;
    vr_auto_free struct sim *whole = NULL, *last = NULL;
    int left = 0;

    quiet.verbose = false;
    whole = live_seed(o->replay, &quiet, cut);
    if (!*whole->failure) {
        printf("# seed %" PRIu64 " does not fail\n", o->replay);
        return;
    }
    for (int i = SIM_SCRIPT - 1; i >= 0; i--) {
        vr_auto_free struct sim *s = NULL;

        cut[i] = true;
        s = live_seed(o->replay, &quiet, cut);
        if (strncmp(s->failure, whole->failure, 12) != 0)
            cut[i] = false;
    }
    last = live_seed(o->replay, o, cut);
    for (int i = 0; i < SIM_SCRIPT; i++)
        left += !last->script[i].cut;
    printf("# %d of the script's entries are needed: %s\n", left, last->failure);
}

/* Run seeds until one fails; returns whether one did. */
static bool run_seeds(const struct options *o, uint64_t first, uint64_t count, int64_t *events,
                      bool quiet)
{
    for (uint64_t seed = first; seed < first + count; seed++) {
        vr_auto_free struct sim *s = live_seed(seed, o, NULL);

        *events += s->events;
        if (!*s->failure)
            continue;
        if (!quiet)
            tell_failure(s, o);
        return true;
    }
    return false;
}

#define TAP_CHUNK          100
#define TAP_SABOTAGE_SEEDS 400

static int run_tap(const struct options *o)
{
    uint64_t times = vr_streq(getenv("VR_TEST_LONG"), "1") ? 10 : 1;
    uint64_t chunks = (o->seeds * times + TAP_CHUNK - 1) / TAP_CHUNK;
    int n = 0, bad = 0;
    int64_t events = 0;

    printf("1..%d\n", (int)chunks + SABOTAGES - 1);
    for (uint64_t i = 0; i < chunks; i++) {
        uint64_t first = o->first + i * TAP_CHUNK;
        bool failed = run_seeds(o, first, TAP_CHUNK, &events, false);

        bad += failed;
        printf("%s %d - seeds %" PRIu64 "..%" PRIu64 "\n", failed ? "not ok" : "ok", ++n, first,
               first + TAP_CHUNK - 1);
        fflush(stdout);
    }
    for (int i = 1; i < SABOTAGES; i++) {
        struct options broken = *o;
        bool caught;

        broken.sabotage = (enum sabotage)i;
        caught = run_seeds(&broken, 1, TAP_SABOTAGE_SEEDS, &events, true);
        bad += !caught;
        printf("%s %d - sabotage %s is caught\n", caught ? "ok" : "not ok", ++n, sabotage_names[i]);
    }
    printf("# %" PRId64 " events\n", events);
    return bad ? 1 : 0;
}

static int run_replay(const struct options *o)
{
    vr_auto_free struct sim *s = NULL;

    if (o->shrink) {
        shrink(o);
        return 0;
    }
    s = live_seed(o->replay, o, NULL);
    if (*s->failure)
        tell_failure(s, o);
    printf("# seed %" PRIu64 ": %" PRId64 " events, trace %016" PRIx64 "\n", o->replay, s->events,
           s->hash);
    return *s->failure ? 1 : 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: sim [--seeds N | --tap N] [--first S] [--replay SEED [-v] [--shrink]] "
                    "[--sabotage NAME]\n");
    return 2;
}

static int parse_number(const char *text, uint64_t *out)
{
    return vr_parse_u64(vr_str(text ? text : ""), 0, UINT64_MAX / 2, out, NULL);
}

static int parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = i + 1 < argc ? argv[i + 1] : NULL;
        int r = 0;

        if (vr_streq(arg, "-v")) {
            o->verbose = true;
            continue;
        }
        if (vr_streq(arg, "--shrink")) {
            o->shrink = true;
            continue;
        }
        i++;
        if (vr_streq(arg, "--seeds") || vr_streq(arg, "--tap")) {
            o->tap = vr_streq(arg, "--tap");
            r = parse_number(value, &o->seeds);
        } else if (vr_streq(arg, "--first")) {
            r = parse_number(value, &o->first);
        } else if (vr_streq(arg, "--replay")) {
            o->is_replay = true;
            r = parse_number(value, &o->replay);
        } else if (vr_streq(arg, "--sabotage")) {
            r = -1;
            for (int j = 0; j < SABOTAGES; j++)
                if (vr_streq(value, sabotage_names[j])) {
                    o->sabotage = (enum sabotage)j;
                    r = 0;
                }
        } else {
            r = -1;
        }
        if (r < 0)
            return -1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct options o = {.first = 1, .seeds = 100};
    int64_t events = 0;
    bool failed;

    if (parse(argc, argv, &o) < 0)
        return usage();
    if (o.is_replay)
        return run_replay(&o);
    if (o.tap)
        return run_tap(&o);
    failed = run_seeds(&o, o.first, o.seeds, &events, false);
    printf("# %" PRIu64 " seeds from %" PRIu64 ", %" PRId64 " events: %s\n", o.seeds, o.first,
           events, failed ? "failed" : "all hold");
    return failed ? 1 : 0;
}
