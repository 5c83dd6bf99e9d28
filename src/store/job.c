/* SPDX-License-Identifier: MIT */
/* Rows of jobs. */
#include "store/job.h"

#include "store/build.h"
#include "store/row.h"

#define SELECT_JOB                                                                                 \
    "SELECT id, kind, state, host_id, build_id, rollout_id, spec_json, result_json, phase,"        \
    " attempts, created_us, deadline_us, ended_us FROM jobs "

FIELDS(job, "job", I(job, id), T(job, kind), T(job, state), I(job, host_id), I(job, build_id),
       T(job, rollout_id), T(job, spec_json), T(job, result_json), T(job, phase), I(job, attempts),
       I(job, created_us), I(job, deadline_us), I(job, ended_us))

int vr_store_job_find_id(struct vr_tx *tx, int64_t id, struct vr_job_row *out, struct vr_err *err)
{
    return vr_row_find_id(tx, &job_type, id, out, err, SELECT_JOB "WHERE id = $1", VR_I(id));
}

int vr_store_job_find_of(struct vr_tx *tx, const char *rollout_id, int64_t build_id,
                         struct vr_job_row *out, struct vr_err *err)
{
    if (rollout_id)
        return vr_row_find(tx, &job_type, rollout_id, out, err,
                           SELECT_JOB "WHERE rollout_id = $1 ORDER BY id DESC LIMIT 1",
                           VR_T(rollout_id));
    return vr_row_find_id(tx, &job_type, build_id, out, err,
                          SELECT_JOB "WHERE build_id = $1 ORDER BY id DESC LIMIT 1",
                          VR_I(build_id));
}

int vr_store_job_list(struct vr_tx *tx, const char *state, struct vr_job_rows *out,
                      struct vr_err *err)
{
    return vr_row_list(tx, &job_type, out, err, SELECT_JOB "WHERE state = $1 ORDER BY id",
                       VR_T(state));
}

int vr_store_job_list_unsettled(struct vr_tx *tx, struct vr_job_rows *out, struct vr_err *err)
{
    return vr_row_list(tx, &job_type, out, err,
                       SELECT_JOB "WHERE state IN ('done', 'failed', 'cancelled') AND EXISTS"
                                  " (SELECT 1 FROM builds b WHERE b.job_id = jobs.id"
                                  " AND b.status IN ('pending', 'started')) ORDER BY id");
}

int vr_store_job_insert(struct vr_tx *tx, const struct vr_job_row *row, int64_t *out_id,
                        struct vr_err *err)
{
    return vr_db_insert(tx->db, out_id, err,
                        "INSERT INTO jobs (kind, build_id, rollout_id, spec_json, created_us,"
                        " deadline_us) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
                        VR_T(row->kind), VR_ID(row->build_id), VR_T(row->rollout_id),
                        VR_T(row->spec_json), VR_I(row->created_us), VR_I(row->deadline_us));
}

int vr_store_job_lease(struct vr_tx *tx, int64_t id, int64_t except_host, int64_t *out_host_id,
                       struct vr_err *err)
{
    int64_t host_id;
    int r = vr_db_get_i64(tx->db, &host_id, err,
                          "SELECT h.id FROM hosts h WHERE h.state = 'live' AND h.active = 1"
                          " AND @STRPOS@(h.roles, '\"build\"') > 0 AND h.id <> $1"
                          " ORDER BY (SELECT count(*) FROM jobs j WHERE j.host_id = h.id"
                          " AND j.state = 'leased'), h.name LIMIT 1",
                          VR_I(except_host));

    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "no builder host is live");
    if (r == 0)
        r = vr_row_change(tx, "waiting job", id, err,
                          "UPDATE jobs SET state = 'leased', host_id = $2, attempts = attempts + 1"
                          " WHERE id = $1 AND state = 'waiting'",
                          VR_I(id), VR_I(host_id));
    if (r < 0)
        return r;
    vr_store_touch_host(tx, host_id);
    *out_host_id = host_id;
    return 0;
}

/* The host that has it, and the rollouts that wait for it. */
static int touch(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = vr_row_touch_hosts(
        tx, err, "SELECT host_id FROM jobs WHERE id = $1 AND host_id IS NOT NULL", VR_I(id));

    if (r == 0)
        r = vr_row_touch_swarms(tx, err,
                                "SELECT r.swarm_id FROM rollouts r JOIN jobs j"
                                " ON j.rollout_id = r.id OR j.build_id = r.build_id"
                                " WHERE j.id = $1 AND r.state IN ('active', 'queued')",
                                VR_I(id));
    return r;
}

int vr_store_job_release(struct vr_tx *tx, int64_t id, struct vr_err *err)
{
    int r = touch(tx, id, err);

    if (r == 0)
        r = vr_db_exec(tx->db, NULL, err,
                       "UPDATE jobs SET state = 'waiting', host_id = NULL, phase = ''"
                       " WHERE id = $1 AND state = 'leased'",
                       VR_I(id));
    return r;
}

int vr_store_job_end(struct vr_tx *tx, int64_t id, const char *state, const char *result_json,
                     struct vr_wall now, struct vr_err *err)
{
    int64_t changed = 0;
    int r = vr_db_exec(tx->db, &changed, err,
                       "UPDATE jobs SET state = $2, result_json = $3, ended_us = $4"
                       " WHERE id = $1 AND state IN ('waiting', 'leased')",
                       VR_I(id), VR_T(state), VR_T(vr_row_or(result_json, "{}")), VR_I(now.us));

    return r < 0 || !changed ? r : touch(tx, id, err);
}

static int store_progress(struct vr_tx *tx, const struct vr_job_row *job,
                          const struct vr_job_report *report, struct vr_wall now,
                          struct vr_err *err)
{
    int r = 0;

    if (report->phase && !vr_streq(report->phase, job->phase))
        r = vr_row_change(tx, "job", job->id, err, "UPDATE jobs SET phase = $2 WHERE id = $1",
                          VR_I(job->id), VR_T(report->phase));
    if (r == 0 && job->build_id && vr_streq(job->kind, "build"))
        r = vr_db_exec(tx->db, NULL, err,
                       "UPDATE builds SET status = 'started', start_us = $2"
                       " WHERE id = $1 AND status = 'pending'",
                       VR_I(job->build_id), VR_I(now.us));
    if (r == 0 && job->build_id)
        vr_store_changed(tx, VR_OBJECT_BUILD, job->build_id);
    /* The offsets of a resolve job are its own; what it has to say is its error. */
    if (r == 0 && job->build_id && vr_streq(job->kind, "build") && report->log.n)
        r = vr_store_build_log_add(tx, job->build_id, report->log_at, report->log, NULL, err);
    return r;
}

int vr_store_job_report(struct vr_tx *tx, int64_t host_id, const struct vr_job_report *report,
                        struct vr_wall now, bool *out_stale, struct vr_err *err)
{
    VR_ROW(job) job = {0};
    int r = vr_store_job_find_id(tx, report->id, &job, err);

    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    *out_stale = r < 0 || job.host_id != host_id || !vr_streq(job.state, "leased");
    if (*out_stale)
        return 0;
    r = store_progress(tx, &job, report, now, err);
    if (r == 0 && (vr_streq(report->state, "done") || vr_streq(report->state, "failed")))
        r = vr_store_job_end(tx, job.id, report->state, report->result_json, now, err);
    return r;
}
