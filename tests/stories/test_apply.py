# SPDX-License-Identifier: MIT
"""The platform's objects as files: exported, applied, and applied again without a change."""
import os

import pytest

from conftest import ended, started

MANIFEST = """
squads:
  dc1:
  dc2: {}
apps:
  shop:
    repo_url: https://git.example.com/shop.git
    repo_type: git
    buildpack: builtin:python
ingredients:
  db-main:
    config: {db: pg, level: 1}
    env:
      DB_HOST: db1
  limits:
    env: {WORKERS: "4"}
swarms:
  shop-prod-web:
    squad: dc1
    tag: v1
    size: 2
    ingredients: [limits, db-main]
    env: {FEATURE_X: "on"}
    volumes: [[/var/data, /data]]
  shop-prod-web@dc2:
    tag: v1
dashboards:
  payments:
    name: Payments
    apps: [shop]
"""


@pytest.fixture(name="server", scope="module")
def fixture_server():
    """A server without hosts."""
    platform = started("apply")
    platform.server.start()
    platform.await_server()
    platform.log_in()
    yield platform
    ended(platform)


@pytest.fixture(name="apply")
def fixture_apply(server, tmp_path):
    def apply(text, *words, code=0):
        path = tmp_path / "manifest.yaml"
        path.write_text(text)
        os.chmod(path, 0o644)
        return server.cli("apply", "-f", str(path), *words, code=code)
    return apply


def test_a_manifest_makes_changes_and_prunes(server, apply):
    plan = apply(MANIFEST, "--plan", "--exit-code", code=10)
    assert plan.splitlines()[0].split() == ["+", "squad", "dc1"] and plan.count("\n") == 8
    assert server.api.objects("/api/v1/apps/") == []
    assert apply(MANIFEST).count("+ ") == 8
    assert apply(MANIFEST, "--plan", "--exit-code") == ""
    swarms = {s["squad_name"]: s for s in server.api.objects("/api/v1/swarms/")}
    assert swarms["dc1"]["compiled_env"] == {"DB_HOST": "db1", "FEATURE_X": "on", "WORKERS": "4"}
    assert swarms["dc1"]["volumes"] == [["/var/data", "/data"]] and swarms["dc2"]["size"] == 1
    # What is exported is what is there.
    exported = server.cli("export")
    assert apply(exported, "--plan", "--exit-code") == "" and "builtin:" not in exported.split("apps:")[0]
    assert "shop-prod-web@dc2" in exported and "password" not in exported
    # One field changes, another is left to whoever set it.
    server.api.must("PATCH", swarms["dc1"]["resource_uri"], {"pool": "shop", "balancer": "default"})
    changed = apply(MANIFEST.replace("size: 2", "size: 4").replace("level: 1", "level: 2"))
    assert "size 2 → 4" in changed and "config" in changed and "pool" not in changed
    assert server.api.get(swarms["dc1"]["resource_uri"])["pool"] == "shop"
    # Of the sections that are there, what is not in them goes, last referred to first.
    less = "ingredients:\n  db-main: {}\nswarms:\n  shop-prod-web:\n    squad: dc1\n    ingredients: [db-main]\n"
    plan = apply(less, "--prune", "--plan")
    assert "- ingredient limits" in plan and "- swarm      shop-prod-web@dc2" in plan and "squad " not in plan
    assert "--yes" in server.cli.fails("apply", "-f", write(server, less), "--prune", code=2)
    apply(less, "--prune", "--yes")
    assert [i["name"] for i in server.api.objects("/api/v1/ingredients/")] == ["db-main"]
    assert len(server.api.objects("/api/v1/swarms/")) == 1


def write(server, text):
    path = os.path.join(server.root, "less.yaml")
    with open(path, "w") as file:
        file.write(text)
    return path


def test_secrets_come_from_elsewhere(server, apply, tmp_path):
    (tmp_path / "password").write_text("hunter2")
    os.chmod(tmp_path, 0o755)
    text = "ingredients:\n  vault:\n    secrets:\n      env:\n        DB_PASSWORD: {file: %s}\n" % (tmp_path / "password")
    apply(text)
    exported = server.cli("export", "ingredients")
    assert "DB_PASSWORD" in exported and "hunter2" not in exported
    names = "ingredients:\n  vault:\n    secrets: {env: [DB_PASSWORD]}\n"
    assert apply(names, "--plan", "--exit-code") == ""
    apply("ingredients:\n  vault:\n    secrets: null\n")
    assert "DB_PASSWORD" not in server.cli("export", "ingredients")
    path = write(server, names)
    assert "secret 'DB_PASSWORD' has no value yet" in server.cli.fails("apply", "-f", path, code=2)


@pytest.mark.parametrize("text, sentence", [
    ("- a\n", "it is no mapping of sections"),
    ("things: {}\n", "'things' is no section"),
    ("apps: [shop]\n", "apps is no mapping of names"),
    ("apps:\n  shop: text\n", "app 'shop' is no mapping of fields"),
    ("apps:\n  shop: {url: x}\n", "app 'shop' has no field 'url'"),
    ("swarms:\n  shop-prod-web: {}\n", "swarm 'shop-prod-web' names no squad"),
    ("swarms:\n  shop-web@dc1: {}\n", "swarm 'shop-web@dc1' is not called APP-CONFIG-PROC"),
    ("apps: &a {x: *a}\n", "line 1"),
    ("hosts:\n  h9: {active: false}\n", "there is no host 'h9'")])
def test_bad_manifests_change_nothing(server, text, sentence):
    code = 4 if "h9" in text else 2
    assert sentence in server.cli.fails("apply", "-f", write(server, text), code=code)
