"""podman's command line, and containers that it runs."""

from __future__ import annotations

import contextlib
import json
import pathlib
import subprocess
import time
from dataclasses import dataclass
from typing import Iterator

from harness.program import Finished
from harness.waiting import CommandFailed, eventually

# Of bash and dash nothing is left in a container: what needs a shell fails.
NO_SHELL = [part for path in ("/usr/bin/bash", "/usr/bin/dash") for part in ("--volume", f"/dev/null:{path}:ro")]
# As the chart's pods: podman's own default would be a writable /tmp, /run and /var/tmp on a read-only root. The default
# seccomp profile is on.
HARDENED = [
    "--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges", "--memory", "256m",
    "--pids-limit", "128", *NO_SHELL,
]


def run(*arguments: str, within: float = 60) -> Finished:
    """Any podman command, to its end."""
    command = ["podman", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=within, stdin=subprocess.DEVNULL)
    return Finished(done.returncode, done.stdout, done.stderr)


def check(*arguments: str, within: float = 60) -> str:
    """What it printed; CommandFailed if it did not end with 0."""
    done = run(*arguments, within=within)
    if done.code != 0:
        raise CommandFailed(f"podman {' '.join(map(str, arguments))} ended with {done.code}: {done.text}")
    return done.out.strip()


def inspect(kind: str, name: str) -> dict:
    return json.loads(check(kind, "inspect", name))[0]


@contextlib.contextmanager
def files_of(image: str) -> Iterator[pathlib.Path]:
    """The image's files, to be read without running anything in it."""
    place = pathlib.Path(check("image", "mount", image))
    try:
        yield place
    finally:
        check("image", "unmount", image)


@dataclass
class Stopped:
    code: int
    seconds: float


class Container:
    """A container that has been started. It is known by its id, so that nobody else's is ever touched."""

    def __init__(self, name: str, image: str, arguments: list[str], options: list[str], environment: dict[str, str]):
        self.name = name
        variables = [part for key, value in environment.items() for part in ("--env", f"{key}={value}")]
        # Created first, so that there is an id to remove it by if it does not start.
        self.id = check("create", *options, *variables, image, *arguments)
        try:
            check("start", self.id)
        except BaseException:
            self.remove()
            raise

    @property
    def state(self) -> dict:
        return inspect("container", self.id)["State"]

    @property
    def running(self) -> bool:
        return self.state["Status"] == "running"

    @property
    def log(self) -> str:
        return run("logs", self.id).text

    def execute(self, *command: str) -> Finished:
        """As by kubectl exec."""
        return run("exec", self.id, *command)

    def changes(self) -> str:
        """What is different from the image."""
        return check("diff", self.id)

    def status(self) -> dict[str, str]:
        """Of its first process, as the kernel sees it from outside; nothing in the container has to read it."""
        lines = pathlib.Path(f"/proc/{self.state['Pid']}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    def exit_code(self, within: float = 30) -> int:
        eventually(f"{self.name} has ended", lambda: not self.running, within)
        return self.state["ExitCode"]

    def stop(self, grace: float = 30) -> Stopped:
        """SIGTERM, and a kill when the grace period is over; the code is 137 then."""
        began = time.monotonic()
        check("stop", "--time", str(int(grace)), self.id, within=grace + 30)
        return Stopped(self.state["ExitCode"], time.monotonic() - began)

    def remove(self) -> None:
        run("rm", "--force", "--time", "0", "--volumes", self.id)

    def tail(self, lines: int = 60) -> str:
        state = f"{self.state['Status']}, {self.state['ExitCode']}"
        return "\n".join([f"--- {self.name} ({state})", *self.log.splitlines()[-lines:]])
