from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
END_TO_END = HERE.parent / "EndToEnd"
STUBS = REPOSITORY / ".build" / "end-to-end" / "python"

# The harness is that of the end-to-end tests, and its clients are written from the .proto files alone.
sys.path[:0] = [str(HERE), str(END_TO_END), str(STUBS)]
subprocess.run(
    [sys.executable, str(REPOSITORY / "Docs" / "examples" / "python" / "generate.py"), str(STUBS)], check=True, timeout=120
)

from chart import helm, schemas  # noqa: E402
from chart.kubelet import Node  # noqa: E402
from harness.clients import Clients  # noqa: E402

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


@pytest.fixture
def clients():
    made = Clients()
    yield made
    made.close()


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
