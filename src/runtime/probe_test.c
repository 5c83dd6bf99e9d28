/* SPDX-License-Identifier: MIT */
/* The self-test on the host that runs the tests. */
#include "core/tap.h"
#include "core/str.h"
#include "runtime/probe.h"
#include "sys/fs.h"

#include <stdio.h>
#include <sys/stat.h>

TEST(runtime_probe__host_with_a_runtime__runs_a_container_and_cleans_up)
{
    vr_auto_free char *work = vr_strf("%s/probe", vr_tap_dir());
    struct vr_probe_spec spec = {
        .shim_path = SHIM_PATH, .work_dir = work, .userns_base = 100000, .userns_count = 65536};
    struct vr_runtime_caps caps;

    if (geteuid() != 0) {
        vr_tap_skip("needs root");
        return;
    }
    CHECK(chmod(vr_tap_dir(), 0711) == 0);
    vr_runtime_probe(&spec, &caps);
    printf("# runtime %s userns %d idmap %d cgroups %s\n", caps.runtime, caps.has_userns,
           caps.has_idmap, vr_cgroup_layout_name(caps.cgroups));
    for (size_t i = 0; i < caps.warning_count; i++)
        printf("# warning: %s\n", caps.warnings[i]);
    CHECK(caps.runtime);
    CHECK(!vr_fs_exists(work));
    vr_runtime_caps_fini(&caps);
}

TEST(runtime_probe__idmap_forbidden__is_not_tried)
{
    vr_auto_free char *work = vr_strf("%s/probe", vr_tap_dir());
    struct vr_probe_spec spec = {.shim_path = SHIM_PATH, .work_dir = work, .runtime = "/no/such"};
    struct vr_runtime_caps caps;

    if (geteuid() != 0) {
        vr_tap_skip("needs root");
        return;
    }
    CHECK(setenv("VR_NO_IDMAP", "1", 1) == 0);
    vr_runtime_probe(&spec, &caps);
    unsetenv("VR_NO_IDMAP");
    CHECK(!caps.has_idmap);
    CHECK(!caps.runtime && caps.warning_count > 0); /* said, not fatal */
    CHECK(!vr_fs_exists(work));
    vr_runtime_caps_fini(&caps);
}
