/* SPDX-License-Identifier: MIT */
/*
 * What users do and what befalls the machines, each at its time from the seed. Every entry draws
 * from a number of its own, so that the shrinker can leave others out without changing it.
 */
#include "sim.h"

#include <inttypes.h>
#include <stdlib.h>

static int64_t pick(uint64_t *rnd, int64_t low, int64_t high)
{
    *rnd ^= *rnd << 13;
    *rnd ^= *rnd >> 7;
    *rnd ^= *rnd << 17;
    return low + (int64_t)(*rnd % (uint64_t)(high - low + 1));
}

static int compare_times(const void *a, const void *b)
{
    const struct script *x = a, *y = b;

    return (x->at > y->at) - (x->at < y->at);
}

void script_init(struct sim *s)
{
    int64_t length = sim_between(s, 60, 400) * SIM_SECOND;
    int count = (int)sim_between(s, 4, SIM_SCRIPT - 1);

    s->script[0] = (struct script){.at = s->now + SIM_SECOND, .rnd = 0};
    for (int i = 1; i < SIM_SCRIPT; i++)
        s->script[i] = (struct script){.at = s->now + sim_between(s, SIM_SECOND, length),
                                       .rnd = sim_random(s) | 1,
                                       .cut = i > count};
    qsort(s->script, SIM_SCRIPT, sizeof(*s->script), compare_times);
    s->calm_at = s->now + length + SIM_SECOND;
}

/* --- users --- */

static void dispatch(struct sim *s, uint64_t *rnd)
{
    bool bad = pick(rnd, 0, 9) < 3;

    db_request(s, VR_DISPATCH, 0, bad ? (enum quality)pick(rnd, 1, QUALITIES - 1) : GOOD);
}

static int64_t current_release(struct sim *s)
{
    return s->db.current >= 0 ? s->db.rollouts[s->db.current].a.frozen.release : 0;
}

static void redispatch(struct sim *s, uint64_t *rnd)
{
    if (current_release(s))
        db_request(s, VR_DISPATCH, current_release(s), GOOD);
}

static void scale(struct sim *s, uint64_t *rnd)
{
    s->db.size = (int32_t)pick(rnd, 0, 5);
    if (current_release(s))
        db_request(s, VR_SCALE, current_release(s), GOOD);
}

static void rollback(struct sim *s, uint64_t *rnd)
{
    for (int64_t r = current_release(s) - 1; r > 0; r--) {
        if (s->db.release_quality[r] == GOOD) {
            db_request(s, VR_ROLLBACK, r, GOOD);
            return;
        }
    }
}

static void restart(struct sim *s, uint64_t *rnd)
{
    if (current_release(s))
        db_request(s, VR_RESTART, current_release(s), GOOD);
}

static void cancel(struct sim *s, uint64_t *rnd)
{
    if (s->db.active >= 0)
        s->db.rollouts[s->db.active].a.cancel_requested = true;
}

static void edit_pool(struct sim *s, uint64_t *rnd)
{
    for (int p = 0; p < SIM_POOLS; p++) {
        if (s->db.pools[p].used)
            continue;
        s->db.pools[p] = (struct pool_row){.used = true, .id = s->db.next_pool++};
        for (int h = 0; h < SIM_HOSTS; h++)
            s->db.hosts[h].confirmed[p] = 0;
        for (int h = SIM_APP_HOSTS; h < SIM_HOSTS; h++)
            db_touch(s, h);
        s->db.pool = s->db.pools[p].id;
        break;
    }
    dispatch(s, rnd);
}

static void edit_squad(struct sim *s, uint64_t *rnd)
{
    s->db.squad = pick(rnd, 1, 2);
    dispatch(s, rnd);
}

static void edit_batch(struct sim *s, uint64_t *rnd)
{
    s->db.batch = (int32_t)pick(rnd, 0, 2);
    dispatch(s, rnd);
}

static void command(struct sim *s, uint64_t *rnd)
{
    int n = (int)pick(rnd, 0, SIM_ROWS - 1);

    for (int i = 0; i < SIM_ROWS; i++) {
        const struct row *r = &s->db.rows[(n + i) % SIM_ROWS];
        bool busy = false;

        for (int j = 0; j < SIM_COMMANDS; j++)
            busy |= s->db.commands[j].used && s->db.commands[j].c.proc == r->id;
        if (!r->used || busy)
            continue;
        for (int j = 0; j < SIM_COMMANDS; j++) {
            if (s->db.commands[j].used)
                continue;
            s->db.commands[j] = (struct command_row){
                .used = true,
                .c = {.id = s->db.next_command++,
                      .proc = r->id,
                      .kind = (enum vr_command_kind)pick(rnd, VR_CMD_STOP, VR_CMD_DESTROY)}};
            return;
        }
    }
}

static void drain_host(struct sim *s, uint64_t *rnd)
{
    struct host_row *h = &s->db.hosts[pick(rnd, 0, SIM_APP_HOSTS - 1)];

    h->active = !h->active;
}

/* --- fate --- */

static void lose_power(struct sim *s, uint64_t *rnd)
{
    int host = (int)pick(rnd, 0, SIM_HOSTS - 1);

    world_power(s, host, false);
    sim_at(s, s->now + pick(rnd, SIM_SECOND, 60 * SIM_SECOND), EV_BOOT, host, NULL);
}

static void lose_squad(struct sim *s, uint64_t *rnd)
{
    int squad = (int)pick(rnd, 0, 1);
    int64_t until = s->now + pick(rnd, 10 * SIM_SECOND, 150 * SIM_SECOND);

    for (int i = 0; i < 3; i++)
        s->machines[squad * 3 + i].cut_until = until;
}

static void cut_host(struct sim *s, uint64_t *rnd)
{
    s->machines[pick(rnd, 0, SIM_HOSTS - 1)].cut_until =
        s->now + pick(rnd, SIM_SECOND, 60 * SIM_SECOND);
}

static void restart_agent(struct sim *s, uint64_t *rnd)
{
    int host = (int)pick(rnd, 0, SIM_HOSTS - 1);

    s->machines[host].agent = false;
    sim_at(s, s->now + pick(rnd, SIM_SECOND / 10, 8 * SIM_SECOND), EV_BOOT, host, NULL);
}

static struct shim *any_running(struct sim *s, uint64_t *rnd, int *out_host)
{
    int n = (int)pick(rnd, 0, SIM_APP_HOSTS * SIM_ROWS - 1);

    for (int i = 0; i < SIM_APP_HOSTS * SIM_ROWS; i++) {
        int at = (n + i) % (SIM_APP_HOSTS * SIM_ROWS);
        struct shim *p = &s->machines[at / SIM_ROWS].shims[at % SIM_ROWS];

        *out_host = at / SIM_ROWS;
        if (p->used && p->actual == VR_RUNNING && s->machines[*out_host].up)
            return p;
    }
    return NULL;
}

static void crash_proc(struct sim *s, uint64_t *rnd)
{
    int host;
    struct shim *p = any_running(s, rnd, &host);

    if (!p)
        return;
    p->actual = pick(rnd, 0, 9) ? VR_BACKOFF : VR_FATAL;
    p->change_at = p->actual == VR_BACKOFF ? s->now + pick(rnd, 1000, 3 * SIM_SECOND) : 0;
    sim_at(s, p->change_at ? p->change_at : s->now, EV_MACHINE, host, NULL);
}

static void sicken_proc(struct sim *s, uint64_t *rnd)
{
    int host;
    struct shim *p = any_running(s, rnd, &host);

    if (p)
        p->unhealthy = !p->unhealthy;
}

static void stick_balancer(struct sim *s, uint64_t *rnd)
{
    s->machines[pick(rnd, SIM_APP_HOSTS, SIM_HOSTS - 1)].stuck_until =
        s->now + pick(rnd, SIM_SECOND, 40 * SIM_SECOND);
}

static void lose_messages(struct sim *s, uint64_t *rnd)
{
    s->loss_percent = (int)pick(rnd, 0, 60);
}

static const struct {
    const char *name;
    int weight;
    void (*act)(struct sim *s, uint64_t *rnd);
} acts[] = {
    {"dispatch", 8, dispatch},
    {"redispatch", 2, redispatch},
    {"scale", 5, scale},
    {"rollback", 2, rollback},
    {"restart", 2, restart},
    {"cancel", 4, cancel},
    {"edit pool", 1, edit_pool},
    {"edit squad", 2, edit_squad},
    {"edit batch", 3, edit_batch},
    {"command", 6, command},
    {"drain host", 3, drain_host},
    {"lose power", 4, lose_power},
    {"lose squad", 1, lose_squad},
    {"cut host", 4, cut_host},
    {"restart agent", 3, restart_agent},
    {"crash proc", 4, crash_proc},
    {"sicken proc", 3, sicken_proc},
    {"stick balancer", 3, stick_balancer},
    {"lose messages", 1, lose_messages},
};

void script_act(struct sim *s, struct script *e)
{
    uint64_t rnd = e->rnd;
    int total = 0, n;

    if (e->cut)
        return;
    if (!e->rnd) {
        sim_note(s, "script: first dispatch");
        db_request(s, VR_DISPATCH, 0, GOOD);
        db_kick(s);
        return;
    }
    for (size_t i = 0; i < VR_COUNT(acts); i++)
        total += acts[i].weight;
    n = (int)pick(&rnd, 0, total - 1);
    for (size_t i = 0; i < VR_COUNT(acts); i++) {
        n -= acts[i].weight;
        if (n >= 0)
            continue;
        sim_note(s, "script: %s", acts[i].name);
        acts[i].act(s, &rnd);
        break;
    }
    db_kick(s);
}

/* All faults end, and users want nothing more. */
void script_calm(struct sim *s)
{
    sim_note(s, "calm");
    s->loss_percent = 0;
    for (int h = 0; h < SIM_HOSTS; h++) {
        struct machine *m = &s->machines[h];

        m->cut_until = m->stuck_until = 0;
        s->db.hosts[h].active = true;
        for (int i = 0; i < SIM_ROWS; i++)
            m->shims[i].unhealthy = false;
        if (!m->up) {
            world_power(s, h, true);
        } else if (!m->agent) {
            m->agent = true;
            m->incarnation++;
            m->seq = 0;
        }
        sim_at(s, s->now, EV_MACHINE, h, NULL);
        if (m->lb.apply_at)
            m->lb.apply_at = s->now;
    }
    db_kick(s);
}
