/* SPDX-License-Identifier: MIT */
/* Shapes of what users write: apps, buildpacks, ingredients, squads, balancers, swarms, users. */
#include "model/policy.h"
#include "model/secret.h"
#include "store/shape.h"

#define TABLES(f, g)                                                                               \
    .fields = (f), .field_count = VR_COUNT(f), .filters = (g), .filter_count = VR_COUNT(g)

/* What an alias of the configuration stands for may have credentials of its own. */
static void write_url(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    vr_auto_free char *shown = vr_secret_masked_url(vr_row_or(vr_db_text(rows, column), ""));

    vr_shape_quote(out, vr_str(shown));
}

/* --- apps --- */

static const struct vr_shape_field app_fields[] = {
    {"id", "a.id", vr_write_int},
    {"name", "a.name", vr_write_text},
    {"repo_url", VR_SQL_SHOWN_URL("a"), vr_write_text},
    {"repo_type", "a.repo_type", vr_write_text},
    {"buildpack", "'/api/v1/buildpacks/' || a.buildpack_id || '/'", vr_write_text},
    {"stack", "'/api/v1/stacks/' || st.name || '/'", vr_write_text},
    {"resolved_url", VR_SQL_RESOLVED_URL("a"), write_url, .is_masked = true},
    {"resource_uri", "'/api/v1/apps/' || a.name || '/'", vr_write_text},
    {"row_version", "a.row_version", vr_write_int},
};

static const struct vr_shape_filter app_filters[] = {
    {"id", VR_FILTER_INT, "a.id"},
    {"name", VR_FILTER_TEXT, "a.name"},
    {"repo_url", VR_FILTER_TEXT, VR_SQL_SHOWN_URL("a")},
    {"repo_type", VR_FILTER_TEXT, "a.repo_type"},
    {"buildpack", VR_FILTER_ID, "a.buildpack_id"},
    {"buildpack__id", VR_FILTER_INT, "a.buildpack_id"},
    {"buildpack__repo_url", VR_FILTER_TEXT, VR_SQL_SHOWN_URL("bp")},
    {"buildpack__repo_type", VR_FILTER_TEXT, "bp.repo_type"},
    {"stack", VR_FILTER_ID, "a.stack_id"},
    {"stack__id", VR_FILTER_INT, "a.stack_id"},
    {"stack__name", VR_FILTER_TEXT, "st.name"},
};

#define APP_JOINS                                                                                  \
    " LEFT JOIN buildpacks bp ON bp.id = a.buildpack_id LEFT JOIN stacks st ON st.id = a.stack_id"

const struct vr_shape vr_shape_apps = {
    .table = "apps a",
    .from = "apps a" APP_JOINS,
    .id = "a.id",
    .key = "a.name",
    .key_is_text = true,
    .app = "a.id",
    .order = "a.name",
    TABLES(app_fields, app_filters),
};

const struct vr_shape vr_shape_dashboard_apps = {
    .from = "dashboard_apps x JOIN apps a ON a.id = x.app_id" APP_JOINS,
    .id = "a.id",
    .order = "a.name",
    .fields = app_fields,
    .field_count = VR_COUNT(app_fields),
};

/* --- buildpacks --- */

static const struct vr_shape_field buildpack_fields[] = {
    {"id", "b.id", vr_write_int},
    {"repo_url", VR_SQL_SHOWN_URL("b"), vr_write_text},
    {"repo_type", "b.repo_type", vr_write_text},
    {"desc", "b.description", vr_write_text},
    {"order", "b.ord", vr_write_int},
    {"resource_uri", "'/api/v1/buildpacks/' || b.id || '/'", vr_write_text},
    {"row_version", "b.row_version", vr_write_int},
};

static const struct vr_shape_filter buildpack_filters[] = {
    {"id", VR_FILTER_INT, "b.id"},
    {"repo_url", VR_FILTER_TEXT, VR_SQL_SHOWN_URL("b")},
    {"repo_type", VR_FILTER_TEXT, "b.repo_type"},
};

const struct vr_shape vr_shape_buildpacks = {
    .from = "buildpacks b",
    .id = "b.id",
    .order = "b.ord, b.id",
    TABLES(buildpack_fields, buildpack_filters),
};

/* --- ingredients --- */

static const struct vr_shape_field swarm_uri_fields[] = {
    {"", "'/api/v1/swarms/' || x.swarm_id || '/'", vr_write_text},
};

static const struct vr_shape swarm_uris = {
    .from = "swarm_ingredients x",
    .id = "x.swarm_id",
    .order = "x.swarm_id",
    .fields = swarm_uri_fields,
    .field_count = VR_COUNT(swarm_uri_fields),
};

/* Entries of secrets: who set which when. What they refer to is nobody's business. */
static void write_entries(struct vr_buf *out, struct vr_str text)
{
    vr_auto_json json_t *entries = NULL;
    vr_auto_free char *shown = NULL;
    const char *name;
    json_t *entry;

    if (text.n <= 2 || vr_json_parse(text, VR_JSON_BYTES, &entries, NULL) < 0) {
        vr_buf_add(out, "{}");
        return;
    }
    json_object_foreach (entries, name, entry)
        json_object_del(entry, VR_SECRET_KEY);
    shown = vr_json_dump_sorted(entries);
    vr_buf_add(out, shown);
}

/* Columns: those of the config, those of the environment. */
static void write_secrets(struct vr_buf *out, struct vr_db_rows *rows, int column,
                          struct vr_wall now)
{
    vr_buf_add(out, "{\"config\":");
    write_entries(out, vr_db_str(rows, column));
    vr_buf_add(out, ",\"env\":");
    write_entries(out, vr_db_str(rows, column + 1));
    vr_buf_addc(out, '}');
}

#define OUTDATED "(CASE WHEN " VR_SQL_OUTDATED("s", "cr") " THEN 1 ELSE 0 END)"

static const struct vr_shape_field usage_fields[] = {
    {"swarm", "'/api/v1/swarms/' || s.id || '/'", vr_write_text},
    {"name", "a.name || '-' || s.config_name || '-' || s.proc_name", vr_write_text},
    {"outdated", OUTDATED, vr_write_bool},
};

static const struct vr_shape usage_of_ingredient = {
    .from = "swarm_ingredients x JOIN swarms s ON s.id = x.swarm_id JOIN apps a ON a.id = s.app_id"
            " LEFT JOIN rollouts cr ON cr.id = s.current_rollout",
    .id = "s.id",
    .order = "s.id",
    .fields = usage_fields,
    .field_count = VR_COUNT(usage_fields),
};

static const struct vr_shape_field ingredient_fields[] = {
    {"id", "i.id", vr_write_int},
    {"name", "i.name", vr_write_text},
    {"config_yaml", "i.config_yaml", vr_write_text},
    {"env_yaml", "i.env_yaml", vr_write_text},
    {"secrets", "i.secret_config_json, i.secret_env_json", write_secrets, .columns = 2},
    {"swarms", .children = &swarm_uris, .link = "x.ingredient_id"},
    {"usage", .children = &usage_of_ingredient, .link = "x.ingredient_id"},
    {"resource_uri", "'/api/v1/ingredients/' || i.id || '/'", vr_write_text},
    {"row_version", "i.row_version", vr_write_int},
};

static const struct vr_shape_filter ingredient_filters[] = {
    {"id", VR_FILTER_INT, "i.id"},
    {"name", VR_FILTER_TEXT, "i.name"},
    {"config_yaml", VR_FILTER_TEXT, "i.config_yaml"},
    {"env_yaml", VR_FILTER_TEXT, "i.env_yaml"},
};

const struct vr_shape vr_shape_ingredients = {
    .from = "ingredients i",
    .id = "i.id",
    .order = "i.name",
    TABLES(ingredient_fields, ingredient_filters),
};

/* --- squads --- */

static const struct vr_shape_field squad_fields[] = {
    {"id", "q.id", vr_write_int},
    {"name", "q.name", vr_write_text},
    {"hosts", .children = &vr_shape_hosts, .link = "h.squad_id"},
    {"resource_uri", "'/api/v1/squads/' || q.name || '/'", vr_write_text},
    {"row_version", "q.row_version", vr_write_int},
};

#define HOSTS_OF_SQUAD "EXISTS (SELECT 1 FROM hosts fh WHERE fh.squad_id = q.id AND "

static const struct vr_shape_filter squad_filters[] = {
    {"id", VR_FILTER_INT, "q.id"},
    {"name", VR_FILTER_TEXT, "q.name"},
    {"hosts", VR_FILTER_ID, "fh.id", HOSTS_OF_SQUAD, ")"},
    {"hosts__name", VR_FILTER_TEXT, "fh.name", HOSTS_OF_SQUAD, ")"},
    {"hosts__active", VR_FILTER_BOOL, "fh.active", HOSTS_OF_SQUAD, ")"},
};

const struct vr_shape vr_shape_squads = {
    .from = "squads q",
    .id = "q.id",
    .key = "q.name",
    .key_is_text = true,
    .order = "q.name",
    TABLES(squad_fields, squad_filters),
};

/* --- balancers --- */

static const struct vr_shape_field host_uri_fields[] = {
    {"", "'/api/v1/hosts/' || h.name || '/'", vr_write_text},
};

static const struct vr_shape host_uris = {
    .from = "balancer_hosts x JOIN hosts h ON h.id = x.host_id",
    .id = "h.id",
    .order = "h.name",
    .fields = host_uri_fields,
    .field_count = VR_COUNT(host_uri_fields),
};

static const struct vr_shape_field balancer_fields[] = {
    {"id", "b.id", vr_write_int},
    {"name", "b.name", vr_write_text},
    {"driver", "b.driver", vr_write_text},
    {"options", "b.options_json", vr_write_json},
    {"hosts", .children = &host_uris, .link = "x.balancer_id"},
    {"resource_uri", "'/api/v1/balancers/' || b.name || '/'", vr_write_text},
    {"row_version", "b.row_version", vr_write_int},
};

static const struct vr_shape_filter balancer_filters[] = {
    {"id", VR_FILTER_INT, "b.id"},
    {"name", VR_FILTER_TEXT, "b.name"},
    {"driver", VR_FILTER_TEXT, "b.driver"},
};

const struct vr_shape vr_shape_balancers = {
    .from = "balancers b",
    .id = "b.id",
    .key = "b.name",
    .key_is_text = true,
    .order = "b.name",
    TABLES(balancer_fields, balancer_filters),
};

/* --- swarms --- */

static const struct vr_shape_field ingredient_uri_fields[] = {
    {"", "'/api/v1/ingredients/' || i.id || '/'", vr_write_text},
};

static const struct vr_shape ingredient_uris = {
    .from = "swarm_ingredients x JOIN ingredients i ON i.id = x.ingredient_id",
    .id = "i.id",
    .order = "i.name",
    .fields = ingredient_uri_fields,
    .field_count = VR_COUNT(ingredient_uri_fields),
};

static const struct vr_shape_field open_rollout_fields[] = {
    {"id", "o.id", vr_write_text},       {"kind", "o.kind", vr_write_text},
    {"state", "o.state", vr_write_text}, {"phase", "o.phase", vr_write_text},
    {"step", "o.step", vr_write_text},   {"tag", "o.tag", vr_write_text},
};

static const struct vr_shape open_rollouts = {
    .from = "rollouts o",
    .id = "o.seq",
    .where = "o.state IN ('active', 'queued')",
    .order = "o.state",
    .fields = open_rollout_fields,
    .field_count = VR_COUNT(open_rollout_fields),
};

/* All fields of the policy, from those that are stored because they are not default. */
static void write_policy(struct vr_buf *out, struct vr_db_rows *rows, int column,
                         struct vr_wall now)
{
    struct vr_policy policy = vr_policy_default();
    vr_auto_json json_t *stored = NULL;
    struct vr_str text = vr_db_str(rows, column);

    if (text.n > strlen("{}") && vr_json_parse(text, VR_JSON_BYTES, &stored, NULL) == 0)
        vr_ignore(vr_policy_merge(&policy, stored, NULL), "what is stored was checked");
    vr_policy_add_full(out, &policy);
}

static const struct vr_shape_field swarm_fields[] = {
    {"id", "s.id", vr_write_int},
    {"resource_uri", "'/api/v1/swarms/' || s.id || '/'", vr_write_text},
    {"app", "'/api/v1/apps/' || a.name || '/'", vr_write_text},
    {"squad", "'/api/v1/squads/' || q.name || '/'", vr_write_text},
    {"release", "'/api/v1/releases/' || cr.release_id || '/'", vr_write_text},
    {"version", "s.tag", vr_write_text},
    {"config_name", "s.config_name", vr_write_text},
    {"proc_name", "s.proc_name", vr_write_text},
    {"run_as", "s.run_as", vr_write_text},
    {"mem_limit", "s.mem_limit", vr_write_text},
    {"memsw_limit", "s.memsw_limit", vr_write_text},
    {"pool", "s.pool", vr_write_text},
    {"balancer", "b.name", vr_write_text},
    {"size", "s.size", vr_write_int},
    {"config_yaml", "s.config_yaml", vr_write_text},
    {"env_yaml", "s.env_yaml", vr_write_text},
    {"secrets", "s.secret_config_json, s.secret_env_json", write_secrets, .columns = 2},
    {"volumes", "s.volumes_json", vr_write_list},
    {"config_ingredients", .children = &ingredient_uris, .link = "x.swarm_id"},
    {"compiled_config", "s.merged_config_json", vr_write_json},
    {"compiled_env", "s.merged_env_json", vr_write_json},
    {"shortname", "a.name || '-' || s.tag || '-' || s.config_name || '-' || s.proc_name",
     vr_write_text},
    {"app_name", "a.name", vr_write_text},
    {"squad_name", "q.name", vr_write_text},
    {"procs", .children = &vr_shape_procs, .link = "p.swarm_id"},
    {"procs_uri", "'/api/v1/swarms/' || s.id || '/procs/'", vr_write_text},
    {"policy", "s.policy_json", write_policy},
    {"paused", "s.paused", vr_write_bool},
    {"current_rollout", "s.current_rollout", vr_write_text},
    {"running_version", "cr.tag", vr_write_text},
    {"outdated", OUTDATED, vr_write_bool},
    {"open_rollouts", .children = &open_rollouts, .link = "o.swarm_id"},
    {"row_version", "s.row_version", vr_write_int},
};

#define HOSTS_OF_SWARM "EXISTS (SELECT 1 FROM hosts fh WHERE fh.squad_id = s.squad_id AND "
#define INGREDIENTS_OF_SWARM                                                                       \
    "EXISTS (SELECT 1 FROM swarm_ingredients fx JOIN ingredients fi ON fi.id = fx.ingredient_id"   \
    " WHERE fx.swarm_id = s.id AND "

static const struct vr_shape_filter swarm_filters[] = {
    {"id", VR_FILTER_INT, "s.id"},
    {"app", VR_FILTER_ID, "s.app_id"},
    {"app__id", VR_FILTER_INT, "s.app_id"},
    {"app__name", VR_FILTER_TEXT, "a.name"},
    VR_FILTERS_OF_APP("app"),
    {"squad", VR_FILTER_ID, "s.squad_id"},
    {"squad__id", VR_FILTER_INT, "s.squad_id"},
    {"squad__name", VR_FILTER_TEXT, "q.name"},
    {"squad__hosts__name", VR_FILTER_TEXT, "fh.name", HOSTS_OF_SWARM, ")"},
    {"squad__hosts__active", VR_FILTER_BOOL, "fh.active", HOSTS_OF_SWARM, ")"},
    {"proc_name", VR_FILTER_TEXT, "s.proc_name"},
    {"config_name", VR_FILTER_TEXT, "s.config_name"},
    {"pool", VR_FILTER_TEXT, "s.pool"},
    {"balancer", VR_FILTER_TEXT, "b.name"},
    {"version", VR_FILTER_TEXT, "s.tag"},
    {"release", VR_FILTER_ID, "cr.release_id"},
    {"running_version", VR_FILTER_TEXT, "cr.tag"},
    {"outdated", VR_FILTER_BOOL, OUTDATED},
    {"config_ingredients", VR_FILTER_ID, "fi.id", INGREDIENTS_OF_SWARM, ")"},
    {"config_ingredients__id", VR_FILTER_INT, "fi.id", INGREDIENTS_OF_SWARM, ")"},
    {"config_ingredients__name", VR_FILTER_TEXT, "fi.name", INGREDIENTS_OF_SWARM, ")"},
};

const struct vr_shape vr_shape_swarms = {
    .table = "swarms s",
    .from = "swarms s JOIN apps a ON a.id = s.app_id JOIN squads q ON q.id = s.squad_id"
            " LEFT JOIN balancers b ON b.id = s.balancer_id"
            " LEFT JOIN rollouts cr ON cr.id = s.current_rollout",
    .id = "s.id",
    .app = "s.app_id",
    .order = "a.name, s.config_name, s.proc_name, s.id",
    TABLES(swarm_fields, swarm_filters),
};

/* --- users and tokens --- */

static const struct vr_shape_field grant_fields[] = {
    {"app", "'/api/v1/apps/' || a.name || '/'", vr_write_text},
    {"role", "g.role", vr_write_text},
};

static const struct vr_shape grant_shape = {
    .from = "grants g JOIN apps a ON a.id = g.app_id",
    .id = "g.id",
    .order = "a.name",
    .fields = grant_fields,
    .field_count = VR_COUNT(grant_fields),
};

/* Others see who there is and may help them, no more. */
static const struct vr_shape_field user_fields[] = {
    {"id", "u.id", vr_write_int},
    {"username", "u.username", vr_write_text},
    {"first_name", "u.first_name", vr_write_text, .is_private = true},
    {"last_name", "u.last_name", vr_write_text, .is_private = true},
    {"last_login", "u.last_login_us", vr_write_naive, .is_private = true},
    {"date_joined", "u.joined_us", vr_write_naive, .is_private = true},
    {"profile", .children = &vr_shape_profiles, .single = true, .link = "f.user_id",
     .is_private = true},
    {"resource_uri", "'/api/v1/user/' || u.id || '/'", vr_write_text},
    {"email", "u.email", vr_write_text, .detail = true, .is_private = true},
    {"role", "u.role", vr_write_text, .detail = true},
    {"grants", .children = &grant_shape, .link = "g.user_id", .detail = true, .is_private = true},
    {"is_active", "u.is_active", vr_write_bool, .detail = true},
    {"must_change_password", "u.must_change_password", vr_write_bool, .detail = true,
     .is_private = true},
    {"row_version", "u.row_version", vr_write_int, .detail = true},
};

static const struct vr_shape_filter user_filters[] = {
    {"id", VR_FILTER_INT, "u.id"},
    {"username", VR_FILTER_TEXT, "u.username"},
    {"role", VR_FILTER_TEXT, "u.role"},
    {"is_active", VR_FILTER_BOOL, "u.is_active"},
};

const struct vr_shape vr_shape_users = {
    .from = "users u",
    .id = "u.id",
    .owner = "u.id",
    .order = "u.id",
    TABLES(user_fields, user_filters),
};

const struct vr_shape vr_shape_log_users = {
    .from = "log_entries g JOIN users u ON u.id = g.user_id",
    .id = "u.id",
    .owner = "u.id",
    .order = "u.id",
    .fields = user_fields,
    .field_count = VR_COUNT(user_fields),
};

static const struct vr_shape_field token_fields[] = {
    {"id", "t.id", vr_write_int},
    {"name", "t.name", vr_write_text},
    {"user", "'/api/v1/user/' || t.user_id || '/'", vr_write_text},
    {"username", "u.username", vr_write_text},
    {"role", "t.role", vr_write_text},
    {"app", "'/api/v1/apps/' || a.name || '/'", vr_write_text},
    {"created", "t.created_us", vr_write_utc},
    {"expires", "t.expires_us", vr_write_utc},
    {"last_used", "t.last_used_us", vr_write_utc},
    {"resource_uri", "'/api/v1/tokens/' || t.id || '/'", vr_write_text},
};

static const struct vr_shape_filter token_filters[] = {
    {"name", VR_FILTER_TEXT, "t.name"},
    {"user", VR_FILTER_INT, "t.user_id"},
    {"user__username", VR_FILTER_TEXT, "u.username"},
    {"app", VR_FILTER_INT, "t.app_id"},
    {"app__name", VR_FILTER_TEXT, "a.name"},
};

const struct vr_shape vr_shape_tokens = {
    .table = "tokens t",
    .from = "tokens t JOIN users u ON u.id = t.user_id LEFT JOIN apps a ON a.id = t.app_id",
    .id = "t.id",
    .owner = "t.user_id",
    .order = "t.id",
    TABLES(token_fields, token_filters),
};
