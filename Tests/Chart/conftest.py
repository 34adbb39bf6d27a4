from __future__ import annotations

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent

# The harness is that of the end-to-end tests.
sys.path[:0] = [str(HERE), str(HERE.parent / "EndToEnd")]

import harness.stubs  # noqa: E402, F401
from chart import helm, schemas  # noqa: E402
from chart.kubelet import Node  # noqa: E402
from harness.fixtures import clients  # noqa: E402, F401

live_nodes: list[Node] = []


@pytest.fixture
def run(tmp_path):
    """Makes a Node for rendered manifests: run(documents)."""
    made: list[Node] = []

    def make(documents: list[dict], **options) -> Node:
        made.append(Node(tmp_path, documents, **options))
        live_nodes.append(made[-1])
        return made[-1]

    yield make
    for node in made:
        live_nodes.remove(node)
        node.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and call.when in ("setup", "call"):
        for node in live_nodes:
            report.sections.append(("logs of the processes", node.logs()))
    return report


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(
        f"{helm.counts['renders']} renderings, {schemas.counts['validated']} different resources held against Kubernetes' schemas"
    )
