# SPDX-License-Identifier: MIT
"""Events on many streams of one server: how late they come, what the streams cost in memory and threads."""
import contextlib
import os
import selectors
import socket
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "api"))

# pylint: disable=wrong-import-position
from bench_api import rss_mb  # noqa: E402
from bench_platform import percentile, result  # noqa: E402
from vr_world import World  # noqa: E402

STREAMS = 500  # every second one is a WebSocket
EVENTS = 200
PATIENCE_S = 60
PATH = "/api/v1/stream/?kinds=event"
UPGRADE = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


class Stream:
    """One connection; it counts the events that came. A WebSocket's messages are text as well, in frames of their own."""

    def __init__(self, server, token, upgrade):
        self.mark = b'"event":"event"' if upgrade else b"event: event\n"
        self.rest, self.count = b"", 0
        self.socket = socket.create_connection(("127.0.0.1", server.port))
        self.socket.sendall(f"GET {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{UPGRADE if upgrade else ''}\r\n".encode())
        wanted = b"101" if upgrade else b"200"
        assert self.socket.recv(65536).split()[1] == wanted
        self.socket.setblocking(False)

    def read(self):
        with contextlib.suppress(BlockingIOError):
            text = self.socket.recv(1 << 16)
            assert text, "a stream ended"
            self.rest += text
        at = self.rest.rfind(self.mark)
        if at >= 0:
            self.count += self.rest.count(self.mark)
            self.rest = self.rest[at + len(self.mark):]


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def wait_for(selector, open_streams, number):
    """When the event came to each."""
    missing, came, until = set(open_streams), [], time.monotonic() + PATIENCE_S
    while missing:
        assert time.monotonic() < until, f"{len(missing)} streams miss event {number}"
        for key, _ in selector.select(1):
            key.data.read()
            if key.data.count >= number and key.data in missing:
                missing.remove(key.data)
                came.append(time.monotonic())
    return came


def streams():
    world = World()
    made = []
    try:
        token = world.api.must("POST", "/api/v1/tokens/", {"name": "bench"}).json["token"]
        pid = world.server.child.pid
        before = threads(pid), rss_mb(pid)
        selector = selectors.DefaultSelector()
        for i in range(STREAMS):
            made.append(Stream(world.server, token, i % 2))
            selector.register(made[-1].socket, selectors.EVENT_READ, made[-1])
        opened = threads(pid), rss_mb(pid)
        late = []
        for number in range(1, EVENTS + 1):
            begun = time.monotonic()
            world.api.must("PATCH", world.swarm, {"size": 1 + number % 2})
            late += [(at - begun) * 1000 for at in wait_for(selector, made, number)]
        late.sort()
        for p in (50, 99):
            result("streams", f"arrival_p{p}_ms", percentile(late, p), "ms", len(late))
        result("streams", "threads_before", before[0], "threads", STREAMS)
        result("streams", "threads_after", opened[0], "threads", STREAMS)
        result("streams", "rss_before_mb", before[1], "MB", STREAMS)
        result("streams", "rss_open_mb", opened[1], "MB", STREAMS)
        result("streams", "rss_after_mb", rss_mb(pid), "MB", STREAMS)
    finally:
        for one in made:
            one.socket.close()
        world.stop()
