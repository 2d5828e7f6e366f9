"""Limits of whole runs: exact over kill -9, changed while runs run, from REST and the command line."""

import collections
import itertools
import json
import os
import subprocess
import time

import pytest
from mesh import BIN, Mesh
from rest import Rest, query

PROJECT = "/v1/projects/p"
DEADLINE_SECONDS = 120


@pytest.fixture
def mesh(tmp_path):
    running = Mesh(tmp_path / "data").start()
    yield running
    running.kill()


def weft(mesh, *arguments, status=0):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=clean, timeout=60)
    assert done.returncode == status, (done.stdout, done.stderr)
    return (done.stdout if status == 0 else done.stderr).decode()


def ok(answer):
    assert answer.status == 200, answer.body
    return answer.json


def workflow(rest, graph, kind, settings, steps=1):
    """A workflow of one step, or some after each other, between an input and an output."""
    ok(rest("POST", f"{PROJECT}/graphs" + query(graphId=graph), {"kind": "GRAPH_KIND_WORKFLOW"}))
    nodes = [
        {"key": "start", "type": "input"},
        *({"key": f"step-{number}", "type": kind, "properties": settings} for number in range(steps)),
        {"key": "end", "type": "output"},
    ]
    changes = [{"upsertNode": {"node": each}} for each in nodes]
    changes += [
        {"upsertEdge": {"edge": {"source": source, "target": target}}}
        for source, target in itertools.pairwise(node["key"] for node in nodes)
    ]
    ok(rest("POST", f"{PROJECT}/graphs/{graph}:applyChanges", {"changes": changes}))


def start(rest, graph, customer, **more):
    body = {"graph": f"projects/p/graphs/{graph}", "displayName": customer, "input": {"customer": customer}, **more}
    return ok(rest("POST", f"{PROJECT}/executions", body))


def runs(rest, state=""):
    """All runs of one moment: a page is one look at what is on disk."""
    found = ok(rest("GET", f"{PROJECT}/executions" + query(pageSize=500, filter=state)))
    return found.get("executions", [])


def most_at_once(executions):
    """How many runs of one customer are at work, at most."""
    counts = collections.Counter(run["displayName"] for run in executions if run["state"] == "EXECUTION_STATE_RUNNING")
    return max(counts.values(), default=0)


def until(holds):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)


def test_limits_hold_over_kills_and_nothing_is_forgotten(mesh):
    rest = Rest(mesh, mesh.key)
    workflow(rest, "slow", "delay", {"for": "100ms"})
    limit = {"graph": "projects/p/graphs/slow", "key": "input.customer", "maxConcurrent": 1}
    ok(rest("POST", f"{PROJECT}/runLimits" + query(runLimitId="per-customer"), limit))
    ok(rest("POST", f"{PROJECT}/runLimits" + query(runLimitId="all"), {"maxConcurrent": 2}))
    accepted = {start(rest, "slow", f"c{number % 3}")["name"] for number in range(45)}
    for _ in range(3):
        done = len(runs(rest, "state = succeeded"))

        def more():
            now = runs(rest)
            assert most_at_once(now) <= 1, now
            assert sum(run["state"] == "EXECUTION_STATE_RUNNING" for run in now) <= 2
            return sum(run["state"] == "EXECUTION_STATE_SUCCEEDED" for run in now) >= done + 3

        until(more)
        # A power cut, with runs at work and others in the queue.
        mesh.kill()
        mesh.start()
        rest = Rest(mesh, mesh.key)
    # Changed while runs run: two of a customer from now on, and no limit of all of them.
    found = ok(rest("GET", f"{PROJECT}/runLimits/all"))
    assert found.get("runningCount", 0) <= 2 and found["waitingCount"] > 0, found
    weft(mesh, "executions", "limits", "update", "per-customer", "--project", "p", "--at-once", "2")
    weft(mesh, "executions", "limits", "delete", "all", "--project", "p")
    seen = []

    def over():
        now = runs(rest)
        seen.append(most_at_once(now))
        return all(run["state"] == "EXECUTION_STATE_SUCCEEDED" for run in now)

    until(over)
    assert max(seen) <= 2, seen
    assert {run["name"] for run in runs(rest)} == accepted
    found = ok(rest("GET", f"{PROJECT}/runLimits/per-customer"))
    assert "runningCount" not in found and "waitingCount" not in found


def test_what_starts_in_a_round_that_is_cut_is_not_forgotten(mesh):
    rest = Rest(mesh, mesh.key)
    workflow(rest, "held", "signal", {"signal": "go"})
    # Each publishes more than a MiB: more of them start at once than go on in one round of the engine.
    workflow(rest, "loud", "publish", {"topic": "loud"}, steps=18)
    ok(rest("POST", f"{PROJECT}/runLimits" + query(runLimitId="all"), {"maxConcurrent": 1}))
    start(rest, "held", "first")
    loud = [start(rest, "loud", "loud", input={"text": "x" * 60_000}) for _ in range(60)]
    assert all(run["state"] == "EXECUTION_STATE_QUEUED" for run in loud)
    # From here on all of them may start, which is the same round.
    ok(rest("PATCH", f"{PROJECT}/runLimits/all", {"maxConcurrent": 100}))
    until(lambda: runs(rest, "state = succeeded"))
    mesh.kill()
    mesh.start()
    rest = Rest(mesh, mesh.key)
    until(lambda: len(runs(rest, "state = succeeded")) == len(loud))
    found = ok(rest("GET", f"{PROJECT}/runLimits/all"))
    assert (found["runningCount"], found.get("waitingCount", 0)) == (1, 0), found


def test_a_rate_holds_over_a_kill_and_wakes_what_waits(mesh):
    rest = Rest(mesh, mesh.key)
    workflow(rest, "quick", "noop", {})
    rate = {"starts": 1, "interval": "2s", "burst": 1}
    ok(rest("POST", f"{PROJECT}/runLimits" + query(runLimitId="rate"), {"rate": rate}))
    began = time.monotonic()
    first = start(rest, "quick", "a")
    second = start(rest, "quick", "a")
    assert first["state"] == "EXECUTION_STATE_RUNNING" and second["state"] == "EXECUTION_STATE_QUEUED"
    assert second["wait"]["runLimit"] == "projects/p/runLimits/rate" and second["wait"]["position"] == 1
    assert "startTime" in second["wait"]
    mesh.kill()
    mesh.start()
    rest = Rest(mesh, mesh.key)
    until(lambda: len(runs(rest, "state = succeeded")) == 2)
    assert time.monotonic() - began >= 2, "the start before the kill counts"


def test_the_command_line_says_what_is_limited_and_why_something_waits(mesh):
    rest = Rest(mesh, mesh.key)
    workflow(rest, "held", "signal", {"signal": "go"})
    limits = ("executions", "limits")
    refused = weft(mesh, *limits, "create", "bad", "--project", "p", "--key", "input.(", "--at-once", 1, status=7)
    assert "run_limit.key" in refused
    terms = ("--key", "input.customer", "--at-once", 1, "--rate", "100/1m", "--burst", 5)
    one = ("one", "--project", "p", "--graph", "held", *terms)
    made = json.loads(weft(mesh, "--output", "json", *limits, "create", *one))
    assert (made["maxConcurrent"], made["rate"]["burst"], made["overflow"]) == (1, 5, "RUN_LIMIT_OVERFLOW_WAIT")
    run = ("run", "held", "--project", "p", "--input", '{"customer": "ada"}')
    weft(mesh, *run, "--id", "first")
    weft(mesh, *run, "--id", "second")
    weft(mesh, *run, "--id", "third", "--priority", "high")
    assert "number 2 of limit one for ada" in weft(mesh, "executions", "get", "second", "--project", "p")
    listed = weft(mesh, "executions", "list", "--project", "p", "--filter", "state = queued")
    assert "number 1 of limit one for ada" in listed and "third" in listed and "first" not in listed
    table = weft(mesh, *limits, "list", "--project", "p").splitlines()
    line = next(line for line in table if line.split()[:1] == ["one"])
    assert "100/1m burst 5" in line and line.split()[-2:] == ["1", "2"], line
    weft(mesh, *limits, "update", "one", "--project", "p", "--rate", "none", "--overflow", "skip")
    weft(mesh, *run, "--id", "fourth")
    assert "RUN_LIMIT_REACHED" in weft(mesh, "executions", "get", "fourth", "--project", "p")
    weft(mesh, *limits, "delete", "one", "--project", "p")
    until(lambda: len(runs(rest, "state = running")) == 3)
