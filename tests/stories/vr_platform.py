# SPDX-License-Identifier: MIT
"""A whole platform in a folder of its own: installed programs, server, agents, command line."""
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile

import vr_leaks
from vr_api import Api
from vr_apps import Repository
from vr_wait import wait_for

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VR_BUILD", os.path.join(SOURCE, "build"))
PORTS = 60
UP_SECS = 30
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def alive(pid):
    return os.path.exists(f"/proc/{pid}") and not vr_leaks.is_zombie(pid)


class Programs:
    """The built programs as they would be installed, readable by the accounts that run them."""

    def __init__(self, root):
        self.vr = os.path.join(root, "bin", "vr")
        share = os.path.join(root, "share", "velociraptor")
        libexec = os.path.join(root, "libexec", "velociraptor")
        for folder in (os.path.dirname(self.vr), share, libexec):
            os.makedirs(folder, 0o755)
        shutil.copy(os.path.join(BUILD, "src/cli/vr"), self.vr)
        shutil.copy(os.path.join(BUILD, "src/shim/vr-shim"), libexec)
        shutil.copytree(os.path.join(SOURCE, "buildpacks"), os.path.join(share, "buildpacks"))


class Cli:
    """Runs `vr` as a user who logged in, with a configuration of his own."""

    def __init__(self, vr, home, url):
        self.vr = vr
        self.environment = dict(ENVIRONMENT, HOME=home, XDG_CONFIG_HOME=home, VR_URL=url, NO_COLOR="1")

    def __call__(self, *words, code=0, secs=90, stdin=None):
        """Returns what it printed; fails unless it ends with this code (None: any)."""
        run = self.run(*words, secs=secs, stdin=stdin)
        assert code is None or run.returncode == code, \
            f"vr {' '.join(words)}: exit {run.returncode}, not {code}\n{run.stdout}\n{run.stderr}"
        return run.stdout

    def fails(self, *words, code=1, secs=90):
        """Returns what it said on standard error; fails unless it ends with this code."""
        run = self.run(*words, secs=secs)
        assert run.returncode == code, f"vr {' '.join(words)}: exit {run.returncode}, not {code}\n{run.stderr}"
        return run.stderr

    def run(self, *words, secs=90, stdin=None):
        return subprocess.run([self.vr, *words], env=self.environment, input=stdin, capture_output=True, text=True,
                              timeout=secs, check=False)

    def start(self, *words, **more):
        return subprocess.Popen([self.vr, *words], env=self.environment, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, **more)


class Program:
    """A server or an agent: started, killed, started again; its log goes on in one file."""

    def __init__(self, argv, log, user=None, netns=None):
        self.argv = argv
        self.log = log
        self.user = user
        self.netns = netns
        self.child = None

    def start(self):
        account = pwd.getpwnam(self.user) if self.user else None
        argv = ["nsenter", f"--net=/run/netns/{self.netns}", *self.argv] if self.netns else self.argv
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT,
                                          cwd="/", start_new_session=True, user=account and account.pw_uid,
                                          group=account and account.pw_gid, extra_groups=[] if account else None)

    def kill(self, sig=signal.SIGKILL, secs=20):
        if self.child:
            self.child.send_signal(sig)
            self.child.wait(secs)
            self.child = None

    def is_running(self):
        return self.child is not None and self.child.poll() is None


class Host:
    """One agent with folders of its own."""

    def __init__(self, platform, name, roles, address, netns=None, squad="default"):
        self.platform = platform
        self.name = name
        folder = os.path.join(platform.root, "hosts", name)
        self.state_dir = os.path.join(folder, "state", "agent")
        self.run_dir = os.path.join(folder, "run", "agent")
        for path in (self.state_dir, self.run_dir):
            os.makedirs(path, 0o711)
        self.options = ["--server", platform.url, "--name", name, "--address", address, "--roles", roles,
                        "--squad", squad, "--join-token-file", platform.join_token, "--state-dir", self.state_dir,
                        "--run-dir", self.run_dir, *platform.agent_options, *(["--insecure"] if netns else [])]
        self.xmlrpc_port = vr_leaks.free_port()
        self.options += ["--xmlrpc-listen", f"127.0.0.1:{self.xmlrpc_port}"]
        self.log = os.path.join(folder, "agent.log")
        self.program = Program([platform.programs.vr, "agent", *self.options], self.log, netns=netns)

    def containers(self):
        """{container id: pids} of what runs."""
        return vr_leaks.container_pids(self.state_dir)

    def down(self):
        """What `vr down` does to a host."""
        self.program.kill(signal.SIGTERM)
        argv = [self.platform.programs.vr, "agent", "down", *self.options]
        if self.program.netns:
            argv = ["nsenter", f"--net=/run/netns/{self.program.netns}", *argv]
        with open(self.log, "ab") as log:
            subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT, timeout=90,
                           check=True)


class Platform:
    """Server, a first host and whoever joins; everything below `root`."""

    def __init__(self, name, listen="127.0.0.1", driver="haproxy", first_host=None, options=None, ports=PORTS,
                 config=None, agent_options=()):
        self.root = tempfile.mkdtemp(prefix=f"vr-story-{name}-")
        os.chmod(self.root, 0o755)
        self.programs = Programs(self.root)
        self.listen = listen
        self.config, self.agent_options = config or {}, agent_options
        self.port, self.http_port = vr_leaks.free_port(), vr_leaks.free_port()
        self.ports = ports
        self.first_port = vr_leaks.free_range(ports)
        self.url = f"http://{listen}:{self.port}"
        self.data_dir = os.path.join(self.root, "server")
        self.join_token = os.path.join(self.data_dir, "join-token")
        self.hosts = {}
        self.first_host = first_host or f"{name}-{os.getpid()}"
        self.server = self.make_server(driver, options or {})
        self.api = self.cli = None

    def make_server(self, driver, options):
        account = pwd.getpwnam("velociraptor")
        os.makedirs(self.data_dir, 0o700)
        os.chown(self.data_dir, account.pw_uid, account.pw_gid)
        config = {"listen": f"{self.listen}:{self.port}", "data_dir": self.data_dir,
                  "port_range": f"{self.first_port}-{self.first_port + self.ports - 1}",
                  "join_token_file": self.join_token,
                  "balancers": {"default": {"BACKEND": driver, "hosts": [self.first_host],
                                            "options": {"bind": f"{self.listen}:{self.http_port}", **options}}}}
        config.update(self.config)
        path = os.path.join(self.root, "server.yaml")
        with open(path, "w") as file:
            json.dump(config, file, indent=1)  # JSON is YAML
        return Program([self.programs.vr, "server", "--config", path], os.path.join(self.root, "server.log"),
                       user="velociraptor")

    # ---------------------------------------------------------------- life

    def start(self, roles="app,build,balancer", netns=None):
        self.server.start()
        self.await_server()
        self.log_in()
        self.add_host(self.first_host, roles, self.listen, netns=netns)
        return self

    def await_server(self):
        def healthy():
            assert self.server.is_running(), f"the server ended:\n{vr_leaks.read(self.server.log)[-3000:]}"
            try:
                return Api(self.url, None, None).call("GET", "/healthz").status == 200
            except OSError:
                return False
        wait_for("the server answers", healthy, UP_SECS)

    def log_in(self):
        with open(os.path.join(self.data_dir, "initial-password")) as file:
            password = file.read().strip()
        self.api = Api(self.url, "admin", password)
        home = os.path.join(self.root, "home")
        os.makedirs(home, 0o700)
        self.cli = Cli(self.programs.vr, home, self.url)
        insecure = [] if self.listen == "127.0.0.1" else ["--insecure"]
        self.cli("login", self.url, "--username", "admin", "--password-stdin", *insecure, stdin=password + "\n")

    def add_host(self, name, roles="app", address="127.0.0.1", netns=None, squad="default"):
        host = self.hosts[name] = Host(self, name, roles, address, netns, squad)
        host.program.start()
        wait_for(f"host {name} is live", lambda: self.host_state(name) == "live", UP_SECS)
        return host

    @property
    def host(self):
        return self.hosts[self.first_host]

    def host_state(self, name):
        answer = self.api.call("GET", f"/api/v1/hosts/{name}/")
        return answer.json.get("state") if answer.status == 200 else None

    def stop(self):
        """End everything, then say what is left."""
        for host in self.hosts.values():
            host.down()
        self.server.kill(signal.SIGTERM)

    def remove(self):
        shutil.rmtree(self.root)

    # ---------------------------------------------------------------- what is left

    def steady_processes(self):
        """The programs that are there while no proc is: pids."""
        return {pid for pid, command in vr_leaks.processes(self.root).items()
                if re.search(r"(bin/vr (server|agent)|balancer-worker)\b|haproxy|nginx", command)}

    def leaks(self, at_end=False):
        """Sentences about what should not be there. While it runs: anything of a proc, build or test."""
        found = []
        steady = set() if at_end else self.steady_processes()
        found += [f"process {pid}: {command}" for pid, command in vr_leaks.processes(self.root).items()
                  if pid not in steady]
        found += [f"cgroup {path}" for path in vr_leaks.cgroups(self.root)]
        found += [f"port {port} is listened on"
                  for port, inode in vr_leaks.listening(self.first_port, self.first_port + self.ports - 1).items()
                  if not vr_leaks.has_owner_elsewhere(inode, self.root)]
        if at_end:
            found += [f"folder {name} beneath a hidden mount point" for name in vr_leaks.hidden_cgroups(self.root)]
            found += [f"mount {path}" for path in vr_leaks.mounts(self.root)]
            found += [f"loop device {loop}" for loop in vr_leaks.loops(self.root)]
        else:
            found += [f"mount {path}" for path in vr_leaks.mounts(self.root)
                      if not path.endswith("/run/agent") and "/run/agent/mounts" not in path]
        return found

    # ---------------------------------------------------------------- apps

    def repository(self, name):
        return Repository(os.path.join(self.root, "repos", name))

    def app(self, name, repository=None):
        repository = repository or self.repository(name)
        self.api.create("/api/v1/apps/", {"name": name, "repo_url": repository.url, "repo_type": "git"})
        return repository

    def swarm(self, app, proc="web", size=1, pool=True, config="prod", squad="default", **fields):
        """A swarm of the app; returns its path in the API."""
        fields.setdefault("config_ingredients", [])
        if pool:
            fields.setdefault("pool", app)
            fields.setdefault("balancer", "default")
        fields.update(app=f"/api/v1/apps/{app}/", config_name=config, proc_name=proc, size=size,
                      squad=f"/api/v1/squads/{squad}/")
        return self.api.create("/api/v1/swarms/", fields)

    def clear(self):
        """Scale every swarm to nothing and wait until nothing of it is there."""
        for swarm in self.api.objects("/api/v1/swarms/"):
            uri = swarm["resource_uri"]
            for row in self.api.objects("/api/v1/rollouts/?state=active") + \
                    self.api.objects("/api/v1/rollouts/?state=queued"):
                if row["swarm"] == uri:
                    self.api.call("POST", row["resource_uri"] + "cancel/")
                    self.api.ended(row["id"])
            if self.api.procs(uri):
                self.api.done(self.api.dispatch(uri, kind="scale", size=0))
            self.api.delete(uri)

    def fetch(self, pool, path="/", port=None):
        """(status, body) of a request to the balancer; status 0 is no answer."""
        api = Api(f"http://{self.listen}:{port or self.http_port}", None, None)
        try:
            answer = api.call("GET", path, headers={"Host": f"{pool}.local"})
        except OSError as error:
            return 0, str(error)
        return answer.status, answer.body.strip()

    def logs(self, lines=60):
        texts = [("server.log", self.server.log)] + [(f"agent of {h.name}", h.log) for h in self.hosts.values()]
        return [(title, "\n".join(vr_leaks.read(path).splitlines()[-lines:])) for title, path in texts]
