# SPDX-License-Identifier: MIT
"""Tools of the supervisord that the original ran its procs under: supervisorctl, and the old client's calls."""
import http.client
import subprocess
import xmlrpc.client

import pytest

from http_load import Load
from vr_wait import wait_for


@pytest.fixture(name="ctl")
def fixture_ctl(platform, tmp_path):
    """supervisorctl of Debian, without a configuration of its own."""
    config = tmp_path / "supervisorctl.conf"
    config.write_text("[supervisorctl]\n")

    def run(*words):
        # A program of the machine's Python, not of one that a user put before it.
        result = subprocess.run(["/usr/bin/supervisorctl", "-c", str(config), "-s",
                                 f"http://127.0.0.1:{platform.host.xmlrpc_port}", *words],
                                text=True, capture_output=True, timeout=90, stdin=subprocess.DEVNULL)
        return result.returncode, result.stdout + result.stderr
    return run


@pytest.fixture(name="proxy")
def fixture_proxy(platform):
    with xmlrpc.client.ServerProxy(f"http://127.0.0.1:{platform.host.xmlrpc_port}/RPC2", allow_none=True) as proxy:
        yield proxy


@pytest.fixture(name="swarm")
def fixture_swarm(platform, name):
    platform.app(name).web("v1")
    swarm = platform.swarm(name, size=2)
    platform.api.done(platform.api.dispatch(swarm, "v1"))
    return swarm


def state_of(platform, swarm, proc):
    return next(p["statename"] for p in platform.api.procs(swarm) if p["name"] == proc)


def test_supervisorctl_drives_procs(platform, swarm, name, ctl):
    procs = [p["name"] for p in platform.api.procs(swarm)]
    code, text = ctl("status")
    assert code == 0
    for proc in procs:
        line = next(line for line in text.splitlines() if line.startswith(proc))
        assert line.split()[1:3] == ["RUNNING", "pid"]
    one = procs[0]
    # A stop takes it out of its pool first: nobody notices.
    with Load("127.0.0.1", platform.http_port, host=f"{name}.local", keep=2, fresh=1) as load:
        code, text = ctl("stop", one)
        assert (code, text.strip()) == (0, f"{one}: stopped")
        assert ctl("status", one)[1].split()[1] == "STOPPED"
        assert "ERROR (not running)" in ctl("stop", one)[1]
        code, text = ctl("start", one)
        assert (code, text.strip()) == (0, f"{one}: started")
        assert "ERROR (already started)" in ctl("start", one)[1]
        code, text = ctl("restart", one)
        assert code == 0 and f"{one}: stopped" in text and f"{one}: started" in text
    assert load.counts.failed == 0, load.counts.errors
    wait_for("the server says so too", lambda: state_of(platform, swarm, one) == "RUNNING")
    assert ctl("pid", one)[1].strip().isdigit()
    code, text = ctl("tail", one)
    assert code == 0 and ("Z out " in text or "Z err " in text), text
    # What is not there, and what is not offered.
    assert "ERROR (no such process)" in ctl("start", "nothing")[1]
    assert "ERROR" in ctl("tail", "nothing")[1]
    # Who did it is in the log.
    entries = platform.api.objects("/api/v1/logs/?limit=50")
    assert any(e["type"] == "stop" and "xml-rpc from 127.0.0.1" in e.get("via", "") for e in entries), entries[:5]


def test_supervisorctl_all_of_a_host(platform, swarm, ctl):
    procs = [p["name"] for p in platform.api.procs(swarm)]
    text = ctl("stop", "all")[1]
    assert all(f"{proc}: stopped" in text for proc in procs), text
    assert {p["statename"] for p in platform.api.procs(swarm)} == {"STOPPED"}
    text = ctl("start", "all")[1]
    assert all(f"{proc}: started" in text for proc in procs), text


def test_the_old_clients_calls(platform, swarm, proxy):
    """`vr.cli procs` asks for all infos, then starts and stops by name, and knows two faults by their text."""
    infos = proxy.supervisor.getAllProcessInfo()
    info = next(i for i in infos if i["name"] == platform.api.procs(swarm)[0]["name"])
    assert set(info) == {"name", "group", "description", "start", "stop", "now", "state", "statename", "spawnerr",
                         "exitstatus", "logfile", "stdout_logfile", "stderr_logfile", "pid"}
    assert info["state"] == 20 and info["group"] == info["name"] and info["now"] >= info["start"] > 0
    with pytest.raises(xmlrpc.client.Fault) as fault:
        proxy.supervisor.startProcess(info["name"])
    assert (fault.value.faultCode, fault.value.faultString) == (60, "ALREADY_STARTED")
    assert proxy.supervisor.stopProcess(info["name"]) is True
    with pytest.raises(xmlrpc.client.Fault) as fault:
        proxy.supervisor.stopProcess(info["name"])
    assert (fault.value.faultCode, fault.value.faultString) == (70, "NOT_RUNNING")
    assert proxy.supervisor.startProcess(info["name"]) is True
    assert proxy.supervisor.getVersion() == "3.0" and proxy.supervisor.getState()["statename"] == "RUNNING"
    assert proxy.supervisor.getPID() == platform.host.program.child.pid
    log = proxy.supervisor.readProcessStdoutLog(info["name"], 0, 0)
    text, size, cut = proxy.supervisor.tailProcessStdoutLog(info["name"], 0, 40)
    assert text == log[-40:] and size == len(log.encode()) and cut is True
    # The extension of the original; no env and no settings for those who gave no password.
    yaml = proxy.vr.get_velociraptor_info(info["name"])
    assert yaml["proc_name"] == "web" and yaml["version"] == "v1" and yaml["env"] == {} == yaml["settings"]
    assert proxy.vr.get_velociraptor_info("nothing") == {}
    assert {p["supervisor"]["name"] for p in proxy.vr.get_all_procs_info()} == {i["name"] for i in infos}
    for method, code in (("supervisor.shutdown", 1), ("supervisor.getProcessInfo", 2)):
        with pytest.raises(xmlrpc.client.Fault) as fault:
            getattr(proxy, method)()
        assert fault.value.faultCode == code


def test_bad_calls_change_nothing(platform, swarm):
    for method, path, body, status in (("POST", "/RPC2", b"<methodCall", 200), ("POST", "/RPC2", b"", 200),
                                       ("POST", "/RPC2", b"<!DOCTYPE a []><a/>", 200),
                                       ("POST", "/RPC2", b"x" * 70000, 413), ("GET", "/RPC2", None, 404),
                                       ("POST", "/other", b"x", 404), ("GET", "/", None, 404)):
        client = http.client.HTTPConnection("127.0.0.1", platform.host.xmlrpc_port, timeout=10)
        client.request(method, path, body)
        answer = client.getresponse()
        text = answer.read()
        assert answer.status == status and (status != 200 or b"<fault>" in text), (method, path, body[:40], text)
        client.close()
    assert {p["statename"] for p in platform.api.procs(swarm)} == {"RUNNING"}


def test_other_addresses_are_refused(platform):
    client = http.client.HTTPConnection("127.0.0.1", platform.host.xmlrpc_port, timeout=10,
                                        source_address=("127.0.0.2", 0))
    client.request("POST", "/RPC2", b"<methodCall/>")
    answer = client.getresponse()
    assert answer.status == 403 and b"127.0.0.2" in answer.read()
    client.close()


def test_a_log_is_followed(platform, swarm):
    """What `supervisorctl tail -f` asks for."""
    proc = platform.api.procs(swarm)[0]["name"]
    client = http.client.HTTPConnection("127.0.0.1", platform.host.xmlrpc_port, timeout=10)
    client.request("GET", f"/logtail/{proc}/stdout")
    answer = client.getresponse()
    assert answer.status == 200
    before = answer.read1()
    assert b"Z out " in before or b"Z err " in before
    uri = f"/api/v1/procs/{platform.api.procs(swarm)[0]['proc_id']}/"
    platform.api.must("POST", uri, {"action": "restart"})  # it says something when it starts
    assert answer.read1()
    client.close()
    client.request("GET", "/logtail/nothing")
    assert client.getresponse().read() == b"ERROR (no such proc)\n"
    client.close()
