/* SPDX-License-Identifier: MIT */
/*
 * The machines: agents that speak with the rows, shims whose procs start, crash and hang, and
 * balancers that send to what they were told last. Messages are lost, late, doubled and overtaken.
 */
#include "sim.h"

#include <inttypes.h>

#define BEAT (VR_HOST_HEARTBEAT_SECS * SIM_SECOND)

static bool is_calm(const struct sim *s)
{
    return s->now >= s->calm_at;
}

static bool is_reachable(const struct sim *s, int host)
{
    const struct machine *m = &s->machines[host];

    return m->up && m->agent && m->cut_until <= s->now;
}

void world_init(struct sim *s)
{
    for (int i = 0; i < SIM_HOSTS; i++) {
        s->machines[i].up = s->machines[i].agent = true;
        s->machines[i].incarnation = 1;
        sim_at(s, s->now + sim_between(s, 1, BEAT), EV_BEAT, i, NULL);
    }
}

struct shim *world_shim(struct sim *s, int host, int64_t proc)
{
    for (int i = 0; i < SIM_ROWS; i++)
        if (s->machines[host].shims[i].used && s->machines[host].shims[i].id == proc)
            return &s->machines[host].shims[i];
    return NULL;
}

/* Does the proc answer, wherever it is? */
static bool answers(struct sim *s, int64_t proc)
{
    for (int h = 0; h < SIM_APP_HOSTS; h++) {
        const struct shim *p = s->machines[h].up ? world_shim(s, h, proc) : NULL;

        if (p && p->actual == VR_RUNNING)
            return !p->unhealthy;
    }
    return false;
}

/* --- messages --- */

static void send(struct sim *s, enum event_kind kind, int host, const void *message, size_t bytes)
{
    int copies = sim_chance(s, 3) ? 2 : 1;

    if (!is_calm(s) && sim_chance(s, s->loss_percent))
        return;
    for (int i = 0; i < copies; i++) {
        int64_t late = sim_chance(s, is_calm(s) ? 0 : 4) ? sim_between(s, 0, 3 * SIM_SECOND)
                                                         : sim_between(s, 500, 30000);
        void *copy = vr_alloc(bytes);

        memcpy(copy, message, bytes);
        sim_at(s, s->now + late, kind, host, copy);
    }
}

static void add_node(struct sim *s, struct report *r, int64_t proc, int32_t connections)
{
    for (size_t i = 0; i < r->node_count; i++) {
        if (r->nodes[i].proc == proc) {
            r->nodes[i].connections += connections;
            return;
        }
    }
    if (r->node_count < SIM_ROWS)
        r->nodes[r->node_count++] = (struct node_view){proc, answers(s, proc), connections};
}

static void report_balancer(struct sim *s, struct report *r)
{
    const struct balancer *lb = &s->machines[r->host].lb;

    for (int p = 0; p < SIM_POOLS; p++) {
        r->confirmed[p] = lb->applied[p].generation;
        r->pool_id[p] = lb->applied[p].id;
        for (size_t i = 0; i < lb->applied[p].member_count; i++)
            add_node(s, r, lb->applied[p].members[i], 1);
    }
    for (int i = 0; i < SIM_ROWS; i++)
        if (lb->open[i].until > s->now)
            add_node(s, r, lb->open[i].proc, 1);
}

static void send_report(struct sim *s, int host)
{
    struct machine *m = &s->machines[host];
    struct report r = {.host = host, .incarnation = m->incarnation, .rev = m->rev};

    if (!is_reachable(s, host))
        return;
    r.seq = ++m->seq;
    for (int i = 0; i < SIM_ROWS; i++)
        if (m->shims[i].used)
            r.shims[r.shim_count++] = m->shims[i];
    if (host >= SIM_APP_HOSTS)
        report_balancer(s, &r);
    send(s, EV_DELIVER, host, &r, sizeof(r));
}

void world_beat(struct sim *s, int host)
{
    sim_at(s, s->now + BEAT, EV_BEAT, host, NULL);
    send_report(s, host);
}

void world_send_desired(struct sim *s, int host)
{
    struct desired d = {.rev = s->db.hosts[host].rev};

    if (!is_reachable(s, host))
        return;
    for (int i = 0; i < SIM_ROWS; i++)
        if (s->db.rows[i].used && s->db.rows[i].host == host)
            d.rows[d.row_count++] = s->db.rows[i];
    if (host >= SIM_APP_HOSTS)
        memcpy(d.pools, s->db.pools, sizeof(d.pools));
    send(s, EV_DESIRED, host, &d, sizeof(d));
}

/* --- the server's side of a report --- */

static void take_test(struct sim *s, struct row *r, const struct shim *p)
{
    if (r->tested != VR_TESTED_PENDING || p->done_seq != r->test_seq || p->done_life != r->life)
        return;
    r->tested = p->test_ok ? VR_TESTED_PASSED : VR_TESTED_FAILED;
    r->tested_at = s->now;
    if (p->test_ok) {
        r->passed_epoch = r->epoch;
        r->passed_life = r->life;
    }
}

static void take_life(struct sim *s, struct row *r, const struct shim *p)
{
    if (r->life == p->life)
        return;
    r->life = p->life;
    r->tested = VR_TESTED_NO;
    r->test_began = 0;
    r->unhealthy_since = 0;
}

static void take_shim(struct sim *s, struct row *r, const struct shim *p)
{
    bool is_unhealthy = p->actual == VR_RUNNING && p->unhealthy;

    if (p->epoch != r->epoch || p->restarts != r->restarts)
        return;
    r->reported = p->actual;
    take_life(s, r, p);
    if (r->actual == VR_UNKNOWN)
        return;
    if (p->actual == VR_RUNNING && r->actual != VR_RUNNING)
        r->running_since = s->now;
    r->actual = p->actual;
    r->start_failed = p->start_failed;
    if (!is_unhealthy)
        r->unhealthy_since = 0;
    else if (!r->unhealthy_since)
        r->unhealthy_since = s->now;
    take_test(s, r, p);
}

/* Gone for good: told to stop, and the agent that knows it has nothing of it any more. */
static bool is_gone(const struct row *r, const struct report *rep, const struct shim *p)
{
    return r->desired == VR_STOP && rep->rev >= r->rev && (!p || p->actual == VR_STOPPED);
}

static void take_procs(struct sim *s, const struct report *rep)
{
    for (int i = 0; i < SIM_ROWS; i++) {
        struct row *r = &s->db.rows[i], before = *r;
        const struct shim *p = NULL;

        if (!r->used || r->host != rep->host)
            continue;
        for (size_t j = 0; j < rep->shim_count; j++)
            if (rep->shims[j].id == r->id)
                p = &rep->shims[j];
        if (is_gone(r, rep, p)) {
            r->used = false;
            s->db.hosts[rep->host].rev++;
        } else if (p) {
            take_shim(s, r, p);
        }
        if (memcmp(&before, r, sizeof(before)) != 0) {
            sim_note(s, "row %" PRId64 ": %s actual=%d life=%" PRId64 " tested=%d", before.id,
                     r->used ? "is" : "gone", r->actual, r->life, r->tested);
            db_kick(s);
        }
    }
}

static void take_balancer(struct sim *s, const struct report *rep)
{
    struct host_row *h = &s->db.hosts[rep->host];

    for (int p = 0; p < SIM_POOLS; p++) {
        int64_t confirmed = rep->pool_id[p] == s->db.pools[p].id ? rep->confirmed[p] : 0;

        if (confirmed != h->confirmed[p]) {
            h->confirmed_at[p] = s->now;
            db_kick(s);
        }
        h->confirmed[p] = confirmed;
    }
    if (h->node_count != rep->node_count ||
        memcmp(h->nodes, rep->nodes, rep->node_count * sizeof(*rep->nodes)) != 0)
        db_kick(s);
    memcpy(h->nodes, rep->nodes, sizeof(h->nodes));
    h->node_count = rep->node_count;
}

void world_deliver(struct sim *s, struct report *r)
{
    struct host_row *h = &s->db.hosts[r->host];
    bool is_old =
        r->incarnation < h->incarnation || (r->incarnation == h->incarnation && r->seq <= h->seq);

    if (s->machines[r->host].cut_until > s->now || is_old || !s->engine_up)
        return;
    if (db_liveness(s, r->host, NULL, NULL) != VR_LIVE)
        db_kick(s);
    h->incarnation = r->incarnation;
    h->seq = r->seq;
    h->last_seen = s->now;
    take_procs(s, r);
    if (r->host >= SIM_APP_HOSTS)
        take_balancer(s, r);
    if (r->rev != h->rev)
        world_send_desired(s, r->host);
}

/* --- the agent's side of a desired state --- */

static void machine_at(struct sim *s, int host, int64_t at)
{
    sim_at(s, at, EV_MACHINE, host, NULL);
}

static void change_in(struct sim *s, int host, struct shim *p, int64_t low, int64_t high)
{
    p->change_at = s->now + sim_between(s, low, high);
    machine_at(s, host, p->change_at);
}

static void start_process(struct sim *s, int host, struct shim *p)
{
    p->life++;
    p->actual = VR_STARTING;
    p->unhealthy = false;
    p->change_at = 0;
    if (s->db.release_quality[p->release] != NEVER_READY)
        change_in(s, host, p, 5000, sim_chance(s, 10) ? 3 * SIM_SECOND : 100000);
}

static void stop_process(struct sim *s, int host, struct shim *p)
{
    p->test_at = 0;
    if (p->actual == VR_STOPPED || p->actual == VR_STOPPING)
        return;
    if (p->actual == VR_FATAL || p->actual == VR_FETCHING) {
        p->actual = VR_STOPPED;
        p->change_at = 0;
        return;
    }
    p->actual = VR_STOPPING;
    change_in(s, host, p, 1000, s->policy.stop_secs * SIM_SECOND);
}

static struct shim *new_shim(struct sim *s, int host, const struct row *r)
{
    for (int i = 0; i < SIM_ROWS; i++) {
        struct shim *p = &s->machines[host].shims[i];

        if (p->used)
            continue;
        *p = (struct shim){
            .used = true,
            .id = r->id,
            .epoch = r->epoch,
            .restarts = r->restarts,
            .release = r->release,
            .port = r->port,
            .actual = VR_FETCHING,
            .want = VR_RUN,
        };
        change_in(s, host, p, 1000, sim_chance(s, 10) ? 4 * SIM_SECOND : 50000);
        return p;
    }
    sim_fail(s, "host %d has no room for shims", host);
    return NULL;
}

static void reconcile(struct sim *s, int host, const struct row *r)
{
    struct shim *p = world_shim(s, host, r->id);

    if (!p && r->desired != VR_STOP) {
        p = new_shim(s, host, r);
        if (p && r->desired == VR_HELD)
            p->actual = VR_STOPPED, p->change_at = 0;
    }
    if (!p)
        return;
    p->epoch = r->epoch;
    p->want = r->desired;
    if (r->desired != VR_RUN) {
        stop_process(s, host, p);
    } else if (p->restarts != r->restarts || p->actual == VR_STOPPED || p->actual == VR_STOPPING) {
        p->start_failed = false;
        p->crashes = 0;
        start_process(s, host, p);
    }
    p->restarts = r->restarts;
    p->want_test = r->tested == VR_TESTED_PENDING ? r->test_seq : 0;
}

static void take_pools(struct sim *s, int host, const struct desired *d)
{
    struct balancer *lb = &s->machines[host].lb;

    memcpy(lb->wanted, d->pools, sizeof(lb->wanted));
    if (!lb->apply_at) {
        lb->apply_at = s->now + sim_between(s, 1000, sim_chance(s, 5) ? 3 * SIM_SECOND : 20000);
        machine_at(s, host, lb->apply_at);
    }
}

void world_desired(struct sim *s, int host, struct desired *d)
{
    struct machine *m = &s->machines[host];

    if (!is_reachable(s, host) || d->rev < m->rev)
        return;
    m->rev = d->rev;
    for (size_t i = 0; i < d->row_count; i++)
        reconcile(s, host, &d->rows[i]);
    for (int i = 0; i < SIM_ROWS; i++) {
        struct shim *p = &m->shims[i];
        bool known = !p->used;

        for (size_t j = 0; j < d->row_count; j++)
            known |= d->rows[j].id == p->id;
        if (known)
            continue;
        if (p->actual == VR_STOPPED)
            p->used = false;
        p->want = VR_STOP;
        stop_process(s, host, p);
    }
    if (host >= SIM_APP_HOSTS)
        take_pools(s, host, d);
    machine_at(s, host, s->now);
    send_report(s, host);
}

/* --- what happens on a machine by itself --- */

static void check_port(struct sim *s, int host, const struct shim *p)
{
    for (int i = 0; i < SIM_ROWS; i++) {
        const struct shim *o = &s->machines[host].shims[i];

        if (o->used && o != p && o->port == p->port && o->actual >= VR_STARTING &&
            o->actual <= VR_STOPPING)
            sim_fail(s, "invariant 3: port %d of host %d is used by procs %" PRId64 " and %" PRId64,
                     p->port, host, p->id, o->id);
    }
}

static void step_shim(struct sim *s, int host, struct shim *p)
{
    p->change_at = 0;
    switch (p->actual) {
    case VR_FETCHING:
        check_port(s, host, p);
        if (!is_calm(s) && sim_chance(s, 3)) {
            p->actual = VR_FATAL;
            p->start_failed = true;
        } else {
            start_process(s, host, p);
        }
        break;
    case VR_STARTING:
        if (s->db.release_quality[p->release] != CRASHES_AT_START) {
            p->actual = VR_RUNNING;
            break;
        }
        p->actual = ++p->crashes > 3 ? VR_FATAL : VR_BACKOFF;
        if (p->actual == VR_BACKOFF)
            change_in(s, host, p, 1000, SIM_SECOND);
        break;
    case VR_BACKOFF:
        start_process(s, host, p);
        break;
    case VR_STOPPING:
        p->actual = VR_STOPPED;
        break;
    default:
        break;
    }
}

static void start_test(struct sim *s, int host, struct shim *p)
{
    bool hangs = s->db.release_quality[p->release] == HANGS_IN_TEST;

    p->test_seq = p->want_test;
    p->done_life = p->life;
    p->test_at = s->now + (hangs ? s->policy.test_secs * SIM_SECOND
                                 : sim_between(s, 5000, sim_chance(s, 5) ? SIM_SECOND : 80000));
    machine_at(s, host, p->test_at);
}

static void end_test(struct sim *s, struct shim *p)
{
    p->test_at = 0;
    p->done_seq = p->test_seq;
    p->test_ok = s->db.release_quality[p->release] == GOOD && p->actual == VR_RUNNING &&
                 p->done_life == p->life && !p->unhealthy && (is_calm(s) || !sim_chance(s, 2));
    if (p->test_ok) {
        p->passed_epoch = p->epoch;
        p->passed_life = p->life;
    }
}

static bool step_procs(struct sim *s, int host)
{
    bool changed = false;

    for (int i = 0; i < SIM_ROWS; i++) {
        struct shim *p = &s->machines[host].shims[i];

        if (!p->used)
            continue;
        if (p->change_at && p->change_at <= s->now) {
            step_shim(s, host, p);
            changed = true;
        }
        if (p->test_at && p->test_at <= s->now) {
            end_test(s, p);
            changed = true;
        }
        if (s->machines[host].agent && p->actual == VR_RUNNING && p->want_test > p->test_seq &&
            !p->test_at)
            start_test(s, host, p);
    }
    return changed;
}

static bool has(const struct pool_row *pool, int64_t proc)
{
    for (size_t i = 0; i < pool->member_count; i++)
        if (pool->members[i] == proc)
            return true;
    return false;
}

/* Connections of a node that leaves end one after the other. */
static void note_leavers(struct sim *s, struct balancer *lb, int slot)
{
    const struct pool_row *was = &lb->applied[slot];

    for (size_t i = 0; i < was->member_count; i++) {
        if (has(&lb->wanted[slot], was->members[i]))
            continue;
        for (int j = 0; j < SIM_ROWS; j++) {
            if (lb->open[j].until > s->now)
                continue;
            lb->open[j].proc = was->members[i];
            lb->open[j].left = s->now;
            lb->open[j].until = s->now + sim_between(s, 0, 2 * s->policy.drain_secs * SIM_SECOND);
            break;
        }
    }
}

static bool step_balancer(struct sim *s, int host)
{
    struct balancer *lb = &s->machines[host].lb;

    if (!lb->apply_at || lb->apply_at > s->now || !s->machines[host].agent)
        return false;
    lb->apply_at = 0;
    if (s->machines[host].stuck_until > s->now) {
        lb->apply_at = s->machines[host].stuck_until;
        machine_at(s, host, lb->apply_at);
        return false;
    }
    for (int p = 0; p < SIM_POOLS; p++)
        note_leavers(s, lb, p);
    memcpy(lb->applied, lb->wanted, sizeof(lb->applied));
    return true;
}

void world_step(struct sim *s, int host)
{
    bool changed;

    if (!s->machines[host].up)
        return;
    changed = step_procs(s, host);
    changed |= step_balancer(s, host);
    if (changed)
        send_report(s, host);
}

bool world_routes(struct sim *s, int host, int64_t proc, int64_t *out_left, int64_t *out_open)
{
    const struct balancer *lb = &s->machines[host].lb;

    *out_left = *out_open = 0;
    for (int i = 0; i < SIM_ROWS; i++) {
        if (lb->open[i].proc == proc && lb->open[i].left >= *out_left) {
            *out_left = lb->open[i].left;
            *out_open = lb->open[i].until;
        }
    }
    for (int p = 0; p < SIM_POOLS; p++)
        if (has(&lb->applied[p], proc))
            return true;
    return false;
}

void world_power(struct sim *s, int host, bool up)
{
    struct machine *m = &s->machines[host];

    if (m->up == up)
        return;
    m->up = m->agent = up;
    sim_note(s, "host %d %s", host, up ? "boots" : "dies");
    if (!up) {
        memset(m->lb.applied, 0, sizeof(m->lb.applied));
        memset(m->lb.open, 0, sizeof(m->lb.open));
        return;
    }
    world_boot(s, host);
}

/* The agent starts its last desired state by itself, without asking the server. */
void world_boot(struct sim *s, int host)
{
    struct machine *m = &s->machines[host];

    m->incarnation++;
    m->seq = 0;
    for (int i = 0; i < SIM_ROWS; i++) {
        struct shim *p = &m->shims[i];

        if (!p->used)
            continue;
        p->test_at = 0;
        p->test_seq = p->done_seq;
        if (p->want != VR_RUN || p->actual == VR_FATAL)
            p->actual = p->actual == VR_FATAL ? VR_FATAL : VR_STOPPED;
        else
            start_process(s, host, p);
    }
    m->lb.apply_at = s->now + sim_between(s, 1000, SIM_SECOND);
    machine_at(s, host, m->lb.apply_at);
    machine_at(s, host, s->now);
    send_report(s, host);
}
