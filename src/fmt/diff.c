/* SPDX-License-Identifier: MIT */
/*
 * The difference of two texts, line by line.
 *
 * The longest common subsequence, by the table. What both texts begin and end with is set aside
 * first: an edit of a few lines costs little however long the text is, and one that is all new
 * costs no more than the limit.
 */
#include "fmt/diff.h"

struct lines {
    struct vr_str *items;
    size_t count;
};

static struct lines split(const char *text)
{
    struct lines l = {0};
    size_t n = 0;

    for (const char *c = text; *c; c++)
        n += *c == '\n';
    l.items = vr_alloc_array(n + 2, sizeof(l.items[0]));
    while (*text) {
        size_t len = strcspn(text, "\n");

        l.items[l.count++] = (struct vr_str){text, len};
        text += len + (text[len] == '\n');
    }
    return l;
}

static bool equal(struct vr_str a, struct vr_str b)
{
    return a.n == b.n && !memcmp(a.p, b.p, a.n);
}

/* common[i * (b.count + 1) + j]: lines that a from i on and b from j on have in common. */
static uint16_t *count_common(struct lines a, struct lines b)
{
    size_t width = b.count + 1;
    uint16_t *common = vr_alloc_array((a.count + 1) * width, sizeof(common[0]));

    for (size_t i = a.count; i-- > 0;) {
        for (size_t j = b.count; j-- > 0;) {
            uint16_t down = common[(i + 1) * width + j], right = common[i * width + j + 1];

            common[i * width + j] = equal(a.items[i], b.items[j])
                                        ? (uint16_t)(common[(i + 1) * width + j + 1] + 1)
                                    : down > right ? down
                                                   : right;
        }
    }
    return common;
}

static void give_all(struct lines l, char sign, vr_diff_fn *fn, void *ctx)
{
    for (size_t i = 0; i < l.count; i++)
        fn(ctx, sign, l.items[i]);
}

/* What is neither at the beginning nor at the end of both. */
static void give_middle(struct lines a, struct lines b, vr_diff_fn *fn, void *ctx)
{
    vr_auto_free uint16_t *common = NULL;
    size_t width = b.count + 1, i = 0, j = 0;

    /* What is compared has at most its square root of lines in common. */
    _Static_assert(VR_DIFF_CELLS <= (uint64_t)UINT16_MAX * UINT16_MAX, "a count has 16 bits");
    if (!a.count || !b.count || a.count + 1 > VR_DIFF_CELLS / width) {
        give_all(a, '-', fn, ctx);
        give_all(b, '+', fn, ctx);
        return;
    }
    common = count_common(a, b);
    while (i < a.count || j < b.count) {
        if (i < a.count && j < b.count && equal(a.items[i], b.items[j])) {
            fn(ctx, ' ', a.items[i++]);
            j++;
        } else if (j == b.count ||
                   (i < a.count && common[(i + 1) * width + j] >= common[i * width + j + 1])) {
            fn(ctx, '-', a.items[i++]);
        } else {
            fn(ctx, '+', b.items[j++]);
        }
    }
}

bool vr_diff_lines(const char *a_text, const char *b_text, vr_diff_fn *fn, void *ctx)
{
    struct lines a = split(a_text), b = split(b_text);
    vr_auto_free struct vr_str *a_items = a.items, *b_items = b.items;
    size_t before = 0, behind = 0;
    bool differs;

    while (before < a.count && before < b.count && equal(a_items[before], b_items[before]))
        before++;
    while (behind < a.count - before && behind < b.count - before &&
           equal(a_items[a.count - 1 - behind], b_items[b.count - 1 - behind]))
        behind++;
    give_all((struct lines){a_items, before}, ' ', fn, ctx);
    differs = a.count - before - behind || b.count - before - behind;
    give_middle((struct lines){a_items + before, a.count - before - behind},
                (struct lines){b_items + before, b.count - before - behind}, fn, ctx);
    give_all((struct lines){a_items + a.count - behind, behind}, ' ', fn, ctx);
    return differs;
}

/* ------------------------------------------------------------------ as JSON */

/* Lines in common wait until it is known whether a difference follows. */
struct shown {
    json_t *out;
    size_t context;
    size_t first;         /* lines of `out` that were there before */
    struct vr_str *queue; /* the last lines in common, at most `context`; a ring */
    size_t queued;        /* ever, since the last difference */
    size_t after;         /* lines in common that still follow a difference */
};

static void push(struct shown *s, const char *mark, struct vr_str line)
{
    vr_auto_free char *text = vr_strf("%s%.*s", mark, (int)line.n, line.p);
    size_t count = json_array_size(s->out) - s->first;

    if (count < VR_DIFF_SHOWN)
        vr_json_push(s->out, vr_json_text(text, strlen(text)));
    else if (count == VR_DIFF_SHOWN)
        vr_json_push(s->out, json_string("… and more"));
}

static void flush(struct shown *s)
{
    size_t n = s->queued < s->context ? s->queued : s->context;

    if (s->queued > n)
        push(s, " …", vr_str(""));
    for (size_t i = s->queued - n; i < s->queued; i++)
        push(s, "  ", s->queue[i % s->context]);
    s->queued = 0;
}

static void show(void *ctx, char sign, struct vr_str line)
{
    struct shown *s = ctx;

    if (sign != ' ') {
        flush(s);
        push(s, sign == '-' ? "- " : "+ ", line);
        s->after = s->context;
    } else if (s->after) {
        push(s, "  ", line);
        s->after--;
    } else {
        if (s->context)
            s->queue[s->queued % s->context] = line;
        s->queued++;
    }
}

void vr_diff_json(json_t *out, const char *a, const char *b, size_t context)
{
    size_t most = strlen(a) < VR_DIFF_SHOWN ? strlen(a) + 1 : VR_DIFF_SHOWN;
    vr_auto_free struct vr_str *queue = NULL;
    struct shown s = {.out = out, .first = json_array_size(out)};

    if (vr_streq(a, b))
        return;
    s.context = context < most ? context : most;
    s.queue = queue = vr_alloc_array(s.context + 1, sizeof(*queue));
    if (vr_diff_lines(a, b, show, &s) && s.queued)
        push(&s, " …", vr_str(""));
}
