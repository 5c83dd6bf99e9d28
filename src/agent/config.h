/* SPDX-License-Identifier: MIT */
/* The agent's configuration: flag > VR_* > file > default. */
#ifndef VR_AGENT_CONFIG_H
#define VR_AGENT_CONFIG_H

#include "core/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define VR_AGENT_ROLES_MAX 8
#define VR_AGENT_STATE_DIR "/var/lib/velociraptor/agent"

/** All texts are the struct's own. */
struct vr_agent_config {
    char *server;  /* base URL, no trailing slash */
    char *name;    /* of this host */
    char *address; /* IP that balancers and uptests use */
    char *squad;   /* NULL: none */
    char *roles[VR_AGENT_ROLES_MAX];
    int role_count;
    char *join_token_file;
    char *state_dir;     /* survives a reboot */
    char *run_dir;       /* need not; made a tmpfs if it is none */
    char *shim;          /* path of vr-shim */
    char *runtime;       /* OCI runtime; NULL: crun, else runc */
    char *buildpack_dir; /* of the built-in buildpacks */
    char *build_user;
    char *xmlrpc_listen; /* address:port for tools of supervisord; NULL: none */
    char *xmlrpc_allow;  /* networks that may use it */
    char *ca_file;       /* NULL: the system's */
    bool insecure;       /* plain HTTP to another host is allowed */
    int64_t build_memory_bytes;
    int64_t blob_budget_bytes, blob_age_days; /* of slugs here; what is needed is never removed */
    int64_t cache_budget_bytes, cache_age_days, app_cache_budget_bytes; /* of builds */
    int64_t mirror_budget_bytes, mirror_age_days;                       /* of repositories */
    int64_t log_budget_bytes;                                           /* of procs that are gone */
    int64_t min_free_bytes;   /* on the disk of the state folder: below it nothing is fetched */
    int64_t disk_low_percent; /* free: a warning */
    int64_t userns_base;      /* 0: no user namespaces */
    int64_t userns_count;
    json_t *environment; /* {NAME: text}: what a value `$NAME` of an env stands for; or NULL */
    bool down;           /* `vr agent down` */
};

/**
 * Read the command line, VR_AGENT_* variables and the file of --config (YAML mapping; the keys are
 * the flags' names with `_`). Missing paths of our own programs are looked for beside this one.
 * @out  given; release with vr_agent_config_fini()
 *
 * Returns 0, 1 if help was printed, or -VR_INVALID naming option and value.
 */
VR_MUST_USE
int vr_agent_config_read(int argc, char **argv, struct vr_agent_config *out, struct vr_err *err);
void vr_agent_config_fini(struct vr_agent_config *c);

#endif
