/* SPDX-License-Identifier: MIT */
/* What `vr up` keeps where on one machine, and the files it writes there. */
#ifndef VR_CLI_UP_LAYOUT_H
#define VR_CLI_UP_LAYOUT_H

#include "core/err.h"

#include <sys/types.h>

#define VR_UP_STATE_DIR "/var/lib/velociraptor"
#define VR_UP_RUN_DIR   "/run/velociraptor"

/** All texts owned; vr_up_layout_fini(). */
struct vr_up_layout {
    char *state_dir, *run_dir;
    char *server_dir, *agent_dir, *log_dir;
    char *server_yaml, *agent_yaml;
    char *server_lock, *agent_lock, *up_lock;
    char *server_log, *agent_log, *up_log;
    char *join_token, *password_file;
};

/** Absolute paths of everything below the two folders; touches nothing. */
VR_MUST_USE
int vr_up_layout_init(struct vr_up_layout *l, const char *state_dir, const char *run_dir,
                      struct vr_err *err);
void vr_up_layout_fini(struct vr_up_layout *l);

/** What goes into the two configuration files if they are not there yet. */
struct vr_up_settings {
    const char *listen;     /* of API and pages: "127.0.0.1:8000" */
    const char *http;       /* of the private balancer: "0.0.0.0:8080" */
    const char *name;       /* of this host */
    const char *user;       /* of the server */
    const char *build_user; /* of builds */
    const char *port_range; /* of procs: "5000-5999" */
};

/**
 * Make the folders with their owners, and server.yaml and agent.yaml where they are missing.
 * Returns 1 if a configuration file was there already, so that the settings may differ from it.
 */
VR_MUST_USE
int vr_up_layout_make(const struct vr_up_layout *l, const struct vr_up_settings *settings,
                      uid_t uid, gid_t gid, struct vr_err *err);

/** Where the server of server.yaml listens, as a URL that ends in '/'; given. */
VR_MUST_USE
int vr_up_layout_url(const struct vr_up_layout *l, char **out, struct vr_err *err);

/** Append what is mounted below the two folders, one path a line. */
VR_MUST_USE
int vr_up_layout_mounts(const struct vr_up_layout *l, char **out, struct vr_err *err);

#endif
