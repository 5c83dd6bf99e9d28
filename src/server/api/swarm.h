/* SPDX-License-Identifier: MIT */
/* Swarms as the handlers about them share them. */
#ifndef VR_SERVER_API_SWARM_H
#define VR_SERVER_API_SWARM_H

#include "server/api/noun.h"
#include "store/swarm.h"

/** The fields that a user may write, and how. */
extern const struct vr_noun vr_swarm_noun;

/** The swarm of a path's key. */
VR_MUST_USE
int vr_swarm_find(struct vr_tx *tx, const char *key, struct vr_swarm_row *out, struct vr_err *err);

/** `<app>-<version>-<config>-<proc>`; given, release with free(). */
char *vr_swarm_shortname(const struct vr_swarm_row *swarm);

/* Handlers that have a file of their own. */
int vr_swarm_dispatch(struct vr_call *call, struct vr_err *err);
int vr_swarm_rollback(struct vr_call *call, struct vr_err *err);

#endif
