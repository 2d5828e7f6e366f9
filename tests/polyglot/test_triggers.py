"""Triggers by the program: webhooks that others have signed, schedules, and power cuts over which nothing is lost or doubled."""

import base64
import concurrent.futures
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from mesh import BIN, Mesh
from rest import Rest, query

HERE = pathlib.Path(__file__).parent


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


def shown(mesh, *arguments):
    return json.loads(weft(mesh, *arguments, "-o", "json"))


def until(is_so, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def workflow(mesh, name, nodes, ways):
    """A workflow graph of nodes (key, kind, properties) and ways (source, target)."""
    rest = Rest(mesh, mesh.key)
    made = rest("POST", f"/v1/projects/default/graphs?graphId={name}", {"kind": "GRAPH_KIND_WORKFLOW"})
    assert made.status == 200, made.body
    changes = [{"upsertNode": {"node": {"key": key, "type": kind, "properties": settings}}} for key, kind, settings in nodes]
    changes += [{"upsertEdge": {"edge": {"source": source, "target": target}}} for source, target in ways]
    changed = rest("POST", f"/v1/projects/default/graphs/{name}:applyChanges", {"changes": changes})
    assert changed.status == 200, changed.body


def echo(mesh, name="echo"):
    """A workflow that gives what it is given."""
    workflow(mesh, name, [("in", "input", {}), ("out", "output", {})], [("in", "out")])


def slow(mesh, name="slow"):
    """A workflow that goes on until somebody says so."""
    nodes = [("in", "input", {}), ("wait", "signal", {"signal": "go"}), ("out", "output", {})]
    workflow(mesh, name, nodes, [("in", "wait"), ("wait", "out")])


def post(mesh, path, body, **headers):
    """Status and JSON of an answer to a webhook."""
    headers = {"content-type": "application/json", **{name.replace("_", "-"): value for name, value in headers.items()}}
    request = urllib.request.Request(mesh.url + path, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def standard(key, identity, body, at=None):
    """Headers as Standard Webhooks want them."""
    seconds = str(int(at or time.time()))
    signed = hmac.digest(key, f"{identity}.{seconds}.".encode() + body, hashlib.sha256)
    return {
        "webhook_id": identity,
        "webhook_timestamp": seconds,
        "webhook_signature": "v1," + base64.b64encode(signed).decode(),
    }


def secret_file(tmp_path, text):
    file = tmp_path / "secret"
    file.write_text(text)
    return file


def deliveries(mesh, trigger):
    return shown(mesh, "triggers", "deliveries", trigger, "--limit", 5000).get("deliveries", [])


def runs(mesh, graph):
    return Rest(mesh, mesh.key)("GET", f"/v1/projects/default/executions?pageSize=1000&filter=graph%3D{graph}").json.get("executions", [])


def reason(answer):
    return answer["details"][0]["reason"]


def test_what_github_sends_is_taken_once(mesh, tmp_path):
    echo(mesh)
    given = '{"repository": "${has(event.body.repository) ? event.body.repository.full_name : event.type}", "event": "${event.type}"}'
    made = shown(
        mesh, "triggers", "create", "github", "echo", "--webhook", "github", "--input", given,
        "--secret-file", secret_file(tmp_path, "It's a Secret to Everybody"),
    )
    path = made["webhook"]["path"]
    assert "secrets" not in made["webhook"] and path.startswith("/hooks/")
    began = time.monotonic()
    script = ["node", HERE / "node/hooks.mjs", mesh.url + path, "It's a Secret to Everybody"]
    said = subprocess.run(script, capture_output=True, timeout=300, check=True).stdout
    heard = [json.loads(line) for line in said.splitlines()]
    rounds = {name: {one["id"]: one for one in heard if one["round"] == name} for name in ["first", "again", "changed"]}
    assert len(rounds["first"]) > 200 and all(one["status"] == 202 for one in rounds["first"].values())
    # A delivery that comes again is answered as it was, and starts nothing.
    assert {name: one["answer"] for name, one in rounds["again"].items()} == {name: one["answer"] for name, one in rounds["first"].items()}
    assert all(one["status"] == 401 and reason(one["answer"]) == "SIGNATURE_INVALID" for one in rounds["changed"].values())
    count = len(rounds["first"])
    ended = lambda: [one for one in runs(mesh, "echo") if one["state"] == "EXECUTION_STATE_SUCCEEDED"]
    until(lambda: len(ended()) == count)
    kept = deliveries(mesh, "github")
    started = {one["eventId"]: one for one in kept if one["state"] == "DELIVERY_STATE_STARTED"}
    assert started.keys() == rounds["first"].keys()
    assert all(started[name]["eventType"] == one["name"] for name, one in rounds["first"].items())
    refused = [one for one in kept if one["state"] == "DELIVERY_STATE_REFUSED"]
    assert 0 < len(refused) <= 10 * (2 + (time.monotonic() - began) // 60) and all(one["reason"] == "SIGNATURE_INVALID" for one in refused)
    assert len(kept) == count + len(refused)
    push = next(one for one in started.values() if one["eventType"] == "push")
    output = Rest(mesh, mesh.key)("GET", "/v1/" + push["execution"]).json["output"]
    assert output["event"] == "push" and "/" in output["repository"]
    # Neither the address nor the secret is anywhere in the log.
    assert path.removeprefix("/hooks/") not in mesh.log.read_text() and "Secret to Everybody" not in mesh.log.read_text()


def test_a_webhook_waits_is_paused_rotated_and_deleted(mesh, tmp_path):
    echo(mesh)
    key = os.urandom(32)
    secret = secret_file(tmp_path, "whsec_" + base64.b64encode(key).decode())
    create = ["triggers", "create", "orders", "echo", "--webhook", "standard", "--secret-file", secret]
    made = shown(mesh, *create, "--wait", "30s", "--input", '{"n": "${event.body.n + 1}"}', "--condition", "event.type != 'ping'")
    path = made["webhook"]["path"]
    body = b'{"type":"order.made","n":41}'
    assert post(mesh, path, body, **standard(key, "m1", body)) == (200, {"n": 42})
    assert post(mesh, path, body, **standard(key, "m1", body)) == (200, {"n": 42})
    assert len(runs(mesh, "echo")) == 1
    ping = b'{"type":"ping"}'
    status, answer = post(mesh, path, ping, **standard(key, "m2", ping))
    assert (status, answer["skipped"]) == (200, "CONDITION")
    wrong = b'{"type":"order.made"}'
    status, answer = post(mesh, path, wrong, **standard(key, "m3", wrong))
    assert (status, answer["failed"]) == (502, "EXPRESSION_FAILED")
    # Refusals, each with its code.
    old = standard(key, "m4", body, time.time() - 301)
    assert [(status, reason(answer)) for status, answer in [
        post(mesh, path, body, **old),
        post(mesh, path, body + b" ", **standard(key, "m5", body)),
        post(mesh, path, body),
        post(mesh, "/hooks/" + "A" * 43, body),
        post(mesh, path, b"x" * (300 << 10), **standard(key, "m6", body)),
        post(mesh, path, b"x" * (2 << 20)),
        post(mesh, path, body, **{**standard(key, "m7", body), "content_type": "application/octet-stream"}),
    ]] == [
        (401, "TIMESTAMP_OUT_OF_WINDOW"),
        (401, "SIGNATURE_INVALID"),
        (401, "SIGNATURE_MISSING"),
        (404, "WEBHOOK_NOT_FOUND"),
        (413, "WEBHOOK_TOO_LARGE"),
        (413, "MESSAGE_TOO_LARGE"),
        (415, "WEBHOOK_CONTENT_TYPE"),
    ]
    got = Rest(mesh, None)("GET", path)
    assert (got.status, got.headers["allow"]) == (405, "POST")
    weft(mesh, "triggers", "pause", "orders")
    assert until(lambda: post(mesh, path, body, **standard(key, "m8", body))[0] == 409)
    weft(mesh, "triggers", "resume", "orders")
    until(lambda: post(mesh, path, body, **standard(key, "m9", body))[0] == 200)
    other = shown(mesh, "triggers", "rotate", "orders")["webhook"]["path"]
    assert other != path
    assert post(mesh, path, body, **standard(key, "m10", body))[0] == 404
    assert post(mesh, other, body, **standard(key, "m10", body)) == (200, {"n": 42})
    # A viewer sees the trigger, and not its address.
    viewer = shown(mesh, "key", "create", "v", "--role", "viewer")["secret"]
    seen = Rest(mesh, viewer)("GET", "/v1/projects/default/triggers/orders").json
    assert seen["webhook"] == {"provider": "WEBHOOK_PROVIDER_STANDARD_WEBHOOKS", "waitDuration": "30s"}
    # An update without a secret keeps the one that there is.
    weft(mesh, "triggers", "update", "orders", "--webhook", "standard", "--condition", "")
    until(lambda: post(mesh, other, ping, **standard(key, "m11", ping))[0] == 202)
    fired = shown(mesh, "triggers", "fire", "orders", "--body", '{"n": 1}')
    assert (fired["state"], fired["cause"]) == ("DELIVERY_STATE_STARTED", "DELIVERY_CAUSE_MANUAL")
    output = lambda: Rest(mesh, mesh.key)("GET", "/v1/" + fired["execution"]).json.get("output")
    assert until(output) == {"n": 2}
    assert "orders" in weft(mesh, "triggers", "list")
    weft(mesh, "triggers", "delete", "orders")
    assert post(mesh, other, body, **standard(key, "m12", body))[0] == 404
    weft(mesh, "triggers", "get", "orders", status=3)


def test_basic_and_nobody_are_told_apart(mesh, tmp_path):
    echo(mesh)
    secret = secret_file(tmp_path, "open sesame")
    basic = shown(mesh, "triggers", "create", "basic", "echo", "--webhook", "basic", "--username", "ada", "--secret-file", secret)
    good = "Basic " + base64.b64encode(b"ada:open sesame").decode()
    bad = "Basic " + base64.b64encode(b"ada:open barley").decode()
    path = basic["webhook"]["path"]
    assert post(mesh, path, b"{}", authorization=good)[0] == 202
    assert post(mesh, path, b"{}", authorization=bad)[0] == 401
    refused = Rest(mesh, None)("POST", path, b"{}")
    assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Basic realm="webhook", charset="UTF-8"')
    anybody = shown(mesh, "triggers", "create", "anybody", "echo", "--webhook", "none")
    assert post(mesh, anybody["webhook"]["path"], b"a=b", content_type="application/x-www-form-urlencoded")[0] == 202
    # Nobody is let in because somebody forgot to say who.
    trigger = {"graph": "projects/default/graphs/echo", "webhook": {}}
    forgotten = Rest(mesh, mesh.key)("POST", "/v1/projects/default/triggers", trigger)
    assert (forgotten.status, "provider" in forgotten.body.decode()) == (400, True)
    until(lambda: len(runs(mesh, "echo")) == 2)
    for one in deliveries(mesh, "anybody"):
        output = until(lambda: Rest(mesh, mesh.key)("GET", "/v1/" + one["execution"]).json.get("output"))
        assert output["event"]["body"] == {"a": "b"} and "authorization" not in output["event"]["headers"]


def test_what_came_is_shown_redelivered_and_a_dead_letter_put_away(mesh, tmp_path):
    echo(mesh)
    key = os.urandom(32)
    secret = secret_file(tmp_path, "whsec_" + base64.b64encode(key).decode())
    create = ["triggers", "create", "orders", "echo", "--webhook", "standard", "--secret-file", secret]
    path = shown(mesh, *create, "--max-per-second", "5", "--max-burst", "20")["webhook"]["path"]
    body = b'{"type":"order.made", "n": 41}'
    sent = {**standard(key, "m1", body), "x_shop_token": "t0p", "x_shop": "north"}
    status, answer = post(mesh, path + "?page=2&key=t0p", body, **sent)
    assert status == 202
    rest = Rest(mesh, mesh.key)
    first = until(lambda: (one := rest("GET", f"/v1/{answer['delivery']}?view=DELIVERY_VIEW_FULL").json).get("execution") and one)
    content = first["content"]
    assert base64.b64decode(content["body"]) == body and content["query"] == "page=2&key=***"
    assert content["headers"]["x-shop"] == "north" and content["headers"]["webhook-id"] == "m1"
    assert {"webhook-signature", "x-shop-token"} <= set(content["maskedHeaders"])
    assert "t0p" not in json.dumps(first) and "content" not in rest("GET", f"/v1/{answer['delivery']}").json
    short = answer["delivery"].replace("projects/default/triggers/", "").replace("/deliveries/", "/")
    text = weft(mesh, "triggers", "delivery", short)
    assert '"n": 41' in text and "x-shop: north" in text and "x-shop-token: ***" in text and "t0p" not in text
    again = shown(mesh, "triggers", "redeliver", short)
    assert again["redeliveryOf"] == first["name"] and again["execution"] != first["execution"]
    output = lambda one: until(lambda: rest("GET", "/v1/" + one["execution"]).json.get("output"))
    assert output(again)["event"]["body"] == output(first)["event"]["body"] == json.loads(body)
    # Who looks at a run sees what it was given: what may be a secret is given to whom its trigger names.
    assert output(first)["event"]["query"] == {"page": "2", "key": "***"}
    named = ["--webhook", "standard", "--secret-file", secret, "--input", '{"key": "${event.query.key}"}']
    asked = shown(mesh, "triggers", "create", "named", "echo", *named)["webhook"]["path"]
    status, answer = post(mesh, asked + "?key=t0p", body, **standard(key, "n1", body))
    assert status == 202
    given = until(lambda: (one := rest("GET", f"/v1/{answer['delivery']}").json).get("execution") and one)
    assert output(given) == {"key": "t0p"}

    # Its workflow is gone: a dead letter, until there is one again.
    other = shown(mesh, "triggers", "create", "other", "later", "--webhook", "standard", "--secret-file", secret)["webhook"]["path"]
    for number in range(4):
        assert post(mesh, other, body, **standard(key, f"o{number}", body))[0] == 202
    listed = lambda *more: shown(mesh, "triggers", "dead-letters", "list", *more).get("deliveries", [])
    dead = until(lambda: len(found := listed()) == 4 and found)
    assert {one["reason"] for one in dead} == {"GRAPH_NOT_FOUND"} and all(one["deadLetter"] for one in dead)
    assert listed("--trigger", "orders") == [] and len(listed("--filter", "reason = GRAPH_NOT_FOUND")) == 4
    dismissed = shown(mesh, "triggers", "dead-letters", "dismiss", dead[0]["name"])
    assert dismissed["dismissTime"] and len(listed()) == 3
    echo(mesh, "later")
    # They are kept over a power cut.
    mesh.kill()
    mesh.start()
    assert shown(mesh, "triggers", "dead-letters", "redeliver")["redeliveredCount"] == 3
    until(lambda: len(runs(mesh, "later")) == 3)
    assert listed() == []
    # One that failed is still among its deliveries, and all of a project are listed.
    assert len(shown(mesh, "triggers", "deliveries", "-", "--filter", "state = failed")["deliveries"]) == 4

    # Too often: when to come again is said, in a header too.
    answers = [post(mesh, path, body, **standard(key, f"often{number}", body)) for number in range(80)]
    assert {status for status, _ in answers} == {202, 429}
    reasons = lambda answer: [one["reason"] for one in answer["details"] if "reason" in one]
    assert all(reasons(answer) == ["WEBHOOK_TOO_OFTEN"] for status, answer in answers if status == 429)
    until(lambda: any(one.get("reason") == "WEBHOOK_TOO_OFTEN" for one in deliveries(mesh, "orders")))
    metrics = Rest(mesh, mesh.key)("GET", "/metrics").body.decode()
    assert 'weft_trigger_webhooks_refused_total{reason="WEBHOOK_TOO_OFTEN"}' in metrics

    # A test goes the whole way.
    tried = shown(mesh, "triggers", "test", "other", "--event-type", "ping", "--header", "x-a: b")
    assert (tried["cause"], tried["test"], tried["state"]) == ("DELIVERY_CAUSE_WEBHOOK", True, "DELIVERY_STATE_STARTED")
    assert output(tried)["event"]["headers"]["x-a"] == "b"


def test_deliveries_are_watched(mesh):
    echo(mesh)
    path = shown(mesh, "triggers", "create", "anybody", "echo", "--webhook", "none")["webhook"]["path"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    command = [BIN, "--data", mesh.data, "triggers", "watch", "-", "-o", "json"]
    watching = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, env=clean)
    try:
        assert json.loads(watching.stdout.readline())["caughtUp"]
        assert post(mesh, path, b"{}")[0] == 202
        states = []
        while "DELIVERY_STATE_STARTED" not in states:
            told = json.loads(watching.stdout.readline())
            states += [one["state"] for one in told.get("deliveries", [])]
            assert told["cursor"] if "DELIVERY_STATE_STARTED" in states else True
    finally:
        watching.kill()
        watching.wait()
    # As server-sent events, going on from the last one that was heard: only what is new.
    def events(last, wanted):
        headers = {"authorization": f"Bearer {mesh.key}", "accept": "text/event-stream", **({"last-event-id": last} if last else {})}
        request = urllib.request.Request(f"{mesh.url}/v1/projects/default/triggers/-/deliveries:watch", headers=headers)
        told, identity = [], last
        with urllib.request.urlopen(request, timeout=30) as answer:
            for line in answer:
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                identity = value if name == "id" else identity
                if name == "data":
                    told += json.loads(value).get("deliveries", [])
                if wanted(told):
                    # The id of an event stands before or after its data.
                    if line.strip() == b"":
                        return told, identity
        raise AssertionError("the stream ended")

    first, identity = events(None, lambda told: any(one["state"] == "DELIVERY_STATE_STARTED" for one in told))
    assert len({one["name"] for one in first}) == 1 and identity
    assert post(mesh, path, b"{}")[0] == 202
    second, _ = events(identity, lambda told: any(one["state"] == "DELIVERY_STATE_STARTED" for one in told))
    assert {one["name"] for one in first}.isdisjoint(one["name"] for one in second)


def test_over_power_cuts_no_webhook_is_lost_and_none_is_doubled(mesh, tmp_path):
    echo(mesh)
    key = os.urandom(32)
    secret = secret_file(tmp_path, "whsec_" + base64.b64encode(key).decode())
    made = shown(mesh, "triggers", "create", "orders", "echo", "--webhook", "standard", "--secret-file", secret)
    path = made["webhook"]["path"]
    accepted, unknown = {}, set()

    def send(number):
        body = json.dumps({"n": number}).encode()
        try:
            status, answer = post(mesh, path, body, **standard(key, f"m{number}", body))
        except OSError:
            return unknown.add(number)
        assert status in (202, 503), answer
        if status == 202:
            accepted[number] = answer["delivery"]
        else:
            unknown.add(number)

    for cut in range(3):
        with concurrent.futures.ThreadPoolExecutor(8) as workers:
            sent = [workers.submit(send, 1000 * cut + number) for number in range(150)]
            until(lambda: sum(one.done() for one in sent) >= 30 + 20 * cut)
            mesh.kill()
            for one in sent:
                one.result()
        mesh.start()
    # What was not answered is sent again, as whoever sends webhooks does.
    before = dict(accepted)
    for number in sorted(unknown | set(list(accepted)[:20])):
        send(number)
    assert all(accepted[number] == delivery for number, delivery in before.items()), "a repeat is answered as the first"
    started = lambda: [one for one in deliveries(mesh, "orders") if one["state"] == "DELIVERY_STATE_STARTED"]
    until(lambda: len(started()) == 450)
    names = [one["execution"] for one in started()]
    assert len(set(names)) == 450
    assert sorted(one["eventId"] for one in started()) == sorted(f"m{1000 * cut + number}" for cut in range(3) for number in range(150))
    ended = lambda: [one for one in runs(mesh, "echo") if one["state"] == "EXECUTION_STATE_SUCCEEDED"]
    until(lambda: len(ended()) == 450)
    assert sorted(names) == sorted(one["name"] for one in runs(mesh, "echo"))


def test_a_schedule_ticks_also_over_a_power_cut(mesh):
    echo(mesh)
    made = shown(mesh, "triggers", "create", "often", "echo", "--cron", "* * * * * *", "--catchup", "1h", "--overlap", "allow")
    assert made["schedule"]["nextTime"]
    assert len(shown(mesh, "triggers", "upcoming", "often")["ticks"]) == 10
    until(lambda: len(deliveries(mesh, "often")) >= 2)
    mesh.kill()
    time.sleep(2.5)
    mesh.start()
    until(lambda: len(deliveries(mesh, "often")) >= 7)
    weft(mesh, "triggers", "pause", "often")
    until(lambda: all(one["state"] == "DELIVERY_STATE_STARTED" for one in deliveries(mesh, "often")))
    kept = deliveries(mesh, "often")
    ticks = sorted(one["scheduleTime"] for one in kept)
    first, last = (time.mktime(time.strptime(tick, "%Y-%m-%dT%H:%M:%SZ")) for tick in (ticks[0], ticks[-1]))
    assert len(set(ticks)) == len(ticks) == int(last - first) + 1, "each second once, also those of the cut"
    assert len({one["execution"] for one in kept}) == len(kept)
    assert len(runs(mesh, "echo")) == len(kept)
    assert "nextTime" not in shown(mesh, "triggers", "get", "often")["schedule"]


def test_the_end_of_a_run_starts_another_also_over_power_cuts(mesh):
    echo(mesh)
    echo(mesh, "next")
    given = '{"run": "${event.source}", "state": "${event.data.state}"}'
    made = shown(mesh, "triggers", "create", "after", "next", "--after", "echo", "--ended", "succeeded", "--input", given)
    assert made["executionEnd"] == {"graph": "projects/default/graphs/echo", "states": ["EXECUTION_STATE_SUCCEEDED"]}
    rest = lambda *asked: Rest(mesh, mesh.key)(*asked)
    began = []

    def start(number):
        request = {"graph": "projects/default/graphs/echo", "input": {"n": number}}
        try:
            answer = rest("POST", "/v1/projects/default/executions", request)
        except OSError:
            return
        if answer.status == 200:
            began.append(answer.json["name"])

    for cut in range(3):
        with concurrent.futures.ThreadPoolExecutor(8) as workers:
            sent = [workers.submit(start, 100 * cut + number) for number in range(60)]
            # Some have ended, of some the end was seen, and of some it was not.
            until(lambda: sum(one.done() for one in sent) >= 20 + 10 * cut)
            mesh.kill()
            for one in sent:
                one.result()
        mesh.start()
    ended = lambda: [one["name"] for one in runs(mesh, "echo") if one["state"] == "EXECUTION_STATE_SUCCEEDED"]
    until(lambda: len(ended()) == len(runs(mesh, "echo")))
    assert set(began) <= set(ended()) and len(began) > 60
    started = lambda: [one for one in deliveries(mesh, "after") if one["state"] == "DELIVERY_STATE_STARTED"]
    until(lambda: len(started()) == len(ended()))
    outputs = lambda: [rest("GET", "/v1/" + one["name"]).json.get("output") for one in runs(mesh, "next")]
    until(lambda: all(outputs()))
    # Of each run one has followed, and of those that followed none.
    assert sorted(one["run"] for one in outputs()) == sorted(ended())
    assert {one["state"] for one in outputs()} == {"succeeded"}
    assert len(deliveries(mesh, "after")) == len(ended())
    assert {rest("GET", "/v1/" + one["name"]).json["depth"] for one in runs(mesh, "next")} == {1}


def test_a_message_starts_a_run_also_over_power_cuts(mesh):
    echo(mesh)
    rest = lambda *asked: Rest(mesh, mesh.key)(*asked)
    nodes = [("in", "input", {}), ("say", "publish", {"topic": "orders.paid"}), ("out", "output", {})]
    workflow(mesh, "tell", nodes, [("in", "say"), ("say", "out")])
    given = '{"run": "${event.source}", "n": "${event.data.value.n}"}'
    made = shown(mesh, "triggers", "create", "paid", "echo", "--on-message", "orders.paid", "--input", given)
    assert made["message"] == {"topic": "orders.paid"}
    assert weft(mesh, "triggers", "list").splitlines()[-1].split()[1:] == ["echo", "message", "orders.paid", "on"]
    began = []

    def start(number):
        request = {"graph": "projects/default/graphs/tell", "input": {"n": number}}
        try:
            answer = rest("POST", "/v1/projects/default/executions", request)
        except OSError:
            return
        if answer.status == 200:
            began.append(answer.json["name"])

    for cut in range(3):
        with concurrent.futures.ThreadPoolExecutor(8) as workers:
            sent = [workers.submit(start, 100 * cut + number) for number in range(60)]
            # Of some the message is on disk, of some its run was started, and of some neither.
            until(lambda: sum(one.done() for one in sent) >= 20 + 10 * cut)
            mesh.kill()
            for one in sent:
                one.result()
        mesh.start()
    told = lambda: [one["name"] for one in runs(mesh, "tell") if one["state"] == "EXECUTION_STATE_SUCCEEDED"]
    until(lambda: len(told()) == len(runs(mesh, "tell")))
    assert set(began) <= set(told()) and len(began) > 60
    started = lambda: [one for one in deliveries(mesh, "paid") if one["state"] == "DELIVERY_STATE_STARTED"]
    until(lambda: len(started()) == len(told()))
    outputs = lambda: [rest("GET", "/v1/" + one["name"]).json.get("output") for one in runs(mesh, "echo")]
    until(lambda: all(outputs()))
    # For each message one, and for those no other.
    assert sorted(one["run"] for one in outputs()) == sorted(told())
    assert len({one["n"] for one in outputs()}) == len(told())
    assert len(deliveries(mesh, "paid")) == len(told())
    assert {rest("GET", "/v1/" + one["name"]).json["depth"] for one in runs(mesh, "echo")} == {1}


def test_changes_of_a_graph_start_a_run_also_over_a_power_cut(mesh):
    echo(mesh)
    rest = lambda *asked: Rest(mesh, mesh.key)(*asked)
    assert rest("POST", "/v1/projects/default/graphs?graphId=wiki", {}).status == 200
    made = shown(mesh, "triggers", "create", "index", "echo", "--on-change", "wiki", "--node-type", "page", "--debounce", "1s")
    assert made["graphChange"]["nodeTypes"] == ["page"]

    def write(**kinds):
        changes = [{"upsertNode": {"node": {"key": key, "type": kind}}} for key, kind in kinds.items()]
        answer = rest("POST", "/v1/projects/default/graphs/wiki:applyChanges", {"changes": changes})
        assert answer.status == 200, answer.body

    write(a="page")
    mesh.kill()
    mesh.start()
    started = lambda: [one for one in deliveries(mesh, "index") if one["state"] == "DELIVERY_STATE_STARTED"]
    until(lambda: len(started()) == 1)
    write(t="tag", b="page")
    write(c="page")
    until(lambda: len(started()) >= 2)
    mesh.kill()
    mesh.start()
    write(d="page")
    outputs = lambda: [rest("GET", "/v1/" + one["execution"]).json.get("output") for one in started()]
    written = lambda: [one["event"]["data"] for one in outputs() if one]
    until(lambda: any("d" in one["nodes"]["written"] for one in written()))
    # Each revision once, and in one run.
    spans = sorted((one["first_revision"], one["last_revision"]) for one in written())
    assert all(later[0] == earlier[1] + 1 for earlier, later in zip(spans, spans[1:])), spans
    assert sorted(key for one in written() for key in one["nodes"]["written"]) == ["a", "b", "c", "d", "t"]
    assert len(runs(mesh, "echo")) == len(spans)
    refused = weft(mesh, "triggers", "create", "none", "echo", "--on-change", "nowhere", status=7)
    assert "trigger.graph_change.graph" in refused


def test_an_alert_starts_a_run_also_over_power_cuts(tmp_path):
    mesh = Mesh(tmp_path / "data", environment={"WEFT_TELEMETRY__ALERT_INTERVAL": "100ms"}).start()
    try:
        echo(mesh)
        weft(mesh, "triggers", "create", "bad", "echo", "--on-alert", "any", "--severity", "critical")
        weft(mesh, "alerts", "rules", "create", "mild", "vector(1)", "--severity", "info")
        for number in range(5):
            expression = f'label_replace(vector(1), "shard", "{number}", "", "")'
            weft(mesh, "alerts", "rules", "create", f"rule-{number}", expression, "--severity", "critical")
            if number % 2:
                mesh.kill()
                mesh.start()
        started = lambda kind: [one for one in deliveries(mesh, "bad") if (one["eventType"], one["state"]) == (kind, "DELIVERY_STATE_STARTED")]
        until(lambda: len(started("alert.firing")) == 5)
        weft(mesh, "alerts", "rules", "disable", "projects/default/alertRules/rule-0")
        [over] = until(lambda: started("alert.resolved"))
        event = until(lambda: Rest(mesh, mesh.key)("GET", "/v1/" + over["execution"]).json.get("output"))["event"]
        assert (event["cause"], event["source"]) == ("alert", "projects/default/alertRules/rule-0")
        assert (event["data"]["state"], event["data"]["severity"], event["data"]["labels"]["shard"]) == ("resolved", "critical", "0")
        assert len(deliveries(mesh, "bad")) == len(runs(mesh, "echo")) == 6
        refused = weft(mesh, "triggers", "create", "none", "echo", "--on-alert", "nowhere", status=7)
        assert "trigger.alert.alert_rule" in refused
    finally:
        mesh.kill()


def test_a_schedule_that_is_not_saved_says_its_times(mesh):
    rest = Rest(mesh, mesh.key)
    path = "/v1/projects/default/triggers:previewSchedule"
    times = {"schedule.cron": "30 9 * * MON-FRI", "schedule.timeZone": "Asia/Kolkata"}
    answer = rest("GET", path + query(**times, maxTicks=3))
    assert answer.status == 200, answer.body
    ticks = [one["scheduleTime"] for one in answer.json["ticks"]]
    assert len(ticks) == 3 and all(tick.endswith("T04:00:00Z") for tick in ticks)
    refused = rest("GET", path + query(**times | {"schedule.timeZone": "Mars"}))
    assert refused.status == 400 and b"schedule.time_zone" in refused.body
    assert rest("GET", path).status == 400
    told = shown(mesh, "triggers", "preview", "--cron", "30 9 * * MON-FRI", "--zone", "Asia/Kolkata", "--limit", "3")
    assert [one["scheduleTime"] for one in told["ticks"]] == ticks
    assert "schedule.cron" in weft(mesh, "triggers", "preview", "--cron", "often", status=7)


def test_ticks_that_overlap_are_skipped_queued_or_replace(mesh):
    slow(mesh)
    rest = Rest(mesh, mesh.key)
    state = lambda one: one["state"].removeprefix("DELIVERY_STATE_")
    # Longer ago than anything is made up for by itself.
    span = ["--from", "2026-01-01T00:00:00Z", "--until", "2026-01-01T00:03:00Z"]
    for policy in ["skip", "queue", "replace"]:
        weft(mesh, "triggers", "create", policy, "slow", "--cron", "* * * * *", "--zone", "Europe/Berlin", "--overlap", policy)
        weft(mesh, "triggers", "pause", policy)
        assert shown(mesh, "triggers", "backfill", policy, *span) == {"tickCount": 3}
    weft(mesh, "triggers", "backfill", "skip", "--from", "2020-01-01T00:00:00Z", "--until", "2021-01-01T00:00:00Z", status=7)
    settled = lambda policy, pending: until(
        lambda: (found := deliveries(mesh, policy)) and sum(state(one) == "PENDING" for one in found) == pending and found
    )
    skipped = settled("skip", 0)
    assert sorted(map(state, skipped)) == ["SKIPPED", "SKIPPED", "STARTED"]
    assert {one["reason"] for one in skipped if state(one) == "SKIPPED"} == {"OVERLAP"}
    replaced = settled("replace", 0)
    ends = [rest("GET", "/v1/" + one["execution"]).json["state"] for one in sorted(replaced, key=lambda one: one["startTime"])]
    assert ends == ["EXECUTION_STATE_CANCELLED", "EXECUTION_STATE_CANCELLED", "EXECUTION_STATE_RUNNING"]
    for left in [2, 1, 0]:
        queued = settled("queue", left)
        newest = max((one for one in queued if "startTime" in one), key=lambda one: one["startTime"])
        assert sum(state(one) == "STARTED" for one in queued) == 3 - left
        said = until(lambda: (answer := rest("POST", f"/v1/{newest['execution']}:signal", {"signal": "go"})).status == 200 and answer)
        assert said.status == 200
    assert sorted(one["scheduleTime"] for one in settled("queue", 0)) == [f"2026-01-01T00:0{minute}:00Z" for minute in range(3)]
