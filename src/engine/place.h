/* SPDX-License-Identifier: MIT */
/* Placement: which hosts get the next procs of a swarm, and why the others do not. */
#ifndef VR_ENGINE_PLACE_H
#define VR_ENGINE_PLACE_H

#include "engine/plan.h"

/*
 * Config and environment of all procs of a host. They are one document with much else, which host
 * and server bound: a host of which it were longer would hear nothing any more, of any proc.
 */
#define VR_PLACE_CONFIG_BYTES (6 << 20)

struct vr_place_wish {
    int64_t squad;
    int64_t mem_bytes;     /* limit of one proc */
    int64_t config_bytes;  /* of config and environment of one proc */
    size_t count;          /* procs to place */
    int64_t avoid;         /* host taken only if no other fits, or 0 */
    const int32_t *counts; /* procs of this swarm on each host, in the order of the hosts */
};

/**
 * Choose a host for each of wish->count procs: only live and active hosts of the squad with role
 * app, matching labels, a free port, disk, memory and room for its config; of these the one with
 * the fewest procs of this swarm, then of this app, then the lowest memory share, then by name.
 * Each proc that is placed counts for the next.
 *
 * @out_hosts  room for wish->count indices into hosts
 * @out_brief  true if a host was passed over only because it is silent just now
 *
 * Returns how many could be placed; fewer than asked for if no host has room for more.
 */
size_t vr_place(const struct vr_plan_host *hosts, size_t host_count,
                const struct vr_place_wish *wish, size_t *out_hosts, bool *out_brief);

/**
 * Say why no host of the squad takes one more proc: "no host has room: h1: is drained; h2: 10 of
 * 64 MiB free". `placed` are the hosts that vr_place() chose. Truncated to `bytes`.
 */
void vr_place_explain(const struct vr_plan_host *hosts, size_t host_count,
                      const struct vr_place_wish *wish, const size_t *placed, size_t placed_count,
                      char *out, size_t bytes);

#endif
