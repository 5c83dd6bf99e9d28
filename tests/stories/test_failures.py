# SPDX-License-Identifier: MIT
"""Deploys that fail: each ends, says why in one sentence, leaves the old release serving and nothing else."""
import os
import socket
import subprocess

import pytest

import vr_leaks
from http_load import Load
from vr_apps import CRASH, DEAF, UPTEST_BAD, UPTEST_GOOD, UPTEST_HANGS, WEB
from vr_wait import wait_for


class Served:
    """An app whose v1 serves; a failed v2 must change nothing of that."""

    def __init__(self, platform, name, size=2):
        self.platform, self.name = platform, name
        self.repository = platform.app(name)
        self.repository.web("v1")
        self.swarm = platform.swarm(name, size=size)
        self.first = platform.api.done(platform.api.dispatch(self.swarm, "v1"))
        self.before = self.facts()

    def facts(self):
        procs = self.platform.api.procs(self.swarm)
        return {p["proc_id"]: (p["pid"], p["port"], p["statename"]) for p in procs}

    def fails(self, step, *words, tag="v2", **changes):
        """Dispatch it by the command line; check what is said and what is left."""
        api = self.platform.api
        if changes:
            api.patch(self.swarm, changes)
        with Load("127.0.0.1", self.platform.http_port, host=f"{self.name}.local", keep=1, fresh=1, pause=0.01) as load:
            run = self.platform.cli.run("swarm", f"{self.name}-prod-web", tag, "--wait")
            assert run.returncode == 1, (run.returncode, run.stdout, run.stderr)
            row = api.failed(run.stdout.strip(), step, *words)
        assert row["error"]["message"][:40] in run.stderr, run.stderr
        assert row["error"]["command"].startswith("vr "), row["error"]
        assert load.counts.failed == 0 and set(load.counts.seen) == {"v1"}, (load.counts.errors, load.counts.seen)
        assert self.facts() == self.before, "the procs of before run on"
        assert api.release_of(self.swarm) == self.first["release"]
        wait_for("nothing of it is left", lambda: len(self.platform.host.containers()) == len(self.before), 15)
        return row


@pytest.fixture(name="served")
def fixture_served(platform, name):
    return Served(platform, name)


def test_unknown_tag(served):
    served.fails("resolve", "v2")


def test_unreachable_repository(served, platform, name):
    port = vr_leaks.free_port()
    platform.api.patch(f"/api/v1/apps/{name}/", {"repo_url": f"http://127.0.0.1:{port}/gone.git"})
    served.fails("resolve", f"127.0.0.1:{port}")


def test_no_buildpack_detects(served, name):
    served.repository.commit("v2", {"README": "nothing to build\n"})
    served.fails("build", name)


def test_compile_fails(served):
    served.repository.commit("v2", {"Makefile": "all:\n\t@echo 'no rule for the moon' >&2; exit 3\n",
                                    "Procfile": "web: ./x\n"})
    row = served.fails("build", "make")
    build = served.platform.api.get(row["build"])
    assert build["status"] == "failed"
    log = served.platform.api.must("GET", row["build"] + "log/")
    assert "no rule for the moon" in log.body
    assert "no rule for the moon" in served.platform.cli("build", "log", str(build["id"]))


def test_no_procfile(served):
    served.repository.commit("v2", {"requirements.txt": "", "app.py": WEB, "VERSION": "v2\n"})
    served.fails("build", "Procfile")


def test_procfile_without_the_proc(served):
    served.repository.web("v2", procfile="worker: python3 app.py\n")
    served.fails("release", "web")


def test_app_exits_at_once(served):
    served.repository.web("v2", app=CRASH)
    row = served.fails("start", "7")
    assert "cannot find the database" in row["error"]["log_tail"]


def test_app_never_listens(served):
    served.repository.web("v2", app=DEAF)
    served.fails("start", "listen", start_timeout_secs=2)


def test_uptest_fails(served):
    served.repository.web("v2", uptest=UPTEST_BAD)
    row = served.fails("test", "01_test")
    assert "the page has no logo" in row["error"]["message"] + row["error"]["log_tail"]


def test_uptest_hangs(served):
    served.repository.web("v2", uptest=UPTEST_HANGS)
    served.fails("test", "01_test", test_secs=1)


def test_uptest_is_not_executable(served):
    served.repository.web("v2", uptest=UPTEST_GOOD, plain=["uptests/web/01_test"])
    served.fails("test", "01_test", "executable")


def test_no_host_has_room(served):
    served.repository.web("v2")
    served.fails("place", "room", "8192000 MiB", mem_limit="8000G")


def test_port_taken_by_a_stranger(platform, name):
    """All ports but those of v1 are taken: v2 cannot start anywhere, and v1 goes on."""
    served = Served(platform, name)
    served.repository.web("v2")
    used = {port for _, port, _ in served.before.values()}
    strangers = []
    try:
        for port in range(platform.first_port, platform.first_port + 60):
            if port not in used:
                strangers.append(socket.create_server(("", port)))
        served.fails("start", "port", "taken")
    finally:
        for s in strangers:
            s.close()


def test_disk_full(served, platform):
    """The builder's folder is a file system of 24 MB: said before anything is built."""
    folder = os.path.join(platform.host.state_dir, "build")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0711", "none", folder], check=True)
    try:
        served.repository.web("v2")
        served.fails("resolve", "disk full", folder, served.name)
    finally:
        subprocess.run(["umount", folder], check=True)


def test_the_next_deploy_of_it_works(served):
    served.repository.web("v2", uptest=UPTEST_BAD)
    served.fails("test")
    served.repository.web("v3")
    api = served.platform.api
    api.done(api.dispatch(served.swarm, "v3"))
    assert served.platform.fetch(served.name)[1] == "v3"
    # What failed keeps its log.
    assert api.objects(f"/api/v1/rollouts/?result=failed&swarm__app__name={served.name}")
