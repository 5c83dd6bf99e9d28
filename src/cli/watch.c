/* SPDX-License-Identifier: MIT */
/* Following rollouts until they end.
 *
 * The rows of the rollouts are what is shown; the event stream only says when to look at them
 * again. So a broken stream, a restarted server or an event that came before we listened cost some
 * seconds at most: every row is also looked at from time to time, often at first.
 */
#include "cli/watch.h"

#include "cli/api.h"
#include "cli/exit.h"
#include "cli/follow.h"
#include "cli/rollout_view.h"
#include "core/clock.h"
#include "core/str.h"
#include "fmt/json.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TICK_MS        100
#define LOOK_SOON_MS   100  /* between looks at the rows in the first seconds, */
#define LOOK_SOON_FOR  3000 /* which are so many milliseconds, */
#define LOOK_LATER_MS  1000 /* and afterwards */
#define QUEUED_MS      1000 /* queued for longer: another rollout must end first */
#define VIEW_BYTES     (1u << 20)
#define UNREACHABLE_MS 60000 /* the server may be away so long, for example to be upgraded */

struct watch {
    struct vr_cli *cli;
    struct vr_api *api;
    size_t count;
    char **ids;
    json_t **rows;     /* NULL: not seen yet */
    bool *told_queued; /* of each: whether it was said that it waits for another one */
    bool news;         /* an event came */
    bool live;
    size_t drawn; /* lines of the live view that are on the terminal */
    struct vr_mono begun, looked, heard, until; /* until.ns 0: no limit */
    bool timed_out;
};

static struct vr_view_style style_of(const struct watch *w, bool live)
{
    struct winsize size = {0};
    struct vr_view_style s = {
        .colour = w->cli->out.colour_err, .utf8 = w->cli->out.utf8, .now = vr_wall_now()};

    if (live && !ioctl(STDERR_FILENO, TIOCGWINSZ, &size))
        s.columns = size.ws_col;
    return s;
}

static void put(const struct vr_buf *text)
{
    fwrite(vr_buf_text(text), 1, text->len, stderr);
    fflush(stderr);
}

static size_t terminal_rows(void)
{
    struct winsize size = {0};

    return !ioctl(STDERR_FILENO, TIOCGWINSZ, &size) && size.ws_row > 4 ? size.ws_row - 2 : 22;
}

/* Keep the first lines of a view that fit on the terminal; the number of lines that are left. */
static size_t fit(struct vr_buf *view)
{
    size_t lines = 0, most = terminal_rows();
    const char *text = vr_buf_text(view);

    for (size_t i = 0; i < view->len; i++) {
        if (text[i] != '\n' || ++lines < most)
            continue;
        view->len = i + 1;
        view->p[view->len] = '\0';
        return lines;
    }
    return lines;
}

/* Replace the view on the terminal in one write, so that it does not flicker. */
static void redraw(struct watch *w)
{
    vr_auto_buf struct vr_buf view = VR_BUF(VIEW_BYTES);
    vr_auto_buf struct vr_buf out = VR_BUF(VIEW_BYTES);
    struct vr_view_style s = style_of(w, true);

    for (size_t i = 0; i < w->count; i++) {
        if (!w->rows[i])
            continue;
        if (w->count == 1)
            vr_rollout_view(&view, w->rows[i], &s);
        else
            vr_rollout_view_line(&view, w->rows[i], &s);
    }
    if (w->drawn)
        vr_buf_addf(&out, "\033[%zuA\r\033[J", w->drawn);
    w->drawn = fit(&view);
    vr_buf_add(&out, vr_buf_text(&view));
    put(&out);
}

static void tell_changes(struct watch *w, const json_t *before, const json_t *after)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VIEW_BYTES);
    vr_auto_free char *prefix = NULL;
    const char *name = json_string_value(json_object_get(after, "swarm_name"));

    if (w->cli->out.quiet || w->live)
        return;
    prefix = w->count > 1 ? vr_strf("%-24s  ", name ? name : "") : vr_strdup("");
    vr_rollout_changes(&text, before, after, prefix, vr_wall_now());
    put(&text);
}

/* A new rollout is queued for the moment until the engine takes it: only longer is worth saying. */
static void tell_queued(struct watch *w, size_t i)
{
    const char *state = json_string_value(json_object_get(w->rows[i], "state"));
    const char *name = json_string_value(json_object_get(w->rows[i], "swarm_name"));

    if (w->told_queued[i] || !vr_streq(state, "queued") || w->live ||
        vr_mono_ms_between(w->begun, w->looked) < QUEUED_MS)
        return;
    w->told_queued[i] = true;
    vr_say(&w->cli->out, "%s is queued until the rollout before it has ended", name ? name : "it");
}

static int look(struct watch *w, struct vr_err *err)
{
    w->looked = vr_mono_now();
    w->news = false;
    for (size_t i = 0; i < w->count; i++) {
        vr_auto_free char *path = vr_strf("/api/v1/rollouts/%s/", w->ids[i]);
        json_t *row = NULL;
        int r;

        if (w->rows[i] && vr_rollout_is_over(w->rows[i]))
            continue;
        r = vr_api_get(w->api, path, &row, err);
        if (r == -VR_BUSY && vr_mono_ms_between(w->heard, w->looked) < UNREACHABLE_MS)
            return 0;
        if (r < 0)
            return r;
        w->heard = w->looked;
        tell_changes(w, w->rows[i], row);
        json_decref(w->rows[i]);
        w->rows[i] = row;
        tell_queued(w, i);
    }
    return 0;
}

static bool all_over(const struct watch *w)
{
    for (size_t i = 0; i < w->count; i++) {
        if (!w->rows[i] || !vr_rollout_is_over(w->rows[i]))
            return false;
    }
    return true;
}

static int on_event(void *user, const char *event, const char *data, size_t n, struct vr_err *err)
{
    struct watch *w = user;

    w->news = w->news || strcmp(event, "beat") != 0;
    return 0;
}

static int on_tick(struct vr_follow *follow, void *user, struct vr_err *err)
{
    struct watch *w = user;
    struct vr_mono now = vr_mono_now();
    bool early = vr_mono_ms_between(w->begun, now) < LOOK_SOON_FOR;
    int64_t pause = early ? LOOK_SOON_MS : LOOK_LATER_MS;
    int r = 0;

    if (w->news || !w->looked.ns || vr_mono_ms_between(w->looked, now) >= pause)
        r = look(w, err);
    if (r < 0)
        return r;
    if (w->live)
        redraw(w);
    if (w->until.ns && now.ns >= w->until.ns)
        w->timed_out = true;
    return all_over(w) || w->timed_out;
}

/* The outcomes, after the live view is gone. Returns the worst exit code. */
static int tell_outcomes(struct watch *w)
{
    vr_auto_buf struct vr_buf text = VR_BUF(VIEW_BYTES);
    struct vr_view_style style = style_of(w, false);
    int code = VR_EXIT_OK;

    for (size_t i = 0; i < w->count; i++) {
        int one;

        if (!w->rows[i] || !vr_rollout_is_over(w->rows[i]))
            continue;
        one = vr_rollout_exit(w->rows[i]);
        if (one || !w->cli->out.quiet)
            vr_rollout_outcome(&text, w->rows[i], &style);
        if (one && code != VR_EXIT_FAILED)
            code = one;
    }
    put(&text);
    return code;
}

static void tell_detached(const struct watch *w, const char *why)
{
    vr_auto_buf struct vr_buf ids = VR_BUF(VIEW_BYTES);

    for (size_t i = 0; i < w->count; i++) {
        if (!w->rows[i] || !vr_rollout_is_over(w->rows[i]))
            vr_buf_addf(&ids, " %s", w->ids[i]);
    }
    fprintf(stderr, "%s; the rollout goes on. Follow it again: vr rollout watch%s\n", why,
            vr_buf_text(&ids));
}

static int follow(struct watch *w, struct vr_err *err)
{
    vr_auto_free char *path = w->count == 1 ? vr_strf("/api/v1/stream/?rollout=%s", w->ids[0])
                                            : vr_strdup("/api/v1/stream/");
    struct vr_follow_stream stream = {path, true, true, on_event, w};
    int r = vr_follow(w->api, &stream, 1, TICK_MS, on_tick, w, err);

    if (r < 0) {
        tell_detached(w, "Lost the server");
        return r;
    }
    if (r == VR_FOLLOW_INTERRUPTED) {
        fputs(w->live ? "\r\033[K" : "\n", stderr);
        tell_detached(w, "Detached");
        return VR_EXIT_DETACHED;
    }
    r = tell_outcomes(w);
    if (!w->timed_out || all_over(w))
        return r;
    tell_detached(w, "Waited long enough");
    return VR_EXIT_TIMEOUT;
}

int vr_watch_rollouts(struct vr_cli *cli, const json_t *ids, int64_t timeout_s, struct vr_err *err)
{
    struct watch w = {.cli = cli, .count = json_array_size(ids)};
    int r = vr_cli_api(cli, &w.api, err);

    if (r < 0)
        return r;
    w.live = cli->out.live && !cli->out.quiet;
    w.begun = w.heard = vr_mono_now();
    if (timeout_s)
        w.until = vr_mono_add_ms(w.begun, timeout_s * 1000);
    w.ids = vr_alloc_array(w.count + 1, sizeof(w.ids[0]));
    w.rows = vr_alloc_array(w.count + 1, sizeof(w.rows[0]));
    w.told_queued = vr_alloc_array(w.count + 1, sizeof(w.told_queued[0]));
    for (size_t i = 0; i < w.count; i++)
        w.ids[i] = vr_strdup(json_string_value(json_array_get(ids, i)));

    r = w.count ? follow(&w, err) : VR_EXIT_OK;
    for (size_t i = 0; i < w.count; i++) {
        free(w.ids[i]);
        json_decref(w.rows[i]);
    }
    free(w.ids);
    free(w.rows);
    free(w.told_queued);
    return r;
}
