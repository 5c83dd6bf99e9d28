/* SPDX-License-Identifier: MIT */
/* What a job says. An agent that no longer listens is no reason to fail: the job is ended by it. */
#include "build/report.h"
#include "core/str.h"
#include "sys/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#define UTF8_MAX 4

struct vr_report {
    int fd;            /* borrowed */
    int log_fd;        /* -1: none */
    const char *phase; /* borrowed literal */
    size_t log_bytes;
    char held[UTF8_MAX]; /* the beginning of a character whose end has not come yet */
    size_t held_bytes;
};

struct vr_report *vr_report_new(int fd)
{
    struct vr_report *report = vr_alloc(sizeof(*report));

    *report = (struct vr_report){.fd = fd, .log_fd = -1, .phase = "start"};
    return report;
}

struct vr_report *vr_report_free(struct vr_report *report)
{
    if (!report)
        return NULL;
    vr_fd_close(report->log_fd);
    free(report);
    return NULL;
}

int vr_report_keep(struct vr_report *report, const char *path, struct vr_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);

    if (fd < 0)
        return vr_fail_sys(err, "make the log %s", path);
    vr_fd_close(report->log_fd);
    report->log_fd = fd;
    return 0;
}

/* Write `{"<name>": value}` as one line; takes the value. */
static bool write_line(struct vr_report *report, const char *name, json_t *value)
{
    vr_auto_json json_t *line = json_object();
    vr_auto_free char *text = NULL;
    vr_auto_free char *ended = NULL;

    vr_json_set(line, name, value);
    text = vr_json_dump(line);
    ended = vr_strf("%s\n", text);
    return vr_fd_write_all(report->fd, ended, strlen(ended), NULL) == 0;
}

static void write_text(struct vr_report *report, const char *text, size_t n)
{
    while (n) {
        size_t part = n < VR_REPORT_TEXT_MAX ? n : VR_REPORT_TEXT_MAX;

        vr_ignore(!write_line(report, "log", vr_json_text(text, part)), "the log file has it");
        text += part;
        n -= part;
    }
}

/* Bytes at the end of a text that begin a character of UTF-8 without ending it. */
static size_t open_end(const char *text, size_t n)
{
    for (size_t back = 1; back < UTF8_MAX && back <= n; back++) {
        unsigned char c = (unsigned char)text[n - back];
        size_t need = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;

        if (c >= 0x80 && c < 0xc0)
            continue;
        return need > back ? back : 0;
    }
    return 0;
}

static void log_whole(struct vr_report *report, const char *text, size_t n)
{
    vr_auto_free char *joined = vr_alloc(report->held_bytes + n);
    size_t total = report->held_bytes + n;

    memcpy(joined, report->held, report->held_bytes);
    memcpy(joined + report->held_bytes, text, n);
    report->held_bytes = open_end(joined, total);
    total -= report->held_bytes;
    memcpy(report->held, joined + total, report->held_bytes);
    write_text(report, joined, total);
}

void vr_report_log(void *ctx, const char *text, size_t n)
{
    static const char cut[] = "\n(the log is cut here)\n";
    struct vr_report *report = ctx;
    size_t room = VR_REPORT_LOG_BYTES_MAX - report->log_bytes;

    if (!room)
        return;
    if (n > room)
        n = room;
    report->log_bytes += n;
    if (report->log_fd >= 0)
        vr_ignore(vr_fd_write_all(report->log_fd, text, n, NULL), "a full disk fails the packing");
    log_whole(report, text, n);
    if (report->log_bytes == VR_REPORT_LOG_BYTES_MAX)
        write_text(report, cut, sizeof(cut) - 1);
}

static void flush_held(struct vr_report *report)
{
    write_text(report, report->held, report->held_bytes);
    report->held_bytes = 0;
}

void vr_report_phase(struct vr_report *report, const char *name)
{
    flush_held(report);
    report->phase = name;
    vr_ignore(!write_line(report, "phase", json_string(name)), "progress only");
}

bool vr_report_result(struct vr_report *report, json_t *result)
{
    flush_held(report);
    return write_line(report, "result", result);
}

bool vr_report_error(struct vr_report *report, const struct vr_err *err)
{
    json_t *error = json_object();

    flush_held(report);
    vr_json_set(error, "code", json_string(vr_code_name(err->code)));
    vr_json_set(error, "step", json_string(report->phase));
    vr_json_set(error, "message", vr_json_text(err->msg, strlen(err->msg)));
    return write_line(report, "error", error);
}
