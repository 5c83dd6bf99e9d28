/* SPDX-License-Identifier: MIT */
/* The audit log as comma-separated values. */
#include "model/log_csv.h"

static const struct {
    const char *title;
    const char *field; /* of an entry */
} columns[] = {
    {"time", "time_utc"},   {"user", "username"},        {"type", "type"},
    {"message", "message"}, {"object_kind", "resource"}, {"object_name", "object_name"},
    {"app", "app"},         {"rollout", "rollout"},      {"via", "via"},
    {"remote", "remote"},   {"detail", "detail"},
};

void vr_log_csv_head(struct vr_buf *out)
{
    for (size_t i = 0; i < VR_COUNT(columns); i++)
        vr_csv_cell(out, vr_str(columns[i].title), i == 0);
    vr_csv_end(out);
}

void vr_log_csv_add(struct vr_buf *out, const json_t *entry)
{
    for (size_t i = 0; i < VR_COUNT(columns); i++) {
        const json_t *value = json_object_get(entry, columns[i].field);
        struct vr_str cell = {"", 0};

        if (json_is_string(value))
            cell = (struct vr_str){json_string_value(value), json_string_length(value)};
        vr_csv_cell(out, cell, i == 0);
    }
    vr_csv_end(out);
}
