"""Services that an agent keeps running: over crashes, restarts and deaths of the agent, and with no process left behind."""

import json
import os
import signal
import socket
import time

import pytest
from rest import Rest, query
from test_agents import Fleet
from test_hosts import Host

STEADY = "echo up $$; echo careful >&2; sleep 600 & echo child $!; wait"

SETTINGS = f"""
[host]
processes = true
ports = true
service_programs = ["/bin/sh", "/usr/bin/env"]

[[services]]
name = "steady"
program = "/bin/sh"
arguments = ["-c", "{STEADY}"]
stop_grace = "1s"

[[services]]
name = "leaf"
program = "/bin/sh"
arguments = ["-c", "echo leaf; sleep 600"]
depends_on = ["steady"]
manual = true
"""


class Keeper(Host):
    """A host whose agent keeps services, asked over REST."""

    def rest(self, method, path, body=None, **options):
        mesh = self.fleet.mesh
        return Rest(mesh, mesh.key)(method, f"/v1/{self.name}/services{path}", body, **options)

    def service(self, name):
        return self.rest("GET", f"/{name}").json

    def until(self, name, is_so):
        """The service, once it is so."""
        deadline = time.monotonic() + 60
        while not is_so(service := self.service(name)):
            assert time.monotonic() < deadline, service
            time.sleep(0.05)
        return service

    def runs(self, name):
        return self.until(name, lambda service: service.get("state") == "SERVICE_STATE_RUNNING")

    def log(self, name, *more):
        told = self.fleet.weft("agents", "services", "logs", f"{self.name}/services/{name}", *more)
        # A time, whether it is an error, the line.
        return [line.split(" ", 1)[1].lstrip("! ").strip() for line in told.splitlines()]

    def family(self, name):
        """Numbers of a service's first process and of the child that it tells of."""
        deadline = time.monotonic() + 60
        while True:
            first = int(self.runs(name)["processId"])
            # What it writes as an error may come before or after.
            lines = [line for line in self.log(name) if line.startswith(("up", "child"))]
            if lines[-2:-1] == [f"up {first}"]:
                return first, int(lines[-1].split()[1])
            assert time.monotonic() < deadline, lines
            time.sleep(0.05)


def lives(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone(*pids):
    deadline = time.monotonic() + 60
    while any(lives(pid) for pid in pids):
        assert time.monotonic() < deadline, pids
        time.sleep(0.05)


@pytest.fixture
def keeper(tmp_path):
    fleet = Fleet(tmp_path)
    keeper = Keeper(fleet, "keeper", SETTINGS).start()
    yield keeper
    # On purpose, so that it ends its services.
    keeper.process.send_signal(signal.SIGTERM)
    keeper.process.wait(60)
    fleet.end()


def shell(script, **more):
    return {"program": "/bin/sh", "arguments": ["-c", script], **more}


def test_a_service_runs_with_its_agent_and_none_of_it_is_left(keeper):
    first, child = keeper.family("steady")
    assert lives(first) and lives(child)
    service = keeper.service("steady")
    assert service["configured"] and service["wanted"]
    assert len(keeper.log("steady", "-n", 1)) == 1
    assert keeper.log("steady", "--search", "CARE") == ["careful"]
    assert keeper.service("leaf")["state"] == "SERVICE_STATE_STOPPED"

    # What needs it is stopped before it, and it is started before what needs it.
    keeper.rest("POST", "/leaf:start", {})
    keeper.runs("leaf")
    stopped = keeper.rest("POST", "/steady:stop", {}).json
    assert (stopped["state"], stopped.get("wanted", False)) == ("SERVICE_STATE_STOPPED", False)
    assert not lives(first) and not lives(child)
    assert keeper.service("leaf")["state"] == "SERVICE_STATE_STOPPED"
    # A repeat does nothing.
    assert keeper.rest("POST", "/steady:stop", {}).json["state"] == "SERVICE_STATE_STOPPED"
    keeper.rest("POST", "/leaf:start", {})
    keeper.runs("leaf")
    again, _ = keeper.family("steady")
    assert again != first

    name = f"{keeper.name}/services/steady"
    told = keeper.fleet.weft("agents", "services", "restart", name)
    assert name in told
    anew = keeper.until("steady", lambda one: int(one.get("processId", again)) not in (0, again))
    table = keeper.fleet.weft("agents", "services", "list", keeper.name)
    assert "steady" in table and "leaf" in table

    # With the agent they end, however it is done in their order.
    _, child = keeper.family("steady")
    keeper.process.send_signal(signal.SIGTERM)
    assert keeper.process.wait(60) == 0
    assert not lives(int(anew["processId"])) and not lives(child)
    refused = keeper.rest("GET", "")
    assert refused.json["details"][0]["reason"] == "AGENT_OFFLINE"


def test_what_crashes_is_started_again_until_it_is_given_up(keeper):
    crash = shell(
        "echo begun; exit 3",
        restart={"maxRestarts": 2, "firstPauseDuration": "0.2s", "longestPauseDuration": "1s"},
    )
    made = keeper.rest("POST", query(serviceId="crash"), crash)
    assert made.status == 200, made.body
    failed = keeper.until("crash", lambda service: service["state"] == "SERVICE_STATE_FAILED")
    assert (failed["exitCode"], failed["restartCount"]) == (3, 2)
    assert keeper.log("crash") == ["begun"] * 3
    # Somebody starts it: the row begins anew.
    keeper.rest("POST", "/crash:start", {})
    keeper.until("crash", lambda service: len(keeper.log("crash")) == 6 and service["state"] == "SERVICE_STATE_FAILED")

    # One that is killed from outside comes back, as another process.
    keeper.rest("POST", query(serviceId="long"), shell("echo child $$; exec sleep 600", restart={"firstPauseDuration": "0.1s", "longestPauseDuration": "1s"}))
    before = int(keeper.runs("long")["processId"])
    os.kill(before, signal.SIGKILL)
    back = keeper.until("long", lambda one: one["state"] == "SERVICE_STATE_RUNNING" and int(one["processId"]) != before)
    assert (back["exitCode"], back["restartCount"]) == (128 + signal.SIGKILL, 1)
    # One that is not there cannot begin.
    keeper.rest("POST", query(serviceId="folder"), shell("true", folder="/nowhere", restart={"condition": "RESTART_CONDITION_NEVER"}))
    keeper.until("folder", lambda service: service["state"] == "SERVICE_STATE_FAILED")


def test_a_probe_says_how_it_is(keeper):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    probe = {"httpUrl": f"http://127.0.0.1:{port}/", "interval": "0.2s", "failureThreshold": 2}
    serve = {"program": "/usr/bin/env", "arguments": ["python3", "-m", "http.server", "--bind", "127.0.0.1", str(port)]}
    made = keeper.rest("POST", query(serviceId="web"), {**serve, "folder": "/tmp", "probe": probe})
    assert made.status == 200, made.body
    web = keeper.runs("web")
    (listening,) = keeper.ports(port)
    assert listening["processId"] == web["processId"]
    os.kill(int(web["processId"]), signal.SIGSTOP)
    keeper.until("web", lambda service: service["state"] == "SERVICE_STATE_UNHEALTHY")
    os.kill(int(web["processId"]), signal.SIGCONT)
    keeper.runs("web")


def test_what_was_added_is_there_after_the_agent_was_killed_and_runs_once(keeper):
    asked = shell(STEADY, displayName="Added", stopGracePeriod="1s")
    request = query(serviceId="added", requestId="6b8bd7a0-1111-4222-8333-944445555666")
    made = keeper.rest("POST", request, asked).json
    assert keeper.rest("POST", request, asked).json["uid"] == made["uid"], "a repeat is the same"
    first, child = keeper.family("added")
    keeper.process.kill()
    keeper.process.wait()
    gone(first)
    # Its child has nobody who would end it, until the agent is back.
    assert lives(child)
    keeper.start()
    gone(child)
    added = keeper.runs("added")
    assert (added["uid"], added["displayName"]) == (made["uid"], "Added")
    again, _ = keeper.family("added")
    assert again != first
    running = keeper.processes("--filter", f'parent_process_id = {keeper.process.pid}')
    assert again in running

    changed = keeper.rest("PATCH", "/added", {"displayName": "Changed", "etag": made["etag"]})
    assert changed.json["displayName"] == "Changed" and changed.json["arguments"] == asked["arguments"]
    stale = keeper.rest("PATCH", "/added", {"displayName": "Late", "etag": made["etag"]})
    assert stale.json["details"][0]["reason"] == "ETAG_MISMATCH"
    assert int(keeper.service("added")["processId"]) == again, "what runs goes on"
    assert keeper.rest("DELETE", "/added").status == 200
    gone(again)
    assert keeper.rest("GET", "/added").json["details"][0]["reason"] == "SERVICE_NOT_FOUND"
    keeper.process.kill()
    keeper.process.wait()
    keeper.start()
    # Until it is back it is asked in vain.
    keeper.until("leaf", lambda service: "state" in service)
    assert keeper.rest("GET", "/added").status == 404


def test_what_is_not_allowed_is_refused(keeper):
    def refused(body, reason, **parameters):
        answer = keeper.rest("POST", query(serviceId="x", **parameters), body)
        assert answer.json["details"][0]["reason"] == reason, answer.body

    refused({"program": "/usr/bin/python3"}, "HOST_NOT_ALLOWED")
    refused(shell("true", probe={"program": {"program": "/bin/true"}}), "HOST_NOT_ALLOWED")
    refused({"program": "sh"}, "INVALID_FIELD")
    refused(shell("true", dependsOn=["nobody"]), "INVALID_FIELD")
    refused(shell("true", stopGracePeriod="60s"), "INVALID_FIELD")
    taken = keeper.rest("POST", query(serviceId="steady"), shell("true"))
    assert taken.json["details"][0]["reason"] == "SERVICE_ALREADY_EXISTS"
    for answer in [keeper.rest("DELETE", "/leaf"), keeper.rest("PATCH", "/leaf", {"displayName": "x"})]:
        assert answer.json["details"][0]["reason"] == "HOST_DENIED", answer.body
    # A host that keeps none, and allows none.
    none = Keeper(keeper.fleet, "none", "").start()
    assert none.rest("GET", "").json["details"][0]["reason"] == "HOST_NOT_ALLOWED"


def test_a_log_is_followed_and_resumed(keeper):
    keeper.rest("POST", query(serviceId="ticks"), shell("i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"))
    keeper.runs("ticks")
    mesh = keeper.fleet.mesh
    rest = Rest(mesh, mesh.key)
    seen, cursor = [], None
    for _ in range(2):
        after = {"afterCursor": cursor} if cursor else {"tailLines": 1}
        path = f"/v1/{keeper.name}/services/ticks:watchLog" + query(**after)
        with rest.open("GET", path, accept="application/x-ndjson") as stream:
            for line in stream:
                message = json.loads(line)
                message = message.get("result", message)
                seen += [int(one["text"].split()[1]) for one in message.get("lines", [])]
                cursor = message["cursor"]
                if len(seen) >= 5 + (5 if after.get("afterCursor") else 0):
                    break
    assert seen == list(range(seen[0], seen[0] + len(seen))), "nothing is lost or doubled"
