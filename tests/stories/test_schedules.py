# SPDX-License-Identifier: MIT
"""What happens by itself: uptests of what serves, builds that expire and come back, hosts that clean up."""
import os

import pytest
from conftest import running
from vr_wait import wait_for

UPTEST_FLAG = '#!/bin/sh\nif [ -e /flags/bad ]; then echo "the flag is bad"; exit 1; fi\n'
CONFIG = {"schedules": {"uptests": {"every": "2s"}, "builds": {"every": "1d"}, "retention": {"every": "1d"},
                        "hosts": "off"},
          "retention": {"build_expiration_days": 0, "build_expiration_count": 0, "keep_releases": 1,
                        "blob_grace_secs": 0}}


@pytest.fixture(scope="module", name="busy")
def fixture_busy():
    with running("schedules", config=CONFIG, agent_options=["--blob-budget", "1K", "--disk-low-percent", "100"]) as platform:
        yield platform
        platform.clear()


def task(platform, name):
    return next(row for row in platform.api.objects("/api/v1/schedules/") if row["task"] == name)


def run(platform, name):
    """Have a task run now; what it says of itself."""
    before = task(platform, name)["runs"]
    platform.api.must("POST", f"/api/v1/schedules/{name}/run/", {})

    def over():
        row = task(platform, name)
        return row["runs"] > before and not row["running"] and row
    return wait_for(f"{name} ran", over)["result"]


def told(platform, tag, *words):
    """The newest event with this tag whose message has these words."""
    for event in reversed(platform.api.objects("/api/v1/events/?kind=event&order_by=-id&limit=100")):
        if tag in event["tags"] and all(word in event["message"] for word in words):
            return event
    return None


def status_of(platform, app, tag):
    return {b["status"] for b in platform.api.objects(f"/api/v1/builds/?app__name={app}&tag={tag}")}


def test_uptests_of_what_serves_are_run_and_told_of(busy, name):
    flags = os.path.join(busy.root, "flags")
    os.makedirs(flags)
    busy.app(name).web("v1", uptest=UPTEST_FLAG)
    swarm = busy.swarm(name, size=2, volumes=[[flags, "/flags"]])
    busy.api.done(busy.api.dispatch(swarm, "v1"))
    wait_for("they pass", lambda: task(busy, "uptests")["result"].endswith("2 of 2 procs passed"))
    rollouts = len(busy.api.objects("/api/v1/rollouts/"))
    with open(os.path.join(flags, "bad"), "w"):
        pass
    event = wait_for("the failures are told", lambda: told(busy, "scheduled", name))
    assert event["title"] == "scheduled uptest failures" and "failed" in event["tags"]
    assert event["message"].count("01_test failed:\nthe flag is bad") == 2
    assert f"@{busy.first_host}: 01_test failed:" in event["message"]
    # Nothing was moved by it.
    assert busy.fetch(name) == (200, "v1")
    assert [(p["admitted"], p["statename"]) for p in busy.api.procs(swarm)] == [(True, "RUNNING")] * 2
    # A server that starts again goes on.
    busy.server.kill()
    busy.server.start()
    busy.await_server()
    os.unlink(os.path.join(flags, "bad"))
    runs = task(busy, "uptests")["runs"]
    wait_for("they pass again", lambda: task(busy, "uptests")["runs"] > runs + 1 and
             task(busy, "uptests")["result"].endswith("2 of 2 procs passed"))
    assert len(busy.api.objects("/api/v1/rollouts/")) == rollouts


def test_what_expired_is_built_again_when_it_is_wanted(busy, name):
    repository = busy.app(name)
    repository.web("v1")
    repository.web("v2")
    swarm = busy.swarm(name)
    for version in ("v1", "v2"):
        busy.api.done(busy.api.dispatch(swarm, version))
    plan = busy.api.get("/api/v1/retention/?plan=1")
    assert f"{name}-v1" in [b["name"] for b in plan["builds"]["go"]]
    stays = {b["name"]: b["why"] for b in plan["builds"]["stay"]}
    assert stays[f"{name}-v2"] == "a proc runs it"
    assert "builds expired" in run(busy, "builds")
    assert (status_of(busy, name, "v1"), status_of(busy, name, "v2")) == ({"expired"}, {"success"})
    assert busy.fetch(name) == (200, "v2")
    # By a dispatch,
    busy.api.done(busy.api.dispatch(swarm, "v1"))
    assert busy.fetch(name) == (200, "v1") and status_of(busy, name, "v1") == {"expired", "success"}
    # and by a rollback, which says so.
    run(busy, "builds")
    assert status_of(busy, name, "v2") == {"expired"}
    row = busy.api.done(busy.api.must("POST", swarm + "rollback/", {}).json["swarm_id"])
    assert busy.fetch(name) == (200, "v2")
    assert "is built again" in row["warnings"][0]


def test_a_host_keeps_what_runs_and_removes_the_rest(busy, name):
    repository = busy.app(name)
    host = busy.hosts[busy.first_host]
    for version in ("v1", "v2", "v3"):
        repository.web(version)
    swarm = busy.swarm(name)
    for version in ("v1", "v2", "v3"):
        busy.api.done(busy.api.dispatch(swarm, version))
    run(busy, "builds")

    def blobs():
        return {f for _, _, files in os.walk(os.path.join(host.state_dir, "blobs")) for f in files}
    assert run(busy, "hosts") == "hosts were asked to clean up"
    wait_for("the host told of it", lambda: told(busy, "janitor", "removed", "slugs"))
    assert told(busy, "disk", "is nearly full")
    needed = {b["file_sha256"] for b in busy.api.objects("/api/v1/builds/?status=success&limit=1000")}
    wait_for("only what is needed stays", lambda: blobs() <= needed)
    assert blobs()
    # What runs can be started again from what was kept.
    proc = busy.api.procs(swarm)[0]
    busy.api.done(busy.api.dispatch(swarm, kind="restart"))
    assert busy.api.procs(swarm)[0]["proc_id"] != proc["proc_id"]
    assert busy.fetch(name) == (200, "v3")
    assert host.program.is_running()
