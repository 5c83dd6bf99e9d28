/* SPDX-License-Identifier: MIT */
/* Slugs and images, mounted once per host.
 *
 *   <dir>/<sha256>              the squashfs as packed
 *   <dir>/<sha256>.<uid>.<gid>  the same for one user, idmapped or a copy
 *   <dir>/<sha256>.u<base>      the same shifted into a user namespace
 *   <dir>/.copies/…             squashfs files packed again for one user
 *
 * One loop device per file and host: two would cache everything twice. AUTOCLEAR lets the device go
 * with its last user, direct I/O keeps the compressed file out of the page cache. What is mounted
 * is asked of the kernel each time, so a restarted agent needs no list. */
#include "runtime/mount.h"
#include "core/str.h"
#include "runtime/idmap.h"
#include "sys/fs.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#define MOUNTINFO_BYTES_MAX (16 << 20)
#define LOOP_MAJOR          7
#define COPIES              ".copies"

struct vr_mounts {
    char *dir; /* without links, as the kernel shows it */
    bool can_idmap;
};

/* Undo the octal escapes of mountinfo (\040 for a space) in place. */
static void unescape(char *s)
{
    char *to = s;

    for (; *s; s++) {
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && isdigit(s[2]) && isdigit(s[3])) {
            *to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
            s += 3;
        } else {
            *to++ = *s;
        }
    }
    *to = '\0';
}

/* Call `visit` with every mount point of this namespace until it returns false. */
static int each_mount(bool (*visit)(const char *point, void *arg), void *arg, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    char *lines, *line;
    size_t len;
    int r = vr_fs_read("/proc/self/mountinfo", MOUNTINFO_BYTES_MAX, &text, &len, err);

    if (r < 0)
        return r;
    lines = text;
    while ((line = strsep(&lines, "\n"))) {
        char *point = line;

        for (int i = 0; point && i < 4; i++) { /* id parent device root POINT */
            point = strchr(point, ' ');
            point = point ? point + 1 : NULL;
        }
        if (!point)
            continue;
        point[strcspn(point, " ")] = '\0';
        unescape(point);
        if (!visit(point, arg))
            break;
    }
    return 0;
}

struct wanted_point {
    const char *path;
    bool found;
};

static bool compare_point(const char *point, void *arg)
{
    struct wanted_point *w = arg;

    w->found = !strcmp(point, w->path);
    return !w->found;
}

static bool is_mount_point(const char *path)
{
    struct wanted_point w = {.path = path};

    return each_mount(compare_point, &w, NULL) == 0 && w.found;
}

int vr_mounts_open(const char *dir, bool can_idmap, struct vr_mounts **out, struct vr_err *err)
{
    VR_OWNED(vr_mounts_close) struct vr_mounts *m = vr_alloc(sizeof(*m));
    vr_auto_free char *copies = NULL;
    int r = vr_fs_mkdir_p(dir, 0711, err);

    if (r < 0)
        return vr_fail_in(err, r, "mount folder");
    m->can_idmap = can_idmap;
    m->dir = realpath(dir, NULL);
    if (!m->dir)
        return vr_fail_sys(err, "mount folder %s", dir);
    if (!is_mount_point(m->dir)) {
        if (mount(m->dir, m->dir, NULL, MS_BIND, NULL) < 0 ||
            mount(NULL, m->dir, NULL, MS_PRIVATE, NULL) < 0 ||
            mount(NULL, m->dir, NULL, MS_SHARED, NULL) < 0)
            return vr_fail_sys(err, "make %s a shared mount", m->dir);
    }
    copies = vr_strf("%s/" COPIES, m->dir);
    r = vr_fs_mkdir_p(copies, 0700, err);
    if (r < 0)
        return r;
    *out = vr_take(m);
    return 0;
}

struct vr_mounts *vr_mounts_close(struct vr_mounts *m)
{
    if (m)
        free(m->dir);
    free(m);
    return NULL;
}

/* Open a free loop device; its number may be new, and its node not there yet. */
static int open_loop(int control, int *out_number, struct vr_err *err)
{
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    char path[32];
    int fd;

    if (number < 0)
        return vr_fail_sys(err, "find a free loop device");
    snprintf(path, sizeof(path), "/dev/loop%d", number);
    fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT &&
        !mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned)number)))
        fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return vr_fail_sys(err, "open %s", path);
    *out_number = number;
    return fd;
}

/* Bind a file to a loop device of its own; the device's descriptor and number. */
static int attach_loop(const char *file, int *out_number, struct vr_err *err)
{
    vr_auto_close int backing = open(file, O_RDONLY | O_CLOEXEC);
    vr_auto_close int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    struct loop_config config = {
        .info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
    };

    if (backing < 0)
        return vr_fail_sys(err, "open %s", file);
    if (control < 0)
        return vr_fail_sys(err, "open /dev/loop-control");
    config.fd = (uint32_t)backing;
    snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", file);
    for (int i = 0; i < VR_MOUNT_LOOP_TRIES; i++) {
        vr_auto_close int loop = open_loop(control, out_number, err);

        if (loop < 0)
            return loop;
        if (!ioctl(loop, LOOP_CONFIGURE, &config))
            return vr_take_fd(loop);
        if (errno == EINVAL && (config.info.lo_flags & LO_FLAGS_DIRECT_IO))
            config.info.lo_flags &= ~(uint32_t)LO_FLAGS_DIRECT_IO; /* not on this file system */
        else if (errno != EBUSY) /* someone took it between the two calls */
            return vr_fail_sys(err, "attach %s to a loop device", file);
    }
    return vr_fail(err, VR_BUSY, "no loop device stays free for %s", file);
}

/* Mount a squashfs file on a path unless something is mounted there. */
static int mount_file(const char *file, const char *path, struct vr_err *err)
{
    vr_auto_close int loop = -1;
    char device[32];
    int number = 0, r;

    if (is_mount_point(path))
        return 0;
    r = vr_fs_mkdir_p(path, 0755, err);
    if (r < 0)
        return r;
    loop = attach_loop(file, &number, err);
    if (loop < 0)
        return loop;
    snprintf(device, sizeof(device), "/dev/loop%d", number);
    if (mount(device, path, "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID, NULL) < 0)
        return vr_fail_sys(err, "mount %s", file);
    return 0;
}

static int mount_clone(const char *source, const char *path, const struct vr_idmap *map,
                       struct vr_err *err)
{
    vr_auto_close int tree = -1;
    int r = vr_fs_mkdir_p(path, 0755, err);

    if (r < 0)
        return r;
    tree = vr_idmap_clone(source, map, err);
    if (tree < 0)
        return tree;
    if (move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return vr_fail_sys(err, "mount %s", path);
    return 0;
}

/* The same parameters as the builder's, so that only the owner differs. */
static void describe_copy(struct vr_mounts *m, const struct vr_mount_spec *spec, const char *source,
                          const char *name, struct vr_mount_copy *copy)
{
    const char *const argv[VR_MOUNT_COPY_ARGS] = {
        "mksquashfs", NULL,           NULL,     "-force-uid", copy->uid,
        "-force-gid", copy->gid,      "-comp",  "zstd",       "-Xcompression-level",
        "3",          "-all-time",    "0",      "-mkfs-time", "0",
        "-noappend",  "-no-progress", "-quiet",
    };

    copy->source = vr_strdup(source);
    copy->target = vr_strf("%s/" COPIES "/%s", m->dir, name);
    copy->temporary = vr_strf("%s.tmp", copy->target);
    snprintf(copy->uid, sizeof(copy->uid), "%u", (unsigned)spec->uid);
    snprintf(copy->gid, sizeof(copy->gid), "%u", (unsigned)spec->gid);
    memcpy(copy->argv, argv, sizeof(argv));
    copy->argv[1] = copy->source;
    copy->argv[2] = copy->temporary;
}

static int prepare_owned(struct vr_mounts *m, const struct vr_mount_spec *spec, const char *base,
                         char **out_path, struct vr_mount_copy *copy, struct vr_err *err)
{
    bool shifted = spec->owner == VR_MOUNT_SHIFTED;
    struct vr_idmap map = {.outside_uid = shifted ? spec->base : spec->uid,
                           .outside_gid = shifted ? spec->base : spec->gid,
                           .count = shifted ? spec->count : 1};
    vr_auto_free char *name =
        shifted ? vr_strf("%s.u%u", spec->sha256, spec->base)
                : vr_strf("%s.%u.%u", spec->sha256, (unsigned)spec->uid, (unsigned)spec->gid);
    vr_auto_free char *path = vr_strf("%s/%s", m->dir, name);
    vr_auto_free char *copied = vr_strf("%s/" COPIES "/%s", m->dir, name);
    int r = 0;

    if (!is_mount_point(path)) {
        if (m->can_idmap) {
            r = mount_clone(base, path, &map, err);
        } else if (shifted) {
            return vr_fail(err, VR_DENIED, "this kernel cannot shift the files of an image");
        } else if (vr_fs_exists(copied)) {
            r = mount_file(copied, path, err);
        } else {
            describe_copy(m, spec, base, name, copy);
            return vr_fail(err, VR_BUSY, "%s has to be copied for uid %u", spec->sha256,
                           (unsigned)spec->uid);
        }
    }
    if (r == 0)
        *out_path = vr_take(path);
    return r;
}

static bool is_sha256(const char *name)
{
    return vr_str_is_made_of(name, "0123456789abcdef", VR_SHA256_HEX_CHARS, VR_SHA256_HEX_CHARS);
}

int vr_mount_prepare(struct vr_mounts *m, const struct vr_mount_spec *spec, char **out_path,
                     struct vr_mount_copy *copy, struct vr_err *err)
{
    vr_auto_free char *base = NULL;
    int r;

    if (!is_sha256(spec->sha256))
        return vr_fail(err, VR_INVALID, "'%s' is no sha256", spec->sha256);
    base = vr_strf("%s/%s", m->dir, spec->sha256);
    r = mount_file(spec->file, base, err);
    if (r < 0)
        return r;
    if (spec->owner == VR_MOUNT_AS_IS) {
        *out_path = vr_take(base);
        return 0;
    }
    return prepare_owned(m, spec, base, out_path, copy, err);
}

int vr_mount_copy_done(const struct vr_mount_copy *copy, struct vr_err *err)
{
    if (rename(copy->temporary, copy->target) < 0)
        return vr_fail_sys(err, "rename %s", copy->temporary);
    return 0;
}

void vr_mount_copy_fini(struct vr_mount_copy *copy)
{
    free(copy->source);
    free(copy->temporary);
    free(copy->target);
    *copy = (struct vr_mount_copy){.source = NULL};
}

bool vr_mount_is_mounted(struct vr_mounts *m, const char *sha256)
{
    vr_auto_free char *path = vr_strf("%s/%s", m->dir, sha256);

    return is_mount_point(path);
}

struct found {
    const char *prefix; /* "<dir>/" or "<dir>/<sha256>" */
    size_t skip;        /* length of "<dir>/" */
    char **names;
    size_t count;
};

static bool collect(const char *point, void *arg)
{
    struct found *f = arg;

    if (!vr_str_has_prefix(point, f->prefix) || f->count == VR_MOUNT_LIST_MAX)
        return true;
    f->names = vr_realloc_array(f->names, f->count + 1, sizeof(*f->names));
    f->names[f->count++] = vr_strdup(point + f->skip);
    return true;
}

static void free_names(struct found *f)
{
    for (size_t i = 0; i < f->count; i++)
        free(f->names[i]);
    free(f->names);
}

static int remove_mount(struct vr_mounts *m, const char *name, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", m->dir, name);
    vr_auto_free char *copy = vr_strf("%s/" COPIES "/%s", m->dir, name);

    /* Someone's working directory in it is no reason to keep it in the way. */
    if (umount2(path, 0) < 0 && errno != EINVAL && umount2(path, MNT_DETACH) < 0)
        return vr_fail_sys(err, "unmount %s", path);
    if (rmdir(path) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "remove %s", path);
    unlink(copy);
    return 0;
}

int vr_mount_remove(struct vr_mounts *m, const char *sha256, struct vr_err *err)
{
    vr_auto_free char *prefix = vr_strf("%s/%s", m->dir, sha256);
    struct found f = {.prefix = prefix, .skip = strlen(m->dir) + 1};
    int r;

    if (!is_sha256(sha256))
        return vr_fail(err, VR_INVALID, "'%s' is no sha256", sha256);
    r = each_mount(collect, &f, err);
    for (size_t i = f.count; r == 0 && i > 0; i--) /* clones were mounted after the original */
        r = remove_mount(m, f.names[i - 1], err);
    free_names(&f);
    return r;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int vr_mount_list(struct vr_mounts *m, char ***out, size_t *out_count, struct vr_err *err)
{
    vr_auto_free char *prefix = vr_strf("%s/", m->dir);
    struct found f = {.prefix = prefix, .skip = strlen(prefix)};
    int r = each_mount(collect, &f, err);
    size_t kept = 0;

    if (r < 0)
        return r;
    if (f.count)
        qsort(f.names, f.count, sizeof(*f.names), by_text);
    for (size_t i = 0; i < f.count; i++) {
        char *name = f.names[i];

        name[strcspn(name, "./")] = '\0';
        if (!is_sha256(name) || (kept && !strcmp(f.names[kept - 1], name)))
            free(name);
        else
            f.names[kept++] = name;
    }
    *out = f.names;
    *out_count = kept;
    return 0;
}

int vr_mount_ensure_tmpfs(const char *dir, const char *size, struct vr_err *err)
{
    vr_auto_free char *options = vr_strf("size=%s,mode=0711", size);
    struct statfs s;
    int r = vr_fs_mkdir_p(dir, 0711, err);

    if (r < 0)
        return r;
    if (statfs(dir, &s) < 0)
        return vr_fail_sys(err, "%s", dir);
    if (s.f_type == TMPFS_MAGIC)
        return 0;
    if (mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
        return vr_fail_sys(err, "mount a tmpfs on %s", dir);
    return 0;
}

bool vr_mount_can_idmap(const char *dir)
{
    const struct vr_idmap map = {.outside_uid = 100000, .outside_gid = 100000, .count = 65536};
    vr_auto_close int tree = vr_idmap_clone(dir, &map, NULL);

    return tree >= 0;
}
