/* SPDX-License-Identifier: MIT */
/*
 * Moving from the original, table by table.
 *
 * The dump has its tables in the order of the alphabet, so rows come before those that they refer
 * to. What may be referred to is small next to the history and is held until all of it is there.
 */
#include "server/import/import.h"

#include "core/buf.h"
#include "engine/dispatch.h"
#include "fmt/json.h"
#include "fmt/pgdump.h"
#include "server/import/tables.h"
#include "store/import.h"
#include "sys/fs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE_BYTES 500
#define COPY_BYTES     65536

/* ------------------------------------------------------------------ the report */

static VR_PRINTF(3, 0) void add_sentence(struct vr_importer *im, json_t *list, const char *fmt,
                                         va_list args)
{
    char text[SENTENCE_BYTES];

    if (json_array_size(list) >= VR_IMPORT_LEFT_MAX) {
        im->report->left_more++;
        return;
    }
    vsnprintf(text, sizeof(text), fmt, args);
    vr_json_push(list, vr_json_text(text, strlen(text)));
}

void vr_import_left(struct vr_importer *im, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add_sentence(im, im->report->left, fmt, args);
    va_end(args);
}

void vr_import_note(struct vr_importer *im, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add_sentence(im, im->report->notes, fmt, args);
    va_end(args);
}

void vr_import_report_fini(struct vr_import_report *report)
{
    free(report->counts);
    json_decref(report->left);
    json_decref(report->notes);
    *report = (struct vr_import_report){0};
}

/* ------------------------------------------------------------------ files of the original */

static int open_file(const struct vr_importer *im, const char *path, struct vr_err *err)
{
    if (im->files < 0)
        return vr_fail(err, VR_NOT_FOUND, "no --files were given");
    return vr_fs_open_beneath(im->files, path, O_RDONLY, 0, err);
}

int vr_import_file(struct vr_importer *im, const char *path, struct vr_blob_name *out,
                   struct vr_err *err)
{
    vr_auto_close int fd = open_file(im, path, err);
    VR_OWNED(vr_blob_abort) struct vr_blob_writer *writer = NULL;
    vr_auto_free char *bytes = NULL;
    ssize_t n = 0;
    int r = fd;

    if (fd >= 0)
        r = im->spec->blobs ? vr_blob_begin(im->spec->blobs, &writer, err)
                            : vr_fail(err, VR_NOT_FOUND, "a trial takes no files");
    if (r < 0)
        return r;
    bytes = vr_alloc(COPY_BYTES);
    while (r == 0 && (n = read(fd, bytes, COPY_BYTES)) > 0)
        r = vr_blob_write(writer, bytes, (size_t)n, err);
    if (n < 0)
        return vr_fail_sys(err, "read '%s'", path);
    return r < 0 ? r : vr_blob_commit(writer, NULL, out, err);
}

int vr_import_text_file(struct vr_importer *im, const char *path, size_t max_bytes, char **out,
                        size_t *out_n, struct vr_err *err)
{
    vr_auto_close int fd = open_file(im, path, err);
    vr_auto_buf struct vr_buf text = VR_BUF(max_bytes);
    char bytes[COPY_BYTES];
    ssize_t n = 0;

    if (fd < 0)
        return fd;
    while (!text.over && (n = read(fd, bytes, sizeof(bytes))) > 0)
        vr_buf_add_n(&text, bytes, (size_t)n);
    if (!text.over && n < 0)
        return vr_fail_sys(err, "read '%s'", path);
    *out_n = text.len;
    return vr_buf_finish(&text, out, err);
}

/* ------------------------------------------------------------------ one row */

const json_t *vr_import_taken(const struct vr_importer *im, const char *table, const char *id)
{
    return id ? json_object_get(json_object_get(im->taken, table), id) : NULL;
}

static const char *value_of(const json_t *in, const char *column)
{
    return json_string_value(json_object_get(in, column));
}

static const char *title_of(const char *from)
{
    for (const struct vr_import_table *t = vr_import_tables; t->from; t++)
        if (!strcmp(t->from, from))
            return t->title;
    return from;
}

static int read_column(struct vr_importer *im, const struct vr_import_column *c, const json_t *in,
                       json_t *out, struct vr_err *err)
{
    const char *text = value_of(in, c->from);
    int r;

    if (c->refers && text && !vr_import_taken(im, c->refers, text)) {
        if (c->kind != VR_IMPORT_INT_NULL)
            return vr_fail(err, VR_INVALID, "it refers to number %s of the %s, which was not taken",
                           text, title_of(c->refers));
        text = NULL;
    }
    r = vr_import_value(c->kind, text, c->to, out, err);
    return r < 0 ? vr_fail_in(err, r, "%s", c->from) : 0;
}

/* Our row; -VR_INVALID if it cannot be made. */
static int make_row(struct vr_importer *im, const struct vr_import_table *t, const json_t *in,
                    json_t *out, struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; i < t->column_count && r == 0; i++)
        r = read_column(im, &t->columns[i], in, out, err);
    if (r == 0 && t->finish)
        r = t->finish(im, in, out, err);
    return r;
}

static struct vr_import_count *count_of(struct vr_importer *im, const struct vr_import_table *t)
{
    return &im->report->counts[t - vr_import_tables];
}

static void leave_out(struct vr_importer *im, const struct vr_import_table *t, const json_t *in,
                      const char *why)
{
    const char *id = value_of(in, "id"), *label = t->label ? value_of(in, t->label) : NULL;

    if (label && *label)
        vr_import_left(im, "%s: number %s (%s): %s", t->title, id ? id : "?", label, why);
    else
        vr_import_left(im, "%s: number %s: %s", t->title, id ? id : "?", why);
}

static int take_row(struct vr_importer *im, const struct vr_import_table *t, const json_t *in,
                    struct vr_err *err)
{
    vr_auto_json json_t *out = json_object(), *keep = json_object();
    const char *id = value_of(in, "id");
    int r = make_row(im, t, in, out, err);

    if (r == -VR_NOT_FOUND)
        return 0;
    count_of(im, t)->read++;
    if (r == 0 && t->to)
        r = vr_store_import_row(im->spec->tx, t->to, out, err);
    if (r == -VR_INVALID || r == -VR_PARSE || r == -VR_LIMIT || r == -VR_EXISTS) {
        leave_out(im, t, in, err->msg);
        return 0;
    }
    if (r == 0 && t->inserted)
        r = t->inserted(im, in, keep, err);
    if (r < 0)
        return vr_fail_in(err, r, "table %s, row %s", t->from, id ? id : "?");
    count_of(im, t)->taken++;
    if (id && !t->is_streamed)
        vr_json_set(json_object_get(im->taken, t->from), id, json_incref(keep));
    return 0;
}

/* ------------------------------------------------------------------ reading */

static json_t *row_of(const struct vr_pgdump_row *row)
{
    json_t *in = json_object();

    for (size_t i = 0; i < row->n; i++)
        vr_json_set(in, row->columns[i],
                    row->values[i] ? vr_json_text(row->values[i], strlen(row->values[i]))
                                   : json_null());
    return in;
}

static const struct vr_import_table *table_of(const struct vr_pgdump_row *row)
{
    for (const struct vr_import_table *t = vr_import_tables; t->from; t++)
        if (!strcmp(t->from, row->table))
            return t;
    return NULL;
}

/* First reading: hold what is not history. */
static int hold(void *user, const struct vr_pgdump_row *row, struct vr_err *err)
{
    struct vr_importer *im = user;
    const struct vr_import_table *t = table_of(row);

    if (t && !t->is_streamed)
        vr_json_push(json_object_get(im->rows, t->from), row_of(row));
    return 0;
}

/* Second reading: take the history. */
static int take_history(void *user, const struct vr_pgdump_row *row, struct vr_err *err)
{
    struct vr_importer *im = user;
    const struct vr_import_table *t = table_of(row);
    vr_auto_json json_t *in = NULL;

    if (!t || !t->is_streamed)
        return 0;
    in = row_of(row);
    return take_row(im, t, in, err);
}

static int read_lines(FILE *file, struct vr_pgdump *dump, struct vr_err *err)
{
    vr_auto_free char *line = NULL;
    size_t capacity = 0;
    ssize_t n;
    int r = 0;

    while (r == 0 && (n = getline(&line, &capacity, file)) > 0)
        r = vr_pgdump_line(dump, (struct vr_str){line, (size_t)n - (line[n - 1] == '\n')}, err);
    if (r == 0 && ferror(file))
        return vr_fail_sys(err, "read the dump");
    return r < 0 ? r : vr_pgdump_end(dump, err);
}

static int read_dump(struct vr_importer *im, vr_pgdump_row_fn fn, struct vr_err *err)
{
    struct vr_pgdump *dump = vr_pgdump_new(fn, im);
    FILE *file = fopen(im->spec->dump, "re");
    int r;

    if (file) {
        r = read_lines(file, dump, err);
        fclose(file);
    } else {
        r = vr_fail_sys(err, "open '%s'", im->spec->dump);
    }
    vr_pgdump_free(dump);
    return r < 0 ? vr_fail_in(err, r, "'%s'", im->spec->dump) : 0;
}

/* ------------------------------------------------------------------ the whole */

static int take_held(struct vr_importer *im, const struct vr_import_table *t, struct vr_err *err)
{
    size_t i;
    json_t *in;
    int r = 0;

    json_array_foreach (json_object_get(im->rows, t->from), i, in) {
        r = take_row(im, t, in, err);
        if (r < 0)
            break;
    }
    return r;
}

/* What swarms show of their ingredients is computed when it is written. */
static int merge_swarms(struct vr_importer *im, struct vr_err *err)
{
    const char *id;
    json_t *kept;
    int r = 0;

    json_object_foreach (json_object_get(im->taken, "deployment_swarm"), id, kept) {
        int64_t n;

        if (r == 0)
            r = vr_parse_i64(vr_str(id), 1, INT64_MAX, &n, err);
        if (r == 0)
            r = vr_dispatch_refresh_merged(im->spec->tx, n, err);
        if (r == -VR_INVALID) { /* too much config: it is kept, and cannot be dispatched */
            vr_import_note(im, "%s", err->msg);
            r = 0;
        }
    }
    return r;
}

static bool is_a_dump(const struct vr_importer *im)
{
    const char *table;
    json_t *rows;

    json_object_foreach (im->rows, table, rows)
        if (json_array_size(rows))
            return true;
    return false;
}

static int import_all(struct vr_importer *im, struct vr_err *err)
{
    int r = read_dump(im, hold, err);

    if (r == 0 && !is_a_dump(im))
        r = vr_fail(err, VR_PARSE,
                    "'%s' has no rows of the original: write it with pg_dump --format=plain",
                    im->spec->dump);
    for (const struct vr_import_table *t = vr_import_tables; t->from && r == 0; t++)
        r = take_held(im, t, err);
    json_object_clear(im->rows);
    if (r == 0)
        r = read_dump(im, take_history, err);
    return r < 0 ? r : merge_swarms(im, err);
}

static size_t table_count(void)
{
    size_t n = 0;

    while (vr_import_tables[n].from)
        n++;
    return n;
}

int vr_import_run(const struct vr_import_spec *spec, struct vr_import_report *out,
                  struct vr_err *err)
{
    vr_auto_close int files = -1;
    struct vr_importer im = {.spec = spec, .report = out};
    int r = 0;

    *out = (struct vr_import_report){
        .count_n = table_count(), .left = json_array(), .notes = json_array()};
    out->counts = vr_alloc_array(out->count_n, sizeof(*out->counts));
    if (spec->files) {
        files = open(spec->files, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (files < 0)
            return vr_fail_sys(err, "open '%s'", spec->files);
    }
    im.files = files;
    im.rows = json_object();
    im.taken = json_object();
    for (size_t i = 0; i < out->count_n; i++) {
        out->counts[i].title = vr_import_tables[i].title;
        vr_json_set(im.rows, vr_import_tables[i].from, json_array());
        vr_json_set(im.taken, vr_import_tables[i].from, json_object());
    }
    r = import_all(&im, err);
    json_decref(im.rows);
    json_decref(im.taken);
    return r;
}
