/* SPDX-License-Identifier: MIT */
/* Shapes of what runs: hosts, procs, pools, rollouts, commands. */
#include "fmt/json.h"
#include "store/shape.h"

#define TABLES(f, g)                                                                               \
    .fields = (f), .field_count = VR_COUNT(f), .filters = (g), .filter_count = VR_COUNT(g)

/* --- procs: the supervisor's words, and ours --- */

static void write_supervisor_time(struct vr_buf *out, int64_t us)
{
    char text[VR_WALL_TEXT_BYTES];

    if (!us) {
        vr_buf_add(out, "null");
        return;
    }
    vr_wall_format((struct vr_wall){us - us % VR_US_PER_S}, true, text); /* whole seconds */
    vr_buf_addc(out, '"');
    vr_buf_add(out, text);
    vr_buf_add(out, "+00:00\"");
}

static void write_offset_time(struct vr_buf *out, struct vr_db_rows *rows, int column,
                              struct vr_wall now)
{
    write_supervisor_time(out, vr_db_i64(rows, column));
}

static void write_now(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    write_supervisor_time(out, now.us);
}

static void write_state(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    vr_shape_int(out, vr_proc_state_of(vr_db_text(rows, column))->number);
}

static void write_statename(struct vr_buf *out, struct vr_db_rows *rows, int column,
                            struct vr_wall now)
{
    vr_shape_quote(out, vr_str(vr_proc_state_of(vr_db_text(rows, column))->name));
}

static void add_two_digits(struct vr_buf *out, int64_t value)
{
    vr_buf_addc(out, ':');
    vr_buf_addc(out, (char)('0' + value / 10));
    vr_buf_addc(out, (char)('0' + value % 10));
}

/* Columns: actual, pid, running_us, message. */
static void write_description(struct vr_buf *out, struct vr_db_rows *rows, int column,
                              struct vr_wall now)
{
    int64_t since = vr_db_i64(rows, column + 2);
    int64_t up = since && now.us > since ? (now.us - since) / VR_US_PER_S : 0;

    if (!vr_streq(vr_db_text(rows, column), "running")) {
        vr_shape_quote(out, vr_db_str(rows, column + 3));
        return;
    }
    vr_buf_add(out, "\"pid ");
    vr_shape_int(out, vr_db_i64(rows, column + 1));
    vr_buf_add(out, ", uptime ");
    vr_shape_int(out, up / 3600);
    add_two_digits(out, up / 60 % 60);
    add_two_digits(out, up % 60);
    vr_buf_addc(out, '"');
}

static void write_exit_status(struct vr_buf *out, struct vr_db_rows *rows, int column,
                              struct vr_wall now)
{
    vr_auto_json json_t *exit = NULL;
    struct vr_str text = vr_db_str(rows, column);

    if (text.n > 2)
        vr_ignore(vr_json_parse(text, VR_JSON_BYTES, &exit, NULL), "then it is 0");
    vr_shape_int(out, json_integer_value(json_object_get(exit, "code")));
}

/* Columns: actual, message. */
static void write_spawn_error(struct vr_buf *out, struct vr_db_rows *rows, int column,
                              struct vr_wall now)
{
    if (vr_streq(vr_db_text(rows, column), "fatal"))
        vr_shape_quote(out, vr_db_str(rows, column + 1));
    else
        vr_buf_add(out, "\"\"");
}

#define LOG_FILE "'/apps/procs/' || p.name || '/log'"

static const struct vr_shape_field proc_fields[] = {
    {"app_name", "a.name", vr_write_text},
    {"config_name", "p.config_name", vr_write_text},
    {"description", "p.actual, p.pid, p.running_us, p.message", write_description, .columns = 4},
    {"exitstatus", "p.exit_json", write_exit_status},
    {"group", "p.name", vr_write_text},
    {"hash", "r.hash", vr_write_text},
    {"host", "h.name", vr_write_text},
    {"id", "h.name || '-' || p.name", vr_write_text},
    {"jsname", "replace(p.name, '.', 'dot')", vr_write_text},
    {"logfile", LOG_FILE, vr_write_text},
    {"name", "p.name", vr_write_text},
    {"now", "0", write_now},
    {"pid", "p.pid", vr_write_int},
    {"port", "p.port", vr_write_int},
    {"proc_name", "p.proc_name", vr_write_text},
    {"spawnerr", "p.actual, p.message", write_spawn_error, .columns = 2},
    {"start_time", "p.running_us", write_offset_time},
    {"state", "p.actual", write_state},
    {"statename", "p.actual", write_statename},
    {"stderr_logfile", "''", vr_write_text},
    {"stdout_logfile", LOG_FILE, vr_write_text},
    {"stop_time", "p.stopped_us", write_offset_time},
    {"version", "b.tag", vr_write_text},
    {"proc_id", "p.id", vr_write_int},
    {"swarm", "'/api/v1/swarms/' || p.swarm_id || '/'", vr_write_text},
    {"rollout", "p.rollout_id", vr_write_text},
    {"release", "'/api/v1/releases/' || p.release_id || '/'", vr_write_text},
    {"desired", "p.desired", vr_write_text},
    {"actual", "p.actual", vr_write_text},
    {"word", VR_SHAPE_PROC_WORD},
    {"since", "p.since_us", vr_write_utc},
    {"tested", "p.tested", vr_write_text},
    {"tested_at", "p.tested_us", vr_write_utc},
    {"testresults", "p.test_json", vr_write_json, .detail = true},
    {"admitted", "p.admitted", vr_write_bool},
    {"unhealthy_since", "p.unhealthy_us", vr_write_utc},
    {"epoch", "p.epoch", vr_write_int},
    {"restarts", "p.restarts", vr_write_int},
    {"message", "p.message", vr_write_text},
    {"code", "p.code", vr_write_text},
    {"log_tail", "p.log_tail", vr_write_text, .detail = true},
    {"exit", "p.exit_json", vr_write_json, .detail = true},
    {"usage", "p.usage_json", vr_write_json},
    {"stale", "CASE WHEN h.state = 'live' THEN 0 ELSE 1 END", vr_write_bool},
    {"host_ok", "CASE WHEN h.state = 'live' AND h.active = 1 THEN 1 ELSE 0 END", vr_write_bool},
    {"host_state", "h.state", vr_write_text},
};

static const struct vr_shape_filter proc_filters[] = {
    {"proc_id", VR_FILTER_INT, "p.id"},
    {"name", VR_FILTER_TEXT, "p.name"},
    {"app_name", VR_FILTER_TEXT, "a.name"},
    {"version", VR_FILTER_TEXT, "b.tag"},
    {"config_name", VR_FILTER_TEXT, "p.config_name"},
    {"proc_name", VR_FILTER_TEXT, "p.proc_name"},
    {"hash", VR_FILTER_TEXT, "r.hash"},
    {"host", VR_FILTER_TEXT, "h.name"},
    {"port", VR_FILTER_INT, "p.port"},
    {"swarm", VR_FILTER_ID, "p.swarm_id"},
    {"rollout", VR_FILTER_TEXT, "p.rollout_id"},
    {"desired", VR_FILTER_TEXT, "p.desired"},
    {"actual", VR_FILTER_TEXT, "p.actual"},
    {"tested", VR_FILTER_TEXT, "p.tested"},
    {"admitted", VR_FILTER_BOOL, "p.admitted"},
};

const struct vr_shape vr_shape_procs = {
    .table = "procs p",
    .from = "procs p JOIN hosts h ON h.id = p.host_id JOIN releases r ON r.id = p.release_id"
            " JOIN builds b ON b.id = r.build_id JOIN apps a ON a.id = b.app_id",
    .id = "p.id",
    .where = VR_PROC_LIVE("p"),
    .app = "b.app_id",
    .order = "p.id",
    TABLES(proc_fields, proc_filters),
};

/* --- hosts --- */

static const struct vr_shape_field host_fields[] = {
    {"id", "h.id", vr_write_int},
    {"name", "h.name", vr_write_text},
    {"active", "h.active", vr_write_bool},
    {"squad", "'/api/v1/squads/' || q.name || '/'", vr_write_text},
    {"procs", .children = &vr_shape_procs, .link = "p.host_id"},
    {"procs_uri", "'/api/v1/hosts/' || h.name || '/procs/'", vr_write_text},
    {"resource_uri", "'/api/v1/hosts/' || h.name || '/'", vr_write_text},
    {"address", "h.address", vr_write_text},
    {"roles", "h.roles", vr_write_json},
    {"state", "h.state", vr_write_text},
    {"state_since", "h.state_us", vr_write_utc},
    {"last_seen", "h.last_seen_us", vr_write_utc},
    {"session", "h.session", vr_write_int},
    {"agent_version", "h.agent_version", vr_write_text},
    {"boot_id", "h.boot_id", vr_write_text},
    {"facts", "h.facts_json", vr_write_json},
    {"usage", "h.usage_json", vr_write_json},
    {"row_version", "h.row_version", vr_write_int},
};

static const struct vr_shape_filter host_filters[] = {
    {"id", VR_FILTER_INT, "h.id"},           {"name", VR_FILTER_TEXT, "h.name"},
    {"active", VR_FILTER_BOOL, "h.active"},  {"state", VR_FILTER_TEXT, "h.state"},
    {"squad", VR_FILTER_ID, "h.squad_id"},   {"squad__name", VR_FILTER_TEXT, "q.name"},
    {"address", VR_FILTER_TEXT, "h.address"}};

const struct vr_shape vr_shape_hosts = {
    .table = "hosts h",
    .from = "hosts h LEFT JOIN squads q ON q.id = h.squad_id",
    .id = "h.id",
    .key = "h.name",
    .key_is_text = true,
    .order = "h.name",
    TABLES(host_fields, host_filters),
};

/* --- pools --- */

static const struct vr_shape_field pool_host_fields[] = {
    {"host", "h.name", vr_write_text},
    {"host_state", "h.state", vr_write_text},
    {"applied", "coalesce(x.applied, 0)", vr_write_int},
    {"confirmed", "coalesce(x.confirmed, 0)", vr_write_int},
    {"error", "coalesce(x.error, '')", vr_write_text},
    {"nodes", "coalesce(x.nodes_json, '[]')", vr_write_json},
    {"reported", "x.reported_us", vr_write_utc},
};

static const struct vr_shape pool_hosts = {
    .from = "pools o JOIN balancer_hosts bh ON bh.balancer_id = o.balancer_id"
            " JOIN hosts h ON h.id = bh.host_id"
            " LEFT JOIN pool_hosts x ON x.pool_id = o.id AND x.host_id = h.id",
    .id = "h.id",
    .order = "h.name",
    .fields = pool_host_fields,
    .field_count = VR_COUNT(pool_host_fields),
};

static const struct vr_shape_field pool_fields[] = {
    {"id", "l.id", vr_write_int},
    {"name", "l.name", vr_write_text},
    {"balancer", "b.name", vr_write_text},
    {"swarm", "'/api/v1/swarms/' || l.swarm_id || '/'", vr_write_text},
    {"swarm_name",
     "(SELECT a.name || '-' || s.config_name || '-' || s.proc_name FROM swarms s"
     " JOIN apps a ON a.id = s.app_id WHERE s.id = l.swarm_id)",
     vr_write_text},
    {"nodes", "(SELECT count(*) FROM procs p WHERE p.pool_id = l.id AND p.admitted = 1)",
     vr_write_int},
    {"generation", "l.generation", vr_write_int},
    {"members", "l.members_json", vr_write_json},
    {"hosts", .children = &pool_hosts, .link = "o.id"},
    {"resource_uri", "'/api/v1/pools/' || l.id || '/'", vr_write_text},
};

static const struct vr_shape_filter pool_filters[] = {
    {"id", VR_FILTER_INT, "l.id"},
    {"name", VR_FILTER_TEXT, "l.name"},
    {"balancer", VR_FILTER_TEXT, "b.name"},
    {"swarm", VR_FILTER_ID, "l.swarm_id"},
};

const struct vr_shape vr_shape_pools = {
    .table = "pools l",
    .from = "pools l JOIN balancers b ON b.id = l.balancer_id",
    .id = "l.id",
    .order = "b.name, l.name",
    TABLES(pool_fields, pool_filters),
};

/* --- rollouts --- */

static const struct vr_shape_field step_fields[] = {
    {"step", "t.step", vr_write_text},       {"host", "t.host", vr_write_text},
    {"proc", "t.proc", vr_write_text},       {"message", "t.message", vr_write_text},
    {"started", "t.start_us", vr_write_utc}, {"ended", "t.end_us", vr_write_utc},
};

static const struct vr_shape steps = {
    .from = "rollout_steps t JOIN rollouts o ON o.id = t.rollout_id",
    .id = "t.id",
    .order = "t.id",
    .fields = step_fields,
    .field_count = VR_COUNT(step_fields),
};

static const struct vr_shape_field placed_fields[] = {
    {"proc_id", "p.id", vr_write_int},       {"name", "p.name", vr_write_text},
    {"host", "h.name", vr_write_text},       {"port", "p.port", vr_write_int},
    {"actual", "p.actual", vr_write_text},   {"word", VR_SHAPE_PROC_WORD},
    {"since", "p.since_us", vr_write_utc},   {"desired", "p.desired", vr_write_text},
    {"tested", "p.tested", vr_write_text},   {"admitted", "p.admitted", vr_write_bool},
    {"message", "p.message", vr_write_text},
};

static const struct vr_shape placed = {
    .from = "procs p JOIN rollouts o ON o.id = p.rollout_id JOIN hosts h ON h.id = p.host_id",
    .id = "p.id",
    .order = "p.id",
    .fields = placed_fields,
    .field_count = VR_COUNT(placed_fields),
};

static const struct vr_shape_field rollout_fields[] = {
    {"id", "k.id", vr_write_text},
    {"swarm", "'/api/v1/swarms/' || k.swarm_id || '/'", vr_write_text},
    {"swarm_name", "a.name || '-' || k.config_name || '-' || k.proc_name", vr_write_text},
    {"kind", "k.kind", vr_write_text},
    {"user", "u.username", vr_write_text},
    {"state", "k.state", vr_write_text},
    {"result", "k.result", vr_write_text},
    {"phase", "k.phase", vr_write_text},
    {"step", "k.step", vr_write_text},
    {"step_since", "k.step_us", vr_write_utc},
    {"word", VR_SHAPE_ROLLOUT_WORD},
    {"since", VR_SHAPE_ROLLOUT_SINCE, vr_write_utc},
    {"usual_ms", VR_SHAPE_USUAL_ROLLOUT("k"), vr_write_int},
    {"deadline", "k.deadline_us", vr_write_utc},
    {"cancel_requested", "k.cancel_requested", vr_write_bool},
    {"past_return", "k.past_return", vr_write_bool},
    {"tag", "k.tag", vr_write_text},
    {"commit", "k.commit_id", vr_write_text},
    {"build", "'/api/v1/builds/' || k.build_id || '/'", vr_write_text},
    {"release", "'/api/v1/releases/' || k.release_id || '/'", vr_write_text},
    {"hash", "r.hash", vr_write_text},
    {"app_name", "a.name", vr_write_text},
    {"config_name", "k.config_name", vr_write_text},
    {"proc_name", "k.proc_name", vr_write_text},
    {"size", "k.size", vr_write_int},
    {"squad", "'/api/v1/squads/' || q.name || '/'", vr_write_text},
    {"pool", "l.name", vr_write_text},
    {"policy", "k.policy_json", vr_write_json},
    {"steps", .children = &steps, .link = "o.seq"},
    {"procs", .children = &placed, .link = "o.seq"},
    {"error", VR_SHAPE_FAILURE, vr_write_failure, .columns = 13},
    {"leftovers", "k.leftovers_json", vr_write_json},
    {"warnings", "k.warnings_json", vr_write_json},
    {"created", "k.created_us", vr_write_utc},
    {"started", "k.started_us", vr_write_utc},
    {"ended", "k.ended_us", vr_write_utc},
    {"resource_uri", "'/api/v1/rollouts/' || k.id || '/'", vr_write_text},
    {"group", "k.group_id", vr_write_text},
    {"retry_of", "k.retry_of", vr_write_text},
    {"retried_by",
     "(SELECT y.id FROM rollouts y WHERE y.retry_of = k.id ORDER BY y.seq DESC LIMIT 1)",
     vr_write_text},
};

static const struct vr_shape_filter rollout_filters[] = {
    {"id", VR_FILTER_TEXT, "k.id"},
    {"swarm", VR_FILTER_ID, "k.swarm_id"},
    {"swarm__id", VR_FILTER_INT, "k.swarm_id"},
    {"group", VR_FILTER_TEXT, "k.group_id"},
    {"retry_of", VR_FILTER_TEXT, "k.retry_of"},
    {"swarm__app__name", VR_FILTER_TEXT, "a.name"},
    {"app_name", VR_FILTER_TEXT, "a.name"},
    {"config_name", VR_FILTER_TEXT, "k.config_name"},
    {"proc_name", VR_FILTER_TEXT, "k.proc_name"},
    {"kind", VR_FILTER_TEXT, "k.kind"},
    {"user", VR_FILTER_TEXT, "u.username"},
    {"state", VR_FILTER_TEXT, "k.state"},
    {"result", VR_FILTER_TEXT, "k.result"},
    {"step", VR_FILTER_TEXT, "k.step"},
    {"tag", VR_FILTER_TEXT, "k.tag"},
    {"build", VR_FILTER_ID, "k.build_id"},
    {"release", VR_FILTER_ID, "k.release_id"},
    {"created", VR_FILTER_TIME, "k.created_us"},
    {"ended", VR_FILTER_TIME, "k.ended_us"},
};

const struct vr_shape vr_shape_rollouts = {
    .table = "rollouts k",
    .from = "rollouts k JOIN swarms s ON s.id = k.swarm_id JOIN apps a ON a.id = s.app_id"
            " JOIN squads q ON q.id = k.squad_id LEFT JOIN releases r ON r.id = k.release_id"
            " LEFT JOIN users u ON u.id = k.user_id LEFT JOIN pools l ON l.id = k.pool_id",
    .id = "k.seq",
    .key = "k.id",
    .key_is_text = true,
    .app = "s.app_id",
    .order = "k.seq DESC",
    TABLES(rollout_fields, rollout_filters),
};

/* --- commands --- */

static const struct vr_shape_field command_fields[] = {
    {"id", "c.id", vr_write_int},
    {"kind", "c.kind", vr_write_text},
    {"proc_id", "c.proc_id", vr_write_int},
    {"proc", "p.name", vr_write_text},
    {"host", "h.name", vr_write_text},
    {"user", "u.username", vr_write_text},
    {"state", "c.state", vr_write_text},
    {"force", "c.force", vr_write_bool},
    {"step", "c.step", vr_write_text},
    {"result", "c.result", vr_write_text},
    {"created", "c.created_us", vr_write_utc},
    {"ended", "c.ended_us", vr_write_utc},
    {"resource_uri", "'/api/v1/commands/' || c.id || '/'", vr_write_text},
};

static const struct vr_shape_filter command_filters[] = {
    {"id", VR_FILTER_INT, "c.id"},           {"kind", VR_FILTER_TEXT, "c.kind"},
    {"proc_id", VR_FILTER_INT, "c.proc_id"}, {"state", VR_FILTER_TEXT, "c.state"},
    {"host", VR_FILTER_TEXT, "h.name"},      {"user", VR_FILTER_TEXT, "u.username"}};

const struct vr_shape vr_shape_commands = {
    .table = "commands c",
    .from = "commands c JOIN procs p ON p.id = c.proc_id JOIN hosts h ON h.id = p.host_id"
            " LEFT JOIN users u ON u.id = c.user_id",
    .id = "c.id",
    .order = "c.id DESC",
    TABLES(command_fields, command_filters),
};
