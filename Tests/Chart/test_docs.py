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


def durations_of_the_chart() -> dict[str, list[str]]:
    """By the value's name: default, least and most, as the programs have them."""
    found = {}
    for variable, *bounds in durations_of_the_programs():
        key = re.sub("-(.)", lambda letter: letter.group(1).upper(), variable)
        found |= {name: bounds for name, _, _ in helm.values() if name.split("__")[-1] == key and ("config" in name or "cluster" in name)}
    return found


def durations_of_the_programs() -> list[tuple[str, ...]]:
    text = (REPOSITORY / "Sources" / "Settings" / "SettingTable.swift").read_text()
    amount = r"\(?(\.\w+)(?:\(([\d_]+)\))?\)?"
    found = re.findall(rf'Setting\(\s*"([a-z-]+)", of: [^:]+, default: (nil|"\w+"),\s*type: \.duration\({amount}\.\.\.{amount}\)', text)
    assert len(found) >= 15, "Sources/Settings/SettingTable.swift is not read as it should be"
    units = {".milliseconds": "ms", ".seconds": "s", ".zero": "0s"}
    return [
        (name, default.strip('"'), *(number.replace("_", "") + units[unit] for unit, number in ((one, least), (other, most))))
        for name, default, one, least, other, most in found
    ]


def milliseconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", duration).groups()
    return int(number) * {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}[unit]


def test_durations_are_what_the_programs_take():
    readme = (helm.CHART / "README.md").read_text()
    durations = durations_of_the_chart()
    with_range = {name for name, schema, _ in helm.values() if schema.get("pattern") == r"^[0-9]+(\.[0-9]+)?(ms|s|m|h)$"}
    assert durations.keys() == with_range
    for name, (_, least, most) in durations.items():
        path = name.replace("__", ".")
        row = re.search(rf"^\| `{path}` .* From (\w+) to (\w+)\. \|$", readme, re.MULTILINE)
        assert [milliseconds(each) for each in row.groups()] == [milliseconds(least), milliseconds(most)], path
        outside = [milliseconds(most) + 1, *([milliseconds(least) - 1] if milliseconds(least) else [])]
        for value in outside:
            told = helm.refusal(**{name: f'"{value}ms"'})
            assert f"{path} is {value}ms, and the program takes from {row.group(1)} to {row.group(2)}." in told
    # What is at the ends is taken, where it goes together with the rest.
    together = ((1, {"cluster__lease": "5m", "cluster__grace": "1h"}), (2, {"cluster__renewalInterval": "1s", "sessionManager__config__keepaliveInterval": "1s"}))
    for end, apart in together:
        helm.template(**{name: f'"{apart.get(name, bounds[end])}"' for name, bounds in durations.items()})


def test_without_a_value_the_chart_computes_with_the_programs_default():
    table = (helm.CHART / "templates" / "_values.tpl").read_text()
    for name, (default, _, _) in durations_of_the_chart().items():
        written = re.search(rf"^{name.replace('__', '.')}: {{default: (\S+),", table, re.MULTILINE).group(1).strip('"')
        assert written == ("" if default == "nil" else default), name


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
