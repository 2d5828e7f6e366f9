"""A fleet as people make one: hosts join with two commands, stay over power cuts, and a copied key is seen."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from mesh import BIN, Mesh
from rest import Rest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

HOSTS = ["north", "south", "west"]


def clean():
    return {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}


class Fleet:
    """A mesh of its own, and agents that run beside it."""

    def __init__(self, folder):
        self.folder = folder
        # It must be the same after a power cut.
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.agents_port = free.getsockname()[1]
        environment = {"WEFT_GATEWAY__AGENTS_LISTEN": f"127.0.0.1:{self.agents_port}"}
        self.mesh = Mesh(folder / "data", environment=environment).start()
        self.running = []

    def weft(self, *arguments, status=0):
        command = [BIN, "--data", self.mesh.data, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env=clean(), timeout=60)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def enroll(self, host, token, *more, status=0):
        home = self.folder / host
        return self.weft("agent", "enroll", "--home", home, "--id", host, "--token", token, *more, status=status)

    def run(self, home):
        with open(self.folder / f"{home}.log", "ab") as log:
            command = [BIN, "agent", "run", "--home", self.folder / home]
            process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=clean())
        self.running.append(process)
        return process

    def agents(self):
        listed = json.loads(self.weft("agents", "list", "-o", "json"))
        return {agent["name"].rsplit("/", 1)[1]: agent for agent in listed.get("agents", [])}

    def until(self, is_so):
        """The agents, once they are so."""
        deadline = time.monotonic() + 60
        while not is_so(agents := self.agents()):
            assert time.monotonic() < deadline, agents
            time.sleep(0.1)
        return agents

    def end(self):
        for process in self.running:
            process.kill()
            process.wait()
        self.mesh.kill()


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.end()


def is_online(agents, after=""):
    """All are, in sessions that began later than a time."""
    return len(agents) == len(HOSTS) and all(
        agent["state"] == "AGENT_STATE_ONLINE" and agent["session"]["startTime"] > after for agent in agents.values()
    )


def test_hosts_join_and_are_back_after_every_power_cut_once_each(fleet):
    token = fleet.weft("agents", "token", "create", "--uses", len(HOSTS), "--label", "site=here").strip()
    for host in HOSTS:
        fleet.enroll(host, token)
        # Sent again it is harmless.
        fleet.enroll(host, token)
        fleet.run(host)
    assert "ENROLLMENT_TOKEN_USED_UP" in fleet.enroll("east", token, status=5)
    before = fleet.until(is_online)
    assert all(agent["labels"] == {"site": "here"} and agent["host"]["cpuCount"] for agent in before.values())

    for _ in range(3):
        newest = max(agent["session"]["startTime"] for agent in fleet.agents().values())
        fleet.mesh.kill()
        fleet.mesh.start()
        after = fleet.until(lambda agents, newest=newest: is_online(agents, newest))
        assert {host: agent["uid"] for host, agent in after.items()} == {
            host: agent["uid"] for host, agent in before.items()
        }
        # Nobody was taken for two.
        assert not any("keyConflict" in agent for agent in after.values())

    goes = fleet.running[0]
    goes.send_signal(signal.SIGTERM)
    assert goes.wait(30) == 0
    stopped = fleet.agents()[HOSTS[0]]
    assert (stopped["state"], stopped["stateReason"]) == ("AGENT_STATE_OFFLINE", "STOPPED")


def test_a_copied_key_is_seen_and_a_removed_agent_ends(fleet):
    fleet.enroll("node", fleet.weft("agents", "token", "create").strip())
    assert oct((fleet.folder / "node/agent.key").stat().st_mode & 0o777) == "0o600"
    right = fleet.run("node")
    fleet.until(lambda agents: agents["node"]["state"] == "AGENT_STATE_ONLINE")
    shutil.copytree(fleet.folder / "node", fleet.folder / "copy")
    fleet.run("copy")
    agent = fleet.until(lambda agents: agents["node"]["state"] == "AGENT_STATE_DEGRADED")["node"]
    assert agent["stateReason"] == "KEY_USED_TWICE"
    # The first one keeps its place; the other is named.
    assert agent["session"]["processId"] == str(right.pid)
    assert agent["keyConflict"]["refused"]["processId"] == str(fleet.running[1].pid)

    fleet.weft("agents", "delete", agent["name"])
    assert right.wait(60) in (3, 4), "it says that it is not in the fleet any more, and ends"
    assert fleet.agents() == {}


class Machine:
    """An agent that is not ours: it speaks REST, and JSON through the agents' door."""

    def __init__(self, mesh, token):
        self.mesh = mesh
        self.key = Ed25519PrivateKey.generate()
        self.rest = Rest(mesh, None)
        enrolled = self.rest(
            "POST",
            "/v1/agents:enroll",
            {
                "token": token,
                "publicKey": base64.b64encode(self.key.public_key().public_bytes_raw()).decode(),
                "signature": self.sign(b"weft agent enroll v1", token.encode()),
                "agentId": "machine",
                "facts": {"version": "0.1", "host": {"hostname": "machine", "os": "linux"}},
            },
        )
        self.name = enrolled.json["name"]

    def sign(self, purpose, subject):
        return base64.b64encode(self.key.sign(purpose + b"\0" + subject)).decode()

    def credential(self):
        challenge = self.rest("GET", f"/v1/{self.name}:challenge").json["challenge"]
        signature = self.sign(b"weft agent token v1", base64.b64decode(challenge))
        issued = self.rest(
            "POST", f"/v1/{self.name}:issueToken", {"challenge": challenge, "signature": signature}
        )
        return issued.json["token"]

    def dial(self, credential, protocol="weft.v1.json"):
        url = self.mesh.url.replace("http:", "ws:") + "/v1/agent"
        headers = {"authorization": f"Bearer {credential}"} if credential else {}
        return connect(url, subprotocols=[protocol], additional_headers=headers)


def test_a_machine_of_its_own_comes_in_by_the_agents_door(fleet):
    machine = Machine(fleet.mesh, fleet.weft("agents", "token", "create").strip())
    with machine.dial(machine.credential()) as door:
        door.send(json.dumps({"open": {"name": machine.name}}))
        opened = json.loads(door.recv(timeout=30))
        assert opened["opened"]["heartbeatInterval"] == "30s"
        door.send(json.dumps({"heartbeat": {"problems": ["disk full"]}}))
        heard = [json.loads(door.recv(timeout=30)) for _ in range(2)]
        assert any("heartbeatAnswer" in frame for frame in heard), heard
        assert fleet.until(lambda agents: agents["machine"]["state"] == "AGENT_STATE_DEGRADED")
        session = opened["opened"]["session"]
    # The door fell shut, and the same program comes back.
    with machine.dial(machine.credential()) as door:
        door.send(json.dumps({"open": {"name": machine.name, "session": session}}))
        assert json.loads(door.recv(timeout=30))["opened"]["resumed"] is True
        fleet.weft("agents", "delete", machine.name)
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                door.recv(timeout=30)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4005, "AGENT_NOT_FOUND")


@pytest.mark.parametrize(
    ("said", "code", "reason"),
    [
        ('{"heartbeat": {}}', 4003, "OUT_OF_TURN"),
        ('{"open": {"name": "projects/default/agents/other"}}', 4007, "NOT_THIS_AGENT"),
        ('{"shut": {}}', 4003, "INVALID_FIELD"),
        (b"binary", 1003, "weft.v1.json is text"),
    ],
)
def test_the_door_closes_with_the_status_of_the_call(fleet, said, code, reason):
    machine = Machine(fleet.mesh, fleet.weft("agents", "token", "create").strip())
    with machine.dial(machine.credential()) as door:
        door.send(said)
        with pytest.raises(ConnectionClosed) as closed:
            door.recv(timeout=30)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (code, reason)
    # Nobody waits for what a stranger has to say.
    with machine.dial(None) as door:
        with pytest.raises(ConnectionClosed) as closed:
            door.recv(timeout=30)
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4016, "CREDENTIALS_REQUIRED")


def hello(credential):
    return json.dumps({"hello": {"metadata": {"authorization": f"Bearer {credential}"}}})


def test_who_can_set_no_header_says_the_token_first(fleet):
    from weft.agent.v1 import agent_service_pb2 as messages

    machine = Machine(fleet.mesh, fleet.weft("agents", "token", "create").strip())
    with machine.dial(None) as door:
        door.send(hello(machine.credential()))
        door.send(json.dumps({"open": {"name": machine.name}}))
        assert json.loads(door.recv(timeout=30))["opened"]["session"]
    with machine.dial(None, "weft.v1.proto") as door:
        door.send(hello(machine.credential()))
        opening = messages.AttachAgentRequest(open=messages.AgentOpen(name=machine.name))
        door.send(opening.SerializeToString())
        assert messages.AttachAgentResponse.FromString(door.recv(timeout=30)).opened.session
    for said, code in [
        (hello("nonsense"), 4016),
        # What is no hello is the call's, and the call has no credential.
        (json.dumps({"open": {"name": machine.name}}), 4016),
        (json.dumps({"hello": {"ticket": "t"}}), 1002),
    ]:
        with machine.dial(None) as door:
            door.send(said)
            with pytest.raises(ConnectionClosed) as closed:
                door.recv(timeout=30)
            assert closed.value.rcvd.code == code, said


def test_the_port_for_agents_is_for_nothing_else(fleet):
    port = f"127.0.0.1:{fleet.agents_port}"
    assert fleet.mesh.info["agents_address"] == port
    authorization = {"authorization": f"Bearer {fleet.mesh.key}"}
    for path in ["/", "/docs", "/openapi.json", "/metrics", "/ws", "/mcp", "/v1/projects/default/graphs", "/v1/me"]:
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(f"http://{port}{path}", headers=authorization), timeout=30)
        assert refused.value.code == 404, path
        assert json.load(refused.value)["details"][0]["reason"] == "NO_SUCH_PATH"
    with grpc.insecure_channel(port) as channel:
        for method, code in [
            ("weft.graph.v1.GraphService/ListGraphs", grpc.StatusCode.UNIMPLEMENTED),
            ("weft.agent.v1.AgentService/ListAgents", grpc.StatusCode.UNIMPLEMENTED),
            # This one is for agents: the empty message is what is wrong.
            ("weft.agent.v1.AgentService/GetAgentChallenge", grpc.StatusCode.INVALID_ARGUMENT),
        ]:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(f"/{method}")(b"", timeout=30, metadata=list(authorization.items()))
            assert refused.value.code() == code, method


class Old:
    """A proxy that knows nothing but HTTP/1.1, and can be cut."""

    def __init__(self, port):
        self.port, self.open = port, []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/v1/agent"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[client], daemon=True).start()

    def serve(self, client):
        try:
            begins = client.recv(4, socket.MSG_WAITALL)
            if begins not in (b"GET ", b"POST"):
                client.close()
                return
            server = socket.create_connection(("127.0.0.1", self.port))
            server.sendall(begins)
        except OSError:
            client.close()
            return
        self.open += [client, server]
        threading.Thread(target=self.pass_on, args=[server, client], daemon=True).start()
        self.pass_on(client, server)

    @staticmethod
    def pass_on(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for side in (source, sink):
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        """Breaks every connection off."""
        cut, self.open = self.open, []
        for side in cut:
            try:
                side.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def end(self):
        self.listener.close()
        self.cut()


def test_an_agent_behind_an_old_proxy_comes_in_by_a_websocket_and_comes_back(fleet):
    proxy = Old(fleet.agents_port)
    try:
        token = fleet.weft("agents", "token", "create").strip()
        fleet.enroll("far", token, "--url", proxy.url)
        agent = fleet.run("far")

        log = fleet.folder / "far.log"

        def connected(times):
            """The agent, once it is there and has said so often that it is."""
            deadline = time.monotonic() + 60
            while (text := log.read_text()).count("connected") - text.count("not connected") < times:
                assert time.monotonic() < deadline, text[-2000:]
                time.sleep(0.05)
            return fleet.until(lambda agents: agents["far"]["state"] == "AGENT_STATE_ONLINE")["far"]

        before = connected(1)
        # Its numbers come the same way.
        reported = {"query": 'count({__name__=~"host_.*", host="far"})'}
        asked = "/api/v1/query?" + urllib.parse.urlencode(reported)
        rest = Rest(fleet.mesh, fleet.mesh.key)
        deadline = time.monotonic() + 60
        while not (found := rest("GET", asked).json["data"]["result"]):
            assert time.monotonic() < deadline, log.read_text()[-2000:]
            time.sleep(0.1)
        assert int(found[0]["value"][1]) >= 5
        # A lost connection: the same program goes on with the same session.
        proxy.cut()
        back = connected(2)
        assert back["session"] == before["session"]
        assert "keyConflict" not in back
        fleet.mesh.kill()
        fleet.mesh.start()
        after = connected(3)
        assert after["uid"] == before["uid"]
        assert after["session"]["startTime"] > before["session"]["startTime"]
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(30) == 0
        stopped = fleet.agents()["far"]
        assert (stopped["state"], stopped["stateReason"]) == ("AGENT_STATE_OFFLINE", "STOPPED")
    finally:
        proxy.end()


def test_a_mesh_watches_its_own_host_unless_told_not_to(tmp_path):
    mesh = Mesh(tmp_path / "data", host_agent=True).start()

    def weft(*arguments):
        command = [BIN, "--data", mesh.data, *arguments]
        return subprocess.run(command, capture_output=True, env=clean(), timeout=60, check=True).stdout.decode()

    def agents():
        return json.loads(weft("agents", "list", "-o", "json")).get("agents", [])

    def until(is_so):
        deadline = time.monotonic() + 60
        while not (found := is_so()):
            assert time.monotonic() < deadline, mesh.log.read_text()[-4000:]
            time.sleep(0.2)
        return found

    def online():
        return [agent for agent in agents() if agent["state"] == "AGENT_STATE_ONLINE"]

    def values(host, function, span):
        query = {"query": f'{function}(host_memory_total_bytes{{host="{host}"}}[{span}])'}
        found = rest("GET", "/api/v1/query?" + urllib.parse.urlencode(query)).json["data"]["result"]
        return float(found[0]["value"][1]) if found else 0

    try:
        rest = Rest(mesh, mesh.key)
        [agent] = until(online)
        host = agent["name"].rsplit("/", 1)[1]
        assert agent["host"]["hostname"] == socket.gethostname()[:64]
        until(lambda: values(host, "count_over_time", "1m") >= 2)
        # It goes on as the same one after a power cut, and no second one joins.
        mesh.kill()
        mesh.start()
        rest = Rest(mesh, mesh.key)
        until(lambda: values(host, "count_over_time", "5s") >= 1)
        [back] = until(online)
        assert (back["uid"], "keyConflict" in back) == (agent["uid"], False)
        # Who reads the log finds no credential, and others cannot read the key.
        home = mesh.data / "host-agent"
        assert (home / "agent.key").stat().st_mode & 0o077 == 0
        log = mesh.log.read_text()
        assert "weft_enroll_" not in log and (home / "agent.key").read_text().strip() not in log
        # Who was removed stays away.
        weft("agents", "delete", agent["name"])
        until(lambda: "not watched any more" in mesh.log.read_text())
        assert agents() == []
        assert mesh.stop() == 0
    finally:
        mesh.kill()
