# SPDX-License-Identifier: MIT
"""A client that sends whatever a test wants: http.client on one connection, Basic auth, any bytes."""
import base64
import http.client
import json
import socket
import urllib.parse

SECS = 20


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def type(self):
        return (self.headers.get("Content-Type") or "").split(";")[0]

    def __repr__(self):
        return f"{self.status} {self.text[:600]}"


class Client:
    def __init__(self, host, port, username=None, password=None, token=None):
        self.host, self.port = host, port
        self.authorization = None
        if token:
            self.authorization = f"Bearer {token}"
        elif username:
            self.authorization = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self.connection = None

    def with_token(self, token):
        """Another client of the same server."""
        return Client(self.host, self.port, token=token)

    def call(self, method, path, body=None, headers=None, raw=None, json_type=True):
        """Any answer. `body` is sent as JSON, `raw` as it is; a header of None is left out."""
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        sent = {"Content-Type": "application/json"} if json_type else {}
        if self.authorization:
            sent["Authorization"] = self.authorization
        sent.update(headers or {})
        for again in (True, False):
            try:
                return self.send(method, path, data, {k: v for k, v in sent.items() if v is not None})
            except (http.client.BadStatusLine, ConnectionError):
                self.close()
                if not again:
                    raise

    def send(self, method, path, data, headers):
        if not self.connection:
            self.connection = http.client.HTTPConnection(self.host, self.port, timeout=SECS)
        c = self.connection
        c.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            c.putheader(name, value)
        if data is not None or method in ("POST", "PUT", "PATCH"):
            c.putheader("Content-Length", str(len(data or b"")))
        try:
            c.endheaders(data)
        except (BrokenPipeError, ConnectionResetError):  # refused by its size before it was read
            pass
        got = c.getresponse()
        answer = Answer(got.status, got.headers, got.read())
        if got.will_close or (answer.status == 413 and data):
            self.close()
        return answer

    def start(self, method, path, headers=None, until=b""):
        """Status, headers and the beginning of an answer without an end: a piece, or as far as the event that has `until`."""
        c = http.client.HTTPConnection(self.host, self.port, timeout=SECS)
        try:
            c.request(method, path, headers={"Authorization": self.authorization or "", **(headers or {})})
            got = c.getresponse()
            text = b""
            try:
                while True:
                    piece = got.read1(65536)
                    text += piece
                    if not piece or not until or (until in text and text.endswith(b"\n\n")):
                        break
            except socket.timeout:
                pass
            return Answer(got.status, got.headers, text)
        finally:
            c.close()

    def must(self, method, path, body=None, **more):
        answer = self.call(method, path, body, **more)
        assert answer.status < 400, f"{method} {path}: {answer}"
        return answer

    def get(self, path):
        return self.must("GET", path).json

    def create(self, path, body):
        """POST on a list; the path of the new object."""
        answer = self.must("POST", path, body)
        assert answer.status == 201, answer
        return urllib.parse.urlsplit(answer.headers["Location"]).path

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None
