/* SPDX-License-Identifier: MIT */
/* What a page of a long list costs: processor time, which other load of the machine is no part of.
 */
#include "store/resource.h"
#include "store/row.h"
#include "store/store_fixture.h"

#include <time.h>

/* Several times what it takes, so that neither sanitizers nor busy caches fail it; what it is here
 * for, reading or joining all rows for a page of some, takes longer yet. */
#define PAGE_CPU_MS 50
#define PAGE_ROWS   100

#define COUNTED(n)                                                                                 \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " n ") "
#define ROLLOUT_ID "'0000000000000000000000000' || (1000000 + i)"

static const char *const fills[] = {
    "DELETE FROM events",
    "INSERT INTO users (username, password, joined_us) VALUES ('ann', '', 1)",
    COUNTED("100") "INSERT INTO swarms (app_id, config_name, proc_name, squad_id, tag)"
                   " SELECT 1, 'c' || i, 'web', 1, 'v1' FROM n",
    COUNTED("100000") "INSERT INTO rollouts (id, swarm_id, kind, user_id, state, result, tag,"
                      " release_id, proc_name, config_name, size, squad_id, wish_json, created_us)"
                      " SELECT " ROLLOUT_ID ", 2 + i % 100, 'dispatch', 1, 'ended',"
                      " CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'done' END, 'v1', 1, 'web', 'prod',"
                      " 2, 1, '{\"config\":\"' || hex(zeroblob(200)) || '\"}', i FROM n",
    COUNTED("100000") "INSERT INTO rollout_steps (rollout_id, step, start_us) SELECT " ROLLOUT_ID
                      ", 'start', i FROM n",
    COUNTED("10000") "INSERT INTO procs (name, swarm_id, rollout_id, release_id, host_id,"
                     " config_name, proc_name, cmd, port, since_us, actual, running_us, created_us,"
                     " usage_json) SELECT 'hello-v1-prod-ab12cd34-web-' || i, 2 + i % 100,"
                     " " ROLLOUT_ID ", 1, 1, 'prod', 'web', 'run', i, 1, 'running', 1, 1,"
                     " '{\"cpu\":1,\"memory\":4096}' FROM n",
    COUNTED("100000") "INSERT INTO events (id, time_us, kind, title, message, swarm_id, host_id,"
                      " data_json) SELECT i, i, CASE WHEN i % 2 = 0 THEN 'proc' ELSE 'event' END,"
                      " 'proc ' || i || ' started', 'proc ' || i || ' runs', 2 + i % 100, 1, '{}'"
                      " FROM n",
    COUNTED("100000") "INSERT INTO log_entries (type, time_us, user_id, message, username,"
                      " resource, object_id, object_name, app_name) SELECT 'change', i, 1,"
                      " 'change swarm hello-' || i, 'ann', 'swarms', 1, 'hello', 'hello' FROM n",
};

static bool fill(struct fixture *f)
{
    struct vr_err err = VR_ERR_NULL;

    if (!fixture_init(f) || fixture_commit(f, VR_DB_WRITE) < 0)
        return false;
    for (size_t i = 0; i < VR_COUNT(fills); i++) {
        if (vr_db_exec(f->tx->db, NULL, &err, fills[i]) < 0) {
            fprintf(stderr, "# fill %zu: %s\n", i, err.msg);
            return false;
        }
    }
    return fixture_commit(f, VR_DB_READ) == 0;
}

static int64_t cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

struct page_case {
    enum vr_resource resource;
    const char *query;
    int64_t offset, total;
    const char *part; /* of the first object */
};

static const struct page_case cases[] = {
    {VR_RES_PROCS, "", 0, 10000, "\"proc_id\":1,"},
    {VR_RES_PROCS, "", 9900, 10000, "\"proc_id\":9901,"},
    {VR_RES_PROCS, "version=v1", 9900, 10000, "\"proc_id\":9901,"},
    {VR_RES_PROCS, "order_by=-host", 9900, 10000, "\"proc_id\":9901,"},
    {VR_RES_ROLLOUTS, "", 0, 100000, "1100000\""},
    {VR_RES_ROLLOUTS, "", 99900, 100000, "1000100\""},
    {VR_RES_ROLLOUTS, "result=failed", 9900, 10000, "1001000\""},
    {VR_RES_ROLLOUTS, "state=ended", 99900, 100000, "1000100\""},
    {VR_RES_EVENTS, "", 0, 100000, "\"id\":100000,"},
    {VR_RES_EVENTS, "", 99900, 100000, "\"id\":100,"},
    {VR_RES_EVENTS, "kind=proc", 49900, 50000, "\"id\":200,"},
    {VR_RES_LOGS, "", 0, 100000, "\"id\":100000,"},
    {VR_RES_LOGS, "", 99900, 100000, "\"id\":100,"},
    {VR_RES_LOGS, "type=change", 99900, 100000, "\"id\":100,"},
    {VR_RES_SWARMS, "fields=id,procs_uri,size", 0, 101, "{\"id\":"},
};

/* A page and its price; -1 if it is not what it should be. */
static int64_t page_us(struct fixture *f, const struct page_case *c)
{
    VR_OWNED(vr_query_free) struct vr_query *query = NULL;
    vr_auto_list struct vr_list page = {0};
    struct vr_err err = VR_ERR_NULL;
    const char *end;
    int64_t begin = cpu_us(), us;

    if (vr_query_parse(vr_str(c->query), &query, &err) < 0 ||
        vr_store_list(f->tx,
                      &(struct vr_list_spec){.resource = c->resource,
                                             .query = query,
                                             .limit = PAGE_ROWS,
                                             .offset = c->offset,
                                             .now = NOW},
                      &page, &err) < 0) {
        fprintf(stderr, "# %s\n", err.msg);
        return -1;
    }
    us = cpu_us() - begin;
    end = memmem(page.objects, page.bytes, "},{", 3);
    if (page.count == PAGE_ROWS && page.total_count == c->total && end &&
        memmem(page.objects, (size_t)(end - page.objects), c->part, strlen(c->part)))
        return us;
    fprintf(stderr, "# %lld of %lld: %.300s\n", (long long)page.count, (long long)page.total_count,
            page.objects);
    return -1;
}

TEST(vr_store_list__a_page_of_many_rows__costs_no_more_than_its_own)
{
    FIXTURE(f);

    CHECK(fill(&f));
    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        int64_t first = page_us(&f, &cases[i]), us = page_us(&f, &cases[i]);

        fprintf(stderr, "# %s?%s&offset=%lld: %lld us of processor time, at first %lld\n",
                vr_resource_name(cases[i].resource), cases[i].query, (long long)cases[i].offset,
                (long long)us, (long long)first);
        CHECK(first >= 0 && us >= 0);
        CHECK(us < PAGE_CPU_MS * 1000);
    }
}
