/* SPDX-License-Identifier: MIT */
/* A load balancer on this host, driven by the full desired state of its pools.
 *
 * This file holds what all drivers share: the configuration, the pools as they were last wanted
 * (the view) and the report made of it. A driver has one verb, sync: make it so and say what is
 * true. Apply and poll are the same call to it, so that repair is no path of its own. */
#include "balancer/balancer_driver.h"

#include "core/str.h"
#include "sys/fs.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define NAME_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

struct vr_balancer {
    const struct vr_balancer_driver *driver;
    void *self;
    char *name;
    char *state_dir;
    struct vr_log log;
    struct vr_balancer_view view;
    bool is_wanted; /* an apply was made */
    char error[VR_ERR_MSG_BYTES];
};

static const struct {
    const char *name;
    const struct vr_balancer_driver *driver;
} drivers[] = {
    {"haproxy", &vr_balancer_haproxy},    {"nginx", &vr_balancer_nginx},
    {"none", &vr_balancer_none},          {"dummy", &vr_balancer_none},
    {"DummyBalancer", &vr_balancer_none}, {"NginxBalancer", &vr_balancer_nginx},
};

static const char *const class_prefixes[] = {"vr.common.balancer.", "vr.server.balancer.",
                                             "deployment.balancer."};

/* "vr.common.balancer.nginx.NginxBalancer" -> "NginxBalancer"; other names as they are. */
static const char *strip_class_path(const char *name)
{
    for (size_t i = 0; i < VR_COUNT(class_prefixes); i++)
        if (vr_str_has_prefix(name, class_prefixes[i]))
            return strrchr(name, '.') + 1;
    return name;
}

static int find_driver(const char *name, const struct vr_balancer_driver **out, struct vr_err *err)
{
    const char *plain = strip_class_path(name);

    for (size_t i = 0; i < VR_COUNT(drivers); i++) {
        if (vr_streq(plain, drivers[i].name)) {
            *out = drivers[i].driver;
            return 0;
        }
    }
    return vr_fail(err, VR_NOT_FOUND, "balancer driver '%s' is not built in", name);
}

static bool is_name(const char *name)
{
    return name && vr_str_is_made_of(name, NAME_ALPHABET, 1, VR_BALANCER_NAME_MAX) &&
           *name != '.' && *name != '-';
}

static int open_driver(struct vr_balancer *b, const json_t *options, struct vr_err *err)
{
    vr_auto_free char *dir = NULL;
    struct vr_balancer_driver_spec spec = {.name = b->name, .log = &b->log};
    int r;

    r = vr_fs_mkdir_p(b->state_dir, 0711, err);
    if (r < 0)
        return r;
    dir = realpath(b->state_dir, NULL);
    if (!dir)
        return vr_fail_sys(err, "%s", b->state_dir);
    free(b->state_dir);
    b->state_dir = vr_take(dir);
    spec.state_dir = b->state_dir;
    spec.options = options;
    return b->driver->open(&spec, &b->self, err);
}

int vr_balancer_open(const json_t *config, const char *state_dir, const struct vr_log *log,
                     struct vr_balancer **out, struct vr_err *err)
{
    const char *name = json_string_value(json_object_get(config, "name"));
    const char *driver = json_string_value(json_object_get(config, "driver"));
    json_t *options = json_object_get(config, "options");
    const struct vr_balancer_driver *found = NULL;
    json_t *empty = NULL;
    struct vr_balancer *b;
    int r;

    if (!is_name(name))
        return vr_fail(err, VR_INVALID, "balancer name '%s' is not a name", name ? name : "");
    if (options && !json_is_object(options))
        return vr_fail(err, VR_INVALID, "balancer '%s': options is not an object", name);
    r = find_driver(driver ? driver : "haproxy", &found, err);
    if (r < 0)
        return vr_fail_in(err, r, "balancer '%s'", name);

    b = vr_alloc(sizeof(*b));
    b->driver = found;
    b->name = vr_strdup(name);
    b->state_dir = vr_strdup(state_dir);
    vr_log_init(&b->log, log, "balancer", b->name);
    if (!options)
        options = empty = json_object();
    r = open_driver(b, options, err);
    json_decref(empty);
    if (r < 0) {
        vr_fail_in(err, r, "balancer '%s'", name);
        b->driver = NULL;
        vr_balancer_close(b);
        return r;
    }
    *out = b;
    return 0;
}

static void fini_view(struct vr_balancer_view *view)
{
    for (size_t i = 0; i < view->pool_count; i++) {
        struct vr_balancer_pool_view *pool = &view->pools[i];

        for (size_t k = 0; k < pool->node_count; k++) {
            free(pool->nodes[k].id);
            free(pool->nodes[k].address);
        }
        free(pool->nodes);
        free(pool->name);
    }
    free(view->pools);
    *view = (struct vr_balancer_view){.changes = view->changes};
}

struct vr_balancer *vr_balancer_close(struct vr_balancer *b)
{
    if (!b)
        return NULL;
    if (b->driver)
        b->driver->close(b->self);
    fini_view(&b->view);
    free(b->name);
    free(b->state_dir);
    free(b);
    return NULL;
}

struct vr_balancer_node_view *vr_balancer_node_find(const struct vr_balancer_pool_view *pool,
                                                    const char *id)
{
    for (size_t i = 0; i < pool->node_count; i++)
        if (vr_streq(pool->nodes[i].id, id))
            return &pool->nodes[i];
    return NULL;
}

struct vr_balancer_pool_view *vr_balancer_pool_find(const struct vr_balancer_view *view,
                                                    const char *name)
{
    for (size_t i = 0; i < view->pool_count; i++)
        if (vr_streq(view->pools[i].name, name))
            return &view->pools[i];
    return NULL;
}

static bool is_address(const char *text)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return text && (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
}

static int check_node(const struct vr_balancer_pool *pool, size_t i, struct vr_err *err)
{
    const struct vr_balancer_node *node = &pool->nodes[i];

    if (!is_name(node->id))
        return vr_fail(err, VR_INVALID, "node id '%s' is not a name", node->id ? node->id : "");
    if (!is_address(node->address) || !node->port)
        return vr_fail(err, VR_INVALID, "node '%s': '%s' port %u is not an address", node->id,
                       node->address ? node->address : "", node->port);
    for (size_t k = 0; k < i; k++)
        if (vr_streq(pool->nodes[k].id, node->id))
            return vr_fail(err, VR_INVALID, "node '%s' is named twice", node->id);
    return 0;
}

static int check_pools(const struct vr_balancer_pool *pools, size_t count, struct vr_err *err)
{
    if (count > VR_BALANCER_POOLS_MAX)
        return vr_fail(err, VR_INVALID, "%zu pools are more than %d", count, VR_BALANCER_POOLS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct vr_balancer_pool *pool = &pools[i];

        if (!is_name(pool->name))
            return vr_fail(err, VR_INVALID, "pool name '%s' is not a name",
                           pool->name ? pool->name : "");
        if (pool->generation < 1 || pool->node_count > VR_BALANCER_NODES_MAX)
            return vr_fail(err, VR_INVALID, "pool '%s': generation %" PRId64 " with %zu nodes",
                           pool->name, pool->generation, pool->node_count);
        /* The Host header knows no case, so names may not differ by it alone. */
        for (size_t k = 0; k < i; k++)
            if (!strcasecmp(pools[k].name, pool->name))
                return vr_fail(err, VR_INVALID, "pools '%s' and '%s' have the same name",
                               pools[k].name, pool->name);
        for (size_t k = 0; k < pool->node_count; k++) {
            int r = check_node(pool, k, err);

            if (r < 0)
                return vr_fail_in(err, r, "pool '%s'", pool->name);
        }
    }
    return 0;
}

/* Copy one wanted pool; what was seen of an earlier generation stays until the driver looks. */
static void copy_pool(const struct vr_balancer_view *old, const struct vr_balancer_pool *from,
                      struct vr_balancer_pool_view *to)
{
    const struct vr_balancer_pool_view *before = vr_balancer_pool_find(old, from->name);

    to->name = vr_strdup(from->name);
    to->generation = from->generation;
    to->check = from->check;
    to->applied = before ? before->applied : 0;
    to->confirmed = before ? before->confirmed : 0;
    to->nodes = vr_alloc_array(from->node_count, sizeof(*to->nodes));
    to->node_count = from->node_count;
    for (size_t i = 0; i < from->node_count; i++)
        to->nodes[i] = (struct vr_balancer_node_view){
            .id = vr_strdup(from->nodes[i].id),
            .address = vr_strdup(from->nodes[i].address),
            .port = from->nodes[i].port,
            .drain = from->nodes[i].drain,
            .connections = VR_BALANCER_CONNECTIONS_UNKNOWN,
        };
}

static int sync_now(struct vr_balancer *b, struct vr_err *err)
{
    struct vr_err local = VR_ERR_NULL;
    int r = b->driver->sync(b->self, &b->view, &local);

    b->error[0] = '\0';
    if (r < 0) {
        memcpy(b->error, local.msg, sizeof(b->error));
        for (size_t i = 0; i < b->view.pool_count; i++)
            b->view.pools[i].confirmed = 0;
        if (err)
            *err = local;
        return vr_fail_in(err, r, "balancer '%s'", b->name);
    }
    return 0;
}

int vr_balancer_apply(struct vr_balancer *b, const struct vr_balancer_pool *pools, size_t count,
                      struct vr_err *err)
{
    struct vr_balancer_view view = {.changes = b->view.changes};
    int r;

    r = check_pools(pools, count, err);
    if (r < 0)
        return vr_fail_in(err, r, "balancer '%s'", b->name);
    view.pools = vr_alloc_array(count, sizeof(*view.pools));
    view.pool_count = count;
    for (size_t i = 0; i < count; i++)
        copy_pool(&b->view, &pools[i], &view.pools[i]);
    fini_view(&b->view);
    b->view = view;
    b->is_wanted = true;
    return sync_now(b, err);
}

int vr_balancer_poll(struct vr_balancer *b, struct vr_err *err)
{
    return b->is_wanted ? sync_now(b, err) : 0;
}

static json_t *text_or_null(const char *text)
{
    return *text ? json_string(text) : json_null();
}

static json_t *report_node(const struct vr_balancer_node_view *node)
{
    static const char *const checks[] = {
        [VR_BALANCER_CHECK_NONE] = "none",
        [VR_BALANCER_CHECK_UP] = "up",
        [VR_BALANCER_CHECK_DOWN] = "down",
    };

    return json_pack("{s:s, s:s, s:s, s:o}", "id", node->id, "state",
                     node->drain ? "drain" : "active", "check", checks[node->check], "connections",
                     node->connections < 0 ? json_null() : json_integer(node->connections));
}

static json_t *report_pool(const struct vr_balancer_pool_view *pool)
{
    json_t *nodes = json_array();

    for (size_t i = 0; i < pool->node_count; i++)
        json_array_append_new(nodes, report_node(&pool->nodes[i]));
    return json_pack("{s:s, s:I, s:I, s:I, s:o, s:o}", "name", pool->name, "generation",
                     (json_int_t)pool->generation, "applied", (json_int_t)pool->applied,
                     "confirmed", (json_int_t)pool->confirmed, "error", text_or_null(pool->error),
                     "nodes", nodes);
}

int vr_balancer_report(const struct vr_balancer *b, json_t **out, struct vr_err *err)
{
    json_t *pools = json_array();
    json_t *report;

    for (size_t i = 0; i < b->view.pool_count; i++)
        json_array_append_new(pools, report_pool(&b->view.pools[i]));
    report =
        json_pack("{s:s, s:s, s:o, s:I, s:o}", "name", b->name, "driver", b->driver->name, "error",
                  text_or_null(b->error), "changes", (json_int_t)b->view.changes, "pools", pools);
    if (!report) /* texts of others that are not UTF-8 */
        return vr_fail(err, VR_PARSE, "balancer '%s': the report is not JSON", b->name);
    *out = report;
    return 0;
}

int vr_balancer_shutdown(struct vr_balancer *b, struct vr_err *err)
{
    int r = b->driver->shutdown(b->self, err);

    b->is_wanted = false;
    return r < 0 ? vr_fail_in(err, r, "balancer '%s'", b->name) : 0;
}
