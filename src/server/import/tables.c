/* SPDX-License-Identifier: MIT */
/*
 * Which row of the original becomes which of ours.
 *
 * The tables are those of the original's Django application `deployment` and of Django's users.
 * Most columns are taken as they are; the few rows that need a thought have a function. Columns
 * that nobody names here are not taken: the first words of each table say why if it matters.
 */
#include "server/import/tables.h"

#include "server/import/versions.h"

#include "fmt/json.h"
#include "model/hashes.h"
#include "model/name.h"
#include "store/balancer.h"
#include "store/build.h"
#include "store/import.h"

#include <string.h>

#define TABLE(rows) rows, VR_COUNT(rows)

static const char *text_of(const json_t *row, const char *column)
{
    return json_string_value(json_object_get(row, column));
}

static bool is_empty(const char *text)
{
    return !text || !*text;
}

/* Names of the original that have no place in our grammar are kept, but cannot be dispatched. */
static void look_at_name(struct vr_importer *im, enum vr_name_kind kind, const char *title,
                         const char *name)
{
    struct vr_err err = VR_ERR_NULL;

    if (name && vr_name_check(kind, name, &err) < 0)
        vr_import_note(im, "%s '%s' is kept, but cannot be dispatched: %s", title, name, err.msg);
}

/* ------------------------------------------------------------------ users */

static const struct vr_import_column users[] = {
    {"id", "id", VR_IMPORT_INT},
    {"username", "username", VR_IMPORT_TEXT},
    {"first_name", "first_name", VR_IMPORT_TEXT},
    {"last_name", "last_name", VR_IMPORT_TEXT},
    {"email", "email", VR_IMPORT_TEXT},
    {"is_active", "is_active", VR_IMPORT_BOOL},
    {"last_login", "last_login_us", VR_IMPORT_TIME_NULL},
    {"date_joined", "joined_us", VR_IMPORT_TIME},
};

static int finish_user(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    const char *password = text_of(in, "password");
    bool is_admin =
        vr_streq(text_of(in, "is_superuser"), "t") || vr_streq(text_of(in, "is_staff"), "t");

    if (!password || strncmp(password, "pbkdf2_sha256$", strlen("pbkdf2_sha256$")) != 0) {
        if (!is_empty(password) && *password != '!')
            vr_import_note(im, "user '%s' needs a new password: the stored one is no pbkdf2_sha256",
                           text_of(in, "username"));
        password = "!";
    }
    vr_json_set(out, "password", json_string(password));
    vr_json_set(out, "role", json_string(is_admin ? "admin" : "deployer"));
    return 0;
}

static int keep_username(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    vr_json_set(keep, "username", json_incref(json_object_get(in, "username")));
    return 0;
}

/* ------------------------------------------------------------------ platform */

static const struct vr_import_column squads[] = {
    {"id", "id", VR_IMPORT_INT},
    {"name", "name", VR_IMPORT_TEXT},
};

static const struct vr_import_column hosts[] = {
    {"id", "id", VR_IMPORT_INT},
    {"name", "name", VR_IMPORT_TEXT},
    {"active", "active", VR_IMPORT_BOOL},
    {"squad_id", "squad_id", VR_IMPORT_INT_NULL, "deployment_squad"},
};

static const struct vr_import_column buildpacks[] = {
    {"id", "id", VR_IMPORT_INT},
    {"repo_url", "repo_url", VR_IMPORT_TEXT},
    {"repo_type", "repo_type", VR_IMPORT_TEXT},
    {"desc", "description", VR_IMPORT_TEXT},
    {"order", "ord", VR_IMPORT_INT},
};

static const struct vr_import_column stacks[] = {
    {"id", "id", VR_IMPORT_INT},
    {"name", "name", VR_IMPORT_TEXT},
    {"desc", "description", VR_IMPORT_TEXT},
    {"base_image_url", "base_image_url", VR_IMPORT_TEXT_NULL},
};

/* Take a file, if there is a folder of them; `what` tells the report. */
static int take_file(struct vr_importer *im, const char *what, const char *path,
                     struct vr_blob_name *out)
{
    struct vr_err err = VR_ERR_NULL;
    int r = vr_import_file(im, path, out, &err);

    if (r < 0)
        vr_import_left(im, "file '%s' of %s: %s", path, what, err.msg);
    return r;
}

static int finish_stack(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    const char *script = text_of(in, "provisioning_script");
    const char *name = script ? strrchr(script, '/') : NULL;
    vr_auto_free char *what = vr_strf("stack '%s'", text_of(in, "name"));
    struct vr_blob_name blob;

    if (is_empty(script) || take_file(im, what, script, &blob) < 0)
        return 0;
    vr_json_set(out, "script_name", json_string(name ? name + 1 : script));
    vr_json_set(out, "script_sha256", json_string(blob.sha256));
    return 0;
}

static const struct vr_import_column images[] = {
    {"id", "id", VR_IMPORT_INT},
    {"stack_id", "stack_id", VR_IMPORT_INT_NULL, "deployment_osstack"},
    {"name", "name", VR_IMPORT_TEXT},
    {"file", "file", VR_IMPORT_TEXT_NULL},
    {"file_md5", "file_md5", VR_IMPORT_TEXT_NULL},
    {"base_image_url", "base_image_url", VR_IMPORT_TEXT},
    {"base_image_name", "base_image_name", VR_IMPORT_TEXT},
    {"provisioning_script_url", "provisioning_script_url", VR_IMPORT_TEXT},
    {"build_log", "build_log", VR_IMPORT_TEXT_NULL},
};

/* Hosts mount squashfs images that our builder made: one of the original is kept as a record. */
static int finish_image(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    if (vr_streq(text_of(in, "active"), "t"))
        vr_import_note(im, "image '%s' is taken as a record: build its stack anew to run on it",
                       text_of(in, "name"));
    vr_json_set(out, "active", json_integer(0));
    vr_json_set(out, "created_us", json_integer(0));
    return 0;
}

static int keep_md5(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    vr_json_set(keep, "file_md5", json_incref(json_object_get(in, "file_md5")));
    return 0;
}

/* ------------------------------------------------------------------ apps and builds */

static const struct vr_import_column apps[] = {
    {"id", "id", VR_IMPORT_INT},
    {"name", "name", VR_IMPORT_TEXT},
    {"repo_url", "repo_url", VR_IMPORT_TEXT},
    {"repo_type", "repo_type", VR_IMPORT_TEXT},
    {"buildpack_id", "buildpack_id", VR_IMPORT_INT_NULL, "deployment_buildpack"},
    {"stack_id", "stack_id", VR_IMPORT_INT_NULL, "deployment_osstack"},
};

static int finish_app(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    look_at_name(im, VR_NAME_APP, "app", text_of(in, "name"));
    return 0;
}

static int keep_name(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    vr_json_set(keep, "name", json_incref(json_object_get(in, "name")));
    return 0;
}

static int keep_url(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    vr_json_set(keep, "name", json_incref(json_object_get(in, "repo_url")));
    return 0;
}

static const struct vr_import_column builds[] = {
    {"id", "id", VR_IMPORT_INT},
    {"app_id", "app_id", VR_IMPORT_INT, "deployment_app"},
    {"tag", "tag", VR_IMPORT_TEXT},
    {"os_image_id", "image_id", VR_IMPORT_INT_NULL, "deployment_osimage"},
    {"file_md5", "file_md5", VR_IMPORT_TEXT_NULL},
    {"start_time", "start_us", VR_IMPORT_TIME_NULL},
    {"end_time", "end_us", VR_IMPORT_TIME_NULL},
    {"start_time", "created_us", VR_IMPORT_TIME},
    {"hash", "hash", VR_IMPORT_TEXT},
    {"env_yaml", "env", VR_IMPORT_DICT},
    {"buildpack_url", "buildpack_url", VR_IMPORT_TEXT},
    {"buildpack_version", "buildpack_version", VR_IMPORT_TEXT},
};

/*
 * Slugs are squashfs files, the original's were tarballs: its builds are a record with their hash,
 * expired, and a dispatch of their tag builds anew.
 */
static int finish_build(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    const char *status = text_of(in, "status"), *error = "";

    if (vr_streq(status, "success"))
        status = "expired";
    if (is_empty(status) || vr_streq(status, "pending") || vr_streq(status, "started")) {
        status = "failed";
        error = "was not finished when it was exported";
    }
    vr_json_set(out, "status", json_string(status));
    vr_json_set(out, "error", json_string(error));
    return 0;
}

/* Its log, and what its releases need. */
static int keep_build(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    const char *log = text_of(in, "compile_log");
    vr_auto_free char *text = NULL;
    struct vr_err why = VR_ERR_NULL;
    size_t n;
    int64_t id;
    int r;

    vr_json_set(keep, "tag", json_incref(json_object_get(in, "tag")));
    vr_json_set(keep, "hash", json_incref(json_object_get(in, "hash")));
    if (is_empty(log) || im->files < 0)
        return 0;
    r = vr_parse_i64(vr_str(text_of(in, "id")), 1, INT64_MAX, &id, err);
    if (r == 0 && vr_import_text_file(im, log, VR_BUILD_LOG_BYTES, &text, &n, &why) < 0) {
        vr_import_left(im, "log '%s' of build %s: %s", log, text_of(in, "id"), why.msg);
        return 0;
    }
    return r < 0 ? r
                 : vr_store_build_log_add(im->spec->tx, id, 0, (struct vr_str){text, n}, NULL, err);
}

static const struct vr_import_column releases[] = {
    {"id", "id", VR_IMPORT_INT},
    {"build_id", "build_id", VR_IMPORT_INT, "deployment_build"},
    {"config_yaml", "config", VR_IMPORT_DICT},
    {"env_yaml", "env", VR_IMPORT_ENV},
    {"volumes", "volumes", VR_IMPORT_VOLUMES},
    {"run_as", "run_as", VR_IMPORT_TEXT},
    {"mem_limit", "mem_limit", VR_IMPORT_TEXT_NULL},
    {"memsw_limit", "memsw_limit", VR_IMPORT_TEXT_NULL},
    {"hash", "hash", VR_IMPORT_TEXT},
};

static json_t *parsed(const json_t *row, const char *column)
{
    json_t *value = NULL;

    vr_ignore(vr_json_parse(vr_str(text_of(row, column)), VR_JSON_BYTES, &value, NULL),
              "we have written it ourselves");
    return value;
}

static void run_as_somebody(json_t *out)
{
    if (is_empty(text_of(out, "run_as")))
        vr_json_set(out, "run_as", json_string("nobody"));
}

/* The original made releases before their build was done and never used them: those have no hash.
 */
static int finish_release(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    const json_t *build = vr_import_taken(im, "deployment_build", text_of(in, "build_id"));
    vr_auto_json json_t *config = parsed(out, "config_json");
    vr_auto_json json_t *env = parsed(out, "env_json");
    vr_auto_json json_t *volumes = parsed(out, "volumes_json");
    struct vr_release_content content = {.build_hash = text_of(build, "hash"),
                                         .config = config,
                                         .env = env,
                                         .volumes = volumes,
                                         .mem_limit = text_of(out, "mem_limit"),
                                         .memsw_limit = text_of(out, "memsw_limit")};
    char sha256[VR_SHA256_HEX];

    if (is_empty(text_of(in, "hash")))
        return vr_fail(err, VR_INVALID, "it was never finished");
    run_as_somebody(out);
    content.run_as = text_of(out, "run_as");
    vr_hashes_release_content(&content, sha256);
    vr_json_set(out, "content_sha256", json_string(sha256));
    vr_json_set(out, "created_us", json_integer(0));
    return 0;
}

static int keep_tag(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    const json_t *build = vr_import_taken(im, "deployment_build", text_of(in, "build_id"));

    vr_json_set(keep, "tag", json_incref(json_object_get(build, "tag")));
    return 0;
}

/* ------------------------------------------------------------------ swarms */

static const struct vr_import_column ingredients[] = {
    {"id", "id", VR_IMPORT_INT},
    {"name", "name", VR_IMPORT_TEXT},
    {"config_yaml", "config", VR_IMPORT_DICT},
    {"env_yaml", "env", VR_IMPORT_ENV},
};

static const struct vr_import_column swarms[] = {
    {"id", "id", VR_IMPORT_INT},
    {"app_id", "app_id", VR_IMPORT_INT, "deployment_app"},
    {"config_name", "config_name", VR_IMPORT_TEXT},
    {"proc_name", "proc_name", VR_IMPORT_TEXT},
    {"squad_id", "squad_id", VR_IMPORT_INT, "deployment_squad"},
    {"size", "size", VR_IMPORT_INT},
    {"pool", "pool", VR_IMPORT_TEXT_NULL},
    {"config_yaml", "config", VR_IMPORT_DICT},
    {"env_yaml", "env", VR_IMPORT_ENV},
    {"volumes", "volumes", VR_IMPORT_VOLUMES},
    {"run_as", "run_as", VR_IMPORT_TEXT},
    {"mem_limit", "mem_limit", VR_IMPORT_TEXT_NULL},
    {"memsw_limit", "memsw_limit", VR_IMPORT_TEXT_NULL},
};

/* The original knew balancers by its configuration alone: a name is enough until ours has it. */
static int take_balancer(struct vr_importer *im, const char *name, int64_t *out, struct vr_err *err)
{
    struct vr_balancer_row row = {
        .name = (char *)name, .driver = (char *)"none", .options_json = (char *)"{}"};
    VR_ROW(balancer) found = {0};
    int r = vr_store_balancer_find(im->spec->tx, name, &found, err);

    *out = found.id;
    if (r != -VR_NOT_FOUND)
        return r;
    vr_import_note(im,
                   "balancer '%s' is known by name only: describe it under 'balancers' in the "
                   "server's configuration",
                   name);
    return vr_store_balancer_insert(im->spec->tx, &row, out, err);
}

static int finish_swarm(struct vr_importer *im, const json_t *in, json_t *out, struct vr_err *err)
{
    const json_t *release = vr_import_taken(im, "deployment_release", text_of(in, "release_id"));
    const char *balancer = text_of(in, "balancer"), *tag = text_of(release, "tag");
    int64_t id;
    int r = 0;

    if (json_integer_value(json_object_get(out, "size")) < 0)
        return vr_fail(err, VR_INVALID, "its size is negative");
    run_as_somebody(out);
    vr_json_set(out, "tag", json_string(tag ? tag : ""));
    look_at_name(im, VR_NAME_CONFIG, "config name", text_of(in, "config_name"));
    look_at_name(im, VR_NAME_PROC, "proc name", text_of(in, "proc_name"));
    if (!is_empty(tag))
        look_at_name(im, VR_NAME_TAG, "tag", tag);
    else
        vr_import_note(im, "swarm %s has no tag: what it was to run was not taken",
                       text_of(in, "id"));
    if (!is_empty(balancer)) {
        r = take_balancer(im, balancer, &id, err);
        vr_json_set(out, "balancer_id", json_integer(id));
    }
    return r;
}

static const struct vr_import_column swarm_ingredients[] = {
    {"swarm_id", "swarm_id", VR_IMPORT_INT, "deployment_swarm"},
    {"configingredient_id", "ingredient_id", VR_IMPORT_INT, "deployment_configingredient"},
};

/* ------------------------------------------------------------------ dashboards */

static const struct vr_import_column dashboards[] = {
    {"id", "id", VR_IMPORT_INT},
    {"name", "name", VR_IMPORT_TEXT},
    {"slug", "slug", VR_IMPORT_TEXT},
};

static const struct vr_import_column dashboard_apps[] = {
    {"dashboard_id", "dashboard_id", VR_IMPORT_INT, "deployment_dashboard"},
    {"app_id", "app_id", VR_IMPORT_INT, "deployment_app"},
};

static const struct vr_import_column profiles[] = {
    {"id", "id", VR_IMPORT_INT},
    {"user_id", "user_id", VR_IMPORT_INT, "auth_user"},
    {"default_dashboard_id", "default_dashboard_id", VR_IMPORT_INT_NULL, "deployment_dashboard"},
};

static const struct vr_import_column profile_dashboards[] = {
    {"userprofile_id", "profile_id", VR_IMPORT_INT, "deployment_userprofile"},
    {"dashboard_id", "dashboard_id", VR_IMPORT_INT, "deployment_dashboard"},
};

/* ------------------------------------------------------------------ history */

static const struct vr_import_column testruns[] = {
    {"id", "id", VR_IMPORT_INT},
    {"start", "start_us", VR_IMPORT_TIME},
    {"end", "end_us", VR_IMPORT_TIME_NULL},
};

static const struct vr_import_column testresults[] = {
    {"id", "id", VR_IMPORT_INT},
    {"run_id", "testrun_id", VR_IMPORT_INT, "deployment_testrun"},
    {"time", "time_us", VR_IMPORT_TIME},
    {"hostname", "hostname", VR_IMPORT_TEXT},
    {"procname", "procname", VR_IMPORT_TEXT},
    {"passed", "passed", VR_IMPORT_BOOL},
    {"testcount", "testcount", VR_IMPORT_INT},
    {"results", "results", VR_IMPORT_RESULTS},
};

static const struct vr_import_column log_entries[] = {
    {"id", "id", VR_IMPORT_INT},
    {"type", "type", VR_IMPORT_TEXT},
    {"time", "time_us", VR_IMPORT_TIME},
    {"user_id", "user_id", VR_IMPORT_INT_NULL, "auth_user"},
    {"message", "message", VR_IMPORT_TEXT},
};

static int finish_log_entry(struct vr_importer *im, const json_t *in, json_t *out,
                            struct vr_err *err)
{
    const char *username =
        text_of(vr_import_taken(im, "auth_user", text_of(in, "user_id")), "username");

    vr_json_set(out, "username", json_string(username ? username : ""));
    vr_json_set(out, "via", json_string("import"));
    return 0;
}

/* What versions refer to: read, kept until they are taken, and stored nowhere. */
static int keep_all(struct vr_importer *im, const json_t *in, json_t *keep, struct vr_err *err)
{
    json_object_update(keep, (json_t *)in);
    return 0;
}

static const struct vr_import_column versions[] = {
    {"id", "id", VR_IMPORT_INT},
};

const struct vr_import_table vr_import_tables[] = {
    {"auth_user", "users", "users", TABLE(users), "username", .finish = finish_user,
     .inserted = keep_username},
    {"deployment_squad", "squads", "squads", TABLE(squads), "name", .inserted = keep_name},
    {"deployment_host", "hosts", "hosts", TABLE(hosts), "name"},
    {"deployment_buildpack", "buildpacks", "buildpacks", TABLE(buildpacks), "repo_url",
     .inserted = keep_url},
    {"deployment_osstack", "stacks", "stacks", TABLE(stacks), "name", .finish = finish_stack,
     .inserted = keep_name},
    {"deployment_osimage", "images", "images", TABLE(images), "name", .finish = finish_image,
     .inserted = keep_md5},
    {"deployment_app", "apps", "apps", TABLE(apps), "name", .finish = finish_app,
     .inserted = keep_name},
    {"deployment_build", "builds", "builds", TABLE(builds), "tag", .finish = finish_build,
     .inserted = keep_build},
    {"deployment_release", "releases", "releases", TABLE(releases), "hash",
     .finish = finish_release, .inserted = keep_tag},
    {"deployment_configingredient", "ingredients", "ingredients", TABLE(ingredients), "name",
     .inserted = keep_name},
    {"deployment_swarm", "swarms", "swarms", TABLE(swarms), "proc_name", .finish = finish_swarm},
    {"deployment_swarm_config_ingredients", "swarm_ingredients", "ingredients of swarms",
     TABLE(swarm_ingredients)},
    {"deployment_dashboard", "dashboards", "dashboards", TABLE(dashboards), "name"},
    {"deployment_dashboard_apps", "dashboard_apps", "apps of dashboards", TABLE(dashboard_apps)},
    {"deployment_userprofile", "profiles", "profiles", TABLE(profiles)},
    {"deployment_userprofile_quick_dashboards", "profile_dashboards", "quick dashboards",
     TABLE(profile_dashboards)},
    {"deployment_testrun", "testruns", "test runs", TABLE(testruns)},
    {"deployment_testresult", "testresults", "test results", TABLE(testresults),
     .is_streamed = true},
    {"deployment_deploymentlogentry", "log_entries", "log entries", TABLE(log_entries),
     .is_streamed = true, .finish = finish_log_entry},
    {"django_content_type", NULL, "kinds of versions", NULL, 0, .inserted = keep_all},
    {"reversion_revision", NULL, "revisions", NULL, 0, .inserted = keep_all},
    {"reversion_version", "versions", "versions", TABLE(versions), "object_repr",
     .is_streamed = true, .finish = vr_import_version},
    {NULL},
};
