"""One table of calls through each proxy that deploy/ has a file for: nginx, Caddy and Envoy before one mesh."""

import base64
import contextlib
import http.client
import json
import os
import re
import ssl
import struct
import subprocess
import threading
import time
import uuid

import grpc
import pytest
from mesh import Mesh
from proxies import PROXIES, TOOLS
from shapes import apply, node, refused
from test_buf_curl import read_all
from test_tls import certificate
from websockets.sync.client import connect as dial

PATIENCE = 30
GRAPHS = "weft.graph.v1.GraphService"
PROTOCOLS = ["connect", "grpc", "grpcweb"]
VERSIONS = ["--http1.1", "--http2"]


@pytest.fixture(scope="module")
def behind(tmp_path_factory):
    """The mesh, which believes what a proxy on this machine says, as the files in deploy/ ask for."""
    running = Mesh(
        tmp_path_factory.mktemp("behind") / "data",
        environment={
            "WEFT_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
            "WEFT_SERVER__TLS__HSTS_MAX_AGE": "365days",
            # So silent that what happens to an idle stream is the proxy's doing.
            "WEFT_GRAPH__WATCH_HEARTBEAT": "1h",
            "WEFT_GATEWAY__HEARTBEAT": "1h",
            "WEFT_LIMITS__RATE__SIGN_IN__PER_SECOND": "1",
            "WEFT_LIMITS__RATE__SIGN_IN__BURST": "2",
        },
    ).start()
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A certificate of localhost and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    made, key = certificate("proxy")
    (folder / "tls.crt").write_bytes(made)
    (folder / "tls.key").write_bytes(key)
    return folder / "tls.crt", folder / "tls.key"


@pytest.fixture(scope="module", params=sorted(PROXIES))
def start(request, behind, files, tmp_path_factory):
    """Starts the proxy with the file of deploy/, or with changes to it."""
    with contextlib.ExitStack() as stack:

        def begin(*changes, port=behind.target.rsplit(":", 1)[1]):
            folder = tmp_path_factory.mktemp(request.param)
            front = Front(behind, PROXIES[request.param](port, files, folder, changes).start())
            stack.callback(front.proxy.stop)
            return front

        begin.name = request.param
        yield begin


@pytest.fixture(scope="module")
def front(start):
    """The proxy with the file of deploy/ as it is."""
    return start()


@pytest.fixture
def graph(behind, front):
    """The name of a new, empty graph."""
    made = {"parent": "projects/polyglot", "graph_id": f"t-{uuid.uuid4().hex[:12]}", "graph": {"displayName": "A test's"}}
    return front.buf("grpc", "CreateGraph", made)[0]["name"]


class Front:
    """A mesh as a client behind a proxy sees it."""

    def __init__(self, mesh, proxy):
        self.mesh, self.proxy = mesh, proxy
        self.authority = str(proxy.certificate[0])
        self.key = f"authorization: Bearer {mesh.key}"

    def channel(self):
        trusted = grpc.ssl_channel_credentials(open(self.authority, "rb").read())
        return grpc.secure_channel(self.proxy.target, trusted, options=[("grpc.use_local_subchannel_pool", 1)])

    @contextlib.contextmanager
    def graphs(self):
        """A stub and its metadata."""
        from weft.graph.v1 import graph_service_pb2_grpc

        with self.channel() as channel:
            yield graph_service_pb2_grpc.GraphServiceStub(channel), [("authorization", f"Bearer {self.mesh.key}")]

    def buf(self, protocol, method, *messages):
        """Answers, or the error, of a call with `buf curl`, which finds out by reflection what to say."""
        done = subprocess.run(
            [TOOLS / "buf", "curl", "--cacert", self.authority, "--protocol", protocol, "-H", self.key,
             "-d", "@-", f"{self.proxy.url}/{GRAPHS}/{method}"],
            input="\n".join(map(json.dumps, messages)), capture_output=True, text=True, timeout=2 * PATIENCE,
            env={"HOME": "/", **os.environ},
        )
        return read_all(done.stdout) if done.returncode == 0 else json.loads(done.stderr)

    def curl_command(self, path, *arguments):
        return ["curl", "-sS", "-N", "--cacert", self.authority, "-H", self.key, *arguments, f"{self.proxy.url}{path}"]

    def curl(self, path, *arguments, data=None):
        """Status, headers and body of an answer."""
        command = self.curl_command(path, "--max-time", str(PATIENCE), "-D", "-", *arguments)
        if data is not None:
            command += ["--data-binary", "@-", "-H", "expect:"]
        done = subprocess.run(command, input=data, capture_output=True, timeout=2 * PATIENCE)
        assert done.returncode == 0, done.stderr
        head, body = done.stdout.split(b"\r\n\r\n", 1)
        status, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines)}
        return int(status.split()[1]), headers, body

    @contextlib.contextmanager
    def stream(self, path, *arguments, data=None):
        """The body of an answer that has no end, as it comes."""
        command = self.curl_command(path, "--max-time", str(2 * PATIENCE), *arguments)
        if data is not None:
            command += ["--data-binary", "@-"]
        running = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            running.stdin.write(data or b"")
            running.stdin.close()
            yield running.stdout
        finally:
            running.kill()
            running.wait()
            running.stdout.close()
            running.stderr.close()

    def socket(self):
        context = ssl.create_default_context(cafile=self.authority)
        url = self.proxy.url.replace("https", "wss") + "/ws"
        return dial(url, subprotocols=["weft.v1.json"], ssl=context, open_timeout=PATIENCE)


def by_websocket(socket, call, key, method, *messages):
    """What is heard of one call."""
    metadata = {"authorization": key.split(": ", 1)[1]}
    socket.send(json.dumps({"call": call, "open": {"method": f"{GRAPHS}/{method}", "metadata": metadata}}))
    for message in messages:
        socket.send(json.dumps({"call": call, "message": message}))
    socket.send(json.dumps({"call": call, "end": True}))
    heard = []
    while not heard or "status" not in heard[-1]:
        heard.append(json.loads(socket.recv(timeout=PATIENCE)))
    return heard


def enveloped(message):
    return b"\0" + struct.pack(">I", len(message)) + message


# --- what has one answer ---


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_call_and_its_error(front, graph, protocol):
    [found] = front.buf(protocol, "GetGraph", {"name": graph})
    assert found["name"] == graph
    error = front.buf(protocol, "GetGraph", {"name": "projects/polyglot/graphs/nowhere"})
    assert error["code"] == "not_found"
    [info] = [detail for detail in error["details"] if detail["type"] == "google.rpc.ErrorInfo"]
    assert b"GRAPH_NOT_FOUND" in base64.b64decode(info["value"] + "==")


def test_grpc_of_grpcio(front, graph):
    from weft.graph.v1 import graph_service_pb2 as messages

    with front.graphs() as (graphs, key):
        assert graphs.GetGraph(messages.GetGraphRequest(name=graph), metadata=key, timeout=PATIENCE).name == graph
        with refused(grpc.StatusCode.NOT_FOUND, "GRAPH_NOT_FOUND"):
            nowhere = messages.GetGraphRequest(name="projects/polyglot/graphs/nowhere")
            graphs.GetGraph(nowhere, metadata=key, timeout=PATIENCE)


@pytest.mark.parametrize("version", VERSIONS)
def test_rest_connect_mcp_and_pages(front, graph, version):
    status, headers, body = front.curl(f"/v1/{graph}", version)
    assert status == 200 and json.loads(body)["name"] == graph
    status, headers, body = front.curl("/v1/projects/polyglot/graphs/nowhere", version)
    assert status == 404 and json.loads(body)["details"][0]["reason"] == "GRAPH_NOT_FOUND"
    assert front.curl(f"/v1/{graph}", version, "-X", "PUT")[0] == 405

    call = json.dumps({"name": graph}).encode()
    status, headers, body = front.curl(f"/{GRAPHS}/GetGraph", version, "-H", "content-type: application/json", data=call)
    assert status == 200 and json.loads(body)["name"] == graph

    tool = {"name": "graph_get_graph", "arguments": {"name": graph}}
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": tool}).encode()
    accepts = ("-H", "accept: application/json, text/event-stream", "-H", "content-type: application/json")
    status, headers, body = front.curl("/mcp", version, *accepts, data=call)
    assert status == 200 and json.loads(body)["result"]["structuredContent"]["name"] == graph

    assert json.loads(front.curl("/openapi.json", version)[2])["openapi"] == "3.1.0"
    assert b"<html" in front.curl("/docs", version)[2].lower()
    # Figures of the mesh are for who runs it.
    assert front.curl("/metrics", version)[0] == 404


@pytest.mark.parametrize("version", VERSIONS)
def test_a_path_arrives_as_it_was_written(front, graph, version):
    """`a/b` and `a%2Fb` are two keys, and a proxy that tidies paths up would make one of them."""
    with front.graphs() as (graphs, key):
        changes = [node("a/b", type="slash"), node("a%2Fb", type="escaped"), node("ä b", type="umlaut")]
        from weft.graph.v1 import graph_service_pb2 as messages

        graphs.ApplyChanges(messages.ApplyChangesRequest(graph=graph, changes=changes), metadata=key, timeout=PATIENCE)
    for written, kind in [("a/b", "slash"), ("a%252Fb", "escaped"), ("%C3%A4%20b", "umlaut")]:
        status, _, body = front.curl(f"/v1/{graph}/nodes/{written}", version)
        assert status == 200 and json.loads(body)["type"] == kind, body


def test_large_messages_pass_and_too_large_ones_are_refused_by_weft(front, graph):
    from weft.graph.v1 import graph_service_pb2 as messages

    text = "x" * 60_000

    def body(count):
        changes = [{"upsertNode": {"node": {"key": f"n{number}", "properties": {"text": text}}}} for number in range(count)]
        return json.dumps({"changes": changes}).encode()

    for version in VERSIONS:
        status, _, said = front.curl(
            f"/v1/{graph}:applyChanges", version, "-H", "content-type: application/json", data=body(60)
        )
        assert status == 200, said
        status, _, said = front.curl(
            f"/v1/{graph}:applyChanges", version, "-H", "content-type: application/json", data=body(80)
        )
        assert status == 413 and json.loads(said)["status"] == "RESOURCE_EXHAUSTED", said
        status, _, said = front.curl(f"/v1/{graph}/nodes?pageSize=60", version)
        assert status == 200 and len(said) > 3_000_000
    with front.graphs() as (graphs, key):
        changes = [node(f"n{number}", properties={"text": text}) for number in range(80)]
        request = messages.ApplyChangesRequest(graph=graph, changes=changes[:60])
        assert graphs.ApplyChanges(request, metadata=key, timeout=PATIENCE).revision
        with refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE"):
            request = messages.ApplyChangesRequest(graph=graph, changes=changes)
            graphs.ApplyChanges(request, metadata=key, timeout=PATIENCE)


# --- streams ---


def watch_of(graph):
    return f"/v1/{graph}:watch?afterRevision=1"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", ["ndjson", "events", "connect", "grpcweb"])
def test_a_stream_comes_as_it_goes(front, graph, version, form):
    """The first message is read before the second is made, and the stream has no end."""
    from weft.graph.v1 import graph_service_pb2 as messages

    asked = messages.WatchGraphRequest(graph=graph, after_revision=1)
    path, arguments, data = {
        "ndjson": (watch_of(graph), ["-H", "accept: application/x-ndjson"], None),
        "events": (watch_of(graph), ["-H", "accept: text/event-stream"], None),
        "connect": (
            f"/{GRAPHS}/WatchGraph", ["-H", "content-type: application/connect+json"],
            enveloped(json.dumps({"graph": graph, "afterRevision": "1"}).encode()),
        ),
        "grpcweb": (
            f"/{GRAPHS}/WatchGraph", ["-H", "content-type: application/grpc-web+proto"],
            enveloped(asked.SerializeToString()),
        ),
    }[form]
    with front.stream(path, version, *arguments, data=data) as body, front.graphs() as (graphs, key):
        first = body.read1(65536)
        assert first and b"created-later" not in first
        change = messages.ApplyChangesRequest(graph=graph, changes=[node("created-later")])
        graphs.ApplyChanges(change, metadata=key, timeout=PATIENCE)
        heard = b""
        while b"created-later" not in heard:
            more = body.read1(65536)
            assert more, f"the stream ended after {heard!r}"
            heard += more


def test_a_grpc_stream_comes_as_it_goes(front, graph):
    from weft.graph.v1 import graph_service_pb2 as messages

    with front.graphs() as (graphs, key):
        watch = graphs.WatchGraph(
            messages.WatchGraphRequest(graph=graph, after_revision=1), metadata=key, timeout=2 * PATIENCE
        )
        assert next(watch).caught_up_revision == 1
        change = messages.ApplyChangesRequest(graph=graph, changes=[node("a")])
        assert graphs.ApplyChanges(change, metadata=key, timeout=PATIENCE).revision == 2
        assert next(watch).changes.revision == 2
        watch.cancel()


def test_a_conversation_goes_both_ways(front):
    """Each question is asked after the answer to the one before has come."""
    from grpc_reflection.v1alpha import reflection_pb2 as messages
    from grpc_reflection.v1alpha import reflection_pb2_grpc

    answered = threading.Semaphore(1)

    def questions():
        for symbol in [GRAPHS, "weft.graph.v1.Graph", "nothing.there"]:
            assert answered.acquire(timeout=PATIENCE)
            yield messages.ServerReflectionRequest(file_containing_symbol=symbol)

    with front.channel() as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        heard = []
        for answer in stub.ServerReflectionInfo(questions(), timeout=2 * PATIENCE):
            heard.append(answer.WhichOneof("message_response"))
            answered.release()
    assert heard == ["file_descriptor_response", "file_descriptor_response", "error_response"]


IMPORTED = [
    {"file": {"path": "edges.tsv"}},
    {"data": base64.b64encode(b"a\tb\nb\tc\n").decode()},
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_stream_each_way(front, graph, protocol):
    heard = front.buf(protocol, "ImportGraph", {"begin": {"graph": graph}}, *IMPORTED)
    assert heard[-1]["result"]["createdEdgeCount"] == "2"


def test_the_websocket(front, graph):
    with front.socket() as socket:
        heard = by_websocket(socket, 1, front.key, "GetGraph", {"name": graph})
        assert heard[0]["message"]["name"] == graph and heard[-1]["status"]["code"] == 0
        heard = by_websocket(socket, 2, front.key, "ImportGraph", {"begin": {"graph": graph}}, *IMPORTED)
        assert heard[-2]["message"]["result"]["createdEdgeCount"] == "2"


def open_streams(mesh):
    """Watches that run at the mesh."""
    connection = http.client.HTTPConnection(mesh.target, timeout=PATIENCE)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found = re.findall(r'^grpc_server_in_flight\{[^}]*"WatchGraph"[^}]*\} (\d+)', text, re.MULTILINE)
    return sum(map(int, found))


def until(question):
    deadline = time.monotonic() + PATIENCE
    while not question():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


@pytest.mark.parametrize("version", VERSIONS)
def test_who_leaves_is_gone_for_weft_too(front, behind, graph, version):
    until(lambda: open_streams(behind) == 0)
    with front.stream(watch_of(graph), version, "-H", "accept: text/event-stream") as body:
        assert body.read1(65536)
        assert open_streams(behind) == 1
    until(lambda: open_streams(behind) == 0)


def test_a_deadline_is_wefts(front, graph):
    from weft.graph.v1 import graph_service_pb2 as messages

    status, _, body = front.curl(watch_of(graph), "-H", "accept: application/x-ndjson", "-H", "x-weft-timeout: 300ms")
    assert status == 200 and json.loads(body.splitlines()[-1])["@error"]["status"] == "DEADLINE_EXCEEDED"
    with front.graphs() as (graphs, key), pytest.raises(grpc.RpcError) as refusal:
        list(graphs.WatchGraph(messages.WatchGraphRequest(graph=graph), metadata=key, timeout=0.3))
    assert refusal.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED


# What in each file bounds how long a stream may be silent, and a stream that it bounds. None in Caddy's.
SILENCES = {
    "nginx": [("proxy_read_timeout 1h;", "proxy_read_timeout 1s;", "rest"), ("grpc_read_timeout 1h;", "grpc_read_timeout 1s;", "grpc")],
    "envoy": [("stream_idle_timeout: 3600s", "stream_idle_timeout: 1s", "rest"), ("stream_idle_timeout: 3600s", "stream_idle_timeout: 1s", "grpc")],
    "caddy": [],
}


def silent(front, graph, form):
    """Reads a watch on which nothing happens, until the proxy has had enough of it."""
    from weft.graph.v1 import graph_service_pb2 as messages

    if form == "rest":
        with front.stream(watch_of(graph), "-H", "accept: application/x-ndjson") as body:
            return body.read()
    with front.graphs() as (graphs, key), pytest.raises(grpc.RpcError) as cut:
        list(graphs.WatchGraph(messages.WatchGraphRequest(graph=graph, after_revision=1), metadata=key, timeout=PATIENCE))
    assert cut.value.code() != grpc.StatusCode.DEADLINE_EXCEEDED
    return cut.value


def test_a_stream_may_be_silent_for_an_hour(start, front, graph):
    """Each bound of the file is what ends a silent stream: set to a second, it does. So its hour counts."""
    for written, short, form in SILENCES[start.name]:
        assert re.search(r"\b(1h|3600s)\b", written)
        assert silent(start((written, short)), graph, form)


# --- who asks ---


def ask_to_sign_in(front, address, claimed=None):
    """The status of an attempt to sign in from one of this machine's addresses, with a made-up origin."""
    context = ssl.create_default_context(cafile=front.authority)
    host = ("localhost", front.proxy.port)
    connection = http.client.HTTPSConnection(*host, timeout=PATIENCE, context=context, source_address=(address, 0))
    headers = {"content-type": "application/json"}
    if claimed is not None:
        headers |= {"x-forwarded-for": claimed, "x-real-ip": claimed, "forwarded": f"for={claimed}"}
    connection.request("POST", "/v1/tokens:issue", json.dumps({"ticket": "none"}), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_each_client_is_known_by_its_own_address(front, start):
    """Attempts to sign in are counted by address: 2 at once here, and 1 a second."""
    third = 1 + sorted(PROXIES).index(start.name)
    greedy, modest = f"127.0.{third}.2", f"127.0.{third}.3"
    claims = (f"198.51.100.{number}" for number in range(200))
    statuses = [ask_to_sign_in(front, greedy, next(claims)) for _ in range(30)]
    assert 429 in statuses, f"whoever makes up an address gets a bucket for each: {statuses}"
    assert ask_to_sign_in(front, modest) != 429


def test_browsers_are_told_to_keep_to_tls(front):
    for version in VERSIONS:
        assert front.curl("/healthz", version)[1]["strict-transport-security"] == "max-age=31536000"
    plain = http.client.HTTPConnection("localhost", front.proxy.http_port, timeout=PATIENCE)
    plain.request("GET", "/v1/projects/p/graphs?pageSize=1", headers={"host": "weft.example.org"})
    answer = plain.getresponse()
    assert answer.status == 308 and answer.headers["location"].startswith("https://weft.example.org")
    assert answer.headers["location"].endswith("/v1/projects/p/graphs?pageSize=1")
    assert "strict-transport-security" not in answer.headers
    plain.close()
    # Without a proxy that says so, nobody speaks TLS here.
    plain = http.client.HTTPConnection(front.mesh.target, timeout=PATIENCE)
    plain.request("GET", "/healthz")
    assert "strict-transport-security" not in plain.getresponse().headers
    plain.close()


# --- coming and going ---


def test_a_mesh_that_goes_and_comes_back(start, tmp_path):
    mesh = Mesh(tmp_path / "data", environment={"WEFT_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]'}).start()
    try:
        front = start(port=mesh.target.rsplit(":", 1)[1])
        assert front.curl("/readyz")[0] == 200
        assert mesh.stop() == 0
        assert front.curl("/readyz")[0] in (502, 503)
        with front.channel() as channel, pytest.raises(grpc.RpcError) as away:
            channel.unary_unary(f"/{GRAPHS}/GetGraph")(b"", timeout=PATIENCE)
        assert away.value.code() == grpc.StatusCode.UNAVAILABLE
        mesh.start()
        until(lambda: front.curl("/readyz")[0] == 200)
        with front.channel() as channel, pytest.raises(grpc.RpcError) as back:
            channel.unary_unary(f"/{GRAPHS}/GetGraph")(b"", timeout=PATIENCE)
        assert back.value.code() == grpc.StatusCode.UNAUTHENTICATED
    finally:
        mesh.kill()
