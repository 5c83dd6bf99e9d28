/* SPDX-License-Identifier: MIT */
/* vr up and vr down: everything on one machine.
 *
 * `vr up` is only a supervisor: server and agent are processes of their own sessions, with lock,
 * configuration and log of their own. They go on when it dies, and the next `vr up` finds them by
 * their locks. On SIGTERM it stops both; the procs of apps and the balancer go on, as they always
 * do without an agent. `vr down` ends these too, by `vr agent down`.
 */
#include "cli/api.h"
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/exit.h"
#include "cli/service.h"
#include "cli/up_layout.h"
#include "core/str.h"
#include "fmt/json.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/signals.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#define HEALTHY_MS     60000 /* from start to an answer of the server */
#define LOOK_MS        100   /* between looks while something is awaited */
#define SERVER_STOP_MS 15000
#define AGENT_STOP_MS  15000
#define UP_STOP_MS     45000  /* of a supervisor that stops both */
#define DOWN_MS        300000 /* of `vr agent down` with many procs */
#define NAME_BYTES     256u
#define TAIL_BYTES     4096

struct values {
    const char *state_dir, *run_dir, *listen, *http, *name, *user, *build_user, *port_range;
    bool background, supervise, keep_procs;
};

static const struct vr_opt up_opts[] = {
    {"state-dir", 0, VR_OPT_TEXT, offsetof(struct values, state_dir), "DIR",
     "what survives a reboot (" VR_UP_STATE_DIR ")"},
    {"run-dir", 0, VR_OPT_TEXT, offsetof(struct values, run_dir), "DIR",
     "what does not (" VR_UP_RUN_DIR ")"},
    {"listen", 0, VR_OPT_TEXT, offsetof(struct values, listen), "ADDRESS:PORT",
     "of API and web pages (127.0.0.1:8000)"},
    {"http", 0, VR_OPT_TEXT, offsetof(struct values, http), "ADDRESS:PORT",
     "where apps are served (0.0.0.0:8080)"},
    {"name", 0, VR_OPT_TEXT, offsetof(struct values, name), "NAME",
     "of this host (default: its hostname)"},
    {"user", 0, VR_OPT_TEXT, offsetof(struct values, user), "USER",
     "account of the server (velociraptor)"},
    {"build-user", 0, VR_OPT_TEXT, offsetof(struct values, build_user), "USER",
     "account of builds (velociraptor-build)"},
    {"port-range", 0, VR_OPT_TEXT, offsetof(struct values, port_range), "FIRST-LAST",
     "ports of procs (5000-5999)"},
    {"background", 'b', VR_OPT_FLAG, offsetof(struct values, background), NULL,
     "return once it is up, and go on in the background"},
    {"supervise", 0, VR_OPT_FLAG, offsetof(struct values, supervise), NULL, NULL},
};

static const struct vr_opt down_opts[] = {
    {"state-dir", 0, VR_OPT_TEXT, offsetof(struct values, state_dir), "DIR",
     "as of vr up (" VR_UP_STATE_DIR ")"},
    {"run-dir", 0, VR_OPT_TEXT, offsetof(struct values, run_dir), "DIR",
     "as of vr up (" VR_UP_RUN_DIR ")"},
    {"keep-procs", 0, VR_OPT_FLAG, offsetof(struct values, keep_procs), NULL,
     "end server and agent only; apps go on serving"},
};

struct up {
    struct vr_up_layout layout;
    struct vr_up_settings settings;
    char host[NAME_BYTES];
    char self[PATH_MAX];
    char *url;
    uid_t uid;
    gid_t gid;
    int lock;
    const char *server_argv[5], *agent_argv[5];
    struct vr_service_spec server_spec, agent_spec;
    struct vr_service *server, *agent;
};

static void up_fini(struct up *u)
{
    vr_service_free(u->server);
    vr_service_free(u->agent);
    vr_up_layout_fini(&u->layout);
    free(u->url);
    vr_fd_close(u->lock);
}

static const char * or (const char *given, const char *otherwise)
{
    return given ? given : otherwise;
}

static int check_user(const char *name, uid_t *uid, gid_t *gid, struct vr_err *err)
{
    if (vr_user_find(name, uid, gid, NULL) >= 0)
        return 0;
    return vr_fail(err, VR_NOT_FOUND,
                   "there is no account '%s'; make it: useradd --system --user-group "
                   "--no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin %s",
                   name, name);
}

static int find_self(struct up *u, struct vr_err *err)
{
    ssize_t n = readlink("/proc/self/exe", u->self, sizeof(u->self) - 1);

    if (n < 0)
        return vr_fail_sys(err, "find this program");
    u->self[n] = '\0';
    if (gethostname(u->host, sizeof(u->host) - 1) < 0)
        return vr_fail_sys(err, "name of this host");
    return 0;
}

static void define_services(struct up *u)
{
    const char *server[] = {u->self, "server", "--config", u->layout.server_yaml, NULL};
    const char *agent[] = {u->self, "agent", "--config", u->layout.agent_yaml, NULL};

    memcpy(u->server_argv, server, sizeof(server));
    memcpy(u->agent_argv, agent, sizeof(agent));
    u->server_spec = (struct vr_service_spec){.name = "server",
                                              .argv = u->server_argv,
                                              .lock_path = u->layout.server_lock,
                                              .log_path = u->layout.server_log,
                                              .uid = u->uid,
                                              .gid = u->gid,
                                              .set_user = true};
    u->agent_spec = (struct vr_service_spec){.name = "agent",
                                             .argv = u->agent_argv,
                                             .lock_path = u->layout.agent_lock,
                                             .log_path = u->layout.agent_log};
    u->server = vr_service_new(&u->server_spec);
    u->agent = vr_service_new(&u->agent_spec);
}

/* Everything before something is started. */
static int prepare(struct up *u, const struct values *v, struct vr_err *err)
{
    uid_t build_uid;
    gid_t build_gid;
    int r;

    if (geteuid() != 0)
        return vr_fail(err, VR_DENIED, "vr up needs root: it mounts, and starts containers");
    r = find_self(u, err);
    if (r >= 0)
        r = vr_up_layout_init(&u->layout, or (v->state_dir, VR_UP_STATE_DIR),
                              or (v->run_dir, VR_UP_RUN_DIR), err);
    u->settings = (struct vr_up_settings){
        .listen = or (v->listen, "127.0.0.1:8000"),
        .http = or (v->http, "0.0.0.0:8080"),
        .name = or (v->name, u->host),
        .user = or (v->user, "velociraptor"),
        .build_user = or (v->build_user, "velociraptor-build"),
        .port_range = or (v->port_range, "5000-5999"),
    };
    if (r >= 0)
        r = check_user(u->settings.user, &u->uid, &u->gid, err);
    if (r >= 0)
        r = check_user(u->settings.build_user, &build_uid, &build_gid, err);
    if (r >= 0)
        r = vr_up_layout_make(&u->layout, &u->settings, u->uid, u->gid, err);
    if (r == 1 && (v->listen || v->http || v->name || v->port_range))
        fprintf(stderr, "Settings are taken from %s and %s, which are there already.\n",
                u->layout.server_yaml, u->layout.agent_yaml);
    if (r >= 0)
        r = vr_up_layout_url(&u->layout, &u->url, err);
    if (r >= 0)
        define_services(u);
    return r < 0 ? r : 0;
}

/* Whether the server says that it is well. Blocks for a second at most. */
static bool is_healthy(const char *url)
{
    VR_OWNED(vr_http_client_free) struct vr_http_client *client = vr_http_client_new();
    vr_auto_free char *address = vr_strf("%shealthz", url);
    struct vr_http_call call = {.url = address, .timeout_ms = 1000, .connect_ms = 500};
    struct vr_http_result answer = {0};
    bool well = !vr_http_call(client, &call, &answer, NULL) && answer.status == 200;

    vr_http_result_fini(&answer);
    return well;
}

/* Wait for a signal that ends us or the end of a service. Returns true for the signal. */
static bool wait_for_something(struct up *u, int signals, int64_t ms)
{
    struct pollfd p[] = {{.fd = signals, .events = POLLIN},
                         {.fd = vr_service_fd(u->server), .events = POLLIN},
                         {.fd = vr_service_fd(u->agent), .events = POLLIN}};

    poll(p, VR_COUNT(p), (int)ms);
    for (int sig = vr_signals_next(signals); sig; sig = vr_signals_next(signals)) {
        if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP)
            return true;
    }
    return false;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

/* Start the server and wait for it. Returns 1 if a signal came first. */
static int start_server(struct up *u, int signals, struct vr_err *err)
{
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), HEALTHY_MS);
    int r = vr_service_start(u->server, err);

    if (r < 0)
        return r;
    fprintf(stderr, "server %s (pid %d)\n", r ? "found running" : "started",
            (int)vr_service_pid(u->server));
    while (!is_healthy(u->url)) {
        if (vr_mono_now().ns > until.ns)
            return vr_fail(err, VR_TIMEOUT, "the server does not answer at %s; see %s", u->url,
                           u->layout.server_log);
        if (wait_for_something(u, signals, LOOK_MS))
            return 1;
        vr_service_tend(u->server);
    }
    return 0;
}

static void tell_where(const struct up *u)
{
    const struct vr_up_layout *l = &u->layout;

    fprintf(stderr, "\nVelociraptor is up at %s\n", u->url);
    if (vr_fs_exists(l->password_file))
        fprintf(stderr,
                "  first password of admin  %s\n"
                "  log in                   vr login %s --username admin --password-stdin < %s\n",
                l->password_file, u->url, l->password_file);
    fprintf(stderr,
            "  logs                     %s/\n"
            "  end it                   vr down",
            l->log_dir);
    if (strcmp(l->state_dir, VR_UP_STATE_DIR) != 0)
        fprintf(stderr, " --state-dir %s", l->state_dir);
    if (strcmp(l->run_dir, VR_UP_RUN_DIR) != 0)
        fprintf(stderr, " --run-dir %s", l->run_dir);
    fputs("\n\n", stderr);
}

static void stop_both(struct up *u)
{
    vr_service_stop(u->agent, AGENT_STOP_MS);
    vr_service_stop(u->server, SERVER_STOP_MS);
}

static int supervise(struct up *u, struct vr_err *err)
{
    vr_auto_close int signals = -1;
    int r;

    u->lock = vr_fs_lock(u->layout.up_lock, err);
    if (u->lock == -VR_BUSY)
        return vr_fail(err, VR_EXISTS, "vr up runs already (pid %d)",
                       (int)vr_fs_lock_owner(u->layout.up_lock));
    if (u->lock < 0)
        return u->lock;
    signals = vr_signals_open(err);
    if (signals < 0)
        return signals;
    r = start_server(u, signals, err);
    if (!r) {
        r = vr_service_start(u->agent, err);
        if (r >= 0)
            fprintf(stderr, "agent %s (pid %d)\n", r ? "found running" : "started",
                    (int)vr_service_pid(u->agent));
        if (r >= 0)
            tell_where(u);
        while (r >= 0 &&
               !wait_for_something(u, signals,
                                   sooner(vr_service_tend(u->server), vr_service_tend(u->agent))))
            continue;
    }
    stop_both(u);
    if (r >= 0)
        fprintf(stderr, "Server and agent have ended; procs of apps go on. Start again with vr up, "
                        "end everything with vr down.\n");
    return r < 0 ? r : VR_EXIT_OK;
}

/* The end of a log, for whoever waited in vain. */
static void show_tail(const char *path)
{
    vr_auto_free char *text = NULL;
    size_t n = 0;

    if (vr_fs_read(path, VR_SERVICE_LOG_BYTES * 2u, &text, &n, NULL) < 0)
        return;
    fputs(n > TAIL_BYTES ? text + n - TAIL_BYTES : text, stderr);
}

/* Start ourselves again as a supervisor in a session of its own, and wait until it is up. */
static int run_in_background(struct up *u, const struct values *v, struct vr_err *err)
{
    const char *argv[] = {u->self,
                          "up",
                          "--supervise",
                          "--state-dir",
                          u->layout.state_dir,
                          "--run-dir",
                          u->layout.run_dir,
                          "--user",
                          u->settings.user,
                          "--build-user",
                          u->settings.build_user,
                          NULL};
    vr_auto_close int log =
        open(u->layout.up_log, O_WRONLY | O_TRUNC | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    struct vr_spawn_spec spec = {
        .argv = argv, .cwd = "/", .fd_out = log, .fd_err = log, .new_session = true};
    struct vr_mono until = vr_mono_add_ms(vr_mono_now(), HEALTHY_MS + 5000);
    struct vr_child child = VR_CHILD_NULL;
    struct vr_exit how;
    int r;

    if (vr_fs_lock_owner(u->layout.up_lock) > 0) {
        vr_say_warning(&(struct vr_out){0}, "vr up runs already (pid %d)",
                       (int)vr_fs_lock_owner(u->layout.up_lock));
        tell_where(u);
        return VR_EXIT_OK;
    }
    if (log < 0)
        return vr_fail_sys(err, "log file %s", u->layout.up_log);
    r = vr_spawn(&spec, &child, err);
    while (r >= 0 && !(vr_fs_lock_owner(u->layout.agent_lock) > 0 && is_healthy(u->url))) {
        r = vr_child_wait(&child, LOOK_MS, &how, err);
        if (r != -VR_TIMEOUT) {
            show_tail(u->layout.up_log);
            r = vr_fail(err, VR_IO, "it did not come up; see %s", u->layout.log_dir);
        } else if (vr_mono_now().ns > until.ns) {
            r = vr_fail(err, VR_TIMEOUT, "it did not come up in time; see %s", u->layout.log_dir);
        } else {
            r = 0;
        }
    }
    vr_child_fini(&child);
    if (r < 0)
        return r;
    tell_where(u);
    return VR_EXIT_OK;
}

static int run_up(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    __attribute__((cleanup(up_fini))) struct up u = {.lock = -1};
    int r = prepare(&u, v, err);

    if (r < 0)
        return r;
    return v->background ? run_in_background(&u, v, err) : supervise(&u, err);
}

/* End the supervisor, which ends server and agent; then those that it left behind. */
static void stop_programs(struct up *u)
{
    struct vr_service_spec spec = {.name = "vr up", .lock_path = u->layout.up_lock};
    struct vr_service *const services[] = {u->agent, u->server};

    if (vr_fs_lock_owner(u->layout.up_lock) > 0) {
        VR_OWNED(vr_service_free) struct vr_service *up = vr_service_new(&spec);

        if (vr_service_adopt(up))
            vr_service_stop(up, UP_STOP_MS);
    }
    for (size_t i = 0; i < VR_COUNT(services); i++) {
        if (vr_service_adopt(services[i]))
            vr_service_stop(services[i], AGENT_STOP_MS);
    }
}

/* `vr agent down`: every proc, balancer and mount of this host. */
static int stop_procs(struct up *u, struct vr_err *err)
{
    const char *argv[] = {u->self, "agent", "down", "--config", u->layout.agent_yaml, NULL};
    struct vr_spawn_spec spec = {
        .argv = argv, .cwd = "/", .fd_out = STDERR_FILENO, .fd_err = STDERR_FILENO};
    struct vr_child child = VR_CHILD_NULL;
    struct vr_exit how = {0};
    char text[64];
    int r;

    if (!vr_fs_exists(u->layout.agent_yaml))
        return 0;
    r = vr_spawn(&spec, &child, err);
    if (r < 0)
        return r;
    r = vr_child_wait(&child, DOWN_MS, &how, err);
    if (r < 0)
        vr_child_stop(&child, AGENT_STOP_MS);
    vr_child_fini(&child);
    if (r < 0)
        return vr_fail_in(err, r, "vr agent down");
    vr_exit_format(how, text, sizeof(text));
    return how.code ? vr_fail(err, VR_IO, "vr agent down: %s", text) : 0;
}

static int check_mounts(const struct up *u, struct vr_err *err)
{
    vr_auto_free char *left = NULL;
    int r = vr_up_layout_mounts(&u->layout, &left, err);

    if (r < 0 || !*left)
        return r;
    fprintf(stderr, "Still mounted:\n%s", left);
    return vr_fail(err, VR_BUSY, "not everything could be unmounted");
}

static int run_down(struct vr_cli *cli, const void *opts, int argc, char **argv, struct vr_err *err)
{
    const struct values *v = opts;
    __attribute__((cleanup(up_fini))) struct up u = {.lock = -1};
    int r = 0;

    if (geteuid() != 0)
        return vr_fail(err, VR_DENIED, "vr down needs root");
    r = find_self(&u, err);
    if (r >= 0)
        r = vr_up_layout_init(&u.layout, or (v->state_dir, VR_UP_STATE_DIR),
                              or (v->run_dir, VR_UP_RUN_DIR), err);
    if (r < 0)
        return r;
    if (!vr_fs_exists(u.layout.state_dir)) {
        vr_say(&cli->out, "There is nothing at %s.", u.layout.state_dir);
        return 0;
    }
    define_services(&u);
    stop_programs(&u);
    if (v->keep_procs) {
        vr_say(&cli->out, "Server and agent have ended; procs of apps go on.");
        return 0;
    }
    r = stop_procs(&u, err);
    if (r >= 0)
        r = check_mounts(&u, err);
    if (r >= 0)
        vr_say(&cli->out, "Everything has ended: no process, no mount is left. Data stays in %s.",
               u.layout.state_dir);
    return r;
}

const struct vr_command vr_up_commands[] = {
    {.name = "up",
     .group = "programs",
     .summary = "Run everything on this machine: server, agent and a private HAProxy",
     .details =
         "Needs root and the accounts velociraptor and velociraptor-build. Writes server.yaml and\n"
         "agent.yaml into the state folder once; later they are yours to change.",
     VR_COMMAND_OPTS(up_opts, struct values),
     .run = run_up},
    {.name = "down",
     .summary = "End what vr up started: server, agent, procs, HAProxy, mounts",
     VR_COMMAND_OPTS(down_opts, struct values),
     .run = run_down},
    {NULL},
};
