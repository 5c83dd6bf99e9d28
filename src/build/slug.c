/* SPDX-License-Identifier: MIT */
/*
 * Slugs.
 *
 * The tree alone decides the bytes: one owner, all times zero, no extended attributes, and the
 * block size, compressor and level pinned here instead of left to the defaults of the installed
 * mksquashfs. It runs as the build user in the job's cage, into a folder of its own in out_dir, and
 * stops at the first file that it cannot read, where its default is to pack an empty one.
 */
#include "build/slug.h"
#include "core/str.h"
#include "fmt/hash.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define BLOCK_SIZE  "131072"
#define LEVEL       "3"
#define MEMORY      "256M"
#define CHUNK_BYTES 65536
#define REASON_MAX  160

void vr_slug_fini(struct vr_slug *slug)
{
    free(slug->path);
    *slug = (struct vr_slug){.path = NULL};
}

static int hash_file(const char *path, struct vr_slug *out, struct vr_err *err)
{
    VR_OWNED(vr_hash_free) struct vr_hash *md5 = vr_hash_new(VR_HASH_MD5);
    VR_OWNED(vr_hash_free) struct vr_hash *sha256 = vr_hash_new(VR_HASH_SHA256);
    vr_auto_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    vr_auto_free char *chunk = vr_alloc(CHUNK_BYTES);
    struct stat st;
    ssize_t n;

    if (fd < 0 || fstat(fd, &st) < 0)
        return vr_fail_sys(err, "open %s", path);
    if (!S_ISREG(st.st_mode))
        return vr_fail(err, VR_IO, "%s is not a file", path);
    while ((n = read(fd, chunk, CHUNK_BYTES)) > 0) {
        vr_hash_add(md5, chunk, (size_t)n);
        vr_hash_add(sha256, chunk, (size_t)n);
    }
    if (n < 0)
        return vr_fail_sys(err, "read %s", path);
    if (fsync(fd) < 0 || fchown(fd, 0, 0) < 0 || fchmod(fd, 0644) < 0)
        return vr_fail_sys(err, "keep %s", path);
    vr_hash_finish(md5, out->md5);
    vr_hash_finish(sha256, out->sha256);
    out->size_bytes = st.st_size;
    return 0;
}

/* The line of mksquashfs that says why; cuts `printed`. */
static const char *reason_line(char *printed)
{
    static const char *const marks[] = {"FATAL ERROR:", "ERROR:", "Failed", "because"};
    char *save = NULL;

    for (char *line = strtok_r(printed, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save))
        for (size_t i = 0; i < VR_COUNT(marks); i++)
            if (strstr(line, marks[i]))
                return line;
    return "no reason given";
}

/* What went wrong, with paths as the app knows them. */
static int fail_packing(const char *app, const char *tree, struct vr_worker_result *result,
                        struct vr_err *err)
{
    const char *line, *path;

    if (strstr(result->tail, "No space left") || strstr(result->out, "No space left"))
        return vr_fail(err, VR_LIMIT, "disk full while packing slug of app '%s'", app);
    line = reason_line(result->tail);
    path = strstr(line, tree);
    if (!path)
        return vr_fail(err, VR_IO, "pack slug of app '%s': %.*s", app, REASON_MAX, line);
    return vr_fail(err, VR_IO, "pack slug of app '%s': %.*s%.*s", app, (int)(path - line), line,
                   REASON_MAX, path + strlen(tree));
}

static int squash(struct vr_worker *worker, const char *app, const char *tree, const char *file,
                  struct vr_err *err)
{
    const char *argv[] = {
        "mksquashfs",
        tree,
        file,
        "-noappend",
        "-no-progress",
        "-quiet",
        "-exit-on-error",
        "-reproducible",
        "-all-root",
        "-all-time",
        "0",
        "-mkfs-time",
        "0",
        "-root-mode",
        "0755",
        "-no-xattrs",
        "-b",
        BLOCK_SIZE,
        "-comp",
        "zstd",
        "-Xcompression-level",
        LEVEL,
        "-mem",
        MEMORY,
        NULL,
    };
    const char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", NULL};
    vr_auto_worker_result struct vr_worker_result result = {0};
    int r;

    r = vr_worker_run(worker,
                      &(struct vr_worker_task){
                          .name = "pack", .argv = argv, .env = env, .cwd = "/", .quiet = true},
                      &result, err);
    if (r < 0)
        return r;
    if (!result.exit.code)
        return 0;
    return fail_packing(app, tree, &result, err);
}

/* The folder that mksquashfs may write to, and only that. */
static int pack_in(struct vr_worker *worker, const char *app, const char *tree, const char *dir,
                   const char *target, struct vr_slug *out, struct vr_err *err)
{
    vr_auto_free char *file = vr_strf("%s/" VR_SLUG_NAME, dir);
    int r;

    if (mkdir(dir, 0700) < 0 || chown(dir, vr_worker_uid(worker), vr_worker_gid(worker)) < 0)
        return vr_fail_sys(err, "make %s", dir);
    r = squash(worker, app, tree, file, err);
    if (!r)
        r = hash_file(file, out, err);
    if (!r && rename(file, target) < 0)
        r = vr_fail_sys(err, "keep the slug as %s", target);
    return r;
}

int vr_slug_pack(struct vr_worker *worker, const char *app, const char *tree, const char *out_dir,
                 struct vr_slug *out, struct vr_err *err)
{
    vr_auto_free char *dir = vr_strf("%s/.packing", out_dir);
    vr_auto_free char *target = vr_strf("%s/" VR_SLUG_NAME, out_dir);
    int r;

    r = vr_fs_remove_tree(dir, err);
    if (r < 0)
        return r;
    r = pack_in(worker, app, tree, dir, target, out, err);
    vr_ignore(vr_fs_remove_tree(dir, NULL), "the next build of this folder removes it");
    if (r < 0)
        return r;
    out->path = vr_take(target);
    return 0;
}
