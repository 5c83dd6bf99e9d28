/* SPDX-License-Identifier: MIT */
/* Users, grants and tokens over HTTP: what they show, what they allow, and what `can` says. */
#include "server/server_fixture.h"

#define SHOP  "{\"app\": \"/api/v1/apps/shop/\", \"role\": \"deployer\"}"
#define OTHER "{\"app\": \"/api/v1/apps/other/\", \"role\": \"deployer\"}"

static int send_as(struct rig *r, const char *user, const char *method, const char *path,
                   const char *body)
{
    const char *headers[] = {"Content-Type: application/json", NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = method,
                                          .user = user,
                                          .password = RIG_PASSWORD,
                                          .headers = headers,
                                          .body = body},
                    path);
}

static int send_by(struct rig *r, const char *token, const char *method, const char *path,
                   const char *body)
{
    const char *headers[] = {"Content-Type: application/json", NULL};

    return rig_call(
        r,
        (struct vr_http_call){.method = method, .bearer = token, .headers = headers, .body = body},
        path);
}

/* Apps shop and other, a squad, a swarm 1 of shop; ann is admin, raj (2) and vic (3) viewers. */
static bool furnish(struct rig *r)
{
    static const char *const things[][2] = {
        {"/api/v1/apps/", "{\"name\": \"shop\", \"repo_url\": \"https://example.com/s.git\"}"},
        {"/api/v1/apps/", "{\"name\": \"other\", \"repo_url\": \"https://example.com/o.git\"}"},
        {"/api/v1/squads/", "{\"name\": \"dc1\"}"},
        {"/api/v1/swarms/", "{\"app\": \"/api/v1/apps/shop/\", \"squad\": \"/api/v1/squads/dc1/\","
                            " \"config_name\": \"prod\", \"proc_name\": \"web\"}"}};
    int64_t id;

    if (!rig_start(r) || rig_add_user(r, "raj", "viewer", &id) < 0 ||
        rig_add_user(r, "vic", "viewer", &id) < 0)
        return false;
    for (size_t i = 0; i < VR_COUNT(things); i++)
        if (send_as(r, "ann", "POST", things[i][0], things[i][1]) != 201)
            return false;
    return send_as(r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" SHOP "]}") == 202;
}

static json_t *parse(struct rig *r)
{
    json_t *doc = NULL;

    vr_ignore(vr_json_parse(vr_str(r->last.body), VR_JSON_BYTES, &doc, NULL), "NULL then");
    return doc;
}

/* `can` of the newest answer, or of its only object, as one text; given. */
static char *can_of(struct rig *r)
{
    vr_auto_json json_t *doc = parse(r);
    const json_t *list = json_object_get(doc, "objects");
    const json_t *object = list ? json_array_get(list, 0) : doc;
    vr_auto_buf struct vr_buf text = VR_BUF(1000);
    const json_t *verb;
    size_t i;

    if (!json_is_array(json_object_get(object, "can")))
        return vr_strdup("none");
    json_array_foreach (json_object_get(object, "can"), i, verb)
        vr_buf_addf(&text, "%s%s", i ? " " : "", json_string_value(verb));
    return vr_strdup(vr_buf_text(&text));
}

static bool can(struct rig *r, const char *user, const char *path, const char *expected)
{
    vr_auto_free char *verbs = NULL;

    if (send_as(r, user, "GET", path, NULL) != 200)
        return false;
    verbs = can_of(r);
    if (vr_streq(verbs, expected))
        return true;
    fprintf(stderr, "# %s on %s can: %s\n", user, path, verbs);
    return false;
}

/* The token of a new one with these fields; given. */
static char *make_token(struct rig *r, const char *user, const char *fields)
{
    vr_auto_json json_t *doc = NULL;
    const char *token;

    if (send_as(r, user, "POST", "/api/v1/tokens/", fields) != 201)
        return NULL;
    doc = parse(r);
    token = json_string_value(json_object_get(doc, "token"));
    return token ? vr_strdup(token) : NULL;
}

/* ------------------------------------------------------------------ grants */

TEST(grant__for_an_app__is_good_for_it_and_for_nothing_else)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/swarms/1/", "{\"size\": 3}") == 202);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/swarms/1/", "{\"size\": 4}") == 403);
    CHECK(rig_says(&r, "user 'vic' is a viewer; this needs a deployer"));
    CHECK(send_as(&r, "raj", "POST", "/api/v1/builds/",
                  "{\"app\": \"/api/v1/apps/shop/\", \"tag\": \"v1\"}") == 201);
    CHECK(send_as(&r, "raj", "POST", "/api/v1/builds/",
                  "{\"app\": \"/api/v1/apps/other/\", \"tag\": \"v1\"}") == 403);
    CHECK(rig_says(&r, "for this app"));
    CHECK(send_as(&r, "raj", "POST", "/api/v1/apps/",
                  "{\"name\": \"new\", \"repo_url\": \"https://example.com/n.git\"}") == 403);
    CHECK(send_as(&r, "raj", "PUT", "/api/v1/apps/new/",
                  "{\"repo_url\": \"https://example.com/n.git\"}") == 403);
    CHECK(send_as(&r, "raj", "POST", "/api/v1/ingredients/", "{\"name\": \"db\"}") == 403);
}

TEST(grant__for_one_app__does_not_move_a_swarm_to_another)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/swarms/1/", "{\"app\": \"/api/v1/apps/other/\"}") ==
          403);
    CHECK(send_as(&r, "raj", "POST", "/api/v1/swarms/1/swarm/?plan=1",
                  "{\"app\": \"/api/v1/apps/other/\"}") == 403);
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" SHOP ", " OTHER "]}") ==
          202);
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/swarms/1/", "{\"app\": \"/api/v1/apps/other/\"}") ==
          202);
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" SHOP "]}") == 202);
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/swarms/1/", "{\"app\": \"/api/v1/apps/shop/\"}") ==
          403);
}

TEST(grants__of_a_user__are_replaced_by_the_list_and_kept_without_one)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"first_name\": \"Raj\"}") == 202);
    CHECK(send_as(&r, "ann", "GET", "/api/v1/user/2/", NULL) == 200);
    CHECK(
        strstr(r.last.body, "\"grants\":[{\"app\":\"/api/v1/apps/shop/\",\"role\":\"deployer\"}]"));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": []}") == 202);
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/swarms/1/", "{\"size\": 3}") == 403);
}

TEST(grants__that_are_none__are_refused_by_name)
{
    static const char *const bad[] = {
        "{\"grants\": 1}",
        "{\"grants\": [1]}",
        "{\"grants\": [{}]}",
        "{\"grants\": [{\"app\": \"/api/v1/apps/shop/\"}]}",
        "{\"grants\": [{\"app\": \"/api/v1/apps/shop/\", \"role\": \"admin\"}]}",
        "{\"grants\": [{\"app\": \"/api/v1/apps/none/\", \"role\": \"deployer\"}]}",
        "{\"grants\": [{\"app\": \"/api/v1/squads/dc1/\", \"role\": \"deployer\"}]}",
        "{\"grants\": [" SHOP ", " SHOP "]}",
    };
    vr_auto_buf struct vr_buf many = VR_BUF(100000);
    RIG(r);

    CHECK(furnish(&r));
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", bad[i]) == 400);
        CHECK(strstr(r.last.body, "\"grants\"") != NULL);
    }
    for (int i = 0; i <= VR_WHO_GRANTS_MAX; i++)
        vr_buf_addf(&many, "%s" SHOP, i ? "," : "{\"grants\": [");
    vr_buf_add(&many, "]}");
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", vr_buf_text(&many)) == 400);
    CHECK(rig_says(&r, "at most 64 grants"));
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/swarms/1/", "{\"size\": 3}") == 202);
}

TEST(grants__go_with_their_app_and_their_user)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" OTHER "]}") == 202);
    CHECK(send_as(&r, "ann", "DELETE", "/api/v1/apps/other/", NULL) == 204);
    CHECK(send_as(&r, "ann", "GET", "/api/v1/user/2/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"grants\":[]") != NULL);
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" SHOP "]}") == 202);
    CHECK(send_as(&r, "ann", "DELETE", "/api/v1/user/2/", NULL) == 204);
}

static int make_build(struct rig *r, const char *user, const char *token)
{
    const char *headers[] = {"Content-Type: application/json", "Idempotency-Key: k1", NULL};

    return rig_call(r,
                    (struct vr_http_call){.method = "POST",
                                          .user = user,
                                          .password = RIG_PASSWORD,
                                          .bearer = token,
                                          .headers = headers,
                                          .body = "{\"app\": \"/api/v1/apps/shop/\","
                                                  " \"tag\": \"v1\"}"},
                    "/api/v1/builds/");
}

TEST(idempotency__an_answer_kept__is_not_for_who_may_less_now)
{
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" SHOP ", " OTHER "]}") ==
          202);
    token = make_token(&r, "raj", "{\"name\": \"o\", \"app\": \"/api/v1/apps/other/\"}");
    CHECK(token && make_build(&r, "raj", NULL) == 201);
    CHECK(make_build(&r, "raj", NULL) == 201);
    CHECK(make_build(&r, NULL, token) == 409);
    CHECK(rig_says(&r, "with other rights") && !strstr(r.last.body, "v1"));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": [" OTHER "]}") == 202);
    CHECK(make_build(&r, "raj", NULL) == 409);
    CHECK(rig_says(&r, "with other rights") && !strstr(r.last.body, "v1"));
}

/* ------------------------------------------------------------------ users */

TEST(user__as_others_see_them__is_a_name_and_a_role)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"email\": \"raj@example.com\"}") ==
          202);
    CHECK(send_as(&r, "vic", "GET", "/api/v1/user/2/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"username\":\"raj\"") &&
          strstr(r.last.body, "\"role\":\"viewer\""));
    CHECK(strstr(r.last.body, "\"email\":null") && strstr(r.last.body, "\"grants\":null"));
    CHECK(strstr(r.last.body, "\"last_login\":null"));
    CHECK(send_as(&r, "vic", "GET", "/api/v1/user/", NULL) == 200);
    CHECK(!strstr(r.last.body, "raj@example.com"));
    CHECK(send_as(&r, "vic", "GET", "/api/v1/user/set/2;3/", NULL) == 200);
    CHECK(!strstr(r.last.body, "raj@example.com"));
    CHECK(send_as(&r, "vic", "GET", "/api/v1/user/?order_by=email", NULL) == 400);
    CHECK(send_as(&r, "raj", "GET", "/api/v1/user/2/", NULL) == 200);
    CHECK(strstr(r.last.body, "raj@example.com"));
    CHECK(send_as(&r, "ann", "GET", "/api/v1/user/", NULL) == 200);
    CHECK(strstr(r.last.body, "raj@example.com"));
}

TEST(user__as_the_log_shows_them__is_what_others_see)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/1/", "{\"first_name\": \"Annabel\"}") == 202);
    CHECK(send_as(&r, "ann", "GET", "/api/v1/logs/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"first_name\":\"Annabel\"") != NULL);
    CHECK(send_as(&r, "vic", "GET", "/api/v1/logs/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"username\":\"ann\",\"first_name\":null") != NULL);
    CHECK(!strstr(r.last.body, "Annabel"));
    CHECK(send_as(&r, "vic", "GET", "/api/v1/logs/1/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"last_login\":null") != NULL);
}

TEST(log__of_what_was_refused__is_in_the_next_list)
{
    vr_auto_free char *match = NULL;
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "ann", "GET", "/api/v1/logs/?type=refused", NULL) == 200);
    CHECK(strstr(r.last.body, "\"objects\":[]") != NULL);
    match = vr_strf("If-None-Match: %s", vr_http_result_header(&r.last, "etag"));
    CHECK(send_as(&r, "vic", "DELETE", "/api/v1/apps/shop/", NULL) == 403);
    {
        const char *headers[] = {match, NULL};

        CHECK(rig_call(&r,
                       (struct vr_http_call){
                           .user = "ann", .password = RIG_PASSWORD, .headers = headers},
                       "/api/v1/logs/?type=refused") == 200);
        CHECK(strstr(r.last.body, "refused DELETE") != NULL);
    }
}

TEST(user__who_is_no_admin__is_refused_before_their_password_is_hashed)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", "{\"password\": \"x\"}") == 403);
    CHECK(rig_says(&r, "'password' of a user is changed by an admin"));
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/3/", "{\"password\": \"x\"}") == 400);
}

TEST(user__may_change_their_name_and_address_but_not_their_rights)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/",
                  "{\"first_name\": \"Vic\", \"last_name\": \"Vega\", \"email\": \"v@x\"}") == 202);
    CHECK(send_as(&r, "vic", "GET", "/api/v1/user/3/", NULL) == 200);
    {
        vr_auto_free char *whole = vr_strdup(r.last.body);

        CHECK(strstr(whole, "Vega") != NULL);
        CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", whole) == 202); /* GET-modify-PATCH */
    }
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", "{\"role\": \"admin\"}") == 403);
    CHECK(rig_says(&r, "'role' of a user is changed by an admin"));
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", "{\"grants\": [" SHOP "]}") == 403);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", "{\"username\": \"root\"}") == 403);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", "{\"is_active\": false}") == 403);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/3/", "{\"password\": \"12345678\"}") == 403);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/2/", "{\"first_name\": \"X\"}") == 403);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/user/99/", "{\"first_name\": \"X\"}") == 404);
    CHECK(send_as(&r, "vic", "POST", "/api/v1/user/2/password/", "{\"new\": \"12345678\"}") == 403);
}

TEST(user__of_a_long_name__logs_in)
{
    char name[151];
    vr_auto_free char *body = NULL;
    RIG(r);

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    body = vr_strf("{\"username\": \"%s\", \"password\": \"" RIG_PASSWORD "\"}", name);
    CHECK(rig_start(&r));
    CHECK(send_as(&r, "ann", "POST", "/api/v1/user/", body) == 201);
    CHECK(rig_get(&r, "/api/v1/whoami/", name) == 200);
}

/* ------------------------------------------------------------------ tokens */

TEST(token__for_an_app__looks_elsewhere_and_acts_there)
{
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "ann",
                       "{\"name\": \"ci-shop\", \"role\": \"deployer\","
                       " \"app\": \"/api/v1/apps/shop/\"}");
    CHECK(token != NULL);
    CHECK(send_by(&r, token, "PATCH", "/api/v1/swarms/1/", "{\"size\": 3}") == 202);
    CHECK(send_by(&r, token, "GET", "/api/v1/apps/other/", NULL) == 200);
    CHECK(send_by(&r, token, "PATCH", "/api/v1/apps/other/", "{}") == 403);
    CHECK(send_by(&r, token, "POST", "/api/v1/user/", "{}") == 403);
    CHECK(send_by(&r, token, "GET", "/api/v1/whoami/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"via\":\"token ci-shop\"") != NULL);
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/swarms/1/", "{\"app\": \"/api/v1/apps/other/\"}") ==
          202);
    CHECK(send_as(&r, "ann", "DELETE", "/api/v1/apps/shop/", NULL) == 204);
    CHECK(send_by(&r, token, "GET", "/api/v1/whoami/", NULL) == 401);
}

TEST(token__of_a_lower_role__may_no_more_and_not_touch_its_users_own)
{
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "ann", "{\"name\": \"look\", \"role\": \"viewer\"}");
    CHECK(token != NULL);
    CHECK(send_by(&r, token, "GET", "/api/v1/swarms/1/", NULL) == 200);
    CHECK(send_by(&r, token, "PATCH", "/api/v1/swarms/1/", "{\"size\": 3}") == 403);
    CHECK(send_by(&r, token, "POST", "/api/v1/tokens/", "{\"name\": \"more\"}") == 403);
    CHECK(rig_says(&r, "token look may less than user 'ann'"));
    CHECK(send_by(&r, token, "PATCH", "/api/v1/user/1/", "{\"email\": \"x\"}") == 403);
    CHECK(send_by(&r, token, "POST", "/api/v1/user/1/password/", "{}") == 403);
    CHECK(send_by(&r, token, "DELETE", "/api/v1/tokens/1/", NULL) == 204); /* itself */
    CHECK(send_by(&r, token, "GET", "/api/v1/whoami/", NULL) == 401);
}

TEST(token__of_more_than_its_user_has__is_not_made)
{
    vr_auto_free char *of_app = NULL;
    vr_auto_free char *plain = NULL;
    RIG(r);

    CHECK(furnish(&r));
    CHECK(send_as(&r, "vic", "POST", "/api/v1/tokens/",
                  "{\"name\": \"t\", \"role\": \"deployer\"}") == 400);
    CHECK(rig_says(&r, "is more than user 'vic' has"));
    CHECK(send_as(&r, "raj", "POST", "/api/v1/tokens/",
                  "{\"name\": \"t\", \"role\": \"deployer\", \"app\": \"/api/v1/apps/other/\"}") ==
          400);
    CHECK(send_as(&r, "raj", "POST", "/api/v1/tokens/", "{\"name\": \"t\", \"role\": \"x\"}") ==
          400);
    of_app = make_token(&r, "raj",
                        "{\"name\": \"a\", \"role\": \"deployer\","
                        " \"app\": \"/api/v1/apps/shop/\"}");
    plain = make_token(&r, "raj", "{\"name\": \"b\"}");
    CHECK(of_app && plain);
    CHECK(send_by(&r, of_app, "PATCH", "/api/v1/swarms/1/", "{\"size\": 3}") == 202);
    CHECK(send_by(&r, plain, "PATCH", "/api/v1/swarms/1/", "{\"size\": 4}") == 202);
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/2/", "{\"grants\": []}") == 202);
    CHECK(send_by(&r, of_app, "PATCH", "/api/v1/swarms/1/", "{\"size\": 5}") == 403);
    CHECK(send_by(&r, plain, "PATCH", "/api/v1/swarms/1/", "{\"size\": 6}") == 403);
}

TEST(token__of_a_user_who_is_switched_off__is_refused)
{
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "vic", "{\"name\": \"t\"}");
    CHECK(send_by(&r, token, "GET", "/api/v1/whoami/", NULL) == 200);
    CHECK(send_as(&r, "ann", "PATCH", "/api/v1/user/3/", "{\"is_active\": false}") == 202);
    CHECK(send_by(&r, token, "GET", "/api/v1/whoami/", NULL) == 401);
}

TEST(tokens__are_listed_to_their_owner_and_to_admins)
{
    vr_auto_free char *anns = NULL;
    vr_auto_free char *vics = NULL;
    RIG(r);

    CHECK(furnish(&r));
    anns = make_token(&r, "ann", "{\"name\": \"of-ann\"}");
    vics = make_token(&r, "vic", "{\"name\": \"of-vic\", \"expires\": \"2099-01-01T00:00:00Z\"}");
    CHECK(anns && vics);
    CHECK(send_as(&r, "vic", "GET", "/api/v1/tokens/", NULL) == 200);
    CHECK(strstr(r.last.body, "of-vic") && !strstr(r.last.body, "of-ann"));
    CHECK(strstr(r.last.body, "\"role\":\"viewer\"") && strstr(r.last.body, "\"app\":null"));
    CHECK(!strstr(r.last.body, vics));
    CHECK(send_as(&r, "vic", "GET", "/api/v1/tokens/1/", NULL) == 404);
    CHECK(send_as(&r, "vic", "GET", "/api/v1/tokens/?user=1", NULL) == 200);
    CHECK(!strstr(r.last.body, "of-ann"));
    CHECK(send_as(&r, "ann", "GET", "/api/v1/tokens/?user=3", NULL) == 200);
    CHECK(strstr(r.last.body, "of-vic") && !strstr(r.last.body, "of-ann"));
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/tokens/1/", "{\"name\": \"x\"}") == 404);
    CHECK(send_as(&r, "vic", "DELETE", "/api/v1/tokens/1/", NULL) == 404);
    CHECK(send_as(&r, "ann", "DELETE", "/api/v1/tokens/2/", NULL) == 204);
}

TEST(token__its_name_and_end__are_changed)
{
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "vic", "{\"name\": \"old\"}");
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/tokens/1/",
                  "{\"name\": \"new\", \"expires\": \"2099-01-01T00:00:00Z\"}") == 202);
    CHECK(send_as(&r, "vic", "GET", "/api/v1/tokens/1/", NULL) == 200);
    CHECK(strstr(r.last.body, "\"name\":\"new\"") && strstr(r.last.body, "2099-01-01T00:00:00Z"));
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/tokens/1/", "{\"expires\": null}") == 202);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/tokens/1/",
                  "{\"expires\": \"2001-01-01T00:00:00Z\"}") == 400);
    CHECK(send_as(&r, "vic", "PATCH", "/api/v1/tokens/1/", "{\"name\": \"\"}") == 400);
    CHECK(send_by(&r, token, "GET", "/api/v1/whoami/", NULL) == 200);
}

TEST(token__with_an_end__makes_none_that_outlives_it)
{
    static const char *const bad[] = {
        "{\"name\": \"b\", \"expires\": \"2099-01-01T00:00:01Z\"}",
        "{\"name\": \"b\", \"expires\": null}",
        "{\"name\": \"b\"}",
    };
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "raj", "{\"name\": \"a\", \"expires\": \"2099-01-01T00:00:00Z\"}");
    CHECK(token != NULL);
    for (size_t i = 0; i < VR_COUNT(bad); i++) {
        CHECK(send_by(&r, token, "POST", "/api/v1/tokens/", bad[i]) == 400);
        CHECK(rig_says(&r, "the end of token a, which asks: 2099-01-01T00:00:00"));
    }
    CHECK(send_by(&r, token, "PATCH", "/api/v1/tokens/1/", bad[0]) == 400);
    CHECK(send_by(&r, token, "PATCH", "/api/v1/tokens/1/", bad[1]) == 400);
    CHECK(send_by(&r, token, "PATCH", "/api/v1/tokens/1/", bad[2]) == 202);
    CHECK(send_by(&r, token, "POST", "/api/v1/tokens/",
                  "{\"name\": \"c\", \"expires\": \"2099-01-01T00:00:00Z\"}") == 201);
    CHECK(send_as(&r, "raj", "PATCH", "/api/v1/tokens/1/", "{\"expires\": null}") == 202);
}

TEST(token__in_the_query__is_nobody_where_the_route_does_not_say_so)
{
    vr_auto_free char *token = NULL;
    vr_auto_free char *path = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "ann", "{\"name\": \"t\"}");
    path = vr_strf("/api/v1/whoami/?token=%s", token);
    CHECK(rig_get(&r, path, NULL) == 401);
}

/* ------------------------------------------------------------------ can */

TEST(can__of_a_swarm__is_what_the_user_may)
{
    RIG(r);

    CHECK(furnish(&r));
    CHECK(can(&r, "ann", "/api/v1/swarms/1/?fields=can",
              "change delete swarm rollback restore procs"));
    CHECK(can(&r, "raj", "/api/v1/swarms/1/", "change delete swarm rollback restore procs"));
    CHECK(can(&r, "vic", "/api/v1/swarms/1/", ""));
    CHECK(can(&r, "raj", "/api/v1/swarms/?fields=id,can",
              "change delete swarm rollback restore procs"));
    CHECK(can(&r, "vic", "/api/v1/swarms/", ""));
    CHECK(can(&r, "raj", "/api/v1/swarms/set/1/", "change delete swarm rollback restore procs"));
    CHECK(can(&r, "raj", "/api/v1/swarms/?fields=id", "none"));
    CHECK(can(&r, "raj", "/api/v1/apps/shop/?fields=can", "change delete restore"));
    CHECK(can(&r, "raj", "/api/v1/apps/other/?fields=can", ""));
    CHECK(can(&r, "raj", "/api/v1/squads/dc1/", ""));
}

TEST(can__of_users_and_tokens__depends_on_whose_they_are)
{
    vr_auto_free char *token = NULL;
    RIG(r);

    CHECK(furnish(&r));
    token = make_token(&r, "vic", "{\"name\": \"t\"}");
    CHECK(token != NULL);
    CHECK(can(&r, "vic", "/api/v1/user/3/", "change password end-sessions"));
    CHECK(can(&r, "vic", "/api/v1/user/2/", ""));
    CHECK(can(&r, "ann", "/api/v1/user/3/", "change delete restore password end-sessions"));
    CHECK(can(&r, "vic", "/api/v1/tokens/1/", "change delete"));
    CHECK(can(&r, "ann", "/api/v1/tokens/1/", "change delete"));
}

TEST(can__in_a_list__is_not_that_of_another_token_by_the_lists_tag)
{
    vr_auto_free char *capped = NULL;
    vr_auto_free char *match = NULL;
    RIG(r);

    CHECK(furnish(&r));
    capped = make_token(&r, "ann", "{\"name\": \"look\", \"role\": \"viewer\"}");
    CHECK(send_as(&r, "ann", "GET", "/api/v1/apps/", NULL) == 200);
    match = vr_strf("If-None-Match: %s", vr_http_result_header(&r.last, "etag"));
    {
        const char *headers[] = {match, NULL};

        CHECK(rig_call(&r, (struct vr_http_call){.bearer = capped, .headers = headers},
                       "/api/v1/apps/") == 200);
        CHECK(rig_call(&r,
                       (struct vr_http_call){
                           .user = "ann", .password = RIG_PASSWORD, .headers = headers},
                       "/api/v1/apps/") == 304);
    }
}
