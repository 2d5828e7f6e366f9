"""A folder that a graph is kept true to, from the shell and over REST."""

import json
import os
import subprocess

import pytest
from mesh import BIN, Mesh

GRAPH = "projects/default/graphs/knowledge"


@pytest.fixture(scope="module")
def notes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("notes")
    (folder / "Engine.md").write_text("---\nauthor: [Ada, Charles]\nconfidence: 0.9\n---\nSee [[Numbers]].\n")
    (folder / "Numbers.md").write_text("---\nauthor: Ada\nconfidence: 0.4\n---\nBernoulli.\n")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture(scope="module")
def open_mesh(tmp_path_factory, notes):
    mesh = Mesh(tmp_path_factory.mktemp("sources") / "data", arguments=["--folder", f"notes={notes}"]).start()
    yield mesh
    mesh.stop()


@pytest.fixture
def weft(open_mesh):
    def run(*arguments, status=0):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
        done = subprocess.run(
            [BIN, "--data", open_mesh.data, *map(str, arguments)], capture_output=True, text=True, env=clean, timeout=60
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr

    return run


def test_a_graph_is_kept_true_to_a_folder(weft, notes):
    listed = json.loads(weft("source", "folders", "-o", "json"))
    assert listed["folders"] == [{"name": "projects/default/folders/notes", "available": True}]
    weft("graph", "create", "knowledge")
    weft("source", "create", "knowledge/notes", "--folder", "notes", "--link", "author=creator")
    first = json.loads(weft("source", "refresh", "knowledge/notes", "-o", "json"))
    assert first["state"] == "REFRESH_STATE_SUCCEEDED"
    assert first["result"]["createdNodeCount"] == "4" and first["progress"]["readFileCount"] == "2"
    assert "Numbers" in weft("graph", "search", "knowledge", "bernoulli")

    (notes / "Numbers.md").unlink()
    second = json.loads(weft("source", "refresh", "knowledge/notes", "-o", "json"))
    # The page is gone, but another one still points to it.
    assert second["result"] == {**second["result"], "updatedNodeCount": "1", "deletedEdgeCount": "1"}
    assert "+0 ~1 -1" in weft("source", "show", "knowledge/notes")

    (notes / "out.md").symlink_to("/etc/hostname")
    try:
        error = weft("source", "refresh", "knowledge/notes", status=5)
        assert "FILE_UNREADABLE" in error and "out.md" in error
    finally:
        (notes / "out.md").unlink()
    assert "failed" in weft("source", "list", "knowledge")

    weft("source", "delete", "knowledge/notes", "--content")
    assert "nodeCount" not in json.loads(weft("graph", "show", "knowledge", "-o", "json"))


def test_what_cannot_be_is_said(weft):
    assert "FOLDER_NOT_FOUND" in weft("source", "create", "knowledge/x", "--folder", "other", status=3)
    assert "SOURCE_NOT_FOUND" in weft("source", "refresh", "knowledge/nothing", status=3)
    assert "INVALID_FIELD" in weft(
        "source", "create", "knowledge/x", "--folder", "notes", "--path", "../..", status=7
    )
    weft("source", "refresh", "no slash", status=1)


def test_a_refresh_streams_over_rest(open_mesh, weft):
    import urllib.request

    weft("graph", "create", "rest")
    weft("source", "create", "rest/notes", "--folder", "notes")

    def call(path, body=None):
        request = urllib.request.Request(
            f"{open_mesh.url}/v1/{path}",
            data=body,
            headers={"authorization": f"Bearer {open_mesh.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read().decode()

    begun = json.loads(call("projects/default/graphs/rest/sources/notes:refresh", b"{}"))
    assert begun["state"] == "REFRESH_STATE_RUNNING"
    states = [json.loads(line) for line in call(f"{begun['name']}:watch").splitlines()]
    assert states[-1]["state"] == "REFRESH_STATE_SUCCEEDED"
    assert all(state["name"] == begun["name"] for state in states)
