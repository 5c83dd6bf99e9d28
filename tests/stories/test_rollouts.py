# SPDX-License-Identifier: MIT
"""Rollouts that are cancelled or overtaken."""
from vr_apps import SLOW, UPTEST_HANGS
from vr_wait import wait_for


def at_step(api, rollout, step):
    return wait_for(f"step {step}", lambda: [row for row in [api.rollout(rollout)]
                                             if row["step"] == step or row["state"] == "ended"])[0]


def test_cancel_while_it_tests(platform, name):
    api = platform.api
    repository = platform.app(name)
    repository.web("v1")
    repository.web("v2", uptest=UPTEST_HANGS)
    swarm = platform.swarm(name, size=2)
    api.done(api.dispatch(swarm, "v1"))
    before = {p["pid"] for p in api.procs(swarm)}
    rollout = api.dispatch(swarm, "v2")
    assert at_step(api, rollout, "test")["state"] == "active"
    platform.cli("rollout", "cancel", rollout)
    row = api.ended(rollout)
    assert row["result"] == "cancelled"
    assert {p["pid"] for p in api.procs(swarm)} == before
    assert platform.fetch(name)[1] == "v1"
    answer = api.call("POST", f"/api/v1/rollouts/{rollout}/cancel/")
    assert answer.status == 409 and answer.json["error"]


def test_a_newer_dispatch_supersedes(platform, name):
    api = platform.api
    repository = platform.app(name)
    repository.web("v1")
    repository.web("v2", app=SLOW)
    repository.web("v3")
    swarm = platform.swarm(name, size=2)
    api.done(api.dispatch(swarm, "v1"))
    second = api.dispatch(swarm, "v2")
    at_step(api, second, "start")
    third = api.dispatch(swarm, "v3")
    assert api.done(third)["tag"] == "v3"
    assert api.ended(second)["result"] == "superseded"
    assert platform.fetch(name)[1] == "v3"
    assert len(api.procs(swarm)) == 2


def test_of_three_the_newest_wins(platform, name):
    api = platform.api
    repository = platform.app(name)
    for tag in ("v1", "v2", "v3", "v4"):
        repository.web(tag)
    swarm = platform.swarm(name)
    rollouts = [api.dispatch(swarm, tag) for tag in ("v1", "v2", "v3", "v4")]
    assert api.done(rollouts[-1])["result"] == "done"
    assert all(api.ended(r)["result"] in ("superseded", "done") for r in rollouts)
    assert platform.fetch(name)[1] == "v4"


def test_watching_again_shows_the_end(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name)
    rollout = platform.api.dispatch(swarm, "v1")
    run = platform.cli.run("rollout", "watch", rollout)
    assert run.returncode == 0 and "v1" in run.stderr, run.stderr
    again = platform.cli.run("rollout", "watch", rollout)
    assert again.returncode == 0


def test_two_swarms_share_a_build(platform, name):
    api = platform.api
    platform.app(name).web("v1")
    one, two = platform.swarm(name, config="one", pool=False), platform.swarm(name, config="two", pool=False)
    rollouts = [api.dispatch(one, "v1"), api.dispatch(two, "v1")]
    builds = {api.done(rollout)["build"] for rollout in rollouts}
    assert len(builds) == 1
