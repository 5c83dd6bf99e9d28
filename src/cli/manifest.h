/* SPDX-License-Identifier: MIT */
/* The platform's objects as YAML that people keep in a repository: `vr export`, `vr apply`. */
#ifndef VR_CLI_MANIFEST_H
#define VR_CLI_MANIFEST_H

#include "cli/noun.h"

struct vr_api;

/*
 * A manifest is a mapping of sections, a section a mapping of names to fields:
 *
 *     apps:
 *       shop:
 *         repo_url: https://git.example.com/shop.git
 *     swarms:
 *       shop-prod-web:
 *         squad: dc1
 *         env: {FEATURE_X: "on"}
 *
 * Objects refer to each other by name. A field that is left out is left as it is; one that is null
 * is emptied.
 */

#define VR_MANIFEST_FILES_MAX 100
#define VR_MANIFEST_FIELDS    16

enum vr_manifest_type {
    VR_MANIFEST_TEXT,
    VR_MANIFEST_VALUE,   /* a number, a list, an object: as the API has it */
    VR_MANIFEST_DICT,    /* a mapping; YAML text in the API */
    VR_MANIFEST_REF,     /* a name; a URI in the API */
    VR_MANIFEST_REFS,    /* a list of names, in any order */
    VR_MANIFEST_GRANTS,  /* a mapping of apps to roles */
    VR_MANIFEST_SECRETS, /* names, or where their values are */
};

struct vr_manifest_field {
    const char *name; /* in a manifest */
    const char *api;
    enum vr_manifest_type type;
    const char *noun; /* that a reference is to */
};

struct vr_manifest_kind {
    const char *section; /* "apps" */
    const char *noun;
    const char *label; /* field of the API that is the name; NULL: it is a swarm's */
    const struct vr_manifest_field *fields;
    size_t field_count;
    bool is_found; /* it comes by itself: changed here, but neither made nor removed */
};

/** In the order in which they refer to each other; ended by an entry without section. */
extern const struct vr_manifest_kind vr_manifest_kinds[];

/** The kind of a section, NULL if there is none. */
const struct vr_manifest_kind *vr_manifest_kind_find(const char *section);

/**
 * Read files ("-" is standard input) into one manifest. A name that stands in two files, a section
 * or a field that is none: -VR_INVALID naming file, section and name.
 * @out  given: {section: {name: fields}}; swarms are named with their squad: "shop-prod-web@dc1"
 */
VR_MUST_USE
int vr_manifest_read(const char *const *files, size_t count, json_t **out, struct vr_err *err);

/**
 * All objects of a kind at the server, as a manifest has them.
 * @out      given: {name: fields}
 * @out_ids  given: {name: the object of the API}; may be NULL
 */
VR_MUST_USE
int vr_manifest_fetch(struct vr_api *api, const struct vr_manifest_kind *kind, json_t **out,
                      json_t **out_objects, struct vr_err *err);

/**
 * The fields of `want` that differ from `have` (NULL: there is none), as a request's body.
 * @out_body  given; an empty object if nothing differs
 * @what      appended: one line about what differs, "size 2 → 4, env"
 */
VR_MUST_USE
int vr_manifest_body(struct vr_api *api, const struct vr_manifest_kind *kind, const char *name,
                     const json_t *want, const json_t *have, json_t **out_body, struct vr_buf *what,
                     struct vr_err *err);

#endif
