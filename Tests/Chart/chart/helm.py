"""Helm 3 and 4, and kubectl, as command lines."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
from typing import Iterator

import yaml
from harness.program import REPOSITORY

CHART = REPOSITORY / "charts" / "pushring"
CI = CHART / "ci"
TOOLS = REPOSITORY / ".venv" / "chart-tools"
HOME = REPOSITORY / ".build" / "chart-home"
MAJORS = ("helm3", "helm4")
# Of kubernetes-validate 1.37, from the oldest that Chart.yaml allows.
KUBERNETES = [f"1.{minor}" for minor in range(25, 38)]
NEWEST = KUBERNETES[-1]
RELEASE, NAMESPACE = "push", "notices"

counts = {"renders": 0}


class HelmFailed(Exception):
    """What Helm, or kubectl, said on stderr."""


def tool(name: str) -> str:
    path = TOOLS / name
    if not path.exists():
        raise RuntimeError(f"no {name} in {TOOLS}: scripts/test-chart puts it there")
    return str(path)


def helm(major: str, *arguments: str) -> str:
    return run(major, *arguments)


def run(name: str, *arguments: str) -> str:
    # A home of its own: no repositories, no plugins, and no cluster of whoever runs the tests.
    environment = {"PATH": os.environ["PATH"], "HOME": str(HOME), "KUBECONFIG": os.devnull}
    done = subprocess.run(
        [tool(name), *arguments], capture_output=True, text=True, timeout=60, env=environment, cwd=CHART.parent
    )
    if done.returncode:
        raise HelmFailed(done.stderr)
    return done.stdout


def flags(values: str | None, settings: dict[str, str]) -> list[str]:
    """`values` names a file of charts/pushring/ci; settings are JSON."""
    file = ["--values", str(CI / f"{values}.yaml")] if values else []
    return file + [part for name, value in settings.items() for part in ("--set-json", f"{name}={value}")]


def template(
    values: str | None = None, major: str = "helm3", kubernetes: str = NEWEST, **settings: str
) -> list[dict]:
    """What Helm would install. A setting `a__b` is the value a.b, as JSON."""
    named = {name.replace("__", "."): value for name, value in settings.items()}
    return _template(values, major, kubernetes, tuple(named.items()))


@functools.cache
def _template(values: str | None, major: str, kubernetes: str, settings: tuple) -> list[dict]:
    counts["renders"] += 1
    text = helm(
        major, "template", RELEASE, str(CHART), "--namespace", NAMESPACE, "--kube-version", kubernetes,
        *flags(values, dict(settings)),
    )
    return [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]


def refusal(major: str = "helm3", values: str | None = None, **settings: str) -> str:
    """What a user is told, of values that Helm must not render."""
    try:
        template(values, major, **settings)
    except HelmFailed as refused:
        return str(refused)
    raise AssertionError(f"Helm rendered it: {settings}")


def value_files() -> list[str]:
    return sorted(path.stem for path in CI.glob("*.yaml"))


def values(path: tuple[str, ...] = (), schema: dict | None = None) -> Iterator[tuple[str, dict, bool]]:
    """The path of each value, as a setting's name; its schema; and whether it may be null."""
    schema = schema or json.loads((CHART / "values.schema.json").read_text())
    for key, each in schema["properties"].items():
        if "description" in each or "properties" in each:
            yield "__".join((*path, key)), each, key not in schema.get("required", [])
        if "properties" in each:
            yield from values((*path, key), each)
