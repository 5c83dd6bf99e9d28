/* SPDX-License-Identifier: MIT */
/* A query string to a WHERE and an ORDER BY, through the tables of a shape. */

/*
 * Text of the client is only compared with names in our tables and bound as a value; what is put
 * together here are constant fragments.
 */
#include "fmt/query.h"
#include "store/shape.h"

enum lookup {
    EXACT,
    IEXACT,
    CONTAINS,
    ICONTAINS,
    STARTSWITH,
    ISTARTSWITH,
    ENDSWITH,
    IENDSWITH,
    GT,
    GTE,
    LT,
    LTE,
    IN,
    RANGE,
    ISNULL,
};

/* %e is the expression, %v the value. */
static const struct {
    const char *name;
    const char *sql; /* NULL: built by code */
    bool text_only;
} lookups[] = {
    [EXACT] = {"exact", "%e = %v", false},
    [IEXACT] = {"iexact", "lower(%e) = lower(%v)", true},
    [CONTAINS] = {"contains", "@STRPOS@(%e, %v) > 0", true},
    [ICONTAINS] = {"icontains", "@STRPOS@(lower(%e), lower(%v)) > 0", true},
    [STARTSWITH] = {"startswith", "substr(%e, 1, length(%v)) = %v", true},
    [ISTARTSWITH] = {"istartswith", "substr(lower(%e), 1, length(%v)) = lower(%v)", true},
    [ENDSWITH] = {"endswith",
                  "(length(%e) >= length(%v) AND substr(%e, length(%e) - length(%v) + 1) = %v)",
                  true},
    [IENDSWITH] = {"iendswith",
                   "(length(%e) >= length(%v) AND"
                   " substr(lower(%e), length(%e) - length(%v) + 1) = lower(%v))",
                   true},
    [GT] = {"gt", "%e > %v", false},
    [GTE] = {"gte", "%e >= %v", false},
    [LT] = {"lt", "%e < %v", false},
    [LTE] = {"lte", "%e <= %v", false},
    [IN] = {"in", NULL, false},
    [RANGE] = {"range", NULL, false},
    [ISNULL] = {"isnull", NULL, false},
};

/* Lookups of the original that are not offered: their error is "does not allow". */
#define WHERE_BYTES 16384

void vr_filter_fini(struct vr_filter_sql *sql)
{
    vr_buf_fini(&sql->where);
    vr_buf_fini(&sql->order);
    for (size_t i = 0; i < sql->text_count; i++)
        free(sql->texts[i]);
    free(sql->texts);
}

static const char *keep_text(struct vr_filter_sql *sql, const char *p, size_t n)
{
    sql->texts = vr_realloc_array(sql->texts, sql->text_count + 1, sizeof(*sql->texts));
    sql->texts[sql->text_count] = vr_strndup(p, n);
    return sql->texts[sql->text_count++];
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "true", "True"};
    static const char *const no[] = {"0", "false", "False"};

    for (size_t i = 0; i < VR_COUNT(yes); i++) {
        if (vr_streq(text, yes[i]) || vr_streq(text, no[i])) {
            *out = vr_streq(text, yes[i]);
            return true;
        }
    }
    return false;
}

/* Bind one text as the filter's type. */
static int add_value(struct vr_filter_sql *sql, const struct vr_shape_filter *filter,
                     const char *text, struct vr_err *err)
{
    struct vr_db_value *value = &sql->values[sql->count];
    struct vr_wall time;
    int64_t number;
    bool yes;

    /* room for LIMIT and OFFSET */
    if (sql->count + 2 >= VR_DB_PARAMS_MAX)
        return vr_fail(err, VR_INVALID, "Too many filter values.");
    switch (filter->type) {
    case VR_FILTER_TEXT:
        *value = VR_T(text);
        break;
    case VR_FILTER_INT:
        if (vr_parse_i64(vr_str(text), INT64_MIN, INT64_MAX, &number, NULL) < 0)
            return vr_fail(err, VR_INVALID, "Invalid value '%s' for filter '%s': not a number.",
                           text, filter->name);
        *value = VR_I(number);
        break;
    case VR_FILTER_BOOL:
        if (!parse_bool(text, &yes))
            return vr_fail(err, VR_INVALID, "Invalid value '%s' for filter '%s': not a boolean.",
                           text, filter->name);
        *value = VR_B(yes);
        break;
    case VR_FILTER_TIME:
        if (vr_wall_parse(vr_str(text), &time, NULL) < 0)
            return vr_fail(err, VR_INVALID, "Invalid value '%s' for filter '%s': not a time.", text,
                           filter->name);
        *value = VR_I(time.us);
        break;
    }
    sql->count++;
    return 0;
}

static void add_template(struct vr_filter_sql *sql, const char *template, const char *expr)
{
    for (const char *p = template; *p; p++) {
        if (p[0] == '%' && p[1] == 'e')
            vr_buf_add(&sql->where, expr);
        else if (p[0] == '%' && p[1] == 'v')
            vr_buf_addf(&sql->where, "$%zu", sql->count);
        else
            vr_buf_addc(&sql->where, *p);
        p += p[0] == '%';
    }
}

/* `expr IN ($1, $2)`; a range is its first and last. */
static int add_list(struct vr_filter_sql *sql, const struct vr_shape_filter *filter, bool range,
                    const char *text, struct vr_err *err)
{
    size_t n = 0;

    vr_buf_addf(&sql->where, "%s %s ", filter->expr, range ? "BETWEEN" : "IN (");
    for (;;) {
        size_t len = strcspn(text, ",");
        int r = add_value(sql, filter, keep_text(sql, text, len), err);

        if (r < 0)
            return r;
        vr_buf_addf(&sql->where, "%s$%zu", !n ? "" : range ? " AND " : ", ", sql->count);
        if (++n > VR_LIST_VALUES_MAX)
            return vr_fail(err, VR_INVALID, "More than %d values for filter '%s'.",
                           VR_LIST_VALUES_MAX, filter->name);
        if (!text[len])
            break;
        text += len + 1;
    }
    if (range && n != 2)
        return vr_fail(err, VR_INVALID, "Filter '%s' needs two values for a range.", filter->name);
    vr_buf_add(&sql->where, range ? "" : ")");
    return 0;
}

static int add_isnull(struct vr_filter_sql *sql, const struct vr_shape_filter *filter,
                      const char *text, struct vr_err *err)
{
    bool null;

    if (!parse_bool(text, &null))
        return vr_fail(err, VR_INVALID, "Invalid value '%s' for filter '%s__isnull'.", text,
                       filter->name);
    vr_buf_addf(&sql->where, "%s IS %sNULL", filter->expr, null ? "" : "NOT ");
    return 0;
}

static int add_filter(struct vr_filter_sql *sql, const struct vr_shape_filter *filter,
                      enum lookup lookup, const char *value, struct vr_err *err)
{
    int r = 0;

    vr_buf_add(&sql->where, sql->where.len ? " AND " : "");
    vr_buf_add(&sql->where, filter->before ? filter->before : "");
    if (lookup == IN || lookup == RANGE) {
        r = add_list(sql, filter, lookup == RANGE, value, err);
    } else if (lookup == ISNULL) {
        r = add_isnull(sql, filter, value, err);
    } else {
        r = add_value(sql, filter, value, err);
        add_template(sql, lookups[lookup].sql, filter->expr);
    }
    vr_buf_add(&sql->where, filter->after ? filter->after : "");
    return r;
}

/* Is `name` the first part (before "__") of a field or filter of this shape? */
static bool is_known(const struct vr_shape *shape, const char *key, size_t n)
{
    for (size_t i = 0; i < shape->field_count; i++) {
        if (strlen(shape->fields[i].name) == n && !strncmp(shape->fields[i].name, key, n))
            return true;
    }
    for (size_t i = 0; i < shape->filter_count; i++) {
        const char *name = shape->filters[i].name;

        if (!strncmp(name, key, n) && (!name[n] || !strncmp(name + n, "__", 2)))
            return true;
    }
    return false;
}

static const struct vr_shape_filter *find_filter(const struct vr_shape *shape, const char *key,
                                                 size_t n)
{
    for (size_t i = 0; i < shape->filter_count; i++) {
        const char *name = shape->filters[i].name;

        if (strlen(name) == n && !strncmp(name, key, n))
            return &shape->filters[i];
    }
    return NULL;
}

/* The filter of `name` or `name__lookup`; NULL if there is none. */
static const struct vr_shape_filter *parse_key(const struct vr_shape *shape, const char *key,
                                               enum lookup *out)
{
    const struct vr_shape_filter *filter = find_filter(shape, key, strlen(key));

    *out = EXACT;
    for (size_t i = 0; !filter && i < VR_COUNT(lookups); i++) {
        vr_auto_free char *suffix = vr_strf("__%s", lookups[i].name);

        if (!vr_str_has_suffix(key, suffix))
            continue;
        filter = find_filter(shape, key, strlen(key) - strlen(suffix));
        *out = (enum lookup)i;
    }
    if (filter && lookups[*out].text_only && filter->type != VR_FILTER_TEXT)
        return NULL;
    return filter;
}

static int add_pair(const struct vr_shape *shape, const char *key, const char *value,
                    struct vr_filter_sql *out, struct vr_err *err)
{
    const char *end = strstr(key, "__");
    size_t n = end ? (size_t)(end - key) : strlen(key);
    const struct vr_shape_filter *filter;
    enum lookup lookup;

    if (!*value || !n || !is_known(shape, key, n))
        return 0;
    filter = parse_key(shape, key, &lookup);
    if (!filter)
        return vr_fail(err, VR_INVALID, "The '%s' field does not allow filtering.", key);
    return add_filter(out, filter, lookup, value, err);
}

/* Does it name a column? A constant orders nothing, and `0` would be the number of a column. */
static bool has_column(const char *sql)
{
    return sql && strchr(sql, '.');
}

/* What a name can be ordered by: a plain filter, or a field of one column. */
static const char *order_expr(const struct vr_shape *shape, const char *name)
{
    const struct vr_shape_filter *filter = find_filter(shape, name, strlen(name));

    if (filter && !filter->before)
        return filter->expr;
    for (size_t i = 0; i < shape->field_count; i++) {
        const struct vr_shape_field *field = &shape->fields[i];

        if (vr_streq(field->name, name) && has_column(field->sql) && field->columns <= 1 &&
            !field->is_private)
            return field->sql;
    }
    return NULL;
}

static int add_order(const struct vr_shape *shape, const char *names, struct vr_filter_sql *out,
                     struct vr_err *err)
{
    while (*names) {
        size_t n = strcspn(names, ",");
        bool down = *names == '-';
        const char *name = keep_text(out, names + down, n - down);
        const char *expr = order_expr(shape, name);

        if (!expr && is_known(shape, name, strlen(name)))
            return vr_fail(err, VR_INVALID, "The '%s' field does not allow ordering.", name);
        if (!expr)
            return vr_fail(err, VR_INVALID, "No matching '%s' field for ordering on.", name);
        vr_buf_addf(&out->order, "%s%s, ", expr, down ? " DESC" : "");
        names += n + (names[n] == ',');
    }
    return 0;
}

int vr_filter_build(const struct vr_shape *shape, const struct vr_query *query,
                    struct vr_filter_sql *out, struct vr_err *err)
{
    int r = 0;

    out->where = VR_BUF(WHERE_BYTES);
    out->order = VR_BUF(WHERE_BYTES);
    if (shape->where)
        vr_buf_add(&out->where, shape->where);
    for (size_t i = 0; r == 0 && query && i < vr_query_count(query); i++) {
        const char *key = vr_query_key(query, i);

        if (vr_streq(key, "order_by"))
            r = add_order(shape, vr_query_value(query, i), out, err);
        else
            r = add_pair(shape, key, vr_query_value(query, i), out, err);
    }
    if (r < 0)
        return r;
    vr_buf_add(&out->order, shape->order); /* so that pages never overlap */
    if (out->where.over || out->order.over)
        return vr_fail(err, VR_INVALID, "Too many filters.");
    return 0;
}
