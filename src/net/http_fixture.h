/* SPDX-License-Identifier: MIT */
/* A server with a few routes, for the tests of this folder. */
#ifndef VR_NET_HTTP_FIXTURE_H
#define VR_NET_HTTP_FIXTURE_H

#include "net/http_client.h"
#include "net/http_server.h"

#include <pthread.h>

#define FIXTURE_WAITS   64
#define FIXTURE_STREAMS 256

struct fixture {
    struct vr_http_server *server;
    char base[64]; /* http://127.0.0.1:port */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct vr_http_pending *waits[FIXTURE_WAITS];
    int wait_count;
    struct vr_http_stream *streams[FIXTURE_STREAMS];
    int stream_count;
    int released; /* attached data that was let go */
    uint64_t sunk_bytes;
    char file[128];        /* what /file sends */
    int64_t wait_ms;       /* of /wait */
    uint64_t upload_bytes; /* limit of /upload */
};

/** @tls  PEM texts or NULL */
bool fixture_start(struct fixture *f, int64_t idle_ms, const char *cert, const char *key);
void fixture_stop(struct fixture *f);

/** Wait until so many requests are held; false after 10 s. */
bool fixture_await(struct fixture *f, int waits, int streams);

/** Descriptors of this process. */
int fixture_fds(void);

/** GET base + path. */
int fixture_get(struct fixture *f, struct vr_http_client *client, const char *path,
                struct vr_http_result *out);

#endif
