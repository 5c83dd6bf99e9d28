/* SPDX-License-Identifier: MIT */
/* Which pool has which spare backend of HAProxy, and the files that say so at its next start. */
#include "balancer/haproxy_slots.h"

#include "core/str.h"

#include <ctype.h>
#include <stdio.h>

#define SLOTS_MAX (VR_BALANCER_POOLS_MAX + 2 * VR_HAPROXY_SLOTS_STEP)

void vr_haproxy_slots_fini(struct vr_haproxy_slots *slots)
{
    for (int i = 0; i < slots->count; i++)
        free(slots->pools[i]);
    free(slots->pools);
    free(slots->fallback);
    *slots = (struct vr_haproxy_slots){0};
}

void vr_haproxy_slots_grow(struct vr_haproxy_slots *slots, int count)
{
    if (count <= slots->count || count > SLOTS_MAX)
        return;
    slots->pools = vr_realloc_array(slots->pools, (size_t)count, sizeof(*slots->pools));
    while (slots->count < count)
        slots->pools[slots->count++] = NULL;
}

void vr_haproxy_slot_name(int index, char out[VR_HAPROXY_SLOT_BYTES])
{
    snprintf(out, VR_HAPROXY_SLOT_BYTES, "slot_%03d", index + 1);
}

int vr_haproxy_slot_index(const char *name)
{
    uint64_t n;

    if (!vr_str_has_prefix(name, "slot_") ||
        vr_parse_u64(vr_str(name + strlen("slot_")), 1, SLOTS_MAX, &n, NULL) < 0)
        return -1;
    return (int)n - 1;
}

void vr_haproxy_key(const char *pool, char out[VR_HAPROXY_KEY_BYTES])
{
    size_t n = 0;

    for (; pool[n] && n < VR_BALANCER_NAME_MAX; n++)
        out[n] = (char)tolower((unsigned char)pool[n]);
    out[n++] = '.';
    out[n] = '\0';
}

int vr_haproxy_slots_find(const struct vr_haproxy_slots *slots, const char *pool)
{
    for (int i = 0; i < slots->count; i++)
        if (slots->pools[i] && vr_streq(slots->pools[i], pool))
            return i;
    return -1;
}

int vr_haproxy_slots_free_count(const struct vr_haproxy_slots *slots)
{
    int n = 0;

    for (int i = 0; i < slots->count; i++)
        n += !slots->pools[i];
    return n;
}

/* One line of the map: "<key> <slot>", and the pool's own spelling in a comment before it. */
static void learn_line(struct vr_haproxy_slots *slots, struct vr_str line)
{
    vr_auto_free char *text = vr_strndup(line.p, line.n);
    char *slot, *pool;
    int i;

    if (vr_str_has_prefix(text, "# default ")) {
        free(slots->fallback);
        slots->fallback = vr_strdup(text + strlen("# default "));
        return;
    }
    if (!vr_str_has_prefix(text, "# slot_") || !(pool = strchr(text + 2, ' ')))
        return;
    slot = text + 2;
    *pool++ = '\0';
    i = vr_haproxy_slot_index(slot);
    if (i < 0 || vr_haproxy_slots_find(slots, pool) >= 0)
        return;
    vr_haproxy_slots_grow(slots, i + 1);
    if (i < slots->count && !slots->pools[i])
        slots->pools[i] = vr_strdup(pool);
}

void vr_haproxy_slots_learn(struct vr_haproxy_slots *slots, const char *map_text)
{
    while (*map_text) {
        size_t n = strcspn(map_text, "\n");

        learn_line(slots, (struct vr_str){map_text, n});
        map_text += n + (map_text[n] == '\n');
    }
}

static void take_slot(struct vr_haproxy_slots *slots, const char *pool)
{
    int i = 0;

    while (i < slots->count && slots->pools[i])
        i++;
    if (i == slots->count)
        vr_haproxy_slots_grow(slots, slots->count + VR_HAPROXY_SLOTS_STEP);
    if (i < slots->count)
        slots->pools[i] = vr_strdup(pool);
}

static void choose_fallback(struct vr_haproxy_slots *slots, const struct vr_balancer_view *view,
                            const char *wanted)
{
    if (!wanted && slots->fallback && vr_balancer_pool_find(view, slots->fallback))
        return;
    if (!wanted && view->pool_count)
        wanted = view->pools[0].name;
    free(slots->fallback);
    slots->fallback = vr_strdup(wanted);
}

void vr_haproxy_slots_assign(struct vr_haproxy_slots *slots, const struct vr_balancer_view *view,
                             const char *wanted_fallback)
{
    for (size_t i = 0; i < view->pool_count; i++)
        if (vr_haproxy_slots_find(slots, view->pools[i].name) < 0)
            take_slot(slots, view->pools[i].name);
    for (int i = 0; i < slots->count; i++)
        if (slots->pools[i] && !vr_balancer_pool_find(view, slots->pools[i])) {
            free(slots->pools[i]);
            slots->pools[i] = NULL;
        }
    choose_fallback(slots, view, wanted_fallback);
    if (vr_haproxy_slots_free_count(slots) <= VR_HAPROXY_SLOTS_LOW)
        vr_haproxy_slots_grow(slots, slots->count + VR_HAPROXY_SLOTS_STEP);
}

void vr_haproxy_slots_write_map(const struct vr_haproxy_slots *slots, struct vr_buf *out)
{
    char key[VR_HAPROXY_KEY_BYTES], slot[VR_HAPROXY_SLOT_BYTES];
    int fallback = slots->fallback ? vr_haproxy_slots_find(slots, slots->fallback) : -1;

    for (int i = 0; i < slots->count; i++) {
        if (!slots->pools[i])
            continue;
        vr_haproxy_key(slots->pools[i], key);
        vr_haproxy_slot_name(i, slot);
        vr_buf_addf(out, "# %s %s\n%s %s\n", slot, slots->pools[i], key, slot);
    }
    if (fallback >= 0) {
        vr_haproxy_slot_name(fallback, slot);
        vr_buf_addf(out, "# default %s\n%s %s\n", slots->fallback, VR_HAPROXY_ANY_HOST, slot);
    }
}

void vr_haproxy_write_address(const struct vr_balancer_node_view *node, struct vr_buf *out)
{
    if (strchr(node->address, ':'))
        vr_buf_addf(out, "[%s]:%u", node->address, node->port);
    else
        vr_buf_addf(out, "%s:%u", node->address, node->port);
}

void vr_haproxy_slots_write_backends(const struct vr_haproxy_slots *slots,
                                     const struct vr_balancer_view *view, struct vr_buf *out)
{
    char slot[VR_HAPROXY_SLOT_BYTES];

    for (int i = 0; i < slots->count; i++) {
        const struct vr_balancer_pool_view *pool =
            slots->pools[i] ? vr_balancer_pool_find(view, slots->pools[i]) : NULL;

        vr_haproxy_slot_name(i, slot);
        vr_buf_addf(out, "backend %s\n", slot);
        /* Draining nodes are left out: at a start there is nothing to drain, and after a reload
         * the first comparison adds them without ever letting them take a request. */
        for (size_t k = 0; pool && k < pool->node_count; k++) {
            if (pool->nodes[k].drain)
                continue;
            vr_buf_addf(out, "  server %s ", pool->nodes[k].id);
            vr_haproxy_write_address(&pool->nodes[k], out);
            vr_buf_add(out, " " VR_HAPROXY_SERVER_CHECK "\n");
        }
    }
}
