/* SPDX-License-Identifier: MIT */
/* The folders and files that `vr up` makes. */
#include "cli/up_layout.h"

#include "core/str.h"
#include "core/tap.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <sys/stat.h>

#define auto_layout __attribute__((cleanup(vr_up_layout_fini))) struct vr_up_layout

static const struct vr_up_settings settings = {
    .listen = "0.0.0.0:8123",
    .http = "127.0.0.1:8124",
    .name = "h1",
    .user = "velociraptor",
    .build_user = "velociraptor-build",
    .port_range = "5000-5999",
};

static json_t *read_yaml(const char *path)
{
    vr_auto_free char *text = NULL;
    json_t *value = NULL;
    size_t n = 0;

    if (!vr_fs_read(path, 65536, &text, &n, NULL))
        vr_ignore(vr_yaml_parse((struct vr_str){text, n}, &value, NULL), "the test sees NULL");
    return value;
}

TEST(up_layout_make__empty_folder__gets_both_files_once)
{
    auto_layout l = {NULL};
    vr_auto_free char *state = vr_strf("%s/state/", vr_tap_dir());
    vr_auto_free char *run = vr_strf("%s/run", vr_tap_dir());
    vr_auto_free char *url = NULL;
    vr_auto_json json_t *server = NULL;
    const json_t *balancer;
    struct stat st;

    if (geteuid() != 0) {
        vr_tap_skip("needs root");
        return;
    }
    CHECK(!vr_up_layout_init(&l, state, run, NULL));
    CHECK(vr_up_layout_make(&l, &settings, 0, 0, NULL) == 0);
    CHECK(vr_up_layout_make(&l, &settings, 0, 0, NULL) == 1);
    CHECK(!stat(l.server_dir, &st) && (st.st_mode & 0777) == 0700);
    CHECK(!vr_up_layout_url(&l, &url, NULL));
    CHECK_STR(url, "http://127.0.0.1:8123/");
    server = read_yaml(l.server_yaml);
    balancer = json_object_get(json_object_get(server, "balancers"), "default");
    CHECK_STR(json_string_value(json_object_get(balancer, "BACKEND")), "haproxy");
    CHECK_STR(json_string_value(json_object_get(json_object_get(balancer, "options"), "bind")),
              "127.0.0.1:8124");
}

TEST(up_layout_init__relative_and_root__are_absolute_and_refused)
{
    auto_layout a = {NULL}, b = {NULL};

    CHECK(!vr_up_layout_init(&a, "state", "/run/x", NULL));
    CHECK(a.state_dir[0] == '/' && vr_str_has_suffix(a.state_dir, "/state"));
    CHECK(vr_up_layout_init(&b, "/", "/run/x", NULL) == -VR_INVALID);
}

TEST(up_layout_mounts__nothing_mounted_below__is_empty)
{
    auto_layout l = {NULL};
    auto_layout proc = {NULL};
    vr_auto_free char *none = NULL, *some = NULL;

    CHECK(!vr_up_layout_init(&l, vr_tap_dir(), "/nonexistent", NULL));
    CHECK(!vr_up_layout_mounts(&l, &none, NULL));
    CHECK_STR(none, "");
    CHECK(!vr_up_layout_init(&proc, "/proc", "/nonexistent", NULL));
    CHECK(!vr_up_layout_mounts(&proc, &some, NULL));
    CHECK(vr_str_has_prefix(some, "/proc"));
}
