/* SPDX-License-Identifier: MIT */
/* Single files: whole reads and writes, atomic replacement, locks, access beneath a folder. */
#include "sys/fs.h"
#include "core/str.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#define READ_FIRST_BYTES   4096
#define PID_TEXT_BYTES     32
#define PASSWD_FIRST_BYTES 1024
#define PASSWD_MAX_BYTES   (1024 * 1024)

int vr_fd_write_all(int fd, const void *bytes, size_t n, struct vr_err *err)
{
    const char *p = bytes;

    while (n) {
        ssize_t done = write(fd, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return vr_fail_sys(err, "write");
        p += done;
        n -= (size_t)done;
    }
    return 0;
}

int vr_fd_read_all(int fd, size_t max_bytes, char **out, size_t *out_len, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    size_t cap = 0, len = 0;

    for (;;) {
        ssize_t n;

        /* One byte more than allowed, to tell "exactly full" from "too long". */
        if (len == cap) {
            cap = cap ? cap * 2 : READ_FIRST_BYTES;
            if (cap > max_bytes + 1)
                cap = max_bytes + 1;
            text = vr_realloc_array(text, cap + 1, 1);
        }
        n = read(fd, text + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vr_fail_sys(err, "read");
        if (n == 0)
            break;
        len += (size_t)n;
        if (len > max_bytes)
            return vr_fail(err, VR_LIMIT, "longer than %zu bytes", max_bytes);
    }
    text[len] = '\0';
    *out = vr_take(text);
    if (out_len)
        *out_len = len;
    return 0;
}

int vr_fs_read(const char *path, size_t max_bytes, char **out, size_t *out_len, struct vr_err *err)
{
    vr_auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return vr_fail_sys(err, "open '%s'", path);
    r = vr_fd_read_all(fd, max_bytes, out, out_len, err);
    return r < 0 ? vr_fail_in(err, r, "'%s'", path) : 0;
}

/* The folder part of a path; given. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return vr_strdup(".");
    return slash == path ? vr_strdup("/") : vr_strndup(path, (size_t)(slash - path));
}

static int fill(const char *path, const void *bytes, size_t n, mode_t mode, bool sync,
                struct vr_err *err)
{
    vr_auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int r;

    if (fd < 0)
        return vr_fail_sys(err, "create '%s'", path);
    r = vr_fd_write_all(fd, bytes, n, err);
    if (!r && fchmod(fd, mode) < 0)
        r = vr_fail_sys(err, "set mode");
    if (!r && sync && fsync(fd) < 0)
        r = vr_fail_sys(err, "sync");
    if (r < 0) {
        vr_fail_in(err, r, "'%s'", path);
        unlink(path);
    }
    return r;
}

static int sync_folder(const char *folder, struct vr_err *err)
{
    vr_auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) < 0)
        return vr_fail_sys(err, "sync folder '%s'", folder);
    return 0;
}

static int replace(const char *path, const void *bytes, size_t n, mode_t mode, bool sync,
                   struct vr_err *err)
{
    vr_auto_free char *folder = folder_of(path);
    vr_auto_free char *unique = vr_random_hex(8);
    vr_auto_free char *temp = vr_strf("%s.%s.tmp", path, unique);
    int r;

    r = fill(temp, bytes, n, mode, sync, err);
    if (r < 0)
        return r;
    if (rename(temp, path) < 0) {
        r = vr_fail_sys(err, "rename to '%s'", path);
        unlink(temp);
        return r;
    }
    return sync ? sync_folder(folder, err) : 0;
}

int vr_fs_replace(const char *path, const void *bytes, size_t n, mode_t mode, struct vr_err *err)
{
    return replace(path, bytes, n, mode, true, err);
}

int vr_fs_write(const char *path, const void *bytes, size_t n, mode_t mode, struct vr_err *err)
{
    return replace(path, bytes, n, mode, false, err);
}

static int make_folder(const char *path, mode_t mode, struct vr_err *err)
{
    struct stat st;

    /* chmod, since the umask is not the caller's wish. */
    if (!mkdir(path, 0700))
        return chmod(path, mode) < 0 ? vr_fail_sys(err, "set mode of '%s'", path) : 0;
    if (errno != EEXIST)
        return vr_fail_sys(err, "make folder '%s'", path);
    if (stat(path, &st) < 0)
        return vr_fail_sys(err, "make folder '%s'", path);
    if (!S_ISDIR(st.st_mode))
        return vr_fail(err, VR_EXISTS, "make folder '%s': a file is in the way", path);
    return 0;
}

int vr_fs_mkdir_p(const char *path, mode_t mode, struct vr_err *err)
{
    vr_auto_free char *part = vr_strdup(path);
    int r;

    for (char *p = part + strspn(part, "/"); *p;) {
        p += strcspn(p, "/");
        char end = *p;

        *p = '\0';
        r = make_folder(part, mode, err);
        if (r < 0)
            return r;
        *p = end;
        p += strspn(p, "/");
    }
    return 0;
}

int vr_fs_open_beneath(int dir_fd, const char *path, int flags, mode_t mode, struct vr_err *err)
{
    struct open_how how = {
        .flags = (uint64_t)(flags | O_CLOEXEC),
        .mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd;

    /* EAGAIN: a rename elsewhere made the kernel unsure about "..". */
    do
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
    while (fd < 0 && (errno == EINTR || errno == EAGAIN));
    if (fd >= 0)
        return (int)fd;
    if (errno == EXDEV)
        return vr_fail(err, VR_DENIED, "open '%s': leads out of its folder", path);
    return vr_fail_sys(err, "open '%s'", path);
}

int vr_fs_open_unnamed(const char *folder, struct vr_err *err)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    return fd < 0 ? vr_fail_sys(err, "open an unnamed file in %s", folder) : fd;
}

bool vr_fs_exists(const char *path)
{
    return !access(path, F_OK);
}

int vr_fs_free_bytes(const char *path, int64_t *out, struct vr_err *err)
{
    struct statvfs st;

    if (statvfs(path, &st) < 0)
        return vr_fail_sys(err, "free space of '%s'", path);
    *out = (int64_t)st.f_bavail * (int64_t)st.f_frsize;
    return 0;
}

/*
 * A lock of the open file description (F_OFD_*): it belongs to the descriptor, not to the process,
 * so another descriptor of the same file in this program cannot drop it, and it can be tested
 * without being taken.
 */
int vr_fs_lock(const char *path, struct vr_err *err)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    vr_auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char text[PID_TEXT_BYTES];
    int n, r;

    if (fd < 0)
        return vr_fail_sys(err, "lock '%s'", path);
    if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
        if (errno == EAGAIN || errno == EACCES)
            return vr_fail(err, VR_BUSY, "'%s' is locked by process %d", path,
                           (int)vr_fs_lock_owner(path));
        return vr_fail_sys(err, "lock '%s'", path);
    }
    n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0)
        return vr_fail_sys(err, "truncate '%s'", path);
    r = vr_fd_write_all(fd, text, (size_t)n, err);
    if (r < 0)
        return vr_fail_in(err, r, "'%s'", path);
    return vr_take_fd(fd);
}

pid_t vr_fs_lock_owner(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    vr_auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
    vr_auto_free char *text = NULL;
    uint64_t pid;
    size_t len;

    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return 0;
    if (vr_fd_read_all(fd, PID_TEXT_BYTES, &text, &len, NULL) < 0 || !text)
        return 0;
    if (vr_parse_u64((struct vr_str){text, strcspn(text, "\n")}, 1, INT32_MAX, &pid, NULL) < 0)
        return 0;
    return (pid_t)pid;
}

int vr_user_find(const char *name, uid_t *out_uid, gid_t *out_gid, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    struct passwd pw, *found = NULL;
    size_t cap = PASSWD_FIRST_BYTES;
    int e;

    do {
        cap *= 2;
        text = vr_realloc_array(text, cap, 1);
        e = getpwnam_r(name, &pw, text, cap, &found);
    } while (e == EINTR || (e == ERANGE && cap < PASSWD_MAX_BYTES));
    if (!found && (e == 0 || e == ENOENT))
        return vr_fail(err, VR_NOT_FOUND, "no user '%s'", name);
    if (!found) {
        errno = e;
        return vr_fail_sys(err, "user '%s'", name);
    }
    *out_uid = pw.pw_uid;
    *out_gid = pw.pw_gid;
    return 0;
}
