#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Steady HTTP load that counts what fails: keep-alive and fresh connections side by side.

As a module: `with Load("127.0.0.1", 8080, host="hello.local") as load: …`, then `load.counts`. As a
program: `http_load.py http://127.0.0.1:8080/version --seconds 10`, which prints the counts as JSON.

A request fails if its answer is not 200, is cut, does not come in time, or if there is none: also
when a kept connection is closed while it is idle and the next request on it gets no answer. Clients
that repeat such a request (RFC 9110, 9.2.2) are what `retry_idle_close` counts as.
"""
import argparse
import json
import socket
import sys
import threading
import time
import urllib.parse

ERRORS_KEPT = 20
TIMEOUT_SECS = 15
ANSWER_BYTES = 1 << 20


class Counts:
    """What several threads counted; `seen` has each answer's body with first and last time."""

    def __init__(self):
        self.requests = self.failed = self.retried = 0
        self.kept = self.fresh = self.kept_failed = self.fresh_failed = 0
        self.errors = []
        self.seen = {}
        self.lock = threading.Lock()

    def add(self, kind, error, body, retried):
        now = time.monotonic()
        with self.lock:
            self.requests += 1
            self.retried += retried
            setattr(self, kind, getattr(self, kind) + 1)
            if error:
                self.failed += 1
                setattr(self, kind + "_failed", getattr(self, kind + "_failed") + 1)
                if len(self.errors) < ERRORS_KEPT:
                    self.errors.append(f"{time.strftime('%H:%M:%S')} {kind}: {error}")
                return
            first, _, n = self.seen.get(body, (now, now, 0))
            self.seen[body] = (first, now, n + 1)

    def as_dict(self):
        return {"requests": self.requests, "failed": self.failed, "retried": self.retried, "kept": self.kept,
                "fresh": self.fresh, "kept_failed": self.kept_failed, "fresh_failed": self.fresh_failed,
                "answers": {body: n for body, (_, _, n) in self.seen.items()}, "errors": self.errors}


class Closed(OSError):
    """The connection was closed before the first byte of the answer."""


class Connection:
    """One client connection; `reused` once it has answered."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=TIMEOUT_SECS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.reused = False

    def close(self):
        self.socket.close()

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise OSError("the answer was cut")
        self.buffer += data
        if len(self.buffer) > ANSWER_BYTES:
            raise OSError("the answer is too long")

    def first(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionError as error:
            raise Closed(str(error)) from error
        if not data:
            raise Closed("closed without an answer")
        self.buffer += data

    def ask(self, request):
        """Returns status, body, and whether the connection may be used again."""
        try:
            self.socket.sendall(request)
        except ConnectionError as error:
            raise Closed(str(error)) from error
        if not self.buffer:
            self.first()
        while b"\r\n\r\n" not in self.buffer:
            self.receive()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
        length = int(fields.get("content-length", -1))
        self.buffer = rest
        if length < 0:
            raise OSError(f"status {status} without a length")
        while len(self.buffer) < length:
            self.receive()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        self.reused = True
        stays = fields.get("connection", "" if lines[0].startswith("HTTP/1.1") else "close").lower() != "close"
        return status, body.decode("utf-8", "replace").strip(), stays


class Load:
    def __init__(self, address, port, host=None, path="/", keep=4, fresh=2, pause=0.004, retry_idle_close=False):
        self.address = (address, port)
        host = host or f"{address}:{port}"
        head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n"
        self.keep_request = (head + "\r\n").encode()
        self.fresh_request = (head + "Connection: close\r\n\r\n").encode()
        self.pause = pause
        self.retry_idle_close = retry_idle_close
        self.counts = Counts()
        self.ending = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(kind,), daemon=True)
                        for kind, n in (("kept", keep), ("fresh", fresh)) for _ in range(n)]

    def one(self, connection, request):
        """Returns the connection to go on with (or None), error, body, number of repetitions."""
        retried = 0
        while True:
            was_reused = bool(connection and connection.reused)
            try:
                connection = connection or Connection(self.address)
                status, body, stays = connection.ask(request)
            except (OSError, ValueError, IndexError) as error:
                if connection:
                    connection.close()
                    connection = None
                if isinstance(error, Closed) and was_reused and self.retry_idle_close and not retried:
                    retried += 1
                    continue
                return None, f"{type(error).__name__}: {error}", "", retried
            if not stays:
                connection.close()
                connection = None
            return connection, None if status == 200 else f"status {status}: {body[:100]}", body, retried

    def run(self, kind):
        connection = None
        while not self.ending.is_set():
            connection, *result = self.one(connection, self.keep_request if kind == "kept" else self.fresh_request)
            if kind == "fresh" and connection:
                connection.close()
                connection = None
            self.counts.add(kind, *result)
            self.ending.wait(self.pause)
        if connection:
            connection.close()

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.ending.set()
        for thread in self.threads:
            thread.join(TIMEOUT_SECS * 2)
        return self.counts

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("url")
    parser.add_argument("--host", help="the Host header")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--keep", type=int, default=4, help="clients that keep their connection")
    parser.add_argument("--fresh", type=int, default=2, help="clients with a new one each time")
    parser.add_argument("--pause", type=float, default=0.004, help="seconds between requests of a client")
    args = parser.parse_args()
    url = urllib.parse.urlsplit(args.url)
    load = Load(url.hostname, url.port or 80, args.host or url.netloc, url.path or "/", args.keep, args.fresh,
                args.pause)
    with load:
        time.sleep(args.seconds)
    print(json.dumps(load.counts.as_dict(), indent=2))
    return 1 if load.counts.failed else 0


if __name__ == "__main__":
    sys.exit(main())
