/* SPDX-License-Identifier: MIT */
/* Log records, rotation, and what is dropped. */
#include "core/tap.h"
#include "shim/io.h"
#include "shim/logs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define TEXT_BYTES (1 << 20)

/* Logs of a fresh folder, which becomes the current one, as it is the shim's. */
static bool open_logs(struct logs *l, int64_t max_bytes, int64_t backups, int64_t rate)
{
    *l = (struct logs){
        .path = "log", .max_bytes = max_bytes, .backups = backups, .rate_bytes = rate};
    return chdir(vr_tap_dir()) == 0 && logs_open(l, geteuid()) == 0;
}

static void close_logs(struct logs *l)
{
    for (size_t i = 0; i < COUNT(l->streams); i++) {
        close(l->streams[i].fd);
        close(l->streams[i].app_fd);
    }
    close(l->fd);
    vr_ignore(chdir("/"), "the folder goes away anyway");
}

static void say(struct logs *l, int stream, const char *text)
{
    vr_ignore(write(l->streams[stream].app_fd, text, strlen(text)) < 0, "checked by the log");
    logs_pump(l, stream);
}

static char *content(const char *path)
{
    char *text = vr_alloc(TEXT_BYTES);

    if (file_read(path, text, TEXT_BYTES) < 0)
        text[0] = '\0';
    return text;
}

static int lines_of(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

TEST(logs__lines__have_time_and_stream)
{
    struct logs l;
    vr_auto_free char *text = NULL;

    CHECK(open_logs(&l, 10000, 1, 1 << 20));
    say(&l, 0, "hello\nwor");
    say(&l, 1, "bad\n");
    say(&l, 0, "ld\n");
    text = content("log");
    close_logs(&l);
    CHECK(lines_of(text) == 3);
    CHECK(strlen(text) > 40 && text[4] == '-' && text[10] == 'T' && text[26] == 'Z');
    CHECK(!strncmp(text + 27, " out hello\n", 11));
    CHECK(strstr(text, "Z err bad\n") && strstr(text, "Z out world\n"));
}

TEST(logs_finish__unfinished_line__is_written)
{
    struct logs l;
    vr_auto_free char *text = NULL;

    CHECK(open_logs(&l, 10000, 1, 1 << 20));
    say(&l, 0, "no newline");
    logs_finish(&l);
    text = content("log");
    close_logs(&l);
    CHECK(strstr(text, " out no newline\n"));
}

TEST(logs__long_line__becomes_several_records)
{
    struct logs l;
    vr_auto_free char *text = NULL;
    vr_auto_free char *line = vr_alloc(2 * LOGS_LINE_BYTES + 12);
    size_t xs = 0;

    memset(line, 'x', 2 * LOGS_LINE_BYTES + 10);
    line[2 * LOGS_LINE_BYTES + 10] = '\n';
    CHECK(open_logs(&l, TEXT_BYTES, 1, 1 << 20));
    say(&l, 0, line);
    text = content("log");
    close_logs(&l);
    for (const char *p = text; *p; p++)
        xs += *p == 'x';
    CHECK(lines_of(text) == 3 && xs == 2 * LOGS_LINE_BYTES + 10);
    CHECK(l.dropped == 0);
}

TEST(logs__max_bytes_reached__rotates_and_keeps_the_backups)
{
    struct logs l;
    struct stat st;

    CHECK(open_logs(&l, 1000, 2, 1 << 20));
    for (int i = 0; i < 200; i++)
        say(&l, 0, "a line of some length\n");
    close_logs(&l);
    CHECK(chdir(vr_tap_dir()) == 0);
    CHECK(stat("log", &st) == 0 && st.st_size <= 1000);
    CHECK(stat("log.1", &st) == 0 && st.st_size <= 1000 && st.st_size > 900);
    CHECK(stat("log.2", &st) == 0 && stat("log.3", &st) < 0);
}

/* The place that the first record of a file tells; -1 without one. */
static long long told_place(const char *text)
{
    const char *p = strstr(text, " " LOGS_GOES_ON);
    long long at = -1;

    if (p != text + 27)
        return -1;
    for (at = 0, p += strlen(" " LOGS_GOES_ON); *p >= '0' && *p <= '9'; p++)
        at = at * 10 + (*p - '0');
    return at;
}

TEST(logs__rotated__files_tell_their_place_also_after_the_next_shim)
{
    struct logs l;
    vr_auto_free char *first = NULL, *second = NULL;
    char text[32];
    int64_t end;

    CHECK(open_logs(&l, 1000, 2, 1 << 20));
    for (int i = 0; i < 30; i++) {
        snprintf(text, sizeof(text), "line %d of the app\n", i);
        say(&l, 0, text);
    }
    end = l.base + l.size;
    close_logs(&l);
    CHECK(open_logs(&l, 1000, 2, 1 << 20)); /* the next shim of the proc */
    CHECK(l.base + l.size == end);
    for (int i = 0; i < 30; i++)
        say(&l, 0, "a line of some length\n");
    first = content("log.1");
    second = content("log");
    CHECK(told_place(first) > 0);
    CHECK(told_place(second) == told_place(first) + (long long)strlen(first));
    CHECK(l.base + l.size == told_place(second) + (long long)strlen(second));
    close_logs(&l);
}

TEST(logs__rate_exceeded__drops_counts_and_tells)
{
    struct logs l;
    vr_auto_free char *text = NULL;
    char told[64];

    CHECK(open_logs(&l, TEXT_BYTES, 1, 4000));
    for (int i = 0; i < 500; i++)
        say(&l, 0, "a line of some length\n");
    CHECK(l.dropped > 0);
    logs_finish(&l);
    text = content("log");
    snprintf(told, sizeof(told), " sys dropped %d lines", (int)l.dropped);
    close_logs(&l);
    CHECK(strstr(text, told));
    CHECK(lines_of(text) - 1 + l.dropped == 500);
}

TEST(logs__full_disk__drops_counts_and_goes_on)
{
    struct logs l;
    vr_auto_free char *text = NULL;
    vr_auto_free char *dir = NULL;
    char filler[4096];
    int written = 0;

    if (geteuid() != 0) {
        vr_tap_skip("needs root");
        return;
    }
    dir = vr_strdup(vr_tap_dir());
    CHECK(mount("tmpfs", dir, "tmpfs", 0, "size=16k") == 0);
    CHECK(open_logs(&l, 1 << 20, 1, 1 << 20));
    memset(filler, 'f', sizeof(filler) - 1);
    filler[sizeof(filler) - 1] = '\n';
    for (int i = 0; i < 20; i++, written++) {
        vr_ignore(write(l.streams[0].app_fd, filler, sizeof(filler)) < 0, "counted below");
        logs_pump(&l, 0);
    }
    CHECK(l.dropped > 0 && l.dropped < written);
    CHECK(truncate("log", 0) == 0); /* someone makes room */
    l.size = 0;
    say(&l, 0, "after\n");
    logs_finish(&l);
    text = content("log");
    close_logs(&l);
    umount2(dir, MNT_DETACH);
    CHECK(strstr(text, " out after\n") && strstr(text, " sys dropped "));
}
