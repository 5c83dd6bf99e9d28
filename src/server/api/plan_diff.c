/* SPDX-License-Identifier: MIT */
/* The difference of two dicts as lines of YAML. */
#include "server/api/plan.h"

#include "fmt/diff.h"
#include "model/secret.h"

#include <string.h>

/* A key with its value as YAML, of a secret its mask; "" if it is not there. Given. */
static char *text_of(const char *key, json_t *value)
{
    vr_auto_json json_t *pair = value ? json_pack("{s:O}", key, value) : NULL;

    return pair ? vr_secret_masked_yaml(pair) : vr_strdup("");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of both, each once, in byte order; they are borrowed from the dicts. */
static const char **union_of_keys(const json_t *from, const json_t *to, size_t *out_n)
{
    size_t n = 0;
    const char **keys =
        vr_alloc_array(json_object_size(from) + json_object_size(to) + 1, sizeof(*keys));
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)from, key, value)
        keys[n++] = key;
    json_object_foreach ((json_t *)to, key, value) {
        if (!json_object_get(from, key))
            keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), by_bytes);
    *out_n = n;
    return keys;
}

json_t *vr_plan_diff(const json_t *from, const json_t *to)
{
    json_t *lines = json_array();
    size_t n;
    vr_auto_free const char **keys = union_of_keys(from, to, &n);

    for (size_t i = 0; i < n; i++) {
        json_t *old = json_object_get(from, keys[i]);
        json_t *new = json_object_get(to, keys[i]);

        vr_auto_free char *old_text = NULL;
        vr_auto_free char *new_text = NULL;

        if (old && new &&json_equal(old, new))
            continue;
        if (vr_secret_id(old) && vr_secret_id(new)) {
            vr_auto_free char *line = vr_strf("~ %s: secret, changed", keys[i]);

            vr_json_push(lines, json_string(line));
            continue;
        }
        old_text = text_of(keys[i], old);
        new_text = text_of(keys[i], new);
        if (json_array_size(lines) <= VR_DIFF_SHOWN)
            vr_diff_json(lines, old_text, new_text, VR_DIFF_ALL);
    }
    return lines;
}
