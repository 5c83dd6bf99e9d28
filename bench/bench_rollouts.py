# SPDX-License-Identifier: MIT
"""Rollouts: how long one takes without the app's own boot, and what clients notice of twenty."""
import datetime
import re
import shutil
import subprocess
import sys
import time

from bench_platform import percentile, platform, result, tiny_app
from http_load import Load

DISPATCHES = 20
SIZE = 4
ROLLOUTS = 20
LOAD_SECS = 80  # well over 250,000 requests, also where clients share two cores with everything
WRK_MAX_SECS = 1200
POLICY = {"start_secs": 0, "drain_secs": 5}


def when(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def dispatch():
    """From the request to the confirmation by the balancer, both as the server recorded them.

    The app is a static C program: it listens within a millisecond of its first instruction, so that
    nothing is subtracted for its boot. Every proc passes an uptest in a container of its own.
    """
    with platform("dispatch") as made:
        commits = tiny_app(made)
        swarm = made.swarm("tiny", size=SIZE, **POLICY)
        for version in ("v1", "v2"):
            made.api.done(made.api.dispatch(swarm, commits[version]))
        routed, done = [], []
        for n in range(DISPATCHES):
            made.api.patch(swarm, {"version": commits["v1" if n % 2 == 0 else "v2"]})
            time.sleep(0.3)  # an idle host, as between deploys
            row = made.api.done(made.api.must("POST", swarm + "swarm/").json["swarm_id"])
            begin = when(row["created"])
            route = [s for s in row["steps"] if s["step"] == "route"][-1]
            routed.append((when(route["ended"]) - begin).total_seconds() * 1000)
            done.append((when(row["ended"]) - begin).total_seconds() * 1000)
        for p in (50, 99):
            result("dispatch", f"p{p}_ms", percentile(routed, p), "ms", DISPATCHES,
                   "docker swarm, 4 replicas to running, ungated" if p == 50 else None, 780 if p == 50 else None)
        result("dispatch", "p50_done_ms", percentile(done, 50), "ms", DISPATCHES)
        made.clear()


class Wrk:
    """wrk on kept connections until it is told to end: SIGINT makes it print what it counted."""

    def __init__(self, made):
        self.child = subprocess.Popen(
            ["wrk", "-t", "1", "-c", "8", "-d", f"{WRK_MAX_SECS}s", "--timeout", "15s", "-H", "Host: tiny.local",
             f"http://127.0.0.1:{made.http_port}/"], stdout=subprocess.PIPE, text=True)

    def stop(self):
        """Returns requests and failures."""
        self.child.send_signal(2)
        text = self.child.communicate(timeout=30)[0]
        requests = int(re.search(r"(\d+) requests in", text).group(1))
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        other = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        failed = sum(map(int, errors.groups())) if errors else 0
        return requests, failed + (int(other.group(1)) if other else 0)


def change(made, swarm, versions, secs=0):
    """Roll out these two in turns, twenty times and at least so long; returns how often."""
    begin = time.monotonic()
    n = 0
    while n < ROLLOUTS or time.monotonic() - begin < secs:
        made.api.done(made.api.dispatch(swarm, versions[n % 2]), 120)
        n += 1
    return n


def prepared(made, **policy):
    tiny_app(made)
    swarm = made.swarm("tiny", size=SIZE, **{**POLICY, **policy})
    made.api.done(made.api.dispatch(swarm, "v2"))
    made.api.done(made.api.dispatch(swarm, "v1"))
    return swarm


def explain(counts):
    """The first failures, for whoever has to find out why."""
    for error in counts.errors:
        print(error, file=sys.stderr)


def rollout():
    if not shutil.which("wrk"):
        raise SystemExit("bench rollout: needs wrk")
    with platform("rollout") as made:
        swarm = prepared(made)
        wrk = Wrk(made)
        with Load("127.0.0.1", made.http_port, host="tiny.local", keep=2, fresh=4, pause=0.005) as load:
            n = change(made, swarm, ("v2", "v1"), LOAD_SECS)
        requests, failed = wrk.stop()
        counts = load.counts
        result("rollout", "requests", requests + counts.requests, "requests", n)
        result("rollout", "failed", failed + counts.failed, "requests", n, "naive nginx swap, share", 0.097)
        result("rollout", "fresh_requests", counts.fresh, "requests", n)
        result("rollout", "fresh_failed", counts.fresh_failed, "requests", n)
        explain(counts)
        made.clear()
    nginx()


def nginx():
    """Reloads close idle kept connections: clients that repeat such a request see no failure."""
    if not shutil.which("nginx"):
        return
    with platform("nginx", driver="nginx") as made:
        swarm = prepared(made, drain_secs=1)  # nginx counts no connections: every drain takes its whole time
        with Load("127.0.0.1", made.http_port, host="tiny.local", keep=4, fresh=4, pause=0.002,
                  retry_idle_close=True) as load:
            n = change(made, swarm, ("v2", "v1"))
        counts = load.counts
        result("rollout", "nginx_requests", counts.requests, "requests", n)
        result("rollout", "nginx_fresh_requests", counts.fresh, "requests", n)
        result("rollout", "nginx_fresh_failed", counts.fresh_failed, "requests", n)
        result("rollout", "nginx_retrying_keepalive_failed", counts.kept_failed, "requests", n)
        result("rollout", "nginx_idle_closes_retried", counts.retried, "requests", n)
        explain(counts)
        made.clear()
