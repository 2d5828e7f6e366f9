"""Workers in Python with the generated client, and programs that `weft worker run` starts, over lost connections and kill -9."""

import json
import os
import queue
import signal
import subprocess
import threading
import time

import grpc
import pytest
from conftest import Client
from mesh import BIN, Mesh
from rest import Rest, query

PROJECT = "/v1/projects/default"
DEADLINE_SECONDS = 60


@pytest.fixture
def mesh(tmp_path):
    running = Mesh(tmp_path / "data").start()
    yield running
    running.kill()


def environment():
    return {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}


def weft(mesh, *arguments):
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=environment(), timeout=60, check=True)
    return done.stdout.decode()


def ok(answer):
    assert answer.status == 200, answer.body
    return answer.json


def workflow(rest, graph, settings):
    """A workflow of one task, in the queue of its name."""
    ok(rest("POST", f"{PROJECT}/graphs" + query(graphId=graph), {"kind": "GRAPH_KIND_WORKFLOW"}))
    nodes = [("start", "input", {}), ("do", "task", {"queue": graph, **settings}), ("end", "output", {})]
    changes = [
        {"upsertNode": {"node": {"key": key, "type": kind, "properties": properties}}}
        for key, kind, properties in nodes
    ]
    changes += [
        {"upsertEdge": {"edge": {"source": source, "target": target}}}
        for source, target in (("start", "do"), ("do", "end"))
    ]
    ok(rest("POST", f"{PROJECT}/graphs/{graph}:applyChanges", {"changes": changes}))


def start(rest, graph, **given):
    body = {"graph": f"projects/default/graphs/{graph}", "input": given}
    return ok(rest("POST", f"{PROJECT}/executions", body))["name"]


def until(holds):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := holds()):
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.02)
    return found


def ended(rest, name):
    def look():
        run = ok(rest("GET", f"/v1/{name}"))
        return run if "endTime" in run else None

    return until(look)


class Stream:
    """One stream of a worker."""

    def __init__(self, mesh, queues, slots=1, session="", tokens=()):
        from weft.execution.v1 import worker_service_pb2, worker_service_pb2_grpc

        self.pb = worker_service_pb2
        self.channel = Client(mesh.target, mesh.key).channel
        self.said = queue.Queue()
        self.say(
            open=self.pb.WorkerOpen(
                parent="projects/default", queues=queues, slot_count=slots, session=session, tokens=tokens
            )
        )
        self.call = worker_service_pb2_grpc.WorkerServiceStub(self.channel).AttachWorker(iter(self.said.get, None))
        self.heard = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        self.opened = self.next("opened")

    def read(self):
        try:
            for response in self.call:
                self.heard.put(response)
        except grpc.RpcError as error:
            self.heard.put(error)

    def say(self, **action):
        self.said.put(self.pb.AttachWorkerRequest(**action))

    def next(self, kind):
        """The next message of that kind, with none but answers to heartbeats before it."""
        while True:
            message = self.heard.get(timeout=DEADLINE_SECONDS)
            if isinstance(message, grpc.RpcError):
                raise message
            if message.WhichOneof("event") == kind:
                return getattr(message, kind)
            assert message.WhichOneof("event") == "heartbeat_answer", message

    def task(self):
        (task,) = self.next("starts").tasks
        return task

    def give(self, token, number):
        result = self.pb.TaskResult(token=token)
        result.output.number_value = number
        self.say(results=self.pb.TaskResults(results=[result]))
        (settled,) = self.next("settlements").settlements
        return settled.token, settled.disposition

    def lose(self):
        """The connection is gone, without a word."""
        self.channel.close()


def test_a_worker_works_is_stopped_and_comes_back(mesh):
    from weft.execution.v1 import worker_pb2, worker_service_pb2

    rest = Rest(mesh, mesh.key)
    workflow(rest, "twice", {"input": "${input.n}"})
    worker = Stream(mesh, ["twice"])
    name = start(rest, "twice", n=21)
    task = worker.task()
    assert (task.execution, task.attempt, task.input.number_value) == (name, 1, 21)
    recorded, stale = worker_pb2.TASK_DISPOSITION_RECORDED, worker_pb2.TASK_DISPOSITION_STALE
    assert worker.give(task.token, 42) == (task.token, recorded)
    assert ended(rest, name)["output"] == 42
    shown = ok(rest("GET", f"{PROJECT}/workers"))["workers"]
    assert [(each["name"], each["slotCount"]) for each in shown] == [(worker.opened.worker, 1)]
    assert json.loads(weft(mesh, "workers", "list", "-o", "json"))["workers"] == shown
    assert "twice" in weft(mesh, "workers", "queues")

    # Told to stop, it says when it has.
    name = start(rest, "twice", n=1)
    task = worker.task()
    ok(rest("POST", f"/v1/{name}:cancel", {}))
    (stop,) = worker.next("stops").stops
    assert (stop.token, stop.reason) == (task.token, worker_pb2.TASK_STOP_REASON_CANCELLED)
    error = worker_service_pb2.TaskError(reason="STOPPED")
    result = worker_service_pb2.TaskResult(token=task.token, error=error)
    worker.say(results=worker_service_pb2.TaskResults(results=[result]))
    (settled,) = worker.next("settlements").settlements
    assert settled.disposition == stale

    # A lost connection: it comes back with its session and its task, and nobody else got that.
    name = start(rest, "twice", n=2)
    task = worker.task()
    session = worker.opened.session
    worker.lose()
    worker = Stream(mesh, ["twice"], session=session, tokens=[task.token])
    assert worker.opened.resumed
    assert worker.give(task.token, 4) == (task.token, recorded)
    assert ended(rest, name)["output"] == 4

    # The mesh dies, and is there again: what the worker has is its own still.
    name = start(rest, "twice", n=3)
    task = worker.task()
    mesh.kill()
    with pytest.raises(grpc.RpcError):
        worker.next("starts")
    mesh.start()
    rest = Rest(mesh, mesh.key)
    worker = until(lambda: attached(mesh, worker.opened.session, task.token))
    assert not worker.opened.resumed, "the mesh has forgotten the session"
    assert worker.give(task.token, 6) == (task.token, recorded)
    assert ended(rest, name)["output"] == 6


def attached(mesh, session, token):
    try:
        return Stream(mesh, ["twice"], session=session, tokens=[token])
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
        return None


def test_a_program_is_a_worker(mesh, tmp_path):
    rest = Rest(mesh, mesh.key)
    workflow(rest, "shell", {"retry": {"attempts": 2, "first": "10ms"}})
    script = tmp_path / "do"
    script.write_text(
        """#!/bin/sh
input=$(cat)
case $input in
  *fail*) echo "no paper" >&2; exit 3 ;;
  *wait*) echo $$ >> waits; exec sleep 600 ;;
esac
printf '{"given": %s, "key": "%s", "attempt": %s}' "$input" "$WEFT_IDEMPOTENCY_KEY" "$WEFT_ATTEMPT"
"""
    )
    script.chmod(0o755)

    def begin(*more):
        command = [BIN, "--data", mesh.data, "worker", "run", "--queue", "shell", "--slots", "4", *more, "--", script]
        return subprocess.Popen(command, cwd=tmp_path, env=environment(), stderr=subprocess.PIPE)

    worker = begin("--name", "here", "--label", "zone=a")
    name = start(rest, "shell", n=1)
    output = ended(rest, name)["output"]
    step = ok(rest("GET", f"/v1/{name}/steps/2"))
    assert output == {"given": {"n": 1}, "key": step["uid"], "attempt": 1}
    (shown,) = ok(rest("GET", f"{PROJECT}/workers"))["workers"]
    assert (shown["displayName"], shown["labels"], shown["slotCount"]) == ("here", {"zone": "a"}, 4)

    # A failure is told with the end of what it said, after as many attempts as the node allows.
    run = ended(rest, start(rest, "shell", n="fail"))
    assert run["error"]["reason"] == "EXIT_CODE" and "no paper" in run["error"]["message"], run
    waits = tmp_path / "waits"

    def pids():
        return waits.read_text().split() if waits.exists() else []

    def is_there(pid):
        try:
            with open(f"/proc/{pid}/stat") as stat:
                return ") Z " not in stat.read()
        except FileNotFoundError:
            return False

    # What is cancelled is ended.
    name = start(rest, "shell", n="wait")
    (pid,) = until(pids)
    ok(rest("POST", f"/v1/{name}:cancel", {}))
    until(lambda: not is_there(pid))
    # The mesh dies while a program runs; the worker comes back by itself and does the next.
    name = start(rest, "shell", n="wait")
    until(lambda: len(pids()) == 2)
    mesh.kill()
    mesh.start()
    rest = Rest(mesh, mesh.key)
    assert ended(rest, start(rest, "shell", n=2))["output"]["given"] == {"n": 2}
    assert is_there(pids()[1]) and len(pids()) == 2, "it was not begun again"
    # Asked to end, it waits for what it has; asked again, it stops that.
    worker.send_signal(signal.SIGTERM)
    until(lambda: ok(rest("GET", f"{PROJECT}/workers"))["workers"][0]["state"] == "WORKER_STATE_LEAVING")
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(DEADLINE_SECONDS) == 0, worker.stderr.read()
    assert not is_there(pids()[1])

    # Who may not is told so, and does not ask again and again.
    wrong = subprocess.run(
        [BIN, "--data", mesh.data, "worker", "run", "--queue", "Not!", "--", "true"],
        capture_output=True,
        env=environment(),
        timeout=60,
    )
    assert wrong.returncode == 7 and b"open.queues" in wrong.stderr, wrong
