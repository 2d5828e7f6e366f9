"""A graph's content: atomic batches, repeats, conflicts, and the questions one can ask."""

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from shapes import apply, edge, new_id, node, refused
from weft.graph.v1 import graph_pb2, graph_service_pb2


def get_node(admin, graph, key):
    return admin.graphs.GetNode(graph_service_pb2.GetNodeRequest(graph=graph, key=key))


@pytest.fixture
def chain(admin, graph):
    """a → b → c → d, and a heavy short cut a → d."""
    steps = [edge(left, right, type="step") for left, right in ["ab", "bc", "cd"]]
    nodes = [node(key, type="letter", displayName=key.upper(), properties={"rank": rank}) for rank, key in enumerate("abcd")]
    apply(admin, graph, *nodes, *steps, edge("a", "d", type="shortcut", weight=10))
    return graph


def test_a_batch_is_one_revision(admin, graph):
    done = apply(admin, graph, node("a"), node("b"), edge("a", "b", type="knows"))
    assert (done.revision, done.node_count, done.edge_count) == (2, 2, 1)
    assert admin.graphs.GetGraph(graph_service_pb2.GetGraphRequest(name=graph)).revision == 2


def test_a_batch_is_all_or_nothing(admin, graph):
    with refused(grpc.StatusCode.NOT_FOUND):
        apply(admin, graph, node("a"), graph_pb2.Change(delete_node=graph_pb2.NodeDelete(key="nobody")))
    with refused(grpc.StatusCode.NOT_FOUND):
        get_node(admin, graph, "a")
    assert admin.graphs.GetGraph(graph_service_pb2.GetGraphRequest(name=graph)).revision == 1


def test_a_repeated_batch_is_harmless(admin, graph):
    request_id = new_id()
    first = apply(admin, graph, node("a"), request_id=request_id)
    assert apply(admin, graph, node("a"), request_id=request_id) == first
    with refused(grpc.StatusCode.INVALID_ARGUMENT):
        apply(admin, graph, node("b"), request_id=request_id)
    assert apply(admin, graph, node("c")).revision == first.revision + 1


def test_who_is_late_is_told(admin, graph):
    apply(admin, graph, node("a"), expected_revision=1)
    with refused(grpc.StatusCode.ABORTED, "REVISION_MISMATCH"):
        apply(admin, graph, node("b"), expected_revision=1)


def test_a_check_changes_nothing(admin, graph):
    apply(admin, graph, node("a"), validate_only=True)
    with refused(grpc.StatusCode.NOT_FOUND):
        get_node(admin, graph, "a")


def test_edges_can_bring_their_nodes(admin, graph):
    with refused(grpc.StatusCode.FAILED_PRECONDITION, "EDGE_END_NOT_FOUND"):
        apply(admin, graph, edge("a", "b"))
    assert apply(admin, graph, edge("a", "b"), create_missing_nodes=True).node_count == 2


def test_keys_and_properties_are_any_text(admin, graph):
    keys = ["a/b c?d#e", "ключ", "🦀", "%2F", "{}", '"']
    properties = {"nested": {"list": [1, "two", None, True]}, "unicode": "Zażółć"}
    apply(admin, graph, *[node(key, properties=properties) for key in keys])
    for key in keys:
        found = get_node(admin, graph, key)
        assert found.key == key
        assert MessageToDict(found.properties) == properties


def test_nodes_are_listed_by_filter_and_order(admin, chain):
    def keys(**fields):
        request = graph_service_pb2.ListNodesRequest(graph=chain, **fields)
        return [found.key for found in admin.graphs.ListNodes(request).nodes]

    assert keys() == ["a", "b", "c", "d"]
    assert keys(filter="properties.rank >= 2") == ["c", "d"]
    assert keys(filter='key = "a" OR display_name = "D"') == ["a", "d"]
    assert keys(order_by="key desc") == ["d", "c", "b", "a"]
    for broken in ["properties.rank >=", "((", 'no_such_field = "x"', "(" * 1500 + "a" + ")" * 1500]:
        with refused(grpc.StatusCode.INVALID_ARGUMENT) as refusal:
            keys(filter=broken)
        assert "filter" in refusal.fields


def test_search_finds_the_beginning_of_a_word(admin, graph):
    apply(
        admin,
        graph,
        node("libfoo2-dev", type="package", properties={"summary": "headers of the foo library"}),
        node("bar", type="package", properties={"summary": "unrelated"}),
    )
    request = graph_service_pb2.SearchNodesRequest(graph=graph, query="foo lib")
    found = admin.graphs.SearchNodes(request)
    assert [result.node.key for result in found.results] == ["libfoo2-dev"]
    assert found.total_size == 1


def test_neighbours_come_nearest_first(admin, chain):
    request = graph_service_pb2.GetNeighborhoodRequest(
        graph=chain, keys=["a"], depth=2, direction=graph_pb2.DIRECTION_OUT, edge_types=["step"]
    )
    found = admin.graphs.GetNeighborhood(request)
    assert [each.key for each in found.nodes] == ["a", "b", "c"]
    assert list(found.distances) == [0, 1, 2]
    assert len(found.edges) == 2 and not found.truncated


def test_the_shortest_path_depends_on_the_weights(admin, chain):
    def path(weighted):
        request = graph_service_pb2.FindShortestPathRequest(
            graph=chain, source="a", target="d", direction=graph_pb2.DIRECTION_OUT, weighted=weighted
        )
        return admin.graphs.FindShortestPath(request)

    assert [each.key for each in path(False).nodes] == ["a", "d"]
    heavy = path(True)
    assert [each.key for each in heavy.nodes] == ["a", "b", "c", "d"]
    assert heavy.found and heavy.length == 3


def test_statistics_count(admin, chain):
    counted = admin.graphs.GetStatistics(graph_service_pb2.GetStatisticsRequest(graph=chain))
    assert (counted.node_count, counted.edge_count, counted.component_count) == (4, 4, 1)
    assert [(each.name, each.count) for each in counted.node_types] == [("letter", 4)]
    assert {each.name: each.count for each in counted.edge_types} == {"step": 3, "shortcut": 1}


def test_a_deleted_node_takes_its_edges_along(admin, chain):
    done = apply(admin, chain, graph_pb2.Change(delete_node=graph_pb2.NodeDelete(key="a")))
    assert (done.node_count, done.edge_count) == (3, 2)
