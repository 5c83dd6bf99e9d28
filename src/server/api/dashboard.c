/* SPDX-License-Identifier: MIT */
/* Dashboards, and the profiles that prefer some of them. */
#include "store/dashboard.h"
#include "server/api/noun_history.h"
#include "server/api/resource.h"
#include "store/profile.h"
#include "store/version.h"

#include <ctype.h>
#include <inttypes.h>

#define SLUG_BYTES 45  /* made of a name; leaves room for a number */
#define SLUG_TRIES 100 /* names that differ in capitals and spaces only */

/* ------------------------------------------------------------------ dashboards */

static const struct vr_noun_field dashboard_fields[] = {
    {"name", VR_NOUN_NAME, offsetof(struct vr_dashboard_row, name), true, VR_NAME_DISPLAY},
    {"slug", VR_NOUN_OPTION, offsetof(struct vr_dashboard_row, slug), false,
     VR_NAME_DASHBOARD_SLUG},
};

VR_NOUN_STORE(dashboard)
VR_NOUN_UPDATE(dashboard)
VR_NOUN_FIND_ID(dashboard)

static char *dashboard_label(const void *row)
{
    const struct vr_dashboard_row *dashboard = row;

    return vr_strdup(dashboard->slug);
}

/* "Team Ärger 2" → "team-rger-2": lower case, a dash for each run of what an address cannot have.
 */
static char *slug_of(const char *name)
{
    vr_auto_buf struct vr_buf slug = VR_BUF(256);

    for (; *name && slug.len < SLUG_BYTES; name++) {
        if (isascii(*name) && (isalnum((unsigned char)*name) || strchr("_.", *name)))
            vr_buf_addc(&slug, (char)tolower((unsigned char)*name));
        else if (isascii(*name) && slug.len && slug.p[slug.len - 1] != '-')
            vr_buf_addc(&slug, '-');
    }
    return vr_strdup(slug.len ? vr_buf_text(&slug) : "dashboard");
}

/* One that nobody has: the name's own, else with a number behind it. */
static int make_slug(struct vr_write *w, struct vr_dashboard_row *dashboard, struct vr_err *err)
{
    vr_auto_free char *slug = slug_of(dashboard->name);

    for (int i = 1; i <= SLUG_TRIES; i++) {
        vr_auto_free char *numbered = vr_strf(i > 1 ? "%s-%d" : "%s", slug, i);
        VR_ROW(dashboard) other = {0};
        int r = vr_store_dashboard_find_slug(w->tx, numbered, dashboard->id, &other, err);

        if (r == -VR_NOT_FOUND) {
            vr_noun_set(&dashboard->slug, numbered);
            return 0;
        }
        if (r < 0)
            return r;
    }
    return vr_fail(err, VR_EXISTS, "there are %d dashboards like '%s': give a slug", SLUG_TRIES,
                   slug);
}

static int dashboard_check(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    struct vr_dashboard_row *dashboard = row;

    return dashboard->slug ? 0 : make_slug(w, dashboard, err);
}

/* `apps`, if it is given, is the whole list. */
static int set_apps(struct vr_write *w, const void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_dashboard_row *dashboard = row;
    const json_t *apps = json_object_get(body, "apps");
    vr_auto_free int64_t *ids = NULL;
    size_t n;
    int r;

    if (!apps)
        return 0;
    w->field = "apps";
    r = vr_ref_find_all(w->tx, VR_RES_APPS, apps, &ids, &n, err);
    if (r < 0)
        return r;
    w->field = NULL;
    vr_write_note(w, "apps", NULL, NULL);
    return vr_store_dashboard_set_apps(w->tx, dashboard->id, ids, n, err);
}

static const struct vr_noun_list dashboard_lists[] = {
    {"apps", VR_RES_APPS, vr_store_version_dashboard_apps},
    {NULL, VR_RES_COUNT, NULL, NULL},
};

static const struct vr_noun dashboard_noun = {
    .resource = VR_RES_DASHBOARDS,
    .title = "dashboard",
    .fields = dashboard_fields,
    .field_count = VR_COUNT(dashboard_fields),
    .lists = dashboard_lists,
    .page = "/d/",
    .row_bytes = sizeof(struct vr_dashboard_row),
    .id_offset = offsetof(struct vr_dashboard_row, id),
    .version_offset = offsetof(struct vr_dashboard_row, row_version),
    .find = dashboard_find,
    .insert = dashboard_insert,
    .update = dashboard_update,
    .remove = dashboard_remove,
    .fini = dashboard_fini,
    .label = dashboard_label,
    .check = dashboard_check,
    .stored = set_apps,
};

VR_NOUN_HANDLER(dashboard, create)
VR_NOUN_HANDLER(dashboard, replace)
VR_NOUN_HANDLER(dashboard, patch)
VR_NOUN_HANDLER(dashboard, patch_list)
VR_NOUN_HANDLER(dashboard, delete)
VR_NOUN_HISTORY(dashboard)

/* ------------------------------------------------------------------ profiles */

static const struct vr_noun_field profile_fields[] = {
    {"default_dashboard", VR_NOUN_REF_NULL, offsetof(struct vr_profile_row, default_dashboard_id),
     .resource = VR_RES_DASHBOARDS},
};

VR_NOUN_UPDATE(profile)
VR_NOUN_FIND_ID(profile)

static void profile_fini(void *row)
{
    vr_profile_row_fini(row);
}

static char *profile_label(const void *row)
{
    const struct vr_profile_row *profile = row;

    return vr_strf("%" PRId64, profile->id);
}

/* Users change their own; admins those of all. */
static int profile_check(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_profile_row *profile = row;

    if (profile->user_id == w->call->who.id || w->call->who.role >= VR_ROLE_ADMIN)
        return 0;
    return vr_fail(err, VR_NOT_FOUND, "profile '%" PRId64 "' does not exist", profile->id);
}

static int set_quick(struct vr_write *w, const void *row, const json_t *body, struct vr_err *err)
{
    const struct vr_profile_row *profile = row;
    const json_t *quick = json_object_get(body, "quick_dashboards");
    vr_auto_free int64_t *ids = NULL;
    size_t n;
    int r;

    if (!quick)
        return 0;
    w->field = "quick_dashboards";
    r = vr_ref_find_all(w->tx, VR_RES_DASHBOARDS, quick, &ids, &n, err);
    if (r < 0)
        return r;
    w->field = NULL;
    vr_write_note(w, "quick_dashboards", NULL, NULL);
    return vr_store_profile_set_quick(w->tx, profile->id, ids, n, err);
}

static const struct vr_noun_list profile_lists[] = {
    {"quick_dashboards", VR_RES_DASHBOARDS, vr_store_version_quick_dashboards},
    {NULL, VR_RES_COUNT, NULL, NULL},
};

static const struct vr_noun profile_noun = {
    .resource = VR_RES_PROFILES,
    .title = "profile",
    .fields = profile_fields,
    .field_count = VR_COUNT(profile_fields),
    .lists = profile_lists,
    .row_bytes = sizeof(struct vr_profile_row),
    .id_offset = offsetof(struct vr_profile_row, id),
    .version_offset = offsetof(struct vr_profile_row, row_version),
    .find = profile_find,
    .update = profile_update,
    .fini = profile_fini,
    .label = profile_label,
    .check = profile_check,
    .stored = set_quick,
};

VR_NOUN_HANDLER(profile, replace)
VR_NOUN_HANDLER(profile, patch)

/* The one who asks has a profile from here on. */
static int make_own(struct vr_call *call, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(profile) profile = {0};
    int r = vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_profile_find_user(tx, call->who.id, &profile, err);
    if (r != -VR_NOT_FOUND)
        return r;
    tx = vr_tx_free(tx);
    r = vr_store_begin(call->server->store, VR_DB_WRITE, &tx, err);
    if (r == 0)
        r = vr_store_profile_insert(tx, call->who.id, err);
    if (r == 0)
        r = vr_server_commit(call->server, tx, err);
    return r == -VR_EXISTS ? 0 : r; /* another request was faster */
}

static int list_own(struct vr_call *call, struct vr_err *err)
{
    int r = make_own(call, err);

    return r < 0 ? r : vr_resource_list(call, err);
}

const struct vr_route vr_routes_dashboard[] = {
    {"POST", "dashboard", VR_ROLE_DEPLOYER, dashboard_create},
    {"PUT", "dashboard/*", VR_ROLE_DEPLOYER, dashboard_replace},
    {"PATCH", "dashboard/*", VR_ROLE_DEPLOYER, dashboard_patch},
    {"PATCH", "dashboard", VR_ROLE_DEPLOYER, dashboard_patch_list},
    {"DELETE", "dashboard/*", VR_ROLE_DEPLOYER, dashboard_delete},
    VR_NOUN_HISTORY_ROUTES(dashboard, "dashboard", VR_ROLE_VIEWER, VR_ROLE_DEPLOYER,
                           VR_SCOPE_PLATFORM),
    {"GET", "profile", VR_ROLE_VIEWER, list_own},
    {"PUT", "profile/*", VR_ROLE_VIEWER, profile_replace, VR_SCOPE_OWN},
    {"PATCH", "profile/*", VR_ROLE_VIEWER, profile_patch, VR_SCOPE_OWN},
    {NULL},
};
