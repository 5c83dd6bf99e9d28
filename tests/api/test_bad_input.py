# SPDX-License-Identifier: MIT
"""Bad input for every operation, made from docs/openapi.yaml.

Never a 5xx, never a partial write, always JSON that says what is wrong and of which field; and what the document forbids is
refused. VR_SEED chooses other samples; with VR_TEST_LONG all of it is sent.
"""
import json
import os
import random
import sqlite3

import jsonschema
import pytest
import vr_hostile
import vr_openapi
from test_openapi import fresh, known, unique

DOCUMENT = vr_openapi.load()
LONG = os.environ.get("VR_TEST_LONG") == "1"
SEED = os.environ.get("VR_SEED", "1")
FIELD_SAMPLES = 15  # values a field gets of each kind
SHOWN = 8

WITH_BODY = [o for o in DOCUMENT.operations if o.body]
WITH_PATH = [o for o in DOCUMENT.operations if "{" in o.path and not o.is_stream]
WITH_QUERY = [o for o in DOCUMENT.operations if any(p["in"] == "query" for p in o.parameters) and not o.is_stream]
WRITES = [o for o in DOCUMENT.operations if o.is_write and o.path.startswith("/api/")]
SLOW = ("createUser", "changePassword", "logIn")  # each request hashes a password
UNCHANGING = ("apps", "buildpacks", "ingredients", "swarm_ingredients", "squads")
ROLLS_OUT = ("dispatchSwarm", "rollBackSwarm")


def sample(name, values, count=FIELD_SAMPLES):
    if LONG or len(values) <= count:
        return list(values)
    return random.Random(f"{SEED}-{name}").sample(list(values), count)


class Judge:
    """Sends requests, collects what is wrong with the answers, and sees to it that refusals changed nothing."""

    def __init__(self, world):
        self.world = world
        self.client = world.server.token_client(world)  # a token costs no hash of a password
        self.wrong = []
        self.db = sqlite3.connect(f"file:{world.server.database}?mode=ro", uri=True, isolation_level=None)
        self.version = self.before = None
        self.remember()

    def remember(self):
        self.version = self.db.execute("PRAGMA data_version").fetchone()
        self.before = self.state()

    def state(self):
        """What only users change. Columns that the platform itself changes are not among them."""
        found = [self.db.execute(f"SELECT * FROM {t} ORDER BY 1, 2").fetchall() for t in UNCHANGING]
        # A refusal is written down, and so is what the platform does.
        found.append(self.db.execute("SELECT * FROM log_entries WHERE type NOT IN ('refused', 'login failed') AND via <> 'engine'"
                                     " ORDER BY id").fetchall())
        found.append(self.db.execute("SELECT id, name, active, squad_id, address, roles FROM hosts ORDER BY id").fetchall())
        found.append(self.db.execute("SELECT id, proc_id, kind FROM commands ORDER BY id").fetchall())
        found.append(self.db.execute("SELECT id, app_id, tag, size, pool, config_json, env_json, row_version FROM swarms ORDER BY id").fetchall())
        found.append(self.db.execute("SELECT id, swarm_id, kind, tag FROM rollouts ORDER BY seq").fetchall())
        found.append(self.db.execute("SELECT id, name, port FROM procs ORDER BY id").fetchall())
        found.append(self.db.execute("SELECT id, user_id, name, expires_us FROM tokens ORDER BY id").fetchall())
        found.append(self.db.execute("SELECT id, username, password, role, first_name, last_name, email, is_active FROM users ORDER BY id").fetchall())
        return found

    def say(self, what, request, answer):
        shown = " ".join(f"{part!r:.300}" for part in request if part is not None)
        self.wrong.append(f"{what}: {shown} -> {answer!r:.400}")

    def ask(self, method, url, body=None, headers=None, field=None, must_fail=False, names=True, client=None):
        """One request with one thing wrong; `field` is the one that is to be named."""
        raw = vr_hostile.dumps(body) if body is not None and not isinstance(body, bytes) else body
        request = (method, url, raw, headers)
        answer = (client or self.client).call(method, url, raw=raw, headers=headers)
        if answer.status >= 500:
            self.say("our fault", request, answer)
        elif answer.status >= 400:
            self.judge_refusal(request, answer, field, names)
            self.judge_state(request, answer)
        elif must_fail:
            self.say("not refused", request, answer)
        if answer.status < 400:
            if answer.type == "application/json" and answer.body:
                answer.body.decode("utf-8")
                assert answer.json is not None
            if method != "GET":
                self.remember()
        return answer

    def judge_refusal(self, request, answer, field, names):
        if request[0] == "HEAD" or answer.status == 416:
            return
        try:
            body = answer.json
        except ValueError:
            self.say("no JSON", request, answer)
            return
        if not body.get("error"):
            self.say("no sentence", request, answer)
        elif answer.status == 400 and field and names:
            named = field in body.get("errors", {}) if request[2] is not None and "?" not in request[1] else field in body["error"]
            if not named:
                self.say(f"does not name '{field}'", request, answer)

    def judge_state(self, request, answer):
        version = self.db.execute("PRAGMA data_version").fetchone()
        if version == self.version:
            return
        now = self.state()
        if now != self.before:
            self.say("changed something all the same", request, answer)
        self.version, self.before = version, now

    def verdict(self):
        self.db.close()
        assert not self.wrong, f"{len(self.wrong)} answers are wrong (VR_SEED={SEED}):\n" + "\n".join(self.wrong[:SHOWN])


@pytest.fixture(name="judge")
def fixture_judge(world):
    world.settle()
    judge = Judge(world)
    yield judge
    judge.verdict()
    assert world.server.child.poll() is None, "the server ended"
    assert world.api.call("GET", "/healthz").status == 200


def of(operations):
    return pytest.mark.parametrize("operation", operations, ids=lambda o: o.id)


# ------------------------------------------------------------------ fields of bodies

def is_forbidden(schema, value):
    """Does the document say that this value is refused?"""
    if isinstance(value, vr_hostile.Raw):
        return True  # all of them are no JSON, or beyond a limit of all JSON
    return not jsonschema.Draft202012Validator(DOCUMENT.loose(schema)).is_valid(value)


def references(kind):
    """References that lead nowhere, or to something else."""
    other = "squads" if kind == "apps" else "apps"
    return ["/api/v1/", f"/api/v1/{kind}/", f"/api/v1/{kind}/nothing/", f"/api/v1/{kind}/999999/", f"/api/v1/{kind}/%00/", f"/api/v1/{kind}/../user/1/",
            f"/api/v1/{other}/hello/", f"/api/v1/{kind}/{2**63}/", f"/api/v1/{kind}/-1/", f"http://x/api/v1/{kind}/nothing/", "http://", "//", "/" * 5000,
            {"id": 0}, {"id": -1}, {"id": 2**63 - 1}, {"id": "x"}, {"id": None}, {"id": [1]}, {"id": {"id": 1}}, {"name": ""}, {"name": "nothing' OR 1=1 --"},
            {"name": 5}, {"resource_uri": None}, {"resource_uri": {}}, {"resource_uri": ""}, {"resource_uri": f"/api/v1/{other}/hello/"}, {"x": 1}]


def values_for(o, name, schema):
    """(value, is it certain to be refused?) for one field."""
    field = DOCUMENT.flat(schema)
    found = [(v, is_forbidden(field, v)) for v in vr_hostile.TEXTS + vr_hostile.NUMBERS + vr_hostile.OTHERS]
    if field.get("x-reference"):
        many = field.get("type") == "array"
        found = [(v, v is not None and not (many and v == []) and not (o.id == "rollBackSwarm" and v == 0)) for v, _ in found]
        found = [(v, sure) for v, sure in found if not (o.id == "rollBackSwarm" and isinstance(v, int))]
        wrong = references(field["x-reference"])
        found += [([v] if many else v, True) for v in wrong]
        if name == "release" and "Swarm" in o.id and "roll" not in o.id:
            return [(v, False) for v, _ in found]  # ignored beside a version, and on changes
    if o.id == "changePassword" and name == "old":
        return [(v, False) for v, _ in found]  # only asked for one's own
    if name.endswith("_yaml"):
        found += [(v, True) for v in vr_hostile.BAD_YAML] + [(v, False) for v in vr_hostile.ODD_YAML]
        found += [({"a": v}, False) for v in ([], {}, None, 1e308, "\u202e", [[[[]]]])]
    if name == "volumes":
        found += [(v, True) for v in ([["a", "/b"]], [["/a", "b"]], [["/a", "/../b"]], [["/a", "/b"], ["/c", "/b"]], [["/a"]], [["/a", "/b", "ro"]], [{"a": 1}],
                                      [["/a", "/" + "b" * 2000]], [[f"/a{i}", f"/b{i}"] for i in range(101)], "- [/a]\n", vr_hostile.BOMB)]
    found += [(v, True) for v in vr_hostile.NOT_JSON]
    found += [(v, not name.endswith("_yaml") and len(field) > 1) for v in vr_hostile.LARGE]
    return found


def target_of(world, o):
    """An object of its own; a swarm without procs, so that its rollouts are short."""
    if o.id in ROLLS_OUT:
        return {"id": world.new_swarm(size=0).split("/")[-2]}
    return fresh(world, o)


@of(WITH_BODY)
def test_every_field_of_every_body(world, judge, operation):
    schema, _, _ = operation.body
    flat = DOCUMENT.flat(schema)
    url = operation.url(**target_of(world, operation))
    judge.remember()
    fields = {k: v for k, v in flat["properties"].items() if not DOCUMENT.resolve(v).get("readOnly")}
    for name, field in fields.items():
        cases = sample(f"{operation.id}-{name}", values_for(operation, name, field),
                       2 if operation.id in SLOW or name == "password" else FIELD_SAMPLES)
        for value, forbidden in cases:
            body = {**unique(world, operation, operation.body[1]), name: value}
            if name == "config_name" and operation.id == "deployRelease":
                body["port"] = 5800
            judge.ask(operation.method, url, body, field=name, must_fail=forbidden, names=not isinstance(value, vr_hostile.Raw))
    for name in flat.get("required", []):
        body = unique(world, operation, operation.body[1])
        del body[name]
        judge.ask(operation.method, url, body, field=name, must_fail=True)


@of(WITH_BODY)
def test_bodies_that_are_no_object(world, judge, operation):
    url = operation.url(**target_of(world, operation))
    judge.remember()
    example = vr_hostile.dumps(unique(world, operation, operation.body[1]))
    whole = [b"[]", b"null", b"1", b'"x"', b"{", b"}", b"{}{}", b"{} x", b"\xff\xfe{\x00}\x00", b"\xef\xbb\xbf{}", b"\x00", b"{\x00}", b"a=b&c=d", b"<x/>",
             b"---\na: 1\n", example[:-1], example + b",", example + example, b"[" * 100_000, b'{"a":' * 100_000,
             b"{" + b",".join(b'"k%d":0' % i for i in range(60_000)) + b",", b'{"a": 1, "a": 2}', b" " * 900_000 + b"["]
    for raw in whole if operation.id not in SLOW else whole[:5]:
        judge.ask(operation.method, url, raw, must_fail=True)
    judge.ask(operation.method, url, b'{"x": "' + b"x" * (2 << 20) + b'"}', must_fail=True)


# ------------------------------------------------------------------ paths, queries, headers

@of(WITH_PATH)
def test_every_part_of_every_path(world, judge, operation):
    body = operation.body and operation.body[1]
    if operation.id in ("replaceApp", "replaceSquad", "replaceHost"):
        body = {"name": 5}  # else they would be made under whatever is a name
    for parameter in (p for p in operation.parameters if p["in"] == "path"):
        for part in sample(f"{operation.id}-{parameter['name']}", vr_hostile.PATH_PARTS):
            values = {**known(world, operation), parameter["name"]: "@"}
            url = operation.url(**values).replace("%40", part).replace("@", part)
            is_object = part not in ("0", "1.0", "+1", "01")
            if (operation.method == "DELETE" or operation.id in ROLLS_OUT) and not is_object:
                continue
            judge.ask(operation.method, url, body)


@of(WITH_QUERY)
def test_every_parameter_of_every_query(world, judge, operation):
    url = operation.url(**known(world, operation))
    body = operation.body and operation.body[1]
    for parameter in (p for p in operation.parameters if p["in"] == "query"):
        schema = DOCUMENT.flat(parameter["schema"])
        names = list(schema["properties"]) if "properties" in schema else [parameter["name"]]
        for name in names:
            for value in sample(f"{operation.id}-{name}", vr_hostile.QUERY_VALUES, 8 if len(names) > 1 else FIELD_SAMPLES):
                if name in ("wait", "plan") or operation.method != "GET":
                    continue
                forbidden = schema.get("type") == "integer" and not is_number(value, schema)
                judge.ask("GET", f"{url}?{name}={value}", body, must_fail=forbidden, field=name if forbidden and "%" not in value else None)
    if operation.is_list:
        for query in odd_queries(operation):
            judge.ask("GET", f"{url}?{query}")
    for value in ("x", "-1", "31", str(2**63)):
        if any(p["name"] == "wait" for p in operation.parameters):
            judge.ask(operation.method, f"{url}?wait={value}", body and {"action": "start"}, must_fail=True)


def is_number(text, schema):
    if not text:
        return True
    try:
        return schema.get("minimum", -2**63) <= int(text) <= schema.get("maximum", 2**62)
    except ValueError:
        return False


def odd_queries(operation):
    names = list(operation.filters())
    first = names[-1]
    yield from ("limit", "limit=&offset=", "=x", "&&&", "limit=1&limit=x", "a=b&" * 300, "?" * 50, "%00=1", "limit=0", "limit=9999", "offset=999999999",
                "order_by=" + "id," * 200, "order_by=--id", "order_by=,", "order_by=x", "fields=" + "x," * 3000, "fields=%00", "format=xml", "format=json",
                f"offset={2**62}", f"limit={2**62}", "callback=alert", "limit[]=1", "limit=1;offset=2")
    for lookup in ("exact", "in", "range", "isnull", "regex", "iregex", "year", "month", "day", "contains", "nothing", "exact__exact", "", "_", "in__in",
                   "week_day", "search", "id__id__id__id__id"):
        for value in ("x", "1", "1,2", "(", "true"):
            yield f"{first}__{lookup}={value}"
    yield "&".join(f"{name}__isnull=false" for name in names)
    yield "&".join(f"{first}__in={','.join(['1'] * 40)}" for _ in range(20))
    yield f"{first}__iregex=" + "(a%2B)%2B" * 20 + "b"


@of(WRITES)
def test_headers_that_are_garbage(world, judge, operation):
    url = operation.url(**known(world, operation))
    for headers in sample(operation.id, vr_hostile.HEADERS):
        judge.ask(operation.method, url, b"[]", headers={k: v.encode("utf-8").decode("latin-1") for k, v in headers.items()}, must_fail=True)


@of([o for o in DOCUMENT.operations if o.method == "GET" and not o.is_stream])
def test_headers_of_reads_that_are_garbage(world, judge, operation):
    url = operation.url(**known(world, operation))
    for headers in sample(operation.id, vr_hostile.HEADERS, 15):
        if "X-HTTP-Method-Override" not in headers:
            judge.ask("GET", url, headers={k: v.encode("utf-8").decode("latin-1") for k, v in headers.items()})


def test_credentials_that_are_garbage(world, judge):
    for value in vr_hostile.AUTHORIZATIONS:
        answer = judge.ask("GET", "/api/v1/apps/", headers={"Authorization": value or None}, client=world.server.client(None))
        assert answer.status in (401, 429), (value, answer)


@of([o for o in DOCUMENT.operations if o.is_stream])
def test_streams_refuse_what_they_cannot_give(world, judge, operation):
    url = operation.url(**known(world, operation))
    for parameter in (p for p in operation.parameters if p["in"] == "query" and p["schema"].get("type") == "integer"):
        for value in ("x", "-2", "1.5", str(2**63), "%00", "%ff", "%zz"):
            judge.ask("GET", f"{url}?{parameter['name']}={value}", must_fail=True)


# ------------------------------------------------------------------ conflicting combinations

def test_reference_by_a_name_that_its_kind_does_not_have(world, judge):
    """Such a key filters nothing: the first of all buildpacks would be taken."""
    app = world.new_app()
    judge.remember()
    judge.ask("PATCH", app, {"buildpack": {"name": "nothing"}}, field="buildpack", must_fail=True)


@pytest.mark.parametrize("body,field", [
    ({"memsw_limit": "1G"}, "mem_limit"), ({"mem_limit": "1G", "memsw_limit": "512M"}, "mem_limit"), ({"policy": {"ready": "listen", "port": "none"}}, "policy"),
    ({"policy": []}, "policy"), ({"policy": {"drain_secs": -1}}, "policy"), ({"drain_secs": 10**6}, "policy"), ({"balancer": "nothing", "pool": "x"}, "balancer"),
    ({"config_yaml": {"a": 1}, "env_yaml": {"a-b": "x"}}, "env_yaml"), ({"config_yaml": 5}, "config_yaml"), ({"volumes": [["/a", "/b"], ["/c", "/b"]]}, "volumes"),
])
def test_swarm_fields_that_contradict(world, judge, body, field):
    swarm = world.new_swarm()
    judge.remember()
    judge.ask("PATCH", swarm, body, field=field, must_fail=True)


def test_a_refused_change_changes_no_other_field(world, judge):
    swarm = world.new_swarm(size=1)
    before = json.dumps(world.api.get(swarm), sort_keys=True)
    for body in ({"size": 5, "mem_limit": "lots"}, {"version": "v9", "config_ingredients": ["/api/v1/ingredients/999999/"]},
                 {"size": 7, "pool": "hello"}, {"run_as": "daemon", "squad": "/api/v1/squads/nothing/"}):
        assert world.api.call("PATCH", swarm, body).status in (400, 409), body
        assert json.dumps(world.api.get(swarm), sort_keys=True) == before, body
    judge.remember()
