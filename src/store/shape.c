/* SPDX-License-Identifier: MIT */
/* Renders rows as JSON text, with arrays of child rows. */

/*
 * No tree of JSON values is built: each typed column is appended to one buffer by its writer.
 * Arrays of children (the procs of a swarm) leave a hole while the rows are read; then one query
 * fetches the children of all rows at once, in the order of their parents, and the text is put
 * together. So a list costs one query a level, however long it is. The same SQL runs on every
 * database, which their JSON functions would not.
 */
#include "store/shape.h"

#define CAN           "can"
#define FIRST_COLUMN  4 /* of the fields: before are parent, id, app and owner of the row */
#define PARENT_COLUMN 0
#define ID_COLUMN     1
#define APP_COLUMN    2
#define OWNER_COLUMN  3

struct row {
    int64_t id;
    int64_t parent;
    size_t begin; /* in the text */
    size_t end;
};

struct hole {
    size_t at;    /* in the text */
    size_t field; /* index in the shape */
    int64_t id;   /* of the row */
};

struct rendered {
    struct vr_buf text;
    struct row *rows;
    size_t row_count, row_cap;
    struct hole *holes;
    size_t hole_count, hole_cap;
};

static void rendered_fini(struct rendered *r)
{
    vr_buf_fini(&r->text);
    free(r->rows);
    free(r->holes);
}

static struct row *add_row(struct rendered *r)
{
    if (r->row_count == r->row_cap) {
        r->row_cap = r->row_cap ? r->row_cap * 2 : 64;
        r->rows = vr_realloc_array(r->rows, r->row_cap, sizeof(*r->rows));
    }
    return &r->rows[r->row_count++];
}

static void add_hole(struct rendered *r, size_t field, int64_t id)
{
    if (r->hole_count == r->hole_cap) {
        r->hole_cap = r->hole_cap ? r->hole_cap * 2 : 64;
        r->holes = vr_realloc_array(r->holes, r->hole_cap, sizeof(*r->holes));
    }
    r->holes[r->hole_count++] = (struct hole){r->text.len, field, id};
}

static bool is_wanted(const struct vr_shape_query *query, size_t field)
{
    return query->fields >> field & 1;
}

uint64_t vr_shape_fields(const struct vr_shape *shape, const char *names)
{
    uint64_t can = UINT64_C(1) << shape->field_count;
    uint64_t all = can | (can - 1);
    uint64_t fields = 0;

    if (vr_str_is_empty(names))
        return all;
    while (*names) {
        size_t n = strcspn(names, ",");

        for (size_t i = 0; i < shape->field_count; i++) {
            const char *name = shape->fields[i].name;

            if (strlen(name) == n && !strncmp(name, names, n))
                fields |= UINT64_C(1) << i;
        }
        if (n == strlen(CAN) && !strncmp(names, CAN, n))
            fields |= can;
        names += n + (names[n] == ',');
    }
    return fields ? fields : all;
}

#define SQL_BYTES 16384 /* of one generated statement */

static int build_sql(const struct vr_shape_query *query, const char *link, char **out,
                     struct vr_err *err)
{
    vr_auto_buf struct vr_buf b = VR_BUF(SQL_BYTES);

    vr_buf_addf(&b, "SELECT %s, %s, %s, %s", link ? link : "0", query->shape->id,
                query->viewer && query->shape->app ? query->shape->app : "0",
                query->viewer && query->shape->owner ? query->shape->owner : "0");
    for (size_t i = 0; i < query->shape->field_count; i++) {
        if (is_wanted(query, i) && query->shape->fields[i].sql)
            vr_buf_addf(&b, ", %s", query->shape->fields[i].sql);
    }
    vr_buf_addf(&b, " FROM %s", query->shape->from);
    if (!vr_str_is_empty(query->where))
        vr_buf_addf(&b, " WHERE %s", query->where);
    vr_buf_addf(&b, " ORDER BY %s%s%s %s", link ? link : "", link ? ", " : "", query->order,
                query->tail);
    return vr_buf_finish(&b, out, err);
}

/* `,"name":` of every field, made once a query and copied for every row. */
struct names {
    struct vr_buf text;
    size_t begin[VR_SHAPE_FIELDS_MAX + 1];
};

static void names_fini(struct names *names)
{
    vr_buf_fini(&names->text);
}

static void names_init(struct names *names, const struct vr_shape *shape)
{
    names->text = VR_BUF(SQL_BYTES);
    for (size_t i = 0; i < shape->field_count; i++) {
        names->begin[i] = names->text.len;
        vr_buf_addf(&names->text, ",\"%s\":", shape->fields[i].name);
    }
    names->begin[shape->field_count] = names->text.len;
}

static void add_name(struct vr_buf *out, const struct names *names, size_t field, bool first)
{
    size_t begin = names->begin[field] + first; /* the first has no comma */

    vr_buf_add_n(out, names->text.p + begin, names->begin[field + 1] - begin);
}

static bool is_own(const struct vr_viewer *viewer, struct vr_db_rows *rows)
{
    return viewer->user_id && viewer->user_id == vr_db_i64(rows, OWNER_COLUMN);
}

static bool is_hidden(const struct vr_shape_query *query, const struct vr_shape_field *field,
                      struct vr_db_rows *rows)
{
    const struct vr_viewer *viewer = query->viewer;

    return field->is_private && viewer && !viewer->sees_all && !is_own(viewer, rows);
}

static const char *verbs_of(const struct vr_viewer *viewer, struct vr_db_rows *rows)
{
    int64_t app = vr_db_i64(rows, APP_COLUMN);

    if (is_own(viewer, rows))
        return viewer->can_own;
    for (size_t i = 0; i < viewer->app_count; i++)
        if (viewer->apps[i] == app)
            return viewer->can_app;
    return viewer->can;
}

static void render_can(const struct vr_shape_query *query, struct vr_db_rows *rows, bool first,
                       struct vr_buf *out)
{
    if (!query->viewer || !is_wanted(query, query->shape->field_count))
        return;
    vr_buf_addf(out, "%s\"" CAN "\":%s", first ? "" : ",", verbs_of(query->viewer, rows));
}

static void render_row(const struct vr_shape_query *query, const struct names *names,
                       struct vr_db_rows *rows, struct rendered *out)
{
    struct row *row = add_row(out);
    bool bare = !*query->shape->fields[0].name;
    bool first = true;
    int column = FIRST_COLUMN;

    *row =
        (struct row){vr_db_i64(rows, ID_COLUMN), vr_db_i64(rows, PARENT_COLUMN), out->text.len, 0};
    if (!bare)
        vr_buf_addc(&out->text, '{');
    for (size_t i = 0; i < query->shape->field_count; i++) {
        const struct vr_shape_field *field = &query->shape->fields[i];

        if (!is_wanted(query, i))
            continue;
        if (!bare)
            add_name(&out->text, names, i, first);
        first = false;
        if (is_hidden(query, field, rows))
            vr_buf_add(&out->text, "null");
        else if (field->children)
            add_hole(out, i, row->id);
        else
            field->write(&out->text, rows, column, query->now);
        if (!field->children)
            column += field->columns ? field->columns : 1;
    }
    if (!bare) {
        render_can(query, rows, first, &out->text);
        vr_buf_addc(&out->text, '}');
    }
    row->end = out->text.len;
}

static int render(struct vr_tx *tx, const struct vr_shape_query *query, const char *link,
                  struct rendered *out, struct vr_err *err);

static uint64_t nested_fields(const struct vr_shape *shape)
{
    uint64_t fields = vr_shape_fields(shape, NULL) & ~(UINT64_C(1) << shape->field_count);

    for (size_t i = 0; i < shape->field_count; i++) {
        if (shape->fields[i].detail)
            fields &= ~(UINT64_C(1) << i);
    }
    return fields;
}

/* All children of one field, ordered by parent. */
static int render_children(struct vr_tx *tx, const struct vr_shape_query *query, size_t field,
                           const struct rendered *parents, struct rendered *out, struct vr_err *err)
{
    const struct vr_shape_field *f = &query->shape->fields[field];
    const struct vr_shape *shape = f->children;
    vr_auto_free int64_t *ids = vr_alloc_array(parents->row_count + 1, sizeof(*ids));
    vr_auto_free char *ids_text = NULL;
    vr_auto_free char *where = NULL;
    struct vr_db_value value;

    for (size_t i = 0; i < parents->row_count; i++)
        ids[i] = parents->rows[i].id;
    ids_text = vr_row_ids_text(ids, parents->row_count);
    value = VR_T(ids_text);
    where = vr_strf("%s IN @IDS($1)@%s%s", f->link, shape->where ? " AND " : "",
                    shape->where ? shape->where : "");
    return render(tx,
                  &(struct vr_shape_query){.shape = shape,
                                           .fields = nested_fields(shape),
                                           .where = where,
                                           .order = shape->order,
                                           .tail = "",
                                           .values = &value,
                                           .count = 1,
                                           .now = query->now,
                                           .viewer = query->viewer},
                  f->link, out, err);
}

/* The first row of a parent; rows are in the order of their parents. */
static size_t find_first(const struct rendered *children, int64_t parent)
{
    size_t low = 0, high = children->row_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (children->rows[middle].parent < parent)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void add_child(struct vr_buf *out, const struct rendered *children, int64_t parent)
{
    size_t i = find_first(children, parent);
    const struct row *row = &children->rows[i];

    if (i < children->row_count && row->parent == parent)
        vr_buf_add_n(out, children->text.p + row->begin, row->end - row->begin);
    else
        vr_buf_add(out, "null");
}

static void add_children(struct vr_buf *out, const struct rendered *children, int64_t parent)
{
    const char *comma = "";

    vr_buf_addc(out, '[');
    for (size_t i = find_first(children, parent);
         i < children->row_count && children->rows[i].parent == parent; i++) {
        const struct row *row = &children->rows[i];

        vr_buf_add(out, comma);
        vr_buf_add_n(out, children->text.p + row->begin, row->end - row->begin);
        comma = ",";
    }
    vr_buf_addc(out, ']');
}

/* Replace the text by one with all holes filled; rows move along. */
static void fill_holes(struct rendered *r, const struct vr_shape *shape,
                       const struct rendered *children)
{
    struct vr_buf text = VR_BUF(r->text.max);
    size_t done = 0, hole = 0;

    for (size_t i = 0; i < r->row_count; i++) {
        struct row *row = &r->rows[i];
        size_t begin = text.len;

        for (;
             hole < r->hole_count && r->holes[hole].at <= row->end && r->holes[hole].id == row->id;
             hole++) {
            vr_buf_add_n(&text, r->text.p + done, r->holes[hole].at - done);
            done = r->holes[hole].at;
            if (shape->fields[r->holes[hole].field].single)
                add_child(&text, &children[r->holes[hole].field], row->id);
            else
                add_children(&text, &children[r->holes[hole].field], row->id);
        }
        vr_buf_add_n(&text, r->text.p + done, row->end - done);
        done = row->end;
        row->begin = begin;
        row->end = text.len;
    }
    text.over |= r->text.over;
    vr_buf_fini(&r->text);
    r->text = text;
}

static int render_all_children(struct vr_tx *tx, const struct vr_shape_query *query,
                               struct rendered *out, struct vr_err *err)
{
    struct rendered children[VR_SHAPE_FIELDS_MAX] = {0};
    int r = 0;

    for (size_t i = 0; r == 0 && i < query->shape->field_count; i++) {
        if (!is_wanted(query, i) || !query->shape->fields[i].children)
            continue;
        children[i].text = VR_BUF(VR_LIST_BYTES);
        r = render_children(tx, query, i, out, &children[i], err);
        out->text.over |= children[i].text.over;
    }
    if (r == 0)
        fill_holes(out, query->shape, children);
    for (size_t i = 0; i < query->shape->field_count; i++)
        rendered_fini(&children[i]);
    return r;
}

static int render(struct vr_tx *tx, const struct vr_shape_query *query, const char *link,
                  struct rendered *out, struct vr_err *err)
{
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    vr_auto_free char *sql = NULL;
    __attribute__((cleanup(names_fini))) struct names names = {0};
    int r = build_sql(query, link, &sql, err);

    if (r == 0)
        r = vr_db_query_values(tx->db, &rows, err, sql, query->values, query->count);
    if (r < 0)
        return r;
    names_init(&names, query->shape);
    while (!out->text.over && (r = vr_db_next(rows, err)) > 0)
        render_row(query, &names, rows, out);
    if (r < 0 || !out->hole_count || out->text.over)
        return r < 0 ? r : 0;
    return render_all_children(tx, query, out, err);
}

int vr_shape_render(struct vr_tx *tx, const struct vr_shape_query *query, struct vr_buf *out,
                    struct vr_err *err)
{
    __attribute__((cleanup(rendered_fini))) struct rendered all = {.text = VR_BUF(VR_LIST_BYTES)};
    int r = render(tx, query, NULL, &all, err);

    if (r < 0)
        return r;
    if (all.text.over)
        return vr_fail(err, VR_LIMIT, "the page is larger than %u MiB: ask for a smaller limit",
                       VR_LIST_BYTES >> 20);
    for (size_t i = 0; i < all.row_count; i++) {
        vr_buf_add(out, i ? "," : "");
        vr_buf_add_n(out, all.text.p + all.rows[i].begin, all.rows[i].end - all.rows[i].begin);
    }
    if (query->out_last_id && all.row_count)
        *query->out_last_id = all.rows[all.row_count - 1].id;
    return (int)all.row_count;
}
