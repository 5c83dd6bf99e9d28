/* SPDX-License-Identifier: MIT */
/* Swarms: what their users wish. */
#ifndef VR_STORE_SWARM_H
#define VR_STORE_SWARM_H

#include "store/store.h"

struct vr_swarm_row {
    int64_t id;
    int64_t app_id;
    char *config_name;
    char *proc_name;
    int64_t squad_id;
    int64_t size;
    char *tag;
    char *pool;          /* NULL: none */
    int64_t balancer_id; /* 0: none */
    char *config_yaml;
    char *config_json;
    char *env_yaml;
    char *env_json;
    char *secret_config_json; /* entries of model/secret.h; "{}": none */
    char *secret_env_json;
    char *volumes_json; /* "[]": none */
    char *run_as;
    char *mem_limit;   /* NULL: none */
    char *memsw_limit; /* NULL: none */
    char *policy_json;
    char *merged_config_json; /* ingredients and its own, as shown: secrets masked */
    char *merged_env_json;
    char *current_rollout; /* NULL: none ended done yet */
    bool paused;           /* no healing and no moving */
    int64_t heal_failures; /* the engine's; see vr_store_swarm_set_heal() */
    int64_t heal_after_us;
    int64_t row_version;
    char *app_name; /* joined; ignored on write */
    char *squad_name;
};

VR_DECLARE_ROW(swarm);

VR_MUST_USE
int vr_store_swarm_find_id(struct vr_tx *tx, int64_t id, struct vr_swarm_row *out,
                           struct vr_err *err);
/** What the wish makes unique. */
VR_MUST_USE
int vr_store_swarm_find(struct vr_tx *tx, int64_t app_id, const char *config_name,
                        const char *proc_name, int64_t squad_id, struct vr_swarm_row *out,
                        struct vr_err *err);
VR_MUST_USE
int vr_store_swarm_list_of_ingredient(struct vr_tx *tx, int64_t ingredient_id,
                                      struct vr_swarm_rows *out, struct vr_err *err);
/** Those of them that would get another release of the same build by a dispatch. */
VR_MUST_USE
int vr_store_swarm_list_outdated(struct vr_tx *tx, int64_t ingredient_id, struct vr_swarm_rows *out,
                                 struct vr_err *err);
/** All but current_rollout, heal_* and row_version of the row are written; so by update. */
VR_MUST_USE
int vr_store_swarm_insert(struct vr_tx *tx, const struct vr_swarm_row *row, int64_t *out_id,
                          struct vr_err *err);
VR_MUST_USE
int vr_store_swarm_update(struct vr_tx *tx, const struct vr_swarm_row *row, struct vr_err *err);
VR_MUST_USE
int vr_store_swarm_list_of_squad(struct vr_tx *tx, int64_t squad_id, struct vr_swarm_rows *out,
                                 struct vr_err *err);
/** Those whose app, config name, tag or proc name contains a text, in any case; "" is all. */
VR_MUST_USE
int vr_store_swarm_search(struct vr_tx *tx, const char *text, int64_t limit,
                          struct vr_swarm_rows *out, struct vr_err *err);
/** Replace its ingredients. */
VR_MUST_USE
int vr_store_swarm_set_ingredients(struct vr_tx *tx, int64_t id, const int64_t *ingredient_ids,
                                   size_t count, struct vr_err *err);
/** What a swarm's wish comes to, with its ingredients. */
struct vr_swarm_merged {
    const char *config_json; /* as shown: secrets masked */
    const char *env_json;
    const char *sum; /* vr_hashes_wish() */
};
/** Only these columns: an ingredient changed, the wish did not. */
VR_MUST_USE
int vr_store_swarm_set_merged(struct vr_tx *tx, int64_t id, const struct vr_swarm_merged *merged,
                              struct vr_err *err);
/** Those without a sum: older than that column. @out_ids given: free(). */
VR_MUST_USE
int vr_store_swarm_ids_unsummed(struct vr_tx *tx, int64_t **out_ids, size_t *out_n,
                                struct vr_err *err);
VR_MUST_USE
int vr_store_swarm_set_current(struct vr_tx *tx, int64_t id, const char *rollout_id,
                               struct vr_err *err);
/** heal and move rollouts that failed since one was done, and no healing before. */
VR_MUST_USE
int vr_store_swarm_set_heal(struct vr_tx *tx, int64_t id, int64_t failures,
                            struct vr_wall heal_after, struct vr_err *err);
/**
 * With its history (rollouts, stopped procs, pools). Refused while procs of it are not stopped, a
 * rollout is open, or a pool still has members.
 */
VR_MUST_USE
int vr_store_swarm_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

/**
 * Swarms that the engine must look at when it starts: those with an open rollout, with procs that
 * are not plainly running or held, or with a current rollout. @out_ids given: free().
 */
VR_MUST_USE
int vr_store_swarm_ids(struct vr_tx *tx, int64_t **out_ids, size_t *out_n, struct vr_err *err);

#endif
