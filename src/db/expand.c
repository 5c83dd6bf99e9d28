/* SPDX-License-Identifier: MIT */
/* Portable SQL to the driver's: each @WORD@ is replaced, all else is copied. */
#include "core/buf.h"
#include "db/db_driver.h"

/* Put one macro; returns the text behind it, or NULL if `at` is not that macro. */
static const char *put_macro(const struct vr_db_macro *macro, const char *at, struct vr_buf *out)
{
    const char *end;

    if (!vr_str_has_prefix(at, macro->word))
        return NULL;
    at += strlen(macro->word);
    vr_buf_add(out, macro->text);
    if (!macro->tail)
        return at;
    end = strstr(at, ")@");
    if (!end)
        return NULL;
    vr_buf_add_n(out, at, (size_t)(end - at));
    vr_buf_add(out, macro->tail);
    return end + 2;
}

int vr_db_expand(const struct vr_db_driver *driver, const char *sql, char **out, struct vr_err *err)
{
    vr_auto_buf struct vr_buf b = VR_BUF(VR_DB_SQL_BYTES);

    for (;;) {
        const char *at = strchr(sql, '@');
        const char *behind = NULL;

        vr_buf_add_n(&b, sql, at ? (size_t)(at - sql) : strlen(sql));
        if (!at)
            return vr_buf_finish(&b, out, err);
        for (size_t i = 0; !behind && i < driver->macro_count; i++)
            behind = put_macro(&driver->macros[i], at, &b);
        if (!behind)
            return vr_fail(err, VR_BUG, "unknown word in SQL: %.40s", at);
        sql = behind;
    }
}
