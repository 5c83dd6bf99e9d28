/* SPDX-License-Identifier: MIT */
/* Commands: actions of a user on one proc, kept as record. */
#ifndef VR_STORE_COMMAND_H
#define VR_STORE_COMMAND_H

#include "store/store.h"

struct vr_command_row {
    int64_t id;
    char *kind; /* start, stop, restart, destroy */
    int64_t proc_id;
    int64_t user_id; /* 0: none */
    char *state;     /* waiting, active (the proc was told), done, failed */
    bool force;      /* does not wait for balancers and drain */
    char *step;
    char *result;
    int64_t created_us;
    int64_t ended_us;
};

VR_DECLARE_ROW(command);

/** kind, proc_id, user_id, force, created_us of the row; state waiting. Touches the proc's swarm.
 */
VR_MUST_USE
int vr_store_command_insert(struct vr_tx *tx, const struct vr_command_row *row, int64_t *out_id,
                            struct vr_err *err);
VR_MUST_USE
int vr_store_command_find_id(struct vr_tx *tx, int64_t id, struct vr_command_row *out,
                             struct vr_err *err);
/** Waiting and active ones on procs of a swarm (0: on procs without one), oldest first. */
VR_MUST_USE
int vr_store_command_list_open(struct vr_tx *tx, int64_t swarm_id, struct vr_command_rows *out,
                               struct vr_err *err);
/** waiting → active, and what it is doing. */
VR_MUST_USE
int vr_store_command_step(struct vr_tx *tx, int64_t id, const char *step, struct vr_err *err);
/** done or failed, with one sentence. */
VR_MUST_USE
int vr_store_command_end(struct vr_tx *tx, int64_t id, const char *state, const char *result,
                         struct vr_wall now, struct vr_err *err);

#endif
