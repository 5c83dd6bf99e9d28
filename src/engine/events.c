/* SPDX-License-Identifier: MIT */
/* What a rollout tells the world; titles and tags of kind `event` are the contract's. */
#include "engine/events.h"

#include "fmt/json.h"
#include "model/label.h"
#include "store/event.h"
#include "store/log.h"
#include "store/resource.h"

#include <string.h>

#define NODES_TEXT_BYTES 8192

static char *shortname(const struct vr_snapshot *snap)
{
    const struct vr_rollout_row *row = snap->active ? snap->active : &snap->current;

    return vr_label_swarm_short(snap->swarm.app_name, row->tag ? row->tag : snap->swarm.tag,
                                snap->swarm.config_name, snap->swarm.proc_name);
}

int vr_events_begun(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                    const char *kind, struct vr_err *err)
{
    vr_auto_free char *name = shortname(snap);
    vr_auto_free char *message = vr_strf("%s %s", kind, name);

    return vr_store_log_add(tx,
                            &(struct vr_log_entry){.type = kind,
                                                   .message = message,
                                                   .via = "engine",
                                                   .resource = vr_resource_name(VR_RES_SWARMS),
                                                   .object_id = snap->swarm.id,
                                                   .object_name = name,
                                                   .app_id = snap->swarm.app_id,
                                                   .rollout_id = rollout},
                            snap->plan.now, err);
}

void vr_events_rollout(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                       const char *step, const char *message)
{
    vr_auto_free char *title = shortname(snap);
    vr_auto_json json_t *doc =
        json_pack("{s:s, s:s, s:s?}", "rollout", rollout, "step", step, "message", message);
    vr_auto_free char *data = vr_json_dump(doc);
    struct vr_event event = {.kind = "rollout",
                             .title = title,
                             .message = message ? message : step,
                             .rollout_id = rollout,
                             .swarm_id = snap->swarm.id,
                             .data = data,
                             .time = snap->plan.now};

    vr_store_event_add(tx, &event);
}

static void tell(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                 const char *title, const char *message, const char *tags)
{
    struct vr_event event = {.kind = "event",
                             .title = title,
                             .message = message,
                             .tags = tags,
                             .rollout_id = rollout,
                             .swarm_id = snap->swarm.id,
                             .time = snap->plan.now};

    vr_store_event_add(tx, &event);
}

/* Why it failed, as recorded by now. */
static char *cause_of(struct vr_tx *tx, const char *rollout)
{
    VR_ROW(rollout) row = {0};

    if (vr_store_rollout_find(tx, rollout, &row, NULL) < 0 || vr_str_is_empty(row.error_message))
        return vr_strdup("for an unknown reason");
    return vr_strf("%s%s%s%s%s: %s", row.error_step, vr_str_is_empty(row.error_host) ? "" : " on ",
                   row.error_host ? row.error_host : "", vr_str_is_empty(row.error_proc) ? "" : " ",
                   row.error_proc ? row.error_proc : "", row.error_message);
}

/* The contract's tags of a failure, by the step that failed. */
static const char *failure_tags(struct vr_tx *tx, const char *rollout)
{
    static const struct {
        const char *step, *tags;
    } table[] = {
        {"build", "[\"build\", \"failed\"]"}, {"start", "[\"deploy\", \"failed\"]"},
        {"test", "[\"failed\", \"uptest\"]"}, {"route", "[\"route\", \"failed\"]"},
        {"drain", "[\"route\", \"failed\"]"}, {"stop", "[\"proc\", \"deleted\", \"failed\"]"},
    };
    VR_ROW(rollout) row = {0};

    if (vr_store_rollout_find(tx, rollout, &row, NULL) == 0)
        for (size_t i = 0; i < VR_COUNT(table); i++)
            if (vr_streq(row.error_step, table[i].step))
                return table[i].tags;
    return "[\"swarm\", \"failed\"]";
}

void vr_events_end(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout,
                   const char *result)
{
    vr_auto_free char *name = shortname(snap);
    vr_auto_free char *text = NULL;
    vr_auto_free char *cause = NULL;

    if (vr_streq(result, "done")) {
        text = vr_strf("Swarm %s finished", name);
        tell(tx, snap, rollout, text, text, "[\"swarm\", \"deploy\", \"done\"]");
    } else if (vr_streq(result, "failed")) {
        cause = cause_of(tx, rollout);
        text = vr_strf("Swarm %s aborted", name);
        tell(tx, snap, rollout, text, cause, failure_tags(tx, rollout));
    } else {
        text = vr_strf("Swarm %s %s", name, result);
        tell(tx, snap, rollout, text, text, "[\"swarm\"]");
    }
    vr_events_rollout(tx, snap, rollout, result, cause);
}

/* Results of the last run of a proc's uptests. */
static size_t count_tests(const struct vr_proc_row *row)
{
    vr_auto_json json_t *results = NULL;

    if (vr_json_parse(vr_str(row->test_json), VR_JSON_BYTES, &results, NULL) < 0)
        return 0;
    return json_array_size(results);
}

void vr_events_tested(struct vr_tx *tx, const struct vr_snapshot *snap, const char *rollout)
{
    vr_auto_free char *name = shortname(snap);
    vr_auto_free char *text = NULL;
    size_t tests = 0;

    for (size_t i = 0; i < snap->procs.n; i++)
        if (vr_streq(snap->procs.v[i].rollout_id, rollout))
            tests += count_tests(&snap->procs.v[i]);
    text = vr_strf(tests ? "Uptests passed for swarm %s" : "No uptests for swarm %s", name);
    tell(tx, snap, rollout, tests ? "Uptests passed" : "No uptests!", text,
         tests ? "[\"success\", \"uptest\"]" : "[\"warning\", \"uptest\"]");
}

void vr_events_routed(struct vr_tx *tx, const struct vr_snapshot *snap, int64_t pool,
                      const json_t *nodes)
{
    const char *rollout = snap->active ? snap->active->id : snap->current.id;
    vr_auto_free char *name = shortname(snap);
    vr_auto_buf struct vr_buf text = VR_BUF(NODES_TEXT_BYTES);
    size_t i, shown = 0;
    json_t *node;

    vr_buf_addf(&text, "Routed swarm %s.  Nodes: correct=[", name);
    json_array_foreach (nodes, i, node)
        if (vr_streq(json_string_value(json_object_get(node, "state")), "active"))
            vr_buf_addf(&text, "%s%s:%lld", shown++ ? ", " : "",
                        json_string_value(json_object_get(node, "address")),
                        (long long)json_integer_value(json_object_get(node, "port")));
    vr_buf_add(&text, "]");
    tell(tx, snap, rollout, name, vr_buf_text(&text), "[\"route\"]");
}
