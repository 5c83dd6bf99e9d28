/* SPDX-License-Identifier: MIT */
/* What the files about procs share; private to them. */
#ifndef VR_STORE_PROC_ROW_H
#define VR_STORE_PROC_ROW_H

#include "store/proc.h"
#include "store/row.h"

/** Touch the host and the swarm of a proc. */
VR_MUST_USE
int vr_proc_touch(struct vr_tx *tx, int64_t id, struct vr_err *err);

#endif
