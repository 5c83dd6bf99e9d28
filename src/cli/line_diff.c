/* SPDX-License-Identifier: MIT */
/* The difference of two texts, line by line: the longest common subsequence, by the table. */
#include "cli/line_diff.h"

#include "cli/out.h"
#include "core/str.h"

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

static void add(struct vr_buf *out, char sign, struct vr_str line, bool colour)
{
    vr_auto_free char *text = vr_strf("%c%.*s", sign, (int)line.n, line.p);

    vr_style_add(out, colour,
                 sign == '-'   ? VR_STYLE_BAD
                 : sign == '+' ? VR_STYLE_GOOD
                               : VR_STYLE_NONE,
                 text);
    vr_buf_addc(out, '\n');
}

int vr_line_diff(struct vr_buf *out, const char *a_text, const char *b_text, bool colour,
                 struct vr_err *err)
{
    struct lines a = split(a_text), b = split(b_text);
    vr_auto_free struct vr_str *a_items = a.items, *b_items = b.items;
    vr_auto_free uint16_t *common = NULL;
    size_t width = b.count + 1, i = 0, j = 0;
    int differs = 0;

    if (a.count > VR_LINE_DIFF_LINES || b.count > VR_LINE_DIFF_LINES)
        return vr_fail(err, VR_LIMIT, "more than %u lines to compare", VR_LINE_DIFF_LINES);
    common = count_common(a, b);
    while (i < a.count || j < b.count) {
        if (i < a.count && j < b.count && equal(a_items[i], b_items[j])) {
            add(out, ' ', a_items[i++], colour);
            j++;
            continue;
        }
        differs = 1;
        if (j == b.count ||
            (i < a.count && common[(i + 1) * width + j] >= common[i * width + j + 1]))
            add(out, '-', a_items[i++], colour);
        else
            add(out, '+', b_items[j++], colour);
    }
    return differs;
}
