"""What schemathesis, in a process of its own, is told of this mesh (`test_schemathesis.py` starts it).

What there is, so that calls get further than "not found"; and checks that it does not have.
"""

import atexit
import json
import os
import pathlib
import re
import urllib.parse

import jsonschema_rs
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import negative_data_rejection

# Path parameters, and what of their kind is there.
KNOWN = json.loads(os.environ["KNOWN_NAMES"])
ERRORS = pathlib.Path(__file__).resolve().parents[2] / "docs/errors"
REASONS = {reason for page in ERRORS.glob("*.md") for reason in re.findall(r"`([A-Z][A-Z0-9_]+)`", page.read_text())}

# Operations that have been answered, and not refused.
ANSWERED = set()
atexit.register(lambda: pathlib.Path(os.environ["ANSWERED"]).write_text("\n".join(sorted(ANSWERED))))


def is_negative(case, location):
    """Whether this part of a request is wrong on purpose."""
    component = case.meta and case.meta.components.get(location)
    return bool(component) and component.mode.is_negative


@schemathesis.hook
def map_case(context, case):
    """Asks for what is there, unless that is to be wrong; only deletes what is not."""
    if not is_negative(case, ParameterLocation.PATH):
        names = list(case.path_parameters)
        for name in names[:-1] if case.method == "DELETE" else names:
            if name in KNOWN:
                case.path_parameters[name] = KNOWN[name]
        if case.path.endswith("/routes"):
            case.path_parameters["project"] = "mesh"
        if case.path.endswith(":approve"):
            case.path_parameters["command"] = KNOWN["command_to_approve"]
    if not is_negative(case, ParameterLocation.QUERY):
        for name in case.query or ():
            if name in ["key", "source", "target"]:
                case.query[name] = KNOWN["key"]
    if not is_negative(case, ParameterLocation.BODY) and isinstance(case.body, dict):
        # A trigger has one source, which JSON Schema has no short word for: two are refused before anybody is asked who they are.
        known = ["webhook", "schedule", "executionEnd", "graphChange", "alert", "message"]
        sources = [name for name in known if name in case.body]
        for name in sources[1:]:
            case.body.pop(name)
    return case


@schemathesis.hook
def after_call(context, case, response):
    """Remembers what was answered."""
    # Some cases ask with another method.
    if response.status_code < 400 and case.method.lower() == case.operation.method.lower():
        ANSWERED.add(case.operation.label)


def errors(case, value, *place):
    """What is not as the document says at a place within the operation."""
    document = case.operation.schema.raw_schema
    schema = document["paths"][case.path][case.method.lower()]
    for name in place:
        schema = schema[name]
    return list(jsonschema_rs.iter_errors({**schema, "components": document["components"]}, value))


def query_errors(case):
    """What is not as the document says in the query."""
    document = case.operation.schema.raw_schema
    parameters = document["paths"][case.path][case.method.lower()]["parameters"]
    schemas = {each["name"]: each["schema"] for each in parameters if each.get("in") == "query"}
    for name, value in case.query.items():
        yield from jsonschema_rs.iter_errors({**schemas[name], "components": document["components"]}, value)


def is_other_spelling(error):
    """Whether proto3 JSON has another word for it: `null` for what is left out, numbers as texts and long ones and enums
    as numbers."""
    value = error.instance
    if isinstance(value, str):
        return re.fullmatch(r"-?[0-9.]+|NaN|-?Infinity", value) is not None
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


@schemathesis.check
def wrong_data_is_refused(context, response, case):
    """As negative_data_rejection, which takes for wrong what proto3 JSON takes and JSON Schema has no short word for."""
    try:
        negative_data_rejection(context, response, case)
    except AcceptedNegativeData:
        outside = set(case.meta.components) - {ParameterLocation.BODY, ParameterLocation.QUERY}
        if any(is_negative(case, location) for location in outside):
            raise
        if is_negative(case, ParameterLocation.QUERY) and not all(map(is_other_spelling, query_errors(case))):
            raise
        if not is_negative(case, ParameterLocation.BODY):
            return
        for error in errors(case, case.body, "requestBody", "content", "application/json", "schema"):
            # What an update is of is told by its path, whatever its body calls it.
            is_told = case.method == "PATCH" and list(error.instance_path)[:1] == ["name"]
            if not (is_told or is_other_spelling(error)):
                raise


@schemathesis.hook
def filter_query(context, query):
    """A head of more than 64 KiB is no request yet: the port refuses it, beneath all protocols, without a body."""
    return len(urllib.parse.urlencode(query or {}, doseq=True)) < 60_000


@schemathesis.check
def refusals_say_why(context, response, case):
    """Every refusal is a google.rpc.Status with a reason that docs/errors explains, and names the field that is wrong."""
    if response.status_code < 400 or case.method == "HEAD":
        return
    status = response.json()
    details = {detail["@type"].rsplit(".", 1)[1]: detail for detail in status["details"]}
    reason = details.get("ErrorInfo", {}).get("reason")
    if not (status["code"] and status["message"] and reason in REASONS):
        raise Failure(operation=case.operation.label, title="A refusal that does not say why", message=response.text)
    if reason == "INVALID_FIELD" and not details["BadRequest"]["fieldViolations"]:
        raise Failure(operation=case.operation.label, title="No field is named", message=response.text)


@schemathesis.check
def lines_are_as_documented(context, response, case):
    """Each line of a stream is a message, or the error that it ends with."""
    if response.headers.get("content-type", [""])[0] != "application/x-ndjson":
        return
    *messages, last = response.text.splitlines() or ["{}"]
    if "error" not in json.loads(last):
        messages.append(last)
    schema = ("responses", "200", "content", "application/x-ndjson", "schema")
    for line in messages:
        if errors(case, json.loads(line), *schema):
            raise Failure(operation=case.operation.label, title="A line of another shape", message=line)
