/* SPDX-License-Identifier: MIT */
/* Rows of text in aligned columns, for people. */
#include "cli/table.h"

#include "cli/out.h"
#include "core/str.h"

#include <stdarg.h>
#include <stdio.h>

#define GAP       2u /* columns between two cells */
#define NARROWEST 8u /* a cell is not cut below this */

struct vr_table {
    const char *const *titles; /* borrowed */
    size_t columns;
    size_t spare; /* columns from here on are shown if there is room */
    bool state[VR_TABLE_COLUMNS_MAX];
    size_t fit; /* columns of the terminal, 0: any number */
    bool utf8;
    char **cells; /* row by row */
    size_t count;
};

struct vr_table *vr_table_new(const char *const *titles, size_t columns)
{
    struct vr_table *t = vr_alloc(sizeof(*t));

    t->titles = titles;
    t->columns = columns < VR_TABLE_COLUMNS_MAX ? columns : VR_TABLE_COLUMNS_MAX;
    t->spare = t->columns;
    return t;
}

struct vr_table *vr_table_free(struct vr_table *t)
{
    if (!t)
        return NULL;
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
    return NULL;
}

void vr_table_mark_state(struct vr_table *t, size_t column)
{
    if (column < t->columns)
        t->state[column] = true;
}

void vr_table_mark_spare(struct vr_table *t, size_t first)
{
    if (first < t->columns)
        t->spare = first;
}

void vr_table_add(struct vr_table *t, const char *text)
{
    char *cell = vr_strdup(vr_str_is_empty(text) ? "-" : text);
    const char *end = cell + strlen(cell);

    for (char *c = cell; c < end; c++)
        memset(c, ' ', vr_out_control(c, end));
    t->cells = vr_realloc_array(t->cells, t->count + 1, sizeof(t->cells[0]));
    t->cells[t->count++] = cell;
}

void vr_table_addf(struct vr_table *t, const char *fmt, ...)
{
    vr_auto_free char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        abort(); /* as every small allocation */
    va_end(args);
    vr_table_add(t, text);
}

void vr_table_fit(struct vr_table *t, size_t columns, bool utf8)
{
    t->fit = columns;
    t->utf8 = utf8;
}

size_t vr_table_rows(const struct vr_table *t)
{
    return t->columns ? t->count / t->columns : 0;
}

static void find_widths(const struct vr_table *t, size_t *widths)
{
    for (size_t c = 0; c < t->columns; c++)
        widths[c] = vr_text_columns(t->titles[c]);
    for (size_t i = 0; i < t->count && t->columns; i++) {
        size_t n = vr_text_columns(t->cells[i]);

        if (n > widths[i % t->columns])
            widths[i % t->columns] = n;
    }
}

/*
 * Drop spare columns until the row fits, then take from the widest one as long as something
 * readable is left of it. Returns how many columns are shown.
 */
static size_t shrink(const struct vr_table *t, size_t *widths)
{
    size_t total = 0, shown = t->columns;

    for (size_t c = 0; c < shown; c++)
        total += widths[c] + (c ? GAP : 0);
    for (; t->fit && total > t->fit && shown > t->spare; shown--)
        total -= widths[shown - 1] + GAP;
    while (t->fit && total > t->fit) {
        size_t widest = 0;

        for (size_t c = 1; c < shown; c++)
            widest = widths[c] > widths[widest] ? c : widest;
        if (widths[widest] <= NARROWEST)
            break;
        widths[widest]--;
        total--;
    }
    return shown;
}

/* The first `columns` columns of a text, the last of them a sign that it goes on; given. */
static char *cut(const struct vr_table *t, const char *text, size_t columns)
{
    const char *at = text;

    if (!t->fit || vr_text_columns(text) <= columns)
        return vr_strdup(text);
    for (size_t n = 0; n + 1 < columns; n++) {
        at++;
        while (((unsigned char)*at & 0xc0) == 0x80)
            at++;
    }
    return vr_strf("%.*s%s", (int)(at - text), text, t->utf8 ? "…" : "~");
}

static void write_cell(const struct vr_table *t, bool is_last, const char *text, size_t width,
                       bool colour, enum vr_style style, struct vr_buf *out)
{
    vr_auto_free char *shown = cut(t, text, width);

    vr_style_add(out, colour, style, shown);
    if (!is_last)
        vr_buf_addf(out, "%*s", (int)(width - vr_text_columns(shown) + GAP), "");
    else
        vr_buf_addc(out, '\n');
}

void vr_table_write(const struct vr_table *t, bool colour, struct vr_buf *out)
{
    size_t widths[VR_TABLE_COLUMNS_MAX], shown;

    find_widths(t, widths);
    shown = shrink(t, widths);
    for (size_t c = 0; c < shown; c++)
        write_cell(t, c + 1 == shown, t->titles[c], widths[c], colour, VR_STYLE_BOLD, out);
    for (size_t i = 0; i < vr_table_rows(t) * t->columns; i++) {
        size_t c = i % t->columns;
        enum vr_style style = t->state[c] ? vr_style_of_state(t->cells[i]) : VR_STYLE_NONE;

        if (c < shown)
            write_cell(t, c + 1 == shown, t->cells[i], widths[c], colour, style, out);
    }
}

int vr_table_show(struct vr_table *t, const struct vr_out *out, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);

    vr_table_fit(t, out->format == VR_OUT_WIDE ? 0 : out->columns, out->utf8);
    vr_table_write(t, out->colour, &text);
    return vr_out_flush(&text, err);
}
