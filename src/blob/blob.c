/* SPDX-License-Identifier: MIT */
/* Bytes kept under the SHA-256 of their content: what all drivers have in common. */
#include "blob/blob.h"
#include "blob/blob_driver.h"
#include "core/str.h"

#include <errno.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdef"

static const struct vr_blob_driver *const drivers[] = {&vr_blob_file_driver};

struct vr_blobs {
    const struct vr_blob_driver *driver;
    void *store;
};

struct vr_blob_writer {
    struct vr_blobs *blobs; /* borrowed */
    void *part;
    struct vr_hash *sha256;
    struct vr_hash *md5;
    int64_t bytes;
    bool finished; /* committed or failed */
};

bool vr_blob_is_key(const char *text)
{
    return text && vr_str_is_made_of(text, HEX_DIGITS, VR_SHA256_HEX - 1, VR_SHA256_HEX - 1);
}

static int check_key(const char *text, struct vr_err *err)
{
    if (vr_blob_is_key(text))
        return 0;
    return vr_fail(err, VR_INVALID, "'%s' is not a SHA-256 in hexadecimal", text ? text : "");
}

static const struct vr_blob_driver *find_driver(const char *url, const char **out_place)
{
    const char *mark = strstr(url, "://");

    *out_place = mark ? mark + 3 : url;
    for (size_t i = 0; i < VR_COUNT(drivers); i++) {
        size_t n = strlen(drivers[i]->scheme);

        if (!mark || ((size_t)(mark - url) == n && !strncmp(url, drivers[i]->scheme, n)))
            return drivers[i]; /* a bare folder is for the first */
    }
    return NULL;
}

int vr_blobs_open(const char *url, struct vr_blobs **out, struct vr_err *err)
{
    const char *place;
    const struct vr_blob_driver *driver = find_driver(url, &place);
    struct vr_blobs *blobs;
    void *store = NULL;
    int r;

    if (!driver)
        return vr_fail(err, VR_INVALID, "blob store '%s': unknown kind", url);
    r = driver->open(place, &store, err);
    if (r < 0)
        return vr_fail_in(err, r, "blob store '%s'", url);
    blobs = vr_alloc(sizeof(*blobs));
    blobs->driver = driver;
    blobs->store = store;
    *out = blobs;
    return 0;
}

struct vr_blobs *vr_blobs_close(struct vr_blobs *blobs)
{
    if (!blobs)
        return NULL;
    blobs->driver->close(blobs->store);
    free(blobs);
    return NULL;
}

int vr_blob_begin(struct vr_blobs *blobs, struct vr_blob_writer **out, struct vr_err *err)
{
    struct vr_blob_writer *w;
    void *part = NULL;
    int r;

    r = blobs->driver->begin(blobs->store, &part, err);
    if (r < 0)
        return r;
    w = vr_alloc(sizeof(*w));
    w->blobs = blobs;
    w->part = part;
    w->sha256 = vr_hash_new(VR_HASH_SHA256);
    w->md5 = vr_hash_new(VR_HASH_MD5);
    *out = w;
    return 0;
}

int vr_blob_write(struct vr_blob_writer *w, const void *bytes, size_t n, struct vr_err *err)
{
    int r;

    if (w->finished)
        return vr_fail(err, VR_BUG, "write to a finished blob");
    r = w->blobs->driver->write(w->blobs->store, w->part, bytes, n, err);
    if (r < 0) {
        w->finished = true;
        return r;
    }
    vr_hash_add(w->sha256, bytes, n);
    vr_hash_add(w->md5, bytes, n);
    w->bytes += (int64_t)n;
    return 0;
}

int vr_blob_sink(void *writer, const void *bytes, size_t n, struct vr_err *err)
{
    return vr_blob_write(writer, bytes, n, err);
}

int vr_blob_commit(struct vr_blob_writer *w, const char *sha256, struct vr_blob_name *out,
                   struct vr_err *err)
{
    struct vr_blob_name name = {.bytes = w->bytes};
    int r;

    if (w->finished)
        return vr_fail(err, VR_BUG, "commit of a finished blob");
    w->finished = true;
    vr_hash_finish(w->sha256, name.sha256);
    vr_hash_finish(w->md5, name.md5);
    if (sha256 && strcmp(sha256, name.sha256) != 0)
        return vr_fail(err, VR_PARSE, "content has SHA-256 %s instead of %s", name.sha256, sha256);
    r = w->blobs->driver->commit(w->blobs->store, w->part, name.sha256, err);
    if (r < 0)
        return vr_fail_in(err, r, "blob %s", name.sha256);
    if (out)
        *out = name;
    return 0;
}

struct vr_blob_writer *vr_blob_abort(struct vr_blob_writer *w)
{
    if (!w)
        return NULL;
    w->blobs->driver->end(w->blobs->store, w->part);
    vr_hash_free(w->sha256);
    vr_hash_free(w->md5);
    free(w);
    return NULL;
}

int vr_blob_open(struct vr_blobs *blobs, const char *sha256, struct vr_err *err)
{
    int r = check_key(sha256, err);

    return r < 0 ? r : blobs->driver->open_blob(blobs->store, sha256, err);
}

int vr_blob_path(struct vr_blobs *blobs, const char *sha256, char **out_path, struct vr_err *err)
{
    int r = check_key(sha256, err);

    if (r < 0)
        return r;
    if (!blobs->driver->path)
        return vr_fail(err, VR_NOT_FOUND, "this blob store has no plain files");
    return blobs->driver->path(blobs->store, sha256, out_path, err);
}

bool vr_blob_has(struct vr_blobs *blobs, const char *sha256)
{
    int64_t bytes;

    return vr_blob_size(blobs, sha256, &bytes, NULL) == 0;
}

int vr_blob_size(struct vr_blobs *blobs, const char *sha256, int64_t *out_bytes, struct vr_err *err)
{
    int r = check_key(sha256, err);

    return r < 0 ? r : blobs->driver->size(blobs->store, sha256, out_bytes, err);
}

int vr_blob_time(struct vr_blobs *blobs, const char *sha256, struct vr_wall *out,
                 struct vr_err *err)
{
    int r = check_key(sha256, err);

    return r < 0 ? r : blobs->driver->time(blobs->store, sha256, out, err);
}

int vr_blob_delete(struct vr_blobs *blobs, const char *sha256, struct vr_err *err)
{
    int r = check_key(sha256, err);

    return r < 0 ? r : blobs->driver->remove(blobs->store, sha256, err);
}

int vr_blob_verify(struct vr_blobs *blobs, const char *sha256, struct vr_err *err)
{
    VR_OWNED(vr_hash_free) struct vr_hash *hash = vr_hash_new(VR_HASH_SHA256);
    vr_auto_free char *bytes = vr_alloc(VR_BLOB_READ_BYTES);
    vr_auto_close int fd = vr_blob_open(blobs, sha256, err);
    char found[VR_SHA256_HEX];
    ssize_t n;

    if (fd < 0)
        return fd;
    while ((n = read(fd, bytes, VR_BLOB_READ_BYTES))) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return vr_fail_sys(err, "blob %s: read", sha256);
        vr_hash_add(hash, bytes, (size_t)n);
    }
    vr_hash_finish(hash, found);
    if (strcmp(found, sha256) != 0)
        return vr_fail(err, VR_PARSE, "blob %s is damaged", sha256);
    return 0;
}

int vr_blob_each(struct vr_blobs *blobs, vr_blob_fn fn, void *user, struct vr_err *err)
{
    return blobs->driver->each(blobs->store, fn, user, err);
}
