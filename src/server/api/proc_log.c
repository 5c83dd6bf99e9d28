/* SPDX-License-Identifier: MIT */
/* Logs of procs, which lie on their hosts. */
#include "server/api/proc_log.h"

#include "server/api/number.h"
#include "server/hub.h"
#include "server/proc_logs.h"
#include "server/reader.h"
#include "store/host.h"

#include <inttypes.h>

int vr_proc_log_read(const struct vr_call *call, struct vr_proc_log *log, struct vr_err *err)
{
    int r = vr_query_number(call, "lines", 1, VR_PROC_LOG_LINES_MAX, log->lines, &log->lines, err);

    if (vr_ws_is_asked(call->req))
        log->follow = true;
    if (r == 0)
        r = vr_query_flag(call, "follow", log->follow, &log->follow, err);
    return r < 0 ? r : vr_query_number(call, "from", 0, INT64_MAX / 2, -1, &log->from, err);
}

/* "host 'h2' is away: it was heard of 42 s ago"; NULL if it can be asked. */
static char *why_away(const struct vr_host_row *host, struct vr_wall now)
{
    int64_t secs = (now.us - host->last_seen_us) / VR_US_PER_S;

    if (vr_streq(host->state, "live") || vr_streq(host->state, "suspect"))
        return NULL;
    if (!host->last_seen_us)
        return vr_strf("host '%s' was never heard of", host->name);
    return vr_strf("host '%s' is away: it was heard of last %" PRId64 " s ago", host->name, secs);
}

/* What the database has of the log: the lines that were kept when the proc failed. */
static void answer_away(struct vr_call *call, const struct vr_proc_row *proc, const char *why)
{
    const char *tail = proc->log_tail ? proc->log_tail : "";

    if (vr_ws_is_asked(call->req)) {
        struct vr_reader reader;

        if (!vr_reader_start(&reader, call->req, VR_READER_WS))
            return;
        vr_reader_send_json(&reader, json_pack("{s:s, s:o, s:b}", "kept_by", "server", "text",
                                               vr_json_text(tail, strlen(tail)), "end", false));
        vr_reader_fail(&reader, 503, why);
        vr_reader_fini(&reader);
        return;
    }
    vr_reply_json(call, 503,
                  json_pack("{s:o, s:o}", "error", vr_json_text(why, strlen(why)), "log_tail",
                            vr_json_text(tail, strlen(tail))));
}

static int read_search(const struct vr_call *call, struct vr_log_search_spec *spec,
                       struct vr_err *err)
{
    VR_OWNED(vr_log_search_free) struct vr_log_search *tried = NULL;
    int r;

    spec->text = vr_query_find(vr_http_req_query(call->req), "search");
    r = vr_query_flag(call, "regex", false, &spec->regex, err);
    if (r == 0)
        r = vr_query_flag(call, "ignore_case", false, &spec->ignore_case, err);
    if (r == 0)
        r = vr_query_number(call, "before", 0, INT64_MAX / 2, -1, &spec->before, err);
    if (r == 0)
        r = vr_query_number(call, "limit", 1, VR_LOG_SEARCH_LIMIT_MAX, VR_LOG_SEARCH_LIMIT,
                            &spec->limit, err);
    if (r == 0)
        r = vr_query_number(call, "context", 0, VR_LOG_SEARCH_CONTEXT_MAX, 0, &spec->context, err);
    if (r == 0 && spec->text) /* refused here, in words for who asks, and not on the host */
        r = vr_log_search_new(spec, &tried, err);
    return r == -VR_LIMIT ? vr_fail(err, VR_INVALID, "%s", err->msg) : r;
}

int vr_log_search_read(const struct vr_call *call, struct vr_log_search_spec *spec,
                       struct vr_err *err)
{
    int r;

    *spec = (struct vr_log_search_spec){0};
    r = read_search(call, spec, err); /* what is wrong is wrong without a search too */
    return r < 0 ? r : spec->text != NULL;
}

int vr_proc_log_send(struct vr_call *call, const struct vr_proc_row *proc,
                     const struct vr_proc_log *log, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    VR_ROW(host) host = {0};
    const char *accept = vr_http_req_header(call->req, "accept");
    struct vr_proc_logs *logs = vr_hub_proc_logs(call->server->hub);
    struct vr_log_search_spec search;
    vr_auto_free char *away = NULL;
    int is_search = vr_log_search_read(call, &search, err);
    int r = is_search < 0 ? is_search : vr_store_begin(call->server->store, VR_DB_READ, &tx, err);

    if (r == 0)
        r = vr_store_host_find_id(tx, proc->host_id, &host, err);
    tx = vr_tx_free(tx);
    if (r < 0)
        return r;
    away = why_away(&host, call->now);
    if (away)
        answer_away(call, proc, away);
    else if (is_search)
        vr_proc_logs_search(logs, call->req, proc->host_id, proc->id, &search);
    else
        vr_proc_logs_read(
            logs, call->req,
            &(struct vr_log_wish){.host_id = proc->host_id,
                                  .proc_id = proc->id,
                                  .from = log->from,
                                  .lines = log->lines,
                                  .follow = log->follow,
                                  .login = {call->who.id, call->who.token_id, call->who.session_id},
                                  .as_events = accept && strstr(accept, "text/event-stream")});
    return 0;
}

int vr_log_refuse(struct vr_call *call, int r, const struct vr_err *err)
{
    if (r == 0 || !vr_ws_is_asked(call->req))
        return r;
    vr_reader_refuse(call->req, vr_reply_status((enum vr_code) - r), err->msg);
    return 0;
}
