"""Knowledge files of a host, asked of the program that is there: found, searched, read, and followed as they change."""

import hashlib
import json
import os
import signal
import time

import pytest
from rest import Rest, query
from test_agents import Fleet
from test_hosts import Host

ENGINE = b"---\ntags: [motors]\nauthor: Ada\nconfidence: 0.5\n---\n# The engine\nSee [[Numbers]] and [gears](gears.md). #heat\n"


class Library(Host):
    """A host whose owner has opened two folders, one with its texts."""

    def __init__(self, fleet, name, folder):
        self.folder = folder
        for path, text in {"Engine.md": ENGINE, "deep/gears.md": b"gears\n", "table.csv": b"a,b\n"}.items():
            self.put(f"open/{path}", text)
        self.put("shut/secret.md", b"# A secret\n")
        self.put("secret.md", b"# Outside\n")
        os.symlink(folder / "secret.md", folder / "open/link.md")
        settings = "".join(
            f"\n[[knowledge]]\nname = '{part}'\nfolder = '{folder / part}'\ncontent = {content}\n"
            for part, content in [("open", "true"), ("shut", "false")]
        )
        super().__init__(fleet, name, settings)
        self.rest = Rest(fleet.mesh, fleet.mesh.key)

    def put(self, path, text):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)

    def list(self, *arguments):
        told = self.fleet.weft("agents", "knowledge", "list", self.name, "-o", "json", *arguments)
        return {f"{one['folder']}/{one['path']}": one for one in json.loads(told).get("knowledgeFiles", [])}

    def until(self, is_so):
        """The files, once they are so."""
        deadline = time.monotonic() + 60
        while not is_so(files := self.list()):
            assert time.monotonic() < deadline, files
            time.sleep(0.2)
        return files


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    fleet = Fleet(tmp_path_factory.mktemp("knowledge"))
    yield fleet
    fleet.end()


@pytest.fixture(scope="module")
def library(fleet, tmp_path_factory):
    return Library(fleet, "library", tmp_path_factory.mktemp("library")).start()


def test_files_are_found_searched_and_read(library):
    files = library.list()
    assert set(files) == {"open/Engine.md", "open/deep/gears.md", "open/table.csv", "shut/secret.md"}
    engine = files["open/Engine.md"]
    assert (engine["title"], engine["tags"]) == ("The engine", ["motors", "heat"])
    assert (engine["creators"], engine["confidenceRatio"], engine["linkCount"]) == (["Ada"], 0.5, 2)
    assert engine["digest"] == hashlib.sha256(ENGINE).hexdigest()
    assert (engine["kind"], engine["sizeBytes"]) == ("KNOWLEDGE_FILE_KIND_MARKDOWN", str(len(ENGINE)))
    assert list(library.list("--search", "engine mot")) == ["open/Engine.md"]
    assert list(library.list("--filter", "kind = table")) == ["open/table.csv"]
    newest = list(library.list("--order-by", "path desc", "--limit", 2))
    assert newest == ["open/table.csv", "shut/secret.md"]

    one = json.loads(library.fleet.weft("agents", "knowledge", "get", engine["name"], "-o", "json"))
    assert one["links"] == ["Numbers", "gears"]
    assert library.fleet.weft("agents", "knowledge", "read", engine["name"]) == ENGINE.decode()
    assert "HOST_NOT_ALLOWED" in library.fleet.weft(
        "agents", "knowledge", "read", files["shut/secret.md"]["name"], status=5
    )
    table = library.fleet.weft("agents", "knowledge", "list", library.name)
    assert "The engine" in table and "motors, heat" in table
    stats = library.fleet.weft("agents", "knowledge", "stats", library.name)
    assert "markdown" in stats and "Ada" in stats


def test_rest_names_them_as_control_centers_do(library):
    rest, name = library.rest, library.name
    listed = rest("GET", "/api/knowledge/files" + query(parent=name, pageSize=3)).json
    assert len(listed["knowledgeFiles"]) == 3 and listed["nextPageToken"] and listed["matchCount"] == 4
    token = query(parent=name, pageSize=3, pageToken=listed["nextPageToken"])
    assert len(rest("GET", "/api/knowledge/files" + token).json["knowledgeFiles"]) == 1
    found = rest("GET", "/api/knowledge/search" + query(parent=name, search="heat")).json["knowledgeFiles"]
    assert [one["path"] for one in found] == ["Engine.md"]
    file = found[0]["name"]
    assert rest("GET", f"/v1/{file}").json == rest("GET", "/api/knowledge/file" + query(name=file)).json
    text = rest("GET", f"/v1/{file}:read" + query(maxBytes=16)).json
    assert (text["text"], text["nextOffsetBytes"]) == (ENGINE[:16].decode(), "16")
    rest_of_it = rest("GET", "/api/knowledge/content" + query(name=file, offsetBytes=16)).json
    assert text["text"] + rest_of_it["text"] == ENGINE.decode() and "nextOffsetBytes" not in rest_of_it
    stats = rest("GET", "/api/knowledge/stats" + query(parent=name)).json
    assert stats["fileCount"] == "4" and stats["kinds"] == {"markdown": "3", "table": "1"}
    assert stats["tags"] == {"motors": "1", "heat": "1"} and [one["folder"] for one in stats["folders"]] == ["open", "shut"]
    missing = rest("GET", f"/v1/{name}/knowledgeFiles/none")
    assert (missing.status, missing.json["details"][0]["reason"]) == (404, "KNOWLEDGE_FILE_NOT_FOUND")
    wrong = rest("GET", f"/v1/{name}/knowledgeFiles" + query(filter="colour = red"))
    assert (wrong.status, wrong.json["details"][0]["reason"]) == (400, "INVALID_FIELD")


def test_changes_are_seen_also_those_that_happen_while_it_is_away(library):
    before = library.list()
    library.put("open/new.md", b"# New\n")
    library.put("open/table.csv", b"a,c\n")
    files = library.until(lambda files: "open/new.md" in files and files["open/new.md"].get("digest"))
    files = library.until(lambda files: files["open/table.csv"]["digest"] == hashlib.sha256(b"a,c\n").hexdigest())
    assert files["open/table.csv"]["name"] == before["open/table.csv"]["name"]
    assert files["open/Engine.md"] == before["open/Engine.md"]

    library.process.send_signal(signal.SIGKILL)
    library.process.wait(30)
    library.fleet.until(lambda agents: agents["library"]["state"] == "AGENT_STATE_OFFLINE")
    (library.folder / "open/new.md").unlink()
    library.put("open/newer.md", b"# Newer\n")
    library.start()
    files = library.until(lambda files: all(file.get("digest") for file in files.values()))
    assert "open/new.md" not in files and files["open/newer.md"]["title"] == "Newer"
    assert files["open/Engine.md"] == before["open/Engine.md"]


def test_what_is_not_opened_is_not_shown(fleet):
    shut = Host(fleet, "closed", "").start()
    for command in ["list", "stats"]:
        assert "HOST_NOT_ALLOWED" in fleet.weft("agents", "knowledge", command, shut.name, status=5)
    gone = Host(fleet, "gone", "\n[[knowledge]]\nname = 'gone'\nfolder = '/there/is/none'\n").start()
    told = json.loads(fleet.weft("agents", "knowledge", "stats", gone.name, "-o", "json"))
    assert told["folders"] == [{"folder": "gone", "problem": "it is not there"}]
