/* SPDX-License-Identifier: MIT */
/* Build jobs that fail: each with its code, its step, one clear sentence, and nothing left behind.
 */
#include "build/job_fixture.h"
#include "core/clock.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"
#include "sys/sock.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define AWAIT_MS   20000
#define TEXT_BYTES ((size_t)65536)

/* An app that no built-in buildpack knows, at tag v1; the order to build it. */
static json_t *plain_order(void)
{
    vr_auto_free char *repo = fx_path("repo");

    fx_put("repo/README", "x", 0644);
    free(fx_git("repo", "v1"));
    return fx_order("build", repo, "v1");
}

/* Run the order; whether it fails with this code and step, and says this. */
static bool fails(const json_t *order, const char *code, const char *step, const char *says)
{
    vr_auto_json json_t *last = fx_job(order);

    return vr_streq(fx_text(last, "code"), code) && vr_streq(fx_text(last, "step"), step) &&
           strstr(fx_text(last, "message"), says) && fx_is_clean();
}

/* Whether the host limits this, on v1 or v2. */
static bool has_controller(const char *name)
{
    vr_auto_free char *v1 = vr_strf("/sys/fs/cgroup/%s/cgroup.procs", name);
    vr_auto_free char *list = NULL;
    size_t len;

    if (vr_fs_exists(v1))
        return true;
    return vr_fs_read("/sys/fs/cgroup/cgroup.controllers", TEXT_BYTES, &list, &len, NULL) == 0 &&
           strstr(list, name);
}

TEST(build__unknown_tag__not_found)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    json_object_set_new(order, "tag", json_string("v9"));
    CHECK(fails(order, "not_found", "fetch", "has no tag, branch or commit 'v9'"));
}

TEST(build__unknown_commit__not_found)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    json_object_set_new(order, "commit", json_string("0123456789012345678901234567890123456789"));
    CHECK(fails(order, "not_found", "checkout", "has no commit '0123"));
}

TEST(build__missing_repository__io_with_gits_reason)
{
    vr_auto_free char *missing = NULL;
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    missing = fx_path("missing");
    order = fx_order("build", missing, "v1");
    CHECK(fails(order, "io", "fetch", "does not appear to be a git repository"));
}

TEST(build__refused_port__io_without_the_password)
{
    vr_auto_free char *url = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    uint16_t port;

    if (!fx_is_ready())
        return;
    CHECK(vr_tcp_free_port(&port, NULL) == 0);
    url = vr_strf("http://me:hush@127.0.0.1:%u/x.git", port);
    order = fx_order("resolve", url, "v1");
    last = fx_job(order);
    CHECK_STR(fx_text(last, "code"), "io");
    CHECK(strstr(fx_text(last, "message"), "127.0.0.1"));
    CHECK(!strstr(fx_text(last, "message"), "hush"));
    CHECK(fx_is_clean());
}

TEST(build__silent_repository__times_out_and_heals)
{
    vr_auto_free char *path = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;

    if (!fx_is_ready())
        return;
    /* A git repository whose upload-pack waits for ever: a FIFO where its HEAD should be. */
    order = plain_order();
    path = fx_path("repo/.git/HEAD");
    CHECK(unlink(path) == 0 && mkfifo(path, 0644) == 0);
    json_object_set_new(json_object_get(order, "limits"), "build_secs", json_integer(2));
    CHECK(fails(order, "timeout", "fetch", "time limit of 2 s"));
    /* The mirror that was cut off is made anew, and the next job goes well. */
    CHECK(unlink(path) == 0);
    fx_put("repo/.git/HEAD", "ref: refs/heads/main\n", 0644);
    json_object_set_new(order, "kind", json_string("resolve"));
    last = fx_job(order);
    CHECK(fx_result(last));
}

TEST(build__ext_url__refused_before_anything_runs)
{
    vr_auto_free char *proof = NULL;
    vr_auto_free char *url = NULL;
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    proof = fx_path("proof");
    url = vr_strf("ext::touch%% %s", proof);
    order = fx_order("build", url, "v1");
    CHECK(fails(order, "invalid", "start", "repository URL"));
    json_object_set_new(order, "repo_url", json_string("ext::true"));
    CHECK(fails(order, "invalid", "start", "repository URL"));
    CHECK(!vr_fs_exists(proof));
}

TEST(build__submodule_by_ext__refused)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *proof = NULL;
    vr_auto_free char *modules = NULL;
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    repo = fx_path("repo");
    proof = fx_path("state/work/vcs/proof");
    modules = vr_strf("[submodule \"s\"]\n\tpath = s\n\turl = \"ext::touch %s\"\n", proof);
    fx_put("repo/.gitmodules", modules, 0644);
    free(fx_git("repo", "base"));
    free(fx_run("repo",
                (const char *[]){"git", "update-index", "--add", "--cacheinfo",
                                 "160000,0123456789012345678901234567890123456789,s", NULL}));
    free(fx_run("repo", (const char *[]){"git", "commit", "-q", "-m", "link", NULL}));
    free(fx_run("repo", (const char *[]){"git", "tag", "v1", NULL}));
    order = fx_order("build", repo, "v1");
    CHECK(fails(order, "io", "checkout", "'ext' not allowed"));
    CHECK(!vr_fs_exists(proof));
}

TEST(build__repository_in_the_agents_folder__denied)
{
    vr_auto_free char *repo = NULL;
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    repo = fx_path("state/secret");
    fx_put("state/secret/README", "x", 0644);
    free(fx_git("state/secret", "v1"));
    order = fx_order("build", repo, "v1");
    CHECK(fails(order, "denied", "fetch", "is in a folder of the agent's own"));
}

TEST(build__tag_like_an_option__refused)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    json_object_set_new(order, "tag", json_string("--upload-pack=id"));
    CHECK(fails(order, "invalid", "start", "not a tag, branch or commit"));
}

TEST(build__nothing_detects__names_what_was_tried)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    CHECK(fails(order, "not_found", "detect", "(tried nodejs, python, make, static)"));
}

TEST(build__compile_fails__exit_code_and_last_line)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "echo fine; echo 'no such library: libx' >&2; exit 3", NULL);
    CHECK(fails(order, "io", "compile", "exit code 3: no such library: libx"));
}

TEST(build__compile_makes_a_user_namespace__refused)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "unshare -Ur true", NULL);
    CHECK(fails(order, "io", "compile", "Operation not permitted"));
}

TEST(build__compile_hangs__killed_at_the_time_limit)
{
    struct vr_mono begin = vr_mono_now();
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "trap '' TERM; (setsid sleep 1000 &); sleep 1000", NULL);
    json_object_set_new(json_object_get(order, "limits"), "build_secs", json_integer(2));
    CHECK(fails(order, "timeout", "compile", "time limit of 2 s"));
    CHECK(vr_mono_ms_between(begin, vr_mono_now()) < AWAIT_MS);
}

TEST(build__compile_eats_memory__limit)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    if (!has_controller("memory")) {
        vr_tap_skip("needs the memory controller");
        return;
    }
    order = plain_order();
    fx_pack(order, "exec python3 -c 'x = bytearray(200 << 20)'", NULL);
    json_object_set_new(json_object_get(order, "limits"), "memory_bytes", json_integer(64 << 20));
    CHECK(fails(order, "limit", "compile", "out of memory, its limit is 64 MiB"));
}

TEST(build__compile_forks_without_end__stopped_by_pids)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    if (!has_controller("pids")) {
        vr_tap_skip("needs the pids controller");
        return;
    }
    order = plain_order();
    fx_pack(order, "for i in $(seq 200); do sleep 1000 & done; echo 'web: x' > Procfile", NULL);
    json_object_set_new(json_object_get(order, "limits"), "pids", json_integer(30));
    CHECK(fails(order, "io", "compile", "ork"));
}

TEST(build__file_too_large__compile_fails)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "exec head -c 3000000 /dev/zero > big", NULL);
    json_object_set_new(json_object_get(order, "limits"), "file_bytes", json_integer(1 << 20));
    CHECK(fails(order, "io", "compile", "File size limit exceeded"));
}

TEST(build__no_procfile_and_no_types__says_so)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "true", "echo '{}'");
    CHECK(fails(order, "not_found", "release", "names no default process types"));
}

TEST(build__release_prints_junk__parse_error)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "true", "echo '- a list'");
    CHECK(fails(order, "parse", "release", "output of bin/release"));
}

TEST(build__disk_full_while_packing__nothing_left)
{
    vr_auto_free char *out = NULL;
    vr_auto_free char *slug = NULL;
    vr_auto_free char *packing = NULL;
    vr_auto_json json_t *order = NULL;
    bool ok;

    if (!fx_is_ready())
        return;
    order = plain_order();
    out = fx_path("out");
    slug = fx_path("out/slug.squashfs");
    packing = fx_path("out/.packing");
    fx_pack(order, "head -c 4000000 /dev/urandom > big; echo 'web: x' > Procfile", NULL);
    CHECK(mkdir(out, 0755) == 0);
    CHECK(mount("tmpfs", out, "tmpfs", 0, "size=1m") == 0);
    ok = fails(order, "limit", "pack", "disk full while packing slug of app 'shop");
    ok = ok && !vr_fs_exists(slug) && !vr_fs_exists(packing);
    CHECK(umount(out) == 0);
    CHECK(ok);
}

TEST(build__too_little_disk__refused_at_the_start)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    json_object_set_new(json_object_get(order, "limits"), "disk_bytes",
                        json_integer(INT64_C(1) << 60));
    CHECK(fails(order, "limit", "start", "disk full: app 'shop"));
}

TEST(build__unreadable_file__does_not_become_an_empty_one)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "echo 'web: x' > Procfile; echo x > dark; chmod 000 dark", NULL);
    CHECK(fails(order, "io", "pack", "Failed to read file /app/dark"));
}

/* Read the report until the compile script has said that it runs. */
static bool await_compile(int fd)
{
    char text[TEXT_BYTES];
    struct pollfd p = {.fd = fd, .events = POLLIN};
    size_t len = 0;

    while (len < sizeof(text) - 1 && poll(&p, 1, AWAIT_MS) > 0) {
        ssize_t n = read(fd, text + len, sizeof(text) - 1 - len);

        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        if (strstr(text, "compile has begun"))
            return true;
    }
    return false;
}

TEST(build__sigterm__cancelled_and_nothing_left)
{
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    struct vr_child child;
    int fd;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "echo compile has begun; trap '' TERM; sleep 1000", NULL);
    child = fx_start(order, &fd);
    CHECK(await_compile(fd));
    vr_child_signal(&child, SIGTERM);
    last = fx_finish(&child, fd);
    CHECK_STR(fx_text(last, "code"), "busy");
    CHECK(strstr(fx_text(last, "message"), "cancelled"));
    CHECK(fx_is_clean());
}

TEST(build__job_killed__next_job_removes_its_remains)
{
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    vr_auto_json json_t *none = NULL;
    struct vr_child child;
    int fd;

    if (!fx_is_ready())
        return;
    order = plain_order();
    fx_pack(order, "echo compile has begun; sleep 1000", NULL);
    child = fx_start(order, &fd);
    CHECK(await_compile(fd));
    vr_child_signal(&child, SIGKILL);
    none = fx_finish(&child, fd);
    CHECK(!none);
    json_object_set_new(order, "kind", json_string("resolve"));
    last = fx_job(order);
    CHECK(fx_result(last));
    CHECK(fx_is_clean());
}

TEST(build__order_is_junk__last_line_says_so)
{
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    order = plain_order();
    json_object_set_new(order, "app", json_string("../x"));
    CHECK(fails(order, "invalid", "start", "app name '../x'"));
    json_object_set_new(order, "app", json_string("x"));
    json_object_set_new(order, "stack", json_string("trusty"));
    CHECK(fails(order, "invalid", "start", "stack 'trusty'"));
    json_object_set_new(order, "stack", json_string("host"));
    json_object_set_new(order, "user", json_string("root"));
    CHECK(fails(order, "denied", "start", "must not be root"));
}
