# SPDX-License-Identifier: MIT
"""A server alone, with a host that only pretends: everything the API shows can be made in it within a second."""
import contextlib
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "stories"))

# pylint: disable=wrong-import-position
import vr_leaks  # noqa: E402
from vr_client import Client  # noqa: E402
from vr_fake_agent import HELD, FakeAgent  # noqa: E402
from vr_wait import wait_for  # noqa: E402

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VR_BUILD", os.path.join(SOURCE, "build"))
VR = os.path.join(BUILD, "src/cli/vr")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
HOST = "h1"
UP_SECS = 30
PASSWORD = "correct horse battery"

numbers = itertools.count(1)


class Server:
    """One `vr server` in a folder of its own."""

    def __init__(self, options=None):
        self.root = tempfile.mkdtemp(prefix="vr-api-")
        self.port = vr_leaks.free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = os.path.join(self.root, "server")
        self.log = os.path.join(self.root, "server.log")
        config = {"listen": f"127.0.0.1:{self.port}", "data_dir": self.data_dir, "port_range": "5000-5399",
                  "balancers": {"default": {"BACKEND": "none", "hosts": [HOST]}}, **(options or {})}
        self.config = os.path.join(self.root, "server.yaml")
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump(config, file)  # JSON is YAML
        self.child = None
        self.start()
        self.admin = Client("127.0.0.1", self.port, "admin", self.read("initial-password"))

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen([VR, "server", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, env=ENVIRONMENT, cwd="/", start_new_session=True)
        def healthy():
            assert self.child.poll() is None, f"the server ended:\n{vr_leaks.read(self.log)[-3000:]}"
            try:
                return Client("127.0.0.1", self.port).call("GET", "/healthz").status == 200
            except OSError:
                return False
        wait_for("the server answers", healthy, UP_SECS)

    def read(self, name):
        with open(os.path.join(self.data_dir, name), encoding="utf-8") as file:
            return file.read().strip()

    def client(self, username, password=PASSWORD):
        return Client("127.0.0.1", self.port, username, password)

    def token_client(self, world):
        """The admin by a token."""
        token = self.admin.must("POST", "/api/v1/tokens/", {"name": world.name("token")}).json["token"]
        return self.admin.with_token(token)

    @property
    def database(self):
        return os.path.join(self.data_dir, "velociraptor.db")

    def agent(self, name=HOST, **more):
        return FakeAgent(self.port, self.read("join-token"), name, **more)

    def stop(self):
        self.child.send_signal(signal.SIGTERM)
        code = self.child.wait(20)
        text = vr_leaks.read(self.log)
        shutil.rmtree(self.root)
        assert code == 0, f"the server ended with {code}:\n{text[-3000:]}"
        assert "ERROR: AddressSanitizer" not in text and "runtime error" not in text, text[-6000:]


class World:
    """A server in which there is one of everything, under the names of the document's examples."""

    def __init__(self):
        self.server, self.agent = Server(), None
        try:
            self.make()
        except BaseException:
            self.stop()
            raise

    def make(self):
        api = self.api = self.server.admin
        self.agent = self.server.agent()
        self.squad, self.host = "/api/v1/squads/default/", f"/api/v1/hosts/{HOST}/"
        self.app = api.create("/api/v1/apps/", {"name": "hello", "repo_url": "https://git.example.com/hello.git"})
        self.ingredient = api.create("/api/v1/ingredients/", {"name": "db", "config_yaml": {"db": "pg"}, "env_yaml": "A: '1'\n"})
        self.swarm = api.create("/api/v1/swarms/", {
            "app": self.app, "squad": self.squad, "config_name": "prod", "proc_name": "web", "version": "v1", "size": 2,
            "pool": "hello", "config_ingredients": [self.ingredient], "volumes": [["/var/data", "/data"]]})
        self.rollout = self.dispatch(self.swarm)
        # One release more, so that there is something to roll back to and to compare with.
        api.must("PATCH", self.swarm, {"version": "v2"})
        self.rollout = self.dispatch(self.swarm)
        swarm = api.get(self.swarm)
        self.proc = swarm["procs"][0]
        self.release = swarm["release"]
        self.build = api.get(self.release)["build"]
        self.pool = api.get("/api/v1/pools/")["objects"][0]["resource_uri"]
        self.users = {}
        for role in ("viewer", "deployer"):
            self.user = api.create("/api/v1/user/", {"username": role, "password": PASSWORD, "role": role})
            self.users[role] = self.server.client(role)
        self.users["admin"] = api
        self.token = api.create("/api/v1/tokens/", {"name": "laptop"})
        answer = api.must("POST", f"/api/v1/procs/{self.proc['proc_id']}/?wait=10", {"action": "restart"}).json
        self.command = f"/api/v1/commands/{answer['command']['id']}/"
        self.make_rest()
        self.settle()

    def make_rest(self):
        """Stack, image, dashboard, profile, test run."""
        api = self.api
        self.stack = api.create("/api/v1/stacks/", {"name": "jammy", "desc": "Ubuntu 22.04"})
        api.must("PUT", f"{self.stack}script/?name=jammy.sh", raw=b"#!/bin/sh\n")
        api.create("/api/v1/apps/", {"name": "stacked", "repo_url": "https://git.example.com/s.git", "stack": self.stack})
        self.image = self.make_image()
        self.dashboard = api.create("/api/v1/dashboard/", {"name": "Ours", "slug": "ours", "apps": [self.app]})
        self.profile = api.get("/api/v1/profile/")["objects"][0]["resource_uri"]
        self.testrun = api.must("POST", "/api/v1/testruns/").json["resource_uri"]
        wait_for("the test run has ended", lambda: api.get(self.testrun)["end"], 30)
        self.testresult = api.get(self.testrun)["testresults"][0]["resource_uri"]

    def make_image(self):
        """Nobody builds images here: rows are written, and their file is a slug that is there."""
        sha256 = self.api.get(self.build)["file_sha256"]
        with contextlib.closing(sqlite3.connect(self.server.database)) as db, db:
            for name, file in (("jammy_1", "images/jammy_1.tar.gz"), ("jammy_2", "images/jammy_2/jammy_2.tar.gz")):
                db.execute("INSERT INTO images (stack_id, name, file, file_md5, file_sha256, active, created_us) VALUES (1, ?, ?, ?, ?, 1, 1)",
                           (name, file, "0" * 32, sha256))
        return self.api.get("/api/v1/images/")["objects"][0]["resource_uri"]

    def version_without_app(self):
        """A swarm and a version of it that cannot come back: its app is gone."""
        app = self.new_app()
        swarm = self.new_swarm(app=app)
        version = self.api.get(f"{swarm}versions/")["objects"][0]["id"]
        self.api.must("PATCH", swarm, {"app": self.app})
        self.api.must("DELETE", app)
        return swarm, version

    def version_of_deleted(self):
        """The path of an app that is gone, and a version of it."""
        app = self.new_app()
        version = self.api.get(f"{app}versions/")["objects"][0]["id"]
        self.api.must("DELETE", app)
        return app, version

    def dispatch(self, swarm, **body):
        """Start a rollout and wait until it is done; its id."""
        rollout = self.api.must("POST", f"{swarm}swarm/", body).json["swarm_id"]
        self.ended(rollout)
        return rollout

    def ended(self, rollout, result="done"):
        def look():
            row = self.api.get(f"/api/v1/rollouts/{rollout}/")
            return row if row["state"] == "ended" else None
        row = wait_for(f"end of rollout {rollout}", look, 30)
        assert row["result"] == result, json.dumps(row, indent=1)
        return row

    def settle(self):
        """Wait until nothing happens any more: no command waits, no rollout is under way."""
        wait_for("commands have ended", lambda: not self.api.get("/api/v1/commands/?state__in=waiting,active")["objects"], 30)
        wait_for("rollouts have ended", lambda: not self.api.get("/api/v1/rollouts/?state__in=queued,active")["objects"], 30)

    def await_testruns(self):
        """Wait until none is under way."""
        with contextlib.closing(sqlite3.connect(f"file:{self.server.database}?mode=ro", uri=True)) as db:
            wait_for("test runs have ended", lambda: not db.execute("SELECT 1 FROM testruns WHERE end_us IS NULL").fetchall(), 30)

    # ---------------------------------------------------------------- fresh objects, to be changed or deleted

    @staticmethod
    def name(prefix="x"):
        return f"{prefix}{next(numbers)}"

    def new_app(self):
        return self.api.create("/api/v1/apps/", {"name": self.name("app"), "repo_url": "https://git.example.com/x.git"})

    def new_buildpack(self):
        return self.api.create("/api/v1/buildpacks/", {"repo_url": f"https://git.example.com/{self.name('pack')}.git"})

    def new_build(self):
        return self.api.create("/api/v1/builds/", {"app": self.app, "tag": self.name("t")})

    def new_ingredient(self):
        return self.api.create("/api/v1/ingredients/", {"name": self.name("ingredient")})

    def new_squad(self):
        return self.api.create("/api/v1/squads/", {"name": self.name("squad")})

    def new_host(self):
        return self.api.create("/api/v1/hosts/", {"name": self.name("host"), "active": False})

    def new_swarm(self, **more):
        return self.api.create("/api/v1/swarms/", {
            "app": self.app, "squad": self.squad, "config_name": self.name("c"), "proc_name": "web", "version": "v2", **more})

    def new_user(self):
        return self.api.create("/api/v1/user/", {"username": self.name("user"), "password": PASSWORD})

    def new_stack(self):
        return self.api.create("/api/v1/stacks/", {"name": self.name("stack")})

    def new_dashboard(self):
        return self.api.create("/api/v1/dashboard/", {"name": self.name("Board ")})

    def new_token(self):
        return self.api.create("/api/v1/tokens/", {"name": self.name("token")})

    def new_rollout(self):
        """One that is under way and stays so: nobody finds out what its tag is."""
        swarm = self.new_swarm(version=HELD, size=1)
        return "/api/v1/rollouts/" + self.api.must("POST", f"{swarm}swarm/").json["swarm_id"] + "/"

    def cancelled_rollout(self):
        """Id of one that ended without being done."""
        rollout = self.new_rollout()
        self.api.must("POST", f"{rollout}cancel/")
        trace = rollout.split("/")[-2]
        self.ended(trace, "cancelled")
        return trace

    def new_proc(self):
        """One without a swarm; its id and name."""
        port = 5500 + next(numbers)
        self.api.must("POST", f"{self.release}deploy/", {"config_name": "prod", "host": HOST, "proc": "web", "port": port})
        return self.api.get(f"/api/v1/procs/?port={port}")["objects"][0]

    def stop(self):
        if self.agent:
            self.agent.stop()
        self.server.stop()

