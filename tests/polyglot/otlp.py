"""A mesh with a port for OpenTelemetry, and the program as its client."""

import os
import subprocess

from mesh import BIN, Mesh


def clean():
    """This environment without what would configure the program."""
    return {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}


def mesh(folder):
    """Runs one for a fixture, and sees that it ends well."""
    environment = {"WEFT_GATEWAY__OTLP_LISTEN": '["127.0.0.1:0"]'}
    running = Mesh(folder / "data", environment=environment).start()
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


def weft(mesh, *arguments):
    """What the program prints when it is asked for something that goes well."""
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=clean(), timeout=60)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.decode()
