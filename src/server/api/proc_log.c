/* SPDX-License-Identifier: MIT */
/* Logs of procs, which lie on their hosts. */
#include "server/api/proc_log.h"

#include "server/api/number.h"
#include "server/hub.h"

int vr_proc_log_read(const struct vr_call *call, struct vr_proc_log *log, struct vr_err *err)
{
    int r = vr_query_number(call, "lines", 1, VR_PROC_LOG_LINES_MAX, log->lines, &log->lines, err);

    return r < 0 ? r : vr_query_flag(call, "follow", log->follow, &log->follow, err);
}

/* The host learns of the stream by its desired state, whose rev the database keeps. */
static int tell_host(struct vr_server *server, int64_t host_id, struct vr_err *err)
{
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    int r = vr_store_begin(server->store, VR_DB_WRITE, &tx, err);

    if (r < 0)
        return r;
    vr_store_touch_host(tx, host_id);
    return vr_server_commit(server, tx, err);
}

int vr_proc_log_send(struct vr_call *call, const struct vr_proc_row *proc,
                     const struct vr_proc_log *log, struct vr_err *err)
{
    const char *accept = vr_http_req_header(call->req, "accept");

    vr_hub_log(call->server->hub, call->req, proc->host_id, proc->id, log->lines, log->follow,
               accept && strstr(accept, "text/event-stream"));
    return tell_host(call->server, proc->host_id, err);
}
