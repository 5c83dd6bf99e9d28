# SPDX-License-Identifier: MIT
"""A second and a third host, each in a network namespace: spread, lost, replaced, returned."""
import os
import signal
import time

import pytest

import vr_leaks
from conftest import ended, started
from http_load import Load
from vr_netns import Network
from vr_wait import wait_for

GRACE_SECS = 16
REPLACED_SECS = 20 + 5  # lost after 15 s without a word, then the gate; and a busy machine


class Cluster:
    """Three hosts; the first, `a`, has the server, the builder and the balancer beside it."""

    def __init__(self):
        self.net, self.platform = Network(), None
        self.born = time.monotonic()
        try:
            self.net.enter(self.net.core)
            self.platform = started("hosts", listen="10.77.0.1", first_host="a")
            self.platform.start(netns=self.net.core)
            for word, address in (("b", "10.77.0.2"), ("c", "10.77.0.3")):
                self.platform.add_host(word, address=address, netns=self.net.machine(word, address))
        except BaseException:
            self.end()
            raise

    def await_grace(self):
        """A server that has just started calls no host lost."""
        wait_for("the server's grace is over", lambda: time.monotonic() - self.born > GRACE_SECS, GRACE_SECS + 5)

    def hosts_of(self, swarm):
        return sorted(p["host"] for p in self.platform.api.procs(swarm) if p["statename"] == "RUNNING")

    def replaced(self, swarm, lost):
        """Three procs run, and none on the lost host: of one answer, for the next may be newer."""
        hosts = self.hosts_of(swarm)
        return len(hosts) == 3 and lost not in hosts

    def mend(self):
        """What a failed test left dead or cut off must not fail the next."""
        for word, host in self.platform.hosts.items():
            if host.program.netns != self.net.core:
                self.net.mend(word)
            if not host.program.is_running():
                host.program.start()
            wait_for(f"host {word} is live", lambda name=word: self.platform.host_state(name) == "live")

    def end(self):
        try:
            if self.platform:
                ended(self.platform)
        finally:
            self.net.remove()


@pytest.fixture(scope="module", name="cluster")
def fixture_cluster():
    cluster = Cluster()
    yield cluster
    cluster.end()


@pytest.fixture(name="swarm")
def fixture_swarm(cluster, name):
    platform = cluster.platform
    repository = platform.app(name)
    repository.web("v1")
    repository.web("v2")
    swarm = platform.swarm(name, size=3)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    yield swarm
    cluster.mend()
    platform.clear()
    wait_for("nothing is left", lambda: not any(h.containers() for h in platform.hosts.values()), 20)


def test_spread(cluster, swarm, name):
    assert cluster.hosts_of(swarm) == ["a", "b", "c"]
    platform = cluster.platform
    hosts = {platform.fetch(name, "/pid")[1].split()[1] for _ in range(20)}
    assert len(hosts) >= 1
    with Load("10.77.0.1", platform.http_port, host=f"{name}.local", keep=2, fresh=1) as load:
        platform.api.done(platform.api.dispatch(swarm, "v2"))
    assert load.counts.failed == 0, load.counts.errors
    assert cluster.hosts_of(swarm) == ["a", "b", "c"]


def kill_host(host):
    """Power off: the agent and everything it ran."""
    host.program.kill()
    for _ in range(3):
        found = vr_leaks.processes(os.path.dirname(os.path.dirname(host.state_dir)))
        for pid in sorted(found, key=lambda pid: "vr-shim" not in found[pid]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
    wait_for("the host is dead", lambda: not host.containers())


def test_a_host_lost_and_returned(cluster, swarm, name):
    platform, api = cluster.platform, cluster.platform.api
    host = platform.hosts["c"]
    cluster.await_grace()
    begin = time.monotonic()
    kill_host(host)
    wait_for("the lost proc is replaced", lambda: cluster.replaced(swarm, "c"), REPLACED_SECS)
    took = time.monotonic() - begin
    state, answer = platform.host_state("c"), platform.fetch(name)
    assert state in ("lost", "gone") and answer == (200, "v1"), (state, answer)
    host.program.start()
    wait_for("the host is live", lambda: platform.host_state("c") == "live")
    wait_for("it runs no duplicate", lambda: not host.containers(), 15)
    assert len(api.procs(swarm)) == 3
    print(f"replaced after {took:.1f} s")
    # It takes new work.
    api.done(api.dispatch(swarm, "v2"))
    assert cluster.hosts_of(swarm) == ["a", "b", "c"]


def test_a_cable_cut_and_mended(cluster, swarm, name):
    """The host goes on running alone; what it runs is a duplicate when it returns, and is stopped unserved."""
    platform, api = cluster.platform, cluster.platform.api
    host = platform.hosts["b"]
    old = next(p for p in api.procs(swarm) if p["host"] == "b")
    cluster.await_grace()
    begin = time.monotonic()
    cluster.net.cut("b")
    try:
        wait_for("the lost proc is replaced", lambda: cluster.replaced(swarm, "b"), REPLACED_SECS)
        print(f"replaced after {time.monotonic() - begin:.1f} s")
        assert host.containers(), "apps outlive the connection"
        # A deploy goes on without it.
        api.done(api.dispatch(swarm, "v2"))
    finally:
        cluster.net.mend("b")
    with Load("10.77.0.1", platform.http_port, host=f"{name}.local", keep=2, fresh=1) as load:
        wait_for("the host is live", lambda: platform.host_state("b") == "live", 30)
        wait_for("its old proc is stopped", lambda: not host.containers(), 20)
    assert load.counts.failed == 0 and set(load.counts.seen) == {"v2"}, (load.counts.errors, load.counts.seen)
    wait_for("the server knows", lambda: old["proc_id"] not in {p["proc_id"] for p in api.procs(swarm)})
    assert len(cluster.hosts_of(swarm)) == 3
