# SPDX-License-Identifier: MIT
"""What clients of the original rely on, statement by statement: its commands on the wire, then the rules of its API."""
import json
import re
import urllib.parse

import pytest
import yaml
from old_client import HttpError, OldClient
from vr_wait import wait_for
from vr_world import PASSWORD, World


@pytest.fixture(scope="module", name="world")
def fixture_world():
    """One of its own: here swarms are dispatched."""
    world = World()
    yield world
    world.stop()


@pytest.fixture(name="old")
def fixture_old(world):
    yield OldClient(world.server.url, "deployer", PASSWORD)
    world.settle()


# ------------------------------------------------------------------ commands of the old client

def paths(old):
    return [f"{method} {urllib.parse.unquote(path)}" for method, path in old.sent]


def test_list_swarms_without_a_filter_sends_an_empty_one_and_gets_all(world, old):
    assert "hello-prod-web" in ["{app_name}-{config_name}-{proc_name}".format(**s) for s in old.swarms()]
    assert paths(old)[0] == "GET /api/v1/swarms/?app__name="


def test_list_swarms_follows_all_pages_and_merges_their_queries(world, old):
    made = [world.new_swarm() for _ in range(5)]
    found = old.load_all("/api/v1/swarms/", {"app__name": "hello", "limit": 2})
    assert set(made) <= {s["resource_uri"] for s in found}
    assert len(found) == len({s["id"] for s in found}) == world.api.get("/api/v1/swarms/?app__name=hello")["meta"]["total_count"]
    for uri in made:
        world.api.must("DELETE", uri)


def test_build_posts_gets_the_location_and_starts(world, old):
    build, started = old.build("hello", "v77")
    assert build["tag"] == "v77" and build["status"] == "pending" and build["file"] is None
    assert started.status == 202 and started.text == ""
    assert paths(old) == ["POST /api/v1/builds/", f"GET {build['resource_uri']}", f"POST {build['resource_uri']}build/"]
    done = wait_for("it is built", lambda: [b for b in [world.api.get(build["resource_uri"])] if b["status"] == "success"], 20)[0]
    assert re.fullmatch("[0-9a-f]{32}", done["file_md5"]) and done["file_md5"] in done["file"] and done["hash"]


def test_swarm_patches_and_dispatches_each_match(world, old):
    matched = old.swarm("hello-prod-web", "v3")
    assert [s["resource_uri"] for s in matched] == [world.swarm]
    assert paths(old) == ["GET /api/v1/swarms/?app__name=hello&config_name=prod&proc_name=web",
                          f"PATCH {world.swarm}", f"POST {world.swarm}swarm/"]
    world.settle()
    swarm = world.api.get(world.swarm)
    assert swarm["version"] == swarm["running_version"] == "v3"
    assert {p["version"] for p in swarm["procs"] if p["statename"] == "RUNNING"} == {"v3"}


def test_swarm_with_ingredients_by_name_and_number(world, old):
    name = world.name("extra")
    extra = world.api.create("/api/v1/ingredients/", {"name": name, "config_yaml": "extra: yes\n"})
    old.swarm("hello-prod-web", "-", add=[name])
    assert world.api.get(world.swarm)["config_ingredients"] == [world.ingredient, extra]
    old.swarm("hello-prod-web", "-", remove=[extra.split("/")[-2]])
    assert world.api.get(world.swarm)["config_ingredients"] == [world.ingredient]
    assert world.swarm in [s["resource_uri"] for s in old.swarm("nothing-.*", "-", by=["db"])]


def test_rebuild_all_makes_builds_and_dispatches_at_once(world, old):
    old.rebuild_all("hello-prod-web")
    methods = [line.split()[0] for line in paths(old)]
    assert methods == ["GET", "POST", "GET", "POST", "POST"]
    world.settle()


def test_deploy_of_one_proc(world, old):
    release = world.api.get(world.swarm)["release"].split("/")[-2]
    answer = old.deploy(release, "h1", 5901, "web")
    assert answer.status == 202 and answer.text == ""
    proc = wait_for("it runs", lambda: [p for p in world.api.get("/api/v1/hosts/h1/procs/")["objects"]
                                        if p["port"] == 5901 and p["statename"] == "RUNNING"], 20)[0]
    assert proc["config_name"] == "prod" and proc["proc_name"] == "web"


def test_compare_releases_reads_two_configs_as_yaml(world, old):
    release = world.api.get(world.swarm)["release"].split("/")[-2]
    for text in old.compare_releases(release, release):
        assert yaml.safe_load(text) == {"db": "pg"}


def test_uptests_follows_the_redirect_to_the_latest_run(world, old):
    assert old.uptests() == []
    answer = world.api.call("GET", "/api/v1/testruns/latest/?format=json&limit=9999")
    assert answer.status == 302 and re.search(r"/api/v1/testruns/\d+/\?format=json&limit=9999$", answer.headers["Location"])
    world.agent.fails_tests = True
    try:
        run = world.api.must("POST", "/api/v1/testruns/").json["resource_uri"]
        wait_for("the run has ended", lambda: world.api.get(run)["end"], 30)
    finally:
        world.agent.fails_tests = False
    (procname, results), *_ = old.uptests()
    assert procname.startswith("hello-") and yaml.safe_load(results)[0] == {"Name": "01_answers", "Output": "", "Passed": False}
    run = world.api.must("POST", "/api/v1/testruns/").json["resource_uri"]
    wait_for("a good run has ended", lambda: world.api.get(run)["end"], 30)


def test_errors_are_http_errors(world, old):
    with pytest.raises(HttpError, match="^404"):
        old.get("/api/v1/releases/999999/")
    with pytest.raises(HttpError, match="^401"):
        OldClient(world.server.url, "deployer", "wrong").swarms()
    assert OldClient(world.server.url.rstrip("/"), "deployer", PASSWORD).swarms()


# ------------------------------------------------------------------ general conventions

def test_a_get_without_the_last_slash_is_redirected_with_its_query(world):
    answer = world.api.call("GET", "/api/v1/apps?name=hello")
    assert answer.status == 301 and answer.headers["Location"].endswith("/api/v1/apps/?name=hello")


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/html", "application/xml"])
def test_whatever_is_accepted_the_answer_is_json(world, accept):
    answer = world.api.call("GET", "/api/v1/apps/?format=json", headers={"Accept": accept})
    assert answer.status == 200 and answer.type == "application/json" and answer.json["objects"]


@pytest.mark.parametrize("kind,status", [("application/json", 201), ("application/json; charset=utf-8", 201), (None, 415), ("text/xml", 415)])
def test_bodies_are_json_by_content_type(world, kind, status):
    answer = world.api.call("POST", "/api/v1/squads/", {"name": world.name("s")}, headers={"Content-Type": kind})
    assert answer.status == status


def test_malformed_json_is_400(world):
    answer = world.api.call("POST", "/api/v1/squads/", raw=b"{")
    assert answer.status == 400 and answer.json["error"]


def test_the_index_needs_no_login_and_names_every_resource(world):
    index = world.server.client(None).call("GET", "/api/v1/").json
    for name in ("apps", "buildpacks", "builds", "dashboard", "hosts", "ingredients", "logs", "profile", "releases", "squads", "stacks", "swarms",
                 "testresults", "testruns", "user"):
        assert index[name] == {"list_endpoint": f"/api/v1/{name}/", "schema": f"/api/v1/{name}/schema/"}, name


def test_schema_has_methods_fields_and_filtering(world):
    schema = world.api.get("/api/v1/apps/schema/")
    assert schema["default_format"] == "application/json" and schema["default_limit"] == 100
    assert set(schema["fields"]["name"]) == {"blank", "default", "help_text", "nullable", "readonly", "type", "unique"}
    assert schema["fields"]["name"]["unique"] is True and "filtering" in schema and "get" in schema["allowed_detail_http_methods"]


def test_set_names_what_it_did_not_find_only_then(world):
    assert set(world.api.get("/api/v1/apps/set/hello/")) == {"objects"}
    answer = world.api.get("/api/v1/apps/set/hello;none/")
    assert [a["name"] for a in answer["objects"]] == ["hello"] and answer["not_found"] == ["none"]


def test_options_and_unknown_methods_say_what_is_allowed(world):
    answer = world.api.call("OPTIONS", "/api/v1/apps/hello/")
    assert answer.status == 200 and set(answer.headers["Allow"].split(",")) == {"GET", "PUT", "PATCH", "DELETE"}
    answer = world.api.call("GET", f"{world.swarm}swarm/")
    assert answer.status == 405 and answer.headers["Allow"] == "POST"


def test_a_post_can_override_its_method(world):
    squad = world.new_squad()
    assert world.api.call("POST", squad, headers={"X-HTTP-Method-Override": "DELETE"}).status == 204
    assert world.api.call("GET", squad).status == 404


def test_times_are_naive_utc_and_those_of_procs_have_an_offset(world):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?", world.api.get("/api/v1/logs/?limit=1")["objects"][0]["time"])
    assert world.api.get("/api/v1/hosts/h1/procs/")["objects"][0]["now"].endswith("+00:00")


# ------------------------------------------------------------------ lists

@pytest.mark.parametrize("asked,given", [("", 100), ("limit=7", 7), ("limit=0", 1000), ("limit=9999", 1000), ("limit=", 100)])
def test_limit_has_a_default_and_is_clamped(world, asked, given):
    assert world.api.get(f"/api/v1/swarms/?{asked}")["meta"]["limit"] == given


@pytest.mark.parametrize("name", ["limit", "offset"])
def test_a_bad_number_is_400_with_the_contracts_sentence(world, name):
    answer = world.api.call("GET", f"/api/v1/swarms/?{name}=x")
    assert answer.status == 400 and answer.json["error"] == f"Invalid {name} 'x' provided. Please provide a positive integer."


def test_next_and_previous_are_paths_with_the_first_filters(world):
    for _ in range(3):
        world.new_squad()
    meta = world.api.get("/api/v1/squads/?limit=1&offset=1&name__icontains=s")["meta"]
    for link, offset in ((meta["next"], "2"), (meta["previous"], "0")):
        parts = urllib.parse.urlsplit(link)
        assert not parts.netloc and parts.path == "/api/v1/squads/"
        assert dict(urllib.parse.parse_qsl(parts.query)) == {"limit": "1", "offset": offset, "name__icontains": "s"}
    assert world.api.get("/api/v1/squads/")["meta"]["previous"] is None


@pytest.mark.parametrize("query,found", [
    ("name=hello", 1), ("name__exact=hello", 1), ("name__iexact=HELLO", 1), ("name__contains=ell", 1), ("name__icontains=ELL", 1), ("name__in=hello,x", 1),
    ("name__startswith=hel", 1), ("name__istartswith=HEL", 1), ("name__endswith=llo", 1), ("name__iendswith=LLO", 1), ("name__regex=^h.l%2Bo$", 1),
    ("name__iregex=^H.L%2BO$", 1), ("id__range=1,1", 1), ("id__gt=0&id__lte=1", 1), ("name=hello&id=999", 0), ("name=hello&name=", 1),
    ("name=hello&no_such_key=1", 1), ("buildpack__isnull=True&name=hello", 1),
])
def test_filters_are_djangos_and_all_of_them_apply(world, query, found):
    assert world.api.get(f"/api/v1/apps/?{query}")["meta"]["total_count"] == found


@pytest.mark.parametrize("query", ["app__name=hello", "app__id=1", "squad__hosts__name=h1", "squad__hosts__active=1", "squad__name=default",
                                   "config_ingredients__name=db", "config_ingredients__id=1", "proc_name=web", "config_name=prod", "pool=hello"])
def test_filters_of_swarms_reach_what_they_refer_to(world, query):
    assert world.swarm in [s["resource_uri"] for s in world.api.get(f"/api/v1/swarms/?{query}")["objects"]]


def test_logs_are_filtered_by_their_time(world):
    year = world.api.get("/api/v1/logs/?limit=1")["objects"][0]["time"][:4]
    assert world.api.get(f"/api/v1/logs/?time__year={year}")["objects"] and not world.api.get("/api/v1/logs/?time__year=1999")["objects"]
    assert world.api.get("/api/v1/logs/?user__username=admin")["objects"]


def test_a_known_field_that_is_no_filter_is_400(world):
    answer = world.api.call("GET", "/api/v1/builds/?file_md5=1")
    assert answer.status == 400 and "does not allow filtering" in answer.json["error"]


def test_order_by_is_allowed(world):
    names = [a["name"] for a in world.api.get("/api/v1/apps/?order_by=-name")["objects"]]
    assert names == sorted(names, reverse=True)
    assert world.api.call("GET", "/api/v1/apps/?order_by=x").json["error"] == "No matching 'x' field for ordering on."


@pytest.mark.parametrize("path,key,down", [("apps", "name", False), ("squads", "name", False), ("ingredients", "name", False), ("builds", "id", True),
                                           ("releases", "id", True), ("logs", "id", True), ("user", "id", False)])
def test_default_orders(world, path, key, down):
    values = [o[key] for o in world.api.get(f"/api/v1/{path}/")["objects"]]
    assert values == sorted(values, reverse=down)


# ------------------------------------------------------------------ writes

def test_created_is_empty_with_an_absolute_location_by_the_host_header(world):
    answer = world.api.call("POST", "/api/v1/squads/", {"name": world.name("loc")})
    assert answer.status == 201 and answer.body == b"" and answer.headers["Location"].startswith(f"{world.server.url}/api/v1/squads/loc")


def test_a_missing_field_has_the_contracts_sentence(world):
    answer = world.api.call("POST", "/api/v1/swarms/", {"squad": world.squad})
    assert answer.status == 400 and answer.json["error"] == "The 'app' field has no data and doesn't allow a default or null value."


@pytest.mark.parametrize("uri", ["apps/hello", "squads/default", "ingredients/1", "swarms/1", "hosts/h1"])
def test_get_modify_put_works_with_everything_that_was_read(world, uri):
    path = f"/api/v1/{uri}/"
    before = world.api.get(path)
    answer = world.api.call("PUT", path, before)
    assert answer.status == 204 and answer.body == b"", answer
    after = world.api.get(path)
    volatile = ("row_version", "procs", "hosts", "last_seen", "usage", "changed")
    assert {k: v for k, v in after.items() if k not in volatile} == {k: v for k, v in before.items() if k not in volatile}


def test_put_to_an_unknown_name_creates_and_to_an_unknown_id_does_not(world):
    name = world.name("put")
    answer = world.api.call("PUT", f"/api/v1/squads/{name}/", {})
    assert answer.status == 201 and answer.headers["Location"].endswith(f"/api/v1/squads/{name}/")
    assert world.api.call("PUT", "/api/v1/swarms/999999/", {}).status == 404


def test_put_keeps_what_it_does_not_name(world):
    swarm = world.new_swarm(config_ingredients=[world.ingredient], size=4)
    world.api.must("PUT", swarm, {"size": 5})
    after = world.api.get(swarm)
    assert after["config_ingredients"] == [world.ingredient] and after["size"] == 5 and after["version"] == "v2"
    world.api.must("DELETE", swarm)


def test_patch_is_202_empty_and_changes_what_is_given(world):
    swarm = world.new_swarm(config_ingredients=[world.ingredient])
    answer = world.api.call("PATCH", swarm, {"config_ingredients": []})
    assert answer.status == 202 and answer.body == b""
    assert world.api.get(swarm)["config_ingredients"] == [] and world.api.get(swarm)["version"] == "v2"
    assert world.api.call("PATCH", "/api/v1/swarms/999999/", {}).status == 404
    world.api.must("DELETE", swarm)


def test_delete_is_204_then_404(world):
    app = world.new_app()
    assert [world.api.call("DELETE", app).status for _ in range(2)] == [204, 404]


def test_lists_are_neither_replaced_nor_deleted(world):
    assert world.api.call("PUT", "/api/v1/apps/", {}).status == 405 and world.api.call("DELETE", "/api/v1/apps/").status == 405


def test_list_patch_is_202(world):
    name = world.name("lp")
    answer = world.api.call("PATCH", "/api/v1/squads/", {"objects": [{"name": name}], "deleted_objects": []})
    assert answer.status == 202
    world.api.must("PATCH", "/api/v1/squads/", {"objects": [], "deleted_objects": [f"/api/v1/squads/{name}/"]})
    assert world.api.call("GET", f"/api/v1/squads/{name}/").status == 404


def test_references_are_uris_or_objects(world):
    for squad in (world.squad, {"resource_uri": world.squad}, {"name": "default"}, {"id": 1, "name": "default"}, world.server.url + world.squad):
        swarm = world.new_swarm(squad=squad)
        assert world.api.get(swarm)["squad"] == world.squad
        world.api.must("DELETE", swarm)


def test_a_reference_to_nothing_is_400(world):
    answer = world.api.call("POST", "/api/v1/swarms/", {"app": world.app, "squad": "/api/v1/squads/x/", "config_name": "a", "proc_name": "b"})
    assert answer.status == 400
    assert answer.json["error"] == "Could not find the provided object via resource URI '/api/v1/squads/x/'."
    assert answer.json["errors"] == {"squad": [answer.json["error"]]}


def test_conflicts_are_409_and_401_has_a_challenge(world):
    assert world.api.call("POST", "/api/v1/squads/", {"name": "default"}).status == 409
    answer = world.server.client(None).call("GET", "/api/v1/apps/")
    assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Basic ")
    answer = world.server.client(None).call("GET", "/api/v1/hosts/h1/procs/")
    assert answer.json["status"] == 401 and answer.json["msg"]


@pytest.mark.parametrize("path", ["dashboard/", "profile/", "apps/", "logs/"])
def test_nothing_but_the_index_is_read_without_a_login(world, path):
    assert world.server.client(None).call("GET", f"/api/v1/{path}").status == 401


# ------------------------------------------------------------------ resources

CONTRACT_FIELDS = {
    "apps": "id name repo_url repo_type buildpack stack resolved_url resource_uri",
    "buildpacks": "id repo_url repo_type desc order resource_uri",
    "stacks": "id name desc base_image_url provisioning_script resource_uri",
    "squads": "id name hosts resource_uri",
    "hosts": "id name active squad procs procs_uri resource_uri",
    "ingredients": "id name config_yaml env_yaml swarms resource_uri",
    "builds": "id app tag status file file_md5 compile_log start_time end_time hash env_yaml buildpack_url buildpack_version resource_uri os_image",
    "releases": "id build compiled_name config_yaml env_yaml volumes hash run_as mem_limit memsw_limit resource_uri",
    "swarms": "id resource_uri app squad release version config_name proc_name run_as mem_limit memsw_limit pool balancer size config_yaml env_yaml volumes "
              "config_ingredients compiled_config compiled_env shortname app_name squad_name procs procs_uri",
    "testruns": "id start end testresults resource_uri",
    "testresults": "id testrun time hostname procname passed testcount results resource_uri",
    "logs": "id type time message user resource_uri",
    "user": "id username first_name last_name last_login date_joined profile resource_uri",
    "profile": "id default_dashboard quick_dashboards resource_uri",
    "dashboard": "id name slug apps resource_uri",
}
PROC_FIELDS = ("app_name config_name description exitstatus group hash host id jsname logfile name now pid port proc_name spawnerr start_time state statename "
               "stderr_logfile stdout_logfile stop_time version")


@pytest.mark.parametrize("resource", CONTRACT_FIELDS)
def test_every_field_of_the_contract_is_there(world, resource):
    one = world.api.get(f"/api/v1/{resource}/?limit=1")["objects"][0]
    assert set(CONTRACT_FIELDS[resource].split()) <= set(one)


def test_a_proc_is_a_supervisors_with_its_names_apart(world):
    proc = world.api.get("/api/v1/hosts/h1/procs/")["objects"][0]
    assert set(PROC_FIELDS.split()) <= set(proc)
    assert proc["name"] == "{app_name}-{version}-{config_name}-{hash}-{proc_name}-{port}".format(**proc)
    assert proc["id"] == f"{proc['host']}-{proc['name']}" and proc["state"] == 20 and proc["statename"] == "RUNNING"
    assert re.fullmatch(r"pid \d+, uptime \d+:\d\d:\d\d", proc["description"])


def test_yaml_fields_are_yaml_and_empty_is_empty(world):
    assert yaml.safe_load(world.api.get(world.ingredient)["config_yaml"]) == {"db": "pg"}
    assert world.api.get(world.new_ingredient())["config_yaml"] == ""


def test_dispatch_answers_a_trace_of_32_hex_digits(world):
    answer = world.api.call("POST", f"{world.swarm}swarm/")
    assert answer.status == 202 and re.fullmatch("[0-9a-f]{32}", answer.json["swarm_id"])
    assert world.api.call("POST", "/api/v1/swarms/999999/swarm/").status == 404
    world.settle()


def test_procs_of_a_swarm_have_no_meta_and_of_an_unknown_one_are_404(world):
    assert set(world.api.get(f"{world.swarm}procs/")) == {"objects"}
    assert world.api.call("GET", "/api/v1/swarms/999999/procs/").status == 404
    assert world.api.call("GET", "/api/v1/hosts/nothing/procs/").status == 404


def test_proc_actions(world):
    proc = world.new_proc()
    path = f"/api/v1/hosts/h1/procs/{proc['name']}/"
    for action, statename in (("stop", "STOPPED"), ("start", "RUNNING"), ("restart", "RUNNING")):
        answer = world.api.call("POST", path + "?wait=10", {"action": action})
        assert answer.status == 200 and answer.json["statename"] == statename, (action, answer)
    assert world.api.call("POST", path, {"action": "dance"}).status == 400
    answer = world.api.call("DELETE", path)
    assert answer.status == 200 and answer.json["name"] == proc["name"] and answer.json["deleted"] is True


@pytest.mark.parametrize("body,status", [
    ({"config_name": "prod", "host": "nothing", "proc": "web", "port": 5950}, 400), ({"config_name": "prod", "host": "h1", "proc": "web"}, 400),
    ({"config_name": "prod", "host": "h1", "proc": "web", "port": 0}, 202)])
def test_deploy_checks_what_it_is_given(world, body, status):
    assert world.api.call("POST", f"{world.release}deploy/", body).status == status
    assert world.api.call("POST", "/api/v1/releases/999999/deploy/", body).status == 404


def test_the_gui_can_make_a_dashboard_and_set_a_default(world):
    uri = world.api.create("/api/v1/dashboard/", {"name": "GUI", "slug": world.name("gui"), "apps": [{"id": "1", "name": "hello"}]})
    assert [a["name"] for a in world.api.get(uri)["apps"]] == ["hello"]
    world.api.must("PATCH", world.profile, {"quick_dashboards": [world.dashboard]})
    assert world.api.call("PUT", world.profile, {"default_dashboard": uri}).status == 204
    profile = world.api.get(world.profile)
    assert profile["default_dashboard"] == uri and profile["quick_dashboards"] == [world.dashboard]
    world.api.must("PATCH", world.profile, {"default_dashboard": None, "quick_dashboards": []})


# ------------------------------------------------------------------ streams and files

@pytest.mark.parametrize("path", ["events", "proc_changes"])
def test_streams_are_server_sent_events(world, path):
    answer = world.api.start("GET", f"/api/streams/{path}/")
    assert answer.status == 200 and answer.type == "text/event-stream"
    assert answer.headers["Cache-Control"] == "no-cache" and answer.headers["X-Accel-Buffering"] == "no"


def test_events_are_replayed_oldest_first_as_one_line_of_json(world):
    last = world.api.get("/api/v1/events/?kind=event&limit=1")["objects"][0]["id"]
    text = world.api.start("GET", "/api/streams/events/", until=b"id: %d\n" % last).text
    found = re.findall(r"id: (\S+)\ndata: (\{.*\})\n\n", text)
    assert found and [int(i) for i, _ in found] == sorted(int(i) for i, _ in found)
    assert {"time", "message", "tags", "title"} <= set(json.loads(found[-1][1]))
    later = world.api.start("GET", "/api/streams/events/", {"Last-Event-ID": found[-2][0]}, until=b"id: ").text
    assert re.findall(r"id: (\S+)\n", later)[0] == found[-1][0]


def test_a_log_is_followed_as_events_or_plain(world):
    path = f"/api/streams/proc_log/h1/{world.new_proc()['name']}/"
    assert "says hello" in world.api.start("GET", path).text
    answer = world.api.start("GET", path, {"Accept": "text/event-stream"})
    assert answer.type == "text/event-stream" and answer.text.startswith("data: ")


def test_files_have_ranges_and_a_quoted_etag(world):
    build = world.api.get(world.build)
    whole = world.api.call("GET", build["file"])
    assert whole.status == 200 and whole.headers["ETag"] == f'"{build["file_md5"]}"'
    part = world.api.call("GET", build["file"], headers={"Range": "bytes=2-4"})
    assert part.status == 206 and part.body == whole.body[2:5]
    assert world.api.call("GET", build["compile_log"]).text == "-----> it compiles\n"
    assert world.api.call("GET", "/files/builds/nothing").status == 404
    assert world.server.client(None).call("GET", build["file"]).status == 401


# ------------------------------------------------------------------ other endpoints

def test_login_by_form_redirects_to_next_on_this_server_only(world):
    nobody = world.server.client(None)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for asked, given in (("/api/", "/api/"), ("", "/"), ("http://evil.example.com/", "/"), ("//evil.example.com", "/")):
        raw = urllib.parse.urlencode({"username": "deployer", "password": PASSWORD, "next": asked}).encode()
        answer = nobody.call("POST", "/login/", raw=raw, headers=form)
        assert answer.status == 302 and answer.headers["Location"] == given, (asked, answer)
