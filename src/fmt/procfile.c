/* SPDX-License-Identifier: MIT */
/*
 * The Procfile.
 *
 * As YAML it is a mapping of texts. People also write Heroku's lines with commands that YAML does
 * not take (`web: python -c "print: 1"`, `worker: @reboot`), so the lines are the second try, and
 * if they fail too it is their message that is shown, since it names the very line.
 */
#include "fmt/procfile.h"

#include "fmt/utf8.h"
#include "fmt/yaml.h"

#include <stdlib.h>

struct entry {
    char *name;
    char *command;
};

struct vr_procfile {
    struct entry *entries;
    size_t count;
    size_t cap;
};

/* Names listed in a message; more are cut by the message itself. */
#define LIST_BYTES 200

struct vr_procfile *vr_procfile_new(void)
{
    return vr_alloc(sizeof(struct vr_procfile));
}

struct vr_procfile *vr_procfile_free(struct vr_procfile *pf)
{
    if (!pf)
        return NULL;
    for (size_t i = 0; i < pf->count; i++) {
        free(pf->entries[i].name);
        free(pf->entries[i].command);
    }
    free(pf->entries);
    free(pf);
    return NULL;
}

size_t vr_procfile_count(const struct vr_procfile *pf)
{
    return pf->count;
}

const char *vr_procfile_name(const struct vr_procfile *pf, size_t i)
{
    return pf->entries[i].name;
}

const char *vr_procfile_command(const struct vr_procfile *pf, size_t i)
{
    return pf->entries[i].command;
}

static const char *find(const struct vr_procfile *pf, const char *name)
{
    for (size_t i = 0; i < pf->count; i++) {
        if (vr_streq(pf->entries[i].name, name))
            return pf->entries[i].command;
    }
    return NULL;
}

int vr_procfile_add(struct vr_procfile *pf, const char *name, const char *command,
                    struct vr_err *err)
{
    if (find(pf, name))
        return 0;
    if (pf->count == VR_PROCFILE_ENTRIES)
        return vr_fail(err, VR_LIMIT, "Procfile has more than %u procs", VR_PROCFILE_ENTRIES);
    if (pf->count == pf->cap) {
        pf->cap = pf->cap ? 2 * pf->cap : 8;
        pf->entries = vr_realloc_array(pf->entries, pf->cap, sizeof(*pf->entries));
    }
    pf->entries[pf->count++] = (struct entry){vr_strdup(name), vr_strdup(command)};
    return 0;
}

static int add_mapping(struct vr_procfile *pf, const json_t *mapping, struct vr_err *err)
{
    const char *name;
    json_t *command;

    json_object_foreach ((json_t *)mapping, name, command) {
        int r;

        if (!json_is_string(command) || !json_string_length(command))
            return vr_fail(err, VR_PARSE, "Procfile: the command of '%.50s' is not a text", name);
        r = vr_procfile_add(pf, name, json_string_value(command), err);
        if (r < 0)
            return r;
    }
    return 0;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct vr_str trim(struct vr_str s)
{
    while (s.n && is_blank(s.p[0]))
        s = (struct vr_str){s.p + 1, s.n - 1};
    while (s.n && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* `name: command`; `line` has no blanks around it and is not empty. */
static int add_line(struct vr_procfile *pf, struct vr_str line, size_t number, struct vr_err *err)
{
    const char *colon = memchr(line.p, ':', line.n);
    size_t n = colon ? (size_t)(colon - line.p) : 0;
    vr_auto_free char *name = vr_strndup(line.p, n);
    struct vr_str rest = colon ? trim((struct vr_str){colon + 1, line.n - n - 1}) : vr_str("");
    vr_auto_free char *command = vr_strndup(rest.p, rest.n);
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789_-";

    if (!vr_str_is_made_of(name, alphabet, 1, n) || !rest.n)
        return vr_fail(err, VR_PARSE, "Procfile: line %zu is not `name: command`: %.*s", number,
                       (int)(line.n > 60 ? 60 : line.n), line.p);
    if (find(pf, name))
        return vr_fail(err, VR_PARSE, "Procfile: line %zu: '%s' is there twice", number, name);
    return vr_procfile_add(pf, name, command, err);
}

static int add_lines(struct vr_procfile *pf, struct vr_str text, struct vr_err *err)
{
    size_t number = 1;

    for (size_t at = 0; at < text.n; number++) {
        const char *end = memchr(text.p + at, '\n', text.n - at);
        size_t n = end ? (size_t)(end - text.p) - at : text.n - at;
        struct vr_str line = trim((struct vr_str){text.p + at, n});

        if (line.n && line.p[0] != '#') {
            int r = add_line(pf, line, number, err);

            if (r < 0)
                return r;
        }
        at += n + 1;
    }
    return 0;
}

int vr_procfile_parse(struct vr_str text, struct vr_procfile **out, struct vr_err *err)
{
    VR_OWNED(vr_procfile_free) struct vr_procfile *pf = vr_procfile_new();
    vr_auto_json json_t *mapping = NULL;
    int r;

    if (text.n > VR_PROCFILE_BYTES)
        return vr_fail(err, VR_LIMIT, "Procfile is longer than %u bytes", VR_PROCFILE_BYTES);
    if (memchr(text.n ? text.p : "", '\0', text.n) || vr_utf8_valid_bytes(text) != text.n)
        return vr_fail(err, VR_PARSE, "Procfile is not UTF-8 text");
    r = vr_yaml_parse(text, &mapping, NULL);
    if (r == 0 && json_is_object(mapping))
        r = add_mapping(pf, mapping, err);
    else if (r < 0 || !json_is_null(mapping))
        r = add_lines(pf, text, err);
    if (r < 0)
        return r;
    *out = vr_take(pf);
    return 0;
}

int vr_procfile_get(const struct vr_procfile *pf, const char *name, const char **out_command,
                    struct vr_err *err)
{
    const char *command = find(pf, name);
    vr_auto_buf struct vr_buf list = VR_BUF(LIST_BYTES);

    if (command) {
        *out_command = command;
        return 0;
    }
    if (!pf->count)
        return vr_fail(err, VR_NOT_FOUND, "no proc '%.50s': the Procfile is empty", name);
    for (size_t i = 0; i < pf->count; i++)
        vr_buf_addf(&list, "%s%s", i ? ", " : "", pf->entries[i].name);
    return vr_fail(err, VR_NOT_FOUND, "no proc '%.50s' in the Procfile; it has: %s", name,
                   vr_buf_text(&list));
}
