/* SPDX-License-Identifier: MIT */
/*
 * The simulator's world: one swarm, its rows, hosts with agents and procs, balancers, an engine.
 *
 * Everything happens in virtual time and comes from one seed. The engine sees only rows; rows learn
 * of the world only by reports; the world learns of rows only by desired states. Checks compare
 * the two, which the planner cannot.
 */
#ifndef VR_SIM_H
#define VR_SIM_H

#include "engine/plan.h"

#define SIM_HOSTS     8 /* 0..5 run apps in two squads, 6 and 7 are balancers */
#define SIM_APP_HOSTS 6
#define SIM_ROWS      64
#define SIM_POOLS     8
#define SIM_ROLLOUTS  256
#define SIM_RELEASES  128
#define SIM_COMMANDS  64
#define SIM_SCRIPT    48
#define SIM_PORTS     16
#define SIM_BASE_PORT 5000
#define SIM_MEM       100
#define SIM_SECOND    VR_US_PER_S
#define SIM_START     (INT64_C(1000000) * VR_US_PER_S)

/* How a release behaves; what no fault of the world causes. */
enum quality { GOOD, FAILS_TEST, HANGS_IN_TEST, NEVER_READY, CRASHES_AT_START, QUALITIES };

enum sabotage {
    SABOTAGE_NONE,
    SABOTAGE_ADMIT_UNTESTED,   /* every running proc counts as tested */
    SABOTAGE_STOP_UNCONFIRMED, /* balancers count as having confirmed */
    SABOTAGE_REUSE_PORT,       /* ports are not unique */
    SABOTAGE_DROP_WAKE,        /* next_wake is ignored */
    SABOTAGE_DROP_STOP,        /* old procs are never stopped */
    SABOTAGE_UNADMIT_EARLY,    /* old procs leave when new ones are placed */
    SABOTAGE_KEEP_EPOCH,       /* a lost proc comes back in its old epoch */
    SABOTAGE_NO_MASS_LOSS,     /* silence of most hosts is believed */
    SABOTAGES,
};

/* A row of `procs`. */
struct row {
    bool used;
    int64_t id;
    int host, port, rollout;
    int64_t release, pool, epoch, rev; /* rev of the host when the row last changed */
    int64_t restarts;                  /* asks the agent for a new process */
    enum vr_desired desired;
    enum vr_actual actual;
    int64_t running_since, unhealthy_since, tested_at, test_began, left_at, flapped_at;
    enum vr_tested tested;
    int64_t test_seq;
    int64_t life, passed_epoch, passed_life;
    bool admitted, start_failed, retried;
    int64_t evicted_epoch; /* in which it left a pool because its host was lost */
    int32_t flaps, unhealthy_restarts;
    enum vr_actual reported; /* last report of this epoch */
    int64_t reported_life;
};

struct rollout_row {
    char id[VR_ROLLOUT_ID_BYTES];
    enum { QUEUED, ACTIVE, ENDED } state;
    struct vr_plan_active a; /* frozen values, step, phase and so on */
    enum vr_result result;
    int64_t work_at; /* when the resolve job or build ends */
    bool work_fails;
    int32_t old_size; /* of the generation that it replaces */
    int64_t downtime; /* engine seconds lost before it started */
    enum quality quality;
};

struct pool_row {
    bool used;
    int64_t id, generation;
    int64_t members[SIM_ROWS];
    size_t member_count;
};

struct command_row {
    bool used;
    struct vr_plan_command c;
};

/* What a balancer host reported of a node. */
struct node_view {
    int64_t proc;
    bool up;
    int32_t connections;
};

struct host_row {
    int64_t squad, last_seen, rev, incarnation, seq;
    bool active, synced;
    int64_t confirmed[SIM_POOLS], confirmed_at[SIM_POOLS]; /* by place in pools[] */
    struct node_view nodes[SIM_ROWS];
    size_t node_count;
};

struct db {
    struct row rows[SIM_ROWS];
    struct rollout_row rollouts[SIM_ROLLOUTS];
    int rollout_count, current, active, queued; /* indices, -1 none */
    struct pool_row pools[SIM_POOLS];
    struct command_row commands[SIM_COMMANDS];
    struct host_row hosts[SIM_HOSTS];
    enum quality release_quality[SIM_RELEASES];
    int64_t next_proc, next_release, next_pool, next_command;
    /* the wish */
    int32_t size, batch;
    int64_t squad, pool;
    int32_t heal_failures;
    int64_t heal_after;
};

/* A process with its shim on a host. */
struct shim {
    bool used;
    int64_t id, epoch, restarts, release, life;
    int port;
    enum vr_actual actual;
    bool start_failed, unhealthy;
    enum vr_desired want;
    int64_t change_at; /* when its state changes by itself, 0 never */
    int64_t want_test, test_seq, test_at;
    int64_t done_seq;
    bool test_ok;
    int64_t done_life;
    int64_t passed_epoch, passed_life; /* truth, for the checks */
    int crashes;
};

/* A balancer process. */
struct balancer {
    struct pool_row applied[SIM_POOLS], wanted[SIM_POOLS];
    int64_t apply_at;
    struct {
        int64_t proc, left, until; /* left the pool; its last connection ends */
    } open[SIM_ROWS];
};

struct machine {
    bool up;             /* powered */
    bool agent;          /* runs */
    int64_t cut_until;   /* no messages either way */
    int64_t stuck_until; /* balancer cannot be configured */
    int64_t incarnation, seq, rev;
    struct shim shims[SIM_ROWS];
    struct balancer lb;
};

enum event_kind {
    EV_NONE,
    EV_ENGINE,
    EV_ENGINE_START,
    EV_BEAT,    /* heartbeat of an agent: sends a report */
    EV_DELIVER, /* a report arrives */
    EV_DESIRED, /* a desired state arrives */
    EV_MACHINE, /* something on a machine changes by itself */
    EV_WORK,    /* a job or build ends */
    EV_SCRIPT,  /* the user or fate acts */
    EV_BOOT,
};

struct event {
    int64_t at, seq;
    enum event_kind kind;
    int a;
    void *data; /* owned message or NULL */
};

struct script {
    int64_t at;
    uint64_t rnd;
    bool cut; /* left out by the shrinker */
};

/* What an agent sends. */
struct report {
    int host;
    int64_t incarnation, seq, rev;
    struct shim shims[SIM_ROWS];
    size_t shim_count;
    int64_t confirmed[SIM_POOLS], pool_id[SIM_POOLS];
    struct node_view nodes[SIM_ROWS];
    size_t node_count;
};

/* What it gets: the whole state of its host. */
struct desired {
    int64_t rev;
    struct row rows[SIM_ROWS];
    size_t row_count;
    struct pool_row pools[SIM_POOLS];
};

struct sim {
    uint64_t seed, rng;
    enum sabotage sabotage;
    bool verbose;
    int64_t now, calm_at;
    struct event *heap;
    size_t heap_count, heap_capacity;
    int64_t next_seq, events;
    uint64_t hash;

    struct db db;
    struct machine machines[SIM_HOSTS];
    bool engine_up;
    int64_t engine_started, engine_at, engine_seq, downtime, down_since;
    struct vr_policy policy;
    struct vr_plan_actions actions;
    struct script script[SIM_SCRIPT];
    int loss_percent;
    char failure[512]; /* of an invariant; empty while all hold */
};

/* sim.c: time, chance, the trace */
uint64_t sim_random(struct sim *s);
int64_t sim_between(struct sim *s, int64_t low, int64_t high);
bool sim_chance(struct sim *s, int percent);
void sim_at(struct sim *s, int64_t at, enum event_kind kind, int a, void *data);
void sim_note(struct sim *s, const char *fmt, ...) VR_PRINTF(2, 3);
void sim_fail(struct sim *s, const char *fmt, ...) VR_PRINTF(2, 3);

/* db.c: rows, and the engine on them */
struct sim_view {
    struct vr_plan_snapshot snap;
    struct vr_plan_host hosts[SIM_HOSTS];
    struct vr_plan_proc procs[SIM_ROWS];
    struct vr_plan_pool pools[SIM_POOLS];
    struct vr_plan_pool_host pool_hosts[SIM_HOSTS];
    struct vr_plan_pool_host pool_hosts_of[SIM_POOLS][SIM_HOSTS];
    struct vr_plan_command commands[SIM_COMMANDS];
    struct vr_plan_frozen current;
    struct vr_plan_active active;
};
void db_init(struct sim *s);
void db_load(struct sim *s, struct sim_view *v);
void db_touch(struct sim *s, int host);
struct row *db_row(struct sim *s, int64_t id);
enum vr_liveness db_liveness(struct sim *s, int host, int64_t *out_changes, int64_t *out_lost);
void db_engine(struct sim *s);
void db_kick(struct sim *s);
void db_work_done(struct sim *s, int rollout);
int db_request(struct sim *s, enum vr_kind kind, int64_t release, enum quality quality);

/* world.c: machines */
void world_init(struct sim *s);
void world_beat(struct sim *s, int host);
void world_deliver(struct sim *s, struct report *r);
void world_desired(struct sim *s, int host, struct desired *d);
void world_send_desired(struct sim *s, int host);
void world_step(struct sim *s, int host);
void world_power(struct sim *s, int host, bool up);
void world_boot(struct sim *s, int host);
struct shim *world_shim(struct sim *s, int host, int64_t proc);
bool world_routes(struct sim *s, int host, int64_t proc, int64_t *out_left, int64_t *out_open);

/* script.c: users and fate */
void script_init(struct sim *s);
void script_act(struct sim *s, struct script *e);
void script_calm(struct sim *s);

/* check.c: invariants */
void check_rows(struct sim *s);
void check_action(struct sim *s, const struct sim_view *v, const struct vr_plan_action *a);
void check_publish(struct sim *s, const struct sim_view *v, struct pool_row *pool,
                   const int64_t *members, size_t count);
bool check_is_settled(struct sim *s, char *why, size_t bytes);

#endif
