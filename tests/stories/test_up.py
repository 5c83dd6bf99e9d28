# SPDX-License-Identifier: MIT
"""`vr up` and `vr down`: everything on one machine by one command."""
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

import vr_leaks
from conftest import SOURCE
from vr_api import Api
from vr_apps import Repository
from vr_platform import Cli, Programs
from vr_wait import wait_for


class Up:
    def __init__(self):
        subprocess.run([os.path.join(SOURCE, "tools/create-users")], check=True)
        self.root = tempfile.mkdtemp(prefix="vr-story-up-")
        os.chmod(self.root, 0o755)
        self.programs = Programs(self.root)
        self.port, self.http_port = vr_leaks.free_port(), vr_leaks.free_port()
        first = vr_leaks.free_range(60)
        self.url = f"http://127.0.0.1:{self.port}/"
        self.cli = Cli(self.programs.vr, self.root, self.url)
        self.folders = ["--state-dir", self.root + "/state", "--run-dir", self.root + "/run"]
        self.options = [*self.folders, "--listen", f"127.0.0.1:{self.port}", "--http", f"127.0.0.1:{self.http_port}",
                        "--port-range", f"{first}-{first + 59}", "--name", "uphost"]

    def up(self):
        # Its output goes to a file: what goes on in the background may keep a pipe open.
        with open(self.root + "/up.out", "w") as out:
            code = subprocess.run([self.programs.vr, "up", "--background", *self.options], stdout=out, stderr=out,
                                  env=self.cli.environment, timeout=90, check=False).returncode
        assert code == 0, vr_leaks.read(self.root + "/up.out") + self.log("server") + self.log("agent")

    def down(self, *more):
        run = self.cli.run("down", *self.folders, *more)
        assert run.returncode == 0, run.stderr + self.log("agent")

    def log(self, which):
        return f"\n--- {which}\n" + vr_leaks.read(f"{self.root}/state/log/{which}.log")[-3000:]

    def pids(self, word):
        return {pid for pid, command in vr_leaks.processes(self.root).items() if f"bin/vr {word}" in command}


@pytest.fixture(name="up")
def fixture_up():
    up = Up()
    try:
        yield up
    finally:
        up.down()
        found = [vr_leaks.processes(up.root), vr_leaks.mounts(up.root), vr_leaks.cgroups(up.root),
                 vr_leaks.loops(up.root)]
        assert not any(found), found
        shutil.rmtree(up.root)


def test_up_and_down(up):
    up.up()
    password = vr_leaks.read(up.root + "/state/server/initial-password").strip()
    up.cli("login", up.url, "--username", "admin", "--password-stdin", stdin=password)
    wait_for("the host is live", lambda: "live" in up.cli("host", "list"))
    repository = Repository(up.root + "/repos/hello")
    repository.web("v1")
    up.cli("app", "add", "hello", "--repo-url", repository.url, "--repo-type", "git")
    up.cli("swarm", "add", "hello", "prod", "web", "--squad", "default", "--size", "2", "--pool", "hello",
           "--balancer", "default")
    up.cli("swarm", "hello-prod-web", "v1", "--wait")

    def page():
        try:
            return Api(f"http://127.0.0.1:{up.http_port}", None, None).call("GET", "/").body.strip()
        except OSError:
            return None
    assert page() == "v1"

    # Up again changes nothing.
    before = up.pids("server"), up.pids("agent")
    up.up()
    assert (up.pids("server"), up.pids("agent")) == before

    # What dies is started again.
    for pid in up.pids("server") | up.pids("agent"):
        os.kill(pid, signal.SIGKILL)
    wait_for("server and agent are back", lambda: up.pids("server") and up.pids("agent") and
             not (up.pids("server") | up.pids("agent")) & (before[0] | before[1]))
    assert page() == "v1"

    # The supervisor dies: the others go on, and the next one adopts them.
    both = up.pids("server") | up.pids("agent")
    for pid in up.pids("up"):
        os.kill(pid, signal.SIGKILL)
    wait_for("the server answers", lambda: Api(up.url, None, None).call("GET", "/healthz").status == 200)
    up.up()
    assert up.pids("server") | up.pids("agent") == both

    # Apps go on without both.
    procs = {line.split()[0] for line in up.cli("ps", "hello").splitlines()[1:]}
    up.down("--keep-procs")
    assert not up.pids("server") and not up.pids("agent") and page() == "v1"
    up.up()
    assert {line.split()[0] for line in up.cli("ps", "hello").splitlines()[1:]} == procs

    # Down and up: everything is back.
    up.down()
    assert not vr_leaks.processes(up.root) and not vr_leaks.mounts(up.root)
    up.up()
    wait_for("it serves again", lambda: page() == "v1", 30)
