/* SPDX-License-Identifier: MIT */
/*
 * Rows of a PostgreSQL dump in plain format.
 *
 * A block is `COPY schema.table (a, "b") FROM stdin;`, a line a row with tabs between the values,
 * and `\.`. In a value a backslash begins an escape, `\N` alone is null. Everything outside of
 * blocks is SQL that nobody here needs.
 */
#include "fmt/pgdump.h"

#include "core/own.h"

#include <ctype.h>
#include <inttypes.h>

#define NAME_BYTES 64 /* PostgreSQL's names have at most 63 */

struct vr_pgdump {
    vr_pgdump_row_fn fn;
    void *user;
    int64_t number; /* of the line */
    bool in_block;
    char table[NAME_BYTES];
    char names[VR_PGDUMP_COLUMNS_MAX][NAME_BYTES];
    const char *columns[VR_PGDUMP_COLUMNS_MAX];
    const char *values[VR_PGDUMP_COLUMNS_MAX];
    size_t n;
};

struct vr_pgdump *vr_pgdump_new(vr_pgdump_row_fn fn, void *user)
{
    struct vr_pgdump *dump = vr_alloc(sizeof(*dump));

    dump->fn = fn;
    dump->user = user;
    return dump;
}

struct vr_pgdump *vr_pgdump_free(struct vr_pgdump *dump)
{
    free(dump);
    return NULL;
}

const char *vr_pgdump_value(const struct vr_pgdump_row *row, const char *column)
{
    for (size_t i = 0; i < row->n; i++)
        if (!strcmp(row->columns[i], column))
            return row->values[i];
    return NULL;
}

/* ------------------------------------------------------------------ the head of a block */

/* A name at *at, in quotes or plain; moves behind it. */
static bool take_name(const char **at, char out[NAME_BYTES])
{
    bool quoted = **at == '"';
    size_t n = 0;

    *at += quoted;
    while (**at && (quoted ? **at != '"' : isalnum((unsigned char)**at) || **at == '_')) {
        if (n == NAME_BYTES - 1)
            return false;
        out[n++] = *(*at)++;
    }
    if (quoted && *(*at)++ != '"')
        return false;
    out[n] = '\0';
    return n > 0;
}

static bool take(const char **at, const char *text)
{
    size_t n = strlen(text);

    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

/* Whether this is the head of a block, whose table and columns are kept then. */
static bool read_head(struct vr_pgdump *dump, const char *line)
{
    const char *at = line;

    dump->n = 0;
    if (!take(&at, "COPY ") || !take_name(&at, dump->table))
        return false;
    if (take(&at, ".") && !take_name(&at, dump->table))
        return false;
    if (!take(&at, " ("))
        return false;
    do {
        if (dump->n == VR_PGDUMP_COLUMNS_MAX || !take_name(&at, dump->names[dump->n]))
            return false;
        dump->columns[dump->n] = dump->names[dump->n];
        dump->n++;
    } while (take(&at, ", "));
    return take(&at, ") FROM stdin;");
}

/* ------------------------------------------------------------------ rows */

static int digit(char c, int base)
{
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : base;

    return d < base ? d : -1;
}

/* The byte that up to `most` digits at *at stand for; moves behind them. */
static char take_code(const char **at, int base, int most)
{
    int code = 0;

    for (int i = 0; i < most && digit(**at, base) >= 0; i++)
        code = code * base + digit(*(*at)++, base);
    return (char)code;
}

/* What the escape at *at, behind its backslash, stands for; moves behind it. */
static char take_escape(const char **at)
{
    static const char letters[] = "bfnrtv", bytes[] = "\b\f\n\r\t\v";
    const char *found = **at ? strchr(letters, **at) : NULL;

    if (found) {
        (*at)++;
        return bytes[found - letters];
    }
    if (digit(**at, 8) >= 0)
        return take_code(at, 8, 3);
    if (**at == 'x' && digit((*at)[1], 16) >= 0) {
        (*at)++;
        return take_code(at, 16, 2);
    }
    return *(*at)++;
}

/* Undo the escapes of a value in place; NULL for null. Its text never grows. */
static const char *unescape(char *value)
{
    const char *from = value;
    char *to = value;

    if (!strcmp(value, "\\N"))
        return NULL;
    while (*from) {
        if (*from != '\\')
            *to++ = *from++;
        else if (*++from)
            *to++ = take_escape(&from);
    }
    *to = '\0';
    return value;
}

static int read_row(struct vr_pgdump *dump, char *line, struct vr_err *err)
{
    struct vr_pgdump_row row = {dump->table, dump->n, dump->columns, dump->values};
    char *rest = line, *value;
    size_t n = 0;

    while ((value = strsep(&rest, "\t"))) {
        if (n == dump->n)
            return vr_fail(err, VR_PARSE,
                           "line %" PRId64 ": a row of '%s' has more than %zu values", dump->number,
                           dump->table, dump->n);
        dump->values[n++] = unescape(value);
    }
    if (n < dump->n)
        return vr_fail(err, VR_PARSE, "line %" PRId64 ": a row of '%s' has %zu values, not %zu",
                       dump->number, dump->table, n, dump->n);
    return dump->fn(dump->user, &row, err);
}

int vr_pgdump_line(struct vr_pgdump *dump, struct vr_str line, struct vr_err *err)
{
    vr_auto_free char *copy = NULL;

    dump->number++;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    if (line.n > VR_PGDUMP_LINE_BYTES)
        return vr_fail(err, VR_LIMIT, "line %" PRId64 " is longer than %u bytes", dump->number,
                       VR_PGDUMP_LINE_BYTES);
    if (!dump->in_block && (line.n < 5 || strncmp(line.p, "COPY ", 5) != 0))
        return 0;
    copy = vr_strndup(line.p, line.n);
    if (!dump->in_block) {
        dump->in_block = read_head(dump, copy);
        return 0;
    }
    if (!strcmp(copy, "\\.")) {
        dump->in_block = false;
        return 0;
    }
    if (strlen(copy) != line.n)
        return vr_fail(err, VR_PARSE, "line %" PRId64 ": a row of '%s' has a NUL byte",
                       dump->number, dump->table);
    return read_row(dump, copy, err);
}

int vr_pgdump_end(const struct vr_pgdump *dump, struct vr_err *err)
{
    if (!dump->in_block)
        return 0;
    return vr_fail(err, VR_PARSE, "the dump ends within table '%s', at line %" PRId64, dump->table,
                   dump->number);
}
