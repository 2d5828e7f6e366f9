"""Objects of a project and code in workflows: from REST, gRPC and the command line, and over kill -9."""

import base64
import hashlib
import json
import os
import subprocess
import time

import pytest
from mesh import BIN, Mesh
from rest import Rest, query

PROJECT = "/v1/projects/default"

# Gives back what it is given, twice: [input,input].
TWICE = """(module
  (memory (export "memory") 4)
  (global $next (mut i32) (i32.const 1024))
  (func $alloc (export "alloc") (param $length i32) (result i32)
    (global.get $next)
    (global.set $next (i32.add (global.get $next) (local.get $length))))
  (func (export "run") (param $at i32) (param $length i32) (result i64)
    (local $to i32) (local $size i32)
    (local.set $size (i32.add (i32.mul (local.get $length) (i32.const 2)) (i32.const 3)))
    (local.set $to (call $alloc (local.get $size)))
    (i32.store8 (local.get $to) (i32.const 91))
    (memory.copy (i32.add (local.get $to) (i32.const 1)) (local.get $at) (local.get $length))
    (i32.store8 (i32.add (i32.add (local.get $to) (i32.const 1)) (local.get $length)) (i32.const 44))
    (memory.copy (i32.add (i32.add (local.get $to) (i32.const 2)) (local.get $length))
      (local.get $at) (local.get $length))
    (i32.store8 (i32.sub (i32.add (local.get $to) (local.get $size)) (i32.const 1)) (i32.const 93))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $to)) (i64.const 32)) (i64.extend_i32_u (local.get $size)))))
"""
ENDLESS = TWICE.replace("(i32.store8 (local.get $to) (i32.const 91))", "(loop $again (br $again))")


@pytest.fixture
def mesh(tmp_path):
    running = Mesh(tmp_path / "data").start()
    yield running
    running.kill()


def weft(mesh, *arguments, status=0, stdin=b""):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=clean, timeout=60, input=stdin)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done.stdout if status == 0 else done.stderr.decode()


def ok(answer):
    assert answer.status == 200, answer.body
    return answer.json


def reason(answer):
    return next(each["reason"] for each in answer.json["details"] if "reason" in each)


def workflow(rest, graph, *steps):
    """Steps `(key, kind, settings)` after each other, between an input and an output."""
    ok(rest("POST", f"{PROJECT}/graphs" + query(graphId=graph), {"kind": "GRAPH_KIND_WORKFLOW"}))
    nodes = [("start", "input", {}), *steps, ("end", "output", {})]
    changes = [
        {"upsertNode": {"node": {"key": key, "type": kind, "properties": settings}}} for key, kind, settings in nodes
    ]
    keys = [key for key, _, _ in nodes]
    changes += [{"upsertEdge": {"edge": {"source": a, "target": b}}} for a, b in zip(keys, keys[1:], strict=False)]
    ok(rest("POST", f"{PROJECT}/graphs/{graph}:applyChanges", {"changes": changes}))


def run(rest, graph, given):
    body = {"graph": f"projects/default/graphs/{graph}", "input": given}
    return ok(rest("POST", f"{PROJECT}/executions" + query(waitDuration="20s"), body))


def test_objects_are_written_whole_and_read_as_they_are(mesh, tmp_path):
    rest = Rest(mesh, mesh.key)
    at = f"{PROJECT}/objects/report"
    written = ok(rest("POST", f"{at}:write", b"a,b\n1,2\n", content_type="text/csv"))
    assert written["sizeBytes"] == "8" and written["contentType"] == "text/csv", written
    assert written["sha256"] == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert ok(rest("GET", at)) == written
    answer = rest("GET", f"{at}:download")
    assert (answer.body, answer.type) == (b"a,b\n1,2\n", "text/csv")
    assert "sandbox" in answer.headers["content-security-policy"]
    assert rest("GET", f"{at}:download" + query(offset=4)).body == b"1,2\n"
    assert rest("GET", f"{at}:download" + query(offset=8)).body == b""
    assert reason(rest("GET", f"{at}:download" + query(offset=9))) == "INVALID_FIELD"
    # What a write is based on must hold; the same write again is the same.
    assert ok(rest("POST", f"{at}:write" + query(ifAbsent="true"), b"a,b\n1,2\n", content_type="text/csv")) == written
    assert reason(rest("POST", f"{at}:write" + query(ifAbsent="true"), b"x")) == "OBJECT_ALREADY_EXISTS"
    assert reason(rest("POST", f"{at}:write" + query(etag="7"), b"x")) == "ETAG_MISMATCH"
    other = rest("POST", f"{at}:write" + query(sha256="0" * 64), b"x")
    assert reason(other) == "INVALID_FIELD", other.body
    changed = ok(rest("POST", f"{at}:write" + query(etag=written["etag"]), b"new", content_type="text/x-new"))
    assert (changed["uid"], changed["contentType"]) == (written["uid"], "text/x-new")
    assert rest("GET", f"{at}:download").body == b"new"
    assert reason(rest("GET", f"{at}:download" + query(etag=written["etag"]))) == "ETAG_MISMATCH"

    # The command line, with more than one part, and over the death of the process.
    large = os.urandom(9 << 20)
    (tmp_path / "large.json").write_bytes(large)
    told = json.loads(weft(mesh, "-o", "json", "objects", "put", "large", tmp_path / "large.json"))
    assert told["sizeBytes"] == str(len(large)) and told["contentType"] == "application/json", told
    mesh.kill()
    mesh.start()
    rest = Rest(mesh, mesh.key)
    weft(mesh, "objects", "get", "large", "--file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large
    assert weft(mesh, "objects", "get", "large", "--offset", 9 << 20 - 1) == large[9 << 20 - 1 :]
    weft(mesh, "objects", "put", "piped", "-", stdin=b"from a pipe")
    assert weft(mesh, "objects", "get", "piped") == b"from a pipe"
    weft(mesh, "objects", "put", "empty", "-")
    assert weft(mesh, "objects", "get", "empty") == b""
    listed = json.loads(weft(mesh, "-o", "json", "objects", "list"))["objects"]
    assert [each["name"].rsplit("/", 1)[1] for each in listed] == ["empty", "large", "piped", "report"]
    page = ok(rest("GET", f"{PROJECT}/objects" + query(prefix="p", pageSize=1)))
    assert [each["name"] for each in page["objects"]] == ["projects/default/objects/piped"]
    assert b"is deleted" in weft(mesh, "objects", "delete", "piped")
    assert "OBJECT_NOT_FOUND" in weft(mesh, "objects", "delete", "piped", status=3)
    assert "OBJECT_ALREADY_EXISTS" in weft(mesh, "objects", "put", "large", "-", "--if-absent", status=5, stdin=b"x")
    assert reason(rest("GET", f"{PROJECT}/objects/piped:download")) == "OBJECT_NOT_FOUND"

    # Whoever may look may not write, and other projects are others'.
    looking = Rest(mesh, weft(mesh, "key", "create", "looker", "--role", "viewer").decode().strip())
    assert looking("GET", f"{at}:download").body == b"new"
    assert reason(looking("POST", f"{at}:write", b"x")) == "ROLE_REQUIRED"
    assert reason(looking("GET", "/v1/projects/other/objects/report")) == "ROLE_REQUIRED"


def test_an_upload_that_breaks_off_leaves_nothing(mesh):
    import grpc
    from weft.execution.v1 import object_service_pb2, object_service_pb2_grpc

    name = "projects/default/objects/half"
    channel = grpc.insecure_channel(mesh.url.removeprefix("http://"))
    client = object_service_pb2_grpc.ObjectServiceStub(channel)
    key = [("authorization", f"Bearer {mesh.key}")]
    begin = object_service_pb2.UploadObjectRequest(begin=object_service_pb2.UploadBegin(name=name))
    data = object_service_pb2.UploadObjectRequest(data=b"x" * (1 << 20))

    def broken():
        yield begin
        yield data
        raise RuntimeError("the file cannot be read")

    def parts():
        return list((mesh.data / "objects" / "objects").glob("*/*"))

    def broken_later():
        yield begin
        for _ in range(5):
            yield data
        while not parts():
            time.sleep(0.02)
        raise RuntimeError("the rest cannot be read")

    for requests in (broken(), broken_later(), iter([data]), iter([begin, data, begin])):
        with pytest.raises(grpc.RpcError):
            client.UploadObject(requests, metadata=key)
    # Also where a part was written already: not hours later.
    deadline = time.monotonic() + 30
    while parts():
        assert time.monotonic() < deadline, parts()
        time.sleep(0.02)
    # Over ten parts, and no byte is lost or moved.
    whole = os.urandom(10 << 20)
    pieces = [whole[at : at + 777_777] for at in range(0, len(whole), 777_777)]
    sent = client.UploadObject(
        iter([begin, *(object_service_pb2.UploadObjectRequest(data=piece) for piece in pieces)]), metadata=key
    )
    assert (sent.etag, sent.sha256) == ("1", hashlib.sha256(whole).hexdigest())
    request = object_service_pb2.DownloadObjectRequest(name=name, offset=5_000_000)
    got = b"".join(piece.data for piece in client.DownloadObject(request, metadata=key))
    assert got == whole[5_000_000:]


def test_workflows_work_with_objects_and_code(mesh):
    rest = Rest(mesh, mesh.key)
    # The module is in the settings, or in an object: as text, or as bytes.
    workflow(rest, "inline", ("twice", "code", {"module": TWICE}))
    done = run(rest, "inline", {"n": 1})
    assert done["state"] == "EXECUTION_STATE_SUCCEEDED", done
    assert done["output"]["result"] == [{"n": 1}, {"n": 1}] and done["output"]["log"] == [], done
    ok(rest("POST", f"{PROJECT}/objects/twice:write", TWICE.encode(), content_type="text/plain"))
    workflow(
        rest,
        "stored",
        ("twice", "code", {"module": "objects/twice", "input": "${input.list}"}),
        ("put", "object", {"action": "write", "object": "out-${input.result[0][0]}", "value": "${input.result}"}),
        ("again", "object", {"action": "write", "object": "out-1", "value": "${steps.twice.result}"}),
        ("get", "object", {"object": "${steps.put.object}"}),
    )
    done = run(rest, "stored", {"list": [1, 2]})
    assert done["state"] == "EXECUTION_STATE_SUCCEEDED", done
    assert done["output"]["value"] == [[1, 2], [1, 2]], done
    # The second write was of what is there.
    kept = ok(rest("GET", f"{PROJECT}/objects/out-1"))
    assert (kept["etag"], kept["contentType"]) == ("1", "application/json"), kept
    # Another module counts from the next run on.
    ok(rest("POST", f"{PROJECT}/objects/twice:write", b"(module)"))
    done = run(rest, "stored", {"list": [1, 2]})
    assert done["error"]["reason"] == "CODE_MODULE", done

    # Bytes that are no text.
    ok(rest("POST", f"{PROJECT}/objects/bytes:write", b"\xff\x00"))
    workflow(rest, "bytes", ("get", "object", {"object": "bytes"}), ("gone", "object", {"action": "delete", "object": "bytes"}))
    workflow(rest, "read", ("get", "object", {"object": "bytes"}))
    done = run(rest, "read", {})
    assert base64.b64decode(done["output"]["base64"]) == b"\xff\x00", done
    assert run(rest, "bytes", {})["state"] == "EXECUTION_STATE_SUCCEEDED"
    assert run(rest, "read", {})["error"]["reason"] == "OBJECT_NOT_FOUND"

    workflow(rest, "abroad", ("get", "object", {"object": "projects/other/objects/${input.id}"}))
    assert run(rest, "abroad", {"id": "report"})["error"]["reason"] == "OTHER_PROJECT"

    # What is wrong with a module is said when the workflow is saved, and with the setting's name.
    workflow(
        rest,
        "wrong",
        ("a", "code", {"module": "no base64!"}),
        ("b", "code", {"module": '(module (import "env" "clock" (func)))'}),
        ("c", "code", {"module": TWICE, "function": "walk"}),
        ("d", "code", {"module": "objects/Nobody"}),
        ("e", "object", {"object": "A b"}),
    )
    faults = ok(rest("GET", f"{PROJECT}/graphs/wrong:validateWorkflow"))["faults"]
    places = {(fault["node"], fault["property"]) for fault in faults if fault["reason"] == "BAD_SETTING"}
    assert places == {("a", "module"), ("b", "module"), ("c", "function"), ("d", "module"), ("e", "object")}, faults

    # One that has no end ends when somebody wants it to.
    workflow(rest, "endless", ("loop", "code", {"module": ENDLESS, "fuel": 10**12, "timeout": "5m"}))
    body = {"graph": "projects/default/graphs/endless"}
    started = ok(rest("POST", f"{PROJECT}/executions", body))["name"]
    time.sleep(0.5)
    asked = time.monotonic()
    ok(rest("POST", f"/v1/{started}:cancel", {}))
    while ok(rest("GET", f"/v1/{started}"))["state"] != "EXECUTION_STATE_CANCELLED":
        assert time.monotonic() - asked < 10
        time.sleep(0.02)
