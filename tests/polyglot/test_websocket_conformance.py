"""Is it a WebSocket? The Autobahn test suite's cases, driven by kosoku, against what our calls stand on.

The cases want an echo, which no product has: `gateway/examples/websocket_echo.rs` is one, made of the gateway's
own `ws/wire.rs` (bounds, how a broken frame is answered, how a socket is closed) and `ws/deflate` (compression).
"""

import asyncio
import os
import pathlib
import subprocess

import pytest
from kosoku import FailureError, run_fuzzingclient
from mesh import ROOT

# Speed.
LEFT_OUT = ["9.*"]

# When text that is not UTF-8 is refused. We do it when its frame is whole, not within the frame: RFC 6455 allows
# both.
AT_ONCE = "6.4."


@pytest.fixture(scope="module")
def port():
    """The echo beside the program, or built now."""
    built = pathlib.Path(os.environ.get("WEFT_BIN", ROOT / "target/debug/weft")).parent / "examples/websocket_echo"
    if not built.exists():
        command = ["cargo", "build", "--locked", "-p", "weft-gateway", "--example", "websocket_echo"]
        subprocess.run(command, cwd=ROOT, check=True)
        built = ROOT / "target/debug/examples/websocket_echo"
    with subprocess.Popen([built], stdout=subprocess.PIPE, text=True) as echo:
        yield int(echo.stdout.readline())
        echo.kill()


def test_every_case_of_autobahn_but_those_of_speed(port):
    try:
        results = asyncio.run(run_fuzzingclient(f"127.0.0.1:{port}", None, LEFT_OUT, concurrency=4))
    except FailureError as failure:
        pytest.fail("\n".join(f"{bad.case_id}: {bad.description}" for bad in failure.results))
    assert len(results) > 460
    verdicts = {result.case_id: (result.behavior.value, result.behavior_close.value) for result in results}
    bad = {
        case: verdict
        for case, verdict in verdicts.items()
        if verdict not in (("OK", "OK"), ("INFORMATIONAL", "INFORMATIONAL"))
        and not (case.startswith(AT_ONCE) and verdict == ("NON-STRICT", "OK"))
    }
    assert not bad
