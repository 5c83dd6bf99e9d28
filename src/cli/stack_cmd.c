/* SPDX-License-Identifier: MIT */
/* vr stack script, vr image activate|deactivate. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/noun.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"
#include "sys/fs.h"

#include <string.h>

#define SCRIPT_BYTES (1u << 20) /* the server takes no longer body */

struct values {
    const char *name;
};

static const struct vr_opt script_opts[] = {
    {"name", 0, VR_OPT_TEXT, offsetof(struct values, name), "NAME",
     "its name at the server (that of the file)"},
};

static int run_script(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    const struct values *v = opts;
    bool from_stdin = vr_streq(argv[1], "-");
    const char *slash = strrchr(argv[1], '/');
    const char *name = v->name ? v->name : slash ? slash + 1 : argv[1];
    vr_auto_free char *uri = NULL, *text = NULL, *encoded = vr_uri_encode(name), *path = NULL;
    struct vr_api_request request = {.method = "PUT"};
    struct vr_api *api;
    int r;

    if (from_stdin && !v->name)
        return vr_fail(err, VR_INVALID, "a script from standard input needs a --name");
    r = from_stdin ? vr_fd_read_all(STDIN_FILENO, SCRIPT_BYTES, &text, &request.raw_bytes, err)
                   : vr_fs_read(argv[1], SCRIPT_BYTES, &text, &request.raw_bytes, err);
    if (r < 0)
        return vr_fail_in(err, r, "%s", argv[1]);
    r = vr_cli_api(cli, &api, err);
    if (r >= 0)
        r = vr_cli_noun_uri(api, vr_cli_noun_find("stack"), argv[0], &uri, err);
    if (r < 0)
        return r;
    request.path = path = vr_strf("%sscript/?name=%s", uri, encoded);
    request.raw = text;
    r = vr_api_request(api, &request, NULL, err);
    if (r >= 0)
        vr_say(&cli->out, "stack %s has the script %s", argv[0], name);
    return r;
}

/* Which of the two is the command's argument: NULL is to deactivate. */
static int run_activate(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    bool active = cli->command->arg != NULL;
    vr_auto_json json_t *body = json_pack("{s:b}", "active", active);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    for (int i = 0; i < argc && r >= 0; i++) {
        vr_auto_free char *uri = NULL;

        r = vr_cli_noun_uri(api, vr_cli_noun_find("image"), argv[i], &uri, err);
        if (r >= 0)
            r = vr_api_send(api, "PATCH", uri, body, NULL, err);
        if (r >= 0)
            vr_say(&cli->out, "image %s is %sactive", argv[i], active ? "" : "no longer ");
    }
    return r;
}

static const struct vr_command stack_verbs[] = {
    {.name = "script",
     .args = "STACK FILE",
     .summary = "Upload the script that provisions its images; - is standard input",
     VR_COMMAND_OPTS(script_opts, struct values),
     .min_args = 2,
     .max_args = 2,
     .run = run_script},
    {NULL},
};

static const struct vr_command image_verbs[] = {
    {.name = "activate",
     .args = "IMAGE…",
     .summary = "Let builds of its stack use an image; the newest active one counts",
     .min_args = 1,
     .max_args = -1,
     .run = run_activate,
     .arg = "active"},
    {.name = "deactivate",
     .args = "IMAGE…",
     .summary = "Let no further build use an image",
     .min_args = 1,
     .max_args = -1,
     .run = run_activate},
    {NULL},
};

const struct vr_command vr_stack_commands[] = {
    {.name = "stack", .subs = stack_verbs},
    {.name = "image", .subs = image_verbs},
    {NULL},
};
