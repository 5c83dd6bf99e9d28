/* SPDX-License-Identifier: MIT */
/*
 * Versions of the original: rows of django-reversion, which holds each object as Django's
 * serializer wrote it. Ours keep the fields that a user may write; ids are the same, so references
 * are too.
 */
#include "server/import/versions.h"

#include "core/clock.h"
#include "fmt/json.h"
#include "model/field.h"
#include "model/secret.h"
#include "server/import/value.h"

#include <string.h>

enum kind {
    PLAIN,  /* as it is; "" and null are what they were */
    DICT,   /* YAML text, in our canonical form */
    LISTED, /* volumes: YAML text that we keep as a list */
    REF,    /* an id */
    REFS,   /* a list of ids */
    TAG,    /* of a release, by its id */
    URL,    /* of a repository: without credentials */
};

struct field {
    const char *from, *to;
    enum kind kind;
    const char *table; /* of the original, that a reference is to */
};

struct model {
    const char *name; /* of Django: "swarm" */
    const char *resource;
    const struct field *fields;
    size_t count;
};

#define FIELDS(table) table, VR_COUNT(table)

static const struct field app_fields[] = {
    {"name", "name", PLAIN},
    {"repo_url", "repo_url", URL},
    {"repo_type", "repo_type", PLAIN},
    {"buildpack", "buildpack", REF, "deployment_buildpack"},
    {"stack", "stack", REF, "deployment_osstack"},
};

static const struct field buildpack_fields[] = {
    {"repo_url", "repo_url", URL},
    {"repo_type", "repo_type", PLAIN},
    {"desc", "desc", PLAIN},
    {"order", "order", PLAIN},
};

static const struct field stack_fields[] = {
    {"name", "name", PLAIN},
    {"desc", "desc", PLAIN},
    {"base_image_url", "base_image_url", PLAIN},
};

static const struct field squad_fields[] = {
    {"name", "name", PLAIN},
};

static const struct field host_fields[] = {
    {"active", "active", PLAIN},
    {"squad", "squad", REF, "deployment_squad"},
};

static const struct field ingredient_fields[] = {
    {"name", "name", PLAIN},
    {"config_yaml", "config_yaml", DICT},
    {"env_yaml", "env_yaml", DICT},
};

static const struct field swarm_fields[] = {
    {"app", "app", REF, "deployment_app"},
    {"release", "version", TAG},
    {"config_name", "config_name", PLAIN},
    {"proc_name", "proc_name", PLAIN},
    {"squad", "squad", REF, "deployment_squad"},
    {"size", "size", PLAIN},
    {"pool", "pool", PLAIN},
    {"config_yaml", "config_yaml", DICT},
    {"env_yaml", "env_yaml", DICT},
    {"volumes", "volumes", LISTED},
    {"run_as", "run_as", PLAIN},
    {"mem_limit", "mem_limit", PLAIN},
    {"memsw_limit", "memsw_limit", PLAIN},
    {"config_ingredients", "config_ingredients", REFS, "deployment_configingredient"},
};

static const struct field dashboard_fields[] = {
    {"name", "name", PLAIN},
    {"slug", "slug", PLAIN},
    {"apps", "apps", REFS, "deployment_app"},
};

static const struct model models[] = {
    {"app", "apps", FIELDS(app_fields)},
    {"buildpack", "buildpacks", FIELDS(buildpack_fields)},
    {"osstack", "stacks", FIELDS(stack_fields)},
    {"squad", "squads", FIELDS(squad_fields)},
    {"host", "hosts", FIELDS(host_fields)},
    {"configingredient", "ingredients", FIELDS(ingredient_fields)},
    {"swarm", "swarms", FIELDS(swarm_fields)},
    {"dashboard", "dashboard", FIELDS(dashboard_fields)},
};

/* ------------------------------------------------------------------ fields */

static json_t *name_of(const struct vr_importer *im, const char *table, const json_t *id)
{
    vr_auto_free char *text =
        json_is_string(id) ? vr_strdup(json_string_value(id)) : vr_json_dump(id);
    const json_t *kept = vr_import_taken(im, table, text);
    json_t *name = json_object_get(kept, "name");

    return name ? json_incref(name) : json_null();
}

static json_t *reference(const struct vr_importer *im, const char *table, const json_t *id)
{
    if (!json_is_integer(id))
        return json_null();
    return json_pack("{s:O, s:o}", "id", id, "name", name_of(im, table, id));
}

static json_t *references(const struct vr_importer *im, const char *table, const json_t *ids)
{
    json_t *list = json_array();
    size_t i;
    json_t *id;

    json_array_foreach (ids, i, id)
        vr_json_push(list, reference(im, table, id));
    return list;
}

/* Text that is no YAML any more is kept as it was: it is a record. */
static json_t *canonical(const json_t *value, bool is_list)
{
    vr_auto_field struct vr_field field = {0};
    int r = is_list ? vr_field_volumes(value, &field, NULL) : vr_field_dict(value, &field, NULL);

    if (r < 0)
        return json_incref((json_t *)value);
    return is_list ? (field.json ? json_incref(field.json) : json_null()) : json_string(field.yaml);
}

static json_t *tag_of(const struct vr_importer *im, const json_t *release)
{
    vr_auto_free char *id = release ? vr_json_dump(release) : NULL;
    const json_t *kept = vr_import_taken(im, "deployment_release", id);
    json_t *tag = json_object_get(kept, "tag");

    return tag ? json_incref(tag) : json_string("");
}

static json_t *masked(const json_t *value)
{
    vr_auto_free char *url =
        json_is_string(value) ? vr_secret_masked_url(json_string_value(value)) : NULL;

    return url ? json_string(url) : json_null();
}

static json_t *field_value(const struct vr_importer *im, const struct field *field,
                           const json_t *value)
{
    switch (field->kind) {
    case PLAIN:
        break;
    case DICT:
    case LISTED:
        return canonical(value, field->kind == LISTED);
    case REF:
        return reference(im, field->table, value);
    case REFS:
        return references(im, field->table, value);
    case TAG:
        return tag_of(im, value);
    case URL:
        return masked(value);
    }
    return json_incref((json_t *)value);
}

/* ------------------------------------------------------------------ rows */

static const char *text_of(const json_t *row, const char *column)
{
    return json_string_value(json_object_get(row, column));
}

static const struct model *model_of(const struct vr_importer *im, const char *type)
{
    const char *name = text_of(vr_import_taken(im, "django_content_type", type), "model");

    for (size_t i = 0; i < VR_COUNT(models); i++)
        if (vr_streq(models[i].name, name))
            return &models[i];
    return NULL;
}

/* `[{"model": "deployment.swarm", "pk": 5, "fields": {…}}]` */
static int read_fields(const struct vr_importer *im, const struct model *model, const char *text,
                       char **out, struct vr_err *err)
{
    vr_auto_json json_t *list = NULL, *data = json_object();
    const json_t *fields;
    int r = vr_json_parse(vr_str(text ? text : ""), VR_JSON_BYTES, &list, err);

    if (r < 0)
        return vr_fail_in(err, r, "serialized_data");
    fields = json_object_get(json_array_get(list, 0), "fields");
    for (size_t i = 0; i < model->count; i++) {
        const json_t *value = json_object_get(fields, model->fields[i].from);

        if (value)
            vr_json_set(data, model->fields[i].to, field_value(im, &model->fields[i], value));
    }
    *out = vr_json_dump_sorted(data);
    return 0;
}

static const char *action_of(const char *comment)
{
    if (vr_str_has_prefix(comment, "Created") || vr_str_has_prefix(comment, "Added"))
        return "create";
    return vr_str_has_prefix(comment, "Deleted") ? "delete" : "update";
}

int vr_import_version(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    const json_t *revision = vr_import_taken(im, "reversion_revision", text_of(in, "revision_id"));
    const struct model *model = model_of(im, text_of(in, "content_type_id"));
    const char *user = text_of(revision, "user_id"), *comment = text_of(revision, "comment");
    const json_t *known = vr_import_taken(im, "auth_user", user);
    vr_auto_free char *data = NULL;
    int64_t object = 0, time = 0;
    int r;

    if (!model || !revision)
        return -VR_NOT_FOUND; /* of something that ours have no versions of */
    r = vr_parse_i64(vr_str(text_of(in, "object_id")), 1, INT64_MAX, &object, err);
    if (r == 0)
        r = vr_import_time(text_of(revision, "date_created"), &time, err);
    if (r == 0)
        r = read_fields(im, model, text_of(in, "serialized_data"), &data, err);
    if (r == 0 && known)
        r = vr_import_value(VR_IMPORT_INT, user, "user_id", out, err);
    if (r < 0)
        return r;
    vr_json_set(out, "resource", json_string(model->resource));
    vr_json_set(out, "object_id", json_integer(object));
    vr_json_set(out, "object_name", json_incref(json_object_get(in, "object_repr")));
    vr_json_set(out, "row_version", json_integer(0));
    vr_json_set(out, "action", json_string(action_of(comment ? comment : "")));
    vr_json_set(out, "username", json_string(known ? text_of(known, "username") : ""));
    vr_json_set(out, "time_us", json_integer(time));
    vr_json_set(out, "comment", json_string(comment ? comment : ""));
    vr_json_set(out, "data_json", json_string(data));
    return 0;
}
