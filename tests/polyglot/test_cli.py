"""The program as a client: what people type, what programs read, and how it ends."""

import gzip
import json
import os
import subprocess
import uuid

import pytest
from mesh import BIN
from test_import import EDGES


@pytest.fixture
def weft(mesh):
    """Runs the program against the shared mesh: it finds address and key in the data folder."""

    def run(*arguments, data=mesh.data, status=0, stdin=None):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
        done = subprocess.run(
            [BIN, "--data", data, *map(str, arguments)], capture_output=True, input=stdin, env=clean, timeout=60
        )
        assert done.returncode == status, (done.stdout, done.stderr)
        return done.stdout if status == 0 else done.stderr.decode()

    return run


@pytest.fixture
def name():
    return f"t-{uuid.uuid4().hex[:12]}"


def test_the_life_of_a_graph(weft, name, tmp_path):
    edges = tmp_path / "edges.tsv"
    edges.write_bytes(EDGES)
    brought = json.loads(weft("graph", "import", edges, "--graph", name, "-o", "json"))
    assert brought["createdNodeCount"] == "3" and brought["createdEdgeCount"] == "3"
    # Again, from standard input and compressed: nothing is new.
    packed = weft("graph", "import", "-", "--graph", name, "--format", "edge-list", "-o", "json", stdin=gzip.compress(EDGES))
    assert "createdNodeCount" not in json.loads(packed)

    assert name in weft("graph", "list").decode()
    listed = json.loads(weft("graph", "list", "--filter", "node_count = 3", "-o", "json"))
    assert any(graph["name"].endswith(name) for graph in listed["graphs"])
    assert json.loads(weft("graph", "show", name, "-o", "json"))["edgeCount"] == "3"
    assert json.loads(weft("graph", "search", name, "b", "-o", "json"))["results"][0]["node"]["key"] == "b"

    out = tmp_path / "out.graphml.gz"
    weft("graph", "export", name, "--format", "graphml", "--to", out)
    assert gzip.decompress(out.read_bytes()) == weft("graph", "export", name, "--format", "graphml")
    assert not list(tmp_path.glob(".*.part"))

    weft("graph", "delete", name)
    assert "GRAPH_NOT_FOUND" in weft("graph", "show", name, status=3)


def test_a_layout_and_what_it_keeps_to(weft, name, tmp_path):
    edges = tmp_path / "edges.tsv"
    edges.write_bytes(EDGES)
    weft("graph", "import", edges, "--graph", name)
    layout = f"{name}/main"
    made = json.loads(weft("layouts", "create", layout, "-o", "json"))
    assert made["name"] == f"projects/default/graphs/{name}/layouts/main"
    assert made["name"] in weft("layouts", "list", name).decode()
    rule = '{"distance": {"pairs": [{"a": "a", "b": "b"}], "distance": 20}}'
    constraint = json.loads(
        weft("layouts", "constraints", "create", layout, rule, "--id", "pair", "--strength", "0.5", "-o", "json")
    )
    assert constraint["name"] == made["name"] + "/constraints/pair" and constraint["strength"] == 0.5
    assert "distance" in weft("layouts", "constraints", "list", layout).decode()
    assert "CONSTRAINT_ALREADY_EXISTS" in weft(
        "layouts", "constraints", "create", layout, rule, "--id", "pair", status=5
    )
    weft("layouts", "constraints", "delete", layout, "pair")
    assert json.loads(weft("layouts", "constraints", "list", layout, "-o", "json")) == {}
    weft("layouts", "delete", layout)


def test_a_folder_of_notes(weft, name, tmp_path):
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "Loom.md").write_text("---\ntags: [machine]\n---\nA loom holds the [[Warp]] and the [[Weft]].\n")
    (notes / "Warp.md").write_text("Threads that are held. #thread\n")
    (notes / "Weft.md").write_text("The thread that goes through the [[Warp]]. #thread\n")
    brought = json.loads(weft("graph", "import", notes, "--graph", name, "--format", "markdown", "-o", "json"))
    assert int(brought["createdNodeCount"]) >= 3 and int(brought["createdEdgeCount"]) >= 3
    found = json.loads(weft("graph", "search", name, "held", "-o", "json"))
    assert "Warp" in found["results"][0]["node"]["key"]


def test_an_analysis_from_the_shell(weft, name, tmp_path):
    edges = tmp_path / "edges.tsv"
    edges.write_text("a\tb\nb\tc\nc\ta\nc\td\n")
    weft("graph", "import", edges, "--graph", name)
    done = json.loads(weft("analyses", "run", name, "page-rank", "--damping", "0.9", "--id", "ranks", "-o", "json"))
    assert done["state"] == "ANALYSIS_STATE_SUCCEEDED" and done["result"]["rowCount"] == "4"
    assert b"converged" in weft("analyses", "get", f"{name}/ranks")
    values = json.loads(weft("analyses", "values", f"{name}/ranks", "--order-by", "node", "--limit", "0", "-o", "json"))["values"]
    assert [value["node"] for value in values] == list("abcd")
    assert abs(sum(value["values"][0] for value in values) - 1) < 1e-9
    assert "GRAPH_HAS_CYCLE" in weft("analyses", "run", name, "precedence", status=5)
    assert b"failed" in weft("analyses", "list", name, "--filter", "state = failed")
    assert "SUCCEEDED" in weft("analyses", "watch", f"{name}/ranks", "-o", "json").decode()
    weft("analyses", "cancel", f"{name}/ranks")
    weft("analyses", "delete", f"{name}/ranks")
    assert "ANALYSIS_NOT_FOUND" in weft("analyses", "get", f"{name}/ranks", status=3)
    assert weft("analyses", "run", name, "dbscan", "--distance", "1", status=2)


def test_exit_codes_tell_what_happened(weft, name, tmp_path):
    weft("graph", "create", name)
    assert weft("graph", "create", name, status=5)
    assert weft("graph", "show", "no-such-graph", status=3)
    assert weft("graph", "show", "NOT A NAME", status=7)
    assert weft("graph", "frobnicate", status=2)
    nobody = tmp_path / "nobody"
    nobody.write_text("weft_wrong\n")
    assert weft("--key-file", nobody, "graph", "list", status=4)
    assert weft("--url", "http://127.0.0.1:9", "graph", "list", status=6)


def test_it_tells_who_one_is_and_signs_in(weft, mesh):
    assert b"projects/mesh/apiKeys/" in weft("whoami")
    assert json.loads(weft("login", "-o", "json"))["url"].startswith(f"{mesh.url}/#ticket=")
    assert b"ready" in weft("health")


def test_a_key_for_a_program(weft, tmp_path):
    key = f"k-{uuid.uuid4().hex[:12]}"
    secret = tmp_path / "key"
    secret.write_bytes(weft("key", "create", key, "--role", "viewer"))
    weft("--key-file", secret, "graph", "list")
    assert "ROLE_REQUIRED" in weft("--key-file", secret, "graph", "create", key, status=4)
    weft("key", "revoke", f"projects/default/apiKeys/{key}")
    assert key in weft("key", "list").decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completions_are_shell(weft, shell):
    script = weft("completions", shell).decode()
    assert "weft" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script.encode(), check=True)
