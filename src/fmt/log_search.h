/* SPDX-License-Identifier: MIT */
/*
 * Searching a log from its end towards its begin, piece by piece, within limits: the same on the
 * host of a proc and on the server for builds. Whoever searches reads the pieces:
 *
 *     vr_log_search_begin(s, first, end);
 *     while (vr_log_search_wants(s, &from, &to))
 *         read [from, to) of the log; vr_log_search_piece(s, text);
 *     doc = vr_log_search_result(s);
 */
#ifndef VR_FMT_LOG_SEARCH_H
#define VR_FMT_LOG_SEARCH_H

#include "fmt/json.h"
#include "fmt/pattern.h"

#define VR_LOG_SEARCH_PIECE       (64 << 10) /* of a log, read at once */
#define VR_LOG_SEARCH_BYTES       (8 << 20)  /* of a log, in one search; the next goes on */
#define VR_LOG_SEARCH_MS          1000       /* the same */
#define VR_LOG_SEARCH_LIMIT       100        /* matches, unless asked for less or more */
#define VR_LOG_SEARCH_LIMIT_MAX   1000
#define VR_LOG_SEARCH_CONTEXT_MAX 10
#define VR_LOG_SEARCH_LINE        4096       /* shown of a line */
#define VR_LOG_SEARCH_SHOWN       (1u << 20) /* bytes of lines in one result */

struct vr_log_search_spec {
    const char *text; /* borrowed for the call */
    bool regex, ignore_case;
    int64_t before; /* only lines that begin before this byte; -1: all */
    int64_t limit;
    int64_t context; /* lines before and after, as far as the same piece holds them */
};

struct vr_log_search;

/** -VR_INVALID, -VR_LIMIT: what is wrong with the pattern, or a number outside its limits. */
VR_MUST_USE
int vr_log_search_new(const struct vr_log_search_spec *spec, struct vr_log_search **out,
                      struct vr_err *err);
struct vr_log_search *vr_log_search_free(struct vr_log_search *s);
VR_DEFINE_OWNED(struct vr_log_search, vr_log_search_free)

/** The log holds [first, end). */
void vr_log_search_begin(struct vr_log_search *s, int64_t first, int64_t end);
/** The piece to be searched next; false when it is over, or a limit is reached. */
bool vr_log_search_wants(struct vr_log_search *s, int64_t *from, int64_t *to);
/** The bytes of that piece; fewer if the log has no more of it. */
void vr_log_search_piece(struct vr_log_search *s, struct vr_str text);

/**
 * {"matches": [{"at", "line"[, "before": […], "after": […]]}] in the order of the log,
 * "searched_from", "searched_to", "next_before": what the next search is to be given, null if
 * "complete"}. Given.
 */
json_t *vr_log_search_result(struct vr_log_search *s);

#endif
