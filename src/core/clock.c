/* SPDX-License-Identifier: MIT */
/* Clocks, and the one text form of a moment. */
#include "core/clock.h"

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

void vr_wall_format(struct vr_wall t, bool naive, char out[VR_WALL_TEXT_BYTES])
{
    int64_t us = t.us % VR_US_PER_S;
    time_t secs;
    struct tm tm;
    size_t n;

    if (us < 0)
        us += VR_US_PER_S;
    secs = (time_t)((t.us - us) / VR_US_PER_S);
    gmtime_r(&secs, &tm);
    n = strftime(out, VR_WALL_TEXT_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    if (us)
        n += (size_t)snprintf(out + n, VR_WALL_TEXT_BYTES - n, ".%06lld", (long long)us);
    if (!naive)
        snprintf(out + n, VR_WALL_TEXT_BYTES - n, "Z");
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
