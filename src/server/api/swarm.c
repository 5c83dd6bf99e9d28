/* SPDX-License-Identifier: MIT */
/*
 * Writing swarms.
 *
 * A swarm's row is a wish: nothing of it acts until somebody dispatches it. What can be known to
 * be wrong is refused here already: names, sizes, a pool that another swarm serves.
 */
#include "server/api/swarm.h"

#include "engine/dispatch.h"
#include "model/label.h"
#include "model/policy.h"
#include "server/api/merged.h"
#include "server/api/noun_history.h"
#include "server/api/secret_field.h"
#include "server/api/yaml_field.h"
#include "store/app.h"
#include "store/balancer.h"
#include "store/ingredient.h"
#include "store/release.h"
#include "store/rollout.h"
#include "store/version.h"

#include <inttypes.h>

#define SIZE_MAX_PROCS   10000
#define DEFAULT_BALANCER "default"
#define RELEASES_LISTED  200 /* done rollouts that are looked through */

/* ------------------------------------------------------------------ fields with rules */

static int read_config(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_swarm_row *swarm = row;

    return vr_yaml_field_dict(value, &swarm->config_yaml, &swarm->config_json, err);
}

static int read_env(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_swarm_row *swarm = row;

    return vr_yaml_field_env(value, &swarm->env_yaml, &swarm->env_json, err);
}

static int read_volumes(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_swarm_row *swarm = row;

    return vr_yaml_field_volumes(value, &swarm->volumes_json, err);
}

/* The contract gives a balancer's name; a reference is as good. */
static int read_balancer(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_swarm_row *swarm = row;
    const char *name = json_string_value(value);
    VR_ROW(balancer) balancer = {0};
    int r;

    if (json_is_null(value) || vr_streq(name, "")) {
        swarm->balancer_id = 0;
        return 0;
    }
    if (!name || *name == '/' || strstr(name, "://"))
        return vr_ref_find(w->tx, VR_RES_BALANCERS, value, &swarm->balancer_id, err);
    r = vr_store_balancer_find(w->tx, name, &balancer, err);
    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_INVALID, "balancer '%s' does not exist", name);
    if (r == 0)
        swarm->balancer_id = balancer.id;
    return r;
}

/* Whole, so that a version says also what was not asked for then. */
static json_t *show_policy(const void *row)
{
    const struct vr_swarm_row *swarm = row;
    struct vr_policy policy = vr_policy_default();
    vr_auto_json json_t *stored = NULL;

    if (vr_json_parse(vr_str(swarm->policy_json), VR_JSON_BYTES, &stored, NULL) == 0)
        vr_ignore(vr_policy_merge(&policy, stored, NULL), "what is stored was checked");
    return vr_policy_to_json_full(&policy);
}

static json_t *show_secrets(const void *row)
{
    const struct vr_swarm_row *swarm = row;

    return vr_secret_field_version(swarm->secret_config_json, swarm->secret_env_json);
}

static const struct vr_noun_field fields[] = {
    {"app", VR_NOUN_REF, offsetof(struct vr_swarm_row, app_id), true, .resource = VR_RES_APPS},
    {"squad", VR_NOUN_REF, offsetof(struct vr_swarm_row, squad_id), true,
     .resource = VR_RES_SQUADS},
    {"config_name", VR_NOUN_NAME, offsetof(struct vr_swarm_row, config_name), true, VR_NAME_CONFIG},
    {"proc_name", VR_NOUN_NAME, offsetof(struct vr_swarm_row, proc_name), true, VR_NAME_PROC},
    {"version", VR_NOUN_DEFAULT, offsetof(struct vr_swarm_row, tag), false, VR_NAME_TAG, ""},
    {"size", VR_NOUN_INT, offsetof(struct vr_swarm_row, size), .min = 0, .max = SIZE_MAX_PROCS},
    {"pool", VR_NOUN_OPTION, offsetof(struct vr_swarm_row, pool), false, VR_NAME_POOL},
    {"balancer", VR_NOUN_OWN_ID, offsetof(struct vr_swarm_row, balancer_id),
     .resource = VR_RES_BALANCERS, .read = read_balancer},
    {"config_yaml", VR_NOUN_OWN, offsetof(struct vr_swarm_row, config_yaml), .read = read_config,
     .form = VR_FORM_YAML},
    {"env_yaml", VR_NOUN_OWN, offsetof(struct vr_swarm_row, env_yaml), .read = read_env,
     .form = VR_FORM_YAML},
    {"volumes", VR_NOUN_OWN, offsetof(struct vr_swarm_row, volumes_json), .read = read_volumes,
     .form = VR_FORM_JSON},
    {"run_as", VR_NOUN_DEFAULT, offsetof(struct vr_swarm_row, run_as), false, VR_NAME_RUN_AS,
     "nobody"},
    {"mem_limit", VR_NOUN_OPTION, offsetof(struct vr_swarm_row, mem_limit), false,
     VR_NAME_MEM_SIZE},
    {"memsw_limit", VR_NOUN_OPTION, offsetof(struct vr_swarm_row, memsw_limit), false,
     VR_NAME_MEM_SIZE},
    {"paused", VR_NOUN_BOOL, offsetof(struct vr_swarm_row, paused)},
    {"policy", VR_NOUN_BESIDE, offsetof(struct vr_swarm_row, policy_json), .form = VR_FORM_JSON,
     .show = show_policy},
    {"secrets", VR_NOUN_BESIDE, offsetof(struct vr_swarm_row, secret_env_json),
     .form = VR_FORM_SECRETS, .show = show_secrets},
};

static const struct vr_noun_list lists[] = {
    {"config_ingredients", VR_RES_INGREDIENTS, vr_store_version_ingredients},
    {NULL, VR_RES_COUNT, NULL, NULL},
};

/* ------------------------------------------------------------------ what they must be together */

/* Policy fields may come by themselves, or in `policy` as a swarm shows them; the former win. */
static int read_policy(struct vr_write *w, struct vr_swarm_row *swarm, const json_t *body,
                       struct vr_err *err)
{
    struct vr_policy policy = vr_policy_default();
    vr_auto_json json_t *stored = NULL;
    vr_auto_json json_t *changed = NULL;
    int r = vr_json_parse(vr_str(swarm->policy_json), VR_JSON_BYTES, &stored, err);

    if (r == 0)
        r = vr_policy_merge(&policy, stored, err);
    w->field = "policy";
    if (r == 0)
        r = vr_policy_merge(&policy, json_object_get(body, "policy"), err);
    if (r == 0)
        r = vr_policy_merge(&policy, body, err);
    if (r < 0)
        return r;
    w->field = NULL;
    changed = vr_policy_to_json(&policy);
    if (!json_equal(stored, changed))
        vr_write_note(w, "policy", NULL, NULL);
    free(swarm->policy_json);
    swarm->policy_json = vr_json_dump_sorted(changed);
    return 0;
}

/* Without a version, the one of a release may be given instead. */
static int take_version(struct vr_write *w, struct vr_swarm_row *swarm, const json_t *body,
                        struct vr_err *err)
{
    const json_t *release = json_object_get(body, "release");
    VR_ROW(release) row = {0};
    int64_t id;
    int r;

    if (json_object_get(body, "version") || !release || json_is_null(release) || swarm->id)
        return 0;
    w->field = "release";
    r = vr_ref_find(w->tx, VR_RES_RELEASES, release, &id, err);
    if (r == 0)
        r = vr_store_release_find_id(w->tx, id, &row, err);
    if (r < 0)
        return r;
    w->field = NULL;
    vr_noun_set(&swarm->tag, row.tag);
    return 0;
}

static int refuse_foreign_pool(const struct vr_swarm_row *owner, const char *pool,
                               struct vr_err *err)
{
    vr_auto_free char *name =
        vr_label_swarm_cli(owner->app_name, owner->config_name, owner->proc_name);

    return vr_fail(err, VR_EXISTS, "pool '%s' belongs to swarm '%s'", pool, name);
}

/* A pool that another swarm serves now: a dispatch would be refused, so the wish is. */
static int check_owner(struct vr_write *w, const struct vr_swarm_row *swarm, struct vr_err *err)
{
    VR_ROW(balancer) balancer = {0};
    VR_ROW(swarm) owner = {0};
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_list struct vr_list list = {0};
    vr_auto_json json_t *pools = NULL;
    vr_auto_free char *text = NULL;
    int64_t id;
    int r = vr_store_balancer_find_id(w->tx, swarm->balancer_id, &balancer, err);

    if (r < 0)
        return r;
    /* Both names are of an alphabet that needs no escapes. */
    text = vr_strf("name=%s&balancer=%s&fields=swarm", swarm->pool, balancer.name);
    r = vr_query_parse(vr_str(text), &query, err);
    if (r == 0)
        r = vr_store_list(
            w->tx, &(struct vr_list_spec){.resource = VR_RES_POOLS, .query = query, .limit = 1},
            &list, err);
    if (r == 0)
        r = vr_json_parse(vr_str(list.objects), VR_JSON_BYTES, &pools, err);
    if (r < 0 || list.count == 0)
        return r;

    r = vr_ref_find(w->tx, VR_RES_SWARMS, json_object_get(json_array_get(pools, 0), "swarm"), &id,
                    err);
    if (r < 0 || id == swarm->id)
        return r;
    r = vr_store_swarm_find_id(w->tx, id, &owner, err);
    return r < 0 ? r : refuse_foreign_pool(&owner, swarm->pool, err);
}

/* The store joins the app's name; a swarm that is new, or moves to another app, has none yet. */
static int join_app(struct vr_write *w, struct vr_swarm_row *swarm, struct vr_err *err)
{
    VR_ROW(app) app = {0};
    int r = vr_store_app_find_id(w->tx, swarm->app_id, &app, err);

    if (r == 0)
        vr_noun_set(&swarm->app_name, app.name);
    return r;
}

/* A pool without a balancer is meant for the one that `vr up` makes. */
static int take_default_balancer(struct vr_write *w, struct vr_swarm_row *swarm, struct vr_err *err)
{
    VR_ROW(balancer) balancer = {0};
    int r = vr_store_balancer_find(w->tx, DEFAULT_BALANCER, &balancer, err);

    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_INVALID, "pool '%s' needs a balancer: name one", swarm->pool);
    if (r == 0)
        swarm->balancer_id = balancer.id;
    return r;
}

static int check(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    struct vr_swarm_row *swarm = row;
    int r = join_app(w, swarm, err);

    if (r == 0)
        r = take_version(w, swarm, body, err);
    if (r == 0)
        r = read_policy(w, swarm, body, err);
    if (r == 0)
        r = vr_secret_field_read(w,
                                 &(struct vr_secret_field){swarm->config_json, swarm->env_json,
                                                           &swarm->secret_config_json,
                                                           &swarm->secret_env_json},
                                 body, err);
    if (r < 0)
        return r;
    w->field = "mem_limit";
    r = vr_name_check_mem(swarm->mem_limit, swarm->memsw_limit, err);
    if (r < 0)
        return r;
    w->field = "balancer";
    if (swarm->pool && !swarm->balancer_id)
        r = take_default_balancer(w, swarm, err);
    if (r < 0)
        return r;
    w->field = NULL;
    return swarm->pool ? check_owner(w, swarm, err) : 0;
}

/* Are these exactly the ingredients that it has? Both lists name each once. */
static bool same_ingredients(const struct vr_ingredient_rows *rows, const int64_t *ids, size_t n)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < rows->n; k++)
            found += rows->v[k].id == ids[i];
    return found == n && rows->n == n;
}

/* `config_ingredients`, if it is given, is the whole list. */
static int set_ingredients(struct vr_write *w, const struct vr_swarm_row *swarm,
                           const json_t *references, struct vr_err *err)
{
    VR_ROWS(ingredient) rows = {0};
    vr_auto_free int64_t *ids = NULL;
    size_t n;
    int r;

    w->field = "config_ingredients";
    r = vr_ref_find_all(w->tx, VR_RES_INGREDIENTS, references, &ids, &n, err);
    if (r < 0)
        return r;
    w->field = NULL;
    r = vr_store_ingredient_list_of_swarm(w->tx, swarm->id, &rows, err);
    if (r < 0 || same_ingredients(&rows, ids, n))
        return r;
    vr_write_note(w, "config_ingredients", NULL, NULL);
    return vr_store_swarm_set_ingredients(w->tx, swarm->id, ids, n, err);
}

static int stored(struct vr_write *w, const void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_swarm_row *swarm = row;
    const json_t *ingredients = json_object_get(body, "config_ingredients");
    int r = ingredients ? set_ingredients(w, swarm, ingredients, err) : 0;

    return r < 0 ? r : vr_dispatch_refresh_merged(w->tx, swarm->id, err);
}

/* ------------------------------------------------------------------ the noun */

VR_NOUN_STORE(swarm)
VR_NOUN_UPDATE(swarm)
VR_NOUN_FIND_ID(swarm)

int vr_swarm_find(struct vr_tx *tx, const char *key, struct vr_swarm_row *out, struct vr_err *err)
{
    return swarm_find(tx, key, out, err);
}

char *vr_swarm_shortname(const struct vr_swarm_row *swarm)
{
    return vr_label_swarm_short(swarm->app_name, swarm->tag, swarm->config_name, swarm->proc_name);
}

static char *label(const void *row)
{
    return vr_swarm_shortname(row);
}

static void preset(const struct vr_write *w, void *row)
{
    struct vr_swarm_row *swarm = row;

    swarm->size = 1;
    swarm->tag = vr_strdup("");
    swarm->run_as = vr_strdup("nobody");
    swarm->volumes_json = vr_strdup("[]");
    swarm->policy_json = vr_strdup("{}");
    swarm->merged_config_json = vr_strdup("{}");
    swarm->merged_env_json = vr_strdup("{}");
    vr_yaml_field_empty(&swarm->config_yaml, &swarm->config_json);
    vr_yaml_field_empty(&swarm->env_yaml, &swarm->env_json);
}

static int64_t app_of(const void *row)
{
    const struct vr_swarm_row *swarm = row;

    return swarm->app_id;
}

const struct vr_noun vr_swarm_noun = {
    .resource = VR_RES_SWARMS,
    .title = "swarm",
    .fields = fields,
    .field_count = VR_COUNT(fields),
    .lists = lists,
    .page = "/swarms/",
    .row_bytes = sizeof(struct vr_swarm_row),
    .id_offset = offsetof(struct vr_swarm_row, id),
    .version_offset = offsetof(struct vr_swarm_row, row_version),
    .find = swarm_find,
    .insert = swarm_insert,
    .update = swarm_update,
    .remove = swarm_remove,
    .fini = swarm_fini,
    .label = label,
    .app_of = app_of,
    .preset = preset,
    .check = check,
    .stored = stored,
};

static int versions(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_versions(call, &vr_swarm_noun, err);
}

static int version(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_version(call, &vr_swarm_noun, err);
}

static int restore(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_restore(call, &vr_swarm_noun, err);
}

static int revive(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_revive(call, &vr_swarm_noun, err);
}

static int create(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_create(call, &vr_swarm_noun, err);
}

static int replace(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_replace(call, &vr_swarm_noun, err);
}

static int patch(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_patch(call, &vr_swarm_noun, err);
}

static int patch_list(struct vr_call *call, struct vr_err *err)
{
    return vr_noun_patch_list(call, &vr_swarm_noun, err);
}

static int delete (struct vr_call *call, struct vr_err *err)
{
    return vr_noun_delete(call, &vr_swarm_noun, err);
}

/* ------------------------------------------------------------------ what belongs to it */

static int list_procs(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(swarm) swarm = {0};
    vr_auto_free char *procs = NULL;
    vr_auto_view struct vr_view view;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    vr_view_init(&view, &call->who, VR_RES_PROCS);
    if (r == 0)
        r = vr_swarm_find(tx, call->args[0], &swarm, err);
    if (r == 0)
        r = vr_store_procs_json(tx, swarm.id, 0, &view.viewer, call->now, &procs, err);
    if (r == 0)
        vr_reply_text(call, 200, vr_strf("{\"objects\":%s}", procs));
    return r;
}

/* Where each key of its config and environment comes from. */
static int show_merged(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(swarm) swarm = {0};
    json_t *doc = NULL;
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_swarm_find(tx, call->args[0], &swarm, err);
    if (r == 0)
        r = vr_merged_document(tx, &swarm, &doc, err);
    if (r == 0)
        vr_reply_json(call, 200, doc);
    return r;
}

static bool has_release(const json_t *objects, const char *uri)
{
    const json_t *object;
    size_t i;

    json_array_foreach (objects, i, object)
        if (vr_streq(json_string_value(json_object_get(object, "release")), uri))
            return true;
    return false;
}

static int add_release(struct vr_tx *tx, const struct vr_swarm_row *swarm,
                       const struct vr_rollout_row *rollout, json_t *objects, struct vr_err *err)
{
    VR_ROW(release) release = {0};
    vr_auto_free char *uri = vr_ref_uri(VR_RES_RELEASES, rollout->release_id);
    vr_auto_free char *name = NULL;
    char ended[VR_WALL_TEXT_BYTES];
    int r;

    if (!rollout->release_id || has_release(objects, uri))
        return 0;
    r = vr_store_release_find_id(tx, rollout->release_id, &release, err);
    if (r < 0)
        return r;
    name = vr_label_release(release.app_name, release.tag, release.hash);
    vr_wall_format((struct vr_wall){rollout->ended_us}, false, ended);
    vr_json_push(objects,
                 json_pack("{s:s, s:I, s:s, s:s, s:s, s:s, s:s, s:b}", "release", uri, "id",
                           (json_int_t)rollout->release_id, "compiled_name", name, "tag",
                           release.tag, "hash", release.hash, "rollout", rollout->id, "ended",
                           ended, "current", vr_streq(rollout->id, swarm->current_rollout)));
    return 0;
}

/* What rollouts of it ended with, newest first, each release once. */
static int list_releases(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(swarm) swarm = {0};
    VR_ROWS(rollout) done = {0};
    vr_auto_json json_t *objects = json_array();
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_swarm_find(tx, call->args[0], &swarm, err);
    if (r == 0)
        r = vr_store_rollout_list_done(tx, swarm.id, RELEASES_LISTED, &done, err);
    for (size_t i = 0; r == 0 && i < done.n; i++)
        r = add_release(tx, &swarm, &done.v[i], objects, err);
    if (r == 0)
        vr_reply_json(call, 200, json_pack("{s:O}", "objects", objects));
    return r;
}

const struct vr_route vr_routes_swarm[] = {
    {"POST", "swarms", VR_ROLE_DEPLOYER, create, VR_SCOPE_APP},
    {"PUT", "swarms/*", VR_ROLE_DEPLOYER, replace, VR_SCOPE_APP},
    {"PATCH", "swarms/*", VR_ROLE_DEPLOYER, patch, VR_SCOPE_APP},
    {"PATCH", "swarms", VR_ROLE_DEPLOYER, patch_list, VR_SCOPE_APP},
    {"DELETE", "swarms/*", VR_ROLE_DEPLOYER, delete, VR_SCOPE_APP},
    {"POST", "swarms/*/swarm", VR_ROLE_DEPLOYER, vr_swarm_dispatch, VR_SCOPE_APP},
    {"POST", "swarms/*/rollback", VR_ROLE_DEPLOYER, vr_swarm_rollback, VR_SCOPE_APP},
    {"GET", "swarms/*/versions", VR_ROLE_VIEWER, versions},
    {"GET", "swarms/*/versions/*", VR_ROLE_VIEWER, version},
    {"POST", "swarms/*/versions/*/restore", VR_ROLE_DEPLOYER, restore, VR_SCOPE_APP},
    {"POST", "swarms/versions/*/restore", VR_ROLE_DEPLOYER, revive, VR_SCOPE_APP},
    {"GET", "swarms/*/procs", VR_ROLE_VIEWER, list_procs},
    {"GET", "swarms/*/releases", VR_ROLE_VIEWER, list_releases},
    {"GET", "swarms/*/merged", VR_ROLE_VIEWER, show_merged},
    {NULL},
};
