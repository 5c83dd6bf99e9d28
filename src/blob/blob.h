/* SPDX-License-Identifier: MIT */
/* Bytes kept under the SHA-256 of their content: slugs, images, logs of builds. */
#ifndef VR_BLOB_BLOB_H
#define VR_BLOB_BLOB_H

#include "core/clock.h"
#include "fmt/hash.h"

#include <stdbool.h>
#include <stdint.h>

#define VR_BLOB_READ_BYTES 65536 /* handed to a reader at once, at most */

/** A store. May be used by several threads at once. */
struct vr_blobs;

/** What a finished blob is called. */
struct vr_blob_name {
    char sha256[VR_SHA256_HEX]; /* its key */
    char md5[VR_MD5_HEX];       /* what the contract shows; no protection */
    int64_t bytes;
};

/**
 * Open a store: "file:///folder" or the folder itself, which is made if missing. What writers that
 * died have left behind is removed, so one process at a time may write to a folder.
 * @out  given; release with vr_blobs_close()
 */
VR_MUST_USE
int vr_blobs_open(const char *url, struct vr_blobs **out, struct vr_err *err);
struct vr_blobs *vr_blobs_close(struct vr_blobs *blobs);
VR_DEFINE_OWNED(struct vr_blobs, vr_blobs_close)

/** A blob being written; for one thread at a time. */
struct vr_blob_writer;

/** @out  given; release with vr_blob_abort(), also after a commit */
VR_MUST_USE
int vr_blob_begin(struct vr_blobs *blobs, struct vr_blob_writer **out, struct vr_err *err);

/** Add bytes. -VR_LIMIT if the disk is full; after a failure only abort is left. Blocks. */
VR_MUST_USE
int vr_blob_write(struct vr_blob_writer *w, const void *bytes, size_t n, struct vr_err *err);

/** The same with the signature of an HTTP sink; `writer` is a struct vr_blob_writer *. */
int vr_blob_sink(void *writer, const void *bytes, size_t n, struct vr_err *err);

/**
 * Make the blob durable and visible under its key. An equal one that exists already is kept.
 * @sha256  what its key must be, lower-case hex; NULL: anything. Else -VR_PARSE, nothing stored.
 * @out     may be NULL
 */
VR_MUST_USE
int vr_blob_commit(struct vr_blob_writer *w, const char *sha256, struct vr_blob_name *out,
                   struct vr_err *err);

/** End writing; what was not committed is removed. Returns NULL; accepts NULL. */
struct vr_blob_writer *vr_blob_abort(struct vr_blob_writer *w);
VR_DEFINE_OWNED(struct vr_blob_writer, vr_blob_abort)

/*
 * For all below: `sha256` that is no key (64 lower-case hex digits) is -VR_INVALID, a blob that is
 * not there -VR_NOT_FOUND.
 */

/** A descriptor to read the blob with, at its start; the caller closes it. Stays readable after a
 * deletion. */
VR_MUST_USE
int vr_blob_open(struct vr_blobs *blobs, const char *sha256, struct vr_err *err);

/**
 * The file of a blob, if the driver keeps plain files. *out_path given, free().
 * The bytes must not be changed through it. -VR_NOT_FOUND otherwise.
 */
VR_MUST_USE
int vr_blob_path(struct vr_blobs *blobs, const char *sha256, char **out_path, struct vr_err *err);

bool vr_blob_has(struct vr_blobs *blobs, const char *sha256);

VR_MUST_USE
int vr_blob_size(struct vr_blobs *blobs, const char *sha256, int64_t *out_bytes,
                 struct vr_err *err);

/** When it was stored, or committed again: who looks for blobs that nobody refers to leaves the
 * young ones alone. */
VR_MUST_USE
int vr_blob_time(struct vr_blobs *blobs, const char *sha256, struct vr_wall *out,
                 struct vr_err *err);

VR_MUST_USE
int vr_blob_delete(struct vr_blobs *blobs, const char *sha256, struct vr_err *err);

/** Read it all and compare with its key: -VR_PARSE if the store has lost bytes. Blocks. */
VR_MUST_USE
int vr_blob_verify(struct vr_blobs *blobs, const char *sha256, struct vr_err *err);

/** Return 0 to go on; anything else ends the iteration and is returned by it. */
typedef int (*vr_blob_fn)(void *user, const char *sha256, int64_t bytes, struct vr_err *err);

/** Call `fn` for every blob, in no order. It may delete the blob it was called for. */
VR_MUST_USE
int vr_blob_each(struct vr_blobs *blobs, vr_blob_fn fn, void *user, struct vr_err *err);

/** Whether this text is a key. */
bool vr_blob_is_key(const char *text);

#endif
