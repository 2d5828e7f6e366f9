"""Tools that know nothing of us find everything by reflection: grpcurl (v1alpha), buf (v1), Python."""

import json
import os
import subprocess

import pytest
from google.protobuf import descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from mesh import ROOT

TOOLS = ROOT / ".tools/venv/bin"


def run(*command):
    environment = {**os.environ, "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def grpcurl(mesh):
    def call(*arguments):
        return run(TOOLS / "grpcurl", "-plaintext", "-H", f"authorization: Bearer {mesh.key}", *arguments)

    return call


def test_grpcurl_lists_services_and_methods(mesh, grpcurl):
    services = grpcurl(mesh.target, "list").split()
    assert {"weft.graph.v1.GraphService", "weft.compute.v1.LayoutService", "grpc.health.v1.Health"} <= set(services)
    assert "weft.graph.v1.GraphService.WatchGraph" in grpcurl(mesh.target, "list", "weft.graph.v1.GraphService").split()


def test_grpcurl_describes_with_options(mesh, grpcurl):
    described = grpcurl(mesh.target, "describe", "weft.graph.v1.GraphService.GetGraph")
    assert "/v1/{name=projects/*/graphs/*}" in described
    assert "(.weft.options.v1.policy)" in described or "(weft.options.v1.policy)" in described


def test_grpcurl_calls(mesh, grpcurl):
    me = json.loads(grpcurl(mesh.target, "weft.identity.v1.IdentityService/WhoAmI"))
    assert me["name"].startswith("projects/mesh/apiKeys/")
    request = json.dumps({"parent": "projects/polyglot", "graph": {"displayName": "by grpcurl"}})
    made = json.loads(grpcurl("-d", request, mesh.target, "weft.graph.v1.GraphService/CreateGraph"))
    assert made["displayName"] == "by grpcurl" and made["revision"] == "1"


@pytest.mark.parametrize("protocol", ["grpc", "grpcweb"])
def test_buf_calls_by_reflection_v1(mesh, protocol):
    answer = run(
        TOOLS / "buf", "curl", "--http2-prior-knowledge", "--protocol", protocol, "--reflect-protocol", "grpc-v1",
        "-H", f"authorization: Bearer {mesh.key}", f"{mesh.url}/weft.identity.v1.IdentityService/WhoAmI",
    )
    assert json.loads(answer)["name"].startswith("projects/mesh/apiKeys/")


def test_python_builds_its_types_from_reflection(connect):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(connect(None).channel))
    service = pool.FindServiceByName("weft.graph.v1.GraphService")
    assert service.FindMethodByName("GetGraph").output_type.full_name == "weft.graph.v1.Graph"


def test_extensions_are_found_by_number(connect):
    stub = reflection_pb2_grpc.ServerReflectionStub(connect(None).channel)
    asked = reflection_pb2.ServerReflectionRequest(
        file_containing_extension=reflection_pb2.ExtensionRequest(
            containing_type="google.protobuf.MethodOptions", extension_number=51000
        )
    )
    answer = next(iter(stub.ServerReflectionInfo(iter([asked]), timeout=10)))
    assert answer.WhichOneof("message_response") == "file_descriptor_response", answer
