/* SPDX-License-Identifier: MIT */
/* Numbers in the query that say how much, and how long to wait. */
#ifndef VR_SERVER_API_NUMBER_H
#define VR_SERVER_API_NUMBER_H

#include "server/route.h"

/** A number of the query in [min, max], or the fallback; -VR_INVALID naming it. */
VR_MUST_USE
int vr_query_number(const struct vr_call *call, const char *name, int64_t min, int64_t max,
                    int64_t fallback, int64_t *out, struct vr_err *err);

/** A yes or no of the query: 1, true, 0, false. */
VR_MUST_USE
int vr_query_flag(const struct vr_call *call, const char *name, bool fallback, bool *out,
                  struct vr_err *err);

#endif
