/* SPDX-License-Identifier: MIT */
/* The nginx driver: an upstream file for each pool, tested, then a reload.
 *
 * Two ways of use. Joined to the host's nginx it writes `<include_dir>/<pool>.conf`, in the format
 * of the original, and the administrator's server blocks name the upstreams. Private, it makes the
 * whole configuration in the state folder and runs an nginx of its own that routes by host name.
 *
 * nginx changes by reload only: new workers start, and about 100 ms later the old ones are told to
 * finish. Until then they take new connections with the old members, so a pool is confirmed when
 * every worker of before the reload is gone; worker_shutdown_timeout bounds that, and with it the
 * time a long request may outlive a change. Reloads are at least a second apart.
 *
 * A node that drains is left out of its upstream: old workers finish what they have, new ones do
 * not know it. How many connections it has cannot be known, so the engine waits its drain time. */
#include "balancer/balancer_driver.h"

#include "balancer/daemon.h"
#include "balancer/nginx_files.h"
#include "balancer/options.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define COMM               "nginx"
#define CONFIG_FILE        "nginx.conf"
#define HOSTS_FILE         "hosts.conf"
#define DEFAULT_MARK       "  default \"" /* in it, before the default pool */
#define OWNED_FILE         "owned-pools"  /* one name a line: files that are ours to remove */
#define RELOAD_INTERVAL_MS 1000
#define CONFIRM_WAIT_MS    1500 /* of one sync; a later one goes on waiting */
#define RETRY_MS           2000
#define RUN_MS             5000
#define STRAYS_WAIT_MS     300
#define STOP_MS            4000
#define WORKERS_MAX        256
#define PROC_BYTES         4096
#define EMPTY_SERVER       "server 127.0.0.1:1 down;" /* an upstream must have one */

struct nginx {
    char *dir;
    const struct vr_log *log;
    bool is_private;
    char *program, *bind, *user, *default_pool, *include_dir, *config_file, *pid_file;
    int workers, shutdown_secs;
    bool is_loaded;           /* the running program was told of the files as they are */
    struct vr_mono reload_at; /* not before this another reload */
    struct vr_mono retry_at;  /* not before this another try after a failure */
    struct vr_err last;       /* the failure */
    pid_t old[WORKERS_MAX];   /* workers of before the last reload that have not gone */
    size_t old_count;
    bool waits;               /* this sync made them old */
    struct vr_mono old_until; /* when their time to finish is over */
};

static const char *const option_names[] = {
    "private",  "program",      "worker_shutdown_timeout",
    "bind",     "default_pool", "user",
    "workers",  "include_dir",  "config_file",
    "pid_file",
};

static void nginx_close(void *self)
{
    struct nginx *x = self;

    free(x->dir);
    free(x->program);
    free(x->bind);
    free(x->user);
    free(x->default_pool);
    free(x->include_dir);
    free(x->config_file);
    free(x->pid_file);
    free(x);
}

static int read_private(struct nginx *x, const json_t *o, struct vr_err *err)
{
    uid_t uid;
    gid_t gid;
    bool drops = geteuid() == 0 && !vr_user_find("www-data", &uid, &gid, NULL);
    int r;

    x->include_dir = vr_strf("%s/pools", x->dir);
    x->config_file = vr_strf("%s/" CONFIG_FILE, x->dir);
    x->pid_file = vr_strf("%s/nginx.pid", x->dir);
    if (json_object_get(o, "include_dir") || json_object_get(o, "config_file") ||
        json_object_get(o, "pid_file"))
        return vr_fail(err, VR_INVALID,
                       "include_dir, config_file, pid_file need \"private\": false");
    r = vr_options_text(o, "bind", "0.0.0.0:8080", &x->bind, err);
    if (!r)
        r = vr_options_text(o, "default_pool", NULL, &x->default_pool, err);
    if (!r)
        r = vr_options_text(o, "user", drops ? "www-data" : NULL, &x->user, err);
    if (!r)
        r = vr_options_int(o, "workers", 2, 1, 64, &x->workers, err);
    return r;
}

static int read_joined(struct nginx *x, const json_t *o, struct vr_err *err)
{
    int r;

    r = vr_options_text(o, "include_dir", "/etc/nginx/sites-enabled", &x->include_dir, err);
    if (!r)
        r = vr_options_text(o, "config_file", NULL, &x->config_file, err);
    if (!r)
        r = vr_options_text(o, "pid_file", "/run/nginx.pid", &x->pid_file, err);
    return r;
}

static int read_options(struct nginx *x, const json_t *o, struct vr_err *err)
{
    int r;

    r = vr_options_check_names(o, option_names, VR_COUNT(option_names), err);
    if (!r)
        r = vr_options_bool(o, "private", true, &x->is_private, err);
    if (!r)
        r = vr_options_text(o, "program", "nginx", &x->program, err);
    if (!r)
        r = vr_options_int(o, "worker_shutdown_timeout", 10, 1, 3600, &x->shutdown_secs, err);
    if (!r)
        r = x->is_private ? read_private(x, o, err) : read_joined(x, o, err);
    return r < 0 ? r : vr_fs_mkdir_p(x->include_dir, 0755, err);
}

static int nginx_open(const struct vr_balancer_driver_spec *spec, void **out_self,
                      struct vr_err *err)
{
    struct nginx *x = vr_alloc(sizeof(*x));
    int r;

    x->dir = vr_strdup(spec->state_dir);
    x->log = spec->log;
    r = read_options(x, spec->options, err);
    if (r < 0) {
        nginx_close(x);
        return r;
    }
    *out_self = x;
    return 0;
}

/* The upstream in the original's format: it is read back by its `server …;` items. */
static void write_upstream(const struct vr_balancer_pool_view *pool, const char *name,
                           struct vr_buf *b)
{
    size_t n = 0;

    vr_buf_addf(b, "\nupstream %s {\n", name);
    for (size_t i = 0; pool && i < pool->node_count; i++) {
        const struct vr_balancer_node_view *node = &pool->nodes[i];
        bool is_v6 = strchr(node->address, ':');

        if (node->drain)
            continue;
        vr_buf_addf(b, "  server %s%s%s:%u;\n", is_v6 ? "[" : "", node->address, is_v6 ? "]" : "",
                    node->port);
        n++;
    }
    vr_buf_addf(b, "%s}\n", n ? "" : "  " EMPTY_SERVER "\n");
}

/* The default pool: the configured one, else the one that the hosts file has for as long as it
 * exists, else the first. */
static char *choose_fallback(const struct nginx *x, const struct vr_balancer_view *view)
{
    vr_auto_free char *path = vr_strf("%s/" HOSTS_FILE, x->dir);
    vr_auto_free char *text = NULL;
    char *name;
    size_t n;

    if (x->default_pool)
        return vr_strdup(x->default_pool);
    if (!vr_fs_read(path, VR_NGINX_FILE_BYTES, &text, &n, NULL) &&
        (name = strstr(text, DEFAULT_MARK))) {
        name += strlen(DEFAULT_MARK);
        name[strcspn(name, "\"")] = '\0';
        if (vr_balancer_pool_find(view, name))
            return vr_strdup(name);
    }
    return vr_strdup(view->pool_count ? view->pools[0].name : NULL);
}

static void write_hosts(const struct nginx *x, const struct vr_balancer_view *view,
                        struct vr_buf *b)
{
    vr_auto_free char *fallback = choose_fallback(x, view);

    vr_buf_add(b, "map $host $vr_pool {\n  hostnames;\n");
    vr_buf_addf(b, DEFAULT_MARK "%s\";\n",
                fallback && vr_balancer_pool_find(view, fallback) ? fallback : "");
    for (size_t i = 0; i < view->pool_count; i++)
        vr_buf_addf(b, "  %s %s;\n  %s.* %s;\n", view->pools[i].name, view->pools[i].name,
                    view->pools[i].name, view->pools[i].name);
    vr_buf_add(b, "}\n");
}

/* Nothing is buffered on disk, so the workers need no folder that their user may write to. */
static void write_private_config(const struct nginx *x, struct vr_buf *b)
{
    static const char *const temp[] = {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"};

    vr_buf_add(b, "# made by velociraptor; changes here are overwritten\n");
    if (x->user)
        vr_buf_addf(b, "user %s;\n", x->user);
    vr_buf_addf(b,
                "daemon on;\nworker_processes %d;\nworker_shutdown_timeout %ds;\n"
                "worker_rlimit_nofile 8192;\npid \"%s\";\nerror_log \"%s/error.log\" warn;\n"
                "events {\n  worker_connections 4000;\n}\nhttp {\n  access_log off;\n"
                "  map_hash_bucket_size 256;\n  map_hash_max_size 8192;\n",
                x->workers, x->shutdown_secs, x->pid_file, x->dir);
    for (size_t i = 0; i < VR_COUNT(temp); i++)
        vr_buf_addf(b, "  %s_temp_path \"%s/temp\";\n", temp[i], x->dir);
    vr_buf_addf(b,
                "  map $http_upgrade $vr_connection {\n    default upgrade;\n    '' '';\n  }\n"
                "  include \"%s/" HOSTS_FILE "\";\n  include \"%s/*.conf\";\n",
                x->dir, x->include_dir);
    vr_buf_addf(b,
                "  server {\n    listen %s;\n    client_max_body_size 0;\n    location / {\n"
                "      if ($vr_pool = '') {\n        return 404 \"no such pool\\n\";\n      }\n"
                "      proxy_pass http://$vr_pool;\n      proxy_http_version 1.1;\n"
                "      proxy_set_header Host $http_host;\n"
                "      proxy_set_header Upgrade $http_upgrade;\n"
                "      proxy_set_header Connection $vr_connection;\n"
                "      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n"
                "      proxy_next_upstream error timeout;\n      proxy_connect_timeout 2s;\n"
                "      proxy_request_buffering off;\n      proxy_max_temp_file_size 0;\n"
                "    }\n  }\n}\n",
                x->bind);
}

static int add_buf(struct vr_nginx_files *files, const char *path, struct vr_buf *b,
                   struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    int r = vr_buf_finish(b, &text, err);

    return r < 0 ? r : vr_nginx_files_add(files, path, text, err);
}

static int add_pool(const struct nginx *x, const struct vr_balancer_pool_view *pool,
                    const char *name, struct vr_nginx_files *files, struct vr_err *err)
{
    vr_auto_buf struct vr_buf b = VR_BUF(VR_NGINX_FILE_BYTES);
    vr_auto_free char *path = vr_strf("%s/%s.conf", x->include_dir, name);

    write_upstream(pool, name, &b);
    return add_buf(files, path, &b, err);
}

static char *owned_path(const struct nginx *x)
{
    return vr_strf("%s/" OWNED_FILE, x->dir);
}

/* Files of pools that are no longer wanted: `removes` them, or leaves an upstream without members
 * where a server block of the administrator still names it. */
static int add_stale(const struct nginx *x, const struct vr_balancer_view *view, bool removes,
                     struct vr_buf *owned, struct vr_nginx_files *files, struct vr_err *err)
{
    vr_auto_free char *path = owned_path(x);
    vr_auto_free char *text = NULL;
    char *rest = NULL;
    size_t n;
    int r = 0;

    if (vr_fs_read(path, VR_NGINX_FILE_BYTES, &text, &n, NULL) < 0)
        return 0;
    for (char *name = strtok_r(text, "\n", &rest); name && !r; name = strtok_r(NULL, "\n", &rest)) {
        if (vr_balancer_pool_find(view, name) || strchr(name, '/'))
            continue;
        if (removes) {
            vr_auto_free char *conf = vr_strf("%s/%s.conf", x->include_dir, name);

            r = vr_nginx_files_add(files, conf, NULL, err);
        } else {
            r = add_pool(x, NULL, name, files, err);
            vr_buf_addf(owned, "%s\n", name);
        }
    }
    return r;
}

static int make_files(const struct nginx *x, const struct vr_balancer_view *view, bool removes,
                      struct vr_nginx_files *files, struct vr_err *err)
{
    vr_auto_buf struct vr_buf owned = VR_BUF(VR_NGINX_FILE_BYTES);
    vr_auto_buf struct vr_buf config = VR_BUF(VR_NGINX_FILE_BYTES);
    vr_auto_buf struct vr_buf hosts = VR_BUF(VR_NGINX_FILE_BYTES);
    vr_auto_free char *path = owned_path(x);
    vr_auto_free char *hosts_path = vr_strf("%s/" HOSTS_FILE, x->dir);
    int r = 0;

    for (size_t i = 0; i < view->pool_count && !r; i++) {
        r = add_pool(x, &view->pools[i], view->pools[i].name, files, err);
        vr_buf_addf(&owned, "%s\n", view->pools[i].name);
    }
    if (!r)
        r = add_stale(x, view, removes, &owned, files, err);
    if (!r)
        r = add_buf(files, path, &owned, err);
    if (r < 0 || !x->is_private)
        return r;
    write_hosts(x, view, &hosts);
    write_private_config(x, &config);
    r = add_buf(files, hosts_path, &hosts, err);
    return r < 0 ? r : add_buf(files, x->config_file, &config, err);
}

/* Run nginx with the configuration: `-t` to test it, nothing more to start. */
static int run_program(const struct nginx *x, const char *flag, struct vr_err *err)
{
    const char *argv[12] = {x->program};
    vr_auto_free char *log = vr_strf("%s/error.log", x->dir);
    int n = 1;

    if (x->config_file) {
        argv[n++] = "-c";
        argv[n++] = x->config_file;
    }
    if (x->is_private) {
        argv[n++] = "-e";
        argv[n++] = flag ? "stderr" : log;
    }
    if (flag) {
        argv[n++] = "-q";
        argv[n++] = flag;
    }
    return vr_daemon_run(argv, x->dir, "[emerg]", RUN_MS, err);
}

static int write_and_test(const struct nginx *x, const struct vr_balancer_view *view, bool removes,
                          size_t *out_changes, struct vr_err *err)
{
    struct vr_nginx_files files = {0};
    int r;

    r = make_files(x, view, removes, &files, err);
    *out_changes = vr_nginx_files_count_changes(&files);
    if (!r && *out_changes) {
        r = vr_nginx_files_write(&files, err);
        if (!r) {
            r = run_program(x, "-t", err);
            if (r < 0)
                vr_nginx_files_restore(&files);
        }
    }
    vr_nginx_files_fini(&files);
    return r;
}

static int find_master(const struct nginx *x, struct vr_child *out, struct vr_err *err)
{
    return vr_daemon_find(x->pid_file, COMM, x->is_private ? x->dir : NULL, out, err);
}

/* Children of the master. */
static size_t list_workers(pid_t master, pid_t out[WORKERS_MAX])
{
    vr_auto_free char *path = vr_strf("/proc/%d/task/%d/children", (int)master, (int)master);
    vr_auto_free char *text = NULL;
    char *rest = NULL;
    size_t len, n = 0;

    if (vr_fs_read(path, PROC_BYTES, &text, &len, NULL) < 0)
        return 0;
    for (char *f = strtok_r(text, " \n", &rest); f && n < WORKERS_MAX;
         f = strtok_r(NULL, " \n", &rest)) {
        uint64_t pid;

        if (!vr_parse_u64(vr_str(f), 1, INT_MAX, &pid, NULL))
            out[n++] = (pid_t)pid;
    }
    return n;
}

/* Forget the old workers that have gone. */
static void look_at_old_workers(struct nginx *x, pid_t master)
{
    pid_t now[WORKERS_MAX];
    size_t now_count = list_workers(master, now);
    size_t left = 0;

    for (size_t i = 0; i < x->old_count; i++) {
        bool is_there = false;

        for (size_t k = 0; k < now_count && !is_there; k++)
            is_there = now[k] == x->old[i];
        if (is_there)
            x->old[left++] = x->old[i];
    }
    x->old_count = left;
}

/* Whether every old worker that is left has stopped to accept. */
static bool only_finish(const struct nginx *x)
{
    for (size_t i = 0; i < x->old_count; i++) {
        vr_auto_free char *path = vr_strf("/proc/%d/cmdline", (int)x->old[i]);
        vr_auto_free char *title = NULL;
        size_t n;

        if (!vr_fs_read(path, PROC_BYTES, &title, &n, NULL) && !strstr(title, "is shutting down"))
            return false;
    }
    return true;
}

static void sleep_until(struct vr_mono t)
{
    int64_t ms = vr_mono_ms_between(vr_mono_now(), t);
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * VR_NS_PER_MS};

    nanosleep(&ts, NULL);
}

/* Bring the running program to the files, or start it. */
static int load(struct nginx *x, struct vr_err *err)
{
    struct vr_child master = VR_CHILD_NULL;
    pid_t pid;
    int r;

    r = find_master(x, &master, err);
    if (r < 0) {
        if (!x->is_private)
            return r;
        x->old_count = 0;
        /* Workers outlive a master that was killed; let them finish, but not listen. */
        vr_daemon_signal_strays(COMM, x->dir, SIGQUIT, STRAYS_WAIT_MS);
        r = run_program(x, NULL, err);
        if (!r)
            vr_info(x->log, "nginx started");
        x->is_loaded = !r;
        return r;
    }
    sleep_until(x->reload_at);
    pid = master.pid;
    x->old_count = list_workers(pid, x->old);
    vr_child_signal(&master, SIGHUP);
    vr_child_fini(&master);
    x->reload_at = vr_mono_add_ms(vr_mono_now(), RELOAD_INTERVAL_MS);
    x->old_until = vr_mono_add_ms(vr_mono_now(), (x->shutdown_secs + 1) * INT64_C(1000));
    x->is_loaded = x->waits = true;
    return 0;
}

static int update(struct nginx *x, struct vr_balancer_view *view, struct vr_err *err)
{
    struct vr_child master = VR_CHILD_NULL;
    size_t changes = 0;
    int r;

    r = write_and_test(x, view, true, &changes, err);
    if (r < 0 && !x->is_private)
        r = write_and_test(x, view, false, &changes, err);
    if (r < 0)
        return r;
    if (find_master(x, &master, NULL) < 0)
        x->is_loaded = false;
    vr_child_fini(&master);
    if (changes)
        x->is_loaded = false;
    if (x->is_loaded)
        return 0;
    view->changes++;
    return load(x, err);
}

/* Look for old workers, and right after a reload wait a little for them to go. Gives 1 if the new
 * files are all that is in use. */
static int confirm(struct nginx *x, struct vr_err *err)
{
    const struct timespec interval = {.tv_nsec = 5 * VR_NS_PER_MS};
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), CONFIRM_WAIT_MS);
    struct vr_child master = VR_CHILD_NULL;
    int r;

    if (!x->old_count)
        return 1;
    r = find_master(x, &master, err);
    if (r < 0)
        return r;
    look_at_old_workers(x, master.pid);
    while (x->waits && x->old_count && vr_mono_ms_between(vr_mono_now(), end) > 0) {
        nanosleep(&interval, NULL);
        look_at_old_workers(x, master.pid);
    }
    vr_child_fini(&master);
    if (!x->old_count)
        return 1;
    if (vr_mono_ms_between(vr_mono_now(), x->old_until) > 0)
        return 0;
    return only_finish(x) ? 1 : vr_fail(err, VR_TIMEOUT, "nginx kept its old workers");
}

static int nginx_sync(void *self, struct vr_balancer_view *view, struct vr_err *err)
{
    struct nginx *x = self;
    int r;

    if (x->last.code && vr_mono_ms_between(vr_mono_now(), x->retry_at) > 0)
        return vr_fail(err, x->last.code, "%s", x->last.msg);
    x->last = (struct vr_err)VR_ERR_NULL;
    x->waits = false;
    r = update(x, view, &x->last);
    if (!r)
        r = confirm(x, &x->last);
    if (r < 0) {
        x->retry_at = vr_mono_add_ms(vr_mono_now(), RETRY_MS);
        return vr_fail(err, x->last.code, "%s", x->last.msg);
    }
    for (size_t i = 0; i < view->pool_count; i++) {
        view->pools[i].applied = view->pools[i].generation;
        view->pools[i].confirmed = r ? view->pools[i].generation : 0;
    }
    return 0;
}

static int nginx_shutdown(void *self, struct vr_err *err)
{
    struct nginx *x = self;
    struct vr_child master = VR_CHILD_NULL;
    int r;

    if (!x->is_private || find_master(x, &master, NULL) < 0)
        return 0;
    r = vr_daemon_stop(&master, STOP_MS, err);
    vr_child_fini(&master);
    return r;
}

const struct vr_balancer_driver vr_balancer_nginx = {
    .name = "nginx",
    .open = nginx_open,
    .close = nginx_close,
    .sync = nginx_sync,
    .shutdown = nginx_shutdown,
};
