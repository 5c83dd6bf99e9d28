/* SPDX-License-Identifier: MIT */
/*
 * Retention.
 *
 * A build's file goes in two steps that may be cut apart: first its row says expired and names no
 * file, then the blob is deleted, once no row names it, in a transaction that keeps others from
 * naming it meanwhile. A crash between leaves a blob, which the next pass finds by itself. Blobs
 * are uploaded before a row names them, so young ones are left alone.
 */
#include "engine/retention.h"

#include "fmt/json.h"
#include "store/event.h"
#include "store/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TOLD_BYTES  4000
#define BATCH_FLOOR 8 /* of the rows that a transaction takes at most, at least so a part */

/* ------------------------------------------------------------------ limits */

enum kind { COUNT, DAYS, BYTES };

static const struct limit {
    const char *name;
    size_t at;
    enum kind kind;
    int64_t fallback, min, max;
} limits_table[] = {
#define AT(field) offsetof(struct vr_retention, field)
    {"keep_releases", AT(keep_releases), COUNT, VR_KEEP_RELEASES, 1, 1000},
    {"build_expiration_days", AT(build_days), DAYS, 30, 0, 36500},
    {"build_expiration_count", AT(build_count), COUNT, 10, 0, 100000},
    {"blob_budget", AT(blob_budget_bytes), BYTES, 0, 0, INT64_MAX},
    {"blob_grace_secs", AT(blob_grace_secs), COUNT, 86400, 0, 86400 * 365},
    /* What streams may still ask for (server/hub.h) is always there. */
    {"events_count", AT(events_count), COUNT, 10000, 5000, INT32_MAX},
    {"events_days", AT(events_days), DAYS, 30, 0, 36500},
    {"rollouts_count", AT(rollouts_count), COUNT, 200, 10, 1000000},
    {"rollouts_days", AT(rollouts_days), DAYS, 90, 0, 36500},
    {"versions_count", AT(versions_count), COUNT, 100, 1, 1000000},
    {"versions_days", AT(versions_days), DAYS, 365, 0, 36500},
    {"procs_days", AT(procs_days), DAYS, 30, 0, 36500},
    {"jobs_days", AT(jobs_days), DAYS, 30, 0, 36500},
    {"build_logs_days", AT(build_logs_days), DAYS, 90, 0, 36500},
    {"commands_days", AT(commands_days), DAYS, 90, 0, 36500},
    {"log_days", AT(log_days), DAYS, 730, 0, 36500},
    {"testruns_days", AT(testruns_days), DAYS, 30, 0, 36500},
    {"tokens_days", AT(tokens_days), DAYS, 30, 0, 36500},
#undef AT
};

static int64_t *field(struct vr_retention *limits, const struct limit *l)
{
    return (int64_t *)((char *)limits + l->at);
}

void vr_retention_default(struct vr_retention *out)
{
    for (size_t i = 0; i < VR_COUNT(limits_table); i++)
        *field(out, &limits_table[i]) = limits_table[i].fallback;
}

static int read_limit(const struct limit *l, const json_t *value, int64_t *out, struct vr_err *err)
{
    json_int_t number = json_integer_value(value);

    if (json_is_null(value) && l->kind == DAYS) {
        *out = VR_RETENTION_NEVER;
        return 0;
    }
    if (json_is_null(value) && l->kind == BYTES) {
        *out = 0;
        return 0;
    }
    if (l->kind == BYTES && json_is_string(value))
        return vr_parse_bytes(vr_str(json_string_value(value)), out, err);
    if (!json_is_integer(value))
        return vr_fail(err, VR_INVALID, "it is not a number");
    if (number < l->min || number > l->max)
        return vr_fail(err, VR_INVALID,
                       "%" JSON_INTEGER_FORMAT " is not between %" PRId64 " and %" PRId64, number,
                       l->min, l->max);
    *out = number;
    return 0;
}

int vr_retention_read(const json_t *config, struct vr_retention *out, struct vr_err *err)
{
    struct vr_retention read = *out;
    const char *name;
    json_t *value;

    if (config && !json_is_object(config) && !json_is_null(config))
        return vr_fail(err, VR_INVALID, "retention is not a mapping");
    json_object_foreach ((json_t *)config, name, value) {
        const struct limit *l = NULL;
        int r;

        for (size_t i = 0; i < VR_COUNT(limits_table) && !l; i++)
            if (vr_streq(limits_table[i].name, name))
                l = &limits_table[i];
        if (!l)
            return vr_fail(err, VR_INVALID, "retention: there is no limit '%.40s'", name);
        r = read_limit(l, value, field(&read, l), err);
        if (r < 0)
            return vr_fail_in(err, -VR_INVALID, "retention: %s", name);
    }
    *out = read;
    return 0;
}

json_t *vr_retention_limits(const struct vr_retention *limits)
{
    json_t *out = json_object();

    for (size_t i = 0; i < VR_COUNT(limits_table); i++) {
        const struct limit *l = &limits_table[i];
        int64_t value = *field((struct vr_retention *)limits, l);
        bool none =
            (l->kind == DAYS && value == VR_RETENTION_NEVER) || (l->kind == BYTES && value == 0);

        vr_json_set(out, l->name, none ? json_null() : json_integer(value));
    }
    return out;
}

/* ------------------------------------------------------------------ blobs */

struct blob {
    char sha256[VR_SHA256_HEX];
    int64_t bytes;
};

struct blob_list {
    struct vr_blobs *blobs;
    struct vr_wall oldest_kept;
    struct blob *v; /* old enough to be looked at */
    size_t n, capacity;
    int64_t total_bytes; /* of all */
};

static int list_blob(void *user, const char *sha256, int64_t bytes, struct vr_err *err)
{
    struct blob_list *list = user;
    struct vr_wall stored;

    list->total_bytes += bytes;
    if (vr_blob_time(list->blobs, sha256, &stored, NULL) < 0 || stored.us > list->oldest_kept.us)
        return 0;
    if (list->n == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 64;
        list->v = vr_realloc_array(list->v, list->capacity, sizeof(*list->v));
    }
    snprintf(list->v[list->n].sha256, VR_SHA256_HEX, "%s", sha256);
    list->v[list->n++].bytes = bytes;
    return 0;
}

static int list_blobs(struct vr_blobs *blobs, const struct vr_retention *limits, struct vr_wall now,
                      struct blob_list *out, struct vr_err *err)
{
    *out = (struct blob_list){.blobs = blobs,
                              .oldest_kept = {now.us - limits->blob_grace_secs * VR_US_PER_S}};
    return vr_blob_each(blobs, list_blob, out, err);
}

/* Drop from the list what a row refers to. */
static int keep_unused(struct vr_tx *tx, struct blob_list *list, struct vr_err *err)
{
    size_t kept = 0;
    int r = 0;

    for (size_t i = 0; i < list->n && r == 0; i++) {
        bool used = true;

        r = vr_store_blob_is_used(tx, list->v[i].sha256, &used, err);
        if (r == 0 && !used)
            list->v[kept++] = list->v[i];
    }
    list->n = r < 0 ? 0 : kept;
    return r;
}

/* The transaction writes nothing: it keeps others from naming the blob between look and deletion.
 * One that was stored again since it was listed is about to be named. */
static int delete_blob(const struct vr_retention_work *w, const struct blob *blob,
                       struct vr_wall oldest_kept, int64_t *freed, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_wall stored;
    bool used = true;
    int r = vr_store_begin(w->store, VR_DB_WRITE, &tx, err);

    if (r == 0)
        r = vr_store_blob_is_used(tx, blob->sha256, &used, err);
    if (r < 0 || used || vr_blob_time(w->blobs, blob->sha256, &stored, NULL) < 0 ||
        stored.us > oldest_kept.us)
        return r;
    r = vr_blob_delete(w->blobs, blob->sha256, err);
    if (r == 0)
        *freed += blob->bytes;
    return r == -VR_NOT_FOUND ? 0 : r < 0 ? r : 1;
}

static int sweep_blobs(const struct vr_retention_work *w, struct blob_list *list, int64_t *count,
                       int64_t *freed, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(w->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = keep_unused(tx, list, err);
    tx = vr_tx_free(tx);
    for (size_t i = 0; i < list->n && r >= 0 && w->pause(w->user); i++) {
        r = delete_blob(w, &list->v[i], list->oldest_kept, freed, err);
        *count += r > 0;
    }
    return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------ builds */

static int read_files(const struct vr_retention_work *w, struct vr_wall now,
                      struct vr_build_file_rows *out, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(w->store, VR_DB_READ, &tx, err);

    return r < 0 ? r : vr_store_build_file_list(tx, w->limits, now, out, err);
}

/*
 * Mark what goes: what is past keeping, then, if blobs take more than the budget, what is only
 * recent, oldest first, down to the low mark.
 */
static void choose(struct vr_build_file_rows *files, const struct vr_retention *limits,
                   int64_t used_bytes)
{
    int64_t budget = limits->blob_budget_bytes;
    int64_t low =
        budget / 100 * VR_RETENTION_LOW_PERCENT + budget % 100 * VR_RETENTION_LOW_PERCENT / 100;
    bool over;

    for (size_t i = 0; i < files->n; i++)
        if (files->v[i].keep == VR_KEEP_NOT)
            used_bytes -= files->v[i].bytes;
    over = budget > 0 && used_bytes > budget;
    for (size_t i = 0; i < files->n && over && used_bytes > low; i++) {
        if (files->v[i].keep != VR_KEEP_RECENT)
            continue;
        files->v[i].keep = VR_KEEP_NOT;
        used_bytes -= files->v[i].bytes;
    }
}

/* 1: expired; its blob is put on the list, though young, if it was not stored again since. */
static int expire(const struct vr_retention_work *w, const struct vr_build_file_row *file,
                  struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    bool expired = false;
    int r = vr_store_begin(w->store, VR_DB_WRITE, &tx, err);

    if (r == 0)
        r = vr_store_build_drop_file(tx, file->id, &expired, err);
    if (r == 0 && expired)
        r = w->commit(w->user, tx, err);
    return r < 0 ? r : expired;
}

static void tell(const struct vr_retention_work *w, const char *title, const char *text,
                 struct vr_wall now)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_err err;
    int r = vr_store_begin(w->store, VR_DB_WRITE, &tx, &err);

    vr_info(w->log, "%s: %s", title, text);
    if (r < 0) {
        vr_warn(w->log, "tell of %s: %s", title, err.msg);
        return;
    }
    vr_store_event_add(tx, &(struct vr_event){.kind = "event",
                                              .title = title,
                                              .message = text,
                                              .tags = "[\"retention\"]",
                                              .time = now});
    if (w->commit(w->user, tx, &err) < 0)
        vr_warn(w->log, "tell of %s: %s", title, err.msg);
}

/* Its blob need not wait for the grace of uploads that nothing refers to yet, unless it was stored
 * again after the build had ended. */
static int delete_file(const struct vr_retention_work *w, const struct vr_build_file_row *file,
                       int64_t *count, int64_t *freed, struct vr_err *err)
{
    struct blob blob = {.bytes = file->bytes};
    int r;

    snprintf(blob.sha256, sizeof(blob.sha256), "%s", file->sha256);
    if (!vr_blob_is_key(blob.sha256))
        return 0;
    r = delete_blob(w, &blob, (struct vr_wall){file->time_us}, freed, err);
    *count += r > 0;
    return r < 0 ? r : 0;
}

int vr_retention_builds(const struct vr_retention_work *w, struct vr_wall now, char **out_told,
                        struct vr_err *err)
{
    VR_ROWS(build_file) files = {0};
    struct blob_list blobs = {0};
    int64_t expired = 0, deleted = 0, freed = 0;
    int r = list_blobs(w->blobs, w->limits, now, &blobs, err);

    if (r == 0)
        r = read_files(w, now, &files, err);
    choose(&files, w->limits, blobs.total_bytes);
    for (size_t i = 0; i < files.n && r >= 0 && w->pause(w->user); i++) {
        if (files.v[i].keep != VR_KEEP_NOT)
            continue;
        r = expire(w, &files.v[i], err);
        expired += r > 0;
        if (r > 0)
            r = delete_file(w, &files.v[i], &deleted, &freed, err);
    }
    if (r >= 0)
        r = sweep_blobs(w, &blobs, &deleted, &freed, err);
    free(blobs.v);
    *out_told =
        vr_strf("%" PRId64 " builds expired, %" PRId64 " blobs deleted, %" PRId64 " bytes freed",
                expired, deleted, freed);
    if (expired || deleted)
        tell(w, "builds cleaned up", *out_told, now);
    if (r < 0)
        free(vr_take(*out_told));
    return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------ rows */

static int list_rows(const struct vr_retention_work *w, enum vr_sweep sweep, struct vr_wall now,
                     int64_t **out_ids, size_t *out_n, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(w->store, VR_DB_READ, &tx, err);

    return r < 0 ? r
                 : vr_store_sweep_list(tx, sweep, w->limits, now, VR_SWEEP_LIST_MAX, out_ids, out_n,
                                       err);
}

struct progress {
    size_t batch; /* rows that the next transaction takes */
    int64_t count;
};

/*
 * How many rows the next transaction takes, by how long this one held the writer. There is a floor:
 * below it the time is that of the disk to write anything at all, and less would only take longer.
 */
static size_t next_batch(size_t batch, size_t most, struct vr_mono since)
{
    int64_t held_ms = (vr_mono_now().ns - since.ns) / VR_NS_PER_MS;
    size_t least = most / BATCH_FLOOR + 1;

    if (held_ms > VR_RETENTION_HOLD_MS / 2)
        return batch / 2 > least ? batch / 2 : least;
    if (held_ms < VR_RETENTION_HOLD_MS / 8)
        return batch * 2 < most ? batch * 2 : most;
    return batch;
}

static int delete_batch(const struct vr_retention_work *w, enum vr_sweep sweep, struct vr_wall now,
                        const int64_t *ids, size_t n, struct progress *progress, struct vr_err *err)
{
    bool more = true;
    int r = 0;

    while (more && r == 0 && w->pause(w->user)) {
        VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
        struct vr_mono since;
        int64_t deleted = 0;

        r = vr_store_begin(w->store, VR_DB_WRITE, &tx, err);
        since = vr_mono_now();
        if (r == 0)
            r = vr_store_sweep_delete(tx, sweep, w->limits, now, ids, n, &deleted, &more, err);
        if (r == 0)
            r = vr_store_commit(tx, NULL, err); /* nobody waits for rows to go */
        if (r < 0)
            return r;
        progress->count += deleted;
        progress->batch = next_batch(progress->batch, vr_sweep_batch(sweep), since);
    }
    return r;
}

static int sweep_rows(const struct vr_retention_work *w, enum vr_sweep sweep, struct vr_wall now,
                      int64_t *count, struct vr_err *err)
{
    struct progress progress = {.batch = vr_sweep_batch(sweep)};
    int64_t before;
    size_t n = 0;
    int r;

    do {
        vr_auto_free int64_t *ids = NULL;

        before = progress.count;
        r = list_rows(w, sweep, now, &ids, &n, err);
        for (size_t i = 0, step; i < n && r == 0 && w->pause(w->user); i += step) {
            step = n - i < progress.batch ? n - i : progress.batch;
            r = delete_batch(w, sweep, now, ids + i, step, &progress, err);
        }
    } while (r == 0 && n == VR_SWEEP_LIST_MAX && progress.count > before &&
             progress.count < VR_RETENTION_ROWS_MAX && w->pause(w->user));
    *count = progress.count;
    return r;
}

static int find_unused(const struct vr_retention_work *w, struct vr_secret_unused *out,
                       struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(w->store, VR_DB_READ, &tx, err);

    return r < 0 ? r : vr_store_secret_find_unused(tx, out, err);
}

/* Secret values that nothing refers to any more. */
static int sweep_secrets(const struct vr_retention_work *w, int64_t *count, struct vr_err *err)
{
    struct vr_secret_unused unused = {0};
    int r = find_unused(w, &unused, err);

    while (r == 0 && unused.n && w->pause(w->user)) {
        VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
        int64_t deleted = 0;

        r = vr_store_begin(w->store, VR_DB_WRITE, &tx, err);
        if (r == 0)
            r = vr_store_secret_delete_unused(tx, &unused, &deleted, err);
        if (r == 0)
            r = vr_store_commit(tx, NULL, err);
        if (r == 0)
            *count += deleted;
    }
    free(unused.ids);
    return r < 0 ? vr_fail_in(err, r, "secret values") : 0;
}

static void add_count(struct vr_buf *told, int64_t count, const char *what)
{
    if (count)
        vr_buf_addf(told, "%s%" PRId64 " %s", told->len ? ", " : "deleted ", count, what);
}

/* What one sweep could not do is no reason to leave out the others; the first is the pass's error.
 */
static void note_failure(const struct vr_retention_work *w, int r, const struct vr_err *why,
                         int *first, struct vr_err *err)
{
    if (r == 0)
        return;
    vr_error(w->log, "clean up old rows: %s", why->msg);
    if (*first == 0)
        *first = vr_fail(err, -r, "%s", why->msg);
}

int vr_retention_rows(const struct vr_retention_work *w, struct vr_wall now, char **out_told,
                      struct vr_err *err)
{
    vr_auto_buf struct vr_buf told = VR_BUF(TOLD_BYTES);
    struct vr_err why = VR_ERR_NULL;
    int64_t secrets = 0;
    int first = 0, r;

    for (int s = 0; s < VR_SWEEP_COUNT; s++) {
        const char *name = vr_sweep_name((enum vr_sweep)s);
        int64_t count = 0;

        r = sweep_rows(w, (enum vr_sweep)s, now, &count, &why);
        if (r < 0)
            r = vr_fail_in(&why, r, "%s", name);
        note_failure(w, r, &why, &first, err);
        add_count(&told, count, name);
    }
    r = sweep_secrets(w, &secrets, &why);
    note_failure(w, r, &why, &first, err);
    add_count(&told, secrets, "secret values");
    if (told.len)
        tell(w, "old rows cleaned up", vr_buf_text(&told), now);
    if (first == 0)
        *out_told = vr_strdup(told.len ? vr_buf_text(&told) : "nothing to delete");
    return first;
}

/* ------------------------------------------------------------------ the plan */

static json_t *plan_builds(struct vr_build_file_rows *files, const struct vr_retention *limits,
                           int64_t used_bytes)
{
    json_t *go = json_array(), *stay = json_array();
    int64_t go_bytes = 0, go_count = 0, stay_bytes = 0;

    choose(files, limits, used_bytes);
    for (size_t i = 0; i < files->n; i++) {
        const struct vr_build_file_row *f = &files->v[i];
        bool goes = f->keep == VR_KEEP_NOT;
        const char *why = !goes     ? f->why
                          : *f->why ? "blobs take more than blob_budget"
                                    : "it is old";

        go_count += goes;
        go_bytes += goes ? f->bytes : 0;
        stay_bytes += goes ? 0 : f->bytes;
        if (i < VR_RETENTION_SHOWN_MAX)
            vr_json_push(goes ? go : stay,
                         json_pack("{s:I, s:s, s:I, s:s}", "id", (json_int_t)f->id, "name", f->name,
                                   "bytes", (json_int_t)f->bytes, "why", why));
    }
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o}", "go_count", (json_int_t)go_count, "go_bytes",
                     (json_int_t)go_bytes, "stay_count", (json_int_t)files->n - go_count,
                     "stay_bytes", (json_int_t)stay_bytes, "go", go, "stay", stay);
}

static int plan_rows(struct vr_tx *tx, const struct vr_retention *limits, struct vr_wall now,
                     json_t *out, struct vr_err *err)
{
    int r = 0;

    for (int s = 0; s < VR_SWEEP_COUNT && r == 0; s++) {
        vr_auto_free int64_t *ids = NULL;
        size_t n = 0;

        r = vr_store_sweep_list(tx, (enum vr_sweep)s, limits, now, VR_SWEEP_LIST_MAX, &ids, &n,
                                err);
        vr_json_set(out, vr_sweep_name((enum vr_sweep)s), json_integer((json_int_t)n));
    }
    return r;
}

int vr_retention_plan(struct vr_tx *tx, struct vr_blobs *blobs, const struct vr_retention *limits,
                      struct vr_wall now, json_t **out, struct vr_err *err)
{
    VR_ROWS(build_file) files = {0};
    struct blob_list list = {0};
    vr_auto_json json_t *rows = json_object();
    int64_t bytes = 0;
    int r = list_blobs(blobs, limits, now, &list, err);

    if (r == 0)
        r = vr_store_build_file_list(tx, limits, now, &files, err);
    if (r == 0)
        r = keep_unused(tx, &list, err);
    if (r == 0)
        r = plan_rows(tx, limits, now, rows, err);
    for (size_t i = 0; i < list.n; i++)
        bytes += list.v[i].bytes;
    if (r == 0)
        *out =
            json_pack("{s:o, s:o, s:{s:I, s:I, s:I}, s:O}", "limits", vr_retention_limits(limits),
                      "builds", plan_builds(&files, limits, list.total_bytes), "blobs",
                      "total_bytes", (json_int_t)list.total_bytes, "unused_count",
                      (json_int_t)list.n, "unused_bytes", (json_int_t)bytes, "rows", rows);
    free(list.v);
    return r;
}
