/* SPDX-License-Identifier: MIT */
/* Two kinds of time that the compiler does not mix. */
#ifndef VR_CORE_CLOCK_H
#define VR_CORE_CLOCK_H

#include "core/err.h"
#include "core/str.h"

/** Since boot, never set back: timeouts, back-off, durations. */
struct vr_mono {
    int64_t ns;
};

/** Microseconds since 1970, UTC: shown to people, stored in the database. */
struct vr_wall {
    int64_t us;
};

#define VR_NS_PER_MS INT64_C(1000000)
#define VR_NS_PER_S  INT64_C(1000000000)
#define VR_US_PER_S  INT64_C(1000000)

struct vr_mono vr_mono_now(void);
struct vr_wall vr_wall_now(void);

static inline struct vr_mono vr_mono_add_ms(struct vr_mono t, int64_t ms)
{
    return (struct vr_mono){t.ns + ms * VR_NS_PER_MS};
}

/** Milliseconds from `from` to `to`, rounded up, so that a wait of them is never too short. */
static inline int64_t vr_mono_ms_between(struct vr_mono from, struct vr_mono to)
{
    int64_t ns = to.ns - from.ns;

    return ns <= 0 ? 0 : (ns + VR_NS_PER_MS - 1) / VR_NS_PER_MS;
}

#define VR_WALL_TEXT_BYTES 40

/**
 * ISO 8601 in UTC: `2026-01-31T12:00:00.250000Z`; microseconds only when they are not zero.
 * `naive` leaves the zone out, as the fields do that the original had.
 */
void vr_wall_format(struct vr_wall t, bool naive, char out[VR_WALL_TEXT_BYTES]);

/** Parse the above, with or without zone `Z` or `+00:00`. */
VR_MUST_USE
int vr_wall_parse(struct vr_str s, struct vr_wall *out, struct vr_err *err);

#endif
