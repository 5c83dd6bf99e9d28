/* SPDX-License-Identifier: MIT */
/*
 * .slugignore.
 *
 * Not glob(3): it follows links out of the tree and gives names that have to be trusted again. The
 * pattern is taken apart at its slashes and walked folder by folder, each opened relative to the
 * one above without following links, so that what is deleted is inside by construction. A link in
 * the middle of a pattern matches nothing, one at its end is deleted itself.
 */
#include "build/slugignore.h"
#include "core/str.h"
#include "sys/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FILE_NAME   ".slugignore"
#define PARTS_MAX   32
#define MESSAGE_MAX 300

struct pattern {
    char *parts[PARTS_MAX]; /* borrowed from the line */
    size_t count;
};

struct names {
    char **p; /* owned */
    size_t count;
};

static void names_fini(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->p[i]);
    free(names->p);
}

/* Cut a line at its slashes. Returns why it is refused, or NULL. */
static const char *parse_pattern(char *line, struct pattern *out)
{
    char *save = NULL;

    *out = (struct pattern){.count = 0};
    if (*line == '/')
        return "is absolute";
    for (char *part = strtok_r(line, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (vr_streq(part, "."))
            continue;
        if (vr_streq(part, ".."))
            return "leads out of the app";
        if (out->count == PARTS_MAX)
            return "has too many parts";
        out->parts[out->count++] = part;
    }
    return out->count ? NULL : "means the app itself";
}

/* The entries that match, collected first: a folder is not to change while it is read. */
static int list_matches(int dir_fd, const char *glob, struct names *out, struct vr_err *err)
{
    int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *e;

    if (!dir) {
        vr_fd_close(fd);
        return vr_fail_sys(err, "list a folder for '%s'", glob);
    }
    while ((e = readdir(dir))) {
        if (vr_streq(e->d_name, ".") || vr_streq(e->d_name, ".."))
            continue;
        if (fnmatch(glob, e->d_name, FNM_PERIOD) != 0)
            continue;
        out->p = vr_realloc_array(out->p, out->count + 1, sizeof(*out->p));
        out->p[out->count++] = vr_strdup(e->d_name);
    }
    closedir(dir);
    return 0;
}

static int remove_entry(int dir_fd, const char *name, struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("/proc/self/fd/%d/%s", dir_fd, name);
    int r;

    if (unlinkat(dir_fd, name, 0) == 0)
        return 0;
    if (errno != EISDIR && errno != EPERM)
        return vr_fail_sys(err, "delete '%s'", name);
    r = vr_fs_remove_tree(path, err);
    return r < 0 ? vr_fail_in(err, r, "delete '%s'", name) : 0;
}

/* Delete what parts[i..] match below a folder. Recursion is as deep as the pattern has parts. */
static int apply_at(int dir_fd, const struct pattern *pattern, size_t i, size_t *removed,
                    struct vr_err *err)
{
    __attribute__((cleanup(names_fini))) struct names names = {0};
    int r = list_matches(dir_fd, pattern->parts[i], &names, err);

    for (size_t k = 0; !r && k < names.count; k++) {
        vr_auto_close int fd = -1;

        if (i + 1 == pattern->count) {
            r = remove_entry(dir_fd, names.p[k], err);
            *removed += !r;
            continue;
        }
        fd = openat(dir_fd, names.p[k], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            r = apply_at(fd, pattern, i + 1, removed, err);
        else if (errno != ENOTDIR && errno != ELOOP)
            r = vr_fail_sys(err, "open '%s'", names.p[k]);
    }
    return r;
}

static int apply_line(int root_fd, char *line, vr_slugignore_fn refused, void *ctx, size_t *removed,
                      struct vr_err *err)
{
    vr_auto_free char *shown = vr_strdup(line);
    struct pattern pattern;
    const char *why;

    if (!*line || *line == '#')
        return 0;
    why = parse_pattern(line, &pattern);
    if (why) {
        char message[MESSAGE_MAX];

        snprintf(message, sizeof(message), FILE_NAME ": '%.200s' %s, not deleted", shown, why);
        if (refused)
            refused(ctx, message);
        return 0;
    }
    return apply_at(root_fd, &pattern, 0, removed, err);
}

static void trim(char *line)
{
    size_t n = strlen(line);

    while (n && strchr(" \t\r", line[n - 1]))
        line[--n] = '\0';
}

int vr_slugignore_apply(const char *root, vr_slugignore_fn refused, void *ctx, size_t *out_removed,
                        struct vr_err *err)
{
    vr_auto_close int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    vr_auto_close int fd = -1;
    vr_auto_free char *text = NULL;
    size_t len, removed = 0, lines = 0;
    int r = 0;

    if (root_fd < 0)
        return vr_fail_sys(err, "open %s", root);
    fd = openat(root_fd, FILE_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        return vr_fail_sys(err, "open " FILE_NAME);
    if (fd >= 0) {
        r = vr_fd_read_all(fd, VR_SLUGIGNORE_BYTES_MAX, &text, &len, err);
        if (r < 0)
            return vr_fail_in(err, r, "read " FILE_NAME);
    }
    for (char *line = text, *next; !r && line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        if (++lines > VR_SLUGIGNORE_LINES_MAX)
            return vr_fail(err, VR_LIMIT, FILE_NAME " has more than %d lines",
                           VR_SLUGIGNORE_LINES_MAX);
        trim(line);
        r = apply_line(root_fd, line, refused, ctx, &removed, err);
    }
    if (!r)
        *out_removed = removed;
    return r;
}
