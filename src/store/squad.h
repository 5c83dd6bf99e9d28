/* SPDX-License-Identifier: MIT */
/* Squads: hosts that are alike. */
#ifndef VR_STORE_SQUAD_H
#define VR_STORE_SQUAD_H

#include "store/store.h"

struct vr_squad_row {
    int64_t id;
    char *name;
    int64_t loss_ack_us; /* an operator said that the loss of most hosts is real; 0: never */
    int64_t row_version;
};

VR_DECLARE_ROW(squad);

VR_MUST_USE
int vr_store_squad_find(struct vr_tx *tx, const char *name, struct vr_squad_row *out,
                        struct vr_err *err);
VR_MUST_USE
int vr_store_squad_find_id(struct vr_tx *tx, int64_t id, struct vr_squad_row *out,
                           struct vr_err *err);
VR_MUST_USE
int vr_store_squad_insert(struct vr_tx *tx, const struct vr_squad_row *row, int64_t *out_id,
                          struct vr_err *err);
VR_MUST_USE
int vr_store_squad_update(struct vr_tx *tx, const struct vr_squad_row *row, struct vr_err *err);
VR_MUST_USE
int vr_store_squad_ack_loss(struct vr_tx *tx, int64_t id, struct vr_wall now, struct vr_err *err);
/** Make exactly these hosts its members; others leave it for no squad. */
VR_MUST_USE
int vr_store_squad_set_hosts(struct vr_tx *tx, int64_t id, const int64_t *host_ids, size_t count,
                             struct vr_err *err);
/** Refused while it has hosts, swarms or rollouts. */
VR_MUST_USE
int vr_store_squad_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
