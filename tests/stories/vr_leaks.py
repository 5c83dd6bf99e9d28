# SPDX-License-Identifier: MIT
"""What a platform below one folder has on this machine: processes, mounts, cgroups, loop devices, ports."""
import glob
import hashlib
import os
import signal
import socket
import subprocess

from vr_wait import wait_for

CGROUPS = "/sys/fs/cgroup"


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def command_of(pid):
    return read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()


def is_zombie(pid):
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] in ([], ["Z"], ["X"])


def cgroup_marks(folder):
    """What stands in the names of containers of an agent with this state folder."""
    return "vr-" + hashlib.sha256(folder.encode()).hexdigest()[:6] + "-"


def processes(root):
    """{pid: command} of what was started from or works below the folder, or is in one of its cgroups."""
    marks = [cgroup_marks(folder) for folder in glob.glob(root + "/**/agent", recursive=True) if os.path.isdir(folder)]
    found = {}
    for pid in pids():
        if pid == os.getpid() or is_zombie(pid):
            continue
        places = [command_of(pid)]
        for link in ("exe", "cwd", "root"):
            try:
                places.append(os.readlink(f"/proc/{pid}/{link}"))
            except OSError:
                pass
        group = read(f"/proc/{pid}/cgroup")
        if any(root in place for place in places) or any(mark in group for mark in marks):
            found[pid] = places[0] or read(f"/proc/{pid}/comm").strip()
    return found


def container_pids(state_dir):
    """{container id: pids} of the procs of an agent with this state folder."""
    mark = "/" + cgroup_marks(state_dir)
    found = {}
    for pid in pids():
        for line in read(f"/proc/{pid}/cgroup").splitlines():
            if mark in line and not is_zombie(pid):
                found.setdefault(line.rpartition("/")[2], set()).add(pid)
    return found


def mounts(root):
    lines = read("/proc/self/mountinfo").splitlines()
    return [line.split()[4] for line in lines if line.split()[4].startswith(root)]


def cgroups(root):
    marks = [cgroup_marks(folder) for folder in glob.glob(root + "/**/agent", recursive=True) if os.path.isdir(folder)]
    found = set()
    for folder in glob.glob(CGROUPS + "/**/velociraptor/procs/*", recursive=True) + \
            glob.glob(CGROUPS + "/velociraptor/procs/*"):
        if any(os.path.basename(folder).startswith(mark) for mark in marks):
            found.add(folder)
    return sorted(found)


def hidden_cgroups(root):
    """Plain folders below the mount point of v2, which crun and shims see unmounted."""
    if not os.path.ismount(CGROUPS + "/unified"):
        return []
    script = f"umount -l {CGROUPS}/unified && ls {CGROUPS}/unified/velociraptor/procs"
    run = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    marks = [cgroup_marks(folder) for folder in glob.glob(root + "/**/agent", recursive=True) if os.path.isdir(folder)]
    return [name for name in run.stdout.split() if any(name.startswith(mark) for mark in marks)]


def loops(root):
    found = []
    for backing in glob.glob("/sys/block/loop*/loop/backing_file"):
        if read(backing).startswith(root):
            found.append(f"{backing.split('/')[3]}: {read(backing).strip()}")
    return found


def listening(first, last):
    """{port: inode} of the range that somebody listens on, in the network namespace of this thread."""
    found = {}
    for table in ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"):
        for line in read(table).splitlines()[1:]:
            fields = line.split()
            port = int(fields[1].rpartition(":")[2], 16)
            if fields[3] == "0A" and first <= port <= last:
                found[port] = fields[9]
    return found


def has_owner_elsewhere(inode, root):
    """Whether a process that has nothing to do with the folder holds this socket."""
    for pid in pids():
        try:
            names = [os.readlink(entry.path) for entry in os.scandir(f"/proc/{pid}/fd")]
        except OSError:
            continue
        if f"socket:[{inode}]" in names:
            return pid not in processes(root)
    return False


def kill_all(root):
    """Every process that has to do with this folder, shims first, so that they restart nothing."""
    def none_is_left():
        found = processes(root)
        for pid in sorted(found, key=lambda pid: "vr-shim" not in found[pid]):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return not found
    wait_for(f"all processes of {root} are gone", none_is_left)


def unmount_all(root):
    for path in sorted(mounts(root), key=len, reverse=True):
        subprocess.run(["umount", "-l", path], check=False)


def remove_cgroups(root):
    for path in sorted(cgroups(root), key=len, reverse=True):
        for folder, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def free_range(count):
    """First of `count` ports that nobody has, below the ephemeral ones, another one each time."""
    start = 10000 + (os.getpid() * 211) % 20000
    for step in range(0, 20000, count):
        first = 10000 + (start - 10000 + step) % 20000
        ports = range(first, first + count)
        if not listening(first, ports[-1]) and not taken.intersection(ports):
            taken.update(ports)
            return first
    raise AssertionError("no free range of ports")


taken = set()
