/* SPDX-License-Identifier: MIT */
/* vr login, logout, whoami, token, passwd. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/secret_input.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define NAME_BYTES   256u
#define SUFFIX_BYTES 3u /* of the name of a second token of a machine */

struct values {
    bool password_stdin;
    const char *role, *app, *expires;
};

static const struct vr_opt login_opts[] = {
    {"password-stdin", 0, VR_OPT_FLAG, offsetof(struct values, password_stdin), NULL,
     "read the password from standard input"},
};

static const struct vr_opt token_opts[] = {
    {"role", 0, VR_OPT_TEXT, offsetof(struct values, role), "viewer|deployer|admin",
     "it can do no more than this, nor more than you"},
    {"app", 0, VR_OPT_TEXT, offsetof(struct values, app), "APP", "it is good for this app alone"},
    {"expires", 0, VR_OPT_TEXT, offsetof(struct values, expires), "WHEN",
     "30d, 12h, or a time such as 2026-01-31T12:00:00Z"},
};

static int load_config(const struct vr_cli *cli, const char *url, struct vr_config *out,
                       struct vr_err *err)
{
    vr_auto_free char *path = vr_config_path();
    struct vr_config_spec spec = {.url = url ? url : cli->flags.url,
                                  .username = cli->flags.username,
                                  .insecure = cli->flags.insecure,
                                  .env = (vr_config_env_fn)getenv,
                                  .path = path};

    return vr_config_load(&spec, out, err);
}

static int ask_username(struct vr_config *config, struct vr_err *err)
{
    char line[NAME_BYTES];

    if (config->username)
        return 0;
    if (!isatty(STDIN_FILENO))
        return vr_fail(err, VR_INVALID, "no user name; give --username");
    fprintf(stderr, "User name at %s: ", config->url);
    if (!fgets(line, sizeof(line), stdin))
        return vr_fail(err, VR_INVALID, "no user name was given");
    line[strcspn(line, "\r\n")] = '\0';
    config->username = vr_strdup(line);
    return 0;
}

static int ask_password(struct vr_config *config, bool from_stdin, struct vr_err *err)
{
    vr_auto_free char *prompt = NULL;

    if (from_stdin) {
        vr_secret_free(vr_take(config->password));
        return vr_secret_read(&config->password, err);
    }
    if (config->password)
        return 0;
    prompt = vr_strf("Password of %s at %s: ", config->username, config->url);
    return vr_secret_ask(prompt, &config->password, err);
}

/* Trade user and password for a token, named so that its owner knows it again. */
static int make_token(struct vr_api *api, json_t **out, struct vr_err *err)
{
    char host[NAME_BYTES] = "";
    vr_auto_free char *name = NULL, *random = vr_random_hex(SUFFIX_BYTES), *other = NULL;
    vr_auto_json json_t *body = NULL;
    int r;

    if (gethostname(host, sizeof(host) - 1) < 0)
        host[0] = '\0';
    name = vr_strf("vr login on %s", host);
    body = json_pack("{s:s}", "name", name);
    r = vr_api_send(api, "POST", "/api/v1/tokens/", body, out, err);
    if (r != -VR_EXISTS)
        return r;
    /* Somebody is logged in from here already, perhaps by another account of the machine. */
    other = vr_strf("%s, %s", name, random);
    vr_json_set(body, "name", json_string(other));
    return vr_api_send(api, "POST", "/api/v1/tokens/", body, out, err);
}

static int run_login(struct vr_cli *cli, const void *opts, int argc, char **argv,
                     struct vr_err *err)
{
    const struct values *v = opts;
    __attribute__((cleanup(vr_config_fini))) struct vr_config config = VR_CONFIG_NULL;
    VR_OWNED(vr_api_close) struct vr_api *api = NULL;
    vr_auto_json json_t *answer = NULL;
    vr_auto_free char *path = vr_config_path();
    const char *token;
    vr_auto_json json_t *who = NULL;
    int64_t id;
    int r = load_config(cli, argc ? argv[0] : NULL, &config, err);

    if (r >= 0)
        r = ask_username(&config, err);
    if (r >= 0)
        r = ask_password(&config, v->password_stdin, err);
    if (r < 0)
        return r;
    vr_secret_free(vr_take(config.token));
    r = vr_api_open(&config, &api, err);
    if (r >= 0)
        r = make_token(api, &answer, err);
    if (r == -VR_DENIED)
        return vr_fail(err, VR_DENIED, "%s: wrong user name or password", config.url);
    if (r >= 0)
        r = vr_json_get_str(answer, "token", &token, err);
    if (r >= 0)
        r = vr_json_opt_i64(answer, "id", 0, INT64_MAX, 0, &id, err);
    if (r >= 0)
        r = vr_config_store(path, config.url, config.username, token, id, err);
    if (r < 0)
        return r;
    vr_say(&cli->out, "Logged in to %s as %s.", config.url, config.username);
    if (vr_api_get(api, "/api/v1/whoami/", &who, NULL) == 0 &&
        json_is_true(json_object_get(who, "must_change_password")))
        vr_say(&cli->out, "This is the password of the first start; give it your own: vr passwd");
    return 0;
}

static int run_logout(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    __attribute__((cleanup(vr_config_fini))) struct vr_config config = VR_CONFIG_NULL;
    VR_OWNED(vr_api_close) struct vr_api *api = NULL;
    vr_auto_free char *file = vr_config_path(), *path = NULL;
    struct vr_err why = VR_ERR_NULL;
    int r = load_config(cli, argc ? argv[0] : NULL, &config, err);

    if (r < 0)
        return r;
    if (config.token && config.token_id) {
        path = vr_strf("/api/v1/tokens/%" PRId64 "/", config.token_id);
        r = vr_api_open(&config, &api, &why);
        if (r >= 0)
            r = vr_api_send(api, "DELETE", path, NULL, NULL, &why);
        if (r < 0)
            vr_say_warning(&cli->out, "the token is forgotten, but not revoked: %s", why.msg);
    }
    r = vr_config_store(file, config.url, NULL, NULL, 0, err);
    if (r >= 0)
        vr_say(&cli->out, "Logged out of %s.", config.url);
    return r;
}

/* What goes beyond the role: grants of apps, and what the credentials themselves may. */
static void print_rights(const json_t *me)
{
    const json_t *grant, *can = json_object_get(me, "can");
    size_t i;

    json_array_foreach (json_object_get(me, "grants"), i, grant) {
        vr_auto_free char *app = vr_cli_noun_cell(grant, "app");
        vr_auto_free char *role = vr_cli_noun_cell(grant, "role");

        printf("  %s of app %s\n", role, app);
    }
    if (json_array_size(can)) {
        vr_auto_free char *words = vr_cli_noun_cell(me, "can");

        printf("  can: %s\n", words);
    }
}

static int run_whoami(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    vr_auto_json json_t *answer = NULL;
    vr_auto_free char *name = NULL, *role = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_get(api, "/api/v1/whoami/", &answer, err);
    if (r < 0)
        return r;
    if (cli->out.format == VR_OUT_JSON || cli->out.format == VR_OUT_YAML)
        return vr_out_value(&cli->out, answer, err);
    name = vr_cli_noun_cell(answer, "username");
    role = vr_cli_noun_cell(answer, "role");
    if (vr_out_is_names(&cli->out)) {
        printf("%s\n", name);
        return 0;
    }
    printf("%s (%s) at %s\n", name, role, vr_api_url(api));
    print_rights(answer);
    return 0;
}

static int read_expiry(const char *text, char **out, struct vr_err *err)
{
    char formatted[VR_WALL_TEXT_BYTES];
    struct vr_wall at;
    int r = vr_cli_time_parse(text, 1, &at, err);

    if (r < 0)
        return r;
    vr_wall_format(at, false, formatted);
    *out = vr_strdup(formatted);
    return 0;
}

static int token_body(struct vr_api *api, const struct values *v, const char *name, json_t *body,
                      struct vr_err *err)
{
    vr_auto_free char *app = NULL, *expires = NULL;
    int r = 0;

    vr_json_set(body, "name", json_string(name));
    if (v->role)
        vr_json_set(body, "role", json_string(v->role));
    if (v->app)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("app"), v->app, &app, err);
    if (app)
        vr_json_set(body, "app", json_string(app));
    if (r >= 0 && v->expires)
        r = read_expiry(v->expires, &expires, err);
    if (expires)
        vr_json_set(body, "expires", json_string(expires));
    return r;
}

static int run_token_create(struct vr_cli *cli, const void *opts, int argc, char **argv,
                            struct vr_err *err)
{
    vr_auto_json json_t *body = json_object();
    vr_auto_json json_t *answer = NULL;
    const char *token;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = token_body(api, opts, argv[0], body, err);
    if (r >= 0)
        r = vr_api_send(api, "POST", "/api/v1/tokens/", body, &answer, err);
    if (r >= 0)
        r = vr_json_get_str(answer, "token", &token, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, answer, err);
    vr_say(&cli->out, "This is the only time that the token is shown:");
    printf("%s\n", token);
    return 0;
}

static int run_token_list(struct vr_cli *cli, const void *opts, int argc, char **argv,
                          struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"ID", "id"},
        {"NAME", "name"},
        {"ROLE", "role"},
        {"APP", "app"},
        {"EXPIRES", "expires"},
        {"LAST USED", "last_used"},
        {"CREATED", "created", true},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "id",
                                             "You have no token."};
    vr_auto_json json_t *list = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_list(api, "/api/v1/tokens/", NULL, &list, err);
    return r < 0 ? r : vr_list_show(&cli->out, list, &view, err);
}

static int run_token_rm(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++) {
        vr_auto_free char *id = vr_uri_encode(argv[i]);
        vr_auto_free char *path = vr_strf("/api/v1/tokens/%s/", id);

        r = vr_api_send(api, "DELETE", path, NULL, NULL, err);
        if (r < 0)
            return vr_fail_in(err, r, "token %s", argv[i]);
        vr_say(&cli->out, "token %s removed", argv[i]);
    }
    return r;
}

/* The path of our own user's password. */
static int password_path(struct vr_api *api, char **out, struct vr_err *err)
{
    vr_auto_json json_t *me = NULL, *user = NULL;
    const char *name;
    vr_auto_free char *id = NULL;
    int r = vr_api_get(api, "/api/v1/whoami/", &me, err);

    if (r >= 0)
        r = vr_json_get_str(me, "username", &name, err);
    if (r >= 0)
        r = vr_cli_noun_get(api, vr_cli_noun_find("user"), name, &user, err);
    if (r < 0)
        return r;
    id = vr_cli_noun_cell(user, "id");
    *out = vr_strf("/api/v1/user/%s/password/", id);
    return 0;
}

static int run_passwd(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_secret char *old = NULL, *new = NULL, *again = NULL;
    vr_auto_free char *path = NULL;
    vr_auto_json json_t *body = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = password_path(api, &path, err);
    if (r < 0)
        return r;
    r = v->password_stdin ? vr_secret_read(&old, err) : vr_secret_ask("Old password: ", &old, err);
    if (r >= 0)
        r = v->password_stdin ? vr_secret_read(&new, err)
                              : vr_secret_ask("New password: ", &new, err);
    if (r >= 0 && !v->password_stdin)
        r = vr_secret_ask("New password again: ", &again, err);
    if (r < 0)
        return r;
    if (again && strcmp(new, again) != 0)
        return vr_fail(err, VR_INVALID, "the two new passwords differ; nothing was changed");
    body = json_pack("{s:s,s:s}", "old", old, "new", new);
    r = body ? vr_api_send(api, "POST", path, body, NULL, err)
             : vr_fail(err, VR_INVALID, "the password is not UTF-8");
    if (r >= 0)
        vr_say(&cli->out, "The password was changed.");
    return r;
}

static const struct vr_command token_verbs[] = {
    {.name = "create add",
     .args = "NAME",
     .summary = "Make a token for a program, shown once",
     VR_COMMAND_OPTS(token_opts, struct values),
     .min_args = 1,
     .max_args = 1,
     .run = run_token_create},
    {.name = "list ls", .summary = "List your tokens", .run = run_token_list},
    {.name = "rm remove delete",
     .args = "ID…",
     .summary = "Revoke tokens",
     .min_args = 1,
     .max_args = -1,
     .run = run_token_rm},
    {NULL},
};

const struct vr_command vr_account_commands[] = {
    {.name = "login",
     .group = "people",
     .args = "[URL]",
     .summary = "Log in to a server and remember it",
     .details = "Trades user name and password for a token, kept in\n"
                "~/.config/velociraptor/config.yaml (mode 0600). The password is not stored.",
     VR_COMMAND_OPTS(login_opts, struct values),
     .max_args = 1,
     .run = run_login},
    {.name = "logout",
     .args = "[URL]",
     .summary = "Revoke the token and forget the server",
     .max_args = 1,
     .run = run_logout},
    {.name = "whoami", .summary = "Show who you are to the server", .run = run_whoami},
    {.name = "token", .summary = "Tokens for programs: create, list, rm", .subs = token_verbs},
    {.name = "passwd",
     .summary = "Change your password",
     .details = "With --password-stdin: the old one on the first line, the new one on the second.",
     VR_COMMAND_OPTS(login_opts, struct values),
     .run = run_passwd},
    {NULL},
};
