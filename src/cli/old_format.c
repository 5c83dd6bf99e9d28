/* SPDX-License-Identifier: MIT */
/* Text as the original's Python client wrote it, for scripts that read it. */
#include "cli/old_format.h"

#include "cli/noun.h"
#include "core/str.h"
#include "fmt/json.h"

#include <inttypes.h>
#include <string.h>

#define US_PER_S 1000000

/* Python prefers single quotes, unless the text has them and no double ones. */
static void add_string(struct vr_buf *out, const char *text)
{
    char quote = strchr(text, '\'') && !strchr(text, '"') ? '"' : '\'';

    vr_buf_addc(out, quote);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == (unsigned char)quote || c == '\\')
            vr_buf_addf(out, "\\%c", c);
        else if (c == '\n')
            vr_buf_add(out, "\\n");
        else if (c == '\t')
            vr_buf_add(out, "\\t");
        else if (c == '\r')
            vr_buf_add(out, "\\r");
        else if (c < ' ' || c == 0x7f)
            vr_buf_addf(out, "\\x%02x", c);
        else
            vr_buf_addc(out, (char)c);
    }
    vr_buf_addc(out, quote);
}

void vr_old_repr(struct vr_buf *out, const json_t *value)
{
    const char *key, *separator = "";
    json_t *item;
    size_t i;

    switch (json_typeof(value)) {
    case JSON_OBJECT:
        vr_buf_addc(out, '{');
        json_object_foreach ((json_t *)value, key, item) {
            vr_buf_add(out, separator);
            add_string(out, key);
            vr_buf_add(out, ": ");
            vr_old_repr(out, item);
            separator = ", ";
        }
        vr_buf_addc(out, '}');
        return;
    case JSON_ARRAY:
        vr_buf_addc(out, '[');
        json_array_foreach (value, i, item) {
            vr_buf_add(out, i ? ", " : "");
            vr_old_repr(out, item);
        }
        vr_buf_addc(out, ']');
        return;
    case JSON_STRING:
        add_string(out, json_string_value(value));
        return;
    case JSON_INTEGER:
        vr_buf_addf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        return;
    case JSON_REAL:
        vr_json_add_double(out, json_real_value(value));
        return;
    case JSON_TRUE:
        vr_buf_add(out, "True");
        return;
    case JSON_FALSE:
        vr_buf_add(out, "False");
        return;
    case JSON_NULL:
        vr_buf_add(out, "None");
        return;
    }
}

void vr_old_duration(struct vr_buf *out, int64_t us)
{
    int64_t s = us / US_PER_S, rest = us % US_PER_S;

    vr_buf_addf(out, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    if (rest)
        vr_buf_addf(out, ".%06" PRId64, rest);
}

void vr_old_proc(struct vr_buf *out, const json_t *proc)
{
    vr_auto_free char *host = vr_cli_noun_cell(proc, "host");
    vr_auto_free char *port = vr_cli_noun_cell(proc, "port");
    vr_auto_free char *state = vr_cli_noun_cell(proc, "statename");
    vr_auto_free char *text = vr_cli_noun_cell(proc, "description");

    vr_buf_addf(out, "%-22s  %-5s  %-9s  %s", host, port, state, text);
}

static void add_pair(struct vr_buf *out, char sign, const char *key, const json_t *value)
{
    vr_buf_addc(out, sign);
    add_string(out, key);
    vr_buf_add(out, ": ");
    vr_old_repr(out, value);
    vr_buf_add(out, ",\n");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void vr_old_diff(struct vr_buf *out, const json_t *a, const json_t *b)
{
    const char **keys =
        vr_alloc_array(json_object_size(a) + json_object_size(b) + 1, sizeof(keys[0]));
    const char *key;
    json_t *value;
    size_t n = 0;

    json_object_foreach ((json_t *)a, key, value)
        keys[n++] = key;
    json_object_foreach ((json_t *)b, key, value) {
        if (!json_object_get(a, key))
            keys[n++] = key;
    }
    qsort(keys, n, sizeof(keys[0]), by_text);
    vr_buf_add(out, "--- a\n+++ b\n{\n");
    for (size_t i = 0; i < n; i++) {
        const json_t *old = json_object_get(a, keys[i]), *new = json_object_get(b, keys[i]);

        if (old && new &&json_equal(old, new)) {
            add_pair(out, ' ', keys[i], old);
            continue;
        }
        if (old)
            add_pair(out, '-', keys[i], old);
        if (new)
            add_pair(out, '+', keys[i], new);
    }
    vr_buf_add(out, "}\n");
    free(keys);
}
