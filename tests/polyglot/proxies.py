"""nginx, Caddy and Envoy in front of a mesh, with the files of deploy/: only addresses, ports and paths are others."""

import contextlib
import http.client
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import time

from mesh import ROOT

TOOLS = ROOT / ".tools/venv/bin"
# How long a start may take on a busy machine.
START_SECONDS = 60


def free_ports(count):
    """Ports that nobody has now. They are let go before a proxy takes them: who starts one tries again."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Proxy:
    """One proxy in front of one mesh, from a file of deploy/."""

    file = None

    def __init__(self, mesh_port, certificate, folder, changes=()):
        """`certificate` is a pair of files; `changes` are further replacements: each must be in the file."""
        self.mesh_port, self.certificate, self.folder = mesh_port, certificate, pathlib.Path(folder)
        self.changes = list(changes)
        self.log = self.folder / "proxy.log"
        self.process = None

    def replacements(self):
        """What stands in the file, and what it is here."""
        raise NotImplementedError

    def command(self, written):
        raise NotImplementedError

    def written(self):
        """The configuration as it is run here."""
        text = (ROOT / self.file).read_text()
        for old, new in [*self.changes, *self.replacements()]:
            assert old in text, f"{self.file} has no {old!r}"
            text = text.replace(old, new)
        path = self.folder / pathlib.Path(self.file).name
        path.write_text(text)
        return path

    def start(self):
        for attempt in range(3):
            self.http_port, self.port = free_ports(2)
            command = self.command(self.written())
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder,
                    env={**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder)},
                )
            deadline = time.monotonic() + START_SECONDS
            while self.process.poll() is None and time.monotonic() < deadline:
                if self.ready():
                    return self
                time.sleep(0.05)
            self.stop()
        raise RuntimeError(f"{command[0]} did not start:\n{self.log.read_text()[-4000:]}")

    def ready(self):
        """Whether it passes calls on."""
        context = ssl.create_default_context(cafile=self.certificate[0])
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=5, context=context)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()

    @property
    def target(self):
        """Where it answers gRPC over TLS."""
        return f"localhost:{self.port}"

    @property
    def url(self):
        return f"https://{self.target}"


class Nginx(Proxy):
    file = "deploy/nginx/weft.conf"

    def replacements(self):
        return [
            ("listen 80;", f"listen 127.0.0.1:{self.http_port};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.port} ssl http2;"),
            ("/etc/weft/tls.crt", str(self.certificate[0])),
            ("/etc/weft/tls.key", str(self.certificate[1])),
            ("127.0.0.1:8080", f"127.0.0.1:{self.mesh_port}"),
        ]

    def command(self, written):
        # Debian has it where not everybody's PATH leads.
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        around = self.folder / "nginx.conf"
        temporary = "".join(
            f"{kind}_temp_path {self.folder}/{kind};\n" for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        )
        around.write_text(
            f"daemon off; master_process off; pid {self.folder}/nginx.pid; error_log stderr;\n"
            f"events {{ worker_connections 1024; }}\n"
            f"http {{ access_log off;\n{temporary}include {written}; }}\n"
        )
        return [program, "-p", str(self.folder), "-e", "stderr", "-c", str(around)]


class Caddy(Proxy):
    file = "deploy/caddy/Caddyfile"

    def replacements(self):
        return [
            ("http_port 80\n", f"http_port {self.http_port}\n"),
            ("https_port 443\n", f"https_port {self.port}\n"),
            ("unix//run/caddy/admin.sock", f"unix/{self.folder}/admin.sock"),
            ("/etc/weft/tls.crt", str(self.certificate[0])),
            ("/etc/weft/tls.key", str(self.certificate[1])),
            ("weft.example.org {", "localhost {\n\tbind 127.0.0.1"),
            ("127.0.0.1:8080", f"127.0.0.1:{self.mesh_port}"),
        ]

    def command(self, written):
        return [str(TOOLS / "caddy"), "run", "--adapter", "caddyfile", "--config", str(written)]


class Envoy(Proxy):
    file = "deploy/envoy/envoy.yaml"

    def replacements(self):
        return [
            ("address: 0.0.0.0, port_value: 80 ", f"address: 127.0.0.1, port_value: {self.http_port} "),
            ("address: 0.0.0.0, port_value: 443 ", f"address: 127.0.0.1, port_value: {self.port} "),
            ("/etc/weft/tls.crt", str(self.certificate[0])),
            ("/etc/weft/tls.key", str(self.certificate[1])),
            ("address: 127.0.0.1, port_value: 8080 ", f"address: 127.0.0.1, port_value: {self.mesh_port} "),
        ]

    def command(self, written):
        return [
            str(TOOLS / "envoy"), "--config-path", str(written), "--concurrency", "1",
            "--use-dynamic-base-id", "--log-level", "warn", "--drain-time-s", "1",
        ]


PROXIES = {"nginx": Nginx, "caddy": Caddy, "envoy": Envoy}
