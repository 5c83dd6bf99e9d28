/* SPDX-License-Identifier: MIT */
/* Tests of model/label. */
#include "model/label.h"

#include "core/tap.h"

#define CHECK_LABEL(call, want)                                                                    \
    do {                                                                                           \
        vr_auto_free char *got_ = (call);                                                          \
        CHECK_STR(got_, want);                                                                     \
    } while (0)

TEST(label__procs__as_the_contract_shows_them)
{
    CHECK_LABEL(vr_label_proc("node_example", "v2", "local", "f96054b7", "web", 5003),
                "node_example-v2-local-f96054b7-web-5003");
    CHECK_LABEL(vr_label_proc_short("a", "v2", "web"), "a-v2-web");
    CHECK_LABEL(vr_label_proc_id("h1", "a-v2"), "h1-a-v2");
    CHECK_LABEL(vr_label_proc_js("a.b..c"), "adotbdotdotc");
    CHECK_LABEL(vr_label_node("h1", 5003), "h1:5003");
    CHECK_LABEL(vr_label_container(12, 3), "vr-12.3");
}

TEST(label__swarms_releases_and_builds)
{
    CHECK_LABEL(vr_label_swarm("a", "v1", "prod", NULL, "web"), "a-v1-prod-None-web");
    CHECK_LABEL(vr_label_swarm("a", "v1", "prod", "99b79db9", "web"), "a-v1-prod-99b79db9-web");
    CHECK_LABEL(vr_label_swarm_short("a", "v1", "prod", "web"), "a-v1-prod-web");
    CHECK_LABEL(vr_label_swarm_cli("a", "prod", "web"), "a-prod-web");
    CHECK_LABEL(vr_label_release("a", "v1", NULL), "a-v1-");
    CHECK_LABEL(vr_label_build("a", "v1"), "a-v1");
    CHECK_LABEL(vr_label_build_file("a", "v1", "9e10"), "a-v1-9e10.squashfs");
}

TEST(label__buildpack__is_the_name_in_its_url)
{
    CHECK_LABEL(vr_label_buildpack("https://x/heroku-buildpack-python.git#123"),
                "heroku-buildpack-python");
    CHECK_LABEL(vr_label_buildpack("  https://x/y/ "), "y");
    CHECK_LABEL(vr_label_buildpack("plain"), "plain");
    CHECK_LABEL(vr_label_buildpack(""), "");
}

TEST(label__host_and_memory)
{
    CHECK_LABEL(vr_label_host_short("h1.example.com"), "h1");
    CHECK_LABEL(vr_label_host_short("h1"), "h1");
    CHECK_LABEL(vr_label_memory("256M", "1G"), "RAM=256M/RAM+Swap=1G");
    CHECK_LABEL(vr_label_memory("", "1G"), "RAM+Swap=1G");
    CHECK_LABEL(vr_label_memory(NULL, NULL), "");
}
