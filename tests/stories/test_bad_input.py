# SPDX-License-Identifier: MIT
"""Input that is wrong, too large, or only half there."""
import socket

import pytest

from vr_api import Api
from vr_wait import wait_for


def refused(api, method, path, body, status, *words):
    answer = api.call(method, path, body)
    assert answer.status == status, (answer.status, answer.body)
    assert "\n" not in answer.json["error"]
    for word in words:
        assert word in answer.body, answer.body


def test_yaml_that_is_no_mapping(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name)
    for text in ("- a\n- b\n", "just text", "a: b: c\n", "a: [\n"):
        refused(platform.api, "PATCH", swarm, {"config_yaml": text}, 400, "config_yaml")
    refused(platform.api, "POST", "/api/v1/ingredients/", {"name": "x", "env_yaml": "- 1"}, 400, "env_yaml")
    assert platform.api.get(swarm)["config_yaml"] == ""


@pytest.mark.parametrize("path, body", [
    ("apps", {"name": "with-dash", "repo_url": "file:///x", "repo_type": "git"}),
    ("apps", {"name": "with space", "repo_url": "file:///x", "repo_type": "git"}),
    ("apps", {"name": "x" * 51, "repo_url": "file:///x", "repo_type": "git"}),
    ("apps", {"name": "", "repo_url": "file:///x", "repo_type": "git"}),
    ("apps", {"name": "../etc", "repo_url": "file:///x", "repo_type": "git"}),
    ("apps", {"name": "ok", "repo_url": "--upload-pack=touch /tmp/x", "repo_type": "git"}),
    ("apps", {"name": "ok", "repo_url": "file:///x", "repo_type": "svn"}),
    ("squads", {"name": "a b"}),
    ("ingredients", {"name": "a/b"}),
])
def test_names_outside_their_grammar(platform, path, body):
    value = [v for k, v in body.items() if k == "name"][0]
    refused(platform.api, "POST", f"/api/v1/{path}/", body, 400)
    assert platform.api.call("GET", f"/api/v1/{path}/{value or 'x'}/".replace(" ", "%20")).status in (404, 400)


@pytest.mark.parametrize("tag", ["-v1", "v1;id", "v1 v2", "a" * 51, "v1\n", "$(id)", "../v1", ""])
def test_tags_outside_their_grammar(platform, name, tag):
    platform.app(name).web("v1")
    swarm = platform.swarm(name)
    answer = platform.api.call("PATCH", swarm, {"version": tag})
    if answer.status == 202:  # a tag that is not there fails the dispatch at once
        answer = platform.api.call("POST", swarm + "swarm/")
    assert answer.status == 400 and answer.json["error"], (answer.status, answer.body)


def test_swarm_with_wrong_fields(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name)
    api = platform.api
    for field, value in (("size", -1), ("size", "many"), ("mem_limit", "lots"), ("proc_name", "a-b"),
                         ("config_name", "a b"), ("volumes", "x"), ("run_as", "no such user/x")):
        refused(api, "PATCH", swarm, {field: value}, 400, field)
    refused(api, "PATCH", swarm, {"squad": "/api/v1/squads/nowhere/"}, 400, "nowhere")
    assert api.call("PATCH", "/api/v1/swarms/99999/", {"size": 1}).status == 404
    refused(api, "POST", "/api/v1/swarms/", {"app": f"/api/v1/apps/{name}/"}, 400)
    same = {"app": f"/api/v1/apps/{name}/", "config_name": "prod", "proc_name": "web", "size": 1,
            "squad": "/api/v1/squads/default/", "config_ingredients": []}
    refused(api, "POST", "/api/v1/swarms/", same, 409)


def test_json_that_is_none(platform):
    for raw in (b"{", b"[]", b"nothing", b"\xff\xfe", b'{"a": 1} x'):
        answer = platform.api.call("POST", "/api/v1/apps/", raw=raw)
        assert answer.status == 400, (raw, answer.status, answer.body)
    answer = platform.api.call("POST", "/api/v1/apps/", raw=b"<app/>", headers={"Content-Type": "text/xml"})
    assert answer.status == 415


def test_who_is_not_logged_in_sees_nothing(platform):
    nobody = Api(platform.url, None, None)
    wrong = Api(platform.url, "nobody", "wrong password")  # admin would have to wait afterwards
    for api in (nobody, wrong):
        for path in ("/api/v1/apps/", "/api/v1/swarms/", "/api/v1/rollouts/", "/api/streams/events/"):
            assert api.call("GET", path).status == 401, path
        assert api.call("POST", "/api/v1/apps/", {"name": "x"}).status == 401
    run = platform.cli.run("app", "list", "--url", platform.url, "--username", "admin")
    assert run.returncode == 0  # the token of the login
    platform.cli.environment["VR_TOKEN"] = "wrong"
    try:
        assert platform.cli.run("app", "list").returncode == 6
    finally:
        del platform.cli.environment["VR_TOKEN"]


def test_exit_codes(platform, name):
    cli = platform.cli
    platform.app(name).web("v1")
    platform.swarm(name)
    cli("app", "show", "no_such_app", code=4)
    cli("swarm", "no_such_app", "v1", code=4)
    cli("nonsense", code=2)
    cli("app", "add", "bad-name", "--repo-url", "file:///x", code=2)
    cli("app", "add", name, "--repo-url", "file:///x", code=3)
    cli("app", "rm", name, "--yes", code=3)
    cli("app", "list", "--url", "http://127.0.0.1:1/", code=5)


def raw(platform, data):
    s = socket.create_connection(("127.0.0.1", platform.port), timeout=20)
    s.sendall(data)
    return s


def test_a_body_of_a_gigabyte(platform):
    """Refused by its announced size, or where it is chunked once it is too large; never read."""
    import base64
    auth = base64.b64encode(f"admin:{platform.api.password}".encode()).decode()
    head = (f"POST /api/v1/apps/ HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Authorization: Basic {auth}\r\n")
    with raw(platform, (head + f"Content-Length: {1 << 30}\r\n\r\n").encode()) as s:
        assert s.recv(4096).startswith(b"HTTP/1.1 413")
    with raw(platform, (head + "Transfer-Encoding: chunked\r\n\r\n").encode()) as s:
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        sent = 0
        try:
            while sent < 1 << 30:
                s.sendall(chunk)
                sent += 65536
        except OSError:
            pass
        assert sent < 64 << 20
    assert platform.api.call("GET", "/api/v1/apps/").status == 200


def test_half_a_request(platform):
    halves = [raw(platform, data) for data in (
        b"POST /api/v1/apps/ HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"POST /api/v1/apps/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"GET /api/v1/apps/ HTTP/1.1\r\n", b"\r\n\r\n", b"\0" * 100, b"GET " + b"x" * 100000)] * 1
    halves += [raw(platform, b"GET / HT") for _ in range(50)]
    try:
        wait_for("it answers others meanwhile", lambda: platform.api.call("GET", "/api/v1/apps/").status == 200)
    finally:
        for s in halves:
            s.close()
    assert platform.api.call("GET", "/api/v1/apps/").status == 200
