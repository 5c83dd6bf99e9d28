/* SPDX-License-Identifier: MIT */
/* `vr server`: wires the parts together, makes what a first start needs, and waits for the end. */
#include "server/main.h"

#include "blob/blob.h"
#include "engine/dispatch.h"
#include "engine/engine.h"
#include "engine/janitor.h"
#include "fmt/json.h"
#include "net/http_server.h"
#include "server/agents.h"
#include "server/auth.h"
#include "server/first_start.h"
#include "server/hub.h"
#include "server/route.h"
#include "server/server.h"
#include "store/app.h"
#include "store/balancer.h"
#include "store/buildpack.h"
#include "store/host.h"
#include "store/secret.h"
#include "store/settings.h"
#include "store/user.h"
#include "sys/fs.h"
#include "sys/signals.h"

#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define SERVER_THREADS   4
#define MMAP_BYTES       (8 << 20) /* larger blocks are the kernel's */
#define TRIM_BYTES       (32 << 20)
#define PAD_BYTES        (1 << 20)
#define PEM_BYTES        (1 << 20)
#define JOIN_TOKEN_BYTES 4096
#define SECRET_KEYS      "secret-keys" /* in the data dir */

int vr_server_commit(struct vr_server *server, struct vr_tx *tx, struct vr_err *err)
{
    vr_auto_touched struct vr_touched touched = {0};
    int r = vr_store_commit(tx, &touched, err);

    if (r < 0)
        return r;
    if (server->engine)
        vr_engine_wake(server->engine, &touched);
    if (server->hub)
        vr_hub_wake(server->hub, &touched);
    return 0;
}

/* ------------------------------------------------------------------ requests */

static bool is_agents(const struct vr_http_req *req)
{
    return vr_streq(vr_http_req_segment(req, 0), "agent") &&
           vr_streq(vr_http_req_segment(req, 1), "v1");
}

static void begin(void *user, struct vr_http_req *req, struct vr_http_intake *intake)
{
    if (is_agents(req))
        vr_agents_begin(user, req, intake);
    else
        vr_route_begin(user, req, intake);
}

static void handle(void *user, struct vr_http_req *req)
{
    if (is_agents(req))
        vr_agents_handle(user, req);
    else
        vr_route_handle(user, req);
}

/* ------------------------------------------------------------------ the first start */

static int make_buildpacks(struct vr_tx *tx, struct vr_err *err)
{
    VR_ROWS(buildpack) all = {0};
    int r = vr_store_buildpack_list(tx, &all, err);

    return r < 0 || all.n ? r : vr_first_buildpacks(tx, 0, err);
}

static int take_join_token(struct vr_server *server, struct vr_err *err)
{
    const char *path = server->config.join_token_file;
    vr_auto_free char *line = NULL;
    int r = vr_fs_read(path, JOIN_TOKEN_BYTES, &server->join_token, NULL, err);

    if (r == -VR_NOT_FOUND) {
        server->join_token = vr_random_hex(24);
        line = vr_strf("%s\n", server->join_token);
        r = vr_fs_replace(path, line, strlen(line), 0600, err);
    }
    if (r < 0)
        return r;
    server->join_token[strcspn(server->join_token, "\r\n")] = '\0';
    if (!*server->join_token) /* it would be every host's */
        return vr_fail(err, VR_INVALID, "'%s' holds no join token", path);
    return 0;
}

/* "vr.common.balancer.nginx.NginxBalancer" and "nginx" are both nginx. */
static const char *driver_of(const json_t *entry)
{
    const char *backend = json_string_value(json_object_get(entry, "BACKEND"));

    return backend ? backend : "none";
}

int vr_server_sync_balancer(struct vr_server *server, struct vr_tx *tx, const char *name,
                            const json_t *entry, struct vr_err *err)
{
    json_t *options = json_object_get(entry, "options");
    json_t *hosts = json_object_get(entry, "hosts");
    vr_auto_free int64_t *ids = vr_alloc_array(json_array_size(hosts), sizeof(*ids));
    VR_ROW(balancer) row = {0};
    size_t n = 0, i;
    json_t *one;
    int r = vr_store_balancer_find(tx, name, &row, err);
    bool is_new = r == -VR_NOT_FOUND;

    if (r < 0 && !is_new)
        return r;
    free(row.name);
    free(row.driver);
    free(row.options_json);
    row.name = vr_strdup(name);
    row.driver = vr_strdup(driver_of(entry));
    row.options_json = options ? vr_json_dump(options) : vr_strdup("{}");
    r = is_new ? vr_store_balancer_insert(tx, &row, &row.id, err)
               : vr_store_balancer_update(tx, &row, err);
    json_array_foreach (hosts, i, one) {
        VR_ROW(host) host = {0};

        if (r == 0 && json_is_string(one) &&
            vr_store_host_find(tx, json_string_value(one), &host, NULL) == 0)
            ids[n++] = host.id;
    }
    return r < 0 ? r : vr_store_balancer_set_hosts(tx, row.id, ids, n, err);
}

static int first_start(struct vr_server *server, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    vr_auto_free char *id = vr_random_hex(8);
    const char *name;
    json_t *entry;
    int r = vr_store_begin(server->store, VR_DB_WRITE, &tx, err);

    if (r == 0)
        r = vr_store_setting_take(tx, "cluster_id", id, &server->cluster, err);
    if (r == 0)
        r = vr_first_admin(server, tx, err);
    if (r == 0)
        r = make_buildpacks(tx, err);
    if (r == 0)
        r = vr_store_app_set_schemes(tx, server->config.schemes, err);
    if (r == 0)
        r = vr_dispatch_fill_sums(tx, err);
    json_object_foreach (server->config.balancers, name, entry)
        if (r == 0)
            r = vr_server_sync_balancer(server, tx, name, entry, err);
    return r < 0 ? r : vr_server_commit(server, tx, err);
}

/* ------------------------------------------------------------------ life */

static void woke(void *user, const struct vr_touched *touched)
{
    struct vr_server *server = user;

    vr_hub_wake(server->hub, touched);
}

static int commit(void *user, struct vr_tx *tx, struct vr_err *err)
{
    return vr_server_commit(user, tx, err);
}

static int start_janitor(struct vr_server *server, struct vr_err *err)
{
    struct vr_janitor_spec spec = {.store = server->store,
                                   .blobs = server->blobs,
                                   .log = &server->log,
                                   .schedules = server->config.schedules,
                                   .limits = &server->config.retention,
                                   .commit = commit,
                                   .user = server};

    return vr_janitor_start(&spec, &server->janitor, err);
}

static int read_pem(const char *path, char **out, struct vr_err *err)
{
    return path ? vr_fs_read(path, PEM_BYTES, out, NULL, err) : 0;
}

static int listen_http(struct vr_server *server, struct vr_err *err)
{
    vr_auto_free char *cert = NULL;
    vr_auto_free char *key = NULL;
    struct vr_http_server_spec spec = {.address = server->config.address,
                                       .port = server->config.port,
                                       .threads = SERVER_THREADS,
                                       .begin = begin,
                                       .handle = handle,
                                       .user = server};
    int r = read_pem(server->config.tls_cert, &cert, err);

    if (r == 0)
        r = read_pem(server->config.tls_key, &key, err);
    if (r < 0)
        return r;
    spec.tls_cert = cert;
    spec.tls_key = key;
    return vr_http_server_start(&spec, &server->http, err);
}

static int open_keyring(struct vr_server *server, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/" SECRET_KEYS, server->config.data_dir);

    return vr_store_open_keyring(server->store, path, vr_wall_now(), err);
}

/*
 * A list is some buffers of hundreds of kilobytes. As glibc has it, each is mapped from the kernel
 * and given back: a quarter of the time of a list went into pages that are faulted in again.
 */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, MMAP_BYTES);
    mallopt(M_TRIM_THRESHOLD, TRIM_BYTES);
    mallopt(M_TOP_PAD, PAD_BYTES);
}

static int set_up(struct vr_server *server, struct vr_err *err)
{
    struct vr_port_range ports;
    struct vr_engine_spec engine = {.log = &server->log, .woke = woke, .user = server};
    int r;

    if (sodium_init() < 0)
        return vr_fail(err, VR_BUG, "libsodium does not start");
    keep_memory();
    umask(077);
    prctl(PR_SET_DUMPABLE, 0); /* a core file would hold secrets */
    r = vr_fs_mkdir_p(server->config.data_dir, 0700, err);
    if (r == 0)
        r = vr_store_open(server->config.database, NULL, &server->store, err);
    if (r == 0)
        r = open_keyring(server, err);
    if (r == 0)
        r = vr_port_range_parse(server->config.port_range, &ports, err);
    if (r == 0) {
        vr_store_set_ports(server->store, ports);
        vr_store_set_keep_releases(server->store, server->config.retention.keep_releases);
    }
    if (r == 0)
        r = vr_blobs_open(server->config.blobs, &server->blobs, err);
    if (r == 0)
        r = take_join_token(server, err);
    if (r < 0)
        return r;
    server->auth = vr_auth_new(server->store, &server->config.trusted);
    r = first_start(server, err);
    if (r == 0)
        r = vr_hub_start(server, &server->hub, err);
    engine.store = server->store;
    if (r == 0)
        r = vr_engine_start(&engine, &server->engine, err);
    if (r == 0)
        r = start_janitor(server, err);
    if (r == 0)
        r = listen_http(server, err);
    return r;
}

static void tear_down(struct vr_server *server)
{
    server->http = vr_http_server_stop(server->http);
    server->janitor = vr_janitor_stop(server->janitor);
    server->engine = vr_engine_stop(server->engine);
    server->hub = vr_hub_stop(server->hub);
    server->auth = vr_auth_free(server->auth);
    server->blobs = vr_blobs_close(server->blobs);
    server->store = vr_store_free(server->store);
    free(server->cluster);
    free(server->join_token);
    vr_server_config_fini(&server->config);
}

static void wait_for_end(int signals)
{
    struct pollfd p = {.fd = signals, .events = POLLIN};
    int sig = 0;

    while (sig != SIGTERM && sig != SIGINT) {
        if (poll(&p, 1, -1) < 0)
            continue;
        sig = vr_signals_next(signals);
    }
}

int vr_server_main(int argc, char **argv)
{
    struct vr_server server = {0};
    struct vr_err err = VR_ERR_NULL;
    vr_auto_close int signals = -1;
    int r;

    if (argc == 2 && vr_streq(argv[1], "--print-routes")) { /* for tests */
        vr_route_print(stdout);
        return 0;
    }
    signals = vr_signals_open(&err);
    r = signals < 0 ? signals : vr_server_config_read(argc, argv, &server.config, &err);

    if (r == 1)
        return 0;
    if (r < 0) {
        fprintf(stderr, "vr server: %s\n", err.msg);
        return 2;
    }
    vr_log_init(&server.log, NULL, "part", "server");
    r = set_up(&server, &err);
    if (r < 0) {
        vr_error(&server.log, "%s", err.msg);
    } else {
        vr_info(&server.log, "listening on %s:%d", server.config.address,
                (int)vr_http_server_port(server.http));
        wait_for_end(signals);
        vr_info(&server.log, "ending");
    }
    tear_down(&server);
    return r < 0 ? 1 : 0;
}
