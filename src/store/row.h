/* SPDX-License-Identifier: MIT */
/* How the nouns of this folder read and change their rows; private to it. */
#ifndef VR_STORE_ROW_H
#define VR_STORE_ROW_H

#include "store/event.h"
#include "store/store.h"

#include <inttypes.h>

struct vr_idset {
    int64_t *v;
    size_t n;
    size_t cap;
};

/** Kinds of what the overview shows (overview.h). */
enum vr_object {
    VR_OBJECT_APP,
    VR_OBJECT_SQUAD,
    VR_OBJECT_HOST,
    VR_OBJECT_SWARM,
    VR_OBJECT_PROC,
    VR_OBJECT_POOL,
    VR_OBJECT_ROLLOUT,
    VR_OBJECT_BUILD,
    VR_OBJECT_COUNT,
};

/** What an event said of one. */
struct vr_told_object {
    enum vr_object kind;
    int64_t id;
    uint64_t hash; /* 0: removed */
};

struct vr_told_objects;

struct vr_tx {
    struct vr_db_tx *db;
    struct vr_port_range ports;
    int64_t keep_releases;
    struct vr_keyring *keyring;  /* borrowed; NULL: none was opened */
    struct vr_idset hosts;       /* touched */
    struct vr_idset swarms;      /* touched */
    struct vr_event_row *events; /* wait for the commit; ids are not set yet */
    size_t event_count;
    size_t event_cap;
    struct vr_idset changed[VR_OBJECT_COUNT]; /* of what is shown */
    bool hosts_moved;                         /* the state of a host, too */
    struct vr_told_objects *store_told;       /* borrowed: what was told before */
    struct vr_told_object *told;              /* by this transaction, if it is committed */
    size_t told_count;
};

/**
 * A row that the overview may show was made, changed or deleted: its commit makes an event of that
 * if what is shown differs. vr_row_change() and the touches of hosts and swarms call it.
 */
void vr_store_changed(struct vr_tx *tx, enum vr_object kind, int64_t id);

/** Make those events; as the last thing before they are written. */
VR_MUST_USE
int vr_overview_tell(struct vr_tx *tx, struct vr_err *err);

struct vr_told_objects *vr_told_objects_new(void);
struct vr_told_objects *vr_told_objects_free(struct vr_told_objects *t);
/** The transaction was committed. */
void vr_told_objects_commit(struct vr_told_objects *t, const struct vr_tx *tx);

/** Write the collected events; sets first and last id (0 for none). */
VR_MUST_USE
int vr_event_flush(struct vr_tx *tx, int64_t *out_first, int64_t *out_last, struct vr_err *err);
void vr_event_drop(struct vr_tx *tx);

enum vr_row_kind {
    VR_ROW_I64,
    VR_ROW_BOOL,
    VR_ROW_TEXT,
};

/** Where column i of a SELECT goes in the row's struct. */
struct vr_row_field {
    enum vr_row_kind kind;
    size_t offset;
};

struct vr_row_type {
    const char *noun; /* in messages: "app" */
    const struct vr_row_field *fields;
    size_t count;
    size_t size;
};

/*
 * `FIELDS(app, app, I(app, id), T(app, name), …)` defines app_type, in the order of the columns
 * that the file's SELECTs have, and the two fini functions that VR_DECLARE_ROW() promises.
 */
#define I(row, field)                                                                              \
    {                                                                                              \
        VR_ROW_I64, offsetof(struct vr_##row##_row, field)                                         \
    }
#define B(row, field)                                                                              \
    {                                                                                              \
        VR_ROW_BOOL, offsetof(struct vr_##row##_row, field)                                        \
    }
#define T(row, field)                                                                              \
    {                                                                                              \
        VR_ROW_TEXT, offsetof(struct vr_##row##_row, field)                                        \
    }

#define FIELDS(row, title, ...)                                                                    \
    static const struct vr_row_field row##_fields[] = {__VA_ARGS__};                               \
    static const struct vr_row_type row##_type = {title, row##_fields, VR_COUNT(row##_fields),     \
                                                  sizeof(struct vr_##row##_row)};                  \
    void vr_##row##_row_fini(struct vr_##row##_row *row_)                                          \
    {                                                                                              \
        vr_row_fini(&row##_type, row_);                                                            \
    }                                                                                              \
    void vr_##row##_rows_fini(struct vr_##row##_rows *rows_)                                       \
    {                                                                                              \
        for (size_t i_ = 0; i_ < rows_->n; i_++)                                                   \
            vr_row_fini(&row##_type, &rows_->v[i_]);                                               \
        free(rows_->v);                                                                            \
        *rows_ = (struct vr_##row##_rows){0};                                                      \
    }

void vr_row_fini(const struct vr_row_type *type, void *row);
void vr_row_load(const struct vr_row_type *type, struct vr_db_rows *rows, void *row);

/**
 * The first row of a query into `out`; -VR_NOT_FOUND with "<noun> '<key>' does not exist".
 * @key  for the message only
 */
#define vr_row_find(tx, type, key, out, err, sql, ...)                                             \
    vr_row_find_values(tx, type, key, out, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_row_find_values(struct vr_tx *tx, const struct vr_row_type *type, const char *key, void *out,
                       struct vr_err *err, const char *sql, const struct vr_db_value *values,
                       size_t count);

/** The same with a number as key. */
#define vr_row_find_id(tx, type, id, out, err, sql, ...)                                           \
    vr_row_find_id_values(tx, type, id, out, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_row_find_id_values(struct vr_tx *tx, const struct vr_row_type *type, int64_t id, void *out,
                          struct vr_err *err, const char *sql, const struct vr_db_value *values,
                          size_t count);

/** All rows of a query; out_rows is one of the `struct vr_x_rows`. */
#define vr_row_list(tx, type, out_rows, err, sql, ...)                                             \
    vr_row_list_values(tx, type, (void **)&(out_rows)->v, &(out_rows)->n, err, sql,                \
                       VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_row_list_values(struct vr_tx *tx, const struct vr_row_type *type, void **out_v,
                       size_t *out_n, struct vr_err *err, const char *sql,
                       const struct vr_db_value *values, size_t count);

/** Execute a change of one row; -VR_NOT_FOUND if there was none. */
#define vr_row_change(tx, noun, id, err, sql, ...)                                                 \
    vr_row_change_values(tx, noun, id, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_row_change_values(struct vr_tx *tx, const char *noun, int64_t id, struct vr_err *err,
                         const char *sql, const struct vr_db_value *values, size_t count);

/** All integers of a query with one column. @out_ids given: free(). */
#define vr_row_ids(tx, out_ids, out_n, err, sql, ...)                                              \
    vr_row_ids_values(tx, out_ids, out_n, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_row_ids_values(struct vr_tx *tx, int64_t **out_ids, size_t *out_n, struct vr_err *err,
                      const char *sql, const struct vr_db_value *values, size_t count);

/** Touch the hosts, or swarms, that a query with one column names. */
#define vr_row_touch_hosts(tx, err, sql, ...)                                                      \
    vr_row_touch_values(tx, vr_store_touch_host, err, sql, VR_DB_VALUES(__VA_ARGS__))
#define vr_row_touch_swarms(tx, err, sql, ...)                                                     \
    vr_row_touch_values(tx, vr_store_touch_swarm, err, sql, VR_DB_VALUES(__VA_ARGS__))
VR_MUST_USE
int vr_row_touch_values(struct vr_tx *tx, void (*touch)(struct vr_tx *, int64_t),
                        struct vr_err *err, const char *sql, const struct vr_db_value *values,
                        size_t count);

/** What may still refer to a row: a query with $1 its id, giving names. */
struct vr_row_use {
    const char *what; /* plural in s: "swarms" */
    const char *sql;
};

#define VR_ROW_USE_NAMES 5 /* named of each kind; the rest is counted */

/** -VR_EXISTS with "squad 'dc1' is still used by 2 hosts (h1, h2) and 1 swarm (…)". */
VR_MUST_USE
int vr_row_refuse_used(struct vr_tx *tx, const char *noun, const char *name, int64_t id,
                       const struct vr_row_use *uses, size_t count, struct vr_err *err);

/** `[1,2,3]` for @IDS($n)@; given, release with free(). */
char *vr_row_ids_text(const int64_t *ids, size_t n);

/**
 * Condition on a proc that still counts: one that was held is stopped, but keeps host and port.
 * `p` is the alias of the table.
 */
#define VR_PROC_LIVE(p) "(" p ".actual <> 'stopped' OR " p ".desired <> 'stop')"

/**
 * The releases that a swarm has had, as a table: swarm_id, release_id, seq of the last rollout that
 * was done with it, and nth, 1 for the newest.
 */
#define VR_RECENT_RELEASES                                                                         \
    "(SELECT swarm_id, release_id, max(seq) AS seq, row_number() OVER"                             \
    " (PARTITION BY swarm_id ORDER BY max(seq) DESC) AS nth FROM rollouts"                         \
    " WHERE result = 'done' AND release_id IS NOT NULL GROUP BY swarm_id, release_id)"

/** A repository's URL with its credentials masked: what is compared with must not hold them either.
 */
#define VR_SQL_SHOWN_URL(t) "coalesce(" t ".shown_url, " t ".repo_url)"

/**
 * Whether a dispatch of swarm `s` would make another release of the same build than its current
 * rollout `r` did. A sum that is not known makes nothing outdated.
 */
#define VR_SQL_OUTDATED(s, r)                                                                      \
    "(" s ".config_sha256 <> '' AND " r ".config_sha256 <> '' AND " s ".config_sha256 <> " r       \
    ".config_sha256)"

/** The app's URL with an alias of the configuration replaced; `a` is the alias of the table. */
#define VR_SQL_RESOLVED_URL(a)                                                                     \
    "coalesce((SELECT z.url || substr(" a ".repo_url, length(z.alias) + 4) FROM schemes z"         \
    " WHERE substr(" a ".repo_url, 1, length(z.alias) + 3) = z.alias || '://'), " a ".repo_url)"

/** The supervisor's word for `actual`, as the contract shows it. */
struct vr_proc_state {
    const char *actual;
    const char *name; /* RUNNING */
    int number;       /* 20 */
};
const struct vr_proc_state *vr_proc_state_of(const char *actual);

/** Collect an event 'proc' with the proc as it is in this transaction; `event` names the change. */
VR_MUST_USE
int vr_proc_event(struct vr_tx *tx, int64_t id, const char *event, struct vr_wall now,
                  struct vr_err *err);

/** `shown_url` of a repository's URL: credentials masked, NULL without any. Given. */
char *vr_row_shown_url(const char *url);

static inline const char *vr_row_or(const char *text, const char *fallback)
{
    return text ? text : fallback;
}

/** A time of which 0 means that there is none. */
static inline struct vr_db_value vr_row_time(int64_t us)
{
    return us ? vr_db_of_i64(us) : VR_NULL;
}

#endif
