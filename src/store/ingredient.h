/* SPDX-License-Identifier: MIT */
/* Ingredients: config and environment shared by swarms. */
#ifndef VR_STORE_INGREDIENT_H
#define VR_STORE_INGREDIENT_H

#include "store/store.h"

struct vr_ingredient_row {
    int64_t id;
    char *name;
    char *config_yaml; /* canonical; "" if empty */
    char *config_json; /* "{}" if empty */
    char *env_yaml;
    char *env_json;
    char *secret_config_json; /* entries of model/secret.h; "{}": none */
    char *secret_env_json;
    int64_t row_version;
};

VR_DECLARE_ROW(ingredient);

VR_MUST_USE
int vr_store_ingredient_find(struct vr_tx *tx, const char *name, struct vr_ingredient_row *out,
                             struct vr_err *err);
VR_MUST_USE
int vr_store_ingredient_find_id(struct vr_tx *tx, int64_t id, struct vr_ingredient_row *out,
                                struct vr_err *err);
/** Those of a swarm, by name: the order in which they are merged. */
VR_MUST_USE
int vr_store_ingredient_list_of_swarm(struct vr_tx *tx, int64_t swarm_id,
                                      struct vr_ingredient_rows *out, struct vr_err *err);
VR_MUST_USE
int vr_store_ingredient_insert(struct vr_tx *tx, const struct vr_ingredient_row *row,
                               int64_t *out_id, struct vr_err *err);
/**
 * The merged config of its swarms is the caller's to compute again: for each of
 * vr_store_swarm_list_of_ingredient(), vr_store_swarm_set_merged().
 */
VR_MUST_USE
int vr_store_ingredient_update(struct vr_tx *tx, const struct vr_ingredient_row *row,
                               struct vr_err *err);
/** Refused while a swarm has it. */
VR_MUST_USE
int vr_store_ingredient_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
