/* SPDX-License-Identifier: MIT */
/* What a rollout looks like: the view, its changes, its end. */
#include "cli/rollout_view.h"

#include "core/str.h"
#include "core/tap.h"
#include "fmt/json.h"

#include <string.h>

static const char *const active =
    "{\"id\":\"0f12345678\",\"swarm_name\":\"hello-prod-web\",\"kind\":\"dispatch\","
    "\"pool\":\"hello\",\"state\":\"active\",\"result\":null,\"step\":\"start\",\"tag\":\"v2\","
    "\"size\":2,"
    "\"created\":\"2026-01-31T12:00:00Z\",\"ended\":null,\"error\":null,\"leftovers\":[],"
    "\"warnings\":[],\"steps\":["
    "{\"step\":\"resolve\",\"started\":\"2026-01-31T12:00:00Z\","
    "\"ended\":\"2026-01-31T12:00:00.250000Z\",\"host\":\"\",\"proc\":\"\","
    "\"message\":\"v2 is commit 1a2b\"},"
    "{\"step\":\"start\",\"started\":\"2026-01-31T12:00:01Z\",\"ended\":null,\"host\":\"\","
    "\"proc\":\"\",\"message\":\"\"}],"
    "\"procs\":[{\"proc_id\":1,\"host\":\"h1\",\"port\":5000,\"actual\":\"starting\","
    "\"tested\":\"\",\"admitted\":false,\"message\":\"\"},"
    "{\"proc_id\":9,\"host\":\"h1\",\"port\":5009,\"actual\":\"running\",\"tested\":\"passed\","
    "\"admitted\":true,\"message\":\"\"}]}";

static json_t *parse(const char *text)
{
    json_t *value = NULL;

    vr_ignore(vr_json_parse(vr_str(text), VR_JSON_BYTES, &value, NULL), "the test sees NULL");
    return value;
}

/* 2026-01-31T12:00:02Z */
static struct vr_view_style at_two(void)
{
    struct vr_view_style s = {.columns = 60};

    vr_ignore(vr_wall_parse(vr_str("2026-01-31T12:00:02Z"), &s.now, NULL), "constant");
    return s;
}

TEST(rollout_view__under_way__shows_steps_and_procs)
{
    vr_auto_json json_t *row = parse(active);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);
    struct vr_view_style s = at_two();

    vr_rollout_view(&b, row, &s);
    CHECK_STR(vr_buf_text(&b), "hello-prod-web  v2  dispatch 0f123456  2.0 s\n"
                               "  + resolve      0.2 s  v2 is commit 1a2b\n"
                               "  . build\n"
                               "  . release\n"
                               "  . place\n"
                               "  * start        1.0 s\n"
                               "      * h1:5000  starting\n"
                               "      + h1:5009  running   passed   in pool\n"
                               "  . test\n"
                               "  . route\n"
                               "  . drain\n"
                               "  . stop\n");
}

TEST(rollout_view__narrow_terminal__cuts_lines)
{
    vr_auto_json json_t *row = parse(active);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);
    struct vr_view_style s = at_two();

    s.columns = 20;
    vr_rollout_view(&b, row, &s);
    for (const char *line = vr_buf_text(&b); *line; line += strcspn(line, "\n") + 1)
        CHECK(strcspn(line, "\n") < 20);
}

TEST(rollout_changes__two_states__says_only_what_is_new)
{
    vr_auto_json json_t *before = parse(active);
    vr_auto_json json_t *after = json_deep_copy(before);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);
    struct vr_view_style s = at_two();

    vr_rollout_changes(&b, before, after, "", s.now);
    CHECK_STR(vr_buf_text(&b), "");
    json_object_set_new(json_array_get(json_object_get(after, "procs"), 0), "actual",
                        json_string("running"));
    vr_rollout_changes(&b, before, after, "x  ", s.now);
    CHECK(strstr(vr_buf_text(&b), ":02.000  x  proc     h1:5000 running\n"));
    CHECK(!strstr(vr_buf_text(&b), "5009") && !strstr(vr_buf_text(&b), "resolve"));
}

TEST(rollout_outcome__failed__names_cause_log_and_next_command)
{
    vr_auto_json json_t *row = parse(active);
    vr_auto_buf struct vr_buf b = VR_BUF(4096);
    struct vr_view_style s = at_two();

    json_object_set_new(row, "state", json_string("ended"));
    json_object_set_new(row, "result", json_string("failed"));
    json_object_set_new(row, "ended", json_string("2026-01-31T12:00:04.200000Z"));
    json_object_set_new(row, "error",
                        json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "step", "test", "host", "h1",
                                  "proc", "p", "message", "01_answers: exit code 1", "log_tail",
                                  "one\ntwo\n", "left", "v1 keeps serving.", "command",
                                  "vr logs 1"));
    json_object_set_new(json_object_get(row, "error"), "testresults",
                        json_pack("[{s:s,s:b,s:s},{s:s,s:b,s:s}]", "Name", "00", "Passed", 1,
                                  "Output", "fine", "Name", "01", "Passed", 0, "Output",
                                  "got 500\n"));
    vr_rollout_outcome(&b, row, &s);
    CHECK_STR(vr_buf_text(&b), "x hello-prod-web v2 failed in step test after 4.2 s\n"
                               "  h1: p: 01_answers: exit code 1\n"
                               "  v1 keeps serving.\n"
                               "  uptest 01 printed:\n"
                               "    | got 500\n"
                               "  last lines of its log:\n"
                               "    | one\n"
                               "    | two\n"
                               "  next: vr logs 1\n");
    CHECK(vr_rollout_is_over(row) && vr_rollout_exit(row) == 1);
}

TEST(duration_text__short_and_long__have_fitting_units)
{
    vr_auto_free char *a = vr_duration_text(1250000), *b = vr_duration_text(200 * VR_US_PER_S);
    vr_auto_free char *c = vr_duration_text(7260 * VR_US_PER_S), *d = vr_duration_text(-1);

    CHECK_STR(a, "1.2 s");
    CHECK_STR(b, "3 min 20 s");
    CHECK_STR(c, "2 h 1 min");
    CHECK_STR(d, "0.0 s");
}
