/* SPDX-License-Identifier: MIT */
/*
 * Times of scheduled tasks.
 *
 * What is stored of a task is the time that was planned when it ran last. It is compared with the
 * time that would be planned now: an honest plan never lies behind that. So a clock that jumps
 * ahead makes one run, however many times were skipped, and one that is set back delays a task by
 * one period at most.
 */
#include "engine/schedules.h"

#include "core/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MINUTE   INT64_C(60)
#define HOUR     (60 * MINUTE)
#define DAY      (24 * HOUR)
#define DAY_US   (DAY * VR_US_PER_S)
#define AT_CHARS 5 /* 12:15 */

static const char *const names[] = {[VR_TASK_UPTESTS] = "uptests",
                                    [VR_TASK_BUILDS] = "builds",
                                    [VR_TASK_RETENTION] = "retention",
                                    [VR_TASK_HOSTS] = "hosts"};

static const struct {
    char unit;
    int64_t secs;
} units[] = {{'d', DAY}, {'h', HOUR}, {'m', MINUTE}, {'s', 1}};

const char *vr_task_name(enum vr_task task)
{
    return names[task];
}

int vr_task_parse(const char *name, enum vr_task *out, struct vr_err *err)
{
    for (size_t i = 0; i < VR_COUNT(names); i++) {
        if (vr_streq(names[i], name)) {
            *out = (enum vr_task)i;
            return 0;
        }
    }
    return vr_fail(err, VR_NOT_FOUND,
                   "there is no task '%.40s'; there are uptests, builds, retention and hosts",
                   name);
}

void vr_schedules_default(struct vr_schedule out[VR_TASK_COUNT])
{
    out[VR_TASK_UPTESTS] = (struct vr_schedule){VR_SCHEDULE_EVERY, HOUR};
    out[VR_TASK_BUILDS] = (struct vr_schedule){VR_SCHEDULE_AT, 12 * HOUR + 15 * MINUTE};
    out[VR_TASK_RETENTION] = (struct vr_schedule){VR_SCHEDULE_AT, 3 * HOUR + 30 * MINUTE};
    out[VR_TASK_HOSTS] = (struct vr_schedule){VR_SCHEDULE_EVERY, 30 * MINUTE};
}

/* ------------------------------------------------------------------ reading */

/* "90s", "60m", "12h", "7d" */
static int parse_every(const char *text, int64_t *out, struct vr_err *err)
{
    size_t n = strlen(text);
    int64_t count;

    for (size_t i = 0; i < VR_COUNT(units) && n > 1; i++) {
        if (text[n - 1] != units[i].unit)
            continue;
        if (vr_parse_i64((struct vr_str){text, n - 1}, 1, VR_SCHEDULE_EVERY_MAX_SECS, &count,
                         NULL) < 0 ||
            count > VR_SCHEDULE_EVERY_MAX_SECS / units[i].secs)
            break;
        *out = count * units[i].secs;
        return 0;
    }
    return vr_fail(err, VR_INVALID,
                   "every: '%.40s' is no time like 90s, 60m, 12h or 7d, up to 366d", text);
}

static int parse_at(const char *text, int64_t *out, struct vr_err *err)
{
    int64_t hours, minutes;

    if (strlen(text) != AT_CHARS || text[2] != ':' ||
        vr_parse_i64((struct vr_str){text, 2}, 0, 23, &hours, NULL) < 0 ||
        vr_parse_i64((struct vr_str){text + 3, 2}, 0, 59, &minutes, NULL) < 0)
        return vr_fail(err, VR_INVALID, "at: '%.40s' is no time of day (UTC) like \"12:15\"", text);
    *out = hours * HOUR + minutes * MINUTE;
    return 0;
}

/* YAML 1.1 reads a bare 12:15 as the number 735: it is what was meant. */
static int read_at(const json_t *value, int64_t *out, struct vr_err *err)
{
    json_int_t minutes = json_integer_value(value);

    if (json_is_string(value))
        return parse_at(json_string_value(value), out, err);
    if (!json_is_integer(value) || minutes < HOUR / MINUTE || minutes >= DAY / MINUTE)
        return vr_fail(err, VR_INVALID, "at is no time of day (UTC) like \"12:15\"");
    *out = minutes * MINUTE;
    return 0;
}

static bool is_off(const json_t *value)
{
    return json_is_false(value) || vr_streq(json_string_value(value), "off");
}

static int read_one(const json_t *value, struct vr_schedule *out, struct vr_err *err)
{
    const json_t *every = json_object_get(value, "every");
    const json_t *at = json_object_get(value, "at");
    struct vr_schedule s = {.kind = every ? VR_SCHEDULE_EVERY : VR_SCHEDULE_AT};
    int r;

    if (is_off(value)) {
        *out = (struct vr_schedule){VR_SCHEDULE_OFF, 0};
        return 0;
    }
    if (json_object_size(value) != 1 || (!every && !at))
        return vr_fail(err, VR_INVALID, "it is none of `every: 60m`, `at: \"12:15\"`, `off`");
    if (every && !json_is_string(every))
        return vr_fail(err, VR_INVALID, "every is no time like 90s, 60m, 12h or 7d");
    r = every ? parse_every(json_string_value(every), &s.secs, err) : read_at(at, &s.secs, err);
    if (r == 0)
        *out = s;
    return r;
}

int vr_schedules_read(const json_t *config, struct vr_schedule out[VR_TASK_COUNT],
                      struct vr_err *err)
{
    struct vr_schedule read[VR_TASK_COUNT];
    enum vr_task task;
    const char *name;
    json_t *value;
    int r;

    memcpy(read, out, sizeof(read));
    if (config && !json_is_object(config) && !json_is_null(config))
        return vr_fail(err, VR_INVALID, "schedules is not a mapping");
    json_object_foreach ((json_t *)config, name, value) {
        r = vr_task_parse(name, &task, err);
        if (r < 0)
            return vr_fail(err, VR_INVALID,
                           "schedules: there is no task '%.40s'; there are uptests, builds, "
                           "retention and hosts",
                           name);
        r = read_one(value, &read[task], err);
        if (r < 0)
            return vr_fail_in(err, r, "schedules: %s", name);
    }
    memcpy(out, read, sizeof(read));
    return 0;
}

/* ------------------------------------------------------------------ time */

int64_t vr_schedule_next(const struct vr_schedule *s, struct vr_wall now)
{
    int64_t at;

    switch (s->kind) {
    case VR_SCHEDULE_OFF:
        return 0;
    case VR_SCHEDULE_EVERY:
        return now.us + s->secs * VR_US_PER_S;
    case VR_SCHEDULE_AT:
        at = now.us - now.us % DAY_US + s->secs * VR_US_PER_S;
        return at > now.us ? at : at + DAY_US;
    }
    return 0;
}

int64_t vr_schedule_due(const struct vr_schedule *s, int64_t planned_us, struct vr_wall now)
{
    int64_t next = vr_schedule_next(s, now);

    if (!next || planned_us <= 0 || planned_us > next)
        return next;
    if (s->kind == VR_SCHEDULE_AT && planned_us % DAY_US != s->secs * VR_US_PER_S)
        return next; /* it was planned by another schedule */
    return planned_us;
}

void vr_schedule_format(const struct vr_schedule *s, char out[VR_SCHEDULE_TEXT_BYTES])
{
    size_t i = 0;

    switch (s->kind) {
    case VR_SCHEDULE_OFF:
        snprintf(out, VR_SCHEDULE_TEXT_BYTES, "off");
        break;
    case VR_SCHEDULE_EVERY:
        while (s->secs % units[i].secs)
            i++;
        snprintf(out, VR_SCHEDULE_TEXT_BYTES, "every %" PRId64 "%c", s->secs / units[i].secs,
                 units[i].unit);
        break;
    case VR_SCHEDULE_AT:
        snprintf(out, VR_SCHEDULE_TEXT_BYTES, "at %02d:%02d", (int)(s->secs / HOUR),
                 (int)(s->secs % HOUR / MINUTE));
        break;
    }
}
