/* SPDX-License-Identifier: MIT */
/* The grammar of every name and short text that comes from outside, as one table. */
#ifndef VR_MODEL_NAME_H
#define VR_MODEL_NAME_H

#include "fmt/json.h"

enum vr_name_kind {
    VR_NAME_APP,    /* [A-Za-z0-9_.]{1,50} */
    VR_NAME_TAG,    /* [A-Za-z0-9_.+][A-Za-z0-9_.+-]{0,49} */
    VR_NAME_CONFIG, /* [A-Za-z0-9_]{1,50} */
    VR_NAME_PROC,   /* [A-Za-z0-9_.]{1,50} */
    VR_NAME_POOL,   /* [A-Za-z0-9_.-]{1,50}, like the next four */
    VR_NAME_BALANCER,
    VR_NAME_SQUAD,
    VR_NAME_INGREDIENT,
    VR_NAME_DASHBOARD_SLUG,
    VR_NAME_HOST,  /* [A-Za-z0-9_.-]{1,200} */
    VR_NAME_STACK, /* [A-Za-z0-9_.-]{1,200}, like images made of it */
    VR_NAME_IMAGE,
    VR_NAME_USERNAME,  /* [A-Za-z0-9_.@+-]{1,150} */
    VR_NAME_RUN_AS,    /* an account: [a-z_][a-z0-9_-]{0,31} */
    VR_NAME_ENV_KEY,   /* [A-Za-z_][A-Za-z0-9_]{0,254} */
    VR_NAME_DISPLAY,   /* a title for people: 1-50 characters of UTF-8, none of them control */
    VR_NAME_REPO_TYPE, /* git, hg */
    VR_NAME_REPO_URL,  /* http https ssh git file URL, user@host:path, or absolute path; ≤ 200 */
    VR_NAME_HTTP_URL,  /* http or https URL; ≤ 200 */
    VR_NAME_MEM_SIZE,  /* 64M, 1G, 1073741824, 512mb; at least 1 MiB */
    VR_NAME_MD5,       /* 32 lower-case hexadecimal digits */
    VR_NAME_SHA256,    /* 64 */
    VR_NAME_KIND_COUNT,
};

/**
 * Check a value against its grammar. NULL counts as empty. No name is "." or "..".
 * Returns 0 or -VR_INVALID with a sentence that names thing, value and rule:
 * "app name 'my-app' has the character '-'; allowed are A-Z a-z 0-9 _ .".
 */
VR_MUST_USE
int vr_name_check(enum vr_name_kind kind, const char *value, struct vr_err *err);

/** What the thing is called in messages: "app name". */
const char *vr_name_title(enum vr_name_kind kind);

/** Longest value of a kind, in bytes. */
size_t vr_name_max(enum vr_name_kind kind);

/**
 * Volumes: an array of [host folder, mount point], both absolute and without "..", each mount
 * point once. null and [] are none.
 */
VR_MUST_USE
int vr_name_check_volumes(const json_t *volumes, struct vr_err *err);

/** mem and mem+swap belong together: swap needs mem and is at least as large. NULL is none. */
VR_MUST_USE
int vr_name_check_mem(const char *mem_limit, const char *memsw_limit, struct vr_err *err);

#endif
