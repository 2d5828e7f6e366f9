"""Numbers over time as others send and ask them: an agent, OpenTelemetry's SDK, remote write, Prometheus' API."""

import json
import os
import struct
import subprocess
import time
import urllib.parse

import pytest
from mesh import BIN, Mesh
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from rest import Rest


def clean():
    return {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    folder = tmp_path_factory.mktemp("telemetry")
    environment = {"WEFT_GATEWAY__OTLP_LISTEN": '["127.0.0.1:0"]'}
    running = Mesh(folder / "data", environment=environment).start()
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


def weft(mesh, *arguments):
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=clean(), timeout=60)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout.decode()


def until(found, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return value


def ask(rest, query, **more):
    """The series of a query now: labels and value."""
    path = "/api/v1/query?" + urllib.parse.urlencode({"query": query, **more})
    answer = rest("GET", path)
    assert answer.status == 200 and answer.json["status"] == "success", answer.body
    return [(series["metric"], float(series["value"][1])) for series in answer.json["data"]["result"]]


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_the_sdk_of_opentelemetry_sends_a_counter_and_a_histogram(mesh, rest, way):
    address = mesh.info["otlp_addresses"][0]
    headers = {"authorization": f"Bearer {mesh.key}"}
    exporter = {
        "grpc": lambda: GrpcExporter(endpoint=address, insecure=True, headers=headers),
        "http": lambda: HttpExporter(endpoint=f"http://{address}/v1/metrics", headers=headers),
    }[way]()
    resource = Resource.create({"service.name": "shop", "service.instance.id": way})
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=60_000)], resource=resource
    )
    meter = provider.get_meter("test")
    orders = meter.create_counter("orders", unit="{order}", description="What was bought")
    orders.add(3, {"kind": "book"})
    orders.add(4, {"kind": "book"})
    latency = meter.create_histogram("latency", unit="s", explicit_bucket_boundaries_advisory=[0.1, 1, 10])
    for seconds in [0.05, 0.5, 0.7, 5]:
        latency.record(seconds)
    assert provider.force_flush()
    provider.shutdown()
    bought = ask(rest, f'orders_total{{instance="{way}"}}')
    assert bought == [({"__name__": "orders_total", "job": "shop", "instance": way, "kind": "book"}, 7.0)]
    [(_, middle)] = ask(rest, f'histogram_quantile(0.5, latency_seconds_bucket{{instance="{way}"}})')
    assert 0.1 < middle <= 1
    told = rest("GET", "/api/v1/metadata?metric=orders_total").json["data"]["orders_total"][0]
    assert (told["type"], told["help"]) == ("counter", "What was bought")


def varint(number):
    out = b""
    while number > 0x7F:
        out, number = out + bytes([number & 0x7F | 0x80]), number >> 7
    return out + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def packed(labels, samples):
    """`prometheus.WriteRequest` of one series, as a literal of snappy."""
    series = b"".join(field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items()))
    for at, value in samples:
        series += field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(at))
    request = field(1, series)
    # 61 in the upper six bits: the length, less one, follows in two bytes.
    return varint(len(request)) + bytes([61 << 2]) + struct.pack("<H", len(request) - 1) + request


def write(rest, body, path="/api/v1/write"):
    return rest("POST", path, body, content_type="application/x-protobuf", content_encoding="snappy")


def test_remote_write_and_what_grafana_asks(mesh, rest):
    now = int(time.time() * 1_000)
    labels = {"__name__": "http_requests_total", "job": "api", "instance": "a"}
    samples = [(now - 60_000 + step * 10_000, step * 50.0) for step in range(7)]
    assert write(rest, packed(labels, samples)).status == 204
    # A repeat changes nothing.
    assert write(rest, packed(labels, samples)).status == 204
    [(_, count)] = ask(rest, "count_over_time(http_requests_total[5m])")
    assert count == 7
    form = urllib.parse.urlencode({
        "query": "sum by (job) (rate(http_requests_total[1m]))", "start": now / 1_000 - 20, "end": now / 1_000, "step": "10s",
    }).encode()
    answer = rest("POST", "/api/v1/query_range", form, content_type="application/x-www-form-urlencoded").json
    [series] = answer["data"]["result"]
    assert answer["data"]["resultType"] == "matrix" and series["metric"] == {"job": "api"}
    assert [float(value) for _, value in series["values"]][-1] == pytest.approx(5)
    assert "http_requests_total" in rest("GET", "/api/v1/label/__name__/values").json["data"]
    assert {"job", "instance"} <= set(rest("GET", "/api/v1/labels").json["data"])
    found = rest("GET", "/api/v1/series?" + urllib.parse.urlencode({"match[]": 'http_requests_total{job="api"}'})).json
    assert found["data"] == [labels]
    assert rest("GET", "/api/v1/status/buildinfo").json["data"]["version"]
    assert rest("GET", "/prometheus/other/api/v1/rules").json["data"] == {"groups": []}
    scalar = rest("GET", "/api/v1/query?query=1%2B1").json["data"]
    assert (scalar["resultType"], scalar["result"][1]) == ("scalar", "2")
    # The same, of another project: nothing.
    assert rest("GET", "/prometheus/other/api/v1/labels").json["data"] == []
    assert rest("GET", "/api/v1/labels", x_scope_orgid="other").json["data"] == []


def test_what_is_wrong_is_refused_in_the_words_of_each(mesh, rest):
    for path in ["query?query=sum(", "query", "query_range?query=up&start=1&end=0&step=1", "label//values", "series"]:
        refused = rest("GET", f"/api/v1/{path}")
        assert refused.status == 400 and refused.json["errorType"] == "bad_data", (path, refused.body)
    nobody = Rest(mesh, None)
    assert nobody("GET", "/api/v1/query?query=up").status == 401
    assert write(nobody, packed({"__name__": "up"}, [])).status == 401
    assert write(rest, b"\xff\xff\xff\xff\x7fbomb").status == 400
    assert rest("GET", "/api/v1/write").status == 405
    assert rest("POST", "/v1/metrics", b"{}", content_type="text/plain").status == 415
    assert rest("POST", "/v1/metrics", b"{}", content_type="application/json").status == 200
    port = Rest(mesh, mesh.key)
    port.url = f"http://{mesh.info['otlp_addresses'][0]}"
    assert port("GET", "/api/v1/labels").status == 404
    assert port("GET", "/v1/projects/default/series").status == 404


def test_an_agent_reports_its_host_and_goes_on_after_a_power_cut(mesh, rest, tmp_path):
    home = tmp_path / "agent"
    token = weft(mesh, "agents", "token", "create").strip()
    weft(mesh, "agent", "enroll", "--home", home, "--id", "north", "--token", token)
    with open(home / "agent.toml", "a") as settings:
        settings.write('[telemetry]\ninterval = "100ms"\n')
    with open(tmp_path / "agent.log", "ab") as log:
        agent = subprocess.Popen([BIN, "agent", "run", "--home", home], stdout=log, stderr=log, env=clean())
    try:
        until(lambda: ask(rest, 'host_load1{host="north"}'))
        query = "avg by (host) (rate(host_network_received_bytes_total[1m]))"
        until(lambda: any(labels == {"host": "north"} for labels, _ in ask(rest, query)))
        shown = weft(mesh, "telemetry", "query", 'host_memory_total_bytes{host="north"}')
        assert "host_memory_total_bytes" in shown and "north" in shown
        assert "host_cpu_usage_ratio" in weft(mesh, "telemetry", "metrics")
        assert "host_load1" in weft(mesh, "telemetry", "series", 'host_load1{host="north"}')
        ranged = json.loads(weft(mesh, "telemetry", "range", "host_load1", "--last", "1m", "-o", "json"))
        assert ranged["series"]
        assert int(json.loads(weft(mesh, "telemetry", "status", "-o", "json"))["seriesCount"]) > 10
        counted = 'count_over_time(host_uptime_seconds{host="north"}[1h])'
        [(_, before)] = ask(rest, counted)
        mesh.kill()
        # Long enough that it notices, and keeps what it reads on disk.
        until(lambda: (home / "telemetry.spool").exists())
        time.sleep(2)
        mesh.start()
        again = Rest(mesh, mesh.key)
        # All that was there, and what was kept meanwhile: ten a second.
        until(lambda: (now := ask(again, counted)) and now[0][1] >= before + 15)
        until(lambda: not (home / "telemetry.spool").exists())
        [(_, gaps)] = ask(again, f"max_over_time((time() - timestamp(host_load1{{host=\"north\"}}))[1m:1s])")
        assert gaps < 10
    finally:
        agent.terminate()
        assert agent.wait(20) == 0
