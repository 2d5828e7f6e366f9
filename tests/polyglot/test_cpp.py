"""A client in C++ (Debian's libgrpc++), compiled here, calls a service that weft was not built with: all four kinds."""

import subprocess

import pytest
from mesh import ROOT
from rest import Rest
from test_upstreams import CHAT, PRICE, SUM, WATCH, Configured, served, shop, until

HERE = ROOT / "tests/polyglot/cpp"
# Compiling on a busy machine.
PATIENCE = 240


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """The program."""
    folder = tmp_path_factory.mktemp("cpp")
    vendor = ROOT / "proto/vendor"
    plugin = "--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin"

    def run(*command):
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    # Not the protoc of .tools: its code must be that of the library.
    google = ["google/rpc/status.proto", "google/rpc/error_details.proto"]
    run("/usr/bin/protoc", f"-I{vendor}", "--cpp_out=.", *google)
    run("/usr/bin/protoc", f"-I{HERE}", "--cpp_out=.", "--grpc_out=.", plugin, "shop.proto")
    libraries = run("pkg-config", "--libs", "grpc++", "protobuf").split()
    sources = ["shop.pb.cc", "shop.grpc.pb.cc", *(name.replace(".proto", ".pb.cc") for name in google)]
    run("g++", "-std=c++17", "-I.", "-o", "client", str(HERE / "client.cc"), *sources, *libraries)
    return folder / "client"


@pytest.fixture
def mesh(tmp_path):
    """A mesh that has the shop behind it from its start."""
    with shop([PRICE, WATCH, SUM, CHAT]) as running:
        configured = Configured(tmp_path)
        configured.serve(running)
        configured.start()
        until(lambda: len(served(Rest(configured, configured.key))) == 4)
        yield configured
        assert configured.stop() == 0, configured.log.read_text()[-4000:]


def test_all_kinds_of_call_errors_deadlines_and_cancel(client, mesh):
    done = subprocess.run([client, mesh.target, mesh.key], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    stranger, *heard = done.stdout.splitlines()
    # What the gateway says itself has its details, what the service says its own words.
    assert stranger.startswith("stranger 16 ") and "domain=weft.dev" in stranger and "reason=" in stranger
    watch = heard.index("watch tea") + 1
    assert heard[watch].startswith("watch 4 ")
    del heard[watch]
    cancelled = heard.pop()
    assert cancelled.startswith("cancelled 1 ")
    assert [line.strip() for line in heard] == [
        "price tea 300", "price 0", "nameless 3 no name", "sum 7", "sum 0", "chat A", "chat B", "chat 0",
        "watch tea", "cancelled tea",
    ]
