/* SPDX-License-Identifier: MIT */
/* Real containers: a squashfs slug on the host stack, supervised by the real shim. */
#include "core/clock.h"
#include "core/str.h"
#include "core/tap.h"
#include "runtime/listen.h"
#include "runtime/mount.h"
#include "runtime/shim_client.h"
#include "runtime/skeleton.h"
#include "sys/fs.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>

#define WAIT_MS 20000
#define NOBODY  65534
#define BASE    100000
#define RANGE   65536
#define LOG_MAX (64 << 20)
#define SHA     "00000000000000000000000000000000000000000000000000000000000000aa"

/* One proc and everything it needs, below the test's folder. */
struct rig {
    char *root, *slug_file, *dir, *run, *mounts_dir, *skeletons, *state, *log, *id;
    char *mounted; /* what vr_mount_prepare() gave */
    struct vr_mounts *mounts;
    struct vr_runtime_caps *caps; /* borrowed */
    struct vr_bundle bundle;
    struct vr_shim *shim;
    struct vr_bundle_spec b; /* changed by the test before rig_start() */
    struct vr_shim_spec s;
    bool copies; /* make the owner by copying instead of idmapping */
};

static struct vr_runtime_caps *caps_once(const char *runtime)
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

static void pause_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * VR_NS_PER_MS};

    nanosleep(&t, NULL);
}

static bool write_app(const char *path, const char *text, mode_t mode)
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
static bool rig_init(struct rig *r, const char *name, const char *command)
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
    r->caps = caps_once(NULL);
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
    return vr_fs_mkdir_p(profile, 0755, NULL) == 0 && write_app(data, "x", 0644) &&
           write_app(profile_file, "export FROM_PROFILE=$SECRET; export TMPDIR=/var/tmp\n", 0644);
}

/* Mount the slug for the app's user, copying it first where it must be. */
static int rig_mount(struct rig *r, struct vr_err *err)
{
    uint32_t shift = r->b.userns ? BASE : 0;
    struct vr_mount_spec want = {.sha256 = SHA,
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

static int rig_start(struct rig *r, struct vr_err *err)
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

static bool wait_phase(struct rig *r, enum vr_shim_phase phase, struct vr_shim_event *e)
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
static bool wait_log(struct rig *r, const char *text)
{
    struct vr_mono end = vr_mono_add_ms(vr_mono_now(), WAIT_MS);

    while (vr_mono_now().ns < end.ns) {
        vr_auto_free char *log = NULL;
        size_t len;

        if (vr_fs_read(r->log, LOG_MAX, &log, &len, NULL) == 0 && strstr(log, text))
            return true;
        pause_ms(1);
    }
    return false;
}

static char *read_log(struct rig *r)
{
    char *log = NULL;
    size_t len;

    return vr_fs_read(r->log, LOG_MAX, &log, &len, NULL) == 0 ? log : vr_strdup("");
}

static bool stop(struct rig *r, int grace_ms, struct vr_shim_event *e)
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
static bool rig_fini(struct rig *r)
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
        pause_ms(1);
    vr_shim_clean_argv(SHIM_PATH, r->run, argv);
    if (vr_fs_exists(r->run) && vr_run_ok(&child, WAIT_MS, &err) < 0) {
        printf("# clean: %s\n", err.msg);
        ok = false;
    }
    if (r->mounts && vr_mount_remove(r->mounts, SHA, &err) < 0) {
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

#define NEEDS_ROOT()                                                                               \
    do {                                                                                           \
        if (geteuid() != 0) {                                                                      \
            vr_tap_skip("needs root");                                                             \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Like CHECK, but tears the rig down first. */
#define CHECK_RIG(rig, cond)                                                                       \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            vr_auto_free char *log_ = read_log(rig);                                               \
            vr_tap_failed(__FILE__, __LINE__, #cond);                                              \
            printf("# log: %.2000s\n", log_);                                                      \
            rig_fini(rig);                                                                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static const char facts[] =
    "sh -c 'echo uid=$(id -u) user=$(id -un) secret=$SECRET profile=$FROM_PROFILE tmp=$TMPDIR"
    " home=$HOME port=$PORT settings=$(cat $APP_SETTINGS_YAML) pwd=$(pwd);"
    " grep -E \"^(CapBnd|CapEff|NoNewPrivs|Seccomp):\" /proc/self/status;"
    " echo more >>/app/data && touch /app/new && rm /app/.profile.d/1.sh && echo app-writable;"
    " unshare -r true 2>&1; cat /proc/1/comm; ls -A / | tr \"\\n\" \" \"; ls /etc/shadow;"
    " echo owner=$(stat -c %U:%G /app/data /app /etc | tr \"\\n\" \" \"); hostname;"
    " python3 -c \"import ssl, threading; threading.Thread(target=print, "
    "args=(\\\"thread\\\",)).start()\";"
    " echo to-err >&2; echo done; exec sleep 1000'";

static bool has(const char *log, const char *text)
{
    if (!strstr(log, text)) {
        printf("# missing: %s\n", text);
        return false;
    }
    return true;
}

static bool facts_are_right(const char *log)
{
    return has(log, "out uid=65534 user=nobody secret=a b profile=a b tmp=/var/tmp home=/app "
                    "port=5999 settings=db: pg pwd=/app\n") &&
           has(log, "CapBnd:\t0000000000000000") && has(log, "CapEff:\t0000000000000000") &&
           has(log, "NoNewPrivs:\t1") && has(log, "Seccomp:\t2") && has(log, " out app-writable") &&
           has(log, "Operation not permitted") && has(log, " out .init\n") &&
           has(log, " out thread\n") && has(log, " err to-err\n") &&
           has(log, "cannot access '/etc/shadow'") && has(log, "owner=nobody:nogroup");
}

/* The whole of the above in one kind of container. */
static void check_facts(const char *name, bool userns, bool copies, const char *runtime)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    vr_auto_free char *log = NULL;
    struct vr_mono t;

    CHECK(rig_init(&r, name, facts));
    if (runtime)
        r.caps = caps_once(runtime);
    r.copies = copies;
    r.b.userns = userns;
    r.b.memory_bytes = 64 << 20;
    r.b.cpu_milli = 1000;
    r.b.nofile = 1 << 20;
    r.b.hostname = "named";
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, wait_log(&r, " out done\n"));
    log = read_log(&r);
    CHECK_RIG(&r, facts_are_right(log));
    CHECK_RIG(&r, has(log, " out named\n"));
    t = vr_mono_now();
    CHECK_RIG(&r, stop(&r, 5000, &e)); /* SIGTERM reaches sleep through the init */
    printf("# %s: stopped after %lld ms\n", name, (long long)vr_mono_ms_between(t, vr_mono_now()));
    CHECK_RIG(&r, e.state.phase == VR_SHIM_STOPPED && e.state.exit.signal == SIGTERM);
    CHECK_RIG(&r, vr_mono_ms_between(t, vr_mono_now()) < 4000);
    CHECK(rig_fini(&r));
}

TEST(container__host_stack_idmapped__has_its_environment_and_no_rights)
{
    NEEDS_ROOT();
    check_facts("idmap", false, false, NULL);
}

TEST(container__slug_copied_for_its_user__is_the_same)
{
    NEEDS_ROOT();
    check_facts("copy", false, true, NULL);
}

TEST(container__user_namespace__is_the_same)
{
    NEEDS_ROOT();
    if (!caps_once(NULL)->has_userns) {
        vr_tap_skip("no user namespaces here");
        return;
    }
    check_facts("userns", true, false, NULL);
    check_facts("usernscopy", true, true, NULL);
}

TEST(container__runc__is_the_same)
{
    NEEDS_ROOT();
    if (!caps_once("runc")->runtime) {
        vr_tap_skip("runc does not work here");
        return;
    }
    check_facts("runc", false, false, "runc");
}

/* Whether the app of another user, with limits, runs as that user on its own files. */
static void check_user(const char *name, uid_t uid, bool userns)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    vr_auto_free char *want = NULL;

    CHECK(rig_init(&r, name,
                   "sh -c 'echo $(id -u):$(id -g) $(id -un) $(stat -c %u /app/data);"
                   " touch /app/x && echo ok; sleep 1000'"));
    r.b.uid = uid;
    r.b.gid = uid;
    r.b.user_name = uid ? "someone" : "root";
    r.b.userns = userns;
    want = vr_strf("out %u:%u %s %u\n", (unsigned)uid, (unsigned)uid, r.b.user_name, (unsigned)uid);
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_log(&r, "out ok\n"));
    CHECK_RIG(&r, wait_log(&r, want));
    CHECK_RIG(&r, stop(&r, 5000, &e));
    CHECK(rig_fini(&r));
}

TEST(container__another_user__owns_its_files)
{
    NEEDS_ROOT();
    check_user("user", 4242, false);
    if (caps_once(NULL)->has_userns) {
        check_user("userns", 4242, true);
        check_user("nsroot", 0, true);
    }
}

TEST(container__root_without_a_user_namespace__is_refused)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "root", "true"));
    r.b.uid = 0;
    r.b.gid = 0;
    CHECK_RIG(&r, rig_start(&r, &err) == -VR_DENIED);
    CHECK(rig_fini(&r));
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Time at which the app of a generation says that it lives, from its own clock. */
static bool wait_birth(struct rig *r, int64_t generation, int64_t *out_ns)
{
    vr_auto_free char *mark = vr_strf("out born %lld ", (long long)generation);
    vr_auto_free char *log = NULL;
    const char *p;
    uint64_t ns;

    if (!wait_log(r, mark))
        return false;
    log = read_log(r);
    p = strstr(log, mark) + strlen(mark);
    if (vr_parse_u64((struct vr_str){p, strcspn(p, "\n")}, 0, INT64_MAX, &ns, NULL) < 0)
        return false;
    *out_ns = (int64_t)ns;
    return true;
}

#define RESPAWNS 30
static const char born[] =
    "python3 -S -E -c 'import time, os, sys; n = os.environ[\"N\"] = "
    "str(int(open(\"/app/n\").read()"
    " if os.path.exists(\"/app/n\") else 0) + 1); open(\"/app/n\", \"w\").write(n);"
    " print(\"born\", n, time.clock_gettime_ns(time.CLOCK_MONOTONIC), flush=True);"
    " time.sleep(1000)'";

TEST(shim__app_killed__comes_back_with_its_files)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    int64_t took[RESPAWNS], at_ns;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "respawn", born));
    r.s.restart_window_ms = 1; /* each run counts as long: always at once */
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, wait_birth(&r, 1, &at_ns));
    for (int i = 0; i < RESPAWNS; i++) {
        struct vr_mono t;

        pause_ms(60);
        t = vr_mono_now();
        CHECK_RIG(&r, kill(e.state.pid, SIGKILL) == 0);
        CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
        CHECK_RIG(&r, wait_birth(&r, i + 2, &at_ns));
        took[i] = (at_ns - t.ns) / 1000;
    }
    qsort(took, RESPAWNS, sizeof(took[0]), by_number);
    printf("# respawn, kill -9 to first line of python, us: p50 %lld p99 %lld n %d\n",
           (long long)took[RESPAWNS / 2], (long long)took[RESPAWNS - 1], RESPAWNS);
    CHECK_RIG(&r, e.state.generation == RESPAWNS + 1 && e.state.restarts == RESPAWNS);
    CHECK_RIG(&r, e.state.exit.signal == SIGKILL && !e.state.exit.is_oom);
    CHECK(rig_fini(&r));
}

static pid_t shim_pid(struct rig *r)
{
    vr_auto_free char *path = vr_strf("%s/lock", r->run);

    return vr_fs_lock_owner(path);
}

/* Memory that only this process has, in kB. */
static int64_t private_kb(pid_t pid)
{
    vr_auto_free char *path = vr_strf("/proc/%d/smaps_rollup", (int)pid);
    vr_auto_free char *text = NULL;
    int64_t sum = 0;
    size_t len;

    if (vr_fs_read(path, 1 << 16, &text, &len, NULL) < 0)
        return -1;
    for (const char *p = text; (p = strstr(p, "Private_")); p++) {
        const char *digits = p + strcspn(p, "0123456789\n");
        uint64_t kb = 0;

        vr_ignore(vr_parse_u64((struct vr_str){digits, strspn(digits, "0123456789")}, 0, 1 << 20,
                               &kb, NULL),
                  "0 is fine");
        sum += (int64_t)kb;
    }
    return sum;
}

#define STARTS 20
TEST(shim__start_after_idle__is_measured)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    int64_t first[STARTS], spawn[STARTS];

    NEEDS_ROOT();
    CHECK(rig_init(&r, "start", "sh -c 'read up rest </proc/uptime; echo alive; exec sleep 1000'"));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    for (int i = 0; i < STARTS; i++) {
        struct vr_mono t;

        CHECK_RIG(&r, vr_shim_kill(r.shim, NULL) == 0);
        CHECK_RIG(&r, vr_shim_wait(r.shim, VR_SHIM_EVENT_STOPPED, WAIT_MS, &e, NULL) == 0);
        CHECK_RIG(&r, vr_shim_quit(r.shim, NULL) == 0);
        CHECK_RIG(&r, vr_shim_wait(r.shim, VR_SHIM_EVENT_OK, WAIT_MS, &e, NULL) == 0);
        r.shim = vr_shim_close(r.shim);
        while (vr_shim_is_alive(r.run))
            pause_ms(1);
        unlink(r.log);
        pause_ms(60);
        t = vr_mono_now();
        CHECK_RIG(&r, vr_shim_start(SHIM_PATH, r.run, false, &err) == 0);
        spawn[i] = (vr_mono_now().ns - t.ns) / 1000;
        CHECK_RIG(&r, wait_log(&r, "out alive"));
        first[i] = (vr_mono_now().ns - t.ns) / 1000;
        CHECK_RIG(&r, vr_shim_connect(r.run, &r.shim, &err) == 0);
    }
    qsort(first, STARTS, sizeof(first[0]), by_number);
    qsort(spawn, STARTS, sizeof(spawn[0]), by_number);
    printf("# start after 60 ms idle, us: shim listens p50 %lld max %lld; first line in the log "
           "p50 %lld max %lld; n %d\n",
           (long long)spawn[STARTS / 2], (long long)spawn[STARTS - 1], (long long)first[STARTS / 2],
           (long long)first[STARTS - 1], STARTS);
    printf("# shim: %lld kB private\n", (long long)private_kb(shim_pid(&r)));
    CHECK(rig_fini(&r));
}

TEST(shim__app_crashes_too_often__is_fatal_until_started_again)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "fatal", "sh -c 'echo crash; exit 7'"));
    r.s.max_restarts = 2;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_FATAL, &e));
    CHECK_RIG(&r, e.state.generation == 3 && e.state.exit.code == 7 && e.state.restarts == 2);
    CHECK_RIG(&r, strstr(e.state.why, "crashed more than 2 times"));
    do
        CHECK_RIG(&r, vr_shim_start_app(r.shim, NULL) == 0);
    while (vr_shim_wait(r.shim, VR_SHIM_EVENT_OK, 100, &e, NULL) < 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_FATAL, &e));
    CHECK_RIG(&r, e.state.generation == 6);
    CHECK_RIG(&r, stop(&r, 1000, &e) && e.state.phase == VR_SHIM_STOPPED);
    CHECK(rig_fini(&r));
}

TEST(shim__command_missing__is_fatal_with_code_127)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "missing", "no-such-program"));
    r.s.one_shot = true;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_EXITED, &e));
    CHECK_RIG(&r, e.state.exit.code == 127);
    CHECK(rig_fini(&r));
}

TEST(shim__runtime_refuses__says_why)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    vr_auto_free char *gone = NULL;
    struct vr_bundle_bind bind = {.target = "/gone"};

    NEEDS_ROOT();
    CHECK(rig_init(&r, "refused", "true"));
    gone = vr_strf("%s/gone", r.root);
    CHECK(write_app(gone, "", 0644));
    bind.source = gone;
    r.b.binds = &bind;
    r.b.bind_count = 1;
    r.s.max_restarts = 0;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_FATAL, &e));
    unlink(gone);
    do
        CHECK_RIG(&r, vr_shim_start_app(r.shim, NULL) == 0);
    while (vr_shim_wait(r.shim, VR_SHIM_EVENT_OK, 100, &e, NULL) < 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_FATAL, &e));
    printf("# why: %s\n", e.state.why);
    CHECK_RIG(&r, vr_str_has_prefix(e.state.why, "cannot start the container: "));
    CHECK_RIG(&r, strstr(e.state.why, "gone"));
    CHECK(rig_fini(&r));
}

TEST(shim__memory_limit_exceeded__is_recorded_as_oom)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "oom", "python3 -S -E -c 'x = bytearray(256 << 20)'"));
    if (!r.caps->has_memory) {
        rig_fini(&r);
        vr_tap_skip("no memory controller");
        return;
    }
    r.b.memory_bytes = 32 << 20;
    r.s.one_shot = true;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_EXITED, &e));
    CHECK_RIG(&r, e.state.exit.is_oom && e.state.exit.signal == SIGKILL);
    CHECK(rig_fini(&r));
}

TEST(shim__app_ignores_sigterm__is_killed_with_its_children_after_the_grace)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    struct vr_mono t;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "stubborn",
                   "sh -c 'trap \"\" TERM; for i in 1 2 3 4 5 6; do setsid sleep 1000 & done;"
                   " echo ready; while :; do sleep 1000; done'"));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_log(&r, "ready"));
    t = vr_mono_now();
    CHECK_RIG(&r, stop(&r, 100, &e));
    printf("# stubborn tree, grace 100 ms: %lld ms\n",
           (long long)vr_mono_ms_between(t, vr_mono_now()));
    CHECK_RIG(&r, vr_mono_ms_between(t, vr_mono_now()) >= 100);
    CHECK_RIG(&r, e.state.exit.signal == SIGKILL);
    CHECK(rig_fini(&r));
}

/* kill -9 of the shim, and wait until its lock is free. */
static bool kill_shim(struct rig *r)
{
    pid_t pid = shim_pid(r);

    if (pid <= 0 || kill(pid, SIGKILL) < 0)
        return false;
    r->shim = vr_shim_close(r->shim);
    for (int i = 0; i < WAIT_MS && vr_shim_is_alive(r->run); i++)
        pause_ms(1);
    return !vr_shim_is_alive(r->run);
}

static bool adopt(struct rig *r)
{
    struct vr_err err = VR_ERR_NULL;

    if (vr_shim_start(SHIM_PATH, r->run, true, &err) == 0 &&
        vr_shim_connect(r->run, &r->shim, &err) == 0 && vr_shim_subscribe(r->shim, &err) == 0)
        return true;
    printf("# adopt: %s\n", err.msg);
    return false;
}

/* Every number from 1 on stands in the log once and in order. */
static bool numbers_are_whole(const char *log, int64_t *out_last)
{
    int64_t expected = 1;
    uint64_t n;

    for (const char *p = log; (p = strstr(p, "out n ")); p += 6) {
        if (vr_parse_u64((struct vr_str){p + 6, strcspn(p + 6, "\n")}, 0, INT64_MAX, &n, NULL) < 0)
            return false;
        if ((int64_t)n != expected) {
            printf("# %lld after %lld\n", (long long)n, (long long)expected - 1);
            return false;
        }
        expected++;
    }
    *out_last = expected - 1;
    return true;
}

TEST(shim__killed_and_adopted__app_and_log_go_on)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    vr_auto_free char *log = NULL;
    int64_t last = 0;
    pid_t app;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "adopt",
                   "sh -c 'trap \"exit 37\" TERM; n=0; while [ $n -lt 100000 ]; do n=$((n+1));"
                   " echo n $n; sleep 0.01; done'"));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    app = e.state.pid;
    CHECK_RIG(&r, wait_log(&r, "out n 10\n"));
    CHECK_RIG(&r, kill_shim(&r));
    pause_ms(200); /* what it writes now waits in the FIFO */
    CHECK_RIG(&r, kill(app, 0) == 0);
    CHECK_RIG(&r, adopt(&r));
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, e.state.pid == app && e.state.generation == 1);
    CHECK_RIG(&r, wait_log(&r, "out n 60\n"));
    log = read_log(&r);
    CHECK_RIG(&r, numbers_are_whole(log, &last) && last >= 60);
    CHECK_RIG(&r, stop(&r, 5000, &e));
    CHECK_RIG(&r,
              e.state.exit.is_known && e.state.exit.code == 37); /* not our child: by the init */
    CHECK(rig_fini(&r));
}

TEST(shim__adopted_app_dies__is_restarted_on_the_same_files)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    int64_t at_ns;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "adopt2", born));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, wait_birth(&r, 1, &at_ns));
    CHECK_RIG(&r, kill_shim(&r));
    CHECK_RIG(&r, adopt(&r));
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, kill(e.state.pid, SIGKILL) == 0);
    CHECK_RIG(&r, wait_birth(&r, 2, &at_ns)); /* it read /app/n of its upper layer */
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e) && e.state.generation == 2);
    CHECK_RIG(&r, kill_shim(&r));
    CHECK_RIG(&r, vr_cgroup_kill(r.caps->cgroups, e.state.cgroup, NULL) == 0);
    CHECK_RIG(&r, adopt(&r)); /* dead with its shim: counts as a crash */
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, e.state.generation >= 3);
    CHECK(rig_fini(&r));
}

static void check_exec(const char *name, bool userns)
{
    static const char *const who[] = {"/bin/sh", "-c",
                                      "id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' "
                                      "/proc/self/status; pwd; exit 42",
                                      NULL};
    static const char *const tty[] = {"/bin/sh", "-c", "tty; exit 7", NULL};
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    char text[512] = "";
    struct vr_shim *x = NULL;
    int p[2], terminal;

    CHECK(rig_init(&r, name, "sleep 1000"));
    r.b.userns = userns;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, pipe2(p, O_CLOEXEC) == 0);
    CHECK_RIG(&r, vr_shim_connect(r.run, &x, &err) == 0);
    CHECK_RIG(&r, vr_shim_exec(x, who, (const int[3]){p[0], p[1], p[1]}, &err) == 0);
    CHECK_RIG(&r, vr_shim_wait(x, VR_SHIM_EVENT_EXEC_EXIT, WAIT_MS, &e, &err) == 0);
    CHECK_RIG(&r, e.code == 42 && read(p[0], text, sizeof(text) - 1) > 0);
    CHECK_RIG(&r, !strcmp(text, "65534\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n"
                                "/app\n"));
    x = vr_shim_close(x);
    close(p[0]);
    close(p[1]);
    CHECK_RIG(&r, vr_shim_connect(r.run, &x, &err) == 0);
    CHECK_RIG(&r, vr_shim_exec(x, tty, NULL, &err) == 0);
    CHECK_RIG(&r, vr_shim_wait(x, VR_SHIM_EVENT_TTY, WAIT_MS, &e, &err) == 0 && e.fd >= 0);
    memset(text, 0, sizeof(text));
    CHECK_RIG(&r, read(e.fd, text, sizeof(text) - 1) > 0 && strstr(text, "/dev/pts/"));
    terminal = e.fd; /* closing it would be a hang-up */
    CHECK_RIG(&r, vr_shim_wait(x, VR_SHIM_EVENT_EXEC_EXIT, WAIT_MS, &e, &err) == 0);
    close(terminal);
    CHECK_RIG(&r, e.code == 7);
    x = vr_shim_close(x);
    CHECK(rig_fini(&r));
}

TEST(shim__exec__runs_as_the_user_with_and_without_a_terminal)
{
    NEEDS_ROOT();
    check_exec("exec", false);
    if (caps_once(NULL)->has_userns)
        check_exec("execns", true);
}

TEST(container__volume_in_a_user_namespace__keeps_its_owner_on_the_host)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    char why[VR_BUNDLE_WARN_BYTES];
    vr_auto_free char *volume = NULL;
    vr_auto_free char *file = NULL;
    struct vr_bundle_bind v = {.target = "/data/deep"};
    struct stat st;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "volume", "sh -c 'echo x >/data/deep/file && echo written; exec sleep 99'"));
    volume = vr_strf("%s/volume", r.root);
    file = vr_strf("%s/file", volume);
    v.source = volume;
    CHECK(vr_fs_mkdir_p(volume, 0700, NULL) == 0 && chown(volume, NOBODY, NOBODY) == 0);
    r.b.volumes = &v;
    r.b.volume_count = 1;
    r.b.userns = vr_bundle_wants_userns(&r.b, r.caps, why);
    printf("# userns %d %s\n", r.b.userns, why);
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_log(&r, "out written"));
    CHECK_RIG(&r, stat(file, &st) == 0 && st.st_uid == NOBODY);
    CHECK_RIG(&r, stop(&r, 1000, &e));
    CHECK(rig_fini(&r));
}

TEST(listen__app_and_stranger__are_told_apart)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    struct vr_listener who = {.who = VR_LISTEN_NOBODY};
    vr_auto_free char *command = NULL;
    struct vr_cgroup_usage usage;
    uint16_t port;

    NEEDS_ROOT();
    CHECK(vr_tcp_free_port(&port, NULL) == 0);
    command = vr_strf("python3 -S -E -m http.server --bind 127.0.0.1 %u", port);
    CHECK(rig_init(&r, "listen", command));
    r.b.port = port;
    CHECK_RIG(&r, vr_listen_check(r.caps->cgroups, "/x", port, &who, &err) == 0);
    CHECK_RIG(&r, who.who == VR_LISTEN_NOBODY);
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_RUNNING, &e));
    for (int i = 0; i < WAIT_MS && who.who == VR_LISTEN_NOBODY; i++) {
        CHECK_RIG(&r, vr_listen_check(r.caps->cgroups, e.state.cgroup, port, &who, &err) == 0);
        pause_ms(1);
    }
    CHECK_RIG(&r, who.who == VR_LISTEN_OURS);
    CHECK_RIG(&r, vr_cgroup_usage(r.caps->cgroups, e.state.cgroup, &usage, &err) == 0);
    printf("# usage: memory %lld cpu_us %lld pids %lld\n", (long long)usage.memory_bytes,
           (long long)usage.cpu_us, (long long)usage.pids_count);
    CHECK_RIG(&r, usage.memory_bytes > 0 && usage.cpu_us > 0 && usage.pids_count >= 2);
    CHECK_RIG(&r,
              vr_listen_check(r.caps->cgroups, "/velociraptor/procs/other", port, &who, &err) == 0);
    CHECK_RIG(&r, who.who == VR_LISTEN_STRANGER && vr_str_has_prefix(who.comm, "python3"));
    CHECK(rig_fini(&r));
}

TEST(uptest__in_a_container__writes_its_result_file)
{
    static const char *const words[] = {"/.init", "--uptest", "/app/uptests/web", "127.0.0.1",
                                        "5999",   "2000",     "/result",          NULL};
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    vr_auto_free char *dir = NULL;
    vr_auto_free char *test = NULL;
    vr_auto_free char *result = NULL;
    vr_auto_free char *json = NULL;
    struct vr_bundle_bind bind = {.target = "/result"};
    size_t len;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "uptest", NULL));
    dir = vr_strf("%s/tree/app/uptests/web", r.root);
    test = vr_strf("%s/01_env", dir);
    result = vr_strf("%s/result", r.root);
    CHECK(vr_fs_mkdir_p(dir, 0755, NULL) == 0 && write_app(result, "", 0600));
    CHECK(chown(result, NOBODY, NOBODY) == 0);
    CHECK(write_app(test, "#!/bin/sh\necho $1 $2 $SECRET $PORT $(pwd)\n", 0755));
    bind.source = result;
    r.b.binds = &bind;
    r.b.bind_count = 1;
    r.b.words = words;
    /* A runner built with the sanitizer cannot look for leaks under this seccomp profile. */
    r.b.env_sh = "export SECRET='a b' ASAN_OPTIONS=detect_leaks=0\n";
    r.s.one_shot = true;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, wait_phase(&r, VR_SHIM_EXITED, &e));
    CHECK_RIG(&r, e.state.exit.code == 0);
    CHECK_RIG(&r, vr_fs_read(result, 4096, &json, &len, &err) == 0);
    CHECK_RIG(&r, vr_tap_same(__FILE__, __LINE__, json,
                              "[{\"Name\":\"01_env\",\"Output\":\"127.0.0.1 5999 a b 5999 /app\\n\""
                              ",\"Passed\":true}]\n"));
    CHECK(rig_fini(&r));
}
