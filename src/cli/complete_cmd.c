/* SPDX-License-Identifier: MIT */
/* vr completion bash|zsh|fish, vr __complete, vr __commands. */
#include "cli/commands.h"
#include "cli/complete.h"
#include "cli/exit.h"
#include "cli/tree.h"
#include "core/embed.h"
#include "core/str.h"
#include "fmt/json.h"

#include <string.h>

/* The scripts vr.bash, vr.fish, vr.zsh. */
extern const struct vr_embed vr_cli_completions[];
extern const size_t vr_cli_completions_count;

static int run_completion(struct vr_cli *cli, const void *opts, int argc, char **argv,
                          struct vr_err *err)
{
    vr_auto_free char *name = vr_strf("vr.%s", argv[0]);
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);

    for (size_t i = 0; i < vr_cli_completions_count; i++) {
        if (!vr_streq(vr_cli_completions[i].name, name))
            continue;
        vr_buf_add_n(&text, (const char *)vr_cli_completions[i].bytes, vr_cli_completions[i].size);
        return vr_out_flush(&text, err);
    }
    return vr_fail(err, VR_INVALID, "there is no completion for '%s', only for bash, zsh and fish",
                   argv[0]);
}

static int run_complete(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);

    if (argc && vr_streq(argv[0], "--")) {
        argc--;
        argv++;
    }
    vr_complete(cli, argc, argv, &text);
    return vr_out_flush(&text, err);
}

static const char *name_of_type(enum vr_opt_type type)
{
    switch (type) {
    case VR_OPT_FLAG:
        return "flag";
    case VR_OPT_TEXT:
        return "text";
    case VR_OPT_INT:
        return "integer";
    case VR_OPT_LIST:
        return "repeated";
    case VR_OPT_WORDS:
        return "words";
    }
    return "";
}

static json_t *options_json(const struct vr_opt *opts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        char letter[2] = {opts[i].letter, '\0'};
        json_t *o = json_object();

        vr_json_set(o, "name", json_string(opts[i].name));
        vr_json_set(o, "letter", *letter ? json_string(letter) : json_null());
        vr_json_set(o, "type", json_string(name_of_type(opts[i].type)));
        vr_json_set(o, "value", vr_json_str_or_null(opts[i].value));
        vr_json_set(o, "help", vr_json_str_or_null(opts[i].help));
        vr_json_push(list, o);
    }
    return list;
}

static void add_command(void *user, const char *path, const struct vr_command *c)
{
    const char *more = strchr(c->name, ' ');
    json_t *o = json_object();

    vr_json_set(o, "name", json_string(path));
    vr_json_set(o, "aliases", json_string(more ? more + 1 : ""));
    vr_json_set(o, "args", json_string(c->args ? c->args : ""));
    vr_json_set(o, "min_args", json_integer(c->min_args));
    vr_json_set(o, "max_args", json_integer(c->max_args));
    vr_json_set(o, "summary", json_string(c->summary));
    vr_json_set(o, "options", options_json(c->opts, c->opt_count));
    vr_json_push(user, o);
}

/* The whole table, for tests of what the web interface tells people to type. */
static int run_commands(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    vr_auto_json json_t *table = json_object();
    json_t *commands = json_array();
    struct vr_out out = cli->out;

    vr_tree_each(cli->root, add_command, commands);
    vr_json_set(table, "version", json_string(VR_VERSION));
    vr_json_set(table, "commands", commands);
    vr_json_set(table, "options", options_json(vr_cli_options, vr_cli_option_count));
    if (out.format != VR_OUT_YAML)
        out.format = VR_OUT_JSON;
    return vr_out_value(&out, table, err);
}

const struct vr_command vr_complete_commands[] = {
    {.name = "completion",
     .args = "bash|zsh|fish",
     .summary = "Print the script that completes words in a shell",
     .details = "bash:  eval \"$(vr completion bash)\"          in ~/.bashrc\n"
                "zsh:   eval \"$(vr completion zsh)\"           in ~/.zshrc, after compinit\n"
                "fish:  vr completion fish | source           in ~/.config/fish/config.fish\n\n"
                "Names come from the server that you are logged in to; if it does not answer\n"
                "within a second, commands and options complete all the same.",
     .min_args = 1,
     .max_args = 1,
     .run = run_completion},
    {.name = "__complete", .raw = true, .run = run_complete},
    {.name = "__commands", .run = run_commands},
    {NULL},
};
