/* SPDX-License-Identifier: MIT */
/* A set of configuration files that are changed together, or not at all. */
#ifndef VR_BALANCER_NGINX_FILES_H
#define VR_BALANCER_NGINX_FILES_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>

struct vr_nginx_file {
    char *path;
    char *text;   /* what it shall be; NULL: it shall not exist */
    char *before; /* what it was; NULL: it did not exist */
};

struct vr_nginx_files {
    struct vr_nginx_file *list;
    size_t count;
    size_t cap;
};

#define VR_NGINX_FILE_BYTES ((size_t)4 * 1024 * 1024)

/** Add a file; @text is borrowed and copied, NULL means that the file shall go. */
VR_MUST_USE
int vr_nginx_files_add(struct vr_nginx_files *files, const char *path, const char *text,
                       struct vr_err *err);

/** Number of files that differ from what they shall be. */
size_t vr_nginx_files_count_changes(const struct vr_nginx_files *files);

/** Write those that differ; on failure all are put back. */
VR_MUST_USE
int vr_nginx_files_write(const struct vr_nginx_files *files, struct vr_err *err);

/** Put everything back as it was when it was added. */
void vr_nginx_files_restore(const struct vr_nginx_files *files);

void vr_nginx_files_fini(struct vr_nginx_files *files);

#endif
