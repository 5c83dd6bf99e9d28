/* SPDX-License-Identifier: MIT */
/*
 * Who may do what: the table of docs/access.md is the one of the server, and the server keeps it.
 *
 * Every route is asked for by everybody whom it matters to: first by those whom the table refuses,
 * when nothing has changed yet, then by the others, deletions last.
 */
#include "server/server_fixture.h"
#include "store/grant.h"
#include "store/store_fixture.h"
#include "store/token.h"
#include "sys/fs.h"

#include <inttypes.h>

#define TABLE_BYTES (1u << 20)
#define LINES_MAX   1000
#define PATIENCE_MS 300   /* for what is let in: streams never end */
#define REFUSAL_MS  30000 /* for a refusal, which comes at once */

/* ------------------------------------------------------------------ the two tables */

/* Lines of "METHOD /path/ role scope", in any order. */
struct lines {
    char *v[LINES_MAX];
    size_t n;
};

static void lines_fini(struct lines *lines)
{
    for (size_t i = 0; i < lines->n; i++)
        free(lines->v[i]);
}

#define LINES(l) __attribute__((cleanup(lines_fini))) struct lines l = {.n = 0}

static bool has_line(const struct lines *lines, const char *line)
{
    for (size_t i = 0; i < lines->n; i++)
        if (vr_streq(lines->v[i], line))
            return true;
    return false;
}

/* What the server has. */
static bool read_server(struct lines *out)
{
    char *text = NULL;
    size_t n = 0;
    FILE *file = open_memstream(&text, &n);

    if (!file)
        return false;
    vr_route_print(file);
    if (fclose(file) != 0)
        return false;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line && out->n < LINES_MAX;
         line = strtok_r(NULL, "\n", &rest))
        out->v[out->n++] = vr_strdup(line);
    free(text);
    return out->n > 100;
}

/* "| `GET` | `/api/v1/apps/` | viewer | platform |" without bars and backticks; given. */
static char *words_of(const char *line)
{
    vr_auto_buf struct vr_buf words = VR_BUF(1024);
    const char *gap = "";

    while (*line) {
        size_t n;

        line += strspn(line, "|` ");
        n = strcspn(line, "|` ");
        if (n) {
            vr_buf_addf(&words, "%s%.*s", gap, (int)n, line);
            gap = " ";
        }
        line += n;
    }
    return vr_strdup(vr_buf_text(&words));
}

/* What the manual says: rows whose first cell is a method. */
static bool read_manual(struct lines *out)
{
    vr_auto_free char *text = NULL;

    if (vr_fs_read(ACCESS_TABLE, TABLE_BYTES, &text, NULL, NULL) < 0)
        return false;
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line && out->n < LINES_MAX;
         line = strtok_r(NULL, "\n", &rest))
        if (vr_str_has_prefix(line, "| `"))
            out->v[out->n++] = words_of(line);
    return out->n > 100;
}

/* Whether all lines of one table are in the other; says which are not. */
static bool has_all(const struct lines *table, const struct lines *of, const char *what)
{
    bool all = true;

    for (size_t i = 0; i < of->n; i++)
        if (!has_line(table, of->v[i])) {
            fprintf(stderr, "# %s: %s\n", what, of->v[i]);
            all = false;
        }
    return all;
}

TEST(rights__of_every_route__are_in_the_manual_and_no_others)
{
    LINES(server);
    LINES(manual);

    CHECK(read_server(&server));
    CHECK(read_manual(&manual));
    CHECK(has_all(&manual, &server, "not in docs/access.md"));
    CHECK(has_all(&server, &manual, "in docs/access.md, but not served"));
    CHECK(server.n == manual.n);
}

TEST(rights__of_every_route__are_said)
{
    for (size_t i = 0; i < vr_route_table_count; i++)
        for (const struct vr_route *r = vr_route_tables[i].rows; r->method; r++)
            CHECK(r->role != VR_ROLE_UNSET);
}

/* ------------------------------------------------------------------ everybody */

enum who { NOBODY, VIEWER, OTHERS, GRANTED, DEPLOYER, ADMIN, CAPPED, CAPPED_APP, WHO_COUNT };

static const char *const who_names[WHO_COUNT] = {
    "nobody",   "a viewer", "a deployer of another app", "a deployer of this app",
    "deployer", "admin",    "an admin's viewer token",   "an admin's token for another app",
};

struct person {
    int64_t id;
    char *token;
    char *spare; /* id of another token of theirs, to be changed and deleted */
};

struct world {
    struct rig rig;
    struct person people[WHO_COUNT];
    char *rollout;
    char *proc;
    bool of_swarm; /* the path that is being made begins so */
};

static void world_fini(struct world *w)
{
    for (int i = 0; i < WHO_COUNT; i++) {
        free(w->people[i].token);
        free(w->people[i].spare);
    }
    free(w->rollout);
    free(w->proc);
    rig_fini(&w->rig);
}

#define WORLD(w) __attribute__((cleanup(world_fini))) struct world w = {.proc = NULL}

static int add_token(struct vr_tx *tx, const char *name, const struct vr_token_row *like,
                     char **out, int64_t *out_id)
{
    vr_auto_free char *sha256 = NULL;
    struct vr_token_row row = *like;

    vr_auth_make_token(out, &sha256);
    row.name = (char *)name;
    row.token_sha256 = sha256;
    row.created_us = 1;
    return vr_store_token_insert(tx, &row, out_id, NULL);
}

/* A user's tokens: one to ask with, as `like` says, and a spare one. */
static bool give_tokens(struct vr_tx *tx, struct person *p, struct vr_token_row like, int who)
{
    vr_auto_free char *unused = NULL;
    vr_auto_free char *name = vr_strf("t%d", who);
    vr_auto_free char *spare = vr_strf("s%d", who);
    int64_t id;

    like.user_id = p->id;
    if (add_token(tx, name, &like, &p->token, &id) < 0 ||
        add_token(tx, spare, &like, &unused, &id) < 0)
        return false;
    p->spare = vr_strf("%" PRId64, id);
    return true;
}

static bool add_things(struct world *w, int64_t *out_app, int64_t *out_other)
{
    struct fixture f = {.store = w->rig.server.store};
    struct vr_app_row other = {.name = (char *)"other",
                               .repo_url = (char *)"https://example.com/other.git",
                               .repo_type = (char *)"git"};
    VR_ROW(proc) proc = {0};
    int64_t id;
    bool ok = vr_store_begin(f.store, VR_DB_WRITE, &f.tx, NULL) == 0 && fixture_fill(&f) &&
              vr_store_app_insert(f.tx, &other, out_other, NULL) == 0 &&
              add_rollout(&f, "queued", &w->rollout) == 0 && add_proc(&f, 0, 5000, &id) == 0 &&
              vr_store_proc_find_id(f.tx, id, &proc, NULL) == 0 &&
              vr_store_commit(f.tx, NULL, NULL) == 0;

    *out_app = f.app;
    w->proc = ok ? vr_strdup(proc.name) : NULL;
    vr_tx_free(f.tx);
    return ok;
}

static bool add_people(struct world *w, int64_t app, int64_t other)
{
    static const char *const roles[WHO_COUNT] = {
        [VIEWER] = "viewer", [OTHERS] = "viewer", [GRANTED] = "viewer", [DEPLOYER] = "deployer"};
    VR_OWNED(vr_tx_free) struct vr_tx *tx = NULL;
    struct person *p = w->people;

    for (int i = VIEWER; i <= DEPLOYER; i++) {
        vr_auto_free char *name = vr_strf("user%d", i);

        if (rig_add_user(&w->rig, name, roles[i], &p[i].id) < 0)
            return false;
    }
    p[ADMIN].id = p[CAPPED].id = p[CAPPED_APP].id = 1;
    if (vr_store_begin(w->rig.server.store, VR_DB_WRITE, &tx, NULL) < 0 ||
        vr_store_grant_set(tx, p[OTHERS].id, &other, 1, NULL) < 0 ||
        vr_store_grant_set(tx, p[GRANTED].id, &app, 1, NULL) < 0)
        return false;
    for (int i = VIEWER; i < WHO_COUNT; i++)
        if (!give_tokens(tx, &p[i],
                         (struct vr_token_row){.role = (char *)(i == CAPPED ? "viewer" : "admin"),
                                               .app_id = i == CAPPED_APP ? other : 0},
                         i))
            return false;
    return vr_store_commit(tx, NULL, NULL) == 0;
}

/* A version of the app, 1, and one of the swarm, 2: what is created by hand has none. */
static bool add_versions(struct world *w)
{
    static const char *const paths[] = {"/api/v1/apps/hello/", "/api/v1/swarms/1/"};
    const char *headers[] = {"Content-Type: application/json", NULL};

    for (size_t i = 0; i < VR_COUNT(paths); i++)
        if (rig_call(&w->rig,
                     (struct vr_http_call){.method = "PATCH",
                                           .bearer = w->people[ADMIN].token,
                                           .headers = headers,
                                           .body = "{}"},
                     paths[i]) != 202)
            return false;
    return true;
}

static bool world_start(struct world *w)
{
    int64_t app, other;

    return rig_start(&w->rig) && add_things(w, &app, &other) && add_people(w, app, other) &&
           add_versions(w);
}

/* ------------------------------------------------------------------ what the table says */

static bool is_get(const struct vr_route *route)
{
    return vr_streq(route->method, "GET");
}

static bool is_let_in(const struct vr_route *route, int who)
{
    static const enum vr_role roles[WHO_COUNT] = {
        [NOBODY] = VR_ROLE_ANYONE,     [VIEWER] = VR_ROLE_VIEWER, [OTHERS] = VR_ROLE_VIEWER,
        [GRANTED] = VR_ROLE_VIEWER,    [CAPPED] = VR_ROLE_VIEWER, [CAPPED_APP] = VR_ROLE_VIEWER,
        [DEPLOYER] = VR_ROLE_DEPLOYER, [ADMIN] = VR_ROLE_ADMIN};

    /* Of tokens such a one may give back itself, which is not the one that is asked about here. */
    if (route->role != VR_ROLE_ANYONE && route->scope == VR_SCOPE_OWN && !is_get(route) &&
        (!(route->flags & VR_ROUTE_CAPPED) || vr_streq(route->path, "tokens/*")) &&
        (who == CAPPED || who == CAPPED_APP))
        return false;
    if (route->scope == VR_SCOPE_APP && who == GRANTED)
        return true;
    return roles[who] >= route->role;
}

/* ------------------------------------------------------------------ asking */

/* What stands for `*` behind a part of a path. */
static const char *key_behind(const struct world *w, const char *part, const char *before, int who)
{
    static const struct {
        const char *part, *key;
    } keys[] = {{"apps", "hello"},
                {"hosts", "h1.example.com"},
                {"squads", "default"},
                {"balancers", "lb"},
                {"proc_log", "h1.example.com"}};

    for (size_t i = 0; i < VR_COUNT(keys); i++)
        if (vr_streq(part, keys[i].part))
            return keys[i].key;
    if (vr_streq(part, "rollouts"))
        return w->rollout;
    if (vr_streq(part, "versions"))
        return w->of_swarm ? "2" : "1";
    if (vr_streq(part, "tokens"))
        return w->people[who].spare;
    if (vr_streq(part, "*") || (vr_streq(part, "procs") && vr_streq(before, "*")))
        return w->proc;
    if (vr_streq(part, "user"))
        return who == VIEWER     ? "2"
               : who == OTHERS   ? "3"
               : who == GRANTED  ? "4"
               : who == DEPLOYER ? "5"
                                 : "1";
    return "1";
}

/* The path of a route with an object of `hello`, or of one's own, for each `*`. Given. */
static char *path_of(struct world *w, const char *base, const struct vr_route *route, int who)
{
    vr_auto_buf struct vr_buf path = VR_BUF(1024);
    vr_auto_free char *pattern = vr_strf("%s/%s", base, route->path);
    const char *before = "", *last = "";

    w->of_swarm = vr_str_has_prefix(route->path, "swarms");
    for (char *rest = NULL, *part = strtok_r(pattern, "/", &rest); part;
         part = strtok_r(NULL, "/", &rest)) {
        vr_buf_addf(&path, "/%s", vr_streq(part, "*") ? key_behind(w, last, before, who) : part);
        before = last;
        last = part;
    }
    if (*base || !strchr(last, '.'))
        vr_buf_addc(&path, '/');
    return vr_strdup(vr_buf_text(&path));
}

/* A body that says which app it is about, where the path does not. */
static const char *body_of(const struct vr_route *route)
{
    if (vr_streq(route->method, "PATCH") && vr_streq(route->path, "apps"))
        return "{\"objects\": [{\"resource_uri\": \"/api/v1/apps/hello/\"}]}";
    if (vr_streq(route->method, "PATCH") && vr_streq(route->path, "swarms"))
        return "{\"objects\": [{\"resource_uri\": \"/api/v1/swarms/1/\"}]}";
    if (vr_streq(route->path, "builds"))
        return "{\"app\": \"/api/v1/apps/hello/\", \"tag\": \"v9\"}";
    if (vr_streq(route->path, "testruns"))
        return "{\"swarm\": \"/api/v1/swarms/1/\"}";
    if (vr_streq(route->path, "swarms"))
        return "{\"app\": \"/api/v1/apps/hello/\", \"squad\": \"/api/v1/squads/default/\","
               " \"config_name\": \"test\", \"proc_name\": \"web\"}";
    return "{}";
}

/* A stream is let in once it has said something. */
static int stop(void *ctx, const void *bytes, size_t n, struct vr_err *err)
{
    return 1;
}

/* The status; 200 if there was no answer in time. */
static int ask(struct world *w, const char *base, const struct vr_route *route, int who,
               int64_t patience_ms)
{
    vr_auto_free char *path = path_of(w, base, route, who);
    vr_auto_free char *url = vr_strf("%s%s", w->rig.base, path);
    const char *headers[] = {route->flags & VR_ROUTE_FORM
                                 ? "Content-Type: application/x-www-form-urlencoded"
                                 : "Content-Type: application/json",
                             NULL};
    const char *body = is_get(route) ? NULL : route->flags & VR_ROUTE_FORM ? "" : body_of(route);
    struct vr_http_call call = {.method = route->method,
                                .url = url,
                                .headers = headers,
                                .body = body,
                                .body_bytes = body ? strlen(body) : 0,
                                .bearer = w->people[who].token,
                                .timeout_ms = patience_ms,
                                .sink = stop};
    struct vr_http_result result = {0};
    struct vr_err err;
    int r = vr_http_call(w->rig.client, &call, &result, &err);
    int status = r == -VR_TIMEOUT ? 200 : r < 0 ? r : result.status;

    if (status >= 500)
        fprintf(stderr, "# %s\n", result.body);
    vr_http_result_fini(&result);
    return status;
}

static bool is_refusal(int status)
{
    return status == 401 || status == 403;
}

/* One route, by all of those whom it should refuse, or let in. Returns how many were wrong. */
static int ask_all(struct world *w, const char *base, const struct vr_route *route, bool let_in)
{
    int wrong = 0;

    for (int who = 0; who < WHO_COUNT; who++) {
        int status;

        if (is_let_in(route, who) != let_in)
            continue;
        status = ask(w, base, route, who, let_in ? PATIENCE_MS : REFUSAL_MS);
        if (status > 0 && status < 500 && is_refusal(status) == !let_in &&
            (let_in || status == (who == NOBODY ? 401 : 403)) &&
            (!let_in || status != 404 || route->scope != VR_SCOPE_APP ||
             vr_streq(route->method, "DELETE")))
            continue;
        fprintf(stderr, "# %s /%s/%s as %s: %d\n", route->method, base, route->path, who_names[who],
                status);
        wrong++;
    }
    return wrong;
}

static int ask_everything(struct world *w, bool let_in, bool deletes)
{
    int wrong = 0;

    for (size_t i = 0; i < vr_route_table_count; i++)
        for (const struct vr_route *r = vr_route_tables[i].rows; r->method; r++)
            if (vr_streq(r->method, "DELETE") == deletes)
                wrong += ask_all(w, vr_route_tables[i].base, r, let_in);
    return wrong;
}

TEST(rights__of_everybody__are_those_of_the_table)
{
    WORLD(w);

    CHECK(world_start(&w));
    CHECK(ask_everything(&w, false, false) == 0);
    CHECK(ask_everything(&w, false, true) == 0);
    CHECK(ask_everything(&w, true, false) == 0);
    CHECK(ask_everything(&w, true, true) == 0);
}
