/* SPDX-License-Identifier: MIT */
/* Balancers: a driver and the hosts it runs on. */
#ifndef VR_STORE_BALANCER_H
#define VR_STORE_BALANCER_H

#include "store/store.h"

struct vr_balancer_row {
    int64_t id;
    char *name;
    char *driver; /* haproxy, nginx, none */
    char *options_json;
    int64_t row_version;
};

VR_DECLARE_ROW(balancer);

VR_MUST_USE
int vr_store_balancer_find(struct vr_tx *tx, const char *name, struct vr_balancer_row *out,
                           struct vr_err *err);
VR_MUST_USE
int vr_store_balancer_find_id(struct vr_tx *tx, int64_t id, struct vr_balancer_row *out,
                              struct vr_err *err);
VR_MUST_USE
int vr_store_balancer_insert(struct vr_tx *tx, const struct vr_balancer_row *row, int64_t *out_id,
                             struct vr_err *err);
VR_MUST_USE
int vr_store_balancer_update(struct vr_tx *tx, const struct vr_balancer_row *row,
                             struct vr_err *err);
/** Make exactly these its hosts. */
VR_MUST_USE
int vr_store_balancer_set_hosts(struct vr_tx *tx, int64_t id, const int64_t *host_ids, size_t count,
                                struct vr_err *err);
/** Ids of its hosts. @out_ids given: free(). */
VR_MUST_USE
int vr_store_balancer_hosts(struct vr_tx *tx, int64_t id, int64_t **out_ids, size_t *out_n,
                            struct vr_err *err);
/** Refused while swarms name it or pools are on it. */
VR_MUST_USE
int vr_store_balancer_delete(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
