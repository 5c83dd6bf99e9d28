/* SPDX-License-Identifier: MIT */
/*
 * Whole trees: remove, copy, change owner.
 *
 * Builds and procs own the content of these trees, so every step is relative to an open folder,
 * never follows a link and never enters another mount (RESOLVE_NO_XDEV also stops at bind mounts,
 * which a comparison of device numbers would miss). Depth is bounded, since each level costs a
 * descriptor; removal must work on any depth, so it first lifts what is too deep to the top.
 */
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define DEPTH_MAX        256 /* of a tree that is copied or given away */
#define REMOVE_DEPTH     64  /* deeper folders are moved up first */
#define COPY_CHUNK_BYTES (INT64_C(1) << 30)
#define COPY_MODE_MASK   0777 /* a copy has another owner, so set-id bits would lie */
#define BUFFER_BYTES     65536

/* Open the folder `name` in dir_fd itself: not a link to one, not a mount point. */
static int open_folder(int dir_fd, const char *name, struct vr_err *err)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
        .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    long fd = syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));

    if (fd >= 0)
        return (int)fd;
    if (errno == EXDEV)
        return vr_fail(err, VR_BUSY, "'%s' is a mount point", name);
    return vr_fail_sys(err, "open folder '%s'", name);
}

/* Open the folder that holds `path`, and say what the path is called in there. */
static int open_parent(const char *path, char **out_name, struct vr_err *err)
{
    size_t n = strlen(path);
    vr_auto_free char *copy = NULL;
    char *slash;
    int fd;

    while (n > 1 && path[n - 1] == '/')
        n--;
    copy = vr_strndup(path, n);
    slash = strrchr(copy, '/');
    *out_name = vr_strdup(slash ? slash + 1 : copy);
    if (slash)
        slash[slash == copy] = '\0';
    fd = open(slash ? copy : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return vr_fail_sys(err, "open folder of '%s'", path);
    return fd;
}

typedef int (*entry_fn)(void *ctx, int dir_fd, const char *name, struct vr_err *err);

/* Call `fn` for each entry of a folder; `fd` is taken. Removing entries meanwhile is fine. */
static int each_entry(int fd, entry_fn fn, void *ctx, struct vr_err *err)
{
    DIR *dir = fdopendir(fd);
    struct dirent *e;
    int r = 0;

    if (!dir) {
        r = vr_fail_sys(err, "read folder");
        vr_fd_close(fd);
        return r;
    }
    while (!r && (errno = 0, e = readdir(dir))) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
            continue;
        r = fn(ctx, dirfd(dir), e->d_name, err);
    }
    if (!r && errno)
        r = vr_fail_sys(err, "read folder");
    closedir(dir);
    return r;
}

struct removal {
    int top_fd; /* borrowed: where too deep folders are moved */
    int depth;
    bool lifted; /* something was moved there since the top was last read */
};

static int lift_up(struct removal *rm, int dir_fd, const char *name, struct vr_err *err)
{
    vr_auto_free char *unique = vr_random_hex(16);

    rm->lifted = true;
    if (renameat(dir_fd, name, rm->top_fd, unique) < 0)
        return vr_fail_sys(err, "move '%s' up", name);
    return 0;
}

/* Our own folder may lack the permissions that emptying it needs (root never does). */
static int open_for_removal(int dir_fd, const char *name, struct vr_err *err)
{
    struct stat st;

    if (geteuid() && !fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode) &&
        (st.st_mode & 0700) != 0700)
        vr_ignore(fchmodat(dir_fd, name, 0700, 0) < 0, "opening it will say why");
    return open_folder(dir_fd, name, err);
}

static int remove_entry(void *ctx, int dir_fd, const char *name, struct vr_err *err)
{
    struct removal *rm = ctx;
    int fd, r;

    if (!unlinkat(dir_fd, name, 0) || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return vr_fail_sys(err, "remove '%s'", name);
    if (rm->depth >= REMOVE_DEPTH)
        return lift_up(rm, dir_fd, name, err);
    fd = open_for_removal(dir_fd, name, err);
    if (fd < 0)
        return fd;
    rm->depth++;
    r = each_entry(fd, remove_entry, rm, err);
    rm->depth--;
    if (r < 0)
        return vr_fail_in(err, r, "in '%s'", name);
    /* What was lifted out of it never returns, so it is empty now. */
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "remove folder '%s'", name);
    return 0;
}

static int empty_folder(int dir_fd, const char *name, struct vr_err *err)
{
    vr_auto_close int top_fd = open_for_removal(dir_fd, name, err);
    struct removal rm = {.top_fd = top_fd};
    int fd, r = top_fd < 0 ? top_fd : 0;

    do {
        if (r < 0)
            break;
        rm.lifted = false;
        fd = open_folder(dir_fd, name, err);
        r = fd < 0 ? fd : each_entry(fd, remove_entry, &rm, err);
    } while (rm.lifted);
    return r;
}

int vr_fs_remove_tree(const char *path, struct vr_err *err)
{
    vr_auto_free char *name = NULL;
    vr_auto_close int parent_fd = open_parent(path, &name, err);
    int r;

    if (parent_fd < 0)
        return parent_fd == -VR_NOT_FOUND ? 0 : parent_fd;
    if (!unlinkat(parent_fd, name, 0) || errno == ENOENT)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return vr_fail_sys(err, "remove '%s'", path);
    r = empty_folder(parent_fd, name, err);
    if (r < 0)
        return vr_fail_in(err, r, "remove '%s'", path);
    if (unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "remove '%s'", path);
    return 0;
}

struct copying {
    int to_fd; /* borrowed: the folder that receives the entry */
    int depth;
};

static int copy_slowly(int from, int to, struct vr_err *err)
{
    char bytes[BUFFER_BYTES];
    ssize_t n;
    int r;

    while ((n = read(from, bytes, sizeof(bytes)))) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vr_fail_sys(err, "read");
        r = vr_fd_write_all(to, bytes, (size_t)n, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int copy_bytes(int from, int to, struct vr_err *err)
{
    ssize_t n;

    while ((n = copy_file_range(from, NULL, to, NULL, COPY_CHUNK_BYTES, 0)) > 0)
        ;
    if (n == 0)
        return copy_slowly(from, to, err); /* /proc and the like report an early end */
    if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)
        return copy_slowly(from, to, err);
    return vr_fail_sys(err, "copy");
}

static int finish_copy(int fd, const struct stat *st, struct vr_err *err)
{
    const struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (fchmod(fd, st->st_mode & COPY_MODE_MASK) < 0 || futimens(fd, times) < 0)
        return vr_fail_sys(err, "set mode and time");
    return 0;
}

static int copy_file(int from_fd, int to_fd, const char *name, const struct stat *st,
                     struct vr_err *err)
{
    vr_auto_close int from = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    vr_auto_close int to = -1;
    int r;

    if (from < 0)
        return vr_fail_sys(err, "open '%s'", name);
    to = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (to < 0)
        return vr_fail_sys(err, "create '%s'", name);
    r = copy_bytes(from, to, err);
    if (!r)
        r = finish_copy(to, st, err);
    return r < 0 ? vr_fail_in(err, r, "'%s'", name) : 0;
}

static int copy_link(int from_fd, int to_fd, const char *name, struct vr_err *err)
{
    char target[4096]; /* PATH_MAX: the kernel makes no longer one */
    ssize_t n = readlinkat(from_fd, name, target, sizeof(target) - 1);

    if (n < 0)
        return vr_fail_sys(err, "read link '%s'", name);
    target[n] = '\0';
    if (symlinkat(target, to_fd, name) < 0)
        return vr_fail_sys(err, "make link '%s'", name);
    return 0;
}

static int copy_entry(void *ctx, int from_fd, const char *name, struct vr_err *err);

static int copy_folder(int from_fd, const char *name, int to_fd, const char *to_name, int depth,
                       struct vr_err *err)
{
    vr_auto_close int from = open_folder(from_fd, name, err);
    vr_auto_close int to = -1;
    struct copying inner = {.depth = depth + 1};
    struct stat st;
    int r;

    if (from < 0)
        return from;
    if (depth >= DEPTH_MAX)
        return vr_fail(err, VR_LIMIT, "'%s': deeper than %d folders", name, DEPTH_MAX);
    if (fstat(from, &st) < 0)
        return vr_fail_sys(err, "stat '%s'", name);
    if (mkdirat(to_fd, to_name, 0700) < 0 && errno != EEXIST)
        return vr_fail_sys(err, "make folder '%s'", to_name);
    to = r = open_folder(to_fd, to_name, err);
    if (r < 0)
        return r;
    inner.to_fd = to;
    r = each_entry(vr_take_fd(from), copy_entry, &inner, err);
    if (!r)
        r = finish_copy(to, &st, err);
    return r < 0 ? vr_fail_in(err, r, "in '%s'", name) : 0;
}

static int copy_entry(void *ctx, int from_fd, const char *name, struct vr_err *err)
{
    struct copying *c = ctx;
    struct stat st;

    if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return vr_fail_sys(err, "stat '%s'", name);
    if (S_ISDIR(st.st_mode))
        return copy_folder(from_fd, name, c->to_fd, name, c->depth, err);
    if (S_ISLNK(st.st_mode))
        return copy_link(from_fd, c->to_fd, name, err);
    if (S_ISREG(st.st_mode))
        return copy_file(from_fd, c->to_fd, name, &st, err);
    return vr_fail(err, VR_INVALID, "'%s' is neither file, folder nor link", name);
}

int vr_fs_copy_tree(const char *from, const char *to, struct vr_err *err)
{
    vr_auto_free char *from_name = NULL, *to_name = NULL;
    vr_auto_close int from_fd = open_parent(from, &from_name, err);
    vr_auto_close int to_fd = from_fd < 0 ? -1 : open_parent(to, &to_name, err);
    int r;

    if (from_fd < 0)
        return from_fd;
    if (to_fd < 0)
        return to_fd;
    r = copy_folder(from_fd, from_name, to_fd, to_name, 0, err);
    return r < 0 ? vr_fail_in(err, r, "copy '%s'", from) : 0;
}

struct giving {
    uid_t uid;
    gid_t gid;
    int depth;
};

static int chown_entry(void *ctx, int dir_fd, const char *name, struct vr_err *err)
{
    struct giving *g = ctx;
    struct stat st;
    int fd, r;

    if (fchownat(dir_fd, name, g->uid, g->gid, AT_SYMLINK_NOFOLLOW) < 0)
        return vr_fail_sys(err, "change owner of '%s'", name);
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return vr_fail_sys(err, "stat '%s'", name);
    if (!S_ISDIR(st.st_mode))
        return 0;
    if (g->depth >= DEPTH_MAX)
        return vr_fail(err, VR_LIMIT, "'%s': deeper than %d folders", name, DEPTH_MAX);
    fd = open_folder(dir_fd, name, err);
    if (fd < 0)
        return fd;
    g->depth++;
    r = each_entry(fd, chown_entry, g, err);
    g->depth--;
    return r < 0 ? vr_fail_in(err, r, "in '%s'", name) : 0;
}

int vr_fs_chown_tree(const char *path, uid_t uid, gid_t gid, struct vr_err *err)
{
    struct giving g = {.uid = uid, .gid = gid};
    vr_auto_free char *name = NULL;
    vr_auto_close int parent_fd = open_parent(path, &name, err);

    if (parent_fd < 0)
        return parent_fd;
    return chown_entry(&g, parent_fd, name, err);
}
