/* SPDX-License-Identifier: MIT */
/* vr testrun list|show, vr uptests. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/list_view.h"
#include "cli/noun.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"

#include <string.h>
#include <unistd.h>

#define POLL_MS 300 /* between two looks at a run that is waited for */
#define LATEST  "/api/v1/testruns/latest/?format=json&limit=9999"

struct values {
    bool run, wait;
    struct vr_opt_list exclude;
};

static const struct vr_opt uptests_opts[] = {
    {"run", 0, VR_OPT_FLAG, offsetof(struct values, run), NULL,
     "begin a test run now: of all procs, or of the swarms that match FILTER"},
    {"wait", 'w', VR_OPT_FLAG, offsetof(struct values, wait), NULL,
     "with --run: wait for its end; the exit code is 1 if anything failed"},
    {"exclude", 'x', VR_OPT_LIST, offsetof(struct values, exclude), "PATTERN",
     "leave out swarms whose name contains it"},
};

/* What failed, or what did not: the results of a run that have this value. */
static json_t *results_of(const json_t *run, bool passed)
{
    json_t *list = json_array(), *result;
    size_t i;

    json_array_foreach (json_object_get(run, "testresults"), i, result) {
        if (json_is_true(json_object_get(result, "passed")) == passed)
            json_array_append(list, result);
    }
    return list;
}

/* As the original printed it, and scripts read it: nothing if all is well. */
static int print_failures(const json_t *failures, struct vr_err *err)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VR_OUT_BYTES);
    const json_t *result;
    size_t i;

    json_array_foreach (failures, i, result) {
        vr_auto_free char *name = vr_cli_noun_cell(result, "procname");
        const char *results = json_string_value(json_object_get(result, "results"));

        vr_buf_addf(&text, "%s failed:\n%s\n", name, results ? results : "");
    }
    return vr_out_flush(&text, err);
}

/* Begin a run of all procs, or of one swarm's; *out_path is given. */
static int begin(struct vr_api *api, const json_t *swarm, char **out_path, struct vr_err *err)
{
    vr_auto_json json_t *body = json_object();

    if (swarm)
        json_object_set(body, "swarm", json_object_get(swarm, "resource_uri"));
    return vr_api_create(api, "/api/v1/testruns/", body, out_path, err);
}

/* Look at a run until it has ended, and print what failed. Returns an exit code. */
static int await_end(struct vr_cli *cli, struct vr_api *api, const char *path, struct vr_err *err)
{
    vr_auto_json json_t *run = NULL, *failures = NULL;
    size_t count;
    int r;

    for (;;) {
        r = vr_api_get(api, path, &run, err);
        if (r < 0)
            return r;
        if (json_is_string(json_object_get(run, "end")))
            break;
        json_decref(vr_take(run));
        usleep(POLL_MS * 1000);
    }
    failures = results_of(run, false);
    count = json_array_size(json_object_get(run, "testresults"));
    vr_say(&cli->out, "%zu procs tested, %zu failed", count, json_array_size(failures));
    r = vr_out_is_data(&cli->out) ? vr_out_value(&cli->out, run, err)
                                  : print_failures(failures, err);
    return r < 0 ? r : json_array_size(failures) ? VR_EXIT_FAILED : VR_EXIT_OK;
}

/* `--run`: one run for each swarm that matches, or one for all procs. */
static int start_runs(struct vr_cli *cli, struct vr_api *api, const struct values *v,
                      const char *pattern, struct vr_err *err)
{
    vr_auto_json json_t *swarms = json_array(), *paths = json_array();
    const json_t *item;
    size_t i, count;
    int r = 0, code = VR_EXIT_OK;

    if (pattern) {
        json_decref(vr_take(swarms));
        r = vr_swarms_need(api, pattern, &v->exclude, &swarms, err);
    }
    count = pattern ? json_array_size(swarms) : 1;
    for (i = 0; i < count && r >= 0; i++) {
        vr_auto_free char *path = NULL;

        r = begin(api, json_array_get(swarms, i), &path, err);
        if (r >= 0)
            vr_json_push(paths, json_string(path));
        if (r >= 0 && !v->wait)
            vr_say(&cli->out, "Begun; see: vr testrun list");
    }
    json_array_foreach (paths, i, item) {
        if (r >= 0 && v->wait)
            r = await_end(cli, api, json_string_value(item), err);
        code = r > 0 ? r : code;
    }
    return r < 0 ? r : code;
}

static int run_uptests(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const struct values *v = opts;
    vr_auto_json json_t *run = NULL, *failures = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0 && v->run)
        return start_runs(cli, api, v, argc ? argv[0] : NULL, err);
    if (argc || v->wait)
        return vr_fail(err, VR_INVALID, "a FILTER and --wait go with --run, which begins a run");
    if (r >= 0)
        r = vr_api_get(api, LATEST, &run, err);
    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "no test run has ended yet");
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, run, err);
    failures = results_of(run, false);
    return print_failures(failures, err);
}

static int run_list(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"ID", "id"},         {"START", "start"},   {"END", "end"},
        {"PASSED", "passed"}, {"FAILED", "failed"}, {"PROCS", "procs"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "id",
                                             "No test run was made yet."};
    vr_auto_json json_t *page = NULL, *list = NULL;
    struct vr_api *api;
    json_t *run, *objects;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_get(api, "/api/v1/testruns/?limit=20", &page, err);
    if (r >= 0)
        r = vr_json_get_array(page, "objects", &objects, err);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, objects, err);
    list = json_array();
    json_array_foreach (objects, i, run) {
        vr_auto_json json_t *passed = results_of(run, true), *failed = results_of(run, false);
        json_t *row = json_copy(run);

        vr_json_set(row, "passed", json_integer((json_int_t)json_array_size(passed)));
        vr_json_set(row, "failed", json_integer((json_int_t)json_array_size(failed)));
        vr_json_set(row, "procs",
                    json_integer((json_int_t)json_array_size(json_object_get(run, "testresults"))));
        vr_json_push(list, row);
    }
    return vr_list_show(&cli->out, list, &view, err);
}

static int run_show(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    static const struct vr_column columns[] = {
        {"PASSED", "passed"},
        {"HOST", "hostname"},
        {"PROC", "procname"},
        {"TESTS", "testcount"},
    };
    static const struct vr_list_view view = {columns, VR_COUNT(columns), "procname",
                                             "It tested no proc."};
    vr_auto_json json_t *run = NULL, *failures = NULL;
    vr_auto_free char *path = vr_strf("/api/v1/testruns/%s/", argv[0]);
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (!vr_str_is_made_of(argv[0], "0123456789", 1, 18) && !vr_streq(argv[0], "latest"))
        return vr_fail(err, VR_INVALID, "'%s' is no number of a test run, nor 'latest'", argv[0]);
    if (r >= 0)
        r = vr_api_get(api, path, &run, err);
    if (r == -VR_NOT_FOUND)
        return vr_fail(err, VR_NOT_FOUND, "there is no test run %s", argv[0]);
    if (r < 0)
        return r;
    if (vr_out_is_data(&cli->out))
        return vr_out_value(&cli->out, run, err);
    r = vr_list_show(&cli->out, json_object_get(run, "testresults"), &view, err);
    failures = results_of(run, false);
    return r < 0 || vr_out_is_names(&cli->out) ? r : print_failures(failures, err);
}

static const struct vr_command verbs[] = {
    {.name = "list ls", .summary = "List the newest test runs", .run = run_list},
    {.name = "show",
     .args = "ID",
     .summary = "Show what a test run found; 'latest' is the last one that ended",
     .min_args = 1,
     .max_args = 1,
     .run = run_show},
    {NULL},
};

const struct vr_command vr_testrun_commands[] = {
    {.name = "uptests",
     .args = "[FILTER]",
     .summary = "Print what failed in the latest test run; nothing if all passed",
     .details = "Exits with 0 whether or not something failed; with --run --wait only if nothing "
                "did.",
     VR_COMMAND_OPTS(uptests_opts, struct values),
     .max_args = 1,
     .run = run_uptests},
    {.name = "testrun", .summary = "Test runs: list, show", .subs = verbs},
    {NULL},
};
