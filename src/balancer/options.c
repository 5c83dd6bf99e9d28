/* SPDX-License-Identifier: MIT */
/* Typed reading of a driver's JSON options, with defaults. */
#include "balancer/options.h"

#include "core/str.h"

#include <inttypes.h>

int vr_options_check_names(const json_t *options, const char *const *names, size_t count,
                           struct vr_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)options, key, value) {
        bool known = false;

        for (size_t i = 0; i < count && !known; i++)
            known = vr_streq(key, names[i]);
        if (!known)
            return vr_fail(err, VR_INVALID, "unknown option '%s'", key);
    }
    return 0;
}

static bool is_plain(const char *text)
{
    for (const char *c = text; *c; c++)
        if (*c <= ' ' || *c > '~' || strchr("\"'\\#;{}$", *c))
            return false;
    return *text;
}

int vr_options_text(const json_t *options, const char *key, const char *otherwise, char **out,
                    struct vr_err *err)
{
    const json_t *value = json_object_get(options, key);

    if (value && !json_is_string(value))
        return vr_fail(err, VR_INVALID, "option '%s' is not a text", key);
    if (value && !is_plain(json_string_value(value)))
        return vr_fail(err, VR_INVALID, "option '%s' has characters that are not allowed: '%s'",
                       key, json_string_value(value));
    *out = vr_strdup(value ? json_string_value(value) : otherwise);
    return 0;
}

int vr_options_int(const json_t *options, const char *key, int64_t otherwise, int64_t min,
                   int64_t max, int *out, struct vr_err *err)
{
    const json_t *value = json_object_get(options, key);
    int64_t n = value ? json_integer_value(value) : otherwise;

    if (value && !json_is_integer(value))
        return vr_fail(err, VR_INVALID, "option '%s' is not an integer", key);
    if (n < min || n > max)
        return vr_fail(err, VR_INVALID, "option '%s': %" PRId64 " is not in %" PRId64 "..%" PRId64,
                       key, n, min, max);
    *out = (int)n;
    return 0;
}

int vr_options_bool(const json_t *options, const char *key, bool otherwise, bool *out,
                    struct vr_err *err)
{
    const json_t *value = json_object_get(options, key);

    if (value && !json_is_boolean(value))
        return vr_fail(err, VR_INVALID, "option '%s' is not true or false", key);
    *out = value ? json_boolean_value(value) : otherwise;
    return 0;
}
