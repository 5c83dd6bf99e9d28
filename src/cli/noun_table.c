/* SPDX-License-Identifier: MIT */
/* The nouns of the API as data. */
#include "cli/noun.h"

#include "core/own.h"

static const struct vr_field app_fields[] = {
    {"name", NULL, VR_FIELD_TEXT, NULL, "NAME", "another name"},
    {"repo_url", NULL, VR_FIELD_TEXT, NULL, "URL", "where its code is"},
    {"repo_type", NULL, VR_FIELD_TEXT, NULL, "git|hg", "how to fetch it"},
    {"buildpack", NULL, VR_FIELD_REF, "buildpack", "BUILDPACK",
     "use this one; else it is detected"},
    {"stack", NULL, VR_FIELD_REF, "stack", "STACK", "what its procs find around them"},
};

static const struct vr_column app_columns[] = {
    {"NAME", "name"},           {"REPOSITORY", "repo_url"}, {"TYPE", "repo_type"},
    {"BUILDPACK", "buildpack"}, {"STACK", "stack", true},
};

static const struct vr_field buildpack_fields[] = {
    {"repo_url", NULL, VR_FIELD_TEXT, NULL, "URL", "where it is"},
    {"repo_type", NULL, VR_FIELD_TEXT, NULL, "git|hg", "how to fetch it"},
    {"desc", NULL, VR_FIELD_TEXT, NULL, "TEXT", "what it is for"},
    {"order", NULL, VR_FIELD_INT, NULL, "N", "lower ones are asked first whether they fit"},
};

static const struct vr_column buildpack_columns[] = {
    {"ID", "id"},          {"ORDER", "order"},      {"REPOSITORY", "repo_url"},
    {"TYPE", "repo_type"}, {"DESCRIPTION", "desc"},
};

static const struct vr_field squad_fields[] = {
    {"name", NULL, VR_FIELD_TEXT, NULL, "NAME", "another name"},
    {"hosts", NULL, VR_FIELD_REFS, "host", "HOST,…", "its hosts, all of them"},
};

static const struct vr_column squad_columns[] = {
    {"NAME", "name"},
    {"HOSTS", "hosts"},
};

static const struct vr_field host_fields[] = {
    {"active", NULL, VR_FIELD_BOOL, NULL, "yes|no", "whether new procs are placed there"},
    {"squad", NULL, VR_FIELD_REF, "squad", "SQUAD", "the squad it belongs to"},
    {"address", NULL, VR_FIELD_TEXT, NULL, "IP", "where balancers reach its procs"},
};

static const struct vr_column host_columns[] = {
    {"NAME", "name"},
    {"STATE", "state", .state = true},
    {"SQUAD", "squad"},
    {"ADDRESS", "address"},
    {"ACTIVE", "active"},
    {"PROCS", "procs.#"},
    {"VERSION", "agent_version", true},
    {"SEEN", "last_seen", true},
};

static const struct vr_field ingredient_fields[] = {
    {"name", NULL, VR_FIELD_TEXT, NULL, "NAME", "another name"},
    {"config_yaml", "config", VR_FIELD_YAML, NULL, "FILE",
     "configuration, YAML; - is standard input"},
    {"env_yaml", "env-file", VR_FIELD_YAML, NULL, "FILE", "environment, YAML; - is standard input"},
};

static const struct vr_column ingredient_columns[] = {
    {"ID", "id"},
    {"NAME", "name"},
    {"SWARMS", "swarms.#"},
};

static const struct vr_field swarm_fields[] = {
    {"app", NULL, VR_FIELD_REF, "app", "APP", NULL},
    {"config_name", NULL, VR_FIELD_TEXT, NULL, "NAME", NULL},
    {"proc_name", NULL, VR_FIELD_TEXT, NULL, "NAME", NULL},
    {"squad", NULL, VR_FIELD_REF, "squad", "SQUAD", "the hosts it runs on"},
    {"version", "tag", VR_FIELD_TEXT, NULL, "TAG", "tag of the code; acts with the next rollout"},
    {"size", NULL, VR_FIELD_INT, NULL, "N", "number of procs"},
    {"pool", NULL, VR_FIELD_TEXT, NULL, "POOL", "the pool that its procs serve"},
    {"balancer", NULL, VR_FIELD_TEXT, NULL, "BALANCER", "the balancer that has the pool"},
    {"config_ingredients", "ingredients", VR_FIELD_REFS, "ingredient", "INGREDIENT,…",
     "its ingredients, all of them"},
    {"config_yaml", "config", VR_FIELD_YAML, NULL, "FILE",
     "configuration, YAML; - is standard input"},
    {"env_yaml", "env-file", VR_FIELD_YAML, NULL, "FILE", "environment, YAML; - is standard input"},
    {"volumes", NULL, VR_FIELD_VOLUMES, NULL, "FROM:TO,…", "folders of the host that it sees"},
    {"run_as", NULL, VR_FIELD_TEXT, NULL, "USER", "user of its procs"},
    {"mem_limit", NULL, VR_FIELD_TEXT, NULL, "SIZE", "memory of a proc (256M)"},
    {"memsw_limit", NULL, VR_FIELD_TEXT, NULL, "SIZE", "memory and swap of a proc"},
};

static const struct vr_column swarm_columns[] = {
    {"ID", "id", true},
    {"APP", "app_name"},
    {"CONFIG", "config_name"},
    {"PROC", "proc_name"},
    {"TAG", "version"},
    {"SIZE", "size"},
    {"PROCS", "procs.#"},
    {"SQUAD", "squad"},
    {"POOL", "pool"},
    {"BALANCER", "balancer", true},
    {"RELEASE", "release", true},
    {"MEMORY", "mem_limit", true},
};

static const struct vr_column build_columns[] = {
    {"ID", "id"},
    {"APP", "app"},
    {"TAG", "tag"},
    {"STATUS", "status", .state = true},
    {"STARTED", "start_time"},
    {"ENDED", "end_time"},
    {"COMMIT", "commit", true},
    {"HASH", "hash", true},
};

static const struct vr_column release_columns[] = {
    {"ID", "id"},
    {"NAME", "compiled_name"},
    {"BUILD", "build"},
    {"HASH", "hash"},
};

static const struct vr_column balancer_columns[] = {
    {"NAME", "name"},
    {"DRIVER", "driver"},
    {"HOSTS", "hosts"},
};

static const struct vr_column pool_columns[] = {
    {"NAME", "name"},
    {"BALANCER", "balancer"},
    {"SWARM", "swarm_name"},
    {"NODES", "nodes"},
};

static const struct vr_field user_fields[] = {
    {"username", "name", VR_FIELD_TEXT, NULL, "NAME", "another name"},
    {"role", NULL, VR_FIELD_TEXT, NULL, "viewer|deployer|admin", "what it may do everywhere"},
    {"first_name", NULL, VR_FIELD_TEXT, NULL, "NAME", NULL},
    {"last_name", NULL, VR_FIELD_TEXT, NULL, "NAME", NULL},
    {"is_active", "active", VR_FIELD_BOOL, NULL, "yes|no", "whether it may log in"},
};

static const struct vr_column user_columns[] = {
    {"ID", "id", true},      {"NAME", "username"},         {"ROLE", "role"},
    {"ACTIVE", "is_active"}, {"LAST LOGIN", "last_login"},
};

static const struct vr_field stack_fields[] = {
    {"name", NULL, VR_FIELD_TEXT, NULL, "NAME", "another name"},
    {"desc", NULL, VR_FIELD_TEXT, NULL, "TEXT", "what it is for"},
    {"base_image_url", NULL, VR_FIELD_TEXT, NULL, "URL", "the image that its images begin with"},
};

static const struct vr_column stack_columns[] = {
    {"NAME", "name"},
    {"DESCRIPTION", "desc"},
    {"ACTIVE IMAGE", "active_image"},
    {"BASE IMAGE", "base_image_url", true},
    {"SCRIPT", "provisioning_script", true},
};

static const struct vr_column image_columns[] = {
    {"NAME", "name"},       {"STACK", "stack"},        {"ACTIVE", "active"},
    {"FILE", "file", true}, {"MD5", "file_md5", true}, {"CREATED", "created"},
};

static const struct vr_field dashboard_fields[] = {
    {"name", NULL, VR_FIELD_TEXT, NULL, "TEXT", "another title"},
    {"slug", NULL, VR_FIELD_TEXT, NULL, "SLUG", "its name in URLs"},
    {"apps", NULL, VR_FIELD_REFS, "app", "APP,…", "its apps, all of them"},
};

static const struct vr_column dashboard_columns[] = {
    {"SLUG", "slug"},
    {"NAME", "name"},
    {"APPS", "apps"},
};

#define FIELDS(table)  .fields = (table), .field_count = VR_COUNT(table)
#define COLUMNS(table) .columns = (table), .column_count = VR_COUNT(table)

/* The order of the help. A noun without fields can be listed and shown only. */
const struct vr_cli_noun vr_cli_nouns[] = {
    {"app", "Apps: repositories that are deployed", "/api/v1/apps/", "name", "name", "name",
     FIELDS(app_fields), COLUMNS(app_columns)},
    {"swarm", NULL, "/api/v1/swarms/", "id", "name", "app config_name proc_name",
     FIELDS(swarm_fields), COLUMNS(swarm_columns)},
    {"ingredient", "Ingredients: configuration that swarms share", "/api/v1/ingredients/", "id",
     "name", "name", FIELDS(ingredient_fields), COLUMNS(ingredient_columns)},
    {"buildpack", "Buildpacks: how code becomes a build", "/api/v1/buildpacks/", "id", "repo_url",
     "repo_url", FIELDS(buildpack_fields), COLUMNS(buildpack_columns)},
    {"stack", "Stacks: what procs find around them", "/api/v1/stacks/", "name", "name", "name",
     FIELDS(stack_fields), COLUMNS(stack_columns)},
    {"image", "Images: what stacks were built into", "/api/v1/images/", "id", "name", NULL,
     COLUMNS(image_columns)},
    {"squad", "Squads: groups of hosts", "/api/v1/squads/", "name", "name", "name",
     FIELDS(squad_fields), COLUMNS(squad_columns)},
    {"host", "Hosts: machines with an agent", "/api/v1/hosts/", "name", "name", "name",
     FIELDS(host_fields), COLUMNS(host_columns)},
    {"build", NULL, "/api/v1/builds/", "id", "id", NULL, COLUMNS(build_columns)},
    {"release", "Releases: builds with their configuration", "/api/v1/releases/", "id", "id", NULL,
     COLUMNS(release_columns)},
    {"balancer", "Balancers: what routes traffic", "/api/v1/balancers/", "name", "name", NULL,
     COLUMNS(balancer_columns)},
    {"pool", "Pools: the nodes that serve a name", "/api/v1/pools/", "id", "name", NULL,
     COLUMNS(pool_columns)},
    {"dashboard", "Dashboards: chosen apps on one page", "/api/v1/dashboard/", "id", "slug", "name",
     FIELDS(dashboard_fields), COLUMNS(dashboard_columns)},
    {"user", "Users: who may do what", "/api/v1/user/", "id", "username", "username",
     FIELDS(user_fields), COLUMNS(user_columns)},
};

const size_t vr_cli_noun_count = VR_COUNT(vr_cli_nouns);
