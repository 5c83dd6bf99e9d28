/* SPDX-License-Identifier: MIT */
/* A set of configuration files that are changed together, or not at all. */
#include "balancer/nginx_files.h"

#include "core/str.h"
#include "sys/fs.h"

#include <errno.h>

int vr_nginx_files_add(struct vr_nginx_files *files, const char *path, const char *text,
                       struct vr_err *err)
{
    struct vr_nginx_file *file;
    char *before = NULL;
    size_t n;
    int r;

    r = vr_fs_read(path, VR_NGINX_FILE_BYTES, &before, &n, err);
    if (r < 0 && r != -VR_NOT_FOUND)
        return r;
    if (files->count == files->cap) {
        files->cap = files->cap ? files->cap * 2 : 16;
        files->list = vr_realloc_array(files->list, files->cap, sizeof(*files->list));
    }
    file = &files->list[files->count++];
    *file = (struct vr_nginx_file){vr_strdup(path), vr_strdup(text), before};
    return 0;
}

size_t vr_nginx_files_count_changes(const struct vr_nginx_files *files)
{
    size_t n = 0;

    for (size_t i = 0; i < files->count; i++)
        n += !vr_streq(files->list[i].text, files->list[i].before);
    return n;
}

static int put(const char *path, const char *text, struct vr_err *err)
{
    if (text)
        return vr_fs_replace(path, text, strlen(text), 0644, err);
    if (unlink(path) && errno != ENOENT)
        return vr_fail_sys(err, "remove %s", path);
    return 0;
}

int vr_nginx_files_write(const struct vr_nginx_files *files, struct vr_err *err)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct vr_nginx_file *f = &files->list[i];
        int r = vr_streq(f->text, f->before) ? 0 : put(f->path, f->text, err);

        if (r < 0) {
            vr_nginx_files_restore(files);
            return r;
        }
    }
    return 0;
}

void vr_nginx_files_restore(const struct vr_nginx_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct vr_nginx_file *f = &files->list[i];

        if (!vr_streq(f->text, f->before))
            vr_ignore(put(f->path, f->before, NULL), "the failure that led here is told");
    }
}

void vr_nginx_files_fini(struct vr_nginx_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->list[i].path);
        free(files->list[i].text);
        free(files->list[i].before);
    }
    free(files->list);
    *files = (struct vr_nginx_files){0};
}
