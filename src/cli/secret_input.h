/* SPDX-License-Identifier: MIT */
/* Passwords from the keyboard, without showing them, or from standard input. */
#ifndef VR_CLI_SECRET_INPUT_H
#define VR_CLI_SECRET_INPUT_H

#include "core/err.h"

#define VR_SECRET_BYTES     1024u
#define VR_SECRET_ALL_BYTES (64u << 10) /* of one that is read whole */

/** Ask on the terminal, without echo. *out is given. -VR_INVALID without a terminal. */
VR_MUST_USE
int vr_secret_ask(const char *prompt, char **out, struct vr_err *err);

/** The first line of standard input. *out is given. */
VR_MUST_USE
int vr_secret_read(char **out, struct vr_err *err);

/** All of standard input but one line end at its end, so that keys of several lines are whole. */
VR_MUST_USE
int vr_secret_read_all(char **out, struct vr_err *err);

/** Wipe and free; accepts NULL. */
void vr_secret_free(char *secret);

static inline void vr_secret_free_p(char **secret)
{
    vr_secret_free(*secret);
}

#define vr_auto_secret __attribute__((cleanup(vr_secret_free_p)))

#endif
