/* SPDX-License-Identifier: MIT */
/* The root of the `host` stack.
 *
 * /usr is bound from the host; /etc is made of what programs of /usr need and of nothing that tells
 * about the host. passwd and group are the bundle's, as they name the proc's user; hosts and
 * resolv.conf change and are bound at the start. A skeleton is named after the times of what it
 * copies, so that a host's upgrade makes a new one. */
#include "runtime/skeleton.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define ETC_FILE_BYTES_MAX (16 << 20)
#define ETC_ENTRIES_MAX    1024

struct folder {
    const char *path;
    mode_t mode;
};

static const struct folder folders[] = {
    {"usr", 0755},     {"etc", 0755},     {"etc/ssl", 0755},  {"proc", 0755},      {"sys", 0755},
    {"dev", 0755},     {"app", 0755},     {"run", 0755},      {"opt", 0755},       {"mnt", 0755},
    {"srv", 0755},     {"home", 0755},    {"root", 0700},     {"tmp", 01777},      {"var", 0755},
    {"var/lib", 0755}, {"var/log", 0755}, {"var/tmp", 01777}, {"var/cache", 0755},
};

/* Made where the host has them as links too. */
static const char *const usr_links[] = {"bin", "sbin", "lib", "lib32", "lib64", "libx32"};

/* Mount points of files. */
static const char *const empty_files[] = {
    ".init",        "env.sh",          "settings.yaml", "proc.sh",    ".exit",     "etc/hosts",
    "etc/hostname", "etc/resolv.conf", "etc/fstab",     "etc/passwd", "etc/group",
};

/* Taken from the host's /etc where they exist; a name ending in '*' is a prefix. */
static const char *const etc_names[] = {
    "alternatives", "ca-certificates*",
    "fonts",        "gai.conf",
    "host.conf",    "inputrc",
    "java*",        "ld.so.cache",
    "ld.so.conf*",  "localtime",
    "magic*",       "mime.types",
    "networks",     "node*",
    "perl",         "php*",
    "protocols",    "python*",
    "ruby*",        "rpc",
    "services",     "shells",
    "terminfo",     "timezone",
    "ssl/certs",    "ssl/openssl.cnf",
};

static const char nsswitch[] = "passwd: files\ngroup: files\nhosts: files dns\n"
                               "services: files\nprotocols: files\n";

static bool is_wanted(const char *name, const char *pattern)
{
    size_t n = strlen(pattern);

    return pattern[n - 1] == '*' ? !strncmp(name, pattern, n - 1) : !strcmp(name, pattern);
}

/* Name of the present state: changes when something that is copied is replaced. */
static void state_key(char out[17])
{
    static const char *const watched[] = {"/etc/ld.so.cache", "/etc/ssl/certs", "/etc/localtime",
                                          "/etc/alternatives", "/etc"};
    uint64_t key = 1469598103934665603u; /* FNV-1a */
    struct stat st;

    for (size_t i = 0; i < VR_COUNT(watched); i++) {
        if (stat(watched[i], &st) < 0)
            continue;
        key = (key ^ (uint64_t)st.st_mtim.tv_sec) * 1099511628211u;
        key = (key ^ (uint64_t)st.st_mtim.tv_nsec) * 1099511628211u;
    }
    vr_hex(&key, sizeof(key), out);
}

static int copy_link(const char *from, const char *to, struct vr_err *err)
{
    char target[4096];
    ssize_t n = readlink(from, target, sizeof(target) - 1);

    if (n < 0)
        return vr_fail_sys(err, "read link %s", from);
    target[n] = '\0';
    if (symlink(target, to) < 0)
        return vr_fail_sys(err, "link %s", to);
    return 0;
}

static int copy_file(const char *from, const char *to, struct vr_err *err)
{
    vr_auto_free char *bytes = NULL;
    size_t len;
    int r = vr_fs_read(from, ETC_FILE_BYTES_MAX, &bytes, &len, err);

    return r < 0 ? r : vr_fs_write(to, bytes, len, 0644, err);
}

/* A link or file as it is, a folder with all that every user may read anyway. */
static int copy_entry(const char *from, const char *to, struct vr_err *err)
{
    struct stat st;

    if (lstat(from, &st) < 0)
        return errno == ENOENT ? 0 : vr_fail_sys(err, "%s", from);
    if (S_ISLNK(st.st_mode))
        return copy_link(from, to, err);
    if (S_ISREG(st.st_mode))
        return st.st_mode & S_IROTH ? copy_file(from, to, err) : 0;
    if (!S_ISDIR(st.st_mode) || !(st.st_mode & S_IROTH))
        return 0;
    return vr_fs_copy_tree(from, to, err);
}

/* Whatever of /etc matches one pattern. */
static int copy_etc(const char *root, const char *pattern, struct vr_err *err)
{
    const char *slash = strchr(pattern, '/');
    vr_auto_free char *from_dir =
        slash ? vr_strf("/etc/%.*s", (int)(slash - pattern), pattern) : vr_strdup("/etc");
    const char *wanted = slash ? slash + 1 : pattern;
    struct dirent *e;
    DIR *d = opendir(from_dir);
    int r = 0;

    while (d && r == 0 && (e = readdir(d))) {
        vr_auto_free char *from = NULL;
        vr_auto_free char *to = NULL;

        if (*e->d_name == '.' || !is_wanted(e->d_name, wanted))
            continue;
        from = vr_strf("%s/%s", from_dir, e->d_name);
        to = vr_strf("%s%s", root, from);
        r = copy_entry(from, to, err);
    }
    if (d)
        closedir(d);
    return r;
}

static int make_folders(const char *root, struct vr_err *err)
{
    for (size_t i = 0; i < VR_COUNT(folders); i++) {
        vr_auto_free char *path = vr_strf("%s/%s", root, folders[i].path);

        if (mkdir(path, 0755) < 0 || chmod(path, folders[i].mode) < 0)
            return vr_fail_sys(err, "%s", path);
    }
    return 0;
}

static int make_links(const char *root, struct vr_err *err)
{
    for (size_t i = 0; i < VR_COUNT(usr_links); i++) {
        vr_auto_free char *on_host = vr_strf("/usr/%s", usr_links[i]);
        vr_auto_free char *target = vr_strf("usr/%s", usr_links[i]);
        vr_auto_free char *path = vr_strf("%s/%s", root, usr_links[i]);

        if (vr_fs_exists(on_host) && symlink(target, path) < 0)
            return vr_fail_sys(err, "%s", path);
    }
    return 0;
}

static int make_files(const char *root, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/etc/nsswitch.conf", root);
    int r = vr_fs_write(path, nsswitch, strlen(nsswitch), 0644, err);

    for (size_t i = 0; r == 0 && i < VR_COUNT(empty_files); i++) {
        vr_auto_free char *p = vr_strf("%s/%s", root, empty_files[i]);

        r = vr_fs_write(p, "", 0, 0644, err);
    }
    return r;
}

static int build(const char *root, uid_t owner, struct vr_err *err)
{
    int r = vr_fs_mkdir_p(root, 0755, err);

    if (r == 0)
        r = make_folders(root, err);
    if (r == 0)
        r = make_links(root, err);
    for (size_t i = 0; r == 0 && i < VR_COUNT(etc_names); i++)
        r = copy_etc(root, etc_names[i], err);
    if (r == 0)
        r = make_files(root, err);
    if (r == 0)
        r = vr_fs_chown_tree(root, owner, owner, err);
    return r;
}

int vr_skeleton_prepare(const char *dir, uid_t owner, char **out_path, struct vr_err *err)
{
    vr_auto_free char *path = NULL;
    vr_auto_free char *building = NULL;
    char key[17];
    int r;

    state_key(key);
    path = vr_strf("%s/%u-%s", dir, (unsigned)owner, key);
    building = vr_strf("%s.new", path);
    if (!vr_fs_exists(path)) {
        r = vr_fs_mkdir_p(dir, 0711, err);
        if (r == 0)
            r = vr_fs_remove_tree(building, err);
        if (r == 0)
            r = build(building, owner, err);
        if (r < 0)
            return vr_fail_in(err, r, "skeleton of the host stack");
        if (rename(building, path) < 0)
            return vr_fail_sys(err, "rename %s", building);
    }
    *out_path = vr_take(path);
    return 0;
}
