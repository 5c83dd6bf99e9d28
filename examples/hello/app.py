#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A small web app that shows which version of it runs where."""
import contextlib
import html
import http.server
import json
import os
import signal
import socket
import threading
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
SLOW_MAX_MS = 60_000
STOP_SECONDS = 65  # a little more than the slowest request

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>hello {version}</title>
<meta name="viewport" content="width=device-width">
<style>body {{ font: 1.1rem/1.6 system-ui, sans-serif; max-width: 36rem; margin: 12vh auto; padding: 0 1rem }}
dt {{ float: left; clear: left; width: 8rem; color: #777 }}</style>
<h1>{greeting}</h1>
<dl><dt>version</dt><dd>{version}</dd><dt>proc</dt><dd>{proc}</dd><dt>host</dt><dd>{host}</dd>
<dt>requests</dt><dd>{requests}</dd></dl></html>
"""


def read_version():
    with open(os.path.join(HERE, "VERSION"), encoding="utf-8") as file:
        return file.read().strip()


def read_settings():
    """The release's settings: `key: value` lines are all that this app needs of YAML."""
    path = os.environ.get("APP_SETTINGS_YAML", os.path.join(HERE, "settings.yaml"))
    settings = {}
    with contextlib.suppress(OSError), open(path, encoding="utf-8") as file:
        for line in file:
            key, colon, value = line.partition(":")
            if colon and not line.startswith((" ", "#", "-")):
                settings[key.strip()] = value.strip().strip("'\"")
    return settings


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 75  # of an idle connection: longer than a balancer keeps one
    disable_nagle_algorithm = True

    def answer(self, body, status=200, kind="text/plain; charset=utf-8"):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        if self.server.stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def number(self, query, name, fallback, highest):
        try:
            return max(0, min(int(query[name][0]), highest))
        except (KeyError, ValueError):
            return fallback

    def page(self):
        shown = {name: html.escape(str(value)) for name, value in self.server.facts().items()}
        self.answer(PAGE.format(**shown), kind="text/html; charset=utf-8")

    def route(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path == "/":
            self.page()
        elif url.path == "/version":
            self.answer(self.server.version + "\n")
        elif url.path == "/env":
            self.answer(json.dumps(self.server.facts() | {"settings": self.server.settings}) + "\n",
                        kind="application/json")
        elif url.path == "/slow":
            ms = self.number(query, "ms", 1000, SLOW_MAX_MS)
            time.sleep(ms / 1000)
            self.answer(f"answered after {ms} ms by version {self.server.version}\n")
        elif url.path == "/fail":
            self.answer("failed, as asked\n", 500)
        elif url.path == "/exit":
            os._exit(self.number(query, "code", 1, 255))
        else:
            self.answer("not found\n", 404)

    def do_GET(self):
        with self.server.request():
            self.route()

    do_HEAD = do_GET

    def log_message(self, format, *args):
        print(f"{self.address_string()} {format % args}", flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True  # idle keep-alive connections do not hold the process
    request_queue_size = 512

    def __init__(self, address):
        self.version = read_version()
        self.settings = read_settings()
        self.requests = 0
        self.busy = 0
        self.changed = threading.Condition()
        self.stopping = threading.Event()
        super().__init__(address, Handler)

    @contextlib.contextmanager
    def request(self):
        with self.changed:
            self.requests += 1
            self.busy += 1
        try:
            yield
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def facts(self):
        return {
            "version": self.version,
            "greeting": self.settings.get("greeting", "Hello"),
            "proc": os.environ.get("VR_PROC", f"port {self.server_address[1]}"),
            "host": socket.gethostname(),
            "requests": self.requests,
        }

    def stop(self, *_):
        """SIGTERM: no new connections; requests that are under way end."""
        self.stopping.set()
        threading.Thread(target=self.shutdown).start()  # it waits for the loop it is called in

    def wait_until_idle(self):
        with self.changed:
            return self.changed.wait_for(lambda: not self.busy, timeout=STOP_SECONDS)


def main():
    server = Server(("", int(os.environ.get("PORT", "8000"))))
    signal.signal(signal.SIGTERM, server.stop)
    signal.signal(signal.SIGINT, server.stop)
    print(f"hello {server.version} listens on port {server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.05)
    server.server_close()
    is_idle = server.wait_until_idle()
    print("stopped" if is_idle else "stopped with requests under way", flush=True)


if __name__ == "__main__":
    main()
