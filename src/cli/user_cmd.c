/* SPDX-License-Identifier: MIT */
/* vr user add|passwd|grant|revoke|end-sessions, vr profile show|set. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/secret_input.h"
#include "core/str.h"
#include "fmt/json.h"

#include <string.h>

struct values {
    const char *role;
    const char *first_name, *last_name, *email;
    bool password_stdin;
    const char *dashboard;
    const char *quick;
};

static const struct vr_opt add_opts[] = {
    {"role", 0, VR_OPT_TEXT, offsetof(struct values, role), "viewer|deployer|admin",
     "what it may do everywhere (deployer)"},
    {"first-name", 0, VR_OPT_TEXT, offsetof(struct values, first_name), "NAME", NULL},
    {"last-name", 0, VR_OPT_TEXT, offsetof(struct values, last_name), "NAME", NULL},
    {"email", 0, VR_OPT_TEXT, offsetof(struct values, email), "ADDRESS", NULL},
    {"password-stdin", 0, VR_OPT_FLAG, offsetof(struct values, password_stdin), NULL,
     "read the password from standard input"},
};

static const struct vr_opt passwd_opts[] = {
    {"password-stdin", 0, VR_OPT_FLAG, offsetof(struct values, password_stdin), NULL,
     "read the password from standard input"},
};

static const struct vr_opt profile_opts[] = {
    {"dashboard", 0, VR_OPT_TEXT, offsetof(struct values, dashboard), "DASHBOARD",
     "the one to begin with; an empty name takes it away"},
    {"quick", 0, VR_OPT_TEXT, offsetof(struct values, quick), "DASHBOARD,…",
     "those to switch between, all of them"},
};

/* A new password from standard input, or typed twice. */
static int new_password(bool from_stdin, char **out, struct vr_err *err)
{
    vr_auto_secret char *first = NULL, *again = NULL;
    int r;

    if (from_stdin)
        return vr_secret_read(out, err);
    r = vr_secret_ask("Password: ", &first, err);
    if (r >= 0)
        r = vr_secret_ask("Password again: ", &again, err);
    if (r < 0)
        return r;
    if (strcmp(first, again) != 0)
        return vr_fail(err, VR_INVALID, "the two passwords differ; nothing was changed");
    *out = vr_take(first);
    return 0;
}

static int run_add(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    const struct {
        const char *name, *value;
    } fields[] = {{"role", v->role},
                  {"first_name", v->first_name},
                  {"last_name", v->last_name},
                  {"email", v->email}};
    vr_auto_secret char *password = NULL;
    vr_auto_json json_t *body = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = new_password(v->password_stdin, &password, err);
    if (r < 0)
        return r;
    body = json_pack("{s:s,s:s}", "username", argv[0], "password", password);
    if (!body)
        return vr_fail(err, VR_INVALID, "name or password: not UTF-8");
    for (size_t i = 0; i < VR_COUNT(fields); i++) {
        if (fields[i].value)
            vr_json_set(body, fields[i].name, json_string(fields[i].value));
    }
    r = vr_api_create(api, "/api/v1/user/", body, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "user %s added", argv[0]);
    return r;
}

static int run_passwd(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_secret char *password = NULL;
    vr_auto_free char *uri = NULL, *path = NULL;
    vr_auto_json json_t *body = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("user"), argv[0], &uri, err);
    if (r >= 0)
        r = new_password(v->password_stdin, &password, err);
    if (r < 0)
        return r;
    body = json_pack("{s:s}", "new", password);
    path = vr_strf("%spassword/", uri);
    r = body ? vr_api_send(api, "POST", path, body, NULL, err)
             : vr_fail(err, VR_INVALID, "the password is not UTF-8");
    if (r >= 0)
        vr_say(&cli->out, "user %s has another password", argv[0]);
    return r;
}

static bool is_for(const json_t *grant, const char *app)
{
    return vr_streq(json_string_value(json_object_get(grant, "app")), app);
}

/* `grant` and `revoke`: the list of a user's grants with or without one app. */
static int run_grant(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    bool grants = cli->command->arg != NULL;
    vr_auto_json json_t *user = NULL, *body = json_pack("{s:[]}", "grants");
    vr_auto_free char *app = NULL;
    json_t *list = json_object_get(body, "grants"), *grant;
    const char *uri = NULL;
    struct vr_api *api;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_cli_noun_get(api, vr_cli_noun_find("user"), argv[0], &user, err);
    if (r >= 0)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("app"), argv[1], &app, err);
    if (r >= 0)
        r = vr_json_get_str(user, "resource_uri", &uri, err);
    if (r < 0)
        return r;
    /* The list is sent whole: without the present one, others would be lost. */
    if (!json_is_array(json_object_get(user, "grants")))
        return vr_fail(err, VR_DENIED, "only an admin sees and changes grants");
    json_array_foreach (json_object_get(user, "grants"), i, grant) {
        if (!is_for(grant, app))
            json_array_append(list, grant);
    }
    if (!grants && json_array_size(list) == json_array_size(json_object_get(user, "grants")))
        return vr_fail(err, VR_NOT_FOUND, "user %s has no grant for app %s", argv[0], argv[1]);
    if (grants)
        vr_json_push(list, json_pack("{s:s,s:s}", "app", app, "role", "deployer"));
    r = vr_api_send(api, "PATCH", uri, body, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "user %s %s deploy app %s", argv[0],
               grants ? "may" : "may no longer, by a grant,", argv[1]);
    return r;
}

/* Everywhere where the user is logged in by a browser. */
static int run_end_sessions(struct vr_cli *cli, const void *opts, int argc, char **argv,
                            struct vr_err *err)
{
    vr_auto_free char *uri = NULL, *path = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("user"), argv[0], &uri, err);
    if (r < 0)
        return r;
    path = vr_strf("%ssessions/", uri);
    r = vr_api_send(api, "DELETE", path, NULL, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "user %s is logged out of every browser", argv[0]);
    return r;
}

/* The one profile that the list has: our own. */
static int own_profile(struct vr_cli *cli, struct vr_api **out_api, json_t **out,
                       struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    json_t *profile;
    int r = vr_cli_api(cli, out_api, err);

    if (r >= 0)
        r = vr_api_list(*out_api, "/api/v1/profile/", NULL, &list, err);
    if (r < 0)
        return r;
    profile = json_array_get(list, 0);
    if (!profile)
        return vr_fail(err, VR_NOT_FOUND, "this user has no profile");
    *out = json_incref(profile);
    return 0;
}

static int run_profile_show(struct vr_cli *cli, const void *opts, int argc, char **argv,
                            struct vr_err *err)
{
    vr_auto_json json_t *profile = NULL;
    struct vr_api *api;
    int r = own_profile(cli, &api, &profile, err);

    return r < 0 ? r : vr_object_show(&cli->out, profile, err);
}

static int run_profile_set(struct vr_cli *cli, const void *opts, int argc, char **argv,
                           struct vr_err *err)
{
    static const struct vr_field fields[] = {
        {"default_dashboard", NULL, VR_FIELD_REF, "dashboard"},
        {"quick_dashboards", NULL, VR_FIELD_REFS, "dashboard"},
    };
    const struct values *v = opts;
    const char *texts[] = {v->dashboard, v->quick};
    vr_auto_json json_t *profile = NULL, *body = json_object();
    const char *uri;
    struct vr_api *api;
    int r;

    if (!v->dashboard && !v->quick)
        return vr_fail(err, VR_INVALID, "nothing to set; give --dashboard or --quick");
    r = own_profile(cli, &api, &profile, err);
    for (size_t i = 0; i < VR_COUNT(fields) && r >= 0; i++) {
        json_t *value = NULL;

        if (!texts[i])
            continue;
        r = vr_cli_noun_value(api, &fields[i], texts[i], &value, err);
        if (r >= 0)
            vr_json_set(body, fields[i].name, value);
    }
    if (r >= 0)
        r = vr_json_get_str(profile, "resource_uri", &uri, err);
    if (r >= 0)
        r = vr_api_send(api, "PATCH", uri, body, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "profile changed");
    return r;
}

static const struct vr_command user_verbs[] = {
    {.name = "add create",
     .args = "NAME",
     .summary = "Add a user; the password is asked for",
     VR_COMMAND_OPTS(add_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_add},
    {.name = "passwd",
     .args = "USER",
     .summary = "Give a user another password (an admin may)",
     VR_COMMAND_OPTS(passwd_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_passwd},
    {.name = "grant",
     .args = "USER APP",
     .summary = "Let a user deploy one app, whatever their role",
     .min_args = 2,
     .max_args = 2,
     .run = run_grant,
     .arg = "grant"},
    {.name = "revoke",
     .args = "USER APP",
     .summary = "Take such a grant back",
     .min_args = 2,
     .max_args = 2,
     .run = run_grant},
    {.name = "end-sessions",
     .args = "USER",
     .summary = "Log a user out of every browser",
     .min_args = 1,
     .max_args = 1,
     .run = run_end_sessions},
    {NULL},
};

static const struct vr_command profile_verbs[] = {
    {.name = "show", .summary = "Show your profile", .run = run_profile_show},
    {.name = "set",
     .summary = "Choose your dashboards",
     VR_COMMAND_OPTS(profile_opts, struct values),
     .run = run_profile_set},
    {NULL},
};

const struct vr_command vr_user_commands[] = {
    {.name = "user", .subs = user_verbs},
    {.name = "profile", .summary = "Your profile: show, set", .subs = profile_verbs},
    {NULL},
};
