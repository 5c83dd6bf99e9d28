/* SPDX-License-Identifier: MIT */
/* The other programs that this binary is: vr server, vr agent, and the agent's helpers. */
#include "cli/commands.h"

#include "cli/cli.h"
#include "cli/service.h"
#include "core/str.h"

#ifdef VR_HAVE_SERVER
#include "server/main.h"
#endif
#ifdef VR_HAVE_AGENT
#include "agent/main.h"
#endif
#ifdef VR_HAVE_BUILD
#include "build/job.h"
#endif
#ifdef VR_HAVE_BALANCER
#include "balancer/worker.h"
#endif

struct program {
    const char *name;
    int (*main)(int argc, char **argv);
};

static const struct program programs[] = {
#ifdef VR_HAVE_SERVER
    {"server", vr_server_main},
    {"import", vr_import_main},
#endif
#ifdef VR_HAVE_AGENT
    {"agent", vr_agent_main},
#endif
#ifdef VR_HAVE_BUILD
    {"build-job", vr_build_job_main},
#endif
#ifdef VR_HAVE_BALANCER
    {"balancer-worker", vr_balancer_worker_main},
#endif
    {NULL, NULL},
};

/* The word that named the command stands before its arguments and is their argv[0]. */
static int run_program(struct vr_cli *cli, const void *opts, int argc, char **argv,
                       struct vr_err *err)
{
    const char *name = argv[-1];
    int r = vr_service_hold_lock(err);

    if (r < 0)
        return r;
    for (const struct program *p = programs; p->name; p++) {
        if (vr_streq(p->name, name))
            return p->main(argc + 1, argv - 1);
    }
    return vr_fail(err, VR_NOT_FOUND, "this vr was built without '%s'", name);
}

const struct vr_command vr_internal_commands[] = {
    {.name = "server",
     .args = "…",
     .summary = "Run the control plane: API and engine",
     .raw = true,
     .run = run_program},
    {.name = "agent",
     .args = "…",
     .summary = "Run the agent of a host",
     .raw = true,
     .run = run_program},
    {.name = "import",
     .args = "DUMP [--files DIR] [--plan]",
     .summary = "Move a database of the original here",
     .raw = true,
     .run = run_program},
    {.name = "build-job", .raw = true, .run = run_program},
    {.name = "balancer-worker", .raw = true, .run = run_program},
    {NULL},
};
