# SPDX-License-Identifier: MIT
"""Fixtures: one world for all tests that leave it as it is."""
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
import vr_openapi  # noqa: E402
from vr_world import VR, World  # noqa: E402


def pytest_collection_modifyitems(items):
    if not os.path.exists(VR):
        for item in items:
            item.add_marker(pytest.mark.skip(reason=f"there is no {VR}: build it, or set VR_BUILD"))


@pytest.fixture(scope="session", name="document")
def fixture_document():
    return vr_openapi.load()


@pytest.fixture(scope="session", name="world")
def fixture_world():
    world = World()
    yield world
    world.stop()
