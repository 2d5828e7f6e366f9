"""A mesh of our own: starts the program on a free port with its own data, and stops it."""

import json
import os
import pathlib
import signal
import subprocess
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("WEFT_BIN", ROOT / "target/debug/weft")).resolve()

# How long a start may take on a busy machine.
START_SECONDS = 60


class Mesh:
    """One process of the program over one data folder. May be stopped and started again.

    A whole mesh (`weft up`) by default; with `services`, only those (`weft serve`), configured by
    `environment`. With `host_agent` the mesh watches its own host, as it does by itself.
    """

    def __init__(self, data, listen="127.0.0.1:0", arguments=(), services=(), environment=None, host_agent=False):
        self.data = pathlib.Path(data)
        self.listen = listen
        # Most tests say themselves which agents there are.
        self.command = ["serve", *services] if services else ["up", *([] if host_agent else ["--no-host-agent"])]
        self.arguments = list(arguments)
        self.environment = environment or {}
        self.log = self.data.parent / f"{self.data.name}.log"
        self.process = None
        self.info = None

    def start(self):
        """Starts the program and waits until it says that it is ready."""
        if not BIN.exists():
            raise RuntimeError(f"{BIN} is not there; build it: cargo build -p weft")
        found = self.data / "weft.json"
        found.unlink(missing_ok=True)
        # The program refuses WEFT_ variables that it does not know, and the tests have some.
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
        command = [BIN, *self.command, "--listen", self.listen, "--data", self.data, *self.arguments]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**clean, **self.environment}
            )
        deadline = time.monotonic() + START_SECONDS
        while not (found.exists() and self._ready(found)):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the mesh did not start; its log:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.02)
        # Where it is now it stays, also when it is started again.
        self.listen = self.target
        return self

    def _ready(self, found):
        try:
            self.info = json.loads(found.read_text())
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return answer.status == 200
        except (OSError, ValueError, urllib.error.URLError):
            return False

    @property
    def url(self):
        """Where it answers HTTP, for example `http://127.0.0.1:43210`."""
        return self.info["url"].rstrip("/")

    @property
    def target(self):
        """Where it answers gRPC: `127.0.0.1:43210`."""
        return self.url.removeprefix("http://")

    @property
    def key(self):
        """The administrator's API key."""
        return pathlib.Path(self.info["key_file"]).read_text().strip()

    def kill(self):
        """Ends it as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self, seconds=20):
        """Asks it to end, and returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        finally:
            self.kill()
