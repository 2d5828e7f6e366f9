"""Logs and traces as OpenTelemetry's own SDK for Python sends them, found again through REST, gRPC and the shell."""

import gzip
import json
import logging
import subprocess
import time
import urllib.parse

import grpc
import otlp
import pytest
from mesh import BIN
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otlp import clean, weft
from rest import Rest


@pytest.fixture(scope="module")
def mesh(tmp_path_factory):
    yield from otlp.mesh(tmp_path_factory.mktemp("logs"))


def get(rest, path, **query):
    answer = rest("GET", f"/v1/projects/default/{path}?" + urllib.parse.urlencode(query, doseq=True))
    assert answer.status == 200, answer.body
    return answer.json


def searched(rest, **query):
    return get(rest, "logs:search", **query).get("logs", [])


def exporters(mesh, way):
    address = mesh.info["otlp_addresses"][0]
    headers = {"authorization": f"Bearer {mesh.key}"}
    if way == "grpc":
        told = {"endpoint": address, "insecure": True, "headers": headers, "compression": grpc.Compression.Gzip}
        return GrpcLogs(**told), GrpcSpans(**told)
    return (HttpLogs(endpoint=f"http://{address}/v1/logs", headers=headers),
            HttpSpans(endpoint=f"http://{address}/v1/traces", headers=headers))


@pytest.mark.parametrize("way", ["grpc", "http"])
def test_the_sdk_sends_a_request_of_two_services_and_what_it_said(mesh, rest, way):
    logs, spans = exporters(mesh, way)
    resource = Resource.create({"service.name": f"shop-{way}", "deployment.environment": "test"})
    tracing = TracerProvider(resource=resource)
    tracing.add_span_processor(BatchSpanProcessor(spans))
    logged = LoggerProvider(resource=resource)
    logged.add_log_record_processor(BatchLogRecordProcessor(logs))
    logger = logging.getLogger(f"orders.{way}")
    logger.setLevel(logging.INFO)
    logger.addHandler(LoggingHandler(logger_provider=logged))
    tracer = tracing.get_tracer("orders", "1.2")
    with tracer.start_as_current_span("POST /orders", kind=trace.SpanKind.SERVER) as root:
        logger.info("order %s accepted", 4711, extra={"order": 4711})
        with pytest.raises(ZeroDivisionError), tracer.start_as_current_span("charge", attributes={"order": 4711, "vip": True}):
            logger.error("card of customer Müller declined")
            1 / 0
    trace_id = f"{root.get_span_context().trace_id:032x}"
    assert tracing.force_flush() and logged.force_flush()
    tracing.shutdown()
    logged.shutdown()

    service = f"shop-{way}"
    [declined, accepted] = searched(rest, serviceName=service)
    assert (declined["severity"], accepted["severity"]) == ("LOG_SEVERITY_ERROR", "LOG_SEVERITY_INFO")
    assert accepted["body"] == "order 4711 accepted" and accepted["attributes"]["order"] == 4711
    assert declined["traceId"] == trace_id and declined["spanId"] != accepted["spanId"]
    origin = declined["origin"]
    assert origin["scopeName"] == f"orders.{way}" and origin["resourceAttributes"]["deployment.environment"] == "test"
    for query in [
        {"query": "MÜLLER declined"}, {"query": '"customer müller"'}, {"query": "decl* -accepted"},
        {"minSeverity": "LOG_SEVERITY_WARN"}, {"traceId": trace_id, "query": "card"},
    ]:
        assert searched(rest, serviceName=service, **query) == [declined], query
    assert searched(rest, serviceName=service, attributes=["order=4711", "deployment.environment=test"]) == [accepted]
    assert searched(rest, serviceName=service, query="nothing of this") == []

    [found] = get(rest, "traces:search", serviceName=service, errorsOnly="true", attributes="vip=true")["traces"]
    assert (found["traceId"], found["rootOperation"], found["spanCount"]) == (trace_id, "POST /orders", 2)
    # One of them ended in an error; the other one's was caught.
    assert found["errorSpanCount"] == 1 and found["hasRoot"] is True
    whole = get(rest, f"traces/{trace_id}")
    [root, charge] = whole["spans"]
    assert charge["parentSpanId"] == root["spanId"] and root["kind"] == "SPAN_KIND_SERVER"
    assert charge["status"] == "SPAN_STATUS_ERROR" and "division" in charge["statusMessage"]
    [event] = charge["events"]
    assert event["eventName"] == "exception" and event["attributes"]["exception.type"] == "ZeroDivisionError"
    assert get(rest, "traces:search", operation="charge", serviceName=service)["traces"] == [found]
    assert get(rest, "traces:search", serviceName=service, minDuration="3600s") == {}

    lines = weft(mesh, "telemetry", "logs", "--service", service).splitlines()
    assert "INFO" in lines[0] and "order 4711 accepted" in lines[0] and "Müller" in lines[1]
    assert weft(mesh, "telemetry", "logs", "müller", "--severity", "error", "--service", service).count("\n") == 1
    told = json.loads(weft(mesh, "telemetry", "logs", "--trace", trace_id, "-o", "json"))
    assert told["logs"] == [declined, accepted]
    assert trace_id in weft(mesh, "telemetry", "traces", "--service", service, "--errors")
    tree = weft(mesh, "telemetry", "trace", trace_id)
    assert "█" in tree and tree.index("POST /orders") < tree.index("charge") and "ERROR" in tree
    assert json.loads(weft(mesh, "telemetry", "trace", trace_id, "-o", "json")) == whole


def record(text, **more):
    return {"timeUnixNano": str(time.time_ns()), "severityNumber": 9, "body": {"stringValue": text}, **more}


def export(*records):
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}


def send(rest, *records, **headers):
    return rest("POST", "/v1/logs", export(*records), **headers)


def test_json_of_others_is_taken_and_what_is_wrong_is_said(mesh, rest):
    structured = record("", body={"kvlistValue": {"values": [{"key": "user", "value": {"stringValue": "ada"}}]}})
    assert send(rest, structured).json == {}
    [found] = searched(rest, query="ada")
    assert found["body"] == {"user": "ada"}
    old = record("old", timeUnixNano="1")
    partial = send(rest, record("fresh"), old, old).json
    assert partial == {"partialSuccess": {"rejectedLogRecords": "2", "errorMessage": "TIME_OUT_OF_RANGE"}}
    span = {"name": "nobody", "startTimeUnixNano": str(time.time_ns())}
    answer = rest("POST", "/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert answer.json == {"partialSuccess": {"rejectedSpans": "1", "errorMessage": "SPAN_ID_INVALID"}}
    packed = gzip.compress(json.dumps(export(record("packed words"))).encode())
    sent = rest("POST", "/v1/logs", packed, content_type="application/json", content_encoding="gzip")
    assert sent.status == 200 and len(searched(rest, query="packed")) == 1
    for path in ["/v1/logs", "/v1/traces"]:
        assert rest("POST", path, b"{}", content_type="text/plain").status == 415
        assert rest("POST", path, b"\xff", content_type="application/x-protobuf").status == 400
        assert rest("POST", path, b"[", content_type="application/json").status == 400
        assert rest("GET", path).status == 405
        assert Rest(mesh, None)("POST", path, {}).status == 401
    # Nobody sees another project's.
    answer = rest("GET", "/v1/projects/other/logs:search")
    assert answer.status == 200 and answer.json == {}
    assert send(rest, record("of the other"), x_scope_orgid="other").json == {}
    assert searched(rest, query='"of the other"') == []
    assert len(rest("GET", "/v1/projects/other/logs:search").json["logs"]) == 1
    assert rest("GET", f"/v1/projects/default/traces/{'ee' * 16}").status == 404
    assert rest("GET", "/v1/projects/default/traces/ee").status == 400
    assert rest("GET", "/v1/projects/default/logs:search?query=%22open").status == 400


def test_pages_and_what_arrives_meanwhile(mesh, rest):
    parent = "/v1/projects/pages"
    assert send(rest, *(record(f"number {n}", timeUnixNano=str(time.time_ns())) for n in range(5)), x_scope_orgid="pages").json == {}
    first = rest("GET", f"{parent}/logs:search?pageSize=2").json
    assert send(rest, record("later"), x_scope_orgid="pages").json == {}
    second = rest("GET", f"{parent}/logs:search?pageSize=5&pageToken={first['nextPageToken']}").json
    bodies = [log["body"] for log in first["logs"] + second["logs"]]
    assert bodies == [f"number {n}" for n in reversed(range(5))] and "nextPageToken" not in second


def test_whoever_follows_is_told(mesh, rest):
    command = [BIN, "--data", mesh.data, "telemetry", "logs", "--follow", "follow*", "--severity", "warn", "-o", "json"]
    following = subprocess.Popen(command, stdout=subprocess.PIPE, env=clean(), text=True)
    try:
        # The first answer says that it has begun.
        assert following.stdout.readline().strip() == "{}"
        sent = send(rest, record("followed but fine"), record("other", severityNumber=17), record("followed", severityNumber=17))
        assert sent.json == {}
        text = ""
        while True:
            text += following.stdout.readline()
            try:
                told = json.loads(text)
                break
            except json.JSONDecodeError:
                continue
        assert [log["body"] for log in told["logs"]] == ["followed"]
    finally:
        following.kill()
        following.wait(20)


def test_what_was_acknowledged_is_there_after_kill_9(mesh, rest):
    now = time.time_ns()
    for number in range(20):
        assert send(rest, record(f"kept {number}")).json == {}
    ids = {"traceId": "0a" * 16, "spanId": "0b" * 8, "startTimeUnixNano": str(now), "endTimeUnixNano": str(now + 5)}
    sent = rest("POST", "/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "kept", **ids}]}]}]})
    assert sent.json == {}
    mesh.kill()
    mesh.start()
    again = Rest(mesh, mesh.key)
    deadline = time.monotonic() + 60

    def once_it_is_ready(path):
        while (answer := again("GET", f"/v1/projects/default/{path}")).status == 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert answer.status == 200, answer.body
        return answer.json

    logs = once_it_is_ready("logs:search?query=kept")["logs"]
    assert [log["body"] for log in logs] == [f"kept {n}" for n in reversed(range(20))]
    assert once_it_is_ready(f"traces/{'0a' * 16}")["summary"]["rootOperation"] == "kept"
