"""Short ways to say what the tests say often: changes, and what an error holds."""

import contextlib
import uuid

import grpc
import pytest
from google.protobuf.json_format import ParseDict
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from weft.graph.v1 import graph_pb2, graph_service_pb2


def node(key, **fields):
    """An upsert of a node; `properties` may be a plain dict."""
    return ParseDict({"upsertNode": {"node": {"key": key, **fields}}}, graph_pb2.Change())


def edge(source, target, **fields):
    """An upsert of an edge."""
    return ParseDict({"upsertEdge": {"edge": {"source": source, "target": target, **fields}}}, graph_pb2.Change())


def apply(client, graph, *changes, **fields):
    """Applies changes as one revision."""
    request = graph_service_pb2.ApplyChangesRequest(graph=graph, changes=changes, **fields)
    return client.graphs.ApplyChanges(request, timeout=20)


def new_id():
    """A request id."""
    return str(uuid.uuid4())


class Refusal:
    """What a refused call said."""

    def __init__(self):
        self.code = self.message = None
        self.info = error_details_pb2.ErrorInfo()
        self.fields = {}

    def read(self, error):
        self.code, self.message = error.code(), error.details()
        status = rpc_status.from_call(error)
        for detail in status.details if status else ():
            if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
                detail.Unpack(self.info)
            elif detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
                bad = error_details_pb2.BadRequest()
                detail.Unpack(bad)
                self.fields = {violation.field: violation.description for violation in bad.field_violations}


@contextlib.contextmanager
def refused(code, reason=None):
    """Expects a call to be refused; what it said can be read after the block."""
    refusal = Refusal()
    with pytest.raises(grpc.RpcError) as caught:
        yield refusal
    refusal.read(caught.value)
    assert refusal.code == code, f"{refusal.code}: {refusal.message}"
    if reason is not None:
        assert refusal.info.reason == reason, f"{refusal.info.reason}: {refusal.message}"
        assert refusal.info.domain == "weft.dev"
