/* SPDX-License-Identifier: MIT */
/*
 * The agent's line to the server.
 *
 * Two calls are under way at most: the long-poll for the desired state, and one report. A report
 * holds what changed since the last one; when one fails, or the server says that the host was
 * taken back in a new session, the next one is full. No report goes out before the desired state
 * of the present session was acted on: stale procs are stopped before anything is announced.
 *
 * An answer of another cluster than the one that enrolled us is never acted on, since its empty
 * list would stop everything here.
 */
#include "agent/link.h"

#include "agent/balancers.h"
#include "agent/jobs.h"
#include "agent/log_streams.h"
#include "agent/procs.h"
#include "agent/saved.h"
#include "agent/tidy.h"
#include "agent/usage.h"
#include "agent/watch.h"
#include "core/clock.h"
#include "fmt/json.h"
#include "net/http_loop.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SAVE_AFTER_MS    100
#define ALONE_AFTER_MS   10000 /* without a server balancers get what it said last */
#define JOIN_TOKEN_BYTES 4096

struct vr_link {
    struct vr_agent *agent;
    struct vr_log log;
    char *token;
    char *cluster;
    int64_t session, seq;
    int64_t rev; /* of the state we have; -1: none from this server yet */
    json_t *desired;
    bool enrolling, polling, reporting;
    bool is_current; /* the state of the present session was acted on */
    bool full;       /* the next report holds everything */
    bool pending;    /* something changed while a report was under way */
    int64_t retry_ms;
    int64_t last_usage_ns, reported_ns;
    struct vr_timer *poll_timer, *report_timer, *beat_timer, *save_timer;
    struct vr_timer *alone_timer; /* how long the server may be silent after our start */
};

static void poll_desired(void *arg);
static void send_report(void *arg);
static void enrol(struct vr_link *l);

const char *vr_link_token(const struct vr_link *l)
{
    return l->token;
}

char *vr_link_url(const struct vr_link *l, const char *path)
{
    return vr_strf("%s/agent/v1/%s", l->agent->config.server, path);
}

/* ------------------------------------------------------------------ identity */

static int read_identity(struct vr_link *l, struct vr_err *err)
{
    vr_auto_json json_t *doc = NULL;
    const char *token, *cluster;
    int r;

    r = vr_saved_read(l->agent->config.state_dir, "identity", &l->log, &doc, err);
    if (r == -VR_NOT_FOUND || r == -VR_PARSE)
        return 0; /* it enrols again */
    if (r == 0)
        r = vr_json_get_str(doc, "host_token", &token, err);
    if (r == 0)
        r = vr_json_get_str(doc, "cluster", &cluster, err);
    if (r < 0)
        return vr_fail_in(err, r, "saved identity");
    l->token = vr_strdup(token);
    l->cluster = vr_strdup(cluster);
    return 0;
}

static void save_identity(struct vr_link *l)
{
    vr_auto_json json_t *doc =
        json_pack("{s:s, s:s}", "host_token", l->token, "cluster", l->cluster);
    struct vr_err err;

    if (vr_saved_write(l->agent->config.state_dir, "identity", doc, &err) < 0)
        vr_error(&l->log, "save the identity: %s", err.msg);
}

/* ------------------------------------------------------------------ calls */

static int64_t next_retry_ms(struct vr_link *l)
{
    uint8_t jitter;

    vr_random(&jitter, sizeof(jitter));
    l->retry_ms = l->retry_ms ? l->retry_ms * 2 : VR_LINK_RETRY_FIRST_MS;
    if (l->retry_ms > VR_LINK_RETRY_MAX_MS)
        l->retry_ms = VR_LINK_RETRY_MAX_MS;
    return l->retry_ms / 2 + l->retry_ms * jitter / 512;
}

static int call(struct vr_link *l, const char *method, const char *path, const char *body,
                int64_t timeout_ms, vr_http_done_fn done, struct vr_err *err)
{
    static const char *const headers[] = {"Content-Type: application/json",
                                          "X-Velociraptor-Protocol: " VR_LINK_PROTOCOL, NULL};
    vr_auto_free char *url = vr_link_url(l, path);
    struct vr_http_call c = {.method = method,
                             .url = url,
                             .headers = headers,
                             .body = body,
                             .body_bytes = body ? strlen(body) : 0,
                             .bearer = l->token,
                             .ca_file = l->agent->config.ca_file,
                             .timeout_ms = timeout_ms,
                             .max_body_bytes = VR_LINK_DESIRED_BYTES};

    return vr_http_loop_start(l->agent->http, &c, done, l, NULL, err);
}

/* The server's sentence of an error answer, or the bare status. */
static void describe_answer(const struct vr_http_result *result, char *out, size_t n)
{
    vr_auto_json json_t *doc = NULL;
    const char *text = NULL;

    if (vr_json_parse(vr_str(result->body), VR_JSON_BYTES, &doc, NULL) == 0)
        text = json_string_value(json_object_get(doc, "error"));
    if (text)
        snprintf(out, n, "%s", text);
    else
        snprintf(out, n, "status %d", result->status);
}

/* The server does not know us any more: an operator removed the host, or its database is new. */
static void forget_token(struct vr_link *l)
{
    vr_warn(&l->log, "the server does not accept this host's token: enrolling again");
    free(l->token);
    l->token = NULL;
    enrol(l);
}

/* ------------------------------------------------------------------ enrolment */

static void enrol_later(struct vr_link *l)
{
    vr_timer_arm(l->poll_timer, next_retry_ms(l));
}

static void enrolled(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct vr_link *l = arg;
    vr_auto_json json_t *doc = NULL;
    const char *token, *cluster;
    char why[VR_ERR_MSG_BYTES];
    struct vr_err bad;

    l->enrolling = false;
    if (r < 0 || result->status != 200) {
        if (r == 0)
            describe_answer(result, why, sizeof(why));
        vr_warn(&l->log, "enrol at %s: %s", l->agent->config.server, r < 0 ? err->msg : why);
        enrol_later(l);
        return;
    }
    r = vr_json_parse_object(vr_str(result->body), VR_JSON_BYTES, &doc, &bad);
    if (r == 0)
        r = vr_json_get_str(doc, "host_token", &token, &bad);
    if (r == 0)
        r = vr_json_get_str(doc, "cluster", &cluster, &bad);
    if (r < 0) {
        vr_error(&l->log, "the server's answer to enrol: %s", bad.msg);
        enrol_later(l);
        return;
    }
    free(l->token);
    free(l->cluster);
    l->token = vr_strdup(token);
    l->cluster = vr_strdup(cluster);
    l->retry_ms = 0;
    l->is_current = false; /* another database may have the same rev of another state */
    l->rev = -1;
    save_identity(l);
    vr_info(&l->log, "enrolled at %s as '%s'", l->agent->config.server, l->agent->config.name);
    poll_desired(l);
}

static json_t *enrol_document(struct vr_link *l, const char *join_token)
{
    const struct vr_agent_config *c = &l->agent->config;
    json_t *roles = json_array();
    json_t *doc;

    for (int i = 0; i < c->role_count; i++)
        vr_json_push(roles, json_string(c->roles[i]));
    doc = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s}", "join_token", join_token, "name", c->name,
                    "address", c->address, "squad", vr_json_str_or_null(c->squad), "roles", roles,
                    "version", VR_VERSION);
    vr_json_set(doc, "boot", vr_usage_boot_id());
    vr_json_set(doc, "facts", vr_usage_facts(l->agent));
    return doc;
}

static void enrol(struct vr_link *l)
{
    vr_auto_free char *join = NULL;
    vr_auto_free char *body = NULL;
    vr_auto_json json_t *doc = NULL;
    struct vr_err err;
    int r;

    if (l->enrolling)
        return;
    r = vr_fs_read(l->agent->config.join_token_file, JOIN_TOKEN_BYTES, &join, NULL, &err);
    if (r == 0) {
        join[strcspn(join, "\r\n")] = '\0';
        doc = enrol_document(l, join);
        body = vr_json_dump(doc);
        r = call(l, "POST", "enroll", body, 10000, enrolled, &err);
    }
    if (r < 0) {
        vr_warn(&l->log, "enrol: %s", err.msg);
        enrol_later(l);
        return;
    }
    l->enrolling = true;
}

/* ------------------------------------------------------------------ the desired state */

const json_t *vr_link_saved(const struct vr_link *l)
{
    return l->desired;
}

/* The state of before, if it came from the cluster that we belong to. */
static void read_desired(struct vr_link *l)
{
    const char *dir = l->agent->config.state_dir;

    if (!l->cluster || vr_saved_read(dir, "desired", &l->log, &l->desired, NULL) < 0)
        return;
    if (vr_streq(json_string_value(json_object_get(l->desired, "cluster")), l->cluster))
        return;
    json_decref(l->desired);
    l->desired = NULL;
}

static void save_desired(void *arg)
{
    struct vr_link *l = arg;
    struct vr_err err;

    if (l->desired && vr_saved_write(l->agent->config.state_dir, "desired", l->desired, &err) < 0)
        vr_error(&l->log, "save the desired state: %s", err.msg);
}

const json_t *vr_link_current(const struct vr_link *l)
{
    return l->is_current ? l->desired : NULL;
}

/*
 * The saved state may be a little older than what a balancer, which outlived us, serves already:
 * its members may have stopped since. So the server is given time to say how it is now.
 */
static void go_alone(void *arg)
{
    struct vr_link *l = arg;

    if (!l->is_current)
        vr_balancers_apply(l->agent->balancers, json_object_get(l->desired, "balancers"));
}

static void act_on(struct vr_link *l, json_t *doc)
{
    struct vr_agent *a = l->agent;

    json_decref(l->desired);
    l->desired = json_incref(doc);
    l->rev = json_integer_value(json_object_get(doc, "rev"));
    l->session = json_integer_value(json_object_get(doc, "session"));
    if (!l->is_current) {
        l->is_current = true;
        l->full = true;
    }
    vr_procs_apply(a->procs, json_object_get(doc, "procs"), true);
    vr_balancers_apply(a->balancers, json_object_get(doc, "balancers"));
    vr_jobs_apply(a->jobs, json_object_get(doc, "jobs"));
    vr_log_streams_apply(a->streams, json_object_get(doc, "streams"));
    vr_tidy_want(a->tidy, json_integer_value(json_object_get(doc, "janitor_n")));
    vr_timer_arm_once(l->save_timer, SAVE_AFTER_MS);
    vr_link_changed(l);
}

static bool is_of_our_cluster(struct vr_link *l, const json_t *doc)
{
    const char *cluster = json_string_value(json_object_get(doc, "cluster"));

    if (cluster && vr_streq(cluster, l->cluster))
        return true;
    vr_error(&l->log, "%s is of another cluster ('%s', not '%s'): its answers are not acted on",
             l->agent->config.server, cluster ? cluster : "?", l->cluster);
    return false;
}

static void poll_again(struct vr_link *l, bool ok)
{
    if (ok) {
        l->retry_ms = 0;
        vr_timer_arm(l->poll_timer, 0);
    } else {
        vr_timer_arm(l->poll_timer, next_retry_ms(l));
    }
}

static void got_desired(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct vr_link *l = arg;
    vr_auto_json json_t *doc = NULL;
    char why[VR_ERR_MSG_BYTES];
    struct vr_err bad;

    l->polling = false;
    if (r < 0) {
        if (l->retry_ms == 0)
            vr_warn(&l->log, "the server does not answer: %s", err->msg);
        l->full = true;
        poll_again(l, false);
        return;
    }
    if (result->status == 401) {
        forget_token(l);
        return;
    }
    if (result->status == 204) {
        poll_again(l, true);
        return;
    }
    if (result->status != 200) {
        describe_answer(result, why, sizeof(why));
        vr_warn(&l->log, "ask for the desired state: %s", why);
        poll_again(l, false);
        return;
    }
    r = vr_json_parse_object((struct vr_str){result->body, result->body_bytes},
                             VR_LINK_DESIRED_BYTES, &doc, &bad);
    /* What is not on the list is stopped, so a list must be there. */
    if (r == 0 && !json_is_array(json_object_get(doc, "procs")))
        r = vr_fail(&bad, VR_PARSE, "it has no list of procs");
    if (r < 0 || !is_of_our_cluster(l, doc)) {
        if (r < 0)
            vr_error(&l->log, "the desired state: %s", bad.msg);
        poll_again(l, false);
        return;
    }
    act_on(l, doc);
    poll_again(l, true);
}

static void poll_desired(void *arg)
{
    struct vr_link *l = arg;
    char path[128];
    struct vr_err err;

    if (!l->token) {
        enrol(l);
        return;
    }
    if (l->polling)
        return;
    snprintf(path, sizeof(path), "desired?rev=%" PRId64 "&session=%" PRId64 "&wait=%d",
             l->is_current ? l->rev : -1, l->session, VR_LINK_WAIT_SECS);
    if (call(l, "GET", path, NULL, (VR_LINK_WAIT_SECS + 15) * 1000, got_desired, &err) < 0) {
        vr_error(&l->log, "ask for the desired state: %s", err.msg);
        poll_again(l, false);
        return;
    }
    l->polling = true;
}

/* ------------------------------------------------------------------ reports */

static json_t *compose(struct vr_link *l, bool full)
{
    json_t *procs = json_array(), *jobs = json_array(), *pools = json_array();
    int64_t now = vr_mono_now().ns;
    json_t *doc, *notes;

    vr_procs_report(l->agent->procs, procs, full);
    vr_jobs_report(l->agent->jobs, jobs, full);
    vr_balancers_report(l->agent->balancers, pools, full);
    doc = json_pack("{s:I, s:I, s:I, s:b, s:o, s:o, s:o, s:o}", "session", (json_int_t)l->session,
                    "seq", (json_int_t)++l->seq, "rev", (json_int_t)l->rev, "full", full, "boot",
                    vr_usage_boot_id(), "procs", procs, "jobs", jobs, "pools", pools);
    if (full || now - l->last_usage_ns > VR_LINK_USAGE_MS * VR_NS_PER_MS) {
        l->last_usage_ns = now;
        vr_json_set(doc, "usage", vr_usage_now(l->agent));
    }
    if (full)
        vr_json_set(doc, "facts", vr_usage_facts(l->agent));
    notes = vr_tidy_report(l->agent->tidy);
    if (notes)
        vr_json_set(doc, "janitor", notes);
    return doc;
}

static void report_failed(struct vr_link *l)
{
    l->full = true;
    vr_jobs_reported(l->agent->jobs, false);
    vr_tidy_reported(l->agent->tidy, false);
    vr_timer_arm(l->report_timer, next_retry_ms(l));
}

/*
 * The host was taken back in a new session. Its desired state may have come already, while the
 * report was under way: then nothing else is to come, and the report is made again at once.
 */
static void refused(struct vr_link *l, const struct vr_http_result *result)
{
    vr_auto_json json_t *doc = NULL;
    int64_t session = -1;

    if (vr_json_parse_object(vr_str(result->body), VR_JSON_BYTES, &doc, NULL) == 0)
        session = json_integer_value(json_object_get(doc, "session"));
    l->full = true;
    vr_jobs_reported(l->agent->jobs, false);
    vr_tidy_reported(l->agent->tidy, false);
    if (l->is_current && session == l->session) {
        vr_timer_arm(l->report_timer, VR_LINK_COALESCE_MS);
        return;
    }
    vr_info(&l->log, "this host was taken back: asking what it should run now");
    l->is_current = false;
    l->rev = -1;
    poll_desired(l);
}

static void reported(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct vr_link *l = arg;
    char why[VR_ERR_MSG_BYTES];

    l->reporting = false;
    if (r < 0) {
        report_failed(l);
        return;
    }
    if (result->status == 401) {
        report_failed(l);
        forget_token(l);
        return;
    }
    if (result->status == 409) {
        refused(l, result);
        return;
    }
    if (result->status != 200) {
        describe_answer(result, why, sizeof(why));
        vr_warn(&l->log, "report: %s", why);
        report_failed(l);
        return;
    }
    vr_jobs_reported(l->agent->jobs, true);
    vr_tidy_reported(l->agent->tidy, true);
    if (l->pending)
        vr_timer_arm_once(l->report_timer, VR_LINK_COALESCE_MS);
}

static void send_report(void *arg)
{
    struct vr_link *l = arg;
    vr_auto_free char *body = NULL;
    vr_auto_json json_t *doc = NULL;
    bool full = l->full;
    struct vr_err err;

    if (l->reporting || !l->token || !l->is_current)
        return;
    l->pending = false;
    l->full = false;
    doc = compose(l, full);
    body = vr_json_dump(doc);
    if (call(l, "POST", "report", body, 10000, reported, &err) < 0) {
        vr_error(&l->log, "report: %s", err.msg);
        report_failed(l);
        return;
    }
    l->reporting = true;
    l->reported_ns = vr_mono_now().ns;
    vr_timer_arm(l->beat_timer, VR_LINK_HEARTBEAT_MS);
}

static void beat(void *arg)
{
    struct vr_link *l = arg;

    send_report(l);
    vr_timer_arm(l->beat_timer, VR_LINK_HEARTBEAT_MS);
}

void vr_link_changed(struct vr_link *l)
{
    int64_t since_ms = (vr_mono_now().ns - l->reported_ns) / VR_NS_PER_MS;

    l->pending = true;
    /* The first change goes out at once, with what else this turn of the loop brings. */
    if (!l->reporting)
        vr_timer_arm_once(l->report_timer,
                          since_ms >= VR_LINK_COALESCE_MS ? 0 : VR_LINK_COALESCE_MS - since_ms);
}

/* ------------------------------------------------------------------ life */

int vr_link_new(struct vr_agent *agent, struct vr_link **out, struct vr_err *err)
{
    struct vr_link *l = vr_alloc(sizeof(*l));
    int r;

    l->agent = agent;
    vr_log_init(&l->log, &agent->log, "part", "link");
    l->rev = -1;
    l->full = true;
    l->seq = vr_wall_now().us; /* rises over restarts of the agent too */
    r = read_identity(l, err);
    if (r < 0) {
        free(l);
        return r;
    }
    read_desired(l);
    l->poll_timer = vr_timer_new(&agent->loop, poll_desired, l);
    l->report_timer = vr_timer_new(&agent->loop, send_report, l);
    l->beat_timer = vr_timer_new(&agent->loop, beat, l);
    l->save_timer = vr_timer_new(&agent->loop, save_desired, l);
    l->alone_timer = vr_timer_new(&agent->loop, go_alone, l);
    *out = l;
    return 0;
}

struct vr_link *vr_link_free(struct vr_link *l)
{
    if (!l)
        return NULL;
    l->poll_timer = vr_timer_free(l->poll_timer);
    l->report_timer = vr_timer_free(l->report_timer);
    l->beat_timer = vr_timer_free(l->beat_timer);
    l->save_timer = vr_timer_free(l->save_timer);
    l->alone_timer = vr_timer_free(l->alone_timer);
    json_decref(l->desired);
    free(l->token);
    free(l->cluster);
    free(l);
    return NULL;
}

void vr_link_start(struct vr_link *l)
{
    struct vr_agent *a = l->agent;

    /* Procs come up without the server, from what it last said; secrets come from there too. */
    if (l->desired) {
        vr_procs_apply(a->procs, json_object_get(l->desired, "procs"), false);
        vr_timer_arm(l->alone_timer, ALONE_AFTER_MS);
    }
    poll_desired(l);
    vr_timer_arm(l->beat_timer, VR_LINK_HEARTBEAT_MS);
    vr_tidy_start(a->tidy);
}
