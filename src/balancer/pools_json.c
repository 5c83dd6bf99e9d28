/* SPDX-License-Identifier: MIT */
/* Pools as they come over the wire. */
#include "balancer/pools_json.h"

#include "core/str.h"

static int read_node(json_t *from, struct vr_balancer_node *to, struct vr_err *err)
{
    const char *state = "active";
    int port = 0;

    if (json_unpack(from, "{s:s, s:s, s:i, s?s}", "id", &to->id, "address", &to->address, "port",
                    &port, "state", &state) < 0)
        return vr_fail(err, VR_PARSE, "a node is not {id, address, port, state}");
    if (port < 1 || port > UINT16_MAX)
        return vr_fail(err, VR_INVALID, "node '%s': port %d", to->id, port);
    if (!vr_streq(state, "active") && !vr_streq(state, "drain"))
        return vr_fail(err, VR_INVALID, "node '%s': state '%s'", to->id, state);
    to->port = (uint16_t)port;
    to->drain = vr_streq(state, "drain");
    return 0;
}

static int read_pool(json_t *from, struct vr_balancer_pool *to, struct vr_err *err)
{
    struct vr_balancer_node *nodes;
    json_int_t generation = 0;
    json_t *array = NULL;
    int check = 1;

    if (json_unpack(from, "{s:s, s:I, s?b, s:o}", "name", &to->name, "generation", &generation,
                    "check", &check, "nodes", &array) < 0 ||
        !json_is_array(array))
        return vr_fail(err, VR_PARSE, "a pool is not {name, generation, check, nodes}");
    to->generation = generation;
    to->check = check;
    to->nodes = nodes = vr_alloc_array(json_array_size(array), sizeof(*nodes));
    to->node_count = json_array_size(array);
    for (size_t i = 0; i < to->node_count; i++) {
        int r = read_node(json_array_get(array, i), &nodes[i], err);

        if (r < 0)
            return vr_fail_in(err, r, "pool '%s'", to->name);
    }
    return 0;
}

int vr_pools_read(const json_t *array, struct vr_pools *out, struct vr_err *err)
{
    struct vr_pools pools = {.count = json_array_size(array)};

    if (!json_is_array(array))
        return vr_fail(err, VR_PARSE, "pools is not a list");
    pools.list = vr_alloc_array(pools.count, sizeof(*pools.list));
    for (size_t i = 0; i < pools.count; i++) {
        int r = read_pool(json_array_get(array, i), &pools.list[i], err);

        if (r < 0) {
            vr_pools_fini(&pools);
            return r;
        }
    }
    *out = pools;
    return 0;
}

void vr_pools_fini(struct vr_pools *pools)
{
    for (size_t i = 0; i < pools->count && pools->list; i++)
        free((void *)pools->list[i].nodes);
    free(pools->list);
    *pools = (struct vr_pools){0};
}
