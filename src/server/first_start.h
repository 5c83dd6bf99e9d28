/* SPDX-License-Identifier: MIT */
/* What a platform needs before anybody has made anything. */
#ifndef VR_SERVER_FIRST_START_H
#define VR_SERVER_FIRST_START_H

#include "server/server.h"

/**
 * A user `admin` (or admin2 …, if that name is taken) with a password in
 * <data_dir>/initial-password, unless there is an active admin: after an import of users without
 * one too.
 */
VR_MUST_USE
int vr_first_admin(struct vr_server *server, struct vr_tx *tx, struct vr_err *err);

/** The buildpacks that come with the program, asked after those with an order up to `after`. */
VR_MUST_USE
int vr_first_buildpacks(struct vr_tx *tx, int64_t after, struct vr_err *err);

#endif
