/* SPDX-License-Identifier: MIT */
/* The server's configuration: who wins, and what is refused. */
#include "server/config.h"

#include "core/tap.h"
#include "fmt/json.h"
#include "sys/fs.h"

#include <stdio.h>
#include <string.h>

#define CONFIG(c) __attribute__((cleanup(vr_server_config_fini))) struct vr_server_config c = {0}

static int read_with(struct vr_server_config *out, struct vr_err *err, const char *const *flags)
{
    char *argv[16] = {(char *)"server"};
    int argc = 1;

    for (; *flags; flags++)
        argv[argc++] = (char *)*flags;
    return vr_server_config_read(argc, argv, out, err);
}

#define READ(out, ...) read_with(out, &err, (const char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static char *write_file(const char *text)
{
    char *path = vr_strf("%s/server.yaml", vr_tap_dir());

    if (vr_fs_replace(path, text, strlen(text), 0600, NULL) < 0)
        fprintf(stderr, "# cannot write %s\n", path);
    return path;
}

TEST(config__nothing_given__has_the_defaults)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c) == 0);
    CHECK_STR(c.address, "127.0.0.1");
    CHECK(c.port == 8000);
    CHECK_STR(c.database, "sqlite:/var/lib/velociraptor/server/velociraptor.db");
    CHECK_STR(c.blobs, "/var/lib/velociraptor/server/blobs");
    CHECK_STR(c.join_token_file, "/var/lib/velociraptor/server/join-token");
    CHECK(c.tls_cert == NULL && c.balancers == NULL);
}

TEST(config__flag_environment_and_file__win_in_this_order)
{
    vr_auto_free char *path = write_file("listen: 127.0.0.1:1001\n"
                                         "data_dir: /from/file\n"
                                         "blobs: /blobs/from/file\n");
    CONFIG(c);
    struct vr_err err;
    int r;

    setenv("VR_SERVER_LISTEN", "127.0.0.1:1002", 1);
    setenv("VR_SERVER_DATA_DIR", "/from/env", 1);
    r = READ(&c, "--config", path, "--listen=127.0.0.1:1003");
    unsetenv("VR_SERVER_LISTEN");
    unsetenv("VR_SERVER_DATA_DIR");
    CHECK(r == 0);
    CHECK(c.port == 1003);
    CHECK_STR(c.data_dir, "/from/env");
    CHECK_STR(c.blobs, "/blobs/from/file");
}

TEST(config__balancers_of_the_file__are_kept)
{
    vr_auto_free char *path =
        write_file("balancers:\n  lb:\n    BACKEND: haproxy\n    hosts: [h1]\n");
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--config", path) == 0);
    CHECK_STR(json_string_value(json_object_get(json_object_get(c.balancers, "lb"), "BACKEND")),
              "haproxy");
}

TEST(config__an_empty_value__is_the_default)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--listen=", "--data-dir=") == 0);
    CHECK(c.port == 8000);
    CHECK_STR(c.data_dir, "/var/lib/velociraptor/server");
}

TEST(config__an_ipv6_address__loses_its_brackets)
{
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--listen=[::1]:8001") == 0);
    CHECK_STR(c.address, "::1");
    CHECK(c.port == 8001);
}

TEST(config__bad_values__are_refused_with_their_name)
{
    vr_auto_free char *list = write_file("- a\n- b\n");
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--listen", "8000") == -VR_INVALID);
    CHECK(strstr(err.msg, "8000") != NULL);
    CHECK(READ(&c, "--listen", "127.0.0.1:70000") < 0);
    CHECK(READ(&c, "--bogus", "1") == -VR_INVALID);
    CHECK(strstr(err.msg, "--bogus") != NULL);
    CHECK(READ(&c, "--listen") == -VR_INVALID);
    CHECK(READ(&c, "word") == -VR_INVALID);
    CHECK(READ(&c, "--tls-cert", "/x") == -VR_INVALID);
    CHECK(READ(&c, "--config", "/nowhere/server.yaml") < 0);
    CHECK(READ(&c, "--config", list) < 0);
}

TEST(config__a_file_of_the_wrong_kind__is_refused_with_its_key)
{
    vr_auto_free char *path = write_file("listen: 8000\n");
    vr_auto_free char *other = NULL;
    CONFIG(c);
    struct vr_err err;

    CHECK(READ(&c, "--config", path) == -VR_INVALID);
    CHECK(strstr(err.msg, "listen") != NULL);
    other = write_file("balancers: [a]\n");
    CHECK(READ(&c, "--config", other) == -VR_INVALID);
    CHECK(strstr(err.msg, "balancers") != NULL);
}

TEST(config__schedules_and_retention__are_read_or_refused_in_one_sentence)
{
    vr_auto_free char *good = write_file("schedules: {uptests: {every: 5m}, hosts: off}\n"
                                         "retention: {keep_releases: 3, blob_budget: 1G}\n");
    vr_auto_free char *bad = NULL;
    CONFIG(c);
    CONFIG(refused);
    struct vr_err err;

    CHECK(READ(&c, "--config", good) == 0);
    CHECK(c.schedules[VR_TASK_UPTESTS].secs == 300);
    CHECK(c.schedules[VR_TASK_HOSTS].kind == VR_SCHEDULE_OFF);
    CHECK(c.schedules[VR_TASK_BUILDS].kind == VR_SCHEDULE_AT);
    CHECK(c.retention.keep_releases == 3 && c.retention.blob_budget_bytes == 1 << 30);
    CHECK(c.retention.build_days == 30);
    bad = write_file("schedules: {uptests: {every: often}}\n");
    CHECK(READ(&refused, "--config", bad) == -VR_INVALID);
    CHECK(strstr(err.msg, "schedules: uptests: every: 'often' is no time") != NULL);
}
