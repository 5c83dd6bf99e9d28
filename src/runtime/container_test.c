/* SPDX-License-Identifier: MIT */
/* What a proc sees and may do: real containers of a squashfs slug on the host stack. */
#include "core/clock.h"
#include "runtime/listen.h"
#include "runtime/rig.h"
#include "sys/fs.h"
#include "sys/sock.h"

#include <signal.h>
#include <sys/stat.h>

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
        r.caps = rig_caps(runtime);
    r.copies = copies;
    r.b.userns = userns;
    r.b.memory_bytes = 64 << 20;
    r.b.cpu_milli = 1000;
    r.b.nofile = 1 << 20;
    r.b.hostname = "named";
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    CHECK_RIG(&r, rig_wait_log(&r, " out done\n"));
    log = rig_read_log(&r);
    CHECK_RIG(&r, facts_are_right(log));
    CHECK_RIG(&r, has(log, " out named\n"));
    t = vr_mono_now();
    CHECK_RIG(&r, rig_stop(&r, 5000, &e)); /* SIGTERM reaches sleep through the init */
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
    if (!rig_caps(NULL)->has_userns) {
        vr_tap_skip("no user namespaces here");
        return;
    }
    check_facts("userns", true, false, NULL);
    check_facts("usernscopy", true, true, NULL);
}

TEST(container__runc__is_the_same)
{
    NEEDS_ROOT();
    if (!rig_caps("runc")->runtime) {
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
    CHECK_RIG(&r, rig_wait_log(&r, "out ok\n"));
    CHECK_RIG(&r, rig_wait_log(&r, want));
    CHECK_RIG(&r, rig_stop(&r, 5000, &e));
    CHECK(rig_fini(&r));
}

TEST(container__another_user__owns_its_files)
{
    NEEDS_ROOT();
    check_user("user", 4242, false);
    if (rig_caps(NULL)->has_userns) {
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
    CHECK_RIG(&r, rig_wait_log(&r, "out written"));
    CHECK_RIG(&r, stat(file, &st) == 0 && st.st_uid == NOBODY);
    CHECK_RIG(&r, rig_stop(&r, 1000, &e));
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
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_RUNNING, &e));
    for (int i = 0; i < WAIT_MS && who.who == VR_LISTEN_NOBODY; i++) {
        CHECK_RIG(&r, vr_listen_check(r.caps->cgroups, e.state.cgroup, port, &who, &err) == 0);
        rig_pause_ms(1);
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
    CHECK(vr_fs_mkdir_p(dir, 0755, NULL) == 0 && rig_write(result, "", 0600));
    CHECK(chown(result, NOBODY, NOBODY) == 0);
    CHECK(rig_write(test, "#!/bin/sh\necho $1 $2 $SECRET $PORT $(pwd)\n", 0755));
    bind.source = result;
    r.b.binds = &bind;
    r.b.bind_count = 1;
    r.b.words = words;
    /* A runner built with the sanitizer cannot look for leaks under this seccomp profile. */
    r.b.env_sh = "export SECRET='a b' ASAN_OPTIONS=detect_leaks=0\n";
    r.s.one_shot = true;
    CHECK_RIG(&r, rig_start(&r, &err) == 0);
    CHECK_RIG(&r, rig_wait_phase(&r, VR_SHIM_EXITED, &e));
    CHECK_RIG(&r, e.state.exit.code == 0);
    CHECK_RIG(&r, vr_fs_read(result, 4096, &json, &len, &err) == 0);
    CHECK_RIG(&r, vr_tap_same(__FILE__, __LINE__, json,
                              "[{\"Name\":\"01_env\",\"Output\":\"127.0.0.1 5999 a b 5999 /app\\n\""
                              ",\"Passed\":true}]\n"));
    CHECK(rig_fini(&r));
}
