/* SPDX-License-Identifier: MIT */
/* Changing swarms and sending them on their way: plan, ask, dispatch, follow. */
#include "cli/dispatch.h"

#include "cli/api.h"
#include "cli/exit.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "cli/watch.h"
#include "core/str.h"
#include "fmt/json.h"

#include <stdio.h>
#include <string.h>

#define COUNTDOWN_S 5
#define ID_SHOWN    8

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static void add_value(struct vr_buf *out, const json_t *value)
{
    vr_auto_free char *json = NULL;

    if (json_is_string(value)) {
        vr_buf_add(out, json_string_value(value));
    } else if (!value || json_is_null(value)) {
        vr_buf_add(out, "none");
    } else {
        json = vr_json_dump(value);
        vr_buf_add(out, json);
    }
}

static void add_change(struct vr_buf *out, const json_t *plan, const char *name,
                       const struct vr_out *style)
{
    const json_t *pair = json_object_get(plan, name);

    if (!pair)
        return;
    vr_buf_addf(out, "  %-9s ", name);
    add_value(out, json_object_get(pair, "from"));
    if (!json_equal(json_object_get(pair, "from"), json_object_get(pair, "to"))) {
        vr_buf_add(out, style->utf8 ? " → " : " -> ");
        add_value(out, json_object_get(pair, "to"));
    }
    vr_buf_addc(out, '\n');
}

static void add_hosts(struct vr_buf *out, const json_t *plan)
{
    const json_t *host;
    size_t i;

    json_array_foreach (json_object_get(plan, "hosts"), i, host) {
        json_int_t n = json_integer_value(json_object_get(host, "procs"));

        vr_buf_addf(out, "  %-9s %s: %" JSON_INTEGER_FORMAT " proc%s%s%s\n", i ? "" : "hosts",
                    text_of(host, "host"), n, n == 1 ? "" : "s",
                    *text_of(host, "reason") ? ", " : "", text_of(host, "reason"));
    }
}

void vr_plan_write(struct vr_buf *out, const json_t *plan, const struct vr_out *style)
{
    const json_t *warning;
    size_t i;

    vr_style_add(out, style->colour, VR_STYLE_BOLD, text_of(plan, "swarm_name"));
    vr_buf_add(out, "\n");
    add_change(out, plan, "version", style);
    add_change(out, plan, "size", style);
    if (*text_of(plan, "build"))
        vr_buf_addf(out, "  %-9s %s\n", "build", text_of(plan, "build"));
    add_hosts(out, plan);
    if (*text_of(plan, "pool"))
        vr_buf_addf(out, "  %-9s %s\n", "pool", text_of(plan, "pool"));
    vr_out_add_diff(out, style->colour, "  config    ", json_object_get(plan, "config"));
    vr_out_add_diff(out, style->colour, "  env       ", json_object_get(plan, "env"));
    json_array_foreach (json_object_get(plan, "warnings"), i, warning) {
        vr_buf_addf(out, "  %-9s ", "warning");
        add_value(out, warning);
        vr_buf_addc(out, '\n');
    }
    if (json_is_false(json_object_get(plan, "changes")))
        vr_buf_add(out, "  nothing would change\n");
}

/* The body of the POST for one swarm; a plan is also told what a PATCH would have changed. */
static int make_request(const struct vr_dispatch_spec *spec, const struct vr_dispatch_opts *opts,
                        const json_t *swarm, json_t **out_patch, json_t **out_body,
                        struct vr_err *err)
{
    json_t *patch = NULL;
    json_t *body = spec->body ? json_deep_copy(spec->body) : json_object();
    int r = spec->patch ? spec->patch(spec->user, swarm, &patch, err) : 0;

    if (r < 0) {
        json_decref(body);
        return r;
    }
    if (opts->force)
        vr_json_set(body, "force", json_true());
    if (opts->plan && patch)
        json_object_update(body, patch);
    *out_patch = patch;
    *out_body = body;
    return 0;
}

static int plan_one(struct vr_api *api, const json_t *swarm, const struct vr_dispatch_opts *opts,
                    const struct vr_dispatch_spec *spec, json_t *plans, struct vr_err *err)
{
    vr_auto_json json_t *patch = NULL, *body = NULL, *answer = NULL;
    vr_auto_free char *path = vr_strf("%s%s/?plan=1", text_of(swarm, "resource_uri"), spec->action);
    json_t *plan;
    int r = make_request(spec, opts, swarm, &patch, &body, err);

    if (r >= 0)
        r = vr_api_send(api, "POST", path, body, &answer, err);
    if (r < 0)
        return r;
    plan = json_object_get(answer, "plan");
    if (!json_is_object(plan))
        return vr_fail(err, VR_PARSE, "POST %s: no plan in the answer", path);
    json_array_append(plans, plan);
    return 0;
}

static int show_plans(struct vr_cli *cli, struct vr_api *api, const json_t *swarms,
                      const struct vr_dispatch_opts *opts, const struct vr_dispatch_spec *spec,
                      struct vr_err *err)
{
    vr_auto_json json_t *plans = json_array();
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    bool changes = false;
    json_t *item;
    size_t i;
    int r = 0;

    json_array_foreach (swarms, i, item) {
        r = plan_one(api, item, opts, spec, plans, err);
        if (r < 0)
            return r;
    }
    json_array_foreach (plans, i, item) {
        changes = changes || !json_is_false(json_object_get(item, "changes"));
        vr_buf_add(&text, i ? "\n" : "");
        vr_plan_write(&text, item, &cli->out);
    }
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        r = vr_out_value(&cli->out, plans, err);
    else
        r = vr_out_flush(&text, err);
    if (r < 0)
        return r;
    return opts->exit_code && changes ? VR_EXIT_CHANGES : VR_EXIT_OK;
}

void vr_dispatch_count_down(const struct vr_out *out, const char *doing)
{
    for (int s = COUNTDOWN_S; s > 0; s--) {
        fprintf(out->old ? stdout : stderr, "%s in %d sec\n", doing, s);
        fflush(stdout);
        sleep(1);
    }
}

/* Show what is meant, and ask: of many whether all of them, of what stops everything in any case.
 */
static int confirm(struct vr_cli *cli, const json_t *swarms, const struct vr_dispatch_opts *opts,
                   const struct vr_dispatch_spec *spec, struct vr_err *err)
{
    vr_auto_free char *name = vr_swarm_name(json_array_get(swarms, 0));
    vr_auto_free char *question = NULL;
    size_t n = json_array_size(swarms);

    if (!spec->stops_all)
        return vr_swarms_confirm(&cli->out, swarms, opts->yes, spec->verb, err);
    vr_swarms_preview(&cli->out, swarms);
    question = n == 1 ? vr_strf("Stop all procs of %s?", name)
                      : vr_strf("Stop all procs of %zu swarms?", n);
    return vr_out_confirm(&cli->out, opts->yes, question, err);
}

static int send_one(struct vr_cli *cli, struct vr_api *api, const json_t *swarm,
                    const struct vr_dispatch_opts *opts, const struct vr_dispatch_spec *spec,
                    json_t *ids, struct vr_err *err)
{
    vr_auto_json json_t *patch = NULL, *body = NULL, *answer = NULL;
    vr_auto_free char *name = vr_swarm_name(swarm);
    vr_auto_free char *path = NULL;
    const char *uri, *id;
    int r = vr_json_get_str(swarm, "resource_uri", &uri, err);

    if (r >= 0)
        r = make_request(spec, opts, swarm, &patch, &body, err);
    if (r >= 0 && patch)
        r = vr_api_send(api, "PATCH", uri, patch, NULL, err);
    if (r < 0)
        return vr_fail_in(err, r, "%s", name);
    path = vr_strf("%s%s/", uri, spec->action);
    r = vr_api_send(api, "POST", path, body, &answer, err);
    if (r >= 0)
        r = vr_json_get_str(answer, "swarm_id", &id, err);
    if (r < 0)
        return vr_fail_in(err, r, "%s", name);
    json_array_append_new(ids, json_string(id));
    if (cli->out.format != VR_OUT_JSON && cli->out.format != VR_OUT_YAML && !cli->out.old) {
        puts(id);
        fflush(stdout);
    }
    return 0;
}

static int print_rollouts(struct vr_cli *cli, struct vr_api *api, const json_t *ids,
                          struct vr_err *err)
{
    vr_auto_json json_t *list = json_array();
    const json_t *id;
    size_t i;

    if (cli->out.format != VR_OUT_JSON && cli->out.format != VR_OUT_YAML)
        return 0;
    json_array_foreach (ids, i, id) {
        vr_auto_free char *path = vr_strf("/api/v1/rollouts/%s/", json_string_value(id));
        json_t *row = NULL;
        int r = vr_api_get(api, path, &row, err);

        if (r < 0)
            return r;
        json_array_append_new(list, row);
    }
    return vr_out_value(&cli->out, list, err);
}

int vr_dispatch_swarms(struct vr_cli *cli, const json_t *swarms,
                       const struct vr_dispatch_opts *opts, const struct vr_dispatch_spec *spec,
                       struct vr_err *err)
{
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r < 0)
        return r;
    if (opts->plan)
        return show_plans(cli, api, swarms, opts, spec, err);
    r = confirm(cli, swarms, opts, spec, err);
    if (r <= 0)
        return r < 0 ? r : VR_EXIT_FAILED;
    if (opts->countdown)
        vr_dispatch_count_down(&cli->out, spec->doing);
    return vr_dispatch_send(cli, swarms, opts, spec, err);
}

void vr_dispatch_tell_skipped(const struct vr_out *out, const json_t *answer)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(answer, "skipped"), i, item) {
        vr_auto_free char *swarm = vr_cli_noun_cell(item, "swarm");
        vr_auto_free char *reason = vr_cli_noun_cell(item, "reason");

        vr_say_warning(out, "swarm %s is left as it is: %s", swarm, reason);
    }
}

void vr_dispatch_tell_group(const struct vr_out *out, const json_t *answer, json_t *ids)
{
    json_t *uri;
    size_t i;

    vr_dispatch_tell_skipped(out, answer);
    json_array_foreach (json_object_get(answer, "rollouts"), i, uri) {
        vr_auto_json json_t *wrap = json_pack("{s:O}", "uri", uri);
        vr_auto_free char *id = vr_cli_noun_cell(wrap, "uri");

        puts(id);
        vr_json_push(ids, json_string(id));
    }
    fflush(stdout);
}

int vr_dispatch_send(struct vr_cli *cli, const json_t *swarms, const struct vr_dispatch_opts *opts,
                     const struct vr_dispatch_spec *spec, struct vr_err *err)
{
    vr_auto_json json_t *ids = json_array();
    struct vr_api *api;
    const json_t *swarm;
    size_t i;
    int r = vr_cli_api(cli, &api, err), code = VR_EXIT_OK;

    if (r < 0)
        return r;
    json_array_foreach (swarms, i, swarm) {
        r = send_one(cli, api, swarm, opts, spec, ids, err);
        if (r < 0)
            return r;
    }
    if (opts->wait)
        code = vr_watch_rollouts(cli, ids, opts->timeout.value, err);
    else
        vr_say(&cli->out, "Follow it: vr rollout watch %.*s", ID_SHOWN,
               json_string_value(json_array_get(ids, 0)));
    if (code < 0)
        return code;
    r = print_rollouts(cli, api, ids, err);
    return r < 0 ? r : code;
}
