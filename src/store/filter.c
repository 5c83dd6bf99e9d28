/* SPDX-License-Identifier: MIT */
/* A query string to a WHERE and an ORDER BY, through the tables of a shape. */

/*
 * Text of the client is only compared with names in our tables and bound as a value; what is put
 * together here are constant fragments. Upper and lower case are those of ASCII on every database.
 */
#include "db/posix_regex.h"
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
    REGEX,
    IREGEX,
    GT,
    GTE,
    LT,
    LTE,
    IN,
    RANGE,
    ISNULL,
    YEAR,
    MONTH,
    DAY,
};

enum operand {
    AS_TYPED, /* the value is of the filter's type */
    AS_TEXT,  /* both sides are compared as texts */
    AS_PART,  /* a number that is part of a time */
    AS_OWN,   /* built by code */
};

/* %e is the expression, %v the value. */
static const struct {
    const char *name;
    const char *sql;
    enum operand operand;
} lookups[] = {
    [EXACT] = {"exact", "%e = %v", AS_TYPED},
    [IEXACT] = {"iexact", "@FOLD@(%e) = @FOLD@(%v)", AS_TEXT},
    [CONTAINS] = {"contains", "@STRPOS@(%e, %v) > 0", AS_TEXT},
    [ICONTAINS] = {"icontains", "@STRPOS@(@FOLD@(%e), @FOLD@(%v)) > 0", AS_TEXT},
    [STARTSWITH] = {"startswith", "substr(%e, 1, length(%v)) = %v", AS_TEXT},
    [ISTARTSWITH] = {"istartswith", "substr(@FOLD@(%e), 1, length(%v)) = @FOLD@(%v)", AS_TEXT},
    [ENDSWITH] = {"endswith",
                  "(length(%e) >= length(%v) AND substr(%e, length(%e) - length(%v) + 1) = %v)",
                  AS_TEXT},
    [IENDSWITH] = {"iendswith",
                   "(length(%e) >= length(%v) AND"
                   " substr(@FOLD@(%e), length(%e) - length(%v) + 1) = @FOLD@(%v))",
                   AS_TEXT},
    [REGEX] = {"regex", "@REGEX@(%e, %v)", AS_TEXT},
    [IREGEX] = {"iregex", "@IREGEX@(%e, %v)", AS_TEXT},
    [GT] = {"gt", "%e > %v", AS_TYPED},
    [GTE] = {"gte", "%e >= %v", AS_TYPED},
    [LT] = {"lt", "%e < %v", AS_TYPED},
    [LTE] = {"lte", "%e <= %v", AS_TYPED},
    [IN] = {"in", NULL, AS_OWN},
    [RANGE] = {"range", NULL, AS_OWN},
    [ISNULL] = {"isnull", NULL, AS_OWN},
    [YEAR] = {"year", "@YEAR(%e)@ = %v", AS_PART},
    [MONTH] = {"month", "@MONTH(%e)@ = %v", AS_PART},
    [DAY] = {"day", "@DAY(%e)@ = %v", AS_PART},
};

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

#define DATE_CHARS 10

/* `2026-01-31T12:00:00`, or with a space as people type it, or the date alone. */
static int parse_time(const char *text, struct vr_wall *out)
{
    vr_auto_free char *full = vr_strf("%s%s", text, strlen(text) == DATE_CHARS ? "T00:00:00" : "");

    if (strlen(full) > DATE_CHARS && full[DATE_CHARS] == ' ')
        full[DATE_CHARS] = 'T';
    return vr_wall_parse(vr_str(full), out, NULL);
}

static int refuse_value(const struct vr_shape_filter *filter, const char *text, const char *what,
                        struct vr_err *err)
{
    return vr_fail(err, VR_INVALID, "Invalid value '%s' for filter '%s': not a %s.", text,
                   filter->name, what);
}

/* Bind one text as a type. */
static int add_value(struct vr_filter_sql *sql, const struct vr_shape_filter *filter,
                     enum vr_filter_type type, const char *text, struct vr_err *err)
{
    struct vr_db_value *value = &sql->values[sql->count];
    struct vr_wall time;
    int64_t number;
    bool yes;

    /* room for an owner, a cursor, LIMIT and OFFSET */
    if (sql->count + VR_FILTER_SPARE >= VR_DB_PARAMS_MAX)
        return vr_fail(err, VR_INVALID, "Too many filter values.");
    switch (type) {
    case VR_FILTER_TEXT:
        *value = VR_T(text);
        break;
    case VR_FILTER_INT:
    case VR_FILTER_ID:
        if (vr_parse_i64(vr_str(text), INT64_MIN, INT64_MAX, &number, NULL) < 0)
            return refuse_value(filter, text, "number", err);
        *value = VR_I(number);
        break;
    case VR_FILTER_BOOL:
        if (!parse_bool(text, &yes))
            return refuse_value(filter, text, "boolean", err);
        *value = VR_B(yes);
        break;
    case VR_FILTER_TIME:
        if (parse_time(text, &time) < 0)
            return refuse_value(filter, text, "time", err);
        *value = VR_I(time.us);
        break;
    }
    sql->count++;
    return 0;
}

/* The expression as text, whatever it is. */
static void add_text_of(struct vr_buf *out, const struct vr_shape_filter *filter)
{
    switch (filter->type) {
    case VR_FILTER_TEXT:
        vr_buf_add(out, filter->expr);
        break;
    case VR_FILTER_INT:
    case VR_FILTER_ID:
        vr_buf_addf(out, "CAST(%s AS TEXT)", filter->expr);
        break;
    case VR_FILTER_BOOL:
        vr_buf_addf(out, "CASE %s WHEN 1 THEN 'true' WHEN 0 THEN 'false' END", filter->expr);
        break;
    case VR_FILTER_TIME:
        vr_buf_addf(out, "@ISOTIME(%s)@", filter->expr);
        break;
    }
}

static void add_template(struct vr_filter_sql *sql, enum lookup lookup,
                         const struct vr_shape_filter *filter)
{
    for (const char *p = lookups[lookup].sql; *p; p++) {
        if (p[0] == '%' && p[1] == 'v')
            vr_buf_addf(&sql->where, "$%zu", sql->count);
        else if (p[0] == '%' && lookups[lookup].operand == AS_TEXT)
            add_text_of(&sql->where, filter);
        else if (p[0] == '%')
            vr_buf_add(&sql->where, filter->expr);
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
        int r = add_value(sql, filter, filter->type, keep_text(sql, text, len), err);

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

/* What the original takes for "nothing". */
static bool is_none(const char *text)
{
    return vr_streq(text, "nil") || vr_streq(text, "none") || vr_streq(text, "None");
}

static int add_compared(struct vr_filter_sql *sql, const struct vr_shape_filter *filter,
                        enum lookup lookup, const char *value, struct vr_err *err)
{
    enum vr_filter_type type = filter->type;
    int r = 0;

    if (lookup == EXACT && is_none(value)) {
        vr_buf_addf(&sql->where, "%s IS NULL", filter->expr);
        return 0;
    }
    if (lookups[lookup].operand == AS_TEXT)
        type = VR_FILTER_TEXT;
    else if (lookups[lookup].operand == AS_PART)
        type = VR_FILTER_INT;
    if (lookup == REGEX || lookup == IREGEX)
        r = vr_regex_check(value, err);
    if (r == 0)
        r = add_value(sql, filter, type, value, err);
    if (r == 0)
        add_template(sql, lookup, filter);
    return r;
}

static int add_filter(struct vr_filter_sql *sql, const struct vr_shape_filter *filter,
                      enum lookup lookup, const char *value, struct vr_err *err)
{
    int r = 0;

    vr_buf_add(&sql->where, sql->where.len ? " AND " : "");
    vr_buf_add(&sql->where, filter->before ? filter->before : "");
    if (lookup == IN || lookup == RANGE)
        r = add_list(sql, filter, lookup == RANGE, value, err);
    else if (lookup == ISNULL)
        r = add_isnull(sql, filter, value, err);
    else
        r = add_compared(sql, filter, lookup, value, err);
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

/* Does any filter's name go on with `__` behind the first n bytes of `key`? */
static bool leads_on(const struct vr_shape *shape, const char *key, size_t n)
{
    for (size_t i = 0; i < shape->filter_count; i++) {
        const char *name = shape->filters[i].name;

        if (!strncmp(name, key, n) && !strncmp(name + n, "__", 2))
            return true;
    }
    return false;
}

/* The lookup that a key ends in, and how long the key is without it. */
static enum lookup take_lookup(const char *key, size_t *out_n)
{
    *out_n = strlen(key);
    for (size_t i = 0; i < VR_COUNT(lookups); i++) {
        vr_auto_free char *suffix = vr_strf("__%s", lookups[i].name);

        if (!vr_str_has_suffix(key, suffix))
            continue;
        *out_n -= strlen(suffix);
        return (enum lookup)i;
    }
    return EXACT;
}

/*
 * Go along the parts of a key, as `build__app__name`: each must be a filter or lead on to one. The
 * sentences are those of the original; the part that a sentence names is the one that fails.
 */
static int refuse_path(const struct vr_shape *shape, const char *key, size_t n, struct vr_err *err)
{
    size_t begin = 0, at = 0;

    for (;;) {
        const char *end = memmem(key + begin, n - begin, "__", 2);
        const struct vr_shape_filter *filter;
        bool leads;
        int part;

        at = end ? (size_t)(end - key) : n;
        part = (int)(at - begin);
        filter = find_filter(shape, key, at);
        leads = leads_on(shape, key, at);
        if (!filter && !leads)
            return vr_fail(err, VR_INVALID, "The '%.*s' field does not allow filtering.", part,
                           key + begin);
        if (at == n)
            return vr_fail(err, VR_INVALID, "The '%.*s' field does not allow filtering.", (int)n,
                           key);
        if (!leads)
            return vr_fail(err, VR_INVALID,
                           filter->type == VR_FILTER_ID
                               ? "Lookups are not allowed more than one level deep on the '%.*s'"
                                 " field."
                               : "The '%.*s' field does not support relations.",
                           part, key + begin);
        begin = at + 2;
    }
}

static int add_pair(const struct vr_shape *shape, const char *key, const char *value,
                    struct vr_filter_sql *out, struct vr_err *err)
{
    const char *end = strstr(key, "__");
    size_t n = end ? (size_t)(end - key) : strlen(key);
    const struct vr_shape_filter *filter = find_filter(shape, key, strlen(key));
    enum lookup lookup = EXACT;

    if (!*value || !n || !is_known(shape, key, n))
        return 0;
    if (!filter) {
        lookup = take_lookup(key, &n);
        filter = find_filter(shape, key, n);
    }
    if (!filter)
        return refuse_path(shape, key, n, err);
    if (lookups[lookup].operand == AS_PART && filter->type != VR_FILTER_TIME)
        return vr_fail(err, VR_INVALID, "'%s' is not an allowed filter on the '%s' field.",
                       lookups[lookup].name, filter->name);
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
            !field->is_private && !field->is_masked)
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
