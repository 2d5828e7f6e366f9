"""The OpenAPI document is true: schemathesis makes requests from it, right and wrong ones, and looks at every answer.

For each operation it tries the examples, the border of every rule, what breaks each rule, other HTTP methods, other
credentials, and some of what hypothesis thinks up. A mesh of its own, because it revokes, deletes and rotates what it can.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
from mesh import BIN, Mesh
from rest import Rest

HERE = pathlib.Path(__file__).parent

# Longer runs, for those who look for more: SCHEMATHESIS_EXAMPLES=200 SCHEMATHESIS_SEED=1.
EXAMPLES = os.environ.get("SCHEMATHESIS_EXAMPLES", "5")
SEED = os.environ.get("SCHEMATHESIS_SEED", "7")

# What schemathesis checks besides, and is not asked to:
LEFT_OUT = [
    # A schema cannot say all that is asked of a request: page tokens are those that a list gave, filters have a
    # grammar, keys must have been enrolled. What is refused must say why, which `refusals_say_why` asks of it.
    "positive_data_acceptance",
    # proto3 JSON has several words for one thing, `null` for what is left out and "1" for 1, of which the document has
    # the canonical one. `wrong_data_is_refused` takes its place: the same check, but for them.
    "negative_data_rejection",
]

# All other operations are answered at least once, and not only refused; but for those that delete, which are asked to
# delete what is not there, because others ask for what is.
REFUSED = {
    # These want a secret or a signature.
    "POST /v1/agents:enroll",
    "POST /v1/projects/{project}/agents/{agent}:issueToken",
    "POST /v1/tokens:issue",
    # What has been approved is not rejected.
    "POST /v1/projects/{project}/commands/{command}:reject",
    # These want names of what is there, within a list or a body.
    "GET /v1/projects/{project}/graphs/{graph}:neighborhood",
    "POST /v1/projects/{project}/commands",
    "POST /v1/projects/{project}/graphs/{graph}/sources",
    "POST /v1/projects/{project}/graphs/{graph}:applyChanges",
    # These want an agent that speaks OpAMP.
    "GET /v1/projects/{project}/agents/{agent}/collectorConfiguration",
    "PATCH /v1/projects/{project}/agents/{agent}/collectorConfiguration",
    "POST /v1/projects/{project}/agents/{agent}:restart",
    # These want an agent that is connected.
    "GET /api/knowledge/content",
    "GET /api/knowledge/file",
    "GET /api/knowledge/files",
    "GET /api/knowledge/search",
    "GET /api/knowledge/stats",
    "GET /api/services",
    "GET /api/system/ports",
    "GET /api/system/processes",
    "GET /v1/projects/{project}/agents/{agent}/ports",
    "GET /v1/projects/{project}/agents/{agent}/processes",
    "POST /v1/projects/{project}/agents/{agent}:stopProcess",
    "GET /v1/projects/{project}/agents/{agent}/knowledgeFiles",
    "GET /v1/projects/{project}/agents/{agent}/knowledgeFiles:statistics",
    "GET /v1/projects/{project}/agents/{agent}/knowledgeFiles/{knowledge_file}",
    "GET /v1/projects/{project}/agents/{agent}/knowledgeFiles/{knowledge_file}:read",
    "GET /v1/projects/{project}/agents/{agent}/services",
    "POST /v1/projects/{project}/agents/{agent}/services",
    "GET /v1/projects/{project}/agents/{agent}/services/{service}",
    "PATCH /v1/projects/{project}/agents/{agent}/services/{service}",
    "POST /v1/projects/{project}/agents/{agent}/services/{service}:start",
    "POST /v1/projects/{project}/agents/{agent}/services/{service}:stop",
    "POST /v1/projects/{project}/agents/{agent}/services/{service}:restart",
    "GET /v1/projects/{project}/agents/{agent}/services/{service}:watchLog",
    # A query, and samples in a format.
    "GET /v1/projects/{project}/series:query",
    "GET /v1/projects/{project}/series:queryRange",
    "GET /v1/projects/{project}/series:forecast",
    "GET /v1/projects/{project}/series:findAnomalies",
    "GET /v1/projects/{project}/series:watch",
    "POST /v1/projects/{project}/samples:write",
    "POST /v1/projects/{project}/logs:write",
    "POST /v1/projects/{project}/spans:write",
    "POST /v1/projects/{project}/alertRules",
    "PATCH /v1/projects/{project}/alertRules/{alert_rule}",
    # Matchers, and a time that is to come.
    "POST /v1/projects/{project}/silences",
    # These want a rule of one of six kinds, and then of the kind that is there.
    "POST /v1/projects/{project}/graphs/{graph}/layouts/{layout}/constraints",
    "PATCH /v1/projects/{project}/graphs/{graph}/layouts/{layout}/constraints/{constraint}",
    # This wants a value, and an id that nothing has yet.
    "POST /v1/projects/{project}/secrets",
    # These want a workflow, where all others want a graph to look at.
    "GET /v1/projects/{project}/graphs/{graph}:validateWorkflow",
    "POST /v1/projects/{project}/executions",
    # These want a workflow and one of two sources, a schedule to be changed, a webhook, and a time that is over.
    "POST /v1/projects/{project}/triggers",
    "PATCH /v1/projects/{project}/triggers/{trigger}",
    "POST /v1/projects/{project}/triggers/{trigger}:rotateToken",
    "POST /v1/projects/{project}/triggers/{trigger}:backfill",
    # These want an execution, or a step of it, in a state that the first of them takes it out of.
    "POST /v1/projects/{project}/executions/{execution}/steps/{step}:decide",
    "POST /v1/projects/{project}/executions/{execution}:cancel",
    "POST /v1/projects/{project}/executions/{execution}:pause",
    "POST /v1/projects/{project}/executions/{execution}:resume",
    "POST /v1/projects/{project}/executions/{execution}:retry",
    "POST /v1/projects/{project}/executions/{execution}:signal",
    "POST /v1/projects/{project}/executions/{execution}:terminate",
}

# Streams that go on until their client leaves are not left out either: they are given a deadline. One that has not begun
# by then, on a machine that is busy, ends with 504.
SETTINGS = """
[[operations]]
include-path-regex = ":(watch|watchCommunities|output)$"
headers = { x-weft-timeout = "50ms" }
checks.not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 504]

# One of sixteen algorithms, or of six rules: to make a body that is none of them takes minutes.
[[operations]]
include-operation-id-regex = "AnalysisService_CreateAnalysis|LayoutService_(Create|Update)Constraint"
phases.examples.enabled = false
phases.coverage.enabled = false
"""


@pytest.fixture
def mesh(tmp_path_factory):
    folder = tmp_path_factory.mktemp("schemathesis")
    notes = folder / "notes"
    notes.mkdir()
    (notes / "Engine.md").write_text("See [[Numbers]].\n")
    unlimited = {
        f"WEFT_LIMITS__RATE__{kind}__{what}": "1000000"
        for kind in ["READ", "WRITE", "BULK", "STREAM", "SIGN_IN"]
        for what in ["PER_SECOND", "BURST"]
    }
    running = Mesh(folder / "data", arguments=["--folder", f"notes={notes}"], environment=unlimited).start()
    yield running
    assert running.stop() == 0, running.log.read_text()[-4000:]


@pytest.fixture
def known(mesh):
    """One of everything that there can be, and its name in paths."""

    def weft(*arguments):
        clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
        command = [BIN, "--data", mesh.data, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, check=True, text=True, env=clean, timeout=60).stdout.strip()

    weft("graph", "create", "g")
    weft("analyses", "run", "g", "cores", "--id", "a")
    weft("source", "create", "g/notes", "--folder", "notes")
    weft("source", "refresh", "g/notes")
    token = weft("agents", "token", "create")
    weft("agent", "enroll", "--home", mesh.data.parent / "agent", "--id", "host", "--token", token)
    # Its agent is away: it waits. Another one waits for a second person besides.
    weft("commands", "submit", "noop", "--agent", "host", "--id", "c")
    weft("commands", "types", "create", "careful", "--script", "work", "--requires-approval")
    bob = mesh.data.parent / "bob.key"
    bob.write_text(weft("key", "create", "bob", "--role", "operator"))
    weft("--key-file", bob, "commands", "submit", "careful", "--agent", "host", "--id", "careful")
    rest = Rest(mesh, mesh.key)
    made_by_id = ["graphs/g/layouts?layoutId=l", "apiKeys?apiKeyId=k", "enrollmentTokens?enrollmentTokenId=t"]
    bodies = {place: {} for place in [*made_by_id, "commandTypes?commandTypeId=y"]}
    bodies["apiKeys?apiKeyId=k"] = {"role": "ROLE_VIEWER"}
    bodies["graphs/g/layouts/l/constraints?constraintId=n"] = {"collision": {"radius": 1}}
    bodies["alertRules?alertRuleId=r"] = {"expression": "absent(nothing)"}
    matcher = {"label": "host", "value": "h"}
    tomorrow = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)).isoformat()
    bodies["silences?silenceId=s"] = {"matchers": [matcher], "endTime": tomorrow}
    bodies["secrets?secretId=s"] = {"value": "nobody is shown it"}
    # A workflow that waits for a word which nobody says.
    bodies["graphs?graphId=w"] = {"kind": "GRAPH_KIND_WORKFLOW"}
    nodes = [("in", "input", {}), ("wait", "signal", {"signal": "go"}), ("out", "output", {})]
    changes = [
        {"upsertNode": {"node": {"key": key, "type": kind, "properties": properties}}} for key, kind, properties in nodes
    ]
    changes += [{"upsertEdge": {"edge": {"source": a, "target": b}}} for a, b in [("in", "wait"), ("wait", "out")]]
    bodies["graphs/w:applyChanges"] = {"changes": changes}
    bodies["executions?executionId=x"] = {"graph": "projects/default/graphs/w"}
    bodies["runLimits?runLimitId=u"] = {"maxConcurrent": 1000}
    # A trigger that nobody waits for, and one delivery of it.
    yearly = {"graph": "projects/default/graphs/w", "schedule": {"cron": "0 0 1 1 *"}}
    bodies["triggers?triggerId=s"] = yearly
    bodies["triggers/s:fire"] = {"body": {"n": 1}}
    for place, body in bodies.items():
        made = rest("POST", f"/v1/projects/default/{place}", body)
        assert made.status == 200, made.body
    delivery = made.json["name"].rsplit("/", 1)[1]
    made = rest("POST", "/v1/projects/default/objects/o:write", b"bytes")
    assert made.status == 200, made.body
    now = str(time.time_ns())
    span = {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "work", "startTimeUnixNano": now, "endTimeUnixNano": now}
    sent = rest("POST", "/v1/traces", {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    assert sent.json == {}, sent.body
    return {
        "project": "default",
        "api_key": "k",
        "enrollment_token": "t",
        "graph": "g",
        "key": "Engine",
        "layout": "l",
        "constraint": "n",
        "analysis": "a",
        "source": "notes",
        "refresh": "1",
        "folder": "notes",
        "agent": "host",
        "service": "web",
        "knowledge_file": "0a",
        "command": "c",
        "command_to_approve": "careful",
        "command_type": "y",
        "target": "host",
        "alert_rule": "r",
        "silence": "s",
        "secret": "s",
        "execution": "x",
        "step": "1",
        "run_limit": "u",
        "object": "o",
        "trigger": "s",
        "delivery": delivery,
        "trace": "ab" * 16,
    }


def test_the_document_is_true(mesh, known, tmp_path):
    report, answered = tmp_path / "report.json", tmp_path / "answered"
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    command = [
        pathlib.Path(sys.executable).parent / "schemathesis",
        *("run", f"{mesh.url}/openapi.json", "--header", f"Authorization: Bearer {mesh.key}"),
        # Workers of Python share one core: more of them are not faster, and do not do the same twice.
        *("--workers", "1", "--seed", SEED, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing"),
        *("--generation-database", "none", "--request-timeout", "20", "--no-color"),
        *("--exclude-checks", ",".join(LEFT_OUT), "--report-json-path", report),
    ]
    told = {
        "PYTHONPATH": str(HERE),
        "SCHEMATHESIS_HOOKS": "schemathesis_hooks",
        "KNOWN_NAMES": json.dumps(known),
        "ANSWERED": str(answered),
    }
    # It takes a minute or three; who asks for more examples waits longer.
    patience = 600 * max(1, int(EXAMPLES) / 5)
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ, **told}, capture_output=True, timeout=patience)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    operations = json.loads(report.read_text())["operations"]
    assert operations["tested"] == operations["total"] > 60, operations
    # Only refusals prove little.
    document = Rest(mesh, mesh.key)("GET", "/openapi.json").json
    every = {f"{method.upper()} {path}" for path, item in document["paths"].items() for method in item.keys() - {"delete"}}
    refused = every - set(answered.read_text().splitlines())
    assert refused <= REFUSED, "\n".join(sorted(refused - REFUSED))
