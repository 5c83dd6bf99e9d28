/* SPDX-License-Identifier: MIT */
/* HAProxy's Runtime API, spoken through the socket of its master process.
 *
 * The master passes a command on to one worker: `@!PID command`. So we also reach the old workers
 * that a reload leaves behind with their clients' connections; the worker's own socket would only
 * ever lead to the newest. Each command has a connection of its own, ended by `quit`, because the
 * end of an answer cannot be told otherwise. */
#include "balancer/haproxy_api.h"

#include "core/buf.h"
#include "core/str.h"
#include "sys/sock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>

#define ANSWER_BYTES   ((size_t)16 * 1024 * 1024)
#define ASK_TIMEOUT_MS 2000
#define FIELDS_MAX     26 /* of a line that we read */

/* Columns of `show servers state` (format 1) and bits in them. */
enum {
    STATE_SLOT = 1,
    STATE_ID = 3,
    STATE_ADDRESS = 4,
    STATE_ADMIN = 6,
    STATE_CHECK_RESULT = 11,
    STATE_CHECK_STATE = 13,
    STATE_PORT = 18,
    STATE_FIELDS = 25,
};
#define ADMIN_MAINT        0x27 /* forced, inherited, by configuration, by resolution */
#define ADMIN_DRAIN        0x18 /* forced, inherited */
#define CHECK_FAILED       2
#define CHECK_PASSED       3
#define CHECK_STATE_ENABLE 0x04

/* Columns of `show servers conn`: "slot/id", …, used connections. */
enum {
    CONN_NAME = 0,
    CONN_USED = 6,
    CONN_FIELDS = 7,
};

int vr_haproxy_ask(const char *state_dir, pid_t worker, const char *command, char **out,
                   struct vr_err *err)
{
    vr_auto_free char *path = vr_strf("%s/%s", state_dir, VR_HAPROXY_MASTER_SOCKET);
    vr_auto_free char *request =
        worker ? vr_strf("@!%d %s;quit\n", (int)worker, command) : vr_strf("%s;quit\n", command);
    vr_auto_close int fd = -1;
    int r;

    fd = vr_unix_connect(path, SOCK_STREAM, err);
    if (fd < 0)
        return fd;
    r = vr_sock_ask(fd, request, ANSWER_BYTES, ASK_TIMEOUT_MS, out, err);
    return r < 0 ? vr_fail_in(err, r, "haproxy '%s'", command) : 0;
}

int vr_haproxy_order(const char *state_dir, pid_t worker, const char *command, const char *expected,
                     struct vr_err *err)
{
    vr_auto_free char *answer = NULL;
    size_t n;
    int r;

    r = vr_haproxy_ask(state_dir, worker, command, &answer, err);
    if (r < 0)
        return r;
    n = strcspn(answer, "\n");
    answer[n] = '\0';
    if (n && !(expected && vr_str_has_prefix(answer, expected)))
        return vr_fail(err, VR_IO, "haproxy '%s': %s", command, answer);
    return 0;
}

/* Cut the next line off *text; NULL at the end. Changes the text. */
static char *next_line(char **text)
{
    char *line = *text;
    char *end;

    if (!line || !*line)
        return NULL;
    end = strchr(line, '\n');
    *text = end ? end + 1 : NULL;
    if (end)
        *end = '\0';
    return line;
}

/* Cut a line at its spaces; gives the number of fields. Changes the line. */
static int split(char *line, char *fields[FIELDS_MAX])
{
    char *rest = NULL;
    int n = 0;

    for (char *f = strtok_r(line, " \t", &rest); f && n < FIELDS_MAX;
         f = strtok_r(NULL, " \t", &rest))
        fields[n++] = f;
    return n;
}

static int64_t number(const char *text)
{
    int64_t n;

    return vr_parse_i64(vr_str(text), 0, INT64_MAX, &n, NULL) < 0 ? 0 : n;
}

int vr_haproxy_workers(const char *state_dir, pid_t out[VR_HAPROXY_WORKERS_MAX], struct vr_err *err)
{
    vr_auto_free char *answer = NULL;
    char *fields[FIELDS_MAX];
    char *rest, *line;
    int n = 0;
    int r;

    r = vr_haproxy_ask(state_dir, 0, "show proc", &answer, err);
    if (r < 0)
        return r;
    rest = answer;
    while ((line = next_line(&rest)) && n < VR_HAPROXY_WORKERS_MAX)
        if (split(line, fields) >= 2 && vr_streq(fields[1], "worker"))
            out[n++] = (pid_t)number(fields[0]);
    return n;
}

static enum vr_balancer_check check_of(int64_t result, bool is_checked)
{
    if (!is_checked)
        return VR_BALANCER_CHECK_NONE;
    if (result == CHECK_FAILED)
        return VR_BALANCER_CHECK_DOWN;
    return result == CHECK_PASSED ? VR_BALANCER_CHECK_UP : VR_BALANCER_CHECK_NONE;
}

static int read_servers(struct vr_haproxy_state *state, char *text, struct vr_err *err)
{
    char *f[FIELDS_MAX];
    char *line = next_line(&text);
    size_t cap = 0;

    if (!vr_streq(line, "1"))
        return vr_fail(err, VR_PARSE, "haproxy: state format '%s' is not 1", line ? line : "");
    while ((line = next_line(&text))) {
        if (!*line || *line == '#')
            continue;
        if (split(line, f) < STATE_FIELDS)
            return vr_fail(err, VR_PARSE, "haproxy: a server's state has too few fields");
        if (state->server_count == cap) {
            cap = cap ? cap * 2 : 64;
            state->servers = vr_realloc_array(state->servers, cap, sizeof(*state->servers));
        }
        bool checked = number(f[STATE_CHECK_STATE]) & CHECK_STATE_ENABLE;
        state->servers[state->server_count++] = (struct vr_haproxy_server){
            .slot = vr_strdup(f[STATE_SLOT]),
            .id = vr_strdup(f[STATE_ID]),
            .address = vr_strdup(f[STATE_ADDRESS]),
            .port = (uint16_t)number(f[STATE_PORT]),
            .maint = number(f[STATE_ADMIN]) & ADMIN_MAINT,
            .drain = number(f[STATE_ADMIN]) & ADMIN_DRAIN,
            .is_checked = checked,
            .check = check_of(number(f[STATE_CHECK_RESULT]), checked),
        };
    }
    return 0;
}

static void read_connections(struct vr_haproxy_state *state, char *text)
{
    char *f[FIELDS_MAX];
    char *line, *id;

    while ((line = next_line(&text))) {
        if (*line == '#' || split(line, f) < CONN_FIELDS || !(id = strchr(f[CONN_NAME], '/')))
            continue;
        *id++ = '\0';
        for (size_t i = 0; i < state->server_count; i++)
            if (vr_streq(state->servers[i].slot, f[CONN_NAME]) &&
                vr_streq(state->servers[i].id, id))
                state->servers[i].connections = number(f[CONN_USED]);
    }
}

static void read_routes(struct vr_haproxy_state *state, char *text)
{
    char *f[FIELDS_MAX];
    char *line;
    size_t cap = 0;

    while ((line = next_line(&text))) {
        if (split(line, f) != 3)
            continue;
        if (state->route_count == cap) {
            cap = cap ? cap * 2 : 64;
            state->routes = vr_realloc_array(state->routes, cap, sizeof(*state->routes));
        }
        state->routes[state->route_count++] =
            (struct vr_haproxy_route){.key = vr_strdup(f[1]), .slot = vr_strdup(f[2])};
    }
}

static void read_slots(struct vr_haproxy_state *state, char *text)
{
    char *line;

    while ((line = next_line(&text)))
        state->slot_count += vr_str_has_prefix(line, "slot_");
}

int vr_haproxy_state_read(const char *state_dir, pid_t worker, struct vr_haproxy_state *out,
                          struct vr_err *err)
{
    vr_auto_free char *servers = NULL, *connections = NULL, *routes = NULL, *slots = NULL;
    struct vr_haproxy_state state = {0};
    int r;

    r = vr_haproxy_ask(state_dir, worker, "show servers state", &servers, err);
    if (!r)
        r = vr_haproxy_ask(state_dir, worker, "show servers conn", &connections, err);
    if (!r)
        r = vr_haproxy_ask(state_dir, worker, "show map " VR_HAPROXY_MAP_FILE, &routes, err);
    if (!r)
        r = vr_haproxy_ask(state_dir, worker, "show backend", &slots, err);
    if (!r)
        r = read_servers(&state, servers, err);
    if (r < 0) {
        vr_haproxy_state_fini(&state);
        return r;
    }
    read_connections(&state, connections);
    read_routes(&state, routes);
    read_slots(&state, slots);
    *out = state;
    return 0;
}

void vr_haproxy_state_fini(struct vr_haproxy_state *state)
{
    for (size_t i = 0; i < state->server_count; i++) {
        free(state->servers[i].slot);
        free(state->servers[i].id);
        free(state->servers[i].address);
    }
    for (size_t i = 0; i < state->route_count; i++) {
        free(state->routes[i].key);
        free(state->routes[i].slot);
    }
    free(state->servers);
    free(state->routes);
    *state = (struct vr_haproxy_state){0};
}

const struct vr_haproxy_server *vr_haproxy_server_find(const struct vr_haproxy_state *state,
                                                       const char *slot, const char *id)
{
    for (size_t i = 0; i < state->server_count; i++)
        if (vr_streq(state->servers[i].slot, slot) && vr_streq(state->servers[i].id, id))
            return &state->servers[i];
    return NULL;
}

const char *vr_haproxy_route_find(const struct vr_haproxy_state *state, const char *key)
{
    const char *slot = NULL;

    for (size_t i = 0; i < state->route_count; i++) {
        if (!vr_streq(state->routes[i].key, key))
            continue;
        if (slot && !vr_streq(slot, state->routes[i].slot))
            return NULL;
        slot = state->routes[i].slot;
    }
    return slot;
}
