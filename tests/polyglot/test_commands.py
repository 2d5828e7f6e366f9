"""Commands, from an operator's terminal to processes on an agent's host, through deaths on either side."""

import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from mesh import BIN
from test_agents import Fleet, clean

SCRIPT = """#!/bin/sh
echo "begun $$" >> {folder}/effects
echo out; echo err >&2
case "$1" in
  sleep) setsid sleep 600 & sleep 600 & echo $$ > {folder}/pid; wait ;;
  loud) head -c 3000000 /dev/zero ;;
  fail) exit 3 ;;
  slow) sleep 1 ;;
  read) cat ;;
  memory) exec python3 -c 'b = bytearray(1 << 30)' ;;
esac
echo done >> {folder}/effects
"""


class Host:
    """An agent whose owner allows one script."""

    def __init__(self, fleet, name):
        self.fleet = fleet
        self.name = name
        self.folder = fleet.folder / name
        fleet.enroll(name, fleet.weft("agents", "token", "create").strip())
        script = self.folder / "script.sh"
        script.write_text(SCRIPT.format(folder=self.folder))
        script.chmod(0o755)
        with open(self.folder / "agent.toml", "a") as settings:
            settings.write(
                f"""
[commands]
max_parallel = 4
[commands.scripts.work]
program = "{script}"
more_arguments = true
memory_bytes = 536870912
"""
            )
        self.process = None

    def start(self):
        self.process = self.fleet.run(self.name)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def effects(self, word):
        file = self.folder / "effects"
        return file.read_text().count(word) if file.exists() else 0

    def processes(self):
        """Processes of its work, by their mark."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/environ", "rb") as environment:
                    if f"WEFT_WORK={self.folder}:".encode() in environment.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.end()


@pytest.fixture
def host(fleet):
    return Host(fleet, "node").start()


def until(is_so, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.05)
    return found


def submit(fleet, *arguments, status=0):
    return fleet.weft("commands", "submit", *arguments, status=status).strip()


def command(fleet, name):
    return json.loads(fleet.weft("commands", "get", name, "-o", "json"))


def call(fleet, method, request):
    return fleet.weft("gateway", "curl", f"weft.command.v1.CommandService/{method}", json.dumps(request))


def targets(fleet, name):
    return json.loads(call(fleet, "ListTargets", {"parent": name}))["targets"]


def script(fleet, how, *arguments, agent="node", status=0):
    """Asks an agent to run its script, which does as it is told."""
    asked = json.dumps({"script": "work", "arguments": [how]} if how else {"script": "work"})
    return submit(fleet, "run-script", "--agent", agent, "--arguments", asked, *arguments, status=status)


def ended(fleet, name):
    return until(lambda: (found := command(fleet, name)).get("endTime") and found)


def test_a_script_runs_within_its_limits_and_writes_while_it_runs(fleet, host):
    assert "hello" in submit(fleet, "echo", "--agent", "node", "-a", "text=hello", "-o", "json", "--wait")
    # Its output is the terminal's, and so is its failure.
    shown = subprocess.run(
        [BIN, "--data", fleet.mesh.data, "commands", "submit", "run-script", "--agent", "node"]
        + ["--arguments", '{"script": "work", "arguments": ["read"], "input": "from afar"}', "--wait"],
        capture_output=True,
        env=clean(),
        timeout=60,
        check=True,
    )
    assert (shown.stdout, b"err\n" in shown.stderr) == (b"out\nfrom afar", True)
    failed = script(fleet, "fail")
    assert ended(fleet, failed)["state"] == "COMMAND_STATE_FAILED"
    target = targets(fleet, failed)[0]
    assert (target["reason"], target["result"]["exitCode"]) == ("EXIT_CODE", 3)
    loud = script(fleet, "loud")
    ended(fleet, loud)
    result = targets(fleet, loud)[0]["result"]
    assert result["outputTruncated"] is True and result["outputBytes"] > 3_000_000
    hungry = script(fleet, "memory")
    assert ended(fleet, hungry)["state"] == "COMMAND_STATE_FAILED"
    # What the owner does not allow is not done.
    other = submit(fleet, "run-script", "--agent", "node", "-a", "script=other")
    ended(fleet, other)
    assert targets(fleet, other)[0]["reason"] == "NOT_ALLOWED"
    assert host.processes() == []


def test_wrong_arguments_are_refused_by_their_field_and_a_repeat_is_the_same_command(fleet, host):
    refusal = submit(fleet, "run-script", "--agent", "node", "-a", "script=3", "-a", "other=1", status=7)
    assert "command.arguments.script" in refusal and "ARGUMENTS_INVALID" in refusal
    assert "AGENT_NOT_FOUND" in submit(fleet, "noop", "--agent", "nobody", status=3)
    assert "COMMAND_TYPE_NOT_FOUND" in submit(fleet, "nothing", "--agent", "node", status=3)
    once = ["--request-id", "6f1e8b0e-6d0b-4c19-9a55-0d0f5fbe2b11", "--agent", "node"]
    first = submit(fleet, "noop", *once)
    assert submit(fleet, "noop", *once) == first
    assert "REQUEST_ID_REUSED" in submit(fleet, "echo", *once, status=7)
    ended(fleet, first)
    assert submit(fleet, "noop", *once) == first


def test_cancel_ends_every_process_of_a_command(fleet, host):
    name = script(fleet, "sleep")
    until(lambda: len(host.processes()) >= 3)
    fleet.weft("commands", "cancel", name)
    assert ended(fleet, name)["state"] == "COMMAND_STATE_CANCELLED"
    # One of them had left the process group.
    until(lambda: host.processes() == [])
    assert host.effects("done") == 0


def test_one_target_is_cancelled_and_what_failed_is_tried_again(fleet):
    hosts = [Host(fleet, name).start() for name in ("a", "b")]
    asked = json.dumps({"script": "work", "arguments": ["sleep"], "secretInput": "correct-horse"})
    both = submit(fleet, "run-script", "--agent", "a", "--agent", "b", "--arguments", asked)
    until(lambda: all(len(host.processes()) >= 3 for host in hosts))
    assert "COMMAND_NOT_ENDED" in fleet.weft("commands", "retry", both, status=5)
    fleet.weft("commands", "cancel", both, "--agent", "a")
    until(lambda: hosts[0].processes() == [])
    states = {target["agent"].split("/")[-1]: target["state"] for target in targets(fleet, both)}
    assert states["b"] == "COMMAND_STATE_EXECUTING"
    assert len(hosts[1].processes()) >= 3
    assert "TARGET_NOT_FOUND" in fleet.weft("commands", "cancel", both, "--agent", "c", status=3)
    fleet.weft("commands", "cancel", both)
    ended(fleet, both)

    failed = script(fleet, "fail", agent="a")
    ended(fleet, failed)
    once = ["--request-id", "0a3c5a3e-8a5f-4a5e-9d8e-5f6a7b8c9d0e"]
    again = fleet.weft("commands", "retry", failed, *once).strip()
    assert fleet.weft("commands", "retry", failed, *once).strip() == again != failed
    assert "REQUEST_ID_REUSED" in fleet.weft("commands", "retry", both, *once, status=7)
    found = ended(fleet, again)
    assert (found["retryOf"], found["targetCount"], found["state"]) == (failed, 1, "COMMAND_STATE_FAILED")
    assert found["arguments"] == command(fleet, failed)["arguments"]

    # Secret arguments go along, and are still shown to nobody; agents that have left the fleet do not.
    fleet.weft("agents", "delete", "projects/default/agents/b")
    retried = json.loads(fleet.weft("commands", "retry", both, "-o", "json"))
    assert (retried["targetCount"], "correct-horse" in json.dumps(retried)) == (1, False)
    until(lambda: len(hosts[0].processes()) >= 3)
    fleet.weft("commands", "cancel", retried["name"])
    ended(fleet, retried["name"])
    well = submit(fleet, "noop", "--agent", "a")
    ended(fleet, well)
    assert "NOTHING_TO_RETRY" in fleet.weft("commands", "retry", well, status=5)


def test_a_second_person_lets_a_command_start(fleet, host):
    fleet.weft("commands", "types", "create", "careful", "--script", "work", "--requires-approval")
    assert "APPROVAL_NOT_REQUIRED" in fleet.weft("commands", "approve", submit(fleet, "noop", "--agent", "node"), status=5)
    bob = fleet.folder / "bob.key"
    bob.write_text(fleet.weft("key", "create", "bob", "--role", "operator"))

    def as_bob(*arguments, status=0):
        return fleet.weft("--key-file", bob, *arguments, status=status)

    waits = submit(fleet, "careful", "--agent", "node")
    target = targets(fleet, waits)[0]
    assert (target["state"], target["reason"]) == ("COMMAND_STATE_PENDING", "AWAITING_APPROVAL")
    assert "OWN_COMMAND" in fleet.weft("commands", "approve", waits, status=4)
    assert "OWN_COMMAND" in fleet.weft("commands", "reject", waits, status=4)
    listed = json.loads(fleet.weft("commands", "list", "--filter", "approval = waiting", "-o", "json"))
    assert [found["name"] for found in listed["commands"]] == [waits]
    # It waits through the death of the mesh.
    fleet.mesh.kill()
    fleet.mesh.start()
    until(lambda: command(fleet, waits)["approval"]["state"] == "COMMAND_APPROVAL_STATE_WAITING")
    as_bob("commands", "approve", waits, "--comment", "in the window")
    as_bob("commands", "approve", waits)
    assert "ALREADY_DECIDED" in as_bob("commands", "reject", waits, status=5)
    done = ended(fleet, waits)
    assert (done["state"], done["approval"]["comment"]) == ("COMMAND_STATE_COMPLETED", "in the window")

    refused = submit(fleet, "careful", "--agent", "node")
    as_bob("commands", "reject", refused, "--comment", "not today")
    found = ended(fleet, refused)
    assert (found["state"], found["approval"]["state"]) == (
        "COMMAND_STATE_CANCELLED",
        "COMMAND_APPROVAL_STATE_REJECTED",
    )
    again = fleet.weft("commands", "retry", refused).strip()
    assert command(fleet, again)["approval"]["state"] == "COMMAND_APPROVAL_STATE_WAITING"
    fleet.weft("commands", "cancel", again)
    assert "state" not in ended(fleet, again)["approval"]
    assert "COMMAND_ENDED" in as_bob("commands", "approve", again, status=5)


def test_secrets_go_to_the_agent_and_nowhere_else(fleet, host):
    secret = "correct-horse-battery-staple"
    arguments = json.dumps({"script": "work", "arguments": ["read"], "secretInput": secret})
    name = submit(fleet, "run-script", "--agent", "node", "--arguments", arguments)
    ended(fleet, name)
    shown = json.dumps(command(fleet, name)) + fleet.weft("commands", "list", "-o", "json")
    assert secret not in shown and "work" in shown
    wrong = json.dumps({"script": "work", "secretInput": [secret]})
    refused = submit(fleet, "run-script", "--agent", "node", "--arguments", wrong, status=7)
    assert secret not in refused
    fleet.mesh.kill()
    logs = fleet.mesh.log.read_text() + (fleet.folder / "node.log").read_text()
    assert secret not in logs
    for file in fleet.mesh.data.glob("weft.db*"):
        # The script has printed it, and what it prints is kept; what it was given is not.
        assert file.read_bytes().count(secret.encode()) <= 2, file
    journal = (host.folder / "commands.journal").read_bytes()
    assert secret.encode() not in journal


def test_a_type_of_ones_own_runs_a_script_with_its_arguments(fleet, host):
    schema = fleet.folder / "schema.json"
    schema.write_text(json.dumps({"required": ["service"], "properties": {"service": {"type": "string"}}}))
    create = ["commands", "types", "create", "restart", "--script", "work", "--arguments-schema", schema]
    assert fleet.weft(*create).strip() == "projects/default/commandTypes/restart"
    assert "command.arguments" in submit(fleet, "restart", "--agent", "node", status=7)
    name = submit(fleet, "restart", "--agent", "node", "-a", "service=db")
    assert ended(fleet, name)["state"] == "COMMAND_STATE_COMPLETED"
    fleet.weft("commands", "types", "delete", "restart")
    assert "COMMAND_TYPE_NOT_FOUND" in submit(fleet, "restart", "--agent", "node", "-a", "service=db", status=3)


def test_all_that_match_are_asked_and_the_urgent_are_first(fleet):
    hosts = [Host(fleet, name).start() for name in ("a", "b")]
    fleet.until(lambda agents: [agent["state"] for agent in agents.values()] == ["AGENT_STATE_ONLINE"] * 2)
    name = submit(fleet, "noop", "--agents", "state = online", "--max-parallel", "1")
    found = ended(fleet, name)
    assert (found["targetCount"], found["completedCount"]) == (2, 2)
    assert "NO_AGENTS" in submit(fleet, "noop", "--agents", 'hostname = "x"', status=5)
    # While it is away everything waits; what is urgent is first when it is back.
    hosts[0].kill()
    low = [script(fleet, "slow", "--priority", "low", agent="a") for _ in range(6)]
    high = script(fleet, "", "--priority", "high", agent="a")
    late = submit(fleet, "noop", "--agent", "a", "--ttl", "1")
    assert ended(fleet, late)["state"] == "COMMAND_STATE_FAILED"
    assert targets(fleet, late)[0]["reason"] == "EXPIRED"
    hosts[0].start()
    began = {name: ended(fleet, name) and targets(fleet, name)[0]["startTime"] for name in [*low, high]}
    assert sorted(began, key=began.get).index(high) < 4, "it was among the first that there was room for"


def test_an_agent_that_dies_in_the_middle_begins_again_or_says_that_it_does_not_know(fleet, host):
    again = script(fleet, "sleep")
    until(lambda: len(host.processes()) >= 3)
    host.kill()
    host.start()
    # What the first life began is ended, and the second begins it.
    until(lambda: host.effects("begun") == 2)
    assert targets(fleet, again)[0]["deliveryCount"] == 2
    fleet.weft("commands", "cancel", again)
    ended(fleet, again)
    until(lambda: host.processes() == [])

    # A result that was written down and could not be told is told, and nothing is done again.
    effects = host.effects("begun")
    slow = script(fleet, "slow")
    until(lambda: host.effects("begun") == effects + 1)
    fleet.mesh.kill()
    until(lambda: '"exitCode":0' in (host.folder / "commands.journal").read_text())
    host.kill()
    fleet.mesh.start()
    host.start()
    assert ended(fleet, slow)["state"] == "COMMAND_STATE_COMPLETED"
    assert host.effects("begun") == effects + 1
    until(lambda: (host.folder / "commands.journal").read_text().strip().endswith('"kept":null}'))


def test_what_must_not_happen_twice_fails_instead(fleet):
    host = Host(fleet, "node")
    sleeper = host.folder / "sleeper.sh"
    sleeper.write_text(f"#!/bin/sh\necho begun >> {host.folder}/effects\nsleep 600\n")
    sleeper.chmod(0o755)
    with open(host.folder / "agent.toml", "a") as settings:
        settings.write(f'[commands.scripts.sleeper]\nprogram = "{sleeper}"\n')
    host.start()
    fleet.weft("commands", "types", "create", "once", "--script", "sleeper", "--fail-if-interrupted")
    name = submit(fleet, "once", "--agent", "node")
    until(lambda: host.effects("begun") == 1)
    host.kill()
    host.start()
    assert ended(fleet, name)["state"] == "COMMAND_STATE_FAILED"
    assert targets(fleet, name)[0]["reason"] == "INTERRUPTED"
    assert host.effects("begun") == 1
    until(lambda: host.processes() == [])


def test_work_goes_on_while_the_mesh_is_away(fleet, host):
    name = script(fleet, "slow")
    until(lambda: host.effects("begun") == 1)
    fleet.mesh.kill()
    time.sleep(1.5)
    fleet.mesh.start()
    assert ended(fleet, name)["state"] == "COMMAND_STATE_COMPLETED"
    assert (host.effects("begun"), host.effects("done")) == (1, 1)
    outputs = call(fleet, "StreamOutput", {"name": f"{name}/targets/node"})
    assert outputs.count('"data"') >= 2


ROUNDS = int(os.environ.get("WEFT_TEST_KILLS", "20"))


def test_no_accepted_command_is_lost_or_recorded_twice_over_deaths_of_both_sides(fleet, host):
    accepted, over = [], threading.Event()
    asked = ["commands", "submit", "run-script", "--agent", "node", "-a", "script=work"]

    def submits():
        while not over.is_set():
            command = [BIN, "--data", fleet.mesh.data, *asked]
            done = subprocess.run(command, capture_output=True, env=clean(), timeout=60)
            if done.returncode == 0:
                accepted.append(done.stdout.decode().strip())

    writers = [threading.Thread(target=submits) for _ in range(2)]
    for writer in writers:
        writer.start()
    chance = random.Random(7)
    for _ in range(ROUNDS):
        time.sleep(chance.uniform(0.05, 0.6))
        if chance.random() < 0.5:
            fleet.mesh.kill()
            fleet.mesh.start()
        else:
            host.kill()
            host.start()
    over.set()
    for writer in writers:
        writer.join()
    assert len(accepted) >= ROUNDS and len(set(accepted)) == len(accepted)
    states = {name: ended(fleet, name)["state"] for name in accepted}
    assert set(states.values()) == {"COMMAND_STATE_COMPLETED"}
    # Each was done; again only where the agent died in the middle of it.
    assert len(accepted) <= host.effects("done") <= len(accepted) + 4 * ROUNDS
    assert host.processes() == []
    host.process.send_signal(signal.SIGTERM)
    assert host.process.wait(30) == 0
