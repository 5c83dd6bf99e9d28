/* SPDX-License-Identifier: MIT */
/* When tasks are due: periods, times of day, clocks that jump, configuration good and bad. */
#include "engine/schedules.h"

#include "core/tap.h"
#include "fmt/yaml.h"

#include <string.h>
#include <time.h>

#define HOUR_US (INT64_C(3600) * VR_US_PER_S)
#define DAY_US  (24 * HOUR_US)
#define MIDDAY  (INT64_C(20000) * DAY_US + 12 * HOUR_US) /* 12:00 of some day */

static struct vr_wall at(int64_t us)
{
    return (struct vr_wall){us};
}

static struct vr_schedule every(int64_t secs)
{
    return (struct vr_schedule){VR_SCHEDULE_EVERY, secs};
}

static struct vr_schedule at_12_15(void)
{
    return (struct vr_schedule){VR_SCHEDULE_AT, 12 * 3600 + 15 * 60};
}

TEST(schedule_due__never_planned__one_period_from_now)
{
    struct vr_schedule s = every(3600);

    CHECK(vr_schedule_due(&s, 0, at(MIDDAY)) == MIDDAY + HOUR_US);
}

TEST(schedule_due__planned_and_passed__stays_due)
{
    struct vr_schedule s = every(3600);

    CHECK(vr_schedule_due(&s, MIDDAY - 5 * HOUR_US, at(MIDDAY)) == MIDDAY - 5 * HOUR_US);
}

TEST(schedule_next__after_a_long_absence__only_one_run_is_made_up_for)
{
    struct vr_schedule s = every(3600);
    int64_t planned = MIDDAY - 100 * DAY_US;
    int runs = 0;

    for (int64_t now = MIDDAY; now < MIDDAY + HOUR_US; now += 60 * VR_US_PER_S) {
        if (vr_schedule_due(&s, planned, at(now)) > now)
            continue;
        runs++;
        planned = vr_schedule_next(&s, at(now));
    }
    CHECK(runs == 1);
}

TEST(schedule_due__clock_set_back_a_year__waits_one_period)
{
    struct vr_schedule s = every(3600);
    struct vr_schedule daily = at_12_15();
    int64_t planned = MIDDAY + 365 * DAY_US;

    CHECK(vr_schedule_due(&s, planned, at(MIDDAY)) == MIDDAY + HOUR_US);
    CHECK(vr_schedule_due(&daily, planned - planned % DAY_US + 44100 * VR_US_PER_S, at(MIDDAY)) ==
          MIDDAY + HOUR_US / 4);
}

TEST(schedule_due__shorter_period_configured__holds_at_once)
{
    struct vr_schedule s = every(60);

    CHECK(vr_schedule_due(&s, MIDDAY + HOUR_US, at(MIDDAY)) == MIDDAY + 60 * VR_US_PER_S);
}

TEST(schedule_due__other_time_of_day_configured__plans_anew)
{
    struct vr_schedule s = at_12_15();

    CHECK(vr_schedule_due(&s, MIDDAY - 2 * HOUR_US, at(MIDDAY)) == MIDDAY + HOUR_US / 4);
}

TEST(schedule_next__daily__is_in_utc_whatever_the_zone_and_season)
{
    struct vr_schedule s = at_12_15();

    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    for (int64_t day = 0; day < 366; day++) {
        int64_t next = vr_schedule_next(&s, at(MIDDAY + day * DAY_US));

        CHECK(next == MIDDAY + day * DAY_US + HOUR_US / 4);
        CHECK(vr_schedule_next(&s, at(next)) == next + DAY_US);
    }
    unsetenv("TZ");
    tzset();
}

TEST(schedule_due__missed_while_down__is_due_at_the_start)
{
    struct vr_schedule s = at_12_15();
    int64_t planned = MIDDAY + HOUR_US / 4;

    CHECK(vr_schedule_due(&s, planned, at(planned + 3 * HOUR_US)) == planned);
}

TEST(schedule_due__off__never)
{
    struct vr_schedule s = {VR_SCHEDULE_OFF, 0};

    CHECK(vr_schedule_due(&s, MIDDAY, at(MIDDAY + DAY_US)) == 0);
}

/* ------------------------------------------------------------------ configuration */

static int read_yaml(const char *text, struct vr_schedule out[VR_TASK_COUNT], struct vr_err *err)
{
    json_t *doc = NULL;
    int r = vr_yaml_parse(vr_str(text), &doc, err);

    vr_schedules_default(out);
    if (r == 0)
        r = vr_schedules_read(doc, out, err);
    json_decref(doc);
    return r;
}

TEST(schedules_read__all_forms__are_understood)
{
    struct vr_schedule s[VR_TASK_COUNT];
    struct vr_err err = VR_ERR_NULL;
    char text[VR_SCHEDULE_TEXT_BYTES];

    CHECK(read_yaml("uptests: {every: 90s}\nbuilds: {at: 12:30}\nretention: {at: \"00:05\"}\n"
                    "hosts: off\n",
                    s, &err) == 0);
    CHECK(s[VR_TASK_UPTESTS].kind == VR_SCHEDULE_EVERY && s[VR_TASK_UPTESTS].secs == 90);
    CHECK(s[VR_TASK_BUILDS].kind == VR_SCHEDULE_AT && s[VR_TASK_BUILDS].secs == 45000);
    CHECK(s[VR_TASK_RETENTION].secs == 300);
    CHECK(s[VR_TASK_HOSTS].kind == VR_SCHEDULE_OFF);
    vr_schedule_format(&s[VR_TASK_UPTESTS], text);
    CHECK_STR(text, "every 90s");
    vr_schedule_format(&s[VR_TASK_BUILDS], text);
    CHECK_STR(text, "at 12:30");
}

TEST(schedules_read__nothing__is_the_contracts_defaults)
{
    struct vr_schedule s[VR_TASK_COUNT];
    struct vr_err err = VR_ERR_NULL;
    char text[VR_SCHEDULE_TEXT_BYTES];

    CHECK(read_yaml("", s, &err) == 0);
    vr_schedule_format(&s[VR_TASK_UPTESTS], text);
    CHECK_STR(text, "every 1h");
    vr_schedule_format(&s[VR_TASK_BUILDS], text);
    CHECK_STR(text, "at 12:15");
}

TEST(schedules_read__bad_values__are_refused_by_name)
{
    static const struct {
        const char *yaml, *says;
    } cases[] = {
        {"uptest: {every: 60m}", "there is no task 'uptest'"},
        {"uptests: {every: 60}", "schedules: uptests: every is no time"},
        {"uptests: {every: 0m}", "every: '0m'"},
        {"uptests: {every: 9999999999999d}", "every: '9999999999999d'"},
        {"uptests: {every: 367d}", "every: '367d'"},
        {"uptests: {every: m}", "every: 'm'"},
        {"builds: {at: \"24:00\"}", "at: '24:00'"},
        {"builds: {at: \"1:5\"}", "at: '1:5'"},
        {"builds: {at: 5}", "at is no time of day"},
        {"builds: {at: \"12:15\", every: 5m}", "none of"},
        {"hosts: on", "none of"},
        {"hosts: 12", "none of"},
        {"- hosts", "schedules is not a mapping"},
    };

    for (size_t i = 0; i < VR_COUNT(cases); i++) {
        struct vr_schedule s[VR_TASK_COUNT];
        struct vr_err err = VR_ERR_NULL;

        CHECK(read_yaml(cases[i].yaml, s, &err) == -VR_INVALID);
        CHECK(strstr(err.msg, cases[i].says) != NULL);
        CHECK(s[VR_TASK_HOSTS].kind == VR_SCHEDULE_EVERY);
    }
}
