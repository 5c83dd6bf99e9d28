# SPDX-License-Identifier: MIT
"""Starts and restarts of containers, and memory of agent and shims.

The bundle is the one that the agent wrote for a proc of the tiny app, copied under another name, so
that shim and peer run exactly what the platform runs. Times are the app's own: its first
instruction prints CLOCK_MONOTONIC, which containers share.
"""
import ctypes
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from bench_platform import percentile, platform, result, tiny_app
from vr_leaks import read
from vr_wait import wait_for

STARTS = 100
RESPAWNS = 60
PEER_RESPAWNS = 5
SHIM_FILES = ("sock", "lock", "state", "out", "err", "exits", "status", "shim.log")
IDLE_GAP_SECS = (0.06, 0.12)  # before each start: on a busy host starts are twice as fast
PROCS = 100
CLONE_NEWNS = 0x20000
MS_SLAVE, MS_REC = 1 << 19, 1 << 14
MNT_DETACH = 2
PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}

libc = ctypes.CDLL(None, use_errno=True)


def idle():
    time.sleep(random.uniform(*IDLE_GAP_SECS))


class Copy:
    """A proc's bundle and shim folder under the name `bench`; run by vr-shim."""

    def __init__(self, made, proc_id):
        host = made.host
        self.shim = os.path.join(os.path.dirname(os.path.dirname(made.programs.vr)), "libexec/velociraptor/vr-shim")
        self.dir = os.path.join(host.run_dir, "procs", "bench")
        self.proc = os.path.join(host.state_dir, "procs", "bench")
        old, mark = str(proc_id), f"-{proc_id}"
        for base in (os.path.join(host.state_dir, "procs"), os.path.join(host.run_dir, "procs")):
            shutil.copytree(os.path.join(base, old), os.path.join(base, "bench"), symlinks=True,
                            ignore=shutil.ignore_patterns(*SHIM_FILES))
            self.adopt_owner(os.path.join(base, old), os.path.join(base, "bench"))
        conf = read(os.path.join(host.run_dir, "procs", old, "shim.conf"))
        self.conf = self.rename(conf, old).replace(mark + "\n", "-bench\n")
        self.conf = re.sub(r"^(log|restart_window_ms|max_restarts)=.*\n", "", self.conf, flags=re.M)
        self.log = os.path.join(self.dir, "log")
        self.conf += f"log={self.log}\nrestart_window_ms=10\nmax_restarts=-1\n"
        self.fields = dict(line.split("=", 1) for line in self.conf.splitlines() if "=" in line)
        with open(os.path.join(self.dir, "shim.conf"), "w", encoding="utf-8") as file:
            file.write(self.conf)
        template = os.path.join(self.fields["bundle"], "config.json.in")
        text = self.rename(read(template), old)
        self.template = text
        with open(template, "w", encoding="utf-8") as file:
            file.write(text)

    @staticmethod
    def adopt_owner(source, target):
        for folder, names, files in os.walk(source):
            for name in [".", *names, *files]:
                st = os.lstat(os.path.join(folder, name))
                copy = os.path.join(target, os.path.relpath(os.path.join(folder, name), source))
                if os.path.lexists(copy):
                    os.lchown(copy, st.st_uid, st.st_gid)

    @staticmethod
    def rename(text, old):
        return re.sub(rf"/procs/{old}\b", "/procs/bench", text)

    def times(self, word, after):
        """CLOCK_MONOTONIC of log lines with this word that are younger."""
        found = [float(m.group(1)) for m in re.finditer(rf"out {word} (\d+\.\d+)", read(self.log))]
        return [t for t in found if t > after]

    def start(self):
        """Returns the seconds from before the spawn of the shim to the app's first instruction."""
        begin = time.monotonic()
        subprocess.run([self.shim, "--dir", self.dir], env=PATH, check=True)
        return wait_for("the app begins", lambda: self.times("begins", begin), every=0.002)[0] - begin

    def ask(self, *words):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
            s.settimeout(10)
            s.connect(os.path.join(self.dir, "sock"))
            s.send(b"".join(word.encode() + b"\0" for word in words))
            return s.recv(16384).decode()

    def stop(self):
        self.ask("kill")
        wait_for("it is stopped", lambda: "phase=stopped" in self.ask("state"), every=0.005)
        self.ask("quit")
        wait_for("the shim is gone", lambda: subprocess.run([self.shim, "--clean", self.dir], env=PATH,
                                                            check=False).returncode == 0)
        if os.path.exists(self.log):
            os.unlink(self.log)

    def remove(self):
        """What the agent would do to the folder of a proc: nobody else knows this one."""
        for path in (self.dir, self.proc, self.proc.replace("/state/", "/run/")):
            shutil.rmtree(path, ignore_errors=True)


class Bare:
    """The same bundle by `crun run`, in a mount namespace that is set up as the shim sets its own up."""

    def __init__(self, copy):
        self.copy = copy
        if libc.unshare(CLONE_NEWNS) < 0 or libc.mount(b"none", b"/", None, MS_SLAVE | MS_REC, None) < 0:
            raise OSError(ctypes.get_errno(), "private mount namespace")
        libc.umount2(b"/sys/fs/cgroup/unified", MNT_DETACH)
        fields = copy.fields
        self.folder = copy.proc + ".bare"
        shutil.copytree(fields["bundle"], self.folder)
        self.upper = [fields[k] + ".bare" for k in ("upper", "work")]
        for path, like in zip(self.upper, ("upper", "work")):
            shutil.copytree(fields[like], path)
            Copy.adopt_owner(fields[like], path)
        options = f"lowerdir={fields['lower']},upperdir={self.upper[0]},workdir={self.upper[1]}"
        if libc.mount(b"overlay", fields["root"].encode(), b"overlay", 0, options.encode()) < 0:
            raise OSError(ctypes.get_errno(), "overlay " + options)
        self.n = 0

    def start(self):
        self.n += 1
        name = f"{self.copy.fields['id']}.bare{self.n}"
        text = self.copy.template.replace("@ID@", name).replace("@CG@", f"/velociraptor/procs/{name}")
        with open(os.path.join(self.folder, "config.json"), "w", encoding="utf-8") as file:
            file.write(text)
        argv = ["crun", "--cgroup-manager=cgroupfs", "--root", self.copy.fields["runtime_root"]]
        begin = time.monotonic()
        with subprocess.Popen([*argv, "run", "-b", self.folder, name], stdout=subprocess.PIPE, text=True, env=PATH,
                              stderr=subprocess.DEVNULL) as child:
            line = child.stdout.readline()
            took = float(line.split()[1]) - begin
            subprocess.run([*argv, "delete", "-f", name], env=PATH, check=False, capture_output=True)
            child.wait(10)
        return took

    def remove(self):
        libc.umount2(self.copy.fields["root"].encode(), MNT_DETACH)
        for path in (self.folder, *self.upper):
            shutil.rmtree(path, ignore_errors=True)


def docker_start():
    """Seconds of `docker run` of a static program to its end, if an engine and an image are there."""
    if not shutil.which("docker") or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return None
    images = subprocess.run(["docker", "images", "-q", "busybox"], capture_output=True, text=True, check=False)
    if not images.stdout.strip():
        return None
    begin = time.monotonic()
    subprocess.run(["docker", "run", "--rm", "--network", "host", "busybox", "true"], check=True, capture_output=True)
    return time.monotonic() - begin


def one_proc(made):
    tiny_app(made, ["v1"])
    swarm = made.swarm("tiny", **{"start_secs": 0})
    made.api.done(made.api.dispatch(swarm, "v1"))
    return made.api.procs(swarm)[0]


def container_start():
    with platform("start") as made:
        copy = Copy(made, one_proc(made)["proc_id"])
        without_port(copy)
        bare = Bare(copy)
        ours, theirs = [], []
        for _ in range(STARTS):
            idle()
            ours.append(copy.start() * 1000)
            copy.stop()
            idle()
            theirs.append(bare.start() * 1000)
        for p in (50, 99):
            result("container_start", f"p{p}_ms", percentile(ours, p), "ms", STARTS, "crun run, same bundle",
                   percentile(theirs, p))
        took = docker_start()
        if took is not None:
            result("container_start", "p50_ms_docker", percentile(ours, 50), "ms", 1, "docker run", took * 1000)
        bare.remove()
        copy.remove()
        made.clear()


def without_port(copy):
    """The copy has no port of its own: its app only says when it began, and sleeps for the shim."""
    folder = copy.proc.replace("/state/", "/run/")
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isfile(path) and "PORT" in read(path):
            with open(path, "r+", encoding="utf-8") as file:
                text = re.sub(r"PORT=\d+", f"PORT={free_port()}", file.read())
                file.seek(0)
                file.truncate()
                file.write(text)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def respawn():
    with platform("respawn") as made:
        copy = Copy(made, one_proc(made)["proc_id"])
        without_port(copy)
        copy.start()
        took = []
        for _ in range(RESPAWNS):
            idle()
            pid = int(re.search(r"pid=(\d+)", copy.ask("state")).group(1))
            begin = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            took.append((wait_for("it listens again", lambda b=begin: copy.times("listens", b), every=0.002)[0] -
                         begin) * 1000)
            wait_for("the shim knows", lambda old=pid: f"pid={old}\0" not in copy.ask("state"))
        copy.stop()
        peer = supervisord(os.path.join(made.root, "tiny"), made)
        for p in (50, 99):
            result("respawn", f"p{p}_ms", percentile(took, p), "ms", RESPAWNS, "supervisord",
                   percentile(peer, p) if peer else None)
        copy.remove()
        made.clear()


def supervisord(program, made):
    """Milliseconds from kill -9 to the next first instruction under supervisord."""
    if not shutil.which("supervisord"):
        return None
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny", "tiny.c")
    subprocess.run(["cc", "-O2", "-static", "-o", program, source], check=True)
    folder = tempfile.mkdtemp(dir=made.root)
    log = os.path.join(folder, "out")
    with open(os.path.join(folder, "conf"), "w", encoding="utf-8") as file:
        file.write(f"[supervisord]\nlogfile={folder}/log\npidfile={folder}/pid\nnodaemon=true\nuser=root\n"
                   f"[program:tiny]\ncommand={program}\nenvironment=PORT=\"{free_port()}\"\nautorestart=true\n"
                   f"startsecs=0\nstdout_logfile={log}\n")
    took = []
    with subprocess.Popen(["supervisord", "-c", os.path.join(folder, "conf")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as daemon:
        def began(after):
            return [t for t in map(float, re.findall(r"begins (\S+)", read(log))) if t > after]
        wait_for("it begins", lambda: began(0))
        for _ in range(PEER_RESPAWNS):
            pid = int(subprocess.run(["pgrep", "-f", "-x", program], capture_output=True, text=True,
                                     check=True).stdout.split()[0])
            begin = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            took.append((wait_for("it begins again", lambda b=begin: began(b), every=0.002)[0] - begin) * 1000)
        daemon.terminate()
    return took


def rollup(pid, *names):
    """Sum of fields of smaps_rollup in kB."""
    text = read(f"/proc/{pid}/smaps_rollup")
    return sum(int(m.group(1)) for name in names for m in re.finditer(rf"^{name}:\s+(\d+)", text, re.M))


def memory():
    with platform("memory", ports=PROCS + 20) as made:
        tiny_app(made, ["v1"], uptests=False)
        swarm = made.swarm("tiny", size=PROCS, **{"start_secs": 0, "start_timeout_secs": 300})
        made.api.done(made.api.dispatch(swarm, "v1"), 300)
        agent = made.host.program.child.pid
        shims = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and
                 read(f"/proc/{pid}/cmdline").split("\0")[1:2] == ["--dir"] and made.root in read(f"/proc/{pid}/cmdline")]
        private = [rollup(pid, "Private_Clean", "Private_Dirty") for pid in shims]
        result("memory", "agent_100_procs_mb", rollup(agent, "Pss") / 1024, "MB", 1, "supervisord, 10 programs (RSS)",
               31)
        result("memory", "agent_100_procs_rss_mb", rollup(agent, "Rss") / 1024, "MB", 1)
        result("memory", "shim_private_kb", sum(private) / len(private), "kB", len(private))
        result("memory", "shim_pss_kb", sum(rollup(pid, "Pss") for pid in shims) / len(shims), "kB", len(shims),
               "containerd-shim (PSS)", 2867)
        made.clear()
