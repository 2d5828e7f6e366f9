"""What runs on a host, asked of the program that is there: its processes, its ports, and the end of one of them."""

import json
import os
import signal
import socket
import subprocess

import pytest
from mesh import BIN, Mesh
from rest import Rest, query
from test_agents import Fleet


class Host:
    """An agent whose owner has opened this much of its host."""

    def __init__(self, fleet, name, settings):
        self.fleet, self.id = fleet, name
        fleet.enroll(name, fleet.weft("agents", "token", "create").strip())
        with open(fleet.folder / name / "agent.toml", "a") as file:
            file.write(settings)
        self.name = f"projects/default/agents/{name}"
        self.process = None

    def start(self):
        self.process = self.fleet.run(self.id)
        self.fleet.until(lambda agents: agents[self.id]["state"] == "AGENT_STATE_ONLINE")
        return self

    def processes(self, *arguments):
        told = self.fleet.weft("agents", "processes", self.name, "-o", "json", *arguments)
        return {int(one["processId"]): one for one in json.loads(told).get("processes", [])}

    def ports(self, port):
        told = self.fleet.weft("agents", "ports", self.name, "-o", "json", "--filter", f"port = {port}")
        return json.loads(told).get("ports", [])


ALL = "\n[host]\nprocesses = true\nports = true\ncommand_lines = true\nstop_processes = true\n"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("hosts"))
    yield fleet
    fleet.end()


@pytest.fixture(scope="module")
def host(fleet):
    return Host(fleet, "open", ALL).start()


@pytest.fixture
def family():
    """A process with a child, both of which wait."""
    shell = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    child = int(shell.stdout.readline())
    yield shell, child
    shell.kill()
    shell.wait()
    try:
        os.kill(child, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_processes_are_seen_with_what_belongs_to_them(host, family):
    shell, child = family
    tree = host.processes("--tree", shell.pid)
    assert set(tree) == {shell.pid, child}
    assert tree[child]["parentProcessId"] == str(shell.pid)
    assert (tree[child]["name"], tree[child]["commandLine"]) == ("sleep", "sleep 600")
    assert int(tree[child]["residentBytes"]) > 0 and tree[child]["threadCount"] == 1
    assert tree[child]["state"] == "PROCESS_STATE_SLEEPING"
    assert set(host.processes("--filter", f"name = sleep AND parent_process_id = {shell.pid}")) == {child}

    # Whoever computes all of the time is the first.
    busy = subprocess.Popen(["sh", "-c", "while :; do :; done"])
    try:
        for _ in range(20):
            seen = host.processes("--filter", f"process_id = {busy.pid}")[busy.pid]
            if seen.get("cpuRatio", 0) > 0.05:
                break
        assert seen["cpuRatio"] > 0.05, seen
    finally:
        busy.kill()
        busy.wait()
    listed = list(host.processes("--order-by", "process_id", "--limit", 250))
    assert listed == sorted(listed)


def test_a_port_is_found_with_its_owner(host):
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        udp.bind(("::1", 0))
        for protocol, address, port in [
            ("PORT_PROTOCOL_TCP", "127.0.0.1", tcp.getsockname()[1]),
            ("PORT_PROTOCOL_UDP", "::1", udp.getsockname()[1]),
        ]:
            (found,) = [one for one in host.ports(port) if one["protocol"] == protocol]
            assert (found["address"], int(found["processId"])) == (address, os.getpid())
            assert found["processName"] and found["user"]
        port = tcp.getsockname()[1]
    assert host.ports(port) == []
    table = host.fleet.weft("agents", "ports", host.name, "--filter", "protocol = tcp")
    assert table.lstrip().startswith("PROTOCOL") and host.fleet.mesh.target.rsplit(":", 1)[1] in table


def test_one_process_is_ended_and_no_other_that_has_its_number(host, family):
    shell, child = family
    start = host.processes("--tree", shell.pid)[child]["startTime"]
    rest = Rest(host.fleet.mesh, host.fleet.mesh.key)
    stop = {"processId": child, "startTime": start}
    # Somebody looked before the number was given to this one.
    earlier = rest("POST", f"/v1/{host.name}:stopProcess", {**stop, "startTime": "2020-01-01T00:00:00Z"})
    assert earlier.json == {"outcome": "STOP_OUTCOME_GONE"}
    os.kill(child, 0)
    ended = rest("POST", f"/v1/{host.name}:stopProcess", stop)
    assert ended.json == {"outcome": "STOP_OUTCOME_ENDED"}, ended.body
    # A repeat is harmless.
    assert rest("POST", f"/v1/{host.name}:stopProcess", stop).json == {"outcome": "STOP_OUTCOME_GONE"}
    assert shell.wait(30) == 0
    # The agent does not end itself.
    own = host.fleet.weft("agents", "stop-process", host.name, host.process.pid, status=5)
    assert "HOST_DENIED" in own
    os.kill(host.process.pid, 0)

    deaf = subprocess.Popen(["sh", "-c", "trap '' TERM; while :; do sleep 1; done"])
    assert "force" in host.fleet.weft("agents", "stop-process", host.name, deaf.pid, "--grace", 0)
    assert deaf.wait(30) == -signal.SIGKILL


def test_rest_names_them_as_control_centers_do(host):
    rest = Rest(host.fleet.mesh, host.fleet.mesh.key)
    listed = rest("GET", "/api/system/processes" + query(parent=host.name, pageSize=3)).json
    assert len(listed["processes"]) == 3 and listed["nextPageToken"] and int(listed["memoryBytes"]) > 1 << 20
    ports = rest("GET", f"/v1/{host.name}/ports" + query(pageSize=1)).json
    assert len(ports["ports"]) == 1
    assert rest("GET", "/api/system/ports" + query(parent=host.name)).status == 200
    refused = rest("GET", "/api/system/ports")
    assert refused.status == 400, refused.body
    wrong = rest("GET", f"/v1/{host.name}/processes" + query(filter="colour = red"))
    assert (wrong.status, wrong.json["details"][0]["reason"]) == (400, "INVALID_FIELD")


def test_what_is_not_opened_is_not_shown_and_who_is_away_is_not_asked(fleet, family):
    shell, child = family
    shut = Host(fleet, "shut", "").start()
    for command in ["processes", "ports"]:
        assert "HOST_NOT_ALLOWED" in fleet.weft("agents", command, shut.name, status=5)
    some = Host(fleet, "some", "\n[host]\nprocesses = true\n").start()
    seen = some.processes("--tree", shell.pid)[child]
    assert seen["name"] == "sleep" and "commandLine" not in seen
    assert "HOST_NOT_ALLOWED" in fleet.weft("agents", "stop-process", some.name, child, status=5)
    os.kill(child, 0)
    some.process.send_signal(signal.SIGTERM)
    assert some.process.wait(30) == 0
    assert "AGENT_OFFLINE" in fleet.weft("agents", "processes", some.name, status=5)


def test_who_may_look_may_not_stop(host, family):
    mesh = host.fleet.mesh
    made = Rest(mesh, mesh.key)("POST", "/v1/projects/default/apiKeys", {"role": "ROLE_VIEWER"}).json
    viewer = Rest(mesh, made["secret"])
    assert viewer("GET", f"/v1/{host.name}/processes").status == 200
    stop = {"processId": family[1], "startTime": "2020-01-01T00:00:00Z"}
    refused = viewer("POST", f"/v1/{host.name}:stopProcess", stop)
    assert (refused.status, refused.json["details"][0]["reason"]) == (403, "ROLE_REQUIRED")


def test_a_mesh_shows_its_own_host_and_lets_nothing_be_done_to_it(tmp_path):
    mesh = Mesh(tmp_path / "data", host_agent=True).start()
    try:
        rest = Rest(mesh, mesh.key)
        name = None
        while name is None:
            agents = rest("GET", "/v1/projects/default/agents").json.get("agents", [])
            name = next((one["name"] for one in agents if "host:processes" in one.get("capabilities", [])), None)
        running = rest("GET", f"/v1/{name}/processes" + query(filter=f"process_id = {mesh.process.pid}")).json
        assert running["processes"][0]["name"] == BIN.name
        assert "commandLine" not in running["processes"][0]
        listening = rest("GET", f"/v1/{name}/ports" + query(filter=f"process_id = {mesh.process.pid}")).json
        assert int(mesh.target.rsplit(":", 1)[1]) in [one["port"] for one in listening["ports"]]
        stop = {"processId": mesh.process.pid, "startTime": running["processes"][0]["startTime"]}
        refused = rest("POST", f"/v1/{name}:stopProcess", stop)
        assert refused.json["details"][0]["reason"] == "HOST_NOT_ALLOWED"
    finally:
        assert mesh.stop() == 0
