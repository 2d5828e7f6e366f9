"""The OpenAPI document is valid and has every method that REST can reach."""

import re

import pytest
from google.api import annotations_pb2
from openapi_spec_validator import OpenAPIV31SpecValidator, validate
from rest import Rest


@pytest.fixture(scope="module")
def document(mesh):
    answer = Rest(mesh, None)("GET", "/openapi.json")
    assert answer.status == 200 and answer.type == "application/json"
    return answer.json


def routes():
    """HTTP verb and path template of every method of ours, from the generated descriptors."""
    from weft.compute.v1 import layout_service_pb2
    from weft.graph.v1 import graph_service_pb2
    from weft.identity.v1 import identity_service_pb2

    for module in [graph_service_pb2, layout_service_pb2, identity_service_pb2]:
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                options = method.GetOptions()
                if options.HasExtension(annotations_pb2.http):
                    rule = options.Extensions[annotations_pb2.http]
                    verb = rule.WhichOneof("pattern")
                    yield method.full_name, verb, getattr(rule, verb)


def shape(path):
    """A path with its variables and multi-segment patterns made alike."""
    path = re.sub(r"\{[^}=]+=([^}]*)\}", r"\1", path)
    return re.sub(r"\{[^}]*\}|\*\*|\*", "*", path)


def test_it_is_valid_openapi_31(document):
    assert document["openapi"].startswith("3.1")
    validate(document, cls=OpenAPIV31SpecValidator)


def test_every_method_with_a_route_is_in_it(document):
    offered = {(verb, shape(path)) for path, item in document["paths"].items() for verb in item}
    missing = [name for name, verb, path in routes() if (verb, shape(path)) not in offered]
    assert not missing, (missing, sorted(offered))


def test_operations_say_what_the_contracts_say(document):
    operations = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation.get("summary") or operation.get("description"), operation["operationId"]
    assert document["components"]["securitySchemes"]
