"""All four kinds of call over one WebSocket, as docs/websocket.md writes it."""

import base64
import contextlib
import json

import pytest
from shapes import apply, node
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect as dial


class Socket:
    """A socket in the JSON sub-protocol."""

    def __init__(self, mesh, stack, **options):
        self.key = mesh.key
        self.raw = stack.enter_context(
            dial(mesh.url.replace("http", "ws") + "/ws", subprotocols=["weft.v1.json"], open_timeout=20, **options)
        )
        assert self.raw.subprotocol == "weft.v1.json"

    def say(self, **message):
        self.raw.send(json.dumps(message))

    def open(self, call, method, **options):
        metadata = {"authorization": f"Bearer {self.key}"}
        self.say(call=call, open={"method": method, "metadata": metadata, **options})

    def hear(self):
        return json.loads(self.raw.recv(timeout=20))

    def unary(self, call, method, message):
        self.open(call, method)
        self.say(call=call, message=message)
        self.say(call=call, end=True)


@pytest.fixture
def socket(mesh):
    with contextlib.ExitStack() as stack:
        yield Socket(mesh, stack)


def test_a_unary_call(socket, graph):
    socket.unary(1, "weft.graph.v1.GraphService/GetGraph", {"name": graph})
    heard, status = socket.hear(), socket.hear()
    assert heard["call"] == 1 and heard["message"]["name"] == graph
    assert status["call"] == 1 and status["status"]["code"] == 0


def test_an_error_has_its_details(socket):
    socket.unary(1, "weft.graph.v1.GraphService/GetGraph", {"name": "projects/polyglot/graphs/nowhere"})
    status = socket.hear()["status"]
    assert status["code"] == 5
    assert status["details"][0]["reason"] == "GRAPH_NOT_FOUND"


def test_many_calls_at_once(socket, graph):
    for call in range(1, 21):
        socket.unary(call, "weft.graph.v1.GraphService/GetGraph", {"name": graph})
    done = {}
    while len(done) < 20:
        heard = socket.hear()
        if "status" in heard:
            done[heard["call"]] = heard["status"]["code"]
    assert done == dict.fromkeys(range(1, 21), 0)


def test_a_server_stream_and_its_cancel(socket, admin, graph):
    socket.unary(1, "weft.graph.v1.GraphService/WatchGraph", {"graph": graph, "afterRevision": "1"})
    assert socket.hear()["message"] == {"caughtUpRevision": "1"}
    apply(admin, graph, node("a"))
    assert socket.hear()["message"]["changes"]["revision"] == "2"
    socket.say(call=1, cancel=True)
    # The socket goes on: another call is answered.
    socket.unary(2, "weft.graph.v1.GraphService/GetGraph", {"name": graph})
    while (heard := socket.hear())["call"] != 2:
        pass
    assert heard["message"]["revision"] == "2"


def test_a_bidirectional_stream(socket, graph):
    socket.open(1, "weft.graph.v1.GraphService/ImportGraph")
    socket.say(call=1, message={"begin": {"graph": graph}})
    socket.say(call=1, message={"file": {"path": "edges.tsv"}})
    socket.say(call=1, message={"data": base64.b64encode(b"a\tb\nb\tc\n").decode()})
    socket.say(call=1, end=True)
    heard = []
    while not heard or "status" not in heard[-1]:
        heard.append(socket.hear())
    assert heard[-1]["status"]["code"] == 0
    assert heard[-2]["message"]["result"]["createdEdgeCount"] == "2"


def test_a_ticket_signs_in_to_one_socket(mesh, rest, graph):
    me = rest("GET", "/v1/me").json["name"]
    hello = {"hello": {"ticket": rest("POST", "/v1/tickets", {}).json["ticket"]}}
    call = {"call": 1, "open": {"method": "weft.graph.v1.GraphService/GetGraph"}}
    with contextlib.ExitStack() as stack:
        first, second, stranger = (Socket(mesh, stack) for _ in range(3))
        first.say(**hello)
        assert first.hear()["welcome"]["caller"] == me
        # It holds for every call of the socket, and for no other socket.
        for socket in (first, stranger):
            socket.say(**call)
            socket.say(call=1, message={"name": graph})
            socket.say(call=1, end=True)
        assert first.hear()["message"]["name"] == graph and first.hear()["status"]["code"] == 0
        assert stranger.hear()["status"]["details"][0]["reason"] == "CREDENTIALS_REQUIRED"
        second.say(**hello)
        with pytest.raises(ConnectionClosed) as used:
            second.hear()
        assert used.value.rcvd.code == 4001


def test_the_binary_sub_protocol(mesh, graph):
    from weft.graph.v1 import graph_pb2, graph_service_pb2

    opening = {"method": "weft.graph.v1.GraphService/GetGraph", "metadata": {"authorization": f"Bearer {mesh.key}"}}
    request = graph_service_pb2.GetGraphRequest(name=graph).SerializeToString()
    with dial(mesh.url.replace("http", "ws") + "/ws", subprotocols=["weft.v1.proto"]) as raw:
        for kind, payload in [(1, json.dumps(opening).encode()), (2, request), (3, b"")]:
            raw.send(bytes([1, kind]) + payload)
        answer, status = raw.recv(timeout=20), raw.recv(timeout=20)
    assert answer[:2] == bytes([1, 2]) and graph_pb2.Graph.FromString(answer[2:]).name == graph
    assert status[:2] == bytes([1, 5]) and status[2:] == b""


@pytest.mark.parametrize("window", [9, 15])
def test_large_messages_are_compressed_both_ways(mesh, admin, graph, window):
    extension = ClientPerMessageDeflateFactory(server_max_window_bits=window, client_max_window_bits=True)
    text = "what is said again and again is short, " * 1000
    with contextlib.ExitStack() as stack:
        socket = Socket(mesh, stack, compression=None, extensions=[extension])
        (agreed,) = socket.raw.protocol.extensions
        assert (agreed.remote_no_context_takeover, agreed.local_no_context_takeover) == (True, True)
        assert agreed.remote_max_window_bits == window
        sizes = heard_sizes(agreed)
        socket.open(1, "weft.graph.v1.GraphService/ApplyChanges")
        change = {"upsertNode": {"node": {"key": "large", "properties": {"text": text}}}}
        socket.say(call=1, message={"graph": graph, "changes": [change]})
        socket.say(call=1, end=True)
        while "status" not in (heard := socket.hear()):
            pass
        assert heard["status"]["code"] == 0
        socket.unary(2, "weft.graph.v1.GraphService/GetNode", {"graph": graph, "key": "large"})
        assert socket.hear()["message"]["properties"] == {"text": text}
    assert 0 < max(sizes) < len(text) / 5


def heard_sizes(extension):
    """The sizes of compressed messages, as they come."""
    sizes, decode = [], extension.decode

    def measured(frame, **options):
        if frame.rsv1:
            sizes.append(len(frame.data))
        return decode(frame, **options)

    extension.decode = measured
    return sizes


def test_a_client_that_offers_nothing_gets_nothing(mesh):
    with contextlib.ExitStack() as stack:
        assert Socket(mesh, stack, compression=None).raw.protocol.extensions == []


def test_a_socket_without_a_sub_protocol_is_refused(mesh):
    with pytest.raises(Exception, match="HTTP 4|rejected"):
        dial(mesh.url.replace("http", "ws") + "/ws")
