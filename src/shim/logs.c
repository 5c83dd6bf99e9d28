/* SPDX-License-Identifier: MIT */
/* The app's output.
 *
 * The FIFOs are opened read-write on both sides: an app whose shim has died neither gets SIGPIPE
 * nor an end of file, and the next shim reads what was written meanwhile. Records are collected and
 * written in one piece. What cannot be written - the disk is full, the rate is exceeded - is
 * dropped and counted, and the count becomes a record as soon as one can be written: waiting
 * instead would stop the app at its next printf. */
#include "shim/logs.h"
#include "shim/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PUMP_ROUNDS 16
#define HEAD_BYTES  40 /* time stamp, stream, spaces */

static int stream_open(struct log_stream *s, const char *name, uid_t app_uid)
{
    s->name = name;
    if (mkfifo(name, 0600) < 0 && errno != EEXIST)
        return -1;
    /* The app may open /dev/stdout again, which is a permission of this inode. */
    if (chown(name, app_uid, (gid_t)-1) < 0)
        complain("chown %s: %s", name, strerror(errno));
    s->fd = open(name, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    s->app_fd = open(name, O_RDWR | O_CLOEXEC);
    return s->fd < 0 || s->app_fd < 0 ? -1 : 0;
}

static void name_of(const struct logs *l, int64_t i, char out[PATH_MAX])
{
    if (i)
        snprintf(out, PATH_MAX, "%s.%d", l->path, (int)i);
    else
        snprintf(out, PATH_MAX, "%s", l->path);
}

/* The place in the whole log where the file behind `path` ends, if its first record tells, and
 * where it begins. */
static int64_t place_of(const char *path, int64_t *out_base)
{
    char head[HEAD_BYTES + sizeof(LOGS_GOES_ON) + 24] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    const char *p = NULL;
    struct stat st;
    int64_t base = 0;

    if (fd >= 0 && read(fd, head, sizeof(head) - 1) > 0)
        p = strstr(head, LOGS_GOES_ON);
    if (p && p < head + HEAD_BYTES)
        for (p += strlen(LOGS_GOES_ON); *p >= '0' && *p <= '9' && base < INT64_MAX / 20; p++)
            base = base * 10 + (*p - '0');
    if (fd < 0 || fstat(fd, &st) < 0)
        st.st_size = 0;
    if (fd >= 0)
        close(fd);
    *out_base = base;
    return base + st.st_size;
}

static void file_open(struct logs *l)
{
    char before[PATH_MAX];
    int64_t base;
    struct stat st;

    l->fd = open(l->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    l->size = l->fd >= 0 && !fstat(l->fd, &st) ? st.st_size : 0;
    if (l->size > 0) {
        place_of(l->path, &l->base);
    } else if (!l->base) { /* a shim that died between renaming and opening */
        name_of(l, 1, before);
        l->base = place_of(before, &base);
    }
}

int logs_open(struct logs *l, uid_t app_uid)
{
    l->refilled_ns = mono_ns();
    l->allowance = l->rate_bytes;
    file_open(l);
    if (stream_open(&l->streams[0], "out", app_uid) < 0 ||
        stream_open(&l->streams[1], "err", app_uid) < 0) {
        complain("fifos: %s", strerror(errno));
        return -1;
    }
    return 0;
}

static size_t head(const char *stream, char out[HEAD_BYTES])
{
    int64_t now = wall_us();
    time_t seconds = (time_t)(now / 1000000);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    return (size_t)snprintf(out, HEAD_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ %.3s ",
                            tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                            tm.tm_sec, (int)(now % 1000000), stream);
}

/* log -> log.1 -> log.2 …; whoever follows the old file by descriptor reads on to its end. */
static void rotate(struct logs *l)
{
    char from[PATH_MAX], to[PATH_MAX];

    if (l->backups <= 0)
        unlink(l->path);
    for (int64_t i = l->backups; i > 0; i--) {
        name_of(l, i - 1, from);
        name_of(l, i, to);
        rename(from, to);
    }
    close(l->fd);
    l->base += l->size;
    file_open(l);
}

/* The first record of a file that is not the log's first. */
static void begin_file(struct logs *l)
{
    char text[HEAD_BYTES + sizeof(LOGS_GOES_ON) + 24];
    size_t n = head("", text) - 1; /* the stream is part of the text */
    ssize_t r;

    n += (size_t)snprintf(text + n, sizeof(text) - n, LOGS_GOES_ON "%lld\n", (long long)l->base);
    r = write(l->fd, text, n);
    if (r == (ssize_t)n)
        l->size = r;
    else if (r > 0 && ftruncate(l->fd, 0) < 0)
        l->size = r;
}

static void count_dropped(struct logs *l, size_t lines)
{
    l->dropped += (int64_t)lines;
    l->unreported += (int64_t)lines;
    if (!l->report_at_ns)
        l->report_at_ns = mono_ns() + NS_PER_S;
}

/* Write the batch whole or not at all. */
static bool flush(struct logs *l)
{
    size_t n = l->batch_len, lines = l->batch_lines;
    ssize_t r;

    l->batch_len = l->batch_lines = 0;
    if (!n)
        return true;
    if (l->fd < 0)
        file_open(l);
    if (l->fd >= 0 && l->size > 0 && l->size + (int64_t)n > l->max_bytes)
        rotate(l);
    if (l->fd >= 0 && !l->size && l->base)
        begin_file(l);
    r = l->fd < 0 ? -1 : write(l->fd, l->batch, n);
    if (r == (ssize_t)n) {
        l->size += r;
        return true;
    }
    if (r > 0 && ftruncate(l->fd, l->size) < 0) /* a torn record helps nobody */
        l->size += r;
    count_dropped(l, lines);
    return false;
}

/* Add one record to the batch. */
static void add(struct logs *l, const char *stream, const char *text, size_t n)
{
    char h[HEAD_BYTES];
    size_t head_len = head(stream, h);

    if (l->batch_len + head_len + n + 1 > sizeof(l->batch))
        flush(l);
    memcpy(l->batch + l->batch_len, h, head_len);
    memcpy(l->batch + l->batch_len + head_len, text, n);
    l->batch_len += head_len + n;
    l->batch[l->batch_len++] = '\n';
    l->batch_lines++;
}

static void refill(struct logs *l)
{
    int64_t now = mono_ns(), passed_ms = (now - l->refilled_ns) / NS_PER_MS;

    if (passed_ms <= 0)
        return;
    l->refilled_ns = now;
    if (passed_ms > 1000)
        passed_ms = 1000;
    l->allowance += l->rate_bytes * passed_ms / 1000;
    if (l->allowance > l->rate_bytes)
        l->allowance = l->rate_bytes;
}

static void record(struct logs *l, const struct log_stream *s, const char *text, size_t n)
{
    int64_t cost = (int64_t)n + HEAD_BYTES;

    if (l->allowance < cost) {
        count_dropped(l, 1);
        return;
    }
    l->allowance -= cost;
    add(l, s->name, text, n);
}

/* Records out of the stream's buffer; keeps the unfinished line. */
static void split(struct logs *l, struct log_stream *s)
{
    char *p = s->line, *end = s->line + s->len, *newline;

    while ((newline = memchr(p, '\n', (size_t)(end - p)))) {
        record(l, s, p, (size_t)(newline - p));
        p = newline + 1;
    }
    s->len = (size_t)(end - p);
    if (s->len == sizeof(s->line)) {
        record(l, s, s->line, s->len);
        s->len = 0;
    } else if (p != s->line) {
        memmove(s->line, p, s->len);
    }
}

static bool pump_once(struct logs *l, struct log_stream *s)
{
    ssize_t n = read(s->fd, s->line + s->len, sizeof(s->line) - s->len);

    if (n <= 0)
        return false;
    s->len += (size_t)n;
    refill(l);
    split(l, s);
    return true;
}

void logs_pump(struct logs *l, int stream)
{
    for (int i = 0; i < PUMP_ROUNDS && pump_once(l, &l->streams[stream]); i++)
        continue;
    flush(l);
}

static void report(struct logs *l)
{
    char text[96];
    int64_t told = l->unreported;

    l->report_at_ns = 0;
    if (!told)
        return;
    snprintf(text, sizeof(text), "dropped %lld lines: rate limit or full disk", (long long)told);
    add(l, "sys", text, strlen(text));
    l->unreported = 0;
    if (!flush(l)) { /* the report itself counts as no line of the app */
        l->unreported = told;
        l->dropped--;
    }
}

void logs_finish(struct logs *l)
{
    for (size_t i = 0; i < COUNT(l->streams); i++) {
        struct log_stream *s = &l->streams[i];

        while (pump_once(l, s))
            continue;
        if (s->len)
            record(l, s, s->line, s->len);
        s->len = 0;
    }
    flush(l);
    report(l);
}

void logs_note(struct logs *l, const char *text)
{
    add(l, "sys", text, strlen(text));
    flush(l);
}

void logs_tick(struct logs *l)
{
    if (l->report_at_ns && mono_ns() >= l->report_at_ns)
        report(l);
}
