/* SPDX-License-Identifier: MIT */
/* A rollout as text.
 *
 * The server's row is the only truth: views are made from it alone, so that whoever attaches later
 * sees the same. Steps come in the order in which they ran; those that a dispatch has not reached
 * yet are taken from the list of all steps.
 */
#include "cli/rollout_view.h"

#include "cli/exit.h"
#include "cli/out.h"
#include "core/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINE_BYTES  1024u
#define LOG_LINES   20u
#define PROCS_SHOWN 30u
#define ID_SHOWN    8

static const char *const step_names[] = {"resolve", "build", "release", "place", "start",
                                         "test",    "route", "drain",   "stop"};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text ? text : "";
}

static bool time_of(const json_t *object, const char *name, struct vr_wall *out)
{
    const char *text = text_of(object, name);

    return *text && !vr_wall_parse(vr_str(text), out, NULL);
}

char *vr_duration_text(int64_t us)
{
    int64_t s = us / VR_US_PER_S;

    if (us < 0)
        us = s = 0;
    if (s < 60)
        return vr_strf("%" PRId64 ".%" PRId64 " s", s, us % VR_US_PER_S / (VR_US_PER_S / 10));
    if (s < 3600)
        return vr_strf("%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
    return vr_strf("%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
}

/* How long something has taken, "" if it has not begun. */
static char *elapsed(const json_t *object, const char *from, struct vr_wall now)
{
    struct vr_wall start, end;

    if (!time_of(object, from, &start))
        return vr_strdup("");
    if (!time_of(object, "ended", &end))
        end = now;
    return vr_duration_text(end.us - start.us);
}

char *vr_rollout_took(const json_t *rollout, struct vr_wall now)
{
    return elapsed(rollout, "created", now);
}

bool vr_rollout_is_over(const json_t *rollout)
{
    return !strcmp(text_of(rollout, "state"), "ended");
}

int vr_rollout_exit(const json_t *rollout)
{
    const char *result = text_of(rollout, "result");

    if (!strcmp(result, "done"))
        return VR_EXIT_OK;
    return strcmp(result, "superseded") ? VR_EXIT_FAILED : VR_EXIT_CONFLICT;
}

enum mark { MARK_WAITING, MARK_ACTIVE, MARK_DONE, MARK_FAILED };

static void add_mark(struct vr_buf *out, enum mark mark, const struct vr_view_style *s)
{
    static const struct {
        const char *utf8, *ascii;
        enum vr_style style;
    } marks[] = {
        [MARK_WAITING] = {"·", ".", VR_STYLE_DIM},
        [MARK_ACTIVE] = {"●", "*", VR_STYLE_BUSY},
        [MARK_DONE] = {"✓", "+", VR_STYLE_GOOD},
        [MARK_FAILED] = {"✗", "x", VR_STYLE_BAD},
    };

    vr_style_add(out, s->colour, marks[mark].style, s->utf8 ? marks[mark].utf8 : marks[mark].ascii);
}

/* Append text up to a number of columns; control characters become spaces, those at the end go. */
static void add_cut(struct vr_buf *out, const char *text, size_t columns)
{
    const char *end = text + strlen(text);
    size_t used = 0, control;

    while (end > text && (unsigned char)end[-1] <= ' ')
        end--;
    for (; text < end; text++) {
        used += ((unsigned char)*text & 0xc0) != 0x80;
        if (columns && used > columns)
            return;
        control = vr_out_control(text, end);
        vr_buf_addc(out, control ? ' ' : *text);
        text += control ? control - 1 : 0;
    }
}

/* "<indent><mark> <text>\n", cut to the width of the view. */
static void add_line(struct vr_buf *out, const struct vr_view_style *s, size_t indent,
                     enum mark mark, const char *text)
{
    size_t room = !s->columns ? 0 : s->columns > indent + 4 ? s->columns - indent - 3 : 1;

    vr_buf_addf(out, "%*s", (int)indent, "");
    add_mark(out, mark, s);
    vr_buf_addc(out, ' ');
    add_cut(out, text, room);
    vr_buf_addc(out, '\n');
}

/* The last record of a step that is not about one proc, else the last of any. */
static const json_t *find_step(const json_t *rollout, const char *name)
{
    const json_t *step, *found = NULL;
    size_t i;

    json_array_foreach (json_object_get(rollout, "steps"), i, step) {
        if (strcmp(text_of(step, "step"), name))
            continue;
        if (!found || !*text_of(step, "proc") || *text_of(found, "proc"))
            found = step;
    }
    return found;
}

static enum mark mark_of_step(const json_t *rollout, const json_t *step, const char *name)
{
    const json_t *error = json_object_get(rollout, "error");

    if (!step)
        return MARK_WAITING;
    if (!strcmp(text_of(error, "step"), name))
        return MARK_FAILED;
    return *text_of(step, "ended") ? MARK_DONE : MARK_ACTIVE;
}

/* Procs without a pool are admitted too: they count as serving. */
static bool is_in_pool(const json_t *rollout, const json_t *proc)
{
    return json_is_true(json_object_get(proc, "admitted")) && *text_of(rollout, "pool");
}

static void add_procs(struct vr_buf *out, const json_t *rollout, const struct vr_view_style *s)
{
    const json_t *proc;
    size_t i, shown = 0;

    json_array_foreach (json_object_get(rollout, "procs"), i, proc) {
        const char *actual = text_of(proc, "actual");
        const char *tested = text_of(proc, "tested");
        bool admitted = json_is_true(json_object_get(proc, "admitted"));
        bool failed = vr_style_of_state(actual) == VR_STYLE_BAD || !strcmp(tested, "failed");
        vr_auto_free char *text = NULL;

        if (shown++ == PROCS_SHOWN) {
            vr_buf_addf(out, "      …\n");
            return;
        }
        text = vr_strf("%s:%" JSON_INTEGER_FORMAT "  %-9s %-8s %s  %s", text_of(proc, "host"),
                       json_integer_value(json_object_get(proc, "port")), actual, tested,
                       is_in_pool(rollout, proc) ? "in pool" : "       ", text_of(proc, "message"));
        add_line(out, s, 6, failed ? MARK_FAILED : admitted ? MARK_DONE : MARK_ACTIVE, text);
    }
}

/* Steps after which its procs are worth a line each. */
static bool shows_procs(const char *step)
{
    return !strcmp(step, "start") || !strcmp(step, "test") || !strcmp(step, "route");
}

static void add_title(struct vr_buf *out, const json_t *rollout, const struct vr_view_style *s)
{
    vr_auto_free char *took = elapsed(rollout, "created", s->now);
    vr_auto_free char *text =
        vr_strf("%s  %s  %s %.*s  %s%s", text_of(rollout, "swarm_name"), text_of(rollout, "tag"),
                text_of(rollout, "kind"), ID_SHOWN, text_of(rollout, "id"), took,
                json_is_true(json_object_get(rollout, "cancel_requested")) ? "  cancelling" : "");

    vr_buf_add(out, s->colour ? "\033[1m" : "");
    add_cut(out, text, s->columns ? s->columns - 1 : 0);
    vr_buf_add(out, s->colour ? "\033[0m\n" : "\n");
}

void vr_rollout_view(struct vr_buf *out, const json_t *rollout, const struct vr_view_style *s)
{
    bool whole = !strcmp(text_of(rollout, "kind"), "dispatch") && !vr_rollout_is_over(rollout);
    const char *current = text_of(rollout, "step");

    add_title(out, rollout, s);
    if (!strcmp(text_of(rollout, "state"), "queued"))
        add_line(out, s, 2, MARK_WAITING, "queued");
    for (size_t i = 0; i < VR_COUNT(step_names); i++) {
        const json_t *step = find_step(rollout, step_names[i]);
        vr_auto_free char *took = NULL, *text = NULL;

        if (!step && !whole)
            continue;
        took = elapsed(step, "started", s->now);
        text = vr_strf("%-8s %9s  %s", step_names[i], took, text_of(step, "message"));
        add_line(out, s, 2, mark_of_step(rollout, step, step_names[i]), text);
        if (!strcmp(current, step_names[i]) && shows_procs(current))
            add_procs(out, rollout, s);
    }
}

void vr_rollout_view_line(struct vr_buf *out, const json_t *rollout, const struct vr_view_style *s)
{
    vr_auto_free char *took = elapsed(rollout, "created", s->now);
    vr_auto_free char *text = NULL;
    const json_t *proc;
    size_t i, admitted = 0;
    bool over = vr_rollout_is_over(rollout);
    enum mark mark = !over ? MARK_ACTIVE : vr_rollout_exit(rollout) ? MARK_FAILED : MARK_DONE;

    json_array_foreach (json_object_get(rollout, "procs"), i, proc)
        admitted += json_is_true(json_object_get(proc, "admitted"));
    text = vr_strf("%-32s %-12s %-10s %zu/%" JSON_INTEGER_FORMAT "  %s",
                   text_of(rollout, "swarm_name"), text_of(rollout, "tag"),
                   over                        ? text_of(rollout, "result")
                   : *text_of(rollout, "step") ? text_of(rollout, "step")
                                               : text_of(rollout, "state"),
                   admitted, json_integer_value(json_object_get(rollout, "size")), took);
    add_line(out, s, 0, mark, text);
}

static void add_stamp(struct vr_buf *out, struct vr_wall at)
{
    time_t s = (time_t)(at.us / VR_US_PER_S);
    struct tm tm;

    localtime_r(&s, &tm);
    vr_buf_addf(out, "%02d:%02d:%02d.%03d  ", tm.tm_hour, tm.tm_min, tm.tm_sec,
                (int)(at.us % VR_US_PER_S / 1000));
}

static void step_changes(struct vr_buf *out, const json_t *before, const json_t *after,
                         const char *prefix, struct vr_wall now)
{
    const char *failed = text_of(json_object_get(after, "error"), "step");
    const json_t *step;
    size_t i;

    json_array_foreach (json_object_get(after, "steps"), i, step) {
        const json_t *old = json_array_get(json_object_get(before, "steps"), i);
        const char *place = *text_of(step, "proc") ? text_of(step, "proc") : text_of(step, "host");
        bool ended = *text_of(step, "ended") != '\0';
        bool is_fact = !strcmp(text_of(step, "started"), text_of(step, "ended"));
        struct vr_wall at = now;
        vr_auto_free char *took = NULL;

        /* A step is told when it has ended; a build, which may take long, also when it begins. */
        if ((old && ended == (*text_of(old, "ended") != '\0')) ||
            (!ended && strcmp(text_of(step, "step"), "build") != 0))
            continue;
        took = elapsed(step, "started", now);
        vr_ignore(time_of(step, ended ? "ended" : "started", &at), "then it is now");
        add_stamp(out, at);
        vr_buf_addf(out, "%s%-8s %s%s%s", prefix, text_of(step, "step"), place, *place ? ": " : "",
                    *text_of(step, "message")                 ? text_of(step, "message")
                    : !ended                                  ? "begins"
                    : vr_streq(failed, text_of(step, "step")) ? "failed"
                                                              : "done");
        vr_buf_addf(out, ended && !is_fact ? " (%s)\n" : "\n", took);
    }
}

static const json_t *find_proc(const json_t *rollout, json_int_t id)
{
    const json_t *proc;
    size_t i;

    json_array_foreach (json_object_get(rollout, "procs"), i, proc) {
        if (json_integer_value(json_object_get(proc, "proc_id")) == id)
            return proc;
    }
    return NULL;
}

/* What is said of a proc; it is news when this changes. Given. */
static char *proc_text(const json_t *rollout, const json_t *proc)
{
    const char *tested = text_of(proc, "tested");

    return vr_strf("%s:%" JSON_INTEGER_FORMAT " %s%s%s%s%s", text_of(proc, "host"),
                   json_integer_value(json_object_get(proc, "port")), text_of(proc, "actual"),
                   !strcmp(tested, "passed")   ? ", tests passed"
                   : !strcmp(tested, "failed") ? ", tests failed"
                                               : "",
                   is_in_pool(rollout, proc) ? ", in pool" : "",
                   *text_of(proc, "message") ? ": " : "", text_of(proc, "message"));
}

static void proc_changes(struct vr_buf *out, const json_t *before, const json_t *after,
                         const char *prefix, struct vr_wall now)
{
    const json_t *proc;
    size_t i;

    json_array_foreach (json_object_get(after, "procs"), i, proc) {
        const json_t *old = find_proc(before, json_integer_value(json_object_get(proc, "proc_id")));
        vr_auto_free char *was = old ? proc_text(after, old) : NULL;
        vr_auto_free char *is = proc_text(after, proc);

        if (vr_streq(was, is))
            continue;
        add_stamp(out, now);
        vr_buf_addf(out, "%s%-8s %s\n", prefix, "proc", is);
    }
}

void vr_rollout_changes(struct vr_buf *out, const json_t *before, const json_t *after,
                        const char *prefix, struct vr_wall now)
{
    const json_t *warnings = json_object_get(after, "warnings");
    size_t i = json_array_size(json_object_get(before, "warnings"));

    step_changes(out, before, after, prefix, now);
    if (before || !vr_rollout_is_over(after))
        proc_changes(out, before, after, prefix, now);
    for (; i < json_array_size(warnings); i++) {
        add_stamp(out, now);
        vr_buf_addf(out, "%swarning  %s\n", prefix, json_string_value(json_array_get(warnings, i)));
    }
}

/* The last lines of a text, each behind a bar. */
static void add_tail(struct vr_buf *out, const char *text)
{
    size_t n = strlen(text), lines = 0;
    const char *from;

    while (n && text[n - 1] == '\n')
        n--;
    for (from = text + n; from > text; from--) {
        if (from[-1] == '\n' && ++lines == LOG_LINES)
            break;
    }
    while (from < text + n) {
        size_t len = strcspn(from, "\n");

        vr_buf_addf(out, "    | %.*s\n", (int)len, from);
        from += len + 1;
    }
}

static void add_leftovers(struct vr_buf *out, const json_t *rollout)
{
    const json_t *item;
    size_t i;

    json_array_foreach (json_object_get(rollout, "leftovers"), i, item) {
        const char *text = json_string_value(item);

        vr_buf_addf(out, "  left: %s\n", text ? text : text_of(item, "message"));
    }
}

/* What the uptests that failed printed. */
static void add_failed_tests(struct vr_buf *out, const json_t *error)
{
    const json_t *test;
    size_t i;

    json_array_foreach (json_object_get(error, "testresults"), i, test) {
        if (json_is_true(json_object_get(test, "Passed")))
            continue;
        vr_buf_addf(out, "  uptest %s printed%s\n", text_of(test, "Name"),
                    *text_of(test, "Output") ? ":" : " nothing");
        add_tail(out, text_of(test, "Output"));
    }
}

static void add_failure(struct vr_buf *out, const json_t *rollout)
{
    const json_t *error = json_object_get(rollout, "error");
    const char *host = text_of(error, "host");
    const char *proc = text_of(error, "proc");

    if (*text_of(error, "message"))
        vr_buf_addf(out, "  %s%s%s%s%s\n", host, *host ? ": " : "", proc, *proc ? ": " : "",
                    text_of(error, "message"));
    if (*text_of(error, "left"))
        vr_buf_addf(out, "  %s\n", text_of(error, "left"));
    add_leftovers(out, rollout);
    add_failed_tests(out, error);
    if (*text_of(error, "log_tail")) {
        vr_buf_add(out, "  last lines of its log:\n");
        add_tail(out, text_of(error, "log_tail"));
    }
    if (*text_of(error, "command"))
        vr_buf_addf(out, "  next: %s\n", text_of(error, "command"));
}

void vr_rollout_outcome(struct vr_buf *out, const json_t *rollout, const struct vr_view_style *s)
{
    const char *result = text_of(rollout, "result");
    const char *step = text_of(json_object_get(rollout, "error"), "step");
    vr_auto_free char *took = elapsed(rollout, "created", s->now);
    bool failed = vr_rollout_exit(rollout) != 0;
    vr_auto_free char *text =
        vr_strf("%s %s %s%s%s %s %s%s%s", text_of(rollout, "swarm_name"), text_of(rollout, "tag"),
                result, *step ? " in step " : "", step, failed ? "after" : "in", took,
                failed || !*text_of(rollout, "hash") ? "" : ", release ",
                failed ? "" : text_of(rollout, "hash"));

    add_line(out, s, 0, failed ? MARK_FAILED : MARK_DONE, text);
    if (failed)
        add_failure(out, rollout);
    else
        add_leftovers(out, rollout);
}
