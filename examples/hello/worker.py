#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A proc without a port: logs a line every few seconds until SIGTERM."""
import signal
import threading

from app import read_settings, read_version


def main():
    stopping = threading.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, lambda *_: stopping.set())
    seconds = float(read_settings().get("worker_seconds", "5"))
    rounds = 0
    print(f"worker {read_version()} starts", flush=True)
    while not stopping.wait(seconds):
        rounds += 1
        print(f"round {rounds}", flush=True)
    print(f"worker stops after {rounds} rounds", flush=True)


if __name__ == "__main__":
    main()
