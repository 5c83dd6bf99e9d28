/* SPDX-License-Identifier: MIT */
/* Lists and details of the API. */
#include "store/resource.h"

#include "fmt/uri.h"
#include "store/shape.h"

#define API_PREFIX "/api/v1/"

static const struct {
    const char *name;
    const struct vr_shape *shape;
} resources[VR_RES_COUNT] = {
    [VR_RES_APPS] = {"apps", &vr_shape_apps},
    [VR_RES_BUILDPACKS] = {"buildpacks", &vr_shape_buildpacks},
    [VR_RES_BUILDS] = {"builds", &vr_shape_builds},
    [VR_RES_RELEASES] = {"releases", &vr_shape_releases},
    [VR_RES_INGREDIENTS] = {"ingredients", &vr_shape_ingredients},
    [VR_RES_SQUADS] = {"squads", &vr_shape_squads},
    [VR_RES_HOSTS] = {"hosts", &vr_shape_hosts},
    [VR_RES_SWARMS] = {"swarms", &vr_shape_swarms},
    [VR_RES_PROCS] = {"procs", &vr_shape_procs},
    [VR_RES_ROLLOUTS] = {"rollouts", &vr_shape_rollouts},
    [VR_RES_COMMANDS] = {"commands", &vr_shape_commands},
    [VR_RES_BALANCERS] = {"balancers", &vr_shape_balancers},
    [VR_RES_POOLS] = {"pools", &vr_shape_pools},
    [VR_RES_EVENTS] = {"events", &vr_shape_events},
    [VR_RES_LOGS] = {"logs", &vr_shape_logs},
    [VR_RES_USERS] = {"user", &vr_shape_users},
    [VR_RES_TOKENS] = {"tokens", &vr_shape_tokens},
    [VR_RES_STACKS] = {"stacks", &vr_shape_stacks},
    [VR_RES_IMAGES] = {"images", &vr_shape_images},
    [VR_RES_TESTRUNS] = {"testruns", &vr_shape_testruns},
    [VR_RES_TESTRESULTS] = {"testresults", &vr_shape_testresults},
    [VR_RES_DASHBOARDS] = {"dashboard", &vr_shape_dashboards},
    [VR_RES_PROFILES] = {"profile", &vr_shape_profiles},
};

const struct vr_shape *vr_shape_of(enum vr_resource resource)
{
    return resources[resource].shape;
}

const char *vr_resource_name(enum vr_resource resource)
{
    return resources[resource].name;
}

const char *vr_resource_field(enum vr_resource resource, size_t i)
{
    const struct vr_shape *shape = vr_shape_of(resource);

    return i < shape->field_count ? shape->fields[i].name : NULL;
}

json_t *vr_resource_filtering(enum vr_resource resource)
{
    const struct vr_shape *shape = vr_shape_of(resource);
    json_t *out = json_object();

    for (size_t i = 0; i < shape->filter_count; i++) {
        const char *end = strstr(shape->filters[i].name, "__");
        size_t n = end ? (size_t)(end - shape->filters[i].name) : strlen(shape->filters[i].name);
        vr_auto_free char *head = vr_strndup(shape->filters[i].name, n);

        if (end || !json_object_get(out, head))
            vr_json_set(out, head, json_integer(end ? 2 : 1));
    }
    return out;
}

int vr_resource_parse(const char *name, enum vr_resource *out, struct vr_err *err)
{
    for (size_t i = 0; i < VR_RES_COUNT; i++) {
        if (vr_streq(resources[i].name, name)) {
            *out = (enum vr_resource)i;
            return 0;
        }
    }
    return vr_fail(err, VR_NOT_FOUND, "resource '%s' does not exist", name);
}

char *vr_resource_uri(enum vr_resource resource, const char *key)
{
    vr_auto_free char *encoded = vr_uri_encode(key);

    return vr_strf(API_PREFIX "%s/%s/", resources[resource].name, encoded);
}

int vr_resource_parse_uri(enum vr_resource resource, const char *uri, char **out_key,
                          struct vr_err *err)
{
    vr_auto_free char *prefix = vr_strf(API_PREFIX "%s/", resources[resource].name);
    const char *host = strstr(uri, "://");
    const char *path = host ? strchr(host + 3, '/') : uri;
    size_t n;

    if (!path || !vr_str_has_prefix(path, prefix))
        return vr_fail(err, VR_INVALID, "'%s' is not a URI of %s", uri, resources[resource].name);
    path += strlen(prefix);
    n = strcspn(path, "/?");
    if (!n || (path[n] == '/' && path[n + 1] && path[n + 1] != '?'))
        return vr_fail(err, VR_INVALID, "'%s' is not a URI of %s", uri, resources[resource].name);
    return vr_uri_decode((struct vr_str){path, n}, false, out_key, err);
}

void vr_list_fini(struct vr_list *list)
{
    free(list->objects);
    free(list->next_cursor);
    *list = (struct vr_list){0};
}

/* What belongs to one user is shown to them only, and to who sees all. */
static bool is_restricted(enum vr_resource resource, const struct vr_viewer *viewer)
{
    return (resource == VR_RES_TOKENS || resource == VR_RES_PROFILES) && viewer &&
           !viewer->sees_all;
}

/* A list of profiles is one's own, whoever asks. */
static void add_owner(const struct vr_list_spec *spec, struct vr_filter_sql *sql)
{
    bool is_own = spec->resource == VR_RES_PROFILES && spec->viewer;

    if (!is_own && !is_restricted(spec->resource, spec->viewer))
        return;
    sql->values[sql->count++] = VR_I(spec->viewer->user_id);
    vr_buf_addf(&sql->where, "%s%s = $%zu", sql->where.len ? " AND " : "",
                vr_shape_of(spec->resource)->owner, sql->count);
}

#define CURSOR_DIGITS 16

/* Newest first by id: then a page can go on behind a row, whatever comes before it. */
static bool has_cursors(const struct vr_shape *shape, const struct vr_query *query)
{
    vr_auto_free char *order = vr_strf("%s DESC", shape->id);
    const char *asked = query ? vr_query_find(query, "order_by") : NULL;

    return vr_streq(shape->order, order) && vr_str_is_empty(asked);
}

static int parse_cursor(const char *text, int64_t *out)
{
    uint64_t id = 0;

    if (!vr_str_is_made_of(text, "0123456789abcdef", CURSOR_DIGITS, CURSOR_DIGITS))
        return -VR_INVALID;
    for (; *text; text++)
        id = id << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    *out = (int64_t)(id & INT64_MAX);
    return 0;
}

static int add_cursor(const struct vr_list_spec *spec, struct vr_filter_sql *sql,
                      struct vr_err *err)
{
    const struct vr_shape *shape = vr_shape_of(spec->resource);
    int64_t before;

    if (!spec->cursor)
        return 0;
    if (!has_cursors(shape, spec->query))
        return vr_fail(err, VR_INVALID, "Lists of %s in this order have no cursors.",
                       resources[spec->resource].name);
    if (!*spec->cursor)
        return 0;
    if (parse_cursor(spec->cursor, &before) < 0)
        return vr_fail(err, VR_INVALID, "Invalid cursor '%.40s' provided.", spec->cursor);
    sql->values[sql->count++] = VR_I(before);
    vr_buf_addf(&sql->where, "%s%s < $%zu", sql->where.len ? " AND " : "", shape->id, sql->count);
    return 0;
}

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz_0123456789"

/* Is every `x.` of an expression the alias at the end of `procs p`? If in doubt, no. */
static bool is_all_of(const char *table, const char *sql)
{
    const char *alias = strrchr(table, ' ') + 1;
    size_t n = strlen(alias);

    for (const char *dot = strchr(sql, '.'); dot; dot = strchr(dot + 1, '.')) {
        const char *begin = dot;

        while (begin > sql && strchr(NAME_CHARS, begin[-1]))
            begin--;
        if ((size_t)(dot - begin) != n || strncmp(begin, alias, n) != 0)
            return false;
    }
    return true;
}

/*
 * What a count, or the ids of a page, are to be selected from. Joins add columns, not rows, so that
 * those which neither condition nor order asks for are left away: they would cost a look-up each
 * for every row that is only counted or skipped.
 */
static const char *source_of(const struct vr_shape *shape, const char *where, const char *order)
{
    return shape->table && is_all_of(shape->table, where) && is_all_of(shape->table, order)
               ? shape->table
               : shape->from;
}

static int count_rows(struct vr_tx *tx, const struct vr_shape *shape,
                      const struct vr_filter_sql *sql, int64_t *out, struct vr_err *err)
{
    const char *where = vr_buf_text(&sql->where);
    vr_auto_free char *text = vr_strf("SELECT count(*) FROM %s%s%s", source_of(shape, where, ""),
                                      *where ? " WHERE " : "", where);

    return vr_db_get_i64_values(tx->db, out, err, text, sql->values, sql->count);
}

/* `[7,9]`: the rows of a page. Only then are the columns of these read, not those of all before. */
static int find_page(struct vr_tx *tx, const struct vr_shape_query *query, char **out_ids,
                     struct vr_err *err)
{
    vr_auto_free int64_t *ids = NULL;
    vr_auto_free char *text =
        vr_strf("SELECT %s FROM %s%s%s ORDER BY %s %s", query->shape->id,
                source_of(query->shape, query->where, query->order), *query->where ? " WHERE " : "",
                query->where, query->order, query->tail);
    size_t n = 0;
    int r = vr_row_ids_values(tx, &ids, &n, err, text, query->values, query->count);

    if (r == 0)
        *out_ids = vr_row_ids_text(ids, n);
    return r;
}

/* The page in one query, or if it is one of many in two. Returns the number of its objects. */
static int render_objects(struct vr_tx *tx, const struct vr_shape_query *query, bool is_part,
                          struct vr_buf *out, struct vr_err *err)
{
    struct vr_shape_query of_ids = *query;
    vr_auto_free char *ids = NULL;
    vr_auto_free char *where = NULL;
    struct vr_db_value value;
    int r;

    if (!is_part)
        return vr_shape_render(tx, query, out, err);
    r = find_page(tx, query, &ids, err);
    if (r < 0)
        return r;
    where = vr_strf("%s IN @IDS($1)@", query->shape->id);
    value = VR_T(ids);
    of_ids.where = where;
    of_ids.tail = "";
    of_ids.values = &value;
    of_ids.count = 1;
    return vr_shape_render(tx, &of_ids, out, err);
}

static int render_page(struct vr_tx *tx, const struct vr_list_spec *spec, struct vr_filter_sql *sql,
                       struct vr_list *out, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_LIST_BYTES);
    vr_auto_free char *tail = vr_strf("LIMIT $%zu OFFSET $%zu", sql->count + 1, sql->count + 2);
    struct vr_shape_query query = {.shape = vr_shape_of(spec->resource),
                                   .where = vr_buf_text(&sql->where),
                                   .order = vr_buf_text(&sql->order),
                                   .tail = tail,
                                   .values = sql->values,
                                   .count = sql->count + 2,
                                   .now = spec->now,
                                   .viewer = spec->viewer};
    int64_t limit = spec->limit, offset = spec->cursor ? 0 : spec->offset, last = 0;
    int r;

    if (limit <= 0 || limit > VR_LIST_LIMIT_MAX)
        limit = VR_LIST_LIMIT_MAX;
    sql->values[sql->count] = VR_I(limit);
    sql->values[sql->count + 1] = VR_I(offset);
    query.out_last_id = &last;
    query.fields =
        vr_shape_fields(query.shape, spec->query ? vr_query_find(spec->query, "fields") : NULL);
    vr_buf_addc(&text, '[');
    r = render_objects(tx, &query, out->total_count > limit, &text, err);
    if (r < 0)
        return r;
    out->count = r;
    if (r && offset + r < out->total_count && has_cursors(query.shape, spec->query))
        out->next_cursor = vr_strf("%016" PRIx64, (uint64_t)last);
    vr_buf_addc(&text, ']');
    out->bytes = text.len;
    return vr_buf_finish(&text, &out->objects, err);
}

int vr_store_list(struct vr_tx *tx, const struct vr_list_spec *spec, struct vr_list *out,
                  struct vr_err *err)
{
    __attribute__((cleanup(vr_filter_fini))) struct vr_filter_sql sql = {.count = 0};
    vr_auto_list struct vr_list list = {0};
    int r = vr_filter_build(vr_shape_of(spec->resource), spec->query, &sql, err);

    if (r < 0)
        return r;
    add_owner(spec, &sql);
    r = add_cursor(spec, &sql, err);
    if (r < 0)
        return r;
    r = count_rows(tx, vr_shape_of(spec->resource), &sql, &list.total_count, err);
    if (r == 0)
        r = render_page(tx, spec, &sql, &list, err);
    if (r < 0)
        return r;
    *out = list;
    list = (struct vr_list){0};
    return 0;
}

static int find_key(const struct vr_shape *shape, const char *key, struct vr_db_value *out)
{
    int64_t id;

    if (shape->key_is_text) {
        *out = VR_T(key);
        return 0;
    }
    if (vr_parse_i64(vr_str(key), 1, INT64_MAX, &id, NULL) < 0)
        return -VR_NOT_FOUND;
    *out = VR_I(id);
    return 0;
}

int vr_store_show(struct vr_tx *tx, const struct vr_object_spec *spec, char **out,
                  struct vr_err *err)
{
    const struct vr_shape *shape = vr_shape_of(spec->resource);
    bool is_theirs = is_restricted(spec->resource, spec->viewer);
    vr_auto_buf struct vr_buf text = VR_BUF(VR_LIST_BYTES);
    vr_auto_free char *where =
        vr_strf("%s = $1%s%s%s", shape->key ? shape->key : shape->id, is_theirs ? " AND " : "",
                is_theirs ? shape->owner : "", is_theirs ? " = $2" : "");
    struct vr_db_value values[2] = {VR_NULL, VR_I(spec->viewer ? spec->viewer->user_id : 0)};
    int r = find_key(shape, spec->key, &values[0]);

    if (r == 0)
        r = vr_shape_render(tx,
                            &(struct vr_shape_query){.shape = shape,
                                                     .fields = vr_shape_fields(shape, spec->fields),
                                                     .where = where,
                                                     .order = shape->order,
                                                     .tail = "",
                                                     .values = values,
                                                     .count = is_theirs ? 2 : 1,
                                                     .now = spec->now,
                                                     .viewer = spec->viewer},
                            &text, err);
    if (r == -VR_NOT_FOUND || r == 0)
        return vr_fail(err, VR_NOT_FOUND, "%s '%s' does not exist", resources[spec->resource].name,
                       spec->key);
    if (r < 0)
        return r;
    return vr_buf_finish(&text, out, err);
}

int vr_store_object(struct vr_tx *tx, enum vr_resource resource, const char *key,
                    const char *fields, struct vr_wall now, char **out, struct vr_err *err)
{
    return vr_store_show(
        tx,
        &(struct vr_object_spec){.resource = resource, .key = key, .fields = fields, .now = now},
        out, err);
}

/* ------------------------------------------------------------------ sets */

#define SET_CHUNK 100 /* keys of one query */
_Static_assert(SET_CHUNK < VR_DB_PARAMS_MAX, "the owner is one more");

struct member {
    int64_t id;
    char *key;
    struct vr_str text; /* borrowed from all that was rendered */
};

struct members {
    struct member *v; /* at most one a key */
    size_t n;
};

static void members_fini(struct members *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->v[i].key);
    free(m->v);
}

/* The ids of the objects of some keys. */
static int find_members(struct vr_tx *tx, const struct vr_object_spec *spec,
                        const char *const *keys, size_t n, struct members *out, struct vr_err *err)
{
    const struct vr_shape *shape = vr_shape_of(spec->resource);
    const char *key = shape->key ? shape->key : shape->id;
    vr_auto_buf struct vr_buf sql = VR_BUF(1 << 14);
    VR_OWNED(vr_db_rows_free) struct vr_db_rows *rows = NULL;
    struct vr_db_value values[SET_CHUNK + 1];
    size_t count = 0;
    int r;

    vr_buf_addf(&sql, "SELECT DISTINCT %s, CAST(%s AS TEXT) FROM %s WHERE %s IN (", shape->id, key,
                shape->from, key);
    for (size_t i = 0; i < n; i++) {
        if (find_key(shape, keys[i], &values[count]) < 0)
            continue;
        count++;
        vr_buf_addf(&sql, "%s$%zu", count > 1 ? ", " : "", count);
    }
    vr_buf_addc(&sql, ')');
    if (!count)
        return 0;
    if (is_restricted(spec->resource, spec->viewer)) {
        values[count++] = VR_I(spec->viewer->user_id);
        vr_buf_addf(&sql, " AND %s = $%zu", shape->owner, count);
    }
    r = vr_db_query_values(tx->db, &rows, err, vr_buf_text(&sql), values, count);
    while (r >= 0 && (r = vr_db_next(rows, err)) > 0)
        out->v[out->n++] = (struct member){.id = vr_db_i64(rows, 0),
                                           .key = vr_strdup(vr_row_or(vr_db_text(rows, 1), ""))};
    return r;
}

static int compare_ids(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

/* Behind the object that begins here: text made by ourselves, so it is whole. */
static const char *end_of_object(const char *p)
{
    bool quoted = false;

    for (int depth = 0; *p; p++) {
        if (quoted && *p == '\\')
            p++;
        else if (*p == '"')
            quoted = !quoted;
        else if (!quoted && *p == '{')
            depth++;
        else if (!quoted && *p == '}' && --depth == 0)
            return p + 1;
    }
    return p;
}

/* The objects of all members, in the order of ids; each one's text is found in it. */
static int render_members(struct vr_tx *tx, const struct vr_object_spec *spec, struct members *m,
                          struct vr_buf *text, struct vr_err *err)
{
    const struct vr_shape *shape = vr_shape_of(spec->resource);
    vr_auto_free int64_t *ids = vr_alloc_array(m->n + 1, sizeof(*ids));
    vr_auto_free char *ids_text = NULL;
    vr_auto_free char *where = vr_strf("%s IN @IDS($1)@", shape->id);
    struct vr_db_value value;
    const char *at;
    int r;

    qsort(m->v, m->n, sizeof(*m->v), compare_ids);
    for (size_t i = 0; i < m->n; i++)
        ids[i] = m->v[i].id;
    ids_text = vr_row_ids_text(ids, m->n);
    value = VR_T(ids_text);
    r = vr_shape_render(tx,
                        &(struct vr_shape_query){.shape = shape,
                                                 .fields = vr_shape_fields(shape, spec->fields),
                                                 .where = where,
                                                 .order = shape->id,
                                                 .tail = "",
                                                 .values = &value,
                                                 .count = 1,
                                                 .now = spec->now,
                                                 .viewer = spec->viewer},
                        text, err);
    if (r < 0)
        return r;
    if (text->over)
        return vr_fail(err, VR_LIMIT, "the set is larger than %u bytes", VR_LIST_BYTES);
    at = m->n ? vr_buf_text(text) : "";
    for (size_t i = 0; i < m->n; i++) {
        const char *end = end_of_object(at), *next = end + (*end == ',');

        m->v[i].text = (struct vr_str){at, (size_t)(end - at)};
        while (i + 1 < m->n && m->v[i + 1].id == m->v[i].id) { /* asked for twice */
            m->v[i + 1].text = m->v[i].text;
            i++;
        }
        at = next;
    }
    return 0;
}

static const struct member *find_member(const struct vr_shape *shape, const struct members *m,
                                        const char *key)
{
    struct vr_db_value wanted;

    if (find_key(shape, key, &wanted) < 0)
        return NULL;
    for (size_t i = 0; i < m->n; i++)
        if (shape->key_is_text ? vr_streq(m->v[i].key, key) : m->v[i].id == wanted.i)
            return &m->v[i];
    return NULL;
}

int vr_store_set(struct vr_tx *tx, const struct vr_object_spec *spec, const char *const *keys,
                 size_t n, struct vr_buf *out, bool *out_missing, struct vr_err *err)
{
    __attribute__((cleanup(members_fini))) struct members members = {
        .v = vr_alloc_array(n + 1, sizeof(*members.v))};
    vr_auto_buf struct vr_buf text = VR_BUF(VR_LIST_BYTES);
    bool is_first = true;
    int r = 0;

    for (size_t i = 0, step; i < n && r == 0; i += step) {
        step = n - i < SET_CHUNK ? n - i : SET_CHUNK;
        r = find_members(tx, spec, keys + i, step, &members, err);
    }
    if (r == 0)
        r = render_members(tx, spec, &members, &text, err);
    for (size_t i = 0; i < n && r == 0; i++) {
        const struct member *m = find_member(vr_shape_of(spec->resource), &members, keys[i]);

        out_missing[i] = !m;
        if (!m)
            continue;
        vr_buf_addf(out, "%s", is_first ? "" : ",");
        vr_buf_add_n(out, m->text.p, m->text.n);
        is_first = false;
    }
    return r;
}

int vr_store_procs_json(struct vr_tx *tx, int64_t swarm_id, int64_t host_id,
                        const struct vr_viewer *viewer, struct vr_wall now, char **out,
                        struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_LIST_BYTES);
    vr_auto_free char *where =
        vr_strf("%s = $1 AND %s", swarm_id ? "p.swarm_id" : "p.host_id", vr_shape_procs.where);
    struct vr_db_value value = VR_I(swarm_id ? swarm_id : host_id);
    int r;

    vr_buf_addc(&text, '[');
    r = vr_shape_render(tx,
                        &(struct vr_shape_query){.shape = &vr_shape_procs,
                                                 .fields = vr_shape_fields(&vr_shape_procs, NULL),
                                                 .where = where,
                                                 .order = vr_shape_procs.order,
                                                 .tail = "",
                                                 .values = &value,
                                                 .count = 1,
                                                 .now = now,
                                                 .viewer = viewer},
                        &text, err);
    if (r < 0)
        return r;
    vr_buf_addc(&text, ']');
    return vr_buf_finish(&text, out, err);
}
