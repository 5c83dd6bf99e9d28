/* SPDX-License-Identifier: MIT */
/*
 * One build job, from its order to its last line.
 *
 * The job is a straight line of blocking steps, which is what a process of its own is for: the
 * agent's loop only reads lines from a pipe. Every program of it runs through one worker, and so
 * dies with the job; every folder lies in one scratch folder, and so goes with it. The app's tree
 * is built where it is checked out, packed from there, and never visible under out_dir half made.
 */
#include "build/job.h"
#include "build/cache.h"
#include "build/job_spec.h"
#include "build/report.h"
#include "build/sandbox.h"
#include "build/scratch.h"
#include "build/slug.h"
#include "build/slugignore.h"
#include "core/buf.h"
#include "core/str.h"
#include "fmt/env.h"
#include "fmt/procfile.h"
#include "sys/fs.h"
#include "sys/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define MS_PER_S      1000
#define BYTES_PER_MIB (INT64_C(1) << 20)
#define TRIED_MAX     ((size_t)120)
#define LOG_NAME      "build.log"

struct job {
    struct vr_job_spec spec;
    struct vr_report *report;
    struct vr_scratch scratch;
    struct vr_worker *worker;
    struct vr_buildpack_source source;
    int signal_fd;
    char *commit; /* of the app */
    char *tree;   /* the scratch folder that holds `app` alone */
    char *app_dir, *cache_dir, *root_dir, *tmp_dir, *log_file;
    struct vr_buildpack *buildpack; /* borrowed from spec: the one that detects */
    json_t *release;                /* what bin/release said */
    json_t *procfile;
    struct vr_slug slug;
};

static void job_fini(struct job *job)
{
    /* The worker first: nothing may run in the folders that go next. */
    job->worker = vr_worker_free(job->worker);
    vr_scratch_fini(&job->scratch);
    vr_report_free(job->report);
    vr_slug_fini(&job->slug);
    json_decref(job->release);
    json_decref(job->procfile);
    free(job->commit);
    free(job->tree);
    free(job->app_dir);
    free(job->cache_dir);
    free(job->root_dir);
    free(job->tmp_dir);
    free(job->log_file);
    vr_job_spec_fini(&job->spec);
    vr_fd_close(job->signal_fd);
}

/* ---- before the first step ---- */

static int check_disk(const struct job *job, struct vr_err *err)
{
    int64_t free_bytes;
    int r = vr_fs_free_bytes(job->spec.work_dir, &free_bytes, err);

    if (r < 0)
        return r;
    if (free_bytes < job->spec.disk_bytes)
        return vr_fail(err, VR_LIMIT,
                       "disk full: app '%s' needs %" PRId64 " MiB free on %s, there are %" PRId64,
                       job->spec.app, job->spec.disk_bytes / BYTES_PER_MIB, job->spec.work_dir,
                       free_bytes / BYTES_PER_MIB);
    return 0;
}

static int make_worker(struct job *job, struct vr_err *err)
{
    const struct vr_job_spec *spec = &job->spec;
    int r = vr_worker_new(
        &(struct vr_worker_spec){
            .id = job->scratch.id,
            .user = spec->user,
            .disk_dir = spec->work_dir,
            .signal_fd = job->signal_fd,
            .deadline = vr_mono_add_ms(vr_mono_now(), spec->secs * MS_PER_S),
            .limits = spec->limits,
            .log = vr_report_log,
            .log_ctx = job->report,
        },
        &job->worker, err);

    job->source = (struct vr_buildpack_source){
        .worker = job->worker,
        .work_dir = spec->work_dir,
        .builtin_dir = spec->builtin_dir,
    };
    return r;
}

static int prepare(struct job *job, struct vr_err *err)
{
    int r =
        vr_scratch_init(&job->scratch, job->spec.work_dir, job->spec.run_dir, job->spec.app, err);

    if (!r)
        r = check_disk(job, err);
    return r < 0 ? r : make_worker(job, err);
}

static int make_folders(struct job *job, struct vr_err *err)
{
    uid_t uid = vr_worker_uid(job->worker);
    gid_t gid = vr_worker_gid(job->worker);
    const struct vr_scratch *s = &job->scratch;
    int r;

    job->tree = vr_scratch_path(s, "slug");
    job->app_dir = vr_scratch_path(s, "slug/app");
    job->cache_dir = vr_scratch_path(s, "cache");
    job->root_dir = vr_scratch_path(s, "root");
    job->tmp_dir = vr_scratch_path(s, "tmp");
    r = vr_scratch_mkdir(s, "slug", uid, gid, err);
    if (!r)
        r = vr_scratch_mkdir(s, "tmp", uid, gid, err);
    if (!r)
        r = vr_scratch_mkdir(s, "buildpacks", uid, gid, err);
    if (!r)
        r = vr_scratch_mkdir(s, "root", 0, 0, err);
    if (r < 0)
        return r;
    r = vr_fs_mkdir_p(job->spec.out_dir, 0755, err);
    if (r < 0)
        return r;
    job->log_file = vr_strf("%s/" LOG_NAME, job->spec.out_dir);
    return vr_report_keep(job->report, job->log_file, err);
}

/* ENV_DIR: a file per variable, for compile alone to read. */
static int write_env(struct job *job, struct vr_err *err)
{
    const struct vr_env_spec plain = {.env = job->spec.env};
    const char *dir = job->scratch.env, *name;
    const json_t *value;
    int r = vr_fs_mkdir_p(job->spec.run_dir, 0755, err);

    if (!r)
        r = vr_fs_mkdir_p(dir, 0700, err);
    for (void *it = json_object_iter((json_t *)job->spec.env); !r && it;
         it = json_object_iter_next((json_t *)job->spec.env, it)) {
        vr_auto_free char *path = NULL;
        vr_auto_free char *text = NULL;

        name = json_object_iter_key(it);
        value = json_object_iter_value(it);
        path = vr_strf("%s/%s", dir, name);
        text = vr_env_value(&plain, value);
        if (text)
            r = vr_fs_write(path, text, strlen(text), 0400, err);
    }
    if (!r)
        r = vr_fs_chown_tree(dir, vr_worker_uid(job->worker), vr_worker_gid(job->worker), err);
    return r < 0 ? vr_fail_in(err, r, "config variables of app '%s'", job->spec.app) : 0;
}

/* ---- the steps ---- */

/* Pin the app's commit and, for a build, check it out while the mirror is ours. */
static int fetch_app(struct job *job, struct vr_err *err)
{
    const struct vr_job_spec *spec = &job->spec;
    VR_OWNED(vr_vcs_close) struct vr_vcs *vcs = NULL;
    int r;

    vr_report_phase(job->report, "fetch");
    r = vr_vcs_open(job->worker, spec->work_dir, spec->repo_type, spec->repo_url, &vcs, err);
    if (!r && spec->commit)
        job->commit = vr_strdup(spec->commit);
    else if (!r)
        r = vr_vcs_resolve(vcs, spec->tag, &job->commit, err);
    if (!r && spec->kind == VR_JOB_BUILD) {
        vr_worker_say(job->worker, "Checking out %s at %s", spec->app, job->commit);
        vr_report_phase(job->report, "checkout");
        r = vr_vcs_checkout(vcs, job->commit, job->app_dir, err);
    }
    return r < 0 ? vr_fail_in(err, r, "app '%s'", spec->app) : 0;
}

static int resolve_buildpacks(struct job *job, struct vr_err *err)
{
    int r = 0;

    for (size_t i = 0; !r && i < job->spec.buildpack_count; i++)
        r = vr_buildpack_resolve(&job->source, &job->spec.buildpacks[i], err);
    return r < 0 ? vr_fail_in(err, r, "app '%s'", job->spec.app) : 0;
}

static struct vr_buildpack_dirs dirs_of(const struct job *job)
{
    return (struct vr_buildpack_dirs){
        .root = job->root_dir,
        .app = job->app_dir,
        .cache = job->cache_dir,
        .env = job->scratch.env,
        .tmp = job->tmp_dir,
    };
}

static int fail_undetected(const struct job *job, struct vr_err *err)
{
    vr_auto_buf struct vr_buf tried = VR_BUF(TRIED_MAX);

    for (size_t i = 0; i < job->spec.buildpack_count; i++)
        vr_buf_addf(&tried, "%s%s", i ? ", " : "", job->spec.buildpacks[i].name);
    return vr_fail(err, VR_NOT_FOUND, "no buildpack detects app '%s' (tried %s%s)", job->spec.app,
                   job->spec.buildpack_count ? vr_buf_text(&tried) : "none",
                   tried.over ? ", …" : "");
}

/* The first candidate that detects; later ones are not even fetched. */
static int detect(struct job *job, struct vr_err *err)
{
    struct vr_buildpack_dirs dirs = dirs_of(job);

    vr_report_phase(job->report, "detect");
    /* Not the app's cache, which depends on who detects: an empty folder to mount. */
    dirs.cache = dirs.tmp;
    for (size_t i = 0; i < job->spec.buildpack_count; i++) {
        struct vr_buildpack *bp = &job->spec.buildpacks[i];
        vr_auto_free char *dir = vr_strf("%s/buildpacks/%zu", job->scratch.dir, i);
        int r = vr_buildpack_resolve(&job->source, bp, err);

        if (!r)
            r = vr_buildpack_fetch(&job->source, bp, dir, err);
        if (!r)
            r = vr_buildpack_detect(job->worker, bp, &dirs, err);
        if (r < 0)
            return vr_fail_in(err, r, "app '%s'", job->spec.app);
        if (r > 0) {
            job->buildpack = bp;
            return 0;
        }
    }
    return fail_undetected(job, err);
}

static char *cache_key(const struct job *job)
{
    return vr_cache_key(job->spec.app, job->spec.repo_url, job->buildpack->url, job->spec.stack);
}

static int compile(struct job *job, struct vr_err *err)
{
    const struct vr_job_spec *spec = &job->spec;
    struct vr_buildpack_dirs dirs = dirs_of(job);
    vr_auto_free char *key = cache_key(job);
    int r;

    vr_report_phase(job->report, "compile");
    if (spec->no_cache)
        r = vr_scratch_mkdir(&job->scratch, "cache", vr_worker_uid(job->worker),
                             vr_worker_gid(job->worker), err);
    else
        r = vr_cache_load(job->worker, spec->work_dir, key, job->cache_dir, err);
    if (!r)
        r = vr_buildpack_compile(job->worker, job->buildpack, &dirs, err);
    if (!r) {
        vr_report_phase(job->report, "release");
        r = vr_buildpack_release(job->worker, job->buildpack, &dirs, &job->release, err);
    }
    return r < 0 ? vr_fail_in(err, r, "app '%s'", spec->app) : 0;
}

/* Add the pairs of texts in an object, those already there excepted. */
static int add_types(struct vr_procfile *pf, const json_t *types, struct vr_err *err)
{
    for (void *it = json_object_iter((json_t *)types); it;
         it = json_object_iter_next((json_t *)types, it)) {
        const char *command = json_string_value(json_object_iter_value(it));
        int r = command ? vr_procfile_add(pf, json_object_iter_key(it), command, err) : 0;

        if (r < 0)
            return r;
    }
    return 0;
}

/* A Procfile of the app, an empty one if it has none. */
static int load_procfile(const struct job *job, struct vr_procfile **out, struct vr_err *err)
{
    vr_auto_close int app = open(job->app_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    vr_auto_close int fd = -1;
    vr_auto_free char *text = NULL;
    size_t len;
    int r;

    if (app < 0)
        return vr_fail_sys(err, "open %s", job->app_dir);
    r = fd = vr_fs_open_beneath(app, "Procfile", O_RDONLY | O_NONBLOCK, 0, err);
    if (r == -VR_NOT_FOUND) {
        *out = vr_procfile_new();
        return 0;
    }
    if (r < 0)
        return r;
    r = vr_fd_read_all(fd, VR_PROCFILE_BYTES, &text, &len, err);
    return r < 0 ? r : vr_procfile_parse((struct vr_str){text, len}, out, err);
}

static int read_procfile(struct job *job, struct vr_err *err)
{
    VR_OWNED(vr_procfile_free) struct vr_procfile *pf = NULL;
    const char *app = job->spec.app;
    int r = load_procfile(job, &pf, err);

    if (!r)
        r = add_types(pf, json_object_get(job->release, "default_process_types"), err);
    if (r < 0)
        return vr_fail_in(err, r, "app '%s': Procfile", app);
    if (!vr_procfile_count(pf))
        return vr_fail(err, VR_NOT_FOUND,
                       "app '%s' has no Procfile and buildpack '%s' names no default process types",
                       app, job->buildpack->name);
    job->procfile = json_object();
    for (size_t i = 0; i < vr_procfile_count(pf); i++)
        vr_json_set(job->procfile, vr_procfile_name(pf, i),
                    json_string(vr_procfile_command(pf, i)));
    return 0;
}

static void say_refused(void *ctx, const char *message)
{
    vr_worker_say(ctx, "%s", message);
}

static int ignore_files(struct job *job, struct vr_err *err)
{
    size_t removed;
    int r;

    vr_report_phase(job->report, "slugignore");
    r = vr_slugignore_apply(job->app_dir, say_refused, job->worker, &removed, err);
    if (r < 0)
        return vr_fail_in(err, r, "app '%s'", job->spec.app);
    if (removed)
        vr_worker_say(job->worker, ".slugignore: %zu deleted", removed);
    return 0;
}

static int pack(struct job *job, struct vr_err *err)
{
    int r;

    vr_report_phase(job->report, "pack");
    r = vr_slug_pack(job->worker, job->spec.app, job->tree, job->spec.out_dir, &job->slug, err);
    if (r < 0)
        return r;
    vr_worker_say(job->worker, "Packed %" PRId64 " bytes, md5 %s", job->slug.size_bytes,
                  job->slug.md5);
    return 0;
}

/* A build is good without its cache; the next one is only slower. */
static void keep_cache(struct job *job)
{
    vr_auto_free char *key = cache_key(job);
    vr_auto_free char *old = vr_scratch_path(&job->scratch, "old-cache");
    struct vr_err err = VR_ERR_NULL;

    if (vr_cache_store(job->worker, job->spec.work_dir, key, job->cache_dir, old, &err) < 0)
        vr_worker_say(job->worker, "The cache is not kept: %s", err.msg);
}

static int build(struct job *job, struct vr_err *err)
{
    static int (*const steps[])(struct job *, struct vr_err *) = {
        make_folders, write_env, fetch_app, detect, compile, read_procfile, ignore_files, pack,
    };
    int r = 0;

    for (size_t i = 0; !r && i < VR_COUNT(steps); i++) {
        r = vr_worker_check(job->worker, err);
        if (!r)
            r = steps[i](job, err);
    }
    if (!r)
        keep_cache(job);
    return r;
}

/* ---- the last line ---- */

static json_t *pins_of(const struct job *job)
{
    json_t *list = json_array();

    for (size_t i = 0; i < job->spec.buildpack_count; i++) {
        const struct vr_buildpack *bp = &job->spec.buildpacks[i];
        json_t *pin = json_object();
        vr_auto_free char *url =
            vr_strf("%s%s%s", bp->url, bp->rev ? "#" : "", bp->rev ? bp->rev : "");

        vr_json_set(pin, "url", json_string(url));
        vr_json_set(pin, "commit", json_string(bp->commit));
        vr_json_push(list, pin);
    }
    return list;
}

static json_t *build_result(const struct job *job)
{
    const json_t *vars = json_object_get(job->release, "config_vars");
    vr_auto_free char *url = vr_strf("%s#%s", job->buildpack->url, job->buildpack->commit);
    json_t *out = json_object();

    vr_json_set(out, "commit", json_string(job->commit));
    vr_json_set(out, "file", json_string(job->slug.path));
    vr_json_set(out, "file_md5", json_string(job->slug.md5));
    vr_json_set(out, "file_sha256", json_string(job->slug.sha256));
    vr_json_set(out, "file_bytes", json_integer(job->slug.size_bytes));
    vr_json_set(out, "buildpack_url", json_string(url));
    vr_json_set(out, "buildpack_version", json_string(job->buildpack->commit));
    vr_json_set(out, "release_data", json_incref(job->release));
    vr_json_set(out, "procfile", json_incref(job->procfile));
    vr_json_set(out, "config_vars",
                json_is_object(vars) ? json_incref((json_t *)vars) : json_object());
    vr_json_set(out, "log_file", json_string(job->log_file));
    return out;
}

static json_t *resolve_result(const struct job *job)
{
    json_t *out = json_object();

    vr_json_set(out, "commit", json_string(job->commit));
    vr_json_set(out, "buildpacks", pins_of(job));
    return out;
}

static int run(struct job *job, json_t **out_result, struct vr_err *err)
{
    int r = prepare(job, err);

    if (r < 0)
        return r;
    if (job->spec.kind == VR_JOB_BUILD) {
        r = build(job, err);
        if (!r)
            *out_result = build_result(job);
        return r;
    }
    r = fetch_app(job, err);
    if (!r)
        r = resolve_buildpacks(job, err);
    if (!r)
        *out_result = resolve_result(job);
    return r;
}

static int read_order(struct job *job, struct vr_err *err)
{
    vr_auto_free char *text = NULL;
    size_t len;
    int r = vr_fd_read_all(STDIN_FILENO, VR_JSON_BYTES, &text, &len, err);

    if (r < 0)
        return vr_fail_in(err, r, "read the order");
    return vr_job_spec_parse((struct vr_str){text, len}, &job->spec, err);
}

int vr_build_job_main(int argc, char **argv)
{
    struct job job = {.signal_fd = -1, .scratch = VR_SCRATCH_NULL};
    struct vr_err err = VR_ERR_NULL;
    json_t *result = NULL;
    bool was_written;
    int r;

    if (argc > 1 && vr_streq(argv[1], VR_SANDBOX_WORD))
        return vr_sandbox_main(argc, argv);
    job.report = vr_report_new(STDOUT_FILENO);
    r = job.signal_fd = vr_signals_open(&err);
    if (r >= 0)
        r = read_order(&job, &err);
    if (!r)
        r = run(&job, &result, &err);
    /* Everything is gone before the last line says so. */
    job.worker = vr_worker_free(job.worker);
    vr_scratch_fini(&job.scratch);
    was_written = r < 0 ? vr_report_error(job.report, &err) : vr_report_result(job.report, result);
    job_fini(&job);
    return was_written ? EXIT_SUCCESS : EXIT_FAILURE;
}
