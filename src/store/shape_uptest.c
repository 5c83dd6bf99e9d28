/* SPDX-License-Identifier: MIT */
/* Shapes of runs of all uptests and of their results. */
#include "fmt/yaml.h"
#include "store/shape.h"

#define TABLES(f, g)                                                                               \
    .fields = (f), .field_count = VR_COUNT(f), .filters = (g), .filter_count = VR_COUNT(g)

/* The contract has them as YAML text. */
static void write_results(struct vr_buf *out, struct vr_db_rows *rows, int column,
                          struct vr_wall now)
{
    vr_auto_json json_t *list = NULL;
    vr_auto_free char *text = NULL;

    if (vr_json_parse(vr_db_str(rows, column), VR_JSON_BYTES, &list, NULL) == 0)
        text = vr_yaml_dump(list);
    vr_shape_quote(out, vr_str(text ? text : ""));
}

static const struct vr_shape_field result_fields[] = {
    {"id", "e.id", vr_write_int},
    {"testrun", "'/api/v1/testruns/' || e.testrun_id || '/'", vr_write_text},
    {"time", "e.time_us", vr_write_naive},
    {"hostname", "e.hostname", vr_write_text},
    {"procname", "e.procname", vr_write_text},
    {"passed", "e.passed", vr_write_bool},
    {"testcount", "e.testcount", vr_write_int},
    {"results", "e.results_json", write_results},
    {"resource_uri", "'/api/v1/testresults/' || e.id || '/'", vr_write_text},
    {"time_utc", "e.time_us", vr_write_utc},
    {"proc_id", "e.proc_id", vr_write_int},
    {"state", "e.state", vr_write_text},
    {"tests", "e.results_json", vr_write_json},
};

static const struct vr_shape_filter result_filters[] = {
    {"id", VR_FILTER_INT, "e.id"},
    {"testrun", VR_FILTER_ID, "e.testrun_id"},
    {"testrun__id", VR_FILTER_INT, "e.testrun_id"},
    {"time", VR_FILTER_TIME, "e.time_us"},
    {"hostname", VR_FILTER_TEXT, "e.hostname"},
    {"procname", VR_FILTER_TEXT, "e.procname"},
    {"passed", VR_FILTER_BOOL, "e.passed"},
    {"state", VR_FILTER_TEXT, "e.state"},
};

const struct vr_shape vr_shape_testresults = {
    .from = "testresults e",
    .id = "e.id",
    .order = "e.id",
    TABLES(result_fields, result_filters),
};

#define COUNT_OF(condition)                                                                        \
    "(SELECT count(*) FROM testresults c WHERE c.testrun_id = n.id AND " condition ")"

static const struct vr_shape_field run_fields[] = {
    {"id", "n.id", vr_write_int},
    {"start", "n.start_us", vr_write_naive},
    {"end", "n.end_us", vr_write_naive},
    {"testresults", .children = &vr_shape_testresults, .link = "e.testrun_id"},
    {"resource_uri", "'/api/v1/testruns/' || n.id || '/'", vr_write_text},
    {"start_utc", "n.start_us", vr_write_utc},
    {"end_utc", "n.end_us", vr_write_utc},
    {"pass_count", COUNT_OF("c.state = 'done' AND c.passed = 1 AND c.testcount > 0"), vr_write_int},
    {"fail_count", COUNT_OF("c.state = 'done' AND c.passed = 0"), vr_write_int},
    {"notests_count", COUNT_OF("c.state = 'done' AND c.passed = 1 AND c.testcount = 0"),
     vr_write_int},
};

static const struct vr_shape_filter run_filters[] = {
    {"id", VR_FILTER_INT, "n.id"},
    {"start", VR_FILTER_TIME, "n.start_us"},
    {"end", VR_FILTER_TIME, "n.end_us"},
};

const struct vr_shape vr_shape_testruns = {
    .from = "testruns n",
    .id = "n.id",
    .order = "n.start_us DESC, n.id DESC",
    TABLES(run_fields, run_filters),
};
