/* SPDX-License-Identifier: MIT */
/* The contract's streams, whose paths lie outside of /api/v1/. */
#ifndef VR_SERVER_API_STREAMS_H
#define VR_SERVER_API_STREAMS_H

#include "server/route.h"

/** Paths below /api/streams/; ended by a row without a method. */
extern const struct vr_route vr_routes_old_stream[];

#endif
