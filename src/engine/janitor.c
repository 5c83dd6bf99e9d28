/* SPDX-License-Identifier: MIT */
/*
 * The janitor.
 *
 * One thread beside the engine's, since a pass may take long while rollouts must not wait; it holds
 * the writer for one short transaction after the other. When tasks ran last and are due next is in
 * rows: the next run is planned in the transaction that begins one, so a crash neither repeats it
 * nor forgets the one after.
 */
#include "engine/janitor.h"

#include "engine/uptests.h"
#include "store/schedule.h"
#include "store/testrun.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct vr_janitor {
    struct vr_janitor_spec spec;
    struct vr_schedule schedules[VR_TASK_COUNT];
    struct vr_retention limits;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool woken, stopping; /* under lock */
};

/* Wait until it is woken, `ms` are over, or the end; false at the end. */
static bool wait_ms(struct vr_janitor *j, int64_t ms, bool until_woken)
{
    struct timespec t;
    bool goes_on;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (t.tv_nsec + ms * VR_NS_PER_MS) / VR_NS_PER_S;
    t.tv_nsec = (t.tv_nsec + ms * VR_NS_PER_MS) % VR_NS_PER_S;
    pthread_mutex_lock(&j->lock);
    while (!j->stopping && !(until_woken && j->woken) &&
           pthread_cond_timedwait(&j->cond, &j->lock, &t) == 0)
        ;
    if (until_woken)
        j->woken = false;
    goes_on = !j->stopping;
    pthread_mutex_unlock(&j->lock);
    return goes_on;
}

/* ------------------------------------------------------------------ tasks */

static bool pause_pass(void *user)
{
    return wait_ms(user, VR_RETENTION_PAUSE_MS, false);
}

static int commit_pass(void *user, struct vr_tx *tx, struct vr_err *err)
{
    struct vr_janitor *j = user;

    return j->spec.commit(j->spec.user, tx, err);
}

static struct vr_retention_work work_of(struct vr_janitor *j)
{
    return (struct vr_retention_work){.store = j->spec.store,
                                      .blobs = j->spec.blobs,
                                      .log = j->spec.log,
                                      .limits = &j->limits,
                                      .commit = commit_pass,
                                      .pause = pause_pass,
                                      .user = j};
}

/* In the transaction that begins a task. @out_told given: the task is over with it; NULL: later */
static int begin_uptests(struct vr_tx *tx, struct vr_wall now, char **out_told, struct vr_err *err)
{
    int64_t id;

    return vr_store_testrun_start(tx, 0, 0, now, &id, NULL, err);
}

static int begin_hosts(struct vr_tx *tx, struct vr_wall now, char **out_told, struct vr_err *err)
{
    *out_told = vr_strdup("hosts were asked to clean up");
    return vr_store_schedule_touch_hosts(tx, err);
}

typedef int begin_fn(struct vr_tx *tx, struct vr_wall now, char **out_told, struct vr_err *err);
typedef int pass_fn(const struct vr_retention_work *work, struct vr_wall now, char **out_told,
                    struct vr_err *err);

static const struct {
    begin_fn *begin; /* or */
    pass_fn *pass;   /* after the transaction */
} tasks[] = {
    [VR_TASK_UPTESTS] = {begin_uptests, NULL},
    [VR_TASK_BUILDS] = {NULL, vr_retention_builds},
    [VR_TASK_RETENTION] = {NULL, vr_retention_rows},
    [VR_TASK_HOSTS] = {begin_hosts, NULL},
};

static int end_task(struct vr_janitor *j, enum vr_task task, const char *told, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(j->spec.store, VR_DB_WRITE, &tx, err);

    if (r == 0)
        r = vr_store_schedule_end(tx, vr_task_name(task), told, vr_wall_now(), err);
    return r < 0 ? r : j->spec.commit(j->spec.user, tx, err);
}

/* 1: it has begun, 0: another test run is under way, the task waits for its next time. */
static int begin_task(struct vr_janitor *j, enum vr_task task, struct vr_wall now, char **out_told,
                      struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(testrun) open = {0};
    int64_t next = vr_schedule_next(&j->schedules[task], now);
    int r = vr_store_begin(j->spec.store, VR_DB_WRITE, &tx, err);

    if (r == 0 && task == VR_TASK_UPTESTS && vr_store_testrun_find_open(tx, &open, NULL) == 0) {
        r = vr_store_schedule_plan(tx, vr_task_name(task), next, err);
        return r < 0 ? r : vr_store_commit(tx, NULL, err);
    }
    if (r == 0)
        r = vr_store_schedule_start(tx, vr_task_name(task), next, now, err);
    if (r == 0 && tasks[task].begin)
        r = tasks[task].begin(tx, now, out_told, err);
    if (r == 0 && *out_told)
        r = vr_store_schedule_end(tx, vr_task_name(task), *out_told, now, err);
    if (r == 0)
        r = j->spec.commit(j->spec.user, tx, err);
    return r < 0 ? r : 1;
}

static int run_task(struct vr_janitor *j, enum vr_task task, struct vr_wall now, struct vr_err *err)
{
    const struct vr_retention_work work = work_of(j);
    vr_auto_free char *told = NULL;
    struct vr_err why = VR_ERR_NULL;
    int r = begin_task(j, task, now, &told, err);

    if (r <= 0 || !tasks[task].pass)
        return r;
    if (tasks[task].pass(&work, now, &told, &why) < 0) {
        vr_error(j->spec.log, "scheduled %s: %s", vr_task_name(task), why.msg);
        told = vr_strdup(why.msg);
    }
    r = end_task(j, task, told, err);
    return r < 0 ? r : 1;
}

/* ------------------------------------------------------------------ looks */

/* When a task is due by its row; writes the plan down if it is a new one. */
static int look_up(struct vr_janitor *j, enum vr_task task, struct vr_wall now, bool *out_asked,
                   int64_t *out_due, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(schedule) row = {0};
    int r = vr_store_begin(j->spec.store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_schedule_find(tx, vr_task_name(task), &row, err);
    tx = vr_tx_free(tx);
    if (r < 0)
        return r;
    *out_asked = row.asked;
    *out_due = vr_schedule_due(&j->schedules[task], row.planned_us, now);
    if (*out_due == row.planned_us)
        return 0;
    r = vr_store_begin(j->spec.store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = vr_store_schedule_plan(tx, vr_task_name(task), *out_due, err);
    return r < 0 ? r : vr_store_commit(tx, NULL, err);
}

static int tend_uptests(struct vr_janitor *j, bool *out_open, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(testrun) open = {0};
    int r = vr_store_begin(j->spec.store, VR_DB_READ, &tx, err);

    *out_open = false;
    if (r == 0)
        r = vr_store_testrun_find_open(tx, &open, err);
    tx = vr_tx_free(tx);
    if (r < 0)
        return r == -VR_NOT_FOUND ? 0 : r;
    r = vr_store_begin(j->spec.store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = vr_uptests_tend(tx, vr_wall_now(), out_open, err);
    return r < 0 ? r : j->spec.commit(j->spec.user, tx, err);
}

static void sooner(int64_t *ms, int64_t other)
{
    if (other < *ms)
        *ms = other > 0 ? other : 0;
}

/* One look at everything; gives the time until the next one is needed. */
static int look(struct vr_janitor *j, int64_t *out_ms, struct vr_err *err)
{
    bool open = false;
    int r = 0;

    *out_ms = VR_JANITOR_LOOK_MS;
    for (int t = 0; t < VR_TASK_COUNT && r >= 0; t++) {
        struct vr_wall now = vr_wall_now();
        bool asked = false, ran = false;
        int64_t due = 0;

        r = look_up(j, (enum vr_task)t, now, &asked, &due, err);
        if (r == 0 && (asked || (due && due <= now.us))) {
            r = run_task(j, (enum vr_task)t, now, err);
            ran = r > 0;
            due = vr_schedule_next(&j->schedules[t], now);
        }
        if (due)
            sooner(out_ms, (due - vr_wall_now().us) / 1000 + 1);
        if (asked && !ran)
            sooner(out_ms, VR_JANITOR_RUN_MS);
        if (r < 0)
            return vr_fail_in(err, r, "scheduled %s", vr_task_name((enum vr_task)t));
    }
    r = tend_uptests(j, &open, err);
    if (open)
        sooner(out_ms, VR_JANITOR_RUN_MS);
    return r;
}

static void *run(void *arg)
{
    struct vr_janitor *j = arg;
    int64_t ms = 0;

    while (wait_ms(j, ms, true)) {
        struct vr_err err = VR_ERR_NULL;

        if (look(j, &ms, &err) < 0) {
            vr_error(j->spec.log, "%s", err.msg);
            ms = VR_JANITOR_RETRY_MS;
        }
    }
    return NULL;
}

/* ------------------------------------------------------------------ life */

static void destroy(struct vr_janitor *j)
{
    pthread_mutex_destroy(&j->lock);
    pthread_cond_destroy(&j->cond);
    free(j);
}

/* Passes that a former process was in the middle of; a test run goes on. */
static int end_cut_short(struct vr_janitor *j, struct vr_err *err)
{
    static const enum vr_task passes[] = {VR_TASK_BUILDS, VR_TASK_RETENTION};
    int r = 0;

    for (size_t i = 0; i < VR_COUNT(passes) && r == 0; i++)
        r = end_task(j, passes[i], "the server ended meanwhile", err);
    return r;
}

int vr_janitor_start(const struct vr_janitor_spec *spec, struct vr_janitor **out,
                     struct vr_err *err)
{
    struct vr_janitor *j = vr_alloc(sizeof(*j));
    pthread_condattr_t clock;
    int r;

    j->spec = *spec;
    j->limits = *spec->limits;
    memcpy(j->schedules, spec->schedules, sizeof(j->schedules));
    pthread_mutex_init(&j->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&j->cond, &clock);
    pthread_condattr_destroy(&clock);
    r = end_cut_short(j, err);
    if (r == 0 && pthread_create(&j->thread, NULL, run, j) != 0)
        r = vr_fail(err, VR_LIMIT, "start the janitor's thread");
    if (r < 0) {
        destroy(j);
        return r;
    }
    *out = j;
    return 0;
}

struct vr_janitor *vr_janitor_stop(struct vr_janitor *j)
{
    if (!j)
        return NULL;
    pthread_mutex_lock(&j->lock);
    j->stopping = true;
    pthread_cond_signal(&j->cond);
    pthread_mutex_unlock(&j->lock);
    pthread_join(j->thread, NULL);
    destroy(j);
    return NULL;
}

void vr_janitor_wake(struct vr_janitor *j)
{
    if (!j)
        return;
    pthread_mutex_lock(&j->lock);
    j->woken = true;
    pthread_cond_signal(&j->cond);
    pthread_mutex_unlock(&j->lock);
}
