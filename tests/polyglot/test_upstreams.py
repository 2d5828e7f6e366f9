"""A service in Python that weft was not built with: added to a running mesh, changed, and removed."""

import contextlib
import json
import os
import queue
import signal
import statistics
import struct
import subprocess
import time
import urllib.error
from concurrent import futures

import grpc
import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_reflection.v1alpha import reflection
from mesh import BIN, ROOT, Mesh
from rest import Rest
from websockets.sync.client import connect as dial

SHOP = "polyglot.v1.Shop"

# How long anything may take on a busy machine.
PATIENCE = 60


def contract(methods):
    """The shop's file, with these methods of it."""
    file = descriptor_pb2.FileDescriptorProto(
        name="polyglot/v1/shop.proto",
        package="polyglot.v1",
        syntax="proto3",
        dependency=["google/api/annotations.proto"],
    )
    item = file.message_type.add(name="Item")
    field = descriptor_pb2.FieldDescriptorProto
    item.field.add(name="name", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    item.field.add(name="price_cents", number=2, type=field.TYPE_INT64, label=field.LABEL_OPTIONAL)
    shop = file.service.add(name="Shop")
    for name, asks, answers in methods:
        method = shop.method.add(
            name=name,
            input_type=".polyglot.v1.Item",
            output_type=".polyglot.v1.Item",
            client_streaming=asks,
            server_streaming=answers,
        )
        if name == "Price":
            method.options.idempotency_level = method.options.NO_SIDE_EFFECTS
            method.options.Extensions[annotations_pb2.http].get = "/shop/{name}"
        if name == "Watch":
            method.options.Extensions[annotations_pb2.http].get = "/shop/{name}:watch"
    return file


PRICE, WATCH, SUM, CHAT, RENAME = (
    ("Price", False, False),
    ("Watch", False, True),
    ("Sum", True, False),
    ("Chat", True, True),
    ("Rename", False, False),
)


class Shop:
    """A server of the shop: grpcio and its own reflection."""

    def __init__(self, methods):
        self.file = contract(methods)
        pool = descriptor_pool.DescriptorPool()
        for needed in (descriptor_pb2, http_pb2, annotations_pb2):
            pool.AddSerializedFile(needed.DESCRIPTOR.serialized_pb)
        pool.AddSerializedFile(self.file.SerializeToString())
        self.Item = message_factory.GetMessageClass(pool.FindMessageTypeByName("polyglot.v1.Item"))
        self.heard, self.news = [], queue.Queue()
        handlers = {}
        for name, asks, answers in methods:
            kind = f"{'stream' if asks else 'unary'}_{'stream' if answers else 'unary'}_rpc_method_handler"
            handlers[name] = getattr(grpc, kind)(
                getattr(self, name.lower()),
                request_deserializer=self.Item.FromString,
                response_serializer=self.Item.SerializeToString,
            )
        self.server = grpc.server(futures.ThreadPoolExecutor(16))
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SHOP, handlers),))
        reflection.enable_server_reflection([SHOP, reflection.SERVICE_NAME], self.server, pool=pool)
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def price(self, item, context):
        self.heard.append(dict(context.invocation_metadata()))
        if not item.name:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "no name")
        return self.Item(name=item.name, price_cents=100 * len(item.name))

    def watch(self, item, context):
        yield item
        while (news := self.news.get(timeout=PATIENCE)) is not None:
            yield self.Item(name=news)

    def sum(self, items, context):
        return self.Item(price_cents=sum(item.price_cents for item in items))

    def chat(self, items, context):
        for item in items:
            yield self.Item(name=item.name.upper())

    def rename(self, item, context):
        return self.Item(name=item.name[::-1])

    def stop(self):
        self.server.stop(0).wait(PATIENCE)


@contextlib.contextmanager
def shop(methods):
    running = Shop(methods)
    try:
        yield running
    finally:
        running.news.put(None)
        running.stop()


class Configured(Mesh):
    """A mesh with a file for its configuration, which may be written while it runs."""

    def __init__(self, folder):
        self.file = folder / "weft.toml"
        self.write()
        super().__init__(folder / "data", environment={"WEFT_CONFIG": str(self.file)})

    def write(self, text=""):
        self.file.write_text(text)

    def serve(self, running, **options):
        lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
        address = f'address = "http://127.0.0.1:{running.port}"'
        self.write("\n".join(["[gateway.upstreams.shop]", address, 'access = "viewer"', 'refresh = "1h"', *lines]))


@pytest.fixture(scope="module")
def configured(tmp_path_factory):
    """A mesh of its own, because its configuration changes."""
    running = Configured(tmp_path_factory.mktemp("upstreams")).start()
    yield running
    status = running.stop()
    assert status == 0, f"the mesh ended with {status}:\n{running.log.read_text()[-4000:]}"


@pytest.fixture(autouse=True)
def clean(configured):
    """Each test begins without upstreams."""
    configured.write()
    rest = Rest(configured, configured.key)
    until(lambda: not routes(rest).get("problems") and not served(rest))


def until(holds):
    """Waits for something, and tells how long it took."""
    begun = time.monotonic()
    while not (found := holds()):
        assert time.monotonic() < begun + PATIENCE, "it does not come to that"
        time.sleep(0.01)
    return time.monotonic() - begun, found


def routes(rest):
    with rest.open("GET", "/v1/projects/mesh/routes") as answer:
        return json.load(answer)


def served(rest):
    """Methods of the shop that the gateway serves."""
    return sorted(
        route["path"].rsplit("/")[-1] for route in routes(rest)["routes"] if route.get("upstream") == "shop"
    )


def post(rest, path, body, **headers):
    """Status and JSON of an answer."""
    try:
        with rest.open("POST" if body is not None else "GET", path, body, **headers) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read() or b"null")


def by_grpc(channel, running, method, asks=False, answers=False):
    kind = f"{'stream' if asks else 'unary'}_{'stream' if answers else 'unary'}"
    return getattr(channel, kind)(
        f"/{SHOP}/{method}",
        request_serializer=running.Item.SerializeToString,
        response_deserializer=running.Item.FromString,
    )


def by_grpc_web(rest, running, method, item):
    """The messages and the trailers of an answer."""
    message = item.SerializeToString()
    framed = b"\0" + struct.pack(">I", len(message)) + message
    headers = {"content_type": "application/grpc-web+proto", "x_grpc_web": "1"}
    with rest.open("POST", f"/{SHOP}/{method}", framed, **headers) as answer:
        data = answer.read()
    messages, trailers = [], b""
    while data:
        flags, length = data[0], struct.unpack(">I", data[1:5])[0]
        part, data = data[5 : 5 + length], data[5 + length :]
        if flags & 0x80:
            trailers = part
        else:
            messages.append(running.Item.FromString(part))
    return messages, trailers.decode()


def by_websocket(mesh, method, messages):
    """What is heard of one call."""
    with dial(mesh.url.replace("http", "ws") + "/ws", subprotocols=["weft.v1.json"], open_timeout=PATIENCE) as raw:
        metadata = {"authorization": f"Bearer {mesh.key}"}
        raw.send(json.dumps({"call": 1, "open": {"method": f"{SHOP}/{method}", "metadata": metadata}}))
        for message in messages:
            raw.send(json.dumps({"call": 1, "message": message}))
        raw.send(json.dumps({"call": 1, "end": True}))
        heard = []
        while not heard or "status" not in heard[-1]:
            heard.append(json.loads(raw.recv(timeout=PATIENCE)))
        return heard


def by_lines(rest, path):
    """The messages of a stream, as lines of JSON."""
    with rest.open("GET", path, timeout=PATIENCE, accept="application/x-ndjson") as answer:
        assert answer.headers.get_content_type() == "application/x-ndjson"
        return [json.loads(line) for line in answer]


def by_events(rest, path):
    """The messages of a stream of events, and the status at its end."""
    with rest.open("GET", path, timeout=PATIENCE, accept="text/event-stream") as answer:
        assert answer.headers.get_content_type() == "text/event-stream"
        events = answer.read().decode().strip().split("\n\n")
    fields = [dict(line.split(": ", 1) for line in event.splitlines()) for event in events]
    assert fields[-1]["event"] == "status"
    return [json.loads(event["data"]) for event in fields[:-1]], json.loads(fields[-1]["data"])


def by_mcp(rest, method, params):
    """The result of a request of the Model Context Protocol."""
    status, answer = post(rest, "/mcp", {"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert status == 200, answer
    return answer["result"]


def test_a_service_that_is_added_is_there_soon(configured):
    """How soon is printed, and bound only by patience: machines differ."""
    rest = Rest(configured, configured.key)
    took = []
    for _ in range(5):
        with shop([PRICE]) as running:
            configured.serve(running)
            seconds, _ = until(lambda: post(rest, f"/{SHOP}/Price", {"name": "tea"})[0] == 200)
            took.append(seconds)
            configured.write()
            until(lambda: post(rest, f"/{SHOP}/Price", {"name": "tea"})[0] == 404)
    median, worst = statistics.median(took), max(took)
    print(f"{len(took)} additions, reachable after {median:.2f} s in the middle and {worst:.2f} s at worst")


def test_a_service_that_is_added_is_reachable_in_every_protocol(configured):
    rest = Rest(configured, configured.key)
    key = [("authorization", f"Bearer {configured.key}")]
    with shop([PRICE, WATCH, SUM, CHAT]) as running, grpc.insecure_channel(configured.target) as channel:
        assert post(rest, f"/{SHOP}/Price", {"name": "tea"})[0] == 404
        assert post(rest, "/shop/tea", None)[0] == 404
        configured.serve(running, mcp=True)
        until(lambda: post(rest, f"/{SHOP}/Price", {"name": "tea"})[0] == 200)

        tea, priced = running.Item(name="tea"), {"name": "tea", "priceCents": "300"}
        # Connect, and REST as its contract has it.
        assert post(rest, f"/{SHOP}/Price", {"name": "tea"})[1] == priced
        assert post(rest, "/shop/tea", None)[1] == priced
        # gRPC, all four kinds.
        assert by_grpc(channel, running, "Price")(tea, metadata=key, timeout=PATIENCE).price_cents == 300
        items = [running.Item(name=name, price_cents=7) for name in "ab"]
        added = by_grpc(channel, running, "Sum", asks=True)(iter(items), metadata=key, timeout=PATIENCE)
        assert added.price_cents == 14
        chat = by_grpc(channel, running, "Chat", asks=True, answers=True)
        assert [item.name for item in chat(iter(items), metadata=key, timeout=PATIENCE)] == ["A", "B"]
        running.news.put(None)
        watch = by_grpc(channel, running, "Watch", answers=True)(tea, metadata=key, timeout=PATIENCE)
        assert [item.name for item in watch] == ["tea"]
        # A stream over REST, as lines and as events.
        for _ in range(2):
            running.news.put("news")
            running.news.put(None)
        streamed = [{"name": "tea"}, {"name": "news"}]
        assert by_lines(rest, "/shop/tea:watch") == streamed
        messages, end = by_events(rest, "/shop/tea:watch")
        assert messages == streamed and end["code"] == 0
        # gRPC-web.
        messages, trailers = by_grpc_web(rest, running, "Price", tea)
        assert messages[0].price_cents == 300 and "grpc-status:0" in trailers.replace(" ", "")
        # WebSocket, JSON of a type that nobody here knew.
        heard = by_websocket(configured, "Chat", [{"name": "a"}, {"name": "b"}])
        assert [said["message"]["name"] for said in heard[:-1]] == ["A", "B"]
        assert heard[-1]["status"]["code"] == 0
        # As a tool: what has no streams.
        tools = [tool["name"] for tool in by_mcp(rest, "tools/list", {})["tools"]]
        assert [name for name in tools if name.startswith("shop")] == ["shop_price"]
        result = by_mcp(rest, "tools/call", {"name": "shop_price", "arguments": {"name": "tea"}})
        assert result["isError"] is False and result["structuredContent"] == priced
        # Its errors are its own, in every protocol.
        assert post(rest, f"/{SHOP}/Price", {})[1]["code"] == "invalid_argument"
        # And it heard nothing of our credential.
        assert running.heard and all("authorization" not in heard for heard in running.heard)
        # Nobody, and who has no role in the mesh, stay outside.
        assert post(Rest(configured, None), f"/{SHOP}/Price", {"name": "tea"})[0] == 401
        with pytest.raises(grpc.RpcError) as refused:
            by_grpc(channel, running, "Price")(tea, timeout=PATIENCE)
        assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED


def test_a_change_brings_new_methods_and_what_runs_finishes_on_the_old_ones(configured):
    rest = Rest(configured, configured.key)
    key = [("authorization", f"Bearer {configured.key}")]
    with (
        shop([PRICE, WATCH]) as old,
        shop([PRICE, WATCH, RENAME]) as new,
        grpc.insecure_channel(configured.target) as channel,
    ):
        configured.serve(old)
        until(lambda: served(rest) == ["Price", "Watch"])
        watch = by_grpc(channel, old, "Watch", answers=True)(old.Item(name="tea"), metadata=key, timeout=2 * PATIENCE)
        assert next(watch).name == "tea"

        configured.serve(new)
        until(lambda: served(rest) == ["Price", "Rename", "Watch"])
        assert post(rest, f"/{SHOP}/Rename", {"name": "tea"}) == (200, {"name": "aet"})
        until(lambda: post(rest, "/shop/tea", None)[0] == 200 and new.heard)
        # A file that cannot be read changes nothing.
        configured.write("[gateway.upstreams.shop]\naddress = ")
        until(lambda: "the new configuration is not right" in configured.log.read_text())
        assert served(rest) == ["Price", "Rename", "Watch"]

        configured.write()
        until(lambda: served(rest) == [])
        status, answer = post(rest, f"/{SHOP}/Price", {"name": "tea"}, connect_protocol_version="1")
        assert (status, answer["code"]) == (501, "unimplemented")
        assert post(rest, "/shop/tea", None)[0] == 404
        with pytest.raises(grpc.RpcError) as refused:
            by_grpc(channel, old, "Price")(old.Item(name="tea"), metadata=key, timeout=PATIENCE)
        assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        # The stream is still the old service's, to its end.
        old.news.put("still here")
        assert next(watch).name == "still here"
        old.news.put(None)
        assert list(watch) == [] and watch.code() == grpc.StatusCode.OK


def test_a_descriptor_file_stands_in_for_reflection(configured, tmp_path):
    rest = Rest(configured, configured.key)
    with shop([PRICE, SUM]) as running:
        # Without its imports: weft has those itself.
        files = descriptor_pb2.FileDescriptorSet(file=[contract([PRICE])])
        (tmp_path / "shop.binpb").write_bytes(files.SerializeToString())
        configured.serve(running, descriptors=str(tmp_path / "shop.binpb"))
        until(lambda: served(rest) == ["Price"])
        assert post(rest, "/shop/tea", None) == (200, {"name": "tea", "priceCents": "300"})
        # SIGHUP looks at it again, whatever its interval.
        (tmp_path / "shop.binpb").write_bytes(b"nothing that could be read")
        configured.process.send_signal(signal.SIGHUP)
        until(lambda: "cannot be read" in str(routes(rest).get("problems")))
        assert served(rest) == ["Price"]


def test_the_program_lists_routes_and_calls_any_of_them(configured):
    rest = Rest(configured, configured.key)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}

    def weft(*arguments, status=0, stdin=b""):
        command = [BIN, "--data", configured.data, "gateway", *arguments]
        done = subprocess.run(command, capture_output=True, env=clean, input=stdin, timeout=PATIENCE)
        assert done.returncode == status, (done.stdout, done.stderr)
        return (done.stdout if status == 0 else done.stderr).decode()

    with shop([PRICE, WATCH, SUM, CHAT]) as running:
        configured.serve(running)
        until(lambda: len(served(rest)) == 4)
        listed = json.loads(weft("routes", "--upstream", "shop", "--output", "json"))["routes"]
        assert [route["path"] for route in listed] == [f"/{SHOP}/{name}" for name in ("Chat", "Price", "Sum", "Watch")]
        assert listed[1]["httpRoutes"] == [{"method": "GET", "path": "/shop/{name}"}]
        assert listed[1]["kind"] == "CALL_KIND_UNARY" and listed[1]["healthyConnectionCount"] > 0
        table = weft("routes")
        assert f"{SHOP}/Price" in table and "weft.graph.v1.GraphService/GetGraph" in table

        assert json.loads(weft("curl", f"{SHOP}/Price", '{"name": "tea"}'))["priceCents"] == "300"
        lines = b'{"name": "a", "priceCents": 1}\n\n{"name": "b", "priceCents": 2}\n'
        assert [json.loads(line)["name"] for line in weft("curl", f"{SHOP}/Chat", "-", stdin=lines).splitlines()] == ["A", "B"]
        assert json.loads(weft("curl", f"{SHOP}.Sum", "-", stdin=lines))["priceCents"] == "3"
        running.news.put("news")
        running.news.put(None)
        watched = weft("curl", f"{SHOP}/Watch", '{"name": "tea"}', "--timeout", "1m").splitlines()
        assert [json.loads(line)["name"] for line in watched] == ["tea", "news"]

        assert "error: no name" in weft("curl", f"{SHOP}/Price", status=7)
        weft("curl", f"{SHOP}/Nothing", status=3)
        weft("routes", "--upstream", "nothing", status=3)
        assert "CREDENTIAL" in weft("curl", f"{SHOP}/Price", "-H", "authorization: Basic x", status=4)
        weft("curl", f"{SHOP}/Watch", '{"name": "tea"}', "--timeout", "300ms", status=6)


def test_reflection_at_the_gateway_tells_of_it(configured):
    """`grpcurl` and `buf curl` know what to say to a service of somebody else, for as long as it is served."""
    rest = Rest(configured, configured.key)
    tools = ROOT / ".tools/venv/bin"

    def listed():
        command = [tools / "grpcurl", "-plaintext", configured.target, "list"]
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.split()

    with shop([PRICE, SUM]) as running:
        configured.serve(running)
        until(lambda: served(rest) == ["Price", "Sum"])
        assert SHOP in listed() and "weft.graph.v1.GraphService" in listed()
        for protocol in ["grpc", "grpcweb", "connect"]:
            command = [tools / "buf", "curl", "--http2-prior-knowledge", "--protocol", protocol]
            command += ["-H", f"authorization: Bearer {configured.key}", "-d", '{"name": "tea"}', f"{configured.url}/{SHOP}/Price"]
            environment = {"HOME": "/", **os.environ}
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout) == {"name": "tea", "priceCents": "300"}
        configured.write()
        until(lambda: SHOP not in listed())
