/* SPDX-License-Identifier: MIT */
/* The order that a build job gets, checked: nothing of it is used before its grammar is known. */
#include "build/job_spec.h"
#include "core/str.h"
#include "fmt/env.h"

#define PERMILLE     1000
#define APP_MAX      50
#define APP_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_."

static int parse_kind(struct vr_job_spec *spec, struct vr_err *err)
{
    const char *kind;
    int r = vr_json_get_str(spec->json, "kind", &kind, err);

    if (r < 0)
        return r;
    if (vr_streq(kind, "resolve"))
        spec->kind = VR_JOB_RESOLVE;
    else if (vr_streq(kind, "build"))
        spec->kind = VR_JOB_BUILD;
    else
        return vr_fail(err, VR_INVALID, "kind '%s' is neither resolve nor build", kind);
    return 0;
}

/* It becomes part of file names here. */
static int check_app(const char *app, struct vr_err *err)
{
    if (!vr_str_is_made_of(app, APP_ALPHABET, 1, APP_MAX) || vr_streq(app, ".") ||
        vr_streq(app, ".."))
        return vr_fail(err, VR_INVALID, "app name '%s': allowed are 1 to %d of A-Z a-z 0-9 _ .",
                       app, APP_MAX);
    return 0;
}

static int parse_repository(struct vr_job_spec *spec, struct vr_err *err)
{
    const char *type;
    int r = vr_json_get_str(spec->json, "app", &spec->app, err);

    if (!r)
        r = check_app(spec->app, err);
    if (!r)
        r = vr_json_get_str(spec->json, "repo_url", &spec->repo_url, err);
    if (!r)
        r = vr_vcs_url_check(spec->repo_url, err);
    if (!r)
        r = vr_json_opt_str(spec->json, "repo_type", "git", &type, err);
    if (!r)
        r = vr_vcs_type_parse(type, &spec->repo_type, err);
    if (!r)
        r = vr_json_opt_str(spec->json, "tag", NULL, &spec->tag, err);
    if (!r && spec->tag)
        r = vr_vcs_rev_check(spec->tag, err);
    if (!r)
        r = vr_json_opt_str(spec->json, "commit", NULL, &spec->commit, err);
    if (r < 0)
        return r;
    if (spec->commit && !vr_vcs_is_commit(spec->commit))
        return vr_fail(err, VR_INVALID, "commit '%s' is not a full commit", spec->commit);
    if (!spec->tag && !spec->commit)
        return vr_fail(err, VR_INVALID, "app '%s': neither tag nor commit is given", spec->app);
    return 0;
}

static int parse_path(const struct vr_job_spec *spec, const char *name, const char **out,
                      struct vr_err *err)
{
    int r = vr_json_get_str(spec->json, name, out, err);

    if (!r && **out != '/')
        return vr_fail(err, VR_INVALID, "%s '%s' is not an absolute path", name, *out);
    return r;
}

static int parse_places(struct vr_job_spec *spec, struct vr_err *err)
{
    int r = parse_path(spec, "work_dir", &spec->work_dir, err);

    if (!r && spec->kind == VR_JOB_BUILD)
        r = parse_path(spec, "out_dir", &spec->out_dir, err);
    if (!r)
        r = parse_path(spec, "builtin_dir", &spec->builtin_dir, err);
    if (!r)
        r = vr_json_opt_str(spec->json, "run_dir", VR_JOB_RUN_DIR, &spec->run_dir, err);
    if (!r)
        r = vr_json_opt_str(spec->json, "user", VR_JOB_USER, &spec->user, err);
    if (!r)
        r = vr_json_opt_str(spec->json, "stack", VR_JOB_STACK, &spec->stack, err);
    if (!r && !vr_streq(spec->stack, VR_JOB_STACK))
        r = vr_fail(err, VR_INVALID, "app '%s': stack '%s' cannot be built on, only '%s'",
                    spec->app, spec->stack, VR_JOB_STACK);
    return r;
}

static int parse_buildpack(struct vr_job_spec *spec, const json_t *item, struct vr_err *err)
{
    const char *url, *type, *commit;
    int r = vr_json_get_str(item, "url", &url, err);

    if (!r)
        r = vr_json_opt_str(item, "type", NULL, &type, err);
    if (!r)
        r = vr_json_opt_str(item, "commit", NULL, &commit, err);
    if (!r)
        r = vr_buildpack_init(&spec->buildpacks[spec->buildpack_count], url, type, commit, err);
    if (!r)
        spec->buildpack_count++;
    return r;
}

static int parse_buildpacks(struct vr_job_spec *spec, struct vr_err *err)
{
    json_t *list, *item;
    size_t i;
    int r = vr_json_get_array(spec->json, "buildpacks", &list, err);

    if (r < 0)
        return r;
    if (json_array_size(list) > VR_BUILDPACK_MAX)
        return vr_fail(err, VR_LIMIT, "app '%s' has %zu buildpacks, %d are allowed", spec->app,
                       json_array_size(list), VR_BUILDPACK_MAX);
    json_array_foreach (list, i, item) {
        r = parse_buildpack(spec, item, err);
        if (r < 0)
            return r;
    }
    return 0;
}

/* CPUs may be a fraction: 0.5, 2. */
static int parse_cpu(struct vr_job_spec *spec, const json_t *limits, struct vr_err *err)
{
    const json_t *cpu = json_object_get(limits, "cpu");

    if (!cpu || json_is_null(cpu))
        return 0;
    if (!json_is_number(cpu) || json_number_value(cpu) < 0 || json_number_value(cpu) > PERMILLE)
        return vr_fail(err, VR_INVALID, "limit 'cpu' is not a number of CPUs");
    spec->limits.cpu_permille = (int64_t)(json_number_value(cpu) * PERMILLE);
    return 0;
}

static int parse_limits(struct vr_job_spec *spec, struct vr_err *err)
{
    bool is_build = spec->kind == VR_JOB_BUILD;
    vr_auto_json json_t *none = json_object();
    json_t *given = NULL;
    const json_t *l;
    int r = vr_json_opt_object(spec->json, "limits", &given, err);

    if (r < 0)
        return r;
    l = given ? given : none;
    r = vr_json_opt_i64(l, "memory_bytes", 0, INT64_MAX, 0, &spec->limits.memory_bytes, err);
    if (!r)
        r = vr_json_opt_i64(l, "pids", 0, INT32_MAX, 0, &spec->limits.pids, err);
    if (!r)
        r = vr_json_opt_i64(l, "file_bytes", 0, INT64_MAX, VR_JOB_FILE_BYTES,
                            &spec->limits.file_bytes, err);
    if (!r)
        r = vr_json_opt_i64(l, "disk_reserve_bytes", 0, INT64_MAX, VR_JOB_RESERVE,
                            &spec->limits.disk_reserve_bytes, err);
    if (!r)
        r = vr_json_opt_i64(l, "disk_bytes", 0, INT64_MAX, VR_JOB_DISK_BYTES, &spec->disk_bytes,
                            err);
    if (!r)
        r = vr_json_opt_i64(l, is_build ? "build_secs" : "resolve_secs", 1, VR_JOB_SECS_MAX,
                            is_build ? VR_JOB_BUILD_SECS : VR_JOB_RESOLVE_SECS, &spec->secs, err);
    return r < 0 ? r : parse_cpu(spec, l, err);
}

static int parse_env(struct vr_job_spec *spec, struct vr_err *err)
{
    json_t *env = NULL, *value;
    const char *name;
    int r = vr_json_opt_object(spec->json, "env", &env, err);

    if (r < 0)
        return r;
    json_object_foreach (env, name, value) {
        if (!vr_env_is_key(name))
            return vr_fail(err, VR_INVALID, "'%s' is not a name of a variable", name);
    }
    spec->env = env;
    return vr_json_opt_bool(spec->json, "no_cache", false, &spec->no_cache, err);
}

int vr_job_spec_parse(struct vr_str text, struct vr_job_spec *out, struct vr_err *err)
{
    static int (*const parts[])(struct vr_job_spec *, struct vr_err *) = {
        parse_kind, parse_repository, parse_places, parse_buildpacks, parse_limits, parse_env,
    };
    struct vr_job_spec spec = {.kind = VR_JOB_RESOLVE};
    int r = vr_json_parse_object(text, VR_JSON_BYTES, &spec.json, err);

    for (size_t i = 0; !r && i < VR_COUNT(parts); i++)
        r = parts[i](&spec, err);
    if (r < 0) {
        vr_job_spec_fini(&spec);
        return vr_fail_in(err, r, "order of the build job");
    }
    *out = spec;
    return 0;
}

void vr_job_spec_fini(struct vr_job_spec *spec)
{
    for (size_t i = 0; i < spec->buildpack_count; i++)
        vr_buildpack_fini(&spec->buildpacks[i]);
    json_decref(spec->json);
    *spec = (struct vr_job_spec){.kind = VR_JOB_RESOLVE};
}
