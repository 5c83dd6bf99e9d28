/* SPDX-License-Identifier: MIT */
/* Build jobs that go well, from real repositories to real slugs. */
#include "build/job_fixture.h"
#include "core/str.h"
#include "core/tap.h"
#include "fmt/hash.h"
#include "sys/fs.h"

#include <stdio.h>
#include <sys/stat.h>

#define SLUG_BYTES ((size_t)64 << 20)

static const char *field(const json_t *last, const char *name)
{
    const char *text = json_string_value(json_object_get(fx_result(last), name));

    return text ? text : "";
}

static void put_app(const char *folder)
{
    vr_auto_free char *procfile = vr_strf("%s/Procfile", folder);
    vr_auto_free char *source = vr_strf("%s/app.py", folder);

    fx_put(procfile, "web: python3 app.py\nworker: python3 app.py --work\n", 0644);
    fx_put(source, "print('hello')\n", 0644);
}

/* The names in a slug, one a line, as unsquashfs has them. */
static char *list_slug(const json_t *last)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    const char *argv[] = {"unsquashfs", "-d", "", "-l", field(last, "file"), NULL};
    struct vr_run_result result;

    if (vr_run(&(struct vr_spawn_spec){.argv = argv, .envp = env}, NULL, SLUG_BYTES, 30000, &result,
               NULL) < 0)
        return vr_strdup("");
    free(result.err);
    return result.out;
}

TEST(resolve__annotated_tag__commit_and_pins)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *commit = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    const json_t *packs;

    if (!fx_is_ready())
        return;
    put_app("repo");
    repo = fx_path("repo");
    commit = fx_git("repo", "v1");
    order = fx_order("resolve", repo, "v1");
    last = fx_job(order);
    CHECK_STR(field(last, "commit"), commit);
    packs = json_object_get(fx_result(last), "buildpacks");
    CHECK(json_array_size(packs) == 4);
    CHECK_STR(json_string_value(json_object_get(json_array_get(packs, 1), "url")),
              "builtin:python");
    CHECK(strlen(json_string_value(json_object_get(json_array_get(packs, 1), "commit"))) == 40);
    CHECK(fx_is_clean());
}

TEST(resolve__full_commit_in_the_mirror__needs_no_repository)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *gone = NULL;
    vr_auto_free char *commit = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *first = NULL;
    vr_auto_json json_t *second = NULL;

    if (!fx_is_ready())
        return;
    put_app("repo");
    repo = fx_path("repo");
    gone = fx_path("gone");
    commit = fx_git("repo", "v1");
    order = fx_order("resolve", repo, "main");
    first = fx_job(order);
    CHECK_STR(field(first, "commit"), commit);
    CHECK(rename(repo, gone) == 0);
    json_object_set_new(order, "tag", json_string(commit));
    second = fx_job(order);
    CHECK_STR(field(second, "commit"), commit);
}

TEST(build__python_app__slug_with_one_top_folder_and_true_hashes)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *commit = NULL;
    vr_auto_free char *names = NULL;
    vr_auto_free char *bytes = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    const json_t *procfile;
    char md5[VR_MD5_HEX], sha256[VR_SHA256_HEX];
    size_t len;

    if (!fx_is_ready())
        return;
    put_app("repo");
    fx_put("repo/docs/big.pdf", "x", 0644);
    fx_put("repo/.slugignore", "docs/*.pdf\n..\n", 0644);
    repo = fx_path("repo");
    commit = fx_git("repo", "v1");
    order = fx_order("build", repo, "v1");
    last = fx_job(order);
    CHECK_STR(field(last, "commit"), commit);
    CHECK(vr_str_has_prefix(field(last, "buildpack_url"), "builtin:python#"));
    procfile = json_object_get(fx_result(last), "procfile");
    CHECK_STR(json_string_value(json_object_get(procfile, "web")), "python3 app.py");
    CHECK(json_object_get(json_object_get(fx_result(last), "config_vars"), "PYTHONUNBUFFERED"));
    CHECK(vr_fs_read(field(last, "file"), SLUG_BYTES, &bytes, &len, NULL) == 0);
    vr_md5_hex(bytes, len, md5);
    vr_sha256_hex(bytes, len, sha256);
    CHECK_STR(field(last, "file_md5"), md5);
    CHECK_STR(field(last, "file_sha256"), sha256);
    names = list_slug(last);
    CHECK(strstr(names, "/app/Procfile\n") && strstr(names, "/app/.release.yaml\n"));
    CHECK(!strstr(names, ".git\n") && !strstr(names, "big.pdf"));
    CHECK(vr_fs_exists(field(last, "log_file")));
    CHECK(fx_is_clean());
}

TEST(build__same_tree_twice__same_bytes)
{
    vr_auto_free char *one = NULL;
    vr_auto_free char *two = NULL;
    vr_auto_free char *out = NULL;
    vr_auto_json json_t *first_order = NULL;
    vr_auto_json json_t *second_order = NULL;
    vr_auto_json json_t *first = NULL;
    vr_auto_json json_t *second = NULL;

    if (!fx_is_ready())
        return;
    put_app("one");
    put_app("two");
    free(fx_git("two", "v1"));
    free(fx_git("one", "v1"));
    one = fx_path("one");
    two = fx_path("two");
    out = fx_path("other-out");
    first_order = fx_order("build", one, "v1");
    second_order = fx_order("build", two, "v1");
    json_object_set_new(second_order, "out_dir", json_string(out));
    first = fx_job(first_order);
    second = fx_job(second_order);
    CHECK(strlen(field(first, "file_sha256")) == 64);
    CHECK_STR(field(first, "file_sha256"), field(second, "file_sha256"));
}

TEST(build__own_buildpack__runs_caged_at_app_with_env_dir)
{
    static const char compile[] =
        "set -eu\n"
        "echo \"uid: $(id -u)\" > facts\n"
        "echo \"pwd: $(pwd) $1 $HOME\" >> facts\n"
        "echo \"env: $(cat \"$3/GREETING\")\" >> facts\n"
        "echo \"leak: '${GREETING-none}'\" >> facts\n"
        "echo \"caps: '$(grep CapEff /proc/self/status | cut -f2)'\" >> facts\n"
        "echo \"bound: '$(grep CapBnd /proc/self/status | cut -f2)'\" >> facts\n"
        "echo \"nnp: $(grep NoNewPrivs /proc/self/status | cut -f2)\" >> facts\n"
        "echo \"procs: $(ls -d /proc/[0-9]* | wc -l)\" >> facts\n"
        "echo \"roots: $(ls / | tr '\\n' ' ')\" >> facts\n"
        "! touch /usr/x /etc/x /x /env/x 2>/dev/null\n"
        "touch /tmp/x \"$2/x\" /buildpack/x\n"
        "echo 'web: run' > Procfile\n"
        "(sleep 1000 &)\n";
    vr_auto_free char *repo = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    const json_t *data;
    const char *roots;

    if (!fx_is_ready())
        return;
    fx_put("repo/README", "x", 0644);
    repo = fx_path("repo");
    free(fx_git("repo", "v1"));
    order = fx_order("build", repo, "v1");
    fx_pack(order, compile, "cat \"$1/facts\"");
    json_object_set_new(order, "env", json_pack("{ss}", "GREETING", "good day"));
    last = fx_job(order);
    data = json_object_get(fx_result(last), "release_data");
    CHECK(json_integer_value(json_object_get(data, "uid")) == 65534);
    CHECK_STR(json_string_value(json_object_get(data, "pwd")), "/app /app /app");
    CHECK_STR(json_string_value(json_object_get(data, "env")), "good day");
    CHECK_STR(json_string_value(json_object_get(data, "leak")), "none");
    CHECK_STR(json_string_value(json_object_get(data, "caps")), "0000000000000000");
    CHECK_STR(json_string_value(json_object_get(data, "bound")), "0000000000000000");
    CHECK(json_integer_value(json_object_get(data, "nnp")) == 1);
    CHECK(json_integer_value(json_object_get(data, "procs")) < 8);
    roots = json_string_value(json_object_get(data, "roots"));
    CHECK(roots && !strstr(roots, "home") && !strstr(roots, "root") && !strstr(roots, "var"));
    CHECK(strchr(field(last, "buildpack_url"), '#') != NULL);
    CHECK(strlen(field(last, "buildpack_version")) == 40);
    CHECK(fx_is_clean());
}

TEST(build__cache__kept_after_success_only)
{
    static const char counts[] = "echo x >> \"$2/count\"\n"
                                 "echo \"web: run $(grep -c x \"$2/count\")\" > Procfile\n"
                                 "test ! -f fail\n";
    vr_auto_free char *repo = NULL;
    vr_auto_json json_t *order = NULL;

    if (!fx_is_ready())
        return;
    fx_put("repo/README", "x", 0644);
    repo = fx_path("repo");
    free(fx_git("repo", "v1"));
    fx_put("repo/fail", "x", 0644);
    free(fx_git("repo", "bad"));
    order = fx_order("build", repo, "v1");
    fx_pack(order, counts, NULL);
    for (int i = 1; i <= 4; i++) {
        vr_auto_free char *want = vr_strf("run %d", i > 2 ? i - 1 : i);
        vr_auto_json json_t *last = NULL;

        json_object_set_new(order, "tag", json_string(i == 2 ? "bad" : "v1"));
        json_object_set_new(order, "no_cache", json_boolean(i == 4));
        last = fx_job(order);
        if (i == 2)
            CHECK(!fx_result(last));
        else
            CHECK_STR(json_string_value(
                          json_object_get(json_object_get(fx_result(last), "procfile"), "web")),
                      i == 4 ? "run 1" : want);
    }
}

TEST(build__no_procfile__default_process_types)
{
    vr_auto_free char *repo = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;
    const json_t *procfile;

    if (!fx_is_ready())
        return;
    fx_put("repo/index.html", "<h1>hi</h1>", 0644);
    repo = fx_path("repo");
    free(fx_git("repo", "v1"));
    order = fx_order("build", repo, "v1");
    last = fx_job(order);
    procfile = json_object_get(fx_result(last), "procfile");
    CHECK_STR(json_string_value(json_object_get(procfile, "web")), "python3 .static-server.py");
}

TEST(build__builtin_make_and_nodejs__compile)
{
    vr_auto_free char *made = NULL;
    vr_auto_free char *node = NULL;
    vr_auto_json json_t *make_order = NULL;
    vr_auto_json json_t *node_order = NULL;
    vr_auto_json json_t *make_last = NULL;
    vr_auto_json json_t *node_last = NULL;

    if (!fx_is_ready())
        return;
    fx_put("made/Makefile", "all:\n\techo 'web: ./run' > Procfile\n", 0644);
    fx_put("node/package.json", "{\"scripts\": {\"start\": \"node x.js\"}}", 0644);
    free(fx_git("made", "v1"));
    free(fx_git("node", "v1"));
    made = fx_path("made");
    node = fx_path("node");
    make_order = fx_order("build", made, "v1");
    node_order = fx_order("build", node, "v1");
    make_last = fx_job(make_order);
    CHECK(vr_str_has_prefix(field(make_last, "buildpack_url"), "builtin:make#"));
    if (!vr_fs_exists("/usr/bin/node") && !vr_fs_exists("/usr/local/bin/node")) {
        vr_tap_skip("needs node");
        return;
    }
    node_last = fx_job(node_order);
    CHECK(vr_str_has_prefix(field(node_last, "buildpack_url"), "builtin:nodejs#"));
    CHECK_STR(json_string_value(
                  json_object_get(json_object_get(fx_result(node_last), "procfile"), "web")),
              "npm start");
}

TEST(build__hg_repository__builds)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *commit = NULL;
    vr_auto_free char *names = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;

    if (!fx_is_ready())
        return;
    put_app("repo");
    repo = fx_path("repo");
    free(fx_run("repo", (const char *[]){"hg", "init", ".", NULL}));
    free(fx_run("repo", (const char *[]){"hg", "commit", "-q", "-A", "-m", "1", NULL}));
    free(fx_run("repo", (const char *[]){"hg", "tag", "v1.0-rc", NULL}));
    commit = fx_run("repo", (const char *[]){"hg", "log", "-T", "{node}", "-r", "0", NULL});
    order = fx_order("build", repo, "v1.0-rc");
    json_object_set_new(order, "repo_type", json_string("hg"));
    last = fx_job(order);
    CHECK_STR(field(last, "commit"), commit);
    names = list_slug(last);
    CHECK(strstr(names, "/app/app.py\n") && !strstr(names, ".hg\n"));
    CHECK(fx_is_clean());
}

TEST(build__two_jobs_of_one_app_at_once__both_succeed)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *out = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *first = NULL;
    vr_auto_json json_t *second = NULL;
    struct vr_child one, two;
    int one_fd, two_fd;

    if (!fx_is_ready())
        return;
    put_app("repo");
    repo = fx_path("repo");
    out = fx_path("other-out");
    free(fx_git("repo", "v1"));
    order = fx_order("build", repo, "v1");
    one = fx_start(order, &one_fd);
    json_object_set_new(order, "out_dir", json_string(out));
    two = fx_start(order, &two_fd);
    first = fx_finish(&one, one_fd);
    second = fx_finish(&two, two_fd);
    CHECK(strlen(field(first, "file_md5")) == 32);
    CHECK_STR(field(first, "file_md5"), field(second, "file_md5"));
    CHECK(fx_is_clean());
}

TEST(build__submodule_and_foreign_owner__both_work)
{
    vr_auto_free char *repo = NULL;
    vr_auto_free char *sub = NULL;
    vr_auto_free char *names = NULL;
    vr_auto_json json_t *order = NULL;
    vr_auto_json json_t *last = NULL;

    if (!fx_is_ready())
        return;
    put_app("repo");
    fx_put("sub/lib.py", "x = 1\n", 0644);
    repo = fx_path("repo");
    sub = fx_path("sub");
    free(fx_git("sub", "v1"));
    free(fx_run("repo", (const char *[]){"git", "init", "-q", ".", NULL}));
    free(fx_run("repo", (const char *[]){"git", "-c", "protocol.file.allow=always", "submodule",
                                         "--quiet", "add", "../sub", "lib", NULL}));
    free(fx_git("repo", "v1"));
    CHECK(vr_fs_chown_tree(repo, 12345, 12345, NULL) == 0);
    CHECK(vr_fs_chown_tree(sub, 12346, 12346, NULL) == 0);
    order = fx_order("build", repo, "v1");
    last = fx_job(order);
    CHECK(fx_result(last));
    names = list_slug(last);
    CHECK(strstr(names, "/app/lib/lib.py\n"));
    CHECK(!strstr(names, "/.git\n"));
}
