# SPDX-License-Identifier: MIT
"""Moving from the original: its dump becomes a platform that people log in to and swarm from."""
import json
import os
import sqlite3
import subprocess

import pytest

from conftest import ended, started
from vr_api import Api

DUMP = os.path.join(os.path.dirname(__file__), "..", "data", "original.sql")


@pytest.fixture(name="moved")
def fixture_moved():
    """A platform that has not been started yet."""
    platform = started("import")
    yield platform
    ended(platform)


def run(platform, *words, dump=DUMP, code=0):
    copy = os.path.join(platform.root, "dump.sql")
    with open(dump) as source, open(copy, "w") as target:
        target.write(source.read())
    result = subprocess.run([platform.programs.vr, "import", copy, "--config",
                             os.path.join(platform.root, "server.yaml"), *words],
                            text=True, capture_output=True, timeout=60)
    assert result.returncode == code, result.stdout + result.stderr
    return result.stdout, result.stderr


def test_a_dump_becomes_a_platform(moved):
    files = os.path.join(moved.root, "files")
    os.makedirs(os.path.join(files, "builds"))
    os.makedirs(os.path.join(files, "provisioning_scripts"))
    with open(os.path.join(files, "builds", "build_12_compile.log"), "w") as file:
        file.write("--- compile.log ---\n-----> done\n")
    with open(os.path.join(files, "provisioning_scripts", "trusty.sh"), "w") as file:
        file.write("#!/bin/sh\napt-get update\n")
    # A trial says the same and changes nothing.
    planned, told = run(moved, "--plan", "--files", files)
    assert "nothing was changed" in told
    out, _ = run(moved, "--files", files)
    table = {line[:24].strip(): line[24:].split() for line in out.split("\n\n")[0].splitlines()[1:]}
    assert table["apps"] == ["2", "2"] and table["swarms"] == ["2", "3"] and table["builds"] == ["2", "3"]
    assert table["releases"] == ["1", "2"] and table["log entries"] == ["2", "2"]
    for sentence in ("swarms: number 7 (web): it refers to number 88 of the apps, which was not taken",
                     "releases: number 10: it was never finished", "ingredients: number 2 (broken)",
                     "app 'old-name' is kept, but cannot be dispatched", "balancer 'lb1' is known by name only",
                     "user 'raj' needs a new password"):
        assert sentence in out, out
    assert "broken" in planned
    # Again into what is no longer new: refused.
    assert "already: import into a new one" in run(moved, code=3)[1]

    moved.server.start()
    moved.await_server()
    api = Api(moved.url, "ann", "raptor-1")  # her password of the original
    assert api.get("/api/v1/whoami/")["role"] == "admin"
    swarm = api.get("/api/v1/swarms/5/")
    assert swarm["version"] == "v4" and swarm["size"] == 2 and swarm["pool"] == "shop" and swarm["balancer"] == "lb1"
    assert swarm["compiled_config"] == {"db": "pg", "level": 2} and swarm["compiled_env"] == {"A": "1", "DB_HOST": "db1"}
    assert swarm["config_ingredients"] == ["/api/v1/ingredients/1/"] and swarm["run_as"] == "nobody"
    assert swarm["memsw_limit"] is None and swarm["mem_limit"] == "256M"
    release = api.get("/api/v1/releases/9/")
    assert release["hash"] == "b348ae9e" and release["compiled_name"] == "shop-v4-b348ae9e"
    assert release["config_yaml"] == "b: 2\ntricky: \"\\xE9\"\n" and release["volumes"] == [["/foo", "/bar"]]
    build = api.get("/api/v1/builds/12/")
    assert build["hash"] == "853cf998ed9a36351e403563712828c3" and build["status"] == "expired"
    assert build["start_time"] == "2015-07-10T15:28:40.500000"
    assert "-----> done" in api.call("GET", "/api/v1/builds/12/log/").body
    assert api.get("/api/v1/builds/13/")["status"] == "failed"
    logs = api.objects("/api/v1/logs/?type__in=swarm,build")
    assert [entry["message"] for entry in logs] == ["build shop-v5", "swarm shop-v4-prod-web"]
    assert logs[1]["user"]["username"] == "ann" and logs[1]["time"] == "2015-07-10T15:21:04"
    assert api.get("/api/v1/hosts/h1.example.com/")["squad"] == "/api/v1/squads/local/"
    run_ = api.get("/api/v1/testruns/3/")
    assert run_["testresults"][0]["procname"] == "shop-v4-prod-b348ae9e-web-5003"
    assert api.get("/api/v1/dashboard/1/")["slug"] == "payments"
    assert [s["name"] for s in api.objects("/api/v1/stacks/")] == ["trusty"]
    packs = [b["repo_url"] for b in api.objects("/api/v1/buildpacks/")]
    assert packs[0] == "https://github.com/x/bp.git" and packs[1].startswith("builtin:")
    assert "hunter2" not in api.call("GET", "/api/v1/apps/").body and "git.example.com/shop.git" in \
        api.get("/api/v1/apps/shop/")["repo_url"]
    versions = api.objects("/api/v1/swarms/5/versions/")
    assert [(v["user"], v["time"], v["comment"]) for v in versions] == \
        [(None, "2015-07-10T10:00:00Z", "Updated from the API."), ("ann", "2015-07-09T10:00:00Z", "Created from web form.")]
    assert {c["field"] for c in versions[0]["changes"]} == {"size", "config_yaml", "config_ingredients"}
    # New rows get new numbers; a name that has no place here is refused when it is dispatched.
    made = api.create("/api/v1/apps/", {"name": "fresh", "repo_url": "https://git.example.com/x", "repo_type": "git"})
    assert api.get(made)["id"] == 4
    api.must("PATCH", "/api/v1/swarms/6/", {"version": "v1"})
    answer = api.call("POST", "/api/v1/swarms/6/swarm/", {})
    assert answer.status == 400 and "old-name" in answer.json["error"], answer.body


@pytest.mark.parametrize("text, sentence", [
    ("", "has no rows of the original"),
    ("COPY public.auth_user (id) FROM stdin;\n1\t2\n\\.\n", "line 2: a row of 'auth_user' has more than 1 values"),
    ("COPY public.auth_user (id) FROM stdin;\n1\n", "ends within table 'auth_user'")])
def test_what_is_no_dump_changes_nothing(moved, text, sentence):
    path = os.path.join(moved.root, "bad.sql")
    with open(path, "w") as file:
        file.write(text)
    assert sentence in run(moved, dump=path, code=1)[1]
    database = os.path.join(json.load(open(os.path.join(moved.root, "server.yaml")))["data_dir"], "velociraptor.db")
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
