/* SPDX-License-Identifier: MIT */
/*
 * The cgroup of one build job, on v1, v2 and hybrid hosts.
 *
 * The folders are made below the root of each hierarchy, beside those of the procs. A hybrid host
 * has its controllers on v1 and an almost empty v2 at `unified`, which is left alone. The launcher
 * joins by itself before it does anything else, so nothing of a build ever runs outside. Killing
 * is the second line only: the pid namespace of each program dies with its first process. It
 * matters after a job was killed itself.
 */
#include "build/cage.h"
#include "core/clock.h"
#include "core/str.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define CGROUP_ROOT          "/sys/fs/cgroup"
#define BUILDS               "velociraptor/builds"
#define BUILDS_IN(hierarchy) hierarchy "/velociraptor/builds"
#define CPU_PERIOD_US        100000
#define FILE_BYTES_MAX       ((size_t)1 << 20)
#define EMPTY_MS             INT64_C(5000)
#define EMPTY_POLL_MS        5
#define MAKE_TRIES           5
#define US_PER_PERMILLE      (CPU_PERIOD_US / 1000)
#define HIERARCHIES_MAX      6

static const char *const v1_hierarchies[] = {"memory", "pids", "cpu", "freezer"};
static const char *const v2_controllers[] = {"+memory", "+pids", "+cpu"};

struct vr_cage {
    bool is_v2;
    char *dirs[HIERARCHIES_MAX]; /* owned; NULL-terminated */
    size_t dir_count;
    char *memory_dir; /* borrowed from dirs; NULL if memory is not controlled */
};

static int write_value(const char *dir, const char *file, const char *value, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", dir, file);
    vr_auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    int r;

    if (fd < 0)
        return vr_fail_sys(err, "open %s", path);
    r = vr_fd_write_all(fd, value, strlen(value), err);
    return r < 0 ? vr_fail_in(err, r, "write '%s' to %s", value, path) : 0;
}

static int write_number(const char *dir, const char *file, int64_t value, struct vr_err *err)
{
    char text[24];

    snprintf(text, sizeof(text), "%" PRId64, value);
    return write_value(dir, file, text, err);
}

static bool has_file(const char *dir, const char *file)
{
    vr_auto_free char *path = vr_strf("%s/%s", dir, file);

    return vr_fs_exists(path);
}

/* What a v1 hierarchy limits; the files of other hierarchies are not in it and not missed. */
static int limit_v1(const char *dir, const struct vr_cage_limits *l, struct vr_err *err)
{
    int r = 0;

    if (l->memory_bytes && has_file(dir, "memory.limit_in_bytes")) {
        r = write_number(dir, "memory.limit_in_bytes", l->memory_bytes, err);
        if (!r && has_file(dir, "memory.memsw.limit_in_bytes"))
            r = write_number(dir, "memory.memsw.limit_in_bytes", l->memory_bytes, err);
    }
    if (!r && l->pids && has_file(dir, "pids.max"))
        r = write_number(dir, "pids.max", l->pids, err);
    if (!r && l->cpu_permille && has_file(dir, "cpu.cfs_quota_us")) {
        r = write_number(dir, "cpu.cfs_period_us", CPU_PERIOD_US, err);
        if (!r)
            r = write_number(dir, "cpu.cfs_quota_us", l->cpu_permille * US_PER_PERMILLE, err);
    }
    return r;
}

static int limit_v2(const char *dir, const struct vr_cage_limits *l, struct vr_err *err)
{
    char cpu[48];
    int r = 0;

    if (l->memory_bytes && has_file(dir, "memory.max")) {
        r = write_number(dir, "memory.max", l->memory_bytes, err);
        if (!r && has_file(dir, "memory.swap.max"))
            r = write_number(dir, "memory.swap.max", 0, err);
    }
    if (!r && l->pids && has_file(dir, "pids.max"))
        r = write_number(dir, "pids.max", l->pids, err);
    if (!r && l->cpu_permille && has_file(dir, "cpu.max")) {
        snprintf(cpu, sizeof(cpu), "%" PRId64 " %d", l->cpu_permille * US_PER_PERMILLE,
                 CPU_PERIOD_US);
        r = write_value(dir, "cpu.max", cpu, err);
    }
    return r;
}

/* Controllers reach a v2 folder only if each folder above passes them on. */
static void pass_controllers_on(void)
{
    static const char *const above[] = {CGROUP_ROOT, CGROUP_ROOT "/velociraptor",
                                        BUILDS_IN(CGROUP_ROOT)};

    for (size_t i = 0; i < VR_COUNT(above); i++)
        for (size_t k = 0; k < VR_COUNT(v2_controllers); k++)
            vr_ignore(write_value(above[i], "cgroup.subtree_control", v2_controllers[k], NULL),
                      "one that the host lacks limits nothing");
}

/* One try to make the job's folder: its parent goes with the last job in it, perhaps just now. */
static int try_dir(const struct vr_cage *cage, const char *parent, const char *dir,
                   struct vr_err *err)
{
    int r = vr_fs_mkdir_p(parent, 0755, err);

    if (!r && cage->is_v2)
        pass_controllers_on();
    if (!r && mkdir(dir, 0755) < 0)
        r = vr_fail_sys(err, "make cgroup %s", dir);
    return r;
}

static int add_dir(struct vr_cage *cage, const char *hierarchy, const char *id, struct vr_err *err)
{
    vr_auto_free char *parent = vr_strf("%s/" BUILDS, hierarchy);
    vr_auto_free char *dir = vr_strf("%s/%s", parent, id);
    int r = -VR_NOT_FOUND;

    for (int i = 0; r == -VR_NOT_FOUND && i < MAKE_TRIES; i++)
        r = try_dir(cage, parent, dir, err);
    if (r < 0)
        return r == -VR_NOT_FOUND ? vr_fail(err, VR_IO, "make cgroup %s", dir) : r;
    cage->dirs[cage->dir_count++] = vr_take(dir);
    return 0;
}

static int fill_v1(struct vr_cage *cage, const char *id, const struct vr_cage_limits *limits,
                   struct vr_err *err)
{
    for (size_t i = 0; i < VR_COUNT(v1_hierarchies); i++) {
        vr_auto_free char *hierarchy = vr_strf(CGROUP_ROOT "/%s", v1_hierarchies[i]);
        const char *dir;
        int r;

        if (!has_file(hierarchy, "cgroup.procs"))
            continue;
        r = add_dir(cage, hierarchy, id, err);
        if (r < 0)
            return r;
        dir = cage->dirs[cage->dir_count - 1];
        r = limit_v1(dir, limits, err);
        if (r < 0)
            return r;
        if (vr_streq(v1_hierarchies[i], "memory"))
            cage->memory_dir = cage->dirs[cage->dir_count - 1];
    }
    return 0;
}

static int fill(struct vr_cage *cage, const char *id, const struct vr_cage_limits *limits,
                struct vr_err *err)
{
    struct statfs fs;
    int r;

    if (statfs(CGROUP_ROOT, &fs) < 0)
        return vr_fail_sys(err, "look at " CGROUP_ROOT);
    cage->is_v2 = fs.f_type == CGROUP2_SUPER_MAGIC;
    if (!cage->is_v2)
        return fill_v1(cage, id, limits, err);
    r = add_dir(cage, CGROUP_ROOT, id, err);
    if (r < 0)
        return r;
    cage->memory_dir = cage->dirs[0];
    return limit_v2(cage->dirs[0], limits, err);
}

int vr_cage_new(const char *id, const struct vr_cage_limits *limits, struct vr_cage **out_cage,
                struct vr_err *err)
{
    VR_OWNED(vr_cage_free) struct vr_cage *cage = vr_alloc(sizeof(*cage));
    int r;

    r = fill(cage, id, limits, err);
    if (r < 0)
        return r;
    if (!cage->dir_count)
        return vr_fail(err, VR_NOT_FOUND, "no cgroup controller below " CGROUP_ROOT);
    *out_cage = vr_take(cage);
    return 0;
}

const char *const *vr_cage_dirs(const struct vr_cage *cage)
{
    return (const char *const *)cage->dirs;
}

/* SIGKILL what a folder lists; the number of processes seen. */
static size_t kill_listed(const char *dir)
{
    vr_auto_free char *path = vr_strf("%s/cgroup.procs", dir);
    vr_auto_free char *text = NULL;
    size_t len, count = 0;

    if (vr_fs_read(path, FILE_BYTES_MAX, &text, &len, NULL) < 0)
        return 0;
    for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
        struct vr_child member = VR_CHILD_NULL;
        uint64_t pid;

        if (vr_parse_u64((struct vr_str){line, (size_t)(end - line)}, 1, INT32_MAX, &pid, NULL) < 0)
            continue;
        member = (struct vr_child){.pid = (pid_t)pid, .pidfd = pidfd_open((pid_t)pid, 0)};
        vr_child_signal(&member, SIGKILL);
        vr_child_fini(&member);
        count++;
    }
    return count;
}

static size_t kill_all(const struct vr_cage *cage)
{
    size_t count = 0;

    if (cage->is_v2)
        vr_ignore(write_value(cage->dirs[0], "cgroup.kill", "1", NULL), "kernels before 5.14");
    for (size_t i = 0; i < cage->dir_count; i++)
        count += kill_listed(cage->dirs[i]);
    return count;
}

void vr_cage_kill(struct vr_cage *cage)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), EMPTY_MS);

    while (kill_all(cage) && vr_mono_ms_between(vr_mono_now(), end))
        poll(NULL, 0, EMPTY_POLL_MS);
}

/* A folder stays busy for a moment after its last process was reaped. Then the parent, if empty. */
static void remove_dir(const char *dir)
{
    vr_auto_free char *parent = vr_strndup(dir, (size_t)(strrchr(dir, '/') - dir));
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), EMPTY_MS);

    while (rmdir(dir) < 0 && errno == EBUSY && vr_mono_ms_between(vr_mono_now(), end))
        poll(NULL, 0, EMPTY_POLL_MS);
    vr_ignore(rmdir(parent), "other jobs are in it");
}

struct vr_cage *vr_cage_free(struct vr_cage *cage)
{
    if (!cage)
        return NULL;
    vr_cage_kill(cage);
    for (size_t i = 0; i < cage->dir_count; i++) {
        remove_dir(cage->dirs[i]);
        free(cage->dirs[i]);
    }
    free(cage);
    return NULL;
}

void vr_cage_sweep(const char *id)
{
    VR_OWNED(vr_cage_free) struct vr_cage *cage = vr_alloc(sizeof(*cage));
    vr_auto_free char *unified = vr_strf(CGROUP_ROOT "/" BUILDS "/%s", id);

    if (vr_fs_exists(unified))
        cage->dirs[cage->dir_count++] = vr_take(unified);
    for (size_t i = 0; i < VR_COUNT(v1_hierarchies); i++) {
        vr_auto_free char *dir = vr_strf(CGROUP_ROOT "/%s/" BUILDS "/%s", v1_hierarchies[i], id);

        if (vr_fs_exists(dir))
            cage->dirs[cage->dir_count++] = vr_take(dir);
    }
}

uint64_t vr_cage_oom_kills(const struct vr_cage *cage)
{
    vr_auto_free char *path = NULL;
    vr_auto_free char *text = NULL;
    const char *p;
    uint64_t count = 0;
    size_t len;

    if (!cage->memory_dir)
        return 0;
    path = vr_strf("%s/%s", cage->memory_dir, cage->is_v2 ? "memory.events" : "memory.oom_control");
    if (vr_fs_read(path, FILE_BYTES_MAX, &text, &len, NULL) < 0)
        return 0;
    p = strstr(text, "oom_kill ");
    if (!p)
        return 0;
    p += strlen("oom_kill ");
    if (vr_parse_u64((struct vr_str){p, strcspn(p, "\n")}, 0, UINT64_MAX, &count, NULL) < 0)
        return 0;
    return count;
}
