/* SPDX-License-Identifier: MIT */
/* Make one HAProxy worker what the view says.
 *
 * The order is what keeps requests from failing: new servers first, then the map that sends hosts
 * to them, then drains, and removals last. A server that is to be removed is put into maintenance
 * (no new requests), its sessions are shut and it is deleted; HAProxy refuses the deletion while a
 * connection is still being torn down, so a refused one simply stays in maintenance for the next
 * pass. */
#include "balancer/haproxy_sync.h"

#include "balancer/haproxy_api.h"
#include "core/clock.h"
#include "core/str.h"

#include <time.h>

#define COMMAND_BYTES      1024
#define DELETE_TRIES       20
#define DELETE_INTERVAL_NS (5 * VR_NS_PER_MS)

struct pass {
    const struct vr_haproxy_sync *sync;
    struct vr_balancer_view *view;
    struct vr_haproxy_state have;
    int64_t changes;
};

static int order(struct pass *p, const char *expected, struct vr_err *err, const char *fmt, ...)
    VR_PRINTF(4, 5);

/* Give one changing command. */
static int order(struct pass *p, const char *expected, struct vr_err *err, const char *fmt, ...)
{
    char command[COMMAND_BYTES];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(command, sizeof(command), fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof(command))
        return vr_fail(err, VR_BUG, "haproxy command is too long");
    p->changes++;
    vr_debug(p->sync->log, "worker %d: %s", (int)p->sync->worker, command);
    return vr_haproxy_order(p->sync->state_dir, p->sync->worker, command, expected, err);
}

/* Maintenance, end of its sessions, deletion. Gives 1 if it is gone, 0 if it has to wait. */
static int remove_server(struct pass *p, const struct vr_haproxy_server *s, struct vr_err *err)
{
    const struct timespec interval = {.tv_nsec = DELETE_INTERVAL_NS};
    int r = 0;

    if (!s->maint)
        r = order(p, NULL, err, "set server %s/%s state maint", s->slot, s->id);
    if (!r)
        r = order(p, NULL, err, "shutdown sessions server %s/%s", s->slot, s->id);
    if (r < 0)
        return r;
    for (int i = 0; i < DELETE_TRIES; i++) {
        if (!order(p, "Server deleted", NULL, "del server %s/%s", s->slot, s->id))
            return 1;
        p->changes--;
        nanosleep(&interval, NULL);
    }
    return 0;
}

static int add_server(struct pass *p, const char *slot, const struct vr_balancer_node_view *node,
                      struct vr_err *err)
{
    vr_auto_buf struct vr_buf address = VR_BUF(COMMAND_BYTES);

    vr_haproxy_write_address(node, &address);
    return order(p, "New server registered", err, "add server %s/%s %s " VR_HAPROXY_SERVER_CHECK,
                 slot, node->id, vr_buf_text(&address));
}

static int set_state(struct pass *p, const char *slot, const struct vr_balancer_node_view *node,
                     const struct vr_haproxy_server *have, struct vr_err *err)
{
    if (node->drain) {
        if (have && have->drain && !have->maint)
            return 0;
        return order(p, NULL, err, "set server %s/%s state drain", slot, node->id);
    }
    if (have && !have->drain && !have->maint)
        return 0;
    return order(p, NULL, err, "set server %s/%s state ready", slot, node->id);
}

/* Bring one node to what it should be. */
static int sync_node(struct pass *p, const struct vr_balancer_pool_view *pool, const char *slot,
                     struct vr_balancer_node_view *node, struct vr_err *err)
{
    const struct vr_haproxy_server *have = vr_haproxy_server_find(&p->have, slot, node->id);
    int r;

    if (have && (!vr_streq(have->address, node->address) || have->port != node->port)) {
        r = remove_server(p, have, err);
        if (r <= 0)
            return r < 0 ? r : vr_fail(err, VR_BUSY, "node '%s' has to move first", node->id);
        have = NULL;
    }
    if (have) {
        node->connections += have->connections;
        node->check = have->check;
    } else {
        r = add_server(p, slot, node, err);
        if (r < 0)
            return r;
    }
    /* Checks first: once a server is ready it takes requests whatever its checks will say. */
    if (pool->check != (have && have->is_checked)) {
        r = order(p, NULL, err, "%s health %s/%s", pool->check ? "enable" : "disable", slot,
                  node->id);
        if (r < 0)
            return r;
    }
    return set_state(p, slot, node, have, err);
}

static int set_route(struct pass *p, const char *key, const char *slot, struct vr_err *err)
{
    const char *have = vr_haproxy_route_find(&p->have, key);

    if (have && vr_streq(have, slot))
        return 0;
    for (size_t i = 0; i < p->have.route_count; i++)
        if (vr_streq(p->have.routes[i].key, key))
            return order(p, NULL, err, "set map " VR_HAPROXY_MAP_FILE " %s %s", key, slot);
    return order(p, NULL, err, "add map " VR_HAPROXY_MAP_FILE " %s %s", key, slot);
}

static int sync_pool(struct pass *p, struct vr_balancer_pool_view *pool, struct vr_err *err)
{
    char slot[VR_HAPROXY_SLOT_BYTES], key[VR_HAPROXY_KEY_BYTES];
    int index = vr_haproxy_slots_find(p->sync->slots, pool->name);
    int r;

    if (index < 0)
        return vr_fail(err, VR_LIMIT, "no backend is free");
    if (index >= p->have.slot_count)
        return vr_fail(err, VR_BUSY, "its backend is not made yet");
    vr_haproxy_slot_name(index, slot);
    vr_haproxy_key(pool->name, key);
    for (int drains = 0; drains < 2; drains++) {
        for (size_t i = 0; i < pool->node_count; i++) {
            if (pool->nodes[i].drain != drains)
                continue;
            r = sync_node(p, pool, slot, &pool->nodes[i], err);
            if (r < 0)
                return r;
        }
    }
    r = set_route(p, key, slot, err);
    if (!r && vr_streq(pool->name, p->sync->slots->fallback))
        r = set_route(p, VR_HAPROXY_ANY_HOST, slot, err);
    return r;
}

/* Whether some pool, or the default, owns this key of the map. */
static bool is_route_wanted(const struct pass *p, const char *key)
{
    char name[VR_HAPROXY_KEY_BYTES];
    const char *fallback = p->sync->slots->fallback;

    if (vr_streq(key, VR_HAPROXY_ANY_HOST))
        return fallback && vr_balancer_pool_find(p->view, fallback);
    for (size_t i = 0; i < p->view->pool_count; i++) {
        vr_haproxy_key(p->view->pools[i].name, name);
        if (vr_streq(name, key))
            return true;
    }
    return false;
}

static int remove_routes(struct pass *p, struct vr_err *err)
{
    for (size_t i = 0; i < p->have.route_count; i++) {
        const char *key = p->have.routes[i].key;
        bool is_repeated = false;
        int r;

        for (size_t k = 0; k < i && !is_repeated; k++)
            is_repeated = vr_streq(p->have.routes[k].key, key);
        if (is_repeated || is_route_wanted(p, key))
            continue;
        r = order(p, NULL, err, "del map " VR_HAPROXY_MAP_FILE " %s", key);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Remove servers that no pool names. Returns 0 or the code of a worker that does not answer. */
static int remove_servers(struct pass *p, struct vr_err *err)
{
    for (size_t i = 0; i < p->have.server_count; i++) {
        const struct vr_haproxy_server *s = &p->have.servers[i];
        int index = vr_haproxy_slot_index(s->slot);
        const char *name =
            index >= 0 && index < p->sync->slots->count ? p->sync->slots->pools[index] : NULL;
        struct vr_balancer_pool_view *pool = name ? vr_balancer_pool_find(p->view, name) : NULL;
        int r;

        if (index < 0 || (pool && vr_balancer_node_find(pool, s->id)))
            continue;
        r = remove_server(p, s, err);
        if (r < 0)
            return r;
        if (pool && !s->maint)
            pool->confirmed = 0;
    }
    return 0;
}

int vr_haproxy_sync_worker(const struct vr_haproxy_sync *sync, struct vr_balancer_view *view,
                           int64_t *out_changes, struct vr_err *err)
{
    struct pass p = {.sync = sync, .view = view};
    int r;

    r = vr_haproxy_state_read(sync->state_dir, sync->worker, &p.have, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < view->pool_count; i++) {
        struct vr_balancer_pool_view *pool = &view->pools[i];
        struct vr_err pool_err = VR_ERR_NULL;
        int64_t before = p.changes;

        if (sync_pool(&p, pool, &pool_err) < 0)
            memcpy(pool->error, pool_err.msg, sizeof(pool->error));
        if (p.changes != before || *pool->error)
            pool->confirmed = 0;
    }
    r = remove_routes(&p, err);
    if (!r)
        r = remove_servers(&p, err);
    vr_haproxy_state_fini(&p.have);
    *out_changes = p.changes;
    return r;
}

static void add_connections(struct pass *p)
{
    char slot[VR_HAPROXY_SLOT_BYTES];

    for (size_t i = 0; i < p->view->pool_count; i++) {
        struct vr_balancer_pool_view *pool = &p->view->pools[i];
        int index = vr_haproxy_slots_find(p->sync->slots, pool->name);

        if (index < 0)
            continue;
        vr_haproxy_slot_name(index, slot);
        for (size_t k = 0; k < pool->node_count; k++) {
            const struct vr_haproxy_server *have =
                vr_haproxy_server_find(&p->have, slot, pool->nodes[k].id);

            if (have)
                pool->nodes[k].connections += have->connections;
        }
    }
}

int vr_haproxy_sync_old_worker(const struct vr_haproxy_sync *sync, struct vr_balancer_view *view,
                               int64_t *out_changes, struct vr_err *err)
{
    struct pass p = {.sync = sync, .view = view};
    int r;

    r = vr_haproxy_state_read(sync->state_dir, sync->worker, &p.have, err);
    if (r < 0)
        return r;
    add_connections(&p);
    for (size_t i = 0; i < p.have.route_count && !r; i++)
        r = set_route(&p, p.have.routes[i].key, VR_HAPROXY_HANDOVER, err);
    if (!r)
        r = set_route(&p, VR_HAPROXY_ANY_HOST, VR_HAPROXY_HANDOVER, err);
    for (size_t i = 0; i < view->pool_count && (p.changes || r < 0); i++)
        view->pools[i].confirmed = 0;
    vr_haproxy_state_fini(&p.have);
    *out_changes = p.changes;
    return r;
}
