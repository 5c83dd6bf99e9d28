/* SPDX-License-Identifier: MIT */
/* Numbered, forward-only changes of the schema, applied at start. */
#ifndef VR_DB_MIGRATE_H
#define VR_DB_MIGRATE_H

#include "core/embed.h"
#include "db/db.h"

/**
 * Apply the scripts that this database has not seen yet, all or none, in one transaction that
 * keeps other servers out.
 *
 * @files        borrowed; `0001_initial.sql`, `0002_…`: numbered from 1 without gaps, in order
 * @out_version  number of the newest applied one; may be NULL
 *
 * Returns -VR_DENIED when the database was made by a newer program, in a sentence for its
 * operator, -VR_BUG when a script is wrong.
 */
VR_MUST_USE
int vr_db_migrate(struct vr_db *db, const struct vr_embed *files, size_t count,
                  int64_t *out_version, struct vr_err *err);

#endif
