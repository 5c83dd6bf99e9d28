# SPDX-License-Identifier: MIT
"""The API under load: lists, details and changes, beside the long-polls of 1,000 idle hosts; then with 10,000 procs."""
import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "api"))

# pylint: disable=wrong-import-position
from bench_platform import result  # noqa: E402
from vr_client import Client  # noqa: E402
from vr_world import World  # noqa: E402

SWARMS = 100
PROCS_OF_EACH = 2   # gives about the 480 kB that the target is for
MANY_PROCS = 10_000
HOSTS = 1_000
SECS = 5
CONNECTIONS = 4
BODY_BYTES = 480_000
TICKS = os.sysconf("SC_CLK_TCK")


def fill(world, swarms, procs):
    """Swarms like the world's own, each with procs like its first; the rows are copied in the database."""
    with contextlib.closing(sqlite3.connect(world.server.database)) as db, db:
        def columns(table):
            return [row[1] for row in db.execute(f"PRAGMA table_info({table})")]

        def copy(table, source, **changed):
            names = [name for name in columns(table) if name != "id"]
            values = [changed.get(name, name) for name in names]
            texts = [f"'{v}'" if n in changed and isinstance(v, str) else str(v) for n, v in zip(names, values)]
            return db.execute(f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(texts)} FROM {table} WHERE id = {source}").lastrowid

        proc = world.proc["proc_id"]
        for i in range(swarms):
            swarm = copy("swarms", world.swarm.split("/")[-2], config_name=f"bench{i}_{procs}", current_rollout="NULL", pool="NULL")
            for k in range(procs):
                copy("procs", proc, name=f"hello-v2-bench{i}-{k:08x}-web-{k}", swarm_id=swarm, port=0, pool_id="NULL", desired="run")


def cpu_secs(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) / 1024


@contextlib.contextmanager
def idle_hosts(server, count):
    """Long-polls that nobody answers: each host has seen its state and waits for the next."""
    client = Client("127.0.0.1", server.port)
    token = server.read("join-token")
    sockets = []
    try:
        for i in range(count):
            answer = client.must("POST", "/agent/v1/enroll", {
                "join_token": token, "name": f"idle{i}", "address": "127.0.0.1", "squad": None, "roles": ["app"], "boot": "b",
                "version": "0.1.0", "facts": {}}, headers={"X-Velociraptor-Protocol": "1"}).json
            head = {"X-Velociraptor-Protocol": "1", "Authorization": "Bearer " + answer["host_token"]}
            state = client.must("GET", "/agent/v1/desired?rev=0&session=0&wait=0", headers=head).json
            s = socket.create_connection(("127.0.0.1", server.port))
            lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
            s.sendall(f"GET /agent/v1/desired?rev={state['rev']}&session={state['session']}&wait=60 HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
            sockets.append(s)
        yield
    finally:
        for s in sockets:
            s.close()


class Load:
    """wrk on one server, with a token; figures of each run."""

    def __init__(self, server, token):
        self.server, self.token = server, token

    def run(self, path, method="GET", body=None, headers=None):
        script = [f'wrk.method = "{method}"', f'wrk.headers["Authorization"] = "Bearer {self.token}"',
                  'wrk.headers["Content-Type"] = "application/json"']
        script += [f'wrk.body = {json_text(body)}'] if body else []
        script += [f'wrk.headers["{name}"] = {json_text(value)}' for name, value in (headers or {}).items()]
        with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
            file.write("\n".join(script))
            file.flush()
            before = cpu_secs(self.server.child.pid)
            done = subprocess.run(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", f"{SECS}s", "--latency", "-s", file.name, self.server.url + path],
                                  capture_output=True, text=True, check=True).stdout
        cpu = cpu_secs(self.server.child.pid) - before
        assert "Non-2xx" not in done or headers, done
        requests = int(re.search(r"(\d+) requests in", done).group(1))
        times = {p: in_ms(value) for p, value in re.findall(r"^\s+(50|99)%\s+(\S+)$", done, re.M)}
        return {"n": requests, "per_sec": requests / SECS, "per_core": requests / cpu, "p50_ms": times["50"], "p99_ms": times["99"]}


def json_text(text):
    return "'" + text.replace("'", "\\'") + "'"


def in_ms(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def report(name, run, per_core=None, p99_ms=None):
    result("api", f"{name}_per_core", run["per_core"], "req/s", run["n"], "target" if per_core else None, per_core)
    result("api", f"{name}_per_sec", run["per_sec"], "req/s", run["n"])
    result("api", f"{name}_p50_ms", run["p50_ms"], "ms", run["n"])
    result("api", f"{name}_p99_ms", run["p99_ms"], "ms", run["n"], "target" if p99_ms else None, p99_ms)


def measure(world, token):
    server, load = world.server, Load(world.server, token)
    page = f"/api/v1/swarms/?app__name=hello&config_name__startswith=bench&limit={SWARMS}"
    chosen = page + "&fields=id,app_name,config_name,proc_name,version,size,resource_uri"
    answer = server.admin.call("GET", page)
    assert answer.json["meta"]["total_count"] >= SWARMS
    result("api", "list_full_bytes", len(answer.body), "bytes", SWARMS, "target", BODY_BYTES)
    full = load.run(page)
    report("list_full", full)
    result("api", "list_full_480kb_per_core", full["per_core"] * len(answer.body) / BODY_BYTES, "req/s", full["n"], "target", 200)
    report("list_fields", load.run(chosen), per_core=1500)
    report("detail", load.run(world.swarm))
    apps = "/api/v1/apps/"
    etag = server.admin.call("GET", apps).headers["ETag"]
    report("list_unchanged_304", load.run(apps, headers={"If-None-Match": etag}))
    report("patch", load.run(world.swarm, "PATCH", '{"size": 2}'))
    result("api", "server_rss_mb", rss_mb(server.child.pid), "MB", HOSTS, "target", 100)


def api():
    world = World()
    try:
        token = world.api.must("POST", "/api/v1/tokens/", {"name": "bench"}).json["token"]
        fill(world, SWARMS, PROCS_OF_EACH)
        with idle_hosts(world.server, HOSTS):
            measure(world, token)
        fill(world, 1, MANY_PROCS)
        load = Load(world.server, token)
        for name, path in (("procs_page", "/api/v1/procs/?limit=100"), ("procs_last_page", f"/api/v1/procs/?limit=100&offset={MANY_PROCS - 100}"),
                           ("swarms_page", "/api/v1/swarms/?config_name__endswith=_2&limit=100&fields=id,shortname,procs_uri,size")):
            report(f"10000_procs_{name}", load.run(path), p99_ms=50)
    finally:
        world.stop()
