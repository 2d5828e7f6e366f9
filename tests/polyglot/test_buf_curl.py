"""`buf curl`, which speaks three protocols, says and hears the same in each of them."""

import base64
import json
import os
import subprocess

import pytest
from mesh import ROOT

BUF = ROOT / ".tools/venv/bin/buf"
SERVICE = "weft.graph.v1.GraphService"


@pytest.fixture(params=["connect", "grpc", "grpcweb"])
def curl(mesh, request):
    """Calls a method with messages; its answers, or its error."""

    def call(method, *messages):
        command = [BUF, "curl", "--http2-prior-knowledge", "--protocol", request.param, "--reflect-protocol", "grpc-v1"]
        command += ["-H", f"authorization: Bearer {mesh.key}", "-d", "@-", f"{mesh.url}/{SERVICE}/{method}"]
        said = "\n".join(json.dumps(message) for message in messages)
        environment = {**os.environ, "HOME": os.environ.get("HOME", "/")}
        done = subprocess.run(command, input=said, capture_output=True, text=True, env=environment, timeout=60)
        if done.returncode != 0:
            return json.loads(done.stderr)
        return read_all(done.stdout)

    return call


def read_all(text):
    """JSON values, one after another."""
    decoder, values, rest = json.JSONDecoder(), [], text.strip()
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].strip()
    return values


def test_a_call_of_each_kind(curl, graph):
    [found] = curl("GetGraph", {"name": graph})
    assert found["name"] == graph and found["revision"] == "1"
    data = base64.b64encode(b"a\tb\nb\tc\n").decode()
    pieces = {"begin": {"graph": graph}}, {"file": {"path": "edges.tsv"}}, {"data": data}
    assert curl("ImportGraph", *pieces)[-1]["result"]["revision"] == "2"
    exported = curl("ExportGraph", {"graph": graph, "format": "GRAPH_FORMAT_EDGE_LIST"})
    text = b"".join(base64.b64decode(piece["data"]) for piece in exported)
    assert b"a\tb" in text and b"b\tc" in text


def test_an_error_keeps_its_details(curl):
    error = curl("GetGraph", {"name": "projects/polyglot/graphs/nowhere"})
    assert error["code"] == "not_found"
    [info] = [detail for detail in error["details"] if detail["type"] == "google.rpc.ErrorInfo"]
    assert b"GRAPH_NOT_FOUND" in base64.b64decode(info["value"] + "==")
