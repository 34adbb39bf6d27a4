"""What is made from values.yaml is current, and the chart knows every setting that the programs have."""

import json
import re
import subprocess
import sys

from chart import helm
from chart.manifests import environment, find
from harness.program import REPOSITORY

# In the documentation of all settings: the variable, and the programs that have it.
ROW = re.compile(r"^\| `--[a-z-]+` \| `(PUSHRING_[A-Z_]+)` \| [^|]+ \| [^|]+ \| ([^|]+) \|", re.MULTILINE)
# A file of settings would only say again what the variables say.
NOT_OF_THE_CHART = {"PUSHRING_CONFIG"}


def test_readme_and_schema_are_what_values_yaml_says():
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "scripts" / "chart-docs"), "--check"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr


def test_every_value_is_documented():
    readme = (helm.CHART / "README.md").read_text()
    rows = [line for line in readme.splitlines() if line.startswith("| `")]
    assert len(rows) > 200
    assert [line for line in rows if line.rstrip().endswith("|  |")] == []


def settings_of(program: str) -> set[str]:
    rows = ROW.findall((REPOSITORY / "Docs" / "configuration.md").read_text())
    assert len(rows) > 40, "the tables of Docs/configuration.md are not read as they should be"
    of_program = {name for name, programs in rows if program in programs.split(", ") or programs.strip() == "all"}
    return of_program - NOT_OF_THE_CHART


def test_every_setting_of_the_programs_is_refused_as_a_variable_that_a_value_sets():
    for program, part in (("session-manager", "sessionManager"), ("sender", "sender")):
        names = settings_of(program)
        told = helm.refusal(**{f"{part}__extraEnv": json.dumps([{"name": name, "value": "1"} for name in sorted(names)])})
        remedies = dict(re.findall(rf"{part}.extraEnv has (\w+), .* set ([\w.]+)", told))
        assert remedies.keys() == names
        paths = {name.replace("__", ".") for name, _, _ in helm.values()}
        assert set(remedies.values()) <= paths, remedies


def test_every_setting_of_the_programs_can_be_given():
    documents = [*helm.template("extensions"), *helm.template("production")]
    for program, kind, names in (
        ("session-manager", "StatefulSet", ("notify", "push")), ("sender", "Deployment", ("notify-sender", "push-sender")),
    ):
        given: set[str] = set()
        for name in names:
            container = find(documents, kind, name)["spec"]["template"]["spec"]["containers"][0]
            given |= {each for each in environment(container) if each.startswith("PUSHRING_")}
        # A Sender leaves what only concerns pods alone.
        assert settings_of(program) - given == set()
        assert given - settings_of(program) == set()
