#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Serve static/, or this folder, on $PORT; SIGTERM lets requests that are under way end."""
import contextlib
import http.server
import os
import signal
import threading
import urllib.parse


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # of an idle connection

    def send_head(self):
        # Files of the platform and of version control are no part of the site.
        parts = urllib.parse.unquote(self.path.split("?")[0]).strip("/").split("/")
        if any(part.startswith(".") for part in parts) or parts == ["Procfile"]:
            self.send_error(404)
            return None
        return super().send_head()

    def do_GET(self):
        with self.server.request():
            super().do_GET()

    def do_HEAD(self):
        with self.server.request():
            super().do_HEAD()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args):
        self.busy = 0
        self.idle = threading.Condition()
        super().__init__(*args)

    @contextlib.contextmanager
    def request(self):
        with self.idle:
            self.busy += 1
        try:
            yield
        finally:
            with self.idle:
                self.busy -= 1
                self.idle.notify_all()

    def stop(self, *_):
        threading.Thread(target=self.shutdown).start()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    root = os.path.join(here, "static") if os.path.isdir(os.path.join(here, "static")) else here
    os.chdir(root)
    server = Server(("", int(os.environ.get("PORT", "8000"))), Handler)
    signal.signal(signal.SIGTERM, server.stop)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    with server.idle:
        server.idle.wait_for(lambda: not server.busy, timeout=30)


if __name__ == "__main__":
    main()
