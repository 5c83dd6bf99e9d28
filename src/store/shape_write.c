/* SPDX-License-Identifier: MIT */
/* Writers of JSON values that many shapes use. */
#include "store/shape.h"

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c != '"' && c != '\\';
}

void vr_shape_quote(struct vr_buf *out, struct vr_str text)
{
    size_t i = 0;

    vr_buf_addc(out, '"');
    while (i < text.n) {
        size_t begin = i;

        while (i < text.n && is_plain((unsigned char)text.p[i]))
            i++;
        vr_buf_add_n(out, text.p + begin, i - begin);
        if (i == text.n)
            break;
        switch (text.p[i]) {
        case '"':
            vr_buf_add(out, "\\\"");
            break;
        case '\\':
            vr_buf_add(out, "\\\\");
            break;
        case '\n':
            vr_buf_add(out, "\\n");
            break;
        case '\t':
            vr_buf_add(out, "\\t");
            break;
        default:
            vr_buf_addf(out, "\\u%04x", (unsigned char)text.p[i]);
        }
        i++;
    }
    vr_buf_addc(out, '"');
}

void vr_shape_int(struct vr_buf *out, int64_t value)
{
    vr_buf_add_int(out, value);
}

void vr_write_int(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    if (vr_db_is_null(rows, column))
        vr_buf_add(out, "null");
    else
        vr_shape_int(out, vr_db_i64(rows, column));
}

void vr_write_bool(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    vr_buf_add(out, vr_db_bool(rows, column) ? "true" : "false");
}

void vr_write_text(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    struct vr_str text = vr_db_str(rows, column);

    if (text.p)
        vr_shape_quote(out, text);
    else
        vr_buf_add(out, "null");
}

void vr_write_json(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    struct vr_str text = vr_db_str(rows, column);

    if (text.p)
        vr_buf_add_n(out, text.p, text.n);
    else
        vr_buf_add(out, "null");
}

void vr_write_list(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    struct vr_str text = vr_db_str(rows, column);

    if (text.p && text.n > 2)
        vr_buf_add_n(out, text.p, text.n);
    else
        vr_buf_add(out, "null");
}

static void write_time(struct vr_buf *out, int64_t us, bool naive)
{
    char text[VR_WALL_TEXT_BYTES];

    if (!us) {
        vr_buf_add(out, "null");
        return;
    }
    vr_wall_format((struct vr_wall){us}, naive, text);
    vr_buf_addc(out, '"');
    vr_buf_add(out, text);
    vr_buf_addc(out, '"');
}

void vr_write_naive(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    write_time(out, vr_db_i64(rows, column), true);
}

void vr_write_utc(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    write_time(out, vr_db_i64(rows, column), false);
}
