/* SPDX-License-Identifier: MIT */
/*
 * The platform's objects as YAML.
 *
 * Objects of the server are brought into the form of the files, with names in place of URIs and
 * mappings in place of YAML text; wish and reality are compared in that form, and only what
 * differs is turned back into what the API takes. So what `vr export` wrote is what `vr apply`
 * finds unchanged.
 */
#include "cli/manifest.h"

#include "cli/api.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <string.h>

#define FIELDS(table) table, VR_COUNT(table)

static const struct vr_manifest_field stack_fields[] = {
    {"desc", "desc", VR_MANIFEST_TEXT},
    {"base_image_url", "base_image_url", VR_MANIFEST_TEXT},
};

static const struct vr_manifest_field buildpack_fields[] = {
    {"repo_type", "repo_type", VR_MANIFEST_TEXT},
    {"desc", "desc", VR_MANIFEST_TEXT},
    {"order", "order", VR_MANIFEST_VALUE},
};

static const struct vr_manifest_field host_fields[] = {
    {"active", "active", VR_MANIFEST_VALUE},
    {"squad", "squad", VR_MANIFEST_REF, "squad"},
};

static const struct vr_manifest_field app_fields[] = {
    {"repo_url", "repo_url", VR_MANIFEST_TEXT},
    {"repo_type", "repo_type", VR_MANIFEST_TEXT},
    {"buildpack", "buildpack", VR_MANIFEST_REF, "buildpack"},
    {"stack", "stack", VR_MANIFEST_REF, "stack"},
};

static const struct vr_manifest_field ingredient_fields[] = {
    {"config", "config_yaml", VR_MANIFEST_DICT},
    {"env", "env_yaml", VR_MANIFEST_DICT},
    {"secrets", "secrets", VR_MANIFEST_SECRETS},
};

static const struct vr_manifest_field swarm_fields[] = {
    {"squad", "squad", VR_MANIFEST_REF, "squad"},
    {"tag", "version", VR_MANIFEST_TEXT},
    {"size", "size", VR_MANIFEST_VALUE},
    {"pool", "pool", VR_MANIFEST_TEXT},
    {"balancer", "balancer", VR_MANIFEST_TEXT},
    {"ingredients", "config_ingredients", VR_MANIFEST_REFS, "ingredient"},
    {"config", "config_yaml", VR_MANIFEST_DICT},
    {"env", "env_yaml", VR_MANIFEST_DICT},
    {"secrets", "secrets", VR_MANIFEST_SECRETS},
    {"volumes", "volumes", VR_MANIFEST_VALUE},
    {"run_as", "run_as", VR_MANIFEST_TEXT},
    {"mem_limit", "mem_limit", VR_MANIFEST_TEXT},
    {"memsw_limit", "memsw_limit", VR_MANIFEST_TEXT},
    {"policy", "policy", VR_MANIFEST_VALUE},
};

static const struct vr_manifest_field dashboard_fields[] = {
    {"name", "name", VR_MANIFEST_TEXT},
    {"apps", "apps", VR_MANIFEST_REFS, "app"},
};

static const struct vr_manifest_field user_fields[] = {
    {"role", "role", VR_MANIFEST_TEXT},
    {"first_name", "first_name", VR_MANIFEST_TEXT},
    {"last_name", "last_name", VR_MANIFEST_TEXT},
    {"email", "email", VR_MANIFEST_TEXT},
    {"is_active", "is_active", VR_MANIFEST_VALUE},
    {"grants", "grants", VR_MANIFEST_GRANTS},
};

const struct vr_manifest_kind vr_manifest_kinds[] = {
    {"stacks", "stack", "name", FIELDS(stack_fields)},
    {"buildpacks", "buildpack", "repo_url", FIELDS(buildpack_fields)},
    {"squads", "squad", "name", NULL, 0},
    {"hosts", "host", "name", FIELDS(host_fields), .is_found = true},
    {"apps", "app", "name", FIELDS(app_fields)},
    {"ingredients", "ingredient", "name", FIELDS(ingredient_fields)},
    {"swarms", "swarm", NULL, FIELDS(swarm_fields)},
    {"dashboards", "dashboard", "slug", FIELDS(dashboard_fields)},
    /* A user needs a password, which has no place in a file: made by `vr user add`. */
    {"users", "user", "username", FIELDS(user_fields), .is_found = true},
    {NULL},
};

const struct vr_manifest_kind *vr_manifest_kind_find(const char *section)
{
    for (const struct vr_manifest_kind *k = vr_manifest_kinds; k->section; k++)
        if (vr_streq(k->section, section))
            return k;
    return NULL;
}

static const struct vr_manifest_field *field_of(const struct vr_manifest_kind *kind,
                                                const char *name)
{
    for (size_t i = 0; i < kind->field_count; i++)
        if (vr_streq(kind->fields[i].name, name))
            return &kind->fields[i];
    return NULL;
}

/* ------------------------------------------------------------------ reading */

static int read_text(const char *file, char **out, size_t *out_n, struct vr_err *err)
{
    return vr_streq(file, "-") ? vr_fd_read_all(STDIN_FILENO, VR_YAML_BYTES, out, out_n, err)
                               : vr_fs_read(file, VR_YAML_BYTES, out, out_n, err);
}

static int check_fields(const struct vr_manifest_kind *kind, const char *name, const json_t *fields,
                        struct vr_err *err)
{
    const char *field;
    json_t *value;

    if (!json_is_object(fields) && !json_is_null(fields))
        return vr_fail(err, VR_INVALID, "%s '%s' is no mapping of fields", kind->noun, name);
    json_object_foreach ((json_t *)fields, field, value)
        if (!field_of(kind, field))
            return vr_fail(err, VR_INVALID, "%s '%s' has no field '%s'", kind->noun, name, field);
    return 0;
}

/* "shop-prod-web" of squad dc1 is "shop-prod-web@dc1": two squads may have the same. */
static int full_name(const struct vr_manifest_kind *kind, const char *name, const json_t *fields,
                     char **out, struct vr_err *err)
{
    const char *squad = json_string_value(json_object_get(fields, "squad"));
    const char *at = strchr(name, '@');

    if (!kind->label && !at && !squad)
        return vr_fail(err, VR_INVALID, "swarm '%s' names no squad", name);
    if (!kind->label && at && squad && !vr_streq(at + 1, squad))
        return vr_fail(err, VR_INVALID, "swarm '%s' names the squad '%s' too", name, squad);
    *out = kind->label || at ? vr_strdup(name) : vr_strf("%s@%s", name, squad);
    return 0;
}

static int add_section(const struct vr_manifest_kind *kind, const json_t *section, json_t *out,
                       struct vr_err *err)
{
    json_t *all = json_object_get(out, kind->section);
    const char *name;
    json_t *fields;

    if (!json_is_object(section) && !json_is_null(section))
        return vr_fail(err, VR_INVALID, "%s is no mapping of names", kind->section);
    if (!all) {
        all = json_object();
        vr_json_set(out, kind->section, all);
    }
    json_object_foreach ((json_t *)section, name, fields) {
        vr_auto_free char *full = NULL;
        int r = check_fields(kind, name, fields, err);

        if (r == 0)
            r = full_name(kind, name, fields, &full, err);
        if (r == 0 && json_object_get(all, full))
            r = vr_fail(err, VR_INVALID, "%s '%s' is there twice", kind->noun, name);
        if (r < 0)
            return r;
        vr_json_set(all, full, json_is_null(fields) ? json_object() : json_incref(fields));
    }
    return 0;
}

static int read_one(const char *file, json_t *out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *doc = NULL;
    const char *section;
    json_t *value;
    size_t n;
    int r = read_text(file, &text, &n, err);

    if (r == 0)
        r = vr_yaml_parse((struct vr_str){text, n}, &doc, err);
    if (r == -VR_PARSE || r == -VR_LIMIT) {
        err->code = VR_INVALID; /* of a file that somebody wrote: a wrong use, not a failure */
        return -VR_INVALID;
    }
    if (r == 0 && !json_is_object(doc) && !json_is_null(doc))
        r = vr_fail(err, VR_INVALID, "it is no mapping of sections");
    if (r < 0)
        return r;
    json_object_foreach (doc, section, value) {
        const struct vr_manifest_kind *kind = vr_manifest_kind_find(section);

        if (!kind)
            return vr_fail(err, VR_INVALID, "'%s' is no section", section);
        r = add_section(kind, value, out, err);
        if (r < 0)
            return r;
    }
    return 0;
}

int vr_manifest_read(const char *const *files, size_t count, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *all = json_object();

    for (size_t i = 0; i < count; i++) {
        int r = read_one(files[i], all, err);

        if (r < 0)
            return vr_fail_in(err, r, "%s", files[i]);
    }
    *out = vr_take(all);
    return 0;
}

/* ------------------------------------------------------------------ the server's objects */

static bool is_empty(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value)) ||
           (json_is_object(value) && !json_object_size(value)) ||
           (json_is_array(value) && !json_array_size(value));
}

/* Names of the objects of nouns that URIs name by number: {uri: name}. */
static int fetch_names(struct vr_api *api, const struct vr_manifest_kind *kind, json_t *names,
                       struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; i < kind->field_count && r == 0; i++) {
        const struct vr_cli_noun *noun =
            kind->fields[i].noun ? vr_cli_noun_find(kind->fields[i].noun) : NULL;
        vr_auto_json json_t *list = NULL;
        size_t k;
        json_t *object;

        if (!noun || vr_streq(noun->key, "name"))
            continue;
        r = vr_api_list(api, noun->path, NULL, &list, err);
        json_array_foreach (list, k, object)
            vr_json_set(names, json_string_value(json_object_get(object, "resource_uri")),
                        json_incref(json_object_get(object, noun->label)));
    }
    return r;
}

/* The name of what a value refers to: a URI, or an object that has one. */
static json_t *name_of(const json_t *value, const json_t *names)
{
    const char *uri =
        json_string_value(json_is_object(value) ? json_object_get(value, "resource_uri") : value);
    json_t *known = uri ? json_object_get(names, uri) : NULL;
    size_t end, start;
    vr_auto_free char *plain = NULL;

    if (known)
        return json_incref(known);
    if (!uri)
        return json_null();
    end = strlen(uri) - vr_str_has_suffix(uri, "/");
    for (start = end; start && uri[start - 1] != '/';)
        start--;
    if (vr_uri_decode((struct vr_str){uri + start, end - start}, false, &plain, NULL) < 0)
        return json_null();
    return json_string(plain);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(json_string_value(*(json_t *const *)a), json_string_value(*(json_t *const *)b));
}

/* The texts of a list in their order, each once. */
static json_t *sorted(const json_t *list)
{
    size_t n = json_array_size(list), count = 0;
    json_t **items = vr_alloc_array(n + 1, sizeof(*items));
    json_t *out = json_array();

    for (size_t i = 0; i < n; i++)
        if (json_is_string(json_array_get(list, i)))
            items[count++] = json_array_get(list, i);
    qsort(items, count, sizeof(*items), by_text);
    for (size_t i = 0; i < count; i++)
        if (!i || !json_equal(items[i], items[i - 1]))
            json_array_append(out, items[i]);
    free(items);
    return out;
}

static json_t *names_of(const json_t *list, const json_t *names)
{
    vr_auto_json json_t *found = json_array();
    size_t i;
    json_t *value;

    json_array_foreach (list, i, value)
        json_array_append_new(found, name_of(value, names));
    return sorted(found);
}

static json_t *grants_of(const json_t *list, const json_t *names)
{
    json_t *out = json_object();
    size_t i;
    json_t *grant;

    json_array_foreach (list, i, grant) {
        vr_auto_json json_t *app = name_of(json_object_get(grant, "app"), names);

        vr_json_set(out, json_string_value(app), json_incref(json_object_get(grant, "role")));
    }
    return out;
}

/* {"env": {"NAME": …}} as {"env": ["NAME"]}, in their order. */
static json_t *secret_names(const json_t *secrets)
{
    json_t *out = json_object();
    const char *part;
    json_t *entries;

    json_object_foreach ((json_t *)secrets, part, entries) {
        vr_auto_json json_t *list = json_array();
        const char *name;
        json_t *entry;

        if (json_is_array(entries)) {
            vr_json_set(out, part, sorted(entries));
            continue;
        }
        json_object_foreach (entries, name, entry)
            vr_json_push(list, json_string(name));
        if (json_array_size(list))
            vr_json_set(out, part, sorted(list));
    }
    return out;
}

static int form_of(const struct vr_manifest_field *field, const json_t *value, const json_t *names,
                   json_t **out, struct vr_err *err)
{
    *out = NULL;
    switch (field->type) {
    case VR_MANIFEST_DICT:
        return vr_yaml_parse(vr_str(json_string_value(value) ? json_string_value(value) : ""), out,
                             err);
    case VR_MANIFEST_REF:
        *out = name_of(value, names);
        return 0;
    case VR_MANIFEST_REFS:
        *out = names_of(value, names);
        return 0;
    case VR_MANIFEST_GRANTS:
        *out = grants_of(value, names);
        return 0;
    case VR_MANIFEST_SECRETS:
        *out = secret_names(value);
        return 0;
    case VR_MANIFEST_TEXT:
    case VR_MANIFEST_VALUE:
        break;
    }
    *out = json_incref((json_t *)value);
    return 0;
}

static char *name_of_object(const struct vr_manifest_kind *kind, const json_t *object)
{
    const struct vr_cli_noun *noun = vr_cli_noun_find(kind->noun);
    vr_auto_free char *label = vr_cli_noun_label(noun, object);

    if (kind->label)
        return vr_cli_noun_cell(object, kind->label);
    return vr_strf("%s@%s", label, json_string_value(json_object_get(object, "squad_name")));
}

static int add_object(const struct vr_manifest_kind *kind, const json_t *object,
                      const json_t *names, json_t *out, json_t *objects, struct vr_err *err)
{
    vr_auto_free char *name = name_of_object(kind, object);
    vr_auto_json json_t *fields = json_object();

    for (size_t i = 0; i < kind->field_count; i++) {
        json_t *value;
        int r = form_of(&kind->fields[i], json_object_get(object, kind->fields[i].api), names,
                        &value, err);

        if (r < 0)
            return vr_fail_in(err, r, "%s '%s'", kind->noun, name);
        if (is_empty(value))
            json_decref(value);
        else
            vr_json_set(fields, kind->fields[i].name, value);
    }
    vr_json_set(out, name, vr_take(fields));
    if (objects)
        vr_json_set(objects, name, json_incref((json_t *)object));
    return 0;
}

int vr_manifest_fetch(struct vr_api *api, const struct vr_manifest_kind *kind, json_t **out,
                      json_t **out_objects, struct vr_err *err)
{
    const struct vr_cli_noun *noun = vr_cli_noun_find(kind->noun);
    vr_auto_json json_t *list = NULL, *names = json_object(), *forms = json_object();
    vr_auto_json json_t *objects = json_object();
    size_t i;
    json_t *object;
    int r = fetch_names(api, kind, names, err);

    if (r == 0)
        r = vr_api_list(api, noun->path, NULL, &list, err);
    json_array_foreach (list, i, object)
        if (r == 0)
            r = add_object(kind, object, names, forms, objects, err);
    if (r < 0)
        return r;
    *out = vr_take(forms);
    if (out_objects)
        *out_objects = vr_take(objects);
    return 0;
}

/* ------------------------------------------------------------------ what differs */

/* The wish for a field in the order and the emptiness that objects of the server have. */
static json_t *normal(const struct vr_manifest_field *field, const json_t *value)
{
    if (is_empty(value))
        return json_null();
    if (field->type == VR_MANIFEST_REFS)
        return sorted(value);
    if (field->type == VR_MANIFEST_SECRETS)
        return secret_names(value);
    return json_incref((json_t *)value);
}

static int uri_of(struct vr_api *api, const char *noun, const json_t *name, json_t **out,
                  struct vr_err *err)
{
    const char *text = json_string_value(name);
    vr_auto_free char *uri = NULL;
    int r;

    if (!text)
        return vr_fail(err, VR_INVALID, "a %s is named by a text", noun);
    r = vr_cli_noun_uri(api, vr_cli_noun_find(noun), text, &uri, err);
    *out = r < 0 ? NULL : json_string(uri);
    return r;
}

static int uris_of(struct vr_api *api, const char *noun, const json_t *list, json_t **out,
                   struct vr_err *err)
{
    vr_auto_json json_t *uris = json_array();
    size_t i;
    json_t *name;

    if (!json_is_array(list) && !json_is_null(list))
        return vr_fail(err, VR_INVALID, "it is no list of %ss", noun);
    json_array_foreach (list, i, name) {
        json_t *uri;
        int r = uri_of(api, noun, name, &uri, err);

        if (r < 0)
            return r;
        json_array_append_new(uris, uri);
    }
    *out = vr_take(uris);
    return 0;
}

static int grant_list(struct vr_api *api, const json_t *grants, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *list = json_array();
    const char *app;
    json_t *role;

    json_object_foreach ((json_t *)grants, app, role) {
        vr_auto_json json_t *name = json_string(app);
        json_t *uri;
        int r = uri_of(api, "app", name, &uri, err);

        if (r < 0)
            return r;
        json_array_append_new(list, json_pack("{s:o, s:O}", "app", uri, "role", role));
    }
    *out = vr_take(list);
    return 0;
}

/* A value from where the manifest says: {env: VARIABLE} or {file: PATH}. */
static int secret_value(const char *name, const json_t *source, json_t **out, struct vr_err *err)
{
    const char *variable = json_string_value(json_object_get(source, "env"));
    const char *file = json_string_value(json_object_get(source, "file"));
    const char *value = variable ? getenv(variable) : NULL;
    vr_auto_free char *text = NULL;
    size_t n = value ? strlen(value) : 0;
    int r = 0;

    if (file)
        r = vr_fs_read(file, VR_YAML_BYTES, &text, &n, err);
    else if (!variable)
        r = vr_fail(err, VR_INVALID,
                    "secret '%s': say where its value is, {env: VARIABLE} or "
                    "{file: PATH}",
                    name);
    else if (!value)
        r = vr_fail(err, VR_INVALID, "secret '%s': the variable %s is not set", name, variable);
    if (r == 0)
        *out = vr_json_text(file ? text : value, n);
    return r;
}

/* One part of the secrets: what to set, and null for what is to go. */
static int secret_part(const json_t *want, const json_t *have, json_t *out, struct vr_err *err)
{
    const char *name;
    json_t *source;
    size_t i;

    json_array_foreach (have, i, source)
        vr_json_set(out, json_string_value(source), json_null());
    if (json_is_array(want)) {
        json_array_foreach (want, i, source) {
            name = json_string_value(source);
            if (!name || !json_object_get(out, name))
                return vr_fail(
                    err, VR_INVALID,
                    "secret '%s' has no value yet: give one by {env: VARIABLE} or {file: "
                    "PATH}, or set it by `vr secret set`",
                    name ? name : "?");
            json_object_del(out, name);
        }
        return 0;
    }
    json_object_foreach ((json_t *)want, name, source) {
        json_t *value = NULL;
        int r = secret_value(name, source, &value, err);

        if (r < 0)
            return r;
        vr_json_set(out, name, value);
    }
    return 0;
}

static int secret_body(const json_t *want, const json_t *have, json_t **out, struct vr_err *err)
{
    static const char *const parts[] = {"config", "env"};
    vr_auto_json json_t *body = json_object();

    for (size_t i = 0; i < VR_COUNT(parts); i++) {
        json_t *part = json_object();
        int r = secret_part(json_object_get(want, parts[i]), json_object_get(have, parts[i]), part,
                            err);

        vr_json_set(body, parts[i], part);
        if (r < 0)
            return r;
        if (!json_object_size(part))
            json_object_del(body, parts[i]);
    }
    *out = vr_take(body);
    return 0;
}

/* What the API takes for a field. */
static int api_value(struct vr_api *api, const struct vr_manifest_field *field, const json_t *want,
                     const json_t *have, json_t **out, struct vr_err *err)
{
    switch (field->type) {
    case VR_MANIFEST_REF:
        if (!json_is_null(want))
            return uri_of(api, field->noun, want, out, err);
        break;
    case VR_MANIFEST_REFS:
        return uris_of(api, field->noun, want, out, err);
    case VR_MANIFEST_GRANTS:
        return grant_list(api, want, out, err);
    case VR_MANIFEST_SECRETS:
        return secret_body(want, have, out, err);
    case VR_MANIFEST_DICT:
    case VR_MANIFEST_TEXT:
    case VR_MANIFEST_VALUE:
        break;
    }
    *out = json_incref((json_t *)want);
    return 0;
}

/* "size 2 → 4" where both are short, else the field's name. */
static void add_what(struct vr_buf *what, const struct vr_manifest_field *field, const json_t *want,
                     const json_t *have)
{
    bool is_short = field->type == VR_MANIFEST_TEXT || field->type == VR_MANIFEST_REF ||
                    json_is_integer(want) || json_is_boolean(want);
    vr_auto_free char *now = want ? vr_json_dump(want) : vr_strdup("none");
    vr_auto_free char *before = have ? vr_json_dump(have) : vr_strdup("none");

    vr_buf_addf(what, "%s%s", what->len ? ", " : "", field->name);
    if (is_short)
        vr_buf_addf(what, " %s → %s", before, now);
}

/* Secrets whose values are given are set each time: nobody can compare them. */
static bool differs(const struct vr_manifest_field *field, const json_t *want, const json_t *wanted,
                    const json_t *have)
{
    const char *part;
    json_t *entries;

    if (field->type == VR_MANIFEST_SECRETS)
        json_object_foreach ((json_t *)want, part, entries)
            if (json_is_object(entries))
                return true;
    return !json_equal(wanted, have ? (json_t *)have : json_null());
}

/* The three names that a swarm has, of "shop-prod-web@dc1". */
static int add_swarm_name(const char *name, json_t *body, struct vr_err *err)
{
    static const char *const fields[] = {"app", "config_name", "proc_name"};
    vr_auto_free char *copy = vr_strndup(name, strcspn(name, "@"));
    char *rest = copy, *part;
    size_t n = 0;

    while ((part = strsep(&rest, "-")) && n < VR_COUNT(fields)) {
        vr_json_set(body, fields[n],
                    n == 0 ? json_sprintf("/api/v1/apps/%s/", part) : json_string(part));
        n++;
    }
    if (part || n < VR_COUNT(fields))
        return vr_fail(err, VR_INVALID, "swarm '%s' is not called APP-CONFIG-PROC", name);
    return 0;
}

/* What makes a new one: its name, and fields that stand in the name alone. */
static int add_identity(const struct vr_manifest_kind *kind, const char *name, const json_t *want,
                        json_t *body, struct vr_err *err)
{
    const char *at = strchr(name, '@');

    if (kind->label) {
        vr_json_set(body, kind->label, json_string(name));
        return 0;
    }
    if (at && !json_object_get(want, "squad"))
        vr_json_set(body, "squad", json_sprintf("/api/v1/squads/%s/", at + 1));
    return add_swarm_name(name, body, err);
}

int vr_manifest_body(struct vr_api *api, const struct vr_manifest_kind *kind, const char *name,
                     const json_t *want, const json_t *have, json_t **out_body, struct vr_buf *what,
                     struct vr_err *err)
{
    vr_auto_json json_t *body = json_object();
    int r = have ? 0 : add_identity(kind, name, want, body, err);

    for (size_t i = 0; i < kind->field_count && r == 0; i++) {
        const struct vr_manifest_field *field = &kind->fields[i];
        const json_t *value = json_object_get(want, field->name);
        const json_t *now = have ? json_object_get(have, field->name) : NULL;
        vr_auto_json json_t *wanted = value ? normal(field, value) : NULL;
        json_t *sent;

        if (!value || !differs(field, value, wanted, now))
            continue;
        r = api_value(api, field, field->type == VR_MANIFEST_SECRETS ? value : wanted, now, &sent,
                      err);
        if (r < 0)
            return vr_fail_in(err, r, "%s '%s': %s", kind->noun, name, field->name);
        if (have)
            add_what(what, field, wanted, now);
        vr_json_set(body, field->api, sent);
    }
    if (r == 0)
        *out_body = vr_take(body);
    return r;
}
