/* SPDX-License-Identifier: MIT */
/*
 * One table of parts: what of the domain is shown at a glance.
 *
 * A transaction notes which rows it changed (vr_store_changed(), mostly called by the helpers of
 * row.c). Its commit renders each as it is then; what differs from the text that was told last
 * becomes an event of kind `object`, what is not there any more one that says `removed`. So a
 * report that changes nothing that is shown makes no event, and no place that changes a row has to
 * know who watches.
 */
#include "store/overview.h"

#include "core/buf.h"
#include "model/words.h"
#include "store/proc_row.h"
#include "store/shape.h"

#include <pthread.h>

/* ------------------------------------------------------------------ writers */

static void write_statename(struct vr_buf *out, struct vr_db_rows *rows, int column,
                            struct vr_wall now)
{
    vr_shape_quote(out, vr_str(vr_proc_state_of(vr_db_text(rows, column))->name));
}

static void write_step_number(struct vr_buf *out, struct vr_db_rows *rows, int column,
                              struct vr_wall now)
{
    vr_shape_int(out, vr_words_step_number(vr_db_text(rows, column)));
}

static void write_step_count(struct vr_buf *out, struct vr_db_rows *rows, int column,
                             struct vr_wall now)
{
    vr_shape_int(out, VR_WORDS_STEPS);
}

/* ------------------------------------------------------------------ parts */

static const struct vr_shape_field app_fields[] = {
    {"id", "a.id", vr_write_int},
    {"name", "a.name", vr_write_text},
};

static const struct vr_shape_field squad_fields[] = {
    {"id", "q.id", vr_write_int},
    {"name", "q.name", vr_write_text},
};

static const struct vr_shape_field host_fields[] = {
    {"id", "h.id", vr_write_int},
    {"name", "h.name", vr_write_text},
    {"squad", "q.name", vr_write_text},
    {"active", "h.active", vr_write_bool},
    {"state", "h.state", vr_write_text},
    {"since", "h.state_us", vr_write_utc},
    {"address", "h.address", vr_write_text},
};

/* What changes all the time, and is no reason for an event. */
static const struct vr_shape_field host_usage_fields[] = {
    {"id", "h.id", vr_write_int},
    {"last_seen", "h.last_seen_us", vr_write_utc},
    {"usage", "h.usage_json", vr_write_json},
};

static const struct vr_shape_field swarm_fields[] = {
    {"id", "s.id", vr_write_int},
    {"app", "a.name", vr_write_text},
    {"config", "s.config_name", vr_write_text},
    {"proc", "s.proc_name", vr_write_text},
    {"name", "a.name || '-' || s.config_name || '-' || s.proc_name", vr_write_text},
    {"tag", "s.tag", vr_write_text},
    {"running", "c.tag", vr_write_text},
    {"size", "s.size", vr_write_int},
    {"squad", "q.name", vr_write_text},
    {"pool", "s.pool", vr_write_text},
    {"rollout",
     "(SELECT k.id FROM rollouts k WHERE k.swarm_id = s.id AND k.state <> 'ended'"
     " ORDER BY k.state LIMIT 1)",
     vr_write_text},
    {"routed", "(SELECT count(*) FROM procs p WHERE p.swarm_id = s.id AND p.admitted = 1)",
     vr_write_int},
};

#define POOL_STATE                                                                                 \
    "CASE WHEN p.pool_id IS NULL THEN NULL WHEN p.admitted = 1 AND p.unhealthy_us > 0 THEN 'out'"  \
    " WHEN p.admitted = 1 THEN 'routed' WHEN p.drain_us IS NOT NULL AND p.actual = 'running'"      \
    " THEN 'draining' END"

static const struct vr_shape_field proc_fields[] = {
    {"id", "p.id", vr_write_int},
    {"swarm", "p.swarm_id", vr_write_int},
    {"app", "a.name", vr_write_text},
    {"tag", "b.tag", vr_write_text},
    {"rollout", "p.rollout_id", vr_write_text},
    {"host", "h.name", vr_write_text},
    {"port", "p.port", vr_write_int},
    {"state", "p.actual", write_statename},
    {"word", VR_SHAPE_PROC_WORD},
    {"since", "p.since_us", vr_write_utc},
    {"desired", "p.desired", vr_write_text},
    {"tested", "p.tested", vr_write_text},
    {"pool", POOL_STATE, vr_write_text},
    {"message", "CASE WHEN p.actual = 'running' OR p.message = '' THEN NULL ELSE p.message END",
     vr_write_text},
};

static const struct vr_shape_field pool_fields[] = {
    {"id", "l.id", vr_write_int},
    {"name", "l.name", vr_write_text},
    {"balancer", "b.name", vr_write_text},
    {"swarm", "l.swarm_id", vr_write_int},
    {"nodes", "(SELECT count(*) FROM procs p WHERE p.pool_id = l.id AND p.admitted = 1)",
     vr_write_int},
};

static const struct vr_shape_field rollout_fields[] = {
    {"id", "k.id", vr_write_text},
    {"swarm", "k.swarm_id", vr_write_int},
    {"kind", "k.kind", vr_write_text},
    {"user", "u.username", vr_write_text},
    {"tag", "k.tag", vr_write_text},
    {"state", "k.state", vr_write_text},
    {"result", "k.result", vr_write_text},
    {"word", VR_SHAPE_ROLLOUT_WORD},
    {"step", "k.step", vr_write_text},
    {"n", "k.step", write_step_number},
    {"of", "0", write_step_count},
    {"since", VR_SHAPE_ROLLOUT_SINCE, vr_write_utc},
    {"created", "k.created_us", vr_write_utc},
    {"started", "k.started_us", vr_write_utc},
    {"ended", "k.ended_us", vr_write_utc},
    {"usual_ms", VR_SHAPE_USUAL_ROLLOUT("k"), vr_write_int},
    {"error", "CASE WHEN k.error_message <> '' THEN k.error_message END", vr_write_text},
};

static const struct vr_shape_field build_fields[] = {
    {"id", "b.id", vr_write_int},
    {"app", "a.name", vr_write_text},
    {"tag", "b.tag", vr_write_text},
    {"status", "b.status", vr_write_text},
    {"word", VR_SHAPE_BUILD_WORD},
    {"since", VR_SHAPE_BUILD_SINCE, vr_write_utc},
    {"started", "b.start_us", vr_write_utc},
    {"ended", "b.end_us", vr_write_utc},
    {"usual_ms", VR_SHAPE_USUAL_BUILD("b"), vr_write_int},
};

#define SHAPE(fields_, from_, id_)                                                                 \
    {                                                                                              \
        .from = from_, .id = id_, .order = id_, .fields = fields_,                                 \
        .field_count = VR_COUNT(fields_)                                                           \
    }

struct part {
    const char *name;
    struct vr_shape shape;
    const char *where; /* NULL: all; $1 is the time before which what ended is left out */
    bool has_time;     /* `where` has that */
    const char *app;   /* the id of the app it belongs to; NULL: to none */
};

static const struct part parts[VR_OBJECT_COUNT] = {
    [VR_OBJECT_APP] = {"apps", SHAPE(app_fields, "apps a", "a.id"), NULL, false, "a.id"},
    [VR_OBJECT_SQUAD] = {"squads", SHAPE(squad_fields, "squads q", "q.id")},
    [VR_OBJECT_HOST] = {"hosts", SHAPE(host_fields,
                                       "hosts h LEFT JOIN squads q ON q.id = h.squad_id", "h.id")},
    [VR_OBJECT_SWARM] = {"swarms",
                         SHAPE(swarm_fields,
                               "swarms s JOIN apps a ON a.id = s.app_id"
                               " JOIN squads q ON q.id = s.squad_id"
                               " LEFT JOIN rollouts c ON c.id = s.current_rollout",
                               "s.id"),
                         NULL, false, "s.app_id"},
    [VR_OBJECT_PROC] = {"procs",
                        SHAPE(proc_fields,
                              "procs p JOIN hosts h ON h.id = p.host_id"
                              " JOIN releases r ON r.id = p.release_id"
                              " JOIN builds b ON b.id = r.build_id JOIN apps a ON a.id = b.app_id",
                              "p.id"),
                        VR_PROC_LIVE("p"), false, "a.id"},
    [VR_OBJECT_POOL] = {"pools",
                        SHAPE(pool_fields,
                              "pools l JOIN balancers b ON b.id = l.balancer_id"
                              " JOIN swarms s ON s.id = l.swarm_id",
                              "l.id"),
                        NULL, false, "s.app_id"},
    [VR_OBJECT_ROLLOUT] = {"rollouts",
                           SHAPE(rollout_fields,
                                 "rollouts k JOIN swarms s ON s.id = k.swarm_id"
                                 " LEFT JOIN users u ON u.id = k.user_id",
                                 "k.seq"),
                           "(k.state <> 'ended' OR k.ended_us > $1)", true, "s.app_id"},
    [VR_OBJECT_BUILD] = {"builds",
                         SHAPE(build_fields, "builds b JOIN apps a ON a.id = b.app_id", "b.id"),
                         "(b.status IN ('pending', 'started') OR b.end_us > $1)", true, "b.app_id"},
};

/* ------------------------------------------------------------------ the snapshot */

static int64_t recent(struct vr_wall now)
{
    return now.us - VR_OVERVIEW_RECENT_SECS * VR_US_PER_S;
}

static int render_part(struct vr_tx *tx, const struct part *part,
                       const struct vr_overview_spec *spec, struct vr_buf *out, struct vr_err *err)
{
    const char *filter = spec->app ? "SELECT x.id FROM apps x WHERE x.name"
                                   : "SELECT x.app_id FROM dashboard_apps x JOIN dashboards d"
                                     " ON d.id = x.dashboard_id WHERE d.slug";
    bool filtered = part->app && (spec->app || spec->dashboard);
    struct vr_db_value values[2];
    size_t n = 0;
    vr_auto_free char *where = NULL;

    if (part->has_time)
        values[n++] = VR_I(recent(spec->now));
    if (filtered) {
        values[n++] = VR_T(spec->app ? spec->app : spec->dashboard);
        where = vr_strf("%s%s%s IN (%s = $%zu)", part->where ? part->where : "",
                        part->where ? " AND " : "", part->app, filter, n);
    }
    vr_buf_addf(out, ",\"%s\":[", part->name);
    return vr_shape_render(tx,
                           &(struct vr_shape_query){.shape = &part->shape,
                                                    .fields = UINT64_MAX,
                                                    .where = where ? where : part->where,
                                                    .order = part->shape.order,
                                                    .tail = "",
                                                    .values = values,
                                                    .count = n,
                                                    .now = spec->now},
                           out, err);
}

static int check_filter(struct vr_tx *tx, const struct vr_overview_spec *spec, struct vr_err *err)
{
    int64_t n = 1;
    int r = 0;

    if (spec->app)
        r = vr_db_get_i64(tx->db, &n, err, "SELECT count(*) FROM apps WHERE name = $1",
                          VR_T(spec->app));
    else if (spec->dashboard)
        r = vr_db_get_i64(tx->db, &n, err, "SELECT count(*) FROM dashboards WHERE slug = $1",
                          VR_T(spec->dashboard));
    if (r == 0 && !n)
        return vr_fail(err, VR_NOT_FOUND, "%s '%.60s' does not exist",
                       spec->app ? "app" : "dashboard", spec->app ? spec->app : spec->dashboard);
    return r;
}

int vr_store_overview(struct vr_tx *tx, const struct vr_overview_spec *spec, char **out,
                      struct vr_err *err)
{
    static const struct part usage = {"usage", SHAPE(host_usage_fields, "hosts h", "h.id")};
    vr_auto_buf struct vr_buf b = VR_BUF(VR_OVERVIEW_BYTES);
    char when[VR_WALL_TEXT_BYTES];
    int64_t as_of;
    int r = check_filter(tx, spec, err);

    if (r == 0)
        r = vr_store_event_last(tx, &as_of, err);
    if (r < 0)
        return r;
    vr_wall_format(spec->now, false, when);
    vr_buf_addf(&b, "{\"now\":\"%s\",\"as_of\":%" PRId64, when, as_of);
    for (size_t i = 0; r >= 0 && i < VR_COUNT(parts); i++) {
        r = render_part(tx, &parts[i], spec, &b, err);
        vr_buf_addc(&b, ']');
    }
    if (r >= 0)
        r = render_part(tx, &usage, spec, &b, err);
    vr_buf_add(&b, "]}");
    return r < 0 ? r : vr_buf_finish(&b, out, err);
}

/* ------------------------------------------------------------------ what was told */

#define BUCKETS 4096

struct told {
    struct told *next;
    enum vr_object kind;
    int64_t id;
    uint64_t hash; /* 0: that it was removed */
};

struct vr_told_objects {
    pthread_mutex_t lock;
    struct told *buckets[BUCKETS];
    size_t count;
};

struct vr_told_objects *vr_told_objects_new(void)
{
    struct vr_told_objects *t = vr_alloc(sizeof(*t));

    pthread_mutex_init(&t->lock, NULL);
    return t;
}

static void forget_all(struct vr_told_objects *t)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        while (t->buckets[i]) {
            struct told *one = t->buckets[i];

            t->buckets[i] = one->next;
            free(one);
        }
    }
    t->count = 0;
}

struct vr_told_objects *vr_told_objects_free(struct vr_told_objects *t)
{
    if (!t)
        return NULL;
    forget_all(t);
    pthread_mutex_destroy(&t->lock);
    free(t);
    return NULL;
}

static struct told **place_of(struct vr_told_objects *t, enum vr_object kind, int64_t id)
{
    struct told **at = &t->buckets[((uint64_t)id * VR_OBJECT_COUNT + kind) % BUCKETS];

    while (*at && ((*at)->kind != kind || (*at)->id != id))
        at = &(*at)->next;
    return at;
}

static bool was_told(struct vr_told_objects *t, enum vr_object kind, int64_t id, uint64_t hash)
{
    struct told *one;
    bool same;

    pthread_mutex_lock(&t->lock);
    one = *place_of(t, kind, id);
    same = one && one->hash == hash;
    pthread_mutex_unlock(&t->lock);
    return same;
}

static void remember(struct vr_told_objects *t, enum vr_object kind, int64_t id, uint64_t hash)
{
    struct told **at;

    if (t->count >= VR_OVERVIEW_TOLD_MAX)
        forget_all(t); /* then some are told twice */
    at = place_of(t, kind, id);
    if (!*at) {
        *at = vr_alloc(sizeof(**at));
        **at = (struct told){.kind = kind, .id = id};
        t->count++;
    }
    (*at)->hash = hash;
}

void vr_told_objects_commit(struct vr_told_objects *t, const struct vr_tx *tx)
{
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < tx->told_count; i++)
        remember(t, tx->told[i].kind, tx->told[i].id, tx->told[i].hash);
    pthread_mutex_unlock(&t->lock);
}

static uint64_t hash_of(const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h ? h : 1;
}

/* ------------------------------------------------------------------ events */

/* The object as it is in this transaction; "" if it is not shown (any more). */
static int render_one(struct vr_tx *tx, enum vr_object kind, int64_t id, struct vr_wall now,
                      struct vr_buf *out, struct vr_err *err)
{
    const struct part *part = &parts[kind];
    struct vr_db_value values[2] = {VR_I(recent(now)), VR_I(id)};
    vr_auto_free char *where =
        vr_strf("%s%s%s = $%d", part->where ? part->where : "", part->where ? " AND " : "",
                part->shape.id, part->has_time ? 2 : 1);

    return vr_shape_render(tx,
                           &(struct vr_shape_query){.shape = &part->shape,
                                                    .fields = UINT64_MAX,
                                                    .where = where,
                                                    .order = part->shape.order,
                                                    .tail = "",
                                                    .values = values + !part->has_time,
                                                    .count = 1 + part->has_time,
                                                    .now = now},
                           out, err);
}

/* The app that an object belongs to; 0: none, or it is gone. */
static int find_app(struct vr_tx *tx, enum vr_object kind, int64_t id, int64_t *out,
                    struct vr_err *err)
{
    const struct part *part = &parts[kind];
    vr_auto_free char *sql = NULL;

    *out = 0;
    if (!part->app)
        return 0;
    sql = vr_strf("SELECT %s FROM %s WHERE %s = $1", part->app, part->shape.from, part->shape.id);
    return vr_db_get_i64_values(tx->db, out, err, sql, VR_DB_VALUES(VR_I(id)));
}

static void add_event(struct vr_tx *tx, enum vr_object kind, int64_t id, int64_t app,
                      const char *object, struct vr_wall now)
{
    vr_auto_free char *data =
        *object ? vr_strf("{\"part\":\"%s\",\"object\":%s}", parts[kind].name, object)
                : vr_strf("{\"part\":\"%s\",\"id\":%" PRId64 ",\"removed\":true}", parts[kind].name,
                          id);

    vr_store_event_add(tx, &(struct vr_event){.kind = "object",
                                              .title = parts[kind].name,
                                              .swarm_id = kind == VR_OBJECT_SWARM ? id : 0,
                                              .proc_id = kind == VR_OBJECT_PROC ? id : 0,
                                              .host_id = kind == VR_OBJECT_HOST ? id : 0,
                                              .app_id = app,
                                              .data = data,
                                              .time = now});
}

static int tell_one(struct vr_tx *tx, enum vr_object kind, int64_t id, struct vr_wall now,
                    struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OVERVIEW_BYTES);
    int r = render_one(tx, kind, id, now, &text, err);
    uint64_t hash;
    int64_t app = 0;

    if (r < 0)
        return r;
    if (!r && kind == VR_OBJECT_ROLLOUT)
        return 0; /* it ended long ago; its client lets it go by the time */
    hash = r ? hash_of(vr_buf_text(&text)) : 0;
    if (was_told(tx->store_told, kind, id, hash))
        return 0;
    if (r && (r = find_app(tx, kind, id, &app, err)) < 0)
        return r;
    add_event(tx, kind, id, app, vr_buf_text(&text), now);
    tx->told = vr_realloc_array(tx->told, tx->told_count + 1, sizeof(*tx->told));
    tx->told[tx->told_count++] = (struct vr_told_object){.kind = kind, .id = id, .hash = hash};
    return 0;
}

/* What is shown of a swarm stands in other rows too. */
static int add_of_swarms(struct vr_tx *tx, struct vr_wall now, struct vr_err *err)
{
    vr_auto_free char *swarms = vr_row_ids_text(tx->swarms.v, tx->swarms.n);
    vr_auto_free int64_t *rollouts = NULL, *pools = NULL;
    size_t rollout_count = 0, pool_count = 0;
    int r;

    if (!tx->swarms.n)
        return 0;
    for (size_t i = 0; i < tx->swarms.n; i++)
        vr_store_changed(tx, VR_OBJECT_SWARM, tx->swarms.v[i]);
    r = vr_row_ids(tx, &rollouts, &rollout_count, err,
                   "SELECT seq FROM rollouts WHERE swarm_id IN @IDS($1)@"
                   " AND (state <> 'ended' OR ended_us > $2)",
                   VR_T(swarms), VR_I(recent(now)));
    if (r == 0)
        r = vr_row_ids(tx, &pools, &pool_count, err,
                       "SELECT id FROM pools WHERE swarm_id IN @IDS($1)@", VR_T(swarms));
    for (size_t i = 0; r == 0 && i < rollout_count; i++)
        vr_store_changed(tx, VR_OBJECT_ROLLOUT, rollouts[i]);
    for (size_t i = 0; r == 0 && i < pool_count; i++)
        vr_store_changed(tx, VR_OBJECT_POOL, pools[i]);
    return r;
}

/* Objects that show something of others: a squad's name, an app's, a host's state. */
static const struct {
    enum vr_object changed, shown;
    const char *sql; /* $1 the ids of those that changed */
} borrowed[] = {
    {VR_OBJECT_SQUAD, VR_OBJECT_HOST, "SELECT id FROM hosts WHERE squad_id IN @IDS($1)@"},
    {VR_OBJECT_SQUAD, VR_OBJECT_SWARM, "SELECT id FROM swarms WHERE squad_id IN @IDS($1)@"},
    {VR_OBJECT_APP, VR_OBJECT_SWARM, "SELECT id FROM swarms WHERE app_id IN @IDS($1)@"},
    {VR_OBJECT_APP, VR_OBJECT_PROC,
     "SELECT p.id FROM procs p JOIN swarms s ON s.id = p.swarm_id"
     " WHERE s.app_id IN @IDS($1)@ AND " VR_PROC_LIVE("p")},
    {VR_OBJECT_HOST, VR_OBJECT_PROC,
     "SELECT p.id FROM procs p WHERE p.host_id IN @IDS($1)@ AND " VR_PROC_LIVE("p")},
};

static int add_borrowers(struct vr_tx *tx, struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < VR_COUNT(borrowed); i++) {
        const struct vr_idset *set = &tx->changed[borrowed[i].changed];
        vr_auto_free char *ids = NULL;
        vr_auto_free int64_t *found = NULL;
        size_t n = 0;

        if (!set->n || (borrowed[i].changed == VR_OBJECT_HOST && !tx->hosts_moved))
            continue;
        ids = vr_row_ids_text(set->v, set->n);
        r = vr_row_ids(tx, &found, &n, err, borrowed[i].sql, VR_T(ids));
        for (size_t k = 0; r == 0 && k < n; k++)
            vr_store_changed(tx, borrowed[i].shown, found[k]);
    }
    return r;
}

int vr_overview_tell(struct vr_tx *tx, struct vr_err *err)
{
    struct vr_wall now = vr_wall_now();
    int r = add_of_swarms(tx, now, err);

    if (r == 0)
        r = add_borrowers(tx, err);
    for (int kind = 0; kind < VR_OBJECT_COUNT; kind++)
        for (size_t i = 0; r == 0 && i < tx->changed[kind].n; i++)
            r = tell_one(tx, (enum vr_object)kind, tx->changed[kind].v[i], now, err);
    return r < 0 ? vr_fail_in(err, r, "tell of changes") : 0;
}
