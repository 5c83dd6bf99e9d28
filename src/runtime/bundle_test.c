/* SPDX-License-Identifier: MIT */
/* What a bundle says, without running it. */
#include "core/str.h"
#include "core/tap.h"
#include "fmt/json.h"
#include "runtime/bundle.h"
#include "runtime/seccomp.h"
#include "runtime/start_files.h"
#include "shim/protocol.h"
#include "sys/fs.h"

#include <stdio.h>

static const struct vr_runtime_caps caps = {
    .cgroups = VR_CGROUP_V1, .has_memory = true, .has_pids = true, .nofile_hard = 1000};

static struct vr_bundle_spec spec_of(const char *dir, const char *run_dir)
{
    return (struct vr_bundle_spec){.id = "vr-1",
                                   .dir = dir,
                                   .run_dir = run_dir,
                                   .slug = "/slug",
                                   .skeleton = "/skeleton",
                                   .shim_path = "/shim",
                                   .user_name = "nobody",
                                   .uid = geteuid() ? geteuid() : 65534,
                                   .gid = 65534,
                                   .port = 5000};
}

TEST(vr_start_proc_sh__order__is_the_contract)
{
    vr_auto_free char *text = vr_start_proc_sh("python -m http.server $PORT | cat", 5000);
    static const char *const parts[] = {"TMPDIR=/tmp",
                                        "HOME=/app",
                                        "/app/.profile.d/*",
                                        "\n. /env.sh",
                                        "APP_SETTINGS_YAML=/settings.yaml",
                                        "PORT=5000",
                                        "\nexec python -m http.server $PORT | cat\n",
                                        "\nexec \"$@\"\n"};
    const char *at = text;

    for (size_t i = 0; i < VR_COUNT(parts); i++) {
        at = strstr(at, parts[i]);
        CHECK(at);
    }
}

TEST(vr_start_proc_sh__no_port__sets_none)
{
    vr_auto_free char *text = vr_start_proc_sh("true", 0);

    CHECK(!strstr(text, "PORT="));
}

TEST(vr_bundle_write__limits_this_host_lacks__are_left_out_with_a_warning)
{
    vr_auto_free char *dir = vr_strf("%s/proc", vr_tap_dir());
    vr_auto_free char *run = vr_strf("%s/run", vr_tap_dir());
    vr_auto_free char *config = vr_strf("%s/bundle/" VR_SHIM_CONFIG_TEMPLATE, dir);
    vr_auto_free char *text = NULL;
    vr_auto_json json_t *json = NULL;
    struct vr_bundle_spec spec = spec_of(dir, run);
    struct vr_bundle b;
    json_t *resources;
    size_t len;

    if (geteuid() != 0) {
        vr_tap_skip("needs root");
        return;
    }
    spec.memory_bytes = 1 << 20;
    spec.memsw_bytes = 2 << 20;
    spec.cpu_milli = 500;
    spec.nofile = 5000;
    CHECK(vr_bundle_write(&spec, &caps, &b, NULL) == 0);
    CHECK(strstr(b.warning, "open files clamped") && strstr(b.warning, "no swap limit") &&
          strstr(b.warning, "no CPU limit"));
    vr_bundle_fini(&b);
    CHECK(vr_fs_read(config, 1 << 20, &text, &len, NULL) == 0);
    CHECK(vr_json_parse_object(vr_str(text), 1 << 20, &json, NULL) == 0);
    resources = json_object_get(json_object_get(json, "linux"), "resources");
    CHECK(json_integer_value(json_object_get(json_object_get(resources, "memory"), "limit")) ==
          1 << 20);
    CHECK(json_integer_value(json_object_get(json_object_get(resources, "pids"), "limit")) ==
          VR_BUNDLE_PIDS_DEFAULT);
    CHECK(!json_object_get(resources, "cpu"));
    CHECK(vr_bundle_remove(dir, run, NULL) == 0 && !vr_fs_exists(dir));
}

TEST(vr_bundle_write__bad_specs__are_refused_by_kind)
{
    vr_auto_free char *dir = vr_strf("%s/proc", vr_tap_dir());
    struct vr_bundle_spec spec = spec_of(dir, "relative");
    struct vr_bundle_bind volume = {.source = "/no/such/folder", .target = "/data"};
    struct vr_bundle b;

    CHECK(vr_bundle_write(&spec, &caps, &b, NULL) == -VR_INVALID);
    spec = spec_of(dir, dir);
    spec.slug = "/a,upperdir=/etc";
    CHECK(vr_bundle_write(&spec, &caps, &b, NULL) == -VR_INVALID);
    spec = spec_of(dir, dir);
    spec.uid = 0;
    CHECK(vr_bundle_write(&spec, &caps, &b, NULL) == -VR_DENIED);
    spec = spec_of(dir, dir);
    spec.volumes = &volume;
    spec.volume_count = 1;
    CHECK(vr_bundle_write(&spec, &caps, &b, NULL) == -VR_NOT_FOUND);
    volume = (struct vr_bundle_bind){.source = "/", .target = "/../x"};
    CHECK(vr_bundle_write(&spec, &caps, &b, NULL) == -VR_INVALID);
    CHECK(!vr_fs_exists(dir));
}

TEST(vr_seccomp_profile__namespaces_and_mounts__are_not_allowed)
{
    vr_auto_json json_t *profile = vr_seccomp_profile();
    vr_auto_free char *text = vr_json_dump(profile);

    CHECK(strstr(text, "\"defaultAction\":\"SCMP_ACT_ERRNO\""));
    CHECK(strstr(text, "\"openat\"") && strstr(text, "\"futex\""));
    CHECK(!strstr(text, "\"mount\"") && !strstr(text, "\"unshare\"") && !strstr(text, "\"bpf\"") &&
          !strstr(text, "\"ptrace\"") && !strstr(text, "\"setns\""));
}
