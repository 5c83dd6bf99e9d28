/* SPDX-License-Identifier: MIT */
/* Lists and details of the API as JSON text, with filters, order and pages. */
#ifndef VR_STORE_RESOURCE_H
#define VR_STORE_RESOURCE_H

#include "fmt/json.h"
#include "fmt/query.h"
#include "store/store.h"

enum vr_resource {
    VR_RES_APPS,
    VR_RES_BUILDPACKS,
    VR_RES_BUILDS,
    VR_RES_RELEASES,
    VR_RES_INGREDIENTS,
    VR_RES_SQUADS,
    VR_RES_HOSTS,
    VR_RES_SWARMS,
    VR_RES_PROCS,
    VR_RES_ROLLOUTS,
    VR_RES_COMMANDS,
    VR_RES_BALANCERS,
    VR_RES_POOLS,
    VR_RES_EVENTS,
    VR_RES_LOGS,
    VR_RES_USERS,
    VR_RES_TOKENS,
    VR_RES_STACKS,
    VR_RES_IMAGES,
    VR_RES_TESTRUNS,
    VR_RES_TESTRESULTS,
    VR_RES_DASHBOARDS,
    VR_RES_PROFILES,
    VR_RES_COUNT,
};

#define VR_LIST_LIMIT_MAX  1000
#define VR_LIST_VALUES_MAX 100         /* of one `in` filter */
#define VR_LIST_BYTES      (64u << 20) /* of one page */

/** Who reads, and what `can` of an object tells them. All borrowed. */
struct vr_viewer {
    int64_t user_id;
    bool sees_all;       /* the tokens of everybody, and what users show to themselves only */
    const int64_t *apps; /* for whose things they may more than for others */
    size_t app_count;
    /* Lists of verbs as JSON: for what belongs to one of `apps`, for what is their own, and for
     * all else. */
    const char *can_app;
    const char *can_own;
    const char *can;
};

struct vr_list_spec {
    enum vr_resource resource;
    /* Borrowed; NULL: none. `field=x`, `field__lookup=x`, `order_by=a,-b`, `fields=a,b`; keys
     * whose first part is no field are ignored, so the request's whole query may be passed. */
    const struct vr_query *query;
    int64_t limit; /* 0 and more than VR_LIST_LIMIT_MAX: that */
    int64_t offset;
    /* `next_cursor` of the page before, "" for the first page; NULL: pages by offset. Only for
     * lists whose order is newest first; then rows that are added meanwhile move nothing. */
    const char *cursor;
    const struct vr_viewer
        *viewer; /* NULL: the platform itself, which sees all and needs no `can` */
    struct vr_wall now;
};

struct vr_list {
    char *objects; /* `[{…},…]`, compact */
    size_t bytes;
    int64_t count;       /* on this page */
    int64_t total_count; /* with a cursor: of this page and those behind it */
    char *next_cursor;   /* NULL: this is the last page, or the list has no cursors */
};

void vr_list_fini(struct vr_list *list);
#define vr_auto_list __attribute__((cleanup(vr_list_fini)))

/**
 * One page of a resource, in a fixed number of queries whatever its length.
 *
 * Returns -VR_INVALID with the sentence for the client ("The 'tag' field does not allow
 * filtering."), -VR_LIMIT when the page would exceed VR_LIST_BYTES.
 */
VR_MUST_USE
int vr_store_list(struct vr_tx *tx, const struct vr_list_spec *spec, struct vr_list *out,
                  struct vr_err *err);

/**
 * The object of one resource as `{…}`.
 *
 * @key     apps, squads, hosts, balancers, stacks: its name; else its id as text
 * @fields  NULL: all; else names separated by commas
 * @out     given; release with free()
 *
 * Returns -VR_NOT_FOUND also for a key that cannot be an id.
 */
VR_MUST_USE
int vr_store_object(struct vr_tx *tx, enum vr_resource resource, const char *key,
                    const char *fields, struct vr_wall now, char **out, struct vr_err *err);

/** One object as somebody sees it: vr_store_object() with a viewer. */
struct vr_object_spec {
    enum vr_resource resource;
    const char *key;
    const char *fields;             /* NULL: all */
    const struct vr_viewer *viewer; /* NULL: the platform itself */
    struct vr_wall now;
};
VR_MUST_USE
int vr_store_show(struct vr_tx *tx, const struct vr_object_spec *spec, char **out,
                  struct vr_err *err);

/**
 * Append some objects, separated by commas, in the order of their keys: one query for each 100
 * keys, and those of one page.
 * @spec         without its key
 * @out_missing  n of them; true: there is no object of this key
 */
VR_MUST_USE
int vr_store_set(struct vr_tx *tx, const struct vr_object_spec *spec, const char *const *keys,
                 size_t n, struct vr_buf *out, bool *out_missing, struct vr_err *err);

/** `[{…},…]` of the procs of one swarm, or host (the other 0), in the order of their ids. Given. */
VR_MUST_USE
int vr_store_procs_json(struct vr_tx *tx, int64_t swarm_id, int64_t host_id,
                        const struct vr_viewer *viewer, struct vr_wall now, char **out,
                        struct vr_err *err);

/** The i-th field of its objects, in the order in which they have them; NULL past the last. */
const char *vr_resource_field(enum vr_resource resource, size_t i);

/** `{"name": 1, "app": 2}`: what lists can be filtered by; 2 leads on to related objects. Given. */
json_t *vr_resource_filtering(enum vr_resource resource);

/** `apps`: the resource's part of the path. */
const char *vr_resource_name(enum vr_resource resource);

/** The resource of a name; -VR_NOT_FOUND. */
VR_MUST_USE
int vr_resource_parse(const char *name, enum vr_resource *out, struct vr_err *err);

/** `/api/v1/apps/shop/`; given, release with free(). */
char *vr_resource_uri(enum vr_resource resource, const char *key);

/**
 * Is `uri` one of that resource? With scheme and host or without, with or without last slash.
 * @out_key  given: decoded name or id; release with free()
 *
 * Returns -VR_INVALID when it is something else.
 */
VR_MUST_USE
int vr_resource_parse_uri(enum vr_resource resource, const char *uri, char **out_key,
                          struct vr_err *err);

#endif
