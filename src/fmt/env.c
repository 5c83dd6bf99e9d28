/* SPDX-License-Identifier: MIT */
/*
 * The environment of a proc.
 *
 * env.sh is sourced by bash, so a value is data only if it is quoted for bash. In single quotes
 * nothing is special but the quote itself. With `expand` the double quotes keep $NAME and ${NAME}
 * alive; every other character that is special between them - also a `$` before `(` - gets a
 * backslash, so that no command can hide in a value.
 */
#include "fmt/env.h"

#include <stdlib.h>

static bool is_key_start(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

static bool is_key_char(char c)
{
    return is_key_start(c) || (c >= '0' && c <= '9');
}

/* Bytes of the name at the start of `p`. */
static size_t key_bytes(const char *p)
{
    size_t n = 0;

    if (is_key_start(*p)) {
        while (is_key_char(p[n]))
            n++;
    }
    return n;
}

bool vr_env_is_key(const char *name)
{
    size_t n = key_bytes(name);

    return n && !name[n];
}

static bool is_reference(const char *text)
{
    return text[0] == '$' && vr_env_is_key(text + 1);
}

char *vr_env_value(const struct vr_env_spec *spec, const json_t *value)
{
    const char *text, *found;

    if (!value || json_is_null(value))
        return NULL;
    if (!json_is_string(value))
        return vr_json_dump_sorted(value);
    text = json_string_value(value);
    if (!is_reference(text))
        return vr_strdup(text);
    found = spec->lookup ? spec->lookup(spec->arg, text + 1) : NULL;
    return vr_strdup(found ? found : "");
}

static void add_single_quoted(struct vr_buf *out, const char *text)
{
    vr_buf_addc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            vr_buf_add(out, "'\\''");
        else
            vr_buf_addc(out, *text);
    }
    vr_buf_addc(out, '\'');
}

/* Bytes of `$NAME` or `${NAME}` at `p`, 0 if it is neither. */
static size_t expansion_bytes(const char *p)
{
    size_t n;

    if (p[0] != '$')
        return 0;
    if (p[1] != '{') {
        n = key_bytes(p + 1);
        return n ? n + 1 : 0;
    }
    n = key_bytes(p + 2);
    return n && p[2 + n] == '}' ? n + 3 : 0;
}

static void add_double_quoted(struct vr_buf *out, const char *text)
{
    vr_buf_addc(out, '"');
    while (*text) {
        size_t n = expansion_bytes(text);

        if (!n && strchr("$`\"\\", *text))
            vr_buf_addc(out, '\\');
        n = n ? n : 1;
        vr_buf_add_n(out, text, n);
        text += n;
    }
    vr_buf_addc(out, '"');
}

static void add_variable(struct vr_buf *out, const struct vr_env_spec *spec, const char *key,
                         const json_t *value)
{
    vr_auto_free char *text = vr_env_value(spec, value);
    bool expand = spec->expand && json_is_string(value) && !is_reference(json_string_value(value));

    if (!text) {
        vr_buf_addf(out, "unset %s\n", key);
        return;
    }
    vr_buf_addf(out, "export %s=", key);
    if (expand)
        add_double_quoted(out, text);
    else
        add_single_quoted(out, text);
    vr_buf_addc(out, '\n');
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int vr_env_format(const struct vr_env_spec *spec, char **out_text, struct vr_err *err)
{
    size_t count = json_object_size(spec->env), n = 0;
    vr_auto_free const char **keys = vr_alloc_array(count + 1, sizeof(*keys));
    vr_auto_buf struct vr_buf out = VR_BUF(VR_ENV_BYTES);
    const char *key;
    json_t *value;
    int r;

    json_object_foreach ((json_t *)spec->env, key, value) {
        if (!vr_env_is_key(key))
            return vr_fail(err, VR_INVALID, "'%.80s' is not a name of an environment variable",
                           key);
        keys[n++] = key;
    }
    qsort(keys, n, sizeof(*keys), compare_keys);
    for (size_t i = 0; i < n; i++)
        add_variable(&out, spec, keys[i], json_object_get(spec->env, keys[i]));
    r = vr_buf_finish(&out, out_text, err);
    return r < 0 ? vr_fail_in(err, r, "env.sh") : 0;
}
