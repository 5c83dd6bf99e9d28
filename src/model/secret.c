/* SPDX-License-Identifier: MIT */
/* References to secret values. */
#include "model/secret.h"

#include "fmt/yaml.h"

#include <string.h>

int64_t vr_secret_id(const json_t *value)
{
    return json_integer_value(json_object_get(value, VR_SECRET_KEY));
}

bool vr_secret_is_mentioned(const json_t *value)
{
    const char *key;
    json_t *part;
    size_t i;

    json_object_foreach ((json_t *)value, key, part)
        if (vr_streq(key, VR_SECRET_KEY) || vr_secret_is_mentioned(part))
            return true;
    json_array_foreach (value, i, part)
        if (vr_secret_is_mentioned(part))
            return true;
    return false;
}

json_t *vr_secret_layer(const json_t *plain, const json_t *entries)
{
    json_t *layer = json_is_object(plain) ? json_copy((json_t *)plain) : json_object();
    const char *key;
    json_t *entry;

    json_object_foreach ((json_t *)entries, key, entry)
        vr_json_set(layer, key, json_pack("{s:I}", VR_SECRET_KEY, (json_int_t)vr_secret_id(entry)));
    return layer;
}

json_t *vr_secret_replace(const json_t *dict, vr_secret_replace_fn *fn, void *user,
                          int64_t *out_missing)
{
    vr_auto_json json_t *copy = json_object();
    const char *key;
    json_t *value;

    if (out_missing)
        *out_missing = 0;
    json_object_foreach ((json_t *)dict, key, value) {
        int64_t id = vr_secret_id(value);
        json_t *instead = id ? fn(user, id) : json_incref(value);

        if (instead) {
            vr_json_set(copy, key, instead);
        } else if (out_missing) {
            *out_missing = id;
            return NULL;
        }
    }
    return vr_take(copy);
}

static json_t *mask(void *user, int64_t id)
{
    return json_string(VR_SECRET_MASK);
}

json_t *vr_secret_masked(const json_t *dict)
{
    return vr_secret_replace(dict, mask, NULL, NULL);
}

/*
 * The writer of YAML escapes everything beyond ASCII, as the original's did. The mask is there to
 * be seen, and a double-quoted text may hold it as it is.
 */
#define BULLET  "•"
#define ESCAPED "\\u2022"

static char *unescape_bullets(const char *yaml)
{
    vr_auto_buf struct vr_buf out = VR_BUF(SIZE_MAX / 8);
    static const char escaped_mask[] =
        "\"" ESCAPED ESCAPED ESCAPED ESCAPED ESCAPED ESCAPED ESCAPED ESCAPED "\"";

    _Static_assert(sizeof(VR_SECRET_MASK) == 8 * sizeof(BULLET) - 7, "eight bullets");
    for (const char *at; (at = strstr(yaml, escaped_mask)); yaml = at + strlen(escaped_mask)) {
        vr_buf_add_n(&out, yaml, (size_t)(at - yaml));
        vr_buf_add(&out, "\"" VR_SECRET_MASK "\"");
    }
    vr_buf_add(&out, yaml);
    return vr_strdup(vr_buf_text(&out));
}

char *vr_secret_masked_yaml(const json_t *dict)
{
    vr_auto_json json_t *masked = vr_secret_masked(dict);
    vr_auto_free char *yaml = json_object_size(masked) ? vr_yaml_dump(masked) : vr_strdup("");

    return unescape_bullets(yaml);
}

/* ------------------------------------------------------------------ URLs */

/* The user and password of a URL, without the '@'; empty if there are none. */
static struct vr_str user_info(const char *url)
{
    const char *begin = strstr(url, "://");
    struct vr_str part = {url, 0};

    if (!begin)
        return part;
    part.p = begin + strlen("://");
    for (size_t n = strcspn(part.p, "/?#"); n > 0; n--)
        if (part.p[n - 1] == '@') {
            part.n = n - 1;
            break;
        }
    return part;
}

char *vr_secret_masked_url(const char *url)
{
    struct vr_str info = user_info(url);
    const char *colon = memchr(info.p, ':', info.n), *from = info.p;

    if (!vr_str_has_prefix(url, "http://") && !vr_str_has_prefix(url, "https://"))
        from = colon ? colon + 1 : info.p + info.n;
    if (from == info.p + info.n)
        return vr_strdup(url);
    return vr_strf("%.*s" VR_SECRET_MASK "%s", (int)(from - url), url, info.p + info.n);
}
