/* SPDX-License-Identifier: MIT */
/* For tests: one proc in a real container. */
#include "runtime/rig.h"
#include "core/clock.h"
#include "runtime/skeleton.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#define BASE    100000
#define RANGE   65536
#define LOG_MAX (64 << 20)

struct vr_runtime_caps *rig_caps(const char *runtime)
{
    static struct vr_runtime_caps crun, runc;
    struct vr_runtime_caps *caps = vr_streq(runtime, "runc") ? &runc : &crun;
    vr_auto_free char *work = vr_strf("%s/probe", vr_tap_dir());
    struct vr_probe_spec spec = {.shim_path = SHIM_PATH,
                                 .work_dir = work,
                                 .runtime = runtime,
                                 .userns_base = BASE,
                                 .userns_count = RANGE};

    if (!caps->runtime && chmod(vr_tap_dir(), 0711) == 0)
        vr_runtime_probe(&spec, caps);
    return caps;
}

void rig_pause_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * VR_NS_PER_MS};

    nanosleep(&t, NULL);
}

bool rig_write(const char *path, const char *text, mode_t mode)
{
    return vr_fs_write(path, text, strlen(text), mode, NULL) == 0;
}

static bool pack(const struct rig *r, const char *tree)
{
    const char *const argv[] = {
        "mksquashfs", tree,    r->slug_file, "-all-root", "-all-time",    "0",      "-mkfs-time",
        "0",          "-comp", "zstd",       "-noappend", "-no-progress", "-quiet", NULL};
    struct vr_spawn_spec spec = {.argv = argv};

    return vr_run_ok(&spec, WAIT_MS, NULL) == 0;
}

/* Files of the app, the slug made of them, and a proc that runs `command` in it. */
bool rig_init(struct rig *r, const char *name, const char *command)
{
    vr_auto_free char *tree = NULL;
    vr_auto_free char *app = NULL;
    vr_auto_free char *profile = NULL;
    vr_auto_free char *profile_file = NULL;
    vr_auto_free char *data = NULL;

    *r = (struct rig){.root = vr_strf("%s/%s", vr_tap_dir(), name)};
    tree = vr_strf("%s/tree", r->root);
    app = vr_strf("%s/app", tree);
    profile = vr_strf("%s/.profile.d", app);
    profile_file = vr_strf("%s/1.sh", profile);
    data = vr_strf("%s/data", app);
    r->caps = rig_caps(NULL);
    if (chmod(vr_tap_dir(), 0711) < 0)
        return false;
    r->slug_file = vr_strf("%s/slug.squashfs", r->root);
    r->dir = vr_strf("%s/proc", r->root);
    r->run = vr_strf("%s/run", r->root);
    r->mounts_dir = vr_strf("%s/mounts", r->root);
    r->skeletons = vr_strf("%s/skeletons", r->root);
    r->state = vr_strf("%s/state", r->root);
    r->log = vr_strf("%s/run/log", r->root);
    r->id = vr_strf("vr-test-%d-%s", (int)getpid(), name);
    r->b = (struct vr_bundle_spec){.id = r->id,
                                   .dir = r->dir,
                                   .run_dir = r->run,
                                   .shim_path = SHIM_PATH,
                                   .user_name = "nobody",
                                   .uid = NOBODY,
                                   .gid = NOBODY,
                                   .userns_base = BASE,
                                   .userns_count = RANGE,
                                   .command = command,
                                   .port = 5999,
                                   .env_sh = "export SECRET='a b'\n",
                                   .settings_yaml = "db: pg\n"};
    r->s = (struct vr_shim_spec){.dir = r->run,
                                 .id = r->id,
                                 .bundle = &r->bundle,
                                 .runtime_root = r->state,
                                 .max_restarts = 1000,
                                 .restart_window_ms = 60000};
    return vr_fs_mkdir_p(profile, 0755, NULL) == 0 && rig_write(data, "x", 0644) &&
           rig_write(profile_file, "export FROM_PROFILE=$SECRET; export TMPDIR=/var/tmp\n", 0644);
}

/* Mount the slug for the app's user, copying it first where it must be. */
static int rig_mount(struct rig *r, struct vr_err *err)
{
    uint32_t shift = r->b.userns ? BASE : 0;
    struct vr_mount_spec want = {.sha256 = RIG_SHA,
                                 .file = r->slug_file,
                                 .owner = VR_MOUNT_ONE,
                                 .uid = r->b.uid + shift,
                                 .gid = r->b.gid + shift};
    struct vr_mount_copy copy = {.source = NULL};
    int rc = vr_mounts_open(r->mounts_dir, r->caps->has_idmap && !r->copies, &r->mounts, err);

    if (rc == 0)
        rc = vr_mount_prepare(r->mounts, &want, &r->mounted, &copy, err);
    if (rc == -VR_BUSY) {
        struct vr_spawn_spec child = {.argv = copy.argv};

        rc = vr_run_ok(&child, WAIT_MS, err);
        if (rc == 0)
            rc = vr_mount_copy_done(&copy, err);
        if (rc == 0)
            rc = vr_mount_prepare(r->mounts, &want, &r->mounted, &copy, err);
    }
    vr_mount_copy_fini(&copy);
    return rc;
}

int rig_start(struct rig *r, struct vr_err *err)
{
    vr_auto_free char *tree = vr_strf("%s/tree", r->root);
    vr_auto_free char *skeleton = NULL;
    int rc;

    if (!pack(r, tree))
        return vr_fail(err, VR_IO, "mksquashfs");
    rc = rig_mount(r, err);
    if (rc == 0)
        rc = vr_skeleton_prepare(r->skeletons, r->b.userns ? BASE : 0, &skeleton, err);
    r->b.slug = r->mounted;
    r->b.skeleton = skeleton;
    r->s.caps = r->caps;
    r->s.uid = r->b.uid;
    r->s.gid = r->b.gid;
    if (rc == 0)
        rc = vr_bundle_write(&r->b, r->caps, &r->bundle, err);
    if (rc == 0)
        rc = vr_shim_configure(&r->s, err);
    if (rc == 0)
        rc = vr_shim_start(SHIM_PATH, r->run, false, err);
    if (rc == 0)
        rc = vr_shim_connect(r->run, &r->shim, err);
    if (rc == 0)
        rc = vr_shim_subscribe(r->shim, err);
    if (rc < 0)
        printf("# %s\n", err->msg);
    return rc;
}

bool rig_wait_phase(struct rig *r, enum vr_shim_phase phase, struct vr_shim_event *e)
{
    struct vr_err err = VR_ERR_NULL;

    do {
        if (vr_shim_wait(r->shim, VR_SHIM_EVENT_STATE, WAIT_MS, e, &err) < 0) {
            printf("# %s\n", err.msg);
            return false;
        }
    } while (e->state.phase != phase);
    return true;
}

/* Wait until the log holds a text; false after WAIT_MS. */
bool rig_wait_log(struct rig *r, const char *text)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), WAIT_MS);

    while (vr_mono_now().ns < end.ns) {
        vr_auto_free char *log = NULL;
        size_t len;

        if (vr_fs_read(r->log, LOG_MAX, &log, &len, NULL) == 0 && strstr(log, text))
            return true;
        rig_pause_ms(1);
    }
    return false;
}

char *rig_read_log(struct rig *r)
{
    char *log = NULL;
    size_t len;

    return vr_fs_read(r->log, LOG_MAX, &log, &len, NULL) == 0 ? log : vr_strdup("");
}

bool rig_stop(struct rig *r, int grace_ms, struct vr_shim_event *e)
{
    return vr_shim_stop(r->shim, grace_ms, 0, NULL) == 0 &&
           vr_shim_wait(r->shim, VR_SHIM_EVENT_STOPPED, WAIT_MS, e, NULL) == 0;
}

static bool is_left_behind(struct rig *r)
{
    char **names;
    size_t count, id_len = strlen(r->id);
    bool left = false;

    if (vr_cgroup_list(r->caps->cgroups, VR_CGROUP_PROCS, &names, &count, NULL) < 0)
        return true;
    for (size_t i = 0; i < count; i++)
        if (!strncmp(names[i], r->id, id_len)) {
            printf("# left: cgroup %s\n", names[i]);
            left = true;
        }
    vr_cgroup_list_free(names, count);
    return left;
}

/* End everything; true if nothing is left of it. */
bool rig_fini(struct rig *r)
{
    const char *argv[4];
    struct vr_spawn_spec child = {.argv = argv};
    struct vr_shim_event e;
    struct vr_err err = VR_ERR_NULL;
    bool ok = true;

    if (r->shim && vr_shim_kill(r->shim, NULL) == 0 &&
        vr_shim_wait(r->shim, VR_SHIM_EVENT_STOPPED, WAIT_MS, &e, NULL) == 0 &&
        vr_shim_quit(r->shim, NULL) == 0)
        ok = vr_shim_wait(r->shim, VR_SHIM_EVENT_OK, WAIT_MS, &e, NULL) == 0;
    r->shim = vr_shim_close(r->shim);
    for (int i = 0; i < WAIT_MS && vr_shim_is_alive(r->run); i++)
        rig_pause_ms(1);
    vr_shim_clean_argv(SHIM_PATH, r->run, argv);
    if (vr_fs_exists(r->run) && vr_run_ok(&child, WAIT_MS, &err) < 0) {
        printf("# clean: %s\n", err.msg);
        ok = false;
    }
    if (r->mounts && vr_mount_remove(r->mounts, RIG_SHA, &err) < 0) {
        printf("# %s\n", err.msg);
        ok = false;
    }
    r->mounts = vr_mounts_close(r->mounts);
    umount2(r->mounts_dir, MNT_DETACH);
    ok &= !is_left_behind(r);
    vr_bundle_fini(&r->bundle);
    if (vr_fs_remove_tree(r->root, &err) < 0) {
        printf("# %s\n", err.msg);
        ok = false;
    }
    free(r->root);
    free(r->slug_file);
    free(r->dir);
    free(r->run);
    free(r->mounts_dir);
    free(r->skeletons);
    free(r->state);
    free(r->log);
    free(r->id);
    free(r->mounted);
    return ok;
}
