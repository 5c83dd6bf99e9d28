/* SPDX-License-Identifier: MIT */
/* What `GET <resource>/schema/` says: the fields of each resource as a table. */
#ifndef VR_SERVER_API_SCHEMA_H
#define VR_SERVER_API_SCHEMA_H

#include "fmt/json.h"
#include "store/resource.h"

/** The schema document; given. */
json_t *vr_schema_of(enum vr_resource resource);

#endif
