/* SPDX-License-Identifier: MIT */
/* What every command of the command line shares. */
#include "cli/cli.h"

#include "cli/api.h"
#include "core/own.h"

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
    {"quiet", 'q', VR_OPT_FLAG, offsetof(struct vr_cli_flags, quiet), NULL,
     "say nothing but results and errors"},
    {"version", 0, VR_OPT_FLAG, offsetof(struct vr_cli_flags, version), NULL, NULL},
    {"help", 'h', VR_OPT_FLAG, offsetof(struct vr_cli_flags, help), NULL, "show this"},
};

const size_t vr_cli_option_count = VR_COUNT(vr_cli_options);

int vr_cli_settle(struct vr_cli *cli, struct vr_err *err)
{
    cli->out.quiet = cli->flags.quiet;
    if (cli->flags.json)
        cli->out.format = VR_OUT_JSON;
    if (cli->flags.output)
        return vr_out_format_parse(cli->flags.output, &cli->out.format, err);
    return 0;
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
            r = vr_api_open(&config, &cli->api, err);
        if (r < 0)
            return r;
    }
    *out = cli->api;
    return 0;
}

void vr_cli_fini(struct vr_cli *cli)
{
    cli->api = vr_api_close(cli->api);
}
