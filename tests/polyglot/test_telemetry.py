"""Numbers over time as others send and ask them: an agent, OpenTelemetry's SDK, remote write, Prometheus' API."""

import json
import math
import struct
import subprocess
import time
import urllib.parse

import otlp
import pytest
from mesh import BIN
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from otlp import clean, weft
from rest import Rest


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    yield from otlp.mesh(tmp_path_factory.mktemp("telemetry"))


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


MINUTE, DAY = 60_000, 86_400_000


def week(rest, path):
    """Eight days, every ten minutes: a disk that fills by ten a day, and orders by day that stopped for an hour."""
    now = int(time.time() * 1_000) // MINUTE * MINUTE
    times = [now - 8 * DAY + row * 10 * MINUTE for row in range(8 * 144 + 1)]
    stopped = range(now - 5 * 60 * MINUTE, now - 4 * 60 * MINUTE)
    day = [20 + 10 * (at - times[0]) / DAY for at in times]
    orders = [0.0 if at in stopped else 100 + 30 * math.sin(at % DAY / DAY * math.tau) + at // MINUTE % 7 for at in times]
    for name, values in [("disk_used_ratio", day), ("orders", orders)]:
        body = packed({"__name__": name, "host": "h"}, list(zip(times, values, strict=True)))
        assert write(rest, body, path).status == 204
    return now


def test_a_full_disk_and_a_missing_hour_are_told_before_and_after(mesh, rest):
    from conftest import Client
    from google.protobuf.duration_pb2 import Duration
    from weft.telemetry.v1 import forecast_pb2, telemetry_service_pb2, telemetry_service_pb2_grpc

    now = week(rest, "/prometheus/outlook/api/v1/write")
    stub = telemetry_service_pb2_grpc.TelemetryServiceStub(Client(mesh.target, mesh.key).channel)
    # It has 100 now and gets ten a day.
    request = telemetry_service_pb2.GetForecastRequest(
        parent="projects/outlook", query="disk_used_ratio", horizon=Duration(seconds=30 * 86_400), threshold=150
    )
    [disk] = stub.GetForecast(request).forecasts
    assert disk.labels == {"__name__": "disk_used_ratio", "host": "h"}
    assert disk.trend_per_second * 86_400 == pytest.approx(10, rel=1e-3)
    assert disk.crossing.cross_time.ToMilliseconds() == pytest.approx(now + 5 * DAY, abs=DAY / 10)
    assert disk.crossing.earliest_time.ToMilliseconds() <= disk.crossing.cross_time.ToMilliseconds()
    assert len(disk.points) == 120
    request.direction = forecast_pb2.CROSSING_DIRECTION_FALLING
    request.threshold = 10
    assert not stub.GetForecast(request).forecasts[0].HasField("crossing")
    asked = {"query": "orders", "horizon": "86400s", "pointCount": 24, "threshold": 80.5, "direction": "CROSSING_DIRECTION_FALLING"}
    answer = rest("GET", "/v1/projects/outlook/series:forecast?" + urllib.parse.urlencode(asked))
    assert answer.status == 200, answer.body
    [orders] = answer.json["forecasts"]
    assert orders["season"]["period"] == "86400s" and len(orders["points"]) == 24
    assert orders["crossing"]["crossTime"]
    answer = rest("GET", "/v1/projects/outlook/series:findAnomalies?" + urllib.parse.urlencode({"query": '{host="h"}'}))
    [found] = answer.json["series"]
    assert (answer.json["seriesCount"], answer.json["anomalousSeriesCount"]) == (2, 1)
    assert found["labels"]["__name__"] == "orders" and len(found["anomalies"]) == 1
    [spell] = stub.FindAnomalies(
        telemetry_service_pb2.FindAnomaliesRequest(parent="projects/outlook", query="orders")
    ).series[0].anomalies
    assert spell.start_time.ToMilliseconds() == pytest.approx(now - 5 * 60 * MINUTE, abs=10 * MINUTE)
    assert spell.seen_value == 0 and spell.expected_value > 50
    for path in ["forecast?query=up&horizon=0s", "forecast?query=sum(", "findAnomalies?query=up&minScore=0.5", "findAnomalies"]:
        refused = rest("GET", f"/v1/projects/outlook/series:{path}")
        assert refused.status == 400, (path, refused.body)
    assert Rest(mesh, None)("GET", "/v1/projects/outlook/series:forecast?query=up").status == 401

    words = weft(mesh, "telemetry", "forecast", "disk_used_ratio", "--threshold", 150, "--project", "outlook")
    assert "REACHES 150" in words and "in 5 days" in words and "+10 a day" in words
    words = weft(mesh, "telemetry", "forecast", "disk_used_ratio", "--threshold", 10, "--below", "--project", "outlook")
    assert "not in 30 days" in words
    words = weft(mesh, "telemetry", "anomalies", '{host="h"}', "--last", "24h", "--project", "outlook")
    assert "orders" in words and "1 of 2 series have anomalies; 1 of 1 anomalies are shown" in words
    told = json.loads(weft(mesh, "telemetry", "anomalies", "orders", "--project", "outlook", "-o", "json"))
    assert told["series"][0]["anomalies"][0]["peakScore"] > 5
    told = json.loads(weft(mesh, "telemetry", "forecast", "orders", "--ahead", "1d", "--project", "outlook", "-o", "json"))
    # Every other of 144 steps: 120 points at most.
    assert len(told["forecasts"][0]["points"]) == 72
