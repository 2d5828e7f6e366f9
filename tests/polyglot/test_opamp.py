"""Collectors join the fleet with OpenTelemetry's own OpAMP client over HTTP, and with its messages over a WebSocket."""

import gzip
import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid

import pytest
from mesh import BIN, Mesh
from opentelemetry._opamp.agent import OpAMPAgent
from opentelemetry._opamp.callbacks import OpAMPCallbacks
from opentelemetry._opamp.client import OpAMPClient
from opentelemetry._opamp.proto import anyvalue_pb2 as values
from opentelemetry._opamp.proto import opamp_pb2 as opamp
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

PROTOBUF = "application/x-protobuf"
STATUS, CONFIG, EFFECTIVE = 1, 2, 4
RESTART, HEALTH, CONFIG_STATUS, HEARTBEAT = 1 << 10, 1 << 11, 1 << 12, 1 << 13
CAPABILITIES = STATUS | CONFIG | EFFECTIVE | RESTART | HEALTH | CONFIG_STATUS | HEARTBEAT


class Fleet:
    """A mesh of its own, with a port for agents."""

    def __init__(self, folder):
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.agents_port = free.getsockname()[1]
        environment = {"WEFT_GATEWAY__AGENTS_LISTEN": f"127.0.0.1:{self.agents_port}"}
        self.mesh = Mesh(folder / "data", environment=environment).start()

    def weft(self, *arguments, status=0):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
        command = [BIN, "--data", self.mesh.data, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env=clean, timeout=60)
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout.decode() if status == 0 else done.stderr.decode()

    def token(self, uses=1):
        return self.weft("agents", "token", "create", "--uses", uses, "--label", "site=north").strip()

    def get(self, agent):
        return json.loads(self.weft("agents", "get", f"projects/default/agents/{agent}", "-o", "json"))

    def configuration(self, agent, *more):
        name = f"projects/default/agents/{agent}"
        return json.loads(self.weft("agents", "configuration", name, *more, "-o", "json"))

    def agents(self):
        return json.loads(self.weft("agents", "list", "--filter", "kind = collector", "-o", "json")).get("agents", [])

    def socket(self, token, port=None):
        target = f"127.0.0.1:{port}" if port else self.mesh.target
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return connect(f"ws://{target}/v1/opamp", additional_headers=headers, open_timeout=30)

    def post(self, token, body, **headers):
        headers = {"content-type": PROTOBUF, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token:
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"{self.mesh.url}/v1/opamp", data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.headers.get_content_type() == PROTOBUF
                return answer.status, opamp.ServerToAgent.FromString(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.mesh.kill()


def until(look, patience=60):
    """What is looked for, once it is there."""
    deadline = time.monotonic() + patience
    while not (found := look()):
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.1)
    return found


def attribute(key, text):
    return values.KeyValue(key=key, value=values.AnyValue(string_value=text))


def config(text):
    return opamp.AgentConfigMap(config_map={"": opamp.AgentConfigFile(body=text.encode(), content_type="text/yaml")})


class Collector:
    """A program that speaks OpAMP over a WebSocket."""

    def __init__(self, host):
        self.uid, self.number, self.host = uuid.uuid4().bytes, 0, host

    def next(self, **fields):
        self.number += 1
        head = {"instance_uid": self.uid, "sequence_num": self.number, "capabilities": CAPABILITIES}
        return opamp.AgentToServer(**{**head, **fields})

    def all(self, **fields):
        description = opamp.AgentDescription(
            identifying_attributes=[attribute("service.name", "otelcol"), attribute("service.version", "0.140.0")],
            non_identifying_attributes=[attribute("host.name", self.host), attribute("os.type", "linux")],
        )
        health = opamp.ComponentHealth(healthy=True, status="StatusOK")
        effective = opamp.EffectiveConfig(config_map=config("receivers: {}"))
        whole = {"agent_description": description, "health": health, "effective_config": effective}
        return self.next(**{**whole, **fields})


def say(line, message):
    line.send(b"\0" + message.SerializeToString())


def hear(line):
    frame = line.recv(timeout=30)
    assert frame[0] == 0
    return opamp.ServerToAgent.FromString(frame[1:])


def ask(line, message):
    say(line, message)
    return hear(line)


class Callbacks(OpAMPCallbacks):
    """What a program that uses OpenTelemetry's client does with a configuration: it runs with it."""

    def __init__(self):
        self.taken, self.errors = [], []

    def on_error(self, agent, client, error_response):
        self.errors.append(error_response)

    def on_message(self, agent, client, message):
        if message.remote_config is None:
            return
        offered = message.remote_config
        self.taken.append(offered.config.config_map[""].body.decode())
        status = client.update_remote_config_status(offered.config_hash, opamp.RemoteConfigStatuses_APPLIED)
        client.update_effective_config({"": {"taken": len(self.taken)}}, "application/json")
        if status is not None:
            agent.send(client.build_remote_config_status_response_message(status))
            agent.send(client.build_full_state_message())


def test_opentelemetrys_own_client_is_an_agent(fleet):
    callbacks = Callbacks()
    client = OpAMPClient(
        endpoint=f"{fleet.mesh.url}/v1/opamp",
        headers={"Authorization": f"Bearer {fleet.token()}"},
        timeout_millis=20_000,
        agent_identifying_attributes={"service.name": "shop", "service.version": "7.1"},
        agent_non_identifying_attributes={"host.name": "node9.example.org", "os.type": "linux"},
    )
    program = OpAMPAgent(interval=0.3, callbacks=callbacks, client=client)
    program.start()
    # It is there as soon as it has enrolled, and says who it is a moment later.
    agent = until(lambda: next((agent for agent in fleet.agents() if "version" in agent), None))
    assert agent["name"].endswith("/shop-node9")
    assert (agent["kind"], agent["version"]) == ("AGENT_KIND_COLLECTOR", "7.1")
    assert agent["labels"] == {"site": "north"}
    until(lambda: fleet.get("shop-node9")["state"] == "AGENT_STATE_ONLINE")
    assert agent["collector"]["transport"] == "COLLECTOR_TRANSPORT_HTTP"

    wanted = fleet.folder / "wanted.json"
    wanted.write_text('{"level": "debug"}')
    offered = fleet.configuration("shop-node9", "--set", wanted, "--content-type", "application/json")
    assert offered["status"]["state"] == "CONFIGURATION_STATE_OFFERED"
    until(lambda: fleet.configuration("shop-node9")["status"]["state"] == "CONFIGURATION_STATE_APPLIED")
    assert callbacks.taken == ['{"level": "debug"}']
    until(lambda: "taken" in fleet.weft("agents", "configuration", agent["name"], "--effective"))

    # The mesh goes and comes, and the program does not notice but by a message that it says again.
    fleet.mesh.kill()
    fleet.mesh.start()
    until(lambda: fleet.get("shop-node9")["state"] == "AGENT_STATE_ONLINE")
    assert fleet.configuration("shop-node9")["status"]["state"] == "CONFIGURATION_STATE_APPLIED"
    assert len(fleet.agents()) == 1 and callbacks.errors == []
    program.stop()
    gone = until(lambda: (there := fleet.get("shop-node9"))["state"] == "AGENT_STATE_OFFLINE" and there)
    assert gone["stateReason"] == "STOPPED"


def test_over_a_websocket_it_is_told_at_once(fleet):
    token = fleet.token(2)
    one, other = Collector("node1"), Collector("node2")
    # Both doors are the same.
    with fleet.socket(token) as first, fleet.socket(token, fleet.agents_port) as second:
        assert ask(first, one.all()).capabilities == 7
        ask(second, other.all())
        assert {agent["name"].rsplit("/", 1)[1] for agent in fleet.agents()} == {"otelcol-node1", "otelcol-node2"}

        sick = opamp.ComponentHealth(healthy=False, last_error="connection refused")
        health = opamp.ComponentHealth(healthy=True, component_health_map={"exporter:otlp": sick})
        ask(first, one.next(health=health))
        agent = fleet.get("otelcol-node1")
        assert (agent["state"], agent["stateReason"]) == ("AGENT_STATE_DEGRADED", "PROBLEMS_REPORTED")
        assert agent["problems"] == ["exporter:otlp: connection refused"]
        assert "exporter:otlp: not well connection refused" in fleet.weft("agents", "get", agent["name"])

        wanted = fleet.folder / "collector.yaml"
        wanted.write_text("exporters: {}\n")
        fleet.configuration("otelcol-node1", "--set", wanted)
        told = hear(first)
        assert told.remote_config.config.config_map[""].body == b"exporters: {}\n"
        failed = opamp.RemoteConfigStatus(
            last_remote_config_hash=told.remote_config.config_hash,
            status=opamp.RemoteConfigStatuses_FAILED,
            error_message="no such exporter",
        )
        ask(first, one.next(remote_config_status=failed))
        assert "failed: no such exporter" in fleet.weft("agents", "configuration", agent["name"])

        fleet.weft("agents", "restart", agent["name"])
        told = hear(first)
        assert told.HasField("command") and told.command.type == opamp.CommandType_Restart

        one.number += 5
        assert ask(first, one.next()).flags == opamp.ServerToAgentFlags_ReportFullState
        assert ask(first, one.all()).flags == 0
    gone = until(lambda: (there := fleet.get("otelcol-node2"))["state"] == "AGENT_STATE_OFFLINE" and there)
    assert gone["stateReason"] == "CONNECTION_LOST"


def test_two_of_one_name_and_wrong_messages(fleet):
    token = fleet.token(2)
    right, copy = Collector("node1"), Collector("node1")
    copy.uid = right.uid
    with fleet.socket(token) as first, fleet.socket(token) as second:
        ask(first, right.all())
        renamed = ask(second, copy.all()).agent_identification.new_instance_uid
        assert uuid.UUID(bytes=renamed).version == 7
        copy.uid = renamed
        assert not ask(second, copy.all()).HasField("error_response")
        assert sum(agent["state"] == "AGENT_STATE_ONLINE" for agent in fleet.agents()) == 2

        for frame in [b"", b"\x01", b"\0\xff", b"\0\x0a\x01x"]:
            first.send(frame)
            assert hear(first).error_response.type == opamp.ServerErrorResponseType_BadRequest
        assert not ask(first, right.next()).HasField("error_response")
        first.send("text")
        with pytest.raises(ConnectionClosed) as closed:
            first.recv(timeout=30)
        assert closed.value.rcvd.code == 1003
        # It is told so before it has said everything; where it goes on regardless, it may find nobody and hear no reason.
        with pytest.raises(ConnectionClosed) as closed:
            second.send(bytes(3 << 20))
            second.recv(timeout=30)
        assert closed.value.rcvd is None or closed.value.rcvd.code == 1009


def test_who_has_no_token_is_told_so(fleet):
    body = Collector("node1").all().SerializeToString()
    for credential in ["", "weft_enroll_made-up", fleet.mesh.key]:
        with pytest.raises(InvalidStatus) as refused:
            fleet.socket(credential)
        assert refused.value.response.status_code == 401
        status, error = fleet.post(credential, body)
        assert status == 401 and "enrollment token" in error["message"], error
    assert fleet.agents() == []

    token = fleet.token()
    assert fleet.post(token, gzip.compress(body), content_encoding="gzip")[0] == 200
    status, error = fleet.post(token, Collector("node2").all().SerializeToString())
    assert status == 403 and error["details"][0]["reason"] == "ENROLLMENT_TOKEN_USED_UP"
    status, told = fleet.post(token, b"\xff")
    assert (status, told.error_response.type) == (200, opamp.ServerErrorResponseType_BadRequest)
    assert fleet.post(token, gzip.compress(bytes(3 << 20)), content_encoding="gzip")[0] == 413
    assert fleet.post(token, body, content_type="application/json")[0] == 415
    assert len(fleet.agents()) == 1


def test_who_tries_tokens_is_held_up(fleet):
    token = fleet.token()
    body = Collector("node1").all().SerializeToString()
    refused = None
    for _ in range(500):
        status, error = fleet.post("weft_enroll_made-up", body)
        if status != 401:
            refused = status, next(detail["reason"] for detail in error["details"] if "reason" in detail)
            break
    assert refused == (429, "RATE_LIMITED")
    # So are WebSockets, from the same address; and by and by it is let in.
    until(lambda: fleet.post(token, body)[0] == 200)
