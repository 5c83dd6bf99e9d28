# SPDX-License-Identifier: MIT
"""A host that only says that it does what it is told: it builds, runs and routes everything at once, in one thread."""
import hashlib
import threading

from vr_client import Client

HELD = "held"  # a tag whose jobs never end
SLUG = b"hsqs: a slug that nobody mounts"
PROCFILE = {"web": "run web", "worker": "run worker"}
DESIRED_SECS = 1


class FakeAgent:
    def __init__(self, port, join_token, name, roles=("app", "build", "balancer"), squad="default", works=True):
        self.client = Client("127.0.0.1", port)
        self.name, self.roles, self.squad = name, list(roles), squad
        self.works = works  # False: it takes jobs and procs, and nothing comes of them
        self.fails_tests = False
        answer = self.client.must("POST", "/agent/v1/enroll", {
            "join_token": join_token, "name": name, "address": "127.0.0.1", "squad": squad, "roles": self.roles,
            "boot": "boot-1", "version": "0.1.0", "facts": {"cpus": 2}}, headers={"X-Velociraptor-Protocol": "1"}).json
        self.session, self.seq, self.rev = answer["session"], 0, 0
        self.client.authorization = "Bearer " + answer["host_token"]
        self.logged = set()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.live, daemon=True)
        self.report(full=True)
        self.thread.start()

    def call(self, method, path, body=None, **more):
        return self.client.call(method, path, body, headers={"X-Velociraptor-Protocol": "1"}, **more)

    def report(self, procs=(), jobs=(), pools=(), full=False):
        self.seq += 1
        answer = self.call("POST", "/agent/v1/report", {
            "session": self.session, "seq": self.seq, "boot": "boot-1", "rev": self.rev, "full": full, "procs": list(procs),
            "jobs": list(jobs), "pools": list(pools), "usage": {"load1": 0.1}})
        if answer.status == 409:
            self.session, self.rev = answer.json["session"], 0
        else:
            assert answer.status == 200, answer

    def live(self):
        wait = 0
        while not self.stopping.is_set():
            answer = self.call("GET", f"/agent/v1/desired?rev={self.rev}&session={self.session}&wait={wait}")
            wait = DESIRED_SECS
            if answer.status == 204:
                self.report()  # a heartbeat
                continue
            if answer.status != 200:
                return
            state = answer.json
            self.rev, self.session = state["rev"], state["session"]
            for stream in state["streams"]:
                line = f"2026-01-31T12:00:00.000000Z out proc {stream['proc']} says hello\n"
                self.call("POST", f"/agent/v1/streams/{stream['id']}?end=1", raw=line.encode())
            procs = [self.proc(p) for p in state["procs"]] if self.works else []
            jobs = [self.job(j) for j in state["jobs"] if j["spec"]["tag"] != HELD] if self.works else []
            pools = [self.pool(b["name"], p) for b in state["balancers"] for p in b["pools"]]
            self.report(procs, jobs, pools)

    def proc(self, p):
        runs = p["desired"] == "run"
        told = {"id": p["id"], "epoch": p["epoch"], "actual": "running" if runs else "stopped",
                "since_us": 1790000000000000, "pid": 4711 if runs else 0, "generation": 1, "restarts": p["restart_n"],
                "message": "", "code": "", "rss_bytes": 12345678, "cpu_us": 230000}
        if runs and p["test_n"]:
            told["test"] = {"n": p["test_n"], "state": "failed" if self.fails_tests else "passed",
                            "results": [{"Name": "01_answers", "Output": "", "Passed": not self.fails_tests}]}
        return told

    def job(self, j):
        commit = hashlib.sha1(j["spec"]["tag"].encode()).hexdigest()
        if j["kind"] == "resolve":
            packs = [{"url": b["url"], "commit": commit} for b in j["spec"]["buildpacks"]]
            return {"id": j["id"], "state": "done", "result": {"commit": commit, "buildpacks": packs}}
        slug = SLUG + str(j["id"]).encode()
        sha256 = hashlib.sha256(slug).hexdigest()
        answer = self.call("PUT", f"/agent/v1/blobs/{sha256}", raw=slug)
        assert answer.status in (200, 201), answer
        return {"id": j["id"], "state": "done", "log_at": 0, "log": "-----> it compiles\n", "result": {
            "commit": j["spec"].get("commit") or commit, "file_md5": hashlib.md5(slug).hexdigest(), "file_sha256": sha256,
            "file_bytes": len(slug), "procfile": PROCFILE, "config_vars": {"PATH": "/app/bin"},
            "buildpack_url": "builtin:nodejs", "buildpack_version": "1"}}

    @staticmethod
    def pool(balancer, p):
        nodes = [{"id": n["id"], "state": n["state"], "check": "up", "connections": 0} for n in p["nodes"]]
        return {"balancer": balancer, "pool": p["name"], "applied": p["generation"], "confirmed": p["generation"],
                "error": "", "nodes": nodes}

    def stop(self):
        self.stopping.set()
        self.thread.join(DESIRED_SECS + 10)
        self.client.close()
