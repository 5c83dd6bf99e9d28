# SPDX-License-Identifier: MIT
"""Fixtures: one platform for most stories, a private one for those that break it; checks for what is left."""
import contextlib
import itertools
import os
import re
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools"))

# pylint: disable=wrong-import-position
import vr_leaks  # noqa: E402
from vr_platform import BUILD, SOURCE, Platform  # noqa: E402
from vr_wait import wait_for  # noqa: E402

LEAK_SECS = 20
LONG = os.environ.get("VR_TEST_LONG") == "1"

platforms = []


def pytest_collection_modifyitems(items):
    reason = None
    if os.geteuid() != 0:
        reason = "needs root: it mounts and starts containers"
    elif not os.path.exists(os.path.join(BUILD, "src/cli/vr")):
        reason = f"there is no {BUILD}/src/cli/vr: build it, or set VR_BUILD"
    for item in items if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for platform in platforms:
            for title, text in platform.logs():
                report.sections.append((title, text))


def started(name, **more):
    subprocess.run([os.path.join(SOURCE, "tools/create-users")], check=True)
    platform = Platform(name, **more)
    platforms.append(platform)
    return platform


def ended(platform):
    """Stop it. Whatever is left then is an error; it goes all the same."""
    left = []
    try:
        platform.stop()
        wait_for("nothing is left", lambda: not platform.leaks(at_end=True), LEAK_SECS)
    except AssertionError:
        left = platform.leaks(at_end=True)
    finally:
        platforms.remove(platform)
        vr_leaks.kill_all(platform.root)
        vr_leaks.remove_cgroups(platform.root)
        vr_leaks.unmount_all(platform.root)
        platform.remove()
    assert not left, f"left behind: {left}"


@contextlib.contextmanager
def running(name, **more):
    platform = started(name, **more)
    try:
        yield platform.start()
    finally:
        ended(platform)


@pytest.fixture(scope="session", name="shared")
def fixture_shared():
    with running("shared") as platform:
        yield platform


@pytest.fixture(name="platform")
def fixture_platform(shared):
    """The shared platform; afterwards nothing of the test may be left in it."""
    yield shared
    shared.clear()
    try:
        wait_for("nothing is left", lambda: not shared.leaks(), LEAK_SECS)
    except AssertionError as error:
        raise AssertionError(f"left behind: {shared.leaks()}") from error


@pytest.fixture(name="private")
def fixture_private(request):
    """A platform that a story may kill."""
    with running(re.sub("[^a-z]+", "-", request.node.name.replace("test_", ""))[:20].strip("-")) as platform:
        yield platform


numbers = itertools.count(1)


@pytest.fixture(name="name")
def fixture_name():
    """A name for an app that no other story has."""
    return f"app{next(numbers)}"
