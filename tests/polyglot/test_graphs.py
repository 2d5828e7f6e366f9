"""Graphs as resources: create, read, list, update, delete, and who was faster."""

import uuid

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from shapes import new_id, refused
from weft.graph.v1 import graph_pb2, graph_service_pb2

PROJECT = "projects/polyglot"


def create(admin, graph_id="", request_id="", **fields):
    return admin.graphs.CreateGraph(
        graph_service_pb2.CreateGraphRequest(
            parent=PROJECT, graph_id=graph_id, graph=graph_pb2.Graph(**fields), request_id=request_id
        )
    )


def get(admin, name):
    return admin.graphs.GetGraph(graph_service_pb2.GetGraphRequest(name=name))


def test_a_new_graph_is_empty_and_at_revision_one(admin):
    made = create(admin, display_name="Packages", labels={"team": "a"})
    assert made.name.startswith(f"{PROJECT}/graphs/")
    assert (made.revision, made.node_count, made.edge_count) == (1, 0, 0)
    assert made.kind in (graph_pb2.GRAPH_KIND_KNOWLEDGE, graph_pb2.GRAPH_KIND_UNSPECIFIED)
    assert made.uid and made.etag and made.HasField("create_time")
    assert get(admin, made.name) == made


def test_a_name_is_taken_once(admin):
    graph_id = f"t-{uuid.uuid4().hex[:12]}"
    create(admin, graph_id)
    with refused(grpc.StatusCode.ALREADY_EXISTS):
        create(admin, graph_id)


def test_a_repeated_create_gives_the_first_answer(admin):
    request_id = new_id()
    first = create(admin, request_id=request_id, display_name="once")
    assert create(admin, request_id=request_id, display_name="once") == first
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        create(admin, request_id=request_id, display_name="something else")


def test_lists_come_in_pages_without_a_double(admin):
    label = uuid.uuid4().hex
    names = {create(admin, labels={"batch": label}).name for _ in range(5)}
    request = graph_service_pb2.ListGraphsRequest(
        parent=PROJECT, page_size=2, filter=f'labels.batch = "{label}"', order_by="create_time desc"
    )
    seen, pages = [], 0
    while True:
        page = admin.graphs.ListGraphs(request)
        seen += [found.name for found in page.graphs]
        pages += 1
        request.page_token = page.next_page_token
        if not page.next_page_token:
            break
        assert pages < 10
    assert len(seen) == len(set(seen)) and set(seen) == names


def test_a_page_token_is_not_to_be_played_with(admin):
    for token in ["nonsense", "AAAA", "=" * 200]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            admin.graphs.ListGraphs(graph_service_pb2.ListGraphsRequest(parent=PROJECT, page_token=token))
        assert "page_token" in refusal.fields


def test_an_update_writes_what_its_mask_says(admin):
    made = create(admin, display_name="before", description="stays")
    changed = admin.graphs.UpdateGraph(
        graph_service_pb2.UpdateGraphRequest(
            graph=graph_pb2.Graph(name=made.name, display_name="after", description="ignored", etag=made.etag),
            update_mask=FieldMask(paths=["display_name"]),
        )
    )
    assert (changed.display_name, changed.description) == ("after", "stays")
    assert changed.etag != made.etag
    with refused(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"):
        admin.graphs.UpdateGraph(
            graph_service_pb2.UpdateGraphRequest(
                graph=graph_pb2.Graph(name=made.name, display_name="too late", etag=made.etag)
            )
        )
    assert get(admin, made.name).display_name == "after"


def test_a_mask_with_a_field_that_is_not_there_is_refused(admin, graph):
    for path in ["no_such_field", "revision", "kind", "labels..x", ""]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            admin.graphs.UpdateGraph(
                graph_service_pb2.UpdateGraphRequest(
                    graph=graph_pb2.Graph(name=graph), update_mask=FieldMask(paths=[path])
                )
            )
        assert any("update_mask" in field for field in refusal.fields), (path, refusal.fields)


def test_a_deleted_graph_is_gone_and_its_name_is_free(admin):
    made = create(admin)
    with refused(grpc.StatusCode.ABORTED, "ETAG_MISMATCH"):
        admin.graphs.DeleteGraph(graph_service_pb2.DeleteGraphRequest(name=made.name, etag="another"))
    admin.graphs.DeleteGraph(graph_service_pb2.DeleteGraphRequest(name=made.name, etag=made.etag))
    with refused(grpc.StatusCode.NOT_FOUND):
        get(admin, made.name)
    anew = create(admin, made.name.rsplit("/", 1)[1])
    assert anew.uid != made.uid and anew.revision == 1
