"""Workflows as clients of tools: of the Model Context Protocol's own Python server, and of the mesh itself."""

import contextlib
import json
import threading
import time

import pytest
import uvicorn
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mesh import Mesh
from rest import Rest


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    networks = {"WEFT_EXECUTION__HTTP_NETWORKS": '["127.0.0.0/8"]'}
    running = Mesh(tmp_path_factory.mktemp("tools") / "data", environment=networks).start()
    yield running
    running.kill()


@contextlib.contextmanager
def shop(**options):
    """A server with one tool, in the form that `options` say."""
    server = MCPServer("shop")

    @server.tool()
    def price(name: str, count: int) -> dict[str, str | int]:
        """What so many cost."""
        if name == "nothing":
            raise ToolError("there is no nothing")
        return {"name": name, "total": 3 * count}

    web = uvicorn.Server(uvicorn.Config(server.streamable_http_app(**options), port=0, log_level="error"))
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    while not web.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}/mcp"
    finally:
        web.should_exit = True
        thread.join(10)


def run(mesh, name, settings):
    """A run of a workflow of one call."""
    rest = Rest(mesh, mesh.key)
    made = rest("POST", f"/v1/projects/default/graphs?graphId={name}", {"kind": "GRAPH_KIND_WORKFLOW"})
    assert made.status == 200, made.body
    nodes = [("in", "input", {}), ("ask", "mcp", settings), ("out", "output", {})]
    changes = [{"upsertNode": {"node": {"key": key, "type": kind, "properties": given}}} for key, kind, given in nodes]
    changes += [{"upsertEdge": {"edge": {"source": a, "target": b}}} for a, b in (("in", "ask"), ("ask", "out"))]
    changed = rest("POST", f"/v1/projects/default/graphs/{name}:applyChanges", {"changes": changes})
    assert changed.status == 200, changed.body
    request = {"graph": f"projects/default/graphs/{name}", "input": {"name": "tea", "count": 4}}
    done = rest("POST", "/v1/projects/default/executions?waitDuration=30s", request, timeout=60)
    assert done.status == 200 and done.json.get("endTime"), done.body
    return done.json


FORMS = {
    "stream": {},
    "json": {"json_response": True},
    "stateless": {"stateless_http": True},
}


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_tool_is_called(mesh, form):
    with shop(**FORMS[form]) as url:
        given = {"name": "${input.name}", "count": "${input.count}"}
        done = run(mesh, f"called-{form}", {"url": url, "tool": "price", "arguments": given})
        assert done["state"] == "EXECUTION_STATE_SUCCEEDED", done
        assert json.loads(done["output"]["text"]) == {"name": "tea", "total": 12}
        assert done["output"]["structured"] == {"name": "tea", "total": 12}
        failed = run(mesh, f"failed-{form}", {"url": url, "tool": "price", "arguments": {"name": "nothing", "count": 1}})
        assert failed["error"]["reason"] == "TOOL_FAILED" and "no nothing" in failed["error"]["message"], failed
        unknown = run(mesh, f"unknown-{form}", {"url": url, "tool": "nobody"})
        assert unknown["error"]["reason"] in ("TOOL_FAILED", "MCP_ERROR"), unknown


def test_a_tool_of_the_mesh_is_called_with_a_secret(mesh):
    rest = Rest(mesh, mesh.key)
    assert rest("POST", "/v1/projects/default/secrets?secretId=mesh", {"value": mesh.key}).status == 200
    settings = {
        "url": f"{mesh.url}/mcp",
        "tool": "graph_get_graph",
        "headers": {"authorization": "Bearer ${secrets.mesh}"},
        "arguments": {"name": "projects/default/graphs/own"},
    }
    done = run(mesh, "own", settings)
    assert done["output"]["structured"]["kind"] == "GRAPH_KIND_WORKFLOW", done
    refused = run(mesh, "without", {**settings, "headers": {}})
    assert refused["error"]["reason"] == "HTTP_STATUS" and "401" in refused["error"]["message"], refused


def test_what_is_no_server_is_a_failure(mesh):
    done = run(mesh, "none", {"url": f"{mesh.url}/v1/nothing", "tool": "x"})
    assert done["error"]["reason"] == "HTTP_STATUS", done
    done = run(mesh, "page", {"url": "http://127.0.0.1:1/mcp", "tool": "x", "retry": {"attempts": 1}})
    assert done["error"]["reason"] == "HTTP_FAILED", done
