/* SPDX-License-Identifier: MIT */
/* Changing swarms and sending them on their way: plan, ask, dispatch, follow. */
#ifndef VR_CLI_DISPATCH_H
#define VR_CLI_DISPATCH_H

#include "cli/cli.h"

#include <jansson.h>

/** Options that swarm, restart, scale and rollback share; embedded first in their values. */
struct vr_dispatch_opts {
    struct vr_opt_list exclude;
    bool plan;
    bool exit_code;
    bool wait;
    bool yes;
    bool countdown;
    bool force;
    struct vr_opt_int timeout;
};

/** Entries of an option table for a struct whose member `shared` is a struct vr_dispatch_opts. */
#define VR_DISPATCH_OPTIONS(type)                                                                  \
    {"exclude",   'x',                                                                             \
     VR_OPT_LIST, offsetof(type, shared.exclude),                                                  \
     "PATTERN",   "leave out swarms whose name contains it, in any case"},                         \
        {"plan",      0,                                                                           \
         VR_OPT_FLAG, offsetof(type, shared.plan),                                                 \
         NULL,        "show what would happen, and do nothing"},                                   \
        {"dry-run", 0, VR_OPT_FLAG, offsetof(type, shared.plan), NULL, NULL},                      \
        {"exit-code", 0,                                                                           \
         VR_OPT_FLAG, offsetof(type, shared.exit_code),                                            \
         NULL,        "with --plan: exit with 10 if anything would change"},                       \
        {"wait",      'w',                                                                         \
         VR_OPT_FLAG, offsetof(type, shared.wait),                                                 \
         NULL,        "follow the rollout to its end; the exit code is its outcome"},              \
        {"timeout",  0,                                                                            \
         VR_OPT_INT, offsetof(type, shared.timeout),                                               \
         "SECONDS",  "with --wait: follow no longer than this; the rollout goes on",               \
         1,          86400},                                                                       \
        {"force",     0,                                                                           \
         VR_OPT_FLAG, offsetof(type, shared.force),                                                \
         NULL,        "start a rollout even if nothing would change"},                             \
        {"countdown", 0,                                                                           \
         VR_OPT_FLAG, offsetof(type, shared.countdown),                                            \
         NULL,        "wait five seconds before the first one"},                                   \
    {                                                                                              \
        "yes", 'y', VR_OPT_FLAG, offsetof(type, shared.yes), NULL, "do not ask"                    \
    }

struct vr_dispatch_spec {
    const char *verb;   /* "Dispatch", for the question */
    const char *doing;  /* "Reswarming", for the countdown */
    bool stops_all;     /* no proc is left: asks in any case */
    const char *action; /* "swarm" or "rollback": the end of the URI */
    const json_t *body; /* of that POST; borrowed */
    /* The PATCH of one swarm before it, given; may be NULL, and give NULL for none. */
    int (*patch)(void *user, const json_t *swarm, json_t **out, struct vr_err *err);
    void *user;
};

/**
 * Do it to every swarm, in order, stopping at the first error. Prints the id of every rollout on
 * standard output. Returns an exit code or -code; -VR_INVALID if all procs would be stopped and
 * nobody can be asked.
 */
VR_MUST_USE
int vr_dispatch_swarms(struct vr_cli *cli, const json_t *swarms,
                       const struct vr_dispatch_opts *opts, const struct vr_dispatch_spec *spec,
                       struct vr_err *err);

/** Say "<doing> in 5 sec" and so on, a second each. */
void vr_dispatch_count_down(const struct vr_out *out, const char *doing);

/** The second half of vr_dispatch_swarms(): what was shown and asked for already is sent. */
VR_MUST_USE
int vr_dispatch_send(struct vr_cli *cli, const json_t *swarms, const struct vr_dispatch_opts *opts,
                     const struct vr_dispatch_spec *spec, struct vr_err *err);

/**
 * Say what one action on many left out, and print the ids of its rollouts, a line each.
 * @answer  of a POST …/redispatch/
 * @ids     the ids are added; borrowed
 */
void vr_dispatch_tell_group(const struct vr_out *out, const json_t *answer, json_t *ids);

/** Say of each of `skipped` of an answer why it was left out. */
void vr_dispatch_tell_skipped(const struct vr_out *out, const json_t *answer);

/** Append a plan of the server as text. */
void vr_plan_write(struct vr_buf *out, const json_t *plan, const struct vr_out *style);

#endif
