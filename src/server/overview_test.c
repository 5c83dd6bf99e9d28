/* SPDX-License-Identifier: MIT */
/* The overview, and that what the stream tells keeps it current. */
#include "core/clock.h"
#include "server/server_fixture.h"
#include "store/event.h"
#include "store/overview.h"
#include "store/resource.h"
#include "store/store_fixture.h"

#include <inttypes.h>

static json_t *snapshot(struct fixture *f, const char *app)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct vr_overview_spec spec = {.app = app, .now = vr_wall_now()};
    vr_auto_free char *text = NULL;
    json_t *doc = NULL;
    struct vr_err err = VR_ERR_NULL;

    if (vr_store_begin(f->store, VR_DB_READ, &tx, &err) < 0 ||
        vr_store_overview(tx, &spec, &text, &err) < 0 ||
        vr_json_parse(vr_str(text), VR_OVERVIEW_BYTES, &doc, &err) < 0)
        fprintf(stderr, "# overview: %s\n", err.msg);
    return doc;
}

static size_t index_of(const json_t *list, const json_t *id)
{
    size_t i;
    json_t *one;

    json_array_foreach (list, i, one)
        if (json_equal(json_object_get(one, "id"), id))
            break;
    return i;
}

/* What a page does with an event of kind `object`. */
static void apply(json_t *snap, const char *data)
{
    vr_auto_json json_t *change = NULL;
    json_t *object, *list;
    size_t at;

    if (vr_json_parse(vr_str(data), VR_JSON_BYTES, &change, NULL) < 0)
        return;
    list = json_object_get(snap, json_string_value(json_object_get(change, "part")));
    object = json_object_get(change, "object");
    at = index_of(list, json_object_get(object ? object : change, "id"));
    if (!object)
        json_array_remove(list, at);
    else if (at < json_array_size(list))
        json_array_set(list, at, object);
    else
        json_array_append(list, object);
}

static int apply_since(struct fixture *f, json_t *snap)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROWS(event) rows = {0};
    int64_t after = json_integer_value(json_object_get(snap, "as_of"));

    if (vr_store_begin(f->store, VR_DB_READ, &tx, NULL) < 0 ||
        vr_store_event_list(tx, after, "object", 10000, &rows, NULL) < 0)
        return -1;
    for (size_t i = 0; i < rows.n; i++)
        apply(snap, rows.v[i].data_json);
    return (int)rows.n;
}

/* Whether both show the same objects, in whatever order. */
static bool same(const json_t *a, const json_t *b)
{
    static const char *const parts[] = {"apps",  "squads", "hosts",    "swarms",
                                        "procs", "pools",  "rollouts", "builds"};
    bool ok = true;

    for (size_t p = 0; p < VR_COUNT(parts); p++) {
        json_t *left = json_object_get(a, parts[p]), *right = json_object_get(b, parts[p]), *one;
        size_t i;

        json_array_foreach (left, i, one) {
            size_t at = index_of(right, json_object_get(one, "id"));

            if (at < json_array_size(right) && json_equal(one, json_array_get(right, at)))
                continue;
            vr_auto_free char *has = json_dumps(one, 0);
            vr_auto_free char *wants = json_dumps(json_array_get(right, at), 0);

            fprintf(stderr, "# %s: applied %s, fresh %s\n", parts[p], has, wants);
            ok = false;
        }
        if (json_array_size(left) != json_array_size(right)) {
            fprintf(stderr, "# %s: applied %zu, fresh %zu\n", parts[p], json_array_size(left),
                    json_array_size(right));
            ok = false;
        }
    }
    return ok;
}

/* A commit, after which an old snapshot with the events since must be what a fresh one is. */
static bool keeps_current(struct fixture *f, json_t *old)
{
    vr_auto_json json_t *applied = json_deep_copy(old), *fresh = NULL;

    if (vr_store_commit(f->tx, NULL, NULL) < 0)
        return false;
    f->tx = vr_tx_free(f->tx);
    fresh = snapshot(f, NULL);
    return apply_since(f, applied) >= 0 && same(applied, fresh) &&
           vr_store_begin(f->store, VR_DB_WRITE, &f->tx, NULL) == 0;
}

TEST(overview__events_applied_to_an_old_one__give_a_fresh_one)
{
    FIXTURE(f);
    vr_auto_json json_t *old = NULL;
    vr_auto_free char *rollout = NULL;
    struct vr_squad_row squad = {.name = (char *)"new"};
    struct vr_app_row app = {
        .name = (char *)"second", .repo_url = (char *)"x", .repo_type = (char *)"git"};
    struct vr_build_row build = {.tag = (char *)"v2",
                                 .commit_id = (char *)"",
                                 .inputs_json = (char *)"{}",
                                 .created_us = NOW.us};
    VR_ROW(swarm) swarm = {0};
    int64_t proc[2], id, pool, squad_id;
    struct vr_wall now = vr_wall_now();

    CHECK(fixture_init(&f) && fixture_commit(&f, VR_DB_WRITE) == 0);
    f.tx = vr_tx_free(f.tx);
    old = snapshot(&f, NULL);
    CHECK(old && vr_store_begin(f.store, VR_DB_WRITE, &f.tx, NULL) == 0);
    CHECK(add_rollout(&f, "active", &rollout) == 0);
    CHECK(add_proc(&f, 0, 5000, &proc[0]) == 0 && add_proc(&f, 1, 5001, &proc[1]) == 0);
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_pool_take(f.tx, f.balancer, "hello", f.swarm, &pool, NULL) == 0);
    CHECK(say(&f, proc[0], "running", 1));
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_proc_set_admitted(f.tx, proc[0], true, now, NULL) == 0);
    CHECK(vr_store_proc_set_unhealthy(f.tx, proc[0], now, NULL) == 0);
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_host_set_state(f.tx, f.host[0], "lost", now, NULL) == 0);
    CHECK(vr_store_proc_set_unknown(f.tx, proc[0], now, NULL) == 0);
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_squad_insert(f.tx, &squad, &squad_id, NULL) == 0);
    CHECK(vr_store_squad_set_hosts(f.tx, squad_id, &f.host[1], 1, NULL) == 0);
    CHECK(vr_store_app_insert(f.tx, &app, &id, NULL) == 0);
    CHECK(keeps_current(&f, old));
    build.app_id = id;
    CHECK(vr_store_build_insert(f.tx, &build, &build.id, NULL) == 0);
    CHECK(vr_store_build_start(f.tx, build.id, now, NULL) == 0);
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_build_fail(f.tx, build.id, "no luck", now, NULL) == 0);
    CHECK(vr_store_swarm_find_id(f.tx, f.swarm, &swarm, NULL) == 0);
    swarm.size = 5;
    CHECK(vr_store_swarm_update(f.tx, &swarm, NULL) == 0);
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_proc_set_admitted(f.tx, proc[0], false, now, NULL) == 0);
    CHECK(vr_store_proc_set_desired(f.tx, proc[0], "stop", false, NULL) == 0);
    CHECK(vr_store_proc_set_actual(f.tx, proc[0], "stopped", "", now, NULL) == 0);
    CHECK(vr_store_proc_delete(f.tx, proc[0], now, NULL) == 0);
    CHECK(vr_store_build_delete(f.tx, build.id, NULL) == 0);
    CHECK(vr_store_app_delete(f.tx, id, NULL) == 0);
    CHECK(keeps_current(&f, old));
    CHECK(vr_store_squad_set_hosts(f.tx, squad_id, NULL, 0, NULL) == 0);
    CHECK(vr_store_squad_delete(f.tx, squad_id, NULL) == 0);
    CHECK(keeps_current(&f, old));
}

/* The word of a full object is that of the snapshot. */
static bool same_word(struct fixture *f, const json_t *snap, const char *part,
                      enum vr_resource resource, const char *key)
{
    vr_auto_json json_t *full = NULL;
    vr_auto_free char *text = NULL;
    const json_t *brief = json_array_get(json_object_get(snap, part), 0);
    static const char *const keys[] = {"word", "since"};

    if (vr_store_object(f->tx, resource, key, NULL, vr_wall_now(), &text, NULL) < 0 ||
        vr_json_parse(vr_str(text), VR_JSON_BYTES, &full, NULL) < 0)
        return false;
    for (size_t i = 0; i < VR_COUNT(keys); i++) {
        if (json_object_get(full, keys[i]) &&
            json_equal(json_object_get(full, keys[i]), json_object_get(brief, keys[i])))
            continue;
        fprintf(stderr, "# %s of %s differs: %s\n", keys[i], part, text);
        return false;
    }
    return true;
}

TEST(overview__words__are_those_of_the_full_objects)
{
    FIXTURE(f);
    vr_auto_json json_t *snap = NULL;
    vr_auto_free char *rollout = NULL, *proc_key = NULL, *build_key = NULL;
    struct vr_build_row build = {.tag = (char *)"v2",
                                 .commit_id = (char *)"",
                                 .inputs_json = (char *)"{}",
                                 .created_us = NOW.us};
    int64_t proc;

    CHECK(fixture_init(&f) && add_rollout(&f, "active", &rollout) == 0);
    CHECK(add_proc(&f, 0, 5000, &proc) == 0 && say(&f, proc, "running", 1));
    build.app_id = f.app;
    CHECK(vr_store_build_insert(f.tx, &build, &build.id, NULL) == 0);
    CHECK(vr_store_build_start(f.tx, build.id, vr_wall_now(), NULL) == 0);
    CHECK(fixture_commit(&f, VR_DB_READ) == 0);
    snap = snapshot(&f, NULL);
    proc_key = vr_strf("%" PRId64, proc);
    build_key = vr_strf("%" PRId64, build.id);
    CHECK(same_word(&f, snap, "procs", VR_RES_PROCS, proc_key));
    CHECK(same_word(&f, snap, "rollouts", VR_RES_ROLLOUTS, rollout));
    CHECK(same_word(&f, snap, "builds", VR_RES_BUILDS, build_key));
}

TEST(overview__report_that_changes_nothing_shown__makes_no_event)
{
    FIXTURE(f);
    int64_t proc, before = 0, after = 0;

    CHECK(fixture_init(&f) && add_proc(&f, 0, 5000, &proc) == 0 && say(&f, proc, "running", 1));
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    CHECK(vr_store_event_last(f.tx, &before, NULL) == 0);
    CHECK(say(&f, proc, "running", 1) && fixture_commit(&f, VR_DB_WRITE) == 0);
    CHECK(vr_store_event_last(f.tx, &after, NULL) == 0);
    CHECK(before == after);
}

static double render_ms(struct fixture *f, int times)
{
    struct vr_mono begin = vr_mono_now();

    for (int i = 0; i < times; i++)
        json_decref(snapshot(f, "hello"));
    return (double)(vr_mono_now().ns - begin.ns) / 1e6 / times;
}

/* Without parsing: what the server does. */
static double store_ms(struct fixture *f)
{
    struct vr_mono begin = vr_mono_now();

    for (int i = 0; i < 5; i++) {
        VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
        struct vr_overview_spec spec = {.now = vr_wall_now()};
        vr_auto_free char *text = NULL;

        if (vr_store_begin(f->store, VR_DB_READ, &tx, NULL) < 0 ||
            vr_store_overview(tx, &spec, &text, NULL) < 0)
            return -1;
    }
    return (double)(vr_mono_now().ns - begin.ns) / 1e6 / 5;
}

TEST(overview__many_procs__is_fast)
{
    FIXTURE(f);
    double few, many;
    int64_t proc;

    CHECK(fixture_init(&f));
    vr_store_set_ports(f.store, (struct vr_port_range){10000, 29999});
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    for (int i = 0; i < 500; i++)
        CHECK(add_proc(&f, i % 2, 10000 + i, &proc) == 0);
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    few = store_ms(&f);
    for (int i = 500; i < 10000; i++)
        CHECK(add_proc(&f, i % 2, 10000 + i, &proc) == 0);
    CHECK(fixture_commit(&f, VR_DB_WRITE) == 0);
    many = store_ms(&f);
    fprintf(stderr,
            "# overview of 500 procs: %.1f ms, of 10,000: %.1f ms (parsed by us: %.0f ms)\n", few,
            many, render_ms(&f, 1));
    CHECK(few > 0 && few < 100); /* 10 ms where nothing else runs */
}

TEST(overview__over_http__has_a_tag_and_filters)
{
    RIG(r);
    vr_auto_free char *tag = NULL;
    const char *headers[2] = {NULL, NULL};

    CHECK(rig_start(&r));
    CHECK(rig_get(&r, "/api/v1/overview/", "ann") == 200);
    CHECK(strstr(r.last.body, "\"as_of\":") && strstr(r.last.body, "\"swarms\":[]"));
    tag = vr_strf("If-None-Match: %s", vr_http_result_header(&r.last, "etag"));
    headers[0] = tag;
    CHECK(
        rig_call(&r,
                 (struct vr_http_call){.user = "ann", .password = RIG_PASSWORD, .headers = headers},
                 "/api/v1/overview/") == 304);
    CHECK(rig_get(&r, "/api/v1/overview/?app=nothing", "ann") == 404);
    CHECK(rig_get(&r, "/api/v1/overview/?dashboard=nothing", "ann") == 404);
    CHECK(rig_get(&r, "/api/v1/overview/", NULL) == 401);
}
