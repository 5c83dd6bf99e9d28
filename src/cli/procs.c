/* SPDX-License-Identifier: MIT */
/* Procs of swarms by pattern, and procs by what people call them. */
#include "cli/procs.h"

#include "cli/noun.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"

#include <regex.h>
#include <string.h>

#define WAIT_S 30 /* the server waits no longer */

char *vr_procs_id(const json_t *proc)
{
    return vr_cli_noun_cell(proc, "proc_id");
}

char *vr_procs_swarm(const json_t *proc)
{
    vr_auto_free char *app = vr_cli_noun_cell(proc, "app_name");
    vr_auto_free char *config = vr_cli_noun_cell(proc, "config_name");
    vr_auto_free char *name = vr_cli_noun_cell(proc, "proc_name");

    return vr_strf("%s-%s-%s", app, config, name);
}

static void add_matching(json_t *to, const json_t *procs, const regex_t *host)
{
    json_t *proc;
    size_t i;

    json_array_foreach (procs, i, proc) {
        const char *name = json_string_value(json_object_get(proc, "host"));

        if (!host || !regexec(host, name ? name : "", 0, NULL, 0))
            json_array_append(to, proc);
    }
}

int vr_procs_find(struct vr_api *api, const char *pattern, const struct vr_opt_list *excludes,
                  const char *host, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *swarms = NULL, *list = json_array();
    vr_auto_free char *anchored = vr_strf("^(%s)", host ? host : "");
    const json_t *swarm;
    regex_t regex;
    size_t i;
    int r = vr_swarms_find(api, pattern, excludes, &swarms, err);

    if (r < 0)
        return r;
    if (host && regcomp(&regex, anchored, REG_EXTENDED | REG_NOSUB))
        return vr_fail(err, VR_INVALID, "host '%s' is not a regular expression", host);
    json_array_foreach (swarms, i, swarm)
        add_matching(list, json_object_get(swarm, "procs"), host ? &regex : NULL);
    if (host)
        regfree(&regex);
    *out = vr_take(list);
    return 0;
}

static int get_by_id(struct vr_api *api, const char *id, json_t **out, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("/api/v1/procs/%s/", id);
    json_t *proc = NULL;
    int r = vr_api_get(api, path, &proc, err);

    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "there is no proc %s", id);
    if (r < 0)
        return r;
    *out = json_array();
    vr_json_push(*out, proc);
    return 0;
}

static int get_by_name(struct vr_api *api, const char *name, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *all = NULL, *found = json_array();
    json_t *proc;
    size_t i;
    int r = vr_procs_find(api, "", NULL, NULL, &all, err);

    if (r < 0)
        return r;
    json_array_foreach (all, i, proc) {
        if (vr_streq(json_string_value(json_object_get(proc, "name")), name) ||
            vr_streq(json_string_value(json_object_get(proc, "id")), name))
            json_array_append(found, proc);
    }
    if (!json_array_size(found))
        return vr_fail(err, VR_NOT_FOUND, "no proc and no swarm with procs matches '%s'", name);
    *out = vr_take(found);
    return 0;
}

int vr_procs_named(struct vr_api *api, const char *name, json_t **out, bool *out_is_filter,
                   struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    int r;

    if (out_is_filter)
        *out_is_filter = false;

    if (vr_str_is_made_of(name, "0123456789", 1, 18))
        return get_by_id(api, name, out, err);
    r = vr_procs_find(api, name, NULL, NULL, &list, err);
    if (r < 0)
        return r;
    if (!json_array_size(list))
        return get_by_name(api, name, out, err);
    if (out_is_filter)
        *out_is_filter = true;
    *out = vr_take(list);
    return 0;
}

int vr_procs_act(struct vr_api *api, const json_t *proc, const char *action, bool wait,
                 json_t **out_answer, struct vr_err *err)
{
    vr_auto_free char *id = vr_procs_id(proc);
    vr_auto_free char *path =
        wait ? vr_strf("/api/v1/procs/%s/?wait=%d", id, WAIT_S) : vr_strf("/api/v1/procs/%s/", id);
    vr_auto_json json_t *body = NULL;
    bool removes = !strcmp(action, "rm");
    int r;

    if (!removes)
        body = json_pack("{s:s}", "action", action);
    r = vr_api_send(api, removes ? "DELETE" : "POST", path, body, out_answer, err);
    return r < 0 ? vr_fail_in(err, r, "proc %s", id) : r;
}
