/* SPDX-License-Identifier: MIT */
/*
 * The port where old tools expect a supervisord.
 *
 * The HTTP server has a thread of its own, the agent has one loop: a request is put aside, and the
 * loop is woken to take it from a list. Answers and pieces of followed logs may then be given from
 * the loop's thread.
 */
#include "agent/xmlrpc_port.h"

#include "agent/proc.h"
#include "agent/procs.h"
#include "agent/supervisor.h"
#include "agent/watch.h"
#include "fmt/cidr.h"
#include "fmt/uri.h"
#include "fmt/xmlrpc.h"
#include "net/http_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#define PARSE_FAULT 3 /* BAD_ARGUMENTS of supervisor's list */
#define ANSWER_MS   ((VR_SUPERVISOR_WAIT_SECS + 10) * 1000)
#define TAIL_CHUNK  8192

/* A request on its way from the server's thread to the loop. */
struct item {
    struct item *next;
    struct vr_http_pending *pending; /* of a call; NULL: a log is to be followed */
    struct vr_http_stream *stream;
    char *text; /* body of the call, or name of the proc */
    size_t bytes;
    char *remote;
};

struct tail {
    struct vr_xmlrpc_port *port;
    struct vr_http_stream *stream;
    struct vr_timer *timer;
    int fd;
    char *path;
};

struct vr_xmlrpc_port {
    struct vr_agent *agent;
    struct vr_supervisor *supervisor;
    struct vr_http_server *http;
    struct vr_cidr_list allowed;
    uv_async_t *wake; /* closed by libuv some time after it is told to */
    pthread_mutex_t lock;
    struct item *items; /* under lock, newest first */
    struct tail *tails[VR_XMLRPC_PORT_TAILS_MAX];
    size_t tail_count;
};

/* ------------------------------------------------------------------ in the server's thread */

static void on_begin(void *user, struct vr_http_req *req, struct vr_http_intake *intake)
{
    struct vr_xmlrpc_port *port = user;

    intake->max_bytes = VR_XMLRPC_BYTES;
    if (!vr_cidr_has(&port->allowed, vr_http_req_remote(req)))
        vr_http_answer_error(req, 403, "address %s is not among those of xmlrpc-allow",
                             vr_http_req_remote(req));
}

static void hand_over(struct vr_xmlrpc_port *port, struct item *item)
{
    pthread_mutex_lock(&port->lock);
    item->next = port->items;
    port->items = item;
    pthread_mutex_unlock(&port->lock);
    uv_async_send(port->wake);
}

static struct vr_http_resp *xml_resp(char *text)
{
    struct vr_http_resp *resp = vr_http_resp_new(200);

    vr_http_resp_bytes(resp, "text/xml", text, strlen(text));
    return resp;
}

static void handle_call(struct vr_xmlrpc_port *port, struct vr_http_req *req)
{
    struct vr_str body = vr_http_req_body(req);
    struct item *item = vr_alloc(sizeof(*item));

    item->text = vr_strndup(body.p, body.n);
    item->bytes = body.n;
    item->remote = vr_strdup(vr_http_req_remote(req));
    item->pending =
        vr_http_suspend(req, ANSWER_MS, xml_resp(vr_xmlrpc_fault(30, "FAILED: no answer")));
    if (item->pending)
        hand_over(port, item);
    else {
        free(item->text);
        free(item->remote);
        free(item);
    }
}

static void handle_tail(struct vr_xmlrpc_port *port, struct vr_http_req *req, const char *name)
{
    struct item *item = vr_alloc(sizeof(*item));

    item->text = vr_strdup(name);
    item->stream = vr_http_stream_start(req, VR_HTTP_STREAM_TEXT);
    hand_over(port, item);
}

static void on_request(void *user, struct vr_http_req *req)
{
    struct vr_xmlrpc_port *port = user;
    const char *method = vr_http_req_method(req), *first = vr_http_req_segment(req, 0);

    if (vr_streq(first, "RPC2") && vr_streq(method, "POST"))
        handle_call(port, req);
    else if (vr_streq(first, "logtail") && vr_streq(method, "GET") && vr_http_req_segment(req, 1))
        handle_tail(port, req, vr_http_req_segment(req, 1));
    else
        vr_http_answer_error(req, 404, "there is POST /RPC2 and GET /logtail/NAME, not '%s'",
                             vr_http_req_path(req));
}

/* ------------------------------------------------------------------ followed logs */

static void tail_free(struct tail *t)
{
    vr_http_stream_close(t->stream);
    vr_http_stream_unref(t->stream);
    t->timer = vr_timer_free(t->timer);
    vr_fd_close(t->fd);
    free(t->path);
    free(t);
}

static void tail_end(struct tail *t)
{
    struct vr_xmlrpc_port *port = t->port;

    for (size_t i = 0; i < port->tail_count; i++)
        if (port->tails[i] == t)
            port->tails[i] = port->tails[--port->tail_count];
    tail_free(t);
}

/* After a rotation the name leads to another file; what is left of ours was sent before. */
static void reopen(struct tail *t)
{
    struct stat held, named;

    if (stat(t->path, &named) < 0)
        return;
    if (t->fd >= 0 && fstat(t->fd, &held) == 0 && held.st_ino == named.st_ino)
        return;
    vr_fd_close(vr_take_fd(t->fd));
    t->fd = open(t->path, O_RDONLY | O_CLOEXEC);
}

static void tail_look(void *arg)
{
    struct tail *t = arg;
    char chunk[TAIL_CHUNK];
    ssize_t n = 0;

    while (t->fd >= 0 && (n = read(t->fd, chunk, sizeof(chunk))) > 0)
        if (!vr_http_stream_send(t->stream, chunk, (size_t)n))
            break;
    if (vr_http_stream_is_over(t->stream)) {
        tail_end(t);
        return;
    }
    reopen(t);
    vr_timer_arm(t->timer, VR_XMLRPC_PORT_TAIL_MS);
}

static const char *log_of(const struct vr_agent *agent, const char *name)
{
    const char *colon = strchr(name, ':');

    for (size_t i = 0; i < vr_procs_count(agent->procs); i++) {
        struct vr_proc_view view;

        vr_proc_view(vr_procs_at(agent->procs, i), &view);
        if (vr_streq(view.name, colon ? colon + 1 : name))
            return view.log_path;
    }
    return NULL;
}

static void start_tail(struct vr_xmlrpc_port *port, const struct item *item)
{
    const char *path = log_of(port->agent, item->text);
    struct tail *t;
    struct stat st;

    if (!path || port->tail_count == VR_XMLRPC_PORT_TAILS_MAX) {
        const char *why = path ? "ERROR (too many logs are followed)\n" : "ERROR (no such proc)\n";

        vr_http_stream_send(item->stream, why, strlen(why));
        vr_http_stream_close(item->stream);
        return;
    }
    t = vr_alloc(sizeof(*t));
    t->port = port;
    t->stream = vr_http_stream_ref(item->stream);
    t->path = vr_strdup(path);
    t->fd = open(path, O_RDONLY | O_CLOEXEC);
    t->timer = vr_timer_new(&port->agent->loop, tail_look, t);
    if (t->fd >= 0 && fstat(t->fd, &st) == 0 && st.st_size > VR_XMLRPC_PORT_TAIL_BYTES)
        lseek(t->fd, st.st_size - VR_XMLRPC_PORT_TAIL_BYTES, SEEK_SET);
    port->tails[port->tail_count++] = t;
    vr_timer_arm(t->timer, 0);
}

/* ------------------------------------------------------------------ in the loop */

static void item_free(struct item *item)
{
    vr_http_pending_unref(item->pending);
    vr_http_stream_unref(item->stream);
    free(item->text);
    free(item->remote);
    free(item);
}

static void answer(void *user, char *text)
{
    struct vr_http_pending *pending = user;

    vr_http_pending_answer(pending, xml_resp(text));
    vr_http_pending_unref(pending);
}

static void start_call(struct vr_xmlrpc_port *port, const struct item *item)
{
    vr_auto_xmlrpc struct vr_xmlrpc_call call = {0};
    struct vr_err err = VR_ERR_NULL;
    struct vr_http_pending *pending = vr_http_pending_ref(item->pending);

    if (vr_xmlrpc_parse_call((struct vr_str){item->text, item->bytes}, &call, &err) < 0)
        answer(pending, vr_xmlrpc_fault(PARSE_FAULT, err.msg));
    else
        vr_supervisor_call(port->supervisor, &call, item->remote, answer, pending);
}

static struct item *take_all(struct vr_xmlrpc_port *port)
{
    struct item *newest, *oldest = NULL;

    pthread_mutex_lock(&port->lock);
    newest = vr_take(port->items);
    pthread_mutex_unlock(&port->lock);
    while (newest) {
        struct item *next = newest->next;

        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void woken(uv_async_t *handle)
{
    struct vr_xmlrpc_port *port = handle->data;

    for (struct item *item = take_all(port), *next; item; item = next) {
        next = item->next;
        if (item->pending)
            start_call(port, item);
        else
            start_tail(port, item);
        item_free(item);
    }
}

/* ------------------------------------------------------------------ opening and closing */

static void closed(uv_handle_t *handle)
{
    free(handle);
}

int vr_xmlrpc_port_open(struct vr_agent *agent, struct vr_xmlrpc_port **out, struct vr_err *err)
{
    vr_auto_free char *address = NULL;
    struct vr_xmlrpc_port *port;
    struct vr_http_server_spec spec = {.threads = 1,
                                       .max_connections = VR_XMLRPC_PORT_CONNECTIONS,
                                       .begin = on_begin,
                                       .handle = on_request};
    int r;

    *out = NULL;
    if (!agent->config.xmlrpc_listen)
        return 0;
    r = vr_uri_split_address(agent->config.xmlrpc_listen, &address, &spec.port, err);
    if (r < 0)
        return vr_fail_in(err, r, "option 'xmlrpc-listen'");
    port = vr_alloc(sizeof(*port));
    r = vr_cidr_parse(agent->config.xmlrpc_allow, &port->allowed, err);
    if (r < 0) {
        free(port);
        return r;
    }
    port->agent = agent;
    port->supervisor = vr_supervisor_new(agent);
    pthread_mutex_init(&port->lock, NULL);
    port->wake = vr_alloc(sizeof(*port->wake));
    port->wake->data = port;
    uv_async_init(&agent->loop, port->wake, woken);
    spec.address = address;
    spec.user = port;
    r = vr_http_server_start(&spec, &port->http, err);
    if (r < 0) {
        vr_xmlrpc_port_close(port);
        return vr_fail_in(err, r, "option 'xmlrpc-listen'");
    }
    vr_info(&agent->log, "XML-RPC for old tools on %s, for %s", agent->config.xmlrpc_listen,
            agent->config.xmlrpc_allow);
    *out = port;
    return 0;
}

struct vr_xmlrpc_port *vr_xmlrpc_port_close(struct vr_xmlrpc_port *port)
{
    if (!port)
        return NULL;
    port->supervisor = vr_supervisor_free(port->supervisor);
    while (port->tail_count)
        tail_free(port->tails[--port->tail_count]);
    port->http = vr_http_server_stop(port->http);
    for (struct item *item = take_all(port), *next; item; item = next) {
        next = item->next;
        item_free(item);
    }
    uv_close((uv_handle_t *)port->wake, closed);
    pthread_mutex_destroy(&port->lock);
    free(port);
    return NULL;
}
