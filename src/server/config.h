/* SPDX-License-Identifier: MIT */
/* The server's configuration: flag > VR_* > file > default. */
#ifndef VR_SERVER_CONFIG_H
#define VR_SERVER_CONFIG_H

#include "core/err.h"
#include "engine/schedules.h"
#include "fmt/cidr.h"
#include "store/retention.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/** All texts are the struct's own. */
struct vr_server_config {
    char *address; /* of --listen */
    uint16_t port;
    char *data_dir;        /* database, blobs, tokens */
    char *database;        /* URL; default sqlite:<data_dir>/velociraptor.db */
    char *blobs;           /* URL; default <data_dir>/blobs */
    char *port_range;      /* ports that procs get */
    char *join_token_file; /* default <data_dir>/join-token, made at the first start */
    char *trusted_proxies; /* as text, and as read: */
    struct vr_cidr_list trusted;
    char *tls_cert, *tls_key; /* files; NULL: plain HTTP */
    int64_t threads;
    json_t *schemes;   /* {alias: URL} of repositories, as the file has it; NULL: none */
    json_t *balancers; /* {name: {BACKEND, hosts, options}} as the file has it */
    struct vr_schedule schedules[VR_TASK_COUNT];
    struct vr_retention retention;
};

/**
 * Read the command line, VR_SERVER_* variables and the file of --config (YAML mapping; the keys are
 * the flags' names with `_`, and `balancers`, `schemes`, `schedules`, `retention`).
 * @out  given; release with vr_server_config_fini()
 *
 * Returns 0, 1 if help was printed, or -VR_INVALID naming option and value.
 */
VR_MUST_USE
int vr_server_config_read(int argc, char **argv, struct vr_server_config *out, struct vr_err *err);
void vr_server_config_fini(struct vr_server_config *c);

#endif
