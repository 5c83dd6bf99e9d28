# SPDX-License-Identifier: MIT
"""The curl examples of docs/api.md: run in order against a new server, their answers compared with what stands below them.

A block of `sh` is typed as it is, by one shell. A block of `http` behind it is what the last curl of it answers: the status in
its first line, headers that are named, and a body of which every key is there; `…` is anything.
"""
import json
import os
import re
import subprocess

import pytest
from vr_world import ENVIRONMENT, SOURCE, World

SECS = 60


def examples():
    """(line, shell text, expected text or None) of every block that has curl in it, or `api`, which the first one defines."""
    with open(os.path.join(SOURCE, "docs/api.md"), encoding="utf-8") as file:
        text = file.read()
    found = []
    for match in re.finditer(r"^```(sh|http)\n(.*?)^```$", text, re.M | re.S):
        line = text[:match.start()].count("\n") + 1
        if match.group(1) == "sh" and re.search(r"\b(curl|api) ", match.group(2)):
            found.append([line, match.group(2), None])
        elif match.group(1) == "http" and found:
            found[-1][2] = match.group(2)
    return found


def matches(wanted, given, place=""):
    """Is what stands in the document in the answer? Objects may have more keys than are shown."""
    if wanted == "…":
        return
    if isinstance(wanted, dict):
        assert isinstance(given, dict), f"{place} is {given!r}"
        for key, value in wanted.items():
            if key != "…":
                assert key in given, f"{place}: no key '{key}'"
                matches(value, given[key], f"{place}.{key}")
    elif isinstance(wanted, list):
        assert isinstance(given, list) and len(given) >= len([w for w in wanted if w != "…"]), f"{place} is {given!r}"
        for i, value in enumerate(w for w in wanted if w != "…"):
            matches(value, given[i], f"{place}[{i}]")
    elif isinstance(wanted, str) and "…" in wanted:
        assert re.fullmatch(".*".join(map(re.escape, wanted.split("…"))), str(given), re.S), f"{place} is {given!r}, not {wanted!r}"
    else:
        assert given == wanted, f"{place} is {given!r}, not {wanted!r}"


def compare(expected, output):
    """`output` is what `curl -i` printed last: head, empty line, body."""
    head, _, body = output.replace("\r\n", "\n").rpartition("HTTP/1.1 ")[2].partition("\n\n")
    wanted_head, _, wanted_body = expected.partition("\n\n")
    status, *headers = wanted_head.strip().splitlines()
    assert head.startswith(status.replace("HTTP/1.1 ", "").split()[0]), f"{status} expected:\n{output}"
    for header in headers:
        name, value = header.split(": ", 1)
        given = re.search(rf"^{name}: (.*)$", head, re.M | re.I)
        assert given, f"no header {name}:\n{head}"
        matches(value, given.group(1), name)
    if wanted_body.strip():
        matches(json.loads(wanted_body), json.loads(body))


@pytest.fixture(scope="module", name="world")
def fixture_world():
    world = World()
    yield world
    world.stop()


def test_examples_of_the_documentation(world, tmp_path):
    """One shell types them all, so that what one sets the next has."""
    found = examples()
    assert len(found) >= 8, "docs/api.md has no examples"
    script = "set -u\n" + "".join(f"{{ {text}}} > {tmp_path}/{line} 2>&1 || echo \"curl ended with $?\" >> {tmp_path}/{line}\n"
                                  for line, text, _ in found)
    environment = dict(ENVIRONMENT, VR_URL=world.server.url, VR_USER="admin", VR_PASSWORD=world.server.read("initial-password"),
                       HOME=str(tmp_path))
    subprocess.run(["/bin/bash", "-c", script], env=environment, timeout=SECS, check=True, cwd=tmp_path)
    for line, text, expected in found:
        with open(tmp_path / str(line), encoding="utf-8") as file:
            output = file.read()
        assert "curl ended with" not in output, f"docs/api.md:{line}:\n{text}\n{output}"
        if expected:
            try:
                compare(expected, output)
            except AssertionError as error:
                raise AssertionError(f"docs/api.md:{line}: {error}\n{output}") from error
