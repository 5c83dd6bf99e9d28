/* SPDX-License-Identifier: MIT */
/*
 * Test runs.
 *
 * A run has a row a proc from its begin. A few of each host at a time are asked for a test by the
 * same number that rollouts use; the answer is found on the proc by the next look. A proc that has
 * passed before stays admitted meanwhile and afterwards: the planner looks at `passed`, which only
 * a new life or bad health takes away, and not at the newest test of one that has it.
 *
 * A run ends: each proc answers, goes, loses its host, or misses its deadline; and the whole of it
 * has one.
 */
#include "engine/uptests.h"

#include "engine/schedules.h"
#include "fmt/json.h"
#include "model/policy.h"
#include "store/event.h"
#include "store/proc.h"
#include "store/schedule.h"
#include "store/testrun.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOLD_BYTES 100000 /* of failures that are put together; events keep less */

/* A result with Name null: nothing was tested. */
static int end_unheard(struct vr_tx *tx, const struct vr_testresult_row *row, const char *why,
                       struct vr_wall now, struct vr_err *err)
{
    vr_auto_json json_t *results =
        json_pack("[{s:n, s:s, s:b}]", "Name", "Output", why, "Passed", 0);
    vr_auto_free char *text = vr_json_dump(results);

    return vr_store_testresult_end(tx, row->id, false, 1, text, now, err);
}

static int end_with_answer(struct vr_tx *tx, const struct vr_testresult_row *row,
                           struct vr_wall now, struct vr_err *err)
{
    bool passed = vr_streq(row->tested, "passed");
    vr_auto_json json_t *results = NULL;

    if (vr_json_parse(vr_str(row->test_json), VR_JSON_BYTES, &results, NULL) < 0)
        return end_unheard(tx, row, "its results cannot be read", now, err);
    return vr_store_testresult_end(tx, row->id, passed, (int64_t)json_array_size(results),
                                   row->test_json, now, err);
}

static bool is_answered(const struct vr_testresult_row *row)
{
    return row->tested_n >= row->test_n &&
           (vr_streq(row->tested, "passed") || vr_streq(row->tested, "failed"));
}

/* 1: it is over, one way or the other. */
static int tend_asked(struct vr_tx *tx, const struct vr_testresult_row *row, struct vr_wall now,
                      struct vr_err *err)
{
    char why[200];
    int r;

    if (!row->is_here) {
        r = vr_store_testresult_drop(tx, row->id, err);
        return r < 0 ? r : 1;
    }
    if (is_answered(row)) {
        r = end_with_answer(tx, row, now, err);
        return r < 0 ? r : 1;
    }
    if (vr_streq(row->host_state, "lost") || vr_streq(row->host_state, "gone"))
        snprintf(why, sizeof(why), "host '%.100s' was lost while it tested this", row->hostname);
    else if (now.us > row->deadline_us)
        snprintf(why, sizeof(why), "host '%.100s' did not answer in time", row->hostname);
    else
        return 0;
    r = end_unheard(tx, row, why, now, err);
    if (r == 0)
        r = vr_store_proc_withdraw_test(tx, row->proc_id, row->test_n, err);
    return r < 0 ? r : 1;
}

/* As long as all its tests may take, by what is known of their number. */
static struct vr_wall deadline_of(const struct vr_testresult_row *row, struct vr_wall now)
{
    struct vr_policy policy = vr_policy_default();
    vr_auto_json json_t *stored = NULL;
    vr_auto_json json_t *last = NULL;
    int64_t tests = 1;

    if (vr_json_parse(vr_str(row->policy_json), VR_JSON_BYTES, &stored, NULL) == 0)
        vr_ignore(vr_policy_merge(&policy, stored, NULL), "what is stored was checked");
    if (vr_json_parse(vr_str(row->test_json), VR_JSON_BYTES, &last, NULL) == 0 &&
        json_array_size(last) > 1)
        tests = (int64_t)json_array_size(last);
    return (struct vr_wall){now.us +
                            (policy.test_secs * tests + VR_UPTESTS_MARGIN_SECS) * VR_US_PER_S};
}

/*
 * Ask for a test. One that is under way already counts; one that failed and is taken out is tested
 * by the rules of health at their own pace, and its last result is what there is to say.
 */
static int ask(struct vr_tx *tx, const struct vr_testresult_row *row, struct vr_wall now,
               struct vr_err *err)
{
    bool pending = vr_streq(row->tested, "pending");
    int64_t test_n = row->tested_n;
    int r = 0;

    if (!row->is_here)
        return vr_store_testresult_drop(tx, row->id, err);
    if (!vr_streq(row->actual, "running"))
        return end_unheard(tx, row, "it does not run", now, err);
    if (!pending && row->is_served && !row->has_passed && vr_streq(row->tested, "failed"))
        return end_with_answer(tx, row, now, err);
    if (!pending && (row->has_passed || !row->is_served))
        r = vr_store_proc_request_test(tx, row->proc_id, now, err);
    if (!pending)
        test_n++;
    return r < 0 ? r
                 : vr_store_testresult_ask(tx, row->id, test_n, deadline_of(row, now), now, err);
}

static int64_t asked_of(const struct vr_testresult_rows *rows, const bool *over, int64_t host)
{
    int64_t n = 0;

    for (size_t i = 0; i < rows->n; i++)
        n += !over[i] && rows->v[i].host_id == host;
    return n;
}

static int tend_results(struct vr_tx *tx, const struct vr_testrun_row *run, struct vr_wall now,
                        size_t *out_left, struct vr_err *err)
{
    VR_ROWS(testresult) asked = {0};
    VR_ROWS(testresult) todo = {0};
    vr_auto_free bool *over = NULL;
    bool late = now.us > run->start_us + VR_UPTESTS_RUN_SECS * VR_US_PER_S;
    int r = vr_store_testresult_list_asked(tx, run->id, &asked, err);

    if (r == 0)
        r = vr_store_testresult_list_todo(tx, run->id, VR_UPTESTS_PER_HOST, &todo, err);
    over = vr_alloc_array(asked.n, sizeof(*over));
    *out_left = todo.n;
    for (size_t i = 0; i < asked.n && r >= 0; i++) {
        r = tend_asked(tx, &asked.v[i], now, err);
        over[i] = r > 0;
        *out_left += r == 0;
    }
    for (size_t i = 0; i < todo.n && r >= 0; i++) {
        const struct vr_testresult_row *row = &todo.v[i];
        int64_t busy = asked_of(&asked, over, row->host_id);

        for (size_t k = 0; k < i; k++)
            busy += todo.v[k].host_id == row->host_id;
        if (late)
            r = end_unheard(tx, row, "the time of the whole run was over", now, err);
        else if (busy < VR_UPTESTS_PER_HOST)
            r = ask(tx, row, now, err);
    }
    return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------ the end */

/* "<proc>@<host>: <Name> failed:" and the output, as the contract has it. */
static void add_failures(struct vr_buf *out, const struct vr_testresult_row *row)
{
    vr_auto_json json_t *results = NULL;
    size_t i;
    json_t *one;

    if (vr_json_parse(vr_str(row->results_json), VR_JSON_BYTES, &results, NULL) < 0)
        return;
    json_array_foreach (results, i, one) {
        const char *name = json_string_value(json_object_get(one, "Name"));
        const char *output = json_string_value(json_object_get(one, "Output"));

        if (!json_is_true(json_object_get(one, "Passed")))
            vr_buf_addf(out, "%s%s@%s: %s failed:\n%s", out->len ? "\n\n" : "", row->procname,
                        row->hostname, name ? name : "None", output ? output : "");
    }
}

static int tell_failures(struct vr_tx *tx, const struct vr_testrun_row *run, struct vr_wall now,
                         struct vr_err *err)
{
    VR_ROWS(testresult) failed = {0};
    vr_auto_buf struct vr_buf text = VR_BUF(TOLD_BYTES);
    int r = vr_store_testresult_list_failed(tx, run->id, VR_UPTESTS_TOLD_MAX, &failed, err);

    if (r < 0 || !failed.n)
        return r;
    for (size_t i = 0; i < failed.n; i++)
        add_failures(&text, &failed.v[i]);
    vr_store_event_add(tx, &(struct vr_event){.kind = "event",
                                              .title = run->user_id ? "uptest failures"
                                                                    : "scheduled uptest failures",
                                              .message = vr_buf_text(&text),
                                              .tags = run->user_id ? "[\"uptests\", \"failed\"]"
                                                                   : "[\"scheduled\", \"failed\"]",
                                              .time = now});
    return 0;
}

static int end(struct vr_tx *tx, const struct vr_testrun_row *run, struct vr_wall now,
               struct vr_err *err)
{
    int64_t done = 0, passed = 0;
    char sentence[100];
    int r = vr_store_testrun_end(tx, run->id, now, err);

    if (r == 0)
        r = tell_failures(tx, run, now, err);
    if (r == 0)
        r = vr_store_testresult_count(tx, run->id, &done, &passed, err);
    snprintf(sentence, sizeof(sentence), "run %" PRId64 ": %" PRId64 " of %" PRId64 " procs passed",
             run->id, passed, done);
    if (r == 0 && !run->user_id)
        r = vr_store_schedule_end(tx, vr_task_name(VR_TASK_UPTESTS), sentence, now, err);
    return r;
}

int vr_uptests_tend(struct vr_tx *tx, struct vr_wall now, bool *out_open, struct vr_err *err)
{
    VR_ROW(testrun) run = {0};
    size_t left = 0;
    int r = vr_store_testrun_find_open(tx, &run, err);

    *out_open = false;
    if (r < 0)
        return r == -VR_NOT_FOUND ? 0 : r;
    r = tend_results(tx, &run, now, &left, err);
    if (r == 0 && !left)
        r = end(tx, &run, now, err);
    *out_open = left > 0;
    return r;
}
