/* SPDX-License-Identifier: MIT */
/* vr user add|passwd, vr profile show|set. */
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
