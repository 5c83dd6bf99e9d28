/* SPDX-License-Identifier: MIT */
/* Procs of swarms by pattern, and procs by what people call them. */
#ifndef VR_CLI_PROCS_H
#define VR_CLI_PROCS_H

#include "cli/api.h"
#include "cli/opt.h"

/**
 * Procs of all swarms that match, in the order of swarms. @host: a regular expression matched at
 * the start of the host's name, NULL for any. *out is given, an array.
 */
VR_MUST_USE
int vr_procs_find(struct vr_api *api, const char *pattern, const struct vr_opt_list *excludes,
                  const char *host, json_t **out, struct vr_err *err);

/**
 * Procs by id (digits), by the filter of their swarms, or by their own name. -VR_NOT_FOUND if
 * there is none.
 * @out_is_filter  whether it is a filter, which may match others later; may be NULL
 */
VR_MUST_USE
int vr_procs_named(struct vr_api *api, const char *name, json_t **out, bool *out_is_filter,
                   struct vr_err *err);

/**
 * Do start, stop, restart or rm to a proc.
 * @wait        until it has happened, up to 30 s
 * @out_answer  given; the proc as it is now; may be NULL
 */
VR_MUST_USE
int vr_procs_act(struct vr_api *api, const json_t *proc, const char *action, bool wait,
                 json_t **out_answer, struct vr_err *err);

/** The id of a proc as text; given, "" if it has none. */
char *vr_procs_id(const json_t *proc);

/** "shop-prod-web", as far as the proc says it; given. */
char *vr_procs_swarm(const json_t *proc);

#endif
