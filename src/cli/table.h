/* SPDX-License-Identifier: MIT */
/* Rows of text in aligned columns, for people. */
#ifndef VR_CLI_TABLE_H
#define VR_CLI_TABLE_H

#include "cli/out.h"

#include <stdbool.h>

struct vr_table;

#define VR_TABLE_COLUMNS_MAX 16u

/** @titles  borrowed for the table's life; one for each column */
struct vr_table *vr_table_new(const char *const *titles, size_t columns);
struct vr_table *vr_table_free(struct vr_table *table);
VR_DEFINE_OWNED(struct vr_table, vr_table_free)

/** The words of a column are states and wear their colour. */
void vr_table_mark_state(struct vr_table *table, size_t column);

/**
 * Columns from `first` on are dropped, the last one first, until what is left fits on the terminal:
 * before anything is cut.
 */
void vr_table_mark_spare(struct vr_table *table, size_t first);

/**
 * Add one cell; rows fill from left to right. NULL and "" are shown as "-". Copied; line ends and
 * control characters become spaces.
 */
void vr_table_add(struct vr_table *table, const char *text);
void vr_table_addf(struct vr_table *table, const char *fmt, ...) VR_PRINTF(2, 3);

size_t vr_table_rows(const struct vr_table *table);

/** Say that every text cell may be cut to fit so many columns of a terminal; 0: never. */
void vr_table_fit(struct vr_table *table, size_t columns, bool utf8);

/** Append titles and rows. The last column is not padded. */
void vr_table_write(const struct vr_table *table, bool colour, struct vr_buf *out);

/** Set colour and width by the terminal, and write to standard output. */
VR_MUST_USE
int vr_table_show(struct vr_table *table, const struct vr_out *out, struct vr_err *err);

#endif
