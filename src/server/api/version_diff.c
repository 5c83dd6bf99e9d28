/* SPDX-License-Identifier: MIT */
/*
 * How two versions differ, for people.
 *
 * Texts of YAML are compared by lines, lists by what came and went, references by name. Of secret
 * values only is said that they were set, changed or removed: a version does not have more.
 */
#include "server/api/version.h"

#include "fmt/diff.h"
#include "fmt/yaml.h"
#include "model/secret.h"

/* ------------------------------------------------------------------ values */

static bool is_ref(const json_t *value)
{
    return json_object_size(value) == 2 && json_is_integer(json_object_get(value, "id")) &&
           json_object_get(value, "name");
}

/* A reference by its name; everything else as it is. Borrowed. */
static json_t *shown(json_t *value)
{
    return is_ref(value) ? json_object_get(value, "name") : value;
}

static bool is_same(const json_t *a, const json_t *b)
{
    size_t i;
    const json_t *item;

    if (is_ref(a) && is_ref(b))
        return json_equal(json_object_get(a, "id"), json_object_get(b, "id"));
    if (!json_is_array(a) || json_array_size(a) != json_array_size(b))
        return json_equal(a, b);
    json_array_foreach (a, i, item)
        if (!is_same(item, json_array_get(b, i)))
            return false;
    return true;
}

/* A list of names and references. Lists of other things are compared as YAML. */
static bool is_list(const json_t *value)
{
    const json_t *item;
    size_t i;

    json_array_foreach (value, i, item)
        if (!json_is_string(item) && !is_ref(item))
            return false;
    return json_is_array(value);
}

static bool has(const json_t *list, const json_t *wanted)
{
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        if (is_same(item, wanted))
            return true;
    return false;
}

/* ------------------------------------------------------------------ one field */

static json_t *names_of(const json_t *list)
{
    json_t *names = json_array();
    json_t *item;
    size_t i;

    json_array_foreach (list, i, item)
        vr_json_push(names, json_incref(shown(item)));
    return names;
}

static void push(json_t *diff, const char *mark, const char *text, const char *behind)
{
    vr_auto_free char *line = vr_strf("%s%s%s", mark, text ? text : "null", behind);

    vr_json_push(diff, vr_json_text(line, strlen(line)));
}

static json_t *list_diff(const json_t *old, const json_t *now)
{
    json_t *diff = json_array();
    json_t *item;
    size_t i;

    json_array_foreach (old, i, item)
        if (!has(now, item))
            push(diff, "- ", json_string_value(shown(item)), "");
    json_array_foreach (now, i, item)
        if (!has(old, item))
            push(diff, "+ ", json_string_value(shown(item)), "");
    return diff;
}

/* ["env.DB_PASSWORD", …] of {"env": {"DB_PASSWORD": {…}}}. */
static json_t *secret_names(const json_t *secrets)
{
    json_t *names = json_array();
    const char *part, *name;
    json_t *entries, *entry;

    json_object_foreach ((json_t *)secrets, part, entries)
        json_object_foreach (entries, name, entry)
            push(names, part, ".", name);
    return names;
}

static int64_t secret_id(const json_t *secrets, const char *part, const char *name)
{
    return vr_secret_id(json_object_get(json_object_get(secrets, part), name));
}

static json_t *secret_diff(const json_t *old, const json_t *now)
{
    json_t *diff = json_array();
    const char *part, *name;
    json_t *entries, *entry;

    json_object_foreach ((json_t *)old, part, entries)
        json_object_foreach (entries, name, entry)
            if (!secret_id(now, part, name)) {
                vr_auto_free char *text = vr_strf("%s.%s", part, name);

                push(diff, "- ", text, ": removed");
            }
    json_object_foreach ((json_t *)now, part, entries)
        json_object_foreach (entries, name, entry) {
            vr_auto_free char *text = vr_strf("%s.%s", part, name);
            int64_t before = secret_id(old, part, name);

            if (before != vr_secret_id(entry))
                push(diff, before ? "~ " : "+ ", text, before ? ": changed" : ": set");
        }
    return diff;
}

/* A value as lines; "" for none. Given. */
static char *lines_of(json_t *value, bool is_yaml)
{
    value = shown(value);
    if (!value || json_is_null(value))
        return vr_strdup("");
    if (is_yaml && !json_is_string(value))
        return vr_yaml_dump(value);
    return json_is_string(value) ? vr_strdup(json_string_value(value))
                                 : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
}

static json_t *line_diff(json_t *old, json_t *now, bool is_yaml)
{
    vr_auto_free char *a = lines_of(old, is_yaml);
    vr_auto_free char *b = lines_of(now, is_yaml);
    json_t *diff = json_array();

    vr_diff_json(diff, a, b, VR_VERSION_CONTEXT);
    return diff;
}

/* @old and @now borrowed, may be NULL */
static json_t *change_of(const char *name, enum vr_noun_form form, json_t *old, json_t *now)
{
    bool is_yaml = form == VR_FORM_YAML || form == VR_FORM_JSON;

    if (form == VR_FORM_SECRETS)
        return json_pack("{s:s, s:s, s:o, s:o, s:o}", "field", name, "kind", "secret", "old",
                         secret_names(old), "new", secret_names(now), "diff",
                         secret_diff(old, now));
    if ((is_list(old) || !json_array_size(old)) && (is_list(now) || !json_array_size(now)) &&
        (json_array_size(old) || json_array_size(now)))
        return json_pack("{s:s, s:s, s:o, s:o, s:o}", "field", name, "kind", "list", "old",
                         names_of(old), "new", names_of(now), "diff", list_diff(old, now));
    if (is_yaml)
        return json_pack("{s:s, s:s, s:n, s:n, s:o}", "field", name, "kind", "yaml", "old", "new",
                         "diff", line_diff(old, now, true));
    return json_pack("{s:s, s:s, s:O?, s:O?, s:o}", "field", name, "kind", "text", "old",
                     shown(old), "new", shown(now), "diff", line_diff(old, now, false));
}

/* ------------------------------------------------------------------ all fields */

/* Who set a value, and when, is no difference. */
static bool has_same_secrets(const json_t *old, const json_t *now)
{
    vr_auto_json json_t *diff = secret_diff(old, now);

    return json_array_size(diff) == 0;
}

/* No value; an empty text is stored for none. */
static bool is_none(const json_t *value)
{
    return !value || json_is_null(value) || (json_is_string(value) && !json_string_length(value));
}

static void compare(json_t *changes, const char *name, enum vr_noun_form form, const json_t *from,
                    const json_t *to)
{
    json_t *old = json_object_get(from, name), *now = json_object_get(to, name);

    if ((is_none(old) && is_none(now)) || (old && now && is_same(old, now)))
        return;
    if (form == VR_FORM_SECRETS && has_same_secrets(old, now))
        return;
    vr_json_push(changes, change_of(name, form, old, now));
}

json_t *vr_version_changes(const struct vr_noun *noun, const json_t *old, const json_t *now)
{
    json_t *changes = json_array();

    for (size_t i = 0; i < noun->field_count; i++)
        compare(changes, noun->fields[i].json, noun->fields[i].form, old, now);
    for (const struct vr_noun_list *list = noun->lists; list && list->json; list++)
        compare(changes, list->json, VR_FORM_VALUE, old, now);
    return changes;
}

/* As a GET shows them: without the ids of the values. */
static void mask(json_t *secrets)
{
    const char *part, *name;
    json_t *entries, *entry;

    json_object_foreach (secrets, part, entries)
        json_object_foreach (entries, name, entry)
            json_object_del(entry, VR_SECRET_KEY);
}

json_t *vr_version_shown(const struct vr_noun *noun, const json_t *data)
{
    json_t *copy = json_deep_copy(data);

    for (size_t i = 0; i < noun->field_count; i++)
        if (noun->fields[i].form == VR_FORM_SECRETS)
            mask(json_object_get(copy, noun->fields[i].json));
    return copy;
}
