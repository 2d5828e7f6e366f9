"""A copy that stays true: a snapshot, then every revision after it, over dropped connections."""

import itertools

import grpc
from shapes import apply, edge, node, refused
from weft.graph.v1 import graph_pb2, graph_service_pb2


def watch(client, graph, after=None, uid="", timeout=30):
    request = graph_service_pb2.WatchGraphRequest(graph=graph, graph_uid=uid)
    if after is not None:
        request.after_revision = after
    return client.graphs.WatchGraph(request, timeout=timeout)


def revisions(stream, count):
    """The next `count` whole revisions of a stream, with the keys that they changed."""
    seen, parts = [], []
    for event in stream:
        if event.WhichOneof("event") != "changes":
            continue
        parts += [change.upsert_node.node.key for change in event.changes.changes if change.HasField("upsert_node")]
        if event.changes.last_part:
            seen.append((event.changes.revision, parts))
            parts = []
            if len(seen) == count:
                break
    return seen


def test_the_past_comes_first_and_then_the_present(admin, graph):
    for key in ["a", "b"]:
        apply(admin, graph, node(key))
    stream = watch(admin, graph, after=1)
    assert revisions(stream, 2) == [(2, ["a"]), (3, ["b"])]
    caught_up = next(event for event in stream if event.WhichOneof("event") == "caught_up_revision")
    assert caught_up.caught_up_revision == 3
    apply(admin, graph, node("c"))
    assert revisions(stream, 1) == [(4, ["c"])]
    stream.cancel()


def test_without_a_cursor_only_what_comes_is_told(admin, graph):
    apply(admin, graph, node("old"))
    stream = watch(admin, graph)
    first = next(iter(stream))
    assert first.caught_up_revision == 2
    apply(admin, graph, node("new"))
    assert revisions(stream, 1) == [(3, ["new"])]
    stream.cancel()


def test_a_dropped_stream_resumes_without_a_gap_or_a_double(admin, graph):
    written = itertools.count(2)
    seen = []
    for round_number in range(8):
        for index in range(3):
            apply(admin, graph, node(f"n-{round_number}-{index}"))
            next(written)
        last = seen[-1][0] if seen else 1
        stream = watch(admin, graph, after=last)
        # Read less than there is, so that the next round has to make up for it.
        seen += revisions(stream, 2)
        stream.cancel()
    seen += revisions(watch(admin, graph, after=seen[-1][0]), 24 - len(seen))
    assert [revision for revision, _ in seen] == list(range(2, 26))
    assert [keys for _, keys in seen] == [[f"n-{r}-{i}"] for r in range(8) for i in range(3)]


def test_the_change_stream_tells_who_and_in_what_order(admin, graph):
    apply(admin, graph, node("a"), node("b"), edge("a", "b", type="knows"))
    batch = next(event.changes for event in watch(admin, graph, after=1) if event.HasField("changes"))
    assert [change.WhichOneof("change") for change in batch.changes] == ["upsert_node", "upsert_node", "upsert_edge"]
    assert batch.actor.startswith("projects/mesh/apiKeys/") and batch.HasField("commit_time")


def test_a_snapshot_ends_where_the_watch_begins(admin, graph):
    apply(admin, graph, node("a", type="letter"), node("b", type="letter"), edge("a", "b", type="knows", weight=2))
    pieces = list(admin.graphs.StreamSnapshot(graph_service_pb2.StreamSnapshotRequest(graph=graph), timeout=20))
    kinds = [piece.WhichOneof("piece") for piece in pieces]
    assert kinds[0] == "header" and kinds[-1] == "end"
    keys = [key for piece in pieces for key in piece.nodes.keys]
    ordinals = [ordinal for piece in pieces for ordinal in piece.nodes.ordinals]
    assert keys == ["a", "b"] and ordinals == sorted(ordinals)
    columns = next(piece.edges for piece in pieces if piece.HasField("edges"))
    assert (list(columns.sources), list(columns.targets)) == ([ordinals[0]], [ordinals[1]])
    assert list(columns.weights) == [2.0]
    header = pieces[0].header
    assert header.node_types[pieces[1].nodes.types[0]] == "letter"
    end = pieces[-1].end.revision
    assert end == header.graph.revision == 2

    stream = watch(admin, graph, after=end)
    apply(admin, graph, node("c"))
    assert revisions(stream, 1) == [(3, ["c"])]
    stream.cancel()


def test_another_graph_of_the_same_name_is_noticed(admin, graph):
    with refused(grpc.StatusCode.NOT_FOUND):
        list(watch(admin, graph, after=1, uid="another"))


def test_a_watcher_is_told_that_the_graph_is_gone(admin, graph):
    stream = watch(admin, graph)
    next(iter(stream))
    admin.graphs.DeleteGraph(graph_service_pb2.DeleteGraphRequest(name=graph))
    with refused(grpc.StatusCode.NOT_FOUND):
        list(stream)


def test_a_revision_from_the_future_is_refused(admin, graph):
    with refused(grpc.StatusCode.OUT_OF_RANGE):
        list(watch(admin, graph, after=1_000_000))


def test_a_snapshot_and_its_changes_make_the_same_graph(admin, graph):
    """Deletes included: what a client has after both is what the server has."""
    apply(admin, graph, *[node(key) for key in "abcd"])
    pieces = admin.graphs.StreamSnapshot(graph_service_pb2.StreamSnapshotRequest(graph=graph), timeout=20)
    mine = {key for piece in pieces for key in piece.nodes.keys}
    apply(admin, graph, graph_pb2.Change(delete_node=graph_pb2.NodeDelete(key="b")), node("e"))
    for event in watch(admin, graph, after=2):
        if event.HasField("changes"):
            for change in event.changes.changes:
                if change.HasField("delete_node"):
                    mine.discard(change.delete_node.key)
                elif change.HasField("upsert_node"):
                    mine.add(change.upsert_node.node.key)
            break
    listed = admin.graphs.ListNodes(graph_service_pb2.ListNodesRequest(graph=graph)).nodes
    assert mine == {found.key for found in listed} == set("acde")
