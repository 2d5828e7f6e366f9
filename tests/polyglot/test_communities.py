"""Live communities: all of them first, then what changes, over gRPC, as events of a browser, and in a terminal."""

import contextlib
import json
import os
import subprocess

import grpc
import pytest
from mesh import BIN
from shapes import apply, edge, node, refused
from weft.compute.v1 import analysis_service_pb2, analysis_service_pb2_grpc
from weft.graph.v1 import graph_pb2, graph_service_pb2


@pytest.fixture
def analyses(admin):
    return analysis_service_pb2_grpc.AnalysisServiceStub(admin.channel)


@pytest.fixture
def groups(admin, graph):
    """Two groups of five with an edge between them."""
    pairs = [(f"{side}{i}", f"{side}{j}") for side in "ab" for i in range(5) for j in range(i)]
    names = [node(f"{side}{i}") for side in "ab" for i in range(5)]
    apply(admin, graph, *names, *[edge(*pair) for pair in pairs], edge("a0", "b0"))
    return graph


def watch(analyses, graph, **fields):
    return analyses.WatchCommunities(
        analysis_service_pb2.WatchCommunitiesRequest(graph=graph, **fields), timeout=60
    )


class Eyes:
    """What somebody knows who folds the events of a stream."""

    def __init__(self, stream):
        self.stream, self.numbers, self.summary = stream, {}, None

    def until(self, revision):
        while self.summary is None or self.summary.graph_revision < revision:
            told = next(self.stream)
            kind = told.WhichOneof("event")
            if kind == "told_revision":
                continue
            event = getattr(told, kind)
            assert (kind == "partition") == (self.summary is None)
            if kind == "changes":
                for ordinal in event.left_ordinals:
                    del self.numbers[ordinal]
            self.numbers.update(zip(event.ordinals, event.communities, strict=True))
            if event.last_part:
                self.summary = event.summary
        assert self.summary.node_count == len(self.numbers)
        assert self.summary.community_count == len(set(self.numbers.values()))


def ordinal(admin, graph, key):
    return admin.graphs.GetNode(graph_service_pb2.GetNodeRequest(graph=graph, key=key)).ordinal


def test_changes_come_with_revisions_and_numbers_stay(admin, analyses, groups):
    first = Eyes(watch(analyses, groups))
    first.until(1)
    assert (first.summary.node_count, first.summary.community_count) == (10, 2)
    before = first.numbers[ordinal(admin, groups, "b1")]
    assert before != first.numbers[ordinal(admin, groups, "a1")]

    changed = apply(admin, groups, node("new"), *[edge("new", f"b{i}") for i in range(5)])
    first.until(changed.revision)
    assert first.numbers[ordinal(admin, groups, "new")] == before

    gone = graph_pb2.Change(delete_node=graph_pb2.NodeDelete(key="b0"))
    changed = apply(admin, groups, gone)
    first.until(changed.revision)
    # Whoever comes late is told the same.
    second = Eyes(watch(analyses, groups))
    second.until(changed.revision)
    assert second.numbers == first.numbers

    admin.graphs.DeleteGraph(graph_service_pb2.DeleteGraphRequest(name=groups))
    with refused(grpc.StatusCode.NOT_FOUND, "GRAPH_NOT_FOUND"):
        for _ in first.stream:
            pass


def test_what_cannot_be_watched_is_refused(analyses, groups, connect):
    with refused(grpc.StatusCode.NOT_FOUND, "GRAPH_NOT_FOUND"):
        next(watch(analyses, "projects/polyglot/graphs/none"))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD") as refusal:
        next(watch(analyses, groups, resolution=-1))
    assert "resolution" in refusal.fields
    nobody = analysis_service_pb2_grpc.AnalysisServiceStub(connect(None).channel)
    with refused(grpc.StatusCode.UNAUTHENTICATED):
        next(watch(nobody, groups))


def test_a_browser_is_told_as_events(admin, rest, groups):
    with rest.open("GET", f"/v1/{groups}:watchCommunities?resolution=1", accept="text/event-stream") as answer:
        data = (json.loads(line[5:]) for line in answer if line.startswith(b"data:"))
        told = next(event for event in data if "partition" in event)["partition"]
        assert len(told["ordinals"]) == len(told["communities"]) == 10 and told["lastPart"]
        changed = apply(admin, groups, node("new"), edge("new", "a1"))
        for event in data:
            if event.get("changes", {}).get("summary", {}).get("graphRevision") == str(changed.revision):
                assert event["changes"]["ordinals"] == [ordinal(admin, groups, "new")]
                break


@contextlib.contextmanager
def terminal(mesh, *arguments):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    command = [BIN, "--data", mesh.data, "analyses", "communities", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean) as running:
        try:
            yield running
        finally:
            running.kill()


def test_a_terminal_has_a_line_for_each_event(admin, mesh, groups):
    with terminal(mesh, groups) as once:
        out, _ = once.communicate(timeout=60)
        assert once.returncode == 0 and "10 nodes, 2 communities" in out
    with terminal(mesh, groups, "--watch", "-o", "json") as watching:
        assert len(json.loads(watching.stdout.readline())["partition"]["ordinals"]) == 10
        apply(admin, groups, node("new"), edge("new", "a1"))
        while "changes" not in (told := json.loads(watching.stdout.readline())):
            pass
        assert told["changes"]["communities"]
        admin.graphs.DeleteGraph(graph_service_pb2.DeleteGraphRequest(name=groups))
        _, error = watching.communicate(timeout=60)
        assert watching.returncode != 0 and "GRAPH_NOT_FOUND" in error
