/* SPDX-License-Identifier: MIT */
/* Rows to structs by a table of offsets, and the few patterns that all nouns share. */
#include "store/row.h"

#include "core/buf.h"
#include "model/secret.h"

static void *at(void *row, size_t offset)
{
    return (char *)row + offset;
}

void vr_row_fini(const struct vr_row_type *type, void *row)
{
    for (size_t i = 0; i < type->count; i++) {
        if (type->fields[i].kind == VR_ROW_TEXT)
            free(*(char **)at(row, type->fields[i].offset));
    }
    memset(row, 0, type->size);
}

void vr_row_load(const struct vr_row_type *type, struct vr_db_rows *rows, void *row)
{
    for (size_t i = 0; i < type->count; i++) {
        void *field = at(row, type->fields[i].offset);

        switch (type->fields[i].kind) {
        case VR_ROW_I64:
            *(int64_t *)field = vr_db_i64(rows, (int)i);
            break;
        case VR_ROW_BOOL:
            *(bool *)field = vr_db_bool(rows, (int)i);
            break;
        case VR_ROW_TEXT:
            *(char **)field = vr_db_text_dup(rows, (int)i);
            break;
        }
    }
}

int vr_row_find_values(struct vr_tx *tx, const struct vr_row_type *type, const char *key, void *out,
                       struct vr_err *err, const char *sql, const struct vr_db_value *values,
                       size_t count)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    int r = vr_db_query_values(tx->db, &rows, err, sql, values, count);

    if (r < 0)
        return r;
    r = vr_db_next(rows, err);
    if (r < 0)
        return r;
    if (r == 0)
        return vr_fail(err, VR_NOT_FOUND, "%s '%s' does not exist", type->noun, key);
    vr_row_load(type, rows, out);
    return 0;
}

int vr_row_find_id_values(struct vr_tx *tx, const struct vr_row_type *type, int64_t id, void *out,
                          struct vr_err *err, const char *sql, const struct vr_db_value *values,
                          size_t count)
{
    vr_auto_free char *key = vr_strf("%" PRId64, id);

    return vr_row_find_values(tx, type, key, out, err, sql, values, count);
}

/* Room for one more element; the array doubles. */
static void *grow(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = *cap ? *cap * 2 : 16;
    return vr_realloc_array(v, *cap, size);
}

int vr_row_list_values(struct vr_tx *tx, const struct vr_row_type *type, void **out_v,
                       size_t *out_n, struct vr_err *err, const char *sql,
                       const struct vr_db_value *values, size_t count)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    char *v = NULL;
    size_t n = 0, cap = 0;
    int r = vr_db_query_values(tx->db, &rows, err, sql, values, count);

    if (r < 0)
        return r;
    while ((r = vr_db_next(rows, err)) > 0) {
        v = grow(v, n, &cap, type->size);
        vr_row_load(type, rows, v + n++ * type->size);
    }
    if (r < 0) {
        while (n)
            vr_row_fini(type, v + --n * type->size);
        free(v);
        return r;
    }
    *out_v = v;
    *out_n = n;
    return 0;
}

/* Which of the overview's kinds a noun is; VR_OBJECT_COUNT for none. */
static enum vr_object object_of(const char *noun)
{
    static const char *const nouns[VR_OBJECT_COUNT] = {
        [VR_OBJECT_APP] = "app",         [VR_OBJECT_SQUAD] = "squad", [VR_OBJECT_HOST] = "host",
        [VR_OBJECT_SWARM] = "swarm",     [VR_OBJECT_PROC] = "proc",   [VR_OBJECT_POOL] = "pool",
        [VR_OBJECT_ROLLOUT] = "rollout", [VR_OBJECT_BUILD] = "build",
    };
    int kind = 0;

    while (kind < VR_OBJECT_COUNT && !vr_streq(nouns[kind], noun))
        kind++;
    return (enum vr_object)kind;
}

int vr_row_change_values(struct vr_tx *tx, const char *noun, int64_t id, struct vr_err *err,
                         const char *sql, const struct vr_db_value *values, size_t count)
{
    int64_t changed = 0;
    int r = vr_db_exec_values(tx->db, &changed, err, sql, values, count);

    if (r < 0)
        return vr_fail_in(err, r, "%s", noun);
    if (!changed)
        return vr_fail(err, VR_NOT_FOUND, "%s '%" PRId64 "' does not exist", noun, id);
    if (object_of(noun) < VR_OBJECT_COUNT)
        vr_store_changed(tx, object_of(noun), id);
    return 0;
}

int vr_row_ids_values(struct vr_tx *tx, int64_t **out_ids, size_t *out_n, struct vr_err *err,
                      const char *sql, const struct vr_db_value *values, size_t count)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_free int64_t *v = NULL;
    size_t n = 0, cap = 0;
    int r = vr_db_query_values(tx->db, &rows, err, sql, values, count);

    if (r < 0)
        return r;
    while ((r = vr_db_next(rows, err)) > 0) {
        v = grow(v, n, &cap, sizeof(*v));
        v[n++] = vr_db_i64(rows, 0);
    }
    if (r < 0)
        return r;
    *out_ids = vr_take(v);
    *out_n = n;
    return 0;
}

int vr_row_touch_values(struct vr_tx *tx, void (*touch)(struct vr_tx *, int64_t),
                        struct vr_err *err, const char *sql, const struct vr_db_value *values,
                        size_t count)
{
    vr_auto_free int64_t *ids = NULL;
    size_t n = 0;
    int r = vr_row_ids_values(tx, &ids, &n, err, sql, values, count);

    for (size_t i = 0; r == 0 && i < n; i++)
        touch(tx, ids[i]);
    return r;
}

/* Append "2 hosts (h1, h2)"; returns how many there are. */
static int add_use(struct vr_tx *tx, const struct vr_row_use *use, int64_t id, const char *before,
                   struct vr_buf *out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_buf struct vr_buf names = VR_BUF(VR_ERR_MSG_BYTES);
    int n = 0;
    int r = vr_db_query(tx->db, &rows, err, use->sql, VR_I(id));

    if (r < 0)
        return r;
    while ((r = vr_db_next(rows, err)) > 0) {
        if (n < VR_ROW_USE_NAMES)
            vr_buf_addf(&names, "%s%s", n ? ", " : "", vr_row_or(vr_db_text(rows, 0), "?"));
        n++;
    }
    if (r < 0 || !n)
        return r;
    vr_buf_addf(out, "%s%d %.*s (%s%s)", before, n, (int)strlen(use->what) - (n == 1), use->what,
                vr_buf_text(&names), n > VR_ROW_USE_NAMES ? ", …" : "");
    return n;
}

int vr_row_refuse_used(struct vr_tx *tx, const char *noun, const char *name, int64_t id,
                       const struct vr_row_use *uses, size_t count, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_ERR_MSG_BYTES);

    for (size_t i = 0; i < count; i++) {
        int r = add_use(tx, &uses[i], id, text.len ? ", " : "", &text, err);

        if (r < 0)
            return r;
    }
    if (text.len)
        return vr_fail(err, VR_EXISTS, "%s '%s' is still used by %s", noun, name,
                       vr_buf_text(&text));
    return 0;
}

char *vr_row_ids_text(const int64_t *ids, size_t n)
{
    vr_auto_buf struct vr_buf b = VR_BUF(n * 21 + 3);
    char *text = NULL;

    vr_buf_addc(&b, '[');
    for (size_t i = 0; i < n; i++)
        vr_buf_addf(&b, "%s%" PRId64, i ? "," : "", ids[i]);
    vr_buf_addc(&b, ']');
    vr_ignore(vr_buf_finish(&b, &text, NULL), "the ceiling fits the longest numbers");
    return text;
}

char *vr_row_shown_url(const char *url)
{
    char *shown = url ? vr_secret_masked_url(url) : NULL;

    if (shown && vr_streq(shown, url)) {
        free(shown);
        return NULL;
    }
    return shown;
}
