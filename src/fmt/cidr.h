/* SPDX-License-Identifier: MIT */
/* Lists of networks: who may come in from where. */
#ifndef VR_FMT_CIDR_H
#define VR_FMT_CIDR_H

#include "core/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VR_CIDR_MAX 64 /* networks of a list */

/** A network; IPv4 ones as IPv4-mapped IPv6. */
struct vr_cidr {
    uint8_t address[16];
    int bits; /* of 128 */
};

struct vr_cidr_list {
    struct vr_cidr v[VR_CIDR_MAX];
    size_t n;
};

/**
 * Parse `10.0.0.0/8, 192.0.2.7 ::1`: addresses and networks between commas or spaces.
 * Returns -VR_INVALID naming the word that is none, -VR_LIMIT for more than VR_CIDR_MAX.
 */
VR_MUST_USE
int vr_cidr_parse(const char *text, struct vr_cidr_list *out, struct vr_err *err);

/** Whether an address (text, IPv4 or IPv6) lies in one of them; false for what is no address. */
bool vr_cidr_has(const struct vr_cidr_list *list, const char *address);

#endif
