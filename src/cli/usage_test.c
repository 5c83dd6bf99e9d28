/* SPDX-License-Identifier: MIT */
/* The program itself: help, usage errors, exit codes, and what it does without a server. */
#include "core/str.h"
#include "core/tap.h"
#include "sys/proc.h"
#include "sys/sock.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 20000
#define OUT_BYTES  65536
#define WORDS_MAX  12

/* Run `vr` with words separated by spaces, in an environment of its own. */
static struct vr_run_result run(const char *line)
{
    vr_auto_free char *words = vr_strdup(line);
    vr_auto_free char *home = vr_strf("HOME=%s", vr_tap_dir());
    const char *env[] = {home, "PATH=/usr/bin:/bin", NULL};
    const char *argv[WORDS_MAX + 2] = {VR_TEST_PROGRAM};
    struct vr_spawn_spec spec = {.argv = argv, .envp = env};
    struct vr_run_result result = {.exit = {.code = -1}};
    char *rest = words, *word;
    int n = 1;

    while ((word = strsep(&rest, " ")) && n <= WORDS_MAX) {
        if (*word)
            argv[n++] = word;
    }
    vr_ignore(vr_run(&spec, NULL, OUT_BYTES, TIMEOUT_MS, &result, NULL), "the test sees code -1");
    return result;
}

#define auto_result __attribute__((cleanup(vr_run_result_fini))) struct vr_run_result

TEST(vr__help_of_every_level__goes_to_standard_output)
{
    static const char *const lines[] = {
        "--help",     "swarm -h", "swarm list -h", "app -h",  "app add -h", "rollout -h",
        "build -h",   "login -h", "token rm -h",   "up -h",   "down -h",    "secret set -h",
        "history -h", "log -h",   "user add -h",   "image -h"};

    for (size_t i = 0; i < VR_COUNT(lines); i++) {
        auto_result r = run(lines[i]);

        CHECK(r.exit.code == 0);
        CHECK(vr_str_has_prefix(r.out, "usage: vr") && strstr(r.out, "--help"));
        CHECK_STR(r.err, "");
    }
}

TEST(vr__wrong_words__are_usage_errors_on_standard_error)
{
    static const char *const lines[] = {"",
                                        "nope",
                                        "app",
                                        "app nope",
                                        "swarm",
                                        "swarm shop",
                                        "ps --nope",
                                        "swarm a b c",
                                        "app add",
                                        "-o xml ps",
                                        "scale a x",
                                        "ps --host",
                                        "swarm [ v1",
                                        "rollout show x",
                                        "proc start",
                                        "swarm a v1 --replace-ingredients x --add-ingredients y",
                                        "secret set app x KEY",
                                        "uptests --wait",
                                        "completion tcsh",
                                        "-l LOUD ps",
                                        "history nonsense x",
                                        "token create x --expires soon",
                                        "help nonsense",
                                        "stack script x -",
                                        "profile set",
                                        "log --since soon"};

    for (size_t i = 0; i < VR_COUNT(lines); i++) {
        auto_result r = run(lines[i]);

        if (r.exit.code != 2)
            printf("# '%s' ended with %d\n", lines[i], r.exit.code);
        CHECK(r.exit.code == 2);
        CHECK(*r.err && !*r.out);
    }
}

TEST(vr__no_server__is_unreachable)
{
    vr_auto_free char *line = NULL;
    uint16_t port;

    CHECK(!vr_tcp_free_port(&port, NULL));
    line = vr_strf("--url http://127.0.0.1:%u ps", port);
    auto_result r = run(line);
    CHECK(r.exit.code == 5);
    CHECK(strstr(r.err, "vr ps: no answer from http://127.0.0.1:"));
}

TEST(vr__plain_http_to_another_machine__is_refused_before_anything_is_sent)
{
    auto_result r = run("ps --url http://deploy.invalid/");

    CHECK(r.exit.code == 6);
    CHECK(strstr(r.err, "--insecure"));
}

TEST(vr__version__is_one_line)
{
    auto_result r = run("--version");

    CHECK(r.exit.code == 0);
    CHECK_STR(r.out, "vr " VR_VERSION "\n");
}
