"""TLS on the port: clients nobody here wrote, and a certificate that is renewed while they are there."""

import datetime
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from mesh import BIN, Mesh

DAY = datetime.timedelta(days=1)


def certificate(common_name):
    """A certificate of localhost that has signed itself, and its key, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), secret


class Secured(Mesh):
    """A mesh whose port speaks TLS."""

    def __init__(self, folder):
        self.certificate_file, self.key_file = folder / "tls.crt", folder / "tls.key"
        self.trusted = self.renew("first")
        super().__init__(
            folder / "data",
            environment={
                "WEFT_SERVER__TLS__CERTIFICATE_FILE": str(self.certificate_file),
                "WEFT_SERVER__TLS__KEY_FILE": str(self.key_file),
                "WEFT_SERVER__TLS__RELOAD_INTERVAL": "50ms",
                "WEFT_SERVER__TLS__HSTS_MAX_AGE": "180days",
            },
        )

    def renew(self, common_name):
        """Writes a new certificate, as a person or cert-manager does; returns it."""
        made, key = certificate(common_name)
        self.key_file.write_bytes(key)
        self.certificate_file.write_bytes(made)
        return made

    def _ready(self, found):
        try:
            self.info = json.loads(found.read_text())
            return self.get("/readyz").status == 200
        except (OSError, ValueError):
            return False

    @property
    def target(self):
        return "localhost:" + self.info["url"].rsplit(":", 1)[1].strip("/")

    def context(self, *protocols):
        context = ssl.create_default_context(cadata=self.trusted.decode())
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def get(self, path):
        return urllib.request.urlopen(f"https://{self.target}{path}", timeout=5, context=self.context())

    def shown(self):
        """The certificate that a new connection gets, whoever signed it."""
        host, port = self.target.split(":")
        return ssl.get_server_certificate((host, int(port)), timeout=5)


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    running = Secured(tmp_path_factory.mktemp("tls")).start()
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


def test_https_answers_and_tells_browsers_to_keep_to_it(secured):
    with secured.get("/openapi.json") as answer:
        assert answer.status == 200 and json.load(answer)["openapi"] == "3.1.0"
        assert answer.headers["strict-transport-security"] == "max-age=15552000"


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)]
)
def test_alpn_agrees_on_the_version(secured, offered, agreed):
    host, port = secured.target.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        secured.context(*offered).wrap_socket(plain, server_hostname=host) as stream,
    ):
        assert stream.selected_alpn_protocol() == agreed
        assert stream.version() == "TLSv1.3"


def test_old_tls_is_refused(secured):
    context = secured.context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    host, port = secured.target.split(":")
    with (
        socket.create_connection((host, int(port)), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=host) as stream,
    ):
        assert stream.version() == "TLSv1.2"
    hello = bytes.fromhex("160301002f0100002b0301") + bytes(32) + bytes.fromhex("000004002f00ff0100")
    with socket.create_connection((host, int(port)), timeout=5) as plain:
        plain.sendall(hello)
        # An alert, or the end: no handshake goes on.
        assert plain.recv(1)[:1] in (b"", b"\x15")


def test_grpc_answers_over_tls(secured):
    from weft.identity.v1 import identity_service_pb2, identity_service_pb2_grpc

    channel = grpc.secure_channel(secured.target, grpc.ssl_channel_credentials(secured.trusted))
    stub = identity_service_pb2_grpc.IdentityServiceStub(channel)
    metadata = [("authorization", f"Bearer {secured.key}")]
    who = stub.WhoAmI(identity_service_pb2.WhoAmIRequest(), metadata=metadata, timeout=20)
    assert who.name


def test_plain_text_gets_no_answer(secured):
    host, port = secured.target.split(":")
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        plain.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        assert b"HTTP/" not in plain.recv(1024)


def test_a_new_certificate_counts_without_a_restart(secured):
    before = secured.shown()
    process = secured.process.pid
    secured.trusted = secured.renew("second")
    deadline = time.monotonic() + 30
    while secured.shown() == before:
        assert time.monotonic() < deadline, secured.log.read_text()[-2000:]
    assert secured.get("/healthz").status == 200
    assert secured.process.pid == process and secured.process.poll() is None


def test_the_program_is_a_client_over_tls(secured):
    """It finds the address by itself, and trusts nobody whom neither the system nor `--ca-file` names."""
    assert secured.info["url"].startswith("https://")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}

    def weft(*arguments):
        command = [BIN, "--data", secured.data, "--url", f"https://{secured.target}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=clean, timeout=60)

    trusted = weft("--ca-file", secured.certificate_file, "graph", "list", "-o", "json")
    assert trusted.returncode == 0, trusted.stderr
    doubted = weft("graph", "list")
    assert doubted.returncode == 6, (doubted.returncode, doubted.stderr)


def test_an_agent_comes_in_by_a_websocket_over_tls(secured):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    trust = ["--ca-file", secured.certificate_file]

    def weft(*arguments):
        command = [BIN, "--data", secured.data, *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=clean, timeout=60)

    def agents(*arguments):
        return weft("--url", f"https://{secured.target}", *trust, "agents", *arguments)

    home = secured.data.parent / "agent"
    token = agents("token", "create").stdout.strip()
    door = ["--url", f"wss://{secured.target}/v1/agent"]
    doubted = weft(*door, "agent", "enroll", "--home", home, "--token", token)
    assert doubted.returncode != 0 and "certificate" in doubted.stderr, doubted.stderr
    enrolled = weft(*door, *trust, "agent", "enroll", "--home", home, "--token", token, "--id", "far")
    assert enrolled.returncode == 0, enrolled.stderr
    agent = subprocess.Popen(
        [BIN, "agent", "run", "--home", home], env=clean, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while "ONLINE" not in (listed := agents("list", "-o", "json")).stdout:
            assert time.monotonic() < deadline and agent.poll() is None, listed
            time.sleep(0.1)
    finally:
        agent.kill()
        agent.wait()
