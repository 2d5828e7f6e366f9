"""Files in and out: a bidirectional stream that is all or nothing, and what comes out again."""

import gzip

import grpc
import pytest
from shapes import new_id, refused
from weft.graph.v1 import graph_pb2, graph_service_pb2

EDGES = b"# who knows whom\na\tb\nb\tc\t2.5\nc\ta\t1\tknows\n"


def pieces(graph, files, chunk=7, **begin):
    """The requests of an import: small chunks, so that lines are cut in the middle."""
    Request = graph_service_pb2.ImportGraphRequest
    yield Request(begin=graph_service_pb2.ImportBegin(graph=graph, **begin))
    for path, data in files:
        yield Request(file=graph_service_pb2.ImportFile(path=path, size_bytes=len(data)))
        for start in range(0, len(data), chunk):
            yield Request(data=data[start : start + chunk])


def bring_in(admin, graph, files, **options):
    events = list(admin.graphs.ImportGraph(pieces(graph, files, **options), timeout=30))
    assert events[-1].WhichOneof("event") == "result"
    assert all(event.WhichOneof("event") == "progress" for event in events[:-1])
    return events[-1].result


def export(admin, graph, form, **fields):
    request = graph_service_pb2.ExportGraphRequest(graph=graph, format=form, **fields)
    return b"".join(body.data for body in admin.graphs.ExportGraph(request, timeout=30))


def revision(admin, graph):
    return admin.graphs.GetGraph(graph_service_pb2.GetGraphRequest(name=graph)).revision


@pytest.mark.parametrize("compressed", [False, True])
def test_an_edge_list_becomes_one_revision(admin, graph, compressed):
    file = ("edges.tsv.gz", gzip.compress(EDGES)) if compressed else ("edges.tsv", EDGES)
    result = bring_in(admin, graph, [file])
    assert (result.revision, result.created_node_count, result.created_edge_count) == (2, 3, 3)
    found = admin.graphs.ListEdges(graph_service_pb2.ListEdgesRequest(graph=graph, filter="weight > 2")).edges
    assert [(each.source, each.target) for each in found] == [("b", "c")]


def test_a_repeated_import_is_harmless(admin, graph):
    request_id = new_id()
    first = bring_in(admin, graph, [("edges.tsv", EDGES)], request_id=request_id)
    assert bring_in(admin, graph, [("edges.tsv", EDGES)], request_id=request_id).revision == first.revision


def test_replacing_deletes_what_the_files_do_not_have(admin, graph):
    bring_in(admin, graph, [("edges.tsv", EDGES)])
    result = bring_in(admin, graph, [("edges.tsv", b"a\tb\n")], mode=graph_service_pb2.IMPORT_MODE_REPLACE)
    assert (result.deleted_node_count, result.deleted_edge_count) == (1, 2)


def test_a_stream_that_breaks_off_does_nothing(admin, graph):
    def broken():
        yield from pieces(graph, [("edges.tsv", EDGES)])
        raise RuntimeError("the client has gone")

    with pytest.raises((grpc.RpcError, RuntimeError)):
        list(admin.graphs.ImportGraph(broken(), timeout=30))
    assert revision(admin, graph) == 1


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("../outside.tsv", EDGES),
        ("/etc/passwd", EDGES),
        ("cut.tsv.gz", gzip.compress(EDGES * 100)[:-20]),
        ("latin1.graphml", '<graphml><graph id="é"/></graphml>'.encode("latin-1")),
        ("cut.graphml", b'<?xml version="1.0"?><graphml><graph edgedefault="directed"><node id="a"'),
        ("laughs.graphml", b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><graphml>&b;</graphml>'),
        ("deep.json", b'{"graph":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        ("bomb.tsv.gz", gzip.compress(b"\0" * (64 << 20))),
    ],
)
def test_bad_files_are_refused_and_named(admin, graph, path, data):
    with pytest.raises(grpc.RpcError) as caught:
        list(admin.graphs.ImportGraph(pieces(graph, [(path, data)], chunk=65536), timeout=60))
    assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED), caught.value
    assert path.rsplit("/", 1)[-1] in caught.value.details()
    assert revision(admin, graph) == 1


def test_data_before_its_file_is_refused(admin, graph):
    Request = graph_service_pb2.ImportGraphRequest
    begin = Request(begin=graph_service_pb2.ImportBegin(graph=graph))
    for wrong in [[Request(data=b"a\tb\n")], [begin, Request(data=b"a\tb\n")], [begin, begin], []]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT):
            list(admin.graphs.ImportGraph(iter(wrong), timeout=30))


@pytest.mark.parametrize(
    "form",
    [
        graph_pb2.GRAPH_FORMAT_EDGE_LIST,
        graph_pb2.GRAPH_FORMAT_GRAPHML,
        graph_pb2.GRAPH_FORMAT_GEXF,
        graph_pb2.GRAPH_FORMAT_JSON_GRAPH,
    ],
)
def test_what_goes_out_comes_in_again(admin, graph, form):
    bring_in(admin, graph, [("edges.tsv", EDGES)])
    out = export(admin, graph, form)
    again = bring_in(admin, graph, [("again", out)], format=form, mode=graph_service_pb2.IMPORT_MODE_REPLACE)
    assert (again.deleted_node_count, again.deleted_edge_count, again.created_node_count) == (0, 0, 0)
    assert gzip.decompress(export(admin, graph, form, gzip=True)) == export(admin, graph, form)
