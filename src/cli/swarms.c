/* SPDX-License-Identifier: MIT */
/* Swarms by pattern: fetched, filtered, sorted by name. */
#include "cli/swarms.h"

#include "cli/api.h"
#include "cli/filter.h"
#include "core/str.h"
#include "fmt/json.h"

#include <stdio.h>
#include <string.h>

#define QUERY_BYTES    1024u
#define PREVIEW_SWARMS 40u
#define OLD_COLUMNS    80u /* of the original's lists */

static const char *field(const json_t *swarm, const char *name)
{
    const char *text = json_string_value(json_object_get(swarm, name));

    return text ? text : "";
}

char *vr_swarm_name(const json_t *swarm)
{
    return vr_strf("%s-%s-%s", field(swarm, "app_name"), field(swarm, "config_name"),
                   field(swarm, "proc_name"));
}

static int by_name(const void *a, const void *b)
{
    vr_auto_free char *x = vr_swarm_name(*(json_t *const *)a);
    vr_auto_free char *y = vr_swarm_name(*(json_t *const *)b);

    return strcmp(x, y);
}

/* The matching ones of `all`, in the order of their names. */
static json_t *select_swarms(const struct vr_filter *filter, json_t *all)
{
    size_t n = json_array_size(all), count = 0, i;
    vr_auto_free json_t **found = vr_alloc_array(n + 1, sizeof(found[0]));
    json_t *swarm, *list = json_array();

    json_array_foreach (all, i, swarm) {
        if (vr_filter_match(filter, field(swarm, "app_name"), field(swarm, "config_name"),
                            field(swarm, "proc_name")))
            found[count++] = swarm;
    }
    qsort(found, count, sizeof(found[0]), by_name);
    for (i = 0; i < count; i++)
        json_array_append(list, found[i]);
    return list;
}

int vr_swarms_find(struct vr_api *api, const char *pattern, const struct vr_opt_list *excludes,
                   json_t **out, struct vr_err *err)
{
    VR_OWNED(vr_filter_free) struct vr_filter *filter = NULL;
    vr_auto_buf struct vr_buf query = VR_BUF(QUERY_BYTES);
    vr_auto_json json_t *all = NULL;
    int r;

    r = vr_filter_compile(pattern, excludes ? excludes->items : NULL,
                          excludes ? excludes->count : 0, &filter, err);
    if (r < 0)
        return r;
    vr_filter_query(filter, &query);
    r = vr_api_list(api, "/api/v1/swarms/", query.over ? NULL : vr_buf_text(&query), &all, err);
    if (r < 0)
        return r;
    *out = select_swarms(filter, all);
    return 0;
}

int vr_swarms_exclude(json_t *swarms, const struct vr_opt_list *excludes, struct vr_err *err)
{
    VR_OWNED(vr_filter_free) struct vr_filter *filter = NULL;
    int r = vr_filter_compile("", excludes->items, excludes->count, &filter, err);

    for (size_t i = json_array_size(swarms); i-- > 0 && r >= 0;) {
        const json_t *swarm = json_array_get(swarms, i);

        if (!vr_filter_match(filter, field(swarm, "app_name"), field(swarm, "config_name"),
                             field(swarm, "proc_name")))
            json_array_remove(swarms, i);
    }
    return r;
}

bool vr_swarms_has(const json_t *swarms, const char *uri)
{
    const json_t *swarm;
    size_t i;

    json_array_foreach (swarms, i, swarm) {
        if (vr_streq(json_string_value(json_object_get(swarm, "resource_uri")), uri))
            return true;
    }
    return false;
}

int vr_swarms_need(struct vr_api *api, const char *pattern, const struct vr_opt_list *excludes,
                   json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    int r = vr_swarms_find(api, pattern, excludes, &list, err);

    if (r < 0)
        return r;
    if (!json_array_size(list))
        return vr_fail(err, VR_NOT_FOUND, "no swarm matches '%s'", pattern);
    *out = vr_take(list);
    return 0;
}

/* As Python's pprint shows a list of names: on one line if it fits, else a name a line. */
static void print_old_list(const json_t *swarms)
{
    vr_auto_buf struct vr_buf wide = VR_BUF(VR_OUT_BYTES), tall = VR_BUF(VR_OUT_BYTES);
    const json_t *swarm;
    size_t i;

    json_array_foreach (swarms, i, swarm) {
        vr_auto_free char *name = vr_swarm_name(swarm);

        vr_buf_addf(&wide, "%s'%s'", i ? ", " : "", name);
        vr_buf_addf(&tall, "%s'%s'", i ? ",\n " : "", name);
    }
    printf("[%s]\n", vr_buf_text(wide.len + 2 <= OLD_COLUMNS ? &wide : &tall));
}

void vr_swarms_preview(const struct vr_out *out, const json_t *swarms)
{
    size_t n = json_array_size(swarms), i;
    const json_t *swarm;

    if (out->old) {
        printf("Matched %zu apps\n", n);
        print_old_list(swarms);
        fflush(stdout);
        return;
    }
    vr_say(out, "Matched %zu swarm%s", n, n == 1 ? "" : "s");
    json_array_foreach (swarms, i, swarm) {
        vr_auto_free char *name = vr_swarm_name(swarm);

        if (i == PREVIEW_SWARMS) {
            vr_say(out, "  … and %zu more", n - i);
            return;
        }
        vr_say(out, "  %s", name);
    }
}

int vr_swarms_confirm(const struct vr_out *out, const json_t *swarms, bool yes, const char *verb,
                      struct vr_err *err)
{
    vr_auto_free char *question = NULL;
    size_t n = json_array_size(swarms);

    vr_swarms_preview(out, swarms);
    if (n < 2 || yes || !out->ask || out->old)
        return 1;
    question = vr_strf("%s %zu swarms?", verb, n);
    return vr_out_confirm(out, false, question, err);
}
