"""Health as gRPC's own clients ask for it, and as a load balancer does."""

import urllib.request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from shapes import refused

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICES = [
    "",
    "weft.graph.v1.GraphService",
    "weft.compute.v1.LayoutService",
    "weft.compute.v1.AnalysisService",
    "weft.identity.v1.IdentityService",
]


@pytest.fixture
def health(connect):
    return health_pb2_grpc.HealthStub(connect(None).channel)


@pytest.mark.parametrize("service", SERVICES)
def test_everything_serves(health, service):
    assert health.Check(health_pb2.HealthCheckRequest(service=service), timeout=10).status == SERVING


@pytest.mark.parametrize("service", SERVICES)
def test_a_watcher_is_told_at_once(health, service):
    stream = health.Watch(health_pb2.HealthCheckRequest(service=service), timeout=10)
    assert next(iter(stream)).status == SERVING
    stream.cancel()


def test_unknown_services_are_told_apart(health):
    with refused(grpc.StatusCode.NOT_FOUND):
        health.Check(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=10)
    stream = health.Watch(health_pb2.HealthCheckRequest(service="no.such.Service"), timeout=10)
    assert next(iter(stream)).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    stream.cancel()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_load_balancer_can_ask(mesh, path):
    with urllib.request.urlopen(mesh.url + path, timeout=10) as answer:
        assert answer.status == 200


def test_metrics_count_what_was_called(mesh, health):
    health.Check(health_pb2.HealthCheckRequest(service=""), timeout=10)
    with urllib.request.urlopen(mesh.url + "/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert answer.headers["content-type"].startswith(("text/plain", "application/openmetrics-text"))
    assert "# TYPE" in text and "weft.graph.v1.GraphService" in text
