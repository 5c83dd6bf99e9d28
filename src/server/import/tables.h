/* SPDX-License-Identifier: MIT */
/* Which row of the original becomes which of ours. */
#ifndef VR_SERVER_IMPORT_TABLES_H
#define VR_SERVER_IMPORT_TABLES_H

#include "server/import/import.h"
#include "server/import/value.h"

/** An import under way. */
struct vr_importer {
    const struct vr_import_spec *spec;
    struct vr_import_report *report;
    json_t *rows;  /* {table of the original: [{column: text or null}]}; of tables held in memory */
    json_t *taken; /* {table of the original: {id: what later rows need of it}} */
    int files;     /* descriptor of the folder of files, -1: none */
};

struct vr_import_column {
    const char *from;
    const char *to;
    enum vr_import_kind kind;
    /* Table of the original whose id this is. A row that refers to what was not taken is left
     * out, or, where the column may be null, taken without the reference. */
    const char *refers;
};

struct vr_import_table {
    const char *from, *to; /* `to` NULL: rows are kept for others, not stored */
    const char *title;
    const struct vr_import_column *columns;
    size_t column_count;
    const char *label; /* column that tells people which row it is; NULL: its id */
    bool is_streamed;  /* history: taken as it is read, after all others */
    /**
     * What the columns alone do not say; may be NULL. `in` has the original's columns, `out` ours.
     * Returns -VR_INVALID with the reason to leave the row out, -VR_NOT_FOUND if there is nothing
     * here that it could become.
     */
    int (*finish)(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err);
    /** After the row was inserted; what it needs to keep for later ones is in `keep`. */
    int (*inserted)(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err);
};

/** In the order in which they refer to each other; ended by an entry without `from`. */
extern const struct vr_import_table vr_import_tables[];

/** A sentence for the report: what was not taken, or what is to be looked at. */
void vr_import_left(struct vr_importer *im, const char *fmt, ...) VR_PRINTF(2, 3);
void vr_import_note(struct vr_importer *im, const char *fmt, ...) VR_PRINTF(2, 3);

/** What inserted() kept of a row that was taken; NULL if it was not. Borrowed. */
const json_t *vr_import_taken(const struct vr_importer *im, const char *table, const char *id);

/** Store a file of the original as a blob. -VR_NOT_FOUND if it is not there. */
VR_MUST_USE
int vr_import_file(struct vr_importer *im, const char *path, struct vr_blob_name *out,
                   struct vr_err *err);
/** Read a text file of the original; given, -VR_NOT_FOUND, -VR_LIMIT. */
VR_MUST_USE
int vr_import_text_file(struct vr_importer *im, const char *path, size_t max_bytes, char **out,
                        size_t *out_n, struct vr_err *err);

#endif
