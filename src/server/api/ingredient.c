/* SPDX-License-Identifier: MIT */
/* Writing ingredients: what swarms merge into their config follows in the same transaction. */
#include "store/ingredient.h"
#include "engine/dispatch.h"
#include "server/api/noun_history.h"
#include "server/api/secret_field.h"
#include "server/api/yaml_field.h"
#include "store/swarm.h"

static int read_config(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_ingredient_row *ingredient = row;

    return vr_yaml_field_dict(value, &ingredient->config_yaml, &ingredient->config_json, err);
}

static int read_env(struct vr_write *w, void *row, const json_t *value, struct vr_err *err)
{
    struct vr_ingredient_row *ingredient = row;

    return vr_yaml_field_env(value, &ingredient->env_yaml, &ingredient->env_json, err);
}

static json_t *show_secrets(const void *row)
{
    const struct vr_ingredient_row *ingredient = row;

    return vr_secret_field_version(ingredient->secret_config_json, ingredient->secret_env_json);
}

static const struct vr_noun_field ingredient_fields[] = {
    {"name", VR_NOUN_NAME, offsetof(struct vr_ingredient_row, name), true, VR_NAME_INGREDIENT},
    {"config_yaml", VR_NOUN_OWN, offsetof(struct vr_ingredient_row, config_yaml),
     .read = read_config, .form = VR_FORM_YAML},
    {"env_yaml", VR_NOUN_OWN, offsetof(struct vr_ingredient_row, env_yaml), .read = read_env,
     .form = VR_FORM_YAML},
    {"secrets", VR_NOUN_BESIDE, offsetof(struct vr_ingredient_row, secret_env_json),
     .form = VR_FORM_SECRETS, .show = show_secrets},
};

VR_NOUN_STORE(ingredient)
VR_NOUN_UPDATE(ingredient)
VR_NOUN_FIND_ID(ingredient)

static char *ingredient_label(const void *row)
{
    const struct vr_ingredient_row *ingredient = row;

    return vr_strdup(ingredient->name);
}

static void ingredient_preset(const struct vr_write *w, void *row)
{
    struct vr_ingredient_row *ingredient = row;

    vr_yaml_field_empty(&ingredient->config_yaml, &ingredient->config_json);
    vr_yaml_field_empty(&ingredient->env_yaml, &ingredient->env_json);
}

static int check_secrets(struct vr_write *w, void *row, const json_t *body, struct vr_err *err)
{
    struct vr_ingredient_row *ingredient = row;

    return vr_secret_field_read(
        w,
        &(struct vr_secret_field){ingredient->config_json, ingredient->env_json,
                                  &ingredient->secret_config_json, &ingredient->secret_env_json},
        body, err);
}

static int refresh_swarms(struct vr_write *w, const void *row, const json_t *body,
                          struct vr_err *err)
{
    const struct vr_ingredient_row *ingredient = row;
    VR_ROWS(swarm) swarms = {0};
    int r = vr_store_swarm_list_of_ingredient(w->tx, ingredient->id, &swarms, err);

    for (size_t i = 0; r == 0 && i < swarms.n; i++)
        r = vr_dispatch_refresh_merged(w->tx, swarms.v[i].id, err);
    return r;
}

static const struct vr_noun ingredient_noun = {
    .resource = VR_RES_INGREDIENTS,
    .title = "ingredient",
    .fields = ingredient_fields,
    .field_count = VR_COUNT(ingredient_fields),
    .page = "/ingredients/",
    .row_bytes = sizeof(struct vr_ingredient_row),
    .id_offset = offsetof(struct vr_ingredient_row, id),
    .version_offset = offsetof(struct vr_ingredient_row, row_version),
    .find = ingredient_find,
    .insert = ingredient_insert,
    .update = ingredient_update,
    .remove = ingredient_remove,
    .fini = ingredient_fini,
    .label = ingredient_label,
    .preset = ingredient_preset,
    .check = check_secrets,
    .stored = refresh_swarms,
};

VR_NOUN_HANDLER(ingredient, create)
VR_NOUN_HANDLER(ingredient, replace)
VR_NOUN_HANDLER(ingredient, patch)
VR_NOUN_HANDLER(ingredient, patch_list)
VR_NOUN_HANDLER(ingredient, delete)
VR_NOUN_HISTORY(ingredient)

const struct vr_route vr_routes_ingredient[] = {
    {"POST", "ingredients", VR_ROLE_DEPLOYER, ingredient_create},
    {"PUT", "ingredients/*", VR_ROLE_DEPLOYER, ingredient_replace},
    {"PATCH", "ingredients/*", VR_ROLE_DEPLOYER, ingredient_patch},
    {"PATCH", "ingredients", VR_ROLE_DEPLOYER, ingredient_patch_list},
    {"DELETE", "ingredients/*", VR_ROLE_DEPLOYER, ingredient_delete},
    VR_NOUN_HISTORY_ROUTES(ingredient, "ingredients", VR_ROLE_VIEWER, VR_ROLE_DEPLOYER,
                           VR_SCOPE_PLATFORM),
    {NULL},
};
