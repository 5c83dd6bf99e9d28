/* SPDX-License-Identifier: MIT */
/* Where the server is and who we are there: from options, environment, file, defaults. */
#ifndef VR_CLI_CONFIG_H
#define VR_CLI_CONFIG_H

#include "core/err.h"

#include <stdbool.h>
#include <stdint.h>

#define VR_CONFIG_DEFAULT_URL "http://127.0.0.1:8000/"
#define VR_CONFIG_BYTES       (64u << 10)

/** All texts owned; vr_config_fini(). */
struct vr_config {
    char *url;        /* ends in '/' */
    char *username;   /* NULL: none known */
    char *password;   /* NULL: none given; never from the file */
    char *token;      /* NULL: none */
    int64_t token_id; /* of a token of the file, to revoke it; 0: unknown */
    bool insecure;
};

#define VR_CONFIG_NULL                                                                             \
    (struct vr_config)                                                                             \
    {                                                                                              \
        .url = NULL                                                                                \
    }

typedef const char *(*vr_config_env_fn)(const char *name);

struct vr_config_spec {
    const char *url;      /* --url or NULL */
    const char *username; /* --username or NULL */
    bool insecure;
    vr_config_env_fn env; /* getenv */
    const char *path;     /* of the file; it need not exist */
};

/**
 * Settle the configuration: option, then VR_URL, VR_TOKEN, VR_USERNAME, VR_PASSWORD (and
 * VELOCIRAPTOR_URL, VELOCIRAPTOR_USERNAME, VELOCIRAPTOR_PASSWORD), then the file, then the default.
 * A token of the file is used only for the server that it was made by.
 * Returns -VR_DENIED for http:// to anything but loopback without `insecure`.
 */
VR_MUST_USE
int vr_config_load(const struct vr_config_spec *spec, struct vr_config *out, struct vr_err *err);
void vr_config_fini(struct vr_config *config);

/** The path of the user's file: $XDG_CONFIG_HOME or ~/.config, velociraptor/config.yaml. Given. */
char *vr_config_path(void);

/**
 * Keep user name and token of a server in the file, and make it the one that is used without
 * --url. A NULL token forgets the server. The file is replaced with mode 0600.
 */
VR_MUST_USE
int vr_config_store(const char *path, const char *url, const char *username, const char *token,
                    int64_t token_id, struct vr_err *err);

/** Whether the host of an http URL is this machine. */
bool vr_config_is_loopback(const char *url);

#endif
