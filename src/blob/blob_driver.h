/* SPDX-License-Identifier: MIT */
/* What a place to keep blobs must be able to do; for drivers and blob.c only. */
#ifndef VR_BLOB_BLOB_DRIVER_H
#define VR_BLOB_BLOB_DRIVER_H

#include "blob/blob.h"

/**
 * A driver. `store` and `part` (a blob being written) are the driver's own. Keys are valid and
 * hashes are computed before a driver is called; all functions may be called by several threads.
 */
struct vr_blob_driver {
    const char *scheme; /* of its URLs: "file" */

    /** @place the URL behind "scheme://" */
    int (*open)(const char *place, void **out_store, struct vr_err *err);
    void (*close)(void *store);

    int (*begin)(void *store, void **out_part, struct vr_err *err);
    int (*write)(void *store, void *part, const void *bytes, size_t n, struct vr_err *err);
    /** Durable and visible, in one step; an existing blob of that key counts as done. */
    int (*commit)(void *store, void *part, const char *key, struct vr_err *err);
    /** Also after commit(), and then keeps the blob. */
    void (*end)(void *store, void *part);

    /** Returns a descriptor. */
    int (*open_blob)(void *store, const char *key, struct vr_err *err);
    /** NULL: the driver has no plain files. */
    int (*path)(void *store, const char *key, char **out_path, struct vr_err *err);
    int (*size)(void *store, const char *key, int64_t *out_bytes, struct vr_err *err);
    /** Of the last commit under this key. */
    int (*time)(void *store, const char *key, struct vr_wall *out, struct vr_err *err);
    int (*remove)(void *store, const char *key, struct vr_err *err);
    int (*each)(void *store, vr_blob_fn fn, void *user, struct vr_err *err);
};

extern const struct vr_blob_driver vr_blob_file_driver;

#endif
