"""Fixtures: the generated clients, one mesh for most tests, and a graph for each test."""

import os
import pathlib
import subprocess
import sys
import uuid

import grpc
import pytest

from mesh import ROOT, Mesh
from rest import Rest

HERE = pathlib.Path(__file__).parent


def pytest_configure():
    """Makes the clients from the contracts as they are now, before any test imports them."""
    tools = ROOT / ".tools/venv/bin"
    command = [tools / "buf", "generate", "--template", HERE / "buf.gen.yaml"]
    subprocess.run(command, cwd=ROOT, check=True, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"})
    sys.path.insert(0, str(HERE / "gen"))


@pytest.fixture(scope="session")
def mesh(tmp_path_factory):
    """One mesh that the tests share; each works in graphs of its own."""
    running = Mesh(tmp_path_factory.mktemp("mesh") / "data").start()
    yield running
    status = running.stop()
    assert status == 0, f"the mesh ended with {status}:\n{running.log.read_text()[-4000:]}"


class Client:
    """Stubs of every service over one channel, with one credential."""

    def __init__(self, target, credential):
        from weft.compute.v1 import layout_service_pb2_grpc
        from weft.graph.v1 import graph_service_pb2_grpc
        from weft.identity.v1 import identity_service_pb2_grpc

        # Connections of its own: grpcio shares them between channels, and so would a client of a mesh that
        # was started again be told of the refusals that one before it met.
        channel = grpc.insecure_channel(target, options=[("grpc.use_local_subchannel_pool", 1)])
        if credential is not None:
            channel = grpc.intercept_channel(channel, *bearer(credential))
        self.channel = channel
        self.graphs = graph_service_pb2_grpc.GraphServiceStub(channel)
        self.layouts = layout_service_pb2_grpc.LayoutServiceStub(channel)
        self.identity = identity_service_pb2_grpc.IdentityServiceStub(channel)


class _Details(grpc.ClientCallDetails):
    def __init__(self, details, metadata):
        self.method = details.method
        self.timeout = details.timeout
        self.metadata = metadata
        self.credentials = details.credentials
        self.wait_for_ready = details.wait_for_ready
        self.compression = details.compression


def bearer(credential):
    """Interceptors that send a credential with every call."""

    def intercept(continuation, details, request):
        metadata = [*(details.metadata or ()), ("authorization", f"Bearer {credential}")]
        return continuation(_Details(details, metadata), request)

    kinds = [
        (grpc.UnaryUnaryClientInterceptor, "intercept_unary_unary"),
        (grpc.UnaryStreamClientInterceptor, "intercept_unary_stream"),
        (grpc.StreamUnaryClientInterceptor, "intercept_stream_unary"),
        (grpc.StreamStreamClientInterceptor, "intercept_stream_stream"),
    ]
    return [
        type("Bearer", (base,), {name: staticmethod(intercept)})() for base, name in kinds
    ]


@pytest.fixture(scope="session")
def connect(mesh):
    """Makes clients with other credentials: `connect(key)`, or `connect(None)` for nobody."""
    return lambda credential: Client(mesh.target, credential)


@pytest.fixture(scope="session")
def admin(mesh, connect):
    """A client with the administrator's key."""
    return connect(mesh.key)


@pytest.fixture
def rest(mesh):
    """HTTP and JSON with the administrator's key."""
    return Rest(mesh, mesh.key)


@pytest.fixture
def graph(admin):
    """The name of a new, empty graph."""
    from weft.graph.v1 import graph_pb2, graph_service_pb2

    made = admin.graphs.CreateGraph(
        graph_service_pb2.CreateGraphRequest(
            parent="projects/polyglot",
            graph_id=f"t-{uuid.uuid4().hex[:12]}",
            graph=graph_pb2.Graph(display_name="Owned by a test"),
        )
    )
    return made.name
