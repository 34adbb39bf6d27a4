"""Prometheus' rules, run by promtool on series that are made up."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
import subprocess

import yaml
from harness.program import REPOSITORY

UNPACKED = REPOSITORY / ".build" / "promtool" / "usr" / "bin" / "promtool"
# In minutes, a sample each. Alerts compare with ten minutes ago, and wait for half an hour at most.
CHANGES_AT, END = 30, 75


@dataclasses.dataclass
class Kind:
    """A gauge's value, or what a counter grows by in a minute."""

    number: float


class Gauge(Kind):
    def samples(self, later: float) -> str:
        return f"{self.number}+0x{CHANGES_AT - 1} {later}+0x{END - CHANGES_AT}"


class Counter(Kind):
    def samples(self, later: float) -> str:
        return f"0+{self.number}x{CHANGES_AT - 1} {self.number * CHANGES_AT}+{later}x{END - CHANGES_AT}"


Story = dict[str, Gauge | Counter]
"""By `name{labels}`."""


class Refused(Exception):
    """What promtool said."""


def fired(groups: list[dict], story: Story, change: dict[str, float | None], folder: pathlib.Path) -> set[str]:
    """The alerts that fire at any time. `change` is what a gauge becomes, or what a counter grows by in a minute from then on; with
    None the series ends."""
    input_series = []
    for name, kind in story.items():
        later = change.get(name, kind.number)
        values = kind.samples(kind.number if later is None else later)
        if later is None:
            values = f"{values.split(' ')[0]} stale"
        input_series.append({"series": name, "values": values})
    # promtool only compares: what it got is told when that is not what was expected.
    question = {"expr": f'group by (alertname) (count_over_time(ALERTS{{alertstate="firing"}}[{END}m]))', "eval_time": f"{END}m"}
    tests = [{"interval": "1m", "input_series": input_series, "promql_expr_test": [{**question, "exp_samples": []}]}]
    (folder / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    (folder / "test.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}))
    try:
        _promtool("test", "rules", str(folder / "test.yaml"))
    except Refused as failed:
        got = str(failed).partition(" got: ")[2]
        if not got:
            raise
        return set(re.findall(r'alertname="(\w+)"', got))
    return set()


def check(expressions: list[str], folder: pathlib.Path) -> None:
    """Raises `Refused` for what is not PromQL."""
    rules = [{"record": f"expression:{index}", "expr": each} for index, each in enumerate(expressions)]
    (folder / "expressions.yaml").write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}))
    said = _promtool("check", "rules", str(folder / "expressions.yaml"))
    assert f"{len(expressions)} rules found" in said


def _promtool(*arguments: str) -> str:
    binary = shutil.which("promtool") or str(UNPACKED)
    done = subprocess.run([binary, *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise Refused(done.stdout + done.stderr)
    return done.stdout
