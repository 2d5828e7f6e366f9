"""REST and JSON: what the contracts' HTTP mappings promise, with urllib alone."""

import json
import uuid

import pytest
from rest import Rest, query
from shapes import apply, edge, node

GRAPHS = "/v1/projects/polyglot/graphs"


@pytest.fixture
def letters(admin, graph):
    nodes = [node(key, type="letter", properties={"rank": rank}) for rank, key in enumerate("abc")]
    apply(admin, graph, *nodes, edge("a", "b", type="next"), edge("b", "c", type="next"))
    return f"/v1/{graph}"


def test_create_read_update_delete(rest):
    graph_id = f"t-{uuid.uuid4().hex[:12]}"
    made = rest("POST", GRAPHS + query(graphId=graph_id), {"displayName": "By REST", "labels": {"a": "b"}})
    assert made.status == 200 and made.type == "application/json"
    assert made.json["name"] == f"projects/polyglot/graphs/{graph_id}"
    # Canonical proto3 JSON: 64-bit numbers are strings, instants are RFC 3339.
    assert made.json["revision"] == "1" and made.json["createTime"].endswith("Z")

    path = f"{GRAPHS}/{graph_id}"
    assert rest("GET", path).json["displayName"] == "By REST"

    # A PATCH changes the fields that its body has, and no other.
    changed = rest("PATCH", path, {"description": "new"})
    assert (changed.json["displayName"], changed.json["description"]) == ("By REST", "new")
    cleared = rest("PATCH", path, {"displayName": ""})
    assert not cleared.json.get("displayName") and cleared.json["description"] == "new"
    late = rest("PATCH", path, {"description": "late", "etag": made.json["etag"]})
    assert late.status == 409 and late.json["code"] == 10

    assert rest("DELETE", path).json == {}
    assert rest("GET", path).status == 404


def test_query_parameters_reach_their_fields(rest, letters):
    found = rest("GET", letters + "/nodes" + query(filter="properties.rank >= 1", orderBy="key desc", pageSize=1))
    assert [each["key"] for each in found.json["nodes"]] == ["c"]
    rest_of_it = query(filter="properties.rank >= 1", orderBy="key desc", pageSize=1, pageToken=found.json["nextPageToken"])
    assert [each["key"] for each in rest("GET", letters + "/nodes" + rest_of_it).json["nodes"]] == ["b"]
    near = rest("GET", letters + ":neighborhood" + query(keys=["a", "c"], depth=1, direction="DIRECTION_OUT"))
    assert {each["key"] for each in near.json["nodes"]} == {"a", "b", "c"}
    path = rest("GET", letters + ":shortestPath" + query(source="a", target="c"))
    assert path.json["found"] is True and path.json["length"] == 2


def test_changes_by_rest(rest, letters):
    changes = [{"upsertNode": {"node": {"key": "d", "properties": {"x": [1, None]}}}}, {"deleteNode": {"key": "a"}}]
    done = rest("POST", letters + ":applyChanges", {"changes": changes, "expectedRevision": "2"})
    assert done.json["revision"] == "3" and done.json["nodeCount"] == "3"
    assert rest("GET", letters + "/nodes/d").json["properties"] == {"x": [1, None]}
    late = rest("POST", letters + ":applyChanges", {"changes": changes, "expectedRevision": 2})
    assert late.status == 409
    assert late.json["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert late.json["details"][0]["reason"] == "REVISION_MISMATCH"


def test_keys_with_slashes_are_found(rest, admin, graph):
    apply(admin, graph, node("a/b c"))
    assert rest("GET", f"/v1/{graph}/nodes/a/b%20c").json["key"] == "a/b c"


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/v1/nothing/here", None, {}, 404),
        ("PUT", GRAPHS, {}, {}, 405),
        ("POST", GRAPHS, b"<graph/>", {"content_type": "application/xml"}, 415),
        ("GET", GRAPHS, None, {"accept": "image/png"}, 406),
        ("POST", GRAPHS, b"{", {"content_type": "application/json"}, 400),
        ("POST", GRAPHS, b'{"displayName":"a","displayName":"b"}', {"content_type": "application/json"}, 400),
        ("POST", GRAPHS, b'{"displayName":"\\ud800"}', {"content_type": "application/json"}, 400),
        ("POST", GRAPHS, b'{"nodeCount":1e400}', {"content_type": "application/json"}, 400),
        ("POST", GRAPHS, b"[" * 10_000 + b"]" * 10_000, {"content_type": "application/json"}, 400),
        ("POST", GRAPHS, {"noSuchField": 1}, {}, 400),
        ("GET", GRAPHS + "?noSuchParameter=1", None, {}, 400),
        ("GET", GRAPHS + "?pageSize=many", None, {}, 400),
        ("GET", GRAPHS + "?pageSize=-1", None, {}, 400),
    ],
)
def test_bad_requests_are_told_apart(rest, method, path, body, headers, status):
    answer = rest(method, path, body, **headers)
    assert answer.status == status, answer.body
    assert answer.type == "application/json" and answer.json["message"]
    if status == 405:
        assert {"GET", "POST"} <= {each.strip() for each in answer.headers["allow"].split(",")}


def test_a_refusal_over_rest_has_the_same_details(rest):
    answer = rest("POST", GRAPHS + query(graphId="UPPER"), {})
    assert answer.status == 400 and answer.json["code"] == 3
    kinds = {detail["@type"].rsplit(".", 1)[-1]: detail for detail in answer.json["details"]}
    assert kinds["ErrorInfo"]["domain"] == "weft.dev"
    assert kinds["BadRequest"]["fieldViolations"][0]["field"] == "graph_id"


def test_nobody_is_asked_for_a_credential(mesh):
    answer = Rest(mesh, None)("GET", GRAPHS)
    assert answer.status == 401 and answer.json["code"] == 16
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_set_is_where_libraries_look_for_it(mesh):
    answer = Rest(mesh, None)("GET", "/.well-known/jwks.json")
    assert answer.status == 200
    assert answer.json["keys"][0]["kty"] == "OKP"


def test_a_stream_is_lines_of_json(rest, admin, graph, letters):
    with rest.open("GET", letters + ":watch" + query(afterRevision=1), accept="application/x-ndjson") as stream:
        assert stream.headers.get_content_type() == "application/x-ndjson"
        first = json.loads(stream.readline())
        assert first["changes"]["revision"] == "2"
        apply(admin, graph, node("d"))
        text = "".join(stream.readline().decode() for _ in range(2))
        assert '"upsertNode"' in text


def test_a_stream_is_server_sent_events(rest, letters):
    with rest.open("GET", letters + ":watch" + query(afterRevision=1), accept="text/event-stream") as stream:
        assert stream.headers.get_content_type() == "text/event-stream"
        lines = []
        while not (lines and lines[-1] == ""):
            lines.append(stream.readline().decode().rstrip("\n"))
        data = "".join(line.removeprefix("data:").strip() for line in lines if line.startswith("data:"))
        assert '"upsertNode"' in data and json.loads(data)


def test_a_stream_that_ends_can_be_an_array(rest, letters):
    answer = rest("GET", letters + ":snapshot", accept="application/json")
    assert answer.type == "application/json"
    pieces = answer.json
    assert "header" in pieces[0] and "end" in pieces[-1]


def test_a_stream_of_a_graph_that_is_not_there_is_an_error_at_once(rest):
    answer = rest("GET", f"{GRAPHS}/nowhere:watch", accept="application/x-ndjson")
    assert answer.status == 404 and answer.json["code"] == 5


def test_an_export_is_a_file(rest, letters):
    answer = rest("GET", letters + ":export" + query(format="GRAPH_FORMAT_GRAPHML"))
    assert answer.status == 200 and answer.body.lstrip().startswith(b"<?xml")
    assert "graphml" in answer.headers.get("content-disposition", "") or "xml" in answer.type
