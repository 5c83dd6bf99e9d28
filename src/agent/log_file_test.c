/* SPDX-License-Identifier: MIT */
/* Places in a log that is rotated. */
#include "agent/log_file.h"
#include "core/tap.h"
#include "sys/fs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STAMP "2026-01-31T12:00:00.000000Z "

static char *path_of(int i)
{
    return i ? vr_strf("%s/log.%d", vr_tap_dir(), i) : vr_strf("%s/log", vr_tap_dir());
}

static bool put(int i, const char *text)
{
    vr_auto_free char *path = path_of(i);

    return vr_fs_replace(path, text, strlen(text), 0640, NULL) == 0;
}

static bool move(int from, int to)
{
    vr_auto_free char *a = path_of(from), *b = path_of(to);

    return rename(a, b) == 0;
}

static struct vr_log_file log_here(void)
{
    vr_auto_free char *path = path_of(0);
    struct vr_log_file f;

    vr_log_file_init(&f, path);
    return f;
}

static const char first[] = STAMP "out one\n" STAMP "out two\n";
static const char second[] = STAMP "sys log goes on at byte 72\n" STAMP "out three\n";

/* `first` with the record that a file after it begins with. */
static bool two_files(void)
{
    return strlen(first) == 72 && put(1, first) && put(0, second);
}

TEST(log_file_read__over_two_files__every_byte_once)
{
    struct vr_log_file f = log_here();
    char all[1024] = "";
    int64_t at = 0, before;
    size_t n, len = 0;

    CHECK(two_files());
    do {
        before = at;
        n = vr_log_file_read(&f, &at, all + len, 7);
        CHECK(at == before);
        at += (int64_t)n;
        len += n;
    } while (n);
    vr_log_file_fini(&f);
    CHECK(len == strlen(first) + strlen(second) && at == (int64_t)len);
    CHECK(!memcmp(all, first, 72) && !memcmp(all + 72, second, strlen(second)));
}

TEST(log_file_read__place_is_gone__goes_on_at_the_next_that_is_kept)
{
    struct vr_log_file f = log_here();
    char text[256];
    int64_t at = 10, first_place, end;

    CHECK(put(0, second));
    CHECK(vr_log_file_read(&f, &at, text, sizeof(text)) == strlen(second) && at == 72);
    at = 1000; /* of another proc, or of a file that was deleted by hand */
    CHECK(vr_log_file_read(&f, &at, text, sizeof(text)) == 0);
    CHECK(at <= 72 + (int64_t)strlen(second) || at == 1000);
    vr_log_file_range(&f, &first_place, &end);
    CHECK(first_place == 72 && end == 72 + (int64_t)strlen(second));
    vr_log_file_fini(&f);
}

TEST(log_file_read__rotated_while_it_is_read__old_file_first_then_the_new)
{
    struct vr_log_file f = log_here();
    char text[256];
    int64_t at = 0;
    size_t n;

    CHECK(put(0, first));
    n = vr_log_file_read(&f, &at, text, 10);
    CHECK(n == 10);
    at += 10;
    CHECK(move(0, 1) && put(0, ""));
    n = vr_log_file_read(&f, &at, text, sizeof(text));
    CHECK(n == strlen(first) - 10 && at == 10);
    at += (int64_t)n;
    CHECK(vr_log_file_read(&f, &at, text, sizeof(text)) == 0); /* its place is not told yet */
    CHECK(put(0, second));
    CHECK(vr_log_file_read(&f, &at, text, sizeof(text)) == strlen(second) && at == 72);
    at += (int64_t)strlen(second);
    CHECK(vr_log_file_read(&f, &at, text, sizeof(text)) == 0);
    vr_log_file_fini(&f);
}

TEST(log_file_tail__more_lines_than_the_newest_has__begins_in_the_one_before)
{
    struct vr_log_file f = log_here();

    CHECK(vr_log_file_tail(&f, 10) == 0 && !vr_log_file_exists(&f));
    CHECK(two_files() && vr_log_file_exists(&f));
    CHECK(vr_log_file_tail(&f, 1) == 72 + (int64_t)strlen(STAMP "sys log goes on at byte 72\n"));
    CHECK(vr_log_file_tail(&f, 2) == 72);
    CHECK(vr_log_file_tail(&f, 3) == 36);
    CHECK(vr_log_file_tail(&f, 4) == 0);
    CHECK(vr_log_file_tail(&f, 100) == 0);
    vr_log_file_fini(&f);
}
