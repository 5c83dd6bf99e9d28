/* SPDX-License-Identifier: MIT */
/* Events: collected in the transaction, numbered and written by its commit. */
#include "store/event.h"

#include "core/buf.h"
#include "store/row.h"

#define COLUMNS                                                                                    \
    "id, time_us, kind, title, message, tags_json, rollout_id, swarm_id, proc_id, host_id, "       \
    "data_json, app_id"

FIELDS(event, "event", I(event, id), I(event, time_us), T(event, kind), T(event, title),
       T(event, message), T(event, tags_json), T(event, rollout_id), I(event, swarm_id),
       I(event, proc_id), I(event, host_id), T(event, data_json), I(event, app_id))

/* Cut between characters: a byte 10xxxxxx goes on with the one before. */
static size_t cut_before(const char *text, size_t at)
{
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static char *shorten(const char *message)
{
    size_t n = strlen(message);
    size_t head, tail;

    if (n < VR_EVENT_MESSAGE_MAX)
        return vr_strdup(message);
    head = cut_before(message, VR_EVENT_MESSAGE_KEEP);
    tail = cut_before(message, n - VR_EVENT_MESSAGE_KEEP);
    return vr_strf("%.*s\n\n...<snip>...\n\n%s", (int)head, message, message + tail);
}

void vr_store_event_add(struct vr_tx *tx, const struct vr_event *event)
{
    bool last = tx->event_count == VR_EVENTS_PER_TX - 1;

    if (tx->event_count >= VR_EVENTS_PER_TX)
        return;
    if (tx->event_count == tx->event_cap) {
        tx->event_cap = tx->event_cap ? tx->event_cap * 2 : 8;
        tx->events = vr_realloc_array(tx->events, tx->event_cap, sizeof(*tx->events));
    }
    tx->events[tx->event_count++] = (struct vr_event_row){
        .time_us = event->time.us,
        .kind = vr_strdup(event->kind),
        .title = vr_strdup(vr_row_or(event->title, "")),
        .message = last ? vr_strdup("too many events at once: the rest was dropped")
                        : shorten(vr_row_or(event->message, "")),
        .tags_json = vr_strdup(vr_row_or(event->tags, "[]")),
        .rollout_id = vr_strdup(event->rollout_id),
        .swarm_id = event->swarm_id,
        .proc_id = event->proc_id,
        .host_id = event->host_id,
        .data_json = vr_strdup(vr_row_or(event->data, "{}")),
        .app_id = event->app_id,
    };
}

static int write_event(struct vr_tx *tx, const struct vr_event_row *e, int64_t id,
                       struct vr_err *err)
{
    return vr_db_exec(tx->db, NULL, err,
                      "INSERT INTO events (" COLUMNS ")"
                      " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, coalesce($12,"
                      " (SELECT s.app_id FROM swarms s WHERE s.id = $8),"
                      " (SELECT b.app_id FROM procs p JOIN releases r ON r.id = p.release_id"
                      " JOIN builds b ON b.id = r.build_id WHERE p.id = $9)))",
                      VR_I(id), VR_I(e->time_us), VR_T(e->kind), VR_T(e->title), VR_T(e->message),
                      VR_T(e->tags_json), VR_T(e->rollout_id), VR_ID(e->swarm_id),
                      VR_ID(e->proc_id), VR_ID(e->host_id), VR_T(e->data_json), VR_ID(e->app_id));
}

int vr_event_flush(struct vr_tx *tx, int64_t *out_first, int64_t *out_last, struct vr_err *err)
{
    int64_t last;
    int64_t count = (int64_t)tx->event_count;
    int r;

    if (!count)
        return 0;
    r = vr_db_insert(tx->db, &last, err,
                     "UPDATE counters SET value = value + $1 WHERE name = 'event' RETURNING value",
                     VR_I(count));
    for (int64_t i = 0; r == 0 && i < count; i++)
        r = write_event(tx, &tx->events[i], last - count + 1 + i, err);
    if (r < 0)
        return vr_fail_in(err, r, "write events");
    *out_first = last - count + 1;
    *out_last = last;
    return 0;
}

void vr_event_drop(struct vr_tx *tx)
{
    while (tx->event_count)
        vr_event_row_fini(&tx->events[--tx->event_count]);
    free(tx->events);
    tx->events = NULL;
}

int vr_store_event_last(struct vr_tx *tx, int64_t *out_id, struct vr_err *err)
{
    return vr_db_get_i64(tx->db, out_id, err, "SELECT value FROM counters WHERE name = 'event'");
}

int vr_store_event_list(struct vr_tx *tx, int64_t after, const char *kind, int64_t limit,
                        struct vr_event_rows *out, struct vr_err *err)
{
    if (kind)
        return vr_row_list(tx, &event_type, out, err,
                           "SELECT " COLUMNS " FROM events WHERE kind = $1 AND id > $2"
                           " ORDER BY id LIMIT $3",
                           VR_T(kind), VR_I(after), VR_I(limit));
    return vr_row_list(tx, &event_type, out, err,
                       "SELECT " COLUMNS " FROM events WHERE id > $1 ORDER BY id LIMIT $2",
                       VR_I(after), VR_I(limit));
}

int vr_store_event_tail(struct vr_tx *tx, const char *kind, int64_t limit,
                        struct vr_event_rows *out, struct vr_err *err)
{
    if (kind)
        return vr_row_list(tx, &event_type, out, err,
                           "SELECT " COLUMNS " FROM (SELECT " COLUMNS " FROM events"
                           " WHERE kind = $1 ORDER BY id DESC LIMIT $2) AS newest ORDER BY id",
                           VR_T(kind), VR_I(limit));
    return vr_row_list(tx, &event_type, out, err,
                       "SELECT " COLUMNS " FROM (SELECT " COLUMNS " FROM events"
                       " ORDER BY id DESC LIMIT $1) AS newest ORDER BY id",
                       VR_I(limit));
}
