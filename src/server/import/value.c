/* SPDX-License-Identifier: MIT */
/* Values of PostgreSQL's text format as those of our columns. */
#include "server/import/value.h"

#include "core/clock.h"
#include "fmt/yaml.h"
#include "model/field.h"

#include <stdio.h>
#include <string.h>

#define ZONE_MINUTES_MAX (24 * 60)

/* ------------------------------------------------------------------ times */

/* `+02`, `-03:30` or nothing; minutes east of UTC. */
static int read_zone(const char *text, int64_t *out, struct vr_err *err)
{
    const char *colon = strchr(text, ':');
    uint64_t hours = 0, minutes = 0;
    int r = 0;

    *out = 0;
    if (!*text)
        return 0;
    r = vr_parse_u64(
        (struct vr_str){text + 1, colon ? (size_t)(colon - text - 1) : strlen(text + 1)}, 0,
        ZONE_MINUTES_MAX / 60, &hours, err);
    if (r == 0 && colon)
        r = vr_parse_u64(vr_str(colon + 1), 0, 59, &minutes, err);
    *out = (int64_t)(hours * 60 + minutes) * (*text == '-' ? -1 : 1);
    return r;
}

int vr_import_time(const char *text, int64_t *out_us, struct vr_err *err)
{
    vr_auto_free char *copy = vr_strdup(text);
    char *space = strchr(copy, ' '), *zone;
    struct vr_wall wall;
    int64_t east = 0;
    int r = -VR_INVALID;

    zone = space ? space + strcspn(space, "+-") : NULL;
    if (zone)
        r = read_zone(zone, &east, NULL);
    if (r == 0) {
        *space = 'T';
        *zone = '\0';
        r = vr_wall_parse(vr_str(copy), &wall, NULL);
    }
    if (r < 0)
        return vr_fail(err, VR_INVALID, "'%.60s' is no time", text);
    *out_us = wall.us - east * 60 * VR_US_PER_S;
    return 0;
}

/* ------------------------------------------------------------------ YAML */

static void set_pair(json_t *out, const char *to, const char *yaml, const json_t *json,
                     const char *empty)
{
    vr_auto_free char *yaml_name = vr_strf("%s_yaml", to);
    vr_auto_free char *json_name = vr_strf("%s_json", to);
    vr_auto_free char *text = json && !json_is_null(json) ? vr_json_dump(json) : vr_strdup(empty);

    if (yaml)
        vr_json_set(out, yaml_name, json_string(yaml));
    vr_json_set(out, json_name, json_string(text));
}

typedef int (*field_fn)(const json_t *value, struct vr_field *out, struct vr_err *err);

static int read_field(field_fn fn, bool has_yaml, const char *text, const char *to, json_t *out,
                      struct vr_err *err)
{
    vr_auto_json json_t *value = vr_json_text(text ? text : "", text ? strlen(text) : 0);
    vr_auto_field struct vr_field field = {0};
    int r = fn(value, &field, err);

    if (r < 0)
        return r;
    set_pair(out, to, has_yaml ? field.yaml : NULL, field.json, has_yaml ? "{}" : "[]");
    return 0;
}

static int read_results(const char *text, const char *to, json_t *out, struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    int r = vr_yaml_parse(vr_str(text ? text : ""), &list, err);

    if (r == 0 && !json_is_array(list) && !json_is_null(list))
        r = vr_fail(err, VR_INVALID, "results are no list");
    if (r == 0)
        set_pair(out, to, NULL, list, "[]");
    return r;
}

/* ------------------------------------------------------------------ all kinds */

static int read_int(const char *text, const char *to, json_t *out, struct vr_err *err)
{
    int64_t n;
    int r = text ? vr_parse_i64(vr_str(text), INT64_MIN, INT64_MAX, &n, err)
                 : vr_fail(err, VR_INVALID, "%s is null", to);

    if (r == 0)
        vr_json_set(out, to, json_integer(n));
    return r;
}

static int read_bool(const char *text, const char *to, json_t *out, struct vr_err *err)
{
    bool yes = text && (!strcmp(text, "t") || !strcmp(text, "true"));

    if (text && !yes && strcmp(text, "f") != 0 && strcmp(text, "false") != 0)
        return vr_fail(err, VR_INVALID, "'%.40s' is neither t nor f", text);
    vr_json_set(out, to, json_integer(yes));
    return 0;
}

static int read_time(const char *text, const char *to, json_t *out, struct vr_err *err)
{
    int64_t us;
    int r = vr_import_time(text, &us, err);

    if (r == 0)
        vr_json_set(out, to, json_integer(us));
    return r;
}

int vr_import_value(enum vr_import_kind kind, const char *text, const char *to, json_t *out,
                    struct vr_err *err)
{
    switch (kind) {
    case VR_IMPORT_INT:
        return read_int(text, to, out, err);
    case VR_IMPORT_INT_NULL:
        if (text)
            return read_int(text, to, out, err);
        vr_json_set(out, to, json_null());
        return 0;
    case VR_IMPORT_BOOL:
        return read_bool(text, to, out, err);
    case VR_IMPORT_TEXT:
        vr_json_set(out, to, vr_json_text(text ? text : "", text ? strlen(text) : 0));
        return 0;
    case VR_IMPORT_TEXT_NULL:
        vr_json_set(out, to, text && *text ? vr_json_text(text, strlen(text)) : json_null());
        return 0;
    case VR_IMPORT_TIME:
    case VR_IMPORT_TIME_NULL:
        if (text)
            return read_time(text, to, out, err);
        vr_json_set(out, to, kind == VR_IMPORT_TIME ? json_integer(0) : json_null());
        return 0;
    case VR_IMPORT_DICT:
        return read_field(vr_field_dict, true, text, to, out, err);
    case VR_IMPORT_ENV:
        return read_field(vr_field_env, true, text, to, out, err);
    case VR_IMPORT_VOLUMES:
        return read_field(vr_field_volumes, false, text, to, out, err);
    case VR_IMPORT_RESULTS:
        return read_results(text, to, out, err);
    }
    return vr_fail(err, VR_BUG, "column kind %d", (int)kind);
}
