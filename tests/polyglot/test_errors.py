"""What a refusal tells, and that a deadline is a deadline."""

import time

import grpc
import pytest
from shapes import apply, node, refused
from weft.graph.v1 import graph_pb2, graph_service_pb2


def test_a_broken_rule_names_its_field(admin):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as refusal:
        admin.graphs.CreateGraph(
            graph_service_pb2.CreateGraphRequest(
                parent="projects/Not A Project",
                graph_id="UPPER",
                graph=graph_pb2.Graph(display_name="x" * 201),
                request_id="not a uuid",
            )
        )
    assert {"parent", "graph_id", "graph.display_name", "request_id"} <= set(refusal.fields)


def test_fields_inside_lists_are_named_with_their_place(admin, graph):
    with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
        apply(admin, graph, node("fine"), node("x" * 513))
    assert any("changes[1]" in field and "key" in field for field in refusal.fields), refusal.fields


def test_what_is_not_there_is_said_with_its_name(admin):
    name = "projects/polyglot/graphs/nowhere"
    with refused(grpc.StatusCode.NOT_FOUND, "GRAPH_NOT_FOUND") as refusal:
        admin.graphs.GetGraph(graph_service_pb2.GetGraphRequest(name=name))
    assert name in refusal.message and name in refusal.info.metadata.values()


def test_a_stream_ends_at_its_deadline(admin, graph):
    started = time.monotonic()
    with refused(grpc.StatusCode.DEADLINE_EXCEEDED):
        list(admin.graphs.WatchGraph(graph_service_pb2.WatchGraphRequest(graph=graph), timeout=1))
    assert time.monotonic() - started < 5


def test_the_server_keeps_the_deadline_too(mesh):
    """Sent by hand, so that only the server can end the call: a raw header, no client timer."""
    import json
    import socket

    # A gRPC client would cut the call itself. REST takes the same deadline as a header.
    request = (
        "GET /v1/projects/polyglot/graphs/%s:watch HTTP/1.1\r\nHost: mesh\r\n"
        "Authorization: Bearer {}\r\nGrpc-Timeout: 500m\r\nAccept: application/x-ndjson\r\n"
        "Connection: close\r\n\r\n"
    )
    graph = _make_graph(mesh)
    host, port = mesh.target.split(":")
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall((request % graph).format(mesh.key).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert 0.4 < time.monotonic() - started < 5
    last = [line for line in answer.decode().splitlines() if line.startswith("{")][-1]
    assert json.loads(last)["@error"]["code"] == 4, last


def _make_graph(mesh):
    import json
    import urllib.request

    request = urllib.request.Request(
        f"{mesh.url}/v1/projects/polyglot/graphs",
        data=b"{}",
        headers={"authorization": f"Bearer {mesh.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["name"].rsplit("/", 1)[1]


def test_a_message_that_is_too_large_is_refused(admin, graph):
    # 4 MiB is the largest message; this one is made of parts that are each within their limits.
    big = [node(f"n{index}", properties={"text": "x" * 1000}) for index in range(5000)]
    with refused(grpc.StatusCode.RESOURCE_EXHAUSTED):
        apply(admin, graph, *big)


@pytest.mark.parametrize("method", ["/weft.graph.v1.GraphService/NoSuchMethod", "/no.such.Service/Method"])
def test_unknown_methods_are_unimplemented(admin, method):
    call = admin.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        call(b"", timeout=10)


def test_methods_of_the_mesh_do_not_exist_at_the_edge(admin):
    call = admin.channel.unary_unary(
        "/weft.identity.v1.IdentityService/IntrospectApiKey", request_serializer=bytes, response_deserializer=bytes
    )
    with refused(grpc.StatusCode.UNIMPLEMENTED):
        call(b"", timeout=10)


def test_bytes_that_are_no_message_are_refused(admin):
    call = admin.channel.unary_unary(
        "/weft.graph.v1.GraphService/GetGraph", request_serializer=bytes, response_deserializer=bytes
    )
    for broken in [b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x7f", b"\x0a\x05abc"]:
        with pytest.raises(grpc.RpcError) as caught:
            call(broken, timeout=10)
        assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)
