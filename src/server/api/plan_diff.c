/* SPDX-License-Identifier: MIT */
/* The difference of two dicts as lines of YAML. */
#include "server/api/plan.h"

#include "model/secret.h"

#include <string.h>

#define DIFF_LINES_MAX 2000 /* a last line says that there are more */

static void push_line(json_t *lines, const char *text)
{
    if (json_array_size(lines) < DIFF_LINES_MAX)
        vr_json_push(lines, json_string(text));
    else if (json_array_size(lines) == DIFF_LINES_MAX)
        vr_json_push(lines, json_string("… and more"));
}

/* A key with its value, every line of it marked; of a secret only its mask is there to be seen. */
static void add_pair(json_t *lines, char mark, const char *key, json_t *value)
{
    vr_auto_json json_t *pair = json_pack("{s:O}", key, value);
    vr_auto_free char *text = vr_secret_masked_yaml(pair);

    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        vr_auto_free char *marked = vr_strf("%c %.*s", mark, (int)n, line);

        push_line(lines, marked);
        line += n + (line[n] == '\n');
    }
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

        if (old && new &&json_equal(old, new))
            continue;
        if (vr_secret_id(old) && vr_secret_id(new)) {
            vr_auto_free char *line = vr_strf("~ %s: secret, changed", keys[i]);

            push_line(lines, line);
            continue;
        }
        if (old)
            add_pair(lines, '-', keys[i], old);
        if (new)
            add_pair(lines, '+', keys[i], new);
    }
    return lines;
}
