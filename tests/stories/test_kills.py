# SPDX-License-Identifier: MIT
"""kill -9 of agent, server and both in the middle of rollouts: apps do not notice, rollouts end rightly."""
import os
import signal

import pytest

import vr_leaks
from conftest import LONG
from http_load import Load
from vr_api import Api
from vr_apps import UPTEST_GOOD
from vr_wait import wait_for

ROUNDS = 50 if LONG else 5
STEPS = ("start", "test", "place", "route", "stop", "drain", "resolve", "release")
SLOW_UPTEST = UPTEST_GOOD + "sleep 0.3\n"


def answers(port):
    return Api(f"http://127.0.0.1:{port}", None, None).call("GET", "/").body.strip()


@pytest.mark.parametrize("victims", [("agent",), ("server",), ("agent", "server")], ids="-".join)
def test_kill_during_rollouts(private, victims):
    api = private.api
    for name in ("steady", "moving"):
        repository = private.app(name)
        repository.web("v1", uptest=SLOW_UPTEST)
        repository.web("v2", uptest=SLOW_UPTEST)
    steady, moving = private.swarm("steady", size=2), private.swarm("moving", size=2)
    api.done(api.dispatch(steady, "v1"))
    api.done(api.dispatch(moving, "v2"))
    api.done(api.dispatch(moving, "v1"))
    before = {(p["proc_id"], p["pid"], p["port"]) for p in api.procs(steady)}
    version = "v1"
    with Load("127.0.0.1", private.http_port, host="steady.local", keep=1, fresh=1, pause=0.01) as calm, \
            Load("127.0.0.1", private.http_port, host="moving.local", keep=1, fresh=1, pause=0.01) as busy:
        for n in range(ROUNDS):
            version = "v2" if version == "v1" else "v1"
            rollout = api.dispatch(moving, version)
            wait_for("its step", lambda r=rollout, n=n: api.rollout(r)["step"] == STEPS[n % len(STEPS)] or
                     api.rollout(r)["state"] == "ended", every=0.005)
            for victim in victims:
                program = private.host.program if victim == "agent" else private.server
                program.kill()
            assert all(answers(port) == "v1" for _, _, port in before)
            for victim in reversed(victims):
                (private.host.program if victim == "agent" else private.server).start()
            private.await_server()
            row = api.ended(rollout, 60)
            assert row["result"] == "done", f"round {n}: {row}"
            assert {p["version"] for p in api.procs(moving)} == {version}
            assert len(api.procs(moving)) == 2
            assert {(p["proc_id"], p["pid"], p["port"]) for p in api.procs(steady)} == before
    assert calm.counts.failed == 0, calm.counts.errors
    assert busy.counts.failed == 0, busy.counts.errors
    wait_for("exactly the wished containers", lambda: len(private.host.containers()) == 4, 15)
    private.clear()


def test_kill_of_a_shim(private):
    """Its app goes on; the agent gives it a new one."""
    api = private.api
    private.app("shimmed").web("v1")
    swarm = private.swarm("shimmed")
    api.done(api.dispatch(swarm, "v1"))
    proc = api.procs(swarm)[0]
    shims = {pid for pid, command in vr_leaks.processes(private.root).items() if "vr-shim" in command}
    daemons = [pid for pid in shims if not any(pid in pids for pids in private.host.containers().values())]
    assert daemons
    with Load("127.0.0.1", private.http_port, host="shimmed.local", keep=1, fresh=1, pause=0.01) as load:
        for pid in daemons:
            os.kill(pid, signal.SIGKILL)
        wait_for("a new shim", lambda: [pid for pid, command in vr_leaks.processes(private.root).items()
                                        if "vr-shim" in command and pid not in shims])
        assert api.procs(swarm)[0]["pid"] == proc["pid"]
    assert load.counts.failed == 0, load.counts.errors
    os.kill(proc["pid"], signal.SIGKILL)  # the new one restarts it
    wait_for("it runs again", lambda: api.procs(swarm)[0]["pid"] not in (0, proc["pid"]) and
             api.procs(swarm)[0]["statename"] == "RUNNING")
    private.clear()


def test_kill_during_a_build(private):
    """A build whose builder died is done again or fails; it never hangs."""
    api = private.api
    private.app("slowbuild").commit("v1", {"Makefile": "all:\n\tsleep 1.5\n\techo hello > hello\n",
                                           "Procfile": "web: sleep 1000\n"})
    swarm = private.swarm("slowbuild", pool=False, ready="none", start_secs=0)
    rollout = api.dispatch(swarm, "v1")
    wait_for("the build runs", lambda: api.rollout(rollout)["step"] == "build")
    wait_for("it compiles", lambda: api.get(api.rollout(rollout)["build"])["status"] == "started"
             if api.rollout(rollout)["build"] else False)
    private.host.program.kill()
    private.host.program.start()
    row = api.ended(rollout, 60)
    assert row["result"] == "done" or row["error"]["message"], row
    if row["result"] == "failed":
        api.done(api.dispatch(swarm, "v1"))
    private.clear()


def test_reboot(private):
    """Everything is killed and unmounted, the folders on disk stay: all comes back by itself."""
    api = private.api
    repository = private.app("boot")
    repository.web("v1")
    swarm = private.swarm("boot", size=3)
    api.done(api.dispatch(swarm, "v1"))
    before = {p["pid"] for p in api.procs(swarm)}
    private.host.program.kill()
    private.server.kill()
    vr_leaks.kill_all(private.root)
    vr_leaks.unmount_all(private.root)
    wait_for("all mounts are gone", lambda: not vr_leaks.mounts(private.root) and not vr_leaks.loops(private.root))
    vr_leaks.remove_cgroups(private.root)
    private.server.start()
    private.host.program.start()
    private.await_server()
    wait_for("all run again", lambda: [p["statename"] for p in api.procs(swarm)] == ["RUNNING"] * 3 and
             not before & {p["pid"] for p in api.procs(swarm)}, 40)
    wait_for("it is served again", lambda: private.fetch("boot")[0] == 200)
    assert private.fetch("boot")[1] == "v1"
    api.done(api.dispatch(swarm, kind="restart"))
    private.clear()


def test_reboot_without_the_server(private):
    """A host starts what its last desired state says, also while there is no server."""
    api = private.api
    private.app("alone").web("v1")
    swarm = private.swarm("alone")
    api.done(api.dispatch(swarm, "v1"))
    port = api.procs(swarm)[0]["port"]
    private.server.kill()
    private.host.program.kill()
    private.host.program.start()
    assert answers(port) == "v1"
    private.host.program.kill()
    vr_leaks.kill_all(private.root)

    def serves():
        try:
            return answers(port) == "v1"
        except OSError:
            return False
    private.host.program.start()
    wait_for("the host runs it", serves)
    private.server.start()
    private.await_server()
    wait_for("the server knows", lambda: api.procs(swarm)[0]["statename"] == "RUNNING")
    private.clear()
