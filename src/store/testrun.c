/* SPDX-License-Identifier: MIT */
/* Rows of test runs and their results. */
#include "store/testrun.h"

#include "store/row.h"

#define SELECT_RUN "SELECT id, user_id, start_us, end_us FROM testruns "

FIELDS(testrun, "test run", I(testrun, id), I(testrun, user_id), I(testrun, start_us),
       I(testrun, end_us))

int vr_store_testrun_find_id(struct vr_tx *tx, int64_t id, struct vr_testrun_row *out,
                             struct vr_err *err)
{
    return vr_row_find_id(tx, &testrun_type, id, out, err, SELECT_RUN "WHERE id = $1", VR_I(id));
}

int vr_store_testrun_find_open(struct vr_tx *tx, struct vr_testrun_row *out, struct vr_err *err)
{
    return vr_row_find(tx, &testrun_type, "under way", out, err,
                       SELECT_RUN "WHERE end_us IS NULL ORDER BY id LIMIT 1");
}

/*
 * Interleaved by host, so that hosts work side by side whatever part of the list is looked at. A
 * proc without a swarm has nobody else who would have it tested.
 */
#define INSERT_RESULTS                                                                             \
    "INSERT INTO testresults (testrun_id, time_us, hostname, procname, proc_id)"                   \
    " SELECT $1, $2, h.name, p.name, p.id FROM procs p JOIN hosts h ON h.id = p.host_id"           \
    " WHERE p.actual = 'running' AND p.desired = 'run' AND h.state = 'live' AND h.active = 1"      \
    " AND (p.passed = 1 OR p.tested = 'failed' OR p.swarm_id IS NULL)"                             \
    " AND ($3 = 0 OR p.swarm_id = $3)"                                                             \
    " ORDER BY row_number() OVER (PARTITION BY h.id ORDER BY p.id), h.id"

int vr_store_testrun_start(struct vr_tx *tx, int64_t swarm_id, int64_t user_id, struct vr_wall now,
                           int64_t *out_id, int64_t *out_procs, struct vr_err *err)
{
    VR_ROW(testrun) open = {0};
    int64_t id = 0;
    int r = vr_store_testrun_find_open(tx, &open, err);

    if (r == 0)
        return vr_fail(err, VR_EXISTS, "test run %" PRId64 " is under way", open.id);
    if (r == -VR_NOT_FOUND)
        r = vr_db_insert(tx->db, &id, err,
                         "INSERT INTO testruns (user_id, start_us) VALUES ($1, $2) RETURNING id",
                         VR_ID(user_id), VR_I(now.us));
    if (r == 0)
        r = vr_db_exec(tx->db, out_procs, err, INSERT_RESULTS, VR_I(id), VR_I(now.us),
                       VR_I(swarm_id));
    if (r == 0)
        *out_id = id;
    return r;
}

int vr_store_testrun_end(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err)
{
    return vr_row_change(tx, "test run", id, err,
                         "UPDATE testruns SET end_us = $2 WHERE id = $1 AND end_us IS NULL",
                         VR_I(id), VR_I(now.us));
}

/* ------------------------------------------------------------------ results */

FIELDS(testresult, "test result", I(testresult, id), T(testresult, hostname),
       T(testresult, procname), I(testresult, proc_id), I(testresult, test_n),
       I(testresult, deadline_us), T(testresult, state), B(testresult, passed),
       T(testresult, results_json), B(testresult, is_here), B(testresult, is_served),
       T(testresult, actual), T(testresult, tested), I(testresult, tested_n),
       B(testresult, has_passed), T(testresult, test_json), T(testresult, policy_json),
       T(testresult, host_state), I(testresult, host_id))

#define OWN_COLUMNS                                                                                \
    "t.id, t.hostname, t.procname, t.proc_id, t.test_n, t.deadline_us, t.state, t.passed,"         \
    " t.results_json"

#define SELECT_RESULT                                                                              \
    "SELECT " OWN_COLUMNS ", CASE WHEN p.desired = 'run' AND p.actual <> 'stopped' THEN 1"         \
    " ELSE 0 END, CASE WHEN p.swarm_id IS NULL THEN 0 ELSE 1 END, p.actual, p.tested, p.test_n,"   \
    " p.passed, p.test_json, p.policy_json, h.state, p.host_id FROM testresults t"                 \
    " LEFT JOIN procs p ON p.id = t.proc_id LEFT JOIN hosts h ON h.id = p.host_id "

int vr_store_testresult_list_asked(struct vr_tx *tx, int64_t run_id, struct vr_testresult_rows *out,
                                   struct vr_err *err)
{
    return vr_row_list(tx, &testresult_type, out, err,
                       SELECT_RESULT "WHERE t.testrun_id = $1 AND t.state = 'asked' ORDER BY t.id",
                       VR_I(run_id));
}

int vr_store_testresult_list_todo(struct vr_tx *tx, int64_t run_id, int64_t per_host,
                                  struct vr_testresult_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &testresult_type, out, err,
                       SELECT_RESULT
                       "JOIN (SELECT id, row_number() OVER (PARTITION BY hostname ORDER BY id)"
                       " AS nth FROM testresults WHERE testrun_id = $1 AND state = 'todo') AS q"
                       " ON q.id = t.id WHERE q.nth <= $2 ORDER BY t.id",
                       VR_I(run_id), VR_I(per_host));
}

int vr_store_testresult_list_failed(struct vr_tx *tx, int64_t run_id, int64_t limit,
                                    struct vr_testresult_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &testresult_type, out, err,
                       "SELECT " OWN_COLUMNS
                       ", 0, 0, NULL, NULL, 0, 0, NULL, NULL, NULL, 0 FROM testresults t"
                       " WHERE t.testrun_id = $1 AND t.state = 'done' AND t.passed = 0"
                       " ORDER BY t.procname, t.hostname LIMIT $2",
                       VR_I(run_id), VR_I(limit));
}

int vr_store_testresult_count(struct vr_tx *tx, int64_t run_id, int64_t *out_done,
                              int64_t *out_passed, struct vr_err *err)
{
    int r = vr_db_get_i64(tx->db, out_done, err,
                          "SELECT count(*) FROM testresults WHERE testrun_id = $1"
                          " AND state = 'done'",
                          VR_I(run_id));

    return r < 0 ? r
                 : vr_db_get_i64(tx->db, out_passed, err,
                                 "SELECT count(*) FROM testresults WHERE testrun_id = $1"
                                 " AND state = 'done' AND passed = 1",
                                 VR_I(run_id));
}

int vr_store_testresult_ask(struct vr_tx *tx, int64_t id, int64_t test_n, struct vr_wall deadline,
                            struct vr_wall now, struct vr_err *err)
{
    return vr_row_change(tx, "test result", id, err,
                         "UPDATE testresults SET state = 'asked', test_n = $2, deadline_us = $3,"
                         " time_us = $4 WHERE id = $1",
                         VR_I(id), VR_I(test_n), VR_I(deadline.us), VR_I(now.us));
}

int vr_store_testresult_end(struct vr_tx *tx, int64_t id, bool passed, int64_t count,
                            const char *results_json, struct vr_wall now, struct vr_err *err)
{
    return vr_row_change(tx, "test result", id, err,
                         "UPDATE testresults SET state = 'done', passed = $2, testcount = $3,"
                         " results_json = $4, time_us = $5 WHERE id = $1",
                         VR_I(id), VR_B(passed), VR_I(count), VR_T(results_json), VR_I(now.us));
}

int vr_store_testresult_drop(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    return vr_row_change(tx, "test result", id, err, "DELETE FROM testresults WHERE id = $1",
                         VR_I(id));
}

int vr_store_proc_withdraw_test(struct vr_tx *tx, int64_t proc_id, int64_t test_n,
                                struct vr_err *err)
{
    int64_t changed = 0;
    int r = vr_db_exec(tx->db, &changed, err,
                       "UPDATE procs SET tested = CASE WHEN passed = 1 THEN 'passed' ELSE 'no' END"
                       " WHERE id = $1 AND test_n = $2 AND tested = 'pending'"
                       " AND (passed = 1 OR swarm_id IS NULL)",
                       VR_I(proc_id), VR_I(test_n));

    if (r < 0 || !changed)
        return r;
    return vr_row_touch_hosts(tx, err, "SELECT host_id FROM procs WHERE id = $1", VR_I(proc_id));
}
