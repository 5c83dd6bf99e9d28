/* SPDX-License-Identifier: MIT */
/* Rows of a PostgreSQL dump in plain format: what `pg_dump` writes between COPY and `\.`. */
#ifndef VR_FMT_PGDUMP_H
#define VR_FMT_PGDUMP_H

#include "core/str.h"

#define VR_PGDUMP_COLUMNS_MAX 64
#define VR_PGDUMP_LINE_BYTES  (32u << 20) /* of one row */

/** A row. All borrowed for the call; a value is NULL for SQL's null. */
struct vr_pgdump_row {
    const char *table; /* without its schema */
    size_t n;
    const char *const *columns;
    const char *const *values;
};

/** Value of a column; NULL if it is null or not there. */
const char *vr_pgdump_value(const struct vr_pgdump_row *row, const char *column);

/** Gets each row; a negative code ends the reading. */
typedef int (*vr_pgdump_row_fn)(void *user, const struct vr_pgdump_row *row, struct vr_err *err);

struct vr_pgdump;

struct vr_pgdump *vr_pgdump_new(vr_pgdump_row_fn fn, void *user);
struct vr_pgdump *vr_pgdump_free(struct vr_pgdump *dump);

/**
 * The next line, without its line feed. What is no COPY block is skipped.
 *
 * Returns -VR_PARSE naming line and table (a row with too few values, a broken escape), -VR_LIMIT,
 * or what the callback returned.
 */
VR_MUST_USE
int vr_pgdump_line(struct vr_pgdump *dump, struct vr_str line, struct vr_err *err);

/** After the last line: -VR_PARSE if a block has no end, which is a dump that was cut off. */
VR_MUST_USE
int vr_pgdump_end(const struct vr_pgdump *dump, struct vr_err *err);

#endif
