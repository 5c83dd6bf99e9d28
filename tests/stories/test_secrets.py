# SPDX-License-Identifier: MIT
"""A secret reaches its app, and nobody and nothing else."""
import glob
import os
import signal
import stat
import subprocess
import threading

from vr_wait import wait_for

LISTED = 100  # objects of each resource whose details are read
STREAM_SECS = 3
HANDED_OVER = ("env.sh", "settings.yaml")  # in the tmpfs of the run dir, for the container


def holders(root, values):
    """Regular files below a folder that hold one of the values; mounts below it included."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if not stat.S_ISREG(os.lstat(path).st_mode):
                    continue
                with open(path, "rb") as file:
                    text = file.read()
            except OSError:
                continue
            if any(value.encode() in text for value in values):
                found.append(path)
    return found


def handed_over(host, path):
    return path.startswith(host.run_dir + "/") and os.path.basename(path) in HANDED_OVER


def command_lines(values):
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError:
            continue
        if any(value.encode() in text for value in values):
            found.append(path)
    return found


def answers(api):
    """Every list, every detail, what hangs below a swarm, and what a dispatch would change."""
    for resource in api.get("/api/v1/"):
        path = f"/api/v1/{resource}/"
        yield path, api.call("GET", path + f"?limit={LISTED}")
        yield path, api.call("GET", path + "schema/")
        answer = api.call("GET", path + f"?limit={LISTED}")
        for found in answer.json.get("objects", []) if answer.status == 200 else []:
            if isinstance(found, dict) and found.get("resource_uri"):
                yield found["resource_uri"], api.call("GET", found["resource_uri"])
    for swarm in api.objects("/api/v1/swarms/"):
        for part in ("procs/", "releases/", "merged/"):
            yield swarm["resource_uri"] + part, api.call("GET", swarm["resource_uri"] + part)
        yield "plan", api.call("POST", swarm["resource_uri"] + "swarm/?plan=1")
    yield "keys", api.call("GET", "/api/v1/keys/")


class Stream:
    """What the event stream says from its beginning, kept as text."""

    def __init__(self, platform):
        self.text = b""
        self.curl = subprocess.Popen(
            ["curl", "-sN", "-u", f"{platform.api.username}:{platform.api.password}",
             platform.url + "/api/v1/stream/?after=0"], stdout=subprocess.PIPE)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            data = self.curl.stdout.read1(65536)
            if not data:
                return
            self.text += data

    def end(self):
        self.curl.terminate()
        self.curl.wait(10)
        self.reader.join(10)
        self.curl.stdout.close()
        return self.text.decode("utf-8", "replace")


def assert_nowhere(platform, values):
    found = [path for path in holders(platform.root, values)
             if not any(handed_over(host, path) for host in platform.hosts.values())]
    assert not found, found
    assert not command_lines(values)
    for path, answer in answers(platform.api):
        assert answer.status < 500, (path, answer.body)
        assert not any(value in answer.body for value in values), path


def release_hash(platform, swarm):
    return platform.api.get(platform.api.release_of(swarm))["hash"]


def test_a_secret_reaches_its_app_and_nothing_else(private, name):
    first, second, config = (f"{word}-{os.urandom(12).hex()}" for word in ("first", "second", "config"))
    values = (first, second, config)
    api = private.api
    private.app(name).web("v1")
    ingredient = api.create("/api/v1/ingredients/", {
        "name": "db", "env_yaml": "DB_USER: shop\n", "secrets": {"env": {"DB_PASSWORD": first}}})
    swarm = private.swarm(name, config_ingredients=[ingredient],
                          secrets={"config": {"smtp.password": config}})
    stream = Stream(private)

    # The app has it, in its environment and in its settings.
    api.done(api.dispatch(swarm, "v1"))
    assert f"DB_PASSWORD={first}" in private.fetch(name, "/env")[1].splitlines()
    assert config in private.fetch(name, "/settings")[1]
    found = holders(private.host.run_dir, values)
    assert found and all(handed_over(private.host, path) for path in found), found
    assert_nowhere(private, values)
    before = release_hash(private, swarm)
    env_yaml = api.get(api.release_of(swarm))["env_yaml"]
    assert 'DB_PASSWORD: "••••••••"' in env_yaml.splitlines() and "DB_USER: shop" in env_yaml.splitlines()

    # New keys while it runs: what is sealed opens, and the same wish is the same release.
    keys = {key["id"] for key in api.get("/api/v1/keys/")["objects"]}
    rotated = api.must("POST", "/api/v1/keys/rotate/", {}).json
    assert rotated["sealed"] == 2 and set(rotated["dropped"]) == keys
    api.done(api.dispatch(swarm, "v1", kind="restart"))
    assert f"DB_PASSWORD={first}" in private.fetch(name, "/env")[1].splitlines()
    api.patch(ingredient, {"secrets": {"env": {"DB_PASSWORD": first}}})
    api.done(api.dispatch(swarm, "v1"))
    assert release_hash(private, swarm) == before

    # Another value is said to be another, and is another release.
    api.patch(ingredient, {"secrets": {"env": {"DB_PASSWORD": second}}})
    plan = api.must("POST", swarm + "swarm/?plan=1").json["plan"]
    assert plan["env"] == ["~ DB_PASSWORD: secret, changed"]
    api.done(api.dispatch(swarm, "v1"))
    assert release_hash(private, swarm) != before
    assert f"DB_PASSWORD={second}" in private.fetch(name, "/env")[1].splitlines()
    api.done(api.must("POST", swarm + "rollback/", {}).json["swarm_id"])
    assert f"DB_PASSWORD={first}" in private.fetch(name, "/env")[1].splitlines()
    assert_nowhere(private, values)
    wait_for("the stream has told it", lambda: b"rotate" in stream.text, STREAM_SECS)
    said = stream.end()
    assert not any(value in said for value in values)


def test_without_the_key_file_the_server_says_so_and_does_not_start(private):
    private.api.create("/api/v1/ingredients/", {"name": "db", "secrets": {"env": {"DB_PASSWORD": "kept"}}})
    private.server.kill(signal.SIGTERM)
    path = os.path.join(private.data_dir, "secret-keys")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    os.rename(path, path + ".kept")
    private.server.start()
    wait_for("the server ends", lambda: not private.server.is_running())
    with open(private.server.log) as log:
        last = log.read().splitlines()[-1]
    assert f"'{path}' is missing" in last and "Put the file back from its copy and start again" in last
    os.rename(path + ".kept", path)
    private.server.start()
    private.await_server()
    assert private.api.get("/api/v1/keys/")["objects"][0]["values"] == 1
