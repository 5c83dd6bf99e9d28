/* SPDX-License-Identifier: MIT */
/* Our cgroup tree on v1, v2 and hybrid hosts.
 *
 * On hybrid hosts every controller is taken from v1: the v2 hierarchy there is empty but for what
 * v1 does not have, and the shim hides it from the runtime. */
#include "runtime/cgroup.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <linux/magic.h>

#define ROOT             "/sys/fs/cgroup"
#define FILE_BYTES       65536 /* of a cgroup.procs or memory.stat */
#define KILL_PAUSE_NS    (1 * VR_NS_PER_MS)
#define NAME_BYTES       256
#define HIERARCHY_UNUSED ""

/* The v1 controllers whose tree we make; the runtime makes the others itself. */
static const char *const own_hierarchies[] = {"freezer", "memory", "pids", "cpu"};

static bool is_cgroup2(const char *path)
{
    struct statfs s;

    return !statfs(path, &s) && s.f_type == CGROUP2_SUPER_MAGIC;
}

enum vr_cgroup_layout vr_cgroup_detect(void)
{
    if (is_cgroup2(ROOT))
        return VR_CGROUP_V2;
    if (!vr_fs_exists(ROOT "/freezer") && !vr_fs_exists(ROOT "/memory"))
        return VR_CGROUP_NONE;
    return is_cgroup2(ROOT "/unified") ? VR_CGROUP_HYBRID : VR_CGROUP_V1;
}

const char *vr_cgroup_layout_name(enum vr_cgroup_layout layout)
{
    static const char *const names[] = {"none", "v1", "hybrid", "v2"};

    return names[layout];
}

/* Path of a file in a cgroup; given. */
static char *path_of(enum vr_cgroup_layout layout, const char *hierarchy, const char *path,
                     const char *file)
{
    if (layout == VR_CGROUP_V2)
        return vr_strf(ROOT "%s/%s", path, file);
    return vr_strf(ROOT "/%s%s/%s", hierarchy, path, file);
}

static char *read_file(enum vr_cgroup_layout layout, const char *hierarchy, const char *path,
                       const char *file)
{
    vr_auto_free char *p = path_of(layout, hierarchy, path, file);
    char *text = NULL;
    size_t len;

    return vr_fs_read(p, FILE_BYTES, &text, &len, NULL) < 0 ? NULL : text;
}

static bool write_file(enum vr_cgroup_layout layout, const char *hierarchy, const char *path,
                       const char *file, const char *text)
{
    vr_auto_free char *p = path_of(layout, hierarchy, path, file);
    vr_auto_close int fd = open(p, O_WRONLY | O_CLOEXEC);

    return fd >= 0 && write(fd, text, strlen(text)) >= 0;
}

bool vr_cgroup_has_controller(enum vr_cgroup_layout layout, const char *controller)
{
    vr_auto_free char *list = NULL;
    vr_auto_free char *path = NULL;
    size_t n = strlen(controller);

    if (layout == VR_CGROUP_NONE)
        return false;
    if (layout != VR_CGROUP_V2) {
        path = vr_strf(ROOT "/%s/cgroup.procs", controller);
        return vr_fs_exists(path);
    }
    list = read_file(layout, HIERARCHY_UNUSED, "", "cgroup.controllers");
    for (const char *p = list; p && *p; p += strcspn(p, " \n"), p += strspn(p, " \n"))
        if (strcspn(p, " \n") == n && !strncmp(p, controller, n))
            return true;
    return false;
}

bool vr_cgroup_has_swap(enum vr_cgroup_layout layout)
{
    if (layout == VR_CGROUP_V2)
        return vr_cgroup_has_controller(layout, "memory");
    return vr_fs_exists(ROOT "/memory/memory.memsw.limit_in_bytes");
}

/* Enable our controllers for the children of `path`; one by one, as a host may lack some. */
static void enable_controllers(const char *path)
{
    static const char *const wanted[] = {"+memory", "+pids", "+cpu"};

    for (size_t i = 0; i < VR_COUNT(wanted); i++)
        vr_ignore(
            write_file(VR_CGROUP_V2, HIERARCHY_UNUSED, path, "cgroup.subtree_control", wanted[i]),
            "the probe tells what is missing");
}

static int make_v2(const char *path, struct vr_err *err)
{
    vr_auto_free char *part = vr_strdup(path);

    for (char *slash = part; slash; slash = strchr(slash + 1, '/')) {
        vr_auto_free char *dir = NULL;

        *slash = '\0';
        enable_controllers(part);
        dir = vr_strf(ROOT "%s", part);
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
            return vr_fail_sys(err, "cgroup %s", part);
        *slash = '/';
    }
    return 0;
}

int vr_cgroup_make(enum vr_cgroup_layout layout, const char *path, struct vr_err *err)
{
    vr_auto_free char *dir = NULL;
    int r;

    if (layout == VR_CGROUP_NONE)
        return vr_fail(err, VR_NOT_FOUND, "no cgroups are mounted at " ROOT);
    if (layout == VR_CGROUP_V2) {
        r = make_v2(path, err);
        if (r < 0)
            return r;
        dir = vr_strf(ROOT "%s", path);
        if (mkdir(dir, 0755) < 0 && errno != EEXIST)
            return vr_fail_sys(err, "cgroup %s", path);
        enable_controllers(path);
        return 0;
    }
    for (size_t i = 0; i < VR_COUNT(own_hierarchies); i++) {
        vr_auto_free char *p = NULL;

        if (!vr_cgroup_has_controller(layout, own_hierarchies[i]))
            continue;
        p = path_of(layout, own_hierarchies[i], path, "");
        r = vr_fs_mkdir_p(p, 0755, err);
        if (r < 0)
            return vr_fail_in(err, r, "cgroup %s", path);
    }
    return 0;
}

/* The number after `key ` at the start of a line, 0 if there is none. */
static int64_t stat_value(const char *text, const char *key)
{
    size_t n = strlen(key);
    int64_t value;

    for (const char *p = text; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        struct vr_str number;

        if (strncmp(p, key, n) != 0 || p[n] != ' ')
            continue;
        number = (struct vr_str){p + n + 1, strcspn(p + n + 1, "\n")};
        if (vr_parse_i64(number, 0, INT64_MAX, &value, NULL) == 0)
            return value;
    }
    return 0;
}

static int64_t single_value(const char *text)
{
    int64_t value;

    if (!text ||
        vr_parse_i64((struct vr_str){text, strcspn(text, "\n")}, 0, INT64_MAX, &value, NULL) < 0)
        return 0;
    return value;
}

static void read_usage(enum vr_cgroup_layout layout, const char *path, struct vr_cgroup_usage *out)
{
    bool v2 = layout == VR_CGROUP_V2;
    vr_auto_free char *memory = read_file(layout, "memory", path, "memory.stat");
    vr_auto_free char *oom =
        read_file(layout, "memory", path, v2 ? "memory.events" : "memory.oom_control");
    vr_auto_free char *cpu = read_file(layout, "cpuacct", path, v2 ? "cpu.stat" : "cpuacct.usage");
    vr_auto_free char *pids = read_file(layout, "pids", path, "pids.current");

    out->memory_bytes = v2 ? stat_value(memory, "anon") + stat_value(memory, "file_mapped")
                           : stat_value(memory, "rss") + stat_value(memory, "mapped_file");
    out->oom_kills = stat_value(oom, "oom_kill");
    out->cpu_us = v2 ? stat_value(cpu, "usage_usec") : single_value(cpu) / 1000;
    out->pids_count = single_value(pids);
}

int vr_cgroup_usage(enum vr_cgroup_layout layout, const char *path, struct vr_cgroup_usage *out,
                    struct vr_err *err)
{
    vr_auto_free char *procs = path_of(layout, "memory", path, "cgroup.procs");

    if (!vr_fs_exists(procs))
        return vr_fail(err, VR_NOT_FOUND, "cgroup %s is gone", path);
    read_usage(layout, path, out);
    return 0;
}

int vr_cgroup_pids(enum vr_cgroup_layout layout, const char *path, pid_t *out, size_t max,
                   struct vr_err *err)
{
    vr_auto_free char *text = read_file(layout, "freezer", path, "cgroup.procs");
    size_t count = 0;
    uint64_t pid;

    for (const char *p = text; p && *p && count < max;) {
        size_t n = strcspn(p, "\n");
        int r = vr_parse_u64((struct vr_str){p, n}, 0, INT32_MAX, &pid, err);

        if (r < 0)
            return r;
        out[count++] = (pid_t)pid;
        p += n + (p[n] == '\n');
    }
    return (int)count;
}

/* One round; true if nothing was there. */
static bool kill_round(enum vr_cgroup_layout layout, const char *path)
{
    bool v2 = layout == VR_CGROUP_V2;
    vr_auto_free pid_t *pids = vr_alloc_array(VR_CGROUP_PIDS_MAX, sizeof(*pids));
    int count;

    if (v2)
        write_file(layout, HIERARCHY_UNUSED, path, "cgroup.kill", "1");
    else
        write_file(layout, "freezer", path, "freezer.state", "FROZEN");
    count = vr_cgroup_pids(layout, path, pids, VR_CGROUP_PIDS_MAX, NULL);
    for (int i = 0; !v2 && i < count; i++)
        if (pids[i] > 1)
            kill(pids[i], SIGKILL);
    if (!v2) /* a frozen process dies only when it is thawed */
        write_file(layout, "freezer", path, "freezer.state", "THAWED");
    return count <= 0;
}

int vr_cgroup_kill(enum vr_cgroup_layout layout, const char *path, struct vr_err *err)
{
    const struct timespec pause = {.tv_nsec = KILL_PAUSE_NS};
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), VR_CGROUP_KILL_WAIT_MS);

    while (!kill_round(layout, path)) {
        if (vr_mono_now().ns > end.ns)
            return vr_fail(err, VR_TIMEOUT, "cgroup %s: processes survive SIGKILL", path);
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Call `visit` with the mount folder of each hierarchy. Stops at the first error. */
static int each_hierarchy(enum vr_cgroup_layout layout,
                          int (*visit)(const char *dir, void *arg, struct vr_err *err), void *arg,
                          struct vr_err *err)
{
    struct dirent *e;
    DIR *d;
    int r = 0;

    if (layout == VR_CGROUP_V2)
        return visit(ROOT, arg, err);
    d = opendir(ROOT);
    while (d && r == 0 && (e = readdir(d))) {
        vr_auto_free char *dir = NULL;

        if (*e->d_name == '.' || e->d_type != DT_DIR)
            continue;
        dir = vr_strf(ROOT "/%s", e->d_name);
        r = visit(dir, arg, err);
    }
    if (d)
        closedir(d);
    return r;
}

/* rmdir a cgroup, children first; they nest as deep as the container made them. */
static int remove_tree(const char *dir, struct vr_err *err)
{
    struct dirent *e;
    DIR *d = opendir(dir);
    int r = 0;

    if (!d)
        return 0;
    while (r == 0 && (e = readdir(d))) {
        vr_auto_free char *child = NULL;

        if (e->d_type != DT_DIR || *e->d_name == '.')
            continue;
        child = vr_strf("%s/%s", dir, e->d_name);
        r = remove_tree(child, err);
    }
    closedir(d);
    if (r == 0 && rmdir(dir) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "remove cgroup %s", dir);
    return r;
}

static int remove_in(const char *dir, void *path, struct vr_err *err)
{
    vr_auto_free char *p = vr_strf("%s%s", dir, (const char *)path);

    return remove_tree(p, err);
}

int vr_cgroup_remove(enum vr_cgroup_layout layout, const char *path, struct vr_err *err)
{
    if (*path != '/' || !path[1])
        return vr_fail(err, VR_INVALID, "cgroup '%s' is none of ours", path);
    return each_hierarchy(layout, remove_in, (void *)path, err);
}

struct names {
    const char *path;
    char **p;
    size_t count;
};

static void add_name(struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (!strcmp(names->p[i], name))
            return;
    names->p = vr_realloc_array(names->p, names->count + 1, sizeof(*names->p));
    names->p[names->count++] = vr_strdup(name);
}

static int list_in(const char *dir, void *arg, struct vr_err *err)
{
    struct names *names = arg;
    vr_auto_free char *p = vr_strf("%s%s", dir, names->path);
    struct dirent *e;
    DIR *d = opendir(p);
    int r = 0;

    while (d && r == 0 && (e = readdir(d))) {
        if (e->d_type != DT_DIR || *e->d_name == '.')
            continue;
        if (names->count == VR_CGROUP_LIST_MAX)
            r = vr_fail(err, VR_LIMIT, "cgroup %s has more than %d children", names->path,
                        VR_CGROUP_LIST_MAX);
        else
            add_name(names, e->d_name);
    }
    if (d)
        closedir(d);
    return r;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int vr_cgroup_list(enum vr_cgroup_layout layout, const char *path, char ***out_names,
                   size_t *out_count, struct vr_err *err)
{
    struct names names = {.path = path};
    int r = each_hierarchy(layout, list_in, &names, err);

    if (r < 0) {
        vr_cgroup_list_free(names.p, names.count);
        return r;
    }
    if (names.count)
        qsort(names.p, names.count, sizeof(*names.p), by_text);
    *out_names = names.p;
    *out_count = names.count;
    return 0;
}

void vr_cgroup_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}
