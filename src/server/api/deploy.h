/* SPDX-License-Identifier: MIT */
/* Procs that belong to no swarm: started by hand, and carried out at once. */
#ifndef VR_SERVER_API_DEPLOY_H
#define VR_SERVER_API_DEPLOY_H

#include "server/api/write.h"
#include "store/proc.h"

/** Handler of POST releases/<id>/deploy. */
int vr_deploy_release(struct vr_call *call, struct vr_err *err);

/**
 * Carry out a command on a proc without a swarm: there is no pool to take it out of, and no engine
 * that looks at it. The command ends done.
 */
VR_MUST_USE
int vr_deploy_carry_out(struct vr_write *w, const struct vr_proc_row *proc, int64_t command_id,
                        const char *kind, bool force, struct vr_err *err);

#endif
