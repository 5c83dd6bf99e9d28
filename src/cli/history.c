/* SPDX-License-Identifier: MIT */
/* Versions of objects. */
#include "cli/history.h"

#include "cli/api.h"
#include "cli/list_view.h"
#include "core/str.h"
#include "fmt/json.h"

#include <inttypes.h>

#define NAMES_BYTES 1024u /* of the changed fields of one version */

int vr_history_path(struct vr_api *api, const struct vr_cli_noun *noun, const char *name,
                    char **out, struct vr_err *err)
{
    vr_auto_free char *uri = NULL;
    int r = vr_cli_noun_uri(api, noun, name, &uri, err);

    if (r >= 0)
        *out = vr_strf("%sversions/", uri);
    return r;
}

/* "size, version": what a version changed; given. */
static char *changed_fields(const json_t *version)
{
    vr_auto_buf struct vr_buf text = VR_BUF(NAMES_BYTES);
    const json_t *change;
    size_t i;

    json_array_foreach (json_object_get(version, "changes"), i, change) {
        const char *field = json_string_value(json_object_get(change, "field"));

        vr_buf_addf(&text, "%s%s", i ? ", " : "", field ? field : "");
    }
    return vr_strdup(vr_buf_text(&text));
}

int vr_history_show(struct vr_cli *cli, const struct vr_cli_noun *noun, const char *name,
                    int64_t lines, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"VERSION", "id"},      {"TIME", "time"},       {"BY", "user"},
        {"ACTION", "action"},   {"CHANGED", "changed"}, {"ROW", "row_version", true},
        {"COMMENT", "comment"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "id",
                                             "Nothing of it was kept yet."};
    vr_auto_free char *path = NULL, *asked = NULL;
    vr_auto_json json_t *page = NULL;
    json_t *list, *version;
    struct vr_api *api;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_history_path(api, noun, name, &path, err);
    if (r < 0)
        return r;
    asked = lines ? vr_strf("%s?limit=%" PRId64, path, lines) : vr_strdup(path);
    r = vr_api_get(api, asked, &page, err);
    if (r >= 0)
        r = vr_json_get_array(page, "objects", &list, err);
    if (r < 0)
        return r;
    if (!vr_out_is_data(&cli->out)) {
        json_array_foreach (list, i, version) {
            /* A first version changed everything, which says nothing. */
            bool first = vr_streq(json_string_value(json_object_get(version, "action")), "create");
            vr_auto_free char *fields = first ? vr_strdup("") : changed_fields(version);

            vr_json_set(version, "changed", json_string(fields));
        }
    }
    return vr_list_show(&cli->out, list, &view, err);
}

void vr_history_write_changes(struct vr_buf *out, const json_t *changes, const struct vr_out *style)
{
    const json_t *change;
    size_t i;

    json_array_foreach (changes, i, change) {
        const char *field = json_string_value(json_object_get(change, "field"));

        vr_style_add(out, style->colour, VR_STYLE_BOLD, field ? field : "");
        vr_buf_addc(out, '\n');
        vr_out_add_diff(out, style->colour, "  ", json_object_get(change, "diff"));
    }
}

int vr_history_conflict(struct vr_api *api, const struct vr_cli_noun *noun, const char *uri,
                        const char *label, int64_t wanted, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%sversions/?limit=1", uri);
    vr_auto_json json_t *page = NULL;
    vr_auto_free char *version = NULL, *user = NULL, *time = NULL, *fields = NULL;
    const json_t *last;

    vr_ignore(vr_api_get(api, path, &page, NULL), "then who it was is not said");
    last = json_array_get(json_object_get(page, "objects"), 0);
    if (!last)
        return vr_fail(err, VR_EXISTS,
                       "%s %s is no longer version %" PRId64 "; nothing was changed", noun->name,
                       label, wanted);
    version = vr_cli_noun_cell(last, "row_version");
    user = vr_cli_noun_cell(last, "user");
    time = vr_cli_noun_cell(last, "time");
    fields = changed_fields(last);
    return vr_fail(err, VR_EXISTS,
                   "%s %s is no longer version %" PRId64
                   ": %s made version %s at %s (%s); see: vr history %s %s",
                   noun->name, label, wanted, *user ? user : "somebody", version, time,
                   *fields ? fields : "nothing that is kept", noun->name, label);
}
