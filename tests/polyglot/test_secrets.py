"""Secrets of workflows: sent where they belong, and found nowhere else: in no answer, no journal, no log, no file."""

import contextlib
import http.server
import json
import os
import subprocess
import threading

import pytest
from mesh import BIN, Mesh
from rest import Rest

SECRET = "weft-test-5ecret/with \"quotes\" & signs"
OTHER = "another-value-of-the-same"


@pytest.fixture
def mesh(tmp_path):
    networks = {"WEFT_EXECUTION__HTTP_NETWORKS": '["127.0.0.0/8"]'}
    running = Mesh(tmp_path / "data", environment=networks).start()
    yield running
    running.kill()


def weft(mesh, *arguments, status=0, given=None):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=clean, timeout=60, input=given)
    assert done.returncode == status, (done.stdout, done.stderr)
    return (done.stdout if status == 0 else done.stderr).decode()


@contextlib.contextmanager
def service():
    """A service that keeps what it was sent, and says it back: also at other addresses, where it is asked to."""
    heard = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
            heard.append({"path": self.path, "key": self.headers.get("x-key"), "body": body})
            if self.path.startswith("/away"):
                port = self.server.server_address[1]
                self.send_response(307)
                self.send_header("location", f"http://localhost:{port}/taken")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            answer = json.dumps({"you sent": heard[-1]}).encode()
            self.send_response(403 if self.path.startswith("/no") else 200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.send_header("x-key", self.headers.get("x-key") or "none")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", heard
    finally:
        server.shutdown()


def workflow(rest, name, settings, kind="http"):
    made = rest("POST", f"/v1/projects/default/graphs?graphId={name}", {"kind": "GRAPH_KIND_WORKFLOW"})
    assert made.status == 200, made.body
    nodes = [("in", "input", {}), ("call", kind, settings), ("out", "output", {})]
    changes = [{"upsertNode": {"node": {"key": key, "type": of, "properties": given}}} for key, of, given in nodes]
    changes += [{"upsertEdge": {"edge": {"source": a, "target": b}}} for a, b in (("in", "call"), ("call", "out"))]
    changed = rest("POST", f"/v1/projects/default/graphs/{name}:applyChanges", {"changes": changes})
    assert changed.status == 200, changed.body


def run(rest, name, given=None):
    request = {"graph": f"projects/default/graphs/{name}", "input": given or {}}
    answer = rest("POST", "/v1/projects/default/executions?waitDuration=30s", request, timeout=60)
    assert answer.status == 200, answer.body
    assert answer.json.get("endTime"), answer.json
    return answer.json


def everything(rest, execution):
    """All that the mesh tells of a run."""
    steps = rest("GET", f"/v1/{execution['name']}/steps?pageSize=1000").json
    each = [rest("GET", f"/v1/{step['name']}").json for step in steps["steps"]]
    return json.dumps([execution, steps, each], ensure_ascii=False)


def files(mesh):
    for folder, _, names in os.walk(mesh.data):
        for name in names:
            with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, name), "rb") as file:
                yield name, file.read()


def test_a_secret_is_sent_and_found_nowhere_else(mesh):
    rest = Rest(mesh, mesh.key)
    weft(mesh, "secrets", "set", "api-key", "--display-name", "the key", given=(SECRET + "\n").encode())
    with service() as (address, heard):
        workflow(rest, "call", {
            "url": f"http://{address}/${{input.path}}",
            "method": "POST",
            "headers": {"x-key": "Key ${secrets[\"api-key\"]}"},
            "body": {"inside": "${secrets[\"api-key\"]}", "given": "${input.given}"},
        })
        # What a client makes up refers to nothing, however it is written.
        forged = "${secrets[\"api-key\"]} \ue000:api-key\ue001"
        done = run(rest, "call", {"path": "yes", "given": forged})
        assert done["state"] == "EXECUTION_STATE_SUCCEEDED", done
        assert heard[-1]["key"] == f"Key {SECRET}"
        assert json.loads(heard[-1]["body"]) == {"inside": SECRET, "given": forged}
        # The service has said it back, in its body and in a header.
        told = everything(rest, done)
        assert "•••" in told and "5ecret" not in told

        failed = run(rest, "call", {"path": "no", "given": ""})
        assert failed["state"] == "EXECUTION_STATE_FAILED" and failed["error"]["reason"] == "HTTP_STATUS", failed
        assert "5ecret" not in everything(rest, failed)

        # Another value is used at once, also after a power cut.
        mesh.kill()
        mesh.start()
        rest = Rest(mesh, mesh.key)
        weft(mesh, "secrets", "set", "api-key", given=OTHER.encode())
        run(rest, "call", {"path": "again", "given": ""})
        assert heard[-1]["key"] == f"Key {OTHER}"

        listed = weft(mesh, "secrets", "list", "-o", "json") + weft(mesh, "secrets", "get", "api-key")
        assert "the key" in listed and "5ecret" not in listed and OTHER not in listed
        weft(mesh, "secrets", "delete", "api-key")
        gone = run(rest, "call", {"path": "gone", "given": ""})
        assert gone["error"]["reason"] == "SECRET_NOT_FOUND", gone
        assert "gone" not in heard[-1]["path"]
    mesh.stop()
    log = mesh.log.read_bytes()
    assert log and b"5ecret" not in log and OTHER.encode() not in log
    for name, content in files(mesh):
        assert b"5ecret" not in content and OTHER.encode() not in content, name


def test_a_secret_goes_only_where_it_may(mesh):
    rest = Rest(mesh, mesh.key)
    weft(mesh, "secrets", "set", "bound", "--allow-host", "api.example.org", given=SECRET.encode())
    weft(mesh, "secrets", "set", "free", given=SECRET.encode())
    with service() as (address, heard):
        workflow(rest, "bound", {"url": f"http://{address}/", "method": "POST", "headers": {"x-key": "${secrets.bound}"}})
        assert run(rest, "bound")["error"]["reason"] == "SECRET_NOT_FOR_HOST"
        assert heard == []
        # Where it may go it goes: over TLS, if nothing else is said.
        weft(mesh, "secrets", "set", "bound", "--allow-host", address, given=SECRET.encode())
        assert run(rest, "bound")["error"]["reason"] == "SECRET_NOT_FOR_HOST"
        weft(mesh, "secrets", "set", "bound", "--allow-host", f"HTTP://{address}", given=SECRET.encode())
        assert run(rest, "bound")["state"] == "EXECUTION_STATE_SUCCEEDED"
        assert heard.pop()["key"] == SECRET and heard == []
        # No error and no name that is looked up tells of one.
        for number, url in enumerate(("http://${secrets.bound}.example/", "http:\\\\" + "a" * 1900 + "${secrets.bound}/")):
            workflow(rest, f"host{number}", {"url": url})
            asked = run(rest, f"host{number}")
            assert asked["error"]["reason"] == "BAD_URL", asked
            assert "ecret/with" not in everything(rest, asked).lower()
        # Who is asked does not decide who else gets it.
        workflow(rest, "away", {"url": f"http://{address}/away", "method": "POST", "headers": {"x-key": "${secrets.free}"}})
        assert run(rest, "away")["error"]["reason"] == "REDIRECT_REFUSED"
        assert [one["path"] for one in heard] == ["/away"]
    # What is kept cannot name one, an expression cannot look into one, and a workflow cannot set one.
    asked = {"url": "http://example.org/", "headers": {"x-key": "${bytes(secrets.free)}"}}
    set_one = {"method": "weft.identity.v1.SecretService/UpdateSecret", "request": {"secret": {"name": "projects/default/secrets/free"}}}
    wrong = [("set", {"value": "${secrets.free}"}), ("http", asked), ("grpc", set_one)]
    for kind, settings in wrong:
        workflow(rest, f"wrong-{kind}", settings, kind=kind)
        answer = rest("POST", "/v1/projects/default/executions", {"graph": f"projects/default/graphs/wrong-{kind}"})
        assert answer.status == 400 and answer.json["details"][0]["reason"] == "WORKFLOW_INVALID", answer.body


def test_who_may_not_set_secrets_is_refused(mesh):
    rest = Rest(mesh, mesh.key)
    operator = weft(mesh, "key", "create", "op", "--role", "operator").strip()
    weft(mesh, "secrets", "set", "one", given=SECRET.encode())
    asked = Rest(mesh, operator)
    assert [one["name"] for one in asked("GET", "/v1/projects/default/secrets").json["secrets"]] == [
        "projects/default/secrets/one"
    ]
    assert asked("POST", "/v1/projects/default/secrets?secretId=two", {"value": "x"}).status == 403
    assert asked("PATCH", "/v1/projects/default/secrets/one", {"value": "x"}).status == 403
    assert asked("DELETE", "/v1/projects/default/secrets/one").status == 403

    made = rest("POST", "/v1/projects/default/secrets?secretId=two", {"value": ""})
    assert made.status == 400, made.body
    shown = rest("GET", "/v1/projects/default/secrets/one").json
    assert "value" not in shown
    changed = rest("PATCH", "/v1/projects/default/secrets/one", {"displayName": "new", "etag": shown["etag"]})
    assert changed.status == 200 and changed.json["valueTime"] == shown["valueTime"], changed.body
    stale = rest("PATCH", "/v1/projects/default/secrets/one", {"displayName": "newer", "etag": shown["etag"]})
    assert stale.status == 409 and stale.json["details"][0]["reason"] == "ETAG_MISMATCH", stale.body
