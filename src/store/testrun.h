/* SPDX-License-Identifier: MIT */
/* Test runs: the uptests of everything that runs, one result a proc. */
#ifndef VR_STORE_TESTRUN_H
#define VR_STORE_TESTRUN_H

#include "store/store.h"

struct vr_testrun_row {
    int64_t id;
    int64_t user_id; /* 0: the schedule */
    int64_t start_us;
    int64_t end_us; /* 0: under way */
};

VR_DECLARE_ROW(testrun);

VR_MUST_USE
int vr_store_testrun_find_id(struct vr_tx *tx, int64_t id, struct vr_testrun_row *out,
                             struct vr_err *err);
/** The one that is under way. */
VR_MUST_USE
int vr_store_testrun_find_open(struct vr_tx *tx, struct vr_testrun_row *out, struct vr_err *err);

/**
 * Begin a run over all procs that run on live, active hosts; those that a rollout has not tested
 * for the first time yet are left to it.
 * @swarm_id   only its procs; 0: all
 * @user_id    who asks; 0: the schedule
 * @out_procs  how many it will test; may be NULL
 *
 * Returns -VR_EXISTS with a sentence if a run is under way.
 */
VR_MUST_USE
int vr_store_testrun_start(struct vr_tx *tx, int64_t swarm_id, int64_t user_id, struct vr_wall now,
                           int64_t *out_id, int64_t *out_procs, struct vr_err *err);
/** -VR_NOT_FOUND if it has ended. */
VR_MUST_USE
int vr_store_testrun_end(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);

/** A result that is not in yet, and how its proc is now. */
struct vr_testresult_row {
    int64_t id;
    char *hostname;
    char *procname;
    int64_t proc_id;
    int64_t test_n;
    int64_t deadline_us;
    char *state; /* todo, asked, done */
    bool passed;
    char *results_json;
    bool is_here;   /* the proc still is and shall run; else the next six are empty */
    bool is_served; /* by a swarm: its engine asks for tests too */
    char *actual;
    char *tested;
    int64_t tested_n;
    bool has_passed; /* in this epoch and life */
    char *test_json;
    char *policy_json;
    char *host_state;
    int64_t host_id;
};

VR_DECLARE_ROW(testresult);

/** Those that were asked for, oldest first. */
VR_MUST_USE
int vr_store_testresult_list_asked(struct vr_tx *tx, int64_t run_id, struct vr_testresult_rows *out,
                                   struct vr_err *err);
/** Of those that were not asked for yet, the first `per_host` of each host. */
VR_MUST_USE
int vr_store_testresult_list_todo(struct vr_tx *tx, int64_t run_id, int64_t per_host,
                                  struct vr_testresult_rows *out, struct vr_err *err);
/** Those that are in and did not pass; the columns of the proc are empty. */
VR_MUST_USE
int vr_store_testresult_list_failed(struct vr_tx *tx, int64_t run_id, int64_t limit,
                                    struct vr_testresult_rows *out, struct vr_err *err);
/** How many results are in, and how many of them passed. */
VR_MUST_USE
int vr_store_testresult_count(struct vr_tx *tx, int64_t run_id, int64_t *out_done,
                              int64_t *out_passed, struct vr_err *err);

/** The proc was asked for test `test_n`; an answer to it or a later one counts. */
VR_MUST_USE
int vr_store_testresult_ask(struct vr_tx *tx, int64_t id, int64_t test_n, struct vr_wall deadline,
                            struct vr_wall now, struct vr_err *err);
/** It is in. @results_json  [{Name, Output, Passed}] */
VR_MUST_USE
int vr_store_testresult_end(struct vr_tx *tx, int64_t id, bool passed, int64_t count,
                            const char *results_json, struct vr_wall now, struct vr_err *err);
/** Its proc is gone: there is nothing to say of it. */
VR_MUST_USE
int vr_store_testresult_drop(struct vr_tx *tx, int64_t id, struct vr_err *err);

/**
 * Nobody waits any more for test `test_n` of a proc that has passed before: it is what it was. Does
 * nothing if that is not the newest test asked for, or was answered.
 */
VR_MUST_USE
int vr_store_proc_withdraw_test(struct vr_tx *tx, int64_t proc_id, int64_t test_n,
                                struct vr_err *err);

#endif
