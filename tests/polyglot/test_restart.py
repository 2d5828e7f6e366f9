"""What was acknowledged is there after a power cut, and a polite end is polite."""

import threading

import grpc
import pytest
from conftest import Client
from mesh import Mesh
from shapes import apply, new_id, node
from weft.graph.v1 import graph_pb2, graph_service_pb2


@pytest.fixture
def own(tmp_path):
    mesh = Mesh(tmp_path / "data").start()
    yield mesh
    mesh.kill()


def make_graph(client):
    request = graph_service_pb2.CreateGraphRequest(parent="projects/p", graph_id="g", graph=graph_pb2.Graph())
    return client.graphs.CreateGraph(request, timeout=20).name


def watch_until(client, graph, after, last):
    """Every revision after one, until the last."""
    request = graph_service_pb2.WatchGraphRequest(graph=graph, after_revision=after)
    seen = []
    for event in client.graphs.WatchGraph(request, timeout=30):
        if event.HasField("changes") and event.changes.last_part:
            seen.append(event.changes.revision)
            if event.changes.revision >= last:
                return seen
    return seen


def test_nothing_acknowledged_is_lost_when_it_is_killed(own):
    client = Client(own.target, own.key)
    graph = make_graph(client)
    acknowledged = {"revision": 1, "request": None}
    for _ in range(3):
        running = threading.Event()

        def write():
            while True:
                request_id = new_id()
                try:
                    done = apply(client, graph, node(f"n{acknowledged['revision']}"), request_id=request_id)
                except grpc.RpcError:
                    return
                acknowledged.update(revision=done.revision, request=request_id)
                if done.revision % 10 == 0:
                    running.set()

        writer = threading.Thread(target=write)
        writer.start()
        assert running.wait(60)
        own.kill()
        writer.join(60)
        key = own.start().key
        client = Client(own.target, key)
        found = client.graphs.GetGraph(graph_service_pb2.GetGraphRequest(name=graph), timeout=20)
        # One more than was acknowledged may be there: its answer was on the way.
        assert found.revision - acknowledged["revision"] in (0, 1)
        assert watch_until(client, graph, 1, found.revision) == list(range(2, found.revision + 1))
        # The last acknowledged request, sent again, gets its first answer.
        again = apply(client, graph, node(f"n{acknowledged['revision'] - 1}"), request_id=acknowledged["request"])
        assert again.revision == acknowledged["revision"]
        acknowledged["revision"] = found.revision


def test_it_ends_politely(own):
    client = Client(own.target, own.key)
    graph = make_graph(client)
    stream = client.graphs.WatchGraph(graph_service_pb2.WatchGraphRequest(graph=graph), timeout=60)
    next(iter(stream))
    ended = []
    watcher = threading.Thread(target=lambda: ended.append(end_of(stream)))
    watcher.start()
    assert own.stop() == 0
    watcher.join(20)
    assert ended == [grpc.StatusCode.UNAVAILABLE]


def end_of(stream):
    try:
        for _ in stream:
            pass
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_the_key_is_kept_and_is_for_its_owner_only(own):
    first = own.key
    path = own.info["key_file"]
    import os
    import stat

    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    own.stop()
    assert own.start().key == first
    assert not any(first.encode() in file.read_bytes() for file in own.data.rglob("*") if file.is_file() and str(file) != path)
    assert first not in own.log.read_text()


def test_two_meshes_do_not_share_a_folder(own):
    second = Mesh(own.data)
    second.log = own.data.parent / "second.log"
    info = (own.data / "weft.json").read_text()
    with pytest.raises(RuntimeError, match="did not start"):
        second.start()
    (own.data / "weft.json").write_text(info)
    assert "in use" in second.log.read_text() or "lock" in second.log.read_text()
    assert Client(own.target, own.key).graphs.ListGraphs(
        graph_service_pb2.ListGraphsRequest(parent="projects/p"), timeout=20
    )


def test_a_signal_that_comes_as_soon_as_it_answers_ends_it_well(tmp_path):
    running = Mesh(tmp_path / "data")
    for _ in range(5):
        running.start()
        assert running.stop() == 0, running.log.read_text()[-4000:]
        running.process = None
