/* SPDX-License-Identifier: MIT */
/* vr secret set|list|rm, vr keys list|rotate.
 *
 * A value is typed without echo or comes from standard input, never from the command line, which
 * every process of a machine can read. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/secret_input.h"
#include "core/str.h"
#include "fmt/json.h"

#include <string.h>

struct values {
    bool config;
    bool yes;
};

static const struct vr_opt secret_opts[] = {
    {"config", 0, VR_OPT_FLAG, offsetof(struct values, config), NULL,
     "a key of the configuration instead of a variable of the environment"},
};

static const struct vr_opt rm_opts[] = {
    {"config", 0, VR_OPT_FLAG, offsetof(struct values, config), NULL,
     "a key of the configuration instead of a variable of the environment"},
    {"yes", 'y', VR_OPT_FLAG, offsetof(struct values, yes), NULL, "do not ask"},
};

/* The noun of the first argument: ingredients and swarms have secrets. */
static int noun_of(const char *word, const struct vr_cli_noun **out, struct vr_err *err)
{
    if (!vr_streq(word, "ingredient") && !vr_streq(word, "swarm"))
        return vr_fail(err, VR_INVALID, "'%s' has no secrets, but ingredient and swarm have", word);
    *out = vr_cli_noun_find(word);
    return 0;
}

/* PATCH one secret; a NULL value takes it away. */
static int change(struct vr_cli *cli, const struct vr_cli_noun *noun, char **argv, bool config,
                  const char *value, struct vr_err *err)
{
    vr_auto_free char *uri = NULL;
    vr_auto_json json_t *body = NULL;
    json_t *text = value ? json_string(value) : json_null();
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (!text)
        return vr_fail(err, VR_INVALID, "the value of %s is not UTF-8", argv[2]);
    body = json_pack("{s:{s:{s:o}}}", "secrets", config ? "config" : "env", argv[2], text);
    if (r >= 0)
        r = vr_cli_noun_uri(api, noun, argv[1], &uri, err);
    if (r >= 0)
        r = vr_api_send(api, "PATCH", uri, body, NULL, err);
    return r;
}

static int run_set(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    bool from_stdin = argc > 3 || !isatty(STDIN_FILENO);
    vr_auto_free char *prompt = vr_strf("Value of %s: ", argv[2]);
    vr_auto_secret char *value = NULL;
    const struct vr_cli_noun *noun;
    int r = noun_of(argv[0], &noun, err);

    if (r >= 0 && argc > 3 && strcmp(argv[3], "-") != 0)
        return vr_fail(err, VR_INVALID,
                       "a value on the command line can be seen by others; give - and send it to "
                       "standard input, or type it");
    if (r >= 0)
        r = from_stdin ? vr_secret_read_all(&value, err) : vr_secret_ask(prompt, &value, err);
    if (r >= 0 && !*value)
        return vr_fail(err, VR_INVALID, "the value is empty; to take %s away: vr secret rm",
                       argv[2]);
    if (r >= 0)
        r = change(cli, noun, argv, v->config, value, err);
    if (r >= 0)
        vr_say(&cli->out, "secret %s of %s %s is set; it acts with the next rollout", argv[2],
               noun->name, argv[1]);
    return r;
}

static int run_rm(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_free char *question = vr_strf("Remove secret %s of %s %s?", argv[2], argv[0], argv[1]);
    const struct vr_cli_noun *noun;
    int r = noun_of(argv[0], &noun, err);

    if (r >= 0) {
        r = vr_out_confirm(&cli->out, v->yes, question, err);
        if (r <= 0)
            return r < 0 ? r : VR_EXIT_FAILED;
        r = change(cli, noun, argv, v->config, NULL, err);
    }
    if (r >= 0)
        vr_say(&cli->out, "secret %s of %s %s removed", argv[2], noun->name, argv[1]);
    return r;
}

/* The names of one object's secrets, a row for each. */
static void add_rows(json_t *rows, const struct vr_cli_noun *noun, const json_t *object)
{
    static const char *const parts[] = {"env", "config"};
    vr_auto_free char *label = vr_cli_noun_label(noun, object);

    for (size_t i = 0; i < VR_COUNT(parts); i++) {
        const char *key;
        json_t *entry;

        json_object_foreach (json_object_get(json_object_get(object, "secrets"), parts[i]), key,
                             entry) {
            json_t *row = json_pack("{s:s,s:s,s:s,s:s}", "noun", noun->name, "object", label,
                                    "part", parts[i], "key", key);

            json_object_set(row, "set", json_object_get(entry, "set"));
            json_object_set(row, "by", json_object_get(entry, "by"));
            vr_json_push(rows, row);
        }
    }
}

static int run_list(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"NOUN", "noun"}, {"NAME", "object"}, {"IN", "part"},
        {"KEY", "key"},   {"SET", "set"},     {"BY", "by"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "key",
                                             "There is no secret."};
    static const char *const words[] = {"ingredient", "swarm"};
    vr_auto_json json_t *rows = json_array();
    const struct vr_cli_noun *noun = NULL;
    struct vr_api *api;
    int r = argc ? noun_of(argv[0], &noun, err) : 0;

    if (r >= 0)
        r = vr_cli_api(cli, &api, err);
    for (size_t i = 0; i < VR_COUNT(words) && r >= 0; i++) {
        const struct vr_cli_noun *each = vr_cli_noun_find(words[i]);
        vr_auto_json json_t *list = NULL, *one = NULL;
        json_t *object;
        size_t k;

        if (noun && noun != each)
            continue;
        if (argc > 1) {
            r = vr_cli_noun_get(api, each, argv[1], &one, err);
            if (r >= 0)
                add_rows(rows, each, one);
            continue;
        }
        r = vr_api_list(api, each->path, NULL, &list, err);
        json_array_foreach (list, k, object)
            add_rows(rows, each, object);
    }
    return r < 0 ? r : vr_list_show(&cli->out, rows, &view, err);
}

static int run_keys(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"KEY", "id"},
        {"CREATED", "created"},
        {"VALUES", "values"},
        {"SEALS NEW ONES", "seals"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "id", "There is no key."};
    vr_auto_json json_t *answer = NULL;
    json_t *list;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_get(api, "/api/v1/keys/", &answer, err);
    if (r >= 0)
        r = vr_json_get_array(answer, "objects", &list, err);
    return r < 0 ? r : vr_list_show(&cli->out, list, &view, err);
}

static int run_rotate(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    vr_auto_json json_t *answer = NULL;
    vr_auto_free char *sealed = NULL, *dropped = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_send(api, "POST", "/api/v1/keys/rotate/", NULL, &answer, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, answer, err);
    sealed = vr_cli_noun_cell(answer, "sealed");
    dropped = vr_cli_noun_cell(answer, "dropped.#");
    vr_say(&cli->out, "There is a new key: %s values were sealed anew, %s old keys dropped.",
           sealed, dropped);
    return 0;
}

static const struct vr_command secret_verbs[] = {
    {.name = "set",
     .args = "ingredient|swarm NAME KEY [-]",
     .summary = "Set a secret; its value is typed, or read from standard input (-)",
     VR_COMMAND_OPTS(secret_opts, struct values),
     .min_args = 3,
     .max_args = 4,
     .run = run_set},
    {.name = "list ls",
     .args = "[ingredient|swarm [NAME]]",
     .summary = "List the names of secrets and who set them; values are not given out",
     .max_args = 2,
     .run = run_list},
    {.name = "rm remove delete",
     .args = "ingredient|swarm NAME KEY",
     .summary = "Remove a secret",
     VR_COMMAND_OPTS(rm_opts, struct values),
     .min_args = 3,
     .max_args = 3,
     .run = run_rm},
    {NULL},
};

static const struct vr_command key_verbs[] = {
    {.name = "list ls", .summary = "List the keys that seal secrets", .run = run_keys},
    {.name = "rotate",
     .summary = "Make a new key, seal all secrets with it, drop the old ones",
     .run = run_rotate},
    {NULL},
};

const struct vr_command vr_secret_commands[] = {
    {.name = "secret",
     .summary = "Secrets of ingredients and swarms: set, list, rm",
     .subs = secret_verbs},
    {.name = "keys", .summary = "The keys that seal secrets: list, rotate", .subs = key_verbs},
    {NULL},
};
