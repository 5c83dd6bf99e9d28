/* SPDX-License-Identifier: MIT */
/* Placement of procs on hosts, by filters and then by order. */
#include "engine/place.h"

#include <inttypes.h>
#include <stdio.h>

#define KIB (INT64_C(1) << 10)
#define MIB (INT64_C(1) << 20)

/* What a call has already put on a host. */
static int64_t taken_on(size_t host, const size_t *placed, size_t count)
{
    int64_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += placed[i] == host;
    return n;
}

static bool is_short_of_memory(const struct vr_plan_host *h, int64_t mem_bytes, int64_t taken)
{
    return h->mem_committed + (taken + 1) * mem_bytes > h->mem_capacity;
}

static bool is_short_of_config(const struct vr_plan_host *h, int64_t config_bytes, int64_t taken)
{
    return h->config_bytes + (taken + 1) * config_bytes > VR_PLACE_CONFIG_BYTES;
}

/* NULL if the host fits but for its memory and the bytes of its config. */
static const char *refusal(const struct vr_plan_host *h)
{
    if (h->liveness == VR_SUSPECT)
        return "is silent";
    if (h->liveness != VR_LIVE)
        return "is lost";
    if (!h->synced)
        return "has just come back";
    if (!h->active)
        return "is drained";
    if (!h->app_role)
        return "does not run apps";
    if (!h->labels_match)
        return "has other labels";
    if (!h->disk_ok)
        return "has no disk space";
    if (!h->ports_left)
        return "has no free port";
    return NULL;
}

static bool is_brief(const struct vr_plan_host *h)
{
    return h->liveness == VR_SUSPECT || (h->liveness == VR_LIVE && !h->synced);
}

/* The load of a candidate while procs are being placed. */
struct load {
    const struct vr_plan_host *host;
    int64_t of_swarm, of_app, mem, config;
    bool fits, avoided;
};

static bool is_better(const struct load *a, const struct load *b)
{
    double share_a = a->host->mem_capacity ? (double)a->mem / (double)a->host->mem_capacity : 1;
    double share_b = b->host->mem_capacity ? (double)b->mem / (double)b->host->mem_capacity : 1;

    if (a->avoided != b->avoided)
        return !a->avoided;
    if (a->of_swarm != b->of_swarm)
        return a->of_swarm < b->of_swarm;
    if (a->of_app != b->of_app)
        return a->of_app < b->of_app;
    if (share_a != share_b)
        return share_a < share_b;
    return strcmp(a->host->name, b->host->name) < 0;
}

static struct load *pick(struct load *loads, size_t count, const struct vr_place_wish *wish)
{
    struct load *best = NULL;

    for (size_t i = 0; i < count; i++) {
        struct load *l = &loads[i];

        if (!l->fits || l->mem + wish->mem_bytes > l->host->mem_capacity ||
            l->config + wish->config_bytes > VR_PLACE_CONFIG_BYTES)
            continue;
        if (!best || is_better(l, best))
            best = l;
    }
    return best;
}

size_t vr_place(const struct vr_plan_host *hosts, size_t host_count,
                const struct vr_place_wish *wish, size_t *out_hosts, bool *out_brief)
{
    vr_auto_free struct load *loads = vr_alloc_array(host_count + 1, sizeof(*loads));
    size_t placed = 0;

    *out_brief = false;
    for (size_t i = 0; i < host_count; i++) {
        const struct vr_plan_host *h = &hosts[i];

        loads[i] = (struct load){
            .host = h,
            .of_swarm = wish->counts[i],
            .of_app = h->procs_of_app,
            .mem = h->mem_committed,
            .config = h->config_bytes,
            .fits = h->squad == wish->squad && !refusal(h),
            .avoided = h->id == wish->avoid,
        };
        *out_brief |= h->squad == wish->squad && is_brief(h);
    }
    while (placed < wish->count) {
        struct load *best = pick(loads, host_count, wish);

        if (!best)
            break;
        best->of_swarm++;
        best->of_app++;
        best->mem += wish->mem_bytes;
        best->config += wish->config_bytes;
        out_hosts[placed++] = (size_t)(best - loads);
    }
    return placed;
}

static void explain_one(const struct vr_plan_host *h, const struct vr_place_wish *wish,
                        int64_t taken, char *out, size_t bytes)
{
    const char *why = refusal(h);

    if (why)
        snprintf(out, bytes, "%s: %s", h->name, why);
    else if (is_short_of_memory(h, wish->mem_bytes, taken))
        snprintf(out, bytes, "%s: %" PRId64 " of %" PRId64 " MiB free", h->name,
                 (h->mem_capacity - h->mem_committed - taken * wish->mem_bytes) / MIB,
                 wish->mem_bytes / MIB);
    else if (is_short_of_config(h, wish->config_bytes, taken))
        snprintf(out, bytes, "%s: no room for %" PRId64 " more KiB of config: at most %d", h->name,
                 wish->config_bytes / KIB, (int)(VR_PLACE_CONFIG_BYTES / KIB));
    else
        snprintf(out, bytes, "%s: has room", h->name);
}

void vr_place_explain(const struct vr_plan_host *hosts, size_t host_count,
                      const struct vr_place_wish *wish, const size_t *placed, size_t placed_count,
                      char *out, size_t bytes)
{
    const char *between = "no host has room: ";
    size_t used = 0;

    snprintf(out, bytes, "its squad has no hosts");
    for (size_t i = 0; i < host_count && used < bytes; i++) {
        char one[160];

        if (hosts[i].squad != wish->squad)
            continue;
        explain_one(&hosts[i], wish, taken_on(i, placed, placed_count), one, sizeof(one));
        used += (size_t)snprintf(out + used, bytes - used, "%s%s", between, one);
        between = "; ";
    }
}
