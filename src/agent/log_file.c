/* SPDX-License-Identifier: MIT */
/*
 * Finding a place among the files of a log.
 *
 * Each file but the first tells its place in its first record, so the shim need not be asked, and
 * a rotation between two looks moves names but no places. Files are looked at from the newest to
 * the oldest: a rotation meanwhile shows one twice, and hides none but for the moment between two
 * renames, in which a name is missing.
 */
#include "agent/log_file.h"

#include "core/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define GOES_ON    " sys log goes on at byte "
#define HEAD_BYTES 128 /* a first record with a place fits */
#define CHUNK      8192

/* One of the files, opened. */
struct part {
    int fd;
    int64_t base, end;
};

/* False if there is none of that number, or its place is not known yet. */
static bool open_part(const char *path, int i, struct part *out)
{
    vr_auto_free char *name = i ? vr_strf("%s.%d", path, i) : vr_strdup(path);
    vr_auto_close int fd = open(name, O_RDONLY | O_CLOEXEC);
    char head[HEAD_BYTES + 1];
    const char *p;
    ssize_t n;
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return false;
    out->base = 0;
    n = pread(fd, head, HEAD_BYTES, 0);
    head[n > 0 ? n : 0] = '\0';
    p = strstr(head, GOES_ON);
    if (p && memchr(head, '\n', (size_t)(p - head)))
        p = NULL;
    if (p) {
        p += strlen(GOES_ON);
        vr_ignore(vr_parse_i64((struct vr_str){p, strspn(p, "0123456789")}, 0, INT64_MAX / 2,
                               &out->base, NULL) < 0,
                  "then it counts as the first");
    }
    out->fd = vr_take_fd(fd);
    out->end = out->base + st.st_size;
    return true;
}

/* A newest file without a byte: its place is told with the first. */
static bool is_silent(const struct part *p, int i)
{
    return i == 0 && p->end == 0;
}

void vr_log_file_init(struct vr_log_file *f, const char *path)
{
    *f = (struct vr_log_file){.path = vr_strdup(path), .fd = -1};
}

void vr_log_file_fini(struct vr_log_file *f)
{
    vr_fd_close(f->fd);
    free(f->path);
    *f = (struct vr_log_file){.fd = -1};
}

bool vr_log_file_exists(const struct vr_log_file *f)
{
    struct part p;

    for (int i = 0; i < 2; i++) {
        if (open_part(f->path, i, &p)) {
            vr_fd_close(p.fd);
            return true;
        }
    }
    return false;
}

void vr_log_file_range(const struct vr_log_file *f, int64_t *out_first, int64_t *out_end)
{
    bool found = false;
    struct part p;

    *out_first = *out_end = 0;
    for (int i = 0; i < VR_LOG_FILES_MAX; i++) {
        if (!open_part(f->path, i, &p))
            continue;
        vr_fd_close(p.fd);
        if (is_silent(&p, i))
            continue;
        if (!found || p.base < *out_first)
            *out_first = p.base;
        if (!found || p.end > *out_end)
            *out_end = p.end;
        found = true;
    }
}

/* Where in the part the last *lines lines begin; -1, and *lines less, if it has not so many. */
static int64_t tail_in(const struct part *p, int64_t *lines)
{
    int64_t size = p->end - p->base, at = size;
    char chunk[CHUNK];

    while (at > 0) {
        size_t n = at < CHUNK ? (size_t)at : CHUNK;

        at -= (int64_t)n;
        if (pread(p->fd, chunk, n, at) != (ssize_t)n)
            return 0;
        for (size_t i = n; i-- > 0;) {
            if (chunk[i] != '\n' || at + (int64_t)i == size - 1)
                continue;
            if (--*lines <= 0)
                return at + (int64_t)i + 1;
        }
    }
    *lines -= size > 0; /* its first line has no newline before it */
    return *lines > 0 ? -1 : 0;
}

int64_t vr_log_file_tail(const struct vr_log_file *f, int64_t lines)
{
    int64_t first = INT64_MAX;
    struct part p;

    for (int i = 0; i < VR_LOG_FILES_MAX && lines > 0; i++) {
        int64_t at;

        if (!open_part(f->path, i, &p))
            continue;
        if (p.base < first && !is_silent(&p, i)) { /* not one that a rotation moved meanwhile */
            at = tail_in(&p, &lines);
            first = p.base + (at > 0 ? at : 0);
        }
        vr_fd_close(p.fd);
    }
    return first == INT64_MAX ? 0 : first;
}

/* The part that holds a place, or begins next after it; the newest for a place beyond the end. */
static bool find(const struct vr_log_file *f, int64_t at, struct part *out)
{
    struct part best = {.fd = -1}, p;

    for (int i = 0; i < VR_LOG_FILES_MAX; i++) {
        bool holds, is_next;

        if (!open_part(f->path, i, &p))
            continue;
        holds = !is_silent(&p, i) && p.base <= at && (at < p.end || best.fd < 0);
        is_next = !is_silent(&p, i) && p.base > at && (best.fd < 0 || p.base < best.base);
        if (!holds && !is_next) {
            vr_fd_close(p.fd);
            continue;
        }
        vr_fd_close(best.fd);
        best = p;
        if (holds)
            break;
    }
    *out = best;
    return best.fd >= 0;
}

static bool use(struct vr_log_file *f, const struct part *p)
{
    struct stat held, found;
    bool same = f->fd >= 0 && fstat(f->fd, &held) == 0 && fstat(p->fd, &found) == 0 &&
                held.st_ino == found.st_ino && held.st_dev == found.st_dev;

    vr_fd_close(f->fd);
    f->fd = p->fd;
    f->base = p->base;
    return !same;
}

size_t vr_log_file_read(struct vr_log_file *f, int64_t *at, char *out, size_t max)
{
    for (int turn = 0; turn < 2; turn++) {
        struct part p;
        ssize_t n = 0;

        if (f->fd >= 0 && *at >= f->base)
            n = pread(f->fd, out, max, *at - f->base);
        if (n > 0)
            return (size_t)n;
        if (!find(f, *at, &p) || (!use(f, &p) && *at >= f->base))
            return 0;
        if (*at < f->base)
            *at = f->base;
        else if (*at > p.end)
            *at = p.end;
    }
    return 0;
}
