from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
STUBS = REPOSITORY / ".build" / "end-to-end" / "python"

# The clients are written from the .proto files alone, so their code is generated here, before anything imports it.
sys.path[:0] = [str(HERE), str(STUBS)]
subprocess.run(
    [sys.executable, str(REPOSITORY / "Docs" / "examples" / "python" / "generate.py"), str(STUBS)], check=True, timeout=120
)

from harness.clients import Clients, RawStream  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.program import run  # noqa: E402

live_clusters: list[Cluster] = []


def make_cluster(folder: pathlib.Path, **options) -> Cluster:
    cluster = Cluster(folder, **options)
    live_clusters.append(cluster)
    return cluster


def stop_cluster(cluster: Cluster) -> None:
    live_clusters.remove(cluster)
    cluster.stop()


@pytest.fixture(scope="session", autouse=True)
def program_runs():
    """Without a program every test would fail, each in its own words."""
    done = run("--help")
    assert done.code == 0, done.text


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Three pods and a Sender that the tests of a module share; they leave it as they found it, but for its users."""
    shared = make_cluster(tmp_path_factory.mktemp("cluster"))
    yield shared
    stop_cluster(shared)


@pytest.fixture
def own_cluster(tmp_path):
    """Makes a cluster for one test that breaks it: own_cluster(pods=3, password="", options={...})."""
    made = []

    def make(**options) -> Cluster:
        made.append(make_cluster(tmp_path, **options))
        return made[-1]

    yield make
    for cluster in made:
        stop_cluster(cluster)


@pytest.fixture
def clients():
    made = Clients()
    yield made
    made.close()


@pytest.fixture
def raw():
    """Opens raw Connect calls: raw(address)."""
    streams = []

    def open_stream(address: str) -> RawStream:
        streams.append(RawStream(address))
        return streams[-1]

    yield open_stream
    for stream in streams:
        stream.close()


@pytest.fixture
def user(request) -> str:
    """A user of this test's own."""
    return request.node.name


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and call.when in ("setup", "call"):
        for cluster in live_clusters:
            report.sections.append(("logs of the cluster", cluster.logs()))
    return report
