from __future__ import annotations

import os
import pathlib
import sys
import uuid

import pytest

HERE = pathlib.Path(__file__).resolve().parent

# The harness is that of the end-to-end tests.
sys.path[:0] = [str(HERE), str(HERE.parent / "EndToEnd")]

import harness.stubs  # noqa: E402, F401
from harness.fixtures import clients  # noqa: E402, F401
from image import podman  # noqa: E402
from image.cluster import Cluster, Network  # noqa: E402

live_clusters: list[Cluster] = []


@pytest.fixture(scope="session")
def image() -> str:
    """The image under test, in the storage that podman uses."""
    name = os.environ["PUSHRING_IMAGE"]
    podman.check("image", "exists", name)
    return name


@pytest.fixture(scope="session")
def redis_image() -> str:
    return os.environ["PUSHRING_REDIS_IMAGE"]


@pytest.fixture(scope="session")
def files(image):
    """The image's files, from outside."""
    with podman.files_of(image) as place:
        yield place


@pytest.fixture(scope="session")
def network():
    made = Network(f"pushring-{uuid.uuid4().hex[:12]}")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def cluster(image, redis_image, network):
    """A Redis, three pods and a Sender that the tests of a module share."""
    made = Cluster(network, image, redis_image)
    live_clusters.append(made)
    yield made
    live_clusters.remove(made)
    made.stop()


@pytest.fixture
def program(image):
    """program(arguments): the image's program, hardened, without a network, run to its end."""

    def run(*arguments: str, options: tuple[str, ...] = ()):
        return podman.run("run", "--rm", "--network", "none", *podman.HARDENED, *options, image, *arguments)

    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed and call.when in ("setup", "call"):
        for cluster in live_clusters:
            report.sections.append(("logs of the containers", cluster.logs()))
    return report
