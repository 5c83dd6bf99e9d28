/* SPDX-License-Identifier: MIT */
/* The event stream parser: line ends, pieces, limits. */
#include "core/buf.h"
#include "core/tap.h"
#include "net/sse.h"

#include <string.h>

static int collect(void *user, const struct vr_sse_event *event, struct vr_err *err)
{
    vr_buf_addf(user, "[%s|%s|%s]", event->id, event->event, event->data);
    return strcmp(event->data, "stop") ? 0 : 1;
}

/* What events come out if the text arrives in pieces of `piece` bytes. */
static void check(const char *text, size_t piece, const char *want)
{
    vr_auto_buf struct vr_buf out = VR_BUF(4096);
    VR_OWNED(vr_sse_parser_free) struct vr_sse_parser *p = vr_sse_parser_new(collect, &out);

    for (size_t i = 0, n = strlen(text); i < n; i += piece)
        CHECK(!vr_sse_parser_feed(p, text + i, n - i < piece ? n - i : piece, NULL));
    CHECK_STR(vr_buf_text(&out), want);
}

TEST(sse__all_line_ends_in_any_pieces__same_events)
{
    static const char *const texts[] = {
        "id: 1\ndata: a\ndata: b\n\nevent: x\ndata:c\n\n",
        "id: 1\r\ndata: a\r\ndata: b\r\n\r\nevent: x\r\ndata:c\r\n\r\n",
        "id: 1\rdata: a\rdata: b\r\revent: x\rdata:c\r\r",
        "\xef\xbb\xbfid: 1\ndata: a\n: comment\nretry: 5\ndata: b\n\n\n\nevent: x\ndata:c\n\n",
    };

    for (size_t i = 0; i < VR_COUNT(texts); i++)
        for (size_t piece = 1; piece < 20; piece++)
            check(texts[i], piece, "[1|message|a\nb][1|x|c]");
}

TEST(sse__no_data__is_no_event_and_empty_data_is_one)
{
    check("event: x\n\n:\n\ndata\n\ndata:\n\n", 3, "[|message|][|message|]");
    check("data: cut off", 3, "");
}

TEST(sse__callback_says_stop__feed_says_so)
{
    vr_auto_buf struct vr_buf out = VR_BUF(4096);
    VR_OWNED(vr_sse_parser_free) struct vr_sse_parser *p = vr_sse_parser_new(collect, &out);
    static const char text[] = "data: stop\n\ndata: never\n\n";

    CHECK(vr_sse_parser_feed(p, text, sizeof(text) - 1, NULL) == 1);
    CHECK_STR(vr_buf_text(&out), "[|message|stop]");
}

TEST(sse__line_without_an_end__is_a_limit)
{
    vr_auto_buf struct vr_buf out = VR_BUF(4096);
    VR_OWNED(vr_sse_parser_free) struct vr_sse_parser *p = vr_sse_parser_new(collect, &out);
    char chunk[65536];
    int r = 0;

    memset(chunk, 'x', sizeof(chunk));
    for (int i = 0; !r && i < 100; i++)
        r = vr_sse_parser_feed(p, chunk, sizeof(chunk), NULL);
    CHECK(r == -VR_LIMIT);
}
