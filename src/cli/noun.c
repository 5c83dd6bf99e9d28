/* SPDX-License-Identifier: MIT */
/* Objects of the API by the names that people use for them. */
#include "cli/noun.h"

#include "cli/api.h"
#include "cli/filter.h"
#include "cli/swarms.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define URI_BYTES  4096u
#define CELL_BYTES 4096u
#define SPAN_MAX   100000 /* days, hours, … of a time from now */

const struct vr_cli_noun *vr_cli_noun_find(const char *name)
{
    for (size_t i = 0; i < vr_cli_noun_count; i++) {
        if (vr_streq(vr_cli_nouns[i].name, name))
            return &vr_cli_nouns[i];
    }
    return NULL;
}

/* Equal but for `-` and `_`. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
            return false;
    }
    return *a == *b;
}

const struct vr_field *vr_cli_noun_field(const struct vr_cli_noun *noun, const char *name)
{
    for (size_t i = 0; i < noun->field_count; i++) {
        const struct vr_field *f = &noun->fields[i];

        if (same_name(f->name, name) || (f->option && same_name(f->option, name)))
            return f;
    }
    return NULL;
}

static bool is_number(const char *text)
{
    return vr_str_is_made_of(text, "0123456789", 1, 18);
}

static char *object_path(const struct vr_cli_noun *noun, const char *key)
{
    vr_auto_free char *encoded = vr_uri_encode(key);

    return vr_strf("%s%s/", noun->path, encoded);
}

static int get_by_path(struct vr_api *api, const struct vr_cli_noun *noun, const char *path,
                       const char *name, json_t **out, struct vr_err *err)
{
    int r = vr_api_get(api, path, out, err);

    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "there is no %s '%s'", noun->name, name);
    return r;
}

/* The only object whose label is `name`. */
static int get_by_label(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                        json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    json_t *object, *found = NULL;
    size_t i;
    int r = vr_api_list(api, noun->path, NULL, &list, err);

    if (r < 0)
        return r;
    json_array_foreach (list, i, object) {
        vr_auto_free char *label = vr_cli_noun_label(noun, object);

        if (!vr_streq(label, name))
            continue;
        if (found)
            return vr_fail(err, VR_EXISTS, "several %ss are called '%s'; give the id", noun->name,
                           name);
        found = object;
    }
    if (!found)
        return vr_fail(err, VR_NOT_FOUND, "there is no %s '%s'", noun->name, name);
    *out = json_incref(found);
    return 0;
}

int vr_cli_noun_get(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                    json_t **out, struct vr_err *err)
{
    vr_auto_free char *path = NULL;

    if (vr_str_has_prefix(name, noun->path))
        return get_by_path(api, noun, name, name, out, err);
    if (!strcmp(noun->key, "name") || is_number(name) || !strcmp(noun->key, noun->label)) {
        path = object_path(noun, name);
        return get_by_path(api, noun, path, name, out, err);
    }
    return get_by_label(api, noun, name, out, err);
}

int vr_cli_noun_uri(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                    char **out, struct vr_err *err)
{
    vr_auto_json json_t *object = NULL;
    const char *uri = NULL;
    int r;

    if (vr_str_has_prefix(name, noun->path)) {
        *out = vr_strdup(name);
        return 0;
    }
    if (!strcmp(noun->key, "name") || is_number(name)) {
        *out = object_path(noun, name);
        return 0;
    }
    r = get_by_label(api, noun, name, &object, err);
    if (r >= 0)
        r = vr_json_get_str(object, "resource_uri", &uri, err);
    if (r >= 0)
        *out = vr_strdup(uri);
    return r;
}

char *vr_cli_noun_label(const struct vr_cli_noun *noun, const json_t *object)
{
    if (!strcmp(noun->name, "swarm"))
        return vr_swarm_name(object);
    return vr_cli_noun_cell(object, noun->label);
}

/* The last part of a URI of the API; what follows the last slash but the closing one. */
static void add_uri_tail(struct vr_buf *out, const char *uri)
{
    vr_auto_free char *plain = NULL;
    size_t end = strlen(uri);
    size_t start;

    end -= end && uri[end - 1] == '/';
    for (start = end; start && uri[start - 1] != '/';)
        start--;
    if (!vr_uri_decode((struct vr_str){uri + start, end - start}, false, &plain, NULL))
        vr_buf_add(out, plain);
}

/* A time as people of this machine read it; false if the text is none. */
static bool add_time(struct vr_buf *out, const char *text)
{
    struct vr_wall at;
    struct tm tm;
    time_t s;

    if (strlen(text) < sizeof("2026-01-31T12:00:00") - 1 || text[10] != 'T' ||
        vr_wall_parse(vr_str(text), &at, NULL) < 0)
        return false;
    s = (time_t)(at.us / VR_US_PER_S);
    localtime_r(&s, &tm);
    vr_buf_addf(out, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec);
    return true;
}

static void add_cell(struct vr_buf *out, const json_t *value)
{
    const char *text = json_string_value(value);
    const json_t *item;
    size_t i;

    if (text && vr_str_has_prefix(text, "/api/v1/")) {
        add_uri_tail(out, text);
    } else if (text) {
        if (!add_time(out, text))
            vr_buf_add(out, text);
    } else if (json_is_boolean(value)) {
        vr_buf_add(out, json_is_true(value) ? "yes" : "no");
    } else if (json_is_integer(value)) {
        vr_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    } else if (json_is_real(value)) {
        vr_json_add_double(out, json_real_value(value));
    } else if (json_is_array(value)) {
        json_array_foreach (value, i, item) {
            vr_buf_add(out, i ? "," : "");
            add_cell(out, json_is_object(item) ? json_object_get(item, "name") : item);
        }
    } else if (json_is_object(value)) {
        vr_auto_free char *json = vr_json_dump(value);
        vr_buf_add(out, json);
    }
}

char *vr_cli_noun_cell(const json_t *object, const char *field)
{
    vr_auto_buf struct vr_buf out = VR_BUF(CELL_BYTES);
    const json_t *value = object;
    const char *at = field;

    while (at && *at) {
        size_t n = strcspn(at, ".");

        if (n == 1 && *at == '#')
            return value ? vr_strf("%zu", json_array_size(value)) : vr_strdup("");
        value = json_object_getn(value, at, n);
        at += n + (at[n] == '.');
    }
    add_cell(&out, value);
    return vr_strdup(vr_buf_text(&out));
}

int vr_cli_time_parse(const char *text, int sign, struct vr_wall *out, struct vr_err *err)
{
    static const struct {
        char unit;
        int64_t s;
    } units[] = {{'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    vr_auto_free char *midnight = vr_strf("%sT00:00:00Z", text);
    size_t n = strlen(text);
    int64_t count;

    for (size_t i = 0; i < VR_COUNT(units) && n > 1; i++) {
        if (text[n - 1] != units[i].unit ||
            vr_parse_i64((struct vr_str){text, n - 1}, 1, SPAN_MAX, &count, NULL) < 0)
            continue;
        out->us = vr_wall_now().us + sign * count * units[i].s * VR_US_PER_S;
        return 0;
    }
    if (vr_wall_parse(vr_str(text), out, NULL) < 0 &&
        vr_wall_parse(vr_str(midnight), out, NULL) < 0)
        return vr_fail(err, VR_INVALID,
                       "'%s' is neither a time such as 2026-01-31T12:00:00Z nor a span such as 30d",
                       text);
    return 0;
}

static int read_text(const char *file, char **out, struct vr_err *err)
{
    size_t n;

    if (!strcmp(file, "-"))
        return vr_fd_read_all(STDIN_FILENO, VR_YAML_BYTES, out, &n, err);
    return vr_fs_read(file, VR_YAML_BYTES, out, &n, err);
}

/* YAML from a file, parsed here so that a mistake is told with line and column of the file. */
static int yaml_value(const char *file, json_t **out, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *value = NULL;
    int r = read_text(file, &text, err);

    if (r < 0)
        return vr_fail_in(err, r, "%s", file);
    r = vr_yaml_parse(vr_str(text), &value, err);
    if (r < 0) {
        vr_ignore(vr_fail_in(err, r, "%s", file), "what matters to the caller is that it is wrong");
        if (err)
            err->code = VR_INVALID;
        return -VR_INVALID;
    }
    if (!json_is_object(value) && !json_is_null(value))
        return vr_fail(err, VR_INVALID, "%s: not a mapping of keys to values", file);
    *out = json_string(text);
    return 0;
}

static int each_part(const char *text, json_t *list, struct vr_api *api, const char *noun,
                     struct vr_err *err)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        vr_auto_free char *part = vr_strndup(text, n);
        vr_auto_free char *uri = NULL;
        char *colon;
        int r;

        text += n + (text[n] == ',');
        if (!n)
            continue;
        if (noun) {
            r = vr_cli_noun_uri(api, vr_cli_noun_find(noun), part, &uri, err);
            if (r < 0)
                return r;
            vr_json_push(list, json_string(uri));
            continue;
        }
        colon = strchr(part, ':');
        if (!colon)
            return vr_fail(err, VR_INVALID, "volume '%s' is not FROM:TO", part);
        *colon = '\0';
        vr_json_push(list, json_pack("[s,s]", part, colon + 1));
    }
    return 0;
}

int vr_cli_noun_value(struct vr_api *api, const struct vr_field *field, const char *text,
                      json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    vr_auto_free char *uri = NULL;
    int64_t number;
    int r;

    switch (field->type) {
    case VR_FIELD_TEXT:
        *out = json_string(text);
        return *out ? 0 : vr_fail(err, VR_INVALID, "%s: not UTF-8", field->name);
    case VR_FIELD_INT:
        r = vr_parse_i64(vr_str(text), INT64_MIN, INT64_MAX, &number, err);
        if (r < 0)
            return vr_fail_in(err, r, "%s", field->name);
        *out = json_integer(number);
        return 0;
    case VR_FIELD_BOOL:
        r = vr_yaml_resolve(vr_str(text), out, err);
        if (r >= 0 && !json_is_boolean(*out)) {
            json_decref(vr_take(*out));
            return vr_fail(err, VR_INVALID, "%s: '%s' is neither yes nor no", field->name, text);
        }
        return r;
    case VR_FIELD_YAML:
        return yaml_value(text, out, err);
    case VR_FIELD_REF:
        if (!*text) {
            *out = json_null();
            return 0;
        }
        r = vr_cli_noun_uri(api, vr_cli_noun_find(field->ref), text, &uri, err);
        if (r >= 0)
            *out = json_string(uri);
        return r;
    case VR_FIELD_REFS:
    case VR_FIELD_VOLUMES:
        list = json_array();
        r = each_part(text, list, api, field->ref, err);
        if (r >= 0)
            *out = vr_take(list);
        return r;
    }
    return vr_fail(err, VR_BUG, "field %s has no type", field->name);
}
