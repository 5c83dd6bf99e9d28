/* SPDX-License-Identifier: MIT */
/* vr search, vr open. */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/list_view.h"
#include "cli/swarms.h"
#include "core/str.h"
#include "fmt/json.h"
#include "fmt/uri.h"

#include <stdio.h>

static int run_search(struct vr_cli *cli, const void *opts, int argc, char **argv,
                      struct vr_err *err)
{
    static const struct vr_column columns[] = {{"ID", "id"}, {"SWARM", "shortname"}};
    vr_auto_free char *text = vr_uri_encode(argv[0]);
    vr_auto_free char *path = vr_strf("/swarmsearch/?query=%s", text);
    vr_auto_free char *nothing =
        vr_strf("No swarm has '%s' in its app, tag, config or proc.", argv[0]);
    struct vr_list_view view = {columns, VR_COUNT(columns), "shortname", nothing};
    vr_auto_json json_t *list = NULL;
    struct vr_api *api;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_api_get(api, path, &list, err);
    return r < 0 ? r : vr_list_show(&cli->out, list, &view, err);
}

static int run_open(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    vr_auto_json json_t *swarms = NULL;
    struct vr_api *api;
    const json_t *swarm;
    size_t i;
    int r = vr_cli_api(cli, &api, err);

    if (r >= 0)
        r = vr_swarms_need(api, argv[0], NULL, &swarms, err);
    if (r < 0)
        return r;
    json_array_foreach (swarms, i, swarm) {
        int64_t id;

        r = vr_json_get_i64(swarm, "id", 1, INT64_MAX, &id, err);
        if (r < 0)
            return r;
        printf("%sswarms/%lld\n", vr_api_url(api), (long long)id);
    }
    return 0;
}

const struct vr_command vr_find_commands[] = {
    {.name = "search",
     .args = "TEXT",
     .summary = "Find swarms by a part of their app, tag, config or proc",
     .min_args = 1,
     .max_args = 1,
     .run = run_search},
    {.name = "open",
     .args = "FILTER",
     .summary = "Print the address of a swarm's page in the web interface",
     .min_args = 1,
     .max_args = 1,
     .run = run_open},
    {NULL},
};
