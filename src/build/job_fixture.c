/* SPDX-License-Identifier: MIT */
/* What the tests of the job program share. Failing preparations end the test program. */
#include "build/job_fixture.h"
#include "core/str.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define RUN_MS       60000
#define REPORT_BYTES ((size_t)64 << 20)

/* The one thing that jobs leave on purpose, since procs share it: gone if nobody else is in it. */
__attribute__((destructor)) static void remove_cgroup_parents(void)
{
    static const char *const dirs[] = {"memory/", "pids/", "cpu/", "freezer/", ""};

    for (size_t i = 0; i < VR_COUNT(dirs); i++) {
        vr_auto_free char *dir = vr_strf("/sys/fs/cgroup/%svelociraptor", dirs[i]);

        vr_ignore(rmdir(dir), "others use it");
    }
}

static void need(bool ok, const struct vr_err *err, const char *what)
{
    if (ok)
        return;
    printf("Bail out! %s: %s\n", what, err->msg);
    exit(1);
}

bool fx_is_ready(void)
{
    if (geteuid() != 0) {
        vr_tap_skip("needs root");
        return false;
    }
    /* The build user has to get in. */
    return chmod(vr_tap_dir(), 0711) == 0;
}

const char *fx_app(void)
{
    static char name[24];

    snprintf(name, sizeof(name), "shop%d", (int)getpid());
    return name;
}

char *fx_path(const char *name)
{
    return vr_strf("%s/%s", vr_tap_dir(), name);
}

void fx_put(const char *name, const char *text, mode_t mode)
{
    vr_auto_free char *path = fx_path(name);
    vr_auto_free char *parent = vr_strndup(path, (size_t)(strrchr(path, '/') - path));
    struct vr_err err = VR_ERR_NULL;

    need(vr_fs_mkdir_p(parent, 0755, &err) == 0, &err, "make a folder");
    need(vr_fs_write(path, text, strlen(text), mode, &err) == 0, &err, "write a file");
}

char *fx_run(const char *folder, const char *const *argv)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin",
                                      "HOME=/nonexistent",
                                      "GIT_AUTHOR_NAME=a",
                                      "GIT_AUTHOR_EMAIL=a@b",
                                      "GIT_COMMITTER_NAME=a",
                                      "GIT_COMMITTER_EMAIL=a@b",
                                      "GIT_CONFIG_NOSYSTEM=1",
                                      "GIT_CONFIG_GLOBAL=/dev/null",
                                      "HGUSER=a",
                                      "GIT_ALLOW_PROTOCOL=file",
                                      NULL};
    vr_auto_free char *cwd = fx_path(folder);
    struct vr_spawn_spec spec = {.argv = argv, .envp = env, .cwd = cwd};
    struct vr_run_result result;
    struct vr_err err = VR_ERR_NULL;
    char *out;

    need(vr_run(&spec, NULL, VR_JSON_BYTES, RUN_MS, &result, &err) == 0, &err, argv[0]);
    vr_fail(&err, VR_IO, "%s", result.err);
    need(result.exit.code == 0, &err, argv[0]);
    out = vr_take(result.out);
    out[strcspn(out, "\n")] = '\0';
    vr_run_result_fini(&result);
    return out;
}

static void run_quietly(const char *folder, const char *const *argv)
{
    free(fx_run(folder, argv));
}

char *fx_git(const char *folder, const char *tag)
{
    run_quietly(folder, (const char *[]){"git", "init", "-q", "-b", "main", ".", NULL});
    run_quietly(folder, (const char *[]){"git", "add", "-A", ".", NULL});
    run_quietly(folder, (const char *[]){"git", "commit", "-q", "--allow-empty", "-m", tag, NULL});
    run_quietly(folder, (const char *[]){"git", "tag", "-a", "-m", tag, tag, NULL});
    return fx_run(folder, (const char *[]){"git", "rev-parse", "HEAD", NULL});
}

json_t *fx_order(const char *kind, const char *repo_url, const char *tag)
{
    static const char *const names[] = {"nodejs", "python", "make", "static"};
    vr_auto_free char *work = fx_path("state/work");
    vr_auto_free char *out = fx_path("out");
    vr_auto_free char *run = fx_path("run");
    json_t *packs = json_array();
    json_t *order = json_pack(
        "{ss ss ss ss ss ss ss ss ss s{si si si sf si si}}", "kind", kind, "app", fx_app(),
        "repo_url", repo_url, "repo_type", "git", "tag", tag, "work_dir", work, "out_dir", out,
        "run_dir", run, "builtin_dir", VR_TEST_BUILDPACKS, "limits", "memory_bytes", 512 << 20,
        "pids", 100, "build_secs", 60, "cpu", 2.0, "disk_bytes", 1 << 20, "disk_reserve_bytes", 0);

    for (size_t i = 0; i < VR_COUNT(names); i++) {
        vr_auto_free char *url = vr_strf("builtin:%s", names[i]);

        vr_json_push(packs, json_pack("{ss}", "url", url));
    }
    vr_json_set(order, "buildpacks", packs);
    vr_json_set(order, "user", json_string("nobody"));
    return order;
}

static void put_script(const char *name, const char *body)
{
    vr_auto_free char *path = vr_strf("pack/bin/%s", name);
    vr_auto_free char *text = vr_strf("#!/bin/sh\n%s\n", body);

    fx_put(path, text, 0755);
}

void fx_pack(json_t *order, const char *compile, const char *release)
{
    vr_auto_free char *dir = fx_path("pack");
    vr_auto_free char *url = vr_strf("%s#v1", dir);

    put_script("detect", "echo Test");
    put_script("compile", compile);
    if (release)
        put_script("release", release);
    free(fx_git("pack", "v1"));
    vr_json_set(order, "buildpacks", json_pack("[{ss ss}]", "url", url, "type", "git"));
}

struct vr_child fx_start(const json_t *order, int *out_fd)
{
    static const char *const argv[] = {VR_TEST_JOB, "build-job", NULL};
    vr_auto_free char *text = vr_json_dump(order);
    vr_auto_free char *path = fx_path("order.json");
    vr_auto_close int in = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);
    struct vr_child child = VR_CHILD_NULL;
    struct vr_err err = VR_ERR_NULL;
    int report[2];

    fx_put("order.json", text, 0600);
    in = open(path, O_RDONLY | O_CLOEXEC);
    need(in >= 0 && null >= 0 && pipe2(report, O_CLOEXEC) == 0, &err, "open");
    need(vr_spawn(&(struct vr_spawn_spec){.argv = argv,
                                          .fd_in = in,
                                          .fd_out = report[1],
                                          .fd_err = STDERR_FILENO,
                                          .die_with_parent = true},
                  &child, &err) == 0,
         &err, "start the job");
    vr_fd_close(report[1]);
    *out_fd = report[0];
    return child;
}

json_t *fx_finish(struct vr_child *child, int fd)
{
    vr_auto_free char *text = NULL;
    struct vr_err err = VR_ERR_NULL;
    struct vr_exit e = {0};
    json_t *last = NULL;
    size_t len;
    char *line;

    need(vr_fd_read_all(fd, REPORT_BYTES, &text, &len, &err) == 0, &err, "read the report");
    vr_fd_close(fd);
    need(vr_child_wait(child, RUN_MS, &e, &err) == 0, &err, "wait for the job");
    vr_child_fini(child);
    if (len && text[len - 1] == '\n')
        text[len - 1] = '\0';
    line = strrchr(text, '\n');
    if (e.code != 0 ||
        vr_json_parse_object(vr_str(line ? line + 1 : text), VR_JSON_BYTES, &last, NULL) < 0)
        printf("# report: %s\n", text);
    if (last && json_object_get(last, "error"))
        printf("# %s: %s\n", fx_text(last, "step"), fx_text(last, "message"));
    return e.code ? NULL : last;
}

json_t *fx_job(const json_t *order)
{
    int fd;
    struct vr_child child = fx_start(order, &fd);

    return fx_finish(&child, fd);
}

json_t *fx_result(const json_t *last)
{
    return json_object_get(last, "result");
}

const char *fx_text(const json_t *last, const char *field)
{
    const char *text = json_string_value(json_object_get(json_object_get(last, "error"), field));

    return text ? text : "";
}

/* Whether a folder has no entries (or is not there). */
static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    bool found = false;

    while (dir && (e = readdir(dir)))
        if (!vr_streq(e->d_name, ".") && !vr_streq(e->d_name, "..")) {
            printf("# left behind: %s/%s\n", path, e->d_name);
            found = true;
        }
    if (dir)
        closedir(dir);
    return !found;
}

/* Whether no cgroup of an app of these tests is there. */
static bool has_no_cgroup(const char *dir_path)
{
    DIR *dir = opendir(dir_path);
    struct dirent *e;
    bool found = false;

    while (dir && (e = readdir(dir)))
        found = found || vr_str_has_prefix(e->d_name, fx_app());
    if (dir)
        closedir(dir);
    return !found;
}

bool fx_is_clean(void)
{
    vr_auto_free char *tmp = fx_path("state/work/tmp");
    vr_auto_free char *env = fx_path("run/builds");
    vr_auto_free char *mounts = NULL;
    size_t len;

    if (vr_fs_read("/proc/self/mounts", VR_JSON_BYTES, &mounts, &len, NULL) < 0)
        return false;
    return is_empty(tmp) && is_empty(env) && !strstr(mounts, tmp) &&
           has_no_cgroup("/sys/fs/cgroup/velociraptor/builds") &&
           has_no_cgroup("/sys/fs/cgroup/pids/velociraptor/builds") &&
           has_no_cgroup("/sys/fs/cgroup/memory/velociraptor/builds");
}
