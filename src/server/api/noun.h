/* SPDX-License-Identifier: MIT */
/* Create, replace, patch and delete for all nouns, by a table of their fields. */
#ifndef VR_SERVER_API_NOUN_H
#define VR_SERVER_API_NOUN_H

#include "model/name.h"
#include "server/api/ref.h"
#include "server/api/write.h"

#define VR_NOUN_TEXT_MAX 10000 /* characters of a text without a grammar of its own */

enum vr_noun_kind {
    VR_NOUN_NAME,    /* char *, by the grammar of `name` */
    VR_NOUN_OPTION,  /* the same, but may be null: NULL; "" counts as null */
    VR_NOUN_DEFAULT, /* the same, but null and "" are `fallback` */
    VR_NOUN_TEXT,    /* char *, any text; null is "" */
    VR_NOUN_INT,     /* int64_t in [min, max] */
    VR_NOUN_BOOL,
    VR_NOUN_REF,      /* int64_t: id of one of `resource` */
    VR_NOUN_REF_NULL, /* the same; null is 0 */
    VR_NOUN_OWN,      /* char * (or another text that goes with it), by `read` */
    VR_NOUN_OWN_ID,   /* int64_t: id of one of `resource`, by `read` */
    VR_NOUN_BESIDE,   /* char * that `check` reads; it stands in the table for versions only */
};

/** What a version keeps of a field, and how it shows that it changed. */
enum vr_noun_form {
    VR_FORM_VALUE,   /* as it is; references as {"id", "name"} */
    VR_FORM_YAML,    /* a text of YAML: by lines */
    VR_FORM_JSON,    /* a text of JSON, kept as what it says: by lines of its YAML */
    VR_FORM_SECRETS, /* {"env": {"NAME": {"$secret": id, …}}}: only what was set or removed */
    VR_FORM_NEVER,   /* a password: no version has it */
};

/** Reads a field that has rules of its own into the row. */
typedef int vr_noun_read_fn(struct vr_write *w, void *row, const json_t *value, struct vr_err *err);

struct vr_noun_field {
    const char *json;
    enum vr_noun_kind kind;
    size_t offset; /* in the row's struct */
    bool required; /* when it is created */
    enum vr_name_kind name;
    const char *fallback;
    int64_t min, max;
    enum vr_resource resource;
    vr_noun_read_fn *read;
    enum vr_noun_form form;
    /** The value that a version keeps, if it is not that of the row; given. NULL: the row's. */
    json_t *(*show)(const void *row);
};

/** A list that belongs to an object but is not in its row: `config_ingredients` of a swarm. */
struct vr_noun_list {
    const char *json;
    enum vr_resource resource;
    /** [{"id", "name"}, …] by name; given. */
    int (*get)(struct vr_tx *tx, int64_t id, json_t **out, struct vr_err *err);
    json_t *(*item)(json_t *ref); /* what a body has for one, given; NULL: the reference itself */
};

/** All rows are the noun's `struct vr_x_row`. */
struct vr_noun {
    enum vr_resource resource;
    const char *title; /* "app" */
    const struct vr_noun_field *fields;
    size_t field_count;
    const char *page;      /* of the user interface, before the key: "/apps/"; NULL: none */
    bool is_keyed_by_name; /* else the path has its id */
    size_t row_bytes, id_offset, version_offset;
    const struct vr_noun_list *lists; /* that versions keep too; ended by a NULL name */

    int (*find)(struct vr_tx *tx, const char *key, void *row, struct vr_err *err);
    int (*insert)(struct vr_tx *tx, const void *row, int64_t *out_id, struct vr_err *err);
    int (*update)(struct vr_tx *tx, const void *row, struct vr_err *err);
    int (*remove)(struct vr_tx *tx, int64_t id, struct vr_err *err);
    void (*fini)(void *row);
    /** What it is called in the log; given. */
    char *(*label)(const void *row);

    /* May be NULL. */
    /** Id of the app that it belongs to (0: none), for routes of VR_SCOPE_APP and for the log.
     * Asked before and after a change, which may move it from one app to another. */
    int64_t (*app_of)(const void *row);
    void (*preset)(const struct vr_write *w, void *row); /* defaults of a new one */
    /** After the fields were read, before they are stored: what they must be together. */
    int (*check)(struct vr_write *w, void *row, const json_t *body, struct vr_err *err);
    /** After the row was stored (its id is set): lists that belong to it. */
    int (*stored)(struct vr_write *w, const void *row, const json_t *body, struct vr_err *err);
    /** Before it is deleted. */
    int (*leaving)(struct vr_write *w, const void *row, struct vr_err *err);
};

enum vr_noun_verb { VR_NOUN_CREATE, VR_NOUN_REPLACE, VR_NOUN_PATCH, VR_NOUN_DELETE };

/**
 * Do one of them in a transaction of vr_write_run(), and set its answer.
 * @key   of the path; not looked at to create
 * @body  not looked at to delete
 */
VR_MUST_USE
int vr_noun_write(struct vr_write *w, const struct vr_noun *noun, enum vr_noun_verb verb,
                  const char *key, const json_t *body, struct vr_err *err);

#define VR_NOUN_LIST_MAX 500 /* objects, and deleted objects, of one vr_noun_patch_list() */

/**
 * Handler: `{"objects": […], "deleted_objects": [uri, …]}` changes those objects that have a
 * resource_uri, creates the others, and deletes; all of it or nothing.
 */
VR_MUST_USE
int vr_noun_patch_list(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);

/* Handlers; the key is call->args[0]. Deleting wants `remove`, changing wants `update`. */
VR_MUST_USE
int vr_noun_create(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);
VR_MUST_USE
int vr_noun_replace(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);
VR_MUST_USE
int vr_noun_patch(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);
VR_MUST_USE
int vr_noun_delete(struct vr_call *call, const struct vr_noun *noun, struct vr_err *err);

/*
 * What the handlers do inside of vr_write_run(), for those who have a body of their own. The
 * answer is set.
 */
/** Make an object. @row  zeroed; filled */
VR_MUST_USE
int vr_noun_create_in(struct vr_write *w, const struct vr_noun *noun, void *row, const json_t *body,
                      struct vr_err *err);
/** Change the object that `row` was filled with by noun->find(). */
VR_MUST_USE
int vr_noun_change_in(struct vr_write *w, const struct vr_noun *noun, void *row, const json_t *body,
                      int status, struct vr_err *err);
/** What the path names it by; given. */
char *vr_noun_key(const struct vr_noun *noun, const void *row);

/** Read into `row` what the body names and the table has; what differs is noted in `w`. */
VR_MUST_USE
int vr_noun_read(struct vr_write *w, const struct vr_noun *noun, void *row, const json_t *body,
                 struct vr_err *err);

/** Replace a text of a row. @value copied, NULL: null */
void vr_noun_set(char **field, const char *value);

/*
 * Define `<noun>_insert`, `<noun>_update`, `<noun>_remove` and `<noun>_fini`, the functions of the
 * store with the types that a table wants; and the four handlers of routes.
 */
#define VR_NOUN_STORE(noun)                                                                        \
    static int noun##_insert(struct vr_tx *tx, const void *row, int64_t *out_id,                   \
                             struct vr_err *err)                                                   \
    {                                                                                              \
        return vr_store_##noun##_insert(tx, row, out_id, err);                                     \
    }                                                                                              \
    static int noun##_remove(struct vr_tx *tx, int64_t id, struct vr_err *err)                     \
    {                                                                                              \
        return vr_store_##noun##_delete(tx, id, err);                                              \
    }                                                                                              \
    static void noun##_fini(void *row)                                                             \
    {                                                                                              \
        vr_##noun##_row_fini(row);                                                                 \
    }

#define VR_NOUN_UPDATE(noun)                                                                       \
    static int noun##_update(struct vr_tx *tx, const void *row, struct vr_err *err)                \
    {                                                                                              \
        return vr_store_##noun##_update(tx, row, err);                                             \
    }

/** Define `<noun>_find` for nouns that the path names by id. */
#define VR_NOUN_FIND_ID(noun)                                                                      \
    static int noun##_find(struct vr_tx *tx, const char *key, void *row, struct vr_err *err)       \
    {                                                                                              \
        int64_t id;                                                                                \
        int r = vr_ref_id(#noun, key, &id, err);                                                   \
                                                                                                   \
        return r < 0 ? r : vr_store_##noun##_find_id(tx, id, row, err);                            \
    }

/** Define `<noun>_find` for nouns that the path names by name. */
#define VR_NOUN_FIND_NAME(noun)                                                                    \
    static int noun##_find(struct vr_tx *tx, const char *key, void *row, struct vr_err *err)       \
    {                                                                                              \
        return vr_store_##noun##_find(tx, key, row, err);                                          \
    }

/** Define the handler `<noun>_<verb>` of a table `<noun>_noun`. */
#define VR_NOUN_HANDLER(noun, verb)                                                                \
    static int noun##_##verb(struct vr_call *call, struct vr_err *err)                             \
    {                                                                                              \
        return vr_noun_##verb(call, &noun##_noun, err);                                            \
    }

#endif
