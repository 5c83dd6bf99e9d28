/* SPDX-License-Identifier: MIT */
/* Rows that come from another installation, with the ids they had there. */
#ifndef VR_STORE_IMPORT_H
#define VR_STORE_IMPORT_H

#include "store/store.h"

#include <jansson.h>

#define VR_IMPORT_COLUMNS_MAX 48 /* of one row */

/**
 * Insert a row as it is.
 * @table  of the schema; a constant of the caller, so are the names in `row`
 * @row    {column: integer, text or null}; borrowed
 *
 * Returns -VR_EXISTS for what is unique or refers to nothing, -VR_BUG for a name that is none.
 */
VR_MUST_USE
int vr_store_import_row(struct vr_tx *tx, const char *table, const json_t *row, struct vr_err *err);

/**
 * Make room for rows with ids of their own: nothing of a first start is needed then.
 *
 * Removes the buildpacks that come with the program, and the first user if nobody has ever logged
 * in. Returns -VR_EXISTS naming what else is there.
 */
VR_MUST_USE
int vr_store_import_begin(struct vr_tx *tx, struct vr_err *err);

#endif
