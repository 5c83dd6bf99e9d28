/* SPDX-License-Identifier: MIT */
/* Lists of objects as every command shows them: a table, names alone, JSON or YAML. */
#include "cli/list_view.h"

#include "cli/table.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/yaml.h"

#include <string.h>

static int show_names(const json_t *list, const char *field, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    const json_t *object;
    size_t i;

    json_array_foreach (list, i, object) {
        vr_auto_free char *name = vr_cli_noun_cell(object, field);

        vr_buf_addf(&text, "%s\n", name);
    }
    return vr_out_flush(&text, err);
}

static int show_table(const struct vr_out *out, const json_t *list, const struct vr_list_view *view,
                      struct vr_err *err)
{
    VR_OWNED(vr_table_free) struct vr_table *table = NULL;
    const struct vr_column *shown[VR_TABLE_COLUMNS_MAX] = {NULL};
    const char *titles[VR_TABLE_COLUMNS_MAX] = {NULL};
    const json_t *object;
    size_t n = 0, i;

    for (i = 0; i < view->count && n < VR_TABLE_COLUMNS_MAX; i++) {
        if (view->columns[i].wide && out->format != VR_OUT_WIDE)
            continue;
        shown[n] = &view->columns[i];
        titles[n++] = view->columns[i].title;
    }
    table = vr_table_new(titles, n);
    for (i = 0; i < n; i++) {
        if (shown[i]->state)
            vr_table_mark_state(table, i);
    }
    json_array_foreach (list, i, object) {
        for (size_t c = 0; c < n; c++) {
            vr_auto_free char *cell = vr_cli_noun_cell(object, shown[c]->field);

            vr_table_add(table, cell);
        }
    }
    return vr_table_show(table, out, err);
}

int vr_list_show(const struct vr_out *out, const json_t *list, const struct vr_list_view *view,
                 struct vr_err *err)
{
    if (vr_out_is_data(out))
        return vr_out_value(out, list, err);
    if (view->name && vr_out_is_names(out))
        return show_names(list, view->name, err);
    if (!json_array_size(list)) {
        vr_say(out, "%s", view->empty);
        return 0;
    }
    return show_table(out, list, view, err);
}

/* A list of objects: their names, a line each, or else all of them. Given. */
static char *lines_of(const json_t *list)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    const json_t *item;
    size_t i;

    json_array_foreach (list, i, item) {
        vr_auto_free char *name = vr_cli_noun_cell(item, "name");

        if (!*name)
            return vr_yaml_dump(list);
        vr_buf_addf(&text, "%s\n", name);
    }
    return vr_strdup(vr_buf_text(&text));
}

static void add_field(struct vr_buf *out, const char *key, const json_t *value)
{
    vr_auto_json json_t *wrap = json_object();
    vr_auto_free char *text = NULL;
    size_t n;

    json_object_set(wrap, "v", (json_t *)value);
    if (json_is_object(value) && json_object_size(value))
        text = vr_yaml_dump(value);
    else if (json_is_object(json_array_get(value, 0)))
        text = lines_of(value);
    else
        text = vr_cli_noun_cell(wrap, "v");
    n = strlen(text);
    while (n && text[n - 1] == '\n')
        text[--n] = '\0';
    if (!n)
        return;
    if (!strchr(text, '\n') && !json_is_object(value)) {
        vr_buf_addf(out, "%-20s %s\n", key, text);
        return;
    }
    vr_buf_addf(out, "%s\n", key);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");

        vr_buf_addf(out, "    %.*s\n", (int)len, at);
        at += len + (at[len] == '\n');
    }
}

/* Links, and times a second time: of use with -o json alone. */
static bool is_for_programs(const char *key)
{
    return vr_str_has_suffix(key, "_uri") || vr_str_has_suffix(key, "_utc");
}

void vr_object_write(struct vr_buf *out, const json_t *object)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)object, key, value) {
        if (!is_for_programs(key))
            add_field(out, key, value);
    }
}

int vr_object_show(const struct vr_out *out, const json_t *object, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);

    if (vr_out_is_data(out))
        return vr_out_value(out, object, err);
    vr_object_write(&text, object);
    return vr_out_flush(&text, err);
}
