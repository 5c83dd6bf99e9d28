/* SPDX-License-Identifier: MIT */
/*
 * The blob driver "file": `<folder>/ab/<key>` with the key's first two digits, and parts in
 * `<folder>/tmp`. A part becomes a blob by fsync, a rename and an fsync of its folder, so a crash
 * leaves the whole blob or none. Blobs are read-only files: nobody may write to one by mistake.
 */
#include "blob/blob_driver.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_MODE 0700
#define BLOB_MODE   0444
#define SHARD_CHARS 2
#define PART_FOLDER "tmp"

struct store {
    char *folder;
    int fd; /* of folder */
};

struct part {
    int fd;
    char *name; /* relative to the folder; NULL once it has become a blob */
};

/* Every failure of space reads the same, whichever call meets it. */
static int fail_write(const struct store *store, struct vr_err *err)
{
    if (errno == ENOSPC || errno == EDQUOT)
        return vr_fail(err, VR_LIMIT, "disk full: no space left in blob store '%s'", store->folder);
    return vr_fail_sys(err, "write to blob store '%s'", store->folder);
}

static void file_close(void *ctx)
{
    struct store *store = ctx;

    vr_fd_close(store->fd);
    free(store->folder);
    free(store);
}

static int clean_parts(const struct store *store, struct vr_err *err)
{
    vr_auto_free char *parts = vr_strf("%s/%s", store->folder, PART_FOLDER);
    int r;

    r = vr_fs_remove_tree(parts, err);
    return r < 0 ? r : vr_fs_mkdir_p(parts, FOLDER_MODE, err);
}

static int file_open(const char *place, void **out_store, struct vr_err *err)
{
    struct store *store = vr_alloc(sizeof(*store));
    int r;

    store->folder = vr_strdup(place);
    store->fd = -1;
    r = vr_fs_mkdir_p(place, FOLDER_MODE, err);
    if (!r)
        r = clean_parts(store, err);
    if (!r) {
        store->fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->fd < 0)
            r = vr_fail_sys(err, "open folder '%s'", place);
    }
    if (r < 0) {
        file_close(store);
        return r;
    }
    *out_store = store;
    return 0;
}

static int file_begin(void *ctx, void **out_part, struct vr_err *err)
{
    struct store *store = ctx;
    vr_auto_free char *unique = vr_random_hex(16);
    vr_auto_free char *name = vr_strf("%s/%s", PART_FOLDER, unique);
    struct part *part;
    int fd;

    fd = openat(store->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_write(store, err);
    part = vr_alloc(sizeof(*part));
    part->fd = fd;
    part->name = vr_take(name);
    *out_part = part;
    return 0;
}

static int file_write(void *ctx, void *part_ctx, const void *bytes, size_t n, struct vr_err *err)
{
    const struct part *part = part_ctx;
    struct vr_err why = VR_ERR_NULL;
    int r;

    r = vr_fd_write_all(part->fd, bytes, n, &why);
    if (r < 0) {
        errno = why.sys;
        return fail_write(ctx, err);
    }
    return 0;
}

/* "ab/abcdef…"; given. */
static char *name_of(const char *key)
{
    return vr_strf("%.*s/%s", SHARD_CHARS, key, key);
}

static int sync_folder(const struct store *store, const char *name, struct vr_err *err)
{
    vr_auto_close int fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 || fsync(fd) < 0 ? fail_write(store, err) : 0;
}

static int file_commit(void *ctx, void *part_ctx, const char *key, struct vr_err *err)
{
    struct store *store = ctx;
    struct part *part = part_ctx;
    vr_auto_free char *name = name_of(key);
    char shard[SHARD_CHARS + 1] = {key[0], key[1], '\0'};
    int r;

    if (!utimensat(store->fd, name, NULL, AT_SYMLINK_NOFOLLOW))
        return 0; /* it is there, and is as young as this commit from now on */
    if (fchmod(part->fd, BLOB_MODE) < 0 || fsync(part->fd) < 0)
        return fail_write(store, err);
    if (!mkdirat(store->fd, shard, FOLDER_MODE)) {
        r = sync_folder(store, ".", err);
        if (r < 0)
            return r;
    } else if (errno != EEXIST) {
        return fail_write(store, err);
    }
    if (renameat(store->fd, part->name, store->fd, name) < 0)
        return fail_write(store, err);
    free(vr_take(part->name));
    return sync_folder(store, shard, err);
}

static void file_end(void *ctx, void *part_ctx)
{
    struct store *store = ctx;
    struct part *part = part_ctx;

    if (part->name)
        unlinkat(store->fd, part->name, 0);
    vr_fd_close(part->fd);
    free(part->name);
    free(part);
}

static int file_open_blob(void *ctx, const char *key, struct vr_err *err)
{
    struct store *store = ctx;
    vr_auto_free char *name = name_of(key);
    int fd = openat(store->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    return fd < 0 ? vr_fail_sys(err, "blob %s", key) : fd;
}

static int file_size(void *ctx, const char *key, int64_t *out_bytes, struct vr_err *err)
{
    struct store *store = ctx;
    vr_auto_free char *name = name_of(key);
    struct stat st;

    if (fstatat(store->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return vr_fail_sys(err, "blob %s", key);
    *out_bytes = st.st_size;
    return 0;
}

static int file_time(void *ctx, const char *key, struct vr_wall *out, struct vr_err *err)
{
    struct store *store = ctx;
    vr_auto_free char *name = name_of(key);
    struct stat st;

    if (fstatat(store->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return vr_fail_sys(err, "blob %s", key);
    out->us = (int64_t)st.st_mtim.tv_sec * VR_US_PER_S + st.st_mtim.tv_nsec / 1000;
    return 0;
}

static int file_path(void *ctx, const char *key, char **out_path, struct vr_err *err)
{
    struct store *store = ctx;
    vr_auto_free char *name = name_of(key);
    int64_t bytes;
    int r;

    r = file_size(store, key, &bytes, err);
    if (r < 0)
        return r;
    *out_path = vr_strf("%s/%s", store->folder, name);
    return 0;
}

static int file_remove(void *ctx, const char *key, struct vr_err *err)
{
    struct store *store = ctx;
    vr_auto_free char *name = name_of(key);

    if (unlinkat(store->fd, name, 0) < 0)
        return vr_fail_sys(err, "delete blob %s", key);
    return 0;
}

static DIR *open_dir(const struct store *store, const char *name)
{
    int fd = openat(store->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (!dir)
        vr_fd_close(fd);
    return dir;
}

static int each_in(struct store *store, const char *shard, vr_blob_fn fn, void *user,
                   struct vr_err *err)
{
    DIR *dir = open_dir(store, shard);
    struct dirent *e;
    int r = 0;

    if (!dir)
        return vr_fail_sys(err, "read blob store '%s/%s'", store->folder, shard);
    while (!r && (e = readdir(dir))) {
        int64_t bytes = 0;

        /* Others may delete meanwhile. */
        if (vr_blob_is_key(e->d_name) && !file_size(store, e->d_name, &bytes, NULL))
            r = fn(user, e->d_name, bytes, err);
    }
    closedir(dir);
    return r;
}

static int file_each(void *ctx, vr_blob_fn fn, void *user, struct vr_err *err)
{
    struct store *store = ctx;
    DIR *dir = open_dir(store, ".");
    struct dirent *e;
    int r = 0;

    if (!dir)
        return vr_fail_sys(err, "read blob store '%s'", store->folder);
    while (!r && (e = readdir(dir)))
        if (vr_str_is_made_of(e->d_name, "0123456789abcdef", SHARD_CHARS, SHARD_CHARS))
            r = each_in(store, e->d_name, fn, user, err);
    closedir(dir);
    return r;
}

const struct vr_blob_driver vr_blob_file_driver = {
    .scheme = "file",
    .open = file_open,
    .close = file_close,
    .begin = file_begin,
    .write = file_write,
    .commit = file_commit,
    .end = file_end,
    .open_blob = file_open_blob,
    .path = file_path,
    .size = file_size,
    .time = file_time,
    .remove = file_remove,
    .each = file_each,
};
