/* SPDX-License-Identifier: MIT */
/* The real shim: restarts, ends, adoption, exec; and how long they take. */
#include "core/clock.h"
#include "runtime/rig.h"
#include "sys/fs.h"
#include "sys/proc.h"

#include <fcntl.h>
#include <signal.h>

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Wait until the app of a generation says that it lives. */
static bool wait_birth(struct rig *r, int64_t generation)
{
    vr_auto_free char *mark = vr_strf("out born %lld\n", (long long)generation);

    return rig_wait_log(r, mark);
}

#define RESPAWNS 30
static const char born[] = "sh -c 'n=0; [ -f /app/n ] && read n </app/n; n=$((n + 1));"
                           " echo $n >/app/n; echo born $n; exec sleep 1000'";

TEST(shim__app_killed__comes_back_with_its_files)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;
    int64_t took[RESPAWNS];

    NEEDS_ROOT();
    CHECK(rig_init(&r, "respawn", born));
    r.s.restart_window_ms = 1; /* each run counts as long: always at once */
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, wait_birth(&r, 1));
    for (int i = 0; i < RESPAWNS; i++) {
        struct vr_mono t;

        rig_pause_ms(60);
        t = vr_mono_now();
        CHECK_RIG(&r, kill(e.state.pid, SIGKILL) == 0);
        CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
        CHECK_RIG(&r, wait_birth(&r, i + 2));
        took[i] = (vr_mono_now().ns - t.ns) / 1000;
    }
    qsort(took, RESPAWNS, sizeof(took[0]), by_number);
    printf("# respawn, kill -9 to first line in the log, us: p50 %lld p99 %lld n %d\n",
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    for (int i = 0; i < STARTS; i++) {
        struct vr_mono t;

        CHECK_RIG(&r, vr_shim_kill(r.shim, NULL) == 0);
        CHECK_RIG(&r, vr_shim_wait(r.shim, VR_SHIM_EVENT_STOPPED, WAIT_MS, &e, NULL) == 0);
        CHECK_RIG(&r, vr_shim_quit(r.shim, NULL) == 0);
        CHECK_RIG(&r, vr_shim_wait(r.shim, VR_SHIM_EVENT_OK, WAIT_MS, &e, NULL) == 0);
        r.shim = vr_shim_close(r.shim);
        while (vr_shim_is_alive(r.run))
            rig_pause_ms(1);
        unlink(r.log);
        rig_pause_ms(60);
        t = vr_mono_now();
        CHECK_RIG(&r, vr_shim_start(SHIM_PATH, r.run, false, &err) == 0);
        spawn[i] = (vr_mono_now().ns - t.ns) / 1000;
        CHECK_RIG(&r, rig_wait_log(&r, "out alive"));
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_FATAL, &e));
    CHECK_RIG(&r, e.state.generation == 3 && e.state.exit.code == 7 && e.state.restarts == 2);
    CHECK_RIG(&r, strstr(e.state.why, "crashed more than 2 times"));
    do
        CHECK_RIG(&r, vr_shim_start_app(r.shim, NULL) == 0);
    while (vr_shim_wait(r.shim, VR_SHIM_EVENT_OK, 100, &e, NULL) < 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_FATAL, &e));
    CHECK_RIG(&r, e.state.generation == 6);
    CHECK_RIG(&r, rig_stop(&r, 1000, &e) && e.state.phase == VR_SHIM_STOPPED);
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_EXITED, &e));
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
    CHECK(rig_write(gone, "", 0644));
    bind.source = gone;
    r.b.binds = &bind;
    r.b.bind_count = 1;
    r.s.max_restarts = 0;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_FATAL, &e));
    unlink(gone);
    do
        CHECK_RIG(&r, vr_shim_start_app(r.shim, NULL) == 0);
    while (vr_shim_wait(r.shim, VR_SHIM_EVENT_OK, 100, &e, NULL) < 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_FATAL, &e));
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_EXITED, &e));
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
    CHECK_RIG(&r, rig_wait_log(&r, "ready"));
    t = vr_mono_now();
    CHECK_RIG(&r, rig_stop(&r, 100, &e));
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
        rig_pause_ms(1);
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    app = e.state.pid;
    CHECK_RIG(&r, rig_wait_log(&r, "out n 10\n"));
    CHECK_RIG(&r, kill_shim(&r));
    rig_pause_ms(200); /* what it writes now waits in the FIFO */
    CHECK_RIG(&r, kill(app, 0) == 0);
    CHECK_RIG(&r, adopt(&r));
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, e.state.pid == app && e.state.generation == 1);
    CHECK_RIG(&r, rig_wait_log(&r, "out n 60\n"));
    log = rig_read_log(&r);
    CHECK_RIG(&r, numbers_are_whole(log, &last) && last >= 60);
    CHECK_RIG(&r, rig_stop(&r, 5000, &e));
    CHECK_RIG(&r,
              e.state.exit.is_known && e.state.exit.code == 37); /* not our child: by the init */
    CHECK(rig_fini(&r));
}

TEST(shim__adopted_app_dies__is_restarted_on_the_same_files)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "adopt2", born));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, wait_birth(&r, 1));
    CHECK_RIG(&r, kill_shim(&r));
    CHECK_RIG(&r, adopt(&r));
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, kill(e.state.pid, SIGKILL) == 0);
    CHECK_RIG(&r, wait_birth(&r, 2)); /* it read /app/n of its upper layer */
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e) && e.state.generation == 2);
    CHECK_RIG(&r, kill_shim(&r));
    CHECK_RIG(&r, vr_cgroup_kill(r.caps->cgroups, e.state.cgroup, NULL) == 0);
    CHECK_RIG(&r, adopt(&r)); /* dead with its shim: counts as a crash */
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, e.state.generation >= 3);
    CHECK(rig_fini(&r));
}

TEST(shim__clean_while_it_lives__ends_it_and_its_app)
{
    const char *argv[4];
    struct vr_spawn_spec child = {.argv = argv};
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "clean", "sleep 1000"));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    vr_shim_clean_argv(SHIM_PATH, r.run, argv);
    CHECK_RIG(&r, vr_run_ok(&child, WAIT_MS, &err) == 0);
    CHECK_RIG(&r, !vr_shim_is_alive(r.run));
    CHECK(rig_fini(&r)); /* looks for the container's cgroup too */
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
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
    if (rig_caps(NULL)->has_userns)
        check_exec("execns", true);
}

/* Whether the private mounts of a process still have the slug under its path. */
static bool pins_slug(pid_t pid, const char *mounted)
{
    vr_auto_free char *path = vr_strf("/proc/%d/mountinfo", (int)pid);
    vr_auto_free char *text = NULL;
    vr_auto_free char *point = vr_strf(" %s ", mounted);
    size_t len;

    return vr_fs_read(path, 1 << 20, &text, &len, NULL) < 0 || strstr(text, point);
}

TEST(shim__slug_unmounted_on_the_host__app_and_restart_go_on)
{
    struct rig r;
    struct vr_err err = VR_ERR_NULL;
    struct vr_shim_event e;

    NEEDS_ROOT();
    CHECK(rig_init(&r, "janitor", born));
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, wait_birth(&r, 1));
    CHECK_RIG(&r, pins_slug(shim_pid(&r), r.mounted));
    CHECK_RIG(&r, vr_mount_remove(r.mounts, RIG_SHA, &err) == 0);
    CHECK_RIG(&r, !pins_slug(shim_pid(&r), r.mounted)); /* it is a slave of the host's mounts */
    CHECK_RIG(&r, kill(e.state.pid, SIGKILL) == 0);
    CHECK_RIG(&r, wait_birth(&r, 2)); /* the overlay holds its own clone of the slug */
    CHECK(rig_fini(&r));
}
