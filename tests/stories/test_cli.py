# SPDX-License-Identifier: MIT
"""The command line as people and scripts use it: what it prints, what it asks, how it ends."""
import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import time

import pytest

from vr_platform import Cli
from vr_wait import wait_for

LOADED = r"Loaded (\d+) swarms in \d+:\d\d:\d\d(\.\d{6})?"


@pytest.fixture(name="old")
def fixture_old(platform, tmp_path):
    """The program by the name of the original's client."""
    os.symlink(platform.programs.vr, tmp_path / "vr.cli")
    old = Cli(str(tmp_path / "vr.cli"), "", "")
    old.environment = platform.cli.environment
    return old


@pytest.fixture(name="running")
def fixture_running(platform, name):
    """Swarms <name>-prod-web and <name>-test-web, of which the first one runs."""
    repository = platform.app(name)
    repository.web("v1")
    platform.swarm(name, pool=False)
    platform.swarm(name, config="test", pool=False)
    platform.cli("swarm", f"{name}-prod-web", "v1", "--wait", "-q")
    return name


def as_user(platform, name, password):
    user = Cli(platform.programs.vr, platform.cli.environment["HOME"], platform.url)
    user.environment.update(VR_USERNAME=name, VR_PASSWORD=password)
    return user


# ------------------------------------------------------------------ the original's client

def test_the_old_name_prints_as_the_original_did(old, running):
    loaded, *names = old("list-swarms", running).splitlines()
    assert re.fullmatch(LOADED, loaded)[1] == "2" and names == [f"{running}-prod-web", f"{running}-test-web"]
    assert old("swarm", running, "-", "-x", "TEST").splitlines() == ["Matched 1 apps", f"['{running}-prod-web']"]
    assert old("swarm", "-x", "test", running, "-").splitlines()[0] == "Matched 1 apps"
    assert old("build", running, "v1") == ""
    assert old.run().returncode == 1 and old.run().stdout.startswith("usage: ")
    assert old.run("nonsense").returncode == 2
    lines = old("procs", "list", running).splitlines()
    assert lines[:2] == ["", f"{running}-prod-web [v1]"]
    assert re.fullmatch(r"  \S+ +\d+ +RUNNING    pid \d+, uptime [\d:]+", lines[2]) and len(lines) == 3
    assert old("procs", "list", running, "--host", "nowhere") == ""
    assert old("procs", "stop", running).splitlines()[2].startswith("STOP ")
    wait_for("it is stopped", lambda: "STOPPED" in old("procs", "list", running), 20)
    assert old("procs", "start", running).splitlines()[2].startswith("START ")


def test_countdown_and_rebuild_all(old, running):
    begun = time.monotonic()
    lines = old("rebuild-all", f"{running}-prod", "--countdown").splitlines()
    assert lines[:3] == ["Matched 1 apps", f"['{running}-prod-web']", "Rebuilding in 5 sec"]
    assert lines[-1] == "Rebuilding in 1 sec" and time.monotonic() - begun > 4.5


def test_deploy_of_one_proc(platform, old, running):
    release = platform.api.objects(f"/api/v1/swarms/?app__name={running}")[0]["release"].split("/")[-2]
    assert old("deploy", release, platform.first_host, "0", "web", "-c", "solo") == ""
    procs = wait_for("it runs", lambda: [p for p in platform.api.get(
        f"/api/v1/hosts/{platform.first_host}/procs/")["objects"] if p["config_name"] == "solo"], 20)
    platform.cli("proc", "rm", str(procs[0]["proc_id"]), "--yes", "--wait")
    old("deploy", release, "no_such_host", "0", "web", code=2)
    old("deploy", "999999", platform.first_host, "0", "web", code=4)


# ------------------------------------------------------------------ swarms and their ingredients

def test_ingredients_added_removed_replaced(platform, name):
    cli = platform.cli
    platform.app(name).web("v1")
    first, second, third = (f"{name}_{i}" for i in (1, 2, 3))
    for ingredient in (first, second, third):
        cli("ingredient", "add", ingredient)
    platform.swarm(name, pool=False)
    platform.swarm(name, config="test", pool=False)

    def has():
        uris = json.loads(cli("swarm", "show", f"{name}-prod-web", "--json"))["config_ingredients"]
        return [platform.api.get(uri)["name"] for uri in uris]

    def swarm(*words, code=0):
        return cli("swarm", f"{name}-prod-web", "v1", *words, "-q", code=code)

    swarm("--add-ingredients", first, second, "--wait")
    assert has() == [first, second]
    swarm("--add-ingredients", first, "--remove-ingredients", second)
    assert has() == [first]
    swarm("--remove-ingredients", first)  # the last one can go
    assert has() == []
    swarm("--replace-ingredients", third, "--add-ingredients", first, code=2)
    swarm("--replace-ingredients", third)
    assert has() == [third]
    swarm("--add-ingredients", "no_such_ingredient", code=4)
    # By ingredient: a union with what the filter found, and excludes do not apply to it.
    text = cli("swarm", f"{name}-test-web", "v1", "--by-ingredients", third, "-x", "prod", "--plan")
    assert f"{name}-prod-web" in text and f"{name}-test-web" in text
    for row in platform.api.objects("/api/v1/rollouts/?state=active") + platform.api.objects(
            "/api/v1/rollouts/?state=queued"):
        platform.api.ended(row["id"])


def test_what_is_outdated_is_swarmed_again(platform, running, tmp_path):
    cli = platform.cli
    cli("ingredient", "add", f"{running}_i")
    cli("swarm", f"{running}-prod-web", "-", "--add-ingredients", f"{running}_i", "--wait", "-q")
    assert "No swarm is outdated" in cli.run("ingredient", "re-swarm", f"{running}_i").stderr
    (tmp_path / "config").write_text("colour: red\n")
    cli("ingredient", "set", f"{running}_i", "--config", str(tmp_path / "config"))
    assert "colour: red" in cli("ingredient", "re-swarm", f"{running}_i", "--plan", "--exit-code", code=10)
    cli("ingredient", "re-swarm", f"{running}_i", "--wait", "-q")
    assert "No swarm is outdated" in cli.run("ingredient", "re-swarm", f"{running}_i").stderr


def test_search_pin_retry_and_redispatch(platform, running):
    cli = platform.cli
    assert f"{running}-v1-prod-web" in cli("search", running.upper())
    release = platform.api.objects(f"/api/v1/swarms/?app__name={running}&config_name=prod")[0]["release"].split("/")[-2]
    for verb, pinned in (("pin", True), ("unpin", False)):
        cli("release", verb, release)
        assert json.loads(cli("release", "show", release, "--json"))["pinned"] is pinned
    cli("release", "pin", "999999", code=4)
    failed = cli("swarm", f"{running}-test-web", "no_such_tag", "--wait", code=1).strip()
    again = cli("rollout", "retry", failed, "--wait", code=1).strip()
    assert platform.api.get(f"/api/v1/rollouts/{again}/")["retry_of"] == failed
    assert running in cli("squad", "redispatch", "default", "--plan")
    cli("squad", "redispatch", "no_such_squad", code=4)


# ------------------------------------------------------------------ questions

def test_what_takes_away_asks_or_wants_yes(platform, running):
    cli = platform.cli
    proc = cli("ps", running, "-q").strip()
    for words in (("scale", running, "0", "-x", "test"), ("swarm", f"{running}-prod-web", "-", "--size", "0"),
                  ("proc", "rm", proc), ("app", "rm", running), ("swarm", "rm", f"{running}-test-web")):
        run = cli.run(*words)
        assert run.returncode == 2 and "add --yes" in run.stderr, (words, run.stderr)
    assert "RUNNING" in cli("ps", running)
    cli("swarm", "rm", f"{running}-test-web", "--yes")
    cli("scale", running, "0", "--yes", "--wait")
    assert cli("ps", running) == ""


def test_a_question_on_a_terminal(platform, running):
    def answer(text):
        main, terminal = pty.openpty()
        child = subprocess.Popen([platform.programs.vr, "scale", f"{running}-prod-web", "0"], stdin=terminal,
                                 stdout=subprocess.PIPE, stderr=terminal, env=platform.cli.environment, text=True)
        os.close(terminal)
        os.write(main, text)
        child.communicate(timeout=30)
        os.close(main)
        return child.returncode

    assert answer(b"n\n") == 1
    assert "RUNNING" in platform.cli("ps", running)
    assert answer(b"y\n") == 0
    wait_for("its procs are gone", lambda: not platform.cli("ps", running), 30)


def test_a_change_that_came_too_late(platform, name):
    cli = platform.cli
    platform.app(name)
    version = json.loads(cli("app", "show", name, "--json"))["row_version"]
    cli("app", "set", name, "--repo-type", "git", "repo_url=https://x/y", "--if-version", str(version))
    run = cli.run("app", "set", name, "repo_url=https://x/z", "--if-version", str(version))
    assert run.returncode == 3 and f"app {name} is no longer version {version}" in run.stderr
    cli("app", "rm", name, "--yes", "--if-version", str(version), code=3)
    assert json.loads(cli("app", "show", name, "--json"))["repo_url"] == "https://x/y"


# ------------------------------------------------------------------ people

def test_users_grants_and_tokens(platform, name):
    cli = platform.cli
    platform.app(name).web("v1")
    platform.app(f"{name}b")
    platform.swarm(name, pool=False)
    cli("user", "add", name, "--role", "viewer", "--password-stdin", stdin="correct horse\n")
    user = as_user(platform, name, "correct horse")
    assert f"{name} (viewer)" in user("whoami")
    user("swarm", name, "v1", code=6)
    cli("user", "grant", name, name)
    cli("user", "grant", name, f"{name}b")
    cli("user", "revoke", name, f"{name}b")
    cli("user", "revoke", name, f"{name}b", code=4)
    assert f"deployer of app {name}\n" in user("whoami")
    user("swarm", name, "v1", "--wait", "-q")
    user("host", "deactivate", platform.first_host, code=6)
    token = cli("token", "create", name, "--role", "viewer", "--app", name, "--expires", "1h").strip()
    assert re.search(rf"{name} +viewer +{name} ", cli("token", "list"))
    cli("token", "create", f"{name}x", "--expires", "soon", code=2)
    reader = Cli(platform.programs.vr, platform.cli.environment["HOME"], platform.url)
    reader.environment["VR_TOKEN"] = token
    assert f"{name}-prod-web" in reader("list-swarms", name)
    reader("scale", name, "0", "--yes", code=6)
    cli("user", "passwd", name, "--password-stdin", stdin="another horse\n")
    user("whoami", code=6)
    cli("user", "rm", name, "--yes")


def test_logout_ends_the_token(platform, tmp_path):
    cli = Cli(platform.programs.vr, str(tmp_path), platform.url)
    cli("login", platform.url, "--username", "admin", "--password-stdin", stdin=platform.api.password + "\n")
    tokens = cli("token", "list", "-q").split()
    cli("logout")
    assert len(platform.cli("token", "list", "-q").split()) == len(tokens) - 1
    cli("whoami", code=6)


def test_stacks_dashboards_and_a_profile(platform, name, tmp_path):
    cli = platform.cli
    platform.app(name)
    (tmp_path / f"{name}.sh").write_text("#!/bin/sh\n")
    cli("stack", "add", name, "--desc", "for tests")
    cli("stack", "script", name, str(tmp_path / f"{name}.sh"))
    cli("stack", "script", name, "-", code=2, stdin="")
    assert f"/{name}.sh" in cli("stack", "list", "-o", "wide")
    cli("app", "set", name, "--stack", name)
    cli("stack", "rm", name, "--yes", code=3)
    cli("app", "set", name, "--stack", "")
    cli("image", "activate", "no_such_image", code=4)
    cli("dashboard", "add", name, "--apps", name)
    cli("profile", "set", code=2)
    cli("profile", "set", "--dashboard", name)
    assert json.loads(cli("profile", "show", "--json"))["default_dashboard"]
    cli("profile", "set", "--dashboard", "")
    for words in (("dashboard", "rm", name), ("stack", "rm", name), ("app", "rm", name)):
        cli(*words, "--yes")


# ------------------------------------------------------------------ tests

def test_uptests_run_now_and_tell_what_failed(platform, running):
    cli = platform.cli
    cli("uptests", "--wait", code=2)
    cli("uptests", "--run", "no_such_app", code=4)
    run = cli.run("uptests", "--run", running, "-x", "test", "--wait")
    assert run.returncode == 0 and run.stdout == "" and "1 procs tested, 0 failed" in run.stderr
    assert cli("uptests") == ""
    assert re.search(r" 1 +0 +1$", cli("testrun", "list"), re.M)
    assert running in cli("testrun", "show", "latest")
    cli("testrun", "show", "999999", code=4)
    assert "uptests" in cli("schedule", "list") and cli("retention", "--plan")
    assert cli.run("schedule", "run", "no_such_task").returncode in (2, 4)


# ------------------------------------------------------------------ secrets, history, log

def test_secrets_are_set_and_never_shown(platform, name):
    cli = platform.cli
    cli("ingredient", "add", name)
    cli("secret", "set", "ingredient", name, "PASSWORD", "-", stdin="hunter2\n")
    cli("secret", "set", "ingredient", name, "PASSWORD", "hunter2", code=2)
    cli("secret", "set", "ingredient", name, "EMPTY", stdin="", code=2)
    cli("secret", "set", "app", name, "PASSWORD", stdin="x", code=2)
    cli("secret", "set", "ingredient", "no_such", "PASSWORD", stdin="x", code=4)
    listed = cli("secret", "list", "ingredient", name)
    assert "PASSWORD" in listed and "admin" in listed
    shown = cli("ingredient", "show", name) + cli("ingredient", "show", name, "--json") + cli("log", "-o", "json")
    assert "hunter2" not in shown
    before = cli("keys", "list", "-q")
    cli("keys", "rotate")
    assert cli("keys", "list", "-q") != before
    cli("secret", "rm", "ingredient", name, "PASSWORD", code=2)
    cli("secret", "rm", "ingredient", name, "PASSWORD", "--yes")
    assert "PASSWORD" not in cli("secret", "list", "ingredient", name)
    cli("ingredient", "rm", name, "--yes")


def test_versions_are_shown_compared_and_restored(platform, name, tmp_path):
    cli = platform.cli
    config = tmp_path / "config"
    config.write_text("colour: red\n")
    cli("ingredient", "add", name, "--config", str(config))
    config.write_text("colour: blue\n")
    cli("ingredient", "set", name, "--config", str(config), "--comment", "blüe is calmer")
    assert "blüe is calmer" in cli("ingredient", "history", name)
    cli("ingredient", "set", name, "--config", str(config), "--comment", "two\nlines", code=2)
    newest, first = cli("history", "ingredient", name, "-q").split()
    assert re.search(rf"^{newest} .* admin +update +config_yaml", cli("ingredient", "history", name), re.M)
    assert "- colour: red" in cli("history", "diff", "ingredient", name, newest)
    assert "+ colour: red" in cli("history", "diff", "ingredient", name, first, "current")
    assert "+ colour: red" in cli("restore", "ingredient", name, first, "--plan", "--exit-code", code=10)
    assert "blue" in cli("ingredient", "show", name)
    cli("restore", "ingredient", name, first, "--comment", "red & louder")
    assert "red & louder" in cli("ingredient", "history", name)
    assert "red" in cli("ingredient", "show", name)
    cli("restore", "ingredient", name, "999999", code=4)
    cli("history", "nonsense", name, code=2)
    # A name that is a key leads to what was deleted, too.
    platform.app(name)
    cli("app", "rm", name, "--yes")
    cli("restore", "app", name, cli("history", "app", name, "-q").split()[-1])
    assert name in cli("app", "list", "-q").split()
    run = cli.run("app", "set", name, "repo_type=hg", "--if-version", "99")
    assert run.returncode == 3 and f"vr history app {name}" in run.stderr and "admin made version" in run.stderr
    cli("app", "rm", name, "--yes")
    cli("ingredient", "rm", name, "--yes")


def test_an_overview_begins_with_trouble(platform, running):
    cli = platform.cli
    assert cli.run("overview").stdout.strip().endswith("rollouts going on")
    assert "Nothing is wrong." in cli.run("overview").stderr
    cli("swarm", f"{running}-test-web", "no_such_tag", "--wait", "-q", code=1)
    cli("proc", "stop", cli("ps", running, "-q").strip(), "--wait")
    lines = cli("overview").splitlines()
    assert lines[0].split() == ["TROUBLE", "NAME", "STATE", "NEXT"]
    assert any(re.match(rf"swarm +{running}-prod-web +0 of 1 procs run", line) for line in lines)
    assert json.loads(cli("overview", "--app", running, "--json"))["counts"]["swarms"] == 2
    cli("overview", "--app", "no_such_app", code=4)
    assert any(re.match(rf"rollout +{running}-test-web +no_such_tag failed: .* vr rollout show [0-9a-f]{{8}}", line)
               for line in lines)
    assert json.loads(cli("overview", "--json"))["counts"]["hosts_live"] == 1


def test_the_log_is_filtered_followed_and_exported(platform, name):
    cli = platform.cli
    platform.app(name)
    assert f"app {name}" in cli("log", "--user", "admin", "--app", name)
    assert cli("log", "--type", "no such type") == ""
    assert cli("log", "--until", "2020-01-01") == ""
    cli("log", "--since", "yesterday", code=2)
    rows = list(csv.DictReader(io.StringIO(cli("log", "--app", name, "--csv"))))
    assert rows[0]["app"] == name and rows[0]["user"] == "admin" and rows[0]["object_kind"] == "apps"
    follower = cli.start("log", "-f", "--app", name)
    try:
        assert name in follower.stdout.readline()
        cli("app", "set", name, "repo_url=https://x/y")
        assert f"app {name}" in follower.stdout.readline()
    finally:
        follower.terminate()
        follower.communicate(timeout=10)


# ------------------------------------------------------------------ completion

SHELLS = {
    "bash": """. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _vr; printf '%s\\n' "${COMPREPLY[@]}" """,
    "zsh": """compdef() { : }; . "$1"; shift; words=("$@"); CURRENT=$#
              compadd() { print -rl -- "${(@P)@[-1]}" }; _files() { : }; _vr""",
    "fish": """. $argv[1]; complete -C (string join ' ' -- $argv[2..-1]) | string replace -r '\\t.*' ''""",
}


def complete(platform, shell, *words):
    script = os.path.join(platform.root, f"vr.{shell}")
    if not os.path.exists(script):
        with open(script, "w") as file:
            file.write(platform.cli("completion", shell))
    argv = {"bash": ["bash", "-c", SHELLS[shell], "bash"], "zsh": ["zsh", "-fc", SHELLS[shell], "zsh"],
            "fish": ["fish", "-c", SHELLS[shell]]}[shell]
    environment = dict(platform.cli.environment, XDG_CACHE_HOME=os.path.join(platform.root, "cache"),
                       PATH=os.path.dirname(platform.programs.vr) + ":" + platform.cli.environment["PATH"])
    run = subprocess.run([*argv, script, *words], env=environment, capture_output=True, text=True, timeout=30,
                         check=False)
    assert run.stderr == "", run.stderr
    return run.stdout.split()


@pytest.mark.parametrize("shell", SHELLS)
def test_completion(platform, name, shell):
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} (tools/install-deps test)")
    shutil.rmtree(os.path.join(platform.root, "cache"), ignore_errors=True)
    platform.app(name)
    platform.swarm(name, pool=False)
    assert complete(platform, shell, "vr", "rol") == ["rollback", "rollout"]
    assert complete(platform, shell, "vr", "swarm", f"{name}-") == [f"{name}-prod-web"]
    assert complete(platform, shell, "vr", "app", "show", name) == [name]
    assert complete(platform, shell, "vr", "host", "status", platform.first_host[:4]) == [platform.first_host]
    assert complete(platform, shell, "vr", "swarm", f"{name}-prod-web", "v1", "--squad", "def") == ["default"]
    assert complete(platform, shell, "vr", "swarm", "a", "v1", "--replace-i") == ["--replace-ingredients"]


def test_completion_without_a_server_is_quick_and_quiet(platform, tmp_path):
    cli = Cli(platform.programs.vr, str(tmp_path), "http://127.0.0.1:1/")
    begun = time.monotonic()
    run = cli.run("__complete", "--", "swarm", "")
    assert run.returncode == 0 and run.stderr == "" and run.stdout.startswith("list\t")
    assert time.monotonic() - begun < 1


def test_the_table_of_commands(platform):
    table = json.loads(platform.cli("__commands"))
    names = [c["name"] for c in table["commands"]]
    assert len(names) == len(set(names)) and {"vr swarm", "vr app add", "vr secret set", "vr rollback"} <= set(names)
    swarm = next(c for c in table["commands"] if c["name"] == "vr swarm")
    assert swarm["args"] == "FILTER TAG" and {"size", "plan", "wait"} <= {o["name"] for o in swarm["options"]}
    for command in table["commands"]:
        if command["name"].split()[1] in ("server", "agent"):
            continue
        text = platform.cli(*command["name"].split()[1:], "--help")
        assert text.startswith("usage: " + command["name"]), text
        assert max(map(len, text.splitlines())) <= 100, command["name"]


def test_the_log_level_shows_requests(platform):
    run = platform.cli.run("-l", "DEBUG", "whoami")
    assert re.search(r"^GET \S+/api/v1/whoami/ 200, \d+ ms$", run.stderr, re.M)
    platform.cli("-l", "LOUD", "whoami", code=2)
