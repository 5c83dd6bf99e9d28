/* SPDX-License-Identifier: MIT */
/* Procs: placed with a port of their own, wished for by the engine, reported by agents. */
#ifndef VR_STORE_PROC_H
#define VR_STORE_PROC_H

#include "store/store.h"

struct vr_proc_row {
    int64_t id;
    char *name;
    int64_t swarm_id; /* 0: deployed by hand */
    char *rollout_id; /* NULL: deployed by hand */
    int64_t release_id;
    int64_t host_id;
    char *config_name;
    char *proc_name;
    char *cmd;
    char *policy_json;
    int64_t pool_id; /* 0: none */
    int64_t port;    /* 0: none */
    int64_t epoch;
    int64_t session;
    char *desired; /* run, stop, held */
    /* assigned fetching starting running backoff stopping stopped exited fatal unknown */
    char *actual;
    char *reported; /* what its host said last; differs while unknown */
    int64_t since_us;
    int64_t running_us;   /* 0: not running */
    int64_t unhealthy_us; /* 0: it answers */
    char *tested;         /* no, pending, passed, failed */
    int64_t test_n;
    int64_t tested_us;     /* when the newest test was asked for, or its result came */
    int64_t test_began_us; /* first test asked for in this epoch and life; 0: none */
    bool passed;           /* in this epoch and this life */
    char *test_json;
    int64_t restart_n;
    bool force_stop;
    bool admitted;
    int64_t admitted_us;
    int64_t drain_us; /* when it was last taken out of its pool; 0: never */
    int64_t start_failures;
    int64_t flaps; /* times it was taken out for bad health lately */
    int64_t flapped_us;
    int64_t unhealthy_restarts;
    int64_t moved_from; /* 0: none */
    int64_t pid;
    int64_t generation;
    int64_t restarts;
    char *message;
    char *code; /* of a failure: fetch_failed, port_taken, … */
    char *log_tail;
    char *exit_json;
    char *usage_json;
    int64_t created_us;
    int64_t stopped_us;
    char *host_name; /* joined; ignored on write */
};

VR_DECLARE_ROW(proc);

/*
 * Every change of what people see of a proc (state, test, admission) collects an event of kind
 * 'proc', whose data is the contract's proc object and "event": "PROCESS_STATE_RUNNING" or the
 * like; a deletion one with "PROCESS_GROUP_REMOVED". Host and swarm are touched.
 */

VR_MUST_USE
int vr_store_proc_find_id(struct vr_tx *tx, int64_t id, struct vr_proc_row *out,
                          struct vr_err *err);
/** By host and display name, the newest that is not stopped. */
VR_MUST_USE
int vr_store_proc_find(struct vr_tx *tx, const char *host, const char *name,
                       struct vr_proc_row *out, struct vr_err *err);
/** All of a swarm that are not stopped (or held), by id. */
VR_MUST_USE
int vr_store_proc_list_of_swarm(struct vr_tx *tx, int64_t swarm_id, struct vr_proc_rows *out,
                                struct vr_err *err);
/** All of a host that are not stopped (or held), by id. */
VR_MUST_USE
int vr_store_proc_list_of_host(struct vr_tx *tx, int64_t host_id, struct vr_proc_rows *out,
                               struct vr_err *err);
/** Not stopped, without a swarm. */
VR_MUST_USE
int vr_store_proc_list_by_hand(struct vr_tx *tx, struct vr_proc_rows *out, struct vr_err *err);

/** Where a proc is placed, and as what. All texts borrowed. */
struct vr_proc_placement {
    int64_t swarm_id;       /* 0: by hand */
    const char *rollout_id; /* NULL: by hand */
    int64_t release_id;
    int64_t host_id;
    const char *config_name;
    const char *proc_name;
    const char *cmd;
    const char *policy_json; /* NULL: {} */
    int64_t pool_id;         /* 0: none */
    bool no_port;
    int64_t port;       /* 0: a free one of the range */
    int64_t moved_from; /* 0: none */
    int64_t start_failures;
};

/**
 * Insert a proc with desired run, its session the host's. Its name is made of app, tag, hash and
 * port.
 *
 * Returns -VR_LIMIT with "host 'h1' has no free port in 5000-5999", -VR_EXISTS when the port
 * asked for is taken, -VR_NOT_FOUND for an unknown release or host.
 */
VR_MUST_USE
int vr_store_proc_insert(struct vr_tx *tx, const struct vr_proc_placement *placement,
                         struct vr_wall now, int64_t *out_id, struct vr_err *err);

/** desired: run, stop or held. `force` shortens a stop to SIGKILL. */
VR_MUST_USE
int vr_store_proc_set_desired(struct vr_tx *tx, int64_t id, const char *desired, bool force,
                              struct vr_err *err);
/** Admit it to its pool, or take it out: then drain_us = now. Nothing if it is so already. */
VR_MUST_USE
int vr_store_proc_set_admitted(struct vr_tx *tx, int64_t id, bool admitted, struct vr_wall now,
                               struct vr_err *err);
/** Ask for one run of its uptests: test_n + 1, tested pending. */
VR_MUST_USE
int vr_store_proc_request_test(struct vr_tx *tx, int64_t id, struct vr_wall now,
                               struct vr_err *err);
/** Bad health: passed and tested are void. @flaps how often it was so lately, this one too */
VR_MUST_USE
int vr_store_proc_demote(struct vr_tx *tx, int64_t id, int64_t flaps, struct vr_wall now,
                         struct vr_err *err);
/** From held to run: a new epoch, not tested, not admitted. */
VR_MUST_USE
int vr_store_proc_start(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);
/**
 * A new process: new epoch, restart_n + 1, not tested; admitted stays.
 * @unhealthy_restarts  for bad health, how often lately, this one too; -1: for another reason
 */
VR_MUST_USE
int vr_store_proc_restart(struct vr_tx *tx, int64_t id, int64_t unhealthy_restarts,
                          struct vr_wall now, struct vr_err *err);
/** Its host is lost: actual is unknown, whatever is reported, until set_known. */
VR_MUST_USE
int vr_store_proc_set_unknown(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);
/**
 * actual is what was reported again; or, with new_epoch, `starting` until the host reports in
 * that epoch, not tested and not admitted.
 */
VR_MUST_USE
int vr_store_proc_set_known(struct vr_tx *tx, int64_t id, bool new_epoch, struct vr_wall now,
                            struct vr_err *err);
/** Since when it runs but does not answer; 0: it does. */
VR_MUST_USE
int vr_store_proc_set_unhealthy(struct vr_tx *tx, int64_t id, struct vr_wall since,
                                struct vr_err *err);
/** Give it to another rollout of its swarm (kept as it is: scale, re-dispatch). */
VR_MUST_USE
int vr_store_proc_set_rollout(struct vr_tx *tx, int64_t id, const char *rollout_id,
                              struct vr_err *err);
/** actual, with why: for what no agent will report any more (gone hosts). */
VR_MUST_USE
int vr_store_proc_set_actual(struct vr_tx *tx, int64_t id, const char *actual, const char *message,
                             struct vr_wall now, struct vr_err *err);

/** What an agent says of a proc. All texts borrowed; NULL texts leave the column as it is. */
struct vr_proc_report {
    int64_t id;
    int64_t epoch; /* other ones than the row's are stale */
    const char *actual;
    int64_t since_us;
    int64_t pid;
    int64_t generation;
    int64_t restarts;
    const char *message;
    const char *code;
    const char *exit_json;
    int64_t test_n;         /* 0: no test in this report */
    const char *test_state; /* running, passed, failed */
    const char *test_json;  /* results */
    const char *log_tail;
    const char *usage_json;
};

/**
 * Store it, with an event 'proc' when its state changed for people.
 * @out_stale  true: it is of an older epoch, unknown, stopped, or of another host; ignored
 */
VR_MUST_USE
int vr_store_proc_report(struct vr_tx *tx, int64_t host_id, const struct vr_proc_report *report,
                         struct vr_wall now, bool *out_stale, struct vr_err *err);

/** Delete the row of a proc that is stopped, with its commands; an event tells of the removal. */
VR_MUST_USE
int vr_store_proc_delete(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);

#endif
