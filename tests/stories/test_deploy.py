# SPDX-License-Identifier: MIT
"""The life of an app: built, swarmed, served, changed under load, rolled back, scaled."""
import time

from http_load import Load
from vr_apps import WORKER
from vr_wait import wait_for


def served(platform, pool):
    return platform.fetch(pool)[1]


def test_a_repository_becomes_four_served_procs(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=4)
    row = platform.api.done(platform.api.dispatch(swarm, "v1"))
    assert list(dict.fromkeys(step["step"] for step in row["steps"])) == \
        ["resolve", "build", "release", "place", "start", "test", "route"]
    assert row["tag"] == "v1" and row["size"] == 4 and len(row["commit"]) == 40
    procs = platform.api.procs(swarm)
    assert [p["statename"] for p in procs] == ["RUNNING"] * 4
    assert len({p["port"] for p in procs}) == 4
    assert all(platform.first_port <= p["port"] for p in procs)
    # Each answers through the balancer, as the host name says.
    seen = set()
    for _ in range(40):
        status, body = platform.fetch(name, "/pid")
        assert status == 200
        seen.add(body.rpartition(" ")[2])
    assert seen == {str(p["port"]) for p in procs}


def test_by_command_line(platform, name):
    repository = platform.repository(name)
    repository.web("v1")
    cli = platform.cli
    cli("app", "add", name, "--repo-url", repository.url, "--repo-type", "git")
    cli("swarm", "add", name, "prod", "web", "--squad", "default", "--size", "2", "--pool", name, "--balancer",
        "default", "--tag", "v1")
    plan = cli("swarm", f"{name}-prod-web", "v1", "--plan", "--exit-code", code=10)
    assert "v1" in plan
    assert cli("ps", name) == "" or "RUNNING" not in cli("ps", name)
    rollout = cli("swarm", f"{name}-prod-web", "v1", "--wait").strip()
    assert len(rollout) == 32
    assert cli("ps", name).lower().count("running") == 2
    assert served(platform, name) == "v1"
    assert "done" in cli("rollout", "show", rollout)
    cli("swarm", f"{name}-prod-web", "v1", "--plan", "--exit-code")
    cli("scale", name, "1", "--wait", "--yes")
    assert cli("ps", name).lower().count("running") == 1


def test_a_new_version_under_load_fails_no_request(platform, name):
    repository = platform.app(name)
    repository.web("v1")
    repository.web("v2")
    swarm = platform.swarm(name, size=3)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    with Load("127.0.0.1", platform.http_port, host=f"{name}.local") as load:
        wait_for("some requests", lambda: load.counts.requests > 200)
        platform.api.done(platform.api.dispatch(swarm, "v2"))
        platform.api.done(platform.api.dispatch(swarm, "v1"))
        platform.api.done(platform.api.dispatch(swarm, kind="restart"))
        platform.api.done(platform.api.dispatch(swarm, kind="scale", size=1))
        platform.api.done(platform.api.dispatch(swarm, kind="scale", size=4))
    counts = load.counts
    assert counts.failed == 0, counts.errors
    assert set(counts.seen) == {"v1", "v2"}


def test_rollback_is_fast_and_builds_nothing(platform, name):
    repository = platform.app(name)
    repository.web("v1")
    repository.web("v2")
    swarm = platform.swarm(name, size=2)
    first = platform.api.done(platform.api.dispatch(swarm, "v1"))
    platform.api.done(platform.api.dispatch(swarm, "v2"))
    builds = platform.api.get("/api/v1/builds/")["meta"]["total_count"]
    begin = time.monotonic()
    answer = platform.api.must("POST", swarm + "rollback/", {"release": None}).json
    row = platform.api.done(answer["swarm_id"])
    assert time.monotonic() - begin < 5
    assert row["kind"] == "rollback" and row["release"] == first["release"]
    assert platform.api.get("/api/v1/builds/")["meta"]["total_count"] == builds
    assert served(platform, name) == "v1"
    releases = platform.api.get(swarm + "releases/")["objects"]
    assert [r["current"] for r in releases].count(True) == 1


def test_scale_to_nothing_and_back(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=1)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    before = {p["proc_id"] for p in platform.api.procs(swarm)}
    platform.api.done(platform.api.dispatch(swarm, kind="scale", size=3))
    assert before < {p["proc_id"] for p in platform.api.procs(swarm)}, "scaling up keeps what runs"
    platform.api.done(platform.api.dispatch(swarm, kind="scale", size=0))
    assert platform.api.procs(swarm) == []
    assert platform.fetch(name)[0] == 503
    platform.api.done(platform.api.dispatch(swarm, kind="scale", size=1))
    assert served(platform, name) == "v1"


def test_dispatch_of_what_runs_keeps_the_procs(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=2)
    first = platform.api.done(platform.api.dispatch(swarm, "v1"))
    before = {p["proc_id"]: p["pid"] for p in platform.api.procs(swarm)}
    again = platform.api.done(platform.api.dispatch(swarm, "v1"))
    assert again["release"] == first["release"]
    assert {p["proc_id"]: p["pid"] for p in platform.api.procs(swarm)} == before


def test_an_ingredient_makes_another_release(platform, name):
    platform.app(name).web("v1")
    ingredient = platform.api.create("/api/v1/ingredients/",
                                     {"name": f"{name}-db", "config_yaml": "db: one\n", "env_yaml": "COLOUR: red\n"})
    swarm = platform.swarm(name, config_ingredients=[ingredient], config_yaml="own: 1\n")
    first = platform.api.done(platform.api.dispatch(swarm, "v1"))
    assert "db: one" in platform.fetch(name, "/settings")[1]
    assert "own: 1" in platform.fetch(name, "/settings")[1]
    assert "COLOUR=red" in platform.fetch(name, "/env")[1].splitlines()
    platform.api.patch(ingredient, {"config_yaml": "db: two\n"})
    second = platform.api.done(platform.api.dispatch(swarm, "v1"))
    assert second["hash"] != first["hash"] and second["build"] == first["build"]
    assert "db: two" in platform.fetch(name, "/settings")[1]
    # The same content again is the same release.
    platform.api.patch(ingredient, {"config_yaml": "db: one\n"})
    third = platform.api.done(platform.api.dispatch(swarm, "v1"))
    assert third["release"] == first["release"]


def test_a_worker_needs_no_port(platform, name):
    platform.app(name).commit("v1", {"worker.py": WORKER, "Procfile": "worker: python3 worker.py\n"})
    swarm = platform.swarm(name, proc="worker", pool=False, size=2, start_secs=0)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    assert [p["statename"] for p in platform.api.procs(swarm)] == ["RUNNING"] * 2


def test_one_proc_stopped_started_destroyed(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=2)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    proc = platform.api.procs(swarm)[0]
    uri = f"/api/v1/procs/{proc['proc_id']}/"
    api = platform.api
    with Load("127.0.0.1", platform.http_port, host=f"{name}.local") as load:
        api.must("POST", uri + "?wait=20", {"action": "stop"})
        wait_for("it is stopped", lambda: api.get(uri)["statename"] == "STOPPED")
        api.must("POST", uri + "?wait=20", {"action": "start"})
        wait_for("it runs", lambda: api.get(uri)["statename"] == "RUNNING")
        api.must("POST", uri + "?wait=20", {"action": "restart"})
        wait_for("it runs again", lambda: api.get(uri)["pid"] not in (0, proc["pid"]) and
                 api.get(uri)["statename"] == "RUNNING")
        assert api.must("DELETE", uri + "?wait=20").json["deleted"] is True
        wait_for("another takes its place", lambda: sorted(p["statename"] for p in api.procs(swarm)) == ["RUNNING"] * 2
                 and proc["proc_id"] not in {p["proc_id"] for p in api.procs(swarm)})
    assert load.counts.failed == 0, load.counts.errors


def test_a_proc_that_crashes_comes_back(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=2)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    before = {p["proc_id"]: p["pid"] for p in platform.api.procs(swarm)}
    platform.fetch(name, "/crash")

    def came_back():
        now = {p["proc_id"]: p["pid"] for p in platform.api.procs(swarm) if p["statename"] == "RUNNING"}
        return now.keys() == before.keys() and sum(now[i] != before[i] for i in now) == 1
    wait_for("the same proc with another pid", came_back)
