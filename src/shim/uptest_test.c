/* SPDX-License-Identifier: MIT */
/* The uptest runner, as a program on folders of small scripts. */
#include "core/str.h"
#include "core/tap.h"
#include "shim/io.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define RESULT_BYTES (1 << 20)

static bool script(const char *name, const char *text, mode_t mode)
{
    vr_auto_free char *dir = vr_strf("%s/tests", vr_tap_dir());
    vr_auto_free char *path = vr_strf("%s/%s", dir, name);

    mkdir(dir, 0755);
    return file_write(path, text, strlen(text), O_CREAT | O_TRUNC) == 0 && chmod(path, mode) == 0;
}

/* Run the tests of a folder; the result text (given), NULL if the runner failed. */
static char *run(const char *folder, const char *limit_ms)
{
    vr_auto_free char *dir = vr_strf("%s/%s", vr_tap_dir(), folder);
    vr_auto_free char *result = vr_strf("%s/result", vr_tap_dir());
    const char *argv[] = {SHIM_PATH, "--uptest", dir, "host", "5000", limit_ms, result, NULL};
    char *text = vr_alloc(RESULT_BYTES);
    int status = -1;
    pid_t pid;

    if (posix_spawn(&pid, SHIM_PATH, NULL, NULL, (char *const *)argv, environ) == 0)
        waitpid(pid, &status, 0);
    if (status == 0 && file_read(result, text, RESULT_BYTES) >= 0)
        return text;
    free(text);
    return NULL;
}

TEST(uptest__folder_missing__is_an_empty_list)
{
    vr_auto_free char *got = run("tests", "1000");

    CHECK_STR(got, "[]\n");
}

TEST(uptest__pass_and_fail__are_told_with_output_in_byte_order)
{
    vr_auto_free char *got = NULL;

    CHECK(script("b", "#!/bin/sh\necho out; echo err >&2; exit 3\n", 0755));
    CHECK(script("a", "#!/bin/sh\necho \"$1 $2 100% \\\"q\\\"\"\n", 0755));
    CHECK(script("B", "#!/bin/sh\n", 0755));
    CHECK(script(".hidden", "#!/bin/sh\nexit 1\n", 0755));
    got = run("tests", "5000");
    CHECK_STR(got, "[{\"Name\":\"B\",\"Output\":\"\",\"Passed\":true},"
                   "{\"Name\":\"a\",\"Output\":\"host 5000 100% \\\"q\\\"\\n\",\"Passed\":true},"
                   "{\"Name\":\"b\",\"Output\":\"out\\nerr\\n\",\"Passed\":false}]\n");
}

TEST(uptest__cannot_be_executed__fails_with_the_reason)
{
    vr_auto_free char *dir = vr_strf("%s/tests/sub", vr_tap_dir());
    vr_auto_free char *got = NULL;

    CHECK(script("plain", "text", 0644));
    CHECK(script("noformat", "text", 0755));
    CHECK(script("nointerp", "#!/no/such\n", 0755));
    CHECK(mkdir(dir, 0755) == 0);
    got = run("tests", "5000");
    CHECK_STR(got,
              "[{\"Name\":\"noformat\",\"Output\":\"Exec format error\",\"Passed\":false},"
              "{\"Name\":\"nointerp\",\"Output\":\"No such file or directory\",\"Passed\":false},"
              "{\"Name\":\"plain\",\"Output\":\"it is not executable\",\"Passed\":false}]\n");
}

TEST(uptest__hangs_with_children__is_killed_as_a_group)
{
    vr_auto_free char *got = NULL;
    vr_auto_free char *pid_path = vr_strf("%s/pid", vr_tap_dir());
    vr_auto_free char *text = NULL;
    char pid[32];
    int64_t n;

    text = vr_strf("#!/bin/sh\nsleep 1000 & echo $! >%s\necho started\nwait\n", pid_path);
    CHECK(script("hang", text, 0755));
    got = run("tests", "300");
    CHECK_STR(got, "[{\"Name\":\"hang\",\"Output\":\"started\\ntimed out after 0.3 s\","
                   "\"Passed\":false}]\n");
    CHECK(file_read(pid_path, pid, sizeof(pid)) > 0);
    pid[strcspn(pid, "\n")] = '\0';
    CHECK(number_parse(pid, &n) && n > 1);
    free(text);
    text = vr_strf("/proc/%lld/cmdline", (long long)n);
    CHECK(file_read(text, pid, sizeof(pid)) <= 0); /* gone, or a zombie nobody reaped yet */
}

TEST(uptest__background_child_keeps_the_output__does_not_block)
{
    vr_auto_free char *got = NULL;

    CHECK(script("bg", "#!/bin/sh\nsleep 1000 &\necho fine\n", 0755));
    got = run("tests", "20000");
    CHECK_STR(got, "[{\"Name\":\"bg\",\"Output\":\"fine\\n\",\"Passed\":true}]\n");
}

TEST(uptest__noise__is_cut_and_made_valid_utf8)
{
    vr_auto_free char *got = NULL;

    CHECK(script("bytes", "#!/bin/sh\nprintf 'a\\377\\001\\303\\251\\355\\240\\200b'\n", 0755));
    got = run("tests", "20000");
    CHECK_STR(got,
              "[{\"Name\":\"bytes\",\"Output\":\"a\\ufffd\\u0001\303\251\\ufffd\\ufffd\\ufffdb\","
              "\"Passed\":true}]\n");
    CHECK(script("bytes", "#!/bin/sh\nhead -c 1000000 /dev/zero | tr '\\0' x\n", 0755));
    free(got);
    got = run("tests", "20000");
    CHECK(got && strlen(got) > 65536 && strlen(got) < 65536 + 100);
    CHECK(strstr(got, "\"Passed\":true}]\n"));
}
