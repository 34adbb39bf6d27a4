from __future__ import annotations

import pathlib
import sys

import grpc
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness.stubs  # noqa: E402, F401
from harness.clients import RawStream  # noqa: E402
from harness.cluster import Cluster  # noqa: E402
from harness.fixtures import clients  # noqa: E402, F401
from harness.program import run  # noqa: E402
from pushring.v1 import push_pb2, push_pb2_grpc  # noqa: E402

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


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A pod with one thread and short time limits, and a Sender: for clients that take their time."""
    limits = ["--client-patience", "--idle-timeout", "--hello-timeout", "--keepalive-timeout"]
    options = {**{limit: "2s" for limit in limits}, "--keepalive-interval": "3s", "--edge-threads": "1"}
    shared = make_cluster(tmp_path_factory.mktemp("impatient"), pods=1, options=options)
    yield shared
    stop_cluster(shared)


@pytest.fixture
def pod(impatient):
    """Of test_attacks.py and test_slow_clients.py; others have their own."""
    return impatient.pods["pod-0"]


@pytest.fixture
def push(impatient):
    """push(user, bytes): the outcome at the user's only session."""
    with grpc.insecure_channel(impatient.sender.address) as channel:
        stub = push_pb2_grpc.PushesStub(channel)

        def one(user: str, count: int) -> int:
            answer = stub.Push(push_pb2.PushRequest(user_id=user, payload=b"x" * count), timeout=20)
            return answer.results[0].outcome

        yield one


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
def raw():
    """Opens raw Connect calls: raw(address, (name, value), ...) with metadata."""
    streams = []

    def open_stream(address: str, *metadata: tuple[str, str]) -> RawStream:
        streams.append(RawStream(address, *metadata))
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
