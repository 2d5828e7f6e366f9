"""The mesh as a server of tools, through the Model Context Protocol's own Python SDK, in both of its eras."""

import asyncio
import contextlib
import json

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from rest import Rest
from shapes import apply, edge, node

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}


@contextlib.asynccontextmanager
async def agent(mesh, credential, mode):
    headers = {"authorization": f"Bearer {credential}"} if credential else {}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(mesh.url + "/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


@pytest.fixture(params=sorted(ERAS))
def ask(mesh, request):
    """Runs a conversation with the mesh: `ask(lambda client: …)`."""

    def run(conversation, credential=mesh.key):
        async def talk():
            async with agent(mesh, credential, request.param) as client:
                return await conversation(client)

        return asyncio.run(talk())

    run.version = ERAS[request.param]
    return run


def test_client_and_server_agree(ask):
    async def versions(client):
        return client.session.protocol_version, client.session.server_info.name

    assert ask(versions) == (ask.version, "weft")


def test_the_tools_are_those_of_the_contracts(ask):
    tools = {tool.name: tool for tool in ask(lambda client: client.list_tools()).tools}
    assert {"graph_get_graph", "graph_search_nodes", "graph_apply_changes", "layout_create_layout"} <= set(tools)
    assert not {name for name in tools if "delete" in name or "key" in name or "token" in name}
    assert tools["graph_get_graph"].annotations.read_only_hint is True
    assert tools["graph_apply_changes"].annotations.read_only_hint is False
    assert tools["graph_get_graph"].input_schema["required"] == ["name"]


def test_an_agent_builds_and_asks_a_graph(ask, graph):
    changes = [{"upsertNode": {"node": {"key": key}}} for key in "abc"]
    changes += [{"upsertEdge": {"edge": {"source": source, "target": target}}} for source, target in ["ab", "bc"]]

    async def work(client):
        done = await client.call_tool("graph_apply_changes", {"graph": graph, "changes": changes})
        path = await client.call_tool("graph_find_shortest_path", {"graph": graph, "source": "a", "target": "c"})
        return done, path

    # The SDK checks what comes back against the tools' output schemas.
    done, path = ask(work)
    assert not done.is_error and done.structured_content["nodeCount"] == "3"
    assert path.structured_content["found"] is True and path.structured_content["length"] == 2
    assert json.loads(path.content[0].text) == path.structured_content


def test_a_refusal_tells_the_model_what_to_do(ask):
    nowhere = ask(lambda client: client.call_tool("graph_get_graph", {"name": "projects/polyglot/graphs/nowhere"}))
    assert nowhere.is_error and json.loads(nowhere.content[0].text)["details"][0]["reason"] == "GRAPH_NOT_FOUND"
    wrong = ask(lambda client: client.call_tool("graph_get_graph", {"name": "graphs/g"}))
    assert wrong.is_error and '"field":"name"' in wrong.content[0].text


def test_what_is_not_marked_is_no_tool(ask):
    async def delete(client):
        with pytest.raises(MCPError, match="graph_delete_graph"):
            await client.call_tool("graph_delete_graph", {"name": "projects/polyglot/graphs/g"})

    ask(delete)


def test_nobody_may_look_at_the_tools_and_use_none(mesh, graph):
    call = {"name": "graph_get_graph", "arguments": {"name": graph}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    answer = Rest(mesh, None)("POST", "/mcp", message)
    assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json["error"]["data"]["status"] == "UNAUTHENTICATED"
    listed = Rest(mesh, None)("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert listed.status == 200


def test_a_page_of_a_rebound_name_is_kept_out(mesh):
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    answer = Rest(mesh, None)("POST", "/mcp", ping, host="evil.example.org", origin="http://evil.example.org")
    assert answer.status == 403
    assert Rest(mesh, None)("POST", "/mcp", ping, origin=mesh.url).status == 200


def test_what_an_agent_reads_is_what_a_person_reads(ask, admin, graph):
    apply(admin, graph, node("a", displayName="Ä"), node("b"), edge("a", "b"))
    found = ask(lambda client: client.call_tool("graph_get_node", {"graph": graph, "key": "a"}))
    assert found.structured_content["displayName"] == "Ä"
