/* SPDX-License-Identifier: MIT */
/* The agent's configuration: who wins, and what is refused. */
#include "agent/config.h"

#include "core/tap.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG(c) __attribute__((cleanup(vr_agent_config_fini))) struct vr_agent_config c = {0}

static int read_with(struct vr_agent_config *out, struct vr_err *err, const char *const *flags)
{
    char *argv[24] = {(char *)"agent", (char *)"--shim=/bin/true", (char *)"--name=h1"};
    int argc = 3;

    for (; *flags; flags++)
        argv[argc++] = (char *)*flags;
    vr_agent_config_fini(out);
    return vr_agent_config_read(argc, argv, out, err);
}

#define READ(out, ...) read_with(out, &err, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static char *write_file(const char *text)
{
    char *path = vr_strf("%s/agent.yaml", vr_tap_dir());

    if (vr_fs_replace(path, text, strlen(text), 0600, NULL) < 0)
        fprintf(stderr, "# cannot write %s\n", path);
    return path;
}

TEST(config__nothing_given__has_the_defaults)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c) == 0);
    CHECK_STR(c.server, "http://127.0.0.1:8000");
    CHECK_STR(c.address, "127.0.0.1");
    CHECK_STR(c.state_dir, VR_AGENT_STATE_DIR);
    CHECK(c.role_count == 3);
    CHECK(c.build_memory_bytes == INT64_C(2) << 30);
    CHECK(c.userns_base == 100000 && c.userns_count == 65536);
    CHECK(!c.insecure && !c.down && c.squad == NULL);
}

TEST(config__flag_environment_and_file__win_in_this_order)
{
    vr_auto_free char *path = write_file("state_dir: /from/file\n"
                                         "run_dir: /run/from/file\n"
                                         "squad: file\n"
                                         "roles: [app, build]\n"
                                         "userns_base: 200000\n"
                                         "insecure: true\n");
    CONFIG(c);
    struct vr_err err;
    int r;

    setenv("VR_AGENT_STATE_DIR", "/from/env", 1);
    setenv("VR_AGENT_SQUAD", "env", 1);
    r = READ(&c, "--config", path, "--squad=flag");
    unsetenv("VR_AGENT_STATE_DIR");
    unsetenv("VR_AGENT_SQUAD");
    CHECK(r == 0);
    CHECK_STR(c.squad, "flag");
    CHECK_STR(c.state_dir, "/from/env");
    CHECK_STR(c.run_dir, "/run/from/file");
    CHECK(c.role_count == 2);
    CHECK_STR(c.roles[1], "build");
    CHECK(c.userns_base == 200000);
    CHECK(c.insecure);
}

TEST(config__an_empty_value__is_the_default)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--server=", "--state-dir=", "--address=") == 0);
    CHECK_STR(c.server, "http://127.0.0.1:8000");
    CHECK_STR(c.state_dir, VR_AGENT_STATE_DIR);
}

TEST(config__the_servers_last_slashes__are_taken_off)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--server", "https://deploy.example.com//") == 0);
    CHECK_STR(c.server, "https://deploy.example.com");
}

TEST(config__plain_http_to_another_host__needs_to_be_asked_for)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--server", "http://deploy.example.com") == -VR_DENIED);
    CHECK(READ(&c, "--server", "http://deploy.example.com", "--insecure") == 0);
    CHECK(c.insecure);
}

TEST(config__down__is_seen)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "down") == 0);
    CHECK(c.down);
}

TEST(config__bad_values__are_refused_with_their_name)
{
    static const struct {
        const char *flag, *names;
    } bad[] = {
        {"--roles=app,cook", "cook"},
        {"--build-memory=lots", "build-memory"},
        {"--userns-base=-1", "userns-base"},
        {"--userns-count=9999999999", "userns-count"},
        {"--bogus=1", "--bogus"},
        {"--", "--"},
        {"--conf=x", "--conf"},
        {"word", "word"},
        {"--address=example.com", "address"},
        {"--insecure=perhaps", "insecure"},
        {"--name=a b", "a b"},
        {"--squad", "needs a value"},
    };
    CONFIG(c);
    struct vr_err err;

    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        int r = READ(&c, bad[i].flag);

        if (r >= 0 || !strstr(err.msg, bad[i].names))
            fprintf(stderr, "# %s: %d %s\n", bad[i].flag, r, r < 0 ? err.msg : "");
        CHECK(r < 0 && strstr(err.msg, bad[i].names) != NULL);
    }
}

TEST(config__a_file_that_is_missing_or_no_yaml__is_refused)
{
    vr_auto_free char *path = write_file("roles: [app\n");
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--config=/nowhere/agent.yaml") == -VR_NOT_FOUND);
    CHECK(READ(&c, "--config", path) < 0);
    CHECK(strstr(err.msg, "agent.yaml") != NULL);
}
