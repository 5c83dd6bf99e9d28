/* SPDX-License-Identifier: MIT */
/* `vr agent`: wires the parts together and runs the loop. */
#include "agent/main.h"

#include "agent/agent.h"
#include "agent/balancers.h"
#include "agent/jobs.h"
#include "agent/link.h"
#include "agent/log_streams.h"
#include "agent/procs.h"
#include "agent/slugs.h"
#include "agent/tidy.h"
#include "agent/watch.h"
#include "agent/xmlrpc_port.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/hash.h"
#include "net/http_loop.h"
#include "runtime/mount.h"
#include "sys/fs.h"
#include "sys/signals.h"

#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#define RUN_DIR_TMPFS "256m"
#define DOWN_LOOK_MS  50
#define DOWN_LIMIT_MS 60000

struct program {
    struct vr_agent agent;
    int signals, lock;
    struct vr_watch *signal_watch;
    struct vr_timer *down_timer;
    struct vr_mono down_until;
    int status;
};

static void end_loop(struct program *p, int status)
{
    p->status = status;
    uv_stop(&p->agent.loop);
}

static void signalled(void *arg)
{
    struct program *p = arg;
    int sig;

    while ((sig = vr_signals_next(p->signals)) != 0) {
        if (sig == SIGTERM || sig == SIGINT) {
            vr_info(&p->agent.log, "ending; procs and balancers go on");
            end_loop(p, 0);
        }
    }
}

/* ------------------------------------------------------------------ set-up */

static int make_folders(struct vr_agent *a, struct vr_err *err)
{
    static const char *const names[] = {"procs", "logs", "blobs", "build", "balancers"};
    int r = vr_fs_mkdir_p(a->config.state_dir, 0711, err);

    for (size_t i = 0; i < VR_COUNT(names) && r == 0; i++) {
        vr_auto_free char *path = vr_strf("%s/%s", a->config.state_dir, names[i]);

        r = vr_fs_mkdir_p(path, 0711, err);
    }
    if (r == 0)
        r = vr_fs_mkdir_p(a->config.run_dir, 0711, err);
    if (r == 0)
        r = vr_mount_ensure_tmpfs(a->config.run_dir, RUN_DIR_TMPFS, err);
    return r;
}

/* One agent a state folder. */
static int take_lock(struct program *p, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/lock", p->agent.config.state_dir);

    p->lock = vr_fs_lock(path, err);
    if (p->lock == -VR_BUSY)
        return vr_fail(err, VR_BUSY, "an agent (pid %d) runs on '%s' already",
                       (int)vr_fs_lock_owner(path), p->agent.config.state_dir);
    return p->lock < 0 ? p->lock : 0;
}

static void probe(struct vr_agent *a)
{
    vr_auto_free char *work = vr_strf("%s/probe", a->config.run_dir);
    struct vr_probe_spec spec = {.shim_path = a->config.shim,
                                 .work_dir = work,
                                 .runtime = a->config.runtime,
                                 .userns_base = (uint32_t)a->config.userns_base,
                                 .userns_count = (uint32_t)a->config.userns_count};

    vr_runtime_probe(&spec, &a->caps);
    if (!a->caps.has_userns)
        a->config.userns_base = 0;
    vr_info(&a->log, "runtime %s, cgroups %s, user namespaces %s, idmapped slugs %s",
            a->caps.runtime ? a->caps.runtime : "none", vr_cgroup_layout_name(a->caps.cgroups),
            a->caps.has_userns ? "yes" : "no", a->caps.has_idmap ? "yes" : "no");
    for (size_t i = 0; i < a->caps.warning_count; i++)
        vr_warn(&a->log, "%s", a->caps.warnings[i]);
}

/* Cgroups are named after containers and are the machine's: agents that share one (several in
 * network namespaces, a second `vr up`) have state folders of their own to tell them apart. */
static char *container_prefix(const char *state_dir)
{
    char hex[VR_SHA256_HEX];

    if (vr_streq(state_dir, VR_AGENT_STATE_DIR))
        return vr_strdup("vr-");
    vr_sha256_hex(state_dir, strlen(state_dir), hex);
    return vr_strf("vr-%.6s-", hex);
}

static int make_parts(struct vr_agent *a, struct vr_err *err)
{
    vr_auto_free char *blobs = vr_strf("%s/blobs", a->config.state_dir);
    vr_auto_free char *mounts = vr_strf("%s/mounts", a->config.run_dir);
    struct vr_slugs_spec slugs = {.agent = a, .blob_dir = blobs, .mount_dir = mounts};
    int r;

    a->self_path = vr_strdup("/proc/self/exe");
    a->skeleton = vr_strf("%s/skeletons", a->config.state_dir);
    a->container_prefix = container_prefix(a->config.state_dir);
    r = vr_http_loop_new(&a->loop, &a->http, err);
    if (r == 0)
        r = vr_link_new(a, &a->link, err);
    if (r == 0)
        r = vr_slugs_new(&slugs, &a->slugs, err);
    if (r < 0)
        return r;
    a->procs = vr_procs_new(a);
    a->jobs = vr_jobs_new(a);
    a->balancers = vr_balancers_new(a);
    a->streams = vr_log_streams_new(a);
    a->tidy = vr_tidy_new(a);
    return a->config.down ? 0 : vr_xmlrpc_port_open(a, &a->xmlrpc, err);
}

static int set_up(struct program *p, struct vr_err *err)
{
    struct vr_agent *a = &p->agent;
    int r = make_folders(a, err);

    if (r == 0)
        r = take_lock(p, err);
    if (r < 0)
        return r;
    if (sodium_init() < 0)
        return vr_fail(err, VR_BUG, "libsodium does not start");
    prctl(PR_SET_DUMPABLE, 0); /* a core file would hold secrets */
    probe(a);
    if (!a->caps.runtime)
        vr_error(&a->log, "no container runtime works on this host: no proc can start");
    return make_parts(a, err);
}

static void drain_loop(uv_loop_t *loop)
{
    for (int i = 0; i < 100 && uv_run(loop, UV_RUN_NOWAIT); i++)
        ;
    vr_ignore(uv_loop_close(loop), "what is still open ends with the process");
}

static void tear_down(struct program *p)
{
    struct vr_agent *a = &p->agent;

    a->xmlrpc = vr_xmlrpc_port_close(a->xmlrpc);
    a->tidy = vr_tidy_free(a->tidy);
    a->streams = vr_log_streams_free(a->streams);
    a->jobs = vr_jobs_free(a->jobs);
    a->balancers = vr_balancers_free(a->balancers);
    a->procs = vr_procs_free(a->procs);
    a->slugs = vr_slugs_free(a->slugs);
    a->link = vr_link_free(a->link);
    a->http = vr_http_loop_free(a->http);
    p->signal_watch = vr_watch_free(p->signal_watch);
    p->down_timer = vr_timer_free(p->down_timer);
    drain_loop(&a->loop);
    vr_runtime_caps_fini(&a->caps);
    free(a->self_path);
    free(a->skeleton);
    free(a->container_prefix);
    vr_fd_close(p->lock);
    vr_fd_close(p->signals);
    vr_agent_config_fini(&a->config);
}

/* ------------------------------------------------------------------ down */

static void down_look(void *arg)
{
    struct program *p = arg;
    struct vr_agent *a = &p->agent;
    size_t left = vr_procs_active(a->procs) + a->leftover_count;

    if (left && vr_mono_now().ns < p->down_until.ns) {
        vr_timer_arm(p->down_timer, DOWN_LOOK_MS);
        return;
    }
    if (left)
        vr_error(&a->log, "%zu containers did not stop", left);
    end_loop(p, left ? 1 : 0);
}

static void down_start(struct program *p)
{
    struct vr_agent *a = &p->agent;

    vr_procs_stop_all(a->procs);
    p->down_until = vr_mono_add_ms(vr_mono_now(), DOWN_LIMIT_MS);
    p->down_timer = vr_timer_new(&a->loop, down_look, p);
    vr_timer_arm(p->down_timer, 0);
}

static void down_finish(struct program *p)
{
    struct vr_agent *a = &p->agent;

    vr_balancers_shutdown(a, json_object_get(vr_link_saved(a->link), "balancers"));
    if (p->status != 0)
        return; /* what still runs is found by the next `down` in the run folder */
    vr_slugs_unmount_all(a->slugs);
    if (umount2(a->config.run_dir, MNT_DETACH) < 0 && errno != EINVAL)
        vr_warn(&a->log, "unmount '%s': %s", a->config.run_dir, strerrordesc_np(errno));
}

int vr_agent_main(int argc, char **argv)
{
    struct program p = {.signals = -1, .lock = -1};
    struct vr_err err = VR_ERR_NULL;
    int r;

    p.signals = vr_signals_open(&err);
    r = p.signals < 0 ? p.signals : vr_agent_config_read(argc, argv, &p.agent.config, &err);
    if (r == 1)
        return 0;
    if (r < 0) {
        fprintf(stderr, "vr agent: %s\n", err.msg);
        return 2;
    }
    vr_log_init(&p.agent.log, NULL, "host", p.agent.config.name);
    uv_loop_init(&p.agent.loop);
    r = set_up(&p, &err);
    if (r < 0) {
        vr_error(&p.agent.log, "%s", err.msg);
        return 1;
    }
    p.signal_watch = vr_watch_new(&p.agent.loop, p.signals, signalled, &p);
    if (p.agent.config.down)
        down_start(&p);
    else
        vr_link_start(p.agent.link);
    uv_run(&p.agent.loop, UV_RUN_DEFAULT);
    if (p.agent.config.down)
        down_finish(&p);
    tear_down(&p);
    return p.status;
}
