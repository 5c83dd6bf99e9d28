/* SPDX-License-Identifier: MIT */
/* A thin layer on jansson: reading under limits, typed fields, sizes. */
#include "fmt/json.h"

#include "fmt/utf8.h"

#include <stdlib.h>

/* Room for the sign and digits of any 64-bit integer. */
#define INTEGER_DIGITS 20

size_t vr_json_depth(const json_t *value)
{
    size_t deepest = 0, i, depth;
    const char *key;
    json_t *child;

    if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, key, child) {
            depth = vr_json_depth(child);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    if (json_is_array(value)) {
        json_array_foreach (value, i, child) {
            depth = vr_json_depth(child);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    return 0;
}

size_t vr_json_count(const json_t *value)
{
    size_t count = 1, i;
    const char *key;
    json_t *child;

    if (json_is_object(value)) {
        json_object_foreach ((json_t *)value, key, child)
            count += vr_json_count(child);
    } else if (json_is_array(value)) {
        json_array_foreach (value, i, child)
            count += vr_json_count(child);
    }
    return count;
}

size_t vr_json_bytes(const json_t *value)
{
    size_t bytes = 2, i;
    const char *key;
    json_t *child;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        json_object_foreach ((json_t *)value, key, child)
            bytes += strlen(key) + 4 + vr_json_bytes(child);
        return bytes;
    case JSON_ARRAY:
        json_array_foreach (value, i, child)
            bytes += 1 + vr_json_bytes(child);
        return bytes;
    case JSON_STRING:
        return bytes + json_string_length(value);
    case JSON_INTEGER:
    case JSON_REAL:
        return INTEGER_DIGITS;
    case JSON_TRUE:
    case JSON_FALSE:
    case JSON_NULL:
        break;
    }
    return 5;
}

int vr_json_parse(struct vr_str text, size_t max_bytes, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *value = NULL;
    json_error_t at;

    if (text.n > max_bytes)
        return vr_fail(err, VR_LIMIT, "JSON of %zu bytes is longer than %zu", text.n, max_bytes);
    value = json_loadb(text.n ? text.p : "", text.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
    if (!value && json_error_code(&at) == json_error_stack_overflow)
        return vr_fail(err, VR_LIMIT, "JSON nests deeper than %d levels", VR_JSON_DEPTH);
    if (!value)
        return vr_fail(err, VR_PARSE, "invalid JSON: line %d, column %d: %s", at.line, at.column,
                       at.text);
    if (vr_json_depth(value) > VR_JSON_DEPTH)
        return vr_fail(err, VR_LIMIT, "JSON nests deeper than %d levels", VR_JSON_DEPTH);
    *out = vr_take(value);
    return 0;
}

int vr_json_parse_object(struct vr_str text, size_t max_bytes, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *value = NULL;
    int r;

    r = vr_json_parse(text, max_bytes, &value, err);
    if (r < 0)
        return r;
    if (!json_is_object(value))
        return vr_fail(err, VR_INVALID, "the JSON value is not an object");
    *out = vr_take(value);
    return 0;
}

json_t *vr_json_text(const char *p, size_t n)
{
    struct vr_buf clean = VR_BUF(SIZE_MAX / 8);
    json_t *value = NULL;

    if (!memchr(n ? p : "", '\0', n))
        value = json_stringn(n ? p : "", n);
    if (value)
        return value;
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t k = vr_utf8_next((struct vr_str){p + i, n - i}, &code);

        vr_utf8_add(&clean, k && code ? code : 0xfffd);
        i += k ? k : 1;
    }
    value = json_stringn(vr_buf_text(&clean), clean.len);
    vr_buf_fini(&clean);
    if (!value)
        abort();
    return value;
}

json_t *vr_json_str_or_null(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();

    if (!value)
        abort();
    return value;
}

void vr_json_set(json_t *object, const char *name, json_t *value)
{
    if (json_object_set_new(object, name, value) < 0)
        abort();
}

void vr_json_push(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) < 0)
        abort();
}

/* The field, or NULL when it is absent or null. */
static json_t *field(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

static int missing(const char *name, struct vr_err *err)
{
    return vr_fail(err, VR_INVALID, "field '%s' is missing", name);
}

static int mistyped(const char *name, const char *want, struct vr_err *err)
{
    return vr_fail(err, VR_INVALID, "field '%s' is not %s", name, want);
}

int vr_json_opt_str(const json_t *object, const char *name, const char *fallback, const char **out,
                    struct vr_err *err)
{
    const json_t *value = field(object, name);

    if (value && !json_is_string(value))
        return mistyped(name, "a text", err);
    *out = value ? json_string_value(value) : fallback;
    return 0;
}

int vr_json_get_str(const json_t *object, const char *name, const char **out, struct vr_err *err)
{
    if (!field(object, name))
        return missing(name, err);
    return vr_json_opt_str(object, name, NULL, out, err);
}

int vr_json_opt_i64(const json_t *object, const char *name, int64_t min, int64_t max,
                    int64_t fallback, int64_t *out, struct vr_err *err)
{
    const json_t *value = field(object, name);
    int64_t v;

    if (value && !json_is_integer(value))
        return mistyped(name, "a whole number", err);
    v = value ? json_integer_value(value) : fallback;
    if (value && (v < min || v > max))
        return vr_fail(err, VR_INVALID, "field '%s': %lld is not between %lld and %lld", name,
                       (long long)v, (long long)min, (long long)max);
    *out = v;
    return 0;
}

int vr_json_get_i64(const json_t *object, const char *name, int64_t min, int64_t max, int64_t *out,
                    struct vr_err *err)
{
    if (!field(object, name))
        return missing(name, err);
    return vr_json_opt_i64(object, name, min, max, 0, out, err);
}

int vr_json_opt_bool(const json_t *object, const char *name, bool fallback, bool *out,
                     struct vr_err *err)
{
    const json_t *value = field(object, name);

    if (value && !json_is_boolean(value))
        return mistyped(name, "true or false", err);
    *out = value ? json_is_true(value) : fallback;
    return 0;
}

int vr_json_get_bool(const json_t *object, const char *name, bool *out, struct vr_err *err)
{
    if (!field(object, name))
        return missing(name, err);
    return vr_json_opt_bool(object, name, false, out, err);
}

int vr_json_opt_object(const json_t *object, const char *name, json_t **out, struct vr_err *err)
{
    json_t *value = field(object, name);

    if (value && !json_is_object(value))
        return mistyped(name, "an object", err);
    *out = value;
    return 0;
}

int vr_json_get_object(const json_t *object, const char *name, json_t **out, struct vr_err *err)
{
    if (!field(object, name))
        return missing(name, err);
    return vr_json_opt_object(object, name, out, err);
}

int vr_json_opt_array(const json_t *object, const char *name, json_t **out, struct vr_err *err)
{
    json_t *value = field(object, name);

    if (value && !json_is_array(value))
        return mistyped(name, "an array", err);
    *out = value;
    return 0;
}

int vr_json_get_array(const json_t *object, const char *name, json_t **out, struct vr_err *err)
{
    if (!field(object, name))
        return missing(name, err);
    return vr_json_opt_array(object, name, out, err);
}
