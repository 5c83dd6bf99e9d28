# SPDX-License-Identifier: MIT
"""What the benchmarks share: a platform of their own with the tiny app, and how results are printed."""
import contextlib
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "stories"))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))

# pylint: disable=wrong-import-position
import vr_leaks  # noqa: E402
from vr_platform import SOURCE, Platform  # noqa: E402
from vr_wait import wait_for  # noqa: E402


def result(bench, metric, value, unit, n, peer=None, peer_value=None):
    """One JSON object a line."""
    row = {"bench": bench, "metric": metric, "value": round(value, 3), "unit": unit, "n": n, "peer": peer,
           "peer_value": None if peer_value is None else round(peer_value, 3)}
    print(json.dumps(row), flush=True)


def percentile(values, p):
    """The nearest-rank percentile; of 50 values the 99th is the largest."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * p // 100) - 1)]


def left_behind(made):
    """Leaks of ours: what the bare crun that is measured beside us leaves is only removed."""
    return [leak for leak in made.leaks(at_end=True) if ".bare" not in leak]


def nothing_is_left(made):
    try:
        wait_for("nothing is left", lambda: not left_behind(made), 20)
    except AssertionError:
        raise AssertionError("left behind: " + "; ".join(left_behind(made))) from None


@contextlib.contextmanager
def platform(name, **more):
    """A started platform; afterwards it is ended, and nothing of it may be left."""
    subprocess.run([os.path.join(SOURCE, "tools/create-users")], check=True)
    made = Platform("bench-" + name, **more)
    try:
        made.start()
        yield made
    except BaseException:
        for title, text in made.logs():
            print(f"--- {title}\n{text}", file=sys.stderr)
        raise
    finally:
        try:
            made.stop()
            nothing_is_left(made)
        finally:
            vr_leaks.kill_all(made.root)
            vr_leaks.remove_cgroups(made.root)
            vr_leaks.unmount_all(made.root)
            made.remove()


def tiny_files(version):
    files = {"VERSION": version + "\n"}
    for folder, _, names in os.walk(os.path.join(HERE, "tiny")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as file:
                files[os.path.relpath(path, os.path.join(HERE, "tiny"))] = file.read()
    return files


def tiny_app(made, versions=("v1", "v2"), uptests=True):
    """Register the app `tiny`; returns {version: commit}."""
    repository = made.app("tiny")
    commits = {}
    for version in versions:
        files = tiny_files(version)
        if not uptests:
            files = {k: v for k, v in files.items() if not k.startswith("uptests/")}
        repository.commit(version, files)
        commits[version] = repository.git("rev-parse", "HEAD")
    return commits
