/* SPDX-License-Identifier: MIT */
/* Versions of objects: which there are, and who was first when two change the same one. */
#include "cli/history.h"

#include "cli/api.h"
#include "core/str.h"
#include "fmt/json.h"

#include <inttypes.h>

int vr_history_conflict(struct vr_api *api, const struct vr_cli_noun *noun, const char *uri,
                        const char *label, int64_t wanted, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%sversions/?limit=1", uri);
    vr_auto_json json_t *page = NULL;
    vr_auto_free char *version = NULL, *user = NULL, *time = NULL;
    const json_t *last;

    vr_ignore(vr_api_get(api, path, &page, NULL), "then who it was is not said");
    last = json_array_get(json_object_get(page, "objects"), 0);
    version = vr_cli_noun_cell(last, "version");
    user = vr_cli_noun_cell(last, "user");
    time = vr_cli_noun_cell(last, "time");
    if (!last)
        return vr_fail(err, VR_EXISTS,
                       "%s %s is no longer version %" PRId64 "; nothing was changed", noun->name,
                       label, wanted);
    return vr_fail(err, VR_EXISTS,
                   "%s %s is no longer version %" PRId64 ": %s made version %s at %s; "
                   "see: vr history %s %s",
                   noun->name, label, wanted, *user ? user : "somebody", version, time, noun->name,
                   label);
}
