/* SPDX-License-Identifier: MIT */
/* Hosts: who they are, whether they live, and the state that they are to be in. */
#ifndef VR_STORE_HOST_H
#define VR_STORE_HOST_H

#include "store/store.h"

#include <jansson.h>

struct vr_host_row {
    int64_t id;
    char *name;
    bool active;
    int64_t squad_id; /* 0: none */
    char *address;
    char *roles;        /* JSON: ["app", "build", "balancer"] */
    char *token_sha256; /* NULL until enrolled */
    int64_t session;
    char *state; /* new, live, suspect, lost, gone */
    int64_t state_us;
    int64_t last_seen_us;
    bool synced; /* has sent a full report since it was last lost */
    int64_t report_seq;
    char *boot_id;
    char *agent_version;
    char *facts_json;
    char *usage_json;
    int64_t rev;
    int64_t row_version;
};

VR_DECLARE_ROW(host);

VR_MUST_USE
int vr_store_host_find(struct vr_tx *tx, const char *name, struct vr_host_row *out,
                       struct vr_err *err);
VR_MUST_USE
int vr_store_host_find_id(struct vr_tx *tx, int64_t id, struct vr_host_row *out,
                          struct vr_err *err);
/** The host of an agent's token. */
VR_MUST_USE
int vr_store_host_find_token(struct vr_tx *tx, const char *token_sha256, struct vr_host_row *out,
                             struct vr_err *err);
/**
 * What a host has to do now: {"procs": {state: count}, "ports": [used], "jobs": [{"id", "kind",
 * "build", "phase"}], "balancers": [name]}; given. Four queries.
 */
VR_MUST_USE
int vr_store_host_load_json(struct vr_tx *tx, int64_t id, json_t **out, struct vr_err *err);

/** All, by name; squad_id 0: of every squad. */
VR_MUST_USE
int vr_store_host_list(struct vr_tx *tx, int64_t squad_id, struct vr_host_rows *out,
                       struct vr_err *err);

/** What placement needs to know of a host besides its row. */
struct vr_host_load {
    int64_t host_id;
    int64_t procs;        /* not stopped, of any swarm */
    int64_t of_swarm;     /* of these, of the swarm asked about */
    int64_t of_app;       /* and of its app */
    int64_t ports;        /* used ones of the range */
    int64_t mem_bytes;    /* sum of their memory limits; procs without one count 0 */
    int64_t config_bytes; /* sum of their config and environment */
};

/** Of every host that has procs. @out_v given: release with free(). */
VR_MUST_USE
int vr_store_host_loads(struct vr_tx *tx, int64_t swarm_id, struct vr_host_load **out_v,
                        size_t *out_n, struct vr_err *err);

/** name, active, squad_id, address, roles, token_sha256 of the row; the rest starts empty. */
VR_MUST_USE
int vr_store_host_insert(struct vr_tx *tx, const struct vr_host_row *row, int64_t *out_id,
                         struct vr_err *err);
/** What a user may change: name, active, squad_id, address, roles. */
VR_MUST_USE
int vr_store_host_update(struct vr_tx *tx, const struct vr_host_row *row, struct vr_err *err);
/** Refused while it has procs that are not stopped, or leased jobs. */
VR_MUST_USE
int vr_store_host_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

/** What an agent said of itself when it enrolled or started; NULL leaves the column as it is. */
struct vr_host_hello {
    const char *token_sha256;
    const char *address;
    const char *roles;
    const char *boot_id;
    const char *agent_version;
    const char *facts_json;
};
VR_MUST_USE
int vr_store_host_hello(struct vr_tx *tx, int64_t id, const struct vr_host_hello *hello,
                        struct vr_err *err);

/** Set the state, if it differs; lost and gone also clear `synced`. */
VR_MUST_USE
int vr_store_host_set_state(struct vr_tx *tx, int64_t id, const char *state, struct vr_wall now,
                            struct vr_err *err);
/** Take it back after it was gone: session + 1; reports of the old one are refused from now on. */
VR_MUST_USE
int vr_store_host_new_session(struct vr_tx *tx, int64_t id, struct vr_err *err);

/** last_seen of many hosts in one statement; times only grow. */
VR_MUST_USE
int vr_store_host_seen(struct vr_tx *tx, const int64_t *ids, size_t count, struct vr_wall now,
                       struct vr_err *err);

/**
 * The whole desired state as docs/protocol.md has it. It has secrets: it goes to that host only.
 *
 * @cluster  borrowed
 * @streams  JSON array text to be put in as it is; NULL: []
 * @out      given; release with free()
 */
VR_MUST_USE
int vr_store_host_desired_json(struct vr_tx *tx, int64_t host_id, const char *cluster,
                               const char *streams, char **out, struct vr_err *err);

#endif
