/* SPDX-License-Identifier: MIT */
/* A client of a stream: what came so far can be waited for. */
#ifndef VR_SERVER_STREAM_FIXTURE_H
#define VR_SERVER_STREAM_FIXTURE_H

#include "server/server_fixture.h"

#include <pthread.h>
#include <time.h>

#define PATIENCE_MS 15000

/** A call in a thread of its own whose answer comes piece by piece. */
struct reader {
    struct rig *rig;
    char *url, *bearer;
    const char *user, *header; /* borrowed; NULL: none */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t cond;
    struct vr_buf text; /* under lock, as all below */
    int status;
    bool over, enough;
};

static inline int take_piece(void *ctx, const void *bytes, size_t n, struct vr_err *err)
{
    struct reader *d = ctx;
    bool enough;

    pthread_mutex_lock(&d->lock);
    vr_buf_add_n(&d->text, bytes, n);
    enough = d->enough;
    pthread_cond_broadcast(&d->cond);
    pthread_mutex_unlock(&d->lock);
    return enough ? 1 : 0;
}

static inline void *read_on(void *arg)
{
    struct reader *d = arg;
    const char *const headers[] = {"X-Velociraptor-Protocol: 1", d->header, NULL};
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    struct vr_http_call call = {.url = d->url,
                                .bearer = d->bearer,
                                .headers = headers,
                                .user = d->user,
                                .password = d->user ? RIG_PASSWORD : NULL,
                                .timeout_ms = PATIENCE_MS * 2,
                                .sink = take_piece,
                                .sink_ctx = d};
    struct vr_http_result result = {0};
    int r = vr_http_call(client, &call, &result, NULL);

    pthread_mutex_lock(&d->lock);
    d->status = r < 0 ? r : result.status;
    d->over = true;
    pthread_cond_broadcast(&d->cond);
    pthread_mutex_unlock(&d->lock);
    vr_http_result_fini(&result);
    return NULL;
}

/** Begin a call with one more header (NULL: none). */
static inline bool reader_start_with(struct reader *d, struct rig *r, const char *path,
                                     const char *user, const char *bearer, const char *header)
{
    *d = (struct reader){.rig = r, .user = user, .header = header, .text = VR_BUF(1 << 22)};
    d->url = vr_strf("%s%s", r->base, path);
    d->bearer = bearer ? vr_strdup(bearer) : NULL;
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->cond, NULL);
    return pthread_create(&d->thread, NULL, read_on, d) == 0;
}

/** Begin a call as a user with the password of all, or with a token. */
static inline bool reader_start(struct reader *d, struct rig *r, const char *path, const char *user,
                                const char *bearer)
{
    return reader_start_with(d, r, path, user, bearer, NULL);
}

/** Wait until its text holds `part` (NULL: until it is over); false when patience is. */
static inline bool reader_await(struct reader *d, const char *part)
{
    struct timespec until;
    bool came = false;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_MS / 1000;
    pthread_mutex_lock(&d->lock);
    for (;;) {
        came = part ? d->text.len && strstr(vr_buf_text(&d->text), part) : d->over;
        if (came || (d->over && part) || pthread_cond_timedwait(&d->cond, &d->lock, &until) != 0)
            break;
    }
    if (!came)
        fprintf(stderr, "# waited for '%s', over %d, status %d, have: %.2000s\n",
                part ? part : "the end", d->over, d->status,
                d->text.len ? vr_buf_text(&d->text) : "");
    pthread_mutex_unlock(&d->lock);
    return came;
}

/** Free what it holds; a call that still runs is given up at its next piece. */
static inline void reader_end(struct reader *d)
{
    if (!d->url)
        return;
    pthread_mutex_lock(&d->lock);
    d->enough = true;
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    vr_buf_fini(&d->text);
    free(d->url);
    free(d->bearer);
    d->url = NULL;
}

#endif
