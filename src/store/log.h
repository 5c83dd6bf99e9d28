/* SPDX-License-Identifier: MIT */
/* The log of what users did. */
#ifndef VR_STORE_LOG_H
#define VR_STORE_LOG_H

#include "store/store.h"

/** All borrowed. */
struct vr_log_entry {
    const char *type; /* build, swarm, deploy, destroy, … */
    int64_t user_id;  /* 0: nobody */
    const char *message;
    const char *remote; /* address of the client; NULL: none */
};

VR_MUST_USE
int vr_store_log_add(struct vr_tx *tx, const struct vr_log_entry *entry, struct vr_wall now,
                     struct vr_err *err);

#endif
