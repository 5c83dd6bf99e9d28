/* SPDX-License-Identifier: MIT */
/*
 * Followed logs of builds.
 *
 * The hub's thread looks at them after a commit, at most ten times a second, one read transaction
 * for all. A reader that is behind gets nothing more until it caught up: what it misses stays in
 * the database. Only that thread takes readers off the list, so it walks it without the lock.
 */
#include "server/build_logs.h"

#include "core/clock.h"
#include "fmt/json.h"
#include "server/reader.h"
#include "store/build.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#define IDLE_MS 1000

struct watcher {
    struct watcher *next;
    struct vr_reader reader;
    int64_t build_id;
    int64_t at; /* next byte to be sent */
    struct vr_login login;
};

struct vr_build_logs {
    struct vr_server *server;
    struct vr_hub *hub;
    void (*wake)(struct vr_hub *hub, int64_t host_id);
    pthread_mutex_t lock;
    struct watcher *list;
    size_t count;
    bool due; /* something may be new, or somebody is behind */
    struct vr_mono looked;
};

struct vr_build_logs *vr_build_logs_new(struct vr_server *server, struct vr_hub *hub,
                                        void (*wake)(struct vr_hub *hub, int64_t host_id))
{
    struct vr_build_logs *logs = vr_alloc(sizeof(*logs));

    logs->server = server;
    logs->hub = hub;
    logs->wake = wake;
    pthread_mutex_init(&logs->lock, NULL);
    return logs;
}

static void watcher_free(struct watcher *w)
{
    if (vr_reader_is_open(&w->reader))
        vr_reader_close(&w->reader);
    vr_reader_fini(&w->reader);
    free(w);
}

struct vr_build_logs *vr_build_logs_free(struct vr_build_logs *logs)
{
    if (!logs)
        return NULL;
    while (logs->list) {
        struct watcher *w = logs->list;

        logs->list = w->next;
        watcher_free(w);
    }
    pthread_mutex_destroy(&logs->lock);
    free(logs);
    return NULL;
}

void vr_build_logs_read(struct vr_build_logs *logs, struct vr_http_req *req, int64_t build_id,
                        int64_t from, const struct vr_login *login)
{
    struct watcher *w = vr_alloc(sizeof(*w));
    bool full;

    w->build_id = build_id;
    w->at = from;
    w->login = *login;
    pthread_mutex_lock(&logs->lock);
    full = logs->count >= VR_BUILD_LOGS_MAX;
    logs->count += !full;
    pthread_mutex_unlock(&logs->lock);
    if (full || !vr_reader_start(&w->reader, req, VR_READER_WS)) {
        if (full)
            vr_reader_refuse(req, 503, "too many logs of builds are being read");
        pthread_mutex_lock(&logs->lock);
        logs->count -= !full;
        pthread_mutex_unlock(&logs->lock);
        free(w);
        return;
    }
    pthread_mutex_lock(&logs->lock);
    w->next = logs->list;
    logs->list = w;
    logs->due = true;
    pthread_mutex_unlock(&logs->lock);
    logs->wake(logs->hub, 0);
}

static bool has_ended(const struct vr_build_row *build)
{
    return !vr_streq(build->status, "pending") && !vr_streq(build->status, "started");
}

/* Send what there is; true if there is more at once, or the reader is behind. */
static bool send_new(struct vr_tx *tx, struct watcher *w)
{
    VR_ROW(build) build = {0};
    vr_auto_free char *text = NULL;
    size_t n = 0;
    bool ended;
    int r;

    if (vr_reader_queued(&w->reader) > VR_BUILD_LOGS_AHEAD)
        return true;
    r = vr_store_build_find_id(tx, w->build_id, &build, NULL);
    if (r == -VR_NOT_FOUND) {
        vr_reader_fail(&w->reader, 410, "this build is not there any more");
        return false;
    }
    if (r == 0 && w->at > build.log_bytes) /* it was started again */
        w->at = 0;
    if (r == 0)
        r = vr_store_build_log_read(tx, w->build_id, w->at, VR_BUILD_LOGS_READ, &text, &n, NULL);
    if (r < 0)
        return true;
    n = vr_reader_send_log(&w->reader, (struct vr_str){text, n}, w->at, true);
    w->at += (int64_t)n;
    ended = has_ended(&build);
    if (ended && (w->at >= build.log_bytes || !n)) {
        vr_reader_send_json(&w->reader, json_pack("{s:b, s:I, s:s}", "end", true, "next",
                                                  (json_int_t)w->at, "status", build.status));
        vr_reader_close(&w->reader);
    }
    return w->at < build.log_bytes && n;
}

static struct watcher *drop_over(struct vr_build_logs *logs)
{
    struct watcher *first;

    pthread_mutex_lock(&logs->lock);
    for (struct watcher **at = &logs->list; *at;) {
        struct watcher *w = *at;

        if (vr_reader_is_open(&w->reader)) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        logs->count--;
        watcher_free(w);
    }
    first = logs->list;
    pthread_mutex_unlock(&logs->lock);
    return first;
}

static bool take_due(struct vr_build_logs *logs, bool changed)
{
    bool due;

    pthread_mutex_lock(&logs->lock);
    due = logs->due || (changed && logs->list);
    logs->due = due && vr_mono_ms_between(logs->looked, vr_mono_now()) < VR_BUILD_LOGS_LOOK_MS;
    pthread_mutex_unlock(&logs->lock);
    return due;
}

int64_t vr_build_logs_look(struct vr_build_logs *logs, bool changed)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct watcher *w = drop_over(logs);
    bool more = false;

    if (!take_due(logs, changed) || !w)
        return IDLE_MS;
    if (vr_mono_ms_between(logs->looked, vr_mono_now()) < VR_BUILD_LOGS_LOOK_MS)
        return VR_BUILD_LOGS_LOOK_MS;
    logs->looked = vr_mono_now();
    if (vr_store_begin(logs->server->store, VR_DB_READ, &tx, NULL) < 0)
        more = true;
    for (; w && tx; w = w->next)
        more = send_new(tx, w) || more;
    pthread_mutex_lock(&logs->lock);
    logs->due = logs->due || more;
    more = logs->due;
    pthread_mutex_unlock(&logs->lock);
    return more ? VR_BUILD_LOGS_LOOK_MS : IDLE_MS;
}

void vr_build_logs_end_login(struct vr_build_logs *logs, const struct vr_login *login)
{
    pthread_mutex_lock(&logs->lock);
    for (struct watcher *e = logs->list; e; e = e->next)
        if (vr_reader_is_open(&e->reader) && memcmp(&e->login, login, sizeof(*login)) == 0)
            vr_reader_fail(&e->reader, 401, "the login of this stream has ended");
    pthread_mutex_unlock(&logs->lock);
}

size_t vr_build_logs_logins(struct vr_build_logs *logs, struct vr_login *v, size_t n, size_t max)
{
    pthread_mutex_lock(&logs->lock);
    for (struct watcher *e = logs->list; e && n < max; e = e->next)
        if (vr_reader_is_open(&e->reader))
            v[n++] = e->login;
    pthread_mutex_unlock(&logs->lock);
    return n;
}
