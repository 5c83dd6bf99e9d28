# SPDX-License-Identifier: MIT
"""The published client of the original, in what it does on the wire: its headers, its order of requests, its merging of pages.

Nothing here knows this server: a change that breaks it breaks scripts of other people.
"""
import base64
import json
import re
import urllib.error
import urllib.parse
import urllib.request


class HttpError(Exception):
    """As raise_for_status() does, for 400 and more."""


class OldClient:
    """One session: Basic auth without being asked, Content-Type on every request, no Accept of JSON."""

    def __init__(self, base, username, password):
        self.base = base if base.endswith("/") else base + "/"
        pair = base64.b64encode(f"{username}:{password}".encode()).decode()
        self.headers = {"Content-Type": "application/json", "Authorization": f"Basic {pair}", "Accept": "*/*"}
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.sent = []  # (method, path with query), in order

    def request(self, method, path, query=None, body=None):
        url = urllib.parse.urljoin(self.base, path)
        if query:
            url += ("&" if "?" in url else "?") + urllib.parse.urlencode(query)
        self.sent.append((method, url[len(self.base) - 1:]))
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data if data is not None or method == "GET" else b"", method=method)
        for name, value in self.headers.items():
            request.add_header(name, value)
        try:
            answer = self.opener.open(request, timeout=30)
        except urllib.error.HTTPError as error:
            with error:
                raise HttpError(f"{error.code} Client Error: {error.reason} for url: {url}: {error.read()[:300]}") from None
        with answer:
            answer.text = answer.read().decode()
            return answer

    def get(self, path, query=None):
        return json.loads(self.request("GET", path, query).text)

    def load_all(self, path, query):
        """All pages: the path of `meta.next` is taken, its query merged into the first one."""
        found, query = [], dict(query)
        while True:
            page = self.get(path, query)
            found += page["objects"]
            if not page["meta"]["next"]:
                return found
            parts = urllib.parse.urlsplit(page["meta"]["next"])
            path = parts.path
            query.update(urllib.parse.parse_qsl(parts.query))

    def create(self, path, body):
        """POST, then GET of the Location."""
        location = self.request("POST", path, body=body).headers["Location"]
        return self.get(location)

    # ---------------------------------------------------------------- commands

    def swarms(self, filter_text=""):
        """The filter is split on `-` for the server, and matched as a whole here."""
        names = ("app__name", "config_name", "proc_name")
        query = {name: part for name, part in zip(names, filter_text.split("-")) if ".*" not in part}
        found = self.load_all("/api/v1/swarms/", query)
        return [s for s in found if re.match(filter_text, "{app_name}-{config_name}-{proc_name}".format(**s))]

    def build(self, app, tag):
        build = self.create("/api/v1/builds/", {"app": f"/api/v1/apps/{app}/", "tag": tag})
        return build, self.request("POST", build["resource_uri"] + "build/")

    def ingredient(self, name):
        if name.isdigit():
            return self.get(f"/api/v1/ingredients/{name}/")
        found = self.load_all("/api/v1/ingredients/", {"name": name})
        assert len(found) == 1, f"{len(found)} ingredients '{name}'"
        return found[0]

    def swarm(self, filter_text, tag, squad=None, add=(), remove=(), by=()):
        added = [self.ingredient(name)["resource_uri"] for name in add]
        removed = [self.ingredient(name)["resource_uri"] for name in remove]
        matched = self.swarms(filter_text)
        for name in by:
            uris = [s["resource_uri"] for s in matched]
            matched += [self.get(uri) for uri in self.ingredient(name)["swarms"] if uri not in uris]
        for swarm in matched:
            change = {}
            if tag != "-":
                change["version"] = tag
            if squad:
                change["squad"] = squad
            ingredients = [uri for uri in dict.fromkeys(swarm["config_ingredients"] + added) if uri not in removed]
            if ingredients:
                change["config_ingredients"] = ingredients
            if change:
                self.request("PATCH", swarm["resource_uri"], body=change)
            self.request("POST", swarm["resource_uri"] + "swarm/")
        return matched

    def rebuild_all(self, filter_text):
        matched = self.swarms(filter_text)
        for app, version in sorted({(s["app_name"], s["version"]) for s in matched}):
            self.build(app, version)
        for swarm in matched:
            self.request("POST", swarm["resource_uri"] + "swarm/")

    def deploy(self, release, host, port, proc, config="prod"):
        found = self.get(f"/api/v1/releases/{release}/")
        body = {"config_name": config, "host": host, "port": port, "proc": proc}
        return self.request("POST", found["resource_uri"] + "deploy/", body=body)

    def compare_releases(self, one, other):
        return [self.get(f"/api/v1/releases/{release}/")["config_yaml"] for release in (one, other)]

    def uptests(self):
        """The redirect to the run is followed, its query kept."""
        run = self.get("/api/v1/testruns/latest/", {"format": "json", "limit": 9999})
        return [(r["procname"], r["results"]) for r in run["testresults"] if not r["passed"]]
