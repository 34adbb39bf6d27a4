"""Child processes that can't outlive the tests, with their output kept."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess

from .waiting import eventually

# The kernel ends the child with us, however we end. By setpriv (util-linux), not by Python's preexec_fn: that makes Python
# fork, and gRPC's threads in this process don't survive being forked.
DIE_WITH_PARENT = ["setpriv", "--pdeathsig", "KILL", "--"]

_ports_given: set[int] = set()


def free_port() -> int:
    """A loopback port that nothing listens on, and that was not given before."""
    while True:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        if port not in _ports_given:
            _ports_given.add(port)
            return port


class Child:
    """A started program. Its output goes to a file, so that it never blocks, and a failed test can show it."""

    def __init__(self, name: str, command: list[str], folder: pathlib.Path, environment: dict[str, str] | None = None):
        self.name = name
        self.command = [str(part) for part in command]
        self.log_path = folder / f"{name}.log"
        self._log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            DIE_WITH_PARENT + self.command,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            cwd=folder,
        )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def send(self, number: int) -> None:
        if self.running:
            self.process.send_signal(number)

    def kill(self) -> None:
        self.send(signal.SIGKILL)
        self.process.wait(timeout=10)
        self._log.close()

    def terminate(self) -> None:
        self.send(signal.SIGTERM)

    def exit_code(self, within: float = 30) -> int:
        """Waits for the end."""
        eventually(f"{self.name} has ended", lambda: not self.running, within)
        return self.process.returncode

    def stop(self) -> None:
        """For clean-up, when how it ends is of no interest any more."""
        self.kill()

    def tail(self, lines: int = 60) -> str:
        state = "running" if self.running else f"ended with {self.process.returncode}"
        kept = self.log.splitlines()[-lines:]
        return "\n".join([f"--- {self.name} ({state}): {' '.join(self.command)}", *kept])
