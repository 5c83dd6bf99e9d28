/* SPDX-License-Identifier: MIT */
/* Moving from the original: the rows of its database become ours. */
#ifndef VR_SERVER_IMPORT_IMPORT_H
#define VR_SERVER_IMPORT_IMPORT_H

#include "blob/blob.h"
#include "store/store.h"

#include <jansson.h>

/*
 * A dump is read twice: first what other rows refer to, which is held in memory and inserted in
 * the order of its references; then the history, row by row as it comes. All of it is one
 * transaction. A row that cannot be taken is left out with everything that needs it, and reported.
 */

#define VR_IMPORT_LEFT_MAX 1000 /* sentences about what was not taken; more are only counted */

/** What was read and taken of one table of the original. */
struct vr_import_count {
    const char *title; /* "apps" */
    int64_t read, taken;
};

struct vr_import_report {
    struct vr_import_count *counts;
    size_t count_n;
    json_t *left;  /* sentences */
    json_t *notes; /* sentences: taken, but to be looked at */
    int64_t left_more;
};

void vr_import_report_fini(struct vr_import_report *report);

struct vr_import_spec {
    const char *dump;       /* path of what `pg_dump --format=plain` wrote */
    const char *files;      /* folder of the original's stored files; NULL: none are taken */
    struct vr_tx *tx;       /* a write transaction, after vr_store_import_begin() */
    struct vr_blobs *blobs; /* NULL: a trial, no file is taken */
    struct vr_wall now;
};

/**
 * Import into a transaction, which the caller commits or not.
 * @out  filled also on failure; release with vr_import_report_fini()
 *
 * Returns -VR_NOT_FOUND (no such file), -VR_PARSE (no dump, or cut off; names the line), and what
 * the database returns. Blocks.
 */
VR_MUST_USE
int vr_import_run(const struct vr_import_spec *spec, struct vr_import_report *out,
                  struct vr_err *err);

#endif
