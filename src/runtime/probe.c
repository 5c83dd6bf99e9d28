/* SPDX-License-Identifier: MIT */
/* What this host can do for procs.
 *
 * Files that say a feature exists lie often enough - a runtime that refuses this cgroup layout, a
 * container host that forbids user namespaces - so the probe starts a real container with the very
 * parts that procs use: skeleton, bundle, shim. */
#include "runtime/probe.h"
#include "core/str.h"
#include "runtime/idmap.h"
#include "runtime/mount.h"
#include "runtime/shim_client.h"
#include "runtime/skeleton.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define RUN_TIMEOUT_MS   15000
#define BUILD_TIMEOUT_MS 15000
#define NOBODY           65534
#define TEST_SHA256      "0000000000000000000000000000000000000000000000000000000000000000"

static void __attribute__((format(printf, 2, 3)))
warn(struct vr_runtime_caps *caps, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    if (caps->warning_count == VR_PROBE_WARNINGS_MAX)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    caps->warnings[caps->warning_count++] = vr_strdup(text);
}

/* Absolute path of a program, given, or NULL. */
static char *find_program(const char *name)
{
    static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                       "/usr/bin",        "/sbin",          "/bin"};

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? vr_strdup(name) : NULL;
    for (size_t i = 0; i < VR_COUNT(dirs); i++) {
        vr_auto_free char *path = vr_strf("%s/%s", dirs[i], name);

        if (access(path, X_OK) == 0)
            return vr_take(path);
    }
    return NULL;
}

static void probe_limits(struct vr_runtime_caps *caps)
{
    struct rlimit nofile = {0};
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}};

    getrlimit(RLIMIT_NOFILE, &nofile);
    caps->nofile_hard = nofile.rlim_max;
    if (!syscall(SYS_capget, &header, data))
        caps->can_raise_rlimits =
            data[CAP_TO_INDEX(CAP_SYS_RESOURCE)].effective & CAP_TO_MASK(CAP_SYS_RESOURCE);
    if (!caps->can_raise_rlimits)
        warn(caps, "hard limits cannot be raised (no CAP_SYS_RESOURCE): they are clamped");
}

static void probe_cgroups(struct vr_runtime_caps *caps)
{
    struct vr_err err = VR_ERR_NULL;

    caps->cgroups = vr_cgroup_detect();
    if (vr_cgroup_make(caps->cgroups, VR_CGROUP_PROCS, &err) < 0)
        warn(caps, "cgroups: %s", err.msg);
    caps->has_memory = vr_cgroup_has_controller(caps->cgroups, "memory");
    caps->has_memsw = vr_cgroup_has_swap(caps->cgroups);
    caps->has_pids = vr_cgroup_has_controller(caps->cgroups, "pids");
    caps->has_cpu = vr_cgroup_has_controller(caps->cgroups, "cpu");
    if (!caps->has_memory)
        warn(caps, "no memory controller: memory limits have no effect");
    if (!caps->has_pids)
        warn(caps, "no pids controller: process limits have no effect");
    if (!caps->has_cpu)
        warn(caps, "no cpu controller: CPU limits have no effect");
}

/* Wait for the test container's end; 0 if it exited with code 0. */
static int await_end(struct vr_shim *shim, struct vr_err *err)
{
    struct vr_shim_event e;
    int r = vr_shim_subscribe(shim, err);

    do {
        if (r == 0)
            r = vr_shim_wait(shim, VR_SHIM_EVENT_STATE, RUN_TIMEOUT_MS, &e, err);
    } while (r == 0 && e.state.phase != VR_SHIM_EXITED && e.state.phase != VR_SHIM_FATAL);
    if (r == 0 && (e.state.exit.code != 0 || e.state.why[0]))
        r = vr_fail(err, VR_IO, "%s", e.state.why[0] ? e.state.why : "the test command failed");
    return r;
}

/* End the app and its shim. */
static int dismiss(struct vr_shim *shim, struct vr_err *err)
{
    struct vr_shim_event e;
    int r = vr_shim_kill(shim, err);

    if (r == 0)
        r = vr_shim_wait(shim, VR_SHIM_EVENT_STOPPED, RUN_TIMEOUT_MS, &e, err);
    if (r == 0)
        r = vr_shim_quit(shim, err);
    while (r == 0) /* the stream ends when the shim is gone */
        r = vr_shim_wait(shim, VR_SHIM_EVENT_STATE, RUN_TIMEOUT_MS, &e, err);
    return r == -VR_IO ? 0 : r;
}

static int use_shim(const char *dir, struct vr_err *err)
{
    VR_OWNED(vr_shim_close) struct vr_shim *shim = NULL;
    int r = vr_shim_connect(dir, &shim, err);
    int r2;

    if (r < 0)
        return r;
    r = await_end(shim, err);
    r2 = dismiss(shim, r < 0 ? NULL : err);
    return r < 0 ? r : r2;
}

/* Whatever happened, leave nothing behind. */
static void clean(const struct vr_probe_spec *spec, const char *dir, const char *run_dir)
{
    const char *argv[4];
    struct vr_spawn_spec child = {.argv = argv};

    vr_shim_clean_argv(spec->shim_path, run_dir, argv);
    vr_ignore(vr_run_ok(&child, RUN_TIMEOUT_MS, NULL), "a live shim keeps its lock for a moment");
    vr_ignore(vr_bundle_remove(dir, run_dir, NULL), "the work folder is removed again later");
}

/* Run `true` in a container as procs run in one. */
static int run_container(const struct vr_probe_spec *spec, const struct vr_runtime_caps *caps,
                         bool userns, struct vr_err *err)
{
    static const char *const words[] = {"true", NULL};
    uid_t owner = userns ? spec->userns_base : 0;
    vr_auto_free char *id = vr_strf("vr-probe-%d", (int)getpid());
    vr_auto_free char *dir = vr_strf("%s/proc", spec->work_dir);
    vr_auto_free char *run_dir = vr_strf("%s/run", spec->work_dir);
    vr_auto_free char *slug = vr_strf("%s/slug", spec->work_dir);
    vr_auto_free char *app = vr_strf("%s/app", slug);
    vr_auto_free char *skeletons = vr_strf("%s/skeletons", spec->work_dir);
    vr_auto_free char *state = vr_strf("%s/state", spec->work_dir);
    vr_auto_free char *skeleton = NULL;
    struct vr_bundle bundle = {.warning = ""};
    struct vr_bundle_spec b = {.id = id,
                               .dir = dir,
                               .run_dir = run_dir,
                               .slug = slug,
                               .shim_path = spec->shim_path,
                               .user_name = "nobody",
                               .uid = NOBODY,
                               .gid = NOBODY,
                               .userns = userns,
                               .userns_base = spec->userns_base,
                               .userns_count = spec->userns_count,
                               .words = words};
    struct vr_shim_spec s = {.dir = run_dir,
                             .id = id,
                             .bundle = &bundle,
                             .caps = caps,
                             .runtime_root = state,
                             .uid = NOBODY,
                             .gid = NOBODY,
                             .one_shot = true};
    int r = vr_fs_mkdir_p(app, 0755, err);

    if (r == 0)
        r = vr_skeleton_prepare(skeletons, owner, &skeleton, err);
    b.skeleton = skeleton;
    if (r == 0)
        r = vr_bundle_write(&b, caps, &bundle, err);
    if (r == 0)
        r = vr_shim_configure(&s, err);
    if (r == 0)
        r = vr_shim_start(spec->shim_path, run_dir, false, err);
    if (r == 0)
        r = use_shim(run_dir, err);
    clean(spec, dir, run_dir);
    vr_bundle_fini(&bundle);
    return r;
}

static bool try_runtime(const struct vr_probe_spec *spec, const char *name,
                        struct vr_runtime_caps *caps)
{
    struct vr_err err = VR_ERR_NULL;
    const char *base = strrchr(name, '/');

    caps->runtime = find_program(name);
    if (!caps->runtime)
        return false;
    caps->is_crun = vr_str_has_prefix(base ? base + 1 : name, "crun");
    if (run_container(spec, caps, false, &err) == 0)
        return true;
    warn(caps, "%s cannot run a container here: %s", caps->runtime, err.msg);
    free(vr_take(caps->runtime));
    return false;
}

static void probe_runtime(const struct vr_probe_spec *spec, struct vr_runtime_caps *caps)
{
    struct vr_err err = VR_ERR_NULL;
    bool works = spec->runtime ? try_runtime(spec, spec->runtime, caps)
                               : try_runtime(spec, "crun", caps) || try_runtime(spec, "runc", caps);

    if (!works) {
        warn(caps, "no OCI runtime works: install crun (or runc); this host can run no procs");
        return;
    }
    if (!spec->userns_base)
        return;
    caps->has_userns = run_container(spec, caps, true, &err) == 0;
    if (!caps->has_userns)
        warn(caps, "no user namespaces: %s", err.msg);
}

/* Mount a real squashfs idmapped and look whose its files are. */
static int try_idmap(const struct vr_probe_spec *spec, struct vr_err *err)
{
    vr_auto_free char *mounts = vr_strf("%s/mounts", spec->work_dir);
    vr_auto_free char *source = vr_strf("%s/slug", spec->work_dir);
    vr_auto_free char *file = vr_strf("%s/test.squashfs", spec->work_dir);
    const char *const argv[] = {"mksquashfs", source,         file,     "-all-root",
                                "-noappend",  "-no-progress", "-quiet", NULL};
    struct vr_spawn_spec build = {.argv = argv};
    struct vr_mount_spec want = {
        .sha256 = TEST_SHA256, .file = file, .owner = VR_MOUNT_ONE, .uid = NOBODY, .gid = NOBODY};
    VR_OWNED(vr_mounts_close) struct vr_mounts *m = NULL;
    struct vr_mount_copy copy = {.source = NULL};
    vr_auto_free char *path = NULL;
    struct stat st;
    int r = vr_run_ok(&build, BUILD_TIMEOUT_MS, err);

    if (r == 0)
        r = vr_mounts_open(mounts, true, &m, err);
    if (r == 0)
        r = vr_mount_prepare(m, &want, &path, &copy, err);
    vr_mount_copy_fini(&copy);
    if (r == 0 && (stat(path, &st) < 0 || st.st_uid != NOBODY))
        r = vr_fail(err, VR_DENIED, "the mapping has no effect");
    if (m)
        vr_ignore(vr_mount_remove(m, TEST_SHA256, NULL), "the folder is unmounted next");
    umount2(mounts, MNT_DETACH);
    return r;
}

static void probe_idmap(const struct vr_probe_spec *spec, struct vr_runtime_caps *caps)
{
    const char *forced = getenv("VR_NO_IDMAP");
    struct vr_err err = VR_ERR_NULL;

    if (vr_streq(forced, "1"))
        return;
    caps->has_idmap = try_idmap(spec, &err) == 0;
    if (!caps->has_idmap)
        warn(caps, "slugs are copied per user, as squashfs cannot be idmapped: %s", err.msg);
}

void vr_runtime_probe(const struct vr_probe_spec *spec, struct vr_runtime_caps *out)
{
    vr_auto_free char *app = vr_strf("%s/slug/app", spec->work_dir);
    struct vr_err err = VR_ERR_NULL;

    *out = (struct vr_runtime_caps){.cgroups = VR_CGROUP_NONE};
    probe_limits(out);
    probe_cgroups(out);
    if (vr_fs_mkdir_p(app, 0755, &err) < 0) {
        warn(out, "cannot test this host: %s", err.msg);
        return;
    }
    probe_runtime(spec, out);
    probe_idmap(spec, out);
    if (vr_fs_remove_tree(spec->work_dir, &err) < 0)
        warn(out, "left behind by the self-test: %s", err.msg);
}

void vr_runtime_caps_fini(struct vr_runtime_caps *caps)
{
    free(caps->runtime);
    for (size_t i = 0; i < caps->warning_count; i++)
        free(caps->warnings[i]);
    *caps = (struct vr_runtime_caps){.cgroups = VR_CGROUP_NONE};
}
