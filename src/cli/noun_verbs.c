/* SPDX-License-Identifier: MIT */
/* What the verbs of a noun do: list, show, add, set, rm. */
#include "cli/noun_verbs.h"

#include "cli/api.h"
#include "cli/cli.h"
#include "cli/exit.h"
#include "cli/history.h"
#include "cli/list_view.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/env.h"
#include "fmt/json.h"
#include "fmt/yaml.h"

#include <regex.h>
#include <stdio.h>
#include <string.h>

#define STATUS_CHANGED 412 /* If-Match named another version */

bool vr_cli_noun_is_swarm(const struct vr_cli_noun *noun)
{
    return !strcmp(noun->name, "swarm");
}

static const struct vr_cli_noun *noun_of(const struct vr_cli *cli)
{
    return cli->command->arg;
}

/* What stands for several objects on the command line: a filter for swarms, else a name. */
static int select_objects(struct vr_cli *cli, struct vr_api *api,
                          const struct vr_cli_noun_values *v, int argc, char **argv, json_t **out,
                          struct vr_err *err)
{
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_json json_t *list = json_array();

    for (int i = 0; i < argc; i++) {
        vr_auto_json json_t *found = NULL;
        int r = vr_cli_noun_is_swarm(noun) ? vr_swarms_need(api, argv[i], &v->exclude, &found, err)
                                           : vr_cli_noun_get(api, noun, argv[i], &found, err);

        if (r < 0)
            return r;
        if (json_is_array(found))
            json_array_extend(list, found);
        else
            json_array_append(list, found);
    }
    *out = vr_take(list);
    return 0;
}

static int print_names(const struct vr_cli_noun *noun, const json_t *list, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    const json_t *object;
    size_t i;

    json_array_foreach (list, i, object) {
        vr_auto_free char *label = vr_cli_noun_label(noun, object);

        vr_buf_addf(&text, "%s\n", label);
    }
    return vr_out_flush(&text, err);
}

/* The objects whose label contains the pattern. */
static int search(const struct vr_cli_noun *noun, const char *pattern, json_t **list,
                  struct vr_err *err)
{
    json_t *found = json_array();
    json_t *object;
    regex_t regex;
    size_t i;

    if (regcomp(&regex, pattern, REG_EXTENDED | REG_ICASE | REG_NOSUB)) {
        json_decref(found);
        return vr_fail(err, VR_INVALID, "pattern '%s' is not a regular expression", pattern);
    }
    json_array_foreach (*list, i, object) {
        vr_auto_free char *label = vr_cli_noun_label(noun, object);
        vr_auto_free char *app = vr_cli_noun_cell(object, "app");

        if (!regexec(&regex, label, 0, NULL, 0) || !regexec(&regex, app, 0, NULL, 0))
            json_array_append(found, object);
    }
    regfree(&regex);
    json_decref(*list);
    *list = found;
    return 0;
}

int vr_cli_noun_list_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                         struct vr_err *err)
{
    const struct vr_cli_noun_values *v = opts;
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_json json_t *list = NULL;
    vr_auto_free char *nothing = NULL;
    struct vr_list_view view;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r < 0)
        return r;
    if (vr_cli_noun_is_swarm(noun))
        r = vr_swarms_find(api, argc ? argv[0] : "", &v->exclude, &list, err);
    else
        r = vr_api_list(api, noun->path, NULL, &list, err);
    if (r >= 0 && argc && !vr_cli_noun_is_swarm(noun))
        r = search(noun, argv[0], &list, err);
    if (r < 0)
        return r;
    if (vr_out_is_names(&cli->out))
        return print_names(noun, list, err);
    nothing = argc ? vr_strf("No %s matches '%s'.", noun->name, argv[0])
                   : vr_strf("There is no %s yet.", noun->name);
    view = (struct vr_list_view){noun->columns, noun->column_count, NULL, nothing};
    return vr_list_show(&cli->out, list, &view, err);
}

int vr_cli_noun_show_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                         struct vr_err *err)
{
    vr_auto_json json_t *list = NULL;
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    struct vr_api *api;
    json_t *object;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = select_objects(cli, api, opts, argc, argv, &list, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, json_array_size(list) == 1 ? json_array_get(list, 0) : list,
                            err);
    if (cli->out.format == VR_OUT_NAME)
        return print_names(noun_of(cli), list, err);
    json_array_foreach (list, i, object) {
        vr_buf_add(&text, i ? "\n" : "");
        vr_object_write(&text, object);
    }
    return vr_out_flush(&text, err);
}

/* The server, which is told with every change why it is made. */
static int open_with_comment(struct vr_cli *cli, const struct vr_cli_noun_values *v,
                             struct vr_api **out, struct vr_err *err)
{
    int r = vr_cli_api(cli, out, err);

    return r < 0 ? r : vr_api_comment(*out, v->comment, err);
}

/* FIELD=VALUE: a field of the table means what its option means, any other is read as YAML. */
static int assign(struct vr_api *api, const struct vr_cli_noun *noun, const char *text,
                  json_t *body, struct vr_err *err)
{
    const char *eq = strchr(text, '=');
    vr_auto_free char *name = NULL;
    const struct vr_field *field;
    json_t *value = NULL;
    int r;

    if (!eq || eq == text)
        return vr_fail(err, VR_INVALID, "'%s' is not FIELD=VALUE", text);
    name = vr_strndup(text, (size_t)(eq - text));
    field = vr_cli_noun_field(noun, name);
    r = field ? vr_cli_noun_value(api, field, eq + 1, &value, err)
              : vr_yaml_resolve(vr_str(eq + 1), &value, err);
    if (r < 0)
        return r;
    vr_json_set(body, field ? field->name : name, value);
    return 0;
}

static int fill_body(struct vr_api *api, const struct vr_cli_noun *noun,
                     const struct vr_cli_noun_values *v, json_t *body, struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; i < noun->field_count && r >= 0; i++) {
        json_t *value = NULL;

        if (!v->fields[i])
            continue;
        r = vr_cli_noun_value(api, &noun->fields[i], v->fields[i], &value, err);
        if (r >= 0)
            vr_json_set(body, noun->fields[i].name, value);
    }
    for (size_t i = 0; i < v->set.count && r >= 0; i++)
        r = assign(api, noun, v->set.items[i], body, err);
    return r;
}

/* Put --env and --unset-env into the environment that `body`, or else the object, has. */
static int merge_env(const struct vr_cli_noun_values *v, const json_t *object, json_t *body,
                     struct vr_err *err)
{
    const char *text = json_string_value(json_object_get(body, "env_yaml"));
    vr_auto_json json_t *env = NULL;
    vr_auto_free char *yaml = NULL;
    int r;

    if (!v->env.count && !v->unset_env.count)
        return 0;
    if (!text)
        text = json_string_value(json_object_get(object, "env_yaml"));
    r = vr_yaml_parse(vr_str(text ? text : ""), &env, err);
    if (r < 0)
        return vr_fail_in(err, r, "env_yaml");
    if (!json_is_object(env)) {
        json_decref(env);
        env = json_object();
    }
    for (size_t i = 0; i < v->env.count; i++) {
        const char *eq = strchr(v->env.items[i], '=');
        vr_auto_free char *key =
            eq ? vr_strndup(v->env.items[i], (size_t)(eq - v->env.items[i])) : NULL;

        if (!key || !vr_env_is_key(key))
            return vr_fail(err, VR_INVALID, "'%s' is not KEY=VALUE", v->env.items[i]);
        vr_json_set(env, key, json_string(eq + 1));
    }
    for (size_t i = 0; i < v->unset_env.count; i++)
        json_object_del(env, v->unset_env.items[i]);
    yaml = vr_yaml_dump(env);
    vr_json_set(body, "env_yaml", json_string(yaml));
    return 0;
}

/* Tell of what was made or changed: the object itself if a format was asked for. */
static int report(struct vr_cli *cli, struct vr_api *api, const char *path, const char *what,
                  struct vr_err *err)
{
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_json json_t *object = NULL;
    vr_auto_free char *label = NULL;
    int r = vr_api_get(api, path, &object, err);

    if (r < 0)
        return r;
    label = vr_cli_noun_label(noun, object);
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, object, err);
    if (cli->out.format == VR_OUT_NAME) {
        puts(label);
        return 0;
    }
    vr_say(&cli->out, "%s %s %s", noun->name, label, what);
    if (vr_cli_noun_is_swarm(noun) && !strcmp(what, "added"))
        vr_say(&cli->out, "Start it with: vr swarm %s TAG --wait", label);
    if (vr_cli_noun_is_swarm(noun) && !strcmp(what, "changed"))
        vr_say(&cli->out, "It acts with the next rollout: vr swarm %s - --plan", label);
    return 0;
}

static int add_positionals(struct vr_api *api, const struct vr_cli_noun *noun, char **argv,
                           json_t *body, struct vr_err *err)
{
    const char *at = noun->added;

    for (int i = 0; *at; i++) {
        size_t n = strcspn(at, " ");
        vr_auto_free char *name = vr_strndup(at, n);
        const struct vr_field *field = vr_cli_noun_field(noun, name);
        json_t *value = NULL;
        int r = field ? vr_cli_noun_value(api, field, argv[i], &value, err) : 0;

        if (r < 0)
            return r;
        vr_json_set(body, name, field ? value : json_string(argv[i]));
        at += n + (at[n] == ' ');
    }
    return 0;
}

int vr_cli_noun_added_count(const struct vr_cli_noun *noun)
{
    const char *text = noun->added ? noun->added : "";
    int n = *text != '\0';

    for (; *text; text++)
        n += *text == ' ';
    return n;
}

int vr_cli_noun_add_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_json json_t *body = json_object();
    vr_auto_free char *path = NULL;
    struct vr_api *api;
    int named = vr_cli_noun_added_count(noun);
    int r = open_with_comment(cli, opts, &api, err);

    if (r >= 0)
        r = add_positionals(api, noun, argv, body, err);
    if (r >= 0)
        r = fill_body(api, noun, opts, body, err);
    for (int i = named; i < argc && r >= 0; i++)
        r = assign(api, noun, argv[i], body, err);
    if (r >= 0)
        r = merge_env(opts, NULL, body, err);
    if (r < 0)
        return r;
    if (vr_cli_noun_is_swarm(noun) && !json_object_get(body, "config_ingredients"))
        vr_json_set(body, "config_ingredients", json_array());
    r = vr_api_create(api, noun->path, body, &path, err);
    return r < 0 ? r : report(cli, api, path, "added", err);
}

/* Send a change of an object, or its end; tell who was first if its version is another one. */
static int send_change(struct vr_api *api, const char *method, const struct vr_cli_noun_values *v,
                       const struct vr_cli_noun *noun, const json_t *object, const json_t *body,
                       struct vr_err *err)
{
    vr_auto_free char *label = vr_cli_noun_label(noun, object);
    int status = 0;
    struct vr_api_request request = {
        .method = method, .body = body, .if_version = v->if_version.value, .out_status = &status};
    int r = vr_json_get_str(object, "resource_uri", &request.path, err);

    if (r >= 0)
        r = vr_api_request(api, &request, NULL, err);
    if (status == STATUS_CHANGED)
        return vr_history_conflict(api, noun, request.path, label, v->if_version.value, err);
    return r;
}

static int patch(struct vr_cli *cli, struct vr_api *api, const struct vr_cli_noun_values *v,
                 const json_t *object, const json_t *common, struct vr_err *err)
{
    vr_auto_json json_t *body = json_deep_copy(common);
    const char *uri;
    int r = vr_json_get_str(object, "resource_uri", &uri, err);

    if (r >= 0)
        r = merge_env(v, object, body, err);
    if (r >= 0)
        r = send_change(api, "PATCH", v, noun_of(cli), object, body, err);
    if (r >= 0)
        r = report(cli, api, uri, "changed", err);
    return r;
}

/* The server ignores what it does not know; a person who misspelt a field wants to hear of it. */
static int check_known(const struct vr_cli_noun *noun, const json_t *object, const json_t *body,
                       struct vr_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)body, key, value) {
        if (!vr_cli_noun_field(noun, key) && !json_object_get(object, key) &&
            !json_object_get(json_object_get(object, "policy"), key))
            return vr_fail(err, VR_INVALID, "%ss have no field '%s'", noun->name, key);
    }
    return 0;
}

int vr_cli_noun_set_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                        struct vr_err *err)
{
    const struct vr_cli_noun_values *v = opts;
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_json json_t *body = json_object();
    vr_auto_json json_t *list = NULL;
    struct vr_api *api;
    json_t *object;
    size_t i;
    int r = open_with_comment(cli, v, &api, err);

    if (r >= 0)
        r = fill_body(api, noun, v, body, err);
    for (int a = 1; a < argc && r >= 0; a++)
        r = assign(api, noun, argv[a], body, err);
    if (r < 0)
        return r;
    if (!json_object_size(body) && !v->env.count && !v->unset_env.count)
        return vr_fail(err, VR_INVALID, "nothing to set; see: vr %s set --help", noun->name);
    r = select_objects(cli, api, v, 1, argv, &list, err);
    for (i = 0; i < json_array_size(list) && r >= 0; i++)
        r = check_known(noun, json_array_get(list, i), body, err);
    if (r < 0)
        return r;
    if (vr_cli_noun_is_swarm(noun)) {
        r = vr_swarms_confirm(&cli->out, list, v->yes, "Change", err);
        if (r <= 0)
            return r < 0 ? r : VR_EXIT_FAILED;
    }
    json_array_foreach (list, i, object) {
        r = patch(cli, api, v, object, body, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int confirm_removal(struct vr_cli *cli, const struct vr_cli_noun_values *v,
                           const json_t *list, struct vr_err *err)
{
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_free char *label = vr_cli_noun_label(noun, json_array_get(list, 0));
    vr_auto_free char *question = NULL;

    if (json_array_size(list) == 1)
        question = vr_strf("Remove %s %s?", noun->name, label);
    else
        question = vr_strf("Remove %zu %ss?", json_array_size(list), noun->name);
    if (vr_cli_noun_is_swarm(noun))
        vr_swarms_preview(&cli->out, list);
    return vr_out_confirm(&cli->out, v->yes, question, err);
}

int vr_cli_noun_rm_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct vr_cli_noun *noun = noun_of(cli);
    vr_auto_json json_t *list = NULL;
    struct vr_api *api;
    json_t *object;
    size_t i;
    int r = open_with_comment(cli, opts, &api, err);

    if (r >= 0)
        r = select_objects(cli, api, opts, argc, argv, &list, err);
    if (r >= 0)
        r = confirm_removal(cli, opts, list, err);
    if (r <= 0)
        return r < 0 ? r : VR_EXIT_FAILED;
    json_array_foreach (list, i, object) {
        vr_auto_free char *label = vr_cli_noun_label(noun, object);

        r = send_change(api, "DELETE", opts, noun, object, NULL, err);
        if (r == -VR_EXISTS && vr_cli_noun_is_swarm(noun))
            vr_say(&cli->out, "Stop its procs first: vr scale %s 0 --wait", label);
        if (r < 0)
            return r;
        vr_say(&cli->out, "%s %s removed", noun->name, label);
    }
    return 0;
}

int vr_cli_noun_history_run(struct vr_cli *cli, const void *opts, int argc, char **argv,
                            struct vr_err *err)
{
    return vr_history_show(cli, noun_of(cli), argv[0], 0, err);
}
