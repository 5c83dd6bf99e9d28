/* SPDX-License-Identifier: MIT */
/* Versions: what objects were after each change of them. */
#ifndef VR_STORE_VERSION_H
#define VR_STORE_VERSION_H

#include "fmt/json.h"
#include "store/resource.h"

struct vr_version_row {
    int64_t id;
    char *resource; /* "swarms" */
    int64_t object_id;
    char *object_name;   /* then */
    int64_t row_version; /* then; 0 on insert: what the object has now */
    char *action;        /* create, update, delete, restore, found, import */
    int64_t user_id;     /* 0: nobody */
    char *username;      /* then */
    int64_t time_us;
    char *comment;
    char *data_json; /* the fields that a user may write; references as {"id", "name"} */
};

VR_DECLARE_ROW(version);

/** Do objects of this kind have versions? */
bool vr_store_version_is_kept(enum vr_resource resource);

VR_MUST_USE
int vr_store_version_insert(struct vr_tx *tx, enum vr_resource resource,
                            const struct vr_version_row *row, int64_t *out_id, struct vr_err *err);
VR_MUST_USE
int vr_store_version_find_id(struct vr_tx *tx, int64_t id, struct vr_version_row *out,
                             struct vr_err *err);
/** The newest of an object; -VR_NOT_FOUND if it has none. */
VR_MUST_USE
int vr_store_version_newest(struct vr_tx *tx, enum vr_resource resource, int64_t object_id,
                            struct vr_version_row *out, struct vr_err *err);
/** The newest of a name, of whichever object had it: to find those that are deleted. */
VR_MUST_USE
int vr_store_version_newest_named(struct vr_tx *tx, enum vr_resource resource, const char *name,
                                  struct vr_version_row *out, struct vr_err *err);
/** The one before another of the same object; -VR_NOT_FOUND if that is the first. */
VR_MUST_USE
int vr_store_version_before(struct vr_tx *tx, const struct vr_version_row *row,
                            struct vr_version_row *out, struct vr_err *err);
/** Those of an object, newest first. */
VR_MUST_USE
int vr_store_version_list(struct vr_tx *tx, enum vr_resource resource, int64_t object_id,
                          int64_t limit, int64_t offset, struct vr_version_rows *out,
                          struct vr_err *err);
VR_MUST_USE
int vr_store_version_count(struct vr_tx *tx, enum vr_resource resource, int64_t object_id,
                           int64_t *out, struct vr_err *err);

/** What an object is called where versions refer to it; -VR_NOT_FOUND. Given. */
VR_MUST_USE
int vr_store_version_name(struct vr_tx *tx, enum vr_resource resource, int64_t id, char **out,
                          struct vr_err *err);
/** Its id by that name; -VR_NOT_FOUND. */
VR_MUST_USE
int vr_store_version_id(struct vr_tx *tx, enum vr_resource resource, const char *name, int64_t *out,
                        struct vr_err *err);

/* Lists that belong to an object: [{"id", "name"}, …] by name. Given. */
VR_MUST_USE
int vr_store_version_ingredients(struct vr_tx *tx, int64_t swarm_id, json_t **out,
                                 struct vr_err *err);
VR_MUST_USE
int vr_store_version_hosts(struct vr_tx *tx, int64_t squad_id, json_t **out, struct vr_err *err);
/** The apps that a user is granted. */
VR_MUST_USE
int vr_store_version_dashboard_apps(struct vr_tx *tx, int64_t dashboard_id, json_t **out,
                                    struct vr_err *err);
VR_MUST_USE
int vr_store_version_quick_dashboards(struct vr_tx *tx, int64_t profile_id, json_t **out,
                                      struct vr_err *err);
VR_MUST_USE
int vr_store_version_grants(struct vr_tx *tx, int64_t user_id, json_t **out, struct vr_err *err);

#endif
