"""Every service alone, over PostgreSQL and Redis, as deploy/compose.yaml runs them; one is killed on the way."""

import base64
import os
import socket
import subprocess
import time
import uuid

import grpc
import pytest
from conftest import Client
from mesh import BIN, ROOT, Mesh
from rest import Rest
from shapes import apply, edge, node
from test_import import EDGES, bring_in
from test_layouts import frames, watch as watch_layout
from test_watch import revisions, watch
from weft.compute.v1 import layout_pb2, layout_service_pb2
from weft.graph.v1 import graph_pb2, graph_service_pb2

POSTGRES = os.environ.get("WEFT_TEST_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("WEFT_TEST_REDIS", "redis://127.0.0.1:6379")


def sql(statement):
    subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", POSTGRES, "-c", statement], check=True, timeout=60)


@pytest.fixture
def database():
    name = f"weft_polyglot_{uuid.uuid4().hex[:12]}"
    sql(f"CREATE DATABASE {name}")
    yield POSTGRES.rsplit("/", 1)[0] + f"/{name}"
    sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def processes(tmp_path, database):
    """The processes by name."""
    running = {}
    # Agents and commands call each other, so that one must be known before it is there.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        commands = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        "WEFT_STORAGE__DATABASE": database,
        "WEFT_STORAGE__BUS": REDIS,
        "WEFT_STORAGE__OBJECTS": f"file://{tmp_path}/objects",
        "WEFT_MESH__KEY_FILE": str(tmp_path / "mesh.key"),
        "WEFT_PEERS__COMMAND": f"http://{commands}",
    }
    (tmp_path / "objects").mkdir()
    try:
        # Each needs those before it; identity makes the mesh's key.
        for name in ["identity", "graph", "compute", "agent", "command", "execution", "trigger", "gateway"]:
            listen = commands if name == "command" else "127.0.0.1:0"
            process = Mesh(tmp_path / name, listen=listen, services=[name], environment=dict(environment))
            running[name] = process.start()
            environment[f"WEFT_PEERS__{name.upper()}"] = process.url
        yield running
    finally:
        for process in running.values():
            process.kill()


def test_the_journey_works_across_processes(processes):
    key = processes["identity"].key
    client = Client(processes["gateway"].target, key)
    made = client.graphs.CreateGraph(
        graph_service_pb2.CreateGraphRequest(parent="projects/p", graph_id="g", graph=graph_pb2.Graph()), timeout=20
    )
    graph = made.name
    assert bring_in(client, graph, [("edges.tsv", EDGES)]).revision == 2
    found = client.graphs.SearchNodes(graph_service_pb2.SearchNodesRequest(graph=graph, query="a"), timeout=20)
    assert [each.node.key for each in found.results] == ["a"]

    layout = client.layouts.CreateLayout(
        layout_service_pb2.CreateLayoutRequest(parent=graph, layout=layout_pb2.Layout(seed=1)), timeout=20
    )
    assert next(frame for frame in frames(watch_layout(client, layout.name)) if frame.count).count == 3

    stream = watch(client, graph, after=2)
    apply(client, graph, node("d"), edge("c", "d"))
    assert revisions(stream, 1) == [(3, ["d"])]

    # The process that keeps the graphs dies, and comes back where it was.
    processes["graph"].kill()
    with pytest.raises(grpc.RpcError) as broken:
        for _ in stream:
            pass
    assert broken.value.code() == grpc.StatusCode.UNAVAILABLE, broken.value
    processes["graph"].start()
    apply_when_back(client, graph, node("e"), edge("d", "e"))

    # Nothing is lost, nothing comes twice, and the layout has the newcomers.
    assert revisions(watch(client, graph, after=2), 2) == [(3, ["d"]), (4, ["e"])]
    assert next(frame for frame in frames(watch_layout(client, layout.name)) if frame.count == 5)


def test_a_command_reaches_its_agent_though_the_processes_between_them_die(processes, tmp_path):
    (tmp_path / "key").write_text(processes["identity"].key)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    base = [BIN, "--url", processes["gateway"].url, "--key-file", tmp_path / "key"]

    def weft(*arguments):
        done = subprocess.run([*base, *arguments], capture_output=True, text=True, env=clean, timeout=90)
        return done.returncode, done.stdout.strip()

    token = weft("agents", "token", "create")[1]
    assert weft("agent", "enroll", "--home", tmp_path / "node", "--id", "node", "--token", token)[0] == 0
    with subprocess.Popen([BIN, "agent", "run", "--home", tmp_path / "node"], env=clean) as agent:
        try:
            ask = ["commands", "submit", "echo", "--agent", "node", "-a", "text=hello", "--wait", "-o", "json"]
            assert weft(*ask)[0] == 0
            for name in ["agent", "command"]:
                processes[name].kill()
                processes[name].start()
                deadline = time.monotonic() + 60
                # Whoever comes after a dead process waits until nobody else has the commands.
                while (answer := weft(*ask))[0] != 0:
                    assert time.monotonic() < deadline, (name, answer)
                    time.sleep(0.5)
                assert "hello" in answer[1]
        finally:
            agent.kill()


def test_a_webhook_is_answered_across_processes_and_taken_while_executions_are_away(processes):
    rest = Rest(processes["gateway"], processes["identity"].key)
    changes = [{"upsertNode": {"node": {"key": key, "type": key + "put"}}} for key in ["in", "out"]]
    changes.append({"upsertEdge": {"edge": {"source": "in", "target": "out"}}})
    basic = {"provider": "WEBHOOK_PROVIDER_BASIC", "username": "ada", "secrets": ["open sesame"], "waitDuration": "30s"}
    trigger = {"graph": "projects/p/graphs/w", "webhook": basic, "input": {"n": "${event.body.n}"}}
    for place, body in [
        ("graphs?graphId=w", {"kind": "GRAPH_KIND_WORKFLOW"}),
        ("graphs/w:applyChanges", {"changes": changes}),
        ("triggers?triggerId=t", trigger),
    ]:
        made = rest("POST", f"/v1/projects/p/{place}", body)
        assert made.status == 200, made.body
    path = made.json["webhook"]["path"]
    good = "Basic " + base64.b64encode(b"ada:open sesame").decode()
    answer = rest("POST", path, {"n": 42}, authorization=good)
    assert (answer.status, answer.json) == (200, {"n": 42})
    assert rest("POST", path, {"n": 42}).status == 401
    # What was taken while nobody runs anything is started when somebody does, also by a process that came after.
    processes["execution"].kill()
    update = {"webhook": {**basic, "waitDuration": None}, "input": trigger["input"]}
    assert rest("PATCH", "/v1/projects/p/triggers/t?updateMask=webhook", update).status == 200
    deadline = time.monotonic() + 60
    while rest("POST", path, {"n": 43}, authorization=good).status != 202:
        assert time.monotonic() < deadline
    processes["trigger"].kill()
    processes["execution"].start()
    processes["trigger"].start()
    states = lambda: [one["state"] for one in rest("GET", "/v1/projects/p/triggers/t/deliveries").json.get("deliveries", [])]
    while not (found := states()) or set(found) - {"DELIVERY_STATE_STARTED", "DELIVERY_STATE_REFUSED"}:
        assert time.monotonic() < deadline + 60, found
        time.sleep(0.2)
    assert found.count("DELIVERY_STATE_STARTED") >= 2


def test_a_page_of_the_console_survives_a_process(processes, tmp_path):
    key = processes["identity"].key
    client = Client(processes["gateway"].target, key)
    request = graph_service_pb2.CreateGraphRequest(parent="projects/default", graph_id="page", graph=graph_pb2.Graph())
    bring_in(client, client.graphs.CreateGraph(request, timeout=20).name, [("edges.tsv", EDGES)])
    (tmp_path / "key").write_text(key)
    seen = {"WEFT_URL": processes["gateway"].url, "WEFT_KEY_FILE": str(tmp_path / "key"), "WEFT_SHOTS": str(tmp_path)}
    with subprocess.Popen(
        ["node", "outage.mjs", "page"],
        cwd=ROOT / "tests/browser",
        env={**os.environ, **seen},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as page:
        try:
            assert page.stdout.readline() == "open\n"
            processes["graph"].kill()
            page.stdin.write("it is dead\n")
            assert page.stdout.readline() == "lost\n"
            processes["graph"].start()
            page.stdin.write("it is back\n")
            assert page.stdout.readline() == "done\n"
            assert page.wait(60) == 0
        finally:
            page.kill()


def apply_when_back(client, graph, *changes):
    """A change that waits until the service is there again; a repeat of it is harmless."""
    request = graph_service_pb2.ApplyChangesRequest(graph=graph, changes=changes, request_id=str(uuid.uuid4()))
    for _ in range(30):
        try:
            return client.graphs.ApplyChanges(request, timeout=10, wait_for_ready=True)
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    pytest.fail("the graph service did not come back")


def test_two_graph_processes_agree(processes, tmp_path):
    """What one writes the other one's watchers hear of, through Redis or, should that fail, the database."""
    first = processes["graph"]
    second = Mesh(tmp_path / "second", services=["graph"], environment=first.environment).start()
    try:
        key = processes["identity"].key
        one, two = Client(first.target, key), Client(second.target, key)
        made = one.graphs.CreateGraph(
            graph_service_pb2.CreateGraphRequest(parent="projects/p", graph_id="shared", graph=graph_pb2.Graph())
        )
        stream = watch(two, made.name, after=1)
        for index in range(20):
            apply(one if index % 2 else two, made.name, node(f"n{index}"))
        assert revisions(stream, 20) == [(index + 2, [f"n{index}"]) for index in range(20)]
        stream.cancel()
    finally:
        second.kill()
