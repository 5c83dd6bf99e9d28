/* SPDX-License-Identifier: MIT */
/* Clocks, and the one text form of a moment. */
#include "core/clock.h"

#include "core/own.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct vr_mono vr_mono_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_BOOTTIME, &t);
    return (struct vr_mono){t.tv_sec * VR_NS_PER_S + t.tv_nsec};
}

struct vr_wall vr_wall_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (struct vr_wall){t.tv_sec * VR_US_PER_S + t.tv_nsec / 1000};
}

static char *add_digits(char *at, int64_t value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + count;
}

/* "2026-01-31T12:00:00": lists are full of times, and strftime() takes ten times as long. */
static char *add_time(char *at, const struct tm *tm)
{
    const int parts[] = {tm->tm_mon + 1, tm->tm_mday, tm->tm_hour, tm->tm_min, tm->tm_sec};

    at = add_digits(at, tm->tm_year + 1900, 4);
    for (size_t i = 0; i < VR_COUNT(parts); i++) {
        *at++ = "--T::"[i];
        at = add_digits(at, parts[i], 2);
    }
    return at;
}

void vr_wall_format(struct vr_wall t, bool naive, char out[VR_WALL_TEXT_BYTES])
{
    int64_t us = t.us % VR_US_PER_S;
    time_t secs;
    struct tm tm;
    char *at = out;

    if (us < 0)
        us += VR_US_PER_S;
    secs = (time_t)((t.us - us) / VR_US_PER_S);
    gmtime_r(&secs, &tm);
    if (tm.tm_year + 1900 >= 0 && tm.tm_year + 1900 <= 9999)
        at = add_time(at, &tm);
    else
        at += strftime(out, VR_WALL_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us) {
        *at++ = '.';
        at = add_digits(at, us, 6);
    }
    if (!naive)
        *at++ = 'Z';
    *at = '\0';
}

int vr_wall_parse(struct vr_str s, struct vr_wall *out, struct vr_err *err)
{
    char text[VR_WALL_TEXT_BYTES] = "";
    struct tm tm = {0};
    const char *rest;
    int64_t us = 0;

    if (s.n >= sizeof(text))
        return vr_fail(err, VR_INVALID, "a time of %zu characters is too long", s.n);
    memcpy(text, s.p, s.n);
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (!rest)
        return vr_fail(err, VR_INVALID, "'%s' is not a time such as 2026-01-31T12:00:00Z", text);
    if (*rest == '.') {
        int64_t scale = VR_US_PER_S / 10;

        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            us += (*rest - '0') * scale;
    }
    if (*rest && strcmp(rest, "Z") != 0 && strcmp(rest, "+00:00") != 0)
        return vr_fail(err, VR_INVALID, "'%s' is not a time in UTC", text);
    out->us = (int64_t)timegm(&tm) * VR_US_PER_S + us;
    return 0;
}
