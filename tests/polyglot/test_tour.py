"""The README's tour works word for word: its shell blocks, and each line of its table, are run in order, in one shell."""

import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

import pytest
from mesh import BIN, ROOT, Mesh

# The tour says localhost:8080, so that is where it has to run.
ADDRESS = ("127.0.0.1", 8080)


def blocks():
    """The tour's shell blocks."""
    tour = (ROOT / "README.md").read_text().split("## A tour", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```", tour, re.MULTILINE | re.DOTALL)


def table():
    """Protocols and commands of the tour's table."""
    return re.findall(r"^\| ([^|]+) \| `(.+)` \|$", (ROOT / "README.md").read_text(), re.MULTILINE)


@pytest.fixture
def checkout(tmp_path):
    """A copy of the repository in which the program is already built, where `make up` builds it."""
    folder = tmp_path / "weft"
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    # What `make setup` would install, so that it finds it there.
    for name in [".tools", "gateway/console/node_modules", "tests/browser/node_modules"]:
        if (ROOT / name).exists():
            (folder / name).symlink_to(ROOT / name)
    (folder / "target/quick").mkdir(parents=True)
    (folder / "target/quick/weft").symlink_to(BIN)
    return folder


@pytest.fixture
def demo(checkout):
    """The mesh that `make up` starts."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(ADDRESS)
        except OSError:
            pytest.fail("port 8080 is taken by another program, and the tour is about localhost:8080")
    running = Mesh(checkout / "data", listen="%s:%d" % ADDRESS, arguments=["--demo"]).start()
    deadline = time.monotonic() + 120
    while "weft is up" not in running.log.read_text():
        assert running.process.poll() is None and time.monotonic() < deadline, running.log.read_text()[-4000:]
        time.sleep(0.1)
    yield running
    running.stop()


def test_the_tour_works_word_for_word(checkout, demo):
    found = blocks()
    lines = table()
    assert len(found) >= 7 and len(lines) >= 11
    # The table stands below the block that sets its variables.
    place = next(number for number, block in enumerate(found) if block.startswith("A="))
    rows = "\n".join(f"echo '### row {number}'\n{command}" for number, (_, command) in enumerate(lines))
    found[place] += f"{rows}\n"
    script = "set -e\n" + "\n".join(f"echo '### block {number}'\n{block}" for number, block in enumerate(found))
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("WEFT_", "MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["bash", "-c", script], cwd=checkout, capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    said = dict(zip(range(len(found)), done.stdout.split("### block ")[1:]))
    assert "debian" in said[1] and "63,436" in said[1] and "python3-numpy" in said[1]
    assert "weft.graph.v1.GraphService" in said[2] and '"found": true' in said[2] and "ca-certificates" in said[2]
    assert '"revision":"1"' in said[3].replace(" ", "") and "upsertNode" in said[3] and "Two threads" in said[3]
    assert "written as revision" in said[5] and "and seen as revision" in said[5]
    assert "#ticket=" in said[6]
    rows = dict(zip((protocol for protocol, _ in lines), said[place].split("### row ")[1:], strict=True))
    for protocol, heard in rows.items():
        if protocol.startswith(("a stream", "the same as server-sent")):
            # Where the graph is now, and then its time is over.
            assert "caughtUpRevision" in heard and "DEADLINE_EXCEEDED" in heard, (protocol, heard)
        elif protocol.startswith("OpenAPI"):
            assert json.loads(pathlib.Path("/tmp/openapi.json").read_text())["openapi"].startswith("3.1")
        else:
            assert "projects/default/graphs/debian" in heard and re.search(r'"?nodeCount"?: ?"63436"', heard), (protocol, heard)
