/* SPDX-License-Identifier: MIT */
/* The list of any resource, for nouns that have something to do first. */
#ifndef VR_SERVER_API_RESOURCE_H
#define VR_SERVER_API_RESOURCE_H

#include "server/route.h"

/** Answer with a page of the resource that the path names; a vr_route_fn. */
int vr_resource_list(struct vr_call *call, struct vr_err *err);

#endif
