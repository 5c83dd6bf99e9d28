# SPDX-License-Identifier: MIT
"""Machines of one machine: network namespaces on a bridge, which can be cut off."""
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def run(*argv):
    subprocess.run(argv, check=True, capture_output=True)


class Network:
    """`core` has the bridge and 10.77.0.1; every other namespace a cable to it."""

    def __init__(self):
        self.prefix = f"vrs{os.getpid()}"
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.names = []
        self.core = self.make("core")
        run("ip", "-n", self.core, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", self.core, "addr", "add", "10.77.0.1/24", "dev", "br0")
        run("ip", "-n", self.core, "link", "set", "br0", "up")

    def make(self, word):
        name = f"{self.prefix}{word}"
        run("ip", "netns", "add", name)
        self.names.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        return name

    def machine(self, word, address):
        """A namespace with this address; returns its name."""
        name = self.make(word)
        run("ip", "-n", self.core, "link", "add", f"v{word}", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "-n", self.core, "link", "set", f"v{word}", "master", "br0", "up")
        run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        return name

    def cut(self, word):
        run("ip", "-n", self.core, "link", "set", f"v{word}", "down")

    def mend(self, word):
        run("ip", "-n", self.core, "link", "set", f"v{word}", "up")

    def enter(self, name=None):
        """This thread, and what it starts from now on, are in that namespace (None: the first one)."""
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY) if name else self.home
        try:
            if libc.setns(fd, CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), f"enter namespace {name}")
        finally:
            if name:
                os.close(fd)

    def remove(self):
        self.enter()
        for name in reversed(self.names):
            run("ip", "netns", "del", name)
        os.close(self.home)
