/* SPDX-License-Identifier: MIT */
/* How rows become the API's JSON: tables of fields and filters per resource; private to store. */
#ifndef VR_STORE_SHAPE_H
#define VR_STORE_SHAPE_H

#include "core/buf.h"
#include "store/resource.h"
#include "store/row.h"

struct vr_shape;

/** Append the JSON value of the columns beginning at `column`. */
typedef void vr_shape_write_fn(struct vr_buf *out, struct vr_db_rows *rows, int column,
                               struct vr_wall now);

/** One key of the object: columns and their writer, or an array of child rows. */
struct vr_shape_field {
    const char *name; /* "": the value stands alone, as in arrays of URIs */
    const char *sql;  /* expressions, separated by commas if there are several */
    vr_shape_write_fn *write;
    int columns;     /* 0 counts as 1 */
    bool detail;     /* left out where the object is nested in another: large, or rarely wanted */
    bool is_private; /* null, unless the viewer owns the row or sees all */
    bool is_masked;  /* the column says more than is shown: nothing is ordered by it */
    const struct vr_shape *children;
    bool single;      /* at most one child: an object, or null, instead of an array */
    const char *link; /* of children: expression over their FROM that gives the parent's id */
};

enum vr_filter_type {
    VR_FILTER_TEXT,
    VR_FILTER_INT,
    VR_FILTER_ID, /* of a related object; those whose names begin with its and `__` lead on */
    VR_FILTER_BOOL,
    VR_FILTER_TIME,
};

/** A filter: `before expr <compared> after`; before and after are NULL for plain columns. */
struct vr_shape_filter {
    const char *name; /* "squad__hosts__name" */
    enum vr_filter_type type;
    const char *expr;
    const char *before; /* "EXISTS (SELECT … AND " */
    const char *after;  /* ")" */
};

/*
 * What leads on from an app, table alias `a`, for shapes that have it joined: the rest of the
 * filters of apps, by its buildpack and its stack.
 */
#define VR_BUILDPACK_OF_APP "EXISTS (SELECT 1 FROM buildpacks fb WHERE fb.id = a.buildpack_id AND "
#define VR_STACK_OF_APP     "EXISTS (SELECT 1 FROM stacks ft WHERE ft.id = a.stack_id AND "
#define VR_FILTERS_OF_APP(app)                                                                     \
    {app "__repo_url", VR_FILTER_TEXT, VR_SQL_SHOWN_URL("a")},                                     \
        {app "__repo_type", VR_FILTER_TEXT, "a.repo_type"},                                        \
        {app "__buildpack", VR_FILTER_ID, "a.buildpack_id"},                                       \
        {app "__buildpack__id", VR_FILTER_INT, "a.buildpack_id"},                                  \
        {app "__buildpack__repo_url", VR_FILTER_TEXT, VR_SQL_SHOWN_URL("fb"), VR_BUILDPACK_OF_APP, \
         ")"},                                                                                     \
        {app "__buildpack__repo_type", VR_FILTER_TEXT, "fb.repo_type", VR_BUILDPACK_OF_APP, ")"},  \
        {app "__stack", VR_FILTER_ID, "a.stack_id"},                                               \
        {app "__stack__id", VR_FILTER_INT, "a.stack_id"},                                          \
    {                                                                                              \
        app "__stack__name", VR_FILTER_TEXT, "ft.name", VR_STACK_OF_APP, ")"                       \
    }

struct vr_shape {
    const char *from;  /* tables; joins must not multiply rows, nor leave any out */
    const char *table; /* "procs p": of `from` without its joins; NULL: it has none */
    const char *id;    /* integer that children link to; "0" where there are none */
    const char *key;   /* what the path names it by; NULL: id */
    bool key_is_text;  /* a name, or a rollout's id */
    const char *where; /* of lists, not of details; NULL: all */
    const char *order;
    const char *app;   /* expression: id of the app that a row belongs to; NULL: to none */
    const char *owner; /* expression: id of the user that a row belongs to; NULL: to none */
    const struct vr_shape_field *fields;
    size_t field_count; /* one less than VR_SHAPE_FIELDS_MAX at most: `can` comes behind them */
    const struct vr_shape_filter *filters;
    size_t filter_count;
};

#define VR_SHAPE_FIELDS_MAX 64

/** The shape of a resource; never NULL. */
const struct vr_shape *vr_shape_of(enum vr_resource resource);

extern const struct vr_shape vr_shape_apps, vr_shape_buildpacks, vr_shape_builds, vr_shape_releases,
    vr_shape_ingredients, vr_shape_squads, vr_shape_hosts, vr_shape_swarms, vr_shape_procs,
    vr_shape_rollouts, vr_shape_commands, vr_shape_balancers, vr_shape_pools, vr_shape_events,
    vr_shape_logs, vr_shape_users, vr_shape_tokens, vr_shape_stacks, vr_shape_images,
    vr_shape_testruns, vr_shape_testresults, vr_shape_dashboards, vr_shape_profiles;

/** The full objects where others hold them: users of `log_entries g`, apps of `dashboard_apps x`.
 */
extern const struct vr_shape vr_shape_log_users, vr_shape_dashboard_apps;

/* Writers. A null column is null unless said otherwise. */
vr_shape_write_fn vr_write_int;   /* number */
vr_shape_write_fn vr_write_bool;  /* true, false */
vr_shape_write_fn vr_write_text;  /* string */
vr_shape_write_fn vr_write_json;  /* the text as it is */
vr_shape_write_fn vr_write_list;  /* the same, [] as null */
vr_shape_write_fn vr_write_naive; /* microseconds as naive UTC; 0 is null */
vr_shape_write_fn vr_write_utc;   /* with Z; 0 is null */

/*
 * `word` and `since` of an object: how its state is said to people, and since when. Aliases are
 * those of its resource: procs p and hosts h, rollouts k, builds b.
 */
vr_shape_write_fn vr_write_proc_words, vr_write_rollout_words, vr_write_build_words;
#define VR_SHAPE_PROC_WORD                                                                         \
    "p.actual, p.reported, p.tested, p.passed, p.restarts, p.exit_json, h.state",                  \
        vr_write_proc_words, .columns = 7
#define VR_SHAPE_ROLLOUT_WORD                                                                      \
    "k.state, k.result, k.phase, k.step, k.leftovers_json", vr_write_rollout_words, .columns = 5
#define VR_SHAPE_ROLLOUT_SINCE                                                                     \
    "coalesce(k.ended_us, CASE WHEN k.step_us > 0 THEN k.step_us END, k.started_us, k.created_us)"
#define VR_SHAPE_BUILD_WORD  "b.status", vr_write_build_words
#define VR_SHAPE_BUILD_SINCE "coalesce(b.end_us, b.start_us, b.created_us)"

/** Why a rollout failed, as an object, or null; aliases as in the list of rollouts. */
vr_shape_write_fn vr_write_failure;
#define VR_SHAPE_FAILED_PROC(what)                                                                 \
    "(SELECT " what " FROM procs p WHERE p.rollout_id = k.id AND p.name = k.error_proc"            \
    " ORDER BY p.id DESC LIMIT 1)"
#define VR_SHAPE_FAILURE                                                                           \
    "k.error_step, k.error_host, k.error_proc, k.error_message, k.error_left,"                     \
    " CASE WHEN k.error_proc <> '' THEN " VR_SHAPE_FAILED_PROC(                                    \
        "p.log_tail") " WHEN k.error_step = 'build' THEN (SELECT substr(g.text, CASE WHEN "        \
                      "length(g.text) > 4000"                                                      \
                      " THEN length(g.text) - 3999 ELSE 1 END) FROM build_logs g WHERE "           \
                      "g.build_id = k.build_id"                                                    \
                      " ORDER BY g.at DESC LIMIT 1) END,"                                          \
                      " CASE WHEN k.error_step = 'test' THEN " VR_SHAPE_FAILED_PROC(               \
                          "p.test_json") " END,"                                                   \
                                         " CASE WHEN k.error_proc <> '' "                          \
                                         "THEN " VR_SHAPE_FAILED_PROC(                             \
                                             "p.id") " END,"                                       \
                                                     " k.build_id, a.name, q.name, l.name, k.id"

/*
 * The usual duration in milliseconds: the median of the last five that were done, of the same
 * swarm and kind, or of the same app; null if there is none. For details, and lists that are short.
 */
#define VR_SHAPE_MEDIAN(last)                                                                      \
    "(SELECT min(m.ms) FROM (" last ") AS m WHERE 2 * (SELECT count(*) FROM (" last                \
    ") AS x WHERE x.ms <= m.ms) >= (SELECT count(*) FROM (" last ") AS n))"
#define VR_SHAPE_USUAL_ROLLOUT(k)                                                                  \
    VR_SHAPE_MEDIAN("SELECT (d.ended_us - d.started_us) / 1000 AS ms FROM rollouts d"              \
                    " WHERE d.swarm_id = " k ".swarm_id AND d.kind = " k ".kind"                   \
                    " AND d.result = 'done' ORDER BY d.seq DESC LIMIT 5")
#define VR_SHAPE_USUAL_BUILD(b)                                                                    \
    VR_SHAPE_MEDIAN("SELECT (d.end_us - d.start_us) / 1000 AS ms FROM builds d"                    \
                    " WHERE d.app_id = " b ".app_id AND d.status = 'success'"                      \
                    " AND d.start_us IS NOT NULL ORDER BY d.id DESC LIMIT 5")

/** Append decimal digits. */
void vr_shape_int(struct vr_buf *out, int64_t value);

/** Append a quoted and escaped string. */
void vr_shape_quote(struct vr_buf *out, struct vr_str text);

/** What to render; every text is made of constant fragments, values are bound. */
struct vr_shape_query {
    const struct vr_shape *shape;
    uint64_t fields;   /* bit i: field i */
    const char *where; /* NULL: all */
    const char *order;
    const char *tail; /* LIMIT … or "" */
    const struct vr_db_value *values;
    size_t count;
    struct vr_wall now;
    const struct vr_viewer *viewer; /* NULL: the platform itself */
    int64_t *out_last_id;           /* of the last row, if there is one; NULL: not asked for */
};

/** All fields and `can`, or those that a list names; unknown ones are ignored. */
uint64_t vr_shape_fields(const struct vr_shape *shape, const char *names);

/** Append the objects, separated by commas; returns their number or -code. */
VR_MUST_USE
int vr_shape_render(struct vr_tx *tx, const struct vr_shape_query *query, struct vr_buf *out,
                    struct vr_err *err);

#define VR_FILTER_SPARE 4 /* values that a filter leaves room for */

/** A WHERE text and its values, made from a query string. */
struct vr_filter_sql {
    struct vr_buf where; /* "" for all */
    struct vr_buf order;
    struct vr_db_value values[VR_DB_PARAMS_MAX];
    size_t count;
    char **texts; /* owned: what values point to */
    size_t text_count;
};

/** Texts of `query` are borrowed as long as `out` lives; release it also on failure. */
VR_MUST_USE
int vr_filter_build(const struct vr_shape *shape, const struct vr_query *query,
                    struct vr_filter_sql *out, struct vr_err *err);
void vr_filter_fini(struct vr_filter_sql *sql);

#endif
