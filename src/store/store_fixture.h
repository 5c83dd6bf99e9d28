/* SPDX-License-Identifier: MIT */
/* A store with one app, squad, hosts, balancer, build, release and swarm; for the tests here. */
#ifndef VR_STORE_STORE_FIXTURE_H
#define VR_STORE_STORE_FIXTURE_H

#include "core/tap.h"
#include "store/app.h"
#include "store/balancer.h"
#include "store/build.h"
#include "store/host.h"
#include "store/pool.h"
#include "store/proc.h"
#include "store/release.h"
#include "store/rollout.h"
#include "store/squad.h"
#include "store/swarm.h"

#include <stdio.h>

#define NOW          ((struct vr_wall){INT64_C(1790000000000000)})
#define AT(later_us) ((struct vr_wall){NOW.us + (later_us)})

struct fixture {
    struct vr_store *store;
    struct vr_tx *tx;
    int64_t app, squad, host[2], balancer, build, release, swarm;
};

static inline void fixture_fini(struct fixture *f)
{
    vr_tx_free(f->tx);
    vr_store_free(f->store);
}

static inline int64_t add_host(struct vr_tx *tx, const char *name, int64_t squad)
{
    struct vr_host_row row = {.name = (char *)name,
                              .active = true,
                              .squad_id = squad,
                              .address = (char *)"127.0.0.1",
                              .roles = (char *)"[\"app\",\"build\",\"balancer\"]"};
    int64_t id = 0;

    if (vr_store_host_insert(tx, &row, &id, NULL) < 0 ||
        vr_store_host_set_state(tx, id, "live", NOW, NULL) < 0)
        return 0;
    return id;
}

static inline int add_release(struct fixture *f)
{
    struct vr_build_row build = {.app_id = f->app,
                                 .tag = (char *)"v1",
                                 .commit_id = (char *)"c0ffee",
                                 .inputs_sha256 = (char *)"in1",
                                 .created_us = NOW.us};
    struct vr_release_row release = {.env_json = (char *)"{\"A\":\"1\"}",
                                     .config_json = (char *)"{\"db\":\"pg\"}",
                                     .mem_limit = (char *)"256M",
                                     .hash = (char *)"ab12cd34",
                                     .content_sha256 = (char *)"content1",
                                     .created_us = NOW.us};
    bool made = false;
    int r = vr_store_build_take(f->tx, &build, &f->build, &made, NULL);

    if (r < 0)
        return r;
    build.id = f->build;
    build.file = (char *)"builds/hello-v1-0123.squashfs";
    build.file_md5 = (char *)"0123";
    build.file_sha256 = (char *)"feed";
    build.file_bytes = 4096;
    build.hash = (char *)"buildhash";
    r = vr_store_build_succeed(f->tx, &build, NOW, NULL);
    release.build_id = f->build;
    return r < 0 ? r : vr_store_release_take(f->tx, &release, &f->release, &made, NULL);
}

static inline int add_swarm(struct fixture *f, const char *config, int64_t *out)
{
    struct vr_swarm_row swarm = {.app_id = f->app,
                                 .config_name = (char *)config,
                                 .proc_name = (char *)"web",
                                 .squad_id = f->squad,
                                 .size = 2,
                                 .tag = (char *)"v1",
                                 .pool = (char *)"hello",
                                 .balancer_id = f->balancer};

    return vr_store_swarm_insert(f->tx, &swarm, out, NULL);
}

/** Fill an empty store in the write transaction of `f`. */
static inline bool fixture_fill(struct fixture *f)
{
    struct vr_app_row app = {.name = (char *)"hello",
                             .repo_url = (char *)"https://example.com/hello.git",
                             .repo_type = (char *)"git"};
    struct vr_squad_row squad = {.name = (char *)"default"};
    struct vr_balancer_row balancer = {.name = (char *)"lb", .driver = (char *)"haproxy"};

    if (vr_store_app_insert(f->tx, &app, &f->app, NULL) < 0 ||
        vr_store_squad_insert(f->tx, &squad, &f->squad, NULL) < 0)
        return false;
    f->host[0] = add_host(f->tx, "h1.example.com", f->squad);
    f->host[1] = add_host(f->tx, "h2.example.com", f->squad);
    return vr_store_balancer_insert(f->tx, &balancer, &f->balancer, NULL) == 0 &&
           vr_store_balancer_set_hosts(f->tx, f->balancer, f->host, 2, NULL) == 0 &&
           add_release(f) == 0 && add_swarm(f, "prod", &f->swarm) == 0;
}

/** Open an empty store, fill it in a write transaction and leave that open. */
static inline bool fixture_init(struct fixture *f)
{
    vr_auto_free char *url = vr_strf("sqlite:%s/store.db", vr_tap_dir());

    *f = (struct fixture){0};
    return vr_store_open(url, NULL, &f->store, NULL) == 0 &&
           vr_store_begin(f->store, VR_DB_WRITE, &f->tx, NULL) == 0 && fixture_fill(f);
}

#define FIXTURE(f) __attribute__((cleanup(fixture_fini))) struct fixture f

/** Commit what was done so far and begin again. */
static inline int fixture_commit(struct fixture *f, enum vr_db_mode mode)
{
    struct vr_err err = VR_ERR_NULL;
    int r = vr_store_commit(f->tx, NULL, &err);

    if (r < 0)
        fprintf(stderr, "# commit: %s\n", err.msg);
    f->tx = vr_tx_free(f->tx);
    return r < 0 ? r : vr_store_begin(f->store, mode, &f->tx, NULL);
}

static inline int add_rollout(struct fixture *f, const char *state, char **out_id)
{
    struct vr_rollout_row row = {.swarm_id = f->swarm,
                                 .kind = (char *)"dispatch",
                                 .state = (char *)state,
                                 .tag = (char *)"v1",
                                 .release_id = f->release,
                                 .proc_name = (char *)"web",
                                 .config_name = (char *)"prod",
                                 .size = 2,
                                 .squad_id = f->squad,
                                 .created_us = NOW.us};

    return vr_store_rollout_insert(f->tx, &row, out_id, NULL);
}

static inline int add_proc(struct fixture *f, int host, int64_t port, int64_t *out)
{
    struct vr_proc_placement placement = {.swarm_id = f->swarm,
                                          .release_id = f->release,
                                          .host_id = f->host[host],
                                          .config_name = "prod",
                                          .proc_name = "web",
                                          .cmd = "python3 app.py",
                                          .port = port};

    return vr_store_proc_insert(f->tx, &placement, NOW, out, NULL);
}

/** Report one proc in epoch 1. */
static inline bool say(struct fixture *f, int64_t proc, const char *actual, int64_t generation)
{
    struct vr_proc_report report = {.id = proc,
                                    .epoch = 1,
                                    .actual = actual,
                                    .pid = 4711,
                                    .generation = generation,
                                    .since_us = NOW.us};
    bool stale = true;

    return vr_store_proc_report(f->tx, f->host[0], &report, NOW, &stale, NULL) == 0 && !stale;
}

#endif
