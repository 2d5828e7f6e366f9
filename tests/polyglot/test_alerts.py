"""Alerts by the program: a rule, who is told, a silence; and power cuts, over which nothing is lost and nothing is said twice."""

import base64
import hashlib
import hmac
import http.server
import json
import os
import secrets
import subprocess
import threading
import time

import pytest
from mesh import BIN, Mesh

KEY = secrets.token_bytes(32)


class Receiver:
    """A webhook that checks signatures, and answers what it is told to."""

    def __init__(self):
        self.heard, self.status = [], 200
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
                expected = base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
                good = hmac.compare_digest(self.headers["webhook-signature"], f"v1,{expected}")
                receiver.heard.append((self.headers["webhook-id"], json.loads(body), receiver.status if good else 401))
                self.send_response(receiver.heard[-1][2])
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def taken(self):
        """Ids and types of what it has taken, each once however often it came."""
        return list(dict.fromkeys((name, body["type"]) for name, body, status in self.heard if status == 200))


@pytest.fixture
def receiver():
    running = Receiver()
    yield running
    running.server.shutdown()


@pytest.fixture
def mesh(tmp_path):
    environment = {
        "WEFT_TELEMETRY__ALERT_INTERVAL": "100ms",
        "WEFT_TELEMETRY__WEBHOOK_PAUSE": "100ms",
        "WEFT_TELEMETRY__WEBHOOK_NETWORKS": '["127.0.0.1"]',
    }
    running = Mesh(tmp_path / "data", environment=environment).start()
    yield running
    running.kill()


def weft(mesh, *arguments, status=0):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    command = [BIN, "--data", mesh.data, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, env=clean, timeout=60)
    assert done.returncode == status, (done.stdout, done.stderr)
    return (done.stdout if status == 0 else done.stderr).decode()


def until(is_so, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


def alerts(mesh):
    return json.loads(weft(mesh, "alerts", "list", "-o", "json")).get("alerts", [])


def test_a_rule_fires_tells_and_is_silenced(mesh, rest, receiver, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(KEY).decode())
    wrong = weft(mesh, "alerts", "rules", "create", "wrong", "sum by (", status=7)
    assert "expression" in wrong
    inside = ["alerts", "rules", "create", "inside", "vector(1)", "--webhook", "http://169.254.169.254/latest"]
    assert "may not be called" in weft(mesh, *inside, status=7)
    shown = weft(mesh, "alerts", "rules", "create", "quiet", "vector(1) > 2", "--webhook", receiver.url)
    assert "whsec_" in shown
    made = weft(
        mesh, "alerts", "rules", "create", "full", 'label_replace(vector(1), "host", "node7", "", "")', "--severity", "critical",
        "--annotation", "summary={{ $labels.host }} is full", "--group-by", "host", "--webhook", receiver.url, "--secret-file", secret, "-o", "json",
    )
    assert json.loads(made)["webhooks"] == [{"url": receiver.url}]
    [(_, body, status)] = until(lambda: receiver.heard)
    assert (status, body["type"], body["data"]["group"]) == (200, "alert.firing", {"host": "node7"})
    assert body["data"]["alerts"][0]["annotations"] == {"summary": "node7 is full"}
    [alert] = alerts(mesh)
    assert (alert["state"], alert["labels"]["alertname"]) == ("ALERT_STATE_FIRING", "full")
    assert "node7" in weft(mesh, "alerts", "list")
    # As Grafana lists them.
    told = {rule["name"]: rule for rule in rest("GET", "/api/v1/rules").json["data"]["groups"][0]["rules"]}
    assert (told["full"]["state"], told["full"]["health"], told["quiet"]["state"]) == ("firing", "ok", "inactive")
    [firing] = rest("GET", "/api/v1/alerts").json["data"]["alerts"]
    assert (firing["labels"]["host"], firing["state"], float(firing["value"])) == ("node7", "firing", 1)
    assert rest("GET", "/api/v1/rules?type=record").json["data"] == {"groups": []}
    silence = json.loads(weft(mesh, "alerts", "silences", "create", "host=~node.*", "--comment", "known", "-o", "json"))
    until(lambda: alerts(mesh)[0].get("silences") == [silence["name"]])
    weft(mesh, "alerts", "silences", "end", silence["name"])
    until(lambda: "silences" not in alerts(mesh)[0])
    weft(mesh, "alerts", "rules", "disable", "projects/default/alertRules/full")
    until(lambda: len(receiver.taken()) == 2)
    assert receiver.taken()[1][1] == "alert.resolved"
    weft(mesh, "alerts", "rules", "delete", "projects/default/alertRules/full")
    assert "projects/default/alertRules/full" not in weft(mesh, "alerts", "rules", "list")
    assert KEY.hex() not in mesh.log.read_text() and secret.read_text() not in mesh.log.read_text()


def test_over_power_cuts_nothing_is_lost_and_nothing_is_told_twice(mesh, receiver, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("whsec_" + base64.b64encode(KEY).decode())
    receiver.status = 503
    rules = 20
    for number in range(rules):
        expression = f'label_replace(vector(1), "shard", "{number}", "", "")'
        weft(mesh, "alerts", "rules", "create", f"rule-{number}", expression, "--webhook", receiver.url, "--secret-file", secret)
    for cut in range(5):
        if cut == 3:
            # From now on it is heard: some are taken while the power goes.
            receiver.status = 200
        time.sleep(0.4 + cut * 0.07)
        mesh.kill()
        mesh.start()
    until(lambda: len({body["data"]["alertRule"] for _, body, status in receiver.heard if status == 200}) == rules)
    time.sleep(1)
    taken = receiver.taken()
    # One notice for each rule, whatever died; who hears it again sees the same id.
    assert len(taken) == rules and {kind for _, kind in taken} == {"alert.firing"}
    until(lambda: len(alerts(mesh)) == rules)
    assert {alert["state"] for alert in alerts(mesh)} == {"ALERT_STATE_FIRING"}
