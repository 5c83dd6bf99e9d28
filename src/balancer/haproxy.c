/* SPDX-License-Identifier: MIT */
/* The HAProxy driver: a private instance, changed through its Runtime API.
 *
 * The instance is ours alone: its configuration is made here, it runs in the state folder, and all
 * paths in it are relative to that folder, so that their length does not matter. It has one front
 * end and spare backends ("slots"); a map leads a host name to the slot of its pool. So servers,
 * and even pools, come and go without a reload.
 *
 * It runs as master and worker (-W -D): the master outlives whoever started it, keeps the
 * privileges that a later bind needs, and its socket reaches every worker. A reload (only for more
 * slots or other options) hands the listeners over; with idle-close-on-response the old worker
 * answers one more request on each idle connection instead of closing it under the client's hands.
 * Such a request it hands over to the current worker, because its own servers are of the past.
 *
 * The files are written on each change, so that a restart of the program brings the same pools.
 * Nothing else is remembered: each sync compares with what the program really has. */
#include "balancer/balancer_driver.h"

#include "balancer/daemon.h"
#include "balancer/haproxy_api.h"
#include "balancer/haproxy_sync.h"
#include "balancer/options.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#define CONFIG_FILE      "haproxy.cfg"
#define CONFIG_NEW_FILE  "haproxy.cfg.new"
#define FRONT_SOCKET     "front.sock" /* the front end, for old workers */
#define PID_FILE         "haproxy.pid"
#define COMM             "haproxy"
#define LOADED_BYTES     40
#define FILE_BYTES       ((size_t)64 * 1024 * 1024)
#define FNV_OFFSET       UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME        UINT64_C(0x100000001b3)
#define START_MS         5000
#define STOP_MS          5000
#define WAIT_INTERVAL_NS (5 * VR_NS_PER_MS)
#define RETRY_MS         2000 /* after a failed start or reload */
#define PASSES_MAX       4    /* of one sync; the second usually confirms */

struct haproxy {
    char *dir;
    const struct vr_log *log;
    char *program, *bind, *user, *default_pool;
    int slots_min, maxconn, threads;
    struct vr_haproxy_slots slots;
    char *config, *map;      /* as last written; NULL: not looked at yet */
    struct vr_mono retry_at; /* not before this another start or reload */
    struct vr_err last;      /* why */
};

static const char *const option_names[] = {"bind",    "default_pool", "slots",  "user",
                                           "program", "maxconn",      "threads"};

static void haproxy_close(void *self)
{
    struct haproxy *h = self;

    vr_haproxy_slots_fini(&h->slots);
    free(h->dir);
    free(h->program);
    free(h->bind);
    free(h->user);
    free(h->default_pool);
    free(h->config);
    free(h->map);
    free(h);
}

static int read_options(struct haproxy *h, const json_t *o, struct vr_err *err)
{
    uid_t uid;
    gid_t gid;
    bool drops = geteuid() == 0 && !vr_user_find("haproxy", &uid, &gid, NULL);
    int r;

    r = vr_options_check_names(o, option_names, VR_COUNT(option_names), err);
    if (!r)
        r = vr_options_text(o, "bind", "0.0.0.0:8080", &h->bind, err);
    if (!r)
        r = vr_options_text(o, "default_pool", NULL, &h->default_pool, err);
    if (!r)
        r = vr_options_text(o, "user", drops ? "haproxy" : NULL, &h->user, err);
    if (!r)
        r = vr_options_text(o, "program", "haproxy", &h->program, err);
    if (!r)
        r = vr_options_int(o, "slots", VR_HAPROXY_SLOTS_STEP, VR_HAPROXY_SLOTS_LOW + 1,
                           VR_BALANCER_POOLS_MAX, &h->slots_min, err);
    if (!r)
        r = vr_options_int(o, "maxconn", 4000, 10, 1000000, &h->maxconn, err);
    if (!r)
        r = vr_options_int(o, "threads", 2, 1, 64, &h->threads, err);
    return r;
}

static char *file_path(const struct haproxy *h, const char *name)
{
    return vr_strf("%s/%s", h->dir, name);
}

/* The file's text, "" if there is none. */
static char *read_file(const struct haproxy *h, const char *name)
{
    vr_auto_free char *path = file_path(h, name);
    char *text = NULL;
    size_t n;

    if (vr_fs_read(path, FILE_BYTES, &text, &n, NULL) < 0)
        return vr_strdup("");
    return text;
}

static int count_slots(const char *config)
{
    int n = 0;

    for (const char *p = config; (p = strstr(p, "\nbackend slot_")); p++)
        n++;
    return n;
}

static int haproxy_open(const struct vr_balancer_driver_spec *spec, void **out_self,
                        struct vr_err *err)
{
    struct haproxy *h = vr_alloc(sizeof(*h));
    int r;

    h->dir = vr_strdup(spec->state_dir);
    h->log = spec->log;
    r = read_options(h, spec->options, err);
    if (r < 0) {
        haproxy_close(h);
        return r;
    }
    h->config = read_file(h, CONFIG_FILE);
    h->map = read_file(h, VR_HAPROXY_MAP_FILE);
    vr_haproxy_slots_grow(&h->slots, h->slots_min);
    vr_haproxy_slots_grow(&h->slots, count_slots(h->config));
    vr_haproxy_slots_learn(&h->slots, h->map);
    *out_self = h;
    return 0;
}

/* All that only a reload can change: everything but the slots. */
static void write_fixed(const struct haproxy *h, struct vr_buf *b)
{
    const char *host = "req.hdr(host),field(1,:),lower,concat(.),map_beg(" VR_HAPROXY_MAP_FILE;

    vr_buf_add(b, "  stats socket unix@admin.sock mode 600 level admin\n");
    vr_buf_addf(b, "  nbthread %d\n  maxconn %d\n", h->threads, h->maxconn);
    if (h->user)
        vr_buf_addf(b, "  user %s\n", h->user);
    vr_buf_add(b, "defaults\n"
                  "  mode http\n"
                  "  balance roundrobin\n"
                  "  http-reuse safe\n"
                  "  timeout connect 2s\n"
                  "  timeout client 60s\n"
                  "  timeout server 60s\n"
                  "  timeout queue 5s\n"
                  "  timeout tunnel 1h\n"
                  "  retries 2\n"
                  "  option redispatch\n"
                  "  option forwardfor\n"
                  "  option idle-close-on-response\n");
    vr_buf_addf(b, "frontend main\n  bind %s\n", h->bind);
    vr_buf_add(b, "  bind unix@" FRONT_SOCKET " mode 600");
    if (h->user)
        vr_buf_addf(b, " user %s", h->user);
    vr_buf_add(b, "\n");
    /* The key ends in a dot, so "shop." meets "shop.example" and not "shopping.example". */
    vr_buf_addf(b, "  use_backend %%[%s)] if { %s) -m found }\n", host, host);
    vr_buf_add(b, "  use_backend %[str(" VR_HAPROXY_ANY_HOST "),map_beg(" VR_HAPROXY_MAP_FILE
                  ",none)]\n"
                  "backend none\n  http-request return status 404 content-type text/plain string "
                  "\"no such pool\\n\"\n"
                  "backend " VR_HAPROXY_HANDOVER "\n  server current unix@" FRONT_SOCKET "\n");
}

static int save(const struct haproxy *h, const char *name, const char *text, struct vr_err *err)
{
    vr_auto_free char *path = file_path(h, name);

    return vr_fs_replace(path, text, strlen(text), 0600, err);
}

/* Let the program itself say whether it would accept the text. */
static int check_config(const struct haproxy *h, const char *text, struct vr_err *err)
{
    const char *argv[] = {h->program, "-c", "-f", CONFIG_NEW_FILE, NULL};
    vr_auto_free char *path = file_path(h, CONFIG_NEW_FILE);
    int r;

    r = save(h, CONFIG_NEW_FILE, text, err);
    if (!r)
        r = vr_daemon_run(argv, h->dir, "[ALERT]", START_MS, err);
    unlink(path);
    return r;
}

/* What a program has loaded, as far as only a reload can change it: a hash of the fixed text and
 * the number of slots. It is the program's `description`, so a running one tells it by itself. */
static void format_loaded(const struct haproxy *h, const char *fixed, char out[LOADED_BYTES])
{
    uint64_t hash = FNV_OFFSET;

    for (const char *c = fixed; *c; c++)
        hash = (hash ^ (unsigned char)*c) * FNV_PRIME;
    snprintf(out, LOADED_BYTES, "%016" PRIx64 "-%d", hash, h->slots.count);
}

static int write_text(const struct haproxy *h, const struct vr_balancer_view *view,
                      char loaded[LOADED_BYTES], char **out, struct vr_err *err)
{
    vr_auto_buf struct vr_buf fixed = VR_BUF(FILE_BYTES), all = VR_BUF(FILE_BYTES);

    write_fixed(h, &fixed);
    format_loaded(h, vr_buf_text(&fixed), loaded);
    vr_buf_addf(&all,
                "# made by velociraptor; changes here are overwritten\n"
                "global\n  description %s\n%s",
                loaded, vr_buf_text(&fixed));
    vr_haproxy_slots_write_backends(&h->slots, view, &all);
    return vr_buf_finish(&all, out, err);
}

/* The current worker, 0 if none answers; *out_is_loaded: it has loaded just that. */
static pid_t find_worker(const struct haproxy *h, const char *loaded, bool *out_is_loaded)
{
    vr_auto_free char *line = vr_strf("\nDescription: %s\n", loaded);
    vr_auto_free char *info = NULL;
    pid_t workers[VR_HAPROXY_WORKERS_MAX];

    *out_is_loaded = false;
    if (vr_haproxy_workers(h->dir, workers, NULL) <= 0 ||
        vr_haproxy_ask(h->dir, workers[0], "show info", &info, NULL) < 0)
        return 0;
    *out_is_loaded = strcasestr(info, line);
    return workers[0];
}

/* Wait for a current worker that is not `before`. Gives its pid. */
static int wait_for_worker(const struct haproxy *h, pid_t before, struct vr_err *err)
{
    const struct timespec interval = {.tv_nsec = WAIT_INTERVAL_NS};
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), START_MS);
    pid_t workers[VR_HAPROXY_WORKERS_MAX];
    vr_auto_free char *info = NULL;

    while (vr_mono_ms_between(vr_mono_now(), end) > 0) {
        int n = vr_haproxy_workers(h->dir, workers, NULL);

        if (n > 0 && workers[0] != before &&
            !vr_haproxy_ask(h->dir, workers[0], "show info", &info, NULL))
            return workers[0];
        nanosleep(&interval, NULL);
    }
    return vr_fail(err, VR_TIMEOUT, "haproxy: no new worker after %d ms", START_MS);
}

static int start(const struct haproxy *h, struct vr_err *err)
{
    const char *argv[] = {h->program, "-W",        "-D",
                          "-f",       CONFIG_FILE, "-p",
                          PID_FILE,   "-S",        "unix@" VR_HAPROXY_MASTER_SOCKET ",mode,600",
                          NULL};
    vr_auto_free char *pid_file = file_path(h, PID_FILE);
    struct vr_child left = VR_CHILD_NULL;
    int r = 0;

    /* One that holds the pid file but does not answer would keep the port. */
    if (!vr_daemon_find(pid_file, COMM, h->dir, &left, NULL)) {
        vr_warn(h->log, "process %d does not answer, replacing it", (int)left.pid);
        r = vr_daemon_stop(&left, STOP_MS, err);
        vr_child_fini(&left);
    }
    /* Ports are shared (SO_REUSEPORT): a worker left over would go on serving old pools. */
    vr_daemon_signal_strays(COMM, h->dir, SIGKILL, STOP_MS);
    if (!r)
        r = vr_daemon_run(argv, h->dir, "[ALERT]", START_MS, err);
    if (!r)
        r = wait_for_worker(h, 0, err);
    if (r < 0)
        return vr_fail_in(err, r, "start");
    vr_info(h->log, "haproxy started, worker %d", r);
    return 0;
}

static int reload(const struct haproxy *h, pid_t worker, struct vr_err *err)
{
    vr_auto_free char *pid_file = file_path(h, PID_FILE);
    struct vr_child master = VR_CHILD_NULL;
    int r;

    r = vr_daemon_find(pid_file, COMM, h->dir, &master, err);
    if (r < 0)
        return vr_fail_in(err, r, "reload");
    vr_child_signal(&master, SIGUSR2);
    vr_child_fini(&master);
    r = wait_for_worker(h, worker, err);
    if (r < 0)
        return vr_fail_in(err, r, "reload");
    vr_info(h->log, "haproxy reloaded, worker %d", r);
    return 0;
}

/* Write the map; it is read at starts only, since a running program is told over its socket. */
static int write_map(struct haproxy *h, struct vr_err *err)
{
    vr_auto_buf struct vr_buf map = VR_BUF(FILE_BYTES);
    vr_auto_free char *text = NULL;
    int r;

    vr_haproxy_slots_write_map(&h->slots, &map);
    r = vr_buf_finish(&map, &text, err);
    if (r < 0 || (*h->map && vr_streq(text, h->map)))
        return r;
    r = save(h, VR_HAPROXY_MAP_FILE, text, err);
    if (r < 0)
        return r;
    free(h->map);
    h->map = vr_take(text);
    return 0;
}

/* Write the configuration and bring up a program that has read it. On failure the old text is back
 * in the file and a running program goes on with it. */
static int write_config(struct haproxy *h, struct vr_balancer_view *view, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    char loaded[LOADED_BYTES];
    bool is_loaded;
    pid_t worker;
    int r;

    r = write_text(h, view, loaded, &text, err);
    if (r < 0)
        return r;
    worker = find_worker(h, loaded, &is_loaded);
    if (is_loaded && vr_streq(text, h->config))
        return 0;
    if (!is_loaded)
        r = check_config(h, text, err);
    if (!r)
        r = save(h, CONFIG_FILE, text, err);
    if (r < 0)
        return r;
    if (!is_loaded) {
        view->changes++;
        r = worker ? reload(h, worker, err) : start(h, err);
    }
    if (r < 0) {
        if (*h->config)
            vr_ignore(save(h, CONFIG_FILE, h->config, NULL), "the first failure is told");
        return r;
    }
    free(h->config);
    h->config = vr_take(text);
    return 0;
}

/* As write_config(), but after a failure not again for a while: it costs processes. */
static int write_files(struct haproxy *h, struct vr_balancer_view *view, struct vr_err *err)
{
    int r;

    if (h->last.code && vr_mono_ms_between(vr_mono_now(), h->retry_at) > 0)
        return vr_fail(err, h->last.code, "%s", h->last.msg);
    h->last = (struct vr_err)VR_ERR_NULL;
    r = write_map(h, &h->last);
    if (!r)
        r = write_config(h, view, &h->last);
    if (r < 0) {
        h->retry_at = vr_mono_add_ms(vr_mono_now(), RETRY_MS);
        return vr_fail(err, h->last.code, "%s", h->last.msg);
    }
    return 0;
}

/* One pass over all workers. An old worker may end at any moment, so only the current one's silence
 * is an error. */
static int sync_workers(struct haproxy *h, struct vr_balancer_view *view, int64_t *out_changes,
                        struct vr_err *err)
{
    struct vr_haproxy_sync sync = {.state_dir = h->dir, .slots = &h->slots, .log = h->log};
    pid_t workers[VR_HAPROXY_WORKERS_MAX];
    int n = vr_haproxy_workers(h->dir, workers, err);

    if (n <= 0)
        return n < 0 ? n : vr_fail(err, VR_BUSY, "haproxy has no worker");
    *out_changes = 0;
    for (int i = 0; i < n; i++) {
        int64_t changes = 0;
        int r;

        sync.worker = workers[i];
        r = i ? vr_haproxy_sync_old_worker(&sync, view, &changes, NULL)
              : vr_haproxy_sync_worker(&sync, view, &changes, err);
        if (r < 0 && !i)
            return r;
        *out_changes += changes;
    }
    return 0;
}

/* Before a pass every pool counts as confirmed; the pass lowers those that differ. */
static void reset(struct vr_balancer_view *view)
{
    for (size_t i = 0; i < view->pool_count; i++) {
        struct vr_balancer_pool_view *pool = &view->pools[i];

        pool->confirmed = pool->generation;
        pool->error[0] = '\0';
        for (size_t k = 0; k < pool->node_count; k++) {
            pool->nodes[k].connections = 0;
            pool->nodes[k].check = VR_BALANCER_CHECK_NONE;
        }
    }
}

static int haproxy_sync(void *self, struct vr_balancer_view *view, struct vr_err *err)
{
    struct haproxy *h = self;
    int64_t changes = 1;
    int r;

    vr_haproxy_slots_assign(&h->slots, view, h->default_pool);
    r = write_files(h, view, err);
    for (int i = 0; !r && changes && i < PASSES_MAX; i++) {
        reset(view);
        r = sync_workers(h, view, &changes, err);
        view->changes += changes;
    }
    for (size_t i = 0; !r && i < view->pool_count; i++)
        if (!*view->pools[i].error)
            view->pools[i].applied = view->pools[i].generation;
    return r;
}

static int haproxy_shutdown(void *self, struct vr_err *err)
{
    struct haproxy *h = self;
    vr_auto_free char *pid_file = file_path(h, PID_FILE);
    struct vr_child master = VR_CHILD_NULL;
    int r;

    if (vr_daemon_find(pid_file, COMM, h->dir, &master, NULL) < 0)
        return 0;
    r = vr_daemon_stop(&master, STOP_MS, err);
    vr_child_fini(&master);
    if (!r)
        unlink(pid_file);
    return r;
}

const struct vr_balancer_driver vr_balancer_haproxy = {
    .name = "haproxy",
    .open = haproxy_open,
    .close = haproxy_close,
    .sync = haproxy_sync,
    .shutdown = haproxy_shutdown,
};
