"""The Connect protocol through connectrpc's own Python client, in both codecs."""

import itertools

import pytest
from connectrpc.client import ConnectClientSync
from connectrpc.code import Code
from connectrpc.compat import google_protobuf_binary_codec, google_protobuf_json_codec
from connectrpc.compression.gzip import GzipCompression
from connectrpc.errors import ConnectError
from connectrpc.method import IdempotencyLevel, MethodInfo, StreamType
from rest import Rest
from shapes import apply, node

CODECS = {"proto": google_protobuf_binary_codec(), "json": google_protobuf_json_codec(ignore_unknown_fields=False)}
LEVELS = [IdempotencyLevel.UNKNOWN, IdempotencyLevel.NO_SIDE_EFFECTS, IdempotencyLevel.IDEMPOTENT]
KINDS = {
    (False, False): StreamType.UNARY,
    (True, False): StreamType.CLIENT_STREAM,
    (False, True): StreamType.SERVER_STREAM,
    (True, True): StreamType.BIDI_STREAM,
}


def graph_method(name):
    """What the client must know of a method, from the generated descriptors."""
    from weft.graph.v1 import graph_service_pb2

    return described(graph_service_pb2.DESCRIPTOR.services_by_name["GraphService"].methods_by_name[name])


def described(method):
    from google.protobuf.message_factory import GetMessageClass

    return MethodInfo(
        name=method.name,
        service_name=method.containing_service.full_name,
        input=GetMessageClass(method.input_type),
        output=GetMessageClass(method.output_type),
        idempotency_level=LEVELS[method.GetOptions().idempotency_level],
        stream_type=KINDS[method.client_streaming, method.server_streaming],
    )


class Graphs:
    """The graph service by Connect, with one credential and codec."""

    def __init__(self, mesh, credential, codec):
        gzip = GzipCompression()
        self.client = ConnectClientSync(
            mesh.url, codec=CODECS[codec], send_compression=gzip, accept_compression=[gzip], timeout_ms=30_000
        )
        self.options = {"headers": {"authorization": f"Bearer {credential}"} if credential else {}}

    def _request(self, called, fields):
        method = graph_method(called)
        return {"method": method, "request": method.input(**fields), **self.options}

    def unary(self, called, /, use_get=False, **fields):
        return self.client.execute_unary(use_get=use_get, **self._request(called, fields))

    def stream(self, called, /, **fields):
        return self.client.execute_server_stream(**self._request(called, fields))

    def bidi(self, called, requests):
        return self.client.execute_bidi_stream(method=graph_method(called), request=iter(requests), **self.options)


@pytest.fixture(params=sorted(CODECS))
def graphs(mesh, request):
    return Graphs(mesh, mesh.key, request.param)


@pytest.mark.parametrize("use_get", [False, True])
def test_a_unary_call(graphs, graph, use_get):
    assert graphs.unary("GetGraph", use_get=use_get, name=graph).name == graph


def test_a_message_that_is_worth_compressing(graphs, graph):
    text = "x" * 10_000
    graphs.unary("ApplyChanges", graph=graph, changes=[node("long", properties={"text": text})])
    assert graphs.unary("GetNode", graph=graph, key="long").properties["text"] == text


def test_an_error_has_its_code_and_details(graphs):
    from google.rpc import error_details_pb2

    with pytest.raises(ConnectError) as refused:
        graphs.unary("GetGraph", name="projects/polyglot/graphs/nowhere")
    assert refused.value.code == Code.NOT_FOUND
    (detail,) = refused.value.details
    assert detail.type_name == "google.rpc.ErrorInfo"
    assert error_details_pb2.ErrorInfo.FromString(detail.message_bytes).reason == "GRAPH_NOT_FOUND"


def test_a_server_stream_and_its_end(graphs, admin, graph):
    apply(admin, graph, node("a"))
    pieces = list(graphs.stream("StreamSnapshot", graph=graph))
    assert pieces[0].HasField("header") and pieces[-1].HasField("end")
    with pytest.raises(ConnectError) as refused:
        list(graphs.stream("StreamSnapshot", graph="projects/polyglot/graphs/nowhere"))
    assert refused.value.code == Code.NOT_FOUND and refused.value.details


def test_a_stream_that_goes_on_comes_as_it_is_said(graphs, admin, graph):
    watch = graphs.stream("WatchGraph", graph=graph, after_revision=1)
    assert next(watch).caught_up_revision == 1
    apply(admin, graph, node("a"))
    assert next(each for each in watch if each.HasField("changes")).changes.revision == 2
    watch.close()


def test_a_bidirectional_stream(graphs, graph):
    from weft.graph.v1 import graph_service_pb2

    piece = graph_service_pb2.ImportGraphRequest
    said = [
        piece(begin=graph_service_pb2.ImportBegin(graph=graph)),
        piece(file=graph_service_pb2.ImportFile(path="edges.tsv")),
        piece(data=b"a\tb\nb\tc\n"),
    ]
    heard = list(graphs.bidi("ImportGraph", said))
    assert heard[-1].result.created_edge_count == 2


def test_who_has_said_all_goes_on_watching_until_it_leaves(graphs, admin, graph):
    from weft.compute.v1 import layout_pb2, layout_service_pb2

    apply(admin, graph, node("a"), node("b"))
    layout = admin.layouts.CreateLayout(
        layout_service_pb2.CreateLayoutRequest(parent=graph, layout=layout_pb2.Layout())
    )
    attach = layout_service_pb2.DESCRIPTOR.services_by_name["LayoutService"].methods_by_name["AttachLayout"]
    opening = layout_service_pb2.AttachLayoutRequest(open=layout_service_pb2.AttachOpen(name=layout.name))
    # One message, and then this side of the call is closed.
    heard = graphs.client.execute_bidi_stream(method=described(attach), request=iter([opening]), **graphs.options)
    assert next(heard).event.layout.name == layout.name
    frames = (each.event for each in heard if each.event.HasField("frame"))
    seen = [next(frames) for _ in range(3)]
    assert len(seen) == 3
    heard.close()
    assert graphs.unary("GetGraph", name=graph).name == graph


def test_nobody_may_not(mesh, graph):
    for call in (lambda each: each.unary("GetGraph", name=graph), lambda each: list(each.stream("WatchGraph", graph=graph))):
        with pytest.raises(ConnectError) as refused:
            call(Graphs(mesh, None, "proto"))
        assert refused.value.code == Code.UNAUTHENTICATED


def test_a_deadline_is_kept(mesh, graph):
    client = Graphs(mesh, mesh.key, "proto")
    answer = Rest(mesh, mesh.key)(
        "POST",
        "/weft.graph.v1.GraphService/GetGraph",
        {"name": graph},
        connect_timeout_ms="0",
    )
    assert (answer.status, answer.json["code"]) == (504, "deadline_exceeded")
    # The client and the service count the same time: whoever is first, it is over.
    watch = client.client.execute_server_stream(
        method=graph_method("WatchGraph"),
        request=graph_method("WatchGraph").input(graph=graph),
        timeout_ms=300,
        **client.options,
    )
    with pytest.raises(ConnectError) as refused:
        for _ in itertools.islice(watch, 1_000):
            pass
    assert refused.value.code == Code.DEADLINE_EXCEEDED


def test_what_changes_something_is_no_get(mesh, graph):
    answer = Rest(mesh, mesh.key)("GET", "/weft.graph.v1.GraphService/DeleteGraph?encoding=json&message=%7B%7D")
    assert answer.status == 405 and answer.headers["allow"] == "POST"
