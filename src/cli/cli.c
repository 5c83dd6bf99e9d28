/* SPDX-License-Identifier: MIT */
/* What every command of the command line shares. */
#include "cli/cli.h"

#include "cli/api.h"
#include "cli/secret_input.h"
#include "core/str.h"

#include <string.h>
#include <strings.h>

#define LEVEL_STEP 10 /* between two levels of Python's logging */

const struct vr_opt vr_cli_options[] = {
    {"url", 0, VR_OPT_TEXT, offsetof(struct vr_cli_flags, url), "URL",
     "the server (VR_URL; else where you logged in)"},
    {"username", 0, VR_OPT_TEXT, offsetof(struct vr_cli_flags, username), "NAME",
     "who you are there (VR_USERNAME, with VR_PASSWORD or VR_TOKEN)"},
    {"insecure", 0, VR_OPT_FLAG, offsetof(struct vr_cli_flags, insecure), NULL,
     "allow http:// to another machine, and certificates that nobody vouches for"},
    {"output", 'o', VR_OPT_TEXT, offsetof(struct vr_cli_flags, output), "FORMAT",
     "table, wide, json, yaml or name"},
    {"json", 0, VR_OPT_FLAG, offsetof(struct vr_cli_flags, json), NULL, "the same as -o json"},
    {"log-level", 'l', VR_OPT_TEXT, offsetof(struct vr_cli_flags, log_level), "LEVEL",
     "DEBUG shows every request; INFO, WARNING (default), ERROR or a number"},
    {"quiet", 'q', VR_OPT_FLAG, offsetof(struct vr_cli_flags, quiet), NULL,
     "say nothing but results and errors"},
    {"version", 0, VR_OPT_FLAG, offsetof(struct vr_cli_flags, version), NULL, NULL},
    {"help", 'h', VR_OPT_FLAG, offsetof(struct vr_cli_flags, help), NULL, "show this"},
};

const size_t vr_cli_option_count = VR_COUNT(vr_cli_options);

/* The old client's levels, as Python numbers them. */
static int parse_level(const char *text, int64_t *out, struct vr_err *err)
{
    static const char *const names[] = {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"};

    for (size_t i = 0; i < VR_COUNT(names); i++) {
        if (!strcasecmp(text, names[i])) {
            *out = (int64_t)(i + 1) * LEVEL_STEP;
            return 0;
        }
    }
    if (vr_parse_i64(vr_str(text), 0, 1000, out, NULL) < 0)
        return vr_fail(err, VR_INVALID,
                       "log level '%s' is none of DEBUG, INFO, WARNING, ERROR, nor a number", text);
    return 0;
}

int vr_cli_settle(struct vr_cli *cli, struct vr_err *err)
{
    int64_t level = LEVEL_STEP * 3;
    int r = cli->flags.log_level ? parse_level(cli->flags.log_level, &level, err) : 0;

    if (r < 0)
        return r;
    cli->trace = level <= LEVEL_STEP;
    cli->out.quiet = cli->flags.quiet || level > LEVEL_STEP * 3;
    if (cli->flags.json)
        cli->out.format = VR_OUT_JSON;
    if (cli->flags.output)
        return vr_out_format_parse(cli->flags.output, &cli->out.format, err);
    return 0;
}

/* Who was named, but with neither password nor token, is asked on a terminal, as the old client
 * did.
 */
static int ask_password(const struct vr_cli *cli, struct vr_config *config, struct vr_err *err)
{
    vr_auto_free char *prompt = NULL;
    const char *host = strstr(config->url, "://");

    if (config->token || config->password || !config->username || !cli->out.ask)
        return 0;
    host = host ? host + 3 : config->url;
    prompt = vr_strf("%s@%.*s's password: ", config->username, (int)strcspn(host, "/"), host);
    return vr_secret_ask(prompt, &config->password, err);
}

int vr_cli_api(struct vr_cli *cli, struct vr_api **out, struct vr_err *err)
{
    __attribute__((cleanup(vr_config_fini))) struct vr_config config = VR_CONFIG_NULL;
    vr_auto_free char *path = vr_config_path();
    struct vr_config_spec spec = {.url = cli->flags.url,
                                  .username = cli->flags.username,
                                  .insecure = cli->flags.insecure,
                                  .env = (vr_config_env_fn)getenv,
                                  .path = path};
    int r;

    if (!cli->api) {
        r = vr_config_load(&spec, &config, err);
        if (r >= 0)
            r = ask_password(cli, &config, err);
        if (r >= 0)
            r = vr_api_open(&config, &cli->api, err);
        if (r < 0)
            return r;
        if (cli->trace)
            vr_api_trace(cli->api);
    }
    *out = cli->api;
    return 0;
}

void vr_cli_fini(struct vr_cli *cli)
{
    cli->api = vr_api_close(cli->api);
}
