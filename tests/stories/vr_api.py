# SPDX-License-Identifier: MIT
"""A client of the HTTP API as an old script would be one: urllib, Basic auth, JSON."""
import base64
import json
import urllib.error
import urllib.parse
import urllib.request

from vr_wait import wait_for

REQUEST_SECS = 40


class ApiError(Exception):
    def __init__(self, method, path, status, body):
        self.status, self.body = status, body
        try:
            self.error = json.loads(body).get("error", "")
        except ValueError:
            self.error = ""
        super().__init__(f"{method} {path}: {status} {body[:500]}")


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class Api:
    def __init__(self, url, username, password):
        self.url = url.rstrip("/")
        self.username, self.password = username, password
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())

    def call(self, method, path, body=None, headers=None, raw=None):
        """Any answer, also one that is an error."""
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path if path.startswith("/") else path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        if self.username:
            pair = f"{self.username}:{self.password}".encode()
            request.add_header("Authorization", "Basic " + base64.b64encode(pair).decode())
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with self.opener.open(request, timeout=REQUEST_SECS) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode("utf-8", "replace"))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read().decode("utf-8", "replace"))

    def must(self, method, path, body=None, headers=None):
        answer = self.call(method, path, body, headers)
        if answer.status >= 400:
            raise ApiError(method, path, answer.status, answer.body)
        return answer

    def get(self, path):
        return self.must("GET", path).json

    def create(self, path, body):
        """POST on a list; returns the path of the new object."""
        answer = self.must("POST", path, body)
        assert answer.status == 201, answer.status
        location = answer.headers["Location"]
        assert location.startswith("http://"), f"Location is not absolute: {location}"
        return urllib.parse.urlsplit(location).path

    def patch(self, path, body):
        assert self.must("PATCH", path, body).status == 202

    def delete(self, path):
        assert self.must("DELETE", path).status == 204

    def objects(self, path):
        """All pages of a list."""
        found = []
        while path:
            page = self.get(path)
            found += page["objects"]
            path = page["meta"]["next"]
        return found

    # ---------------------------------------------------------------- swarms and rollouts

    def dispatch(self, swarm, version=None, kind="dispatch", **changes):
        """PATCH and POST as the old client does; returns the id of the rollout."""
        if version:
            changes["version"] = version
        if changes:
            self.patch(swarm, changes)
        answer = self.must("POST", swarm + "swarm/", {"kind": kind} if kind != "dispatch" else None)
        assert answer.status == 202
        return answer.json["swarm_id"]

    def rollout(self, rollout_id):
        return self.get(f"/api/v1/rollouts/{rollout_id}/")

    def ended(self, rollout_id, secs=60):
        """Wait for its end; returns its row."""
        def look():
            row = self.rollout(rollout_id)
            return row if row["state"] == "ended" else None
        return wait_for(f"end of rollout {rollout_id}", look, secs)

    def done(self, rollout_id, secs=60):
        row = self.ended(rollout_id, secs)
        assert row["result"] == "done", json.dumps(row, indent=1)
        return row

    def failed(self, rollout_id, step, *words, secs=60):
        """It fails in this step, with one sentence that has these words; returns its row."""
        row = self.ended(rollout_id, secs)
        assert row["result"] == "failed", json.dumps(row, indent=1)
        error = row["error"]
        assert error["step"] == step, error
        assert error["message"] and "\n" not in error["message"], error
        for word in words:
            assert str(word) in error["message"] + error["host"] + error["proc"], (word, error)
        return row

    def procs(self, swarm):
        return self.get(swarm + "procs/")["objects"]

    def release_of(self, swarm):
        return self.get(swarm)["release"]


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
