/* SPDX-License-Identifier: MIT */
/* What the agent wrote into shim.conf: one `key=value` a line, each key named as its field. */
#ifndef VR_SHIM_CONF_H
#define VR_SHIM_CONF_H

#include <stdbool.h>
#include <stdint.h>

#define CONF_BYTES 16384 /* longest file */

struct conf {
    char *text;         /* the strings below point into it, or to constants */
    char *id;           /* container id without generation */
    char *bundle;       /* absolute, as all paths */
    char *runtime;      /* OCI runtime */
    char *runtime_root; /* its state */
    char *cgroup;       /* parent of the containers' cgroups */
    char *shims_cgroup; /* of the shim itself */
    char *log;
    char *user; /* uid:gid inside the container, for exec */
    char *lower, *upper, *work, *root;
    int64_t crun;     /* the runtime takes crun's options */
    int64_t one_shot; /* never restart */
    int64_t host_uid; /* of the app: may open its own stdout again */
    int64_t max_restarts;
    int64_t restart_window_ms;
    int64_t backoff_max_ms;
    int64_t log_max_bytes;
    int64_t log_backups;
    int64_t log_rate_bytes;
};

/** Read the file of the current folder. Returns 0, or -1 after a complaint. Unknown keys pass. */
int conf_load(struct conf *out);

#endif
