/* SPDX-License-Identifier: MIT */
/* The user of a request, as they are shown to themselves. */
#ifndef VR_SERVER_API_ACCOUNT_H
#define VR_SERVER_API_ACCOUNT_H

#include "server/route.h"

/** Who they are and what they may, by this request; given. */
VR_MUST_USE
int vr_account_show(struct vr_call *call, json_t **out, struct vr_err *err);

#endif
