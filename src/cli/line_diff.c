/* SPDX-License-Identifier: MIT */
/* The difference of two texts as a terminal shows it. */
#include "cli/line_diff.h"

#include "cli/out.h"
#include "fmt/diff.h"

struct painter {
    struct vr_buf *out;
    bool colour;
};

static void paint(void *ctx, char sign, struct vr_str line)
{
    struct painter *p = ctx;
    vr_auto_free char *text = vr_strf("%c%.*s", sign, (int)line.n, line.p);

    vr_style_add(p->out, p->colour,
                 sign == '-'   ? VR_STYLE_BAD
                 : sign == '+' ? VR_STYLE_GOOD
                               : VR_STYLE_NONE,
                 text);
    vr_buf_addc(p->out, '\n');
}

bool vr_line_diff(struct vr_buf *out, const char *a, const char *b, bool colour)
{
    return vr_diff_lines(a, b, paint, &(struct painter){out, colour});
}
