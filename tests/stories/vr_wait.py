# SPDX-License-Identifier: MIT
"""Waiting for a condition, never for a time."""
import time


def wait_for(what, condition, secs=30, every=0.03):
    """Ask until the answer is true and return it; after `secs` fail, naming what was waited for."""
    until = time.monotonic() + secs
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > until:
            raise AssertionError(f"{what}: not within {secs} s (last answer: {str(answer)[:500]!r})")
        time.sleep(every)
