/* SPDX-License-Identifier: MIT */
/* Runs the registered tests and prints TAP; an argument selects tests whose name contains it. */
#include "core/tap.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct vr_tap_test *first;
static bool failed;
static const char *skipped;
static char dir[64];

void vr_tap_register(struct vr_tap_test *test)
{
    struct vr_tap_test **end = &first;

    while (*end)
        end = &(*end)->next;
    *end = test;
}

void vr_tap_failed(const char *file, int line, const char *what)
{
    failed = true;
    printf("# %s:%d: %s\n", file, line, what);
}

bool vr_tap_same(const char *file, int line, const char *got, const char *want)
{
    if (got == want || (got && want && !strcmp(got, want)))
        return true;
    failed = true;
    printf("# %s:%d: got '%s', want '%s'\n", file, line, got ? got : "(null)",
           want ? want : "(null)");
    return false;
}

void vr_tap_skip(const char *reason)
{
    skipped = reason;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

const char *vr_tap_dir(void)
{
    if (!*dir) {
        snprintf(dir, sizeof(dir), "/tmp/vr-test-XXXXXX");
        if (!mkdtemp(dir)) {
            perror("mkdtemp");
            exit(1);
        }
    }
    return dir;
}

static void clean(void)
{
    if (*dir)
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    dir[0] = '\0';
}

int main(int argc, char **argv)
{
    const char *only = argc > 1 ? argv[1] : "";
    int count = 0, bad = 0, n = 0;

    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (struct vr_tap_test *t = first; t; t = t->next)
        count += strstr(t->name, only) != NULL;
    printf("1..%d\n", count);
    for (struct vr_tap_test *t = first; t; t = t->next) {
        if (!strstr(t->name, only))
            continue;
        failed = false;
        skipped = NULL;
        t->run();
        clean();
        bad += failed;
        if (skipped && !failed)
            printf("ok %d - %s # SKIP %s\n", ++n, t->name, skipped);
        else
            printf("%s %d - %s\n", failed ? "not ok" : "ok", ++n, t->name);
    }
    return bad ? 1 : 0;
}
