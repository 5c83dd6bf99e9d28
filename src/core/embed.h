/* SPDX-License-Identifier: MIT */
/* A file that tools/embed.py made part of the program. */
#ifndef VR_CORE_EMBED_H
#define VR_CORE_EMBED_H

#include <stddef.h>

struct vr_embed {
    const char *name;           /* path below the embedded folder */
    const unsigned char *bytes; /* `size` of them and a NUL that is not counted */
    size_t size;
};

#endif
