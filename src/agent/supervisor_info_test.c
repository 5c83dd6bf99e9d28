/* SPDX-License-Identifier: MIT */
/* Tests of agent/supervisor_info: what old tools are told of a proc, and its log. */
#include "agent/supervisor_info.h"

#include "core/tap.h"
#include "fmt/json.h"

#include <stdio.h>

static char *text_file(const char *text)
{
    char path[] = "/tmp/vr-supervisor-XXXXXX";
    int fd = mkstemp(path);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
    return vr_strdup(path);
}

static void check_log(const char *path, int64_t offset, int64_t length, const char *expected)
{
    vr_auto_json json_t *text = vr_supervisor_log(path, offset, length);

    CHECK_STR(json_string_value(text), expected);
}

TEST(supervisor_log__offsets_and_lengths__as_supervisord_reads_them)
{
    vr_auto_free char *path = text_file("0123456789");

    check_log(path, 0, 0, "0123456789");
    check_log(path, 3, 4, "3456");
    check_log(path, 8, 100, "89");
    check_log(path, 100, 1, "");
    check_log(path, -4, 0, "6789");
    check_log(path, -100, 0, "0123456789");
    check_log(path, INT64_MIN, 0, "0123456789");
    check_log(path, INT64_MAX, INT64_MAX, "");
    unlink(path);
    CHECK(!vr_supervisor_log(path, 0, 0));
}

static void check_tail(const char *path, int64_t offset, int64_t length, const char *expected)
{
    vr_auto_json json_t *answer = vr_supervisor_log_tail(path, offset, length);
    vr_auto_free char *text = vr_json_dump(answer);

    CHECK_STR(text, expected);
}

TEST(supervisor_log_tail__what_is_new__and_whether_all_of_it)
{
    vr_auto_free char *path = text_file("0123456789");

    check_tail(path, 0, 100, "[\"0123456789\",10,false]");
    check_tail(path, 7, 100, "[\"789\",10,false]");
    check_tail(path, 0, 4, "[\"6789\",10,true]");
    check_tail(path, 10, 100, "[\"\",10,false]");
    check_tail(path, 99, 100, "[\"0123456789\",10,false]");
    check_tail(path, -1, -1, "[\"\",10,true]");
    unlink(path);
    check_tail(path, 5, 100, "[\"\",5,false]");
}

TEST(supervisor_info__a_running_and_a_fatal_proc__in_the_words_of_supervisord)
{
    vr_auto_json json_t *want =
        json_pack("{s:s, s:s, s:{s:s}}", "name", "a-v1", "app", "a", "env", "PASSWORD", "hidden");
    struct vr_proc_view view = {.id = 7,
                                .name = "a-v1",
                                .want = want,
                                .actual = VR_PROC_RUNNING,
                                .since_us = 100 * VR_US_PER_S,
                                .pid = 55,
                                .message = "",
                                .log_path = "/log"};
    vr_auto_json json_t *up = vr_supervisor_info(&view, (struct vr_wall){3861 * VR_US_PER_S});
    vr_auto_json json_t *yaml = vr_supervisor_proc_yaml(&view);
    vr_auto_free char *yaml_text = vr_json_dump(yaml);
    vr_auto_json json_t *down = NULL;

    CHECK_STR(json_string_value(json_object_get(up, "description")), "pid 55, uptime 1:02:41");
    CHECK(json_integer_value(json_object_get(up, "state")) == 20);
    CHECK(json_integer_value(json_object_get(up, "start")) == 100);
    CHECK_STR(json_string_value(json_object_get(yaml, "app_name")), "a");
    CHECK(!strstr(yaml_text, "hidden"));
    view.actual = VR_PROC_FATAL;
    view.message = "exited with code 1 after 3 ms";
    down = vr_supervisor_info(&view, (struct vr_wall){3861 * VR_US_PER_S});
    CHECK_STR(json_string_value(json_object_get(down, "statename")), "FATAL");
    CHECK_STR(json_string_value(json_object_get(down, "spawnerr")), view.message);
    CHECK(json_integer_value(json_object_get(down, "pid")) == 0);
}
