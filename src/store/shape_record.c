/* SPDX-License-Identifier: MIT */
/* Shapes of what was made and what happened: builds, releases, events, logs. */
#include "store/shape.h"

#define TABLES(f, g)                                                                               \
    .fields = (f), .field_count = VR_COUNT(f), .filters = (g), .filter_count = VR_COUNT(g)

/* --- builds --- */

static const struct vr_shape_field build_fields[] = {
    {"id", "b.id", vr_write_int},
    {"app", "'/api/v1/apps/' || a.name || '/'", vr_write_text},
    {"tag", "b.tag", vr_write_text},
    {"status", "b.status", vr_write_text},
    {"file", "'/files/' || b.file", vr_write_text},
    {"file_md5", "b.file_md5", vr_write_text},
    {"compile_log",
     "CASE WHEN b.log_bytes > 0 THEN '/files/builds/build_' || b.id || '_compile.log' END",
     vr_write_text},
    {"start_time", "b.start_us", vr_write_naive},
    {"end_time", "b.end_us", vr_write_naive},
    {"hash", "b.hash", vr_write_text},
    {"env_yaml", "b.env_yaml", vr_write_text},
    {"buildpack_url", "b.buildpack_url", vr_write_text},
    {"buildpack_version", "b.buildpack_version", vr_write_text},
    {"resource_uri", "'/api/v1/builds/' || b.id || '/'", vr_write_text},
    {"os_image", "im.name", vr_write_text},
    {"app_name", "a.name", vr_write_text},
    {"commit", "b.commit_id", vr_write_text},
    {"file_sha256", "b.file_sha256", vr_write_text},
    {"file_bytes", "b.file_bytes", vr_write_int},
    {"procfile", "b.procfile_json", vr_write_json},
    {"error", "b.error", vr_write_text},
    {"log_bytes", "b.log_bytes", vr_write_int},
    {"phase", "coalesce(j.phase, '')", vr_write_text},
    {"host", "h.name", vr_write_text},
    {"word", VR_SHAPE_BUILD_WORD},
    {"since", VR_SHAPE_BUILD_SINCE, vr_write_utc},
    {"usual_ms", VR_SHAPE_USUAL_BUILD("b"), vr_write_int},
    {"created_utc", "b.created_us", vr_write_utc},
    {"start_time_utc", "b.start_us", vr_write_utc},
    {"end_time_utc", "b.end_us", vr_write_utc},
};

static const struct vr_shape_filter build_filters[] = {
    {"id", VR_FILTER_INT, "b.id"},
    {"app", VR_FILTER_ID, "b.app_id"},
    {"app__id", VR_FILTER_INT, "b.app_id"},
    {"app__name", VR_FILTER_TEXT, "a.name"},
    VR_FILTERS_OF_APP("app"),
    {"tag", VR_FILTER_TEXT, "b.tag"},
    {"status", VR_FILTER_TEXT, "b.status"},
    {"os_image", VR_FILTER_TEXT, "im.name"},
    {"hash", VR_FILTER_TEXT, "b.hash"},
    {"commit", VR_FILTER_TEXT, "b.commit_id"},
    {"start_time", VR_FILTER_TIME, "b.start_us"},
    {"end_time", VR_FILTER_TIME, "b.end_us"},
};

const struct vr_shape vr_shape_builds = {
    .table = "builds b",
    .from = "builds b JOIN apps a ON a.id = b.app_id LEFT JOIN jobs j ON j.id = b.job_id"
            " LEFT JOIN hosts h ON h.id = j.host_id LEFT JOIN images im ON im.id = b.image_id",
    .id = "b.id",
    .app = "b.app_id",
    .order = "b.id DESC",
    TABLES(build_fields, build_filters),
};

/* --- releases --- */

static const struct vr_shape_field release_fields[] = {
    {"id", "r.id", vr_write_int},
    {"build", "'/api/v1/builds/' || r.build_id || '/'", vr_write_text},
    {"compiled_name", "a.name || '-' || b.tag || '-' || r.hash", vr_write_text},
    {"config_yaml", "r.config_yaml", vr_write_text},
    {"env_yaml", "r.env_yaml", vr_write_text},
    {"volumes", "r.volumes_json", vr_write_list},
    {"hash", "r.hash", vr_write_text},
    {"run_as", "r.run_as", vr_write_text},
    {"mem_limit", "r.mem_limit", vr_write_text},
    {"memsw_limit", "r.memsw_limit", vr_write_text},
    {"resource_uri", "'/api/v1/releases/' || r.id || '/'", vr_write_text},
    {"app_name", "a.name", vr_write_text},
    {"version", "b.tag", vr_write_text},
    {"created_utc", "r.created_us", vr_write_utc},
    {"pinned", "r.pinned", vr_write_bool},
};

static const struct vr_shape_filter release_filters[] = {
    {"id", VR_FILTER_INT, "r.id"},
    {"hash", VR_FILTER_TEXT, "r.hash"},
    {"pinned", VR_FILTER_BOOL, "r.pinned"},
    {"build", VR_FILTER_ID, "r.build_id"},
    {"build__id", VR_FILTER_INT, "r.build_id"},
    {"build__tag", VR_FILTER_TEXT, "b.tag"},
    {"build__status", VR_FILTER_TEXT, "b.status"},
    {"build__app", VR_FILTER_ID, "b.app_id"},
    {"build__app__id", VR_FILTER_INT, "b.app_id"},
    {"build__app__name", VR_FILTER_TEXT, "a.name"},
    VR_FILTERS_OF_APP("build__app"),
};

const struct vr_shape vr_shape_releases = {
    .table = "releases r",
    .from = "releases r JOIN builds b ON b.id = r.build_id JOIN apps a ON a.id = b.app_id",
    .id = "r.id",
    .app = "b.app_id",
    .order = "r.id DESC",
    TABLES(release_fields, release_filters),
};

/* --- events --- */

static const struct vr_shape_field event_fields[] = {
    {"id", "e.id", vr_write_int},
    {"time", "e.time_us", vr_write_utc},
    {"kind", "e.kind", vr_write_text},
    {"title", "e.title", vr_write_text},
    {"message", "e.message", vr_write_text},
    {"tags", "e.tags_json", vr_write_json},
    {"rollout", "e.rollout_id", vr_write_text},
    {"swarm", "'/api/v1/swarms/' || e.swarm_id || '/'", vr_write_text},
    {"proc_id", "e.proc_id", vr_write_int},
    {"host", "h.name", vr_write_text},
    {"data", "e.data_json", vr_write_json},
    {"resource_uri", "'/api/v1/events/' || e.id || '/'", vr_write_text},
};

static const struct vr_shape_filter event_filters[] = {
    {"id", VR_FILTER_INT, "e.id"},
    {"time", VR_FILTER_TIME, "e.time_us"},
    {"kind", VR_FILTER_TEXT, "e.kind"},
    {"title", VR_FILTER_TEXT, "e.title"},
    {"message", VR_FILTER_TEXT, "e.message"},
    {"tags", VR_FILTER_TEXT, "e.tags_json"},
    {"rollout", VR_FILTER_TEXT, "e.rollout_id"},
    {"swarm", VR_FILTER_ID, "e.swarm_id"},
    {"proc_id", VR_FILTER_INT, "e.proc_id"},
    {"host", VR_FILTER_TEXT, "h.name"},
};

const struct vr_shape vr_shape_events = {
    .table = "events e",
    .from = "events e LEFT JOIN hosts h ON h.id = e.host_id",
    .id = "e.id",
    .order = "e.id DESC",
    TABLES(event_fields, event_filters),
};

/* --- logs --- */

static const struct vr_shape_field log_fields[] = {
    {"id", "g.id", vr_write_int},
    {"type", "g.type", vr_write_text},
    {"time", "g.time_us", vr_write_naive},
    {"message", "g.message", vr_write_text},
    {"user", .children = &vr_shape_log_users, .single = true, .link = "g.id"},
    {"resource_uri", "'/api/v1/logs/' || g.id || '/'", vr_write_text},
    {"time_utc", "g.time_us", vr_write_utc},
    {"remote", "g.remote", vr_write_text},
    {"username", "g.username", vr_write_text},
    {"via", "g.via", vr_write_text},
    {"resource", "g.resource", vr_write_text},
    {"object_id", "g.object_id", vr_write_int},
    {"object_name", "g.object_name", vr_write_text},
    {"app", "g.app_name", vr_write_text},
    {"rollout", "g.rollout_id", vr_write_text},
    {"detail", "g.detail", vr_write_text},
};

static const struct vr_shape_filter log_filters[] = {
    {"id", VR_FILTER_INT, "g.id"},
    {"type", VR_FILTER_TEXT, "g.type"},
    {"time", VR_FILTER_TIME, "g.time_us"},
    {"message", VR_FILTER_TEXT, "g.message"},
    {"user", VR_FILTER_ID, "g.user_id"},
    {"user__id", VR_FILTER_INT, "g.user_id"},
    {"user__username", VR_FILTER_TEXT, "u.username"},
    {"username", VR_FILTER_TEXT, "g.username"},
    {"via", VR_FILTER_TEXT, "g.via"},
    {"remote", VR_FILTER_TEXT, "g.remote"},
    {"resource", VR_FILTER_TEXT, "g.resource"},
    {"object", VR_FILTER_INT, "g.object_id"},
    {"object_name", VR_FILTER_TEXT, "g.object_name"},
    {"app", VR_FILTER_TEXT, "g.app_name"},
    {"rollout", VR_FILTER_TEXT, "g.rollout_id"},
    {"detail", VR_FILTER_TEXT, "g.detail"},
};

const struct vr_shape vr_shape_logs = {
    .table = "log_entries g",
    .from = "log_entries g LEFT JOIN users u ON u.id = g.user_id",
    .id = "g.id",
    .order = "g.id DESC",
    TABLES(log_fields, log_filters),
};
