# SPDX-License-Identifier: MIT
"""kill -9 of the server in the middle of a key rotation and of a retention pass: all is readable, and it goes on."""
import contextlib
import os
import random
import sqlite3
import threading

from conftest import LONG, running
from vr_wait import wait_for

ROUNDS = 20 if LONG else 3
SECRETS = 50  # of an ingredient
INGREDIENTS = 30
LOG_ENTRIES = 40000
MONTH_US = 30 * 86400 * 1000000


def query(platform, sql, write=False):
    """What the database says, past the server."""
    path = os.path.join(platform.data_dir, "velociraptor.db")
    with contextlib.closing(sqlite3.connect(path if write else f"file:{path}?mode=ro", uri=not write, timeout=10)) as db:
        rows = db.execute(sql).fetchall()
        db.commit()
        return rows


def kill_and_start(platform):
    platform.server.kill()
    platform.server.start()
    platform.await_server()
    assert query(platform, "PRAGMA quick_check") == [("ok",)]
    assert query(platform, "PRAGMA foreign_key_check") == []


def begin(platform, path):
    """A request whose answer may never come."""
    def send():
        with contextlib.suppress(OSError, EOFError, ValueError):
            platform.api.call("POST", path, {})
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_kill_during_a_rotation_of_keys(private):
    api = private.api
    for n in range(INGREDIENTS):
        api.create("/api/v1/ingredients/", {
            "name": f"bag{n}", "secrets": {"env": {f"S{n}_{k}": f"value {n} {k}" for k in range(SECRETS)}}})
    cut_short = 0
    for n in range(ROUNDS):
        before = {key["id"] for key in api.get("/api/v1/keys/")["objects"]}
        thread = begin(private, "/api/v1/keys/rotate/")
        wait_for("a new key", lambda b=before: any(
            key not in b for (key,) in query(private, "SELECT DISTINCT key_id FROM secrets")), every=0.001)
        kill_and_start(private)
        thread.join()
        keys = api.get("/api/v1/keys/")["objects"]
        cut_short += len([key for key in keys if key["values"]]) > 1
        assert sum(key["values"] for key in keys) == SECRETS * INGREDIENTS, f"round {n}: {keys}"
        # Sealing all anew opens each of them: one that no key opens would fail it.
        rotated = api.must("POST", "/api/v1/keys/rotate/", {}).json
        assert rotated["sealed"] == SECRETS * INGREDIENTS, f"round {n}: {rotated}"
        keys = api.get("/api/v1/keys/")["objects"]
        assert [key["values"] for key in keys] == [SECRETS * INGREDIENTS], f"round {n}: {keys}"
    assert cut_short, "no kill met a rotation that was under way"


def test_kill_during_a_retention_pass():
    config = {"schedules": {"uptests": "off", "builds": {"every": "1d"}, "retention": {"every": "1d"}, "hosts": "off"},
              "retention": {"log_days": 1}}
    with running("retention-kill", config=config) as platform:
        api = platform.api
        rng = random.Random(7)
        cut_short = 0
        for n in range(ROUNDS):
            query(platform, f"""WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {LOG_ENTRIES})
                INSERT INTO log_entries (type, time_us, message) SELECT 'old', {MONTH_US} + i, 'round {n}' FROM n""",
                  write=True)
            api.must("POST", "/api/v1/schedules/retention/run/", {})
            limit = LOG_ENTRIES - rng.randrange(1, LOG_ENTRIES // 2)
            wait_for("it is under way", lambda most=limit: old(platform) < most, every=0.001)
            left = old(platform)
            kill_and_start(platform)
            assert old(platform) <= left
            cut_short += old(platform) > 0
            api.must("POST", "/api/v1/schedules/retention/run/", {})
            wait_for("it went on", lambda: old(platform) == 0)
            wait_for("it is over", lambda: not retention(api)["running"])
            assert query(platform, "SELECT count(*) FROM log_entries WHERE type <> 'old'")[0][0] > 0
        assert cut_short, "no kill met a pass that was under way"
        platform.clear()


def old(platform):
    return query(platform, "SELECT count(*) FROM log_entries WHERE type = 'old'")[0][0]


def retention(api):
    return next(row for row in api.objects("/api/v1/schedules/") if row["task"] == "retention")
