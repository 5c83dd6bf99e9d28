/* SPDX-License-Identifier: MIT */
/* Writing apps and buildpacks. */
#include "store/app.h"
#include "model/secret.h"
#include "server/api/noun_history.h"
#include "store/buildpack.h"

#include <string.h>

#define ORDER_MAX 1000000

/*
 * The credentials in the URL of a repository are masked in what is shown. Such a text may come
 * back, and means what is there already.
 */
static int keep_url(const char *url, const char *text, bool *out_is_kept, struct vr_err *err)
{
    vr_auto_free char *shown = url ? vr_secret_masked_url(url) : NULL;

    *out_is_kept = shown && vr_streq(text, shown);
    if (!*out_is_kept && text && strstr(text, VR_SECRET_MASK))
        return vr_fail(err, VR_INVALID, "the credentials of this URL are masked: send them");
    return 0;
}

/* What a version keeps. */
static json_t *masked_url(const char *url)
{
    vr_auto_free char *shown = vr_secret_masked_url(url);

    return json_string(shown);
}

/* ------------------------------------------------------------------ apps */

/* Blanks around it are tolerated; an alias of the configuration stands for a URL. */
static int read_repo_url(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_app_row *app = row;
    const char *text = json_string_value(value);
    vr_auto_free char *url = NULL;
    vr_auto_free char *resolved = NULL;
    bool is_kept;
    size_t n;
    int r = keep_url(app->repo_url, text, &is_kept, err);

    if (r < 0 || is_kept)
        return r;
    if (!text)
        return vr_fail(err, VR_INVALID, "field 'repo_url' is not a text");
    text += strspn(text, " \t\r\n");
    for (n = strlen(text); n && strchr(" \t\r\n", text[n - 1]);)
        n--;
    url = vr_strndup(text, n);
    if (n > vr_name_max(VR_NAME_REPO_URL))
        return vr_name_check(VR_NAME_REPO_URL, url, err);
    r = vr_store_app_resolve_url(w->tx, url, &resolved, err);
    if (r == 0)
        r = vr_name_check(VR_NAME_REPO_URL, resolved, err);
    if (r == 0)
        vr_noun_set(&app->repo_url, url);
    return r;
}

static json_t *show_repo_url(const void *row)
{
    const struct vr_app_row *app = row;

    return masked_url(app->repo_url);
}

static const struct vr_noun_field app_fields[] = {
    {"name", VR_NOUN_NAME, offsetof(struct vr_app_row, name), true, VR_NAME_APP},
    {"repo_url", VR_NOUN_OWN, offsetof(struct vr_app_row, repo_url), true, .read = read_repo_url,
     .show = show_repo_url},
    {"repo_type", VR_NOUN_DEFAULT, offsetof(struct vr_app_row, repo_type), false, VR_NAME_REPO_TYPE,
     "git"},
    {"buildpack", VR_NOUN_REF_NULL, offsetof(struct vr_app_row, buildpack_id),
     .resource = VR_RES_BUILDPACKS},
    {"stack", VR_NOUN_REF_NULL, offsetof(struct vr_app_row, stack_id), .resource = VR_RES_STACKS},
};

VR_NOUN_STORE(app)
VR_NOUN_UPDATE(app)
VR_NOUN_FIND_NAME(app)

static char *app_label(const void *row)
{
    const struct vr_app_row *app = row;

    return vr_strdup(app->name);
}

static void app_preset(const struct vr_write *w, void *row)
{
    struct vr_app_row *app = row;

    app->repo_type = vr_strdup("git");
}

static int64_t app_app_of(const void *row)
{
    const struct vr_app_row *app = row;

    return app->id;
}

static const struct vr_noun app_noun = {
    .resource = VR_RES_APPS,
    .title = "app",
    .fields = app_fields,
    .field_count = VR_COUNT(app_fields),
    .page = "/apps/",
    .is_keyed_by_name = true,
    .row_bytes = sizeof(struct vr_app_row),
    .id_offset = offsetof(struct vr_app_row, id),
    .version_offset = offsetof(struct vr_app_row, row_version),
    .find = app_find,
    .insert = app_insert,
    .update = app_update,
    .remove = app_remove,
    .fini = app_fini,
    .label = app_label,
    .app_of = app_app_of,
    .preset = app_preset,
};

VR_NOUN_HANDLER(app, create)
VR_NOUN_HANDLER(app, replace)
VR_NOUN_HANDLER(app, patch)
VR_NOUN_HANDLER(app, patch_list)
VR_NOUN_HANDLER(app, delete)
VR_NOUN_HISTORY(app)

/* ------------------------------------------------------------------ buildpacks */

/* Those that we ship are `builtin:<name>`; others are repositories, with a revision behind `#`. */
static int read_url(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_buildpack_row *buildpack = row;
    const char *text = json_string_value(value);
    bool is_kept;
    int r = keep_url(buildpack->repo_url, text, &is_kept, err);

    if (r < 0 || is_kept)
        return r;
    if (vr_str_has_prefix(text ? text : "", "builtin:"))
        r = vr_name_check(VR_NAME_INGREDIENT, text + strlen("builtin:"), err);
    else
        r = vr_name_check(VR_NAME_REPO_URL, text, err);
    if (r == 0)
        vr_noun_set(&buildpack->repo_url, text);
    return r;
}

static json_t *show_url(const void *row)
{
    const struct vr_buildpack_row *buildpack = row;

    return masked_url(buildpack->repo_url);
}

static const struct vr_noun_field buildpack_fields[] = {
    {"repo_url", VR_NOUN_OWN, offsetof(struct vr_buildpack_row, repo_url), .required = true,
     .read = read_url, .show = show_url},
    {"repo_type", VR_NOUN_DEFAULT, offsetof(struct vr_buildpack_row, repo_type), false,
     VR_NAME_REPO_TYPE, "git"},
    {"desc", VR_NOUN_TEXT, offsetof(struct vr_buildpack_row, description)},
    {"order", VR_NOUN_INT, offsetof(struct vr_buildpack_row, ord), .min = 0, .max = ORDER_MAX},
};

VR_NOUN_STORE(buildpack)
VR_NOUN_UPDATE(buildpack)
VR_NOUN_FIND_ID(buildpack)

static char *buildpack_label(const void *row)
{
    const struct vr_buildpack_row *buildpack = row;

    return vr_secret_masked_url(buildpack->repo_url);
}

static void buildpack_preset(const struct vr_write *w, void *row)
{
    struct vr_buildpack_row *buildpack = row;

    buildpack->repo_type = vr_strdup("git");
    buildpack->description = vr_strdup("");
}

static const struct vr_noun buildpack_noun = {
    .resource = VR_RES_BUILDPACKS,
    .title = "buildpack",
    .fields = buildpack_fields,
    .field_count = VR_COUNT(buildpack_fields),
    .row_bytes = sizeof(struct vr_buildpack_row),
    .id_offset = offsetof(struct vr_buildpack_row, id),
    .version_offset = offsetof(struct vr_buildpack_row, row_version),
    .find = buildpack_find,
    .insert = buildpack_insert,
    .update = buildpack_update,
    .remove = buildpack_remove,
    .fini = buildpack_fini,
    .label = buildpack_label,
    .preset = buildpack_preset,
};

VR_NOUN_HANDLER(buildpack, create)
VR_NOUN_HANDLER(buildpack, replace)
VR_NOUN_HANDLER(buildpack, patch)
VR_NOUN_HANDLER(buildpack, patch_list)
VR_NOUN_HANDLER(buildpack, delete)
VR_NOUN_HISTORY(buildpack)

const struct vr_route vr_routes_app[] = {
    {"POST", "apps", VR_ROLE_DEPLOYER, app_create},
    {"PUT", "apps/*", VR_ROLE_DEPLOYER, app_replace, VR_SCOPE_APP},
    {"PATCH", "apps/*", VR_ROLE_DEPLOYER, app_patch, VR_SCOPE_APP},
    {"PATCH", "apps", VR_ROLE_DEPLOYER, app_patch_list, VR_SCOPE_APP},
    {"DELETE", "apps/*", VR_ROLE_DEPLOYER, app_delete, VR_SCOPE_APP},
    {"POST", "buildpacks", VR_ROLE_ADMIN, buildpack_create},
    {"PUT", "buildpacks/*", VR_ROLE_ADMIN, buildpack_replace},
    {"PATCH", "buildpacks/*", VR_ROLE_ADMIN, buildpack_patch},
    {"PATCH", "buildpacks", VR_ROLE_ADMIN, buildpack_patch_list},
    {"DELETE", "buildpacks/*", VR_ROLE_ADMIN, buildpack_delete},
    VR_NOUN_HISTORY_ROUTES(app, "apps", VR_ROLE_VIEWER, VR_ROLE_DEPLOYER, VR_SCOPE_APP),
    VR_NOUN_HISTORY_ROUTES(buildpack, "buildpacks", VR_ROLE_VIEWER, VR_ROLE_ADMIN,
                           VR_SCOPE_PLATFORM),
    {NULL},
};
