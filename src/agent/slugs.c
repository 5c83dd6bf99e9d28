/* SPDX-License-Identifier: MIT */
/*
 * Slugs on this host.
 *
 * A want is one (slug, owner) that procs wait for. It goes through fetch (once per slug: wants of
 * the same slug look at the store again when its download ends, those of others take its place
 * when all places were taken), mount, and on kernels without
 * idmapped squashfs a copy with the right owner in between. The bytes are hashed as they are
 * written to a store that only root writes; what does not hash to its name is never mounted.
 */
#include "agent/slugs.h"

#include "agent/bounds.h"
#include "agent/link.h"
#include "agent/task.h"
#include "blob/blob.h"
#include "fmt/json.h"
#include "net/http_loop.h"
#include "runtime/mount.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define WAITS_MAX         4096
#define FETCHES_MAX       16
#define RETRY_MS          500
#define STALL_MS          30000
#define SPARE_LOW_PERCENT 80 /* of the budget: down to it when it is passed */

struct vr_slug_wait {
    struct vr_slugs *all;
    struct vr_slug_wait *next;
    char sha256[VR_SHA256_HEX];
    uid_t uid;
    gid_t gid;
    vr_slugs_fn fn; /* NULL: called off */
    void *arg;
    bool told; /* of the fetch that just ended */
    uint64_t serial;
    struct vr_task *copier;
    struct vr_mount_copy copy;
};

struct fetch {
    struct vr_slugs *all;
    char sha256[VR_SHA256_HEX];
    struct vr_blob_writer *writer;
    struct vr_http_transfer *transfer;
    struct vr_timer *retry;
    int tries;
    bool used;
};

struct vr_slugs {
    struct vr_agent *agent;
    struct vr_blobs *blobs;
    struct vr_mounts *mounts;
    char *mount_dir;
    struct vr_slug_wait *waits;
    uint64_t last_serial;
    struct fetch fetches[FETCHES_MAX];
};

static void advance(struct vr_slug_wait *w);

/* ------------------------------------------------------------------ waits */

static void unlink_wait(struct vr_slug_wait *w)
{
    struct vr_slug_wait **at = &w->all->waits;

    while (*at && *at != w)
        at = &(*at)->next;
    if (*at)
        *at = w->next;
}

static void end_wait(struct vr_slug_wait *w, const char *path, const char *step,
                     const struct vr_err *err)
{
    vr_slugs_fn fn = w->fn;
    void *arg = w->arg;

    unlink_wait(w);
    w->copier = vr_task_free(w->copier);
    vr_mount_copy_fini(&w->copy);
    free(w);
    if (fn)
        fn(arg, path, step, err);
}

static struct vr_slug_wait *find_serial(struct vr_slugs *s, uint64_t serial)
{
    struct vr_slug_wait *w = s->waits;

    while (w && w->serial != serial)
        w = w->next;
    return w;
}

static struct vr_slug_wait *next_of(struct vr_slugs *s, const char *sha256)
{
    for (struct vr_slug_wait *w = s->waits; w; w = w->next)
        if (vr_streq(w->sha256, sha256) && !w->copier && !w->told)
            return w;
    return NULL;
}

/*
 * All that wait for a slug, whose fetch ended: each looks again, or hears why it failed. A callback
 * may change the list, so each is looked for anew and told once.
 */
static void tell_waits(struct vr_slugs *s, const char *sha256, const struct vr_err *err)
{
    struct vr_slug_wait *w;

    while ((w = next_of(s, sha256))) {
        w->told = true;
        if (err)
            end_wait(w, NULL, "fetch", err);
        else
            advance(w);
    }
    for (w = s->waits; w; w = w->next)
        w->told = false;
}

/* ------------------------------------------------------------------ fetch */

static void begin_fetch(void *arg);

static void want_fetch(struct vr_slug_wait *w);

static void close_fetch(struct fetch *f)
{
    f->writer = vr_blob_abort(f->writer);
    f->retry = vr_timer_free(f->retry);
    f->transfer = NULL;
    f->used = false;
}

/* A place is free: for those that found none. Whoever waits and does not copy waits for a fetch. */
static void fetch_next(struct vr_slugs *s)
{
    for (struct vr_slug_wait *w = s->waits; w; w = w->next)
        if (!w->copier)
            want_fetch(w);
}

static void fetch_failed(struct fetch *f, const struct vr_err *err)
{
    struct vr_err why = *err;
    char sha256[VR_SHA256_HEX];

    f->writer = vr_blob_abort(f->writer);
    if (++f->tries < VR_SLUG_FETCH_TRIES && why.code != VR_LIMIT && why.code != VR_NOT_FOUND) {
        vr_warn(&f->all->agent->log, "fetch slug %.12s: %s; tried again", f->sha256, why.msg);
        vr_timer_arm(f->retry, RETRY_MS * f->tries);
        return;
    }
    memcpy(sha256, f->sha256, sizeof(sha256));
    vr_ignore(vr_fail_in(&why, -1, "fetch slug %.12s", sha256), "the sentence is what counts");
    close_fetch(f);
    tell_waits(f->all, sha256, &why);
    fetch_next(f->all);
}

static void fetched(void *arg, int r, struct vr_http_result *result, const struct vr_err *err)
{
    struct fetch *f = arg;
    char sha256[VR_SHA256_HEX];
    struct vr_err why;

    f->transfer = NULL;
    if (r < 0) {
        fetch_failed(f, err);
        return;
    }
    if (result->status != 200) {
        vr_ignore(vr_fail(&why, result->status == 404 ? VR_NOT_FOUND : VR_IO,
                          "the server answered with status %d", result->status),
                  "the sentence is what counts");
        fetch_failed(f, &why);
        return;
    }
    r = vr_blob_commit(f->writer, f->sha256, NULL, &why);
    if (r < 0) {
        fetch_failed(f, &why);
        return;
    }
    memcpy(sha256, f->sha256, sizeof(sha256));
    close_fetch(f);
    tell_waits(f->all, sha256, NULL);
    fetch_next(f->all);
}

/* Unused slugs, however young. */
static void drop_unused(void *arg)
{
    struct vr_slugs *s = arg;
    const json_t *desired = vr_link_current(s->agent->link);
    const struct vr_slugs_limits none = {0, INT32_MAX};
    struct vr_slugs_freed freed;

    vr_slugs_collect(s, json_object_get(desired, "blobs_keep"), &none, &freed);
}

static void begin_fetch(void *arg)
{
    struct fetch *f = arg;
    struct vr_agent *agent = f->all->agent;
    vr_auto_free char *path = vr_strf("blobs/%s", f->sha256);
    vr_auto_free char *url = vr_link_url(agent->link, path);
    static const char *const headers[] = {"X-Velociraptor-Protocol: " VR_LINK_PROTOCOL, NULL};
    struct vr_http_call call = {.url = url,
                                .headers = headers,
                                .bearer = vr_link_token(agent->link),
                                .ca_file = agent->config.ca_file,
                                .timeout_ms = -1,
                                .stall_ms = STALL_MS,
                                .sink = vr_blob_sink};
    struct vr_err err;
    int r;

    r = vr_bounds_room(agent->config.state_dir, agent->config.min_free_bytes, drop_unused, f->all,
                       &err);
    if (r == 0)
        r = vr_blob_begin(f->all->blobs, &f->writer, &err);
    call.sink_ctx = f->writer;
    if (r == 0)
        r = vr_http_loop_start(agent->http, &call, fetched, f, &f->transfer, &err);
    if (r < 0)
        fetch_failed(f, &err);
}

static void want_fetch(struct vr_slug_wait *w)
{
    struct vr_slugs *s = w->all;
    struct fetch *spare = NULL;

    for (size_t i = 0; i < FETCHES_MAX; i++) {
        if (s->fetches[i].used && vr_streq(s->fetches[i].sha256, w->sha256))
            return; /* under way */
        if (!s->fetches[i].used)
            spare = &s->fetches[i];
    }
    if (!spare)
        return; /* fetch_next() comes back to it */
    *spare = (struct fetch){.all = s, .used = true};
    memcpy(spare->sha256, w->sha256, sizeof(spare->sha256));
    spare->retry = vr_timer_new(&s->agent->loop, begin_fetch, spare);
    vr_timer_arm(spare->retry, 0); /* never calls back within vr_slugs_prepare() */
}

/* ------------------------------------------------------------------ mount */

static void copied(void *arg, struct vr_exit how)
{
    struct vr_slug_wait *w = arg;
    struct vr_err err;
    char text[64];

    w->copier = vr_task_free(w->copier);
    if (how.code != 0) {
        vr_exit_format(how, text, sizeof(text));
        vr_ignore(
            vr_fail(&err, VR_IO, "copy slug %.12s for user %d: %s", w->sha256, (int)w->uid, text),
            "the sentence is what counts");
        end_wait(w, NULL, "mount", &err);
        return;
    }
    if (vr_mount_copy_done(&w->copy, &err) < 0) {
        end_wait(w, NULL, "mount", &err);
        return;
    }
    vr_mount_copy_fini(&w->copy);
    w->copy = (struct vr_mount_copy){0};
    advance(w);
}

static void start_copy(struct vr_slug_wait *w)
{
    struct vr_task_spec spec = {.argv = w->copy.argv, .on_done = copied, .arg = w};
    struct vr_err err;

    if (vr_task_start(&w->all->agent->loop, &spec, &w->copier, &err) < 0)
        end_wait(w, NULL, "mount", &err);
}

static void advance(struct vr_slug_wait *w)
{
    struct vr_slugs *s = w->all;
    vr_auto_free char *file = NULL;
    vr_auto_free char *path = NULL;
    struct vr_mount_spec spec = {
        .sha256 = w->sha256, .owner = VR_MOUNT_ONE, .uid = w->uid, .gid = w->gid};
    struct vr_err err;
    int r;

    r = vr_blob_path(s->blobs, w->sha256, &file, &err);
    if (r == -VR_NOT_FOUND && !vr_mount_is_mounted(s->mounts, w->sha256)) {
        want_fetch(w);
        return;
    }
    spec.file = file;
    r = r < 0 && r != -VR_NOT_FOUND ? r : vr_mount_prepare(s->mounts, &spec, &path, &w->copy, &err);
    if (r == -VR_BUSY)
        start_copy(w);
    else
        end_wait(w, r < 0 ? NULL : path, "mount", &err);
}

/* ------------------------------------------------------------------ interface */

void vr_slugs_prepare(struct vr_slugs *s, const char *sha256, uid_t uid, gid_t gid, vr_slugs_fn fn,
                      void *arg, struct vr_slug_wait **out)
{
    struct vr_slug_wait *w;
    struct vr_err err;
    uint64_t serial;
    size_t n = 0;

    *out = NULL;
    for (w = s->waits; w; w = w->next)
        n++;
    if (!vr_blob_is_key(sha256) || n >= WAITS_MAX) {
        vr_ignore(vr_fail(&err, VR_INVALID, "'%.70s' is not the SHA-256 of a slug", sha256),
                  "the sentence is what counts");
        fn(arg, NULL, "fetch", &err);
        return;
    }
    w = vr_alloc(sizeof(*w));
    *w = (struct vr_slug_wait){
        .all = s, .next = s->waits, .uid = uid, .gid = gid, .fn = fn, .arg = arg};
    memcpy(w->sha256, sha256, sizeof(w->sha256) - 1);
    s->waits = w;
    w->serial = serial = ++s->last_serial;
    advance(w); /* may call fn, which finds *out as after the call: NULL, and then w is gone */
    *out = find_serial(s, serial);
}

void vr_slugs_cancel(struct vr_slug_wait *w)
{
    if (!w)
        return;
    w->fn = NULL;
    if (!w->copier)
        end_wait(w, NULL, NULL, NULL);
}

bool vr_slugs_is_mounted(struct vr_slugs *s, const char *sha256)
{
    return vr_blob_is_key(sha256) && vr_mount_is_mounted(s->mounts, sha256);
}

struct vr_slug_copy {
    char sha256[VR_SHA256_HEX];
    struct vr_err err; /* VR_OK until something failed */
    int fd;
    struct vr_blob_writer *writer;
    char *piece;
    struct vr_timer *timer;
    vr_slug_copied_fn fn;
    void *arg;
};

/* 1: more to come, 0: it is in the store. */
static int copy_piece(struct vr_slug_copy *c)
{
    size_t copied = 0;
    ssize_t n = 0;
    int r = 0;

    while (r == 0 && copied < VR_SLUG_COPY_TURN_BYTES &&
           (n = read(c->fd, c->piece, VR_BLOB_READ_BYTES)) > 0) {
        r = vr_blob_write(c->writer, c->piece, (size_t)n, &c->err);
        copied += (size_t)n;
    }
    if (r == 0 && n < 0)
        r = vr_fail_sys(&c->err, "read the slug");
    if (r < 0 || n > 0)
        return r < 0 ? r : 1;
    return vr_blob_commit(c->writer, c->sha256, NULL, &c->err);
}

static void copy_turn(void *arg)
{
    struct vr_slug_copy *c = arg;
    struct vr_err err;

    if (c->err.code == VR_OK && copy_piece(c) > 0) {
        vr_timer_arm(c->timer, 0);
        return;
    }
    err = c->err; /* the copy may be freed by its owner */
    c->fn(c->arg, err.code == VR_OK ? NULL : &err);
}

struct vr_slug_copy *vr_slugs_keep(struct vr_slugs *s, const char *file, const char *sha256,
                                   vr_slug_copied_fn fn, void *arg)
{
    struct vr_slug_copy *c = vr_alloc(sizeof(*c));

    *c = (struct vr_slug_copy){.err = VR_ERR_NULL, .fn = fn, .arg = arg};
    snprintf(c->sha256, sizeof(c->sha256), "%s", sha256);
    c->piece = vr_alloc(VR_BLOB_READ_BYTES);
    c->timer = vr_timer_new(&s->agent->loop, copy_turn, c);
    c->fd = open(file, O_RDONLY | O_CLOEXEC);
    if (c->fd < 0)
        vr_ignore(vr_fail_sys(&c->err, "open '%s'", file), "told by copy_turn()");
    else
        vr_ignore(vr_blob_begin(s->blobs, &c->writer, &c->err), "told by copy_turn()");
    vr_timer_arm(c->timer, 0);
    return c;
}

struct vr_slug_copy *vr_slug_copy_free(struct vr_slug_copy *c)
{
    if (!c)
        return NULL;
    c->timer = vr_timer_free(c->timer);
    vr_blob_abort(c->writer);
    vr_fd_close(c->fd);
    free(c->piece);
    free(c);
    return NULL;
}

static bool is_kept(const json_t *keep, const char *sha256)
{
    size_t i;
    json_t *one;

    json_array_foreach (keep, i, one)
        if (vr_streq(json_string_value(one), sha256))
            return true;
    return false;
}

static bool is_wanted(const struct vr_slugs *s, const char *sha256)
{
    for (const struct vr_slug_wait *w = s->waits; w; w = w->next)
        if (vr_streq(w->sha256, sha256))
            return true;
    return false;
}

struct spare {
    char sha256[VR_SHA256_HEX];
    int64_t used_s, bytes;
};

struct spares {
    struct vr_slugs *all;
    const json_t *keep;
    struct spare *v;
    size_t n;
    struct vr_slugs_freed *freed;
};

static int add_spare(void *user, const char *sha256, int64_t bytes, struct vr_err *err)
{
    struct spares *list = user;
    vr_auto_free char *path = NULL;
    struct stat st = {0};

    list->freed->kept_count++;
    list->freed->kept_bytes += bytes;
    if (vr_blob_path(list->all->blobs, sha256, &path, NULL) < 0 || stat(path, &st) < 0)
        return 0;
    if (is_kept(list->keep, sha256) || is_wanted(list->all, sha256)) {
        list->freed->needed_count++;
        if (utimensat(AT_FDCWD, path, NULL, AT_SYMLINK_NOFOLLOW) < 0)
            vr_warn(&list->all->agent->log, "note the use of slug %.12s: %s", sha256,
                    strerrordesc_np(errno));
        return 0;
    }
    list->v = vr_realloc_array(list->v, list->n + 1, sizeof(*list->v));
    snprintf(list->v[list->n].sha256, VR_SHA256_HEX, "%s", sha256);
    list->v[list->n].bytes = bytes;
    list->v[list->n++].used_s = st.st_mtime;
    return 0;
}

static int oldest_first(const void *a, const void *b)
{
    const struct spare *x = a, *y = b;

    return x->used_s < y->used_s ? -1 : x->used_s > y->used_s ? 1 : 0;
}

static void delete_spares(struct spares *list, const struct vr_slugs_limits *limits)
{
    struct vr_slugs_freed *f = list->freed;
    bool over = f->kept_bytes > limits->budget_bytes;
    int64_t low = limits->budget_bytes / 100 * SPARE_LOW_PERCENT;
    int64_t oldest = vr_wall_now().us / VR_US_PER_S - limits->age_secs;
    struct vr_err err;

    for (size_t i = 0; i < list->n; i++) {
        const struct spare *one = &list->v[i];

        if (one->used_s >= oldest && !(over && f->kept_bytes > low))
            continue;
        if (vr_blob_delete(list->all->blobs, one->sha256, &err) < 0) {
            vr_warn(&list->all->agent->log, "delete slug %.12s: %s", one->sha256, err.msg);
            continue;
        }
        f->count++;
        f->bytes += one->bytes;
        f->kept_count--;
        f->kept_bytes -= one->bytes;
    }
}

void vr_slugs_collect(struct vr_slugs *s, const json_t *keep, const struct vr_slugs_limits *limits,
                      struct vr_slugs_freed *out)
{
    struct spares list = {.all = s, .keep = keep, .freed = out};
    struct vr_err err;

    *out = (struct vr_slugs_freed){0};
    if (!json_is_array(keep))
        return; /* the server did not say: nothing is collected on a guess */
    if (vr_blob_each(s->blobs, add_spare, &list, &err) < 0)
        vr_warn(&s->agent->log, "look for unused slugs: %s", err.msg);
    if (list.n)
        qsort(list.v, list.n, sizeof(*list.v), oldest_first);
    for (size_t i = 0; i < list.n; i++)
        if (vr_mount_remove(s->mounts, list.v[i].sha256, &err) < 0)
            vr_warn(&s->agent->log, "unmount slug %.12s: %s", list.v[i].sha256, err.msg);
    delete_spares(&list, limits);
    free(list.v);
}

void vr_slugs_unmount_all(struct vr_slugs *s)
{
    char **mounted = NULL;
    size_t n = 0;
    struct vr_err err;

    if (vr_mount_list(s->mounts, &mounted, &n, &err) < 0)
        vr_warn(&s->agent->log, "list mounts: %s", err.msg);
    for (size_t i = 0; i < n; i++) {
        if (vr_mount_remove(s->mounts, mounted[i], &err) < 0)
            vr_warn(&s->agent->log, "unmount slug %.12s: %s", mounted[i], err.msg);
        free(mounted[i]);
    }
    free(mounted);
    if (umount2(s->mount_dir, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
        vr_warn(&s->agent->log, "unmount '%s': %s", s->mount_dir, strerrordesc_np(errno));
}

int vr_slugs_new(const struct vr_slugs_spec *spec, struct vr_slugs **out, struct vr_err *err)
{
    struct vr_slugs *s = vr_alloc(sizeof(*s));
    int r;

    s->agent = spec->agent;
    s->mount_dir = vr_strdup(spec->mount_dir);
    r = vr_blobs_open(spec->blob_dir, &s->blobs, err);
    if (r == 0)
        r = vr_mounts_open(spec->mount_dir, spec->agent->caps.has_idmap, &s->mounts, err);
    if (r < 0) {
        vr_slugs_free(s);
        return r;
    }
    *out = s;
    return 0;
}

struct vr_slugs *vr_slugs_free(struct vr_slugs *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < FETCHES_MAX; i++) {
        if (s->fetches[i].transfer)
            vr_http_transfer_cancel(s->fetches[i].transfer);
        if (s->fetches[i].used)
            close_fetch(&s->fetches[i]);
    }
    while (s->waits) {
        s->waits->fn = NULL;
        end_wait(s->waits, NULL, NULL, NULL);
    }
    s->mounts = vr_mounts_close(s->mounts);
    s->blobs = vr_blobs_close(s->blobs);
    free(s->mount_dir);
    free(s);
    return NULL;
}
