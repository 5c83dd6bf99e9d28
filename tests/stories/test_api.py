# SPDX-License-Identifier: MIT
"""The requests of the original's client, in its order, and the rules that its scripts rely on."""
import json
import re
import urllib.parse

from vr_api import Api
from vr_wait import wait_for


def test_list_swarms(platform, name):
    platform.app(name).web("v1")
    for config in ("prod", "test"):
        platform.swarm(name, config=config, pool=False)
    api = platform.api
    # `list-swarms` without a filter sends an empty one, and a limit that is too large.
    everything = api.get("/api/v1/swarms/?app__name=&limit=9999")
    assert everything["meta"]["limit"] == 1000 and everything["meta"]["offset"] == 0
    mine = api.get(f"/api/v1/swarms/?app__name={name}")
    assert [s["config_name"] for s in mine["objects"]] == ["prod", "test"]
    one = api.get(f"/api/v1/swarms/?app__name={name}&config_name=test&proc_name=web")
    assert one["meta"]["total_count"] == 1
    for key in ("app_name", "config_name", "proc_name", "version", "resource_uri", "config_ingredients", "procs"):
        assert key in one["objects"][0]
    assert api.get(f"/api/v1/swarms/?app__name={name}&config_name=none")["objects"] == []
    page = api.get(f"/api/v1/swarms/?app__name={name}&limit=1")
    assert page["meta"]["total_count"] == 2 and page["meta"]["previous"] is None
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(page["meta"]["next"]).query)
    assert query["limit"] == ["1"] and query["offset"] == ["1"] and query["app__name"] == [name]
    assert api.get(page["meta"]["next"])["objects"][0]["config_name"] == "test"
    loaded, *names = platform.cli("list-swarms", name).splitlines()
    assert re.fullmatch(r"Loaded 2 swarms in 0:00:\d\d(\.\d{6})?", loaded)
    assert names == [f"{name}-prod-web", f"{name}-test-web"]


def test_bad_queries(platform):
    api = platform.api
    assert api.call("GET", "/api/v1/swarms/?limit=x").json["error"] == \
        "Invalid limit 'x' provided. Please provide a positive integer."
    assert api.call("GET", "/api/v1/swarms/?limit=x").status == 400
    assert api.call("GET", "/api/v1/swarms/?no_such_key=1").status == 200
    assert api.call("GET", "/api/v1/builds/?file_md5=1").status == 400
    assert api.call("GET", "/api/v1/swarms").status == 301
    assert api.call("GET", "/api/v1/nonsense/").status == 404
    answer = api.call("PUT", "/api/v1/swarms/", {})
    assert answer.status == 405 and "GET" in answer.headers["Allow"]


def test_build(platform, name):
    """POST, GET of the Location, POST build/."""
    platform.app(name).web("v1")
    api = platform.api
    location = api.create("/api/v1/builds/", {"app": f"/api/v1/apps/{name}/", "tag": "v1"})
    build = api.get(location)
    assert build["tag"] == "v1" and build["resource_uri"] == location
    answer = api.must("POST", location + "build/")
    assert answer.status == 202 and answer.body == ""
    build = wait_for("the build", lambda: [b for b in [api.get(location)] if b["status"] in ("success", "failed")])[0]
    assert build["status"] == "success" and len(build["file_md5"]) == 32 and len(build["hash"]) == 32
    assert build["file"].endswith(f"{build['file_md5']}.squashfs")
    head = api.call("HEAD", urllib.parse.urlsplit(build["file"]).path)
    assert head.status == 200 and int(head.headers["Content-Length"]) > 0
    assert api.call("GET", location + "build/").status == 405


def test_swarm_with_patch_and_post(platform, name):
    """Ingredients by name and by id; PATCH with exactly what the client sends; POST without a body."""
    platform.app(name).web("v1")
    api = platform.api
    first = api.create("/api/v1/ingredients/", {"name": f"{name}-one", "config_yaml": "a: 1\n"})
    second = api.create("/api/v1/ingredients/", {"name": f"{name}-two", "config_yaml": {"b": {"c": [1, "yes"]}}})
    swarm = platform.swarm(name, config_ingredients=[first])
    found = api.get(f"/api/v1/ingredients/?name={name}-two")["objects"]
    assert len(found) == 1 and found[0]["resource_uri"] == second
    assert api.get(f"/api/v1/ingredients/{found[0]['id']}/")["name"] == f"{name}-two"
    api.patch(swarm, {"version": "v1", "squad": "/api/v1/squads/default/", "config_ingredients": [first, second]})
    answer = api.call("POST", swarm + "swarm/")
    assert answer.status == 202 and len(answer.json["swarm_id"]) == 32
    row = api.done(answer.json["swarm_id"])
    document = api.get(swarm)
    assert document["version"] == "v1" and document["release"] == row["release"]
    assert document["config_ingredients"] == [first, second]
    assert document["compiled_config"] == {"a": 1, "b": {"c": [1, "yes"]}}
    assert swarm in api.get(first)["swarms"]
    assert document["shortname"] == f"{name}-v1-prod-web"
    proc = document["procs"][0]
    assert proc["name"] == f"{name}-v1-prod-{row['hash']}-web-{proc['port']}"
    assert proc["id"] == f"{proc['host']}-{proc['name']}" and proc["state"] == 20
    # A fetched document may be sent back as it is.
    assert api.call("PUT", swarm, document).status == 204
    assert api.get(swarm)["compiled_config"] == document["compiled_config"]
    platform.cli("swarm", f"{name}-prod-web", "-", "--remove-ingredients", f"{name}-two", "--wait")
    assert api.get(swarm)["compiled_config"] == {"a": 1}
    # An ingredient that is used is not deleted behind its swarm's back.
    assert api.call("DELETE", first).status == 409


def test_the_three_ways_to_name_a_proc(platform, name):
    platform.app(name).web("v1")
    api = platform.api
    swarm = platform.swarm(name)
    api.done(api.dispatch(swarm, "v1"))
    proc = api.procs(swarm)[0]
    by_host = api.get(f"/api/v1/hosts/{proc['host']}/procs/")["objects"]
    assert proc["name"] in [p["name"] for p in by_host]
    assert api.get(f"/api/v1/hosts/{proc['host']}/procs/{proc['name']}/")["proc_id"] == proc["proc_id"]
    assert api.get(f"/api/v1/procs/{proc['proc_id']}/")["name"] == proc["name"]
    host = api.get(f"/api/v1/hosts/{proc['host']}/")
    assert host["active"] is True and proc["name"] in [p["name"] for p in host["procs"]]


def test_compare_releases(platform, name):
    platform.app(name).web("v1")
    api = platform.api
    swarm = platform.swarm(name, config_yaml="colour: red\n")
    one = api.done(api.dispatch(swarm, "v1"))["release"]
    api.patch(swarm, {"config_yaml": "colour: blue\n"})
    two = api.done(api.dispatch(swarm, "v1"))["release"]
    assert api.get(one)["config_yaml"] == "colour: red\n"
    ids = one.split("/")[-2], two.split("/")[-2]
    assert platform.cli("compare-releases", *ids) == "--- a\n+++ b\n{\n-'colour': 'red',\n+'colour': 'blue',\n}\n"
    assert platform.cli("release", "diff", *ids) == "config    - colour: red\n          + colour: blue\n"
    api.patch(swarm, {"secrets": {"env": {"PASSWORD": "hunter2"}}})
    three = api.done(api.dispatch(swarm, "v1"))["release"]
    api.patch(swarm, {"secrets": {"env": {"PASSWORD": "hunter3"}}})
    four = api.done(api.dispatch(swarm, "v1"))["release"]
    ids = three.split("/")[-2], four.split("/")[-2]
    assert platform.cli("release", "compare", *ids) == "env       ~ PASSWORD: secret, changed\n"
    assert json.loads(platform.cli("release", "diff", ids[0], ids[0], "--json"))["same"] is True
    assert "do not differ" in platform.cli.run("release", "diff", ids[0], ids[0]).stderr


def test_concurrent_writers(platform, name):
    platform.app(name).web("v1")
    api = platform.api
    swarm = platform.swarm(name)
    answer = api.call("GET", swarm)
    etag = answer.headers["ETag"]
    assert api.call("PATCH", swarm, {"size": 2}, {"If-Match": etag}).status == 202
    assert api.call("PATCH", swarm, {"size": 3}, {"If-Match": etag}).status == 412
    assert api.get(swarm)["size"] == 2
    key = {"Idempotency-Key": f"{name}-key"}
    body = {"name": f"{name}-squad"}
    first = api.call("POST", "/api/v1/squads/", body, key)
    again = api.call("POST", "/api/v1/squads/", body, key)
    assert first.status == again.status == 201 and first.headers["Location"] == again.headers["Location"]
    assert api.call("POST", "/api/v1/squads/", body).status == 409


def test_plan_changes_nothing(platform, name):
    platform.app(name).web("v1")
    api = platform.api
    swarm = platform.swarm(name, size=2)
    plan = api.must("POST", swarm + "swarm/?plan=1", {"version": "v1"}).json["plan"]
    assert plan["changes"] is True and plan["size"]["to"] == 2 and plan["build"] in ("new", "unknown")
    assert not api.objects("/api/v1/rollouts/?swarm__app__name=" + name)
    assert api.get(swarm)["version"] in ("", None)


def test_tokens(platform):
    answer = platform.api.must("POST", "/api/v1/tokens/", {"name": "story"}).json
    bearer = Api(platform.url, None, None)
    header = {"Authorization": f"Bearer {answer['token']}"}
    assert bearer.call("GET", "/api/v1/whoami/", headers=header).json["username"] == "admin"
    assert answer["token"] not in json.dumps(platform.api.get("/api/v1/tokens/"))
    platform.api.delete(f"/api/v1/tokens/{answer['id']}/")
    assert bearer.call("GET", "/api/v1/whoami/", headers=header).status == 401


def test_two_apps_of_the_same_bytes(platform, name):
    """Equal content has an equal hash, but each app has releases and names of its own."""
    api = platform.api
    rows = []
    for app in (name, name + "b"):
        platform.app(app).web("v1")
        swarm = platform.swarm(app)
        rows.append(api.done(api.dispatch(swarm, "v1")))
        assert api.procs(swarm)[0]["app_name"] == app
    assert rows[0]["hash"] == rows[1]["hash"] and rows[0]["release"] != rows[1]["release"]
