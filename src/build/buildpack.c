/* SPDX-License-Identifier: MIT */
/*
 * Buildpacks.
 *
 * The app is built at /app, the path at which it will run, and not at /tmp/build as elsewhere:
 * virtual environments, rpaths and node's links keep absolute paths, and are right this way. The
 * buildpack lies at /buildpack, its own copy, writable, since some write beside their scripts.
 * Scripts see no other environment than ours; config variables come as files in /env, so that they
 * do not steer the tools by accident.
 */
#include "build/buildpack.h"
#include "core/buf.h"
#include "core/str.h"
#include "fmt/hash.h"
#include "fmt/yaml.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#define COMMIT_DIGITS    40
#define BUILTIN_ALPHABET "abcdefghijklmnopqrstuvwxyz0123456789_-"
#define BUILTIN_NAME_MAX 40
#define SCRIPT_BYTES_MAX ((size_t)1 << 20)
#define FILES_MAX        64
#define LINE_MAX_BYTES   160
#define DETECT_MS        INT64_C(60000)
#define RELEASE_MS       INT64_C(60000)
#define ENV_MAX          20
#define SIGNAL_BASE      128 /* shells and our launcher add it to the signal */

static const char *const base_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/app",
    "TMPDIR=/tmp",
    "LANG=C.UTF-8",
    "STACK=host",
    "USER=app",
    "LOGNAME=app",
    "SHELL=/bin/sh",
};

/* ---- candidates ---- */

int vr_buildpack_init(struct vr_buildpack *bp, const char *url, const char *type,
                      const char *commit, struct vr_err *err)
{
    const char *hash = strchr(url, '#');
    size_t n = hash ? (size_t)(hash - url) : strlen(url);
    vr_auto_free char *key = NULL;
    int r = 0;

    *bp = (struct vr_buildpack){.url = vr_strndup(url, n)};
    bp->rev = hash && hash[1] ? vr_strdup(hash + 1) : NULL;
    bp->commit = vr_strdup(commit);
    bp->is_builtin = vr_str_has_prefix(url, VR_BUILDPACK_BUILTIN);
    if (commit && !vr_vcs_is_commit(commit))
        r = vr_fail(err, VR_INVALID, "buildpack '%s': '%s' is not a full commit", url, commit);
    else if (bp->is_builtin) {
        bp->name = vr_strdup(bp->url + strlen(VR_BUILDPACK_BUILTIN));
        if (!vr_str_is_made_of(bp->name, BUILTIN_ALPHABET, 1, BUILTIN_NAME_MAX))
            r = vr_fail(err, VR_INVALID, "no built-in buildpack has the name '%s'", bp->name);
    } else {
        r = vr_vcs_type_parse(type ? type : "git", &bp->type, err);
        if (!r)
            r = vr_vcs_url_check(bp->url, err);
        if (!r && bp->rev)
            r = vr_vcs_rev_check(bp->rev, err);
        key = vr_vcs_url_key(bp->url);
        bp->name = vr_strndup(key, strlen(key) - VR_MD5_HEX);
    }
    if (r < 0)
        vr_buildpack_fini(bp);
    return r;
}

void vr_buildpack_fini(struct vr_buildpack *bp)
{
    free(bp->url);
    free(bp->rev);
    free(bp->commit);
    free(bp->name);
    free(bp->dir);
    *bp = (struct vr_buildpack){.url = NULL};
}

/* Add name, mode and content of every file of a folder, sorted, to a digest. */
static int hash_folder(const char *path, struct vr_hash *hash, struct vr_err *err)
{
    struct dirent **list = NULL;
    int n = scandir(path, &list, NULL, alphasort), r = 0;

    if (n < 0)
        return vr_fail_sys(err, "list %s", path);
    for (int i = 0; i < n; i++) {
        vr_auto_free char *file = vr_strf("%s/%s", path, list[i]->d_name);
        vr_auto_free char *text = NULL;
        struct stat st = {0};
        size_t len = 0;

        if (!r && list[i]->d_name[0] != '.' && lstat(file, &st) < 0)
            r = vr_fail_sys(err, "look at %s", file);
        if (!r && S_ISREG(st.st_mode)) {
            r = vr_fs_read(file, SCRIPT_BYTES_MAX, &text, &len, err);
            vr_hash_add(hash, list[i]->d_name, strlen(list[i]->d_name) + 1);
            vr_hash_add(hash, st.st_mode & 0100 ? "x" : "-", 1);
            vr_hash_add(hash, &(uint64_t){len}, sizeof(uint64_t));
            if (!r)
                vr_hash_add(hash, text, len);
        }
        free(list[i]);
    }
    free(list);
    return r;
}

/* The identity of a built-in buildpack: its files in bin/ (there are no others). */
static int builtin_commit(const struct vr_buildpack_source *src, const struct vr_buildpack *bp,
                          char **out, struct vr_err *err)
{
    vr_auto_free char *bin = vr_strf("%s/%s/bin", src->builtin_dir, bp->name);
    VR_OWNED(vr_hash_free) struct vr_hash *hash = vr_hash_new(VR_HASH_SHA256);
    char hex[VR_SHA256_HEX];
    int r;

    if (!vr_fs_exists(bin))
        return vr_fail(err, VR_NOT_FOUND, "no built-in buildpack has the name '%s'", bp->name);
    r = hash_folder(bin, hash, err);
    if (r < 0)
        return r;
    vr_hash_finish(hash, hex);
    *out = vr_strndup(hex, COMMIT_DIGITS);
    return 0;
}

int vr_buildpack_resolve(const struct vr_buildpack_source *src, struct vr_buildpack *bp,
                         struct vr_err *err)
{
    VR_OWNED(vr_vcs_close) struct vr_vcs *vcs = NULL;
    int r;

    if (bp->commit)
        return 0;
    if (bp->is_builtin)
        return builtin_commit(src, bp, &bp->commit, err);
    r = vr_vcs_open(src->worker, src->work_dir, bp->type, bp->url, &vcs, err);
    if (!r)
        r = vr_vcs_resolve(vcs, bp->rev, &bp->commit, err);
    return r < 0 ? vr_fail_in(err, r, "buildpack '%s'", bp->name) : 0;
}

static int fetch_builtin(const struct vr_buildpack_source *src, const struct vr_buildpack *bp,
                         const char *dir, struct vr_err *err)
{
    vr_auto_free char *from = vr_strf("%s/%s", src->builtin_dir, bp->name);
    vr_auto_free char *commit = NULL;
    int r = builtin_commit(src, bp, &commit, err);

    if (r < 0)
        return r;
    if (!vr_streq(commit, bp->commit))
        return vr_fail(err, VR_NOT_FOUND,
                       "built-in buildpack '%s' is at %.12s here, the build is pinned to %.12s",
                       bp->name, commit, bp->commit);
    r = vr_fs_copy_tree(from, dir, err);
    if (!r)
        r = vr_fs_chown_tree(dir, vr_worker_uid(src->worker), vr_worker_gid(src->worker), err);
    return r;
}

int vr_buildpack_fetch(const struct vr_buildpack_source *src, struct vr_buildpack *bp,
                       const char *dir, struct vr_err *err)
{
    VR_OWNED(vr_vcs_close) struct vr_vcs *vcs = NULL;
    int r;

    if (bp->is_builtin) {
        r = fetch_builtin(src, bp, dir, err);
    } else {
        r = vr_vcs_open(src->worker, src->work_dir, bp->type, bp->url, &vcs, err);
        if (!r)
            r = vr_vcs_checkout(vcs, bp->commit, dir, err);
    }
    if (r < 0)
        return vr_fail_in(err, r, "buildpack '%s'", bp->name);
    free(bp->dir);
    bp->dir = vr_strdup(dir);
    return 0;
}

/* ---- scripts ---- */

static bool has_script(const struct vr_buildpack *bp, const char *script)
{
    vr_auto_free char *path = vr_strf("%s/bin/%s", bp->dir, script);

    return vr_fs_exists(path);
}

static int run_script(struct vr_worker *worker, const struct vr_buildpack *bp,
                      const struct vr_buildpack_dirs *dirs, const struct vr_worker_task *task,
                      struct vr_worker_result *out, struct vr_err *err)
{
    struct vr_worker_task sandboxed = *task;
    struct vr_sandbox sandbox = {
        .root = dirs->root,
        .mounts = {{dirs->app, "/app", false},
                   {dirs->cache, "/cache", false},
                   {dirs->env, "/env", true},
                   {dirs->tmp, "/tmp", false},
                   {bp->dir, "/buildpack", false}},
        .mount_count = 5,
    };
    const char *env[ENV_MAX] = {NULL};

    memcpy(env, base_env, sizeof(base_env));
    vr_worker_add_proxies(env, VR_COUNT(base_env), VR_COUNT(env));
    sandboxed.sandbox = &sandbox;
    sandboxed.env = env;
    sandboxed.cwd = "/app";
    return vr_worker_run(worker, &sandboxed, out, err);
}

int vr_buildpack_detect(struct vr_worker *worker, const struct vr_buildpack *bp,
                        const struct vr_buildpack_dirs *dirs, struct vr_err *err)
{
    static const char *const argv[] = {"/buildpack/bin/detect", "/app", NULL};
    vr_auto_worker_result struct vr_worker_result result = {0};
    struct vr_worker_task task = {
        .name = "detect", .argv = argv, .timeout_ms = DETECT_MS, .quiet = true};
    int r = run_script(worker, bp, dirs, &task, &result, err);

    if (r < 0)
        return vr_fail_in(err, r, "buildpack '%s'", bp->name);
    if (result.exit.code)
        return 0;
    result.out[strcspn(result.out, "\r\n")] = '\0';
    vr_worker_say(worker, "Buildpack %s: %s", bp->name, *result.out ? result.out : "detected");
    return 1;
}

/* The last line with something on it; cuts `text`. */
static const char *last_line(char *text)
{
    size_t n = strlen(text);
    char *line;

    while (n && strchr(" \t\r\n", text[n - 1]))
        text[--n] = '\0';
    line = strrchr(text, '\n');
    return line ? line + 1 : text;
}

static int check_exit(const struct vr_buildpack *bp, const char *script,
                      struct vr_worker_result *result, struct vr_err *err)
{
    const char *line = last_line(result->tail);
    struct vr_exit e = result->exit;
    char ended[64];

    if (!e.code)
        return 0;
    if (e.code > SIGNAL_BASE)
        e = (struct vr_exit){.code = -1, .signal = e.code - SIGNAL_BASE};
    vr_exit_format(e, ended, sizeof(ended));
    return vr_fail(err, VR_IO, "buildpack '%s': %s ended with %s%s%.*s", bp->name, script, ended,
                   *line ? ": " : "", LINE_MAX_BYTES, line);
}

int vr_buildpack_compile(struct vr_worker *worker, const struct vr_buildpack *bp,
                         const struct vr_buildpack_dirs *dirs, struct vr_err *err)
{
    static const char *const argv[] = {"/buildpack/bin/compile", "/app", "/cache", "/env", NULL};
    vr_auto_worker_result struct vr_worker_result result = {0};
    struct vr_worker_task task = {.name = "compile", .argv = argv, .log_out = true};
    int r = run_script(worker, bp, dirs, &task, &result, err);

    if (r < 0)
        return vr_fail_in(err, r, "buildpack '%s'", bp->name);
    return check_exit(bp, "bin/compile", &result, err);
}

static int parse_release(const char *text, json_t **out, struct vr_err *err)
{
    vr_auto_json json_t *data = NULL;
    int r = vr_yaml_parse(vr_str(text), &data, err);

    if (r < 0)
        return r;
    if (json_is_null(data)) {
        *out = json_object();
        return 0;
    }
    if (!json_is_object(data))
        return vr_fail(err, VR_PARSE, "not a mapping");
    *out = vr_take(data);
    return 0;
}

/* A file in the app, which the build user owns: an old one, or a link of that name, goes first. */
static int write_in_app(struct vr_worker *worker, const char *app, const char *name,
                        const char *text, struct vr_err *err)
{
    vr_auto_close int dir = open(app, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    vr_auto_close int fd = -1;
    int r;

    if (dir < 0)
        return vr_fail_sys(err, "open %s", app);
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return vr_fail_sys(err, "replace %s", name);
    fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0)
        return vr_fail_sys(err, "make %s", name);
    r = vr_fd_write_all(fd, text, strlen(text), err);
    if (!r && fchown(fd, vr_worker_uid(worker), vr_worker_gid(worker)) < 0)
        r = vr_fail_sys(err, "own %s", name);
    return r;
}

int vr_buildpack_release(struct vr_worker *worker, const struct vr_buildpack *bp,
                         const struct vr_buildpack_dirs *dirs, json_t **out_data,
                         struct vr_err *err)
{
    static const char *const argv[] = {"/buildpack/bin/release", "/app", NULL};
    vr_auto_worker_result struct vr_worker_result result = {0};
    vr_auto_json json_t *data = NULL;
    vr_auto_free char *name = vr_strf("%s\n", bp->name);
    struct vr_worker_task task = {.name = "release", .argv = argv, .timeout_ms = RELEASE_MS};
    int r = 0;

    if (has_script(bp, "release")) {
        r = run_script(worker, bp, dirs, &task, &result, err);
        if (r < 0)
            return vr_fail_in(err, r, "buildpack '%s'", bp->name);
        r = check_exit(bp, "bin/release", &result, err);
        if (r < 0)
            return r;
    }
    r = parse_release(result.out ? result.out : "", &data, err);
    if (r < 0)
        return vr_fail_in(err, r, "buildpack '%s': output of bin/release", bp->name);
    r = write_in_app(worker, dirs->app, ".release.yaml", result.out ? result.out : "", err);
    if (!r)
        r = write_in_app(worker, dirs->app, ".buildpack", name, err);
    if (r < 0)
        return r;
    *out_data = vr_take(data);
    return 0;
}
