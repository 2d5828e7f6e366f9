"""The files in deploy/ are right: every key of the configuration is explained, with its default."""

import json
import os
import re
import subprocess
import tomllib

import pytest
import yaml
from mesh import BIN, ROOT

REFERENCE = (ROOT / "deploy/weft.toml").read_text()

# A key whose default depends on the machine, or that has none to show.
WITHOUT_DEFAULT = {"data", "storage.database", "storage.bus", "storage.objects"}


def run(*arguments, environment=()):
    clean = {key: value for key, value in os.environ.items() if not key.startswith("WEFT_")}
    return subprocess.run([BIN, *arguments], capture_output=True, text=True, env={**clean, **dict(environment)}, timeout=60)


def weft(*arguments, environment=()):
    done = run(*arguments, environment=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def flat(tree, path=""):
    """`{"a": {"b": 1}}` as `{"a.b": 1}`; empty tables are left out."""
    result = {}
    for key, value in tree.items():
        name = f"{path}.{key}" if path else key
        result.update(flat(value, name) if isinstance(value, dict) else {name: value})
    return result


def test_the_reference_is_accepted_as_it_is():
    weft("config", "check", str(ROOT / "deploy/weft.toml"))


def test_the_reference_is_up_to_date():
    made = subprocess.run([ROOT / "tools/make-config-reference", "--check", BIN], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stdout + made.stderr


def test_the_reference_explains_every_key_and_gives_its_default(tmp_path):
    """Keys stand in the reference as they are, or commented out where the default is best left alone."""
    defaults = flat(json.loads(weft("config", "show", "--output", "json")))
    uncommented = re.sub(r"^#(?=[a-z_]+ = |\[)", "", REFERENCE, flags=re.MULTILINE)
    explained = flat(tomllib.loads(uncommented))
    # Named by the operator: there is an example of each, and none by default.
    named = ("peers.", "graph.folders.", "gateway.upstreams.", "command.jobs.weights.", "execution.weights.", "telemetry.keep.")
    known = {key for key in explained if not key.startswith(named)}
    assert known == set(defaults), (sorted(set(defaults) - known), sorted(known - set(defaults)))
    wrong = {
        key: (explained[key], value)
        for key, value in defaults.items()
        if key not in WITHOUT_DEFAULT and explained[key] != value
    }
    assert not wrong, f"in the reference, and in the program: {wrong}"
    # With everything uncommented it is still a configuration.
    whole = tmp_path / "weft.toml"
    whole.write_text(uncommented)
    weft("config", "check", str(whole))


def test_a_key_that_is_not_there_is_an_error(tmp_path):
    wrong = tmp_path / "weft.toml"
    wrong.write_text("[limits]\nmax_callz = 1\n")
    done = run("config", "check", str(wrong))
    assert done.returncode == 7 and "max_callz" in done.stderr


@pytest.mark.parametrize("service", ["identity", "graph", "compute", "agent", "command", "execution", "telemetry", "trigger", "gateway"])
def test_the_compose_file_configures_what_there_is(service):
    compose = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())["services"]
    assert compose[service]["command"] == ["serve", service]
    environment = {
        key: value.replace("${WEFT_DB_PASSWORD:?choose a password}", "secret")
        for key, value in compose[service]["environment"].items()
    }
    shown = json.loads(weft("config", "show", "--output", "json", environment=environment))
    assert shown["listen"] == "0.0.0.0:8080"
    assert set(shown["peers"]) == {"identity", "graph", "compute", "agent", "command", "execution", "telemetry", "trigger"}
    assert "secret" not in json.dumps(shown)
