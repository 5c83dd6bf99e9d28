# SPDX-License-Identifier: MIT
"""Logs of procs: read, followed over a restart, kept when a deploy fails."""
import threading

from vr_apps import CRASH, WORKER
from vr_wait import wait_for


class Followed:
    """A program whose lines are collected as they come."""

    def __init__(self, child):
        self.child = child
        self.lines = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.child.stdout:
            self.lines.append(line.rstrip("\n"))

    def stop(self):
        self.child.terminate()
        self.child.wait(10)
        self.thread.join(10)
        self.child.stdout.close()
        self.child.stderr.close()


def test_logs_of_a_proc(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    proc = platform.api.procs(swarm)[0]
    text = platform.cli("logs", str(proc["proc_id"]))
    assert f"version v1 listens on {proc['port']}" in text
    assert "version v1 listens" in platform.cli("logs", name)
    answer = platform.api.must("GET", f"/api/v1/procs/{proc['proc_id']}/log/?lines=10")
    line = answer.body.splitlines()[0].split(" ", 2)
    assert line[0].endswith("Z") and line[1] == "out" and "version v1" in line[2]


def test_follow_goes_on_after_a_restart(platform, name):
    platform.app(name).commit("v1", {"worker.py": WORKER.replace("n = 0", "n = 0\nprint('fresh start', flush=True)"),
                                     "Procfile": "worker: python3 worker.py\n"})
    swarm = platform.swarm(name, proc="worker", pool=False, start_secs=0)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    proc = platform.api.procs(swarm)[0]
    uri = f"/api/v1/procs/{proc['proc_id']}/"
    followed = Followed(platform.cli.start("logs", "-f", str(proc["proc_id"])))
    try:
        wait_for("lines", lambda: any("round" in line for line in followed.lines))
        n = len(followed.lines)
        platform.api.must("POST", uri + "?wait=20", {"action": "restart"})
        wait_for("lines of the next life", lambda: any("fresh start" in line for line in followed.lines[n:]), 20)
        m = len(followed.lines)
        wait_for("and more of it", lambda: len(followed.lines) > m + 3)
    finally:
        followed.stop()


def test_follow_of_a_filter_goes_on_with_the_procs_of_later_rollouts(platform, name):
    repository = platform.app(name)
    repository.web("v1")
    swarm = platform.swarm(name)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    followed = Followed(platform.cli.start("logs", "-f", f"{name}-prod"))
    try:
        wait_for("lines", lambda: any("version v1 listens" in line for line in followed.lines))
        repository.web("v2")
        platform.api.done(platform.api.dispatch(swarm, "v2", size=2))
        wait_for("lines of both new procs",
                 lambda: sum("| version v2 listens" in line for line in followed.lines) == 2, 30)
    finally:
        followed.stop()


def test_logs_are_searched(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=2)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    proc = str(platform.api.procs(swarm)[0]["proc_id"])
    cli = platform.cli
    assert "version v1 listens" in cli("logs", proc, "--search", "v1 LISTENS", "-i")
    assert len(cli("logs", name, "--search", "version .* listens on [0-9]+", "--regex").splitlines()) == 2
    run = cli.run("logs", proc, "--search", "no [such] text")
    assert run.returncode == 0 and run.stdout == "" and "No line matches 'no [such] text'" in run.stderr
    assert "without ')'" in cli.fails("logs", proc, "--search", "(", "--regex", code=2)
    cli("logs", proc, "--regex", code=2)
    cli("logs", proc, "-f", "--search", "x", code=2)


def test_a_failed_deploy_keeps_its_log(platform, name):
    platform.app(name).web("v1", app=CRASH)
    swarm = platform.swarm(name)
    row = platform.api.failed(platform.api.dispatch(swarm, "v1"), "start")
    proc = row["procs"][0]
    wait_for("it is stopped", lambda: not platform.host.containers())
    text = platform.api.must("GET", f"/api/v1/procs/{proc['proc_id']}/log/").body
    assert "cannot find the database" in text
    assert "cannot find the database" in platform.cli("logs", str(proc["proc_id"]))


def test_events_are_streamed(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name)
    followed = Followed(platform.cli.start("events", "-f"))
    try:
        platform.api.done(platform.api.dispatch(swarm, "v1"))
        wait_for("the rollout is told", lambda: any(name in line for line in followed.lines))
    finally:
        followed.stop()
