/* SPDX-License-Identifier: MIT */
/*
 * Builds and look-ups of commits.
 *
 * A job is `vr build-job` as a child: spec in, lines out (build/job.h). Its log goes to the server
 * in the reports, each piece with its offset, kept here until a report that held it arrived. A
 * build's slug is uploaded before the job is reported done, and kept in this host's own store, so
 * that procs here need not fetch what was built here.
 */
#include "agent/jobs.h"

#include "agent/link.h"
#include "agent/slugs.h"
#include "agent/task.h"
#include "agent/wish.h"
#include "core/clock.h"
#include "fmt/json.h"
#include "net/http_loop.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct job {
    struct vr_jobs *all;
    int64_t id;
    char *out_dir;
    struct vr_task *task;
    struct vr_timer *deadline;
    struct vr_slug_copy *copy; /* of the slug into this host's store */
    struct vr_http_transfer *upload;
    int upload_fd;
    int upload_tries;
    const char *state; /* of the protocol */
    char *phase;
    struct vr_buf log; /* not yet acknowledged */
    int64_t log_at;    /* offset of its first byte */
    size_t log_sent;   /* bytes of it in the report under way */
    json_t *result, *error;
    bool dirty, timed_out;
};

struct vr_jobs {
    struct vr_agent *agent;
    struct job *list[VR_JOBS_MAX];
    size_t count;
};

static void changed(struct job *j)
{
    j->dirty = true;
    vr_link_changed(j->all->agent->link);
}

static void fail_job(struct job *j, const char *code, const char *step, const char *message)
{
    json_decref(j->error);
    j->error = json_pack("{s:s, s:s, s:o}", "code", code, "step", step, "message",
                         vr_json_text(message, strlen(message)));
    j->state = "failed";
    changed(j);
}

static void remove_output(struct job *j)
{
    vr_ignore(vr_fs_remove_tree(j->out_dir, NULL), "the next start of the agent finds it");
}

/* ------------------------------------------------------------------ upload */

static void upload(struct job *j);

static void uploaded(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct job *j = arg;
    char why[VR_ERR_MSG_BYTES];

    j->upload = NULL;
    vr_fd_close(vr_take_fd(j->upload_fd));
    if (r == 0 && (result->status == 200 || result->status == 201)) {
        j->state = "done";
        remove_output(j);
        changed(j);
        return;
    }
    if (r < 0)
        snprintf(why, sizeof(why), "upload the slug: %s", err->msg);
    else
        snprintf(why, sizeof(why), "upload the slug: the server answered with status %d",
                 result->status);
    vr_warn(&j->all->agent->log, "job %" PRId64 ": %s", j->id, why);
    if (++j->upload_tries < VR_JOBS_UPLOAD_TRIES) {
        upload(j);
        return;
    }
    remove_output(j);
    fail_job(j, "io", "pack", why);
}

static void upload(struct job *j)
{
    struct vr_agent *agent = j->all->agent;
    const char *file = json_string_value(json_object_get(j->result, "file"));
    const char *sha256 = json_string_value(json_object_get(j->result, "file_sha256"));
    vr_auto_free char *path = vr_strf("blobs/%s", sha256 ? sha256 : "");
    vr_auto_free char *url = vr_link_url(agent->link, path);
    static const char *const headers[] = {"Content-Type: application/octet-stream",
                                          "X-Velociraptor-Protocol: " VR_LINK_PROTOCOL, NULL};
    struct vr_http_call call = {.method = "PUT",
                                .url = url,
                                .headers = headers,
                                .bearer = vr_link_token(agent->link),
                                .ca_file = agent->config.ca_file,
                                .timeout_ms = -1,
                                .stall_ms = 30000};
    struct vr_err err;

    j->upload_fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    if (j->upload_fd < 0 || !sha256) {
        fail_job(j, "io", "pack", "the slug that was built is gone");
        return;
    }
    call.body_fd = j->upload_fd;
    if (vr_http_loop_start(agent->http, &call, uploaded, j, &j->upload, &err) < 0)
        fail_job(j, "io", "pack", err.msg);
}

/* ------------------------------------------------------------------ the child */

static void job_line(void *arg, const char *line, size_t n)
{
    struct job *j = arg;
    vr_auto_json json_t *doc = NULL;
    const char *text;

    if (vr_json_parse_object((struct vr_str){line, n}, VR_TASK_LINE_BYTES, &doc, NULL) < 0)
        return;
    if ((text = json_string_value(json_object_get(doc, "log")))) {
        vr_buf_add(&j->log, text);
    } else if ((text = json_string_value(json_object_get(doc, "phase")))) {
        free(j->phase);
        j->phase = vr_strdup(text);
    } else if (json_object_get(doc, "result")) {
        json_decref(j->result);
        j->result = json_incref(json_object_get(doc, "result"));
    } else if (json_object_get(doc, "error")) {
        json_decref(j->error);
        j->error = json_incref(json_object_get(doc, "error"));
    }
    changed(j);
}

/* Procs of this host need not fetch it; without the copy they do. */
static void slug_kept(void *arg, const struct vr_err *err)
{
    struct job *j = arg;

    j->copy = vr_slug_copy_free(j->copy);
    if (err)
        vr_warn(&j->all->agent->log, "keep the slug of job %" PRId64 ": %s", j->id, err->msg);
    upload(j);
}

static void job_done(void *arg, struct vr_exit how)
{
    struct job *j = arg;
    const char *file = json_string_value(json_object_get(j->result, "file"));
    const char *sha256 = json_string_value(json_object_get(j->result, "file_sha256"));
    char message[128];

    j->task = vr_task_free(j->task);
    vr_timer_disarm(j->deadline);
    if (j->timed_out) {
        fail_job(j, "timeout", j->phase ? j->phase : "build", "the time limit was reached");
        return;
    }
    if (j->error) {
        j->state = "failed";
        remove_output(j);
        changed(j);
        return;
    }
    if (!j->result) {
        vr_exit_format(how, message, sizeof(message));
        fail_job(j, "bug", j->phase ? j->phase : "build", message);
        return;
    }
    if (!file) { /* a resolve */
        j->state = "done";
        changed(j);
        return;
    }
    j->copy = vr_slugs_keep(j->all->agent->slugs, file, sha256, slug_kept, j);
}

static void deadline_passed(void *arg)
{
    struct job *j = arg;

    j->timed_out = true;
    if (j->task)
        vr_task_signal(j->task, SIGTERM);
}

/* The server's spec with what only this host knows. */
static json_t *complete_spec(struct job *j, const json_t *desired)
{
    const struct vr_agent_config *c = &j->all->agent->config;
    vr_auto_free char *work = vr_strf("%s/build", c->state_dir);
    json_t *spec = json_deep_copy(json_object_get(desired, "spec"));
    json_t *limits;

    if (!json_is_object(spec)) {
        json_decref(spec);
        spec = json_object();
    }
    vr_json_set(spec, "kind", json_incref(json_object_get(desired, "kind")));
    vr_json_set(spec, "work_dir", json_string(work));
    vr_json_set(spec, "out_dir", json_string(j->out_dir));
    vr_json_set(spec, "builtin_dir", json_string(c->buildpack_dir));
    vr_json_set(spec, "user", json_string(c->build_user));
    limits = json_object_get(spec, "limits");
    if (!limits) {
        limits = json_object();
        vr_json_set(spec, "limits", limits);
    }
    if (!json_object_get(limits, "memory_bytes"))
        vr_json_set(limits, "memory_bytes", json_integer(c->build_memory_bytes));
    return spec;
}

static void start(struct vr_jobs *jobs, const json_t *desired, int64_t id)
{
    const char *argv[] = {jobs->agent->self_path, "build-job", NULL};
    struct job *j = vr_alloc(sizeof(*j));
    struct vr_task_spec spec = {.argv = argv, .on_line = job_line, .on_done = job_done, .arg = j};
    int64_t until_us = json_integer_value(json_object_get(desired, "deadline_us"));
    vr_auto_json json_t *doc = NULL;
    vr_auto_free char *text = NULL;
    struct vr_err err;
    int r;

    j->all = jobs;
    j->id = id;
    j->out_dir = vr_strf("%s/build/out/%" PRId64, jobs->agent->config.state_dir, id);
    j->upload_fd = -1;
    j->state = "running";
    j->log = VR_BUF(VR_JOBS_LOG_MAX_BYTES);
    j->deadline = vr_timer_new(&jobs->agent->loop, deadline_passed, j);
    jobs->list[jobs->count++] = j;
    remove_output(j);
    r = vr_fs_mkdir_p(j->out_dir, 0755, &err);
    doc = complete_spec(j, desired);
    text = vr_json_dump(doc);
    if (r == 0)
        r = vr_task_start(&jobs->agent->loop, &spec, &j->task, &err);
    if (r == 0)
        r = vr_task_send(j->task, text, strlen(text), &err);
    if (r < 0) {
        fail_job(j, "io", "build", err.msg);
        return;
    }
    vr_timer_arm(j->deadline, (until_us - vr_wall_now().us) / 1000);
    changed(j);
}

static void forget(struct job *j)
{
    j->copy = vr_slug_copy_free(j->copy);
    if (j->upload)
        vr_http_transfer_cancel(j->upload);
    vr_fd_close(j->upload_fd);
    j->task = vr_task_free(j->task); /* one that runs is told to end, and ends what it started */
    remove_output(j);
    j->deadline = vr_timer_free(j->deadline);
    vr_buf_fini(&j->log);
    json_decref(j->result);
    json_decref(j->error);
    free(j->phase);
    free(j->out_dir);
    free(j);
}

struct vr_jobs *vr_jobs_new(struct vr_agent *agent)
{
    vr_auto_free char *outputs = vr_strf("%s/build/out", agent->config.state_dir);
    struct vr_jobs *jobs = vr_alloc(sizeof(*jobs));

    jobs->agent = agent;
    vr_ignore(vr_fs_remove_tree(outputs, NULL), "jobs of before begin anew, in folders of theirs");
    return jobs;
}

struct vr_jobs *vr_jobs_free(struct vr_jobs *jobs)
{
    if (!jobs)
        return NULL;
    for (size_t i = 0; i < jobs->count; i++)
        forget(jobs->list[i]);
    free(jobs);
    return NULL;
}

size_t vr_jobs_count(const struct vr_jobs *jobs)
{
    return jobs->count;
}

static bool has(const struct vr_jobs *jobs, int64_t id)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (jobs->list[i]->id == id)
            return true;
    return false;
}

void vr_jobs_apply(struct vr_jobs *jobs, const json_t *list)
{
    size_t kept = 0, i;
    json_t *desired;

    for (size_t k = 0; k < jobs->count; k++) {
        if (vr_wish_lists_id(list, jobs->list[k]->id))
            jobs->list[kept++] = jobs->list[k];
        else
            forget(jobs->list[k]);
    }
    jobs->count = kept;
    json_array_foreach (list, i, desired) {
        int64_t id = json_integer_value(json_object_get(desired, "id"));

        if (id > 0 && !has(jobs, id) && jobs->count < VR_JOBS_MAX)
            start(jobs, desired, id);
    }
}

/* As much of the log as a report takes, cut between characters: the server counts bytes as we do.
 */
static size_t piece_of(const struct vr_buf *log)
{
    size_t n = log->len;

    if (n <= VR_JOBS_LOG_BYTES)
        return n;
    n = VR_JOBS_LOG_BYTES;
    while (n > VR_JOBS_LOG_BYTES - 4 && ((unsigned char)log->p[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static json_t *report_one(struct job *j)
{
    size_t n = piece_of(&j->log);
    /* A job is over only once its whole log is told. */
    bool is_last = n == j->log.len;
    json_t *out =
        json_pack("{s:I, s:s, s:s, s:I, s:o}", "id", (json_int_t)j->id, "state",
                  is_last ? j->state : "running", "phase", j->phase ? j->phase : "", "log_at",
                  (json_int_t)j->log_at, "log", vr_json_text(vr_buf_text(&j->log), n));

    j->log_sent = n;
    j->dirty = !is_last;
    if (is_last && vr_streq(j->state, "done"))
        vr_json_set(out, "result", json_incref(j->result));
    if (is_last && j->error)
        vr_json_set(out, "error", json_incref(j->error));
    return out;
}

void vr_jobs_report(struct vr_jobs *jobs, json_t *out, bool all)
{
    for (size_t i = 0; i < jobs->count; i++)
        if (all || jobs->list[i]->dirty)
            vr_json_push(out, report_one(jobs->list[i]));
}

void vr_jobs_reported(struct vr_jobs *jobs, bool arrived)
{
    for (size_t i = 0; i < jobs->count; i++) {
        struct job *j = jobs->list[i];

        if (arrived) {
            vr_buf_drop(&j->log, j->log_sent);
            j->log_at += (int64_t)j->log_sent;
        } else if (j->log_sent) {
            j->dirty = true;
        }
        j->log_sent = 0;
        if (j->dirty)
            vr_link_changed(jobs->agent->link);
    }
}
