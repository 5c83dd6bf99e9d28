/* SPDX-License-Identifier: MIT */
/* Procs that belong to no swarm. */
#include "server/api/deploy.h"

#include "model/label.h"
#include "model/name.h"
#include "server/api/noun.h"
#include "store/build.h"
#include "store/command.h"
#include "store/host.h"
#include "store/release.h"

#include <inttypes.h>

#define PORT_MAX 65535

/* ------------------------------------------------------------------ deploying */

/* What the body asks for; texts borrowed from it. */
struct wish {
    const char *config_name;
    const char *host;
    const char *proc;
    int64_t port;
};

static int read_text(struct vr_write *w, const char *field, enum vr_name_kind kind,
                     const char **out, struct vr_err *err)
{
    const json_t *value = json_object_get(w->call->body, field);
    int r;

    if (!value || json_is_null(value))
        return vr_write_missing(w, field, err);
    w->field = field;
    r = vr_json_get_str(w->call->body, field, out, err);
    if (r == 0)
        r = vr_name_check(kind, *out, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

static int read_wish(struct vr_write *w, struct wish *out, struct vr_err *err)
{
    int r = read_text(w, "config_name", VR_NAME_CONFIG, &out->config_name, err);

    if (r == 0)
        r = read_text(w, "host", VR_NAME_HOST, &out->host, err);
    if (r == 0)
        r = read_text(w, "proc", VR_NAME_PROC, &out->proc, err);
    if (r < 0)
        return r;
    if (!json_object_get(w->call->body, "port"))
        return vr_write_missing(w, "port", err);
    w->field = "port";
    r = vr_json_get_i64(w->call->body, "port", 0, PORT_MAX, &out->port, err);
    if (r == 0)
        w->field = NULL;
    return r;
}

/* The command that the build's Procfile has for a proc; given. */
static int find_command(struct vr_write *w, int64_t build_id, const char *proc, char **out,
                        struct vr_err *err)
{
    VR_ROW(build) build = {0};
    vr_auto_json json_t *procfile = NULL;
    const char *command;
    int r = vr_store_build_find_id(w->tx, build_id, &build, err);

    if (r == 0 && !vr_streq(build.status, "success"))
        return vr_fail(err, VR_EXISTS, "build %" PRId64 " has no file: it is %s", build_id,
                       build.status);
    if (r == 0)
        r = vr_json_parse(vr_str(build.procfile_json), VR_JSON_BYTES, &procfile, err);
    if (r < 0)
        return r;
    command = json_string_value(json_object_get(procfile, proc));
    if (!command) {
        w->field = "proc";
        return vr_fail(err, VR_INVALID, "the Procfile of build %" PRId64 " has no proc '%s'",
                       build_id, proc);
    }
    *out = vr_strdup(command);
    return 0;
}

static int place(struct vr_write *w, const struct vr_release_row *release, const struct wish *wish,
                 int64_t *out_id, struct vr_err *err)
{
    VR_ROW(host) host = {0};
    vr_auto_free char *command = NULL;
    struct vr_proc_placement placement = {.release_id = release->id,
                                          .config_name = wish->config_name,
                                          .proc_name = wish->proc,
                                          .no_port = wish->port == 0,
                                          .port = wish->port};
    int r = vr_store_host_find(w->tx, wish->host, &host, err);

    if (r == -VR_NOT_FOUND) {
        w->field = "host";
        return vr_fail(err, VR_INVALID, "host '%s' does not exist", wish->host);
    }
    if (r == 0)
        r = find_command(w, release->build_id, wish->proc, &command, err);
    if (r < 0)
        return r;
    placement.host_id = host.id;
    placement.cmd = command;
    return vr_store_proc_insert(w->tx, &placement, w->call->now, out_id, err);
}

static int deploy(struct vr_write *w, struct vr_err *err)
{
    VR_ROW(release) release = {0};
    vr_auto_free char *name = NULL;
    vr_auto_free char *object = NULL;
    vr_auto_free char *page = NULL;
    struct wish wish;
    int64_t id, proc_id;
    int r = vr_ref_id("release", w->call->args[0], &id, err);

    if (r == 0)
        r = vr_store_release_find_id(w->tx, id, &release, err);
    if (r == 0)
        r = vr_access_app(w->call, release.app_id, err);
    if (r == 0)
        r = read_wish(w, &wish, err);
    if (r == 0)
        r = place(w, &release, &wish, &proc_id, err);
    if (r < 0)
        return r;
    name = vr_label_release(release.app_name, release.tag, release.hash);
    object = vr_strf("%s-%s-%" PRId64 " to %s", name, wish.proc, wish.port, wish.host);
    page = vr_strf("/procs/%" PRId64, proc_id);
    r = vr_write_tell(w,
                      &(struct vr_told){
                          .action = "deploy",
                          .object = object,
                          .page = page,
                          .proc_id = proc_id,
                          .resource = vr_resource_name(VR_RES_PROCS),
                          .object_id = proc_id,
                          .app_id = release.app_id,
                      },
                      err);
    return r < 0 ? r : vr_write_answer(w, 202, NULL, NULL);
}

int vr_deploy_release(struct vr_call *call, struct vr_err *err)
{
    return vr_write_run(call, deploy, NULL, err);
}

/* ------------------------------------------------------------------ commands on them */

int vr_deploy_carry_out(struct vr_write *w, const struct vr_proc_row *proc, int64_t command_id,
                        const char *kind, bool force, struct vr_err *err)
{
    bool runs = vr_streq(proc->desired, "run");
    int r = 0;

    if (vr_streq(kind, "stop"))
        r = vr_store_proc_set_desired(w->tx, proc->id, "held", force, err);
    else if (vr_streq(kind, "destroy"))
        r = vr_store_proc_set_desired(w->tx, proc->id, "stop", force, err);
    else if (!runs)
        r = vr_store_proc_start(w->tx, proc->id, w->call->now, err);
    else if (vr_streq(kind, "restart"))
        r = vr_store_proc_restart(w->tx, proc->id, -1, w->call->now, err);
    return r < 0 ? r
                 : vr_store_command_end(w->tx, command_id, "done", "asked of its host",
                                        w->call->now, err);
}
