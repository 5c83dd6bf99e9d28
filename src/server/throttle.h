/* SPDX-License-Identifier: MIT */
/* How long to wait after wrong passwords, by user name and by address. */
#ifndef VR_SERVER_THROTTLE_H
#define VR_SERVER_THROTTLE_H

#include "core/clock.h"

#define VR_THROTTLE_FAILURES    5    /* that cost nothing but their own time */
#define VR_THROTTLE_FIRST_S     30   /* after the last of these; doubled by each further one */
#define VR_THROTTLE_LONGEST_S   900  /* never longer */
#define VR_THROTTLE_FORGOTTEN_S 3600 /* without a failure: as if there had been none */
#define VR_THROTTLE_MAX         2000 /* names and addresses; the one that failed longest ago goes */

struct vr_throttle;

struct vr_throttle *vr_throttle_new(void);
struct vr_throttle *vr_throttle_free(struct vr_throttle *throttle);

/*
 * May be called by several threads at once.
 *
 * @username  as it was typed, whether there is such a user or not
 * @address   where from; "": not known, only the name counts
 */

/** Seconds until a password may be tried again, rounded up; 0: now. */
int64_t vr_throttle_wait_s(struct vr_throttle *throttle, const char *username, const char *address,
                           struct vr_mono now);
/** A password was wrong. */
void vr_throttle_failed(struct vr_throttle *throttle, const char *username, const char *address,
                        struct vr_mono now);
/** A password was right: both start anew. */
void vr_throttle_passed(struct vr_throttle *throttle, const char *username, const char *address);

#endif
