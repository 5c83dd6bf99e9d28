/* SPDX-License-Identifier: MIT */
/* What the parts of the server share: its configuration, its store, and each other. */
#ifndef VR_SERVER_SERVER_H
#define VR_SERVER_SERVER_H

#include "core/log.h"
#include "server/audit.h"
#include "server/config.h"
#include "store/store.h"

struct vr_auth;
struct vr_blobs;
struct vr_engine;
struct vr_http_server;
struct vr_hub;
struct vr_janitor;

/** Built by main.c, which owns everything in it; parts keep a borrowed pointer. */
struct vr_server {
    struct vr_server_config config;
    struct vr_log log;
    struct vr_store *store;
    struct vr_blobs *blobs;
    struct vr_auth *auth;
    struct vr_hub *hub;
    struct vr_engine *engine;
    struct vr_janitor *janitor;
    struct vr_http_server *http;
    struct vr_audit audit;
    char *cluster;    /* id of this installation */
    char *join_token; /* what a host shows to enrol */
};

/** Commit a transaction and wake the engine and whoever waits for what it changed. */
VR_MUST_USE
int vr_server_commit(struct vr_server *server, struct vr_tx *tx, struct vr_err *err);

/**
 * Bring the row of a balancer of the configuration up to date: driver, options, and those of its
 * hosts that have enrolled.
 */
VR_MUST_USE
int vr_server_sync_balancer(struct vr_server *server, struct vr_tx *tx, const char *name,
                            const json_t *entry, struct vr_err *err);

#endif
