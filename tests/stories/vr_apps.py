# SPDX-License-Identifier: MIT
"""Repositories of small apps: each is a few lines, and each misbehaves in one way."""
import os
import subprocess

WEB = r'''
import os, signal, socket, sys, threading, time
HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = open(os.path.join(HERE, "VERSION")).read().strip()
stopping = threading.Event()

def serve(c):
    with c:
        buffer = b""
        while True:
            while b"\r\n\r\n" not in buffer:
                data = c.recv(65536)
                if not data:
                    return
                buffer += data
            head, _, buffer = buffer.partition(b"\r\n\r\n")
            path = head.split()[1].decode()
            if path.startswith("/slow"):
                time.sleep(float(path.rpartition("=")[2] or 1))
            if path == "/crash":
                os._exit(3)
            body = VERSION
            if path == "/pid":
                body = f"{VERSION} {socket.gethostname()} {os.environ['PORT']}"
            if path == "/settings":
                body = open(os.environ["APP_SETTINGS_YAML"]).read()
            if path == "/env":
                body = "\n".join(f"{k}={v}" for k, v in sorted(os.environ.items()))
            close = stopping.is_set() or b"connection: close" in head.lower()
            c.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n"
                      f"{'Connection: close' + chr(13) + chr(10) if close else ''}\r\n{body}".encode())
            if close:
                return

s = socket.create_server(("", int(os.environ["PORT"])), backlog=512)
def stop(*_):
    stopping.set()
    s.close()
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
print(f"version {VERSION} listens on {os.environ['PORT']}", flush=True)
while True:
    c, _ = s.accept()
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=serve, args=(c,), daemon=True).start()
'''

WORKER = r'''
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
n = 0
while True:
    print("round", n, flush=True)
    n += 1
    time.sleep(0.05)
'''

CRASH = "import sys\nprint('cannot find the database', file=sys.stderr)\nsys.exit(7)\n"
DEAF = "import time\nprint('listening to nobody', flush=True)\ntime.sleep(3600)\n"
SLOW = "import time\ntime.sleep(2)\n" + WEB

UPTEST_GOOD = '#!/bin/sh\necho "asked $1 $2"\n'
UPTEST_BAD = '#!/bin/sh\necho "the page has no logo"\nexit 1\n'
UPTEST_HANGS = "#!/bin/sh\nsleep 3600\n"


class Repository:
    """A git repository that anybody on this machine may clone."""

    def __init__(self, path):
        self.path = path
        os.makedirs(path, 0o755, exist_ok=True)
        self.url = "file://" + path
        self.git("init", "-q", "-b", "main")

    def git(self, *words):
        env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
               "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "Story", "GIT_AUTHOR_EMAIL": "story@example.com",
               "GIT_COMMITTER_NAME": "Story", "GIT_COMMITTER_EMAIL": "story@example.com"}
        run = subprocess.run(["git", "-C", self.path, *words], env=env, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout.strip()

    def commit(self, tag, files, plain=()):
        """These files and no others, under this tag. Uptests are executable unless they are in `plain`."""
        for name in self.git("ls-files").splitlines():
            os.unlink(os.path.join(self.path, name))
        for name, text in files.items():
            path = os.path.join(self.path, name)
            os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
            with open(path, "wb" if isinstance(text, bytes) else "w") as file:
                file.write(text)
            os.chmod(path, 0o755 if name.startswith("uptests/") and name not in plain else 0o644)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", tag)
        self.git("tag", "-f", tag)

    def web(self, tag, app=WEB, procfile="web: python3 app.py\n", uptest=UPTEST_GOOD, plain=(), **files):
        """A web app that answers with its tag."""
        tree = {"app.py": app, "VERSION": tag + "\n"}
        if procfile is not None:
            tree["Procfile"] = procfile
        if uptest is not None:
            tree["uptests/web/01_test"] = uptest
        tree.update(files)
        self.commit(tag, tree, plain)
