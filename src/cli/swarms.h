/* SPDX-License-Identifier: MIT */
/* Swarms by pattern: fetched, filtered, sorted by name. */
#ifndef VR_CLI_SWARMS_H
#define VR_CLI_SWARMS_H

#include "cli/cli.h"

#include <jansson.h>

/**
 * The swarms that match.
 * @fields  query of the fields wanted ("fields=id,version") or NULL for all
 * @out     given; an array sorted by name, empty if none matches
 */
VR_MUST_USE
int vr_swarms_find(struct vr_api *api, const char *pattern, const struct vr_opt_list *excludes,
                   json_t **out, struct vr_err *err);

/** As above, but none is -VR_NOT_FOUND with the pattern. */
VR_MUST_USE
int vr_swarms_need(struct vr_api *api, const char *pattern, const struct vr_opt_list *excludes,
                   json_t **out, struct vr_err *err);

/** Leave out of a list the swarms whose name contains a pattern, in any case. */
VR_MUST_USE
int vr_swarms_exclude(json_t *swarms, const struct vr_opt_list *excludes, struct vr_err *err);

/** Whether the list has the swarm of this URI. */
bool vr_swarms_has(const json_t *swarms, const char *uri);

/** `<app>-<config>-<proc>`; given. */
char *vr_swarm_name(const json_t *swarm);

/** Say "Matched 3 swarms:" and their names, one a line, to standard error. */
void vr_swarms_preview(const struct vr_out *out, const json_t *swarms);

/**
 * Preview, and ask `question` if there are several. Returns 1 to go on, 0 not to, or -code.
 * On one swarm nothing is asked.
 */
VR_MUST_USE
int vr_swarms_confirm(const struct vr_out *out, const json_t *swarms, bool yes, const char *verb,
                      struct vr_err *err);

#endif
