# SPDX-License-Identifier: MIT
"""docs/openapi.yaml and the server say the same: routes, roles, statuses, headers, every field of every answer."""
import copy
import json
import os
import subprocess
import urllib.parse

import pytest
import vr_openapi
import yaml
from vr_world import ENVIRONMENT, PASSWORD, VR, World
from vr_wait import wait_for

DOCUMENT = vr_openapi.load()
UNKNOWN = {"id": 999999, "proc_id": 999999}
UNKNOWN_ROLLOUT = "0" * 32
TASK = "uptests"
TEXT_LOOKUPS = ("exact", "iexact", "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith",
                "gt", "gte", "lt", "lte", "in")
NUMBER_LOOKUPS = ("exact", "gt", "gte", "lt", "lte", "in")
EVERY = pytest.mark.parametrize("operation", DOCUMENT.operations, ids=lambda o: o.id)


# ------------------------------------------------------------------ the document itself

def keywords(node, place=()):
    """Every (place, key, value) of the document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield place, key, value
            yield from keywords(value, (*place, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from keywords(value, (*place, i))


def test_document_references_resolve():
    for place, key, value in keywords(DOCUMENT.data):
        if key == "$ref":
            assert DOCUMENT.resolve({"$ref": value}), (place, value)


def test_document_has_no_key_by_accident():
    """A comma in an unquoted description begins a key in YAML's flow style."""
    for place, key, value in keywords(DOCUMENT.data):
        if value is None:
            assert key in ("default", "release", "buildpack", "default_dashboard"), f"{place}: {key}"


def test_document_operations_are_whole():
    tags = {t["name"] for t in DOCUMENT.data["tags"]}
    assert len(DOCUMENT.by_id) == len(DOCUMENT.operations), "an operationId stands twice"
    for o in DOCUMENT.operations:
        assert o.node["summary"] and set(o.node["tags"]) <= tags, o
        named = {p["name"] for p in o.parameters if p["in"] == "path"}
        assert named == {part[1:-1] for part in o.path.split("/") if part.startswith("{")}, o
        assert all(p.get("required") and "example" in p for p in o.parameters if p["in"] == "path"), o
        assert (o.role == "anyone") == (o.node.get("security") == []), o
        assert any(s < 400 for s in o.statuses) and "default" in o.responses, o


def test_document_uses_every_component():
    text = json.dumps(DOCUMENT.data)
    for kind, entries in DOCUMENT.data["components"].items():
        for name in entries if kind != "securitySchemes" else ():
            assert f'"#/components/{kind}/{name}"' in text, f"{kind}/{name} is not used"


def test_document_schemas_are_schemas():
    import jsonschema  # pylint: disable=import-outside-toplevel
    for name, schema in DOCUMENT.data["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(DOCUMENT.strict(schema)), name


@EVERY
def test_document_examples_fit_their_schemas(operation):
    if not operation.body:
        return
    schema, example, _ = operation.body
    flat = DOCUMENT.flat(schema)
    assert set(flat.get("required", [])) <= set(example), operation
    for key, value in example.items():
        field = DOCUMENT.flat(flat["properties"][key])
        assert not field.get("readOnly"), (operation, key)
        if "x-reference" not in field:
            DOCUMENT.check(field, value, chosen=True)


# ------------------------------------------------------------------ the same routes

def printed_routes():
    run = subprocess.run([VR, "server", "--print-routes"], env=ENVIRONMENT, capture_output=True, text=True, timeout=20,
                         check=True)
    return {(method, path): (role, scope) for method, path, role, scope in map(str.split, run.stdout.splitlines())}


def test_routes_of_server_and_document_are_the_same():
    served = printed_routes()
    documented = {route: o for o in DOCUMENT.operations for route in o.routes()}
    assert set(served) - set(documented) == set(), "served, but not in docs/openapi.yaml"
    assert set(documented) - set(served) == set(), "in docs/openapi.yaml, but not served"
    for route, o in documented.items():
        said = o.rights_of(route[1])
        assert said == served[route], f"{route}: the document says {said}, the server wants {served[route]}"


def test_no_key_of_the_document_stands_twice():
    """The last one would hide the others."""
    with open(os.path.join(vr_openapi.SOURCE, "docs/openapi.yaml"), encoding="utf-8") as file:
        nodes = [yaml.compose(file, Loader=yaml.CSafeLoader)]
    while nodes:
        node = nodes.pop()
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            assert len(keys) == len(set(keys)), f"line {node.start_mark.line + 1}: {sorted(k for k in keys if keys.count(k) > 1)}"
            nodes += [value for _, value in node.value]


def test_openapi_json_is_the_document(world):
    answer = world.server.client(None).call("GET", "/api/openapi.json")
    assert answer.status == 200 and answer.type == "application/json"
    assert answer.json == json.loads(json.dumps({k: v for k, v in DOCUMENT.data.items() if not k.startswith("x-")}))


def test_the_page_loads_only_what_the_server_has(world):
    nobody = world.server.client(None)
    page = nobody.call("GET", "/api/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "http" not in page.text and "<style" not in page.text
    for name in ("manual.css", "manual.js"):
        assert f"/api/{name}" in page.text and nobody.call("GET", f"/api/{name}").status == 200
    assert nobody.call("GET", "/api/nothing").status == 404
    assert nobody.call("POST", "/api/", {}).status == 405


def fits(pattern, url):
    wanted, given = pattern.split("/"), url.split("/")
    return len(wanted) == len(given) and all(a in ("*", b) for a, b in zip(wanted, given))


def test_methods_that_are_not_there(world):
    """405 with Allow on every path of /api/v1/, and OPTIONS says the same."""
    served = printed_routes()
    for o in DOCUMENT.operations:
        if not o.path.startswith("/api/v1/"):
            continue
        url = o.url(resource="apps")
        allowed = {m for m, pattern in served if fits(pattern, url)}
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - allowed:
            answer = world.api.call(method, url)
            assert answer.status == 405 and set(answer.headers["Allow"].split(",")) == allowed, (method, url, answer)
            assert answer.json["error"]
        answer = world.api.call("OPTIONS", url)
        assert answer.status == 200 and set(answer.headers["Allow"].split(",")) == allowed, (url, answer)


# ------------------------------------------------------------------ every operation, every status

class Target:
    """What one request is about: values of the path, body, query, headers, who asks."""

    def __init__(self, values=None, body=None, query="", headers=None, role="admin", client=None, raw=None):
        self.values, self.body, self.query = values or {}, body, query
        self.headers, self.role, self.client, self.raw = headers, role, client, raw


def key_of(uri):
    return urllib.parse.unquote(uri.rstrip("/").split("/")[-1])


FORM = urllib.parse.urlencode(DOCUMENT.by_id["logInByForm"].node["requestBody"]["content"]["application/x-www-form-urlencoded"]["example"])

# Path parameters of operations that change what they name: an object made for the test alone.
FRESH = {
    "apps": ("app", World.new_app), "buildpacks": ("id", World.new_buildpack), "builds": ("id", World.new_build),
    "ingredients": ("id", World.new_ingredient), "squads": ("squad", World.new_squad), "hosts": ("host", World.new_host),
    "swarms": ("id", World.new_swarm), "rollouts": ("id", World.new_rollout), "user": ("id", World.new_user),
    "tokens": ("id", World.new_token), "stacks": ("stack", World.new_stack), "dashboard": ("id", World.new_dashboard),
}


def known(world, o):
    """Values of the path that name what is there."""
    return {
        "app": "hello", "squad": "default", "host": "h1", "balancer": "default", "resource": "apps", "keys": "hello;nothing",
        "task": TASK, "part": "manual.js",
        "proc": world.proc["name"], "proc_id": world.proc["proc_id"], "file": f"build_{key_of(world.build)}_compile.log",
        "noun": "apps", "key": "hello", "version": 1, "stack": "jammy", "folder": "jammy",
        "id": key_of({"images": world.image, "dashboard": world.dashboard, "profile": world.profile,
                      "testruns": world.testrun, "testresults": world.testresult, "builds": world.build, "releases": world.release, "ingredients": world.ingredient,
                      "swarms": world.swarm, "rollouts": f"/{world.rollout}/", "commands": world.command,
                      "pools": world.pool, "user": world.user, "tokens": world.token}.get(o.resource, "/1/")),
    }


def unknown(world, o):
    """Values of the path of which the last does not exist."""
    values = known(world, o)
    last = [p["name"] for p in o.parameters if p["in"] == "path"][-1]
    values[last] = UNKNOWN_ROLLOUT if o.resource == "rollouts" else UNKNOWN.get(last, "nothing")
    return values


def fresh(world, o):
    """The same, but of an object that may be changed or deleted."""
    values = known(world, o)
    if "{proc" in o.path:
        proc = world.new_proc()
        values.update(proc=proc["name"], proc_id=proc["proc_id"], host="h1")
    elif o.resource in FRESH and "{" in o.path:
        name, make = FRESH[o.resource]
        values[name] = key_of(make(world))
    return values


def unique(world, o, body):
    """The document's example, under a name that nothing has yet."""
    body = copy.deepcopy(body)
    for one in body.get("objects", []):
        if "resource_uri" not in one:
            key = "repo_url" if o.resource == "buildpacks" else "name"
            one[key] += world.name("n")
    for key in ("name", "username", "config_name", "tag", "slug"):
        if key in body and o.method == "POST" and "{" not in o.path and o.id != "logIn":
            body[key] = world.name(f"{body[key]}_".replace("-", "_"))
    if o.id == "createBuildpack":
        body["repo_url"] += world.name("r")
    if o.id == "createUser":
        body["username"] = world.name("grace")
    if "port" in body:
        body["port"] = 5800 + int(world.name(""))
    return body


def succeed(world, o):
    """The request that the document has as its example."""
    if o.id == "changePassword":
        user = world.new_user()
        name = world.api.get(user)["username"]
        return Target({"id": key_of(user)}, {"old": PASSWORD, "new": PASSWORD + "2"}, client=world.server.client(name))
    values = fresh(world, o) if o.method != "GET" else known(world, o)
    body = unique(world, o, o.body[1]) if o.body else None
    if o.id in ("dispatchSwarm", "rollBackSwarm"):
        values["id"] = key_of(world.swarm)
    if o.id == "changeRelease":
        values["id"] = key_of(world.release)
    if o.id == "retryRollout":
        values["id"] = world.cancelled_rollout()
    if o.id == "stream":
        return Target(values, query="?after=1")
    if o.id == "uploadScript":
        return Target(values, raw=b"#!/bin/sh\n", query=f"?name={world.name('script')}")
    if o.id in ("logInByForm", "logOutByForm"):
        return Target(raw=FORM.encode(), headers={"Content-Type": "application/x-www-form-urlencoded"}, client=world.server.client(None))
    if o.is_list:
        parameter = next(p for p in o.parameters if p["name"] == "filter")
        return Target(values, query="?" + urllib.parse.urlencode(parameter["example"]))
    return Target(values, body)


def versioned(world, o):
    return Target(fresh(world, o), o.body and o.body[1], headers={"If-Match": '"999999"'})


def wrong(world, o):
    """Input that is refused."""
    if o.id == "showSet":
        return Target({"resource": "apps", "keys": ";".join(map(str, range(1001)))})
    query = {"showBuildLog": "?from=x", "streamProcLog": "?lines=0", "showProcLog": "?lines=0", "showProcLogById": "?lines=x",
             "showRetention": "?plan=2",
             "stream": "?after=x", "deleteProc": "?wait=31", "deleteProcById": "?wait=31"}
    if o.is_list or o.id == "listVersions":
        return Target(known(world, o), query="?limit=x")
    if o.id in query:
        return Target(known(world, o), query=query[o.id])
    return Target(known(world, o), raw=b"[]")


def too_large(world, o):
    return Target(known(world, o), raw=b'{"x": "' + b"x" * (2 << 20) + b'"}')


def conflicts(world, o):
    """For each operation with a 409, what provokes it."""
    api = world.api
    name_of_other = {"changeApp": "name", "replaceApp": "name", "changeIngredient": "name", "replaceIngredient": "name",
                     "changeSquad": "name", "replaceSquad": "name", "changeHost": "name", "replaceHost": "name"}
    first = {"apps": "hello", "ingredients": "db", "squads": "default", "hosts": "h1"}
    if o.id in name_of_other:
        return Target(fresh(world, o), {"name": first[o.resource]})
    if o.id in ("createApp", "createIngredient", "createSquad", "createHost"):
        return Target({}, {**o.body[1], "name": first[o.resource]})
    if o.id in ("startBuild", "deleteBuild"):
        return Target({"id": key_of(world.build)})
    if o.id in ("actOnProcById", "deleteProcById"):
        proc = world.new_proc()
        path = f"/api/v1/procs/{proc['proc_id']}/"
        api.must("DELETE", path + "?wait=10")
        wait_for("it has ended", lambda: api.get(path)["actual"] == "stopped", 10)
        return Target({"proc": proc["name"], "proc_id": proc["proc_id"]}, o.body and {"action": "start"})
    if o.id == "deleteBuildpack":
        pack = world.new_buildpack()
        api.must("PATCH", world.new_app(), {"buildpack": pack})
        return Target({"id": key_of(pack)})
    listed = {"changeApps": {"name": "hello", "repo_url": "/x"}, "changeIngredients": {"name": "db"}, "changeSquads": {"name": "default"},
              "changeHosts": {"name": "h1"}, "changeStacks": {"name": "jammy"}, "changeBuildpacks": {"repo_url": "builtin:nodejs"},
              "changeDashboards": {"name": "x", "slug": "ours"},
              "changeSwarms": {"app": world.app, "squad": world.squad, "config_name": "prod", "proc_name": "web"}}
    if o.id in listed:
        return Target({}, {"objects": [listed[o.id]]})
    if o.id in ("restoreVersion", "reviveVersion"):
        swarm, version = world.version_without_app()
        return Target({"noun": "swarms", "key": key_of(swarm), "version": version})
    special = {
        "createStack": lambda: Target({}, {"name": "jammy"}), "changeStack": lambda: Target({"stack": key_of(world.new_stack())}, {"name": "jammy"}),
        "replaceStack": lambda: Target({"stack": key_of(world.new_stack())}, {"name": "jammy"}), "deleteStack": lambda: Target({"stack": "jammy"}),
        "createDashboard": lambda: Target({}, {"name": "x", "slug": "ours"}),
        "changeDashboard": lambda: Target({"id": key_of(world.new_dashboard())}, {"slug": "ours"}),
        "replaceDashboard": lambda: Target({"id": key_of(world.new_dashboard())}, {"slug": "ours"}),
        "uploadScript": lambda: Target({"stack": key_of(world.new_stack())}, raw=b"x", query="?name=jammy.sh"),
        "createSwarm": lambda: Target({}, {"app": world.app, "squad": world.squad, "config_name": "prod", "proc_name": "web"}),
        "changeSwarm": lambda: Target({"id": key_of(world.new_swarm())}, {"config_name": "prod"}),
        "replaceSwarm": lambda: Target({"id": key_of(world.new_swarm())}, {"config_name": "prod"}),
        "createUser": lambda: Target({}, {"username": "admin", "password": PASSWORD}),
        "changeUser": lambda: Target({"id": 1}, {"role": "viewer"}),
        "replaceUser": lambda: Target({"id": 1}, {"is_active": False}),
        "createToken": lambda: Target({}, {"name": "laptop"}), "changeToken": lambda: Target({"id": key_of(world.new_token())}, {"name": "laptop"}),
        "createBuildpack": lambda: Target({}, {"repo_url": "builtin:nodejs"}),
        "changeBuildpack": lambda: Target({"id": key_of(world.new_buildpack())}, {"repo_url": "builtin:nodejs"}),
        "replaceBuildpack": lambda: Target({"id": key_of(world.new_buildpack())}, {"repo_url": "builtin:nodejs"}),
        "deleteApp": lambda: Target({"app": "hello"}), "deleteIngredient": lambda: Target({"id": key_of(world.ingredient)}),
        "deleteSquad": lambda: Target({"squad": "default"}), "deleteHost": lambda: Target({"host": "h1"}),
        "deleteSwarm": lambda: Target({"id": key_of(world.swarm)}), "deleteUser": lambda: Target({"id": 1}),
        "deployRelease": lambda: Target({"id": key_of(world.release)}, {"config_name": "prod", "host": "h1", "proc": "web",
                                                                       "port": world.proc["port"]}),
        "dispatchSwarm": lambda: Target({"id": key_of(world.new_swarm())}, {"kind": "restart"}),
        "rollBackSwarm": lambda: Target({"id": key_of(world.new_swarm())}, {}),
        "cancelRollout": lambda: Target({"id": world.rollout}),
    }
    return special[o.id]()


def forbidden(world, o):
    lower = {"deployer": "viewer", "admin": "deployer"}
    if o.scope == "own":  # the things of somebody else
        return Target({"id": 1}, {"new": PASSWORD, "role": "admin"}, role="viewer")
    return Target(known(world, o), o.body and o.body[1], role=lower[o.role])


def unchanged(world, o):
    return Target(known(world, o), headers={"If-None-Match": ask(world, o, Target(known(world, o))).headers["ETag"]})


def deleted(world):
    app, version = world.version_of_deleted()
    return Target({"noun": "apps", "key": key_of(app), "version": version})


# Requests for statuses that only some operations have.
SPECIAL = {
    ("redispatchSquad", 200): lambda w, o: Target({"squad": "default"}, query="?plan=1"),
    ("redispatchIngredient", 200): lambda w, o: Target(known(w, o), {}, query="?plan=1"),
    ("searchSwarms", 400): lambda w, o: Target(query="?callback=alert(1)"),
    ("changeRelease", 400): lambda w, o: Target({"id": key_of(w.release)}, {"pinned": 5}),
    ("retryRollout", 409): lambda w, o: Target({"id": key_of(w.new_rollout())}),
    ("dispatchSwarm", 200): lambda w, o: Target({"id": key_of(w.swarm)}, {"size": 3}, query="?plan=1"),
    ("rollBackSwarm", 200): lambda w, o: Target({"id": key_of(w.swarm)}, {"release": None}, query="?plan=1"),
    ("replaceApp", 201): lambda w, o: Target({"app": w.name("app")}, {"repo_url": "https://git.example.com/x.git"}),
    ("replaceSquad", 201): lambda w, o: Target({"squad": w.name("squad")}, {}),
    ("replaceStack", 201): lambda w, o: Target({"stack": w.name("stack")}, {}),
    ("uploadScript", 400): lambda w, o: Target({"stack": "jammy"}, raw=b"x", query="?name=a%20b"),
    ("uploadScript", 412): lambda w, o: Target({"stack": "jammy"}, raw=b"x", query="?name=x", headers={"If-Match": '"99"'}),
    ("uploadScript", 404): lambda w, o: Target({"stack": "nothing"}, raw=b"x", query="?name=x"),
    ("restoreVersion", 201): lambda w, o: deleted(w),
    ("reviveVersion", 201): lambda w, o: deleted(w),
    ("restoreVersion", 412): lambda w, o: Target(known(w, o), headers={"If-Match": '"999999"'}),
    ("reviveVersion", 412): lambda w, o: Target(known(w, o), headers={"If-Match": '"999999"'}),
    ("readImage", 200): lambda w, o: Target({"file": "jammy_1.tar.gz"}),
    ("readImageLog", 200): lambda w, o: Target({"folder": "jammy_2", "file": "jammy_2.tar.gz"}),
    ("readScript", 200): lambda w, o: Target({"file": "jammy.sh"}),
    ("replaceHost", 201): lambda w, o: Target({"host": w.name("host")}, {"active": False}),
    ("readFile", 206): lambda w, o: Target({"file": slug_of(w)}, headers={"Range": "bytes=0-3"}),
    ("readFile", 416): lambda w, o: Target({"file": slug_of(w)}, headers={"Range": "bytes=99999-"}),
    ("readFile", 304): lambda w, o: Target({"file": slug_of(w)}, headers={"If-None-Match": '"%s"' % w.api.get(w.build)["file_md5"]}),
    ("readFile", 200): lambda w, o: Target({"file": slug_of(w)}),
    ("startTestRun", 201): lambda w, o: w.await_testruns() or Target({}, {}),
    ("changeImage", 400): lambda w, o: Target({"id": key_of(w.image)}, {"active": 5}),
    ("startTestRun", 409): lambda w, o: w.await_testruns() or w.api.must("POST", "/api/v1/testruns/") and Target({}, {}),
    ("startTestRun", 400): lambda w, o: Target({}, {"swarm": "/api/v1/swarms/999999/"}),
    ("changeToken", 403): lambda w, o: Target({"id": key_of(w.token)}, {"name": "x"}, client=capped(w)),
    ("logIn", 401): lambda w, o: Target({}, {"username": "nobody", "password": PASSWORD}),
    ("changePassword", 400): lambda w, o: Target({"id": 1}, {"old": "wrong", "new": PASSWORD}),
}

def not_in_list(world, o):
    if o.method == "GET":
        return Target({}, query="?dashboard=nothing")
    return Target({}, {"objects": [{"resource_uri": f"/api/v1/{o.resource}/999999/"}]})


GENERAL = {304: unchanged, 400: wrong, 401: lambda w, o: Target(known(w, o), client=w.server.client(None)), 403: forbidden,
           404: lambda w, o: not_in_list(w, o) if "{" not in o.path else Target(unknown(w, o), o.body and o.body[1]), 409: conflicts, 412: versioned, 413: too_large,
           415: lambda w, o: Target(known(w, o), raw=b"{}", headers={"Content-Type": "text/xml"})}


def capped(world):
    """By a token that may less than its user."""
    token = world.api.must("POST", "/api/v1/tokens/", {"name": world.name("token"), "role": "viewer"}).json["token"]
    return world.server.client(None).with_token(token)


def slug_of(world):
    return world.api.get(world.build)["file"].split("/")[-1]


def ask(world, o, target):
    client = target.client or world.users[target.role]
    url = o.url(**target.values) + target.query
    if o.is_stream:
        return client.start(o.method, url, target.headers)
    return client.call(o.method, url, target.body, target.headers, raw=target.raw)


CASES = [(o, status) for o in DOCUMENT.operations for status in sorted(o.statuses)]


def o_is_seen(operation, world, made):
    """Is what was made there to be read?"""
    return operation.id == "startTestRun" or operation.id == "reviveVersion" or world.api.call("GET", made).status == 200


@pytest.mark.parametrize("operation,status", CASES, ids=[f"{o.id}-{status}" for o, status in CASES])
def test_operation_answers_as_documented(world, operation, status):
    make = SPECIAL.get((operation.id, status)) or (succeed if status < 303 else GENERAL[status])
    target = make(world, operation)
    answer = ask(world, operation, target)
    for _ in range(4 if status == 304 else 0):
        if answer.status == 200:  # lists of what hosts report are another every two seconds
            target = make(world, operation)
            answer = ask(world, operation, target)
    assert answer.status == status, f"{operation.method} {operation.url(**target.values)}{target.query} {target.body}: {answer}"
    operation.check_answer(answer)
    if status == 201:
        made = urllib.parse.urlsplit(answer.headers["Location"]).path
        assert o_is_seen(operation, world, made), made


# ------------------------------------------------------------------ lists and details

LISTS = pytest.mark.parametrize("operation", [o for o in DOCUMENT.operations if o.is_list], ids=lambda o: o.id)


@LISTS
def test_list_and_each_of_its_objects_fit(world, operation):
    """Without filters, so that there are objects; each detail has the same fields as its place in the list."""
    answer = world.api.call("GET", operation.url())
    operation.check_answer(answer)
    objects = answer.json["objects"]
    assert objects, f"the world has none of {operation.resource}"
    for one in objects[:5]:
        uri = one.get("resource_uri") or f"/api/v1/procs/{one['proc_id']}/"
        assert uri.startswith(f"/api/v1/{operation.resource}/"), uri
        detail = world.api.get(uri)
        assert set(detail) - {"changed"} == set(one), uri


@LISTS
def test_list_filters_and_lookups_are_as_documented(world, operation):
    for name, schema in operation.filters().items():
        value, lookups = {"integer": ("1", NUMBER_LOOKUPS), "boolean": ("true", ("exact", "in"))}.get(
            schema["type"], ("2026-01-31T12:00:00Z", NUMBER_LOOKUPS) if schema.get("format") else ("x", TEXT_LOOKUPS))
        for query in [f"{name}={value}", f"{name}__isnull=false", f"{name}__range={value},{value}", f"{name}=",
                      *(f"{name}__{lookup}={value}" for lookup in lookups)]:
            if schema["type"] == "boolean" and "range" in query:
                continue
            answer = world.api.call("GET", f"{operation.url()}?{query}")
            assert answer.status == 200, f"{query}: {answer}"


@LISTS
def test_list_fields_can_be_chosen_and_ordered_by(world, operation):
    objects = world.api.get(operation.url())["objects"]
    for field in objects[0]:
        answer = world.api.call("GET", f"{operation.url()}?fields={field}&limit=2")
        operation.check_answer(answer, chosen=True)
        assert all(set(one) == {field} for one in answer.json["objects"]), field
        answer = world.api.call("GET", f"{operation.url()}?order_by=-{field}&limit=2&fields={field}")
        assert answer.status in (200, 400), answer
        if answer.status == 400:
            assert f"'{field}' field" in answer.json["error"] and "ordering" in answer.json["error"], answer


def test_set_and_schema_of_every_resource(world):
    for name in DOCUMENT.resources():
        listing = next(o for o in DOCUMENT.operations if o.is_list and o.resource == name)
        objects = world.api.get(listing.url())["objects"]
        uris = [o.get("resource_uri") or f"/api/v1/procs/{o['proc_id']}/" for o in objects[:3]]
        keys = ";".join(key_of(uri) for uri in uris)
        found = world.api.get(f"/api/v1/{name}/set/{keys};999999/")
        assert found["not_found"] == ["999999"]
        schema = listing.responses["200"]["content"]["application/json"]["schema"]
        item = DOCUMENT.flat(DOCUMENT.flat(schema)["properties"]["objects"])["items"]
        for one in found["objects"]:
            DOCUMENT.check(item, one)
        answer = world.api.call("GET", f"/api/v1/{name}/schema/")
        DOCUMENT.by_id["showSchema"].check_answer(answer)
        fields = set(answer.json["fields"])
        documented = {k for k, v in DOCUMENT.flat(item)["properties"].items() if not DOCUMENT.resolve(v).get("writeOnly")}
        assert fields == documented, f"{name}: schema and document differ in {fields ^ documented}"
