/* SPDX-License-Identifier: MIT */
/* Why a rollout failed, in words that all clients show: made here once. */
#include "store/shape.h"

/* As VR_SHAPE_FAILURE selects them. */
enum column {
    STEP,
    HOST,
    PROC,
    MESSAGE,
    LEFT,
    LOG_TAIL,
    TESTS,
    PROC_ID,
    BUILD_ID,
    APP,
    SQUAD,
    POOL,
    ROLLOUT,
};

/* What failed, what to do now, and the command that does it; the texts are given. */
struct advice {
    char *object, *next, *command;
};

static void fini_advice(struct advice *a)
{
    free(a->object);
    free(a->next);
    free(a->command);
}

static void advise_proc(struct advice *a, struct vr_db_rows *rows, int column)
{
    int64_t id = vr_db_i64(rows, column + PROC_ID);
    bool runs = vr_streq(vr_db_text(rows, column + STEP), "start") ||
                vr_streq(vr_db_text(rows, column + STEP), "test");

    a->object = vr_strdup(vr_db_text(rows, column + PROC));
    if (!id || !runs)
        return;
    a->next = vr_strf("read the log of proc %" PRId64, id);
    a->command = vr_strf("vr logs %" PRId64, id);
}

static void advise_step(struct advice *a, struct vr_db_rows *rows, int column)
{
    const char *step = vr_db_text(rows, column + STEP);
    const char *app = vr_db_text(rows, column + APP);
    int64_t build = vr_db_i64(rows, column + BUILD_ID);

    if ((vr_streq(step, "build") || vr_streq(step, "release")) && build) {
        a->object = vr_strf("build %" PRId64, build);
        a->next = vr_strf("read the log of build %" PRId64, build);
        a->command = vr_strf("vr build log %" PRId64, build);
    } else if (vr_streq(step, "resolve")) {
        a->object = vr_strf("app %s", app);
        a->next = vr_strf("check the repository of app %s and the tag", app);
        a->command = vr_strf("vr app show %s", app);
    } else if (vr_streq(step, "place")) {
        a->object = vr_strf("squad %s", vr_db_text(rows, column + SQUAD));
        a->next = vr_strdup("see which hosts have room");
        a->command = vr_strdup("vr host list");
    } else if (vr_streq(step, "route")) {
        a->object = vr_strf("pool %s", vr_db_text(rows, column + POOL));
        a->next = vr_strdup("see what the balancers say of the pool");
        a->command = vr_strdup("vr pool list");
    }
}

static void advise(struct advice *a, struct vr_db_rows *rows, int column)
{
    const char *host = vr_db_text(rows, column + HOST);

    if (vr_db_str(rows, column + PROC).n)
        advise_proc(a, rows, column);
    else
        advise_step(a, rows, column);
    if (!a->object)
        a->object =
            vr_strf("%s %s", *host ? "host" : "app", *host ? host : vr_db_text(rows, column + APP));
    if (a->next)
        return;
    a->next = vr_strdup("see what its steps say");
    a->command = vr_strf("vr rollout show %s", vr_db_text(rows, column + ROLLOUT));
}

static void add_key(struct vr_buf *out, const char *key, struct vr_str text)
{
    vr_buf_addf(out, ",\"%s\":", key);
    vr_shape_quote(out, text);
}

void vr_write_failure(struct vr_buf *out, struct vr_db_rows *rows, int column, struct vr_wall now)
{
    __attribute__((cleanup(fini_advice))) struct advice advice = {0};
    struct vr_str tests = vr_db_str(rows, column + TESTS);

    if (!vr_db_str(rows, column + MESSAGE).n) {
        vr_buf_add(out, "null");
        return;
    }
    advise(&advice, rows, column);
    vr_buf_add(out, "{\"step\":");
    vr_shape_quote(out, vr_db_str(rows, column + STEP));
    add_key(out, "host", vr_db_str(rows, column + HOST));
    add_key(out, "proc", vr_db_str(rows, column + PROC));
    add_key(out, "object", vr_str(advice.object));
    add_key(out, "message", vr_db_str(rows, column + MESSAGE));
    add_key(out, "cause", vr_db_str(rows, column + MESSAGE));
    add_key(out, "left", vr_db_str(rows, column + LEFT));
    add_key(out, "log_tail", vr_db_str(rows, column + LOG_TAIL));
    add_key(out, "next", vr_str(advice.next));
    add_key(out, "command", vr_str(advice.command));
    vr_buf_add(out, ",\"testresults\":");
    vr_buf_add_n(out, tests.n ? tests.p : "[]", tests.n ? tests.n : 2);
    vr_buf_addc(out, '}');
}
