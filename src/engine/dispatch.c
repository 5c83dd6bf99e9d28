/* SPDX-License-Identifier: MIT */
/*
 * Asking for a rollout.
 *
 * Everything a rollout needs is copied into its row here, in the transaction of the request: what
 * a user changes afterwards belongs to the next one. A rollback takes the frozen wish of the
 * rollout that made the release, so that it comes back as it was.
 */
#include "engine/dispatch.h"

#include "engine/work.h"
#include "fmt/json.h"
#include "model/hashes.h"
#include "model/merge.h"
#include "model/name.h"
#include "model/secret.h"
#include "store/app.h"
#include "store/build.h"
#include "store/buildpack.h"
#include "store/ingredient.h"
#include "store/pool.h"
#include "store/release.h"
#include "store/rollout.h"
#include "store/secret.h"
#include "store/swarm.h"

#include <inttypes.h>
#include <string.h>

#define CONFIG_BYTES   (1 << 20) /* of config and environment of a swarm, secrets in plain */
#define DONE_LOOKED_AT 200       /* ended rollouts that a rollback may go back to */

/* ------------------------------------------------------------------ the wish */

static json_t *parsed(const char *text)
{
    json_t *value = NULL;

    if (vr_str_is_empty(text) || vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL) < 0)
        return json_object();
    return value;
}

static int add_buildpacks(struct vr_tx *tx, const struct vr_app_row *app, json_t *wish,
                          struct vr_err *err)
{
    VR_ROWS(buildpack) all = {0};
    json_t *list = json_array();
    int r = vr_store_buildpack_list(tx, &all, err);

    for (size_t i = 0; i < all.n && r == 0; i++)
        if (!app->buildpack_id || all.v[i].id == app->buildpack_id)
            vr_json_push(list, json_pack("{s:s, s:s}", "url", all.v[i].repo_url, "type",
                                         all.v[i].repo_type));
    if (r == 0 && json_array_size(list) == 0)
        r = vr_fail(err, VR_INVALID, "app '%s': there is no buildpack to build it with", app->name);
    vr_json_set(wish, "buildpacks", list);
    return r;
}

/* A plain dict and the secrets beside it as one layer of the merge. Given. */
static json_t *layer(const char *plain_json, const char *secret_json)
{
    vr_auto_json json_t *plain = parsed(plain_json);
    vr_auto_json json_t *entries = parsed(secret_json);

    return vr_secret_layer(plain, entries);
}

/* Config and environment of the swarm and its ingredients, in the contract's order. */
static int merge(struct vr_tx *tx, const struct vr_swarm_row *swarm, json_t **out_config,
                 json_t **out_env, struct vr_err *err)
{
    VR_ROWS(ingredient) rows = {0};
    vr_auto_json json_t *own_config = layer(swarm->config_json, swarm->secret_config_json);
    vr_auto_json json_t *own_env = layer(swarm->env_json, swarm->secret_env_json);
    vr_auto_json json_t *held = json_array(); /* owns what `list` borrows */
    vr_auto_free struct vr_merge_ingredient *list = NULL;
    int r = vr_store_ingredient_list_of_swarm(tx, swarm->id, &rows, err);

    if (r < 0)
        return r;
    list = vr_alloc_array(rows.n, sizeof(*list));
    for (size_t i = 0; i < rows.n; i++) {
        const struct vr_ingredient_row *row = &rows.v[i];

        list[i] =
            (struct vr_merge_ingredient){.name = row->name,
                                         .config = layer(row->config_json, row->secret_config_json),
                                         .env = layer(row->env_json, row->secret_env_json)};
        vr_json_push(held, (json_t *)list[i].config);
        vr_json_push(held, (json_t *)list[i].env);
    }
    *out_config = vr_merge_config(list, rows.n, own_config);
    *out_env = vr_merge_env(NULL, list, rows.n, own_env);
    return 0;
}

/* How much it is for a host; no more than fits in a message to it beside that of others. */
static int measure(struct vr_tx *tx, const struct vr_swarm_row *swarm, const json_t *settings,
                   int64_t *out, struct vr_err *err)
{
    json_t *const dicts[] = {json_object_get(settings, "config"), json_object_get(settings, "env")};
    int r = vr_store_secret_bytes(tx, dicts, VR_COUNT(dicts), out, err);

    if (r == 0 && *out > CONFIG_BYTES)
        return vr_fail(err, VR_INVALID,
                       "config and environment of swarm '%s-%s-%s' would be %" PRId64
                       " bytes with what it includes; at most %d",
                       swarm->app_name, swarm->config_name, swarm->proc_name, *out, CONFIG_BYTES);
    return r;
}

/* The part of a wish that makes two releases of one build differ. Given. */
static int make_settings(struct vr_tx *tx, const struct vr_swarm_row *swarm, json_t **out,
                         struct vr_err *err)
{
    json_t *config = NULL, *env = NULL, *wish;
    int r = merge(tx, swarm, &config, &env, err);

    if (r < 0)
        return r;
    wish = json_object();
    vr_json_set(wish, "config", config);
    vr_json_set(wish, "env", env);
    vr_json_set(wish, "volumes", parsed(swarm->volumes_json));
    vr_json_set(wish, "run_as", json_string(vr_merge_normal_run_as(swarm->run_as)));
    vr_json_set(wish, "mem_limit", vr_json_str_or_null(vr_merge_normal_text(swarm->mem_limit)));
    vr_json_set(wish, "memsw_limit", vr_json_str_or_null(vr_merge_normal_text(swarm->memsw_limit)));
    *out = wish;
    return 0;
}

static int make_wish(struct vr_tx *tx, const struct vr_swarm_row *swarm, json_t **out,
                     struct vr_err *err)
{
    VR_ROW(app) app = {0};
    vr_auto_json json_t *wish = NULL;
    int64_t bytes;
    int r;

    r = vr_store_app_find_id(tx, swarm->app_id, &app, err);
    if (r == 0)
        r = vr_work_check_stack(tx, &app, err);
    if (r == 0)
        r = make_settings(tx, swarm, &wish, err);
    if (r == 0)
        r = measure(tx, swarm, wish, &bytes, err);
    if (r == 0)
        r = add_buildpacks(tx, &app, wish, err);
    if (r < 0)
        return r;
    vr_json_set(wish, "config_bytes", json_integer(bytes));
    vr_json_set(wish, "app_id", json_integer(app.id));
    vr_json_set(wish, "app", json_string(app.name));
    vr_json_set(wish, "repo_url", json_string(app.resolved_url));
    vr_json_set(wish, "repo_type", json_string(app.repo_type));
    vr_json_set(wish, "stack", json_string("host"));
    *out = vr_take(wish);
    return 0;
}

int vr_dispatch_wish(struct vr_tx *tx, int64_t swarm_id, json_t **out, struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    int r = vr_store_swarm_find_id(tx, swarm_id, &swarm, err);

    return r < 0 ? r : make_wish(tx, &swarm, out, err);
}

int vr_dispatch_refresh_merged(struct vr_tx *tx, int64_t swarm_id, struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    vr_auto_json json_t *settings = NULL;
    vr_auto_json json_t *shown_config = NULL;
    vr_auto_json json_t *shown_env = NULL;
    vr_auto_free char *config_text = NULL;
    vr_auto_free char *env_text = NULL;
    char sum[VR_SHA256_HEX];
    int64_t bytes;
    int r = vr_store_swarm_find_id(tx, swarm_id, &swarm, err);

    if (r == 0)
        r = make_settings(tx, &swarm, &settings, err);
    if (r < 0)
        return r;
    vr_hashes_wish(settings, sum);
    shown_config = vr_secret_masked(json_object_get(settings, "config"));
    shown_env = vr_secret_masked(json_object_get(settings, "env"));
    config_text = vr_json_dump_sorted(shown_config);
    env_text = vr_json_dump_sorted(shown_env);
    r = vr_store_swarm_set_merged(tx, swarm_id,
                                  &(struct vr_swarm_merged){config_text, env_text, sum}, err);
    return r < 0 ? r : measure(tx, &swarm, settings, &bytes, err);
}

int vr_dispatch_fill_sums(struct vr_tx *tx, struct vr_err *err)
{
    vr_auto_free int64_t *ids = NULL;
    size_t n;
    int r = vr_store_swarm_ids_unsummed(tx, &ids, &n, err);

    for (size_t i = 0; r == 0 && i < n; i++) {
        r = vr_dispatch_refresh_merged(tx, ids[i], err);
        if (r == -VR_INVALID) /* too much config: it cannot be dispatched; the server starts */
            r = 0;
    }
    return r < 0 ? r : vr_store_rollout_fill_sums(tx, err);
}

/* ------------------------------------------------------------------ kinds */

/* Take over what an earlier rollout ran, wish included. */
static void take_release(struct vr_rollout_row *row, const struct vr_rollout_row *from)
{
    row->tag = vr_strdup(from->tag);
    row->commit_id = vr_strdup(from->commit_id);
    row->build_id = from->build_id;
    row->release_id = from->release_id;
    row->proc_name = vr_strdup(from->proc_name);
    row->config_name = vr_strdup(from->config_name);
    row->wish_json = vr_strdup(from->wish_json);
    row->resolve_json = vr_strdup(from->resolve_json);
}

/* Names of an import that no new one may have are shown, but not run again. */
static int check_names(const struct vr_swarm_row *swarm, struct vr_err *err)
{
    int r = vr_name_check(VR_NAME_TAG, swarm->tag, err);

    if (r == 0)
        r = vr_name_check(VR_NAME_APP, swarm->app_name, err);
    if (r == 0)
        r = vr_name_check(VR_NAME_CONFIG, swarm->config_name, err);
    if (r == 0)
        r = vr_name_check(VR_NAME_PROC, swarm->proc_name, err);
    return r;
}

static int freeze_dispatch(struct vr_tx *tx, const struct vr_swarm_row *swarm,
                           struct vr_rollout_row *row, struct vr_err *err)
{
    vr_auto_json json_t *wish = NULL;
    int r;

    if (vr_str_is_empty(swarm->tag))
        return vr_fail(err, VR_INVALID, "swarm '%s-%s-%s' has no version to dispatch",
                       swarm->app_name, swarm->config_name, swarm->proc_name);
    r = check_names(swarm, err);
    if (r == 0)
        r = make_wish(tx, swarm, &wish, err);
    if (r < 0)
        return r;
    row->tag = vr_strdup(swarm->tag);
    row->proc_name = vr_strdup(swarm->proc_name);
    row->config_name = vr_strdup(swarm->config_name);
    row->commit_id = vr_strdup("");
    row->wish_json = vr_json_dump_sorted(wish);
    row->resolve_json = vr_strdup("{}");
    return 0;
}

static int freeze_current(struct vr_tx *tx, const struct vr_swarm_row *swarm,
                          struct vr_rollout_row *row, struct vr_err *err)
{
    VR_ROW(rollout) current = {0};
    int r;

    if (!swarm->current_rollout)
        return vr_fail(err, VR_NOT_FOUND, "swarm '%s-%s-%s' was never swarmed: nothing of it runs",
                       swarm->app_name, swarm->config_name, swarm->proc_name);
    r = vr_store_rollout_find(tx, swarm->current_rollout, &current, err);
    if (r == 0)
        take_release(row, &current);
    return r;
}

/*
 * A swarm may have been moved to another app since. Who asks has the right to its app of now; what
 * was frozen of another is not theirs to start.
 */
static int check_app(const struct vr_swarm_row *swarm, const struct vr_rollout_row *old,
                     struct vr_err *err)
{
    vr_auto_json json_t *wish = parsed(old->wish_json);
    const json_t *id = json_object_get(wish, "app_id"); /* the name may have changed */
    const char *name = json_string_value(json_object_get(wish, "app"));

    if (id ? json_integer_value(id) == swarm->app_id : vr_streq(name, swarm->app_name))
        return 0;
    return vr_fail(err, VR_EXISTS,
                   "rollout '%.8s' was of app '%s', and its swarm is of app '%s' now: dispatch it",
                   old->id, name ? name : "unknown", swarm->app_name);
}

static bool has_file(struct vr_tx *tx, int64_t build_id)
{
    VR_ROW(build) build = {0};

    return vr_store_build_find_id(tx, build_id, &build, NULL) == 0 && build.file_sha256;
}

/*
 * A release comes back as it was. If the file of its build is gone, the same commit is built again
 * with the buildpacks of then, and the release made anew of what was frozen with it.
 */
static int go_back_to(struct vr_tx *tx, const struct vr_rollout_row *candidate,
                      struct vr_rollout_row *row, struct vr_err *err)
{
    vr_auto_json json_t *resolved = parsed(candidate->resolve_json);

    take_release(row, candidate);
    if (has_file(tx, candidate->build_id))
        return 0;
    if (vr_str_is_empty(candidate->commit_id) ||
        !json_array_size(json_object_get(resolved, "buildpacks")))
        return vr_fail(err, VR_EXISTS,
                       "the build of release %" PRId64
                       " expired, and it is not known what to build again: "
                       "dispatch version '%s'",
                       candidate->release_id, candidate->tag);
    row->build_id = row->release_id = 0;
    return 0;
}

/*
 * What an ended rollout was about, once more. A dispatch may have failed for its build, which its
 * inputs find or make; the others need what they had.
 */
static int take_again(struct vr_tx *tx, const struct vr_rollout_row *old,
                      struct vr_rollout_row *row, struct vr_err *err)
{
    if (vr_streq(old->kind, vr_kind_name(VR_ROLLBACK)))
        return go_back_to(tx, old, row, err);
    take_release(row, old);
    if (vr_streq(old->kind, vr_kind_name(VR_DISPATCH)))
        row->build_id = row->release_id = 0;
    else if (!has_file(tx, old->build_id))
        return vr_fail(err, VR_EXISTS,
                       "the build of release %" PRId64 " expired: go back to it by a rollback, or "
                       "dispatch version '%s'",
                       old->release_id, old->tag);
    return 0;
}

/* The newest done rollout of another release than the current one, or of the one asked for. */
static int freeze_rollback(struct vr_tx *tx, const struct vr_dispatch_spec *spec,
                           const struct vr_swarm_row *swarm, struct vr_rollout_row *row,
                           struct vr_err *err)
{
    VR_ROWS(rollout) done = {0};
    int64_t current = 0;
    int r = vr_store_rollout_list_done(tx, swarm->id, DONE_LOOKED_AT, &done, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < done.n; i++)
        if (vr_streq(done.v[i].id, swarm->current_rollout))
            current = done.v[i].release_id;
    for (size_t i = 0; i < done.n; i++) {
        const struct vr_rollout_row *candidate = &done.v[i];

        if (spec->release_id ? candidate->release_id != spec->release_id
                             : candidate->release_id == current)
            continue;
        r = check_app(swarm, candidate, err);
        return r < 0 ? r : go_back_to(tx, candidate, row, err);
    }
    if (spec->release_id)
        return vr_fail(err, VR_NOT_FOUND, "release %" PRId64 " never served in swarm '%s-%s-%s'",
                       spec->release_id, swarm->app_name, swarm->config_name, swarm->proc_name);
    return vr_fail(err, VR_NOT_FOUND, "swarm '%s-%s-%s' has no earlier release to go back to",
                   swarm->app_name, swarm->config_name, swarm->proc_name);
}

/* ------------------------------------------------------------------ dispatch */

static int supersede_queued(struct vr_tx *tx, const struct vr_dispatch_spec *spec,
                            struct vr_err *err)
{
    VR_ROWS(rollout) open = {0};
    int r = vr_store_rollout_list_open(tx, spec->swarm_id, &open, err);

    for (size_t i = 0; i < open.n && r == 0; i++)
        if (vr_streq(open.v[i].state, "queued"))
            r = vr_store_rollout_end(tx, open.v[i].id, "superseded", spec->now, err);
    return r;
}

static int take_pool(struct vr_tx *tx, const struct vr_swarm_row *swarm, int64_t *out,
                     struct vr_err *err)
{
    *out = 0;
    if (vr_str_is_empty(swarm->pool))
        return 0;
    return vr_store_pool_take(tx, swarm->balancer_id, swarm->pool, swarm->id, out, err);
}

static int freeze(struct vr_tx *tx, const struct vr_dispatch_spec *spec,
                  const struct vr_swarm_row *swarm, struct vr_rollout_row *row, struct vr_err *err)
{
    switch (spec->kind) {
    case VR_DISPATCH:
        return freeze_dispatch(tx, swarm, row, err);
    case VR_ROLLBACK:
        return freeze_rollback(tx, spec, swarm, row, err);
    case VR_SCALE:
    case VR_RESTART:
        return freeze_current(tx, swarm, row, err);
    case VR_HEAL:
    case VR_MOVE:
        break;
    }
    return vr_fail(err, VR_BUG, "kind '%s' is not asked for by users", vr_kind_name(spec->kind));
}

/* Insert it; one that goes back to a release whose file is gone says so. */
static int insert(struct vr_tx *tx, const struct vr_rollout_row *row, char **out_id,
                  struct vr_err *err)
{
    bool is_rebuild = vr_streq(row->kind, "rollback") && !row->release_id;
    vr_auto_json json_t *warning = NULL;
    vr_auto_free char *sentence = NULL;
    vr_auto_free char *text = NULL;
    vr_auto_free char *id = NULL;
    int r = vr_store_rollout_insert(tx, row, &id, err);

    if (r == 0 && is_rebuild) {
        sentence = vr_strf("the build of '%s' expired: commit %.12s is built again", row->tag,
                           row->commit_id);
        warning = json_string(sentence);
        text = json_dumps(warning, JSON_ENCODE_ANY);
        r = vr_store_rollout_add_warning(tx, id, text, err);
    }
    if (r == 0 && out_id)
        *out_id = vr_take(id);
    return r;
}

int vr_dispatch(struct vr_tx *tx, const struct vr_dispatch_spec *spec, char **out_id,
                struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    VR_ROW(rollout) row = {0};
    int r;

    r = vr_store_swarm_find_id(tx, spec->swarm_id, &swarm, err);
    if (r == 0)
        r = freeze(tx, spec, &swarm, &row, err);
    if (r == 0)
        r = take_pool(tx, &swarm, &row.pool_id, err);
    if (r == 0)
        r = supersede_queued(tx, spec, err);
    if (r < 0)
        return r;
    row.swarm_id = swarm.id;
    row.kind = vr_strdup(vr_kind_name(spec->kind));
    row.user_id = spec->user_id;
    row.state = vr_strdup("queued");
    row.size = swarm.size;
    row.squad_id = swarm.squad_id;
    row.policy_json = vr_strdup(swarm.policy_json);
    row.created_us = spec->now.us;
    row.group_id = vr_strdup(spec->group_id);
    return insert(tx, &row, out_id, err);
}

static int check_retry(const struct vr_rollout_row *old, struct vr_err *err)
{
    if (!vr_streq(old->state, "ended"))
        return vr_fail(err, VR_EXISTS, "rollout '%.8s' has not ended yet", old->id);
    if (vr_streq(old->kind, vr_kind_name(VR_HEAL)) || vr_streq(old->kind, vr_kind_name(VR_MOVE)))
        return vr_fail(err, VR_EXISTS, "rollout '%.8s' is a %s: the platform repeats it by itself",
                       old->id, old->kind);
    return 0;
}

int vr_dispatch_retry(struct vr_tx *tx, const char *rollout_id, int64_t user_id, struct vr_wall now,
                      char **out_id, struct vr_err *err)
{
    VR_ROW(swarm) swarm = {0};
    VR_ROW(rollout) old = {0};
    VR_ROW(rollout) row = {0};
    struct vr_dispatch_spec spec = {.user_id = user_id, .now = now};
    int r = vr_store_rollout_find(tx, rollout_id, &old, err);

    if (r == 0)
        r = check_retry(&old, err);
    if (r == 0)
        r = vr_store_swarm_find_id(tx, old.swarm_id, &swarm, err);
    if (r == 0)
        r = check_app(&swarm, &old, err);
    if (r == 0)
        r = take_pool(tx, &swarm, &row.pool_id, err);
    spec.swarm_id = old.swarm_id;
    if (r == 0)
        r = take_again(tx, &old, &row, err);
    if (r == 0)
        r = supersede_queued(tx, &spec, err);
    if (r < 0)
        return r;
    row.swarm_id = old.swarm_id;
    row.kind = vr_strdup(old.kind);
    row.user_id = user_id;
    row.state = vr_strdup("queued");
    row.size = old.size;
    row.squad_id = old.squad_id;
    row.policy_json = vr_strdup(old.policy_json);
    row.created_us = now.us;
    row.retry_of = vr_strdup(rollout_id);
    return insert(tx, &row, out_id, err);
}
