/* SPDX-License-Identifier: MIT */
/*
 * Work for builder hosts.
 *
 * A job is a row that a builder's agent finds in its desired state. A rollout first has its tag
 * resolved, then takes the one build of exactly these inputs: if two rollouts want it, both wait
 * for the same row. A build that a user asks for by itself goes the same way with jobs of its own.
 */
#include "engine/work.h"

#include "fmt/json.h"
#include "fmt/yaml.h"
#include "model/hashes.h"
#include "model/label.h"
#include "model/merge.h"
#include "store/app.h"
#include "store/buildpack.h"
#include "store/event.h"
#include "store/image.h"
#include "store/release.h"
#include "store/secret.h"
#include "store/stack.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define COMMIT_HEX     40
#define BUILDPACKS_MAX 64
#define JOB_GRACE_SECS 15 /* beyond a job's deadline, for its host to say how it ended */
#define RESOLVE_SHARE  6  /* one part in so many of resolve_secs is kept for what follows */

static json_t *parsed(const char *text)
{
    json_t *value = NULL;

    if (vr_str_is_empty(text) || vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0)
        return json_object();
    return value;
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static struct vr_wall after(struct vr_wall from, int64_t secs)
{
    return (struct vr_wall){from.us + secs * VR_US_PER_S};
}

/* ------------------------------------------------------------------ jobs */

struct job_wish {
    const char *kind;
    int64_t build_id;
    const char *rollout_id;
    const json_t *spec;
    int64_t secs;
};

static int insert_job(struct vr_tx *tx, const struct job_wish *wish, struct vr_wall now,
                      int64_t *out_id, struct vr_err *err)
{
    vr_auto_free char *spec = vr_json_dump(wish->spec);
    struct vr_job_row row = {.kind = (char *)wish->kind,
                             .build_id = wish->build_id,
                             .rollout_id = (char *)wish->rollout_id,
                             .spec_json = spec,
                             .created_us = now.us,
                             .deadline_us = after(now, wish->secs).us};
    int64_t host;
    int r = vr_store_job_insert(tx, &row, out_id, err);

    if (r < 0)
        return r;
    r = vr_store_job_lease(tx, *out_id, 0, &host, err);
    if (r == -VR_NOT_FOUND)
        return 0; /* it waits for a builder to come back */
    if (r == 0 && wish->build_id)
        r = vr_store_build_start(tx, wish->build_id, now, err);
    return r;
}

/* What resolve and build have in common, from a frozen wish. */
static json_t *job_spec(const json_t *wish, const char *tag, const char *limit, int64_t secs)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:O, s:{s:I}}", "app", text_of(wish, "app"),
                     "repo_url", text_of(wish, "repo_url"), "repo_type", text_of(wish, "repo_type"),
                     "tag", tag, "stack", "host", "buildpacks", json_object_get(wish, "buildpacks"),
                     "limits", limit, (json_int_t)secs);
}

/* What was asked for cannot be done, ever: the planner turns the rollout back. */
static int give_up(struct vr_tx *tx, const struct vr_snapshot *snap, const char *step,
                   const char *message, struct vr_err *err)
{
    struct vr_rollout_cause cause = {.step = step, .message = message};

    return vr_store_rollout_set_cause(tx, snap->active->id, &cause, err);
}

/* ------------------------------------------------------------------ resolve */

/* The part of `url#commit` before the last '#', compared with the URL of a candidate. */
static bool is_of(const char *pinned, const char *url)
{
    size_t n = strlen(url);

    return !strncmp(pinned, url, n) && pinned[n] == '#';
}

/* Do the buildpacks of old inputs stand for the candidates of now without asking anybody? */
static bool same_buildpacks(const json_t *wish, const json_t *inputs, json_t *out)
{
    const json_t *now = json_object_get(wish, "buildpacks");
    const json_t *then = json_object_get(inputs, "buildpacks");
    size_t i;
    json_t *candidate;

    if (json_array_size(now) != json_array_size(then))
        return false;
    json_array_foreach (now, i, candidate) {
        const char *url = text_of(candidate, "url");
        const char *pinned = json_string_value(json_array_get(then, i));

        if (!pinned || !is_of(pinned, url) ||
            (!vr_str_has_prefix(url, "builtin:") && !strchr(url, '#')))
            return false;
        vr_json_push(out, json_pack("{s:s, s:s}", "url", url, "commit", strrchr(pinned, '#') + 1));
    }
    return true;
}

/*
 * A whole commit, built before with the same buildpacks: there is nothing to ask a repository.
 * Returns 1 if the rollout was resolved so.
 */
static int resolve_from_build(struct vr_tx *tx, const struct vr_snapshot *snap, const json_t *wish,
                              struct vr_err *err)
{
    const char *tag = snap->active->tag;
    VR_ROW(build) build = {0};
    vr_auto_json json_t *inputs = NULL;
    vr_auto_json json_t *buildpacks = json_array();
    vr_auto_json json_t *resolved = NULL;
    vr_auto_free char *text = NULL;
    int r;

    if (!vr_str_is_made_of(tag, "0123456789abcdef", COMMIT_HEX, COMMIT_HEX))
        return 0;
    r = vr_store_build_find_usable(tx, snap->swarm.app_id, tag, &build, err);
    if (r < 0)
        return r == -VR_NOT_FOUND ? 0 : r;
    inputs = parsed(build.inputs_json);
    if (!vr_streq(build.commit_id, tag) ||
        !vr_streq(text_of(inputs, "repo_url"), text_of(wish, "repo_url")) ||
        !same_buildpacks(wish, inputs, buildpacks))
        return 0;
    resolved = json_pack("{s:s, s:O}", "commit", tag, "buildpacks", buildpacks);
    text = vr_json_dump_sorted(resolved);
    r = vr_store_rollout_set_resolved(tx, snap->active->id, tag, text, err);
    return r < 0 ? r : 1;
}

int vr_work_request_resolve(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err)
{
    vr_auto_json json_t *wish = parsed(snap->active->wish_json);
    vr_auto_json json_t *spec = NULL;
    struct job_wish job = {.kind = "resolve", .rollout_id = snap->active->id};
    int64_t id;
    int r;

    if (snap->resolve.id)
        return 0;
    r = resolve_from_build(tx, snap, wish, err);
    if (r != 0)
        return r < 0 ? r : 0;
    /* The step ends after resolve_secs; a repository that hangs must be known to before that. */
    job.secs = snap->plan.policy.resolve_secs;
    job.secs -= job.secs / RESOLVE_SHARE;
    spec = job_spec(wish, snap->active->tag, "resolve_secs", job.secs);
    job.spec = spec;
    return insert_job(tx, &job, snap->plan.now, &id, err);
}

/* The repository is silent, but the tag is what runs: its build is taken, with a warning. */
static int fall_back(struct vr_tx *tx, struct vr_snapshot *snap, bool *out_changed,
                     struct vr_err *err)
{
    vr_auto_json json_t *result = parsed(snap->resolve.result_json);
    const char *code = text_of(json_object_get(result, "error"), "code");
    vr_auto_json json_t *warning = NULL;
    vr_auto_free char *sentence = NULL;
    vr_auto_free char *text = NULL;
    int r;

    if ((!vr_streq(code, "io") && !vr_streq(code, "timeout")) || !snap->current.id ||
        !vr_streq(snap->current.tag, snap->active->tag) || vr_str_is_empty(snap->current.commit_id))
        return 0;
    sentence = vr_strf("the commit that runs as '%s' is used: %s", snap->active->tag,
                       text_of(json_object_get(result, "error"), "message"));
    warning = json_string(sentence);
    text = json_dumps(warning, JSON_ENCODE_ANY);
    r = vr_store_rollout_add_warning(tx, snap->active->id, text, err);
    if (r == 0)
        r = vr_store_rollout_set_resolved(tx, snap->active->id, snap->current.commit_id,
                                          snap->current.resolve_json, err);
    if (r == 0 && snap->current.build_id)
        r = vr_store_rollout_set_build(tx, snap->active->id, snap->current.build_id, err);
    *out_changed = r == 0;
    return r;
}

int vr_work_take_resolved(struct vr_tx *tx, struct vr_snapshot *snap, bool *out_changed,
                          struct vr_err *err)
{
    vr_auto_json json_t *result = NULL;
    vr_auto_free char *message = NULL;
    const char *commit;
    int r;

    *out_changed = false;
    if (!snap->plan.active || !snap->plan.active->needs_resolve || !snap->resolve.id ||
        snap->plan.active->has_cause)
        return 0;
    if (snap->plan.active->resolve == VR_WORK_FAILED)
        return fall_back(tx, snap, out_changed, err);
    if (snap->plan.active->resolve != VR_WORK_SUCCESS)
        return 0;
    result = parsed(snap->resolve.result_json);
    commit = text_of(result, "commit");
    if (!*commit) {
        r = give_up(tx, snap, "resolve", "the builder named no commit", err);
        *out_changed = r == 0;
        return r;
    }
    message = vr_strf("%s is commit %.12s", snap->active->tag, commit);
    r = vr_store_rollout_set_resolved(tx, snap->active->id, commit, snap->resolve.result_json, err);
    if (r == 0)
        r = vr_store_rollout_note(tx, snap->active->id, "resolve", NULL, NULL, message,
                                  snap->plan.now, err);
    *out_changed = r == 0;
    return r;
}

/* ------------------------------------------------------------------ build */

/* Inputs of a build in their hashed form, from what was resolved. */
static int make_inputs(const json_t *wish, const json_t *resolved, struct vr_build_row *row,
                       struct vr_err *err)
{
    const json_t *list = json_object_get(resolved, "buildpacks");
    size_t n = json_array_size(list);
    size_t asked = json_array_size(json_object_get(wish, "buildpacks"));
    vr_auto_json json_t *inputs = NULL;
    json_t *pinned = json_array();
    const char *texts[BUILDPACKS_MAX];
    char sha256[VR_SHA256_HEX];
    struct vr_build_inputs hashed = {.repo_url = text_of(wish, "repo_url"),
                                     .commit = text_of(resolved, "commit"),
                                     .buildpacks = texts,
                                     .buildpack_count = n};

    inputs = json_pack("{s:s, s:s, s:s, s:o}", "repo_url", hashed.repo_url, "commit", hashed.commit,
                       "image", "host", "buildpacks", pinned);
    if (!*hashed.commit)
        return vr_fail(err, VR_INVALID, "the builder named no commit");
    if (asked == 0 || asked > BUILDPACKS_MAX || n != asked)
        return vr_fail(err, VR_INVALID, "%zu of %zu buildpacks were resolved; there may be %d", n,
                       asked, BUILDPACKS_MAX);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(list, i);
        vr_auto_free char *text = vr_strf("%s#%s", text_of(one, "url"), text_of(one, "commit"));

        if (!*text_of(one, "commit"))
            return vr_fail(err, VR_INVALID, "buildpack '%s' was not resolved", text_of(one, "url"));
        vr_json_push(pinned, json_string(text));
        texts[i] = json_string_value(json_array_get(pinned, i));
    }
    vr_hashes_build_inputs(&hashed, sha256);
    row->inputs_sha256 = vr_strdup(sha256);
    row->inputs_json = vr_json_dump_sorted(inputs);
    row->commit_id = vr_strdup(hashed.commit);
    return 0;
}

/* The wish's buildpacks, each with the commit it was resolved to. */
static json_t *pinned_buildpacks(const json_t *wish, const json_t *resolved)
{
    const json_t *found = json_object_get(resolved, "buildpacks");
    json_t *out = json_array();
    size_t i;
    json_t *one;

    json_array_foreach (json_object_get(wish, "buildpacks"), i, one) {
        json_t *copy = json_deep_copy(one);

        vr_json_set(copy, "commit",
                    json_incref(json_object_get(json_array_get(found, i), "commit")));
        vr_json_push(out, copy);
    }
    return out;
}

static void tell(struct vr_tx *tx, const struct vr_build_row *build, const char *app,
                 const char *message, const char *tags, struct vr_wall now)
{
    vr_auto_free char *title = vr_label_build(app, build->tag);
    struct vr_event event = {.kind = "event",
                             .title = title,
                             .message = message,
                             .tags = tags,
                             .app_id = build->app_id,
                             .time = now};

    vr_store_event_add(tx, &event);
}

static int start_build_job(struct vr_tx *tx, const json_t *wish, const json_t *resolved,
                           const struct vr_build_row *build, int64_t secs, struct vr_wall now,
                           struct vr_err *err)
{
    vr_auto_json json_t *spec = job_spec(wish, build->tag, "build_secs", secs);
    struct job_wish job = {.kind = "build", .build_id = build->id, .spec = spec, .secs = secs};
    vr_auto_free char *started = vr_strf("Started build %s-%s", text_of(wish, "app"), build->tag);
    int64_t id;
    int r;

    vr_json_set(spec, "commit", json_string(text_of(resolved, "commit")));
    vr_json_set(spec, "buildpacks", pinned_buildpacks(wish, resolved));
    r = insert_job(tx, &job, now, &id, err);
    if (r == 0)
        r = vr_store_build_set_job(tx, build->id, id, err);
    if (r == 0)
        tell(tx, build, text_of(wish, "app"), started, "[\"build\"]", now);
    return r;
}

int vr_work_take_build(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err)
{
    vr_auto_json json_t *wish = parsed(snap->active->wish_json);
    vr_auto_json json_t *resolved = parsed(snap->active->resolve_json);
    VR_ROW(build)
    row = {.app_id = snap->swarm.app_id,
           .tag = vr_strdup(snap->active->tag),
           .created_us = snap->plan.now.us};
    bool made = false;
    struct vr_err bad;
    int r;

    if (make_inputs(wish, resolved, &row, &bad) < 0)
        return give_up(tx, snap, "build", bad.msg, err);
    r = vr_store_build_take(tx, &row, &row.id, &made, err);
    if (r == 0)
        r = vr_store_rollout_set_build(tx, snap->active->id, row.id, err);
    if (r == 0 && made)
        r = start_build_job(tx, wish, resolved, &row, snap->plan.policy.build_secs, snap->plan.now,
                            err);
    return r;
}

/* ------------------------------------------------------------------ stacks */

int vr_work_check_stack(struct vr_tx *tx, const struct vr_app_row *app, struct vr_err *err)
{
    VR_ROW(stack) stack = {0};
    VR_ROW(image) image = {0};
    int r;

    if (!app->stack_id)
        return 0;
    r = vr_store_stack_find_id(tx, app->stack_id, &stack, err);
    if (r == 0)
        r = vr_store_image_find_active(tx, stack.id, &image, err);
    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_INVALID, "Stack %s has no active image.", stack.name);
    if (r < 0)
        return r;
    return vr_fail(err, VR_INVALID,
                   "app '%s' is to run in image %s of stack %s, but hosts cannot run images yet: "
                   "they have their own system only",
                   app->name, image.name, stack.name);
}

/* ------------------------------------------------------------------ builds by themselves */

static json_t *wish_of_app(struct vr_tx *tx, const struct vr_app_row *app, struct vr_err *err)
{
    VR_ROWS(buildpack) all = {0};
    json_t *list = json_array();

    if (vr_store_buildpack_list(tx, &all, err) < 0) {
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < all.n; i++)
        if (!app->buildpack_id || all.v[i].id == app->buildpack_id)
            vr_json_push(list, json_pack("{s:s, s:s}", "url", all.v[i].repo_url, "type",
                                         all.v[i].repo_type));
    return json_pack("{s:s, s:s, s:s, s:o}", "app", app->name, "repo_url", app->resolved_url,
                     "repo_type", app->repo_type, "buildpacks", list);
}

int vr_work_start_build(struct vr_tx *tx, int64_t build_id, struct vr_wall now, struct vr_err *err)
{
    struct vr_policy policy = vr_policy_default();
    VR_ROW(build) build = {0};
    VR_ROW(app) app = {0};
    vr_auto_json json_t *wish = NULL;
    vr_auto_json json_t *spec = NULL;
    struct job_wish job = {.kind = "resolve", .build_id = build_id};
    int64_t id;
    int r;

    r = vr_store_build_find_id(tx, build_id, &build, err);
    if (r == 0 &&
        (vr_streq(build.status, "started") || (vr_streq(build.status, "pending") && build.job_id)))
        return vr_fail(err, VR_EXISTS, "build %" PRId64 " is under way", build_id);
    if (r == 0)
        r = vr_store_app_find_id(tx, build.app_id, &app, err);
    if (r == 0)
        r = vr_work_check_stack(tx, &app, err);
    if (r < 0)
        return r;
    wish = wish_of_app(tx, &app, err);
    if (!wish)
        return err ? -(int)err->code : -VR_IO;
    if (!vr_streq(build.status, "pending"))
        r = vr_store_build_reset(tx, build_id, err);
    if (r < 0)
        return r;
    job.secs = policy.resolve_secs;
    spec = job_spec(wish, build.tag, "resolve_secs", job.secs);
    job.spec = spec;
    r = insert_job(tx, &job, now, &id, err);
    if (r == 0)
        r = vr_store_build_set_job(tx, build_id, id, err);
    if (r == 0)
        r = vr_store_build_start(tx, build_id, now, err);
    return r;
}

/* ------------------------------------------------------------------ ends of jobs */

static int fail(struct vr_tx *tx, struct vr_build_row *build, const char *message,
                struct vr_wall now, struct vr_err *err)
{
    VR_ROW(app) app = {0};
    int r = vr_store_app_find_id(tx, build->app_id, &app, err);

    if (r < 0)
        return r;
    tell(tx, build, app.name, message, "[\"build\", \"failed\"]", now);
    return vr_store_build_fail(tx, build->id, message, now, err);
}

/* What a job that did not end well says of it. */
static const char *fault_of(const struct vr_job_row *job, const json_t *result)
{
    const char *message = text_of(json_object_get(result, "error"), "message");

    if (*message)
        return message;
    return vr_streq(job->state, "cancelled") ? "the build was cancelled"
                                             : "the build failed without saying why";
}

/* A part of a build's result that is not there; NULL if it is whole. */
static const char *find_missing(const json_t *result)
{
    static const char *const texts[] = {"file_md5", "file_sha256", "commit"};

    for (size_t i = 0; i < VR_COUNT(texts); i++)
        if (!*text_of(result, texts[i]))
            return texts[i];
    return json_is_object(json_object_get(result, "procfile")) ? NULL : "procfile";
}

/* What is wrong with a build's result; NULL: nothing. Given. */
static char *find_fault(const json_t *result)
{
    const char *missing = find_missing(result);

    if (missing)
        return vr_strf("the builder's result has no '%s'", missing);
    /* It would become the value of somebody's secret, in the environment of this app. */
    if (vr_secret_is_mentioned(json_object_get(result, "config_vars")))
        return vr_strdup("the build's environment has a key '" VR_SECRET_KEY "'");
    return NULL;
}

static void fill_build(const struct vr_build_row *build, const char *app, const json_t *result,
                       struct vr_build_row *row)
{
    json_t *config_vars = json_object_get(result, "config_vars");
    vr_auto_free char *name = vr_label_build_file(app, build->tag, text_of(result, "file_md5"));
    char hash[VR_MD5_HEX];

    vr_hashes_build(text_of(result, "file_md5"), NULL, hash);
    row->file = vr_strf("builds/%s", name);
    row->file_md5 = vr_strdup(text_of(result, "file_md5"));
    row->file_sha256 = vr_strdup(text_of(result, "file_sha256"));
    row->file_bytes = json_integer_value(json_object_get(result, "file_bytes"));
    row->hash = vr_strdup(hash);
    row->commit_id = vr_strdup(text_of(result, "commit"));
    row->buildpack_url = vr_secret_masked_url(text_of(result, "buildpack_url"));
    row->buildpack_version = vr_strdup(text_of(result, "buildpack_version"));
    row->env_json =
        json_is_object(config_vars) ? vr_json_dump_sorted(config_vars) : vr_strdup("{}");
    row->env_yaml = json_object_size(config_vars) ? vr_yaml_dump(config_vars) : vr_strdup("");
    row->procfile_json = vr_json_dump(json_object_get(result, "procfile"));
}

static int succeed(struct vr_tx *tx, struct vr_build_row *build, const struct vr_job_row *job,
                   struct vr_wall now, struct vr_err *err)
{
    vr_auto_json json_t *result = parsed(job->result_json);
    vr_auto_free char *fault = find_fault(result);
    VR_ROW(app) app = {0};
    VR_ROW(build) row = {.id = build->id};
    char message[128];
    int r;

    if (fault)
        return fail(tx, build, fault, now, err);
    r = vr_store_app_find_id(tx, build->app_id, &app, err);
    if (r < 0)
        return r;
    fill_build(build, app.name, result, &row);
    snprintf(message, sizeof(message), "Completed build %s-%s in %.1f s", app.name, build->tag,
             (double)(now.us - build->start_us) / VR_US_PER_S);
    tell(tx, build, app.name, message, "[\"build\", \"success\"]", now);
    return vr_store_build_succeed(tx, &row, now, err);
}

/* The tag of a build by itself is resolved: it takes these inputs over from an older build. */
static int go_on_to_build(struct vr_tx *tx, const struct vr_job_row *job, struct vr_wall now,
                          struct vr_err *err)
{
    vr_auto_json json_t *wish = parsed(job->spec_json);
    vr_auto_json json_t *resolved = parsed(job->result_json);
    VR_ROW(build) build = {0};
    VR_ROW(build) inputs = {0};
    VR_ROW(build) older = {0};
    struct vr_err bad;
    int r;

    r = vr_store_build_find_id(tx, job->build_id, &build, err);
    if (r < 0)
        return r;
    if (make_inputs(wish, resolved, &inputs, &bad) < 0)
        return fail(tx, &build, bad.msg, now, err);
    r = vr_store_build_find_inputs(tx, inputs.inputs_sha256, &older, err);
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    if (r == 0 && older.id != build.id) {
        r = vr_store_build_expire(tx, older.id, err);
        if (r < 0)
            return r;
    }
    r = vr_store_build_set_inputs(tx, build.id, inputs.commit_id, inputs.inputs_sha256,
                                  inputs.inputs_json, err);
    if (r == 0)
        r = start_build_job(tx, wish, resolved, &build, vr_policy_default().build_secs, now, err);
    return r;
}

static int settle(struct vr_tx *tx, const struct vr_job_row *job, struct vr_wall now,
                  struct vr_err *err)
{
    vr_auto_json json_t *result = parsed(job->result_json);
    VR_ROW(build) build = {0};
    int r = vr_store_build_find_id(tx, job->build_id, &build, err);

    if (r < 0)
        return r;
    if (!vr_streq(job->state, "done"))
        r = fail(tx, &build, fault_of(job, result), now, err);
    else if (vr_streq(job->kind, "resolve"))
        r = go_on_to_build(tx, job, now, err);
    else
        r = succeed(tx, &build, job, now, err);
    return r < 0 ? r : vr_store_build_touch_waiting(tx, build.id, err);
}

static int end_job(struct vr_tx *tx, const struct vr_job_row *job, const char *code,
                   const char *message, struct vr_wall now, struct vr_err *err)
{
    vr_auto_json json_t *doc = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "step",
                                         job->kind, "message", message);
    vr_auto_free char *text = vr_json_dump(doc);

    return vr_store_job_end(tx, job->id, "failed", text, now, err);
}

/* A rollout does not wait longer for a resolve than its step: the grace is within that. */
static int64_t grace_us(const struct vr_job_row *job)
{
    return vr_streq(job->kind, "resolve") ? (job->deadline_us - job->created_us) / 10
                                          : JOB_GRACE_SECS * VR_US_PER_S;
}

static int tend_leased(struct vr_tx *tx, const struct vr_job_row *job, struct vr_wall now,
                       struct vr_err *err)
{
    VR_ROW(host) host = {0};
    char message[256];
    int r;

    if (now.us > job->deadline_us + grace_us(job))
        return end_job(tx, job, "timeout", "the time limit was reached", now, err);
    r = vr_store_host_find_id(tx, job->host_id, &host, err);
    if (r < 0)
        return r == -VR_NOT_FOUND ? vr_store_job_release(tx, job->id, err) : r;
    if (!vr_streq(host.state, "lost") && !vr_streq(host.state, "gone"))
        return 0;
    if (job->attempts < VR_WORK_ATTEMPTS)
        return vr_store_job_release(tx, job->id, err);
    snprintf(message, sizeof(message), "host '%s' was lost while it did this", host.name);
    return end_job(tx, job, "io", message, now, err);
}

static int tend_waiting(struct vr_tx *tx, const struct vr_job_row *job, struct vr_wall now,
                        struct vr_err *err)
{
    int64_t host;
    int r;

    if (now.us > job->deadline_us)
        return end_job(tx, job, "timeout", "no builder host was there to do it", now, err);
    r = vr_store_job_lease(tx, job->id, 0, &host, err);
    if (r == 0 && job->build_id)
        r = vr_store_build_start(tx, job->build_id, now, err);
    return r == -VR_NOT_FOUND ? 0 : r;
}

int vr_work_tick(struct vr_tx *tx, struct vr_wall now, struct vr_err *err)
{
    VR_ROWS(job) leased = {0};
    VR_ROWS(job) waiting = {0};
    VR_ROWS(job) ended = {0};
    int r = vr_store_job_list(tx, "leased", &leased, err);

    for (size_t i = 0; i < leased.n && r == 0; i++)
        r = tend_leased(tx, &leased.v[i], now, err);
    if (r == 0)
        r = vr_store_job_list(tx, "waiting", &waiting, err);
    for (size_t i = 0; i < waiting.n && r == 0; i++)
        r = tend_waiting(tx, &waiting.v[i], now, err);
    if (r == 0)
        r = vr_store_job_list_unsettled(tx, &ended, err);
    for (size_t i = 0; i < ended.n && r == 0; i++)
        r = settle(tx, &ended.v[i], now, err);
    return r;
}

/* ------------------------------------------------------------------ release */

static int refuse_proc(struct vr_tx *tx, const struct vr_snapshot *snap, const json_t *procfile,
                       struct vr_err *err)
{
    vr_auto_buf struct vr_buf names = VR_BUF(1024);
    vr_auto_free char *message = NULL;
    struct vr_rollout_cause cause = {.step = "release"};
    const char *name;
    json_t *command;

    json_object_foreach ((json_t *)procfile, name, command)
        vr_buf_addf(&names, "%s%s", names.len ? ", " : "", name);
    message = vr_strf("app '%s' at '%s' has no proc '%s'; its Procfile has: %s",
                      snap->swarm.app_name, snap->active->tag, snap->active->proc_name,
                      names.len ? vr_buf_text(&names) : "nothing");
    cause.message = message;
    return vr_store_rollout_set_cause(tx, snap->active->id, &cause, err);
}

/* The eight digits that are shown, the next eight if another content has them already. */
static int choose_hash(struct vr_tx *tx, const struct vr_release_content *content,
                       const char *content_sha256, char out[VR_RELEASE_HASH_DIGITS + 1],
                       struct vr_err *err)
{
    char whole[VR_MD5_HEX];

    vr_hashes_release(content, whole);
    for (int attempt = 0; attempt < VR_RELEASE_HASH_TRIES; attempt++) {
        bool taken = false;
        int r;

        vr_hashes_release_short(whole, attempt, out);
        r = vr_store_release_hash_taken(tx, out, content_sha256, &taken, err);
        if (r < 0 || !taken)
            return r;
    }
    return vr_fail(err, VR_EXISTS, "every part of release hash %s is taken", whole);
}

static int take_release(struct vr_tx *tx, const struct vr_snapshot *snap, const json_t *wish,
                        const json_t *env, int64_t *out_id, struct vr_err *err)
{
    const json_t *config = json_object_get(wish, "config");
    const json_t *volumes = json_object_get(wish, "volumes");
    vr_auto_json json_t *hashed_config = NULL;
    vr_auto_json json_t *hashed_env = NULL;
    struct vr_release_content content = {
        .build_hash = snap->build.hash,
        .volumes = volumes,
        .run_as = text_of(wish, "run_as"),
        .mem_limit = json_string_value(json_object_get(wish, "mem_limit")),
        .memsw_limit = json_string_value(json_object_get(wish, "memsw_limit")),
    };
    char sha256[VR_SHA256_HEX], hash[VR_RELEASE_HASH_DIGITS + 1];
    VR_ROW(release) row = {.build_id = snap->build.id, .created_us = snap->plan.now.us};
    bool made;
    int r = vr_store_secret_hashed(tx, config, &hashed_config, err);

    if (r == 0)
        r = vr_store_secret_hashed(tx, env, &hashed_env, err);
    if (r == 0)
        r = vr_store_secret_bytes(tx, (json_t *const[]){(json_t *)config, (json_t *)env}, 2,
                                  &row.config_bytes, err);
    if (r < 0)
        return r;
    content.config = hashed_config;
    content.env = hashed_env;
    vr_hashes_release_content(&content, sha256);
    r = choose_hash(tx, &content, sha256, hash, err);
    if (r < 0)
        return r;
    row.config_json = vr_json_dump_sorted(config);
    row.config_yaml = vr_secret_masked_yaml(config);
    row.env_json = vr_json_dump_sorted(env);
    row.env_yaml = vr_secret_masked_yaml(env);
    row.volumes_json = json_array_size(volumes) ? vr_json_dump(volumes) : vr_strdup("[]");
    row.run_as = vr_strdup(content.run_as);
    row.mem_limit = vr_strdup(content.mem_limit);
    row.memsw_limit = vr_strdup(content.memsw_limit);
    row.newer_json = vr_strdup("{}");
    row.hash = vr_strdup(hash);
    row.content_sha256 = vr_strdup(sha256);
    return vr_store_release_take(tx, &row, out_id, &made, err);
}

int vr_work_create_release(struct vr_tx *tx, const struct vr_snapshot *snap, struct vr_err *err)
{
    vr_auto_json json_t *wish = parsed(snap->active->wish_json);
    vr_auto_json json_t *procfile = parsed(snap->build.procfile_json);
    vr_auto_json json_t *build_env = parsed(snap->build.env_json);
    vr_auto_json json_t *env = vr_merge_env(build_env, NULL, 0, json_object_get(wish, "env"));
    int64_t id;
    int r;

    if (!json_is_string(json_object_get(procfile, snap->active->proc_name)))
        return refuse_proc(tx, snap, procfile, err);
    r = take_release(tx, snap, wish, env, &id, err);
    if (r == -VR_NOT_FOUND) /* a secret: trying again would not help */
        return give_up(tx, snap, "release", err ? err->msg : "a secret value was deleted", err);
    return r < 0 ? r : vr_store_rollout_set_release(tx, snap->active->id, id, err);
}
