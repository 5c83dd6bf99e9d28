/* SPDX-License-Identifier: MIT */
/* Lists of objects as every command shows them: a table, names alone, JSON or YAML. */
#ifndef VR_CLI_LIST_VIEW_H
#define VR_CLI_LIST_VIEW_H

#include "cli/noun.h"
#include "cli/out.h"

struct vr_list_view {
    const struct vr_column *columns;
    size_t count;
    const char *name;  /* the field that -o name and -q print; NULL: there is none, as a table */
    const char *empty; /* what is said if there is nothing; a sentence */
};

/** Show the list in the format that was asked for. */
VR_MUST_USE
int vr_list_show(const struct vr_out *out, const json_t *list, const struct vr_list_view *view,
                 struct vr_err *err);

/** Show one object: as JSON or YAML if that was asked for, else `key  value` lines. */
VR_MUST_USE
int vr_object_show(const struct vr_out *out, const json_t *object, struct vr_err *err);

/** Append an object as `key  value` lines, a text of several lines indented below its key. */
void vr_object_write(struct vr_buf *out, const json_t *object);

/** Whether results are wanted as JSON or YAML. */
static inline bool vr_out_is_data(const struct vr_out *out)
{
    return out->format == VR_OUT_JSON || out->format == VR_OUT_YAML;
}

/** Whether nothing but names is wanted. */
static inline bool vr_out_is_names(const struct vr_out *out)
{
    return out->format == VR_OUT_NAME || (out->quiet && !vr_out_is_data(out));
}

#endif
