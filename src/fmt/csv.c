/* SPDX-License-Identifier: MIT */
/* Comma-separated values. */
#include "fmt/csv.h"

#include <string.h>

static bool is_formula(struct vr_str cell)
{
    return cell.n && memchr("=+-@\t\r", cell.p[0], 6);
}

static bool needs_quotes(struct vr_str cell)
{
    for (size_t i = 0; i < cell.n; i++)
        if (memchr(",\"\r\n", cell.p[i], 4))
            return true;
    return false;
}

void vr_csv_cell(struct vr_buf *out, struct vr_str cell, bool is_first)
{
    const char *quote = needs_quotes(cell) ? "\"" : "";

    vr_buf_add(out, is_first ? "" : ",");
    vr_buf_add(out, quote);
    vr_buf_add(out, is_formula(cell) ? "'" : "");
    while (cell.n) {
        const char *end = memchr(cell.p, '"', cell.n);
        size_t n = end ? (size_t)(end - cell.p) + 1 : cell.n;

        vr_buf_add_n(out, cell.p, n);
        vr_buf_add(out, end ? "\"" : "");
        cell.p += n;
        cell.n -= n;
    }
    vr_buf_add(out, quote);
}

void vr_csv_end(struct vr_buf *out)
{
    vr_buf_add(out, "\r\n");
}
