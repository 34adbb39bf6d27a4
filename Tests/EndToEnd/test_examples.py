"""The programs of Docs/examples and `pushring connect`, as a user runs them."""

import json
import pathlib
import subprocess
import sys

import pytest

from harness.clients import EXAMPLES
from harness.processes import Child
from harness.program import REPOSITORY, program
from harness.waiting import eventually

PYTHON_STUBS = REPOSITORY / ".build" / "end-to-end" / "python"


class Terminal:
    """A session in a process of its own that prints JSON lines."""

    def __init__(self, name, command, folder, environment=None):
        self.child = Child(name, command, folder, environment)

    @property
    def events(self) -> list[dict]:
        lines = self.child.log.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def of(self, kind: str) -> list[dict]:
        return [event for event in self.events if event.get("event") == kind]

    def wait_welcome(self, count: int = 1) -> dict:
        eventually(f"{self.child.name} is welcomed {count} times", lambda: len(self.of("welcome")) >= count)
        return self.of("welcome")[-1]

    def wait_payload(self, payload: str) -> dict:
        def received():
            return [event for event in self.of("message") if event["payload"] == payload]

        return eventually(f"{self.child.name} received {payload!r}:\n{self.child.tail()}", received)[0]


@pytest.fixture(scope="session")
def go_program(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("go")
    subprocess.run([EXAMPLES / "go" / "build", folder], check=True, timeout=300)
    return str(folder / "pushring-go")


@pytest.fixture
def start(tmp_path):
    started = []

    def start_terminal(name, *command, environment=None) -> Terminal:
        started.append(Terminal(name, list(command), tmp_path, environment))
        return started[-1]

    yield start_terminal
    for terminal in started:
        terminal.child.stop()


def commands(go_program: str) -> dict[str, list[str]]:
    return {
        "go": [go_program, "session"],
        "python": [sys.executable, str(EXAMPLES / "python" / "session.py")],
        "swift": [program(), "connect", "--output", "json"],
    }


def session_flags(cluster, user, *more):
    return ["--endpoint", ",".join(cluster.endpoints), "--user", user, "--session", "terminal", *more]


ENVIRONMENT = {"PYTHONPATH": str(PYTHON_STUBS)}


@pytest.mark.parametrize("language", ["go", "python", "swift"])
def test_a_client_receives_what_it_waits_for_and_ends(cluster, start, go_program, user, language):
    command = commands(go_program)[language] + session_flags(cluster, user, "--count", "1")
    client = start(language, *command, environment=ENVIRONMENT)
    assert client.wait_welcome()["pod"] == cluster.owner(user).id
    result = cluster.push(user, "héllo 🎉")
    assert [each["outcome"] for each in result["results"]] == ["delivered"]
    client.wait_payload("héllo 🎉")
    assert client.child.exit_code() == 0
    assert len(client.of("message")) == 1


@pytest.mark.parametrize("language", ["go", "python"])
def test_a_backend_in_another_language_pushes(cluster, clients, go_program, user, language):
    client = clients.open(user, cluster.endpoints)
    command = {
        "go": [go_program, "push"],
        "python": [sys.executable, str(EXAMPLES / "python" / "push.py")],
    }[language]
    flags = ["--sender", cluster.sender.address, "--user", user, "--message", "from a backend"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=30, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert "OUTCOME_DELIVERED" in done.stdout
    client.wait_payload("from a backend")


def test_clients_in_every_language_survive_the_loss_of_their_pod(own_cluster, start, go_program, user):
    cluster = own_cluster()
    user = cluster.user_owned_by("pod-0", user)
    terminals = [
        start(language, *command, *session_flags(cluster, user)[:-1], language, environment=ENVIRONMENT)
        for language, command in commands(go_program).items()
    ]
    for terminal in terminals:
        assert terminal.wait_welcome()["pod"] == "pod-0"
    cluster.kill("pod-0")
    for terminal in terminals:
        assert terminal.wait_welcome(2)["pod"] in cluster.pods

    def all_reached() -> bool:
        results = cluster.push(user, "still there?")["results"]
        return [each["outcome"] for each in results] == ["delivered"] * 3

    eventually("all three are pushed to", all_reached)
    for terminal in terminals:
        terminal.wait_payload("still there?")


def test_clients_in_every_language_follow_a_leaving_pod(own_cluster, start, go_program, user):
    cluster = own_cluster()
    user = cluster.user_owned_by("pod-0", user)
    terminals = [
        start(language, *command, *session_flags(cluster, user)[:-1], language, environment=ENVIRONMENT)
        for language, command in commands(go_program).items()
    ]
    for terminal in terminals:
        assert terminal.wait_welcome()["pod"] == "pod-0"
    leaving = cluster.pods.pop("pod-0")
    leaving.child.terminate()
    for terminal in terminals:
        assert terminal.wait_welcome(2)["pod"] in cluster.pods
        assert not terminal.of("ended"), f"the new stream came after the old one's end: {terminal.events}"
    assert leaving.child.exit_code() == 0
    result = cluster.push(user, "moved")
    assert [each["outcome"] for each in result["results"]] == ["delivered"] * 3
    for terminal in terminals:
        terminal.wait_payload("moved")


def test_the_swift_example_fits_the_library_that_was_built():
    """Type-checked against the modules of the build: a build of its own would compile every dependency again."""
    build = pathlib.Path(program()).parent
    maps = [
        *REPOSITORY.glob(".build/checkouts/*/Sources/*/include/module.modulemap"),
        *REPOSITORY.glob("Sources/C*/module.modulemap"),
        *(found for found in build.glob("*.build/module.modulemap") if "-tool" not in found.parent.name),
    ]
    flags = [part for found in maps for part in ("-Xcc", f"-fmodule-map-file={found}")]
    checked = subprocess.run(
        ["swiftc", "-typecheck", "-parse-as-library", "-swift-version", "6", "-warnings-as-errors"]
        + ["-I", build / "Modules", *flags, *(EXAMPLES / "swift" / "Sources" / "backend").glob("*.swift")],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert checked.returncode == 0, checked.stderr
